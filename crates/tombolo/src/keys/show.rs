//! `tombolo keys show`: finds values in anything, and prints them for people or for programs.

use std::path::PathBuf;

use audit::inventory::{self, Item};
use audit::models::Models;
use audit::report::{Broken, FORMAT, Line, Notice, Summary};

use super::rows::Rows;
use crate::io::{Exit, Failure, Shell, Tell, read_file, read_input};

const HELP: &str = "\
Reads B: lines, LDIF, the text of ldapsearch and PowerShell, CSV, UTF-16, and JSON of any shape,
also the cloud's searchableDeviceKey. Broken values are reported, and the others still shown.

Examples:
  tombolo keys show 'B:854:0002…:CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com'
  tombolo keys show users.ldif computers.json
  ldapsearch -H ldap://dc1 -b DC=corp,DC=contoso,DC=com '(msDS-KeyCredentialLink=*)' \\
      msDS-KeyCredentialLink | tombolo keys show -
  tombolo keys show --json export.ldif | \\
      jq '.keys[] | select(any(.findings[]; .severity == \"alarm\"))'

Exit codes:
  0  every value was readable
  1  some value was broken; the others are shown
  3  nothing to show: no value found, wrong usage, or an input could not be read";

/// Show key credentials found in arguments, files or stdin
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Command {
    /// A value starting with B:, a file, or - for stdin
    #[arg(required = true, value_name = "VALUE|FILE|-")]
    inputs: Vec<String>,

    /// Print one JSON document, format tombolo-keys/1, with every decoded field
    #[arg(long)]
    json: bool,

    /// Print notes and likely writers too, not only what is unusual
    #[arg(short, long, conflicts_with = "json")]
    all: bool,

    /// More security key models: a JSON file {"<aaguid>": "<model>"}; wins over the built-in table
    #[arg(long, value_name = "FILE")]
    aaguids: Option<PathBuf>,
}

/// Reads every input and prints what was found.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let models = models(&command)?;
    let mut output = match command.json {
        true => Output::Json(JsonOutput::start(shell)?),
        false => Output::Table(Rows::new(command.all)),
    };
    let mut tally = Tally::default();
    let mut unreadable = 0_usize;
    for (index, input) in command.inputs.iter().enumerate() {
        let read = each(index, input, shell, &mut |item, shell| {
            tally.take(Line::read(item, &models), &mut output, shell)
        });
        // One input that cannot be opened does not cost the others.
        if let Err(failure) = read {
            shell.note(&failure);
            unreadable = unreadable.saturating_add(1);
        }
    }
    match output {
        Output::Json(_) => JsonOutput::end(&tally, shell)?,
        Output::Table(rows) => rows.print(shell)?,
    }
    tally.tell(shell);
    let found = tally.summary.readable.saturating_add(tally.summary.broken);
    if found == 0 && unreadable == 0 {
        return Err(Failure::new("no key credential found")
            .why("none of the inputs holds a value of the form B:<n>:<hex>:<DN> or a searchableDeviceKey")
            .next("export the attribute msDS-KeyCredentialLink itself, for example with ldapsearch"));
    }
    Ok(match (unreadable, tally.summary.broken) {
        (0, 0) => Exit::Good,
        (0, _) => Exit::Look,
        _ => Exit::Failed,
    })
}

type Take<'t> = dyn FnMut(Item, &mut Shell) -> Result<(), Failure> + 't;

