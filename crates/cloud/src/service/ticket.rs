//! The ticket for the ground in an answer: who gets one, and in which form it is written.

use cloud_api::conditional_access::APP_KERBEROS;
use cloud_api::jose::JoseError;
use cloud_api::prt::{TicketField, TokenAnswer};
use cloud_api::session::SessionKey;
use data_encoding::BASE64;
use types::Timestamp;

use super::Cloud;
use super::sign_in::{NOT_JSON, SignedIn};
use crate::config::TicketForm;
use crate::core::conditional_access::PolicyRefused;
use crate::core::partial_ticket::{self, Lifetime, MintingKey, Subject};
use crate::core::refusal::SignInError;
use crate::store::{DeviceRow, Store};

const AES256: u32 = 18;

impl Cloud {
    /// Puts the ticket for the ground into an answer, or why there is none.
    pub(super) fn put_ticket(
        &self,
        answer: &mut TokenAnswer,
        signed_in: &mut SignedIn,
        device: &DeviceRow,
        now: Timestamp,
        show_key: impl FnOnce(&Self, &SessionKey, &[u8; 32]) -> Result<String, JoseError>,
    ) -> Result<(), SignInError> {
        let field = match self.mint(signed_in, device, now)? {
            Ok((minting, account, ticket)) => TicketField {
                client_key: Some(show_key(
                    self,
                    &signed_in.token.session,
                    ticket.client_key.expose(),
                )?),
                key_type: AES256,
                error: None,
                message_buffer: Some(BASE64.encode(&ticket.message)),
                sn: Some(format!("krbtgt/{}", minting.realm)),
                realm: Some(minting.realm),
                cn: Some(account),
                session_key_type: AES256,
                account_type: 1,
            },
            Err(why) => TicketField {
                error: Some(why),
                ..TicketField::default()
            },
        };
        let text = |field: &TicketField| serde_json::to_string(field).map_err(|_| NOT_JSON);
        if self.0.compatibility.empty_cloud_ticket {
            let none = TicketField {
                error: Some("this cloud has no realm of its own".to_owned()),
                ..TicketField::default()
            };
            answer.tgt_cloud = Some(text(&none)?);
        }
        match self.0.compatibility.ticket_form {
            TicketForm::Field => answer.tgt_ad = Some(text(&field)?),
            // This form has no word for a refusal.
            TicketForm::ThreeFields if field.error.is_some() => {}
            TicketForm::ThreeFields => {
                answer.tgt_client_key = field.client_key;
                answer.tgt_key_type = Some(field.key_type);
                answer.tgt_message_buffer = field.message_buffer;
            }
        }
        Ok(())
    }

    fn mint(
        &self,
        signed_in: &mut SignedIn,
        device: &DeviceRow,
        now: Timestamp,
    ) -> Result<Result<(MintingKey, String, partial_ticket::PartialTicket), String>, SignInError>
    {
        let SignedIn {
            user, token, told, ..
        } = signed_in;
        let none = |why: &str| Ok(Err(why.to_owned()));
        if !token.strength.is_phishing_resistant() {
            return none("the sign-in is not strong enough for a ticket");
        }
        let ground = &user.on_premises;
        let (Some(sid), Some(account), Some(domain)) = (
            &ground.on_premises_security_identifier,
            &ground.on_premises_sam_account_name,
            &ground.on_premises_domain_name,
        ) else {
            return none("the user has no account on the ground");
        };
        let domain = domain.to_ascii_lowercase();
        let found = self.store().read(|db| Store::minting_key(db, &domain))?;
        let Some(found) = found else {
            return none("the user's domain has no Kerberos server object in this cloud");
        };
        let (server, version) = (found.server, found.version);
        if sid.domain().as_ref() != Some(&server.domain_sid) {
            return none("the user's SID is not of the domain of the Kerberos server object");
        }
        match self.policies_allow(token, device, APP_KERBEROS, now) {
            Ok(reports) => told.extend(reports.into_iter().map(|report| ("reportPolicy", report))),
            Err(SignInError::Policy(PolicyRefused { name, why, .. })) => {
                let why = format!("policy '{name}' refuses the ticket: {why}");
                told.push(("refuseTicket", why.clone()));
                return Ok(Err(why));
            }
            Err(error) => return Err(error),
        }
        let minting = MintingKey {
            realm: server.realm,
            netbios: server.netbios_name,
            number: server.number,
            version,
            key: found.key,
        };
        let subject = Subject {
            account,
            display_name: &user.display_name,
            sid,
        };
        let ticket = self.with_entropy(|entropy| {
            partial_ticket::mint(&minting, &subject, Lifetime::default(), now, entropy)
        });
        let ticket = match ticket {
            Ok(ticket) => ticket,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let detail = format!(
            "partial ticket for {account}@{}, number {}, version {version}, device {}",
            minting.realm, minting.number, token.device
        );
        told.push(("issueTicket", detail));
        Ok(Ok((minting, account.clone(), ticket)))
    }
}
