//! What customers alive at T do next.
//!
//! Given k, the n-th purchase to come is at t_x + S_n, S_n the sum of n times
//! between purchases: beta-prime (nk, A) on the scale B/k. That the first of
//! them lies beyond T, U = T − t_x, is a matter of W₁/S_n ~ Beta(k, (n−1)k):
//!
//! ```text
//! P(S_n − U in dy, W₁ > U) = f_S(U+y) I_{y/(U+y)}((n−1)k, k) dy
//! ```
//!
//! The purchase happens if the customer lives until then. With U = 0 the
//! integral over y is taken by parts, of P(S_n < y) = I(nk, A).

use crate::clv::laws::History;
use crate::math::quadrature::{NODES, legendre, ln_sum_exp, over_line};

use crate::math::{Sum, exp, exp_m1, ln, ln_1p, ln_beta, ln_gamma, ln_gamma_tail, ln_incomplete_beta, pow};

use super::Parameters;
use super::marks::{FINER, part};
use super::regularity::Regularity;

/// Purchases to come that are summed one by one before they are integrated over.
const SINGLE: usize = 24;
/// The same of customers who buy one by one.
const MANY: usize = 1000;
/// Fewer ticks than this are many purchases at once, over which sums become integrals.
const FEW: f64 = 0.25;

/// The coming purchases of a customer of one k who is alive at T.
struct Renewal {
    k: f64,
    /// A = r + kx and B = α + k t_x.
    shape: f64,
    scale: f64,
    /// ln(B / k).
    ln_unit: f64,
    /// U = T − t_x.
    unseen: f64,
    /// ln P(W > U).
    ln_waited: f64,
}

impl Renewal {
    fn new([_, _, r, alpha, ..]: Parameters, h: History, k: f64) -> Self {
        let (shape, scale) = (r + k * f64::from(h.frequency), alpha + k * h.recency);
        let unseen = h.age - h.recency;
        let ln_waited = ln_waited(shape, scale, k, unseen);
        Self { k, shape, scale, ln_unit: ln(scale / k), unseen, ln_waited }
    }

    /// Of the n-th purchase, n any number from 1: ln of its density at T + y.
    /// Of a customer who buys at T itself, where densities have no bound: ln of
    /// the probability that it comes before T + y.
    fn ln_arrival(&self, n: f64, y: f64) -> f64 {
        let at = self.unseen + y;
        let ticks = n * self.k;
        if self.unseen <= 0.0 {
            let whole = self.scale + self.k * y;
            return ln_incomplete_beta(ticks, self.shape, self.k * y / whole, self.scale / whole);
        }
        let ratio = at * self.k / self.scale;
        let density = (ticks - 1.0) * ln(ratio)
            - (self.shape + ticks) * ln_1p(ratio)
            - ln_beta(ticks, self.shape)
            - self.ln_unit;
        let waited = if n > 1.0 {
            ln_incomplete_beta((n - 1.0) * self.k, self.k, y / at, self.unseen / at)
        } else {
            0.0
        };
        density + waited - self.ln_waited
    }

    /// How sharply the time of the n-th purchase is known, relative to it.
    fn sharpness(&self, n: f64) -> f64 {
        (1.0 / (n * self.k + 1.0) + 1.0 / self.shape).sqrt()
    }

    /// Purchases within a time, at the mean rate.
    fn usual(&self, time: f64) -> f64 {
        time * self.shape / self.scale
    }

    /// [`Self::ln_arrival`] of all purchases together.
    fn arrivals(&self, y: f64) -> f64 {
        let at = |n: f64| exp(self.ln_arrival(n, y));
        let usual = self.usual(self.unseen + y);
        // From here on the n-th and the next differ little.
        let singly = if self.k < FEW { SINGLE } else { MANY.max(25 * self.k as usize) };
        let mut total = Sum::default();
        let mut before = 0.0;
        for n in 1..=singly {
            let value = at(n as f64);
            total.add(value);
            if value <= before && value <= 1e-14 * total.value() && n as f64 > usual {
                return total.value();
            }
            before = value;
        }
        // Euler and Maclaurin: the rest as an integral over n, and its corrections at the seam.
        let seam = singly as f64 + 1.0;
        let slope = at(seam + 0.5) - at(seam - 0.5);
        let third = at(seam + 1.5) - 3.0 * at(seam + 0.5) + 3.0 * at(seam - 0.5) - at(seam - 1.5);
        total.add(0.5 * at(seam) - slope / 12.0 + third * (1.0 / 288.0 + 1.0 / 720.0));
        let mut low = ln(seam);
        for _ in 0..4000 {
            let half = 0.5 * (5.0 * self.sharpness(exp(low))).min(1.5);
            let mut panel = Sum::default();
            for (x, weight) in legendre() {
                let n = exp(low + half * (1.0 + x));
                panel.add(half * weight * n * at(n));
            }
            total.add(panel.value());
            low += 2.0 * half;
            if panel.value() <= 1e-14 * total.value() && low > ln(usual) {
                break;
            }
        }
        total.value()
    }

