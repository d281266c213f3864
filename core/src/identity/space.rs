//! The rules made ready: namespaces by number, values to their one form.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use super::forest::{Limits, Reason};
use super::garbage::is_garbage;
use super::normalize::{
    device, is_normal_email, known_region, lowered, normalize_email, normalize_phone, trim, valid_phone,
};
use super::rules::{IdentityRules, Namespace, Normalize, OnUnparsable};
use crate::{Error, Result};

/// Why a value identifies nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BlockReason {
    /// It is blank.
    Blank,
    /// It is one of the well-known values for nobody.
    Garbage,
    /// The rules block it.
    Rule,
    /// It is no e-mail address or telephone number, and the rules block such values.
    Unparsable,
}

impl BlockReason {
    /// `blank`, `garbage`, `rule` or `unparsable`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Garbage => "garbage",
            Self::Rule => "rule",
            Self::Unparsable => "unparsable",
        }
    }
}

/// A namespace, ready for use.
#[derive(Clone, Debug)]
pub(super) struct Space {
    pub(super) name: String,
    /// Smaller is stronger; unlisted namespaces of one kind rank by name.
    rank: u32,
    /// Which of the limits counts its values.
    pub(super) slot: Option<u16>,
    normalize: Normalize,
    blocked: Patterns,
}

/// The rules and the namespaces in use.
#[derive(Clone, Debug, Default)]
pub(super) struct Spaces {
    pub(super) rules: IdentityRules,
    pub(super) list: Vec<Space>,
    pub(super) limits: Limits,
    by_name: HashMap<String, u16, FixedState>,
    blocked: Patterns,
    /// The namespace that each limit is for.
    limited: Vec<u16>,
}

/// More would not fit the codes.
const MOST: usize = u16::MAX as usize;

impl Spaces {
    pub(super) fn new(rules: &IdentityRules) -> Result<Self> {
        let bad = |reason: String| Err(Error::option("namespaces", reason));
        if rules.max_identifiers == Some(0) {
            return Err(Error::option("max_identifiers", "a customer has at least 1 identifier"));
        }
        if let Some(region) = rules.default_region.as_deref().filter(|r| !known_region(r)) {
            return Err(Error::option(
                "default_region",
                format!("`{region}` is not a country; give its ISO 3166 code, for example \"GB\""),
            ));
        }
        let mut spaces = Self {
            rules: rules.clone(),
            list: Vec::new(),
            limits: Limits { slots: Vec::new(), size: rules.max_identifiers, on_conflict: rules.on_conflict },
            by_name: HashMap::default(),
            blocked: Patterns::new(&rules.blocked),
            limited: Vec::new(),
        };
        for (rank, namespace) in rules.namespaces.iter().enumerate() {
            if namespace.limit == Some(0) {
                return bad(format!("`{}` has limit 0; give at least 1, or leave it out", namespace.name));
            }
            if spaces.by_name.contains_key(&namespace.name) {
                return bad(format!("`{}` is listed twice", namespace.name));
            }
            let space = spaces.add(namespace, rank as u32)?;
            if let Some(limit) = namespace.limit {
                spaces.list[space as usize].slot = Some(spaces.limits.slots.len() as u16);
                spaces.limits.slots.push(limit);
                spaces.limited.push(space);
            }
        }
        Ok(spaces)
    }

    fn add(&mut self, namespace: &Namespace, rank: u32) -> Result<u16> {
        let name = &namespace.name;
        if name.is_empty() {
            return Err(Error::option("namespaces", "a namespace has no name"));
        }
        if self.list.len() >= MOST {
            return Err(Error::option("namespaces", format!("there are more than {MOST}")));
        }
        let code = self.list.len() as u16;
        let normalize = namespace.normalize.unwrap_or_else(|| Kind::of(name).normalize());
        let mut patterns = Patterns::new(&namespace.blocked);
        self.list.push(Space {
            name: name.clone(),
            rank,
            slot: None,
            normalize,
            blocked: Patterns::default(),
        });
        // A blocked value is blocked in whatever form it comes.
        for value in &namespace.blocked {
            if let Some(form) = self.form(normalize, value) {
                patterns.exact.insert(form.to_lowercase());
            }
        }
        self.list[code as usize].blocked = patterns;
        self.by_name.insert(name.clone(), code);
        Ok(code)
    }

    /// The number of a namespace, if it is in use.
    pub(super) fn find(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied()
    }

    /// The number of a namespace, in use from now on.
    pub(super) fn of(&mut self, name: &str) -> Result<u16> {
        match self.find(name) {
            Some(code) => Ok(code),
            None => self.add(&Namespace::new(name), u32::MAX - 8 + Kind::of(name) as u32),
        }
    }

    pub(super) fn name(&self, space: u16) -> &str {
        &self.list[space as usize].name
    }

