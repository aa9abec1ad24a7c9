//! Reads SDDL.

use types::{Guid, Sid};

use super::{Domains, RIGHT_SETS, RIGHTS, alias};
use crate::ace::{Ace, AceFlags};
use crate::acl::Acl;
use crate::descriptor::{Control, SecurityDescriptor};
use crate::error::InvalidSddl;
use crate::mask::AccessMask;

/// Longest text that is read: more than the longest descriptor prints.
const LENGTH_MAX: usize = 1024 * 1024;

impl SecurityDescriptor {
    /// Reads SDDL such as `O:DAG:DAD:AI(A;;RPLCLORC;;;AU)S:(AU;SA;WP;;;WD)`.
    pub fn from_sddl(text: &str, domains: Domains<'_>) -> Result<Self, InvalidSddl> {
        let mut parser = Parser {
            text,
            at: 0,
            domains,
        };
        if text.len() > LENGTH_MAX {
            return Err(parser.error("longer than 1 MiB"));
        }
        parser.descriptor()
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    domains: Domains<'a>,
}

impl<'a> Parser<'a> {
    fn error(&self, why: impl Into<String>) -> InvalidSddl {
        InvalidSddl {
            offset: self.at,
            why: why.into(),
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Steps over `token` where it is next, in any case.
    fn eat(&mut self, token: &str) -> bool {
        let is_next = self
            .rest()
            .get(..token.len())
            .is_some_and(|next| next.eq_ignore_ascii_case(token));
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    fn descriptor(&mut self) -> Result<SecurityDescriptor, InvalidSddl> {
        let mut descriptor = SecurityDescriptor::empty();
        let mut seen = [false; 4];
        loop {
            self.skip_spaces();
            if self.rest().is_empty() {
                return Ok(descriptor);
            }
            let Some((index, slot)) = ["O:", "G:", "D:", "S:"]
                .iter()
                .position(|part| self.eat(part))
                .and_then(|index| Some((index, seen.get_mut(index)?)))
            else {
                return Err(self.error("'O:', 'G:', 'D:' or 'S:' expected"));
            };
            if std::mem::replace(slot, true) {
                return Err(self.error("this part stands here for the second time"));
            }
            match index {
                0 => descriptor.owner = Some(self.leading_sid()?),
                1 => descriptor.group = Some(self.leading_sid()?),
                2 => {
                    let (flags, acl) = self.acl()?;
                    descriptor.control =
                        descriptor.control | Control::DACL_PRESENT | Control(flags & 0x1500);
                    descriptor.dacl = acl;
                }
                _ => {
                    let (flags, acl) = self.acl()?;
                    descriptor.control =
                        descriptor.control | Control::SACL_PRESENT | Control((flags << 1) & 0x2A00);
                    descriptor.sacl = acl;
                }
            }
        }
    }

    /// The SID of an owner or group: it ends where the next part begins.
    fn leading_sid(&mut self) -> Result<Sid, InvalidSddl> {
        self.skip_spaces();
        let rest = self.rest();
        let length = if rest.get(..2).is_some_and(|s| s.eq_ignore_ascii_case("S-")) {
            // A digit may be followed by the `D` of `D:`, which is no part of a hex authority.
            let end = rest
                .bytes()
                .skip(2)
                .take_while(|b| b.is_ascii_hexdigit() || matches!(b, b'-' | b'x' | b'X'))
                .count()
                + 2;
            let ends_with_dacl = rest.as_bytes().get(end) == Some(&b':');
            end - usize::from(ends_with_dacl)
        } else {
            2
        };
        let text = rest.get(..length).unwrap_or(rest);
        let sid = self.sid(text)?;
        self.at += text.len();
        Ok(sid)
    }

    fn sid(&self, text: &str) -> Result<Sid, InvalidSddl> {
        let text = text.trim();
        alias::resolve(text, self.domains)
            .or_else(|| text.parse().ok())
            .ok_or_else(|| {
                let shown: String = text.chars().take(80).collect();
                self.error(format!("'{shown}' is neither a SID nor a known alias"))
            })
    }

    /// The flags as the DACL's bits of the Control field, and the entries; `None` is a null ACL.
    fn acl(&mut self) -> Result<(u16, Option<Acl>), InvalidSddl> {
        let mut flags = Control::default();
        loop {
            self.skip_spaces();
            if self.eat("NO_ACCESS_CONTROL") {
                return Ok((flags.0, None));
            } else if self.eat("AI") {
                flags = flags | Control::DACL_AUTO_INHERITED;
            } else if self.eat("AR") {
                flags = flags | Control::DACL_AUTO_INHERIT_REQ;
            } else if self.eat("P") {
                flags = flags | Control::DACL_PROTECTED;
            } else {
                break;
            }
        }
        let mut aces = Vec::new();
        while self.eat("(") {
            let end = self
                .rest()
                .find(')')
                .ok_or_else(|| self.error("'(' is not closed"))?;
            let inside = self.rest().get(..end).unwrap_or_default();
            aces.push(self.ace(inside)?);
            self.at += end + 1;
            self.skip_spaces();
        }
        Ok((flags.0, Some(Acl::new(aces))))
    }

    /// `type;flags;rights;object;inherited object;sid`.
    fn ace(&self, text: &str) -> Result<Ace, InvalidSddl> {
        let fields: Vec<&str> = text.split(';').map(str::trim).collect();
        let [ace_type, flags, rights, object, inherited, sid] = fields.as_slice() else {
            return Err(self.error("an ACE has six fields, separated by ';'"));
        };
        let (sid, mask) = (self.sid(sid)?, self.rights(rights)?);
        let ace_type = ace_type.to_ascii_uppercase();
        let (ace, is_object) = match ace_type.as_str() {
            "A" => (Ace::allow(sid, mask), false),
            "D" => (Ace::deny(sid, mask), false),
            "AU" => (Ace::audit(sid, mask), false),
            "OA" => (Ace::allow(sid, mask), true),
            "OD" => (Ace::deny(sid, mask), true),
            "OU" => (Ace::audit(sid, mask), true),
            _ => return Err(self.error(format!("ACE type '{ace_type}' is not supported"))),
        };
        let mut ace = ace.with(self.ace_flags(flags)?);
        let (object, inherited) = (self.guid(object)?, self.guid(inherited)?);
        if !is_object && (object.is_some() || inherited.is_some()) {
            return Err(self.error(format!(
                "an ACE of type '{ace_type}' has no object type; write 'O{ace_type}'"
            )));
        }
        if is_object && let crate::AceBody::Entry(entry) = &mut ace.body {
            entry.object = Some(crate::ObjectTypes {
                object_type: object,
                inherited_object_type: inherited,
                reserved_flags: 0,
            });
        }
        Ok(ace)
    }

    fn guid(&self, text: &str) -> Result<Option<Guid>, InvalidSddl> {
        if text.is_empty() {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|why: types::guid::InvalidGuid| self.error(why.to_string()))
    }

    fn ace_flags(&self, text: &str) -> Result<AceFlags, InvalidSddl> {
        let table = super::print::ACE_FLAGS;
        self.pairs(text, "ACE flag", |pair| {
            table
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(pair))
                .map(|(_, flag)| *flag)
        })
        .map(|flags| flags.into_iter().fold(AceFlags::NONE, |a, b| a | b))
    }

    fn rights(&self, text: &str) -> Result<AccessMask, InvalidSddl> {
        let number = match text.get(..2) {
            Some("0x" | "0X") => Some(u32::from_str_radix(text.get(2..).unwrap_or_default(), 16)),
            _ if text.starts_with(|c: char| c.is_ascii_digit()) => Some(text.parse()),
            _ => None,
        };
        if let Some(number) = number {
            return number
                .map(AccessMask)
                .map_err(|_| self.error("access mask is not a 32-bit number"));
        }
        self.pairs(text, "access right", |pair| {
            RIGHTS
                .iter()
                .chain(&RIGHT_SETS)
                .find(|(name, _)| name.eq_ignore_ascii_case(pair))
                .map(|(_, mask)| *mask)
        })
        .map(|masks| masks.into_iter().fold(AccessMask::NONE, |a, b| a | b))
    }

    /// Reads a run of two-letter names.
    fn pairs<T>(
        &self,
        text: &str,
        what: &str,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, InvalidSddl> {
        let mut rest = text;
        let mut found = Vec::new();
        while !rest.is_empty() {
            let pair = rest.get(..2).unwrap_or(rest);
            let value = find(pair).ok_or_else(|| self.error(format!("unknown {what} '{pair}'")))?;
            found.push(value);
            rest = rest.get(2..).unwrap_or_default().trim_start();
        }
        Ok(found)
    }
}
