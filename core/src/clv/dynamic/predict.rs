//! What customers are expected to do, given the covariates to come.

use serde::{Deserialize, Serialize};

use super::Sources;
use super::likelihood::{Course, LAW, told};
use super::model::{DynamicParetoNbdModel, centred};
use super::timeline::{Life, Lives, Timeline};
use crate::clv::ahead::{DiscountRate, Horizon};
use crate::clv::estimates::interval_quantile;
use crate::clv::frames::beside;
use crate::clv::laws::{
    CustomerPrediction, Edges, deviation_by, factors, ln_rise, of_probability, shifts, slopes,
};
use crate::column::{Columns, Names, Table, Values};
use crate::math::quadrature::integrate;
use crate::math::{exp, exp_m1, ln_1p, log1p_exp};
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
    /// Also purchases in these periods discounted at this rate, per period or per a span of its own (DECT).
    pub discount_rate: Option<DiscountRate>,
    /// How the frames are read.
    pub sources: Sources,
}

impl Default for DynamicPredictOptions {
    fn default() -> Self {
        Self {
            periods: Horizon::Periods(1.0),
            interval: None,
            discount_rate: None,
            sources: Sources::default(),
        }
    }
}

/// Factors and lengths of the pieces to come.
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
}

impl Answers {
    fn add(&self, table: Table, name: &str, which: usize, value: impl Fn(&Answer) -> f64) -> Table {
        let table = table.with(name, Values::F64(self.each.iter().map(value).collect()));
        match &self.edges {
            None => table,
            Some(edges) => beside(table, name, &edges.iter().map(|e| e[which]).collect::<Vec<_>>()),
        }
    }

    fn discounted(&self, table: Table, options: &DynamicPredictOptions) -> Table {
        match options.discount_rate {
            None => table,
            Some(_) => self.add(table, "discounted_purchases", DISCOUNTED, |a| a.discounted),
        }
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
    /// `_high` of each (delta method on the log and logit scale, missing where not finite).
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
        let found = self.answers(&timeline, &lives.each, &lives.pieces, &coming, options, run)?;
        let table = Table::new().with("customer", Values::Names(lives.customer));
        let table = found.add(table, "expected_purchases", EXPECTED, |a| a.expected);
        let table = found.add(table, "p_alive", ALIVE, |a| alive(a.odds));
        Ok(CustomerPrediction::new(found.discounted(table, options), lives.dropped))
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
        let (mut lives, mut coming, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (label, birth, places) in timeline.firsts() {
            names.push(label.to_owned());
            coming.push(timeline.coming(places, birth, ahead, period));
            lives.push(Life::new(places, birth));
        }
        let found = self.answers(&timeline, &lives, &[], &coming, options, run)?;
        let table = Table::new().with("customer", Values::Names(names.iter().collect::<Names>()));
        let table = found.add(table, "expected_purchases", EXPECTED, |a| a.expected);
        let table = found.add(table, "p_alive", AHEAD, |a| exp(a.ln_ahead));
        let table = found.discounted(table, options);
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
        let found = self.answers(timeline, &lives.each, &lives.pieces, coming, options, run)?;
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
        lives: &[Life],
        pieces: &[(u32, f64)],
        coming: &[Coming],
        options: &DynamicPredictOptions,
        run: &Run,
    ) -> Result<Answers> {
        let z = options.interval.map(interval_quantile).transpose()?;
        let rate = match options.discount_rate {
            None => 0.0,
            Some(rate) => ln_1p(rate.per_period("discount_rate", Some(self.period.into()))?),
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
                out.push((found, z.map(|z| self.edges(found, z, &at, ask))));
            }
            run.advance(out.len() as u64)?;
            Ok(out)
        })?;
        let (each, edges): (Vec<Answer>, Vec<Option<_>>) = parts.into_iter().flatten().unzip();
        Ok(Answers { each, edges: z.map(|_| edges.into_iter().flatten().collect()) })
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

fn alive(odds: f64) -> f64 {
    exp(ln_alive(odds))
}

fn ln_alive(odds: f64) -> f64 {
    if odds == f64::INFINITY { 0.0 } else { -log1p_exp(-odds) }
}

/// A customer at the end of observation, by what the data say.
pub(super) struct Living {
    /// Purchases per unit of the clock of buying, as far as the customer lives.
    pace: f64,
    odds: f64,
    s: f64,
    /// β and the time that the clock of leaving has counted.
    start: f64,
}

/// A piece of what is to come.
struct Stretch {
    buying: f64,
    leaving: f64,
    /// Time before it, by the clock of leaving and by the calendar.
    passed: f64,
    when: f64,
    length: f64,
    /// Expected purchases in it of a customer who is alive at the end of observation and whose pace is 1.
    lived: f64,
}

impl Living {
    pub(super) fn new(life: &Life, pieces: &[(u32, f64)], course: &Course<'_>, at: &[f64]) -> Self {
        let found = told(life, pieces, course, at);
        let odds = found.ln_alive - found.ln_dead;
        let (shape, alpha) = (exp(at[0]) + f64::from(life.frequency), exp(at[1]));
        Self {
            pace: alive(odds) * shape / (alpha + found.passed[0]),
            odds,
            s: exp(at[2]),
            start: exp(at[3]) + found.passed[1],
        }
    }

