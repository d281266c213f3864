//! Residuals: the sandwich covariance, and the test of proportional hazards.

use super::super::design::by_value;
use super::Proportional;
use super::data::{Data, Hazard};
use crate::math::{ln, ranks};
use crate::{Result, Run};

/// The mean of x over the steps of each tie, row by row: (1/m) Σ_l x̄_l.
fn tie_means(data: &Data, risk: &[f64], run: &Run) -> Result<Vec<f64>> {
    let p = data.x.columns;
    let mut means = vec![0.0; data.ties.len() * p];
    data.sweep(risk, run, |at, s0, s1, d0, d1| {
        let tie = &data.ties[at];
        for l in 0..tie.steps {
            let gone = tie.gone(l);
            let left = (s0 - gone * d0) * f64::from(tie.steps);
            for ((mean, s), d) in means[at * p..(at + 1) * p].iter_mut().zip(s1).zip(d1) {
                *mean += (s - gone * d) / left;
            }
        }
    })?;
    Ok(means)
}

/// The sandwich V (Σ c cᵀ) V of score residuals, summed within clusters first
/// (Lin & Wei 1989; Therneau & Grambsch 2000, section 7.2).
pub(super) fn sandwich(
    data: &Data,
    risk: &[f64],
    hazard: &Hazard,
    covariance: &[f64],
    clusters: Option<&[u32]>,
    frequency: bool,
    run: &Run,
) -> Result<Vec<f64>> {
    let p = data.x.columns;
    let means = tie_means(data, risk, run)?;
    // Σ over steps of hazard × mean, cumulative within strata; and what events are spared.
    let mut sums = vec![0.0; data.ties.len() * p];
    let mut spared = vec![0.0; data.ties.len() * p];
    data.sweep(risk, run, |at, s0, s1, d0, d1| {
        let tie = &data.ties[at];
        for l in 0..tie.steps {
            let gone = tie.gone(l);
            let left = s0 - gone * d0;
            let step = tie.step_weight / left;
            for k in 0..p {
                let part = step * (s1[k] - gone * d1[k]) / left;
                sums[at * p + k] += part;
                spared[at * p + k] += gone * part;
            }
        }
    })?;
    for stratum in &data.strata {
        for at in stratum.ties.clone().skip(1) {
            for k in 0..p {
                sums[at * p + k] += sums[(at - 1) * p + k];
            }
        }
    }
    let mut scores = vec![0.0; data.rows() * p];
    for stratum in &data.strata {
        let start = stratum.ties.start;
        for i in stratum.rows.clone() {
            let (x, score) = (data.x.row(i), &mut scores[i * p..(i + 1) * p]);
            let lived = hazard.lived(data, i);
            for (k, score) in score.iter_mut().enumerate() {
                let upto =
                    |count: u32| if count == 0 { 0.0 } else { sums[(start + count as usize - 1) * p + k] };
                let mut met = upto(data.last[i]);
                if !data.entry.is_empty() {
                    met -= upto(data.first[i]);
                }
                if let Some(tie) = hazard.tie(data, i) {
                    met -= spared[tie * p + k];
                    *score += data.weight[i] * (x[k] - means[tie * p + k]);
                }
                *score -= risk[i] * (lived * x[k] - met);
            }
        }
    }
    let mut squares = vec![0.0; p * p];
    let mut add = |c: &[f64], divisor: f64| {
        for k in 0..p {
            for l in 0..p {
                squares[k * p + l] += c[k] * c[l] / divisor;
            }
        }
    };
    if let Some(clusters) = clusters {
        // First rows come in canonical order, so the sums of clusters do too.
        let mut place = std::collections::HashMap::new();
        let mut sums: Vec<f64> = Vec::new();
        for (i, cluster) in clusters.iter().enumerate() {
            let at = *place.entry(*cluster).or_insert(sums.len());
            if at == sums.len() {
                sums.resize(at + p, 0.0);
            }
            for (sum, score) in sums[at..at + p].iter_mut().zip(&scores[i * p..(i + 1) * p]) {
                *sum += score;
            }
        }
        // Like rows of different clusters come in no order of their own.
        let mut sums: Vec<&[f64]> = sums.chunks_exact(p.max(1)).collect();
        sums.sort_unstable_by(|a, b| by_value(a, b));
        sums.iter().for_each(|c| add(c, 1.0));
    } else {
        for (score, weight) in scores.chunks_exact(p.max(1)).zip(&data.weight).filter(|(_, w)| **w > 0.0) {
            // A row of weight w is w rows, each with its share of the score.
            add(score, if frequency { *weight } else { 1.0 });
        }
    }
    let product = |a: &[f64], b: &[f64]| -> Vec<f64> {
        let cell = |at: usize| (0..p).map(|k| a[at / p * p + k] * b[k * p + at % p]).sum();
        (0..p * p).map(cell).collect()
    };
    Ok(product(&product(covariance, &squares), covariance))
}

