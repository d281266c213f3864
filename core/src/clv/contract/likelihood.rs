//! Log-likelihoods of a life table, with gradient and Hessian on log parameters.
//!
//! With r_t the retention at renewal t, who stayed K_t and who left D_t,
//! ln L = Σ_t K_t ln r_t + D_t ln(1 − r_t): a customer who leaves at t gives
//! ln P(T = t), one still there after t gives ln S(t), and one who came under
//! observation after e renewals gives −ln S(e).

use super::life::Life;
use super::{Curve, LifeTable};
use crate::math::newton::Local;
use crate::math::{Sum, exp, exp_m1, ln, ln_1p};

/// So many renewals cost less one by one than by gamma functions.
const SHORT: f64 = 32.0;

/// A law of `N` positive parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetLaw<const N: usize> {
    /// Value, gradient and Hessian on log parameters, by what was met and the parameters themselves.
    pub local: fn(&[Met], [f64; N]) -> Local<N>,
    /// Its value and gradient alone.
    pub slope: fn(&[Met], [f64; N]) -> Slope<N>,
}

type Slope<const N: usize> = (f64, [f64; N]);

pub(crate) const SHIFTED: MetLaw<2> = MetLaw { local: shifted, slope: shifted_slope };
pub(crate) const WEIBULL: MetLaw<3> = MetLaw { local: weibull, slope: weibull_slope };

struct Sums<const N: usize> {
    value: Sum,
    gradient: [Sum; N],
    hessian: [[Sum; N]; N],
}

impl<const N: usize> Sums<N> {
    fn new() -> Self {
        let zero = Sum::default();
        Self { value: zero, gradient: [zero; N], hessian: [[zero; N]; N] }
    }

    fn local(&self) -> Local<N> {
        Local {
            value: self.value.value(),
            gradient: self.gradient.map(Sum::value),
            hessian: self.hessian.map(|row| row.map(Sum::value)),
        }
    }
}

/// Renewals one after the other that the same customers met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Met {
    /// Renewals made before and after.
    from: f64,
    to: f64,
    kept: f64,
    /// Who left, of one renewal only.
    lost: f64,
}

/// The renewals that someone met, those at which nobody left in one.
pub(crate) fn met(life: &LifeTable) -> Vec<Met> {
    let mut out: Vec<Met> = Vec::new();
    for (t, (kept, lost)) in life.kept().iter().zip(life.lost()).enumerate() {
        let (from, to) = (t as f64, t as f64 + 1.0);
        if let Some(last) = out.last_mut()
            && (*lost, last.lost, last.kept, last.to) == (0.0, 0.0, *kept, from)
        {
            last.to = to;
        } else if kept + lost > 0.0 {
            out.push(Met { from, to, kept: *kept, lost: *lost });
        }
    }
    out
}

/// Those of a single life.
pub(super) fn met_by((duration, event, entry): Life, weight: f64) -> Vec<Met> {
    let last = duration - f64::from(u8::from(event));
    let stayed = (last > entry).then_some(Met { from: entry, to: last, kept: weight, lost: 0.0 });
    let left = event.then_some(Met { from: last, to: duration, kept: 0.0, lost: weight });
    stayed.into_iter().chain(left).collect()
}

