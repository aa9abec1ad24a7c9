//! Where the PAC lives in a ticket: AD-WIN2K-PAC inside AD-IF-RELEVANT (MS-KILE 3.3.5.6.4).

use crate::messages::{AdType, AuthorizationData, Der, EncTicketPart, Malformed};

/// The bytes of the PAC, or `None` where the ticket has none. Two PACs are an error, never a choice.
pub fn pac_of(part: &EncTicketPart) -> Result<Option<Vec<u8>>, Malformed> {
    let mut found = None;
    for element in part.authorization_data.iter().flatten() {
        let Some(inner) = element.inner() else {
            continue;
        };
        for element in inner? {
            if element.ad_type == AdType::AD_WIN2K_PAC
                && found.replace(element.ad_data.to_vec()).is_some()
            {
                return Err(Malformed::Field {
                    what: "EncTicketPart",
                    field: "authorization-data: number of PACs",
                    have: 2,
                });
            }
        }
    }
    Ok(found)
}

/// Puts a PAC in the place of the one that is there, or before everything else.
pub fn put_pac(part: &mut EncTicketPart, pac: &[u8]) -> Result<(), Malformed> {
    let list = part.authorization_data.get_or_insert_default();
    for element in list.iter_mut() {
        let Some(inner) = element.inner() else {
            continue;
        };
        let mut inner = inner?;
        if let Some(place) = inner.iter_mut().find(|e| e.ad_type == AdType::AD_WIN2K_PAC) {
            place.ad_data = pac.to_vec().into();
            element.ad_data = inner.to_der()?.into();
            return Ok(());
        }
    }
    let pac = AuthorizationData::new(AdType::AD_WIN2K_PAC, pac);
    list.insert(0, AuthorizationData::if_relevant(&vec![pac])?);
    Ok(())
}
