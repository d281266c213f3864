//! The models by name, as JSON strings or objects.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::callback::Callback;
use super::custom::Custom;
use super::trust::{Interval, Spread};
use super::{AdditiveHazard, Logistic, Markov, PathCounterfactual, ShaoLi, Shapley, TimeToEvent};
use crate::column::Duration;
use crate::journey::Journeys;
use crate::{Error, Result};

/// One way to split the credit.
///
/// In JSON a name, `"linear"`, or an object with parameters,
/// `{"model": "time_decay", "half_life": "7d"}`; parameters left out have
/// their defaults. In a journey of n touches the i-th has age a_i, the time
/// from it to the end of the journey.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Model {
    /// All to the first touch.
    First,
    /// All to the last touch.
    Last,
    /// All to the last touch whose channel is not direct; to the last touch
    /// if all are.
    LastNonDirect {
        /// Labels of direct channels, compared without regard to ASCII case.
        /// Default `["direct", "(direct)"]`.
        direct: Vec<String>,
    },
    /// 1 / n to each touch.
    Linear,
    /// `first` to the first touch, `last` to the last, the rest in equal parts
    /// to those between; of two touches f / (f + l) and l / (f + l) (half each
    /// if both are 0); a single touch has all.
    PositionBased {
        /// Share of the first touch. Default 0.4.
        first: f64,
        /// Share of the last touch. Default 0.4.
        last: f64,
    },
    /// 2^(−a_i / half_life) to each touch, made to add up to 1.
    TimeDecay {
        /// The age at which a touch counts half. Default 7 days.
        half_life: Duration,
    },
    /// Removal effects of a Markov chain.
    Markov(Markov),
    /// Shapley values of the channels.
    Shapley(Shapley),
    /// Weights of one's own, as data.
    Custom(Custom),
    /// Weights of one's own, by a function.
    Callback(Callback),
    /// What the rates of observed paths fall by without a touch.
    PathCounterfactual(PathCounterfactual),
    /// Backward elimination of ads in a rate of conversion over time.
    TimeToEvent(TimeToEvent),
    /// Bagged logistic regression on channels.
    Logistic(Logistic),
    /// Rates of channels and of their pairs.
    ShaoLi(ShaoLi),
    /// Rates that every ad adds to, and that decay.
    AdditiveHazard(AdditiveHazard),
}

fn default_direct() -> Vec<String> {
    vec!["direct".into(), "(direct)".into()]
}

fn default_share() -> f64 {
    0.4
}

fn default_half_life() -> Duration {
    Duration::from_days(7)
}

/// The same as tagged objects, for serde.
#[derive(Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case", deny_unknown_fields)]
enum Spec {
    First {},
    Last {},
    LastNonDirect {
        #[serde(default = "default_direct")]
        direct: Vec<String>,
    },
    Linear {},
    PositionBased {
        #[serde(default = "default_share")]
        first: f64,
        #[serde(default = "default_share")]
        last: f64,
    },
    TimeDecay {
        #[serde(default = "default_half_life")]
        half_life: Duration,
    },
    Markov(Markov),
    Shapley(Shapley),
    Custom(Custom),
    Callback(Callback),
    PathCounterfactual(PathCounterfactual),
    TimeToEvent(TimeToEvent),
    Logistic(Logistic),
    ShaoLi(ShaoLi),
    AdditiveHazard(AdditiveHazard),
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let spec = match self.clone() {
            Self::First => Spec::First {},
            Self::Last => Spec::Last {},
            Self::LastNonDirect { direct } => Spec::LastNonDirect { direct },
            Self::Linear => Spec::Linear {},
            Self::PositionBased { first, last } => Spec::PositionBased { first, last },
            Self::TimeDecay { half_life } => Spec::TimeDecay { half_life },
            Self::Markov(markov) => Spec::Markov(markov),
            Self::Shapley(shapley) => Spec::Shapley(shapley),
            Self::Custom(custom) => Spec::Custom(custom),
            Self::Callback(callback) => Spec::Callback(callback),
            Self::PathCounterfactual(model) => Spec::PathCounterfactual(model),
            Self::TimeToEvent(model) => Spec::TimeToEvent(model),
            Self::Logistic(model) => Spec::Logistic(model),
            Self::ShaoLi(model) => Spec::ShaoLi(model),
            Self::AdditiveHazard(model) => Spec::AdditiveHazard(model),
        };
        spec.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            Value::String(name) => {
                Value::Object([("model".to_owned(), Value::String(name))].into_iter().collect())
            }
            other => other,
        };
        if !value.get("model").is_some_and(Value::is_string) {
            let reason = "a `model` is a name such as \"linear\", or an object that has one and parameters, \
                such as {\"model\": \"markov\", \"order\": 2}";
            return Err(serde::de::Error::custom(format!("{reason}; not {value}")));
        }
        let spec: Spec = serde_json::from_value(value).map_err(serde::de::Error::custom)?;
        Ok(match spec {
            Spec::First {} => Self::First,
            Spec::Last {} => Self::Last,
            Spec::LastNonDirect { direct } => Self::LastNonDirect { direct },
            Spec::Linear {} => Self::Linear,
            Spec::PositionBased { first, last } => Self::PositionBased { first, last },
            Spec::TimeDecay { half_life } => Self::TimeDecay { half_life },
            Spec::Markov(markov) => Self::Markov(markov),
            Spec::Shapley(shapley) => Self::Shapley(shapley),
            Spec::Custom(custom) => Self::Custom(custom),
            Spec::Callback(callback) => Self::Callback(callback),
            Spec::PathCounterfactual(model) => Self::PathCounterfactual(model),
            Spec::TimeToEvent(model) => Self::TimeToEvent(model),
            Spec::Logistic(model) => Self::Logistic(model),
            Spec::ShaoLi(model) => Self::ShaoLi(model),
            Spec::AdditiveHazard(model) => Self::AdditiveHazard(model),
        })
    }
}