    /// Panels up to a time, so many times more of them than one integral needs.
    fn panels(&self, until: f64, lives: f64, finer: f64) -> Vec<Panel> {
        let unit = self.scale / self.k;
        let mut near = until.min(unit + self.unseen).min(lives);
        if self.unseen > 0.0 {
            near = near.min(self.unseen);
        }
        // Worst at the end.
        let sharp = |until: f64| self.sharpness(self.usual(until));
        // Close to T all are powers of y: with y = near q^power they are smooth.
        let power: f64 = if self.k < 1.0 { 5.0 } else { 3.0 };
        let panels = (1.0_f64 + power / 8.0).max(0.2 * power / sharp(near)).floor().min(400.0);
        let panels = panels * finer;
        let half = 0.5 / panels;
        let middle = |panel: usize| (2 * panel + 1) as f64;
        let mut out: Vec<Panel> = (0..panels as usize)
            .map(|panel| Panel { near, half, middle: middle(panel), way: Way::Power(power) })
            .collect();
        if until > near {
            let low = ln(2.0 * near);
            let high = low + ln_1p((until - near) / (2.0 * near));
            let panels = ((high - low) / (5.0 * sharp(until)).min(2.5)).ceil().clamp(1.0, 2000.0);
            let panels = panels * finer;
            let half = 0.5 * (high - low) / panels;
            out.extend((0..panels as usize).map(|panel| Panel {
                near,
                half,
                middle: middle(panel),
                way: Way::Log { low, until },
            }));
        }
        out
    }

    /// What the chance to live that long makes of arrivals. Lives from T on are (L / (L + y))^s. By parts where
    /// arrivals are probabilities: who dies at y has bought before.
    fn living(&self, y: f64, s: f64, lives: f64) -> f64 {
        let alive = exp(-s * ln_1p(y / lives));
        if self.unseen > 0.0 { alive } else { alive * s / (lives + y) }
    }

    /// Nodes y and weights, by which arrivals add up to those in the `periods` after T that the customer lives to make.
    fn nodes(&self, periods: f64, s: f64, lives: f64) -> Vec<(f64, f64)> {
        let panels = self.panels(periods, lives, 1.0);
        let weighed = |(y, weight): (f64, f64)| (y, weight * self.living(y, s, lives));
        let mut nodes: Vec<(f64, f64)> = panels.iter().flat_map(Panel::nodes).map(weighed).collect();
        if self.unseen <= 0.0 {
            nodes.push((periods, exp(-s * ln_1p(periods / lives))));
        }
        nodes
    }

    /// What arrivals that the customer lives to make add up to until each of the times, which are sorted and above 0.
    fn course(&self, times: &[f64], s: f64, lives: f64) -> Vec<f64> {
        let until = times.last().copied().unwrap_or_default();
        let (mut out, mut sofar) = (Vec::with_capacity(times.len()), Sum::default());
        for panel in self.panels(until, lives, FINER) {
            let values =
                panel.nodes().map(|(y, weight)| weight * self.living(y, s, lives) * self.arrivals(y));
            while let Some(place) = times.get(out.len()).map(|t| panel.place(*t)).filter(|x| *x < 1.0) {
                out.push(sofar.value() + part(&values, place.max(-1.0)));
            }
            sofar.extend(values);
        }
        out.resize(times.len(), sofar.value());
        if self.unseen <= 0.0 {
            for (out, t) in out.iter_mut().zip(times) {
                *out += exp(-s * ln_1p(t / lives)) * self.arrivals(*t);
            }
        }
        out
    }
}

/// How the time y is stretched in a panel.
#[derive(Clone, Copy)]
enum Way {
    /// y = near q^power.
    Power(f64),
    /// By the logarithm of near + y.
    Log { low: f64, until: f64 },
}

