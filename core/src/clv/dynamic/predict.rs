//! What customers are expected to do, given the covariates to come.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Sources;
use super::customer::{Customer, Path, Shape};
use super::likelihood::{Course, LAW};
use super::living::{Living, alive};
use super::model::{DynamicParetoNbdModel, centred};
use super::timeline::{Life, Lives, Timeline};
use crate::clv::ahead::{DiscountRate, Horizon};
use crate::clv::frames::beside;
use crate::clv::laws::{
    Asked, CustomerPrediction, Edges, History, More, Purchases, Quantity, deviation_by, factors, ln_rise,
    of_probability, shifts, slopes,
};
use crate::clv::unit::Unit;
use crate::column::{Columns, Names, Table, Values};
use crate::math::{exp, ln_1p};
use crate::{Error, Result, Run};

/// Customers in one piece of work.
const PIECE: usize = 64;

/// Options of [`DynamicParetoNbdModel::predict`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicPredictOptions {
    /// How far after the end of observation: a number of periods or a span of time. Default 1 period.
    pub periods: Horizon,
    /// Level of an interval for the uncertainty of the parameters; none by default.
    pub interval: Option<f64>,
    /// Also purchases in these periods discounted at this rate, per period or per a span of its own (DECT), and where it
    /// is above 0 those for ever (DERT).
    pub discount_rate: Option<DiscountRate>,
    /// Also P(alive) so many periods, or so long a time, after the end of observation.
    pub ahead: Option<Horizon>,
    /// Also the time until the next purchase: its quantile of this level.
    pub next_purchase: Option<f64>,
    /// Also the purchase rate while alive, by what holds at the end of observation.
    pub rate: bool,
    /// Also the probabilities of 0, 1, … so many purchases in the coming `periods`, 1000 at most.
    pub probabilities: Option<usize>,
    /// Also the posterior of the customer's own purchase rate and dropout, by what holds at the end of observation: means
    /// and standard deviations.
    pub own_rates: bool,
    /// Also each customer's part of the log-likelihood at the model's parameters.
    pub log_likelihood: bool,
    /// How the frames are read.
    pub sources: Sources,
}

impl Default for DynamicPredictOptions {
    fn default() -> Self {
        Self {
            periods: Horizon::Periods(1.0),
            interval: None,
            discount_rate: None,
            ahead: None,
            next_purchase: None,
            rate: false,
            probabilities: None,
            own_rates: false,
            log_likelihood: false,
            sources: Sources::default(),
        }
    }
}

impl DynamicPredictOptions {
    /// What is asked beside purchases and P(alive), of a model of this period.
    fn more(&self, period: Unit) -> Result<Vec<Asked>> {
        let &Self { ahead, next_purchase, rate, probabilities, .. } = self;
        let known = |rate: &DiscountRate| rate.per_period("discount_rate", Some(period));
        // Without discount what comes for ever may not end.
        let ends = self.discount_rate.as_ref().map(known).transpose()?.is_some_and(|rate| rate > 0.0);
        let discount_rate = self.discount_rate.filter(|_| ends);
        let periods = self.periods.periods("periods", Some(period))?;
        More { ahead, discount_rate, next_purchase, rate, probabilities }.asked(periods, Some(period))
    }

    /// The columns of these, and those of a customer below.
    fn names(&self, more: &[Asked], z: Option<f64>) -> Vec<String> {
        let reach = if z.is_some() { 3 } else { 1 };
        let mut out: Vec<String> =
            more.iter().flat_map(|asked| &asked.names).flat_map(|names| &names[..reach]).cloned().collect();
        if self.own_rates {
            out.extend(["own_rate", "own_rate_sd", "own_dropout", "own_dropout_sd"].map(str::to_owned));
        }
        out.extend(self.log_likelihood.then(|| "log_likelihood".to_owned()));
        out
    }

    fn asked_of(&self, customer: &Customer, more: &[Asked], z: Option<f64>) -> Vec<Option<f64>> {
        let (mut out, history) = (Vec::new(), History::default());
        for asked in more {
            let values = asked.values(customer, history);
            let edges = z.map(|z| asked.edges(customer, history, &values, z));
            for (i, value) in values.into_iter().enumerate() {
                out.push(value);
                out.extend(edges.as_ref().and_then(|edges| edges.get(i)).into_iter().flatten());
            }
        }
        if self.own_rates {
            out.extend(customer.own_rates().map(Some));
        }
        out.extend(self.log_likelihood.then(|| Some(customer.quantity(history, Quantity::LogLikelihood))));
        out
    }
}

impl Lives {
    fn histories<'a>(&'a self, coming: &'a [Coming]) -> Histories<'a> {
        Histories { lives: &self.each, pieces: &self.pieces, purchases: &self.purchases, coming }
    }
}

/// Places and lengths of the pieces to come.
pub(super) type Coming = Vec<(u32, f64)>;