    pub(super) fn p_alive(&self) -> f64 {
        alive(self.odds)
    }

    /// Expected purchases in each piece to come.
    pub(super) fn purchases(&self, coming: &[(u32, f64)], course: &Course<'_>, at: &[f64]) -> Vec<f64> {
        let mut out = Vec::with_capacity(coming.len());
        self.walk(coming, course, at, |stretch| out.push(self.pace * stretch.lived));
        out
    }

    /// By the end of each piece to come, of a customer who is sure to be alive before them: the clock of buying A, ∫ S dA
    /// and ∫ A S dA.
    pub(super) fn moments(&self, coming: &[(u32, f64)], course: &Course<'_>, at: &[f64]) -> Vec<[f64; 3]> {
        let &Self { s, start, .. } = self;
        let (mut out, mut sums) = (Vec::with_capacity(coming.len()), [0.0; 3]);
        self.walk(coming, course, at, |stretch| {
            let &Stretch { buying, leaving, passed, length, lived, .. } = stretch;
            let survived = |u: f64| exp(-s * ln_1p((passed + leaving * u) / start));
            let grown = ln_1p(leaving * length / (start + passed));
            let inside = integrate(0.0, length, (1.0 + grown) as usize, |u| u * survived(u));
            sums[2] += sums[0] * lived + buying * buying * inside;
            sums[1] += lived;
            sums[0] += buying * length;
            out.push(sums);
        });
        out
    }

    /// The pieces to come; what is returned has passed by their end, by the clock of leaving.
    fn walk(
        &self,
        coming: &[(u32, f64)],
        course: &Course<'_>,
        at: &[f64],
        mut each: impl FnMut(&Stretch),
    ) -> f64 {
        let &Self { s, start, .. } = self;
        let (mut passed, mut when) = (0.0, 0.0);
        for (place, length) in coming {
            let [buying, leaving] = course.factors(*place, &at[LAW..]);
            let here = start + passed;
            // ∫ (start / (here + leaving u))^s du: −expm1((1−s) ln …) / (s−1), a logarithm at s = 1.
            let grown = ln_1p(leaving * length / here);
            let slope = s - 1.0;
            let part = if (slope * grown).abs() < 1e-300 { grown } else { -exp_m1(-slope * grown) / slope };
            let lived = buying * exp(-s * ln_1p(passed / start)) * here / leaving * part;
            each(&Stretch { buying, leaving, passed, when, length: *length, lived });
            (passed, when) = (passed + leaving * length, when + length);
        }
        passed
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
    let &Living { pace, odds, s, start } = &living;
    let (mut lived, mut discounted) = (0.0, 0.0);
    let passed = living.walk(coming, course, at, |stretch| {
        lived += stretch.lived;
        if rate > 0.0 {
            let &Stretch { buying, leaving, passed, when, length, .. } = stretch;
            let survived = |u: f64| exp(-s * ln_1p((passed + leaving * u) / start));
            let grown = ln_1p(leaving * length / (start + passed));
            let panels = (1.0 + 0.25 * rate * length + grown).min(400.0) as usize;
            discounted += buying * integrate(0.0, length, panels, |u| survived(u) * exp(-rate * (when + u)));
        }
    });
    Answer {
        expected: pace * lived,
        odds,
        discounted: if rate > 0.0 { pace * discounted } else { pace * lived },
        ln_ahead: ln_alive(odds) - s * ln_1p(passed / start),
    }
}
