//! A house in which everything works, what can be done to it, and what can be tried.
//!
//! What has a command is done by the command: this program starts itself as an administrator or a user would.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use ::lab::people::{SECOND_USER, TEST_USER, computer_dn};
use ::lab::wires::{CloudWire, ask_kdc};
use ::lab::{House, Options};
use cloud_api::paths;
use kerberos::client::{ClientError, Principal};
use kerberos::crypto::Key;
use types::Clock;
use workstation::joined::Joined;
use workstation::policy::NtHashPolicy;
use workstation::sign_in::{self, SignIn, SignInError};
use workstation::tickets::PartialTicket;

use super::experiment::{Attempt, Step};
use crate::io::{Failure, OsEntropy, SystemClock, Tell};
use crate::lab::files::Files;

/// What is seen, and the sentence behind it.
pub(super) type Seen = (String, String);

pub(super) struct Stage {
    house: House,
    rotations: u32,
}

const UNUSABLE: &str = "the experiment's house does not work";
const KEYS: &str = "msDS-KeyCredentialLink";
const JOINED: &str = "joined";
const UNKNOWN: &str = "unknown to the cloud";

impl Stage {
    /// A key registered and synced, a trust, and a device.
    pub(super) fn new() -> Result<Self, Failure> {
        let house = House::start(Options::new(Arc::new(SystemClock))).tell(UNUSABLE)?;
        house.register_first_key().tell(UNUSABLE)?;
        Files::write(&house)?;
        let stage = Self {
            house,
            rotations: 0,
        };
        let administrator = stage.house.administrator().1.expose().clone();
        stage.write("administrator.password", &administrator)?;
        let pass = stage
            .house
            .temporary_access_pass(TEST_USER)
            .tell(UNUSABLE)?;
        stage.write("pass", pass.expose())?;
        stage.write("pin", stage.house.key_pin().expose())?;
        stage.succeed(["sync", "run", "--config", "sync.toml"])?;
        stage.succeed(["trust", "create", "--allow", "Domain Users", "--apply"])?;
        Ok(stage)
    }

    /// Does what an administrator does.
    pub(super) fn take(&mut self, step: Step) -> Result<(), Failure> {
        match step {
            Step::RemoveSyncedEntry => self.remove_synced_entry(),
            Step::RemoveTrust => self.succeed(["trust", "remove", "--apply"]),
            Step::DenyUser => self.join_group("Denied RODC Password Replication Group"),
            Step::MakeAdministrator => self.join_group("Domain Admins"),
            Step::AllowNobodyElse => {
                self.succeed(["trust", "create", "--allow", "Schema Admins", "--apply"])
            }
            Step::DisableAccount => {
                let dn = self.user_dn()?;
                // NORMAL_ACCOUNT and ACCOUNTDISABLE.
                let mut ldap = self.house.ldap_as_administrator().tell(UNUSABLE)?;
                let disabled = ldap.replace(&dn, "userAccountControl", "514");
                disabled.tell("the account could not be disabled")
            }
            Step::DisableUserInCloud => self.disable_in_cloud(),
            Step::RotateKey => self.succeed(["trust", "rotate", "--apply"]),
            Step::RotateKeyWithoutCloud => {
                self.rotations += 1;
                let keytab = format!("rotation-{}.keytab", self.rotations);
                let mut command =
                    self.command(["trust", "rotate", "--apply", "--keytab", &keytab])?;
                command
                    .env_remove("TOMBOLO_CLOUD")
                    .env_remove("TOMBOLO_CLOUD_TOKEN_FILE");
                succeeded(&command.output().tell(UNUSABLE)?)
            }
            Step::RemoveKeyInCloud => self.remove_key_in_cloud(),
            Step::WantDomainDevice => self.want_domain_device(),
            Step::JoinComputer => {
                let (seen, why) = self.join_computer()?;
                if seen != UNKNOWN {
                    return Err(Failure::new(UNUSABLE).why(why));
                }
                self.sync()?;
                match self.join_computer()? {
                    (seen, _) if seen == JOINED => Ok(()),
                    (_, why) => Err(Failure::new(UNUSABLE).why(why)),
                }
            }
            Step::RemoveComputerCertificate => {
                let dn = computer_dn(self.house.domain_dn()).to_string();
                let mut ldap = self.house.ldap_as_administrator().tell(UNUSABLE)?;
                ldap.clear(&dn, "userCertificate").tell(UNUSABLE)?;
                self.sync()
            }
            Step::DeleteComputer => {
                let dn = computer_dn(self.house.domain_dn()).to_string();
                let mut ldap = self.house.ldap_as_administrator().tell(UNUSABLE)?;
                ldap.delete(&dn).tell(UNUSABLE)?;
                self.sync()
            }
        }
    }

