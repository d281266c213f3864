//! The BG/NBD likelihood with its gradient and Hessian.
//!
//! Legend: r, α shape and rate of the purchase rate; a, b of the dropout
//! probability; x, t_x, T as everywhere. With x whole, every ln Γ and ψ is a
//! sum over x terms that all customers share, so a customer costs two
//! logarithms and one exponential. The Hessian is Louis's: a customer is alive
//! (A) or has dropped out after the last purchase (D), and
//! H = w H_A + (1 − w) H_D + w (1 − w)(s_A − s_D)(s_A − s_D)ᵀ, w = P(alive).

use std::hint::select_unpredictable;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::clv::rows::Unique;
use crate::math::newton::Local;
use crate::math::{Sum, digamma_rise, exp, ln, ln_1p, ln_gamma_rise, trigamma_rise};
use crate::{Result, Run};

/// Rows in a piece of work; part of the numeric contract, as the sums go by it.
const PIECE: usize = 8192;
/// Up to this many steps of x the sums are taken term by term.
const STEPS: u32 = 64;

/// What all customers with the same x share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    /// lnΓ(r+x) − lnΓ(r) − x ln α + lnB(a,b+x) − lnB(a,b)
    pub(super) ln: f64,
    /// ψ(r+x) − ψ(r), and its derivative
    pub(super) r: f64,
    pub(super) rr: f64,
    /// ψ(a+b) − ψ(a+b+x), and its derivative, which is also d²/da db
    pub(super) a: f64,
    pub(super) aa: f64,
    /// ψ(b+x) − ψ(b) + ψ(a+b) − ψ(a+b+x), and its derivative
    pub(super) b: f64,
    pub(super) bb: f64,
}

pub(super) fn shared(counts: &[u32], [r, alpha, a, b]: [f64; 4]) -> Vec<Shared> {
    let mut sums = [Sum::default(); 7];
    let mut at = 0;
    counts
        .iter()
        .map(|x| {
            if x - at <= STEPS {
                for j in at..*x {
                    let j = j as f64;
                    sums[0].add(ln((r + j) / alpha) - ln_1p(a / (b + j)));
                    let (r, b, c) = (1.0 / (r + j), 1.0 / (b + j), 1.0 / (a + b + j));
                    sums[1].add(r);
                    sums[2].add(-r * r);
                    sums[3].add(-c);
                    sums[4].add(c * c);
                    sums[5].add(a * b * c);
                    sums[6].add(-a * b * c * (b + c));
                }
            } else {
                let (j, d) = (at as f64, (x - at) as f64);
                let (rj, bj, cj) = (r + j, b + j, a + b + j);
                sums[0]
                    .add(ln_gamma_rise(rj, d) - d * ln(alpha) + ln_gamma_rise(bj, d) - ln_gamma_rise(cj, d));
                sums[1].add(digamma_rise(rj, d));
                sums[2].add(trigamma_rise(rj, d));
                sums[3].add(-digamma_rise(cj, d));
                sums[4].add(-trigamma_rise(cj, d));
                sums[5].add(digamma_rise(bj, d) - digamma_rise(cj, d));
                sums[6].add(trigamma_rise(bj, d) - trigamma_rise(cj, d));
            }
            at = *x;
            let [ln, r, rr, a, aa, b, bb] = sums.map(Sum::value);
            Shared { ln, r, rr, a, aa, b, bb }
        })
        .collect()
}

/// ln of the odds that a customer with x > 0 has dropped out.
#[inline]
pub(super) fn ln_odds_dead([r, alpha, a, b]: [f64; 4], x: f64, t_x: f64, t: f64) -> f64 {
    ln(a) - ln(b + (x - 1.0)) + (r + x) * ln_1p((t - t_x) / (alpha + t_x))
}

/// The distinct rows, ready for evaluation.
pub(crate) struct Likelihood<'a> {
    rows: &'a Unique,
    counts: Vec<u32>,
    index: Vec<u32>,
    /// Weight of each distinct x.
    weights: Vec<f64>,
    /// The distinct T, and for each row the index of its T: days are few.
    ages: Vec<f64>,
    age: Vec<u32>,
    lasts: Vec<f64>,
    last: Vec<u32>,
    /// Weight of all rows.
    pub(super) customers: f64,
}

