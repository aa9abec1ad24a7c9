//! Transforms: [`Expression`] is all that the engine knows of them; [`Cel`] is the one that exists.
//!
//! CEL (Common Expression Language) has no loops and no side effects, so an expression always ends. Beside the
//! standard functions there are:
//!
//! | function | gives |
//! |---|---|
//! | `is_keycred(octets)` | whether the octets read as a key credential |
//! | `with_key_hash(octets)` | the same key credential with its KeyHash entry; octets that are none are an error |
//! | `usage(octets)` | `"NGC"`, `"FIDO"`, ... or `""` |
//! | `source(octets)` | `"AD"`, `"AzureAD"`, ... or `""` |
//! | `b64(octets)` | base64 text |
//! | `sid(octets)` | `S-1-5-...` |
//! | `domain_sid(octets)` | the SID of the domain of an account's SID |
//! | `guid(octets)` | the text of a GUID |
//! | `dns_domain(text)` | `corp.contoso.com` of a distinguished name |
//! | `has_bit(number, mask)` | whether all bits of the mask are set |
//! | `device_certificates(list, guid)` | of a list of certificates those that are self-signed and have the GUID for a subject |

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::{Context, ExecutionError, Program, Value as CelValue};
use types::{Dn, Guid, Sid};

use crate::connector::Attributes;
use crate::schema::Syntax;
use crate::{certificates, keys};

/// Something that turns values into values.
pub trait Expression: fmt::Debug + Send + Sync {
    /// Evaluates it once; an empty list contributes nothing.
    fn evaluate(&self, input: Input<'_>) -> Result<Vec<Output>, String>;

    /// Its text, for explanations.
    fn text(&self) -> &str;
}

/// What an expression works on.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// One value, `v`.
    Value(Syntax, &'a [u8]),
    /// All attributes of an object, `object`, each a list of values.
    Object(&'a Attributes, &'a dyn Fn(&str) -> Syntax),
}

/// What an expression gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Text.
    Text(String),
    /// Octets.
    Octets(Vec<u8>),
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
}

impl Output {
    /// The stored octets of a value of this syntax.
    pub fn into_octets(self, syntax: Syntax) -> Result<Vec<u8>, String> {
        match (self, syntax) {
            (Self::Octets(octets), Syntax::Binary | Syntax::KeyCredential) => Ok(octets),
            (Self::Text(text), Syntax::Text) => Ok(text.into_bytes()),
            (Self::Boolean(value), Syntax::Boolean | Syntax::Text) => {
                Ok(value.to_string().into_bytes())
            }
            (Self::Integer(value), Syntax::Integer | Syntax::Text) => {
                Ok(value.to_string().into_bytes())
            }
            (given, wanted) => Err(format!(
                "the expression gives {}, but the attribute takes {}",
                match given {
                    Self::Text(_) => "text",
                    Self::Octets(_) => "octets",
                    Self::Boolean(_) => "a boolean",
                    Self::Integer(_) => "a number",
                },
                match wanted {
                    Syntax::Text => "text",
                    Syntax::Binary | Syntax::KeyCredential => "octets",
                    Syntax::Boolean => "a boolean",
                    Syntax::Integer => "a number",
                }
            )),
        }
    }
}

/// An expression in CEL.
pub struct Cel {
    text: String,
    program: Program,
}

impl fmt::Debug for Cel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cel").field(&self.text).finish()
    }
}

// Building the function tables costs more than most expressions (59 against 2 microseconds), so it is done once;
// each evaluation gets an inner scope of it.
static FUNCTIONS: LazyLock<Context<'static, 'static>> = LazyLock::new(functions);

/// Functions that expressions may call beside CEL's own.
const OURS: &[&str] = &[
    "is_keycred",
    "with_key_hash",
    "usage",
    "source",
    "b64",
    "sid",
    "domain_sid",
    "guid",
    "dns_domain",
    "has_bit",
    "device_certificates",
];
/// CEL's own, as far as an identity rule may want them. Misspelt names are errors when the rules are read.
const STANDARD: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "type",
];

type Octets = Arc<Vec<u8>>;

fn functions() -> Context<'static, 'static> {
    let failed = |function: &str, message: String| ExecutionError::FunctionError {
        function: function.to_owned(),
        message,
    };
    let mut context = Context::default();
    let added = [
        context.add_function("is_keycred", |v: Octets| keys::is_keycred(&v)),
        context.add_function("with_key_hash", move |v: Octets| {
            keys::with_key_hash(&v)
                .map(Arc::new)
                .map_err(|why| failed("with_key_hash", why))
        }),
        context.add_function("usage", |v: Octets| {
            Arc::new(keys::usage(&v).unwrap_or_default())
        }),
        context.add_function("source", |v: Octets| {
            Arc::new(keys::source(&v).unwrap_or_default())
        }),
        context.add_function("b64", |v: Octets| {
            Arc::new(data_encoding::BASE64.encode(&v))
        }),
        context.add_function("sid", move |v: Octets| {
            Sid::from_bytes(&v)
                .map(|sid| Arc::new(sid.to_string()))
                .map_err(|why| failed("sid", why.to_string()))
        }),
        context.add_function("domain_sid", move |v: Octets| {
            let sid = Sid::from_bytes(&v).map_err(|why| failed("domain_sid", why.to_string()))?;
            let domain = sid.domain();
            let domain =
                domain.ok_or_else(|| failed("domain_sid", format!("{sid} is of no domain")))?;
            Ok(Arc::new(domain.to_string()))
        }),
        context.add_function("guid", move |v: Octets| {
            guid(&v)
                .map(|guid| Arc::new(guid.to_string()))
                .ok_or_else(|| failed("guid", "a GUID has 16 octets".to_owned()))
        }),
        context.add_function("dns_domain", move |name: Arc<String>| {
            let dn = name
                .parse::<Dn>()
                .map_err(|why| failed("dns_domain", why.to_string()))?;
            Ok(Arc::new(dn.dns_domain().to_ascii_lowercase()))
        }),
        context.add_function("has_bit", |number: i64, mask: i64| number & mask == mask),
        context.add_function(
            "device_certificates",
            |list: Arc<Vec<CelValue>>, id: Octets| {
                let id = guid(&id);
                let is_own = |value: &&CelValue| match (value, id) {
                    (CelValue::Bytes(der), Some(id)) => certificates::is_of_device(der, id),
                    _ => false,
                };
                let own: Vec<CelValue> = list.iter().filter(is_own).cloned().collect();
                CelValue::List(Arc::new(own))
            },
        ),
    ];
    debug_assert!(
        added.iter().all(Result::is_ok),
        "a name of ours is taken by CEL"
    );
    context
}

