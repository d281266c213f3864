//! Every number that a fitted model reports, with its interval.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use super::bootstrap::Spread;
use super::interval::Interval;
use super::numbers::{Absent, Around, Estimates, Numbers, beside};
use super::refit::{Needed, refits};
use crate::attribution::rules::{Kernel, Scratch};
use crate::attribution::touch::{is_credited, split, touch_table};
use crate::attribution::{DividendOptions, Fitted, JointOptions, Markov, Model};
use crate::column::{Table, Tables};
use crate::journey::{Journey, Journeys};
use crate::run::Run;
use crate::{Error, Result};

/// What a fitted model says, by the name of its report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Statistic {
    /// What is lost without each channel, of `markov`. The default.
    #[default]
    RemovalEffects,
    /// Removal effects of sets and sequences, of `markov`.
    JointEffects,
    /// Counts and probabilities of the chain, of `markov`.
    Transitions,
    /// What being at each state means, of `markov`.
    States,
    /// Shapley values.
    Values,
    /// Ordered Shapley values.
    Positions,
    /// Harsanyi dividends, of `shapley`.
    Dividends,
    /// Shapley interactions of pairs.
    Synergies,
    /// Coefficients of `logistic`.
    Coefficients,
    /// Rates and contributions of `shao_li`.
    Contributions,
    /// Rates of paths, of `path_counterfactual`.
    Rates,
    /// Effects of `time_to_event` and `additive_hazard`.
    Effects,
    /// Credit without the baseline's part, of models that know one.
    Incremental,
    /// The credit of each touch of each converting journey, by any model.
    TouchCredits,
}

const ZERO: Absent = Absent::Zero;
const UNKNOWN: Absent = Absent::Unknown;

impl Statistic {
    fn report(self) -> &'static str {
        match self {
            Self::RemovalEffects => "removal_effects",
            Self::JointEffects => "joint_effects",
            Self::Transitions => "transitions",
            Self::States => "states",
            Self::Values => "values",
            Self::Positions => "positions",
            Self::Dividends => "dividends",
            Self::Synergies => "synergies",
            Self::Coefficients => "coefficients",
            Self::Contributions => "contributions",
            Self::Rates => "rates",
            Self::Effects => "effects",
            Self::Incremental => "incremental",
            Self::TouchCredits => "touch_credits",
        }
    }

    /// The statistics of a model, its own first.
    fn of(model: &Model) -> Vec<&'static str> {
        let mut out: Vec<Self> = match model {
            Model::Markov(_) => {
                vec![Self::RemovalEffects, Self::JointEffects, Self::Transitions, Self::States]
            }
            Model::Shapley(_) => vec![Self::Values, Self::Positions, Self::Dividends, Self::Synergies],
            Model::Logistic(_) => vec![Self::Coefficients, Self::Incremental],
            Model::ShaoLi(_) => vec![Self::Contributions],
            Model::PathCounterfactual(_) => vec![Self::Rates],
            Model::TimeToEvent(_) | Model::AdditiveHazard(_) => vec![Self::Effects, Self::Incremental],
            _ => Vec::new(),
        };
        out.push(Self::TouchCredits);
        out.into_iter().map(Self::report).collect()
    }

    /// The columns of the report that are estimated.
    fn estimates(self) -> Estimates {
        match self {
            Self::RemovalEffects | Self::JointEffects => {
                &[("removal_effect", UNKNOWN), ("removal_effect_value", UNKNOWN), ("sum_of_effects", UNKNOWN)]
            }
            Self::Transitions => &[("count", ZERO), ("probability", Absent::ZeroAmong(&["from"]))],
            Self::States => &[
                ("expected_visits", ZERO),
                ("probability", ZERO),
                ("conversion_probability", UNKNOWN),
                ("expected_value", UNKNOWN),
                ("expected_steps", UNKNOWN),
                ("conversion_share", ZERO),
            ],
            Self::Values | Self::Positions => &[("shapley", ZERO), ("shapley_value", ZERO)],
            Self::Dividends => &[("dividend", UNKNOWN), ("dividend_value", UNKNOWN)],
            Self::Synergies => &[("synergy", UNKNOWN), ("synergy_value", UNKNOWN)],
            Self::Coefficients => &[("coefficient", UNKNOWN)],
            Self::Contributions => {
                &[("conversions", ZERO), ("journeys", ZERO), ("rate", UNKNOWN), ("contribution", UNKNOWN)]
            }
            Self::Rates => &[("conversions", ZERO), ("nulls", ZERO), ("rate", UNKNOWN)],
            Self::Effects => &[
                ("effect", UNKNOWN),
                ("decay", UNKNOWN),
                ("delay", UNKNOWN),
                ("touch_days", ZERO),
                ("conversions", ZERO),
            ],
            Self::Incremental => &[
                ("conversions", ZERO),
                ("value", ZERO),
                ("incremental_conversions", ZERO),
                ("incremental_value", ZERO),
            ],
            Self::TouchCredits => &[],
        }
    }
}

