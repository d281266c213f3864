//! A model of each sample drawn again.

use super::counts::{ChainColumns, SetColumns};
use super::resample::{BLOCK, Sample, Unit, Weigh, sums};
use crate::Result;
use crate::attribution::{Fitted, Markov, Model, Shapley};
use crate::journey::{Chain, Coalitions, Journeys};
use crate::run::Run;

/// Bytes of the counts that are held at once.
const BUDGET: usize = 256 << 20;

/// What is linear in the weights, and all that a model needs.
enum Counts {
    Chain(Markov, Box<ChainColumns>, Option<SetColumns>),
    Sets(Shapley, SetColumns),
}

impl Counts {
    fn new(model: &Model, journeys: &Journeys, run: &Run) -> Result<Option<Self>> {
        Ok(match model {
            Model::Markov(markov) => {
                let chain = Chain::count(journeys, markov.order, markov.repeats, run)?;
                let chain = ChainColumns::new(chain, markov.repeats, 0);
                let sets = if markov.removal.is_of_journeys() {
                    Some(SetColumns::new(Coalitions::count(journeys, run)?, chain.end()))
                } else {
                    None
                };
                Some(Self::Chain(markov.clone(), Box::new(chain), sets))
            }
            Model::Shapley(shapley) => {
                let sets = SetColumns::new(Coalitions::count(journeys, run)?, 0);
                Some(Self::Sets(shapley.clone(), sets))
            }
            _ => None,
        })
    }

    fn columns(&self) -> usize {
        let end = match self {
            Self::Chain(_, chain, None) => chain.end(),
            Self::Chain(_, _, Some(sets)) | Self::Sets(_, sets) => sets.end(),
        };
        end as usize
    }

    fn emit(&self, path: &[u32], counts: [f64; 3], set: &mut Vec<u32>, out: &mut Vec<(u32, f64)>) {
        if path.is_empty() {
            return;
        }
        if let Self::Chain(_, chain, _) = self {
            chain.emit(path, counts, out);
        }
        if let Self::Chain(_, _, Some(sets)) | Self::Sets(_, sets) = self {
            sets.emit(path, counts, set, out);
        }
    }

    /// The model of one sample, as far as it is needed.
    fn fitted(
        &self,
        journeys: &Journeys,
        needed: Needed,
        column: &dyn Fn(u32) -> f64,
        run: &Run,
    ) -> Result<Fitted> {
        Ok(match self {
            Self::Chain(markov, chain, _) if needed == Needed::WithoutEffects => {
                Fitted::Markov(markov.of_chain(journeys, chain.replicate(column)))
            }
            Self::Chain(markov, chain, sets) => {
                let sets = sets.as_ref().map(|sets| sets.replicate(column));
                Fitted::Markov(markov.of_counts(journeys, chain.replicate(column), sets, run)?)
            }
            Self::Sets(shapley, sets) => {
                Fitted::Shapley(shapley.of_sets(journeys, sets.replicate(column), run)?)
            }
        })
    }
}

/// The part of a fitted model that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    /// All that it says.
    Whole,
    /// All but where touches stood, which no counts of sets tell.
    WithoutPositions,
    /// The same, of a chain without its removal effects.
    WithoutEffects,
}

