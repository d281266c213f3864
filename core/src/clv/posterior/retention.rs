//! Draws of the models of retention, and what they expect of customers under contract.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::refits;
use super::kernel::{Evidence, Kernel};
use super::predict::{DrawPredictOptions, DrawPrediction, most_draws};
use super::report::level;
use super::sample::drawn;
use super::subject::Subject;
use super::{BootstrapOptions, Method, Posterior, PosteriorOptions, explained};
use crate::clv::contract::{
    self, Belief, ContractOptions, ContractPredictOptions, ContractValueOptions, Curve, Family, Group, Known,
    Lives, Met, SHIFTED, Solver, WEIBULL, met,
};
use crate::clv::finance::Rate;
use crate::column::{Columns, Dropped, OnInvalid, Table};
use crate::math::exp;
use crate::math::newton::Local;
use crate::{Error, Result, Run};

/// Logarithms between which c lies, within 0.01 and 20.
const LIMITS: (f64, f64) = (-4.605_17, 2.995_73);

impl Evidence for Lives {
    fn pooled(&self, model: &'static str) -> Result<(f64, f64, f64)> {
        let (lost, kept) = self.life().totals();
        if lost + kept > 0.0 {
            return Ok((self.life().customers(), 1.0, lost / (lost + kept)));
        }
        let reason = format!("no customer has met a renewal yet: {model} has no retention to learn from");
        Err(Error::not_enough_data(reason))
    }

    fn weights(&self) -> Vec<f64> {
        self.weight().to_vec()
    }

    fn reweighted(&self, weight: &[f64]) -> Self {
        Self::reweighted(self, weight)
    }

