//! Lifetime value under the draws: those of purchases times those of spend.

use super::Posterior;
use super::predict::{at, most_draws};
use super::report::level;
use crate::clv::GammaGammaModel;
use crate::clv::beta_geo::discount_weights;
use crate::clv::covariates::Patterns;
use crate::clv::frames::{History, Roles, intervals_of};
use crate::clv::laws::{Edges, Purchases, Quantity, opportunities, same_unit};
use crate::clv::lifetime::{Lifetime, LifetimeOptions};
use crate::column::{Columns, Names, Sign};
use crate::math::{mean_and_limits, sum};
use crate::{Result, Run};

/// Draws that values are told by; evenly spaced.
const MOST_DRAWS: usize = 400;
/// Histories valued in one piece of work.
const PIECE: usize = 16;

impl Posterior {
    /// [`lifetime_value`](crate::clv::lifetime_value) under these draws, of a model of purchases, and under those
    /// of the model of spend.
    ///
    /// Each is a mean over the draws, and the interval of the value (`interval`, 0.9 by default) the quantiles of the
    /// draws' own values. The two posteriors are independent, so a draw of one goes with a draw of the other; 400 of
    /// them at most, evenly spaced. What is infinite in some draw, such as the spend of a customer without a repeat
    /// purchase where q ≤ 1, is infinite on average, and missing.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::clv::LifetimeOptions;
    /// use headwater::clv::posterior::{PosteriorOptions, laplace};
    /// use headwater::column::Columns;
    ///
    /// let customers = Columns::new()
    ///     .with("customer", ["a", "b", "c", "d", "e", "f", "g"].map(String::from).to_vec())
    ///     .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
    ///     .with("recency", vec![0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0])
    ///     .with("T", vec![35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0])
    ///     .with("monetary_value", vec![0.0, 12.0, 30.0, 25.0, 41.0, 18.0, 33.0])
    ///     .with("many", vec![1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0]);
    /// let options = PosteriorOptions { weight: Some("many".into()), ..PosteriorOptions::default() };
    /// let (purchases, _) = laplace("BetaGeo", &customers, &options, &Run::new())?;
    /// let (spend, _) = laplace("GammaGamma", &customers, &options, &Run::new())?;
    /// let value = purchases.lifetime_value(&spend, &customers, &LifetimeOptions::default(), &Run::new())?;
    /// let table = value.table();
    /// assert!(table.f64s("lifetime_value_low") < table.f64s("lifetime_value_high"));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn lifetime_value(
        &self,
        spend: &Posterior,
        frame: &Columns,
        options: &LifetimeOptions,
        run: &Run,
    ) -> Result<Lifetime> {
        let (periods, rate) = options.discounting(self.period)?;
        let tail = 0.5 - 0.5 * level(options.interval.unwrap_or(0.9))?;
        same_unit(self.period, options.period)?;
        let most = most_draws(MOST_DRAWS.min(self.len()).min(spend.len()))?;
        let (models, spends) = (self.models(most)?, spend.spends(most)?);
        let learns = models.first().is_some_and(|m| m.reads_intervals());
        let roles = Roles {
            customer: Some(&options.customer),
            frequency: &options.frequency,
            recency: &options.recency,
            age: &options.age,
            weight: None,
            along: Some((&options.monetary_value, Sign::NonNegative)),
            covariates: self.reader(),
            intervals: intervals_of(None, frame, learns),
        };
        let rows = History::read(frame, roles, options.on_invalid, run)?;
        let slices = rows.slices();
        if models.first().is_some_and(|m| m.is_discrete()) {
            opportunities(&slices)?;
        }
        if learns {
            slices.check_times()?;
        }
        let weights = discount_weights(periods, rate);
        let money = rows.along.as_deref().unwrap_or_default();
        let patterns = self.effects.as_ref().map(|effects| Patterns::by(effects, &rows));
        let alike = alike(&rows, patterns.as_ref());
        run.stage("valuing customers", slices.len() as u64)?;
        let parts = run.map_items(alike.len().div_ceil(PIECE), |piece| {
            let mut out = Vec::new();
            let mut own: Option<(usize, Vec<Box<dyn Purchases>>)> = None;
            for (pattern, members) in &alike[piece * PIECE..alike.len().min((piece + 1) * PIECE)] {
                run.check()?;
                if let Some(patterns) = &patterns
                    && own.as_ref().is_none_or(|own| own.0 != *pattern)
                {
                    own = Some((*pattern, at(&models, patterns.get(*pattern).1)?));
                }
                let models = own.as_ref().map_or(&models, |own| &own.1);
                let history = rows.history(members[0] as usize);
                let bought: Vec<f64> = models.iter().map(|m| m.discounted(history, &weights)).collect();
                let mean = |quantity| {
                    sum(models.iter().map(|m| m.quantity(history, quantity))) / models.len().max(1) as f64
                };
                let periods = weights.len() as f64;
                let common = [mean(Quantity::Purchases { periods }), mean(Quantity::Alive { ahead: 0.0 })];
                let mut worth = None;
                for row in members {
                    // Of customers without a repeat purchase no mean value is read.
                    let x = f64::from(history.frequency);
                    if worth.is_none() || x > 0.0 {
                        run.check()?;
                        worth =
                            Some(valued(&bought, &spends, (x, money[*row as usize]), options.margin, tail));
                    }
                    out.extend(worth.map(|worth| (*row, common, worth)));
                }
                run.advance(members.len() as u64)?;
            }
            Ok(out)
        })?;
        let mut each = vec![([0.0; 2], Worth::default()); slices.len()];
        for (row, common, worth) in parts.into_iter().flatten() {
            each[row as usize] = (common, worth);
        }
        Ok(Lifetime {
            expected_purchases: each.iter().map(|e| e.0[0]).collect(),
            p_alive: each.iter().map(|e| e.0[1]).collect(),
            expected_spend: each.iter().map(|e| e.1.spend).collect(),
            lifetime_value: each.iter().map(|e| e.1.value).collect(),
            edges: Some(each.iter().map(|e| e.1.edges).collect()),
            customer: rows.customer.unwrap_or_else(|| Names::from_iter([""; 0])),
            dropped: rows.dropped,
        })
    }
}