/// What a moment t of a customer's life gives: 1/(α+t), and 1/α − 1/(α+t).
#[derive(Clone, Copy)]
struct Moment {
    inverse: f64,
    gap: f64,
}

/// The moments of the distinct T, with ln(α+T) − ln α, and of the distinct t_x.
struct Moments {
    ends: Vec<(Moment, f64)>,
    lasts: Vec<Moment>,
}

// Against r ln α everything is taken as a difference, exact also where r and
// α are a million times the rest.
fn moment(alpha: f64, t: f64) -> Moment {
    let inverse = 1.0 / (alpha + t);
    Moment { inverse, gap: t * inverse / alpha }
}

/// The distinct values, and for each value which it is.
pub(super) fn distinct(values: &[f64]) -> (Vec<f64>, Vec<u32>) {
    let mut seen: HashMap<u64, u32, FixedState> = HashMap::with_hasher(FixedState::default());
    let mut out = Vec::new();
    let index = values
        .iter()
        .map(|v| {
            *seen.entry(v.to_bits()).or_insert_with(|| {
                out.push(*v);
                out.len() as u32 - 1
            })
        })
        .collect();
    (out, index)
}

#[derive(Clone, Copy, Default)]
struct Part {
    value: Sum,
    gradient: [Sum; 4],
    // Natural parameters; entries (0,1) (1,1) and the two diagonal ones of H_D, then w(1−w) d dᵀ.
    hessian: [[f64; 4]; 4],
}

impl<'a> Likelihood<'a> {
    pub(crate) fn new(rows: &'a Unique) -> Self {
        let (counts, index) = rows.counts();
        let mut weights = vec![Sum::default(); counts.len()];
        let mut customers = Sum::default();
        for (i, w) in index.iter().zip(&rows.weight) {
            weights[*i as usize].add(*w);
            customers.add(*w);
        }
        let weights = weights.into_iter().map(Sum::value).collect();
        let (ages, age) = distinct(&rows.age);
        let (lasts, last) = distinct(&rows.recency);
        Self { rows, counts, index, weights, ages, age, lasts, last, customers: customers.value() }
    }

