//! The time since the last purchase, in which none was seen.

use crate::clv::laws::History;
use crate::math::quadrature::{legendre, ln_sum_exp};
use crate::math::{exp, exp_m1, ln, ln_1p, ln_gamma_excess, ln_gamma_rise, log1p_exp};

use super::Parameters;

/// Beyond this fall of its logarithm an integrand is nothing.
const NOTHING: f64 = 31.0;

/// W of one k, as an integral over v = ln w of f(w) D(w): D is
/// 1 − S(t_x+w)/S(t_x) for a purchase that would have come before T, and 1
/// after it.
pub(super) struct Gap {
    k: f64,
    ln_k: f64,
    /// A = r + kx.
    tail: f64,
    /// B = α + k t_x, and its logarithm.
    scale: f64,
    ln_scale: f64,
    s: f64,
    /// β + t_x.
    recent: f64,
    /// U = T − t_x.
    unseen: f64,
}

/// Panels in v.
type Panels = Vec<(f64, f64)>;

impl Gap {
    pub(super) fn new([_, _, r, alpha, s, beta]: Parameters, h: History, k: f64) -> Self {
        let scale = alpha + k * h.recency;
        Self {
            k,
            ln_k: ln(k),
            tail: r + k * f64::from(h.frequency),
            scale,
            ln_scale: ln(scale),
            s,
            recent: beta + h.recency,
            unseen: h.age - h.recency,
        }
    }

    /// w = e^v, and ln((B + kw) / B).
    fn grown(&self, v: f64) -> (f64, f64) {
        let far = self.ln_k + v - self.ln_scale;
        if far > 600.0 {
            return (f64::INFINITY, far);
        }
        let w = exp(v);
        (w, ln_1p(self.k * w / self.scale))
    }

    /// The integrand after T, by its logarithm: w^k ((B + kw) / B)^−(A+k).
    fn ln_after(&self, v: f64) -> f64 {
        self.k * v - (self.tail + self.k) * self.grown(v).1
    }

    fn slope_after(&self, v: f64) -> f64 {
        let share = exp(-log1p_exp(self.ln_scale - self.ln_k - v));
        self.k - (self.tail + self.k) * share
    }

    /// s ln((β + t_x + w) / (β + t_x)).
    fn hazard(&self, v: f64) -> f64 {
        self.s * ln_1p(exp(v) / self.recent)
    }

    /// The integrand before T.
    fn ln_before(&self, v: f64) -> f64 {
        self.ln_after(v) + ln(-exp_m1(-self.hazard(v)))
    }

    fn slope_before(&self, v: f64) -> f64 {
        let w = exp(v);
        self.slope_after(v) + self.s * w / (self.recent + w) / exp_m1(self.hazard(v))
    }

    /// The logarithm of what stands before the integral, without Γ(A)/Γ(r) α^r B^−A.
    fn ln_front(&self) -> f64 {
        self.k * (1.0 - self.ln_scale) - ln_gamma_excess(self.k) + ln_gamma_rise(self.tail, self.k)
    }

    /// Where the integrand lives before T and after it, and the logarithm of
    /// its greatest. Both logarithms are concave.
    fn panels(&self) -> (Panels, Panels, f64) {
        let end = ln(self.unseen);
        let (after, before) = (|v| self.ln_after(v), |v| self.ln_before(v));
        let (slope_after, slope_before) = (|v| self.slope_after(v), |v| self.slope_before(v));
        // After T: the mode, and the way down to where the asymptote −A v is surely nothing.
        let free = self.ln_scale - ln(self.tail);
        let mode = free.max(end);
        let mut top = after(mode);
        let target = top - NOTHING;
        let far = ((self.tail + self.k) * (self.ln_scale - self.ln_k) - target) / self.tail;
        let high = edge(far.max(mode), target, &after, &slope_after);
        let low = if after(end) < target { edge(end, target, &after, &slope_after) } else { end };
        let late = self.split(low, high.max(low), &after);
        // Before T: the mode lies above that of the other, as D grows.
        let mut mode = end;
        if slope_before(end) < 0.0 {
            let (mut below, mut above) = (free.min(end), end);
            for _ in 0..60 {
                mode = f64::midpoint(below, above);
                if above - below < 0.3 {
                    break;
                }
                if slope_before(mode) > 0.0 { below = mode } else { above = mode }
            }
        }
        top = top.max(before(mode));
        let target = before(mode) - NOTHING;
        let near = (target + ln(self.recent / self.s)) / (self.k + 1.0);
        let low = edge(near.min(mode), target, &before, &slope_before);
        let high = if before(end) < target { edge(end, target, &before, &slope_before) } else { end };
        (self.split(low.min(high), high, &before), late, top)
    }

