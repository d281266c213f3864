//! Ranks, rank correlations, and p-values of many tests; quantiles.

use super::sum;

/// Ranks from 1 for the smallest, ties at their mean.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut out = vec![0.0; values.len()];
    let mut before = 0;
    for tie in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = before as f64 + 0.5 * (tie.len() as f64 + 1.0);
        for i in tie {
            out[*i] = rank;
        }
        before += tie.len();
    }
    out
}

pub(crate) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// The quantile of sorted values, linear between them.
pub(crate) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len().max(1) - 1) as f64;
    let low = at.floor();
    let value = |i: usize| sorted.get(i).or(sorted.last()).copied().unwrap_or(f64::NAN);
    let (from, to) = (value(low as usize), value(low as usize + 1));
    from + (at - low) * (to - from)
}

/// The mean, and the quantiles with the share `tail` beyond them on either side; puts the values in order.
pub(crate) fn mean_and_limits(values: &mut [f64], tail: f64) -> [f64; 3] {
    let mean = sum(values.iter().copied()) / values.len().max(1) as f64;
    values.sort_unstable_by(f64::total_cmp);
    [mean, quantile(values, tail), quantile(values, 1.0 - tail)]
}

/// Kendall's τ-b (Kendall 1945); `None` where one side has no order.
pub(crate) fn kendall(a: &[f64], b: &[f64]) -> Option<f64> {
    let sign = |x: f64, y: f64| f64::from(i8::from(x > y) - i8::from(x < y));
    let (mut sum, mut pairs_a, mut pairs_b) = (0.0, 0.0, 0.0);
    for i in 0..a.len().min(b.len()) {
        for j in 0..i {
            let (x, y) = (sign(a[i], a[j]), sign(b[i], b[j]));
            sum += x * y;
            pairs_a += x * x;
            pairs_b += y * y;
        }
    }
    let of = (pairs_a * pairs_b).sqrt();
    (of > 0.0).then(|| sum / of)
}

/// Spearman's ρ: the correlation of ranks; `None` where one side has no order.
pub(crate) fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = f64::midpoint(a.len() as f64, 1.0);
    let (a, b) = (ranks(a), ranks(b));
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let of = (product(&a, &a) * product(&b, &b)).sqrt();
    (of > 0.0).then(|| product(&a, &b) / of)
}

/// The p-values adjusted for their number, such that those below q hold a share
/// of false alarms of at most q (Benjamini & Hochberg 1995); those that are
/// missing stay so, and do not count.
pub(crate) fn benjamini_hochberg(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut known: Vec<(f64, usize)> = p.iter().enumerate().filter_map(|(i, p)| Some(((*p)?, i))).collect();
    known.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out = vec![None; p.len()];
    let mut least = 1.0_f64;
    for (rank, (p, i)) in known.iter().enumerate().rev() {
        least = least.min(p * known.len() as f64 / (rank + 1) as f64);
        out[*i] = Some(least);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_of_ranks_are_those_of_the_textbooks() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 4.0, 3.0, 5.0]);
        assert_eq!(kendall(&a, &b), Some(0.6));
        assert!((spearman(&a, &b).unwrap() - 0.8).abs() < 1e-15);
        assert_eq!(kendall(&a, &[1.0; 5]), None);
        // Ties: 1 concordant-discordant surplus of 5, over sqrt(5 · 6).
        let tau = kendall(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!((tau - 5.0 / 30.0_f64.sqrt()).abs() < 1e-15);
        // The two zeros are one number.
        assert_eq!(kendall(&[-0.0, 0.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn p_values_are_adjusted_as_in_the_paper() {
        // The worked example of the paper, section 3.2 (15 tests).
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        let q = benjamini_hochberg(&p.map(Some));
        assert_eq!(q.iter().filter(|q| q.is_some_and(|q| q <= 0.05)).count(), 4);
        assert!((q[3].unwrap() - 0.0095 * 15.0 / 4.0).abs() < 1e-15);
        assert!(q.is_sorted());
        // p.adjust(c(0.01, 0.04, 0.03, 0.2), "BH") of R gives 0.04, 0.0533, 0.0533, 0.2.
        let q = benjamini_hochberg(&[Some(0.01), Some(0.04), None, Some(0.03), Some(0.2)]);
        let want = [Some(0.04), Some(0.16 / 3.0), None, Some(0.16 / 3.0), Some(0.2)];
        for (q, w) in q.iter().zip(want) {
            assert!(q.is_some() == w.is_some() && (q.unwrap_or(0.0) - w.unwrap_or(0.0)).abs() < 1e-15);
        }
    }
}
