//! Any model, fitted: what `attribute` totals, `touch_credits` splits by, the
//! bindings hold and model files keep.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use super::learned::{self, Learned};
use super::rules::{Kernel, Scratch, totals};
use super::touch::split;
use super::validate::{Predicts, by_last_state, of_last_state};
use super::{
    AdditiveHazardModel, DividendOptions, JointOptions, LogisticModel, MarkovModel, Model,
    PathCounterfactualModel, ShaoLiModel, ShapleyModel, TimeToEventModel,
};
use crate::column::{Table, Tables};
use crate::journey::{Journey, Journeys};
use crate::options::{none, parse};
use crate::run::Run;
use crate::{Error, Result, model};

/// Splits single journeys by a fitted model, in the codes of the journeys that
/// it was made for.
pub(super) trait Scorer: Debug + Send + Sync {
    /// Writes the touches' shares of a journey with at least one touch; they add up to 1.
    fn shares(&self, journey: &Journey<'_>, out: &mut Vec<f64>);
}

/// A model, ready to split credit.
///
/// ```
/// use headwater::Run;
/// use headwater::attribution::{Fitted, Model};
/// use headwater::column::Columns;
/// use headwater::journey::{Journeys, PathOptions};
///
/// let paths = Columns::new().with("path", vec!["a > b"]).with("conversions", vec![3.0]);
/// let journeys = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
/// let fitted = Fitted::fit(&"markov".parse::<Model>()?, &journeys, &Run::new())?;
/// assert_eq!(fitted.credit(&["a", "b"], &[], None)?, [0.5, 0.5]);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fitted {
    /// A rule, which needs no fitting.
    Rule(Model),
    /// A Markov chain.
    Markov(MarkovModel),
    /// Shapley values.
    Shapley(ShapleyModel),
    /// The model `path_counterfactual`.
    PathCounterfactual(Arc<PathCounterfactualModel>),
    /// The model `time_to_event`.
    TimeToEvent(Arc<TimeToEventModel>),
    /// The model `logistic`.
    Logistic(Arc<LogisticModel>),
    /// The model `shao_li`.
    ShaoLi(Arc<ShaoLiModel>),
    /// The model `additive_hazard`.
    AdditiveHazard(Arc<AdditiveHazardModel>),
}

/// Predicts by a model of the learned ones.
#[derive(Debug)]
struct ByModel(Arc<dyn Learned>);

impl Predicts for ByModel {
    fn predict(&self, journey: &Journey<'_>) -> f64 {
        let last = journey.times.last().copied().unwrap_or_default();
        self.0.probability(journey, last).unwrap_or_default()
    }
}

impl Fitted {
    /// Fits a model to journeys; a rule is checked and kept.
    pub fn fit(model: &Model, journeys: &Journeys, run: &Run) -> Result<Self> {
        Ok(match model {
            Model::Markov(markov) => Self::Markov(markov.fit(journeys, run)?),
            Model::Shapley(shapley) => Self::Shapley(shapley.fit(journeys, run)?),
            Model::PathCounterfactual(model) => Self::PathCounterfactual(Arc::new(model.fit(journeys, run)?)),
            Model::TimeToEvent(model) => Self::TimeToEvent(Arc::new(model.fit(journeys, run)?)),
            Model::Logistic(model) => Self::Logistic(Arc::new(model.fit(journeys, run)?)),
            Model::ShaoLi(model) => Self::ShaoLi(Arc::new(model.fit(journeys, run)?)),
            Model::AdditiveHazard(model) => Self::AdditiveHazard(Arc::new(model.fit(journeys, run)?)),
            rule => Self::rule(rule)?,
        })
    }

    /// A model that needs no fitting; an [`Error::Option`] for the others.
    pub fn rule(model: &Model) -> Result<Self> {
        model.check()?;
        if model.is_rule() {
            return Ok(Self::Rule(model.clone()));
        }
        Err(Error::option("model", format!("{} is not fitted yet: fit it to journeys first", model.name())))
    }

