//! The Pareto/NBD log-likelihood with its gradient alone, for samplers that ask for it ten thousand times.
//!
//! Who is dead by T left at some u between t_x and T: the likelihood needs ∫ h(u) du over that span, with
//! h = (α+u)^−(r+x) (β+u)^−(s+1), and its first moments. Customers of one x share h, so their spans are
//! differences of sums over the stretches between all their t_x and T, each of which is short and takes few nodes.
//! Sums run backwards from the latest T and are relative to h where they begin: h falls, so that the part
//! beyond T is small beside a span that matters.

use crate::clv::rows::Unique;
use crate::math::quadrature::{gauss, legendre};
use crate::math::{Sum, digamma_rise, exp, exp_m1, ln, ln_1p, ln_gamma_rise};

/// Beyond this fall of its logarithm h is nothing.
const NOTHING: f64 = 45.0;

/// The distinct rows, ready for evaluation.
#[derive(Debug)]
pub(in crate::clv) struct ParetoSlope {
    groups: Vec<Group>,
    rules: Rules,
}

/// The customers of one x.
#[derive(Debug)]
struct Group {
    x: f64,
    weight: f64,
    /// The distinct t_x and T of those who may have left, and the T of the others, in ascending order.
    times: Vec<f64>,
    /// Places of t_x and T among them, and how many customers have both.
    rows: Vec<(u32, u32, f64)>,
}

/// Rules of few nodes, each for a stretch over which ln h changes by so much at most: errors below 1e-12.
#[derive(Debug)]
struct Rules {
    two: [(f64, f64); 2],
    three: [(f64, f64); 3],
    four: [(f64, f64); 4],
    six: [(f64, f64); 6],
}

impl Rules {
    fn new() -> Self {
        Self { two: gauss(), three: gauss(), four: gauss(), six: gauss() }
    }

    /// Nodes, and in how many panels.
    fn of(&self, fall: f64, width: f64) -> (&[(f64, f64)], usize) {
        let change = fall + width;
        if change <= 0.004 {
            (&self.two, 1)
        } else if change <= 0.1 {
            (&self.three, 1)
        } else if change <= 0.4 {
            (&self.four, 1)
        } else if change <= 2.0 {
            (&self.six, 1)
        } else {
            (legendre(), (change / 8.0).max(width).ceil().min(4000.0) as usize)
        }
    }
}

/// ∫ h and ∫ h ∂ln h by r, α, s, β, relative to h at some time.
type Moments = [f64; 5];

/// h at a time.
#[derive(Clone, Copy)]
struct At {
    time: f64,
    ln_a: f64,
    ln_b: f64,
    ln_h: f64,
}