/// Customers of one history and one pattern of covariates, pattern after pattern.
fn alike(rows: &History<'_>, patterns: Option<&Patterns>) -> Vec<(usize, Vec<u32>)> {
    let key = |row: u32| {
        let row = row as usize;
        let litt = rows.intervals.as_ref().map_or(0, |litt| litt[row].to_bits());
        (rows.frequency[row].to_bits(), rows.recency[row].to_bits(), rows.age[row].to_bits(), litt)
    };
    let all: Vec<u32> =
        if patterns.is_none() { (0..rows.frequency.len() as u32).collect() } else { Vec::new() };
    let of = |pattern: usize| patterns.map_or(all.as_slice(), |patterns| patterns.get(pattern).0);
    let mut out = Vec::new();
    for pattern in 0..patterns.map_or(1, Patterns::len) {
        let mut members = of(pattern).to_vec();
        members.sort_by_key(|row| key(*row));
        out.extend(members.chunk_by(|a, b| key(*a) == key(*b)).map(|same| (pattern, same.to_vec())));
    }
    out
}

/// Means over the draws, and the limits of the value.
#[derive(Clone, Copy, Debug, Default)]
struct Worth {
    spend: Option<f64>,
    value: Option<f64>,
    edges: Edges,
}

fn valued(
    bought: &[f64],
    spends: &[GammaGammaModel],
    (x, mean): (f64, f64),
    margin: f64,
    tail: f64,
) -> Worth {
    let finite = |v: f64| Some(v).filter(|v| v.is_finite());
    let spent: Vec<f64> = spends.iter().map(|m| m.spend(x, mean).unwrap_or(f64::INFINITY)).collect();
    // No purchase brings nothing, whatever it would bring.
    let value = |(n, spend): (&f64, &f64)| if *n > 0.0 { margin * n * spend } else { 0.0 };
    let mut values: Vec<f64> = bought.iter().zip(&spent).map(value).collect();
    let [value, low, high] = mean_and_limits(&mut values, tail).map(finite);
    Worth { spend: finite(sum(spent.iter().copied()) / spent.len() as f64), value, edges: [low, high] }
}
