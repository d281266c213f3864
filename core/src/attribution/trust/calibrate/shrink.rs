//! Factors of channels, tested or not, by a hierarchical model.
//!
//! A test of a channel measures its factor k_c with a normal error. A channel
//! either only meets people who would have bought anyway, or the log of its
//! factor is spread around a common centre:
//!
//! ```text
//! k̂_c ~ N(k_c, se_c²)      k_c = 0 with probability π, else ln k_c ~ N(μ, τ²)
//! π ~ Beta(1, 3)            μ ~ N(0, 1.5²)      τ ~ half-normal(1)
//! ```
//!
//! π, μ, τ and each k_c are integrated on grids, so nothing is simulated but the
//! samples that are asked for. A test that came out negative is no trouble: its
//! likelihood is on k, not on ln k.

use crate::math::{exp, ln, normal_cdf, normal_quantile};
use crate::run::{split_mix, unit_open};

/// A measured factor and its standard error.
pub(super) type Measured = (f64, f64);

/// Grids of μ, and of ln k.
const MU: (f64, f64, usize) = (-6.0, 0.1, 91);
const LOG: (f64, f64, usize) = (-10.0, 0.02, 701);
/// Grid of π: middles of as many equal parts of 0 … 1.
const PARTS: usize = 10;
const TAU: [f64; 16] = [0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.1, 1.3, 1.6, 2.0, 2.5, 3.0];

/// The likelihood of one test: points of ln k, and likelihood × width there; and at k = 0.
struct Mesh {
    at: Vec<f64>,
    mass: Vec<f64>,
    none: f64,
}

impl Mesh {
    fn new((k, se): Measured) -> Self {
        // Points both where a prior may be, and where a precise test is.
        let mut at: Vec<f64> = (0..LOG.2).map(|i| LOG.0 + LOG.1 * i as f64).collect();
        let near = (-80..=80).map(|i| k + se * 0.1 * f64::from(i)).filter(|k| *k > 0.0).map(ln);
        at.extend(near.filter(|u| *u > LOG.0 && *u < LOG.0 + LOG.1 * (LOG.2 - 1) as f64));
        at.sort_unstable_by(f64::total_cmp);
        at.dedup();
        let width = |i: usize| {
            let (low, high) = (i.saturating_sub(1), (i + 1).min(at.len() - 1));
            (at[high] - at[low]) / 2.0
        };
        let best = k.max(exp(LOG.0));
        let fit = |x: f64| -0.5 * ((x - k) / se) * ((x - k) / se);
        let peak = fit(best);
        let normal = 1.0 / (2.0 * std::f64::consts::PI).sqrt();
        let mass = (0..at.len()).map(|i| exp(fit(exp(at[i])) - peak) * width(i) * normal).collect();
        Self { at, mass, none: exp(fit(0.0) - peak) }
    }

    /// The mass at each point under a prior.
    fn under(&self, mu: f64, tau: f64) -> impl Iterator<Item = f64> + '_ {
        self.at.iter().zip(&self.mass).map(move |(u, m)| {
            if *m < 1e-300 {
                return 0.0;
            }
            let z = (u - mu) / tau;
            m * exp(-0.5 * z * z) / tau
        })
    }
}

/// π, μ and τ, and how likely they are.
#[derive(Clone, Copy)]
struct Cell {
    none: f64,
    mu: f64,
    tau: f64,
    weight: f64,
}

/// What is known of factors after the tests.
pub(super) struct Posterior {
    meshes: Vec<Mesh>,
    cells: Vec<Cell>,
    cumulative: Vec<f64>,
}

impl Posterior {
    pub(super) fn new(tests: &[Measured]) -> Self {
        let meshes: Vec<Mesh> = tests.iter().map(|t| Mesh::new(*t)).collect();
        let mut cells = Vec::with_capacity(MU.2 * TAU.len() * PARTS);
        for (t, tau) in TAU.iter().enumerate() {
            let low = if t == 0 { 0.0 } else { f64::midpoint(TAU[t - 1], *tau) };
            let high = TAU.get(t + 1).map_or(3.5, |next| f64::midpoint(*tau, *next));
            for m in 0..MU.2 {
                let mu = MU.0 + MU.1 * m as f64;
                let prior = exp(-0.5 * (mu / 1.5) * (mu / 1.5) - 0.5 * tau * tau) * (high - low);
                let some: Vec<f64> = meshes.iter().map(|mesh| mesh.under(mu, *tau).sum()).collect();
                for part in 0..PARTS {
                    let none = (part as f64 + 0.5) / PARTS as f64;
                    let mut weight = prior * (1.0 - none) * (1.0 - none);
                    for (mesh, some) in meshes.iter().zip(&some) {
                        weight *= none * mesh.none + (1.0 - none) * some;
                    }
                    cells.push(Cell { none, mu, tau: *tau, weight });
                }
            }
        }
        let total: f64 = cells.iter().map(|c| c.weight).sum();
        let mut sum = 0.0;
        let cumulative = cells
            .iter_mut()
            .map(|c| {
                c.weight = if total > 0.0 { c.weight / total } else { 0.0 };
                sum += c.weight;
                sum
            })
            .collect();
        Self { meshes, cells, cumulative }
    }

