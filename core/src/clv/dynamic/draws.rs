//! Draws of the parameters of Pareto/NBD along covariates, and what they say of customers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Sources;
use super::customer::{Customer, Path, Shape};
use super::likelihood::{Course, LAW, add};
use super::model::{DynamicParetoNbdModel, centred};
use super::pareto::{DynamicParetoNbd, Ready};
use super::timeline::{Lives, Timeline};
use crate::clv::ahead::{DiscountRate, Horizon};
use crate::clv::covariates::{Covariates, Effect, Effects, Shared};
use crate::clv::design::Terms;
use crate::clv::estimates::Estimates;
use crate::clv::finish::Shrinkage;
use crate::clv::laws::{History, Law, ParetoLaw, Purchases};
use crate::clv::posterior::joint::{Joined, bayes, refits};
use crate::clv::posterior::kernel::Lawful;
use crate::clv::posterior::{
    BootstrapOptions, DrawPredictOptions, DrawPrediction, LogNormal, Method, Posterior, PosteriorOptions,
    Prior,
};
use crate::clv::rows::Unique;
use crate::column::{Columns, Dropped};
use crate::math::ascent::Local;
use crate::math::{ln, sum};
use crate::model::Model;
use crate::{Error, Result, Run};

/// Customers in one piece of work.
const PIECE: usize = 64;

/// Options of [`DynamicParetoNbd::posterior`], as [`PosteriorOptions`] has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicPosteriorOptions {
    /// Chains; 4 by default.
    pub chains: usize,
    /// Draws of each chain; 1000 by default.
    pub draws: usize,
    /// Draws of warm-up before them; 300 by default.
    pub tune: usize,
    /// The acceptance that the step size aims at; 0.8 by default.
    pub target_accept: f64,
    /// A trajectory has at most 2 to this many steps; 10 by default.
    pub max_depth: u32,
    /// The prior of parameters that `priors` does not name.
    pub prior: Prior,
    /// Priors of single parameters and coefficients, by their names.
    pub priors: std::collections::BTreeMap<String, LogNormal>,
    /// Standard deviation of the normal prior of coefficients of standardised covariates.
    pub coefficient_sd: Option<f64>,
}

impl Default for DynamicPosteriorOptions {
    fn default() -> Self {
        let PosteriorOptions { chains, draws, tune, target_accept, max_depth, prior, priors, .. } =
            PosteriorOptions::default();
        Self { chains, draws, tune, target_accept, max_depth, prior, priors, coefficient_sd: None }
    }
}

/// Options of [`Posterior::predict_along`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicDrawOptions {
    /// How far after the end of observation: a number of periods or a span of time. Default 1 period.
    pub periods: Horizon,
    /// Level of the intervals of all but the purchases themselves; 0.9 by default.
    pub level: f64,
    /// Level of an interval for the *purchases themselves*; none by default.
    pub purchase_interval: Option<f64>,
    /// Also P(alive) so many periods, or so long a time, after the end of observation.
    pub ahead: Option<Horizon>,
    /// Also purchases for ever, discounted at this rate, per period or per a span of its own.
    pub discount_rate: Option<DiscountRate>,
    /// Also the time until the next purchase: its quantile of this level.
    pub next_purchase: Option<f64>,
    /// Also the purchase rate while alive, by what holds at the end of observation.
    pub rate: bool,
    /// Also the probabilities of 0, 1, … so many purchases in the coming `periods`, 1000 at most.
    pub probabilities: Option<usize>,
    /// Predict with at most so many draws, evenly spaced; 400 by default.
    pub most_draws: usize,
    /// How the frames are read.
    pub sources: Sources,
}

impl Default for DynamicDrawOptions {
    fn default() -> Self {
        let DrawPredictOptions { periods, level, most_draws, .. } = DrawPredictOptions::default();
        Self {
            periods,
            level,
            purchase_interval: None,
            ahead: None,
            discount_rate: None,
            next_purchase: None,
            rate: false,
            probabilities: None,
            most_draws,
            sources: Sources::default(),
        }
    }
}

/// The likelihood of customers along standardised covariates.
struct Along<'a> {
    ready: &'a Ready,
    slopes: Vec<(usize, bool, bool)>,
    weight: Vec<f64>,
    centre: [f64; LAW],
}

impl<'a> Along<'a> {
    fn new(ready: &'a Ready, mean_age: f64) -> Self {
        Self {
            ready,
            slopes: Course::ways(&ready.effects),
            weight: vec![1.0; ready.lives.each.len()],
            centre: std::array::from_fn(|i| ParetoLaw::TIME[i] * ln(mean_age)),
        }
    }

    /// Adds what one customer says.
    fn add(&self, customer: usize, at: &[f64], total: &mut Local) {
        let Lives { each, pieces, purchases, .. } = &self.ready.lives;
        let life = &each[customer];
        let [from, to] = life.purchases;
        let course = Course::by(&self.ready.matrix, &self.slopes);
        add(life, pieces, &purchases[from..to], &course, at, total);
    }
}

