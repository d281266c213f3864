//! Credits of samples drawn again.

use super::counts::ChainColumns;
use super::interval::{Interval, check_confidence, deviation};
use super::numbers::Around;
use super::refit::redraw;
use super::resample::{Sample, Unit, Weigh, sums};
use crate::attribution::rules::{Kernel, Scratch, Shares};
use crate::attribution::{Fitted, Markov, Model};
use crate::journey::{Chain, Hierarchy, Journeys};
use crate::run::Run;
use crate::{Error, Result};

/// What an interval is made of: how many samples, how wide, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::attribution) struct Spread {
    pub(in crate::attribution) replicates: usize,
    pub(in crate::attribution) confidence: f64,
    pub(in crate::attribution) interval: Interval,
}

/// Replicates that are allowed.
const MOST: usize = 100_000;

impl Spread {
    pub(in crate::attribution) fn check(&self) -> Result<()> {
        check_confidence(self.confidence)?;
        if self.replicates == 1 || self.replicates > MOST {
            return Err(Error::option(
                "bootstrap",
                format!("must be 0 or 2 to {MOST} samples, not {}", self.replicates),
            ));
        }
        Ok(())
    }

    /// As [`Spread::check`], of what there is for its intervals alone.
    pub(super) fn check_drawn(&self) -> Result<()> {
        self.check()?;
        if self.replicates == 0 {
            return Err(Error::option("bootstrap", "an interval needs samples: 1000, for example"));
        }
        Ok(())
    }

    /// The interval of an estimate.
    pub(in crate::attribution) fn of(&self, estimate: f64, draws: &[f64]) -> [f64; 2] {
        self.interval.of(estimate, draws, self.confidence)
    }

    /// The standard error and the interval of an estimate.
    pub(in crate::attribution) fn around(&self, estimate: f64, draws: &[f64]) -> Around {
        let [low, high] = self.of(estimate, draws);
        [deviation(draws), low, high]
    }
}

/// The replicates of each channel, of conversions and of value.
type ByChannel = Vec<[Vec<f64>; 2]>;

/// The credits that several models give to each channel, in each replicate.
#[derive(Clone, Debug)]
pub(in crate::attribution) struct Draws {
    pub(super) replicates: usize,
    /// Models by channels, conversions and value: the replicates.
    credits: Vec<ByChannel>,
    /// The removal effects of the same; none of models that have none.
    effects: Vec<Option<ByChannel>>,
    pub(super) unattributed: [Vec<f64>; 2],
    pub(super) total: [Vec<f64>; 2],
}

/// A quantity of one model and channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Conversions,
    Value,
    Share,
    ValueShare,
}

impl Draws {
    /// Draws the samples and credits them. Rules and Markov chains are linear
    /// in the weights of paths up to one small solve; other models are fitted
    /// to each sample.
    pub(in crate::attribution) fn new(
        journeys: &Journeys,
        models: &[Model],
        replicates: usize,
        period: u64,
        run: &Run,
    ) -> Result<Self> {
        Self::of_sample(&Sample::new(journeys, period, run)?, models, replicates, run)
    }

    /// The same of both levels, whose samples are of the same customers.
    pub(in crate::attribution) fn of_levels(
        fine: &Journeys,
        levels: &Hierarchy,
        models: &[Model],
        replicates: usize,
        run: &Run,
    ) -> Result<[Self; 2]> {
        let fine = Sample::new(fine, 0, run)?;
        let channels = fine.rolled_up(levels)?;
        Ok([
            Self::of_sample(&fine, models, replicates, run)?,
            Self::of_sample(&channels, models, replicates, run)?,
        ])
    }