    fn together(parts: &[Self]) -> Self {
        Self::together(parts)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Shifted;

impl Kernel<2> for Shifted {
    type Data = Lives;
    type Ready<'a> = Vec<Met>;
    type Full<'a> = Vec<Met>;
    const NAME: &'static str = "ShiftedBetaGeo";
    const NAMES: [&'static str; 2] = ["alpha", "beta"];
    const UNIT: [f64; 2] = [0.0; 2];

    fn ready(self, lives: &Lives) -> Vec<Met> {
        met(lives.life())
    }
    fn slope(self, met: &Vec<Met>, log: [f64; 2]) -> (f64, [f64; 2]) {
        (SHIFTED.slope)(met, log.map(exp))
    }
    fn full(self, lives: &Lives) -> Vec<Met> {
        met(lives.life())
    }
    fn local(self, met: &Vec<Met>, log: [f64; 2], _: &Run) -> Result<Local<2>> {
        Ok((SHIFTED.local)(met, log.map(exp)))
    }
    fn start(self, _: &Lives, (leave, _): (f64, f64), _: &Run) -> Result<[f64; 2]> {
        Ok(contract::start(leave))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Weibull;

impl Kernel<3> for Weibull {
    type Data = Lives;
    type Ready<'a> = Vec<Met>;
    type Full<'a> = Vec<Met>;
    const NAME: &'static str = "BetaDiscreteWeibull";
    const NAMES: [&'static str; 3] = ["alpha", "beta", "c"];
    const UNIT: [f64; 3] = [0.0; 3];
    const LIMITS: [(f64, f64); 3] =
        [(f64::NEG_INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::INFINITY), LIMITS];

    fn ready(self, lives: &Lives) -> Vec<Met> {
        met(lives.life())
    }
    fn slope(self, met: &Vec<Met>, log: [f64; 3]) -> (f64, [f64; 3]) {
        (WEIBULL.slope)(met, log.map(exp))
    }
    fn full(self, lives: &Lives) -> Vec<Met> {
        met(lives.life())
    }
    fn local(self, met: &Vec<Met>, log: [f64; 3], _: &Run) -> Result<Local<3>> {
        Ok((WEIBULL.local)(met, log.map(exp)))
    }
    /// The likelihood may have more than one hill: the highest of them, where the fit finds it.
    fn start(self, lives: &Lives, (leave, _): (f64, f64), run: &Run) -> Result<[f64; 3]> {
        let solver = Solver { max_iterations: 200, tolerance: 1e-6 };
        let [alpha, beta] = contract::start(leave);
        match Family::BetaDiscreteWeibull.fit(lives.life(), solver, run) {
            Ok(fit) if fit.fixed == [false; 3] => Ok([fit.values[0], fit.values[1], fit.values[2]]),
            Err(Error::Cancelled) => Err(Error::Cancelled),
            _ => Ok([alpha, beta, 1.0]),
        }
    }
}

/// How the rows of a frame are read: what `contract` names, with the weight and the rest that all models have.
pub(super) fn read_as(
    contract: Option<&ContractOptions>,
    weight: Option<&String>,
    on_invalid: OnInvalid,
) -> Result<ContractOptions> {
    let given = contract.cloned().unwrap_or_default();
    let ContractOptions {
        data,
        cohort,
        index,
        customers,
        start,
        left_truncated,
        duration,
        event,
        entry,
        covariates,
        ..
    } = given.clone();
    let rows = ContractOptions {
        data,
        cohort,
        index,
        customers,
        start,
        left_truncated,
        duration,
        event,
        entry,
        covariates,
        ..ContractOptions::default()
    };
    if given == rows {
        return Ok(ContractOptions { weight: weight.cloned(), on_invalid, ..rows });
    }
    Err(Error::option(
        "contract",
        "says what the rows are: data, cohort, index, customers, start, left_truncated, duration, event, entry, \
         covariates; the rest stands beside it, and all customers share one curve",
    ))
}

pub(super) fn rows_of(options: &PosteriorOptions) -> Result<ContractOptions> {
    read_as(options.contract.as_ref(), options.weight.as_ref(), options.on_invalid)
}

/// What reads no covariates of contracts refuses them.
pub(super) fn unexplained(asked: &ContractOptions, reason: &str) -> Result<()> {
    asked.covariates.as_ref().map_or(Ok(()), |_| Err(Error::option("covariates", reason)))
}

pub(super) fn bayes(
    family: Family,
    frame: &Columns,
    options: &PosteriorOptions,
    method: Method,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    let out = Posterior::empty(family.kind(), 1, method, options.period);
    let asked = rows_of(options)?;
    if let Some(covariates) = &asked.covariates {
        return explained::bayes(family, frame, (&asked, covariates), out, options, run);
    }
    let (lives, dropped) = contract::lives(frame, &asked, run)?;
    let posterior = match family {
        Family::ShiftedBetaGeo => drawn(Shifted, &lives, out, options, run)?,
        Family::BetaDiscreteWeibull => drawn(Weibull, &lives, out, options, run)?,
    };
    Ok((posterior, dropped))
}

impl BootstrapOptions {
    /// That of the fit to start from.
    pub(super) fn solver(&self) -> Solver {
        Solver { max_iterations: self.max_iterations, tolerance: self.first_tolerance() }
    }
}

pub(super) fn bootstrap(
    family: Family,
    frame: &Columns,
    options: &BootstrapOptions,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    let out = Posterior::empty(family.kind(), 1, Method::Bootstrap, options.period);
    let asked = read_as(options.contract.as_ref(), options.weight.as_ref(), options.on_invalid)?;
    if let Some(covariates) = &asked.covariates {
        return explained::bootstrap(family, frame, (&asked, covariates), out, options, run);
    }
    let (lives, dropped) = contract::lives(frame, &asked, run)?;
    let fit = family.fit(lives.life(), options.solver(), run)?;
    let refits = match family {
        Family::ShiftedBetaGeo => refits(Shifted, &lives, &fit.values, options, run)?,
        Family::BetaDiscreteWeibull => refits(Weibull, &lives, &fit.values, options, run)?,
    };
    Ok((out.at(&fit).with_refits(family.name(), &refits, options)?, dropped))
}

/// Options of [`Posterior::survival`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrawSurvivalOptions {
    /// How many periods from the beginning; 12 by default.
    pub periods: u32,
    /// Level of the intervals; 0.9 by default.
    pub level: f64,
    /// At most so many draws, evenly spaced; 400 by default, 100,000 at most.
    pub most_draws: usize,
    /// Of draws with covariates: those of the kind of customer told of, such as `{"plan": "basic"}`; at their
    /// means unless given.
    pub at: Option<BTreeMap<String, Known>>,
}

impl Default for DrawSurvivalOptions {
    fn default() -> Self {
        Self { periods: 12, level: 0.9, most_draws: 400, at: None }
    }
}

/// Options of [`Posterior::value`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrawValueOptions {
    /// The discount rate, such as `{"rate": 0.1, "per": "365d"}`; needed.
    pub discount: Option<Rate>,
    /// How many periods of tenure are valued; 5 by default.
    pub tenures: u32,
    /// Periods valued from each tenure on; all of them unless given.
    pub horizon: Option<u32>,
    /// Margin of one period; 1 by default.
    pub margin: f64,
    /// Level of the intervals; 0.9 by default.
    pub level: f64,
    /// At most so many draws, evenly spaced; 400 by default, 100,000 at most.
    pub most_draws: usize,
    /// Of draws with covariates: those of the kind of customer told of, such as `{"plan": "basic"}`; at their
    /// means unless given.
    pub at: Option<BTreeMap<String, Known>>,
}

impl Default for DrawValueOptions {
    fn default() -> Self {
        let ContractValueOptions { discount, tenures, horizon, margin, .. } = ContractValueOptions::default();
        Self { discount, tenures, horizon, margin, level: 0.9, most_draws: 400, at: None }
    }
}

impl Posterior {
    /// Some of the draws, which must be of a model of retention.
    pub(super) fn retained(&self, most: usize) -> Result<Vec<&[f64]>> {
        if !matches!(self.subject(), Subject::Retention(_)) {
            return Err(
                self.other("only those of ShiftedBetaGeo and BetaDiscreteWeibull have a retention curve")
            );
        }
        Ok(self.thinned(most_draws(most)?))
    }

    /// The curve at a draw, of customers with these covariates; at their means without any.
    pub(super) fn curve(&self, draw: &[f64], covariates: Option<&[f64]>) -> Result<Curve> {
        match (&self.effects, covariates) {
            (Some(effects), Some(row)) => contract::curve_at(effects, self.parts(draw), row),
            _ => Curve::given(self.parts(draw).0),
        }
    }

    /// The curves of some of the draws, of one kind of customer where its covariates are known.
    fn curves(&self, most: usize, at: Option<&BTreeMap<String, Known>>, run: &Run) -> Result<Vec<Curve>> {
        let draws = self.retained(most)?;
        let row = match (at, &self.effects) {
            (None, _) => None,
            (Some(_), None) => return Err(contract::without("the draws are")),
            (Some(known), Some(effects)) => Some(contract::known_row(effects, known, run)?),
        };
        draws.into_iter().map(|draw| self.curve(draw, row.as_deref())).collect()
    }

    fn rate(&self, discount: Option<Rate>) -> Result<Option<f64>> {
        discount.map(|d| contract::per_period(d, self.period)).transpose()
    }

    /// A frame of the retention curve, of draws of a model of retention: period, and survival, retention and churn
    /// (P(T = t)), each the mean over the draws with `_low` and `_high`.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::clv::posterior::{DrawSurvivalOptions, PosteriorOptions, sample_posterior};
    /// use headwater::column::Columns;
    ///
    /// let cohorts = Columns::new()
    ///     .with("period", vec![0, 1, 2, 3, 4])
    ///     .with("customers", vec![100.0, 87.0, 74.0, 65.0, 59.0]);
    /// let options = PosteriorOptions { draws: 200, ..PosteriorOptions::default() };
    /// let (posterior, _) = sample_posterior("ShiftedBetaGeo", &cohorts, &options, &Run::new())?;
    /// let ahead = DrawSurvivalOptions { periods: 8, ..DrawSurvivalOptions::default() };
    /// let curve = posterior.survival(&ahead, &Run::new())?;
    /// let width = |t: usize| Some(curve.f64s("survival_high")?[t] - curve.f64s("survival_low")?[t]);
    /// assert!(width(8) > width(4)); // beyond the data less is known
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn survival(&self, options: &DrawSurvivalOptions, run: &Run) -> Result<Table> {
        let tail = 0.5 - 0.5 * level(options.level)?;
        let curves = self.curves(options.most_draws, options.at.as_ref(), run)?;
        contract::curves(&[drawn_group(&curves, tail)], options.periods, run)
    }

    /// A frame of discounted lifetimes by tenure, of draws of a model of retention: tenure, discounted_lifetime,
    /// expected_lifetime, value, each the mean over the draws with `_low` and `_high`; missing where it is infinite,
    /// as a mean is where it is infinite in some draw. Tenures are those of
    /// [`ContractModel::value`](contract::ContractModel::value).
    pub fn value(&self, options: &DrawValueOptions, run: &Run) -> Result<Table> {
        let tail = 0.5 - 0.5 * level(options.level)?;
        let curves = self.curves(options.most_draws, options.at.as_ref(), run)?;
        let &DrawValueOptions { discount, tenures, horizon, margin, .. } = options;
        let asked =
            ContractValueOptions { discount, tenures, horizon, margin, ..ContractValueOptions::default() };
        contract::values(&[drawn_group(&curves, tail)], self.rate(discount)?, &asked, run)
    }

    /// What is expected of customers who are still there.
    pub(super) fn predict_retention(
        &self,
        frame: &Columns,
        options: &DrawPredictOptions,
        run: &Run,
    ) -> Result<DrawPrediction> {
        let curves = self.curves(options.most_draws, None, run)?;
        let asked = ContractPredictOptions {
            customer: options.customer.clone(),
            renewals: options.renewals.clone(),
            periods: options.periods.whole("periods", self.period, 100_000)? as u32,
            discount: options.discount,
            horizon: options.horizon,
            margin: options.margin,
            on_invalid: options.on_invalid,
            ..ContractPredictOptions::default()
        };
        let tail = 0.5 - 0.5 * options.level;
        let rate = self.rate(options.discount)?;
        let draws = self.retained(options.most_draws)?;
        let knowing = |row: &[f64]| {
            let curves = draws.iter().map(|draw| self.curve(draw, Some(row))).collect::<Result<Vec<_>>>()?;
            Ok(Belief::Draws(curves.into(), tail))
        };
        let by = match &self.effects {
            Some(effects) => contract::By::Covariates(effects, &knowing),
            None => contract::By::All,
        };
        let (table, dropped) =
            contract::predict(&[drawn_group(&curves, tail)], by, frame, rate, &asked, run)?;
        Ok(DrawPrediction::new(table, dropped))
    }
}

fn drawn_group(curves: &[Curve], tail: f64) -> Group<'_> {
    Group { cohort: None, life: None, belief: Belief::Draws(curves.into(), tail) }
}
