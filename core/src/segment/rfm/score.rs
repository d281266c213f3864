//! Scores from 1 to `bins` by six conventions.
//!
//! Legend: N customers, q = bins; 5 is best and recency is reversed.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::Features;
use crate::{Error, Result};

/// How customers are put into bins. All conventions agree when values are
/// distinct and N is a multiple of q; they differ in what they do with ties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// 1 + ⌊q · #{strictly worse} / N⌋: equal customers get equal scores.
    #[default]
    TiePreserving,
    /// pandas' `qcut(rank(method="first"), q)`: bins of equal size, ties by customer.
    RankFirst,
    /// pandas' `qcut(values, q, duplicates="drop")`: quantile edges of type 7,
    /// right-closed; equal edges are merged, so there may be fewer than q scores.
    Quantile,
    /// SQL's `NTILE(q)`, worst first, ties by customer.
    Ntile,
    /// `NTILE` of frequency within recency scores, and of monetary value
    /// within both: q³ cells of equal size. Frequencies cannot be compared
    /// across recency scores.
    Nested,
    /// The breaks of the option `breaks`: scores do not move when the base changes.
    Fixed,
}

/// Right-closed breaks, in rising order: a value up to and including the
/// first break is in the lowest bin, beyond the last in the highest. The
/// lowest bin of recency is the best.
///
/// Equal breaks are allowed and leave a bin empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfmBreaks {
    /// Breaks of recency, in days.
    pub recency: Vec<f64>,
    /// Breaks of frequency.
    pub frequency: Vec<f64>,
    /// Breaks of monetary value.
    pub monetary: Vec<f64>,
}

/// Scores of customers, 1 to `bins`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Recency scores; the most recent are best.
    pub r: Vec<u32>,
    /// Frequency scores.
    pub f: Vec<u32>,
    /// Monetary scores.
    pub m: Vec<u32>,
    /// The breaks that give these scores again with [`Convention::Fixed`];
    /// only for the conventions that look at values alone.
    pub breaks: Option<RfmBreaks>,
}

