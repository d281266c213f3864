//! Fitting Pareto/NBD along covariates.

use serde::{Deserialize, Serialize};

use super::Sources;
use super::likelihood::{Course, LAW, add};
use super::model::DynamicParetoNbdModel;
use super::timeline::{Life, Lives, Timeline};
use crate::clv::covariates::{Covariates, Effect, Effects, coefficients, scales};
use crate::clv::design::{Matrix, Reader, Terms};
use crate::clv::estimates::{Estimates, Verdict};
use crate::clv::finish::{Finish, Finished, Shrinkage};
use crate::clv::laws::{Fit, Law, ParetoLaw, Purchases};
use crate::clv::rows::RfmSlices;
use crate::column::{Columns, Dropped, Duration};
use crate::math::ascent::Local;
use crate::math::{ln, sum};
use crate::{Error, Result, Run};

/// Customers in one piece of work.
const PIECE: usize = 64;
/// Pareto/NBD with covariates that change: how to fit it.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::dynamic::{
///     DynamicLifetimeOptions, DynamicParetoNbd, DynamicPredictOptions, DynamicSpend, DynamicTrackingOptions,
/// };
/// use headwater::clv::{Covariates, GammaGammaModel};
/// use headwater::column::{Columns, Data, Duration};
///
/// // Sixty customers who buy more in the second quarter, by a calendar that all share.
/// let (mut customer, mut time) = (Vec::new(), Vec::new());
/// for i in 0..60 {
///     for day in (i % 28..240).step_by(9 + 13 * (i % 5)).filter(|d| i % 4 > 0 || *d < 90) {
///         for again in 0..=i64::from((90..180).contains(&day)) {
///             customer.push(format!("c{i}"));
///             time.push(1_700_000_000_000_000 + (day as i64 + 4 * again) * 86_400_000_000);
///         }
///     }
/// }
/// let value = vec![20.0; customer.len()];
/// let orders =
///     Columns::new().with("customer", customer).with("time", Data::times(time)).with("value", value);
/// let (mut customer, mut time, mut season) = (Vec::new(), Vec::new(), Vec::new());
/// for i in 0..60 {
///     for (day, on) in [(0_i64, 0.0), (90, 1.0), (180, 0.0)] {
///         customer.push(format!("c{i}"));
///         time.push(1_700_000_000_000_000 + day * 86_400_000_000);
///         season.push(on);
///     }
/// }
/// let seasons = Columns::new().with("customer", customer).with("time", Data::times(time)).with("season", season);
///
/// let fit = DynamicParetoNbd {
///     covariates: Covariates::new(["season"], []),
///     period: Duration::from_days(7),
///     ..DynamicParetoNbd::default()
/// };
/// let run = Run::new();
/// let (model, _) = fit.fit(&orders, &seasons, &run)?;
/// assert!(model.effects().coefficients()[0].value > 0.2);
/// let ask = DynamicPredictOptions { periods: 13.0.into(), ..DynamicPredictOptions::default() };
/// let table = model.predict(&orders, &seasons, &ask, &run)?;
/// assert_eq!(table.table().rows(), 60);
/// // What these purchases are worth, and whether those so far were as many as the model expects.
/// let spend = GammaGammaModel::from_parameters(6.25, 3.74, 15.44)?;
/// let ask = DynamicLifetimeOptions { periods: 13.0.into(), ..DynamicLifetimeOptions::default() };
/// let worth = model.lifetime_value(DynamicSpend::Constant(&spend), &orders, &seasons, &ask, &run)?;
/// assert!(worth.lifetime_value.iter().all(Option::is_some));
/// let tracked = model.tracking(&orders, &seasons, &DynamicTrackingOptions::default(), &run)?;
/// assert!(tracked.expected_cumulative.last() > Some(&0.0));
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicParetoNbd {
    /// Which columns explain what; `dropout_on` has no meaning here.
    pub covariates: Covariates,
    /// The unit of time. Default 1 day.
    pub period: Duration,
    /// How the frames are read.
    pub sources: Sources,
    /// Weight of an L2 penalty on the law's log parameters; see [`Fit::penalty`].
    pub penalty: f64,
    /// Most Newton steps. Default 200.
    pub max_iterations: usize,
    /// The gradient per customer that counts as zero. Default 1e-9.
    pub tolerance: f64,
}

impl Default for DynamicParetoNbd {
    fn default() -> Self {
        let Fit { penalty, max_iterations, tolerance, .. } = Fit::<ParetoLaw, 4>::default();
        Self {
            covariates: Covariates::default(),
            period: Duration::from_days(1),
            sources: Sources::default(),
            penalty,
            max_iterations,
            tolerance,
        }
    }
}