    fn of_sample(sample: &Sample<'_>, models: &[Model], replicates: usize, run: &Run) -> Result<Self> {
        let channels = sample.journeys.channel_count();
        let layout = Layout::new(&sample.journeys, models, run)?;
        let scratch = || Scratch::new(channels);
        let emit = |unit: &Unit, scratch: &mut Scratch, out: &mut Vec<(u32, f64)>| {
            for j in unit.journeys.start as usize..unit.journeys.end as usize {
                layout.emit(&sample.journeys, j, sample.counts(unit, j), scratch, out);
            }
        };
        let found = sums(sample, layout.columns as usize, 0..replicates, Weigh::Poisson, scratch, emit, run)?;
        let column = |at: u32| &found[at as usize * replicates..][..replicates];
        let measure = |at: u32| [column(at).to_vec(), column(at + 1).to_vec()];
        let (unattributed, attributed) = (measure(0), measure(2));
        let add = |k: usize| unattributed[k].iter().zip(&attributed[k]).map(|(a, b)| a + b).collect();
        let total = [add(0), add(1)];
        let mut credits = Vec::with_capacity(models.len());
        let mut effects = Vec::with_capacity(models.len());
        for (model, part) in models.iter().zip(&layout.parts) {
            let (credit, effect) = match part {
                Columns::Rule { first, .. } => {
                    ((0..channels).map(|c| measure(first + 2 * c as u32)).collect(), None)
                }
                Columns::Chain(markov, chain) => {
                    run.stage("solve the samples' chains", replicates as u64)?;
                    let quiet = Run::new().threads(1);
                    let solved = run.map_items(replicates, |r| {
                        run.advance(1)?;
                        let chain = chain.replicate(&|at| found[at as usize * replicates + r]);
                        markov.effects_of(&chain, channels, &quiet)
                    })?;
                    let total = |r: usize| [attributed[0][r], attributed[1][r]];
                    let credits = solved.iter().enumerate().map(|(r, e)| markov.credits_of(e, total(r)));
                    (by_channel(credits, channels), Some(by_channel(solved.iter().cloned(), channels)))
                }
                Columns::Refit => {
                    let found = redraw(sample, replicates, run, |drawn, run| {
                        let fitted = Fitted::fit(model, drawn, run)?;
                        let effects = match &fitted {
                            Fitted::Markov(chain) => Some(chain.effect_pairs()),
                            _ => None,
                        };
                        Ok((fitted.totals(drawn, run)?, effects))
                    })?;
                    let (credits, effects): (Vec<_>, Vec<_>) = found.into_iter().unzip();
                    let effects: Option<Vec<_>> = effects.into_iter().collect();
                    (
                        by_channel(credits.into_iter(), channels),
                        effects.map(|effects| by_channel(effects.into_iter(), channels)),
                    )
                }
            };
            credits.push(credit);
            effects.push(effect);
        }
        Ok(Self { replicates, credits, effects, unattributed, total })
    }

    /// Adds a model with samples of its own, as many of them as there are replicates: past its channels
    /// those of what none of them brought. A channel without samples has nothing in any.
    pub(super) fn push(&mut self, samples: &[[Vec<f64>; 2]]) {
        let n = self.replicates;
        let some = |all: &Vec<f64>| -> Vec<f64> {
            if all.is_empty() { vec![0.0; n] } else { all.iter().copied().cycle().take(n).collect() }
        };
        self.credits.push(samples.iter().map(|pair| pair.each_ref().map(some)).collect());
        self.effects.push(None);
    }

    /// The replicates of a channel's removal effects; none of models that have none.
    pub(in crate::attribution) fn effect(&self, model: usize, channel: usize) -> Option<&[Vec<f64>; 2]> {
        self.effects.get(model)?.as_ref()?.get(channel)
    }

    /// A channel's replicates under a model; past the channels, those of
    /// conversions without a touch.
    pub(in crate::attribution) fn row(&self, model: usize, channel: usize) -> &[Vec<f64>; 2] {
        self.credits[model].get(channel).unwrap_or(&self.unattributed)
    }

    /// A quantity of a channel under a model.
    pub(super) fn measure(&self, model: usize, channel: usize, measure: Measure) -> Vec<f64> {
        let row = self.row(model, channel);
        match measure {
            Measure::Conversions => row[0].clone(),
            Measure::Value => row[1].clone(),
            Measure::Share => shares(&row[0], &self.total[0]),
            Measure::ValueShare => shares(&row[1], &self.total[1]),
        }
    }

    /// The shares of all conversions.
    pub(in crate::attribution) fn share(&self, model: usize, channel: usize) -> Vec<f64> {
        self.measure(model, channel, Measure::Share)
    }
}

