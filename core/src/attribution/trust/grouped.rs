//! Credits of parts of the journeys, such as those of one month.

use super::numbers::check_size;
use super::refit::redraws;
use crate::Result;
use crate::attribution::rules::{Kernel, Scratch, Shares};
use crate::attribution::{Fitted, Model};
use crate::journey::Journeys;
use crate::math::ExactSum;
use crate::run::Run;

/// What conversions without a touch hold in each group of journeys.
pub(super) fn lost_by_group(
    journeys: &Journeys,
    groups: usize,
    group: &dyn Fn(usize) -> Option<usize>,
) -> Vec<[f64; 2]> {
    let mut sums = vec![[ExactSum::new(), ExactSum::new()]; groups];
    for j in (0..journeys.len()).filter(|j| journeys.len[*j] == 0) {
        if let Some(sums) = group(j).and_then(|g| sums.get_mut(g)) {
            sums[0].add(journeys.conversions()[j]);
            sums[1].add(journeys.values()[j]);
        }
    }
    sums.iter().map(|s| [s[0].value(), s[1].value()]).collect()
}

/// The credits of groups of journeys in samples drawn again.
pub(super) struct GroupedDraws {
    /// By sample: models by groups by channels and what has no touch, conversions and value.
    samples: Vec<Vec<f64>>,
    groups: usize,
    channels: usize,
}

impl GroupedDraws {
    /// The groups of a sample's journeys are told from these.
    pub(super) fn new(
        journeys: &Journeys,
        models: &[Model],
        groups: usize,
        group: impl Fn(&Journeys, usize) -> Option<usize> + Sync + Send,
        replicates: usize,
        run: &Run,
    ) -> Result<Self> {
        let channels = journeys.channel_count();
        let size = (2 * models.len() * (channels + 1)).saturating_mul(groups);
        check_size(size, replicates)?;
        let samples = redraws(journeys, replicates, run, |drawn, run| {
            let mine = |j: usize| group(drawn, j);
            let lost = lost_by_group(drawn, groups, &mine);
            let mut out = Vec::with_capacity(size);
            for model in models {
                let credits = by_group(drawn, &Fitted::fit(model, drawn, run)?, groups, &mine, run)?;
                for (of, lost) in credits.iter().zip(&lost) {
                    out.extend(of.iter().chain([lost]).flatten());
                }
            }
            Ok(out)
        })?;
        Ok(Self { samples, groups, channels })
    }

    /// The replicates of a channel's credit; past the channels, of what has no touch.
    pub(super) fn row(&self, model: usize, group: usize, channel: usize) -> [Vec<f64>; 2] {
        let at = 2 * ((model * self.groups + group) * (self.channels + 1) + channel.min(self.channels));
        [0, 1].map(|k| self.samples.iter().filter_map(|s| s.get(at + k).copied()).collect())
    }
}

/// What a model credits to each channel in each group of journeys, groups by
/// channels, conversions and value. A journey outside of all groups has `None`.
///
/// A model that splits all conversions at once, as a Markov chain does, has its
/// total of a channel divided in the proportions of its view of single journeys.
pub(super) fn by_group(
    journeys: &Journeys,
    fitted: &Fitted,
    groups: usize,
    group: &dyn Fn(usize) -> Option<usize>,
    run: &Run,
) -> Result<Vec<Vec<[f64; 2]>>> {
    let channels = journeys.channel_count();
    let (kernel, by_value) = fitted.kernels(journeys)?;
    let for_value = by_value.as_ref().unwrap_or(&kernel);
    let mut scratch = Scratch::new(channels);
    let width = 2 * channels;
    // The last group holds the journeys outside of all.
    let mut sums = vec![ExactSum::new(); (groups + 1) * width];
    for piece in journeys.pieces() {
        run.check()?;
        for j in piece {
            let counts = [journeys.conversions()[j], journeys.values()[j]];
            let journey = journeys.journey(j);
            if journey.path.is_empty() || counts == [0.0; 2] {
                continue;
            }
            let at = group(j).unwrap_or(groups) * width;
            for (k, kernel) in [&kernel, for_value].into_iter().enumerate() {
                if counts[k] == 0.0 {
                    continue;
                }
                let mut add = |channel: u32, share: f64| {
                    sums[at + 2 * channel as usize + k].add(counts[k] * share);
                };
                credit(kernel, &journey, &mut scratch, &mut add);
            }
        }
    }
    let mut found: Vec<Vec<[f64; 2]>> = sums
        .chunks(width.max(1))
        .map(|g| g.chunks(2).map(|s| [s[0].value(), s[1].value()]).collect())
        .collect();
    if !matches!(fitted, Fitted::Rule(_)) && channels > 0 {
        let totals = fitted.totals(journeys, run)?;
        for (c, total) in totals.iter().enumerate() {
            for k in 0..2 {
                let all: f64 = found.iter().map(|g| g[c][k]).sum();
                for g in &mut found {
                    g[c][k] = if all > 0.0 { g[c][k] / all * total[k] } else { 0.0 };
                }
            }
        }
    }
    found.resize(groups, vec![[0.0; 2]; channels]);
    Ok(found)
}

fn credit(
    kernel: &Kernel,
    journey: &crate::journey::Journey<'_>,
    scratch: &mut Scratch,
    add: &mut dyn FnMut(u32, f64),
) {
    let path = journey.path;
    match kernel.weighted(journey, scratch) {
        Shares::One(i) => add(path[i], 1.0),
        Shares::Equal(share) => path.iter().for_each(|c| add(*c, share)),
        Shares::Each(shares) => path.iter().zip(shares).for_each(|(c, s)| add(*c, *s)),
    }
}
