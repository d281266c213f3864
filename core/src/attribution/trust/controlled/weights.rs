//! What customers weigh.
//!
//! A conversion scatters by its rate, so customers who convert often by themselves tell little of what
//! touches add. Each weighs one over the rate that is expected of them from their *other* conversions: given
//! the touches, a conversion at t then meets the same weights as the days at t do (Mecke's formula), so that
//!
//! ```text
//! v = Σ_i Σ_conversions g(n_i − 1) w(t),   A = Σ_i g(n_i) ∫ w wᵀ dt,   g(n) = (T + α) / (n + r)
//! ```
//!
//! stays unbiased. Rates are gamma (r, α) over customers, by moments.
//!
//! Mecke's formula is of orders that come independently. A touch that brings one order brings no second: the
//! days after a touch that brings one with chance p meet g(n) of customers in whose n that order is, where
//! the order itself meets g(n − 1). What belongs there is g(n) + p (g(n) − g(n + 1)), to first order in p.

/// One over the rate that is expected of a customer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weights {
    /// r and α; none where customers convert alike.
    rates: Option<[f64; 2]>,
}

/// What the weights are found from.
#[derive(Default)]
pub(super) struct Counts {
    days: f64,
    squares: f64,
    conversions: f64,
    pairs: f64,
}

impl Counts {
    /// A customer with so many conversions in so many days.
    pub(super) fn add(&mut self, days: f64, conversions: f64) {
        self.days += days;
        self.squares += days * days;
        self.conversions += conversions;
        self.pairs += conversions * (conversions - 1.0);
    }

    pub(super) fn weights(&self) -> Weights {
        // E n (n − 1) = λ² T² (1 + 1 / r).
        let rate = self.conversions / self.days;
        let spread = self.pairs / (rate * rate * self.squares) - 1.0;
        let known = rate > 0.0 && spread > 0.0 && spread.is_finite();
        Weights { rates: known.then(|| [1.0 / spread, 1.0 / (spread * rate)]) }
    }
}

impl Weights {
    /// What one conversion more takes from a weight.
    pub(super) fn step(&self, days: f64, conversions: f64) -> f64 {
        self.of(days, conversions) - self.of(days, conversions + 1.0)
    }

    /// The weight of a customer of so many days with so many other conversions; 1 for the mean rate.
    pub(super) fn of(&self, days: f64, others: f64) -> f64 {
        let one = |[r, alpha]: [f64; 2]| (days + alpha) / (others.max(0.0) + r) * (r / alpha);
        self.rates.map_or(1.0, one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_found_from_counts() {
        let mut counts = Counts::default();
        // Half never convert, half 0 to 4 times with mean 2 as a Poisson would: λ is 0 or 0.2 over 10 days.
        for n in [0.0, 0.0, 0.0, 0.0] {
            counts.add(10.0, n);
        }
        for n in [0.0, 1.0, 3.0, 4.0] {
            counts.add(10.0, n);
        }
        let weights = counts.weights();
        // By hand: mean 0.1, Σ n (n − 1) = 18, Σ T² = 800: 1 / r = 18 / 8 − 1.
        let [r, alpha] = weights.rates.unwrap();
        assert!((r - 0.8).abs() < 1e-12 && (alpha - 8.0).abs() < 1e-12);
        assert!((weights.of(10.0, 3.0) - 18.0 / 3.8 * 0.1).abs() < 1e-12);
    }

    #[test]
    fn customers_who_convert_alike_weigh_alike() {
        let mut counts = Counts::default();
        (0..10).for_each(|_| counts.add(10.0, 1.0));
        assert_eq!(counts.weights().of(3.0, 7.0), 1.0);
        assert_eq!(Counts::default().weights().of(3.0, 7.0), 1.0);
    }
}
