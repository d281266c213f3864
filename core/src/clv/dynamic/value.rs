//! What customers will be worth, given the covariates to come.

use serde::{Deserialize, Serialize};

use super::Sources;
use super::likelihood::Course;
use super::living::Living;
use super::model::{DynamicParetoNbdModel, centred};
use super::spend_model::{DynamicGammaGammaModel, Spend};
use super::timeline::{Life, Lives, Timeline};
use crate::clv::ahead::{DiscountRate, Horizon};
use crate::clv::estimates::interval_quantile;
use crate::clv::gamma_gamma::GammaGammaModel;
use crate::clv::laws::{deviation_by, factors, ln_rise};
use crate::clv::lifetime::{Lifetime, LifetimeOptions, Worth};
use crate::clv::posterior::{MOST_DRAWS, Posterior, SpendDraws};
use crate::column::Columns;
use crate::math::{exp, ln_1p, sum};
use crate::{Error, Result, Run};

/// Customers in one piece of work.
const PIECE: usize = 64;

/// Options of [`DynamicParetoNbdModel::lifetime_value`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicLifetimeOptions {
    /// How many periods after the end of observation are valued, a whole number from 1 to 100,000 or a span of so many.
    /// Default 52.
    pub periods: Horizon,
    /// Discount rate from 0 (the default), per period or per a span of its own.
    pub discount_rate: DiscountRate,
    /// Share of the spend that is profit, from 0; 1 by default.
    pub margin: f64,
    /// Level of an interval of the value for the uncertainty of the parameters, of purchases and of
    /// spend alike (delta method on the log scale; of draws of spend, quantiles); none by default.
    pub interval: Option<f64>,
    /// At most so many draws of spend are looked at, evenly spaced; 400 by default, 100,000 at most.
    pub most_draws: usize,
    /// How the frames are read.
    pub sources: Sources,
}

impl Default for DynamicLifetimeOptions {
    fn default() -> Self {
        let LifetimeOptions { periods, discount_rate, margin, most_draws, .. } = LifetimeOptions::default();
        Self { periods, discount_rate, margin, interval: None, most_draws, sources: Sources::default() }
    }
}