    /// Which of two namespaces is stronger (less).
    pub(super) fn compare(&self, a: u16, b: u16) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let (a, b) = (&self.list[a as usize], &self.list[b as usize]);
        a.rank.cmp(&b.rank).then_with(|| a.name.cmp(&b.name))
    }

    /// The rule behind a refusal: `limit:user_id`, `max_identifiers` or `unlinked`.
    pub(super) fn rule(&self, reason: Reason) -> Cow<'static, str> {
        match reason {
            Reason::Limit(slot) => Cow::Owned(format!("limit:{}", self.name(self.limited[slot as usize]))),
            Reason::Size => Cow::Borrowed("max_identifiers"),
            Reason::Unlinked => Cow::Borrowed("unlinked"),
        }
    }

    /// The one form of a value, or why it identifies nobody.
    pub(super) fn clean<'a>(
        &self,
        space: u16,
        raw: &'a str,
    ) -> std::result::Result<Cow<'a, str>, BlockReason> {
        let space = &self.list[space as usize];
        let trimmed = trim(raw);
        if trimmed.is_empty() {
            return Err(BlockReason::Blank);
        }
        if self.rules.block_garbage && is_garbage(trimmed) {
            return Err(BlockReason::Garbage);
        }
        if self.blocks(space, trimmed) {
            return Err(BlockReason::Rule);
        }
        let value = match self.form(space.normalize, raw) {
            Some(value) => value,
            None if self.rules.on_unparsable == OnUnparsable::Block => return Err(BlockReason::Unparsable),
            None if space.normalize == Normalize::Phone => Cow::Borrowed(trimmed),
            None => lowered(trimmed),
        };
        if value.is_empty() {
            return Err(BlockReason::Blank);
        }
        if value != trimmed {
            if self.rules.block_garbage && is_garbage(&value) {
                return Err(BlockReason::Garbage);
            }
            if self.blocks(space, &value) {
                return Err(BlockReason::Rule);
            }
        }
        Ok(value)
    }

    fn blocks(&self, space: &Space, value: &str) -> bool {
        if self.blocked.is_empty() && space.blocked.is_empty() {
            return false;
        }
        let lower = value.to_lowercase();
        self.blocked.match_any(&lower) || space.blocked.match_any(&lower)
    }

    fn form<'a>(&self, how: Normalize, raw: &'a str) -> Option<Cow<'a, str>> {
        let region = self.rules.default_region.as_deref();
        match how {
            Normalize::None => Some(Cow::Borrowed(raw)),
            Normalize::Trim => Some(Cow::Borrowed(trim(raw))),
            Normalize::Lower => Some(lowered(raw)),
            Normalize::Device => Some(device(raw)),
            Normalize::Email | Normalize::EmailGmail
                if is_normal_email(raw, how == Normalize::EmailGmail) =>
            {
                Some(Cow::Borrowed(raw))
            }
            Normalize::Email | Normalize::EmailGmail => {
                let address = normalize_email(raw, how == Normalize::EmailGmail)?;
                Some(if address == raw { Cow::Borrowed(raw) } else { Cow::Owned(address) })
            }
            Normalize::Phone => {
                let number = match self.rules.on_unparsable {
                    OnUnparsable::Keep => normalize_phone(raw, region)?,
                    OnUnparsable::Block => valid_phone(raw, region)?,
                };
                Some(if number == raw { Cow::Borrowed(raw) } else { Cow::Owned(number) })
            }
        }
    }

    /// Whether bringing values to their form is slow enough to remember it.
    pub(super) fn slow(&self, space: u16) -> bool {
        self.list[space as usize].normalize == Normalize::Phone
    }
}

/// What the name of a namespace says; the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Person,
    Email,
    Hash,
    Phone,
    Other,
    Device,
    Cookie,
    Session,
}

impl Kind {
    fn of(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
        let has = |list: &[&str]| words.clone().any(|w| list.contains(&w));
        let email = has(&["email", "emails", "mail"]) || lower.contains("e_mail") || lower.contains("e-mail");
        let phone = has(&["phone", "phones", "telephone", "tel", "msisdn", "cellphone"])
            || lower.contains("phone_number")
            || lower.contains("mobile_number");
        if has(&["hash", "hashed", "sha256", "sha1", "md5"]) {
            Self::Hash
        } else if email {
            Self::Email
        } else if has(&["device", "idfa", "idfv", "gaid", "adid", "aaid", "maid", "imei"]) {
            Self::Device
        } else if phone {
            Self::Phone
        } else if has(&["cookie", "cookies", "anonymous", "visitor", "browser", "ga", "fingerprint"]) {
            Self::Cookie
        } else if has(&["session", "ip"]) {
            Self::Session
        } else if words.any(|w| {
            [
                "user",
                "userid",
                "customer",
                "customerid",
                "account",
                "member",
                "person",
                "loyalty",
                "crm",
                "login",
                "ssn",
            ]
            .contains(&w)
        }) {
            Self::Person
        } else {
            Self::Other
        }
    }

    fn normalize(self) -> Normalize {
        match self {
            Self::Email => Normalize::Email,
            Self::Phone => Normalize::Phone,
            Self::Device => Normalize::Device,
            Self::Hash => Normalize::Lower,
            _ => Normalize::Trim,
        }
    }
}

