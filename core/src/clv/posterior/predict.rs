//! Predictions that carry the uncertainty of the parameters.

use serde::{Deserialize, Serialize};

use super::Posterior;
use super::diagnostics::quantile;
use super::report::level;
use crate::clv::design::Reader;
use crate::clv::door::purchases_with;
use crate::clv::frames::{History as Rows, Roles};
use crate::clv::laws::{History, Purchases, Quantity, opportunities, same_unit};
use crate::clv::rows::Unique;
use crate::clv::unit::Unit;
use crate::column::{Columns, Dropped, Names, OnInvalid, Table, Values};
use crate::math::sum;
use crate::{Error, Result, Run};

/// Distinct rows predicted in one piece of work.
const PIECE: usize = 16;
/// No more than so many purchases are told apart.
const MOST: usize = 100_000;

/// Roles and options of [`Posterior::predict`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrawPredictOptions {
    /// Column of customers.
    pub customer: String,
    /// Column of repeat purchases.
    pub frequency: String,
    /// Column of the age at the last purchase, in periods.
    pub recency: String,
    /// Column of the age at the end of observation, in periods.
    #[serde(rename = "T")]
    pub age: String,
    /// How many periods ahead, a number from 0; 1 by default.
    pub periods: f64,
    /// Level of the intervals of expected_purchases and p_alive; 0.9 by default.
    pub level: f64,
    /// Level of an interval for the *purchases themselves*; none by default.
    pub purchase_interval: Option<f64>,
    /// Predict with at most so many draws, evenly spaced; 400 by default, 100,000
    /// at most.
    pub most_draws: usize,
    /// The unit of recency and T, where it is known; it must then be the draws'.
    pub period: Option<Unit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for DrawPredictOptions {
    fn default() -> Self {
        Self {
            customer: "customer".to_owned(),
            frequency: "frequency".to_owned(),
            recency: "recency".to_owned(),
            age: "T".to_owned(),
            periods: 1.0,
            level: 0.9,
            purchase_interval: None,
            most_draws: 400,
            period: None,
            on_invalid: OnInvalid::Error,
        }
    }
}

/// Predictions beside their customers, and the rows that were dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawPrediction {
    table: Table,
    dropped: Dropped,
}

impl DrawPrediction {
    pub(super) fn new(table: Table, dropped: Dropped) -> Self {
        Self { table, dropped }
    }

    /// The frame of [`Posterior::predict`].
    pub fn table(&self) -> Table {
        self.table.clone()
    }

    /// The rows that were dropped.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }
}

const NAMES: [&str; 6] = [
    "expected_purchases",
    "expected_purchases_low",
    "expected_purchases_high",
    "p_alive",
    "p_alive_low",
    "p_alive_high",
];