impl std::str::FromStr for Model {
    type Err = Error;

    /// The model of this name, with default parameters.
    fn from_str(name: &str) -> Result<Self> {
        serde_json::from_value(Value::String(name.to_owned()))
            .map_err(|e| Error::option("model", e.to_string()))
    }
}

impl Model {
    /// The name of the model's kind, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::LastNonDirect { .. } => "last_non_direct",
            Self::Linear => "linear",
            Self::PositionBased { .. } => "position_based",
            Self::TimeDecay { .. } => "time_decay",
            Self::Markov(_) => "markov",
            Self::Shapley(_) => "shapley",
            Self::Custom(_) => "custom",
            Self::Callback(_) => "callback",
            Self::PathCounterfactual(_) => "path_counterfactual",
            Self::TimeToEvent(_) => "time_to_event",
            Self::Logistic(_) => "logistic",
            Self::ShaoLi(_) => "shao_li",
            Self::AdditiveHazard(_) => "additive_hazard",
        }
    }

    /// Whether the model needs no fitting.
    pub fn is_rule(&self) -> bool {
        match self {
            Self::Shapley(shapley) => shapley.is_rule(),
            Self::Markov(_)
            | Self::PathCounterfactual(_)
            | Self::TimeToEvent(_)
            | Self::Logistic(_)
            | Self::ShaoLi(_)
            | Self::AdditiveHazard(_) => false,
            _ => true,
        }
    }

    /// Whether the model knows the weights of touches. What is fitted does not,
    /// nor do Shapley values.
    pub fn honours_weights(&self) -> bool {
        self.is_rule() && !matches!(self, Self::Shapley(_))
    }

    /// Whether the model looks at the times of touches.
    pub fn needs_times(&self) -> bool {
        match self {
            Self::TimeDecay { .. } | Self::TimeToEvent(_) | Self::AdditiveHazard(_) => true,
            Self::Custom(custom) => !custom.ages.is_empty(),
            _ => false,
        }
    }

    /// Whether the model, fitted, predicts conversions.
    pub fn predicts(&self) -> bool {
        !self.is_rule() && !matches!(self, Self::Shapley(_) | Self::ShaoLi(_))
    }

    /// An error where the model needs times that these journeys do not have, or
    /// was not called on them.
    pub(super) fn check_journeys(&self, journeys: &Journeys) -> Result<()> {
        match self {
            Self::Callback(callback) => callback.check_journeys(journeys),
            _ if self.needs_times() && !journeys.has_times() => Err(Error::option(
                self.name(),
                "needs the times of touches, and these journeys come from paths: build them with from_events",
            )),
            _ => Ok(()),
        }
    }

    /// The name with its parameters, `markov(order=2)`.
    fn long_name(&self) -> String {
        match self {
            Self::LastNonDirect { direct } => format!("last_non_direct(direct={})", direct.join("|")),
            Self::PositionBased { first, last } => format!("position_based(first={first}, last={last})"),
            Self::TimeDecay { half_life } => format!("time_decay(half_life={half_life})"),
            Self::Markov(markov) => markov.long_name(),
            Self::Shapley(shapley) => shapley.long_name(),
            Self::Custom(custom) if !custom.name.is_empty() => format!("custom({})", custom.name),
            Self::Custom(_) => self.name().to_owned(),
            Self::Callback(callback) => format!("callback({})", callback.name()),
            learned => learned.with_changes(),
        }
    }

    /// The name with the parameters that are not the default.
    fn with_changes(&self) -> String {
        let name = self.name();
        let fields = |model: &Self| match serde_json::to_value(model) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let default = name.parse().map(|m| fields(&m)).unwrap_or_default();
        let changed: Vec<String> = fields(self)
            .iter()
            .filter(|(key, value)| default.get(*key) != Some(*value))
            .map(|(key, value)| match value {
                Value::String(text) => format!("{key}={text}"),
                other => format!("{key}={other}"),
            })
            .collect();
        if changed.is_empty() { name.to_owned() } else { format!("{name}({})", changed.join(", ")) }
    }

    /// Checks the parameters; an [`Error::Option`] names the one that cannot be used.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::PositionBased { first, last } => {
                let share = |x: f64| (0.0..=1.0).contains(&x);
                if !share(*first) || !share(*last) || first + last > 1.0 + 1e-12 {
                    return Err(Error::option(
                        "position_based",
                        format!("first and last must be shares of 1 in all, not {first} and {last}"),
                    ));
                }
            }
            Self::TimeDecay { half_life } if half_life.micros() == 0 => {
                return Err(Error::option("half_life", "must be longer than 0, for example \"7d\""));
            }
            Self::Markov(markov) => markov.check()?,
            Self::Shapley(shapley) => shapley.check()?,
            Self::Custom(custom) => custom.check()?,
            Self::PathCounterfactual(model) => model.check()?,
            Self::TimeToEvent(model) => model.check()?,
            Self::Logistic(model) => model.check()?,
            Self::ShaoLi(model) => model.check()?,
            Self::AdditiveHazard(model) => model.check()?,
            _ => {}
        }
        Ok(())
    }
}