    /// The learned model, if it is one.
    fn learned(&self) -> Option<Arc<dyn Learned>> {
        Some(match self {
            Self::Rule(_) | Self::Markov(_) | Self::Shapley(_) => return None,
            Self::PathCounterfactual(fitted) => Arc::clone(fitted) as Arc<dyn Learned>,
            Self::TimeToEvent(fitted) => Arc::clone(fitted) as Arc<dyn Learned>,
            Self::Logistic(fitted) => Arc::clone(fitted) as Arc<dyn Learned>,
            Self::ShaoLi(fitted) => Arc::clone(fitted) as Arc<dyn Learned>,
            Self::AdditiveHazard(fitted) => Arc::clone(fitted) as Arc<dyn Learned>,
        })
    }

    /// The parameters.
    pub fn model(&self) -> Model {
        match self {
            Self::Rule(model) => model.clone(),
            Self::Markov(fitted) => Model::Markov(fitted.parameters().clone()),
            Self::Shapley(fitted) => Model::Shapley(fitted.parameters().clone()),
            Self::PathCounterfactual(fitted) => fitted.spec(),
            Self::TimeToEvent(fitted) => fitted.spec(),
            Self::Logistic(fitted) => fitted.spec(),
            Self::ShaoLi(fitted) => fitted.spec(),
            Self::AdditiveHazard(fitted) => fitted.spec(),
        }
    }

    fn predicts(&self) -> bool {
        !matches!(self, Self::Rule(_) | Self::Shapley(_) | Self::ShaoLi(_))
    }

    /// What predicts conversions by this model, for journeys with the codes of
    /// its channels; `None` of models that do not predict.
    pub fn predictor(&self) -> Option<Box<dyn Predicts>> {
        match self {
            Self::Markov(fitted) => Some(by_last_state(fitted)),
            _ if !self.predicts() => None,
            _ => self.learned().map(|model| Box::new(ByModel(model)) as Box<dyn Predicts>),
        }
    }

    /// P(conversion) of one journey: its channels in time order and, for models
    /// that look at times, the times of its touches in microseconds and the
    /// moment from which on the horizon counts (the last touch's, unless given),
    /// nothing having happened until then. See
    /// [`validate`](super::validate::validate) for what each model means by it.
    ///
    /// [`Error::Option`] for models that do not predict.
    pub fn predict<S: AsRef<str>>(&self, path: &[S], times: &[i64], end: Option<i64>) -> Result<f64> {
        let refuse = || {
            let name = self.model().name();
            Error::option("model", format!("{name} splits credit and predicts nothing: take another model"))
        };
        if !self.predicts() {
            return Err(refuse());
        }
        if path.is_empty() {
            return Err(Error::option("path", "has no touch: a prediction needs one"));
        }
        self.check_times(path.len(), times)?;
        check_end(times, end)?;
        let known = self.known(path);
        let code = |label: &S| known.iter().position(|c| c == label.as_ref()).map_or(u32::MAX, |c| c as u32);
        let path: Vec<u32> = path.iter().map(code).collect();
        let end = end.or(times.last().copied()).unwrap_or(0);
        let journey = Journey { path: &path, times, end, ..Journey::default() };
        let found = match self {
            Self::Markov(fitted) => Some(of_last_state(fitted, &journey)),
            _ => self.learned().and_then(|model| model.probability(&journey, end)),
        };
        found.ok_or_else(refuse)
    }

    /// What the model says of each channel as one number, where it does.
    pub(super) fn effects(&self) -> Option<Vec<f64>> {
        match self {
            Self::Markov(fitted) => Some(fitted.removal_effects().to_vec()),
            Self::Logistic(fitted) => Some(fitted.coefficients().to_vec()),
            Self::ShaoLi(fitted) => Some(fitted.contributions().to_vec()),
            Self::AdditiveHazard(fitted) => Some(fitted.effects().to_vec()),
            _ => None,
        }
    }

    fn check_times(&self, touches: usize, times: &[i64]) -> Result<()> {
        if (self.needs_times() || !times.is_empty()) && (times.len() != touches || !times.is_sorted()) {
            let name = self.model().name();
            return Err(Error::option("times", format!("{name} needs the time of each touch, in order")));
        }
        Ok(())
    }

