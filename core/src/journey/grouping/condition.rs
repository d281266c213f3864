//! Conditions of rules: a tree of tests over what is known of a visit.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What a condition looks at. A field that is not known is an empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Field {
    /// Where the visit came from, `google`.
    Source,
    /// By which means, `cpc`.
    Medium,
    /// The campaign's name.
    Campaign,
    /// `utm_term`.
    Term,
    /// `utm_content`.
    Content,
    /// What kind of site the source is: `search`, `social`, `shopping`,
    /// `video`, `ai_assistant`, or a category of the rules' own.
    SourceCategory,
    /// The host of the referrer, in small letters.
    ReferrerHost,
    /// The host of the landing page, in small letters.
    LandingHost,
    /// The path of the landing page, from its `/`.
    LandingPath,
    /// The parameter of the click id, `gclid`.
    ClickId,
    /// Google Ads: ad network type.
    AdNetwork,
    /// Display & Video 360: creative format; also `utm_creative_format`.
    CreativeFormat,
    /// Search Ads 360: engine account type.
    AccountType,
}

impl Field {
    pub(super) const COUNT: usize = 13;
}

/// How a field is compared.
#[derive(Clone, Debug)]
enum Operator {
    Equals(String),
    OneOf(Vec<String>),
    Matches(String, Regex),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
}

/// One test of one field.
#[derive(Clone, Debug)]
pub struct Test {
    field: Field,
    operator: Operator,
    /// As written; in small letters where case does not count.
    case_sensitive: bool,
}

/// When a rule applies.
///
/// In JSON a test `{"field": "medium", "one_of": ["cpc", "ppc"]}` with one of
/// the operators `equals`, `one_of`, `matches`, `starts_with`, `ends_with`,
/// `contains`; or `{"all": [...]}`, `{"any": [...]}`, `{"not": ...}` of further
/// conditions. Case does not count unless a test says `"case_sensitive": true`.
/// `matches` takes a regular expression in the syntax of the crate `regex`
/// (no look-around, so it takes linear time on any text), found anywhere in
/// the field unless it is anchored with `^` and `$`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Spec", into = "Spec")]
#[non_exhaustive]
pub enum Condition {
    /// All hold; of none, true.
    All(Vec<Self>),
    /// One holds at least; of none, false.
    Any(Vec<Self>),
    /// The condition does not hold.
    Not(Box<Self>),
    /// A test of a field.
    Test(Test),
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Spec {
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Vec<Condition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    any: Option<Vec<Condition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not: Option<Box<Condition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    equals: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    case_sensitive: bool,
}

fn small(text: String, case_sensitive: bool) -> String {
    if case_sensitive { text } else { text.to_lowercase() }
}

fn regex(pattern: &str, case_sensitive: bool) -> Result<Regex> {
    RegexBuilder::new(pattern).case_insensitive(!case_sensitive).size_limit(1 << 20).build().map_err(
        |error| {
            Error::option(
                "matches",
                format!("`{pattern}` is not a regular expression that can be used: {error}"),
            )
        },
    )
}

impl TryFrom<Spec> for Condition {
    type Error = Error;

