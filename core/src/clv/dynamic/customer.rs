//! One customer along its covariates, asked what any law of purchases is asked.
//!
//! At the end of observation λ ~ Gamma(r + x, α + A(T)) and μ ~ Gamma(s, β + D(T)) of whoever is alive, independently, so
//! that with A and D counted from there and S = ((β + D(T)) / (β + D(T) + D))^s
//!
//! ```text
//! P(n in t | alive) = S(t) NB(n; A(t)) + ∫₀ᵗ NB(n; A(u)) d(1 − S(u))
//! ```

use std::sync::Arc;

use super::likelihood::{Course, LAW, ln_likelihood};
use super::living::Living;
use super::model::DynamicParetoNbdModel;
use super::predict::Coming;
use super::timeline::{Life, Timeline};
use crate::clv::covariates::Effects;
use crate::clv::design::Matrix;
use crate::clv::estimates::Estimates;
use crate::clv::laws::{History, Law, Mixing, ParetoLaw, Purchases, Quantity};
use crate::clv::unit::Unit;
use crate::math::{exp, ln};
use crate::{Error, Result};

/// No coefficient of a standardised covariate stands for more than e to this.
const BEYOND: f64 = 600.0;

/// Parameters of the law and then of coefficients: e to that of a standardised covariate, which is positive as they are.
pub(super) struct Shape {
    pub(super) estimates: Estimates,
    pub(super) scales: Vec<f64>,
    pub(super) slopes: Vec<(usize, bool, bool)>,
}

impl Shape {
    pub(super) fn of(model: &DynamicParetoNbdModel) -> Self {
        let effects = &model.effects;
        let scales = effects.scales();
        let mut estimates = model.estimates.clone();
        estimates.names.extend(effects.names());
        estimates.fixed.extend(effects.coefficients().iter().map(|c| c.fixed));
        let unit = |i: usize| i.checked_sub(LAW).and_then(|c| scales.get(c)).copied().unwrap_or(1.0);
        let scaled = |(i, row): (usize, &Vec<f64>)| {
            row.iter().enumerate().map(|(j, c)| c * unit(i) * unit(j)).collect()
        };
        estimates.covariance = effects.covariance().iter().enumerate().map(scaled).collect();
        estimates.values.extend(as_factors(effects, &scales));
        Self { estimates, scales, slopes: Course::ways(effects.coefficients()) }
    }

    /// Log parameters and coefficients in the units of the data.
    fn at(&self, parameters: &[f64]) -> Vec<f64> {
        let units = std::iter::repeat_n(1.0, LAW).chain(self.scales.iter().copied());
        parameters.iter().zip(units).map(|(value, unit)| ln(*value) / unit).collect()
    }
}

pub(super) fn as_factors(effects: &Effects, scales: &[f64]) -> Vec<f64> {
    let factor = |value: f64, scale: &f64| exp((value * scale).clamp(-BEYOND, BEYOND));
    effects.coefficients().iter().zip(scales).map(|(c, scale)| factor(c.value, scale)).collect()
}

/// What happened to a customer, and what holds afterwards, for ever.
pub(super) struct Path {
    life: Life,
    pieces: Vec<(u32, f64)>,
    bought: Vec<(u32, f64)>,
    coming: Coming,
    /// The rows that the places above stand for.
    matrix: Matrix,
}

impl Path {
    pub(super) fn of(
        life: &Life,
        pieces: &[(u32, f64)],
        bought: &[(u32, f64)],
        timeline: &Timeline<'_>,
        matrix: &Matrix,
        period: f64,
    ) -> Self {
        let (first, end) = life.places;
        let own = |all: &[(u32, f64)]| all.iter().map(|(place, value)| (place - first, *value)).collect();
        let [from, split, to] = life.pieces;
        let rows = first as usize * matrix.columns..end as usize * matrix.columns;
        let values = matrix.values.get(rows).unwrap_or_default().to_vec();
        Self {
            pieces: own(pieces.get(from..to).unwrap_or_default()),
            bought: own(bought),
            coming: own(&timeline.coming(life.places, life.end, i64::MAX, period)),
            matrix: Matrix { rows: (end - first) as usize, columns: matrix.columns, values },
            life: Life { pieces: [0, split - from, to - from], ..life.clone() },
        }
    }
}