/// What `take` makes of the model of each sample. Markov chains and Shapley
/// values are made from counts, which are linear in the weights of customers;
/// other models are fitted to the journeys that were drawn. Runs that are
/// handed on have one thread.
pub(super) fn refits<T: Send>(
    journeys: &Journeys,
    model: &Model,
    needed: Needed,
    replicates: usize,
    run: &Run,
    take: impl Fn(&Fitted, &Run) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    let sample = Sample::new(journeys, 0, run)?;
    let counts = match needed {
        Needed::Whole => None,
        _ => Counts::new(model, &sample.journeys, run)?,
    };
    let Some(counts) = counts else {
        return redraw(&sample, replicates, run, |drawn, quiet| {
            take(&Fitted::fit(model, drawn, quiet)?, quiet)
        });
    };
    let quiet = Run::new().threads(1).seed(run.seed_value());
    let emit = |unit: &Unit, set: &mut Vec<u32>, out: &mut Vec<(u32, f64)>| {
        for j in unit.journeys.start as usize..unit.journeys.end as usize {
            counts.emit(sample.journeys.path(j), sample.counts(unit, j), set, out);
        }
    };
    let columns = counts.columns();
    let blocks = (BUDGET / (columns * BLOCK * size_of::<f64>()).max(1)).max(1);
    let mut out = Vec::with_capacity(replicates);
    for first in (0..replicates).step_by(blocks * BLOCK) {
        let here = first..replicates.min(first + blocks * BLOCK);
        let size = here.len();
        let found = sums(&sample, columns, here, Weigh::Poisson, Vec::new, emit, run)?;
        run.stage("fit samples", size as u64)?;
        out.extend(run.map_items(size, |r| {
            let column = |at: u32| found[at as usize * size + r];
            let taken = take(&counts.fitted(&sample.journeys, needed, &column, &quiet)?, &quiet)?;
            run.advance(1)?;
            Ok(taken)
        })?);
    }
    Ok(out)
}

/// What `take` makes of the journeys of each sample.
pub(in crate::attribution) fn redraws<T: Send>(
    journeys: &Journeys,
    replicates: usize,
    run: &Run,
    take: impl Fn(&Journeys, &Run) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    redraw(&Sample::new(journeys, 0, run)?, replicates, run, take)
}

pub(super) fn redraw<T: Send>(
    sample: &Sample<'_>,
    replicates: usize,
    run: &Run,
    take: impl Fn(&Journeys, &Run) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    each(sample, "fit samples", replicates, run, |weights, quiet| take(&sample.replicate(weights), quiet))
}

/// As [`redraws`], each customer as often as drawn, every time as one of their own.
pub(super) fn recopies<T: Send>(
    journeys: &Journeys,
    replicates: usize,
    run: &Run,
    take: impl Fn(&Journeys, &Run) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    let sample = Sample::new(journeys, 0, run)?;
    each(&sample, "read samples", replicates, run, |weights, quiet| take(&sample.copies(weights), quiet))
}

fn each<T: Send>(
    sample: &Sample<'_>,
    stage: &'static str,
    replicates: usize,
    run: &Run,
    take: impl Fn(&[f64], &Run) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    let quiet = Run::new().threads(1).seed(run.seed_value());
    run.stage(stage, replicates as u64)?;
    run.map_items(replicates, |r| {
        let found = take(&sample.weights(run.seed_value(), r), &quiet)?;
        run.advance(1)?;
        Ok(found)
    })
}

#[cfg(test)]
mod tests {
    use super::super::numbers::{Absent, Numbers};
    use super::*;
    use crate::attribution::{Missing, Removal, Worth};
    use crate::column::{Columns, Names};
    use crate::journey::{EventOptions, Repeats};

    const CUSTOMERS: usize = 60;

    /// Each customer's touches and orders, as often as `times` says.
    fn journeys(times: &dyn Fn(usize) -> usize) -> Journeys {
        let (mut who, mut when, mut channel) = (Vec::new(), Vec::new(), Vec::new());
        let (mut buyer, mut bought, mut value) = (Vec::new(), Vec::new(), Vec::new());
        let day = |d: usize| format!("2024-01-{:02}T{:02}:00:00Z", d % 28 + 1, d % 24);
        for c in 0..CUSTOMERS {
            for copy in 0..times(c) {
                let name = format!("{c}#{copy}");
                for i in 0..=c * 7 % 6 {
                    who.push(name.clone());
                    when.push(day(c * 5 + i * 3));
                    channel.push(["x", "y", "z", "w"][(c * c + i * i * 3) % 11 % 4]);
                }
                for i in 0..c % 3 {
                    buyer.push(name.clone());
                    bought.push(day(c * 5 + i * 7 + 1));
                    value.push((c % 9) as f64 + 0.5);
                }
            }
        }
        let touches = Columns::new().with("customer", who).with("time", when).with("channel", channel);
        let orders = Columns::new().with("customer", buyer).with("time", bought).with("value", value);
        let options = EventOptions { value: Some("value".into()), ..EventOptions::default() };
        Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap()
    }

