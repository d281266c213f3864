//! Customers that a model makes, counted.

use rand::Rng;
use rand_pcg::Pcg64;

use crate::clv::laws::{History, Purchases, Quantity};
use crate::math::quadrature::integrate;
use crate::math::{exp, ln, ln_1p, normal_quantile, sum};
use crate::run::{unit, unit_open};

/// No more purchases of one customer than so many.
const MOST: usize = 100_000;
/// So many customers of one age are drawn one by one.
const FEW: u64 = 2000;
/// From this variance on a binomial number is a rounded normal one.
const LARGE: f64 = 1000.0;
/// A step of ages, as a share of them.
const STEP: f64 = 1e-4;

/// Counts of customers by their repeat purchases.
pub(super) struct Replicate {
    rng: Pcg64,
    most: usize,
    customers: u64,
    /// Of 0, 1, … purchases, the last class open.
    classes: Vec<u64>,
    total: f64,
    squares: f64,
    lately: u64,
}

impl Replicate {
    pub(super) fn new(most: usize, rng: Pcg64) -> Self {
        Self { rng, most, customers: 0, classes: vec![0; most + 1], total: 0.0, squares: 0.0, lately: 0 }
    }

    /// Customers of n repeat purchases.
    pub(super) fn add(&mut self, n: usize, customers: u64) {
        if let Some(class) = self.classes.get_mut(n.min(self.most)) {
            *class += customers;
        }
        let (n, of) = (n as f64, customers as f64);
        self.customers += customers;
        self.total += n * of;
        self.squares += n * n * of;
    }

    /// Customers who bought in the last quarter of their T.
    pub(super) fn add_lately(&mut self, customers: u64) {
        self.lately += customers;
    }

    /// Draws the purchases of new customers up to an age.
    pub(super) fn purchases(&mut self, model: &dyn Purchases, age: f64, customers: u64) {
        let mut mass = Vec::new();
        let grow = |mass: &mut Vec<f64>| {
            let most = (2 * mass.len()).clamp(32, MOST);
            *mass = model.probabilities_of(History::default(), age, most);
        };
        grow(&mut mass);
        if customers <= FEW {
            let mut places: Vec<f64> = (0..customers).map(|_| unit(self.rng.next_u64())).collect();
            places.sort_unstable_by(f64::total_cmp);
            let (mut n, mut below) = (0, mass[0]);
            for place in places {
                while place >= below && n < MOST {
                    n += 1;
                    if n >= mass.len() {
                        grow(&mut mass);
                    }
                    below += mass.get(n).copied().unwrap_or(0.0);
                }
                self.add(n, 1);
            }
            return;
        }
        // Class after class, of those who are left.
        let (mut left, mut above, mut n) = (customers, 1.0, 0);
        while left > 0 {
            if n >= mass.len() && n < MOST {
                grow(&mut mass);
            }
            let here = mass.get(n).copied().unwrap_or(0.0);
            let share = if n >= MOST || here >= above { 1.0 } else { (here / above).max(0.0) };
            let found = self.binomial(left, share);
            self.add(n, found);
            left -= found;
            above -= here;
            n += 1;
        }
    }

    /// Draws how many of the new customers bought in the last quarter up to an age.
    pub(super) fn lately(&mut self, model: &dyn Purchases, age: f64, customers: u64) {
        let share = chance_lately(model, age);
        self.lately += if customers <= FEW {
            (0..customers).filter(|_| unit(self.rng.next_u64()) < share).count() as u64
        } else {
            self.binomial(customers, share)
        };
    }

    fn binomial(&mut self, n: u64, p: f64) -> u64 {
        binomial(&mut self.rng, n, p)
    }

    /// Shares of the classes, mean, variance, and where asked for the share of `lately`.
    pub(super) fn statistics(&self, lately: bool) -> Vec<f64> {
        let customers = self.customers as f64;
        let mean = self.total / customers;
        let mut out: Vec<f64> = self.classes.iter().map(|class| *class as f64 / customers).collect();
        out.extend([mean, (self.squares / customers - mean * mean).max(0.0)]);
        if lately {
            out.push(self.lately as f64 / customers);
        }
        out
    }
}

