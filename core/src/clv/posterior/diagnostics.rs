//! Whether chains agree, and what their draws are worth.
//!
//! Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Rank-normalization,
//! folding, and localization: an improved R̂, Bayesian Analysis 16:667.

use crate::math::{normal_quantile, quantile, ranks, sorted, sum};

/// One parameter's draws, summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub mean: f64,
    pub sd: f64,
    /// The greater of the R̂ of the ranks and of the folded ranks, of halved chains.
    pub r_hat: Option<f64>,
    pub ess_bulk: Option<f64>,
    pub ess_tail: Option<f64>,
    /// Monte Carlo standard error of the mean.
    pub mcse: Option<f64>,
}

/// Sums up chains of equal length, one after another.
pub(crate) fn summarize(draws: &[f64], chains: usize) -> Summary {
    let (mean, variance) = moments(draws);
    let sd = variance.sqrt();
    let halves = halves(draws, chains);
    let n = halves.first().map_or(0, Vec::len);
    if n < 4 || variance.is_nan() || variance <= 0.0 {
        return Summary { mean, sd, r_hat: None, ess_bulk: None, ess_tail: None, mcse: None };
    }
    let middle = quantile(&sorted(draws), 0.5);
    let folded: Vec<f64> = draws.iter().map(|v| (v - middle).abs()).collect();
    let bulk = normalised(&halves);
    let spread = normalised(&self::halves(&folded, chains));
    let r_hat = match (r_hat(&bulk), r_hat(&spread)) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    let ordered = sorted(draws);
    let tail = |p: f64| {
        let edge = quantile(&ordered, p);
        let below: Vec<Vec<f64>> = halves
            .iter()
            .map(|half| half.iter().map(|v| f64::from(u8::from(*v <= edge))).collect())
            .collect();
        effective(&below)
    };
    let ess_tail = match (tail(0.05), tail(0.95)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let mcse = effective(&halves).map(|ess| sd / ess.sqrt());
    Summary { mean, sd, r_hat, ess_bulk: effective(&bulk), ess_tail, mcse }
}

/// Mean, and variance over n − 1.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = sum(values.iter().copied()) / n.max(1.0);
    let variance = sum(values.iter().map(|v| (v - mean) * (v - mean))) / (n - 1.0).max(1.0);
    (mean, variance)
}

/// Each chain as two: its middle draw is left out where their number is odd.
fn halves(draws: &[f64], chains: usize) -> Vec<Vec<f64>> {
    let length = draws.len() / chains.max(1);
    let half = length / 2;
    if half == 0 {
        return Vec::new();
    }
    draws
        .chunks_exact(length)
        .flat_map(|chain| [chain[..half].to_vec(), chain[length - half..].to_vec()])
        .collect()
}

fn normalised(chains: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let all: Vec<f64> = chains.iter().flatten().copied().collect();
    let size = all.len() as f64;
    let z: Vec<f64> =
        ranks(&all).into_iter().map(|rank| normal_quantile((rank - 0.375) / (size + 0.25))).collect();
    let n = chains.first().map_or(1, Vec::len).max(1);
    z.chunks(n).map(<[f64]>::to_vec).collect()
}

/// The variance within chains and the pooled estimate of the variance.
fn variances(chains: &[Vec<f64>]) -> (Vec<f64>, f64, f64) {
    let n = chains.first().map_or(1, Vec::len) as f64;
    let (means, each): (Vec<f64>, Vec<f64>) = chains.iter().map(|c| moments(c)).unzip();
    let within = moments(&each).0;
    let between = if chains.len() > 1 { moments(&means).1 } else { 0.0 };
    (means, within, within * (n - 1.0) / n + between)
}

fn r_hat(chains: &[Vec<f64>]) -> Option<f64> {
    let (_, within, pooled) = variances(chains);
    (within > 0.0).then(|| (pooled / within).sqrt())
}

/// The effective number of draws, by Geyer's initial monotone sequence.
fn effective(chains: &[Vec<f64>]) -> Option<f64> {
    let (means, within, pooled) = variances(chains);
    let n = chains.first()?.len();
    if within.is_nan() || within <= 0.0 {
        return None;
    }
    let correlation = |lag: usize| {
        let each = chains.iter().zip(&means).map(|(chain, mean)| {
            let pairs = chain.iter().zip(chain.iter().skip(lag));
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n as f64
        });
        let mean = each.sum::<f64>() / chains.len() as f64;
        1.0 - (within - mean) / pooled
    };
    let mut total = 0.0;
    let mut before = f64::INFINITY;
    let mut lag = 0;
    while lag + 1 < n {
        let first = if lag == 0 { 1.0 } else { correlation(lag) };
        let pair = first + correlation(lag + 1);
        if pair.is_nan() || pair <= 0.0 {
            break;
        }
        before = pair.min(before);
        total += before;
        lag += 2;
    }
    let size = (n * chains.len()) as f64;
    // Antithetic chains are worth more than independent draws, within reason.
    let time = (2.0 * total - 1.0).max(1.0 / crate::math::log10(size));
    Some(size / time)
}