    /// Cuts a range into panels in each of which the integrand is nearly a polynomial.
    fn split(&self, low: f64, high: f64, ln_f: &dyn Fn(f64) -> f64) -> Panels {
        let bends = [self.ln_scale - self.ln_k, ln(self.recent)];
        let mut waiting = vec![(low, ln_f(low), high, ln_f(high))];
        let mut panels = Vec::with_capacity(8);
        while let Some((a, at_a, b, at_b)) = waiting.pop() {
            let middle = f64::midpoint(a, b);
            let at = ln_f(middle);
            let (top, ends) = (at_a.max(at_b), at_a.min(at_b));
            let away = bends.iter().map(|at| (a - at).max(at - b).max(0.0)).fold(f64::INFINITY, f64::min);
            let smooth = b - a <= away.max(6.0) && top.max(at) - ends <= 34.0 && at - top <= 8.0;
            if smooth || panels.len() + waiting.len() > 500 {
                panels.push((a, b));
            } else {
                waiting.push((middle, at, b, at_b));
                waiting.push((a, at_a, middle, at));
            }
        }
        panels
    }

    /// ln ∫ f D before T and ln ∫ f after it.
    pub(super) fn ln_parts(&self) -> (f64, f64) {
        if self.unseen <= 0.0 {
            return (f64::NEG_INFINITY, 0.0);
        }
        let (before, after, top) = self.panels();
        let front = self.ln_front() + top;
        let of = |v: f64| exp(self.ln_after(v) - top);
        let seen = |v: f64| -exp_m1(-self.hazard(v));
        let early: f64 = nodes(&before).map(|(v, width)| width * of(v) * seen(v)).sum();
        let late: f64 = nodes(&after).map(|(v, width)| width * of(v)).sum();
        (front + ln(early), front + ln(late))
    }

    /// ln R(k) / S(t_x): that no purchase was seen after t_x.
    pub(super) fn ln_unseen(&self) -> f64 {
        let (before, after) = self.ln_parts();
        ln_sum_exp([before, after].into_iter())
    }