    /// The rows of customers repeated as often as they were drawn, and all of it done again.
    #[test]
    fn samples_are_those_of_customers_whose_rows_are_repeated() {
        let run = Run::new().seed(11);
        let whole = journeys(&|_| 1);
        let sample = Sample::new(&whole, 0, &run).unwrap();
        let label = |unit: &Unit| -> usize {
            let codes = vec![whole.customer(unit.journeys.start as usize).unwrap()];
            let names = Names { codes, labels: std::sync::Arc::clone(whole.customers.as_ref().unwrap()) };
            names.get(0).unwrap().split('#').next().unwrap().parse().unwrap()
        };
        let chain =
            |order, repeats, removal| Model::Markov(Markov { order, repeats, removal, ..Markov::default() });
        let game = |worth, missing| Model::Shapley(Shapley { worth, missing, ..Shapley::default() });
        let cases: Vec<(Model, &[&str])> = vec![
            (chain(1, Repeats::Collapse, Removal::Null), &["removal_effects", "transitions", "states"]),
            (chain(2, Repeats::Keep, Removal::Null), &["removal_effects", "transitions", "states"]),
            (chain(1, Repeats::Collapse, Removal::Reconnect), &["removal_effects"]),
            (chain(1, Repeats::Collapse, Removal::Skip), &["removal_effects"]),
            (chain(3, Repeats::Collapse, Removal::FailRefit), &["removal_effects"]),
            (game(Worth::Conversions, Missing::Zero), &["values", "dividends", "synergies"]),
            (game(Worth::Rate, Missing::Zero), &["values", "synergies"]),
            (game(Worth::ExactSetRate, Missing::NearestSubset), &["values", "synergies"]),
            (game(Worth::JourneyRate, Missing::Zero), &["values"]),
            ("shao_li".parse().unwrap(), &["contributions"]),
        ];
        for (model, reports) in cases {
            for name in reports {
                let report = |fitted: &Fitted| fitted.report(name, "{}", &Run::new()).unwrap();
                let fitted = Fitted::fit(&model, &whole, &run).unwrap();
                let estimates = &[
                    ("removal_effect", Absent::Zero),
                    ("removal_effect_value", Absent::Zero),
                    ("count", Absent::Zero),
                    ("probability", Absent::Unknown),
                    ("expected_visits", Absent::Zero),
                    ("expected_steps", Absent::Unknown),
                    ("conversion_share", Absent::Zero),
                    ("shapley", Absent::Zero),
                    ("shapley_value", Absent::Zero),
                    ("dividend", Absent::Zero),
                    ("dividend_value", Absent::Zero),
                    ("synergy", Absent::Zero),
                    ("synergy_value", Absent::Zero),
                    ("contribution", Absent::Zero),
                ];
                let numbers = Numbers::new(report(&fitted), estimates, 40).unwrap();
                let take = |fitted: &Fitted, _: &Run| Ok(numbers.of(&report(fitted)));
                let needed = match *name {
                    "transitions" | "states" => Needed::WithoutEffects,
                    _ => Needed::WithoutPositions,
                };
                let found = refits(&whole, &model, needed, 40, &run, take).unwrap();
                for r in [0, 1, 31, 32, 39] {
                    let mut times = vec![0; CUSTOMERS];
                    for (unit, weight) in sample.units.iter().zip(sample.weights(11, r)) {
                        times[label(unit)] = weight as usize;
                    }
                    let naive = Fitted::fit(&model, &journeys(&|c| times[c]), &run).unwrap();
                    let naive = numbers.of(&report(&naive));
                    assert!(naive.iter().filter(|x| !x.is_nan()).count() > 3, "{name}");
                    for (a, b) in found[r].iter().zip(&naive) {
                        let same = (a - b).abs() <= 1e-9 * (1.0 + b.abs());
                        assert!(same || (a.is_nan() && b.is_nan()), "{model:?} {name} {r}: {a} {b}");
                    }
                }
            }
        }
    }
}