    /// The posterior mean of a tested channel's factor.
    pub(super) fn tested(&self, test: usize) -> f64 {
        let mesh = &self.meshes[test];
        let mut sum = 0.0;
        // The cells of one μ and τ stand together.
        for cells in self.cells.chunks(PARTS).filter(|cells| cells.iter().any(|c| c.weight > 1e-9)) {
            let (mut mass, mut first) = (0.0, 0.0);
            for (u, m) in mesh.at.iter().zip(mesh.under(cells[0].mu, cells[0].tau)) {
                mass += m;
                first += m * exp(*u);
            }
            for cell in cells {
                let all = cell.none * mesh.none + (1.0 - cell.none) * mass;
                sum += cell.weight * if all > 0.0 { (1.0 - cell.none) * first / all } else { 0.0 };
            }
        }
        sum
    }

    /// The median of an untested channel's factor.
    pub(super) fn untested(&self) -> f64 {
        let below = |u: f64| -> f64 {
            let under = |c: &Cell| c.none + (1.0 - c.none) * normal_cdf((u - c.mu) / c.tau);
            self.cells.iter().map(|c| c.weight * under(c)).sum()
        };
        let (mut low, mut high) = (-12.0, 8.0);
        if below(low) >= 0.5 {
            return 0.0;
        }
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if below(middle) < 0.5 {
                low = middle;
            } else {
                high = middle;
            }
        }
        exp(f64::midpoint(low, high))
    }

    /// A joint sample: the factors of the tested channels, then of so many untested ones.
    pub(super) fn sample(&self, untested: usize, stream: u64) -> Vec<f64> {
        let mut state = split_mix(stream);
        let mut uniform = || {
            state = split_mix(state);
            unit_open(state)
        };
        let u = uniform() * self.cumulative.last().copied().unwrap_or(1.0);
        let cell = self.cumulative.partition_point(|c| *c < u).min(self.cells.len() - 1);
        let Cell { none, mu, tau, .. } = self.cells[cell];
        let mut out = Vec::with_capacity(self.meshes.len() + untested);
        for mesh in &self.meshes {
            let masses: Vec<f64> = mesh.under(mu, tau).collect();
            let some = (1.0 - none) * masses.iter().sum::<f64>();
            let mut left = uniform() * (none * mesh.none + some);
            if left >= some {
                out.push(0.0);
                continue;
            }
            left /= 1.0 - none;
            let mut at = mesh.at.len() - 1;
            for (i, mass) in masses.iter().enumerate() {
                left -= mass;
                if left < 0.0 {
                    at = i;
                    break;
                }
            }
            // Spread within the point's own width, so that samples are not lumps.
            let (low, high) = (at.saturating_sub(1), (at + 1).min(mesh.at.len() - 1));
            let width = (mesh.at[high] - mesh.at[low]) / 2.0;
            out.push(exp(mesh.at[at] + width * (uniform() - 0.5)));
        }
        for _ in 0..untested {
            let nothing = uniform() < none;
            let k = exp(mu + tau * normal_quantile(uniform()));
            out.push(if nothing { 0.0 } else { k });
        }
        out
    }

    /// The means of μ, τ and π.
    pub(super) fn centre(&self) -> [f64; 3] {
        let mean = |f: fn(&Cell) -> f64| self.cells.iter().map(|c| f(c) * c.weight).sum();
        [mean(|c| c.mu), mean(|c| c.tau), mean(|c| c.none)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precise_tests_are_believed_and_vague_ones_are_not() {
        let posterior = Posterior::new(&[(0.5, 1e-4), (0.4, 1e-4), (0.6, 1e-4), (0.5, 50.0)]);
        assert!((posterior.tested(0) - 0.5).abs() < 1e-4);
        assert!((posterior.tested(1) - 0.4).abs() < 1e-4);
        // The vague one is told what the others say.
        assert!((posterior.tested(3) - 0.5).abs() < 0.15, "{}", posterior.tested(3));
        assert!((posterior.untested() - 0.46).abs() < 0.05, "{}", posterior.untested());
    }

    #[test]
    fn samples_are_those_of_the_posterior() {
        let posterior = Posterior::new(&[(0.5, 0.1), (0.9, 0.2), (-0.1, 0.3)]);
        let n = 8_000;
        let median = posterior.untested();
        let mut sums = [0.0; 3];
        let mut below = 0.0;
        for r in 0..n {
            let k = posterior.sample(1, split_mix(r));
            (0..3).for_each(|i| sums[i] += k[i] / n as f64);
            below += f64::from(u8::from(k[3] < median)) / n as f64;
        }
        for (i, mean) in sums.iter().enumerate() {
            assert!((mean - posterior.tested(i)).abs() < 0.015, "{i}: {mean} {}", posterior.tested(i));
        }
        assert!((below - 0.5).abs() < 0.025, "{below}");
        assert!(posterior.tested(2) > 0.0);
    }
}
