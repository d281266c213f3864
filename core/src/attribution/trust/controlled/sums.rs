//! What is added up over customers.

use crate::math::Factor;

/// ∫ w wᵀ, Σ w at conversions, and what all touches do in the time that is seen.
pub(super) struct Sums {
    pub(super) square: Vec<f64>,
    pub(super) moments: Vec<f64>,
    pub(super) exposure: Vec<f64>,
    /// How much all touches begin to do.
    pub(super) started: Vec<f64>,
    /// Days watched, and conversions in them.
    pub(super) days: f64,
    pub(super) conversions: f64,
}

impl Sums {
    pub(super) fn new(p: usize) -> Self {
        Self {
            square: vec![0.0; p * p],
            moments: vec![0.0; p],
            exposure: vec![0.0; p],
            started: vec![0.0; p],
            days: 0.0,
            conversions: 0.0,
        }
    }

    /// θ = A⁻¹ v of the picked features, and v.
    pub(super) fn fit(&self, picked: &[usize]) -> (Vec<f64>, Vec<f64>) {
        let p = self.moments.len();
        let square: Vec<f64> =
            picked.iter().flat_map(|f| picked.iter().map(move |g| self.square[f * p + g])).collect();
        let moments: Vec<f64> = picked.iter().map(|f| self.moments[*f]).collect();
        (Factor::new(square, picked.len()).solve(&moments), moments)
    }

    /// Conversions a day.
    pub(super) fn rate(&self) -> f64 {
        if self.days > 0.0 { self.conversions / self.days } else { 0.0 }
    }

    pub(super) fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.square, &other.square),
            (&mut self.moments, &other.moments),
            (&mut self.exposure, &other.exposure),
            (&mut self.started, &other.started),
        ];
        for (mine, theirs) in pairs {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
        self.days += other.days;
        self.conversions += other.conversions;
    }
}

/// What is asked of a customer beside Σ w at conversions.
pub(super) struct Ask {
    /// Products and exposures too.
    pub(super) products: bool,
    /// Products are those of so many first features with all, and squares.
    pub(super) core: usize,
}
