//! Credits of parts of the journeys, such as those of one month.

use crate::Result;
use crate::attribution::Fitted;
use crate::attribution::rules::{Kernel, Scratch, Shares};
use crate::journey::Journeys;
use crate::math::ExactSum;
use crate::run::Run;

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