/// The test by scaled Schoenfeld residuals against transforms of time
/// (Grambsch & Therneau 1994): the identity, the rank among the event times, the Kaplan–Meier
/// curve 1 − S(t−), and the logarithm where every event is after 0.
pub(super) fn proportional(
    data: &Data,
    risk: &[f64],
    covariance: &[f64],
    run: &Run,
) -> Result<Vec<Proportional>> {
    let p = data.x.columns;
    let means = tie_means(data, risk, run)?;
    let mut rows = Vec::new();
    for (at, tie) in data.ties.iter().enumerate() {
        for i in tie.events().filter(|i| data.weight[*i] > 0.0) {
            rows.push((at, i));
        }
    }
    let times: Vec<f64> = rows.iter().map(|(at, _)| data.ties[*at].time).collect();
    let mut transforms: Vec<(&str, Vec<f64>)> =
        vec![("identity", times.clone()), ("rank", ranks(&times)), ("km", curve_at(data, &times))];
    if times.iter().all(|t| *t > 0.0) {
        transforms.push(("log", times.iter().map(|t| ln(*t)).collect()));
    }
    let total: f64 = rows.iter().map(|(_, i)| data.weight[*i]).sum();
    let mut out = Vec::new();
    for (name, g) in transforms {
        run.check()?;
        let mean = g.iter().zip(&rows).map(|(g, (_, i))| g * data.weight[*i]).sum::<f64>() / total;
        let mut spread = 0.0;
        let mut sums = vec![0.0; p];
        for (g, (at, i)) in g.iter().zip(&rows) {
            let w = data.weight[*i] * (g - mean);
            spread += w * (g - mean);
            for ((sum, x), m) in sums.iter_mut().zip(data.x.row(*i)).zip(&means[at * p..]) {
                *sum += w * (x - m);
            }
        }
        if spread.is_nan() || spread <= 0.0 {
            continue; // all events at one time
        }
        let scaled: Vec<f64> =
            (0..p).map(|k| (0..p).map(|l| covariance[k * p + l] * sums[l]).sum()).collect();
        let statistic = |k: usize| {
            let variance = covariance[k * p + k];
            (variance > 0.0).then(|| total * scaled[k] * scaled[k] / (variance * spread))
        };
        let statistics: Vec<Option<f64>> = (0..p).map(statistic).collect();
        let overall = total * scaled.iter().zip(&sums).map(|(a, b)| a * b).sum::<f64>() / spread;
        let degrees = statistics.iter().flatten().count() as u64;
        if overall.is_finite() && statistics.iter().flatten().all(|s| s.is_finite()) {
            out.push(Proportional {
                transform: name.to_owned(),
                statistics,
                overall: overall.max(0.0),
                degrees,
            });
        }
    }
    Ok(out)
}

/// 1 − S just before each time, S the Kaplan–Meier curve of all strata together.
fn curve_at(data: &Data, times: &[f64]) -> Vec<f64> {
    let mut ends: Vec<(f64, f64, f64)> = (0..data.rows())
        .map(|i| {
            let (event, w) = (data.event[i], data.weight[i]);
            (data.time[i], if event { w } else { 0.0 }, if event { 0.0 } else { w })
        })
        .collect();
    let order = |a: &(f64, f64, f64), b: &(f64, f64, f64)| {
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2))
    };
    ends.sort_unstable_by(order);
    let mut entries: Vec<(f64, f64)> =
        data.entry.iter().zip(&data.weight).filter(|(e, _)| **e > 0.0).map(|(e, w)| (*e, *w)).collect();
    entries.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let points = crate::math::survival::kaplan_meier_entered(&ends, &entries);
    let before = |time: &f64| {
        let at = points.partition_point(|p| p.time < *time);
        if at == 0 { 0.0 } else { 1.0 - points[at - 1].survival }
    };
    times.iter().map(before).collect()
}