impl ParetoSlope {
    pub(in crate::clv) fn new(rows: &Unique) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        let mut from = 0;
        while from < rows.len() {
            let x = rows.frequency[from];
            let to = (from..rows.len()).find(|row| rows.frequency[*row] != x).unwrap_or(rows.len());
            let mut times: Vec<f64> =
                rows.recency[from..to].iter().chain(&rows.age[from..to]).copied().collect();
            times.sort_unstable_by(f64::total_cmp);
            times.dedup();
            let place = |time: f64| times.partition_point(|t| *t < time) as u32;
            let each: Vec<(u32, u32, f64)> = (from..to)
                .map(|row| (place(rows.recency[row]), place(rows.age[row]), rows.weight[row]))
                .collect();
            let weight = each.iter().map(|row| row.2).sum();
            groups.push(Group { x: f64::from(x), weight, times, rows: each });
            from = to;
        }
        Self { groups, rules: Rules::new() }
    }

    /// Value and gradient on log parameters.
    pub(in crate::clv) fn evaluate(&self, log: [f64; 4]) -> (f64, [f64; 4]) {
        let theta = log.map(exp);
        let [r, alpha, s, beta] = theta;
        let (mut value, mut natural) = (Sum::default(), [Sum::default(); 4]);
        for group in &self.groups {
            // ln Γ(r+x)/Γ(r) + r ln α + s ln β: of all alike.
            value.add(group.weight * (ln_gamma_rise(r, group.x) + r * log[1] + s * log[3]));
            let common = [digamma_rise(r, group.x) + log[1], r / alpha, log[3], s / beta];
            natural.iter_mut().zip(common).for_each(|(total, g)| total.add(group.weight * g));
            let shape = r + group.x;
            let at = |time: f64| {
                let (ln_a, ln_b) = (ln(alpha + time), ln(beta + time));
                At { time, ln_a, ln_b, ln_h: -shape * ln_a - (s + 1.0) * ln_b }
            };
            let points: Vec<At> = group.times.iter().map(|t| at(*t)).collect();
            let beyond = self.beyond(&points, [shape, alpha, s, beta]);
            for (first, last, weight) in &group.rows {
                let (from, to) = (points[*first as usize], points[*last as usize]);
                let (whole, rest) = (&beyond[*first as usize], &beyond[*last as usize]);
                let ratio = exp(to.ln_h - from.ln_h);
                // s ∫ h and (β+T) h(T): dead and alive, both over h(t_x) and without β^s.
                let alive = (beta + to.time) * ratio;
                let span = |i: usize| whole[i] - rest[i] * ratio;
                let dead = if first == last { 0.0 } else { (s * span(0)).max(0.0) };
                let total = dead + alive;
                value.add(weight * (from.ln_h + ln(total)));
                let of_alive = [-to.ln_a, -shape / (alpha + to.time), -to.ln_b, -s / (beta + to.time)];
                for i in 0..4 {
                    let of_dead = if dead > 0.0 { s * span(i + 1) } else { 0.0 };
                    natural[i].add(weight * (of_dead + alive * of_alive[i]) / total);
                }
                natural[2].add(weight * dead / (s * total));
            }
        }
        (value.value(), std::array::from_fn(|i| theta[i] * natural[i].value()))
    }

    /// From each time on, relative to h there.
    fn beyond(&self, points: &[At], [shape, alpha, s, beta]: [f64; 4]) -> Vec<Moments> {
        let mut out = vec![[0.0; 5]; points.len()];
        let shift = alpha.min(beta);
        for k in (0..points.len().saturating_sub(1)).rev() {
            let (from, to) = (points[k], points[k + 1]);
            let rest = out[k + 1];
            let ratio = exp(to.ln_h - from.ln_h);
            let width = ln_1p((to.time - from.time) / (shift + from.time));
            let (rule, panels) = self.rules.of(from.ln_h - to.ln_h, width);
            let half = 0.5 * width / panels as f64;
            let mut moments = rest.map(|m| m * ratio);
            'panels: for panel in 0..panels {
                for (x, weight) in rule {
                    let v = half * ((2 * panel + 1) as f64 + x);
                    let u = from.time + exp_m1(v) * (shift + from.time);
                    let (a, b) = (alpha + u, beta + u);
                    // v is the growth of ln(c+u), c the lesser of α and β.
                    let (ln_a, ln_b) =
                        if alpha <= beta { (from.ln_a + v, ln(b)) } else { (ln(a), from.ln_b + v) };
                    let fall = from.ln_h + shape * ln_a + (s + 1.0) * ln_b;
                    if fall > NOTHING {
                        break 'panels;
                    }
                    let mass = weight * half * (shift + u) * exp(-fall);
                    let slopes = [1.0, -ln_a, -shape / a, -ln_b, -(s + 1.0) / b];
                    moments.iter_mut().zip(slopes).for_each(|(m, slope)| *m += mass * slope);
                }
            }
            out[k] = moments;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clv::RfmSlices;
    use crate::clv::laws::{ParetoLaw, slope};
    use crate::{Result, Run};

    #[test]
    fn it_is_the_slope_of_the_law() -> Result<()> {
        // Histories of every kind: once, often, for long, just now, and of no time at all.
        let (mut frequency, mut recency, mut age) =
            (vec![0.0, 0.0, 3.0, 2.0], vec![0.0, 0.0, 5.0, 1e-6], vec![0.0, 1e-4, 5.0, 30.0]);
        for i in 0..400_u32 {
            let x = f64::from([0, 0, 0, 1, 1, 2, 3, 7, 19, 150][i as usize % 10]);
            let end = 20.0 + f64::from(i * 7 % 61);
            frequency.push(x);
            recency.push(if x > 0.0 { end * f64::from(1 + i * 13 % 97) / 97.0 } else { 0.0 });
            age.push(end);
        }
        let weight: Vec<f64> = (0..frequency.len()).map(|i| 1.0 + (i % 5) as f64).collect();
        for scale in [1.0, 1e-3, 300.0] {
            let times = |v: &[f64]| v.iter().map(|t| t * scale).collect::<Vec<f64>>();
            let (recency, age) = (times(&recency), times(&age));
            let rows = RfmSlices {
                frequency: &frequency,
                recency: &recency,
                age: &age,
                weight: Some(&weight),
                ..RfmSlices::default()
            };
            let unique = Unique::of(&rows, &Run::new())?;
            let fast = ParetoSlope::new(&unique);
            for [r, alpha, s, beta] in [
                [0.55, 10.6, 0.6, 11.7],
                [0.05, 0.3, 2.0, 400.0],
                [3.0, 200.0, 0.02, 0.01],
                [0.9, 5.0, 30.0, 900.0],
                [40.0, 1e3, 1e-4, 1e4],
                [0.5, 1e-3, 0.7, 1e-3],
            ] {
                let log = [r, alpha * scale, s, beta * scale].map(ln);
                let (value, gradient) = fast.evaluate(log);
                let (want, slopes) = slope(ParetoLaw, &unique, log);
                assert!((value / want - 1.0).abs() < 1e-12, "{r} {alpha} {s} {beta}: {value} for {want}");
                for (got, want) in gradient.iter().zip(slopes) {
                    let near = (got - want).abs() < 1e-9 * want.abs() + 1e-12 * value.abs();
                    assert!(near, "{r} {alpha} {s} {beta}: {gradient:?} for {slopes:?}");
                }
            }
        }
        Ok(())
    }
}
