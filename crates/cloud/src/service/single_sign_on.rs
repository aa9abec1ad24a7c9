//! Single sign-on in a browser: what a device shows of its primary refresh token signs its user in at an application
//! without the page (MS-OAPXBC 2.2.1.1).

use cloud_api::jose::Jws;
use cloud_api::prt::{BrowserCredential, HS256};

use super::Cloud;
use crate::core::application_token::{ApplicationError, Proof};
use crate::core::authorization::Authorization;
use crate::core::refusal::SignInError;

impl Cloud {
    /// Where the browser goes with its code, if what it shows is good for this request.
    pub(crate) fn single_sign_on(
        &self,
        request: Authorization,
        shown: &str,
    ) -> Result<String, ApplicationError> {
        let jws = Jws::parse(shown).map_err(SignInError::from)?;
        jws.must_be(HS256).map_err(SignInError::from)?;
        let shown: BrowserCredential = jws.claims().map_err(SignInError::from)?;
        // Browsers that have none yet come without, to be sent for one.
        let nonce = shown.request_nonce.as_deref().ok_or(SignInError::Nonce)?;
        let now = self.now();
        let (_, signed_in) = self.held_token(&jws, &shown.refresh_token, nonce, now)?;
        let (user, token) = (&signed_in.user, &signed_in.token);
        let asked = &request.asked;
        if !asked.expects(&user.user_principal_name) {
            return Err(ApplicationError::Page {
                why: "the application expects another user",
                claims: None,
            });
        }
        if !asked.is_met_by(token.strength, now.seconds_since(token.signed_in)) {
            return Err(ApplicationError::Page {
                why: "a stronger or newer proof is asked for",
                claims: Some(asked.claims().again()),
            });
        }
        let (client, proof) = (request.client_id.clone(), Proof::by_token(token, now));
        let checked = self.check_application(&proof, &client, now);
        checked.inspect_err(|error| {
            self.tell_application(&proof, &client, "refuseSignIn", error, now);
        })?;
        let detail = format!(
            "application {client}, by the primary refresh token of device {}",
            token.device
        );
        let about = proof.about(&client);
        self.store()
            .write(|db| self.tell_sign_in(db, now, "signInToApplication", about, &detail))?;
        self.code_for(request, proof, now)
    }
}