/// The shifted beta-geometric model, at ln α, ln β.
pub(crate) fn shifted(met: &[Met], [alpha, beta]: [f64; 2]) -> Local<2> {
    let mut sums = Sums::new();
    for &Met { from: before, to, kept, lost } in met {
        if to - before > SHORT {
            let stretch = Curve { alpha, beta, c: 1.0 }.stretch(before, to);
            sums.value.add(kept * stretch.value);
            for i in 0..2 {
                sums.gradient[i].add(kept * stretch.gradient[i]);
                (i..2).for_each(|j| sums.hessian[i][j].add(kept * stretch.hessian[i][j]));
            }
            continue;
        }
        let mut before = before;
        while before < to {
            let z = beta + before;
            let s = alpha + z;
            sums.value.extend([-kept * ln_1p(alpha / z), lost * ln(alpha / s)]);
            let all = kept + lost;
            // D/α − N/s on α; K/z − N/s on β.
            sums.gradient[0].add(lost - all * (alpha / s));
            sums.gradient[1].add(kept * (beta / z) - all * (beta / s));
            sums.hessian[0][0].add(-all * (alpha / s) * (z / s));
            sums.hessian[0][1].add(all * (alpha / s) * (beta / s));
            sums.hessian[1][1]
                .add(kept * (beta / z) * (before / z) - all * (beta / s) * ((alpha + before) / s));
            before += 1.0;
        }
    }
    sums.hessian[1][0] = sums.hessian[0][1];
    sums.local()
}

/// Its value and gradient alone.
pub(crate) fn shifted_slope(met: &[Met], at: [f64; 2]) -> (f64, [f64; 2]) {
    let Local { value, gradient, .. } = shifted(met, at);
    (value, gradient)
}

/// The beta-discrete-Weibull model, at ln α, ln β, ln c.
pub(crate) fn weibull(met: &[Met], [alpha, beta, c]: [f64; 3]) -> Local<3> {
    let curve = Curve { alpha, beta, c };
    let mut sums = Sums::new();
    for &Met { from, to, kept, lost } in met {
        let stretch = curve.stretch(from, to);
        let (stay, leave) = (exp(stretch.value), -exp_m1(stretch.value));
        sums.value.add(kept * stretch.value);
        let mut first = kept;
        let mut second = 0.0;
        if lost > 0.0 {
            sums.value.add(lost * ln(leave));
            first -= lost * stay / leave;
            second = -lost * stay / (leave * leave);
        }
        for i in 0..3 {
            sums.gradient[i].add(first * stretch.gradient[i]);
            for j in 0..3 {
                sums.hessian[i][j]
                    .add(first * stretch.hessian[i][j] + second * stretch.gradient[i] * stretch.gradient[j]);
            }
        }
    }
    sums.local()
}

/// Its value and gradient alone.
pub(crate) fn weibull_slope(met: &[Met], [alpha, beta, c]: [f64; 3]) -> (f64, [f64; 3]) {
    let curve = Curve { alpha, beta, c };
    let (mut value, mut gradient) = (Sum::default(), [Sum::default(); 3]);
    for &Met { from, to, kept, lost } in met {
        let (stays, slope) = curve.slope(from, to);
        let leave = -exp_m1(stays);
        value.add(kept * stays);
        let mut first = kept;
        if lost > 0.0 {
            value.add(lost * ln(leave));
            first -= lost * exp(stays) / leave;
        }
        (0..3).for_each(|i| gradient[i].add(first * slope[i]));
    }
    (value.value(), gradient.map(Sum::value))
}

