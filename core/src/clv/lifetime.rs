//! Lifetime value: expected purchases times expected spend, discounted.

use serde::{Deserialize, Serialize};

use super::ahead::{DiscountRate, Horizon};
use super::beta_geo::discount_weights;
use super::covariates::{Shared, each_law, reader};
use super::design::Reader;
use super::frames::{History, Roles, beside, intervals_of};
use super::laws::{Edges, History as Customer, Purchases, Quantity, factors, ln_slopes, reach, same_unit};
use super::posterior::{DrawnSpend, MOST_DRAWS, SpendDraws, of_groups};
use super::rows::Unique;
use super::unit::Unit;
use crate::column::{Columns, Dropped, Names, OnInvalid, Sign, Table, Values};
use crate::{Error, Result, Run};

/// Roles and options of [`lifetime_value`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LifetimeOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// Column of the mean value of the repeat purchases.
    pub monetary_value: String,
    /// How many periods ahead are valued, a whole number from 1 to 100,000 or a span of so many: the unit is the
    /// model's period. Default 52.
    pub periods: Horizon,
    /// Discount rate from 0 (the default), per period or per a span of its own.
    pub discount_rate: DiscountRate,
    /// Share of the spend that is profit, from 0; 1 by default.
    pub margin: f64,
    /// Level of an interval of the value for the uncertainty of the parameters, of purchases and of
    /// spend alike: of fits by the delta method on the log scale, none by default; of draws by their quantiles,
    /// 0.9 by default where both are drawn.
    pub interval: Option<f64>,
    /// At most so many draws are looked at, evenly spaced, where the model is one of draws; 400 by default, 100,000 at
    /// most.
    pub most_draws: usize,
    /// The unit of recency and T, where it is known; it must then be the model's.
    pub period: Option<Unit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for LifetimeOptions {
    fn default() -> Self {
        Self {
            customer: "customer".to_owned(),
            frequency: "frequency".to_owned(),
            recency: "recency".to_owned(),
            age: "T".to_owned(),
            monetary_value: "monetary_value".to_owned(),
            periods: Horizon::Periods(52.0),
            discount_rate: DiscountRate::default(),
            margin: 1.0,
            interval: None,
            most_draws: MOST_DRAWS,
            period: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

impl LifetimeOptions {
    /// How many periods are valued, and the discount rate of one, their unit being this one where it is known.
    pub(super) fn plan(&self, period: Option<Unit>) -> Result<(usize, f64)> {
        let period = period.or(self.period);
        let periods = self.periods.whole("periods", period, 100_000)?;
        let rate = self.discount_rate.per_period("discount_rate", period)?;
        if self.margin.is_finite() && self.margin >= 0.0 {
            return Ok((periods, rate));
        }
        Err(Error::option("margin", "must be a finite number from 0"))
    }

    /// By how much what is expected of each count of periods ahead weighs.
    pub(super) fn weights(&self, period: Option<Unit>) -> Result<Vec<f64>> {
        self.plan(period).map(|(periods, rate)| discount_weights(periods, rate))
    }

    /// The customers of a frame, with their spend, for laws that are discrete or read intervals.
    pub(super) fn rows<'a>(
        &self,
        frame: &'a Columns,
        covariates: Reader<'_>,
        model: &dyn Purchases,
        run: &'a Run,
    ) -> Result<History<'a>> {
        same_unit(model.period(), self.period)?;
        let roles = Roles {
            customer: Some(&self.customer),
            frequency: &self.frequency,
            recency: &self.recency,
            age: &self.age,
            weight: None,
            along: Some((&self.monetary_value, Sign::NonNegative)),
            covariates,
            intervals: intervals_of(None, frame, model.reads_intervals()),
        };
        let history = History::read(frame, roles, self.on_invalid, run)?;
        let rows = history.slices();
        if model.is_discrete() {
            super::laws::opportunities(&rows)?;
        }
        if model.reads_intervals() {
            rows.check_times()?;
        }
        run.stage("valuing customers", rows.len() as u64)?;
        Ok(history)
    }
}

/// The value of every customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Lifetime {
    pub(super) customer: Names,
    /// Expected purchases over all the periods, undiscounted.
    pub expected_purchases: Vec<f64>,
    /// Probability that the customer has not dropped out.
    pub p_alive: Vec<f64>,
    /// Expected spend per purchase; `None` where the spend model has no mean.
    pub expected_spend: Vec<Option<f64>>,
    /// Discounted margin; `None` where the spend model has no mean.
    pub lifetime_value: Vec<Option<f64>>,
    /// Interval edges of the value, where they were asked for.
    pub(super) edges: Option<Vec<Edges>>,
    pub(super) dropped: Dropped,
}

/// What the coming purchases of a customer are worth.
#[derive(Clone, Copy)]
pub(super) struct Worth {
    pub(super) purchases: f64,
    pub(super) alive: f64,
    pub(super) spend: Option<f64>,
    pub(super) value: Option<f64>,
    pub(super) edges: Edges,
}