/// From numbers by replicate to replicates by channel.
fn by_channel(found: impl Iterator<Item = Vec<[f64; 2]>>, channels: usize) -> ByChannel {
    let mut out = vec![[Vec::new(), Vec::new()]; channels];
    for replicate in found {
        for (draws, pair) in out.iter_mut().zip(replicate) {
            draws.iter_mut().zip(pair).for_each(|(draws, x)| draws.push(x));
        }
    }
    out
}

fn shares(part: &[f64], whole: &[f64]) -> Vec<f64> {
    part.iter().zip(whole).map(|(a, b)| if *b > 0.0 { a / b } else { 0.0 }).collect()
}

/// The columns of one model.
enum Columns {
    Rule { first: u32, kernel: Kernel },
    Chain(Markov, Box<ChainColumns>),
    Refit,
}

/// Which column holds what. The first four: conversions and value without a
/// touch, and with one.
struct Layout {
    parts: Vec<Columns>,
    columns: u32,
}

impl Layout {
    fn new(journeys: &Journeys, models: &[Model], run: &Run) -> Result<Self> {
        let mut columns = 4;
        let mut parts = Vec::with_capacity(models.len());
        for model in models {
            parts.push(match model {
                Model::Markov(markov) if markov.is_of_chain() => {
                    let chain = Chain::count(journeys, markov.order, markov.repeats, run)?;
                    let chain = ChainColumns::new(chain, markov.repeats, columns);
                    columns = chain.end();
                    Columns::Chain(markov.clone(), Box::new(chain))
                }
                rule if rule.is_rule() => {
                    rule.check_journeys(journeys)?;
                    let first = columns;
                    columns += 2 * journeys.channel_count() as u32;
                    Columns::Rule {
                        first,
                        kernel: Kernel::new(rule, &journeys.channel_labels(), Some(journeys))?,
                    }
                }
                _ => Columns::Refit,
            });
        }
        Ok(Self { parts, columns })
    }