/// A stretch of time after T.
struct Panel {
    near: f64,
    half: f64,
    /// In halves.
    middle: f64,
    way: Way,
}

impl Panel {
    /// Nodes y and their weights.
    fn nodes(&self) -> [(f64, f64); NODES] {
        let &Self { near, half, middle, way } = self;
        legendre().map(|(x, weight)| match way {
            Way::Power(power) => {
                let q = half * (middle + x);
                let y = near * pow(q, power);
                (y, weight * half * power * y / q)
            }
            Way::Log { low, until } => {
                let both = exp(low + half * (middle + x));
                ((both - near).min(until), weight * half * both)
            }
        })
    }

    /// Where a time stands, within −1 … 1 in this panel.
    fn place(&self, y: f64) -> f64 {
        let &Self { near, half, middle, way } = self;
        match way {
            Way::Power(power) => pow(y / near, 1.0 / power) / half - middle,
            Way::Log { low, .. } => (ln(near + y) - low) / half - middle,
        }
    }
}

/// ln P(W > U).
fn ln_waited(shape: f64, scale: f64, k: f64, unseen: f64) -> f64 {
    let whole = scale + k * unseen;
    ln_incomplete_beta(shape, k, scale / whole, k * unseen / whole)
}

/// The k of a customer alive at T, and their weights, which add up to 1.
fn living(p: Parameters, h: History) -> Vec<(Renewal, f64)> {
    let waited = |k| Renewal::new(p, h, k).ln_waited;
    let nodes = Regularity::new(p, h).nodes(waited, waited);
    let whole = ln_sum_exp(nodes.iter().map(|n| n.1));
    nodes.iter().map(|(y, weight)| (Renewal::new(p, h, exp(*y)), exp(weight - whole))).collect()
}

/// Whether the first purchases of a new customer are so many at once, for some
/// customers, that their number has no mean: E 1/k is infinite.
fn boundless([t, ..]: Parameters, h: History) -> bool {
    h.frequency == 0 && h.age <= 0.0 && t <= 1.0
}

/// The weight that still counts of one k, on which up to 1/k purchases come at once.
fn counts(of: &Renewal, weight: f64) -> bool {
    weight * (1.0 + 1.0 / of.k) > 1e-13
}

/// Expected purchases in the `periods` after T of a customer alive at T; infinite for a new customer where t ≤ 1.
pub(super) fn expected(p: Parameters, h: History, periods: f64) -> f64 {
    if periods <= 0.0 {
        return 0.0;
    }
    if boundless(p, h) {
        return f64::INFINITY;
    }
    let mut total = Sum::default();
    for (renewal, weight) in living(p, h).iter().filter(|(of, weight)| counts(of, *weight)) {
        for (y, width) in renewal.nodes(periods, p[4], p[5] + h.age) {
            total.add(weight * width * renewal.arrivals(y));
        }
    }
    total.value()
}

/// [`expected`] of each of the times, which are sorted, by one walk.
pub(super) fn course(p: Parameters, h: History, times: &[f64]) -> Vec<f64> {
    let none = times.partition_point(|t| *t <= 0.0);
    let mut out = vec![0.0; none];
    let times = &times[none..];
    if boundless(p, h) {
        out.resize(none + times.len(), f64::INFINITY);
        return out;
    }
    let mut total = vec![Sum::default(); times.len()];
    for (renewal, weight) in living(p, h).iter().filter(|(of, weight)| counts(of, *weight)) {
        let course = renewal.course(times, p[4], p[5] + h.age);
        total.iter_mut().zip(course).for_each(|(total, purchases)| total.add(weight * purchases));
    }
    out.extend(total.into_iter().map(Sum::value));
    out
}

/// P(n purchases or more in the `periods` after T), n = 1 … `most`, of a customer alive at T.
pub(super) fn beyond(p: Parameters, h: History, periods: f64, most: usize) -> Vec<f64> {
    let mut out = vec![0.0; most];
    if periods <= 0.0 {
        return out;
    }
    for (renewal, weight) in living(p, h).iter().filter(|(_, weight)| *weight > 1e-15) {
        for (y, width) in renewal.nodes(periods, p[4], p[5] + h.age) {
            let width = weight * width;
            let (mut before, mut top) = (0.0, 0.0_f64);
            let usual = renewal.usual(renewal.unseen + y);
            for (n, out) in out.iter_mut().enumerate() {
                let value = exp(renewal.ln_arrival((n + 1) as f64, y));
                *out += width * value;
                top = top.max(value);
                if value <= before && value <= 1e-17 * top && n as f64 > usual {
                    break;
                }
                before = value;
            }
        }
    }
    out
}