/// The log-likelihood of one chance to leave for all, and the log odds of that chance.
pub(super) fn geometric(life: &LifeTable) -> (f64, f64) {
    let (lost, kept) = life.totals();
    let leave = if lost > 0.0 { lost * (ln(lost) - ln(lost + kept)) } else { 0.0 };
    let stay = match kept {
        0.0 => 0.0,
        _ if lost > kept => kept * (ln(kept) - ln(lost + kept)),
        _ => -kept * ln_1p(lost / kept),
    };
    (leave + stay, ln(lost) - ln(kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Result;

    fn life() -> Result<LifeTable> {
        LifeTable::from_survivors(&[1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0], 0)
    }

    /// Differences of order h⁴ of values and gradients.
    fn differences<const N: usize>(evaluate: impl Fn([f64; N]) -> Local<N>, at: [f64; N]) {
        let moved = |i: usize, by: f64| {
            let mut at = at.map(ln);
            at[i] += by;
            evaluate(at.map(exp))
        };
        let here = evaluate(at);
        let h = 1e-3;
        for i in 0..N {
            let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(|k| moved(i, k * h));
            let slope = |f: &dyn Fn(&Local<N>) -> f64| (f(&a) - f(&d) + 8.0 * (f(&c) - f(&b))) / (12.0 * h);
            let near =
                |got: f64, want: f64| assert!((got - want).abs() < 1e-7 * (1.0 + want.abs()), "{got} {want}");
            near(here.gradient[i], slope(&|l| l.value));
            for j in 0..N {
                near(here.hessian[i][j], slope(&|l| l.gradient[j]));
            }
        }
    }

    #[test]
    fn derivatives_agree_with_differences() -> Result<()> {
        let life = life()?;
        for [alpha, beta, c] in [[0.7, 3.5, 1.0], [5.0, 30.0, 0.6], [0.05, 0.2, 1.7], [300.0, 90.0, 0.3]] {
            differences(|at| shifted(&met(&life), at), [alpha, beta]);
            differences(|at| weibull(&met(&life), at), [alpha, beta, c]);
            let (full, (value, gradient)) =
                (weibull(&met(&life), [alpha, beta, c]), weibull_slope(&met(&life), [alpha, beta, c]));
            assert!(value == full.value && gradient == full.gradient, "{value} {gradient:?}");
        }
        Ok(())
    }

    #[test]
    fn renewals_without_a_loss_are_taken_together() -> Result<()> {
        let life = LifeTable::from_survivors(&[10.0, 8.0, 8.0, 8.0, 7.0, 7.0, 0.0], 0)?;
        assert_eq!(met(&life).iter().map(|m| m.to - m.from).collect::<Vec<_>>(), [1.0, 2.0, 1.0, 1.0, 1.0]);
        let one_by_one: f64 = (1..7)
            .map(|t| {
                let r = ln(1.0 - 0.7 / (4.2 + t as f64 - 1.0));
                life.kept()[t - 1] * r + life.lost()[t - 1] * ln(1.0 - exp(r))
            })
            .sum();
        assert!((shifted(&met(&life), [0.7, 3.5]).value / one_by_one - 1.0).abs() < 1e-14);
        differences(|at| shifted(&met(&life), at), [0.7, 3.5]);
        differences(|at| weibull(&met(&life), at), [0.7, 3.5, 0.8]);
        // One by one and by gamma functions, on either side of where the latter begin.
        for renewals in [31, 32, 33, 60] {
            let life = LifeTable::from_survivors(&vec![8.0; renewals + 1], 0)?;
            let (one, two) = (shifted(&met(&life), [0.7, 3.5]), weibull(&met(&life), [0.7, 3.5, 1.0]));
            assert!((one.value / two.value - 1.0).abs() < 1e-13);
            differences(|at| shifted(&met(&life), at), [0.7, 3.5]);
            for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                assert!((one.gradient[i] / two.gradient[i] - 1.0).abs() < 1e-11);
                assert!((one.hessian[i][j] / two.hessian[i][j] - 1.0).abs() < 1e-10);
            }
        }
        Ok(())
    }

    #[test]
    fn a_single_life_is_its_life_table() {
        for life in
            [(1.0, true, 0.0), (1.0, false, 0.0), (7.0, true, 0.0), (9.0, false, 4.0), (5.0, true, 4.0)]
        {
            assert_eq!(met_by(life, 2.5), met(&LifeTable::of(1, |_| (life, 2.5))), "{life:?}");
        }
    }

    #[test]
    fn without_duration_dependence_the_two_are_one() -> Result<()> {
        let life = life()?;
        let (one, two) = (shifted(&met(&life), [0.7, 3.5]), weibull(&met(&life), [0.7, 3.5, 1.0]));
        assert!((one.value / two.value - 1.0).abs() < 1e-14);
        for i in 0..2 {
            assert!((one.gradient[i] - two.gradient[i]).abs() < 1e-10 * one.value.abs());
        }
        Ok(())
    }
}