/// Options of [`attribute`](super::attribute).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttributeOptions {
    /// The models, one or more. A model's name in the result is its kind,
    /// `markov`; where a kind occurs several times, with its parameters,
    /// `markov(order=2)`. That of a function is always `callback(its name)`.
    pub models: Vec<Model>,
    /// How many samples of customers are drawn again for intervals; 0, the
    /// default, for none.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval.
    pub interval: Interval,
}

impl Default for AttributeOptions {
    fn default() -> Self {
        Self { models: Vec::new(), bootstrap: 0, confidence: 0.9, interval: Interval::default() }
    }
}

impl AttributeOptions {
    pub(super) fn spread(&self) -> Spread {
        let Self { bootstrap, confidence, interval, .. } = *self;
        Spread { replicates: bootstrap, confidence, interval }
    }
}

/// The models' names in the result.
pub(super) fn labels(models: &[Model]) -> Result<Vec<String>> {
    if models.is_empty() {
        return Err(Error::option("models", "name at least one, for example \"linear\" or \"markov\""));
    }
    let mut out: Vec<String> = Vec::with_capacity(models.len());
    for model in models {
        model.check()?;
        // A function has no other name than its own.
        let alone = models.iter().filter(|m| m.name() == model.name()).count() == 1
            && !matches!(model, Model::Callback(_));
        let name = if alone { model.name().to_owned() } else { model.long_name() };
        if out.contains(&name) {
            return Err(Error::option("models", format!("`{name}` is there twice")));
        }
        out.push(name);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options;

    #[test]
    fn models_are_names_or_objects() -> Result<()> {
        let json = r#"{"models": ["first", "last_non_direct", {"model": "time_decay", "half_life": "12h"},
            {"model": "position_based", "first": 0.2}, {"model": "markov", "order": 2}, "markov", "shapley"]}"#;
        let parsed: AttributeOptions = options::parse(json)?;
        assert_eq!(parsed.models[0], Model::First);
        assert_eq!(parsed.models[2], Model::TimeDecay { half_life: "12h".parse()? });
        assert_eq!(parsed.models[3], Model::PositionBased { first: 0.2, last: 0.4 });
        let back: AttributeOptions = options::parse(&serde_json::to_string(&parsed).unwrap())?;
        assert_eq!(back, parsed);
        let names = labels(&parsed.models)?;
        assert_eq!(names[2], "time_decay");
        assert_eq!(names[4..6], ["markov(order=2)", "markov(order=1)"]);
        Ok(())
    }

    #[test]
    fn unknown_models_and_parameters_are_errors() {
        for json in [
            r#"{"models": ["lasst"]}"#,
            r#"{"models": [{"model": "linear", "half_life": "7d"}]}"#,
            r#"{"models": [{"model": "time_decay", "halflife": "7d"}]}"#,
            r#"{"models": [{"model": "markov", "order": 2, "removals": "null"}]}"#,
            r#"{"models": [{"half_life": "7d"}]}"#,
            r#"{"models": [7]}"#,
        ] {
            let parsed: Result<AttributeOptions> = options::parse(json);
            assert!(matches!(parsed, Err(Error::Option { .. })), "{json}: {parsed:?}");
        }
        assert!(labels(&[]).is_err());
        assert!(labels(&[Model::First, Model::First]).is_err());
        assert!(labels(&[Model::PositionBased { first: 0.7, last: 0.4 }]).is_err());
        assert!(labels(&[Model::PositionBased { first: f64::NAN, last: 0.4 }]).is_err());
        assert!(labels(&[Model::TimeDecay { half_life: Duration::default() }]).is_err());
    }
}