/// What is said of one customer.
#[derive(Clone, Copy)]
struct Answer {
    expected: f64,
    odds: f64,
    discounted: f64,
    /// ln P(alive at the end of what is to come).
    ln_ahead: f64,
}

/// The columns of all customers, and their intervals where asked for.
struct Answers {
    each: Vec<Answer>,
    edges: Option<Vec<[Edges; 4]>>,
    /// Names of what else was asked for, and each customer's values.
    more: (Vec<String>, Vec<Vec<Option<f64>>>),
}

/// What happened to customers, and what is to come.
struct Histories<'a> {
    lives: &'a [Life],
    pieces: &'a [(u32, f64)],
    purchases: &'a [(u32, f64)],
    coming: &'a [Coming],
}

impl Answers {
    fn add(&self, table: Table, name: &str, which: usize, value: impl Fn(&Answer) -> f64) -> Table {
        let table = table.with(name, Values::F64(self.each.iter().map(value).collect()));
        match &self.edges {
            None => table,
            Some(edges) => beside(table, name, &edges.iter().map(|e| e[which]).collect::<Vec<_>>()),
        }
    }

    fn rest(&self, mut table: Table, options: &DynamicPredictOptions) -> Table {
        if options.discount_rate.is_some() {
            table = self.add(table, "discounted_purchases", DISCOUNTED, |a| a.discounted);
        }
        let (names, rows) = &self.more;
        for (i, name) in names.iter().enumerate() {
            table = table.with_optional(name, rows.iter().map(|row| row.get(i).copied().flatten()));
        }
        table
    }
}

const EXPECTED: usize = 0;
const ALIVE: usize = 1;
const DISCOUNTED: usize = 2;
const AHEAD: usize = 3;

impl DynamicParetoNbdModel {
    /// Purchases expected of the customers of `orders` in the coming periods, by what
    /// `covariates` say of then (a customer's last row holds for ever): a frame of
    /// customer, expected_purchases, p_alive; with `discount_rate` discounted_purchases; with `interval` the `_low` and
    /// `_high` of each (delta method on the log and logit scale, missing where not finite). What else is asked for has the
    /// columns of [`predict`](crate::clv::predict): p_alive_ahead, residual_purchases, next_purchase, purchase_rate,
    /// probability_0 …, own_rate …, log_likelihood.
    pub fn predict(
        &self,
        orders: &Columns,
        covariates: &Columns,
        options: &DynamicPredictOptions,
        run: &Run,
    ) -> Result<CustomerPrediction> {
        let (timeline, period) = self.timeline(covariates, options, run)?;
        let lives = Lives::read(orders, &timeline, &options.sources, period, run)?;
        let ahead = options.periods.micros("periods", self.period)?;
        let coming = |life: &Life| timeline.coming(life.places, life.end, ahead, period);
        let coming: Vec<Coming> = lives.each.iter().map(coming).collect();
        let found = self.answers(&timeline, &lives.histories(&coming), options, run)?;
        let table = Table::new().with("customer", Values::Names(lives.customer));
        let table = found.add(table, "expected_purchases", EXPECTED, |a| a.expected);
        let table = found.add(table, "p_alive", ALIVE, |a| alive(a.odds));
        Ok(CustomerPrediction::new(found.rest(table, options), lives.dropped))
    }

    /// The same of customers who are new at their first row of covariates, in the `periods` after it: a frame
    /// of customer, expected_purchases, p_alive (at the end of these periods), and what was asked for.
    pub fn new_customers(
        &self,
        covariates: &Columns,
        options: &DynamicPredictOptions,
        run: &Run,
    ) -> Result<CustomerPrediction> {
        if !covariates.has(&options.sources.time) {
            return Err(Error::column(
                options.sources.time.as_str(),
                "is needed: a new customer begins with the first row of covariates",
            ));
        }
        let (timeline, period) = self.timeline(covariates, options, run)?;
        let ahead = options.periods.micros("periods", self.period)?;
        let (mut lives, mut coming, mut codes) = (Vec::new(), Vec::new(), Vec::new());
        for (code, birth, places) in timeline.firsts() {
            codes.push(code);
            coming.push(timeline.coming(places, birth, ahead, period));
            lives.push(Life::new(places, birth));
        }
        let histories = Histories { lives: &lives, pieces: &[], purchases: &[], coming: &coming };
        let found = self.answers(&timeline, &histories, options, run)?;
        let customer = Names { codes, labels: timeline.labels.clone() };
        let table = Table::new().with("customer", Values::Names(customer));
        let table = found.add(table, "expected_purchases", EXPECTED, |a| a.expected);
        let table = found.add(table, "p_alive", AHEAD, |a| exp(a.ln_ahead));
        let table = found.rest(table, options);
        Ok(CustomerPrediction::new(table, timeline.dropped))
    }