fn guid(octets: &[u8]) -> Option<Guid> {
    <[u8; 16]>::try_from(octets).ok().map(Guid::from_bytes_le)
}

impl Cel {
    /// Compiles an expression that may use the given variables.
    pub fn compile(text: &str, variables: &[&str]) -> Result<Self, String> {
        let program = Program::compile(text).map_err(|error| {
            let lines: Vec<String> = error
                .to_string()
                .lines()
                .map(|l| l.trim().to_owned())
                .collect();
            lines.join(" ")
        })?;
        let references = program.references();
        let unknown = references
            .variables()
            .into_iter()
            .find(|name| !variables.contains(name));
        if let Some(name) = unknown {
            return Err(format!(
                "'{name}' is unknown here; the expression sees {}",
                variables.join(", ")
            ));
        }
        let is_named = |name: &str| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with('_')
        };
        let function = references.functions().into_iter().find(|name| {
            is_named(name)
                && !name.starts_with('@')
                && !OURS.contains(name)
                && !STANDARD.contains(name)
        });
        if let Some(name) = function {
            return Err(format!(
                "there is no function '{name}'; ours are {}",
                OURS.join(", ")
            ));
        }
        Ok(Self {
            text: text.trim().to_owned(),
            program,
        })
    }

    /// The attributes that the expression asks of `object`, by their quoted names.
    pub fn quoted(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut rest = self.text.as_str();
        while let Some(open) = rest.find(['"', '\'']) {
            // Both quotes are one octet long.
            let (_, quoted) = rest.split_at(open);
            let (mark, after) = quoted.split_at(1);
            let Some((name, beyond)) = after.split_once(mark) else {
                break;
            };
            names.push(name);
            rest = beyond;
        }
        names
    }
}

impl Expression for Cel {
    fn evaluate(&self, input: Input<'_>) -> Result<Vec<Output>, String> {
        let mut scope = FUNCTIONS.new_inner_scope();
        match input {
            Input::Value(syntax, value) => {
                scope.add_variable_from_value("v", to_cel(syntax, value))
            }
            Input::Object(attributes, syntax) => {
                let object: HashMap<String, CelValue> = attributes
                    .iter()
                    .map(|(name, values)| {
                        let list = values
                            .iter()
                            .map(|value| to_cel(syntax(name), value))
                            .collect();
                        (name.clone(), CelValue::List(Arc::new(list)))
                    })
                    .collect();
                scope.add_variable_from_value("object", object);
            }
        }
        let value = self
            .program
            .execute(&scope)
            .map_err(|error| error.to_string())?;
        from_cel(value)
    }

    fn text(&self) -> &str {
        &self.text
    }
}

fn to_cel(syntax: Syntax, value: &[u8]) -> CelValue {
    let text = || String::from_utf8_lossy(value).into_owned();
    match syntax {
        Syntax::Binary | Syntax::KeyCredential => CelValue::Bytes(Arc::new(value.to_vec())),
        Syntax::Text => CelValue::String(Arc::new(text())),
        Syntax::Boolean => CelValue::Bool(text().eq_ignore_ascii_case("true")),
        // A number that is none stays visible as text.
        Syntax::Integer => text()
            .parse()
            .map_or_else(|_| CelValue::String(Arc::new(text())), CelValue::Int),
    }
}

fn from_cel(value: CelValue) -> Result<Vec<Output>, String> {
    let one = match value {
        CelValue::Null => return Ok(Vec::new()),
        CelValue::List(items) => {
            let outputs: Result<Vec<Vec<Output>>, String> =
                items.iter().cloned().map(from_cel).collect();
            return outputs.map(|lists| lists.into_iter().flatten().collect());
        }
        CelValue::String(text) => Output::Text(text.to_string()),
        CelValue::Bytes(octets) => Output::Octets(octets.to_vec()),
        CelValue::Bool(value) => Output::Boolean(value),
        CelValue::Int(value) => Output::Integer(value),
        CelValue::UInt(value) => {
            Output::Integer(i64::try_from(value).map_err(|_| format!("{value} is too large"))?)
        }
        other => {
            return Err(format!(
                "the expression gives a {}, which no attribute can hold",
                other.type_of()
            ));
        }
    };
    Ok(vec![one])
}