    /// The channels that have codes; of a rule those of the path.
    fn known<S: AsRef<str>>(&self, path: &[S]) -> Cow<'_, [String]> {
        let channels = match self {
            Self::Rule(_) => return Cow::Owned(path.iter().map(|c| c.as_ref().to_owned()).collect()),
            Self::Markov(fitted) => fitted.channels(),
            Self::Shapley(fitted) => fitted.channels(),
            Self::PathCounterfactual(fitted) => Learned::channels(&**fitted),
            Self::TimeToEvent(fitted) => Learned::channels(&**fitted),
            Self::Logistic(fitted) => Learned::channels(&**fitted),
            Self::ShaoLi(fitted) => Learned::channels(&**fitted),
            Self::AdditiveHazard(fitted) => Learned::channels(&**fitted),
        };
        Cow::Borrowed(channels)
    }

    /// Whether the model looks at the times of touches.
    fn needs_times(&self) -> bool {
        match self {
            Self::Rule(rule) => rule.needs_times(),
            other => matches!(other, Self::TimeToEvent(_) | Self::AdditiveHazard(_)),
        }
    }

    /// The credit of each touch of one journey, adding up to 1: the channels in
    /// time order, the times of the touches in microseconds and that of the
    /// conversion (the last touch's, unless given). Models that do not look at
    /// times take empty ones. Takes microseconds.
    pub fn credit<S: AsRef<str>>(&self, path: &[S], times: &[i64], end: Option<i64>) -> Result<Vec<f64>> {
        self.check_times(path.len(), times)?;
        check_end(times, end)?;
        let known = self.known(path);
        Ok(credit(&self.kernel_for(&known, None)?, &known, path, times, end))
    }

    /// The kernel for journeys of these channels, which may be known themselves.
    fn kernel_for(&self, channels: &[String], journeys: Option<&Journeys>) -> Result<Kernel> {
        Ok(match self {
            Self::Rule(rule) => Kernel::new(rule, channels, journeys)?,
            Self::Markov(fitted) => fitted.kernel(),
            Self::Shapley(fitted) => fitted.kernel(0)?,
            _ => match self.learned() {
                Some(model) => Kernel::Fitted(learned::scorer(model, channels)),
                None => Kernel::Linear,
            },
        })
    }

    /// The kernels of conversions and, where it is another, of value.
    pub(super) fn kernels(&self, journeys: &Journeys) -> Result<(Kernel, Option<Kernel>)> {
        self.model().check_journeys(journeys)?;
        let kernel = self.kernel_for(&journeys.channel_labels(), Some(journeys))?;
        let value = match self {
            Self::Markov(fitted) if journeys.has_value() => Some(fitted.value_kernel()),
            Self::Shapley(fitted) if journeys.has_value() => Some(fitted.kernel(1)?),
            _ => None,
        };
        Ok((kernel, value))
    }

    /// The credit of each channel of these journeys: conversions and value.
    pub fn totals(&self, journeys: &Journeys, run: &Run) -> Result<Vec<[f64; 2]>> {
        match self {
            Self::Markov(fitted) => return fitted.totals(journeys, run),
            Self::Shapley(fitted) => return fitted.totals(journeys, run),
            _ => {}
        }
        if let Some(model) = self.learned()
            && model.channels() == journeys.channel_labels()
            && let Some(totals) = model.totals(journeys)
        {
            return Ok(totals);
        }
        let (kernel, value) = self.kernels(journeys)?;
        let both: Vec<&Kernel> = std::iter::once(&kernel).chain(&value).collect();
        let mut sums = totals(journeys, &both, run)?;
        let by_value = sums.pop().unwrap_or_default();
        Ok(match sums.pop() {
            Some(conversions) => conversions.iter().zip(&by_value).map(|(c, v)| [c[0], v[1]]).collect(),
            None => by_value,
        })
    }

    /// What the model has to say of itself, by name: what the bindings call.
    pub fn report(&self, name: &str, options: &str, run: &Run) -> Result<Tables> {
        let plain = |table: Table| {
            none(options)?;
            Ok(table)
        };
        let table = match (self, name) {
            (Self::Markov(fitted), "removal_effects") => ("removal_effects", plain(fitted.table())?),
            (Self::Markov(fitted), "transitions") => ("transitions", plain(fitted.transitions())?),
            (Self::Markov(fitted), "joint_effects") => {
                let options: JointOptions = parse(options)?;
                ("joint_effects", fitted.joint_effects(&options, run)?)
            }
            (Self::Markov(fitted), "states") => {
                none(options)?;
                return fitted.states(run);
            }
            (Self::Shapley(fitted), "values") => ("values", plain(fitted.table())?),
            (Self::Shapley(fitted), "positions") => ("positions", plain(fitted.positions()?)?),
            (Self::Shapley(fitted), "synergies") => ("synergies", plain(fitted.synergies(run)?)?),
            (Self::Shapley(fitted), "dividends") => {
                let options: DividendOptions = parse(options)?;
                ("dividends", fitted.dividends(options, run)?)
            }
            _ => {
                if let Some((name, table)) = self.learned().and_then(|model| model.report(name)) {
                    (name, plain(table)?)
                } else {
                    let model = self.model().name();
                    let reason = format!("there is no report `{name}` of the model {model}");
                    return Err(Error::option("report", reason));
                }
            }
        };
        Ok(vec![table])
    }

    /// The kind of the model's file; rules have none.
    pub fn kind(&self) -> Option<&'static str> {
        use model::Model as _;
        match self {
            Self::Rule(_) => None,
            Self::Markov(_) => Some(MarkovModel::KIND),
            Self::Shapley(_) => Some(ShapleyModel::KIND),
            Self::PathCounterfactual(_) => Some(PathCounterfactualModel::KIND),
            Self::TimeToEvent(_) => Some(TimeToEventModel::KIND),
            Self::Logistic(_) => Some(LogisticModel::KIND),
            Self::ShaoLi(_) => Some(ShaoLiModel::KIND),
            Self::AdditiveHazard(_) => Some(AdditiveHazardModel::KIND),
        }
    }

    /// The model file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Rule(rule) => Err(Error::model_file(format!("{} has nothing to save", rule.name()))),
            Self::Markov(fitted) => model::to_bytes(fitted),
            Self::Shapley(fitted) => model::to_bytes(fitted),
            Self::PathCounterfactual(fitted) => model::to_bytes(&**fitted),
            Self::TimeToEvent(fitted) => model::to_bytes(&**fitted),
            Self::Logistic(fitted) => model::to_bytes(&**fitted),
            Self::ShaoLi(fitted) => model::to_bytes(&**fitted),
            Self::AdditiveHazard(fitted) => model::to_bytes(&**fitted),
        }
    }

    /// Reads a model file; `None` where it holds another kind of thing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Option<Self>> {
        use model::Model as _;
        Ok(match model::kind(bytes)?.as_str() {
            MarkovModel::KIND => Some(Self::Markov(model::from_bytes(bytes)?)),
            ShapleyModel::KIND => Some(Self::Shapley(model::from_bytes(bytes)?)),
            PathCounterfactualModel::KIND => {
                Some(Self::PathCounterfactual(Arc::new(model::from_bytes(bytes)?)))
            }
            TimeToEventModel::KIND => Some(Self::TimeToEvent(Arc::new(model::from_bytes(bytes)?))),
            LogisticModel::KIND => Some(Self::Logistic(Arc::new(model::from_bytes(bytes)?))),
            ShaoLiModel::KIND => Some(Self::ShaoLi(Arc::new(model::from_bytes(bytes)?))),
            AdditiveHazardModel::KIND => Some(Self::AdditiveHazard(Arc::new(model::from_bytes(bytes)?))),
            _ => None,
        })
    }
}