    /// Value, gradient and Hessian with respect to the logarithms of (r, α, a, b).
    pub(crate) fn evaluate(&self, parameters: [f64; 4], run: &Run) -> Result<Local<4>> {
        let shared = shared(&self.counts, parameters);
        let n = self.rows.len();
        let alpha = parameters[1];
        let ends = self.ages.iter().map(|t| (moment(alpha, *t), ln_1p(t / alpha))).collect();
        let lasts = self.lasts.iter().map(|t_x| moment(alpha, *t_x)).collect();
        let moments = Moments { ends, lasts };
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            Ok(self.piece(piece * PIECE..n.min((piece + 1) * PIECE), parameters, &moments))
        })?;
        let mut total = Part::default();
        for part in parts {
            total.value.merge(part.value);
            for (t, p) in total.gradient.iter_mut().zip(part.gradient) {
                t.merge(p);
            }
            for (t, p) in total.hessian.iter_mut().flatten().zip(part.hessian.iter().flatten()) {
                *t += p;
            }
        }
        let Part { mut value, mut gradient, hessian: mut h } = total;
        for (s, w) in shared.iter().zip(&self.weights) {
            value.add(w * s.ln);
            gradient[0].add(w * s.r);
            gradient[2].add(w * s.a);
            gradient[3].add(w * s.b);
            h[0][0] += w * s.rr;
            h[2][2] += w * s.aa;
            h[2][3] += w * s.aa;
            h[3][3] += w * s.bb;
        }
        // To logarithms: g_i θ_i, and H_ij θ_i θ_j with g_i θ_i on the diagonal.
        let theta = parameters;
        let gradient: [f64; 4] = std::array::from_fn(|i| gradient[i].value() * theta[i]);
        let hessian = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let natural = if i <= j { h[i][j] } else { h[j][i] };
                natural * theta[i] * theta[j] + if i == j { gradient[i] } else { 0.0 }
            })
        });
        Ok(Local { value: value.value(), gradient, hessian })
    }

    /// The terms in which customers with the same x differ.
    fn piece(&self, rows: std::ops::Range<usize>, [r, alpha, a, b]: [f64; 4], moments: &Moments) -> Part {
        let mut part = Part::default();
        let ln_a = ln(a);
        let (mut last, mut ln_b, mut inverse_b) = (u32::MAX, 0.0, 0.0);
        for row in rows {
            let (t_x, t, weight) = (self.rows.recency[row], self.rows.age[row], self.rows.weight[row]);
            let count = self.counts[self.index[row] as usize];
            let x = count as f64;
            let shape = r + x;
            let (Moment { inverse: at_end, gap: gap_end }, ln_end) = moments.ends[self.age[row] as usize];
            if count == 0 {
                part.value.add(-weight * r * ln_end);
                part.gradient[0].add(-weight * ln_end);
                part.gradient[1].add(weight * r * gap_end);
                part.hessian[0][1] += weight * gap_end;
                part.hessian[1][1] -= weight * r * gap_end * (1.0 / alpha + at_end);
                continue;
            }
            if count != last {
                let before = b + (x - 1.0);
                (last, ln_b, inverse_b) = (count, ln(before), 1.0 / before);
            }
            let Moment { inverse: at_last, gap: gap_last } = moments.lasts[self.last[row] as usize];
            let idle = ln_1p((t - t_x) * at_last); // ln(α+T) − ln(α+t_x)
            let odds = ln_a - ln_b + shape * idle;
            let e = exp(-odds.abs());
            let (small, large) = (e / (1.0 + e), 1.0 / (1.0 + e));
            let gone = odds > 0.0;
            let alive = select_unpredictable(gone, small, large);
            let dead = select_unpredictable(gone, large, small);
            part.value.add(weight * (odds.max(0.0) + ln_1p(e) - shape * ln_end));
            let mean = alive * at_end + dead * at_last;
            let gap = alive * gap_end + dead * gap_last;
            part.gradient[0].add(weight * (dead * idle - ln_end));
            part.gradient[1].add(weight * (r * gap - x * mean));
            part.gradient[2].add(weight * dead / a);
            part.gradient[3].add(-weight * dead * inverse_b);
            part.hessian[0][1] += weight * gap;
            let squares = alive * at_end * at_end + dead * at_last * at_last;
            let falls = alive * gap_end * (1.0 / alpha + at_end) + dead * gap_last * (1.0 / alpha + at_last);
            part.hessian[1][1] += weight * (x * squares - r * falls);
            part.hessian[2][2] -= weight * dead / (a * a);
            part.hessian[3][3] += weight * dead * inverse_b * inverse_b;
            let spread = weight * alive * dead;
            let d = [-idle, shape * (at_last - at_end), -1.0 / a, inverse_b];
            for i in 0..4 {
                for j in i..4 {
                    part.hessian[i][j] += spread * d[i] * d[j];
                }
            }
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clv::RfmSlices;

    #[test]
    fn the_derivatives_are_those_of_the_value() {
        let run = Run::new().threads(1);
        let rows = RfmSlices {
            frequency: &[0.0, 1.0, 2.0, 7.0, 7.0, 300.0],
            recency: &[0.0, 3.0, 20.0, 38.0, 12.0, 33.0],
            age: &[30.0, 39.0, 35.0, 38.5, 39.0, 36.0],
            weight: Some(&[5.0, 2.0, 1.0, 1.5, 3.0, 0.5]),
            ..RfmSlices::default()
        };
        let unique = Unique::of(&rows, &run).unwrap();
        let likelihood = Likelihood::new(&unique);
        let at = |log: [f64; 4]| likelihood.evaluate(log.map(exp), &run).unwrap();
        let log = [-0.7, 1.9, 0.2, 1.1];
        let here = at(log);
        for i in 0..4 {
            let mut up = log;
            let mut down = log;
            up[i] += 1e-5;
            down[i] -= 1e-5;
            let (up, down) = (at(up), at(down));
            let slope = (up.value - down.value) / 2e-5;
            assert!(
                (slope - here.gradient[i]).abs() < 1e-6 * here.gradient[i].abs().max(1.0),
                "gradient {i}"
            );
            for j in 0..4 {
                let slope = (up.gradient[j] - down.gradient[j]) / 2e-5;
                assert!((slope - here.hessian[i][j]).abs() < 1e-6 * slope.abs().max(1.0), "hessian {i} {j}");
            }
        }
    }
}
