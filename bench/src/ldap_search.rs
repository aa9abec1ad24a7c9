//! An equality search with access checks among 100,000 users: our server and OpenLDAP's slapd, one after the other.
//!
//! Both run as their own processes on loopback, answer the same kind of question about entries of about the same
//! size, and are charged the CPU time that the kernel says they took. Rates say more about this machine's load than
//! about either server; CPU per search is the figure to compare.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts processes, opens sockets and reads the clock"
)]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use directory::provision::{self, Plan};
use directory::serve::{self, Server, Transport};
use directory::{AddRequest, Directory, Operation, Session};
use ldap::{
    Authentication, BindRequest, Filter, Framer, Limits, Message, Operation as Ldap, ResultCode,
    Scope, SearchRequest,
};
use types::{Entropy, SeededEntropy, Timestamp, VirtualClock};

type Failure = Box<dyn Error + Send + Sync>;

/// CPU per LDAP equality search, ours against slapd's.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Users in each directory
    #[arg(long, default_value_t = 100_000)]
    users: usize,
    /// Seconds of load per measurement
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Connections that ask at the same time
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Measure our server alone
    #[arg(long)]
    only_ours: bool,
    /// Serve the directory in this file until standard input ends (used by the benchmark itself)
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
}

/// Runs the benchmark, or the server that it measures.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(path) = &arguments.serve {
        return serve_until_eof(path);
    }
    let folder = tempfile::tempdir()?;
    let ours = {
        let file = folder.path().join("directory.redb");
        println!("filling our directory with {} users", arguments.users);
        fill(&file, arguments.users)?;
        let (process, address) = start_ours(&file)?;
        measure("ours", arguments, &process, address, &OURS)?
    };
    if arguments.only_ours {
        return Ok(());
    }
    let theirs = {
        println!("filling slapd with {} users", arguments.users);
        let (process, address) = start_slapd(folder.path(), arguments.users)?;
        measure("slapd", arguments, &process, address, &SLAPD)?
    };
    println!();
    for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        println!(
            "{name:<28} ours {:6.1} us   slapd {:6.1} us   ratio {:.2}",
            ours.cpu_us,
            theirs.cpu_us,
            ours.cpu_us / theirs.cpu_us
        );
    }
    Ok(())
}

/// A count in a quotient; four thousand million are more than any run makes.
fn float(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::from(u32::MAX), f64::from)
}

/// How one server's directory looks to a client.
struct Side {
    bind_name: &'static str,
    base: &'static str,
    attribute: &'static str,
    selection: &'static [&'static str],
}

const PASSWORD: &str = "Correct-Horse-2026";

const OURS: Side = Side {
    bind_name: "CORP\\testuser",
    base: "DC=corp,DC=contoso,DC=com",
    attribute: "sAMAccountName",
    selection: &[
        "cn",
        "mail",
        "displayName",
        "telephoneNumber",
        "objectGUID",
        "userPrincipalName",
    ],
};

const SLAPD: Side = Side {
    bind_name: "uid=testuser,dc=corp,dc=contoso,dc=com",
    base: "dc=corp,dc=contoso,dc=com",
    attribute: "uid",
    selection: &[
        "cn",
        "mail",
        "displayName",
        "telephoneNumber",
        "entryUUID",
        "employeeNumber",
    ],
};

/// A process that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Process {
    /// User and system time so far, in clock ticks of 10 ms (proc(5), fields 14 and 15).
    fn cpu(&self) -> Result<Duration, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let after_name = stat.rsplit(')').next().ok_or("no name in stat")?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |index: usize| -> Result<u64, Failure> {
            Ok(fields.get(index).ok_or("short stat")?.parse()?)
        };
        Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
    }

    fn resident_mb(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.0.id()));
        let pages = statm
            .ok()
            .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
        pages.unwrap_or(0) * 4096 / 1_000_000
    }
}

struct Figure {
    cpu_us: f64,
}

