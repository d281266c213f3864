//! The rules of stitching: namespaces, their strength and limits, what is
//! blocked, how values are normalised.

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// How the values of a namespace are brought to one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// As they come.
    None,
    /// Without white space around them.
    Trim,
    /// Trimmed and in lower case.
    Lower,
    /// As [`normalize_email`](super::normalize_email) without provider rules.
    Email,
    /// As [`normalize_email`](super::normalize_email), with the rules of Gmail:
    /// dots and `+tag` in the local part do not count, `googlemail.com` is
    /// `gmail.com`.
    EmailGmail,
    /// As [`normalize_phone`](super::normalize_phone), with the rules' default region.
    Phone,
    /// Trimmed; hexadecimal ids and UUIDs in lower case, without braces.
    Device,
}

/// What becomes of an e-mail address or telephone number that is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnparsable {
    /// It is an identifier like any other, trimmed (an e-mail address also in
    /// lower case, a number of digits alone as its digits).
    #[default]
    Keep,
    /// It is blocked, and counted among the blocked values.
    Block,
}

/// What happens when the identifiers of an event cannot all be one customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The weakest identifier of the event is left out and the rest tried
    /// again, until it fits (the rule of Segment Unify): from the first
    /// identifier, in order of strength, that does not fit, all are left out.
    #[default]
    Demote,
    /// Only the identifiers that do not fit are left out: each is tried, in
    /// order of strength, against those taken before it.
    Skip,
}

/// One kind of identifier.
///
/// In JSON also just its name: `"user_id"` is `{"name": "user_id"}`.
///
/// ```
/// use headwater::identity::Namespace;
///
/// let user = Namespace::new("user_id").limit(1);
/// assert_eq!(user.limit, Some(1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Namespace {
    /// Its name, as in the columns and in `observe`.
    pub name: String,
    /// How many different values of it one customer may have; default: any number.
    pub limit: Option<u32>,
    /// How its values are normalised; by default the name decides: `email` in
    /// the name e-mail, `phone` telephone, `device` or an advertising id
    /// device, a hash lower case, anything else trimmed.
    pub normalize: Option<Normalize>,
    /// Values of it that identify nobody; `*` stands for any text, case does not count.
    pub blocked: Vec<String>,
}

impl Namespace {
    /// A namespace without limit, normalised by its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), limit: None, normalize: None, blocked: Vec::new() }
    }

    /// At most this many values for one customer.
    #[must_use]
    pub fn limit(mut self, values: u32) -> Self {
        self.limit = Some(values);
        self
    }

    /// Normalised like this.
    #[must_use]
    pub fn normalize(mut self, how: Normalize) -> Self {
        self.normalize = Some(how);
        self
    }

    /// With one more value or pattern that identifies nobody.
    #[must_use]
    pub fn block(mut self, value: impl Into<String>) -> Self {
        self.blocked.push(value.into());
        self
    }
}

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            name: String,
            #[serde(default)]
            limit: Option<u32>,
            #[serde(default)]
            normalize: Option<Normalize>,
            #[serde(default)]
            blocked: Vec<String>,
        }
        struct NameOrFields;
        impl<'de> Visitor<'de> for NameOrFields {
            type Value = Namespace;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a namespace, or {name, limit, normalize, blocked}")
            }

            fn visit_str<E>(self, name: &str) -> Result<Namespace, E> {
                Ok(Namespace::new(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Namespace, A::Error> {
                let Fields { name, limit, normalize, blocked } =
                    Fields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Namespace { name, limit, normalize, blocked })
            }
        }
        deserializer.deserialize_any(NameOrFields)
    }
}

/// The rules of stitching.
///
/// The default has no limits, so that customers are the connected components
/// of identifiers seen together, and blocks the values that analytics tools
/// are known to send for nobody.
///
/// ```
/// use headwater::identity::{IdentityRules, Namespace};
///
/// // The strongest first: of two people on one device, the device is given up.
/// let rules = IdentityRules::new([
///     Namespace::new("user_id").limit(1),
///     Namespace::new("email").limit(3),
///     Namespace::new("device"),
/// ]);
/// assert!(rules.block_garbage);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityRules {
    /// The namespaces, the strongest first. One that is not listed may still
    /// be used; it is weaker than all listed ones, has no limit, and ranks by
    /// what its name says: ids of people, then e-mail, telephone, anything
    /// else, devices, cookies, sessions and addresses of the network.
    pub namespaces: Vec<Namespace>,
    /// How many identifiers one customer may have in all; default: any number.
    pub max_identifiers: Option<u32>,
    /// What to do when the identifiers of an event cannot all be one customer; default `demote`.
    pub on_conflict: OnConflict,
    /// Whether the well-known values for nobody are blocked (`null`,
    /// `anonymous`, `0`, all-zero ids, …: see [`is_garbage`](super::is_garbage)); default true.
    pub block_garbage: bool,
    /// Values that identify nobody in any namespace; `*` stands for any text, case does not count.
    pub blocked: Vec<String>,
    /// What to do with an e-mail address or telephone number that is none; default `keep`.
    pub on_unparsable: OnUnparsable,
    /// The country of telephone numbers without a country code: ISO 3166, such
    /// as `"GB"`; default none, and such numbers stay national.
    pub default_region: Option<String>,
    /// Goes into customer ids, so that nobody without it can tell from an id
    /// which identifier it came from; default empty.
    pub salt: String,
}

impl Default for IdentityRules {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            max_identifiers: None,
            on_conflict: OnConflict::default(),
            block_garbage: true,
            blocked: Vec::new(),
            on_unparsable: OnUnparsable::default(),
            default_region: None,
            salt: String::new(),
        }
    }
}

impl IdentityRules {
    /// The default rules with these namespaces, the strongest first.
    pub fn new(namespaces: impl IntoIterator<Item = Namespace>) -> Self {
        Self { namespaces: namespaces.into_iter().collect(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options;

    #[test]
    fn a_namespace_is_a_name_or_its_fields() {
        let rules: IdentityRules = options::parse(
            r#"{"namespaces":["user_id",{"name":"email","limit":3,"normalize":"email_gmail"}],"max_identifiers":9}"#,
        )
        .unwrap();
        assert_eq!(
            rules.namespaces,
            [Namespace::new("user_id"), Namespace::new("email").limit(3).normalize(Normalize::EmailGmail)]
        );
        let back: IdentityRules = options::parse(&serde_json::to_string(&rules).unwrap()).unwrap();
        assert_eq!(back, rules);
    }

    #[test]
    fn an_unknown_rule_is_named() {
        let wrong = [
            (r#"{"namespace":[]}"#, "namespace"),
            (r#"{"namespaces":[{"name":"a","limits":1}]}"#, "limits"),
            (r#"{"on_conflict":"fight"}"#, "fight"),
        ];
        for (json, name) in wrong {
            let error = options::parse::<IdentityRules>(json).unwrap_err();
            assert_eq!(error.code(), "HW_OPTION");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