/// How many of `n` are of a kind that each is with this chance.
pub(super) fn binomial(rng: &mut Pcg64, n: u64, p: f64) -> u64 {
    if p > 0.5 {
        return n - binomial(rng, n, 1.0 - p);
    }
    if p <= 0.0 {
        return 0;
    }
    let (of, bits) = (n as f64, rng.next_u64());
    let variance = of * p * (1.0 - p);
    if variance >= LARGE {
        let drawn = of * p + variance.sqrt() * normal_quantile(unit_open(bits));
        return drawn.round().clamp(0.0, of) as u64;
    }
    // Inversion from 0 on; in logarithms, for (1 − p)^n may be less than any number.
    let odds = ln(p) - ln_1p(-p);
    let mut ln_mass = of * ln_1p(-p);
    let (mut place, mut found) = (unit(bits), 0);
    while found < n {
        let mass = exp(ln_mass);
        let over = found as f64 > of * p && ln_mass < -60.0;
        if place < mass || over {
            break;
        }
        place -= mass;
        ln_mass += odds + ln((of - found as f64) / (found as f64 + 1.0));
        found += 1;
    }
    found
}

/// Whether a last purchase lies in the last quarter of T.
pub(super) fn bought_lately(recency: f64, age: f64, discrete: bool) -> bool {
    recency > begins(age, discrete)
}

/// Where the last quarter begins.
fn begins(age: f64, discrete: bool) -> f64 {
    if discrete { (0.75 * age).floor() } else { 0.75 * age }
}