    /// Tries something, and says what was seen.
    pub(super) fn attempt(&mut self, attempt: Attempt) -> Result<Seen, Failure> {
        if attempt == Attempt::SignIn {
            return self.sign_in_by_command();
        }
        if attempt == Attempt::JoinComputer {
            return self.join_computer();
        }
        if attempt.is_without_cloud() {
            return self.without_cloud(attempt);
        }
        let (joined, mut cloud) = self.device()?;
        let mut key = self.house.key().tell(UNUSABLE)?;
        let pin = self.house.pin().tell(UNUSABLE)?;
        let signed = sign_in::sign_in(&joined, &mut cloud, &mut key, &pin, None);
        let signed = match signed {
            Ok((signed, _)) => signed,
            Err(error) => return Ok(refused_by_cloud(&error)),
        };
        match attempt {
            Attempt::Exchange => self.exchange(&signed, |_| ()),
            Attempt::ExchangeWithoutSessionKey => self.exchange(&signed, |held| {
                let other = Key::generate(held.session.etype(), &mut OsEntropy);
                held.session = other.map_or_else(|_| Arc::clone(&held.session), Arc::new);
            }),
            Attempt::ExchangeInAnotherName => {
                let realm = self.house.realm().to_owned();
                self.exchange(&signed, |held| {
                    held.client = Principal::user(SECOND_USER.account, &realm);
                })
            }
            Attempt::Renew | Attempt::RenewAfterKeyRemoval => {
                if attempt == Attempt::RenewAfterKeyRemoval {
                    self.remove_key_in_cloud()?;
                }
                match sign_in::renew(&signed.prt, &mut cloud, &mut OsEntropy) {
                    Ok(renewed) => self.exchange(&renewed, |_| ()),
                    Err(error) => Ok(refused_by_cloud(&error)),
                }
            }
            Attempt::SignIn
            | Attempt::JoinComputer
            | Attempt::SignInWithoutCloud
            | Attempt::UnlockWithoutCloud
            | Attempt::UnlockAnOldCopy
            | Attempt::UnlockOnAnotherDevice => Err(Failure::new(UNUSABLE)),
        }
    }

    /// A good sign-in, then no cloud, then the attempt.
    fn without_cloud(&self, attempt: Attempt) -> Result<Seen, Failure> {
        let (signed_in, why) = self.sign_in_by_command()?;
        if signed_in != "ticket" {
            return Err(Failure::new(UNUSABLE).why(why));
        }
        let old = self.offline_cache()?;
        let content = std::fs::read(&old).tell(UNUSABLE)?;
        if attempt == Attempt::UnlockAnOldCopy {
            self.sign_in_by_command()?;
            std::fs::write(&old, content).tell(UNUSABLE)?;
        }
        self.house.cut_cloud().tell(UNUSABLE)?;
        std::fs::remove_file(self.house.state().join("tickets")).tell(UNUSABLE)?;
        if attempt == Attempt::SignInWithoutCloud {
            let (seen, why) = self.sign_in_by_command()?;
            return Ok(match why.contains("cannot be reached") {
                true => ("the cloud cannot be reached".to_owned(), why),
                false => (seen, why),
            });
        }
        let state = match attempt {
            Attempt::UnlockOnAnotherDevice => "another-workstation",
            _ => "workstation",
        };
        let output = self
            .command(["unlock", "--pin-file", "pin", "--state", state])?
            .output()
            .tell(UNUSABLE)?;
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let has_ticket = self.house.state().join("tickets").exists();
        Ok(match (output.status.success(), has_ticket) {
            (true, true) => ("ticket".to_owned(), told),
            (true, false) => ("unlocked, without a ticket".to_owned(), told),
            (false, _) => ("refused by the device".to_owned(), told),
        })
    }

    /// The one offline cache of the device.
    fn offline_cache(&self) -> Result<std::path::PathBuf, Failure> {
        let folder = self.house.state().join("workstation");
        let entries = std::fs::read_dir(folder).tell(UNUSABLE)?.flatten();
        let mut paths = entries.map(|entry| entry.path());
        let cache = paths.find(|path| path.extension().is_some_and(|end| end == "cache"));
        cache.ok_or_else(|| Failure::new(UNUSABLE).why("the sign-in kept no offline cache"))
    }