fn measure(
    name: &str,
    arguments: &Arguments,
    process: &Process,
    address: SocketAddr,
    side: &Side,
) -> Result<Vec<(&'static str, Figure)>, Failure> {
    let everything: &[&str] = &["*"];
    let nothing: &[&str] = &["1.1"];
    // A warm cache is what a directory lives in.
    load(
        arguments.connections,
        Duration::from_secs(2),
        arguments.users,
        address,
        side,
        everything,
    )?;
    let mut figures = Vec::new();
    for (case, selection) in [
        ("all attributes", everything),
        ("six attributes", side.selection),
        ("no attributes", nothing),
    ] {
        let time = Duration::from_secs(arguments.seconds);
        let before = process.cpu()?;
        let load = load(
            arguments.connections,
            time,
            arguments.users,
            address,
            side,
            selection,
        )?;
        let cpu = process.cpu()? - before;
        let cpu_us = cpu.as_secs_f64() * 1e6 / float(load.searches);
        println!(
            "{name:<6} {case:<16} {:>8.0} searches/s  {cpu_us:6.1} us CPU  {:>5} bytes  p50 {:>4} us  p99 {:>5} us  {} MB",
            float(load.searches) / time.as_secs_f64(),
            load.bytes / load.searches.max(1),
            load.percentile(50),
            load.percentile(99),
            process.resident_mb(),
        );
        figures.push((case, Figure { cpu_us }));
    }
    Ok(figures)
}

#[derive(Default)]
struct Load {
    searches: u64,
    bytes: u64,
    latencies_us: Vec<u32>,
}

impl Load {
    fn percentile(&self, percent: usize) -> u32 {
        let at = self.latencies_us.len() * percent / 100;
        self.latencies_us.get(at).copied().unwrap_or(0)
    }
}

fn load(
    connections: usize,
    time: Duration,
    users: usize,
    address: SocketAddr,
    side: &Side,
    selection: &[&str],
) -> Result<Load, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut total = Load::default();
    std::thread::scope(|scope| -> Result<(), Failure> {
        let threads: Vec<_> = (0..connections)
            .map(|number| {
                let stop = Arc::clone(&stop);
                scope.spawn(move || ask(number, &stop, users, address, side, selection))
            })
            .collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            let one = thread.join().map_err(|_| "a client panicked")??;
            total.searches += one.searches;
            total.bytes += one.bytes;
            total.latencies_us.extend(one.latencies_us);
        }
        Ok(())
    })?;
    total.latencies_us.sort_unstable();
    Ok(total)
}

/// One client: binds, then asks for one random user after the other.
fn ask(
    number: usize,
    stop: &AtomicBool,
    users: usize,
    address: SocketAddr,
    side: &Side,
    selection: &[&str],
) -> Result<Load, Failure> {
    let mut client = Client::connect(address)?;
    client.bind(side.bind_name)?;
    let mut entropy = SeededEntropy::new(u64::try_from(number)?);
    let mut load = Load::default();
    while !stop.load(Ordering::Relaxed) {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        let user = u64::from_le_bytes(bytes) % u64::try_from(users)?;
        let filter = Filter::equality(side.attribute, format!("user{user:06}"));
        let search = SearchRequest::new(side.base, Scope::WholeSubtree, filter)
            .with_attributes(selection.iter().copied());
        let began = Instant::now();
        let received = client.search(search)?;
        let took = began.elapsed().as_micros();
        load.latencies_us
            .push(u32::try_from(took).unwrap_or(u32::MAX));
        load.searches += 1;
        load.bytes += u64::try_from(received)?;
    }
    Ok(load)
}

struct Client {
    stream: TcpStream,
    framer: Framer,
    id: u32,
}

/// Tags of the replies, so that the client does not spend the machine's time on decoding entries.
const SEARCH_RESULT_ENTRY: u8 = 0x64;