/// Options of [`bootstrap`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BootstrapOptions {
    /// The model. Default `markov`.
    pub model: Model,
    /// Which of its reports. Default `removal_effects`.
    pub statistic: Statistic,
    /// Of `joint_effects`: sets of channels to remove together.
    pub sets: Vec<Vec<String>>,
    /// Of `joint_effects`: sequences of channels to remove.
    pub sequences: Vec<Vec<String>>,
    /// Of `dividends`: how many, the largest first. Default 100; 0 means all that are not 0.
    pub top: Option<usize>,
    /// How many samples are drawn. Default 1,000.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval.
    pub interval: Interval,
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        Self {
            model: Model::Markov(Markov::default()),
            statistic: Statistic::default(),
            sets: Vec::new(),
            sequences: Vec::new(),
            top: None,
            bootstrap: 1_000,
            confidence: 0.9,
            interval: Interval::default(),
        }
    }
}

impl BootstrapOptions {
    fn spread(&self) -> Result<Spread> {
        let Self { bootstrap, confidence, interval, .. } = *self;
        let spread = Spread { replicates: bootstrap, confidence, interval };
        spread.check_drawn()?;
        Ok(spread)
    }

    fn check(&self) -> Result<()> {
        let alien = |option: &str, of: Statistic| {
            let reason = format!("goes with the statistic `{}` only: leave it out", of.report());
            Err(Error::option(option, reason))
        };
        if self.statistic != Statistic::JointEffects {
            for (option, given) in [("sets", &self.sets), ("sequences", &self.sequences)] {
                if !given.is_empty() {
                    return alien(option, Statistic::JointEffects);
                }
            }
        }
        if self.top.is_some() && self.statistic != Statistic::Dividends {
            return alien("top", Statistic::Dividends);
        }
        self.model.check()
    }
}