impl Joined<LAW> for Along<'_> {
    fn terms(&self) -> &Terms {
        &self.ready.terms
    }
    fn effects(&self) -> &[Effect] {
        &self.ready.effects
    }
    fn weight(&self) -> &[f64] {
        &self.weight
    }
    fn tells(&self, weight: &[f64]) -> bool {
        self.ready.lives.each.iter().zip(weight).any(|(life, w)| life.frequency > 0 && *w > 0.0)
    }
    fn weighted<'a>(&'a self, weight: &'a [f64]) -> impl Fn(&[f64], &Run) -> Result<Local> + 'a {
        move |at, run| self.evaluate(weight, at, run)
    }
    fn slope(&self, at: &[f64], gradient: &mut [f64]) -> f64 {
        let mut total = Local { value: 0.0, gradient: vec![0.0; at.len()], hessian: Vec::new() };
        (0..self.weight.len()).for_each(|customer| self.add(customer, at, &mut total));
        gradient.copy_from_slice(&total.gradient);
        total.value
    }
}

impl Along<'_> {
    fn shrinkage(&self, penalty: f64, covariates: &Covariates) -> Shrinkage<LAW> {
        let penalties = self.ready.effects.iter().map(|e| covariates.penalty(e)).collect();
        Shrinkage { centre: self.centre, penalty, penalties }
    }

    fn evaluate(&self, weight: &[f64], at: &[f64], run: &Run) -> Result<Local> {
        let n = weight.len();
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            run.check()?;
            let mut total = Local::zero(at.len());
            for (customer, weight) in
                weight.iter().enumerate().take(n.min((piece + 1) * PIECE)).skip(piece * PIECE)
            {
                if *weight == 1.0 {
                    self.add(customer, at, &mut total);
                } else if *weight > 0.0 {
                    let mut own = Local::zero(at.len());
                    self.add(customer, at, &mut own);
                    total = total.merge(own.times(*weight));
                }
            }
            Ok(total)
        })?;
        Ok(parts.into_iter().fold(Local::zero(at.len()), Local::merge))
    }
}

impl DynamicParetoNbd {
    /// Draws of the parameters and coefficients, by NUTS or by Laplace's approximation: what
    /// [`sample_posterior`](crate::clv::posterior::sample_posterior) and [`laplace`](crate::clv::posterior::laplace) are of
    /// the other laws, with their priors. `max_iterations` and `tolerance` mean nothing here. Rows that were dropped are
    /// returned beside it, of orders and then of covariates.
    ///
    /// Errors: those of [`DynamicParetoNbd::fit`]; an [`Error::Option`] for penalties, in whose place priors stand, and for
    /// the method `bootstrap`.
    pub fn posterior(
        &self,
        method: Method,
        orders: &Columns,
        covariates: &Columns,
        options: &DynamicPosteriorOptions,
        run: &Run,
    ) -> Result<(Posterior, [Dropped; 2])> {
        let DynamicPosteriorOptions {
            chains,
            draws,
            tune,
            target_accept,
            max_depth,
            prior,
            priors,
            coefficient_sd,
        } = options.clone();
        let options = PosteriorOptions {
            covariates: Some(self.covariates.clone()),
            chains,
            draws,
            tune,
            target_accept,
            max_depth,
            prior,
            priors,
            coefficient_sd,
            ..PosteriorOptions::default()
        };
        options.check()?;
        if method == Method::Bootstrap {
            return Err(Error::option("method", "is nuts or laplace; refits are `bootstrap`"));
        }
        if self.penalty != 0.0 {
            return Err(Error::option(
                "penalty",
                "a posterior has priors instead of penalties: take `priors`",
            ));
        }
        let ready = self.ready(orders, covariates, run)?;
        let unique = ready.lives.unique(run)?;
        let joint = Along::new(&ready, ready.lives.mean_age());
        let out = Posterior::empty(DynamicParetoNbdModel::KIND, 1, method, Some(self.period.into()));
        let posterior = bayes((Lawful(ParetoLaw), &unique), NAME, &joint, out, &options, run)?;
        Ok((posterior, ready.dropped))
    }

