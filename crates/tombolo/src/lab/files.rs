//! What a running house lays out for the commands that people try on it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use ::lab::House;
use ::lab::people::CONNECTOR;

use crate::io::{Failure, Tell};

/// What is laid out for the commands to use. Only the owner can read them.
pub(super) struct Files {
    pub(super) ca: PathBuf,
    pub(super) sync: PathBuf,
    pub(super) log: PathBuf,
}

impl Files {
    pub(super) fn write(house: &House) -> Result<Self, Failure> {
        let folder = house.state();
        let place = |name: &str, content: &str| -> Result<PathBuf, Failure> {
            let path = folder.join(name);
            fs::write(&path, content).tell(format!("could not write {}", path.display()))?;
            Ok(path)
        };
        let connector = house
            .account(CONNECTOR)
            .tell("the connector account is missing")?;
        let ca = place("ca.pem", house.ca_pem())?;
        place("sync.token", house.sync_token().expose())?;
        place("administrator.token", house.administrator_token().expose())?;
        place("connector.password", connector.password.expose())?;
        let sync = place("sync.toml", &sync_configuration(house, &connector.dn))?;
        let log = place("changes.jsonl", "")?;
        Ok(Self { ca, sync, log })
    }
}

fn sync_configuration(house: &House, bind_dn: &str) -> String {
    let addresses = house.addresses();
    format!(
        "# The sync of this house, bound as the connector account. Files beside this one.\n\
         [cloud]\nurl = \"{}\"\ntoken_file = \"sync.token\"\nca_file = \"ca.pem\"\n\n\
         [directory]\nurl = \"{}\"\nbind_dn = \"{bind_dn}\"\npassword_file = \"connector.password\"\n\
         ca_file = \"ca.pem\"\n\n[state]\npath = \"sync.sqlite\"\n",
        addresses.cloud, addresses.ldaps
    )
}

/// Brings the log on disk up to the directory's audit records after `cursor`, and gives the new cursor.
pub(super) fn append_records(house: &House, log: &Path, cursor: u64) -> Result<u64, Failure> {
    let what = || format!("could not append to {}", log.display());
    let records = house
        .records_since(cursor)
        .tell("could not read the directory's audit records")?;
    let Some(last) = records.last().map(|record| record.origin().record_id) else {
        return Ok(cursor);
    };
    let mut file = fs::OpenOptions::new().append(true).open(log).tell(what())?;
    for record in &records {
        let line = events::to_line(record).tell(what())?;
        file.write_all(line.as_bytes()).tell(what())?;
    }
    Ok(last)
}