    fn sign_in_by_command(&self) -> Result<Seen, Failure> {
        let upn = TEST_USER.upn(self.house.dns_domain());
        let output = self
            .command([
                "signin",
                "--json",
                "--user",
                &upn,
                "--pass-file",
                "pass",
                "--pin-file",
                "pin",
            ])?
            .output()
            .tell(UNUSABLE)?;
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.code() == Some(3) {
            return Ok(("refused by the cloud".to_owned(), told));
        }
        let report: serde_json::Value =
            serde_json::from_slice(&output.stdout).tell("the sign-in's report cannot be read")?;
        let why = report.get("noTicket").and_then(serde_json::Value::as_str);
        Ok(match why {
            None => ("ticket".to_owned(), told),
            Some(why) if why.starts_with("the cloud gave no ticket") => {
                ("no ticket of the cloud".to_owned(), why.to_owned())
            }
            Some(why) => (refused_by_domain(why), why.to_owned()),
        })
    }

    /// A device of its own, joined in this process.
    fn device(&self) -> Result<(Joined, CloudWire), Failure> {
        let addresses = self.house.addresses();
        let mut cloud = CloudWire::new(&addresses.cloud, self.house.ca_pem()).tell(UNUSABLE)?;
        let session = self.house.session(TEST_USER).tell(UNUSABLE)?;
        let keys = workstation::keys::DeviceKeys::generate().tell(UNUSABLE)?;
        let joined =
            workstation::cloud::join(&mut cloud, &keys, "the experiment's device", &session)
                .tell(UNUSABLE)?;
        let certificate = data_encoding::BASE64
            .decode(joined.certificate.raw_body.as_bytes())
            .tell(UNUSABLE)?;
        let (origin, now) = (self.house.cloud_origin(), SystemClock.now());
        let joined = Joined::of_certificate(keys, certificate, &origin, now, &mut OsEntropy)
            .tell(UNUSABLE)?;
        Ok((joined, cloud))
    }

    /// Exchanges the cloud's ticket, held as `bend` says.
    fn exchange(
        &self,
        signed: &SignIn,
        bend: impl FnOnce(&mut kerberos::client::Credentials),
    ) -> Result<Seen, Failure> {
        let partial = match &signed.ticket {
            Ok(partial) => partial,
            Err(why) => return Ok(("no ticket of the cloud".to_owned(), why.to_string())),
        };
        let mut held = partial.credentials().clone();
        bend(&mut held);
        let (exchange, request) = PartialTicket::held(held)
            .exchange(NtHashPolicy::Never, SystemClock.now(), &mut OsEntropy)
            .tell(UNUSABLE)?;
        let answer = ask_kdc(self.house.addresses().kdc, &request).tell(UNUSABLE)?;
        Ok(match exchange.finish(&answer) {
            Ok(_) => ("ticket".to_owned(), String::new()),
            Err(ClientError::Refused(error)) => {
                let why = format!("error {}", error.error_code);
                (refused_by_domain(&why), why)
            }
            Err(error) => ("refused by the domain".to_owned(), error.to_string()),
        })
    }

    fn remove_synced_entry(&self) -> Result<(), Failure> {
        let what = "the synced entry could not be removed";
        let dn = self.user_dn()?;
        let mut ldap = self.house.ldap_as_administrator().tell(what)?;
        let values = ldap.values(&dn, KEYS).tell(what)?;
        if values.is_empty() {
            return Err(Failure::new(what).why("there is none: the sync wrote nothing"));
        }
        for value in values {
            ldap.delete_value(&dn, KEYS, &value).tell(what)?;
        }
        Ok(())
    }

    fn join_group(&self, group: &str) -> Result<(), Failure> {
        let group = format!("CN={group},CN=Users,{}", self.house.domain_dn());
        let mut ldap = self.house.ldap_as_administrator().tell(UNUSABLE)?;
        ldap.add_value(&group, "member", &self.user_dn()?)
            .tell(format!("the user could not be put into {group}"))
    }

    fn disable_in_cloud(&self) -> Result<(), Failure> {
        let what = "the user could not be disabled in the cloud";
        let user = self.house.cloud_user(TEST_USER).tell(what)?;
        let cloud = self.house.cloud_as_administrator().tell(what)?;
        let change = serde_json::json!({ "accountEnabled": false });
        cloud.patch(&paths::user(user), &change).tell(what)
    }

    /// Everything is read, so that what was deleted is missed even where the connector does not see deleted objects.
    fn sync(&self) -> Result<(), Failure> {
        self.succeed(["sync", "run", "--full", "--config", "sync.toml"])
    }