    /// What is expected of customers in the pieces to come.
    pub(super) fn expected(
        &self,
        timeline: &Timeline<'_>,
        lives: &Lives,
        coming: &[Coming],
        options: &DynamicPredictOptions,
        run: &Run,
    ) -> Result<Vec<f64>> {
        let found = self.answers(timeline, &lives.histories(coming), options, run)?;
        Ok(found.each.iter().map(|answer| answer.expected).collect())
    }

    pub(super) fn timeline<'a>(
        &self,
        covariates: &'a Columns,
        options: &DynamicPredictOptions,
        run: &'a Run,
    ) -> Result<(Timeline<'a>, f64)> {
        let timeline = Timeline::read(covariates, &[self.effects.reader()], &options.sources, run)?;
        Ok((timeline, self.period.micros() as f64))
    }

    fn answers(
        &self,
        timeline: &Timeline<'_>,
        histories: &Histories<'_>,
        options: &DynamicPredictOptions,
        run: &Run,
    ) -> Result<Answers> {
        let &Histories { lives, pieces, purchases, coming } = histories;
        let (period, shape) = (Unit::from(self.period), Arc::new(Shape::of(self)));
        let more = options.more(period)?;
        let z = options.interval.map(|level| self.estimates.interval_quantile(level)).transpose()?;
        let rate = match options.discount_rate {
            None => 0.0,
            Some(rate) => ln_1p(rate.per_period("discount_rate", Some(period))?),
        };
        let matrix = centred(self.effects.terms(), timeline, 0);
        let course = Course::new(&matrix, self.effects.coefficients());
        let at = self.at();
        let n = lives.len();
        run.stage("predicting", n as u64)?;
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            run.check()?;
            let mut out = Vec::with_capacity(PIECE);
            for i in piece * PIECE..n.min((piece + 1) * PIECE) {
                let ask = |at: &[f64]| answer(&lives[i], pieces, &coming[i], &course, at, rate);
                let found = ask(&at);
                let mut rest = Vec::new();
                if !more.is_empty() || options.own_rates || options.log_likelihood {
                    run.check()?;
                    let [from, to] = lives[i].purchases;
                    let bought = &purchases[from..to];
                    let micros = self.period.micros() as f64;
                    let path = Path::of(&lives[i], pieces, bought, timeline, &matrix, micros);
                    rest = options.asked_of(&Customer::new(&shape, &Arc::new(path), period), &more, z);
                }
                out.push(((found, z.map(|z| self.edges(found, z, &at, ask))), rest));
            }
            run.advance(out.len() as u64)?;
            Ok(out)
        })?;
        let (found, rest): (Vec<_>, Vec<_>) = parts.into_iter().flatten().unzip();
        let (each, edges): (Vec<Answer>, Vec<Option<_>>) = found.into_iter().unzip();
        let edges = z.map(|_| edges.into_iter().flatten().collect());
        Ok(Answers { each, edges, more: (options.names(&more, z), rest) })
    }

    /// Slopes of several things on log parameters and coefficients; `rise` is what moved ones add to them.
    pub(super) fn slopes(
        &self,
        at: &[f64],
        things: usize,
        rise: impl Fn(&[f64]) -> Vec<f64>,
    ) -> Vec<Vec<f64>> {
        let fixed = |i: usize| match i.checked_sub(LAW) {
            None => self.estimates.fixed[i],
            Some(c) => self.effects.coefficients()[c].fixed,
        };
        slopes(at, things, fixed, |value, step| value + step, rise)
    }

    /// Interval edges by the delta method.
    fn edges(&self, found: Answer, z: f64, at: &[f64], ask: impl Fn(&[f64]) -> Answer) -> [Edges; 4] {
        let rise = |moved: &[f64]| {
            let there = ask(moved);
            let odds = if found.odds.is_finite() { there.odds - found.odds } else { 0.0 };
            vec![
                ln_rise(found.expected, there.expected),
                odds,
                ln_rise(found.discounted, there.discounted),
                there.ln_ahead - found.ln_ahead,
            ]
        };
        let slopes = self.slopes(at, 4, rise);
        let reach = |i: usize| {
            Some(z * deviation_by(self.effects.covariance(), &slopes[i])).filter(|r| r.is_finite())
        };
        [
            factors(found.expected, reach(EXPECTED)),
            shifts(alive(found.odds), reach(ALIVE)),
            factors(found.discounted, reach(DISCOUNTED)),
            of_probability(exp(found.ln_ahead), reach(AHEAD)),
        ]
    }
}

/// What is said of a customer and the pieces to come.
fn answer(
    life: &Life,
    pieces: &[(u32, f64)],
    coming: &Coming,
    course: &Course<'_>,
    at: &[f64],
    rate: f64,
) -> Answer {
    let living = Living::new(life, pieces, course, at);
    let alive = living.p_alive();
    let expected = alive * living.while_alive(coming, course, at);
    Answer {
        expected,
        odds: living.odds(),
        discounted: if rate > 0.0 { alive * living.discounted(coming, course, at, rate) } else { expected },
        ln_ahead: living.ln_alive(coming, course, at),
    }
}