impl Posterior {
    /// Predictions that contain the uncertainty of the parameters:
    ///
    /// | column | meaning |
    /// | --- | --- |
    /// | customer | |
    /// | expected_purchases, …_low, …_high | in the coming `periods`: mean over the draws, and the interval of `level` |
    /// | p_alive, …_low, …_high | the same of P(alive) |
    /// | purchases_low, purchases_high | with `purchase_interval`: quantiles of the number of purchases, its distribution averaged over the draws |
    ///
    /// Computed on distinct rows, one at a time, so memory does not grow with
    /// customers times draws.
    pub fn predict(
        &self,
        frame: &Columns,
        options: &DrawPredictOptions,
        run: &Run,
    ) -> Result<DrawPrediction> {
        if !(options.periods.is_finite() && options.periods >= 0.0) {
            let reason = format!("{} is not a finite number of periods from 0", options.periods);
            return Err(Error::option("periods", reason));
        }
        level(options.level)?;
        if let Some(level) = options.purchase_interval.filter(|l| !(*l > 0.0 && *l < 1.0)) {
            let reason = format!("{level} is not a level between 0 and 1, such as 0.9");
            return Err(Error::option("purchase_interval", reason));
        }
        if options.most_draws == 0 || options.most_draws > 100_000 {
            return Err(Error::option(
                "most_draws",
                "must be a number from 1 to 100,000; the default is 400",
            ));
        }
        same_unit(self.period, options.period)?;
        let models = self.models(options.most_draws)?;
        let roles = Roles {
            customer: Some(&options.customer),
            frequency: &options.frequency,
            recency: &options.recency,
            age: &options.age,
            weight: None,
            along: None,
            covariates: Reader::None,
            intervals: None,
        };
        let rows = Rows::read(frame, roles, options.on_invalid, run)?;
        let slices = rows.slices();
        if models.first().is_some_and(|m| m.is_discrete()) {
            opportunities(&slices)?;
        }
        let unique = Unique::of(&slices, run)?;
        let n = unique.len();
        run.stage("predicting", n as u64)?;
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            let mut out = Vec::with_capacity(PIECE);
            for row in piece * PIECE..n.min((piece + 1) * PIECE) {
                run.check()?;
                out.push(answers(&models, unique.history(row), options));
            }
            run.advance(out.len() as u64)?;
            Ok(out)
        })?;
        let answers: Vec<([f64; 6], [f64; 2])> = parts.into_iter().flatten().collect();
        let customer = rows.customer.unwrap_or_else(|| Names::from_iter([""; 0]));
        let mut table = Table::new().with("customer", Values::Names(customer));
        for (i, name) in NAMES.into_iter().enumerate() {
            let values: Vec<f64> = answers.iter().map(|a| a.0[i]).collect();
            table = table.with(name, Values::F64(unique.spread(&values)));
        }
        if options.purchase_interval.is_some() {
            for (i, name) in ["purchases_low", "purchases_high"].into_iter().enumerate() {
                let values: Vec<f64> = answers.iter().map(|a| a.1[i]).collect();
                table = table.with(name, Values::F64(unique.spread(&values)));
            }
        }
        Ok(DrawPrediction { table, dropped: rows.dropped })
    }

    /// A model at each of at most so many draws, evenly spaced over all chains.
    pub(super) fn models(&self, most: usize) -> Result<Vec<Box<dyn Purchases>>> {
        let total = self.len();
        let count = most.min(total);
        let draws: Vec<&[f64]> = self.draws().collect();
        (0..count)
            .filter_map(|i| draws.get((i * total + total / 2) / count.max(1)))
            .map(|draw| purchases_with(&self.kind, draw, self.k, self.period))
            .collect()
    }
}

fn answers(
    models: &[Box<dyn Purchases>],
    history: History,
    options: &DrawPredictOptions,
) -> ([f64; 6], [f64; 2]) {
    let tail = 0.5 - 0.5 * options.level;
    let three = |quantity: Quantity| -> [f64; 3] {
        let mut values: Vec<f64> = models.iter().map(|m| m.quantity(history, quantity)).collect();
        let mean = sum(values.iter().copied()) / values.len().max(1) as f64;
        values.sort_unstable_by(f64::total_cmp);
        [mean, quantile(&values, tail), quantile(&values, 1.0 - tail)]
    };
    let [mean, low, high] = three(Quantity::Purchases { periods: options.periods });
    let [alive, alive_low, alive_high] = three(Quantity::Alive { ahead: 0.0 });
    let purchases = options
        .purchase_interval
        .map_or([0.0; 2], |level| quantiles(models, history, options.periods, level, high));
    ([mean, low, high, alive, alive_low, alive_high], purchases)
}

/// The smallest numbers of purchases that are reached with probability (1 ∓ level) / 2.
fn quantiles(
    models: &[Box<dyn Purchases>],
    history: History,
    periods: f64,
    level: f64,
    expected: f64,
) -> [f64; 2] {
    let mut most = (3.0 * expected + 10.0).min(MOST as f64) as usize;
    loop {
        let mut mass = vec![0.0; most + 1];
        for model in models {
            for (total, p) in mass.iter_mut().zip(model.probabilities_of(history, periods, most)) {
                *total += p / models.len() as f64;
            }
        }
        let mut reached = 0.0;
        let mut found = [None, None];
        for (n, p) in mass.iter().enumerate() {
            reached += p;
            for (found, at) in found.iter_mut().zip([0.5 - 0.5 * level, 0.5 + 0.5 * level]) {
                if found.is_none() && reached >= at - 1e-12 {
                    *found = Some(n as f64);
                }
            }
        }
        if let [Some(low), Some(high)] = found {
            return [low, high];
        }
        if most >= MOST {
            return found.map(|f| f.unwrap_or(MOST as f64));
        }
        most = (most * 2).min(MOST);
    }
}
