//! Attributes that are computed when they are asked for (MS-ADTS 3.1.1.4.5).

use types::Sid;

use super::Search;
use crate::Error;
use crate::access::{
    Target, effective_attributes, effective_child_classes, effective_descriptor_rights,
};
use crate::kerberos_keys;
use crate::model::{Dnt, Object, Reader};
use crate::operations::account::{self, Kind};
use crate::operations::bind::groups_of;
use crate::schema::{Attribute, AttributeId, ClassId};
use crate::store::{Table, keys};

/// `msDS-User-Account-Control-Computed`: UF_PASSWORD_EXPIRED.
const PASSWORD_EXPIRED: i64 = 0x80_0000;

/// The values; `None` where the attribute is not computed here.
pub(super) fn values(
    search: &Search<'_>,
    reader: &Reader<'_>,
    object: &Object,
    target: &Target<'_>,
    attribute: &Attribute,
) -> Result<Option<Vec<Vec<u8>>>, Error> {
    let schema = reader.schema;
    let known = schema.known();
    let token = search.session.token();
    let id = attribute.id;
    let text = |value: String| Ok(Some(vec![value.into_bytes()]));
    let attributes = |ids: Vec<AttributeId>| {
        ids.into_iter()
            .map(|id| schema.attribute_by_id(id).name.as_bytes().to_vec())
            .collect()
    };
    let classes = |ids: Vec<ClassId>| {
        ids.into_iter()
            .map(|id| schema.class_by_id(id).name.as_bytes().to_vec())
            .collect()
    };
    if id == known.allowed_attributes {
        return Ok(Some(attributes(
            schema.attributes_allowed(object.class()).to_vec(),
        )));
    }
    if id == known.allowed_attributes_effective {
        return Ok(Some(attributes(effective_attributes(
            schema, token, target,
        ))));
    }
    if id == known.allowed_child_classes {
        return Ok(Some(classes(schema.children_allowed(object.class()))));
    }
    if id == known.allowed_child_classes_effective {
        return Ok(Some(classes(effective_child_classes(
            schema, token, target,
        ))));
    }
    if id == known.sd_rights_effective {
        return text(effective_descriptor_rights(token, target).to_string());
    }
    if id == known.canonical_name {
        return text(canonical_name(&reader.dn(object)?));
    }
    if id == known.structural_object_class {
        let class = schema.class_by_id(object.class());
        return text(class.name.to_owned());
    }
    if id == known.create_time_stamp {
        return Ok(object
            .header
            .when_created
            .to_generalized_time()
            .map(|time| vec![time.into_bytes()]));
    }
    if id == known.modify_time_stamp {
        return Ok(object
            .header
            .when_changed
            .to_generalized_time()
            .map(|time| vec![time.into_bytes()]));
    }
    if id == known.subschema_subentry {
        return text(format!("CN=Aggregate,{}", reader.naming.schema_dn));
    }
    if id == known.approx_immed_subordinates {
        return text(reader.children(object.dnt)?.len().to_string());
    }
    account_values(search, reader, object, id)
}

fn account_values(
    search: &Search<'_>,
    reader: &Reader<'_>,
    object: &Object,
    id: AttributeId,
) -> Result<Option<Vec<Vec<u8>>>, Error> {
    let known = reader.schema.known();
    let number = |value: i64| Ok(Some(vec![value.to_string().into_bytes()]));
    if id == known.primary_group_token {
        let is_group = account::kind(reader.schema, object.class()) == Some(Kind::Group);
        let rid = object.sid().filter(|_| is_group).and_then(Sid::rid);
        return Ok(rid.map(|rid| vec![rid.to_string().into_bytes()]));
    }
    if id == known.principal_name {
        let domain = &reader.naming.netbios_domain;
        return Ok(object
            .text(known.sam_account_name)
            .map(|account| format!("{domain}\\{account}"))
            .or_else(|| object.sid().map(Sid::to_string))
            .map(|name| vec![name.into_bytes()]));
    }
    if [
        known.token_groups,
        known.token_groups_global,
        known.token_groups_local,
    ]
    .contains(&id)
    {
        return token_groups(reader, object).map(Some);
    }
    if id == known.account_control_computed {
        let must_change = object.number(known.pwd_last_set) == Some(0);
        return match account::kind(reader.schema, object.class()) {
            Some(Kind::User | Kind::Computer) => {
                number(if must_change { PASSWORD_EXPIRED } else { 0 })
            }
            _ => Ok(None),
        };
    }
    if id == known.key_version {
        let row = reader.view.get(Table::Key, &keys::dnt(object.dnt))?;
        return match row.as_deref().and_then(kerberos_keys::version) {
            Some(version) => number(i64::from(version.cast_signed())),
            None => Ok(None),
        };
    }
    if id == known.password_expiry_computed {
        return match account::kind(reader.schema, object.class()) {
            Some(Kind::User | Kind::Computer) => {
                number(account::password_expiry(search.snapshot, object))
            }
            _ => Ok(None),
        };
    }
    Ok(None)
}

/// SIDs of all groups that the account is in, without its own.
fn token_groups(reader: &Reader<'_>, object: &Object) -> Result<Vec<Vec<u8>>, Error> {
    let known = reader.schema.known();
    let mut found: Vec<Sid> = Vec::new();
    let mut seen: Vec<Dnt> = vec![object.dnt];
    let primary = object
        .number(known.primary_group_id)
        .and_then(|rid| u32::try_from(rid).ok());
    let primary = primary.and_then(|rid| Some(object.sid()?.domain()?.with_rid(rid)));
    if let Some(sid) = &primary {
        seen.extend(reader.by_sid(sid)?.map(|group| group.dnt));
        found.push(sid.clone());
    }
    let mut at = 0;
    while let Some(member) = seen.get(at).copied() {
        for (group, sid) in groups_of(reader, member)? {
            if !seen.contains(&group) {
                seen.push(group);
                found.push(sid);
            }
        }
        at += 1;
    }
    Ok(found.iter().map(Sid::to_bytes).collect())
}

/// `corp.contoso.com/Users/Test User`
fn canonical_name(dn: &str) -> String {
    let Ok(dn) = dn.parse::<types::Dn>() else {
        return String::new();
    };
    let mut parts: Vec<String> = dn
        .rdns()
        .iter()
        .take_while(|rdn| !rdn.attribute().eq_ignore_ascii_case("DC"))
        .map(|rdn| rdn.value().replace('/', "\\/"))
        .collect();
    parts.reverse();
    format!("{}/{}", dn.dns_domain(), parts.join("/"))
}