/// The posterior mean of λ of a customer alive at T.
pub(super) fn rate(p: Parameters, h: History) -> f64 {
    let living = living(p, h);
    let mean = |of: &Renewal| {
        let more = ln_waited(of.shape + 1.0, of.scale, of.k, of.unseen);
        of.shape / of.scale * exp(more - of.ln_waited)
    };
    living.iter().map(|(of, weight)| weight * mean(of)).sum()
}

/// Expected purchases for ever, discounted at `rate`, of a customer alive at T.
///
/// Given λ and μ, with θ = μ + rate and φ = (kλ / (kλ + θ))^k, they are
/// E(e^−θ(W−U) | W > U) / (1 − φ).
pub(super) fn discounted(p: Parameters, h: History, rate: f64) -> f64 {
    if boundless(p, h) {
        return f64::INFINITY;
    }
    let [_, _, _, _, s, beta] = p;
    let lives = beta + h.age;
    let excess = ln_gamma(s);
    let deaths: Vec<(f64, f64)> =
        over_line(ln(s / lives), 1.0 / s.sqrt(), 0.1, |y| s * (y + ln(lives)) - lives * exp(y) - excess)
            .into_iter()
            .map(|(y, weight)| (exp(y) + rate, exp(weight)))
            .collect();
    let mut total = Sum::default();
    for (of, weight) in living(p, h).iter().filter(|(of, weight)| counts(of, *weight)) {
        let (k, shape, scale, unseen) = (of.k, of.shape, of.scale, of.unseen);
        let front = shape * ln(scale) - ln_gamma(shape) - of.ln_waited;
        let centre = ln(shape / (scale + k * unseen));
        let nodes = over_line(centre, 1.0 / shape.sqrt(), 0.1, |y| {
            let lambda = exp(y);
            let given = shape * y - scale * lambda + front;
            let mut value = 0.0;
            for (theta, share) in &deaths {
                let per_tick = k * ln_1p(theta / (k * lambda));
                let first = if unseen > 0.0 {
                    theta * unseen + ln_gamma_tail(k, (k * lambda + theta) * unseen)
                } else {
                    0.0
                };
                value += share * exp(given + first) / exp_m1(per_tick);
            }
            ln(value)
        });
        total.add(weight * exp(ln_sum_exp(nodes.iter().map(|n| n.1))));
    }
    total.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many horizons by one walk are each by its own integral.
    #[test]
    fn one_walk_is_the_integrals_of_each_horizon() {
        let history =
            |frequency, recency, age, log_intervals| History { frequency, recency, age, log_intervals };
        for p in [[1.695, 0.373, 0.948, 5.243, 0.432, 4.348], [20.0, 2.0, 1.3, 6.0, 1.1, 9.0]] {
            for h in [
                history(0, 0.0, 0.0, None),
                history(0, 0.0, 30.0, None),
                history(3, 7.5, 30.0, Some(2.6)),
                history(3, 7.5, 7.5, None),
                history(12, 28.0, 30.0, Some(9.0)),
            ] {
                for times in [&[0.0, 1.0 / 7.0, 0.9, 1.0, 7.0, 7.1, 20.0][..], &[-1.0, 0.0, 3.0, 16.0, 180.0]]
                {
                    let found = course(p, h, times);
                    // Of little, the digits are those of the whole.
                    let whole = found.last().copied().unwrap_or_default();
                    for (t, found) in times.iter().zip(found) {
                        let want = expected(p, h, *t);
                        assert!(
                            (found - want).abs() <= 1e-11 * want + 1e-13 * whole,
                            "{p:?} {h:?} {t}: {found} for {want}"
                        );
                    }
                }
            }
        }
        assert_eq!(
            course([0.9, 1.0, 1.0, 5.0, 0.5, 5.0], History::default(), &[0.0, 1.0]),
            [0.0, f64::INFINITY]
        );
        assert!(course([2.0, 1.0, 1.0, 5.0, 0.5, 5.0], History::default(), &[]).is_empty());
    }
}