/// Scores every customer.
///
/// `tie` gives each customer's place among equals, for the conventions that
/// split ties; an empty slice means the order of the customers.
///
/// # Errors
/// `Option` for `bins` outside 2..=100, and for breaks that are missing,
/// falling, not finite or not `bins` − 1 in number.
pub fn score(
    features: &Features,
    bins: u32,
    convention: Convention,
    breaks: Option<&RfmBreaks>,
    tie: &[u32],
) -> Result<Scores> {
    if !(2..=100).contains(&bins) {
        return Err(Error::option("bins", format!("{bins} is out of range; give a number from 2 to 100")));
    }
    let frequency: Vec<f64> = features.frequency.iter().map(|x| *x as f64).collect();
    let recency: Vec<f64> = features.recency.iter().map(|x| *x as f64).collect();
    let monetary = &features.monetary;
    let n = recency.len();
    let place = |i: u32| tie.get(i as usize).copied().unwrap_or(i);
    let ranked = |values: &[f64], sign: f64| -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.sort_unstable_by(|a, b| {
            by_value(sign * values[*a as usize], sign * values[*b as usize]).then(place(*a).cmp(&place(*b)))
        });
        order
    };
    Ok(match convention {
        Convention::TiePreserving => {
            // The worst recency is the longest: rank its negative, and mirror the thresholds.
            let negative: Vec<f64> = recency.iter().map(|x| -x).collect();
            let mut days: Vec<f64> = thresholds(&negative, bins).iter().map(|t| -t - 1.0).collect();
            days.reverse();
            with_breaks(
                &recency,
                &frequency,
                monetary,
                bins,
                RfmBreaks {
                    recency: days,
                    frequency: thresholds(&frequency, bins),
                    monetary: thresholds(monetary, bins),
                },
            )
        }
        Convention::Quantile => with_breaks(
            &recency,
            &frequency,
            monetary,
            bins,
            RfmBreaks {
                recency: edges(&recency, bins),
                frequency: edges(&frequency, bins),
                monetary: edges(monetary, bins),
            },
        ),
        Convention::Fixed => {
            let breaks = breaks.ok_or_else(|| {
                Error::option(
                    "breaks",
                    "convention \"fixed\" needs breaks for recency, frequency and monetary",
                )
            })?;
            for (name, given) in [
                ("recency", &breaks.recency),
                ("frequency", &breaks.frequency),
                ("monetary", &breaks.monetary),
            ] {
                if given.len() + 1 != bins as usize {
                    return Err(Error::option(
                        format!("breaks.{name}"),
                        format!("{} breaks make {} bins, not {bins}", given.len(), given.len() + 1),
                    ));
                }
                if !given.iter().all(|b| b.is_finite()) || !given.is_sorted() {
                    return Err(Error::option(format!("breaks.{name}"), "must be finite and rise"));
                }
            }
            with_breaks(&recency, &frequency, monetary, bins, breaks.clone())
        }
        Convention::RankFirst => {
            let cut = |values: &[f64]| by_rank(&ranked(values, 1.0), bins);
            let r = cut(&recency).iter().map(|s| bins + 1 - s).collect();
            Scores { r, f: cut(&frequency), m: cut(monetary), breaks: None }
        }
        Convention::Ntile => Scores {
            r: ntile(&ranked(&recency, -1.0), bins),
            f: ntile(&ranked(&frequency, 1.0), bins),
            m: ntile(&ranked(monetary, 1.0), bins),
            breaks: None,
        },
        Convention::Nested => {
            let r = ntile(&ranked(&recency, -1.0), bins);
            let f = within(&ranked(&frequency, 1.0), &r, bins, bins);
            let cells: Vec<u32> = r.iter().zip(&f).map(|(r, f)| (r - 1) * bins + f).collect();
            let m = within(&ranked(monetary, 1.0), &cells, bins * bins, bins);
            Scores { r, f, m, breaks: None }
        }
    })
}