impl DynamicParetoNbd {
    /// Fits the model to orders and covariates; rows that were dropped are returned
    /// beside it, of orders and then of covariates.
    ///
    /// Errors: a customer whose covariates begin after the first order, two rows of a customer at
    /// one time, a covariate that does not vary; those of [`Fit::fit`].
    pub fn fit(
        &self,
        orders: &Columns,
        covariates: &Columns,
        run: &Run,
    ) -> Result<(DynamicParetoNbdModel, [Dropped; 2])> {
        let ready = self.ready(orders, covariates, run)?;
        Ok((self.found(&ready, run)?, ready.dropped))
    }

    /// The frames, read and standardised.
    pub(super) fn ready(&self, orders: &Columns, covariates: &Columns, run: &Run) -> Result<Ready> {
        let names = self.covariates.columns()?;
        if self.period.micros() <= 0 {
            return Err(Error::option("period", "must be longer than 0"));
        }
        let timeline = Timeline::read(covariates, &[Reader::Fit(&names)], &self.sources, run)?;
        let lives = Lives::read(orders, &timeline, &self.sources, self.period.micros() as f64, run)?;
        let mut terms =
            Terms::of(&names, timeline.given(), timeline.given_rows(), &self.covariates.references)?;
        let mut matrix = timeline.matrix(&terms);
        let exposure = lives.exposure(matrix.rows);
        terms.standardise(&mut matrix, |place| exposure[place])?;
        let effects = coefficients::<ParetoLaw, LAW>(&self.covariates, &names, &terms)?;
        let dropped = [lives.dropped.clone(), timeline.dropped];
        Ok(Ready { terms, effects, matrix, lives, dropped })
    }

    /// The fit to them.
    pub(super) fn found(&self, ready: &Ready, run: &Run) -> Result<DynamicParetoNbdModel> {
        let Ready { terms, effects, matrix, lives, .. } = ready;
        let plain = self.plain(lives, run)?;
        let n = lives.each.len() as f64;
        let mean_age = sum(lives.each.iter().map(|l| l.age)) / n;
        run.stage("fitting covariates", 0)?;
        let finish = Finish {
            name: "DynamicParetoNBD",
            plain: &plain,
            shrinkage: Shrinkage {
                centre: std::array::from_fn(|i| ParetoLaw::TIME[i] * ln(mean_age)),
                penalty: self.penalty,
                penalties: effects.iter().map(|e| self.covariates.penalty(e)).collect(),
            },
            scales: scales(effects, terms),
            customers: n,
            limits: (self.max_iterations, self.tolerance),
        };
        let mut found: Finished<LAW> = {
            let course = Course::new(matrix, effects);
            finish.find(|at| whole(lives, &course, at, run))?
        };
        found.judge(Verdict::Interior, |at, held| ParetoLaw.verdict(at, held));
        found.estimates.distinct = lives.each.len() as u64;
        let Finished { estimates, values, fixed, covariance, .. } = found;
        let effects = Effects::found(terms.clone(), effects.clone(), values, &fixed, covariance);
        Ok(DynamicParetoNbdModel::new(estimates, effects, self))
    }

    /// Pareto/NBD without covariates, to start from.
    fn plain(&self, lives: &Lives, run: &Run) -> Result<Estimates> {
        let [x, t_x, t] = lives.histories_alone();
        let rows = slices(&x, &t_x, &t);
        let fit = Fit::<ParetoLaw, LAW>::new().penalty(self.penalty);
        let model = fit.max_iterations(self.max_iterations).tolerance(1e-5).fit(&rows, run)?;
        Ok(model.estimates().clone())
    }
}

/// What a fit is to: standardised covariates, and customers along them.
pub(super) struct Ready {
    pub(super) terms: Terms,
    pub(super) effects: Vec<Effect>,
    pub(super) matrix: Matrix,
    pub(super) lives: Lives,
    /// Rows of orders, and of covariates.
    pub(super) dropped: [Dropped; 2],
}

impl Lives {
    /// Frequency, recency and age of each customer.
    pub(super) fn histories_alone(&self) -> [Vec<f64>; 3] {
        let take = |f: fn(&Life) -> f64| self.each.iter().map(f).collect();
        [take(|l| f64::from(l.frequency)), take(|l| l.recency), take(|l| l.age)]
    }
}

pub(super) fn slices<'a>(frequency: &'a [f64], recency: &'a [f64], age: &'a [f64]) -> RfmSlices<'a> {
    RfmSlices { frequency, recency, age, ..RfmSlices::default() }
}

/// The log-likelihood of all customers.
fn whole(lives: &Lives, course: &Course<'_>, at: &[f64], run: &Run) -> Result<Local> {
    let n = lives.each.len();
    let parts = run.map_items(n.div_ceil(PIECE), |piece| {
        run.check()?;
        let mut total = Local::zero(at.len());
        for life in &lives.each[piece * PIECE..n.min((piece + 1) * PIECE)] {
            let [from, to] = life.purchases;
            add(life, &lives.pieces, &lives.purchases[from..to], course, at, &mut total);
        }
        Ok(total)
    })?;
    Ok(parts.into_iter().fold(Local::zero(at.len()), Local::merge))
}