    fn want_domain_device(&self) -> Result<(), Failure> {
        let policy = serde_json::json!({
            "displayName": "devices of the domain", "state": "enabled",
            "conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"]}},
            "grantControls": {"operator": "AND", "builtInControls": ["domainJoinedDevice"]},
        });
        let cloud = self.house.cloud_as_administrator().tell(UNUSABLE)?;
        let added: Result<serde_json::Value, _> = cloud.post(paths::ACCESS_POLICIES, &policy);
        added.map(drop).tell("the policy could not be added")
    }

    /// As the computer's own account, whose password an administrator sets for it.
    fn join_computer(&self) -> Result<Seen, Failure> {
        let dn = computer_dn(self.house.domain_dn()).to_string();
        let password = "the computer's own password, 2026";
        let quoted: Vec<u8> = format!("\"{password}\"")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let mut ldap = self.house.ldap_as_administrator().tell(UNUSABLE)?;
        ldap.replace_bytes(&dn, "unicodePwd", &quoted)
            .tell("the computer's password could not be set")?;
        self.write("computer.password", password)?;
        let output = self
            .command(["device", "hybrid-join"])?
            .env("TOMBOLO_BIND", &dn)
            .env("TOMBOLO_PASSWORD_FILE", "computer.password")
            .output()
            .tell(UNUSABLE)?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        let seen = match output.status.code() {
            Some(0) => JOINED,
            Some(1) => UNKNOWN,
            _ => "refused by the cloud",
        };
        Ok((seen.to_owned(), told.trim().to_owned()))
    }

    fn remove_key_in_cloud(&self) -> Result<(), Failure> {
        let what = "the key could not be removed in the cloud";
        let user = self.house.cloud_user(TEST_USER).tell(what)?;
        let cloud = self.house.cloud_as_administrator().tell(what)?;
        let list: cloud_api::fido2::Fido2MethodList =
            cloud.get(&paths::fido2_methods(user)).tell(what)?;
        for method in list.value {
            cloud
                .delete(&paths::fido2_method(user, &method.id))
                .tell(what)?;
        }
        Ok(())
    }

    fn user_dn(&self) -> Result<String, Failure> {
        Ok(self.house.account(TEST_USER).tell(UNUSABLE)?.dn.clone())
    }

    fn write(&self, name: &str, line: &str) -> Result<(), Failure> {
        let path = self.house.state().join(name);
        let what = format!("could not write {}", path.display());
        std::fs::write(path, format!("{line}\n")).tell(what)
    }

    fn succeed<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<(), Failure> {
        succeeded(&self.command(arguments)?.output().tell(UNUSABLE)?)
    }

    /// This program, with the house for its surroundings.
    fn command<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Command, Failure> {
        let own = std::env::current_exe().tell("this program does not find itself")?;
        let addresses = self.house.addresses();
        let (administrator, _) = self.house.administrator();
        let mut command = Command::new(own);
        command
            .current_dir(self.house.state())
            .args(arguments)
            .stdin(Stdio::null());
        for (name, value) in [
            ("TOMBOLO_DIRECTORY", addresses.ldaps.clone()),
            ("TOMBOLO_BIND", administrator),
            ("TOMBOLO_PASSWORD_FILE", "administrator.password".to_owned()),
            ("TOMBOLO_CA_FILE", "ca.pem".to_owned()),
            ("TOMBOLO_CLOUD", addresses.cloud.clone()),
            ("TOMBOLO_CLOUD_CA_FILE", "ca.pem".to_owned()),
            ("TOMBOLO_CLOUD_TOKEN_FILE", "administrator.token".to_owned()),
            ("TOMBOLO_CLOUD_ORIGIN", self.house.cloud_origin()),
            ("TOMBOLO_KDC", addresses.kdc.to_string()),
            ("TOMBOLO_SOFTKEY_ADDRESS", addresses.key.to_string()),
            ("TOMBOLO_WORKSTATION_STATE", "workstation".to_owned()),
            ("KRB5CCNAME", "tickets".to_owned()),
        ] {
            command.env(name, value);
        }
        Ok(command)
    }
}

fn succeeded(output: &Output) -> Result<(), Failure> {
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    Err(Failure::new("a command of the experiment failed").why(told.trim()))
}

fn refused_by_cloud(error: &SignInError) -> Seen {
    ("refused by the cloud".to_owned(), error.to_string())
}

/// The name of the error in a sentence that ends in `error KDC_ERR_TGT_REVOKED`.
fn refused_by_domain(why: &str) -> String {
    let name = why.split_once("error ").map(|(_, rest)| rest);
    let name = name.and_then(|rest| rest.split_whitespace().next());
    match name {
        Some(name) => format!("refused by the domain: {name}"),
        None => "refused by the domain".to_owned(),
    }
}