    fn try_from(spec: Spec) -> Result<Self> {
        let case = spec.case_sensitive;
        let mut operators = Vec::new();
        operators.extend(spec.equals.map(|t| Operator::Equals(small(t, case))));
        operators.extend(
            spec.one_of.map(|list| Operator::OneOf(list.into_iter().map(|t| small(t, case)).collect())),
        );
        if let Some(pattern) = spec.matches {
            let regex = regex(&pattern, case)?;
            operators.push(Operator::Matches(pattern, regex));
        }
        operators.extend(spec.starts_with.map(|t| Operator::StartsWith(small(t, case))));
        operators.extend(spec.ends_with.map(|t| Operator::EndsWith(small(t, case))));
        operators.extend(spec.contains.map(|t| Operator::Contains(small(t, case))));
        let operator = operators.pop();
        let nothing = operator.is_none() && spec.field.is_none() && !case;
        match (spec.all, spec.any, spec.not, spec.field, operator) {
            (Some(all), None, None, None, None) if nothing => Ok(Self::All(all)),
            (None, Some(any), None, None, None) if nothing => Ok(Self::Any(any)),
            (None, None, Some(not), None, None) if nothing => Ok(Self::Not(not)),
            (None, None, None, Some(field), Some(operator)) if operators.is_empty() => {
                Ok(Self::Test(Test { field, operator, case_sensitive: case }))
            }
            _ => Err(Error::option(
                "when",
                "a condition is one of {\"all\": [...]}, {\"any\": [...]}, {\"not\": ...}, or a field with one \
                 operator, for example {\"field\": \"medium\", \"equals\": \"cpc\"}",
            )),
        }
    }
}

impl From<Condition> for Spec {
    fn from(condition: Condition) -> Self {
        let mut spec = Self::default();
        match condition {
            Condition::All(all) => spec.all = Some(all),
            Condition::Any(any) => spec.any = Some(any),
            Condition::Not(not) => spec.not = Some(not),
            Condition::Test(test) => {
                spec.field = Some(test.field);
                spec.case_sensitive = test.case_sensitive;
                match test.operator {
                    Operator::Equals(text) => spec.equals = Some(text),
                    Operator::OneOf(list) => spec.one_of = Some(list),
                    Operator::Matches(pattern, _) => spec.matches = Some(pattern),
                    Operator::StartsWith(text) => spec.starts_with = Some(text),
                    Operator::EndsWith(text) => spec.ends_with = Some(text),
                    Operator::Contains(text) => spec.contains = Some(text),
                }
            }
        }
        spec
    }
}

impl PartialEq for Test {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.operator, &other.operator) {
            (Operator::Equals(a), Operator::Equals(b))
            | (Operator::Matches(a, _), Operator::Matches(b, _))
            | (Operator::StartsWith(a), Operator::StartsWith(b))
            | (Operator::EndsWith(a), Operator::EndsWith(b))
            | (Operator::Contains(a), Operator::Contains(b)) => a == b,
            (Operator::OneOf(a), Operator::OneOf(b)) => a == b,
            _ => false,
        };
        same && self.field == other.field && self.case_sensitive == other.case_sensitive
    }
}

/// The fields of a visit, as they are and in small letters.
pub(super) struct Facts<'a> {
    pub(super) plain: [&'a str; Field::COUNT],
    pub(super) small: [std::borrow::Cow<'a, str>; Field::COUNT],
}

impl Condition {
    fn test(field: Field, operator: Operator) -> Self {
        Self::Test(Test { field, operator, case_sensitive: false })
    }

    /// The field is this text.
    pub fn equals(field: Field, text: &str) -> Self {
        Self::test(field, Operator::Equals(text.to_lowercase()))
    }

    /// The field is one of these texts.
    pub fn one_of<S: AsRef<str>>(field: Field, texts: impl IntoIterator<Item = S>) -> Self {
        let texts = texts.into_iter().map(|text| text.as_ref().to_lowercase());
        Self::test(field, Operator::OneOf(texts.collect()))
    }

    /// The regular expression is found in the field; [`Error::Option`] if it is none.
    pub fn matches(field: Field, pattern: &str) -> Result<Self> {
        Ok(Self::test(field, Operator::Matches(pattern.to_owned(), regex(pattern, false)?)))
    }

    /// The field begins with this text.
    pub fn starts_with(field: Field, text: &str) -> Self {
        Self::test(field, Operator::StartsWith(text.to_lowercase()))
    }

    /// The field ends with this text.
    pub fn ends_with(field: Field, text: &str) -> Self {
        Self::test(field, Operator::EndsWith(text.to_lowercase()))
    }

    /// The field contains this text.
    pub fn contains(field: Field, text: &str) -> Self {
        Self::test(field, Operator::Contains(text.to_lowercase()))
    }

    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|c| c.holds(facts)),
            Self::Any(any) => any.iter().any(|c| c.holds(facts)),
            Self::Not(not) => !not.holds(facts),
            Self::Test(test) => {
                let plain = facts.plain[test.field as usize];
                let text = if test.case_sensitive { plain } else { &facts.small[test.field as usize] };
                match &test.operator {
                    Operator::Equals(wanted) => text == wanted,
                    Operator::OneOf(list) => list.iter().any(|wanted| text == wanted),
                    Operator::Matches(_, regex) => regex.is_match(plain),
                    Operator::StartsWith(wanted) => text.starts_with(&**wanted),
                    Operator::EndsWith(wanted) => text.ends_with(&**wanted),
                    Operator::Contains(wanted) => text.contains(&**wanted),
                }
            }
        }
    }
}