impl Lifetime {
    pub(super) fn of(customer: Option<Names>, each: &[Worth], intervals: bool, dropped: Dropped) -> Self {
        Self {
            customer: customer.unwrap_or_else(|| Names::from_iter([""; 0])),
            expected_purchases: each.iter().map(|w| w.purchases).collect(),
            p_alive: each.iter().map(|w| w.alive).collect(),
            expected_spend: each.iter().map(|w| w.spend).collect(),
            lifetime_value: each.iter().map(|w| w.value).collect(),
            edges: intervals.then(|| each.iter().map(|w| w.edges).collect()),
            dropped,
        }
    }

    /// A frame: customer, expected_purchases, p_alive, expected_spend, lifetime_value, and with `interval`
    /// lifetime_value_low and lifetime_value_high; missing is what is not finite.
    pub fn table(&self) -> Table {
        let finite = |v: &f64| Some(*v).filter(|v| v.is_finite());
        let table = Table::new()
            .with("customer", Values::Names(self.customer.clone()))
            .with_optional("expected_purchases", self.expected_purchases.iter().map(finite))
            .with("p_alive", Values::F64(self.p_alive.clone()))
            .with_optional("expected_spend", self.expected_spend.iter().copied())
            .with_optional("lifetime_value", self.lifetime_value.iter().map(|v| v.as_ref().and_then(finite)));
        match &self.edges {
            None => table,
            Some(edges) => beside(table, "lifetime_value", edges),
        }
    }

    /// The rows that were dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

/// The discounted value of every customer's coming `periods`:
/// Σ_t margin · E\[spend\] · (E\[Y(t)\] − E\[Y(t−1)\]) / (1 + d)^t, t = 1 … periods.
///
/// Purchases of a period are discounted as if made at its end.
///
/// Spend is a fitted `GammaGamma`, or draws of one, of which expected spend and value are means, infinite and so missing
/// where they are in some draw. An interval, none by default, then has the quantiles of the value, of which purchases
/// are drawn by the seed from the normal that the delta method gives their logarithm.
pub fn lifetime_value<'s>(
    model: &dyn Purchases,
    spend: impl Into<DrawnSpend<'s>>,
    frame: &Columns,
    options: &LifetimeOptions,
    run: &Run,
) -> Result<Lifetime> {
    let spend = spend.into();
    let weights = options.weights(model.period())?;
    let draws = match spend {
        DrawnSpend::Fit(_) if options.most_draws != MOST_DRAWS => {
            return Err(Error::option(
                "most_draws",
                "means nothing to fitted models, which have no draws: leave it out",
            ));
        }
        DrawnSpend::Fit(_) => None,
        DrawnSpend::Draws(draws) => Some(SpendDraws::new(draws, options.most_draws, run)?),
        DrawnSpend::Groups(_) => return Err(of_groups()),
    };
    let quantile = |level| {
        if let DrawnSpend::Fit(fit) = spend {
            fit.estimates().interval_quantile(level)?;
        }
        model.estimates().interval_quantile(level)
    };
    let z = options.interval.map(quantile).transpose()?;
    let history = options.rows(frame, reader(model), model, run)?;
    let valued = each_law(model, &history, run, |model, rows| {
        let unique = Unique::with_intervals(rows, run)?;
        let valued = run.map_items(unique.len(), |row| {
            run.check()?;
            let history = unique.history(row);
            let ask = |quantity| model.quantity(history, quantity);
            let all = ask(Quantity::Purchases { periods: weights.len() as f64 });
            let value = model.discounted(history, &weights);
            let spread = z.and_then(|_| spread(model, history, &weights));
            Ok((value, all, ask(Quantity::Alive { ahead: 0.0 }), spread))
        })?;
        run.advance(rows.len() as u64)?;
        Ok(Shared::new(valued, unique))
    })?;
    let money = history.along.as_deref().unwrap_or_default();
    let each = valued.map(|v| *v).into_iter().zip(history.frequency.iter().zip(money));
    let each: Vec<Worth> = each
        .map(|((discounted, purchases, alive, spread), (x, m))| {
            let purchased = options.margin * discounted;
            let (expected, edges) = match (spend, &draws) {
                (_, Some(draws)) => {
                    let spent = draws.spent(*x, *m);
                    let edges = options.interval.map(|level| draws.edges(&spent, purchased, spread, level));
                    (SpendDraws::mean(&spent), edges.unwrap_or_default())
                }
                (DrawnSpend::Fit(fit), None) => {
                    let expected = fit.spend(*x, *m);
                    let reach = z.zip(spread.zip(fit.spread(*x, *m))).map(|(z, (a, b))| z * a.hypot(b));
                    let value = expected.map(|spend| options.margin * spend * discounted);
                    (expected, value.map_or([None; 2], |value| factors(value, reach)))
                }
                _ => (None, [None; 2]),
            };
            let value = expected.map(|spend| options.margin * spend * discounted);
            Worth { purchases, alive, spend: expected, value, edges }
        })
        .collect();
    Ok(Lifetime::of(history.customer, &each, z.is_some(), history.dropped))
}

/// The standard deviation of the logarithm of discounted purchases, by the uncertainty of the parameters; `None` where
/// the data identify none.
fn spread(model: &dyn Purchases, history: Customer, weights: &[f64]) -> Option<f64> {
    let estimates = model.estimates();
    let value = |values: &[f64]| model.discounted_at(values, history, weights);
    reach(estimates, 1.0, &ln_slopes(estimates, value(&estimates.values), value))
}
