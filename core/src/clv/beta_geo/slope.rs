//! The BG/NBD log-likelihood with its gradient alone, for samplers that ask
//! for it ten thousand times.
//!
//! What is linear in ln(α+T) is summed over the distinct T beforehand, and a
//! customer with repeat purchases costs one exponential: ln(α+T) − ln(α+t_x)
//! comes from tables, and the ln(1 + e) of many customers is one logarithm of
//! a product. The last digits are those of a plain sum.

use std::hint::select_unpredictable;
use std::ops::Range;

use super::likelihood::{distinct, shared};
use crate::clv::rows::Unique;
use crate::math::{exp, ln, ln_1p};

/// Factors between 1 and 2 whose product a double holds.
const FACTORS: usize = 512;

/// The distinct rows, ready for evaluation.
pub(crate) struct Slope {
    /// The distinct x, the weight of each, and its rows where x > 0.
    counts: Vec<u32>,
    weights: Vec<f64>,
    ranges: Vec<Range<usize>>,
    /// Of each distinct T: Σ w, Σ w x.
    ages: Vec<f64>,
    of_age: Vec<[f64; 2]>,
    lasts: Vec<f64>,
    rows: Vec<Row>,
}

struct Row {
    age: u32,
    last: u32,
    weight: f64,
}

impl Slope {
    pub(crate) fn new(rows: &Unique) -> Self {
        let (counts, index) = rows.counts();
        let (ages, age) = distinct(&rows.age);
        let (lasts, last) = distinct(&rows.recency);
        let mut weights = vec![0.0; counts.len()];
        let mut ranges: Vec<Range<usize>> = vec![0..0; counts.len()];
        let mut of_age = vec![[0.0; 2]; ages.len()];
        let mut out = Vec::new();
        for row in 0..rows.len() {
            let (weight, x) = (rows.weight[row], f64::from(rows.frequency[row]));
            let at = index[row] as usize;
            weights[at] += weight;
            let sums = &mut of_age[age[row] as usize];
            sums[0] += weight;
            sums[1] += weight * x;
            if x > 0.0 {
                if ranges[at].is_empty() {
                    ranges[at] = out.len()..out.len();
                }
                out.push(Row { age: age[row], last: last[row], weight });
                ranges[at].end = out.len();
            }
        }
        Self { counts, weights, ranges, ages, of_age, lasts, rows: out }
    }

    /// Value and gradient with respect to the logarithms of (r, α, a, b).
    pub(crate) fn evaluate(&self, log: [f64; 4]) -> (f64, [f64; 4]) {
        let theta = log.map(exp);
        let [r, alpha, a, b] = theta;
        let moment = |t: &f64| (ln_1p(t / alpha), 1.0 / (alpha + t));
        let ends: Vec<(f64, f64)> = self.ages.iter().map(moment).collect();
        let lasts: Vec<(f64, f64)> = self.lasts.iter().map(moment).collect();
        let mut value = 0.0;
        let mut g = [0.0; 4];
        for ((sums, t), (ln_end, at_end)) in self.of_age.iter().zip(&self.ages).zip(&ends) {
            let [w, wx] = *sums;
            value -= (r * w + wx) * ln_end;
            g[0] -= w * ln_end;
            g[1] += r * w * t * at_end / alpha - wx * at_end;
        }
        let ln_a = ln(a);
        let (mut product, mut factors) = (1.0, 0);
        let shared = shared(&self.counts, theta);
        for (at, count) in self.counts.iter().enumerate() {
            let (s, w) = (&shared[at], self.weights[at]);
            value += w * s.ln;
            g[0] += w * s.r;
            g[2] += w * s.a;
            g[3] += w * s.b;
            if *count == 0 {
                continue;
            }
            let x = f64::from(*count);
            let (shape, before) = (r + x, b + (x - 1.0));
            let base = ln_a - ln(before);
            // Σ w dead, and with idle and with 1/(α+T) − 1/(α+t_x).
            let mut dead = [0.0; 3];
            for row in &self.rows[self.ranges[at].clone()] {
                let (ln_end, at_end) = ends[row.age as usize];
                let (ln_last, at_last) = lasts[row.last as usize];
                let idle = ln_end - ln_last;
                let odds = base + shape * idle;
                let e = exp(-odds.abs());
                let large = 1.0 / (1.0 + e);
                let gone = row.weight * select_unpredictable(odds > 0.0, large, e * large);
                value += row.weight * odds.max(0.0);
                if row.weight == 1.0 {
                    product *= 1.0 + e;
                    factors += 1;
                    if factors == FACTORS {
                        value += ln(product);
                        (product, factors) = (1.0, 0);
                    }
                } else {
                    value += row.weight * ln_1p(e);
                }
                dead[0] += gone;
                dead[1] += gone * idle;
                dead[2] += gone * (at_end - at_last);
            }
            g[0] += dead[1];
            g[1] += shape * dead[2];
            g[2] += dead[0] / a;
            g[3] -= dead[0] / before;
        }
        value += ln(product);
        (value, std::array::from_fn(|i| g[i] * theta[i]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::likelihood::Likelihood;
    use super::*;
    use crate::Run;
    use crate::clv::RfmSlices;

    #[test]
    fn it_is_the_gradient_of_the_likelihood() {
        let run = Run::new().threads(1);
        let rows = RfmSlices {
            frequency: &[0.0, 0.0, 1.0, 2.0, 2.0, 7.0, 7.0, 300.0],
            recency: &[0.0, 0.0, 3.0, 20.0, 3.0, 38.0, 12.0, 33.0],
            age: &[30.0, 39.0, 39.0, 35.0, 39.0, 38.5, 39.0, 36.0],
            weight: Some(&[5.0, 1.0, 2.0, 1.0, 1.0, 1.5, 3.0, 0.5]),
            ..RfmSlices::default()
        };
        let unique = Unique::of(&rows, &run).unwrap();
        for log in [[-0.7, 1.9, 0.2, 1.1], [2.0, 6.0, -3.0, 0.5], [-3.0, -2.0, 4.0, 9.0]] {
            let local = Likelihood::new(&unique).evaluate(log.map(exp), &run).unwrap();
            let (value, gradient) = Slope::new(&unique).evaluate(log);
            assert!((value - local.value).abs() < 1e-12 * local.value.abs());
            for (got, want) in gradient.iter().zip(local.gradient) {
                assert!((got - want).abs() < 1e-11 * want.abs().max(1.0), "{got} for {want} at {log:?}");
            }
        }
    }
}