/// −0 and 0 are one value; nothing is NaN.
fn by_value(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// The k·N/q-th smallest values, k = 1..q: `1 + #{thresholds below v}` is the
/// tie-preserving score of v.
fn thresholds(values: &[f64], bins: u32) -> Vec<f64> {
    let n = values.len() as u64;
    select(values, (1..u64::from(bins)).map(|k| (k * n).div_ceil(u64::from(bins)).saturating_sub(1) as usize))
}

/// Inner type-7 quantile edges, merged where equal.
fn edges(values: &[f64], bins: u32) -> Vec<f64> {
    let last = values.len().saturating_sub(1);
    let at = |k: u32| {
        let h = last as f64 * (f64::from(k) / f64::from(bins));
        (h.floor() as usize, h - h.floor())
    };
    let wanted: Vec<usize> = (0..=bins).flat_map(|k| [at(k).0.min(last), (at(k).0 + 1).min(last)]).collect();
    let picked = select(values, wanted.into_iter());
    let mut all: Vec<f64> = picked
        .chunks_exact(2)
        .zip(0..=bins)
        .map(|(pair, k)| {
            let (low, high, t) = (pair[0], pair[1], at(k).1);
            // numpy's lerp, which keeps the order of edges.
            if t < 0.5 { low + (high - low) * t } else { high - (high - low) * (1.0 - t) }
        })
        .collect();
    all.dedup();
    // The outer edges are not breaks. Where all values are equal, nothing is.
    all.pop();
    if !all.is_empty() {
        all.remove(0);
    }
    all
}

/// The order statistics at the given ascending positions, by repeated selection.
fn select(values: &[f64], positions: impl Iterator<Item = usize>) -> Vec<f64> {
    let mut work = values.to_vec();
    let mut done = 0;
    let mut out = Vec::new();
    for at in positions {
        if at >= done && at < work.len() {
            work[done..].select_nth_unstable_by(at - done, |a, b| by_value(*a, *b));
            done = at;
        }
        out.push(work.get(at).copied().unwrap_or_default());
    }
    out
}

fn with_breaks(recency: &[f64], frequency: &[f64], monetary: &[f64], bins: u32, breaks: RfmBreaks) -> Scores {
    fn bin(values: &[f64], breaks: &[f64]) -> Vec<u32> {
        values.iter().map(|v| 1 + breaks.iter().map(|b| u32::from(b < v)).sum::<u32>()).collect()
    }
    let days = breaks.recency.len() as u32 + 1;
    let r = bin(recency, &breaks.recency).iter().map(|s| days + 1 - s).collect();
    debug_assert!(days <= bins);
    Scores {
        r,
        f: bin(frequency, &breaks.frequency),
        m: bin(monetary, &breaks.monetary),
        breaks: Some(breaks),
    }
}

/// Quantile bins of the ranks 1..N themselves: rank ρ is in bin ⌈(ρ−1)·q/(N−1)⌉, at least 1.
fn by_rank(order: &[u32], bins: u32) -> Vec<u32> {
    let gaps = (order.len() as u64).saturating_sub(1).max(1);
    let mut out = vec![0; order.len()];
    for (rank, i) in order.iter().enumerate() {
        out[*i as usize] = ((rank as u64 * u64::from(bins)).div_ceil(gaps) as u32).max(1);
    }
    out
}

fn ntile(order: &[u32], bins: u32) -> Vec<u32> {
    within(order, &vec![1; order.len()], 1, bins)
}

/// NTILE of each cell's members, in the given order. Cells are numbered from 1.
fn within(order: &[u32], cell: &[u32], cells: u32, bins: u32) -> Vec<u32> {
    let mut sizes = vec![0u64; cells as usize + 1];
    for c in cell {
        sizes[*c as usize] += 1;
    }
    let mut seen = vec![0u64; cells as usize + 1];
    let mut out = vec![0; order.len()];
    for i in order {
        let c = cell[*i as usize] as usize;
        let (size, large) = (sizes[c] / u64::from(bins), sizes[c] % u64::from(bins));
        let at = seen[c];
        // The first `large` tiles hold one more.
        let fat = large * (size + 1);
        let tile = if at < fat { at / (size + 1) } else { large + (at - fat) / size.max(1) };
        out[*i as usize] = tile as u32 + 1;
        seen[c] += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(scores: &[u32]) -> Vec<usize> {
        (1..=5).map(|s| scores.iter().filter(|x| **x == s).count()).collect()
    }

    // N = 7, q = 5 tells the conventions apart even without ties.
    #[test]
    fn seven_customers_in_five_bins() {
        let features = Features {
            customer: (0..7).collect(),
            recency: (0..7).rev().collect(),
            frequency: (1..=7).collect(),
            monetary: (1..=7).map(f64::from).collect(),
            ..Features::default()
        };
        for (convention, expected) in [
            (Convention::RankFirst, [2, 1, 1, 1, 2]),
            (Convention::Ntile, [2, 2, 1, 1, 1]),
            (Convention::TiePreserving, [2, 1, 2, 1, 1]),
        ] {
            let scores = score(&features, 5, convention, None, &[]).unwrap();
            assert_eq!(sizes(&scores.f), expected, "{convention:?}");
            assert_eq!(sizes(&scores.m), expected, "{convention:?}");
        }
    }

    #[test]
    fn one_customer_and_none() {
        for convention in [
            Convention::TiePreserving,
            Convention::RankFirst,
            Convention::Quantile,
            Convention::Ntile,
            Convention::Nested,
        ] {
            assert!(score(&Features::default(), 5, convention, None, &[]).unwrap().r.is_empty());
            let one = Features {
                customer: vec![0],
                recency: vec![3],
                frequency: vec![1],
                monetary: vec![2.0],
                ..Features::default()
            };
            let scores = score(&one, 5, convention, None, &[]).unwrap();
            assert!((1..=5).contains(&scores.r[0]) && scores.f == [1] && scores.m == [1], "{convention:?}");
        }
    }
}