/// Exact values and patterns with `*`, in lower case.
#[derive(Clone, Debug, Default)]
struct Patterns {
    exact: HashSet<String>,
    globs: Vec<String>,
}

impl Patterns {
    fn new(values: &[String]) -> Self {
        let (globs, exact) = values.iter().map(|v| v.trim().to_lowercase()).partition(|v| v.contains('*'));
        Self { exact: HashSet::from_iter::<Vec<String>>(exact), globs }
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.globs.is_empty()
    }

    fn match_any(&self, lower: &str) -> bool {
        self.exact.contains(lower) || self.globs.iter().any(|glob| matches(glob, lower))
    }
}

/// Whether `*` in the pattern, for any text, makes it the text.
fn matches(glob: &str, text: &str) -> bool {
    let Some((head, tail)) = glob.split_once('*') else { return glob == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    let (middle, end) = tail.rsplit_once('*').map_or(("", tail), |(middle, end)| (middle, end));
    let Some(mut rest) = rest.strip_suffix(end) else { return false };
    for part in middle.split('*').filter(|p| !p.is_empty()) {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_namespaces_say_what_they_hold() {
        let kinds = [
            ("user_id", Kind::Person),
            ("customerId", Kind::Person),
            ("email", Kind::Email),
            ("billing email", Kind::Email),
            ("email_sha256", Kind::Hash),
            ("phone_number", Kind::Phone),
            ("device_id", Kind::Device),
            ("IDFA", Kind::Device),
            ("cookie", Kind::Cookie),
            ("anonymous_id", Kind::Cookie),
            ("ip", Kind::Session),
            ("loyalty", Kind::Person),
            ("7up", Kind::Other),
        ];
        for (name, kind) in kinds {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn listed_namespaces_are_stronger_than_others_and_in_order() -> Result<()> {
        let rules = IdentityRules::new([Namespace::new("cookie"), Namespace::new("email")]);
        let mut spaces = Spaces::new(&rules)?;
        let order = ["cookie", "email", "user_id", "telephone", "a", "b", "device", "session"];
        for name in order.iter().rev() {
            spaces.of(name)?;
        }
        for pair in order.windows(2) {
            let (a, b) = (spaces.of(pair[0])?, spaces.of(pair[1])?);
            assert_eq!(spaces.compare(a, b), Ordering::Less, "{pair:?}");
        }
        Ok(())
    }

    #[test]
    fn values_are_blocked_in_every_form() -> Result<()> {
        let rules = IdentityRules {
            blocked: vec!["*@test.example".into(), "staff-*-x".into()],
            on_unparsable: OnUnparsable::Block,
            default_region: Some("GB".into()),
            ..IdentityRules::new([Namespace::new("phone").block("020 7946 0000"), Namespace::new("email")])
        };
        let mut spaces = Spaces::new(&rules)?;
        let (phone, email, other) = (spaces.of("phone")?, spaces.of("email")?, spaces.of("code")?);
        assert_eq!(spaces.clean(other, "Staff-12-X"), Err(BlockReason::Rule));
        assert_eq!(spaces.clean(other, "staff-x").as_deref(), Ok("staff-x"));
        assert_eq!(spaces.clean(email, "A@Test.Example"), Err(BlockReason::Rule));
        assert_eq!(spaces.clean(email, "nobody"), Err(BlockReason::Unparsable));
        assert_eq!(spaces.clean(email, " NULL "), Err(BlockReason::Garbage));
        assert_eq!(spaces.clean(email, " \t"), Err(BlockReason::Blank));
        if cfg!(feature = "phone") {
            assert_eq!(spaces.clean(phone, "+442079460000"), Err(BlockReason::Rule));
            assert_eq!(spaces.clean(phone, "123456"), Err(BlockReason::Garbage));
            assert_eq!(spaces.clean(phone, "234 567"), Err(BlockReason::Unparsable));
        }
        Ok(())
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (glob, text) in
            [("*", ""), ("a*", "a"), ("*a", "bca"), ("a*b*c", "a-b-b-c"), ("**", "x"), ("*b*", "abc")]
        {
            assert!(matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in [("a*", "b"), ("a*a", "a"), ("a*b*c", "a-c"), ("ab*bc", "abc"), ("*x*", "abc")] {
            assert!(!matches(glob, text), "{glob} {text}");
        }
    }

    #[test]
    fn impossible_rules_are_errors() {
        let limit = IdentityRules::new([Namespace::new("a").limit(0)]);
        let twice = IdentityRules::new([Namespace::new("a"), Namespace::new("a")]);
        let size = IdentityRules { max_identifiers: Some(0), ..IdentityRules::default() };
        let region = IdentityRules { default_region: Some("Mars".into()), ..IdentityRules::default() };
        let nameless = IdentityRules::new([Namespace::new("")]);
        for rules in [limit, twice, size, region, nameless] {
            assert_eq!(Spaces::new(&rules).unwrap_err().code(), "HW_OPTION");
        }
    }
}