/// Hands out the items of one argument.
fn each(index: usize, input: &str, shell: &mut Shell, take: &mut Take<'_>) -> Result<(), Failure> {
    let mut ended = Ok(());
    let progress = shell.progress(&format!("reading {}", short(input)), None);
    let mut sink = |item: Item| {
        if ended.is_ok() {
            ended = take(item, shell);
        }
    };
    if input.starts_with("B:") {
        let name = format!("argument {}", index.saturating_add(1));
        let mut count = 0_usize;
        inventory::read_value(&name, input, &mut |item| {
            count = count.saturating_add(1);
            sink(item);
        });
        if count == 0 {
            return Err(Failure::new(format!("{name} is not a value"))
                .why(format!(
                    "'{}' does not have the form B:<n>:<hex>:<DN>",
                    short(input)
                ))
                .next("give the value whole and in quotes, or a file's name"));
        }
    } else {
        let is_hex = |byte: u8| byte.is_ascii_hexdigit();
        if input.len() > HEX_DIGITS_MIN && input.bytes().all(is_hex) {
            let name = format!("argument {}", index.saturating_add(1));
            return Err(Failure::new(format!("{name} is not a value"))
                .why(format!("'{}' is hex alone", short(input)))
                .next(format!(
                    "put the length and the owner around it: 'B:{}:{}:CN=…'",
                    input.len(),
                    short(input)
                )));
        }
        let bytes = read_input(&PathBuf::from(input))?;
        let name = if input == "-" { "stdin" } else { input };
        inventory::read(name, &bytes, &mut sink);
    }
    drop(progress);
    ended
}

/// No file has a name of more hex digits by accident.
const HEX_DIGITS_MIN: usize = 64;

fn short(input: &str) -> String {
    match input.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", input.get(..end).unwrap_or_default()),
        None => input.to_owned(),
    }
}

fn models(command: &Command) -> Result<Models, Failure> {
    let mut models = Models::default();
    if let Some(path) = &command.aaguids {
        let what = format!("could not use {} as a list of models", path.display());
        models.add_json(&read_file(path)?).tell(what)?;
    }
    Ok(models)
}

enum Output {
    Json(JsonOutput),
    Table(Rows),
}

/// What is small enough to be kept until the end.
#[derive(Default)]
struct Tally {
    summary: Summary,
    broken: Vec<Broken>,
    notices: Vec<Notice>,
}

impl Tally {
    fn take(&mut self, line: Line, output: &mut Output, shell: &mut Shell) -> Result<(), Failure> {
        match line {
            Line::Key(key) => {
                self.summary.count_key(&key);
                match output {
                    Output::Json(json) => json.key(&key, shell)?,
                    Output::Table(rows) => rows.add(&key),
                }
            }
            Line::Broken(broken) => {
                self.summary.count_broken();
                self.broken.push(broken);
            }
            Line::Notice(notice) => self.notices.push(notice),
        }
        Ok(())
    }

    /// The complaints, on stderr.
    fn tell(&self, shell: &Shell) {
        for notice in &self.notices {
            shell.note(format_args!("{}: {}", notice.place, notice.sentence));
        }
        for broken in &self.broken {
            let owner = broken.owner.as_deref().unwrap_or("unknown owner");
            shell.note(format_args!(
                "{}: broken value of {owner}: {}",
                broken.place, broken.reason
            ));
        }
        if !self.broken.is_empty() {
            let Summary {
                readable, broken, ..
            } = self.summary;
            shell.note(format_args!("{broken} broken, {readable} readable"));
        }
    }
}

/// The JSON document, written key by key so that a large forest needs no memory.
struct JsonOutput {
    is_first: bool,
}

impl JsonOutput {
    fn start(shell: &mut Shell) -> Result<Self, Failure> {
        shell.bytes(format!("{{\n\"format\": \"{FORMAT}\",\n\"keys\": [").as_bytes())?;
        Ok(Self { is_first: true })
    }

    fn key(&mut self, key: &audit::report::Key, shell: &mut Shell) -> Result<(), Failure> {
        let separator = if self.is_first { "\n" } else { ",\n" };
        self.is_first = false;
        shell.bytes(separator.as_bytes())?;
        let text = serde_json::to_string_pretty(key).tell("could not write a key as JSON")?;
        shell.bytes(text.as_bytes())
    }

    fn end(tally: &Tally, shell: &mut Shell) -> Result<(), Failure> {
        let text = |value: Result<String, serde_json::Error>| value.tell("could not write JSON");
        let broken = text(serde_json::to_string_pretty(&tally.broken))?;
        let notices = text(serde_json::to_string_pretty(&tally.notices))?;
        let summary = text(serde_json::to_string_pretty(&tally.summary))?;
        shell.line(format_args!(
            "\n],\n\"broken\": {broken},\n\"notices\": {notices},\n\"summary\": {summary}\n}}"
        ))
    }
}