impl Client {
    fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            stream,
            framer: Framer::new(),
            id: 0,
        })
    }

    fn send(&mut self, operation: Ldap) -> Result<(), Failure> {
        self.id += 1;
        self.stream
            .write_all(&Message::new(self.id, operation).encode())?;
        Ok(())
    }

    fn frame(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(frame) = self.framer.next_frame(1 << 20)? {
                return Ok(frame.to_vec());
            }
            let mut buffer = [0; 16 << 10];
            let count = self.stream.read(&mut buffer)?;
            if count == 0 {
                return Err("the server hung up".into());
            }
            self.framer.push(buffer.get(..count).unwrap_or_default());
        }
    }

    fn bind(&mut self, name: &str) -> Result<(), Failure> {
        let authentication = Authentication::Simple(PASSWORD.as_bytes().to_vec().into());
        self.send(Ldap::BindRequest(BindRequest {
            version: 3,
            name: name.to_owned(),
            authentication,
        }))?;
        match Message::decode(&self.frame()?, &Limits::default())?.operation {
            Ldap::BindResponse(reply) if reply.result.is_success() => Ok(()),
            other => Err(format!("bind refused: {other:?}").into()),
        }
    }

    /// Asks, and gives the number of bytes in the answer, which must be one entry and success.
    fn search(&mut self, search: SearchRequest) -> Result<usize, Failure> {
        self.send(Ldap::SearchRequest(search))?;
        let mut bytes = 0;
        let mut entries = 0;
        loop {
            let frame = self.frame()?;
            bytes += frame.len();
            if is_entry(&frame) {
                entries += 1;
                continue;
            }
            return match Message::decode(&frame, &Limits::default())?.operation {
                Ldap::SearchResultDone(done)
                    if done.code == ResultCode::SUCCESS && entries == 1 =>
                {
                    Ok(bytes)
                }
                other => Err(format!("{entries} entries, then {other:?}").into()),
            };
        }
    }
}

/// Whether the operation after header and message id is an entry.
fn is_entry(frame: &[u8]) -> bool {
    let header = match frame.get(1) {
        Some(&long) if long >= 0x80 => 2 + usize::from(long & 0x7F),
        _ => 2,
    };
    let id_length = usize::from(frame.get(header + 1).copied().unwrap_or(0));
    frame.get(header + 2 + id_length) == Some(&SEARCH_RESULT_ENTRY)
}

// --- our side -----------------------------------------------------------------------------------

fn options() -> directory::Options {
    let start = Timestamp::from_unix_seconds(1_780_000_000);
    directory::Options {
        password_rounds: 1_000,
        ..directory::Options::new(
            Arc::new(VirtualClock::new(start)),
            Box::new(SeededEntropy::new(1)),
        )
    }
}

fn fill(file: &Path, users: usize) -> Result<(), Failure> {
    let directory = Directory::open(file, options())?;
    provision::provision(&directory, &Plan::example(PASSWORD))?;
    let began = Instant::now();
    for start in (0..users).step_by(1_000) {
        let batch = (start..users.min(start + 1_000))
            .map(our_user)
            .collect::<Result<_, Failure>>()?;
        directory
            .apply_all(&Session::system(), batch)
            .map_err(|(_, error)| error)?;
    }
    println!(
        "  {:.0} adds/s in batches of 1,000",
        float(users) / began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn our_user(number: usize) -> Result<Operation, Failure> {
    let name = format!("user{number:06}");
    let mut add = AddRequest::new(format!("CN={name},OU=Users,{}", OURS.base).parse()?)
        .with("objectClass", ["user"])
        .with("sAMAccountName", [name.as_str()])
        .with("userPrincipalName", [format!("{name}@corp.contoso.com")])
        .with("userAccountControl", ["512"]);
    for (attribute, value) in person(number) {
        add = add.with(attribute, [value]);
    }
    Ok(Operation::Add(add))
}

/// What both directories say about a person.
fn person(number: usize) -> Vec<(&'static str, String)> {
    vec![
        ("sn", format!("Surname{number}")),
        ("givenName", "Given".to_owned()),
        ("displayName", format!("Given Surname{number}")),
        ("mail", format!("user{number:06}@corp.contoso.com")),
        ("telephoneNumber", format!("+1 425 555 {number:06}")),
        ("title", "Engineer".to_owned()),
        ("street", "1 Harbour Road".to_owned()),
        ("l", "Portland".to_owned()),
        ("postalCode", "97201".to_owned()),
        ("employeeNumber", number.to_string()),
        (
            "description",
            "A person of the benchmark, described in a sentence of usual length.".to_owned(),
        ),
        (
            "physicalDeliveryOfficeName",
            format!("Building {}", number % 50),
        ),
    ]
}

fn start_ours(file: &Path) -> Result<(Process, SocketAddr), Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["ldap", "--serve"])
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
    let process = Process(child);
    Ok((process, line.trim().parse()?))
}

