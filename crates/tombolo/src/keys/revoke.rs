//! `tombolo keys revoke`: takes keys from a user, by key id or all of them.

use data_encoding::HEXLOWER_PERMISSIVE;

use super::change::{Change, How};
use super::owner::Owner;
use crate::io::{DirectoryArgs, Exit, Failure, ReceiptFile, Shell};

const HELP: &str = "\
Without --apply nothing is written. A key that the cloud's sync wrote comes back with its next cycle
unless it is deleted in the cloud as well; the plan says so.

Examples:
  tombolo keys revoke testuser                            the user's keys
  tombolo keys revoke testuser --key 3f2a90b1             what would go
  tombolo keys revoke --key 3f2a90b1 --apply              whoever has it
  tombolo keys revoke 'CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com' --all --apply

Exit codes:
  0  the plan can be carried out, or was, and was read back
  1  the directory says that the writer may not, or still shows what was deleted
  3  not done: no such user or key, wrong password, refused";

/// Take keys from a user: show the plan, or carry it out with --apply
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Command {
    /// Whose keys: account name, user principal name, distinguished name, GUID or SID
    #[arg(value_name = "USER", required_unless_present = "key")]
    user: Option<String>,

    /// The key id in hex, or at least its first eight digits (repeatable)
    #[arg(long, value_name = "HEX")]
    key: Vec<KeyId>,

    /// All keys of the user
    #[arg(long, conflicts_with = "key", requires = "user")]
    all: bool,

    #[command(flatten)]
    how: How,

    #[command(flatten)]
    directory: DirectoryArgs,
}

/// The first octets of a key id.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyId(Vec<u8>);

#[derive(Debug, thiserror::Error)]
#[error("not the hex of a key id, or fewer than eight digits of it, or an odd number")]
struct NotAKeyId;

impl std::str::FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        match bytes {
            Ok(bytes) if bytes.len() >= 4 => Ok(Self(bytes)),
            _ => Err(NotAKeyId),
        }
    }
}

/// The rule that the receipts name.
const RULE: &str = "tombolo keys revoke";

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let progress = shell.progress("asking the directory", None);
    let mut connection = command.directory.connect()?;
    let owner = match (&command.user, command.key.first()) {
        (Some(user), _) => Owner::find(&mut connection, user)?,
        (None, Some(id)) => only(Owner::with_key(&mut connection, &id.0)?)?,
        (None, None) => return Err(Failure::new("neither a user nor a key is named")),
    };
    let keys = owner.keys();
    for id in &command.key {
        let count = keys.iter().filter(|key| key.has_id(&id.0)).count();
        if count == 0 {
            let hex = data_encoding::HEXLOWER.encode(&id.0);
            return Err(Failure::new(format!("{} has no key {hex}", owner.dn))
                .next("`tombolo keys revoke USER` alone lists the keys"));
        }
    }
    let mut change = Change::new(&mut connection, owner, Vec::new(), |key| {
        command.all || command.key.iter().any(|id| key.has_id(&id.0))
    })?;
    if change.removes.iter().any(super::owner::Key::is_from_cloud) {
        change.notes.push(
            "the cloud's sync wrote such a key and writes it again: delete it in the cloud as well"
                .to_owned(),
        );
    }
    let is_nothing = change.removes.is_empty();
    if is_nothing {
        let note = "no key is chosen: name one with --key, or all with --all";
        change.notes.push(note.to_owned());
    }
    if command.how.apply && !is_nothing && !change.is_denied() {
        let mut receipts = ReceiptFile::open(&command.how.receipts)?;
        progress.label("deleting");
        change.apply(&mut connection, RULE, &mut receipts)?;
    }
    drop(progress);
    match command.how.json {
        true => shell.json(&change)?,
        false => change.tell(shell)?,
    }
    Ok(if change.is_well() || is_nothing {
        Exit::Good
    } else {
        Exit::Look
    })
}

fn only(mut owners: Vec<Owner>) -> Result<Owner, Failure> {
    let Some(owner) = owners.pop() else {
        return Err(Failure::new("nobody has this key")
            .why("no value of msDS-KeyCredentialLink that may be seen has such a key id")
            .next("look at the key id, or name the user"));
    };
    match owners.pop() {
        None => Ok(owner),
        Some(other) => Err(Failure::new("more than one object has this key")
            .why(format!("it is on {} and on {}", owner.dn, other.dn))
            .next("name the user as well")),
    }
}