    /// Refits on customers drawn again, each Poisson(1) times: what [`bootstrap`](crate::clv::posterior::bootstrap) is of
    /// the other laws. Covariates keep their means and scales.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::clv::Covariates;
    /// use headwater::clv::dynamic::{DynamicDrawOptions, DynamicParetoNbd};
    /// use headwater::column::{Columns, Data, Duration};
    ///
    /// // Forty customers who buy more in the second quarter.
    /// let day = |d: i64| 1_700_000_000_000_000 + d * 86_400_000_000;
    /// let (mut customer, mut time) = (Vec::new(), Vec::new());
    /// for i in 0..40_i64 {
    ///     for d in (i % 28..240).step_by(9 + 13 * (i % 5) as usize).filter(|d| i % 4 > 0 || *d < 90) {
    ///         for again in 0..=i64::from((90..180).contains(&d)) {
    ///             customer.push(i);
    ///             time.push(day(d + 4 * again));
    ///         }
    ///     }
    /// }
    /// let orders = Columns::new().with("customer", customer).with("time", Data::times(time));
    /// let seasons = Columns::new()
    ///     .with("customer", (0..40).flat_map(|i| [i; 3]).collect::<Vec<i64>>())
    ///     .with("time", Data::times([day(0), day(90), day(180)].repeat(40)))
    ///     .with("season", [0.0, 1.0, 0.0].repeat(40));
    /// let fit = DynamicParetoNbd {
    ///     covariates: Covariates::new(["season"], []),
    ///     period: Duration::from_days(7),
    ///     penalty: 0.01,
    ///     ..DynamicParetoNbd::default()
    /// };
    /// let (draws, _) = fit.bootstrap(&orders, &seasons, 20, &Run::new())?;
    /// let ask = DynamicDrawOptions { periods: 13.0.into(), ..DynamicDrawOptions::default() };
    /// let table = draws.predict_along(&orders, &seasons, &ask, &Run::new())?.table();
    /// assert_eq!(table.rows(), 40);
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn bootstrap(
        &self,
        orders: &Columns,
        covariates: &Columns,
        replicates: usize,
        run: &Run,
    ) -> Result<(Posterior, [Dropped; 2])> {
        let options = BootstrapOptions {
            covariates: Some(self.covariates.clone()),
            penalty: self.penalty,
            max_iterations: self.max_iterations,
            replicates,
            ..BootstrapOptions::default()
        };
        options.check()?;
        let ready = self.ready(orders, covariates, run)?;
        let model = self.found(&ready, run)?;
        let joint = Along::new(&ready, ready.lives.mean_age());
        let start = (model.estimates.values.as_slice(), &model.effects);
        let shrinkage = joint.shrinkage(self.penalty, &self.covariates);
        let refits = refits::<Lawful<ParetoLaw>, LAW>(&joint, start, &shrinkage, &options, run)?;
        let out =
            Posterior::empty(DynamicParetoNbdModel::KIND, 1, Method::Bootstrap, Some(self.period.into()));
        let out = out.at(&model.estimates).explained(&model.effects);
        Ok((out.with_refits(NAME, &refits, &options)?, ready.dropped))
    }
}

const NAME: &str = "DynamicParetoNBD";

impl Lives {
    fn mean_age(&self) -> f64 {
        sum(self.each.iter().map(|life| life.age)) / self.each.len() as f64
    }

    /// The distinct histories.
    fn unique(&self, run: &Run) -> Result<Unique> {
        let [x, t_x, t] = self.histories_alone();
        Unique::of(&super::pareto::slices(&x, &t_x, &t), run)
    }
}

impl Posterior {
    /// What [`Posterior::predict`] says of customers, by draws of [`DynamicParetoNbd`]: by their orders and by covariates, as
    /// [`DynamicParetoNbdModel::predict`] reads them.
    pub fn predict_along(
        &self,
        orders: &Columns,
        covariates: &Columns,
        options: &DynamicDrawOptions,
        run: &Run,
    ) -> Result<DrawPrediction> {
        let (effects, period) = self.along()?;
        let &DynamicDrawOptions { periods, level, purchase_interval, most_draws, ref sources, .. } = options;
        let &DynamicDrawOptions { ahead, discount_rate, next_purchase, rate, probabilities, .. } = options;
        let ask = DrawPredictOptions {
            periods,
            level,
            purchase_interval,
            ahead,
            discount_rate,
            next_purchase,
            rate,
            probabilities,
            most_draws,
            ..DrawPredictOptions::default()
        };
        let asked = self.asked(&ask)?;
        let timeline = Timeline::read(covariates, &[effects.reader()], sources, run)?;
        let micros = period.length().micros() as f64;
        let lives = Lives::read(orders, &timeline, sources, micros, run)?;
        let matrix = centred(effects.terms(), &timeline, 0);
        let shapes: Vec<Arc<Shape>> =
            self.thinned(most_draws).into_iter().map(|draw| Arc::new(Shape::drawn(draw, effects))).collect();
        let n = lives.each.len();
        run.stage("predicting", n as u64)?;
        let parts = run.map_items(n, |i| {
            run.check()?;
            let life = &lives.each[i];
            let [from, to] = life.purchases;
            let bought = &lives.purchases[from..to];
            let path = Arc::new(Path::of(life, &lives.pieces, bought, &timeline, &matrix, micros));
            let law = |shape| -> Box<dyn Purchases> { Box::new(Customer::new(shape, &path, period)) };
            let laws: Vec<Box<dyn Purchases>> = shapes.iter().map(law).collect();
            run.advance(1)?;
            Ok(asked.of(&laws, History::default()))
        })?;
        Ok(asked.told(lives.customer, &Shared::each(parts), lives.dropped))
    }
}

impl Shape {
    /// At one draw, of which nothing else is known.
    fn drawn(draw: &[f64], effects: &Effects) -> Self {
        let (law, coefficients) = draw.split_at(LAW.min(draw.len()));
        let mut estimates = Estimates::given(&ParetoLaw::PARAMETERS, law.to_vec());
        let effects = effects.with_values(coefficients);
        let scales = effects.scales();
        estimates.values.extend(super::customer::as_factors(&effects, &scales));
        Self { estimates, slopes: Course::ways(effects.coefficients()), scales }
    }
}