    /// What a weight of 1 adds through one journey.
    fn emit(
        &self,
        journeys: &Journeys,
        j: usize,
        [conversions, nulls, value]: [f64; 3],
        scratch: &mut Scratch,
        out: &mut Vec<(u32, f64)>,
    ) {
        let journey = journeys.journey(j);
        let path = journey.path;
        let both = |at: u32, share: f64, out: &mut Vec<(u32, f64)>| {
            out.push((at, conversions * share));
            if value != 0.0 {
                out.push((at + 1, value * share));
            }
        };
        if path.is_empty() {
            both(0, 1.0, out);
            return;
        }
        let counts = conversions != 0.0 || value != 0.0;
        if counts {
            both(2, 1.0, out);
        }
        for part in &self.parts {
            match part {
                Columns::Rule { first, kernel } if counts => {
                    let at = |c: u32| first + 2 * c;
                    match kernel.weighted(&journey, scratch) {
                        Shares::One(i) => both(at(path[i]), 1.0, out),
                        Shares::Equal(share) => path.iter().for_each(|c| both(at(*c), share, out)),
                        Shares::Each(shares) => {
                            for (c, share) in path.iter().zip(shares).filter(|(_, s)| **s != 0.0) {
                                both(at(*c), *share, out);
                            }
                        }
                    }
                }
                Columns::Chain(_, chain) => chain.emit(path, [conversions, nulls, value], out),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::grouped::GroupedDraws;
    use super::*;
    use crate::attribution::{AttributeOptions, Markov, Shapley, attribute};
    use crate::column::{Columns as Frame, Duration};
    use crate::journey::{EventOptions, PathOptions, Repeats};

    fn toy() -> Journeys {
        let frame = Frame::new()
            .with("path", vec!["A > B > C", "A > B", "B > C", "C", "A > A > C", "", "A > B"])
            .with("conversions", vec![10.0, 5.0, 8.0, 4.0, 3.0, 2.0, 1.0])
            .with("nulls", vec![20.0, 45.0, 32.0, 36.0, 17.0, 0.0, 1.0])
            .with("value", vec![1000.0, 400.0, 960.0, 200.0, 330.0, 10.0, 7.0]);
        let options = PathOptions {
            value: Some("value".into()),
            nulls: Some("nulls".into()),
            ..PathOptions::default()
        };
        Journeys::from_paths(&frame, &options, &Run::new()).unwrap()
    }

    fn events() -> Journeys {
        let n = 400_usize;
        let day = |d: usize| format!("2024-01-{:02}T{:02}:00:00Z", d % 28 + 1, d % 24);
        let touches = Frame::new()
            .with("customer", (0..n).map(|i| format!("c{}", i * 7 % 60)).collect::<Vec<_>>())
            .with("time", (0..n).map(|i| day(i * 13)).collect::<Vec<_>>())
            .with("channel", (0..n).map(|i| ["x", "y", "z", "w"][i * i % 11 % 4]).collect::<Vec<_>>());
        let orders = Frame::new()
            .with("customer", (0..90_usize).map(|i| format!("c{}", i * 11 % 70)).collect::<Vec<_>>())
            .with("time", (0..90).map(|i| day(i * 17 + 5)).collect::<Vec<_>>())
            .with("value", (0..90).map(|i| f64::from(i % 9) + 0.5).collect::<Vec<_>>());
        let options = EventOptions { value: Some("value".into()), ..EventOptions::default() };
        Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap()
    }

    /// Every replicate is what the models say of the journeys written out with their weights.
    #[test]
    fn replicates_are_those_of_the_journeys_drawn_one_by_one() {
        for journeys in [toy(), events()] {
            let mut models = vec![
                Model::First,
                Model::Last,
                Model::Linear,
                Model::PositionBased { first: 0.3, last: 0.5 },
                Model::Shapley(Shapley::default()),
                Model::Markov(Markov::default()),
                Model::Markov(Markov { order: 2, ..Markov::default() }),
                Model::Markov(Markov { order: 3, repeats: Repeats::Keep, ..Markov::default() }),
            ];
            if journeys.has_times() {
                models.push(Model::TimeDecay { half_life: Duration::from_days(3) });
            }
            let run = Run::new().seed(5);
            let draws = Draws::new(&journeys, &models, 70, 0, &run).unwrap();
            let sample = Sample::new(&journeys, 0, &run).unwrap();
            let options = AttributeOptions { models: models.clone(), ..AttributeOptions::default() };
            for r in [0, 1, 31, 32, 69] {
                let drawn = sample.replicate(&sample.weights(5, r));
                let found = attribute(&drawn, &options, &run).unwrap();
                for (m, name) in found.models().iter().enumerate() {
                    for (c, credit) in found.credits(name).unwrap().iter().enumerate() {
                        for k in 0..2 {
                            let x = draws.row(m, c)[k][r];
                            assert!(
                                (x - credit[k]).abs() < 1e-9 * (1.0 + credit[k].abs()),
                                "{name} {c} {k} {r}: {x} {credit:?}"
                            );
                        }
                    }
                }
                assert!((draws.total[0][r] - drawn.total_conversions()).abs() < 1e-9);
                assert!((draws.total[1][r] - drawn.total_value()).abs() < 1e-9);
            }
        }
    }

    /// The samples of groups are those of all time, divided.
    #[test]
    fn credits_of_groups_add_up_to_those_of_the_same_samples() {
        let (journeys, run) = (events(), Run::new().seed(5));
        let models = [Model::Linear, Model::Markov(Markov::default()), Model::Shapley(Shapley::default())];
        let draws = Draws::new(&journeys, &models, 40, 0, &run).unwrap();
        let week = |drawn: &Journeys, j: usize| {
            let day = drawn.end_time(j).unwrap() / crate::column::DAY;
            Some((day % 4) as usize)
        };
        let grouped = GroupedDraws::new(&journeys, &models, 4, week, 40, &run).unwrap();
        for m in 0..models.len() {
            for c in 0..=journeys.channel_count() {
                let rows = [0, 1, 2, 3].map(|g| grouped.row(m, g, c));
                for k in 0..2 {
                    for r in 0..40 {
                        let (sum, all) =
                            (rows.iter().map(|row| row[k][r]).sum::<f64>(), draws.row(m, c)[k][r]);
                        assert!((sum - all).abs() < 1e-9 * (1.0 + all), "{m} {c} {k} {r}: {sum} {all}");
                    }
                    assert!(rows.iter().filter(|row| row[k].iter().any(|x| *x > 0.0)).count() > 1);
                }
            }
        }
        let many = GroupedDraws::new(&journeys, &models, 1 << 20, week, 1_000, &run);
        assert!(matches!(many, Err(Error::Option { .. })));
    }
}