fn serve_until_eof(file: &Path) -> Result<(), Failure> {
    let directory = Directory::open(file, options())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let server = Server::new(directory, serve::Options::default());
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    println!("{}", listener.local_addr()?);
    runtime.spawn(async move { server.serve_listener(listener, Transport::Plain).await });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

// --- slapd's side -------------------------------------------------------------------------------

fn program(name: &str) -> Result<PathBuf, Failure> {
    ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is missing; run `cargo xtask peers`").into())
}

fn start_slapd(folder: &Path, users: usize) -> Result<(Process, SocketAddr), Failure> {
    let data = folder.join("slapd");
    std::fs::create_dir(&data)?;
    let config = folder.join("slapd.conf");
    std::fs::write(&config, slapd_config(&data))?;
    let ldif = folder.join("users.ldif");
    write_ldif(&ldif, users)?;
    let began = Instant::now();
    let added = Command::new(program("slapadd")?)
        .arg("-q")
        .arg("-f")
        .arg(&config)
        .arg("-l")
        .arg(&ldif)
        .stderr(Stdio::inherit())
        .stdout(Stdio::null())
        .status()?;
    if !added.success() {
        return Err("slapadd failed".into());
    }
    println!(
        "  {:.0} entries/s by slapadd",
        float(users) / began.elapsed().as_secs_f64()
    );
    // slapd cannot say which port it got: take a free one and hope for the moment in between.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let child = Command::new(program("slapd")?)
        .arg("-f")
        .arg(&config)
        .args(["-h", &format!("ldap://{address}/"), "-d", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let process = Process(child);
    for _ in 0..200 {
        if TcpStream::connect(address).is_ok() {
            return Ok((process, address));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("slapd does not answer".into())
}

/// Users may read everything, so that each entry and attribute passes an access rule, as with ours.
fn slapd_config(data: &Path) -> String {
    let data = data.display();
    let schema = "/etc/ldap/schema";
    format!(
        "include {schema}/core.schema\n\
         include {schema}/cosine.schema\n\
         include {schema}/inetorgperson.schema\n\
         pidfile {data}/slapd.pid\n\
         modulepath /usr/lib/ldap\n\
         moduleload back_mdb\n\
         threads 4\n\
         database mdb\n\
         suffix \"{base}\"\n\
         directory {data}\n\
         maxsize 2147483648\n\
         index objectClass,uid,cn,mail eq\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by users read by anonymous auth\n",
        base = SLAPD.base
    )
}

fn write_ldif(path: &Path, users: usize) -> Result<(), Failure> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let base = SLAPD.base;
    writeln!(
        file,
        "dn: {base}\nobjectClass: dcObject\nobjectClass: organization\no: Contoso\ndc: corp\n"
    )?;
    let mut write = |uid: &str, number: usize| -> Result<(), Failure> {
        writeln!(
            file,
            "dn: uid={uid},{base}\nobjectClass: inetOrgPerson\ncn: {uid}\nuid: {uid}"
        )?;
        for (attribute, value) in person(number) {
            writeln!(file, "{attribute}: {value}")?;
        }
        // As much again of what our entries have by themselves: SIDs, GUIDs, times, counters.
        writeln!(file, "carLicense: {}", "0".repeat(60))?;
        writeln!(file, "userPassword: {PASSWORD}\n")?;
        Ok(())
    };
    write("testuser", 0)?;
    for number in 0..users {
        write(&format!("user{number:06}"), number)?;
    }
    file.flush()?;
    Ok(())
}
