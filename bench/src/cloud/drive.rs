//! What is measured: everything is signed before the clock starts, so that only the cloud works while it runs.

use std::time::Instant;

use cloud_api::prt::{Challenge, TokenAnswer};
use cloud_api::session::SessionKey;

use super::people::{self, Person};
use super::wire::Address;
use crate::report::{Load, Row};
use crate::{Failure, process};

/// What threads send and get back, each its own list.
type PerThread = Vec<Vec<Vec<u8>>>;

/// A cloud that runs, and those who sign in to it. Each thread has people of its own, whose signature counters so go forward.
pub(crate) struct Drive {
    pub(crate) server: String,
    pub(crate) address: Address,
    pub(crate) pid: u32,
    pub(crate) people: Vec<Vec<Person>>,
    /// Sign-ins of each thread.
    pub(crate) each: usize,
}

/// Whether a request has a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connections {
    Kept,
    OneEach,
}

impl Connections {
    fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::OneEach => "new",
        }
    }
}

impl Drive {
    /// Hands out the people to threads.
    pub(crate) fn new(
        server: String,
        address: Address,
        pid: u32,
        people: Vec<Person>,
        threads: usize,
        sign_ins: usize,
    ) -> Self {
        let mut hands: Vec<Vec<Person>> = (0..threads).map(|_| Vec::new()).collect();
        for (number, person) in people.into_iter().enumerate() {
            if let Some(hand) = hands.get_mut(number % threads) {
                hand.push(person);
            }
        }
        Self {
            server,
            address,
            pid,
            people: hands,
            each: sign_ins.div_ceil(threads),
        }
    }

    /// All measurements, in the order in which a device makes them.
    pub(crate) fn all(&mut self) -> Result<Vec<Row>, Failure> {
        let warm = self.each;
        self.each = warm.div_ceil(10);
        self.sign_in(&mut Vec::new())?;
        self.each = warm;
        let mut rows = Vec::new();
        self.nonces(Connections::OneEach, &mut rows)?;
        let (requests, answers) = self.sign_in(&mut rows)?;
        drop(requests);
        self.renew(&answers, &mut rows)?;
        Ok(rows)
    }

    fn nonces(
        &self,
        connections: Connections,
        rows: &mut Vec<Row>,
    ) -> Result<Vec<Vec<String>>, Failure> {
        let requests =
            vec![vec![b"grant_type=srv_challenge".to_vec(); self.each]; self.people.len()];
        let answers = self.measure("nonce", connections, &requests, rows)?;
        let nonces = answers.iter().map(|answers| {
            let nonces = answers
                .iter()
                .map(|answer| Ok(serde_json::from_slice::<Challenge>(answer)?.nonce));
            nonces.collect()
        });
        nonces.collect()
    }

    fn sign_in(&mut self, rows: &mut Vec<Row>) -> Result<(PerThread, PerThread), Failure> {
        let nonces = self.nonces(Connections::Kept, rows)?;
        let mut requests = Vec::new();
        for (people, nonces) in self.people.iter_mut().zip(&nonces) {
            let count = people.len();
            let mut signed = Vec::with_capacity(nonces.len());
            for (number, nonce) in nonces.iter().enumerate() {
                let person = people
                    .get_mut(number % count)
                    .ok_or("a thread without people")?;
                signed.push(person.signs_in(nonce)?);
            }
            requests.push(signed);
        }
        let answers = self.measure("sign-in with ticket", Connections::Kept, &requests, rows)?;
        Ok((requests, answers))
    }

    fn renew(&self, answers: &PerThread, rows: &mut Vec<Row>) -> Result<(), Failure> {
        let mut held: Vec<Vec<(String, SessionKey)>> = Vec::new();
        for (people, answers) in self.people.iter().zip(answers) {
            let mut tokens = Vec::new();
            for (number, answer) in answers.iter().enumerate() {
                let answer: TokenAnswer = serde_json::from_slice(answer)?;
                let person = people.get(number % people.len()).ok_or("nobody")?;
                let jwe = answer.session_key_jwe.as_deref().unwrap_or_default();
                tokens.push((answer.refresh_token, person.session_key(jwe)?));
            }
            held.push(tokens);
        }
        let nonces = self.nonces(Connections::Kept, &mut Vec::new())?;
        let mut requests = Vec::new();
        for (held, nonces) in held.iter().zip(&nonces) {
            let signed = held
                .iter()
                .zip(nonces)
                .map(|((token, session), nonce)| people::renewal(token, session, nonce));
            requests.push(signed.collect::<Result<Vec<_>, _>>()?);
        }
        self.measure("renewal with ticket", Connections::Kept, &requests, rows)?;
        Ok(())
    }

    fn measure(
        &self,
        case: &str,
        connections: Connections,
        requests: &PerThread,
        rows: &mut Vec<Row>,
    ) -> Result<PerThread, Failure> {
        let before = process::cpu(&[self.pid])?;
        let (load, answers) = send(&self.address, connections, requests)?;
        let cpu = process::cpu(&[self.pid])? - before;
        rows.push(Row::new(
            &self.server,
            case,
            connections.name(),
            &load,
            Some(cpu),
        ));
        Ok(answers)
    }
}

fn send(
    address: &Address,
    connections: Connections,
    requests: &PerThread,
) -> Result<(Load, PerThread), Failure> {
    let begun = Instant::now();
    let mut total = Load::default();
    let mut all = Vec::new();
    std::thread::scope(|scope| -> Result<(), Failure> {
        let threads: Vec<_> = requests
            .iter()
            .map(|requests| scope.spawn(|| one_after_the_other(address, connections, requests)))
            .collect();
        for thread in threads {
            let (load, answers) = thread.join().map_err(|_| "a thread panicked")??;
            total.add(load);
            all.push(answers);
        }
        Ok(())
    })?;
    Ok((total.over(begun.elapsed()), all))
}

fn one_after_the_other(
    address: &Address,
    connections: Connections,
    requests: &[Vec<u8>],
) -> Result<(Load, Vec<Vec<u8>>), Failure> {
    let mut load = Load::default();
    let mut answers = Vec::with_capacity(requests.len());
    let mut line = address.connect()?;
    for request in requests {
        let begun = Instant::now();
        if connections == Connections::OneEach {
            line = address.connect()?;
        }
        let (status, body) = line.post(request)?;
        if status != 200 {
            // Whoever is refused measures something else.
            return Err(format!(
                "the cloud answers {status}: {}",
                String::from_utf8_lossy(&body)
            )
            .into());
        }
        load.granted(begun.elapsed());
        answers.push(body);
    }
    Ok((load, answers))
}