/// What a fitted model reports, with an interval on each number.
///
/// The table is the report's, as the fitted model gives it; each estimate is
/// followed by its `_standard_error`, `_low` and `_high`. Customers are drawn
/// again as in [`attribute`](super::super::attribute), and every sample has a
/// model of its own. A transition or a state that a sample does not have is
/// not met there: its counts and probabilities of being met are 0, and what
/// follows from it is not known. Dividends are those of the coalitions that
/// are largest in the data.
///
/// [`Statistic::TouchCredits`] gives the table of
/// [`touch_credits`](super::super::touch_credits): the journeys are as they
/// are, and the models by which they are credited those of the samples. All of
/// these are held at once. Rules know no uncertainty of that kind, so their
/// intervals have no width.
///
/// ```
/// use headwater::Run;
/// use headwater::attribution::{BootstrapOptions, Statistic, bootstrap};
/// use headwater::column::Columns;
/// use headwater::journey::{Journeys, PathOptions};
///
/// let paths = Columns::new()
///     .with("path", vec!["a > b", "a", "b"])
///     .with("conversions", vec![30.0, 10.0, 20.0])
///     .with("nulls", vec![30.0, 60.0, 50.0]);
/// let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
/// let journeys = Journeys::from_paths(&paths, &options, &Run::new())?;
/// let options = BootstrapOptions { statistic: Statistic::Transitions, ..Default::default() };
/// let tables = bootstrap(&journeys, &options, &Run::new().seed(1))?;
/// let (name, transitions) = &tables[0];
/// assert_eq!(*name, "transitions");
/// // From the start to a: 130 of 200 journeys.
/// assert_eq!(transitions.f64s("probability").map(|p| p[0]), Some(0.65));
/// let error = transitions.f64s("probability_standard_error").map(|e| e[0]);
/// assert!(error.is_some_and(|e| (e - (0.65 * 0.35 / 200.0_f64).sqrt()).abs() < 0.003));
/// # Ok::<(), headwater::Error>(())
/// ```
///
/// Errors: [`Error::Option`] without samples, for a statistic that the model
/// does not have, and for options of another statistic; those of the fit.
pub fn bootstrap(journeys: &Journeys, options: &BootstrapOptions, run: &Run) -> Result<Tables> {
    let spread = options.spread()?;
    options.check()?;
    let name = options.statistic.report();
    if options.statistic == Statistic::TouchCredits {
        return Ok(vec![(name, touches(journeys, &options.model, &spread, run)?)]);
    }
    let has = Statistic::of(&options.model);
    if !has.contains(&name) {
        let reason = format!("{} has no `{name}`: choose one of {}", options.model.name(), has.join(", "));
        return Err(Error::option("statistic", reason));
    }
    let fitted = Fitted::fit(&options.model, journeys, run)?;
    let sets = match &fitted {
        Fitted::Shapley(shapley) if options.statistic == Statistic::Dividends => {
            shapley.dividend_sets(options.top.unwrap_or(DividendOptions::default().top), run)?
        }
        _ => Vec::new(),
    };
    let joint = JointOptions { sets: options.sets.clone(), sequences: options.sequences.clone() };
    let report = |fitted: &Fitted, run: &Run| match (fitted, options.statistic) {
        (Fitted::Markov(chain), Statistic::JointEffects) => {
            Ok(vec![(name, chain.joint_effects(&joint, run)?)])
        }
        (Fitted::Shapley(shapley), Statistic::Dividends) => {
            Ok(vec![(name, shapley.dividends_of_sets(&sets, run)?)])
        }
        _ => fitted.report(name, "{}", run),
    };
    let numbers = Numbers::new(report(&fitted, run)?, options.statistic.estimates(), spread.replicates)?;
    let needed = match options.statistic {
        Statistic::Positions => Needed::Whole,
        Statistic::Transitions | Statistic::States => Needed::WithoutEffects,
        _ => Needed::WithoutPositions,
    };
    let samples = refits(journeys, &options.model, needed, spread.replicates, run, |fitted, run| {
        Ok(numbers.of(&report(fitted, run)?))
    })?;
    numbers.with_intervals(&samples, &spread, run)
}

/// What the touches of one journey have of it, in conversions and in value.
type Parts = Vec<[Around; 2]>;

/// The credits of touches, by the models of the samples.
fn touches(journeys: &Journeys, model: &Model, spread: &Spread, run: &Run) -> Result<Table> {
    let fitted = Fitted::fit(model, journeys, run)?;
    let table = touch_table(journeys, &fitted, run)?;
    // A rule is the same in every sample.
    let kernels: Vec<(Kernel, Option<Kernel>)> = if model.is_rule() {
        Vec::new()
    } else {
        refits(journeys, model, Needed::WithoutPositions, spread.replicates, run, |fitted, _| {
            fitted.kernels(journeys)
        })?
    };
    let own = fitted.kernels(journeys)?;
    let pieces = journeys.pieces();
    run.stage("credit touches", journeys.len() as u64)?;
    let found = run.map_items(pieces.len(), |p| {
        let mut room = Scratch::new(journeys.channel_count());
        // Journeys of one path are alike to models that do not look at times.
        let mut known: HashMap<&[u32], Parts, FixedState> = HashMap::default();
        let mut out: Parts = Vec::new();
        for j in pieces[p].clone().filter(|j| is_credited(journeys, *j)) {
            run.check()?;
            let path = journeys.path(j);
            let totals = [journeys.conversions()[j], journeys.values()[j]];
            let parts = |room: &mut Scratch| of_journey(&journeys.journey(j), &own, &kernels, spread, room);
            if model.is_rule() || model.needs_times() {
                out.extend(parts(&mut room).iter().map(|of| scaled(of, totals)));
            } else {
                let parts = known.entry(path).or_insert_with(|| parts(&mut room));
                out.extend(parts.iter().map(|of| scaled(of, totals)));
            }
        }
        run.advance(pieces[p].len() as u64)?;
        Ok(out)
    })?;
    let around = |k: usize| -> Vec<Option<Around>> {
        let known = k == 0 || journeys.has_value();
        found.iter().flatten().map(|of| known.then_some(of[k])).collect()
    };
    let mut wide = Table::new();
    for column in table.into_columns() {
        wide = wide.push(&column.name, column.values, column.valid);
        match column.name.as_str() {
            "conversions" => wide = beside(wide, "conversions", &around(0)),
            "value" => wide = beside(wide, "value", &around(1)),
            _ => {}
        }
    }
    Ok(wide)
}