/// P(a new customer buys in the last quarter up to an age), of laws of purchases at random.
///
/// The first such purchase comes after a span w without any. Where purchases come
/// at random the chance of it is the same wherever that span lies in the life of
/// the customer: it is moved to the beginning, of which the model tells the likelihood
/// and what is expected afterwards.
fn chance_lately(model: &dyn Purchases, age: f64) -> f64 {
    let from = begins(age, model.is_discrete());
    let quiet = |w: f64| History { age: w, ..History::default() };
    let likelihood = |w: f64| exp(model.quantity(quiet(w), Quantity::LogLikelihood));
    let expected = |w: f64, periods: f64| model.quantity(quiet(w), Quantity::Purchases { periods });
    let chance = if model.is_discrete() {
        let one = |w: u64| {
            let w = w as f64;
            likelihood(w) * (expected(w, from + 1.0) - expected(w, from))
        };
        sum((0..(age - from) as u64).map(one))
    } else if age > 0.0 {
        let step = STEP * from;
        let density = |w: f64| (expected(w, from + step) - expected(w, from - step)) / (2.0 * step);
        integrate(0.0, age - from, 1, |w| likelihood(w) * density(w))
    } else {
        0.0
    };
    chance.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;
    use crate::Run;
    use crate::clv::door::purchases_with;
    use crate::math::ln_gamma;

    const LAWS: [(&str, &[f64]); 5] = [
        ("clv.BetaGeo", &[0.8, 6.0, 0.9, 2.0]),
        ("clv.ModifiedBetaGeo", &[0.8, 6.0, 0.9, 2.0]),
        ("clv.ParetoNBD", &[0.8, 6.0, 0.7, 9.0]),
        ("clv.GGompertzNBD", &[0.8, 6.0, 0.1, 0.7, 2.0]),
        ("clv.BetaGeoBetaBinomial", &[1.4, 4.0, 0.7, 6.0]),
    ];

    // Who did not buy lately has a history that ends before: all of them added up.
    #[test]
    fn the_chance_of_a_late_purchase_is_that_of_all_histories() {
        for (kind, values) in LAWS {
            let model = purchases_with(kind, values, 1, None).unwrap();
            for age in [1.0, 8.0, 13.0] {
                let from = begins(age, model.is_discrete());
                let likelihood = |frequency: u32, recency: f64| {
                    model.quantity(
                        History { frequency, recency, age, ..History::default() },
                        Quantity::LogLikelihood,
                    )
                };
                let mut quiet = likelihood(0, 0.0).exp();
                for n in 1..=60_u32 {
                    let x = f64::from(n);
                    quiet += if model.is_discrete() {
                        let ways = |t: f64| ln_gamma(t) - ln_gamma(x) - ln_gamma(t - x + 1.0);
                        (n..=from as u32)
                            .map(|t| (ways(f64::from(t)) + likelihood(n, f64::from(t))).exp())
                            .sum::<f64>()
                    } else {
                        integrate(0.0, from, 2, |t| {
                            ((x - 1.0) * t.ln() - ln_gamma(x) + likelihood(n, t)).exp()
                        })
                    };
                }
                let found = chance_lately(&*model, age);
                assert!((found - (1.0 - quiet)).abs() < 1e-7, "{kind} {age}: {found} for {}", 1.0 - quiet);
            }
        }
        let model = purchases_with("clv.BetaGeo", LAWS[0].1, 1, None).unwrap();
        assert_eq!(chance_lately(&*model, 0.0), 0.0);
    }

    // Few customers and many, which are drawn in different ways.
    #[test]
    fn replicates_have_the_moments_of_the_law() {
        let run = Run::new();
        for (kind, values) in LAWS {
            let model = purchases_with(kind, values, 1, None).unwrap();
            let mass = model.probabilities_of(History::default(), 13.0, 4000);
            let late = chance_lately(&*model, 13.0);
            for customers in [200_u64, 20_000, 2_000_000] {
                let rounds = 300;
                let drawn: Vec<Vec<f64>> = (0..rounds)
                    .map(|stream| {
                        let mut one = Replicate::new(3, run.rng(stream));
                        one.purchases(&*model, 13.0, customers);
                        one.lately(&*model, 13.0, customers);
                        assert_eq!(one.customers, customers);
                        assert_eq!(one.classes.iter().sum::<u64>(), customers);
                        one.statistics(true)
                    })
                    .collect();
                let n = customers as f64;
                let mut wanted: Vec<f64> = mass[..3].to_vec();
                wanted.push(1.0 - mass[..3].iter().sum::<f64>());
                wanted.push(late);
                for (class, p) in wanted.iter().enumerate() {
                    let at = if class == 4 { 6 } else { class };
                    let mean = drawn.iter().map(|d| d[at]).sum::<f64>() / rounds as f64;
                    let variance =
                        drawn.iter().map(|d| (d[at] - mean).powi(2)).sum::<f64>() / (rounds - 1) as f64;
                    let exact = p * (1.0 - p) / n;
                    let error = (exact / rounds as f64).sqrt();
                    assert!((mean - p).abs() < 4.5 * error, "{kind} {customers} {class}: {mean} for {p}");
                    assert!((variance / exact - 1.0).abs() < 0.4, "{kind} {customers} {class}: variance");
                }
                let moment = |power: i32| -> f64 {
                    mass.iter().enumerate().map(|(i, p)| (i as f64).powi(power) * p).sum()
                };
                let (mean, spread) = (moment(1), moment(2) - moment(1).powi(2));
                let found = drawn.iter().map(|d| d[4]).sum::<f64>() / rounds as f64;
                assert!((found - mean).abs() < 4.5 * (spread / n / rounds as f64).sqrt(), "{kind}: {found}");
                let found = drawn.iter().map(|d| d[5]).sum::<f64>() / rounds as f64;
                assert!((found / (spread * (1.0 - 1.0 / n)) - 1.0).abs() < 0.15, "{kind}: {found}");
            }
        }
    }

    #[test]
    fn binomial_numbers_of_any_size() {
        for (n, p) in [(5_000, 0.001), (5_000, 0.2), (100_000, 0.4), (3_000, 0.9), (10, 1.0), (10, 0.0)] {
            let mut one = Replicate::new(1, Run::new().rng(3));
            let drawn: Vec<f64> = (0..4000).map(|_| one.binomial(n, p) as f64).collect();
            let mean = drawn.iter().sum::<f64>() / 4000.0;
            let variance = drawn.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 4000.0;
            let exact = n as f64 * p * (1.0 - p);
            assert!((mean - n as f64 * p).abs() <= 4.0 * (exact / 4000.0).sqrt(), "{n} {p}: {mean}");
            assert!((variance - exact).abs() <= 0.1 * exact, "{n} {p}: {variance} for {exact}");
        }
    }
}