/// A model of what customers spend.
#[derive(Clone, Copy, Debug)]
pub enum DynamicSpend<'a> {
    /// One that knows no covariates.
    Constant(&'a GammaGammaModel),
    /// One along covariates, of the same frame as those of the purchases.
    Along(&'a DynamicGammaGammaModel),
    /// Draws of `GammaGamma`, of which expected spend and value are means.
    Draws(&'a Posterior),
}

/// The spend of customers, beside what is known of them.
enum Spender<'a> {
    Constant(&'a GammaGammaModel),
    Along(Spend<'a>, Vec<f64>),
    Draws(SpendDraws),
}

impl Spender<'_> {
    /// Expected spend at given parameters in each of the places; `None` where it has no mean.
    fn at(&self, at: &[f64], life: &Life, lives: &Lives, coming: &[(u32, f64)]) -> Option<Vec<f64>> {
        match self {
            Self::Constant(spend) => {
                let (x, mean) = mean(life, lives);
                spend.spend(x, mean).map(|spend| vec![spend; coming.len()])
            }
            Self::Draws(draws) => {
                let (x, mean) = mean(life, lives);
                SpendDraws::mean(&draws.spent(x, mean)).map(|spend| vec![spend; coming.len()])
            }
            Self::Along(spend, _) => {
                let level = spend.level(at, life, lives)?;
                Some(coming.iter().map(|(place, _)| level * spend.factor(at, life, *place)).collect())
            }
        }
    }

    fn estimates(&self) -> &[f64] {
        match self {
            Self::Constant(_) | Self::Draws(_) => &[],
            Self::Along(_, at) => at,
        }
    }

    /// The standard deviation of the logarithm of a value, which `of` gives at parameters of spend; draws have edges
    /// of their own.
    fn deviation(&self, life: &Life, lives: &Lives, value: f64, of: impl Fn(&[f64]) -> f64) -> Option<f64> {
        match self {
            Self::Constant(spend) => {
                let (x, mean) = mean(life, lives);
                spend.spread(x, mean)
            }
            Self::Along(spend, _) => Some(spend.deviation(value, of)),
            Self::Draws(_) => None,
        }
    }
}

/// How many repeat purchases there are, and their mean value.
fn mean(life: &Life, lives: &Lives) -> (f64, f64) {
    let [from, to] = life.purchases;
    let x = (to - from) as f64;
    (x, sum(lives.purchases[from..to].iter().map(|(_, value)| *value)) / x.max(1.0))
}

impl DynamicParetoNbdModel {
    /// The discounted value of every customer's coming periods, by what `covariates` say of then (a customer's last row
    /// holds for ever): Σ_t margin · E\[spend of the purchases in period t\] / (1 + d)^t, t = 1 … `periods`.
    ///
    /// A model of spend along covariates values each purchase by what holds when it is made. `expected_spend` is
    /// the mean over the purchases that are expected. Purchases of a period are discounted as if made at its end.
    ///
    /// Errors: those of [`DynamicParetoNbdModel::predict`]; orders without amounts; an [`Error::Option`] where spend
    /// depends on the purchase rate and the models' periods differ.
    pub fn lifetime_value(
        &self,
        spend: DynamicSpend<'_>,
        orders: &Columns,
        covariates: &Columns,
        options: &DynamicLifetimeOptions,
        run: &Run,
    ) -> Result<Lifetime> {
        let &DynamicLifetimeOptions { periods, discount_rate, margin, interval, most_draws, ref sources } =
            options;
        let plan = LifetimeOptions { periods, discount_rate, margin, ..LifetimeOptions::default() };
        let (periods, rate) = plan.plan(Some(self.period.into()))?;
        let slow = ln_1p(rate);
        let quantile = |level| match spend {
            DynamicSpend::Draws(_) => interval_quantile(level),
            DynamicSpend::Constant(spend) => spend.estimates().interval_quantile(level),
            DynamicSpend::Along(spend) => spend.estimates().interval_quantile(level),
        };
        let known = |level| self.estimates.interval_quantile(level).and_then(|_| quantile(level));
        let z = interval.map(known).transpose()?;
        if sources.value.is_none() && !orders.has("value") {
            return Err(Error::column("value", "is needed: name the column of amounts in sources.value"));
        }
        let mut readers = vec![self.effects.reader()];
        if let DynamicSpend::Along(spend) = spend {
            if spend.reads_rate() && spend.period() != self.period {
                let reason = format!(
                    "purchases were fitted in periods of {} and spend, which depends on their rate, in periods of {}: \
                     fit both in one",
                    self.period,
                    spend.period()
                );
                return Err(Error::option("period", reason));
            }
            readers.push(spend.reader());
        }
        if most_draws != MOST_DRAWS && !matches!(spend, DynamicSpend::Draws(_)) {
            return Err(Error::option(
                "most_draws",
                "means nothing to fitted models, which have no draws: leave it out",
            ));
        }
        let timeline = Timeline::read(covariates, &readers, sources, run)?;
        let period = self.period.micros();
        let lives = Lives::read(orders, &timeline, sources, period as f64, run)?;
        let matrix = centred(self.effects.terms(), &timeline, 0);
        let course = Course::new(&matrix, self.effects.coefficients());
        let spender = match spend {
            DynamicSpend::Constant(spend) => Spender::Constant(spend),
            DynamicSpend::Draws(draws) => Spender::Draws(SpendDraws::new(draws, most_draws, run)?),
            DynamicSpend::Along(spend) => {
                let spend = spend.spend(&timeline, 1);
                let at = spend.at();
                Spender::Along(spend, at)
            }
        };
        let at = self.at();
        let n = lives.each.len();
        run.stage("valuing customers", n as u64)?;
        let worth = |life: &Life| {
            let (mut coming, mut weights) = (Vec::new(), Vec::new());
            for t in 0..periods {
                let from = life.end.saturating_add(period.saturating_mul(t as i64));
                coming.extend(timeline.coming(life.places, from, period, period as f64));
                weights.resize(coming.len(), margin * exp(-slow * (t + 1) as f64));
            }
            let living = Living::new(life, &lives.pieces, &course, &at);
            let purchases = living.purchases(&coming, &course, &at);
            let all = sum(purchases.iter().copied());
            let spends = spender.at(spender.estimates(), life, &lives, &coming);
            let worth = |purchases: &[f64], spends: &[f64]| {
                sum(purchases.iter().zip(spends).zip(&weights).map(|((n, spend), weight)| n * spend * weight))
            };
            let value = spends.as_deref().map(|spends| worth(&purchases, spends));
            let of_purchases = |value: f64, spends: &[f64]| {
                let moved = |at: &[f64]| {
                    let living = Living::new(life, &lives.pieces, &course, at);
                    worth(&living.purchases(&coming, &course, at), spends)
                };
                let slopes = self.slopes(&at, 1, |at| vec![ln_rise(value, moved(at))]);
                Some(deviation_by(self.effects.covariance(), slopes.first()?))
            };
            let reach = |z: f64, value: f64, spends: &[f64]| {
                let of_purchases = of_purchases(value, spends)?;
                let of_spend = spender.deviation(life, &lives, value, |at| {
                    spender.at(at, life, &lives, &coming).map_or(value, |spends| worth(&purchases, &spends))
                })?;
                Some(z * of_purchases.hypot(of_spend)).filter(|reach| reach.is_finite())
            };
            let edges = match (&spender, z.zip(interval), value, spends.as_deref()) {
                (Spender::Draws(draws), Some((_, level)), _, _) => {
                    let (x, mean) = mean(life, &lives);
                    let ones = vec![1.0; coming.len()];
                    let bought = worth(&purchases, &ones);
                    draws.edges(&draws.spent(x, mean), bought, of_purchases(bought, &ones), level)
                }
                (_, Some((z, _)), Some(value), Some(spends)) => factors(value, reach(z, value, spends)),
                _ => [None; 2],
            };
            let average = |spends: &Vec<f64>| {
                let spent = sum(purchases.iter().zip(spends).map(|(n, spend)| n * spend));
                if all > 0.0 { spent / all } else { spends.first().copied().unwrap_or_default() }
            };
            Worth {
                purchases: all,
                alive: living.p_alive(),
                spend: spends.as_ref().map(average),
                value,
                edges,
            }
        };
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            let lives = &lives.each[piece * PIECE..n.min((piece + 1) * PIECE)];
            let found: Result<Vec<Worth>> = lives
                .iter()
                .map(|life| {
                    run.check()?;
                    Ok(worth(life))
                })
                .collect();
            run.advance(lives.len() as u64)?;
            found
        })?;
        let each: Vec<Worth> = parts.into_iter().flatten().collect();
        Ok(Lifetime::of(Some(lives.customer), &each, z.is_some(), lives.dropped))
    }
}