/// What the touches of a journey have of 1.
fn of_journey(
    journey: &Journey<'_>,
    own: &(Kernel, Option<Kernel>),
    kernels: &[(Kernel, Option<Kernel>)],
    spread: &Spread,
    room: &mut Scratch,
) -> Parts {
    let n = journey.path.len();
    let mut share = |kernel: &Kernel| {
        let mut out = Vec::with_capacity(n);
        split(kernel, journey, 1.0, room, &mut out);
        out
    };
    let mut around = |pick: fn(&(Kernel, Option<Kernel>)) -> &Kernel| -> Vec<Around> {
        let estimates = share(pick(own));
        let samples: Vec<Vec<f64>> = kernels.iter().map(|both| share(pick(both))).collect();
        let of = |(i, estimate): (usize, &f64)| match samples.len() {
            0 => [0.0, *estimate, *estimate],
            _ => spread.around(*estimate, &samples.iter().map(|s| s[i]).collect::<Vec<_>>()),
        };
        estimates.iter().enumerate().map(of).collect()
    };
    let conversions = around(|both| &both.0);
    if own.1.is_none() {
        return conversions.into_iter().map(|of| [of, of]).collect();
    }
    let value = around(|both| both.1.as_ref().unwrap_or(&both.0));
    conversions.into_iter().zip(value).map(|(c, v)| [c, v]).collect()
}

/// The parts of totals; a negative one turns the ends round.
fn scaled(of: &[Around; 2], totals: [f64; 2]) -> [Around; 2] {
    [0, 1].map(|k| {
        let ([error, low, high], total) = (of[k], totals[k]);
        if total < 0.0 {
            [-error * total, high * total, low * total]
        } else {
            [error, low, high].map(|x| x * total)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Columns;
    use crate::journey::PathOptions;

    #[test]
    fn touches_are_credited_by_the_models_of_samples() {
        let frame = Columns::new()
            .with("path", vec!["A > B", "A > C > A", "B", "C", "A > C > A"])
            .with("conversions", vec![9.0, 4.0, 6.0, 8.0, 1.0])
            .with("nulls", vec![30.0, 20.0, 40.0, 35.0, 2.0])
            .with("value", vec![90.0, 80.0, 30.0, 20.0, -5.0]);
        let options = PathOptions {
            value: Some("value".into()),
            nulls: Some("nulls".into()),
            refunds: crate::journey::Refunds::Keep,
            ..PathOptions::default()
        };
        let run = Run::new().seed(3);
        let journeys = Journeys::from_paths(&frame, &options, &run).unwrap();
        let model = Model::Markov(Markov::default());
        let spread = Spread { replicates: 50, confidence: 0.8, interval: Interval::Percentile };
        let table = touches(&journeys, &model, &spread, &run).unwrap();
        let samples = refits(&journeys, &model, Needed::WithoutPositions, 50, &run, |fitted, _| {
            let Fitted::Markov(chain) = fitted else { unreachable!() };
            Ok([chain.removal_effects().to_vec(), chain.removal_effects_value().to_vec()])
        })
        .unwrap();
        // The first touch of A > C > A: a of (2 a + c).
        let share = |k: usize| -> Vec<f64> {
            samples.iter().map(|e| e[k][0].max(0.0) / (2.0 * e[k][0].max(0.0) + e[k][2].max(0.0))).collect()
        };
        let near = |name: &str, row: usize, wanted: f64| {
            let found = table.f64s(name).unwrap()[row];
            assert!((found - wanted).abs() < 1e-12 * (1.0 + wanted.abs()), "{name} {row}: {found} {wanted}");
        };
        let [error, low, high] = spread.around(0.0, &share(0));
        assert!(error > 0.0 && low < high);
        for (row, conversions) in [(2, 4.0), (7, 1.0)] {
            near("conversions_standard_error", row, error * conversions);
            near("conversions_low", row, low * conversions);
            near("conversions_high", row, high * conversions);
        }
        let [error, low, high] = spread.around(0.0, &share(1));
        near("value_low", 2, low * 80.0);
        near("value_high", 2, high * 80.0);
        // A refund turns the ends round.
        near("value_standard_error", 7, error * 5.0);
        near("value_low", 7, high * -5.0);
        near("value_high", 7, low * -5.0);
        // A single touch has all, in every sample.
        near("conversions_standard_error", 5, 0.0);
        near("conversions_low", 5, 6.0);
    }
}