fn check_end(times: &[i64], end: Option<i64>) -> Result<()> {
    match (end, times.last()) {
        (Some(end), Some(last)) if end < *last => Err(Error::option("end", "is earlier than the last touch")),
        _ => Ok(()),
    }
}

/// The credit of each touch of one journey given by labels; channels that are
/// not among `known` have a code that no model knows.
pub(super) fn credit<S: AsRef<str>>(
    kernel: &Kernel,
    known: &[String],
    path: &[S],
    times: &[i64],
    end: Option<i64>,
) -> Vec<f64> {
    let mut out = Vec::with_capacity(path.len());
    if path.is_empty() {
        return out;
    }
    let code = |label: &S| known.iter().position(|c| c == label.as_ref());
    // Strangers come after the known ones, the same one with the same code.
    let stranger = |label: &S| {
        known.len() + path.iter().position(|other| other.as_ref() == label.as_ref()).unwrap_or_default()
    };
    let codes: Vec<u32> =
        path.iter().map(|label| code(label).unwrap_or_else(|| stranger(label)) as u32).collect();
    let end = end.or(times.last().copied()).unwrap_or(0);
    let mut scratch = Scratch::new(known.len() + path.len());
    split(kernel, &Journey { path: &codes, times, end, ..Journey::default() }, 1.0, &mut scratch, &mut out);
    out
}
