//! The configuration of a sync, and the engine that it makes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use sync::http::{CloudSettings, HttpCloud};
use sync::ldap::{DirectorySettings, LdapDirectory};
use sync::rules::{RuleFile, RuleSet};
use sync::{Engine, Options, State};
use types::Secret;

use crate::io::{Failure, Tell, certificates, first_line, read_file};

/// `sync.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    cloud: Cloud,
    directory: Directory,
    state: StateFile,
    rules: Option<Rules>,
    /// The folder that the file is in.
    #[serde(skip)]
    folder: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cloud {
    url: String,
    token_file: PathBuf,
    ca_file: Option<PathBuf>,
    #[serde(default = "patience")]
    timeout_seconds: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Directory {
    url: String,
    bind_dn: String,
    password_file: PathBuf,
    ca_file: Option<PathBuf>,
    base_dn: Option<String>,
    #[serde(default)]
    start_tls: bool,
    #[serde(default = "patience")]
    timeout_seconds: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateFile {
    path: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    directory: PathBuf,
}

const fn patience() -> u64 {
    30
}

impl Config {
    /// Reads the configuration.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let what = || format!("could not read the sync's configuration {}", path.display());
        if !path.exists() {
            return Err(Failure::new(what())
                .why("there is no such file")
                .next("write one as `tombolo sync --help` shows, or name it with --config"));
        }
        let text = String::from_utf8(read_file(path)?).tell(what())?;
        let mut config: Self = toml::from_str(&text).tell(what())?;
        config.folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(config)
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The rules: the shipped ones, with the user's folder on top.
    pub(super) fn rules(&self) -> Result<RuleSet, Failure> {
        let folder = self.rules.as_ref().map(|rules| self.path(&rules.directory));
        read_rules(folder.as_deref())
    }

    /// The folder of the user's rules.
    pub(super) fn rules_folder(&self) -> Option<PathBuf> {
        self.rules.as_ref().map(|rules| self.path(&rules.directory))
    }

    /// The state, to look at.
    pub(super) fn state_to_read(&self) -> Result<State, Failure> {
        let path = self.path(&self.state.path);
        if !path.exists() {
            return Err(
                Failure::new(format!("there is no sync state at {}", path.display()))
                    .next("run `tombolo sync plan` first; it writes nothing to the directory"),
            );
        }
        State::open_to_read(&path).tell(format!("could not open the sync state {}", path.display()))
    }

    /// The whole engine.
    pub(super) fn engine(&self, options: Options) -> Result<Engine, Failure> {
        let path = self.path(&self.state.path);
        let state =
            State::open(&path).tell(format!("could not open the sync state {}", path.display()))?;
        let cloud = HttpCloud::new(CloudSettings {
            url: self.cloud.url.clone(),
            token: self.secret(&self.cloud.token_file)?,
            roots: self.roots(self.cloud.ca_file.as_deref())?,
            timeout: Duration::from_secs(self.cloud.timeout_seconds),
        });
        let cloud = cloud.tell("the configuration of the cloud does not work")?;
        let rules = self.rules()?;
        Ok(Engine::new(
            state,
            rules,
            Box::new(cloud),
            Box::new(self.directory()?),
            options,
        ))
    }

    fn directory(&self) -> Result<LdapDirectory, Failure> {
        let directory = &self.directory;
        let made = LdapDirectory::new(DirectorySettings {
            url: directory.url.clone(),
            start_tls: directory.start_tls,
            bind_dn: directory.bind_dn.clone(),
            password: self.secret(&directory.password_file)?,
            base_dn: directory.base_dn.clone(),
            roots: self.roots(directory.ca_file.as_deref())?,
            timeout: Duration::from_secs(directory.timeout_seconds),
        });
        made.tell("the configuration of the directory does not work")
    }

    /// The first line of a file.
    fn secret(&self, path: &Path) -> Result<Secret<String>, Failure> {
        first_line(&self.path(path))
    }

    fn roots(&self, path: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Failure> {
        path.map_or_else(|| Ok(Vec::new()), |path| certificates(&self.path(path)))
    }
}

/// The shipped rules with those of a folder on top; every `.toml` file in it, by name.
pub(super) fn read_rules(folder: Option<&Path>) -> Result<RuleSet, Failure> {
    let files = folder.map(rule_files).transpose()?.unwrap_or_default();
    let files: Vec<RuleFile<'_>> = files
        .iter()
        .map(|(name, text)| RuleFile { name, text })
        .collect();
    RuleSet::read(&files).tell("the rules do not hold together")
}

fn rule_files(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let what = || format!("could not read the rules in {}", path.display());
    let mut paths = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).tell(what())? {
            paths.push(entry.tell(what())?.path());
        }
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        });
        paths.sort();
    } else {
        paths.push(path.to_owned());
    }
    let read = |path: &PathBuf| {
        let name = path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let text = String::from_utf8(read_file(path)?)
            .tell(format!("could not read {}", path.display()))?;
        Ok((name, text))
    };
    paths.iter().map(read).collect()
}
