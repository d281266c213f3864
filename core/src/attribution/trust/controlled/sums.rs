//! What is added up over customers.

use crate::math::Factor;

/// Rounds in which what touches take from weights is found.
const ROUNDS: usize = 6;

/// ∫ w wᵀ and Σ w at conversions.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) square: Vec<f64>,
    pub(super) moments: Vec<f64>,
}

impl Part {
    fn new(p: usize) -> Self {
        Self { square: vec![0.0; p * p], moments: vec![0.0; p] }
    }

    /// θ = A⁻¹ v of the picked features, and v.
    pub(super) fn fit(&self, picked: &[usize]) -> (Vec<f64>, Vec<f64>) {
        let p = self.moments.len();
        let square: Vec<f64> =
            picked.iter().flat_map(|f| picked.iter().map(move |g| self.square[f * p + g])).collect();
        let moments: Vec<f64> = picked.iter().map(|f| self.moments[*f]).collect();
        (Factor::new(square, picked.len()).solve(&moments), moments)
    }

    /// v − A θ.
    pub(super) fn residual<'a>(&'a self, theta: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        let p = self.moments.len();
        let rows = self.square.chunks(p.max(1)).zip(&self.moments);
        rows.map(move |(row, v)| v - row.iter().zip(theta).map(|(a, t)| a * t).sum::<f64>())
    }
}

/// What is added up over customers.
pub(super) struct Sums {
    /// All customers alike.
    pub(super) plain: Part,
    /// Customers by their weights.
    pub(super) weighed: Part,
    /// ∫ w wᵀ by what one conversion more takes from a customer's weight.
    pub(super) steps: Vec<f64>,
    /// What all touches do in the time that is seen.
    pub(super) exposure: Vec<f64>,
    /// How much all touches begin to do.
    pub(super) started: Vec<f64>,
    /// Days watched, and conversions, both as they weigh.
    pub(super) days: f64,
    pub(super) scatter: f64,
}

impl Sums {
    pub(super) fn new(p: usize) -> Self {
        Self {
            plain: Part::new(p),
            weighed: Part::new(p),
            steps: vec![0.0; p * p],
            exposure: vec![0.0; p],
            started: vec![0.0; p],
            days: 0.0,
            scatter: 0.0,
        }
    }

    /// The θ of weighed customers whose touches bring so many conversions each, by their own θ: one at most.
    pub(super) fn weighed_fit(&self, touches: &[Touched]) -> Vec<f64> {
        let p = self.exposure.len();
        let factor = Factor::new(self.weighed.square.clone(), p);
        let mut theta = factor.solve(&self.weighed.moments);
        for _ in 0..ROUNDS {
            let chances = self.chances(&theta, touches);
            let taken = self.taken(&theta, &chances);
            let left: Vec<f64> = self.weighed.moments.iter().zip(taken).map(|(v, x)| v - x).collect();
            theta = factor.solve(&left);
        }
        theta
    }

    /// How many conversions a touch of each channel brings. What is primed brings b beside a, and
    /// (a + b)² = a² + (2 a + b) b.
    pub(super) fn chances(&self, theta: &[f64], touches: &[Touched]) -> Vec<f64> {
        let each = theta.iter().zip(&self.exposure).zip(touches);
        let alone: Vec<f64> = each
            .map(|((t, x), n)| if n.count > 0.0 { (t * x / n.count).clamp(0.0, 1.0) } else { 0.0 })
            .collect();
        let with = |(more, n): (&f64, &Touched)| match n.own {
            Some(own) => (2.0 * alone[own] + more).min(1.0),
            None => *more,
        };
        alone.iter().zip(touches).map(with).collect()
    }

    /// Σ of what touches of these chances take from the weights of the days after them.
    pub(super) fn taken<'a>(
        &'a self,
        theta: &'a [f64],
        chances: &'a [f64],
    ) -> impl Iterator<Item = f64> + 'a {
        let each = move |row: &[f64]| row.iter().zip(theta).zip(chances).map(|((d, t), p)| d * t * p).sum();
        self.steps.chunks(theta.len().max(1)).map(each)
    }

    /// How far v scatters, over A.
    pub(super) fn dispersion(&self) -> f64 {
        if self.days > 0.0 { self.scatter / self.days } else { 0.0 }
    }

    /// The sums that grow with the number of customers of whom products are made.
    pub(super) fn of_products(&mut self) -> [&mut Vec<f64>; 5] {
        let Self { plain, weighed, steps, exposure, started, .. } = self;
        [&mut plain.square, &mut weighed.square, steps, exposure, started]
    }

    pub(super) fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.plain.square, &other.plain.square),
            (&mut self.plain.moments, &other.plain.moments),
            (&mut self.weighed.square, &other.weighed.square),
            (&mut self.weighed.moments, &other.weighed.moments),
            (&mut self.steps, &other.steps),
            (&mut self.exposure, &other.exposure),
            (&mut self.started, &other.started),
        ];
        for (mine, theirs) in pairs {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
        self.days += other.days;
        self.scatter += other.scatter;
    }
}

/// How many touches a feature is of; where it is of primed ones, the feature of all of their channel.
pub(super) struct Touched {
    pub(super) count: f64,
    pub(super) own: Option<usize>,
}

/// What is asked of a customer beside Σ w at conversions.
pub(super) struct Ask {
    /// Products and exposures too.
    pub(super) products: bool,
    /// Products are those of so many first features with all, squares, and those of features of primed touches
    /// with the feature of all touches that they follow.
    pub(super) core: usize,
}