/// The law of one customer, of whom any history is that which was observed.
pub(super) struct Customer {
    shape: Arc<Shape>,
    path: Arc<Path>,
    now: Living,
    period: Unit,
}

impl Customer {
    pub(super) fn new(shape: &Arc<Shape>, path: &Arc<Path>, period: Unit) -> Self {
        let course = Course::by(&path.matrix, &shape.slopes);
        let at = shape.at(&shape.estimates.values);
        let now = Living::new(&path.life, &path.pieces, &course, &at);
        Self { shape: shape.clone(), path: path.clone(), now, period }
    }

    /// Posterior means and standard deviations of the customer's own rates of buying and of leaving, by what holds at the
    /// end of observation.
    pub(super) fn own_rates(&self) -> [f64; 4] {
        let [buying, leaving] = self.factors(&self.shape.at(&self.shape.estimates.values));
        let [bought, left] = self.mixing().map(|mixing| mixing.own(self, History::default()));
        [bought[0] * buying, bought[1] * buying, left[0] * leaving, left[1] * leaving]
    }

    /// Those of both rates after the end of observation.
    fn factors(&self, at: &[f64]) -> [f64; 2] {
        let place = self.path.coming.first().map_or(0, |piece| piece.0);
        Course::by(&self.path.matrix, &self.shape.slopes).factors(place, &at[LAW..])
    }

    /// What is asked of the customer at these parameters.
    fn ask<T>(&self, parameters: &[f64], of: impl FnOnce(&Living, &Course<'_>, &[f64]) -> T) -> T {
        let Path { life, pieces, matrix, .. } = &*self.path;
        let course = Course::by(matrix, &self.shape.slopes);
        let at = self.shape.at(parameters);
        if parameters == self.shape.estimates.values {
            return of(&self.now, &course, &at);
        }
        of(&Living::new(life, pieces, &course, &at), &course, &at)
    }
}

/// What is to come within so long a time; the last piece holds for ever.
fn until(coming: &[(u32, f64)], time: f64) -> Coming {
    let (mut left, mut out) = (time, Vec::new());
    for (i, (place, length)) in coming.iter().enumerate() {
        let length = if i + 1 == coming.len() { left } else { length.min(left) };
        out.push((*place, length));
        left -= length;
        if left <= 0.0 {
            break;
        }
    }
    out
}

impl Purchases for Customer {
    fn kind(&self) -> &'static str {
        <DynamicParetoNbdModel as crate::model::Model>::KIND
    }
    fn estimates(&self) -> &Estimates {
        &self.shape.estimates
    }
    fn period(&self) -> Option<Unit> {
        Some(self.period)
    }
    /// Rates jump with the covariates.
    fn is_smooth(&self) -> bool {
        false
    }
    fn mixing(&self) -> [Mixing; 2] {
        ParetoLaw::MIXING
    }
    fn quantity_at(&self, parameters: &[f64], _: History, quantity: Quantity) -> f64 {
        let Path { life, pieces, bought, coming, .. } = &*self.path;
        self.ask(parameters, |living, course, at| {
            let expected = |periods: f64| living.while_alive(&until(coming, periods), course, at);
            match quantity {
                Quantity::OddsAlive => living.odds(),
                Quantity::Alive { ahead } => exp(living.ln_alive(&until(coming, ahead), course, at)),
                Quantity::Purchases { periods } => living.p_alive() * expected(periods),
                Quantity::WhileAlive { periods } => expected(periods),
                Quantity::Residual { rate } => {
                    living.p_alive() * living.discounted(&until(coming, ENOUGH / rate), course, at, rate)
                }
                Quantity::Rate => living.rate() * self.factors(at)[0],
                Quantity::LogLikelihood => ln_likelihood(life, pieces, bought, course, at),
            }
        })
    }
    fn probabilities_at(&self, parameters: &[f64], _: History, periods: f64, most: usize) -> Vec<f64> {
        let coming = until(&self.path.coming, periods);
        self.ask(parameters, |living, course, at| living.probabilities(&coming, course, at, most))
    }
    fn bytes(&self) -> Result<Vec<u8>> {
        Err(Error::option("model", "one customer is no model that can be saved"))
    }
}

/// What is discounted by e to this is nothing.
const ENOUGH: f64 = 50.0;