    /// The same, and the derivatives by (r, α, s, β) of the logarithm of it
    /// over B^A, the gamma functions of r aside.
    pub(super) fn moments(&self) -> (f64, Parts) {
        let mut moments = Moments::<4>::default();
        let mut hessian = [[0.0; 4]; 4];
        // C^−shape, C = B + kw.
        let of_c = |shape: f64, ln_c: f64, inverse: f64, hessian: &mut [[f64; 4]; 4]| {
            hessian[0][1] = -inverse;
            hessian[1][1] = shape * inverse * inverse;
            [-ln_c, -shape * inverse, 0.0, 0.0]
        };
        if self.unseen <= 0.0 {
            let gradient = of_c(self.tail, self.ln_scale, 1.0 / self.scale, &mut hessian);
            moments.add(1.0, &gradient, &hessian);
            return (0.0, moments.into());
        }
        let (before, after, top) = self.panels();
        let shape = self.tail + self.k;
        for (v, width) in nodes(&after) {
            let (w, grown) = self.grown(v);
            let weight = width * exp(self.k * v - shape * grown - top);
            let gradient = of_c(shape, self.ln_scale + grown, 1.0 / (self.scale + self.k * w), &mut hessian);
            moments.add(weight, &gradient, &hessian);
        }
        let now = 1.0 / self.recent;
        for (v, width) in nodes(&before) {
            let (w, grown) = self.grown(v);
            // D = 1 − e^−y, y = s l, l = ln((β + t_x + w) / (β + t_x)).
            let l = ln_1p(w * now);
            let seen = -exp_m1(-self.s * l);
            let weight = width * seen * exp(self.k * v - shape * grown - top);
            if weight == 0.0 {
                continue;
            }
            let mut gradient =
                of_c(shape, self.ln_scale + grown, 1.0 / (self.scale + self.k * w), &mut hessian);
            let then = 1.0 / (self.recent + w);
            let (l_beta, l_bent) = (-w * now * then, now * now - then * then);
            let first = (1.0 - seen) / seen;
            let second = -first / seen;
            let y_beta = self.s * l_beta;
            gradient[2] = first * l;
            gradient[3] = first * y_beta;
            hessian[2][2] = second * l * l;
            hessian[2][3] = second * l * y_beta + first * l_beta;
            hessian[3][3] = second * y_beta * y_beta + first * self.s * l_bent;
            moments.add(weight, &gradient, &hessian);
        }
        (ln(moments.mass) + top + self.ln_front(), moments.into())
    }
}

/// From a point where a concave function lies below `target`, Newton's way
/// towards where it reaches it, never past it.
fn edge(from: f64, target: f64, ln_f: &dyn Fn(f64) -> f64, slope: &dyn Fn(f64) -> f64) -> f64 {
    let mut v = from;
    for _ in 0..20 {
        let step = (target - ln_f(v)) / slope(v);
        if !step.is_finite() || target - ln_f(v) < 1.0 {
            break;
        }
        v += step;
    }
    v
}

fn nodes(panels: &Panels) -> impl Iterator<Item = (f64, f64)> + '_ {
    panels.iter().flat_map(|(a, b)| {
        let (centre, half) = (f64::midpoint(*a, *b), 0.5 * (b - a));
        legendre().iter().map(move |(x, weight)| (centre + half * x, half * weight))
    })
}

/// The gradient and the upper triangle of the Hessian of the logarithm of an integral.
pub(super) struct Parts {
    pub(super) gradient: [f64; 4],
    pub(super) hessian: [[f64; 4]; 4],
}

impl From<Moments<4>> for Parts {
    fn from(moments: Moments<4>) -> Self {
        let (gradient, hessian) = moments.of_logarithm();
        Self { gradient, hessian }
    }
}

/// ∫ e^f, ∫ f′ e^f and ∫ (f″ + f′ f′ᵀ) e^f.
pub(super) struct Moments<const N: usize> {
    mass: f64,
    first: [f64; N],
    second: [[f64; N]; N],
}

impl<const N: usize> Default for Moments<N> {
    fn default() -> Self {
        Self { mass: 0.0, first: [0.0; N], second: [[0.0; N]; N] }
    }
}

impl<const N: usize> Moments<N> {
    #[allow(clippy::needless_range_loop)] // matrices read best by their indices
    pub(super) fn add(&mut self, weight: f64, gradient: &[f64; N], hessian: &[[f64; N]; N]) {
        self.mass += weight;
        for i in 0..N {
            let first = weight * gradient[i];
            self.first[i] += first;
            for j in i..N {
                self.second[i][j] += first * gradient[j] + weight * hessian[i][j];
            }
        }
    }

    /// Of ln ∫ e^f.
    #[allow(clippy::needless_range_loop)]
    pub(super) fn of_logarithm(&self) -> ([f64; N], [[f64; N]; N]) {
        let gradient = self.first.map(|g| g / self.mass);
        let mut hessian = [[0.0; N]; N];
        for i in 0..N {
            for j in i..N {
                hessian[i][j] = self.second[i][j] / self.mass - gradient[i] * gradient[j];
            }
        }
        (gradient, hessian)
    }
}
