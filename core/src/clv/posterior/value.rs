//! Lifetime values that carry the uncertainty of the parameters.

use rand::Rng;

use super::predict::{at, most_draws};
use super::report::level;
use super::{Hierarchy, Posterior};
use crate::clv::covariates::{Shared, each_pattern};
use crate::clv::gamma_gamma::{GammaGammaModel, spend_at};
use crate::clv::laws::{Edges, Purchases, Quantity};
use crate::clv::lifetime::{Lifetime, LifetimeOptions, Worth};
use crate::clv::rows::Unique;
use crate::column::Columns;
use crate::math::{exp, mean_and_limits, normal_quantile, sum};
use crate::run::unit_open;
use crate::{Error, Result, Run};

/// Distinct rows valued in one piece of work.
const PIECE: usize = 16;
/// The stream of the parameters of spend.
const SPEND: u64 = 0x7370_656e_0000_0000;
/// The stream of fitted purchases beside draws of spend.
const PURCHASES: u64 = 0x7075_7263_0000_0000;

/// What customers spend, beside draws of what they buy.
#[derive(Clone, Copy, Debug)]
pub enum DrawnSpend<'a> {
    /// Draws of `GammaGamma`: one goes with each draw of purchases.
    Draws(&'a Posterior),
    /// A fit: parameters are drawn from the normal of their estimates on the log scale, by the seed.
    Fit(&'a GammaGammaModel),
    /// Draws of `GammaGamma` by group, beside draws of purchases by the same groups
    /// ([`Hierarchy::lifetime_value`]).
    Groups(&'a Hierarchy),
}

impl<'a> From<&'a Posterior> for DrawnSpend<'a> {
    fn from(draws: &'a Posterior) -> Self {
        Self::Draws(draws)
    }
}

impl<'a> From<&'a GammaGammaModel> for DrawnSpend<'a> {
    fn from(fit: &'a GammaGammaModel) -> Self {
        Self::Fit(fit)
    }
}

impl<'a> From<&'a Hierarchy> for DrawnSpend<'a> {
    fn from(groups: &'a Hierarchy) -> Self {
        Self::Groups(groups)
    }
}

pub(in crate::clv) fn of_groups() -> Error {
    let reason = "is drawn by group, and these purchases are not: take `sample_hierarchy` for both, or draws of spend \
                  of all customers together";
    Error::option("spend", reason)
}

/// Draws of `GammaGamma` beside fitted purchases, whose logarithm is normal about what the fit expects.
#[derive(Clone, Debug)]
pub(in crate::clv) struct SpendDraws {
    each: Vec<[f64; 3]>,
    normal: Vec<f64>,
}

impl SpendDraws {
    pub(in crate::clv) fn new(draws: &Posterior, most: usize, run: &Run) -> Result<Self> {
        let models = draws.spends(most_draws(most)?)?;
        let mut rng = run.rng(PURCHASES);
        let normal = models.iter().map(|_| normal_quantile(unit_open(rng.next_u64()))).collect();
        Ok(Self { each: models.iter().map(GammaGammaModel::params).collect(), normal })
    }

    /// Expected spend of a customer by each draw, infinite where it has no mean.
    pub(in crate::clv) fn spent(&self, x: f64, m: f64) -> Vec<f64> {
        spent(&self.each, x, m)
    }

    /// The mean of [`SpendDraws::spent`], missing where it is infinite.
    pub(in crate::clv) fn mean(spent: &[f64]) -> Option<f64> {
        Some(sum(spent.iter().copied()) / spent.len().max(1) as f64).filter(|v| v.is_finite())
    }

    /// Quantiles of the value, of which `purchases` is what discounted purchases bring per unit of spend, and `spread` the
    /// standard deviation of its logarithm.
    pub(in crate::clv) fn edges(
        &self,
        spent: &[f64],
        purchases: f64,
        spread: Option<f64>,
        level: f64,
    ) -> Edges {
        let Some(spread) = spread else { return [None; 2] };
        // No purchase brings nothing, whatever it would bring.
        let value = |(z, spend): (&f64, &f64)| {
            if purchases > 0.0 { purchases * exp(spread * z) * spend } else { 0.0 }
        };
        let mut values: Vec<f64> = self.normal.iter().zip(spent).map(value).collect();
        let [_, low, high] = mean_and_limits(&mut values, 0.5 - 0.5 * level);
        [low, high].map(|edge| Some(edge).filter(|v| v.is_finite()))
    }
}

fn spent(each: &[[f64; 3]], x: f64, m: f64) -> Vec<f64> {
    each.iter().map(|p| spend_at(*p, x, m).unwrap_or(f64::INFINITY)).collect()
}

impl Posterior {
    /// [`lifetime_value`](crate::clv::lifetime_value) by draws of purchases: expected purchases, P(alive) and the value
    /// are means over them, and `interval` has quantiles of the draws' own values.
    ///
    /// With each draw goes one of spend, of which it is independent. Of draws of `GammaGamma` (`interval` is 0.9 by
    /// default) spend and value are means as well, infinite and so missing where they are in some draw, such as the
    /// spend of a customer without a repeat purchase where q ≤ 1. Of a fit they are at the estimates, about which spend
    /// may have no mean.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::clv::posterior::{PosteriorOptions, laplace};
    /// use headwater::clv::{GammaGammaOptions, LifetimeOptions, gamma_gamma};
    /// use headwater::column::Columns;
    ///
    /// let customers = Columns::new()
    ///     .with("customer", vec!["a", "b", "c", "d", "e", "f", "g"])
    ///     .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
    ///     .with("recency", vec![0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0])
    ///     .with("T", vec![35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0])
    ///     .with("monetary_value", vec![0.0, 12.0, 35.0, 8.0, 60.0, 25.0, 42.0])
    ///     .with("customers", vec![1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0]);
    /// let run = Run::new();
    /// let options = PosteriorOptions { weight: Some("customers".into()), ..Default::default() };
    /// let (posterior, _) = laplace("ParetoNBD", &customers, &options, &run)?;
    /// let options = GammaGammaOptions { weight: Some("customers".into()), ..Default::default() };
    /// let (spend, _) = gamma_gamma(&customers, &options, &run)?;
    /// let options = LifetimeOptions { periods: 12.0.into(), interval: Some(0.9), ..Default::default() };
    /// let found = posterior.lifetime_value(&spend, &customers, &options, &run)?.table();
    /// let column = |name| found.f64s(name).map(|v| v[6]).unwrap_or_default();
    /// assert!(column("lifetime_value_low") < column("lifetime_value"));
    /// assert!(column("lifetime_value") < column("lifetime_value_high"));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn lifetime_value<'s>(
        &self,
        spend: impl Into<DrawnSpend<'s>>,
        frame: &Columns,
        options: &LifetimeOptions,
        run: &Run,
    ) -> Result<Lifetime> {
        let spend = spend.into();
        let weights = options.weights(self.period)?;
        let interval = match spend {
            DrawnSpend::Draws(_) => options.interval.or(Some(0.9)),
            DrawnSpend::Fit(_) => options.interval,
            DrawnSpend::Groups(_) => return Err(of_groups()),
        };
        if let Some(given) = interval {
            level(given)?;
        }
        let most = most_draws(options.most_draws)?.min(self.len());
        let (most, spends) = match (spend, interval) {
            (DrawnSpend::Draws(draws), _) => {
                let most = most.min(draws.len());
                (most, draws.spends(most)?.iter().map(GammaGammaModel::params).collect())
            }
            (DrawnSpend::Fit(fit), Some(level)) => {
                fit.estimates().interval_quantile(level)?;
                (most, drawn(fit, most, run))
            }
            (DrawnSpend::Fit(_) | DrawnSpend::Groups(_), _) => (most, Vec::new()),
        };
        let models = self.models(most)?;
        let estimate = self.model(&self.estimate)?;
        let rows = options.rows(frame, self.reader(), &*estimate, run)?;
        let money = rows.along.as_deref().unwrap_or_default();
        let worths = each_pattern(self.effects.as_ref(), &rows, run, |covariates, slices, places| {
            let own = covariates.map(|row| at(&models, row)).transpose()?;
            let models = own.as_ref().unwrap_or(&models);
            let unique = Unique::with_intervals(slices, run)?;
            // The rows of each distinct one stand together.
            let mut order: Vec<usize> = (0..unique.group.len()).collect();
            order.sort_by_key(|row| unique.group[*row]);
            let alike: Vec<&[usize]> = order.chunk_by(|a, b| unique.group[*a] == unique.group[*b]).collect();
            let parts = run.map_items(alike.len().div_ceil(PIECE), |piece| {
                let mut out = Vec::new();
                for rows in &alike[piece * PIECE..alike.len().min((piece + 1) * PIECE)] {
                    run.check()?;
                    let Some(first) = rows.first() else { continue };
                    let history = unique.history(unique.group[*first] as usize);
                    let each =
                        |ask: &dyn Fn(&dyn Purchases) -> f64| models.iter().map(|m| ask(&**m)).collect();
                    let mean = |values: &[f64]| sum(values.iter().copied()) / values.len().max(1) as f64;
                    let ahead = Quantity::Purchases { periods: weights.len() as f64 };
                    let discounted: Vec<f64> = each(&|m| m.discounted(history, &weights));
                    let purchases: Vec<f64> = each(&|m| m.quantity(history, ahead));
                    let alive: Vec<f64> = each(&|m| m.quantity(history, Quantity::Alive { ahead: 0.0 }));
                    for row in *rows {
                        let (x, m) = (slices.frequency[*row], money[places[*row] as usize]);
                        let worth = worth(spend, &spends, &discounted, (x, m), options.margin, interval);
                        out.push((*row, Worth { purchases: mean(&purchases), alive: mean(&alive), ..worth }));
                    }
                }
                Ok(out)
            })?;
            run.advance(slices.len() as u64)?;
            let mut found: Vec<(usize, Worth)> = parts.into_iter().flatten().collect();
            found.sort_unstable_by_key(|(row, _)| *row);
            Ok(Shared::each(found.into_iter().map(|(_, worth)| worth).collect()))
        })?;
        let worths = worths.map(|worth| *worth);
        Ok(Lifetime::of(rows.customer, &worths, interval.is_some(), rows.dropped))
    }
}

/// What a customer spends, and is worth by these draws of discounted purchases.
fn worth(
    spend: DrawnSpend<'_>,
    spends: &[[f64; 3]],
    discounted: &[f64],
    (x, m): (f64, f64),
    margin: f64,
    interval: Option<f64>,
) -> Worth {
    let finite = |v: f64| Some(v).filter(|v| v.is_finite());
    let mean = |values: &[f64]| sum(values.iter().copied()) / values.len().max(1) as f64;
    // No purchase brings nothing, whatever it would bring.
    let value = |(n, spend): (&f64, &f64)| if *n > 0.0 { margin * n * spend } else { 0.0 };
    let spent = spent(spends, x, m);
    let limits = interval.map(|level| {
        let mut values: Vec<f64> = discounted.iter().zip(&spent).map(value).collect();
        mean_and_limits(&mut values, 0.5 - 0.5 * level).map(finite)
    });
    let (expected, value) = match spend {
        DrawnSpend::Draws(_) | DrawnSpend::Groups(_) => {
            (finite(mean(&spent)), limits.and_then(|[value, ..]| value))
        }
        DrawnSpend::Fit(fit) => {
            let expected = fit.spend(x, m);
            (expected, expected.map(|spend| margin * spend * mean(discounted)))
        }
    };
    let edges = limits.map_or([None; 2], |[_, low, high]| [low, high]);
    Worth { purchases: 0.0, alive: 0.0, spend: expected, value, edges }
}

/// Draws of p, q and v about their estimates.
fn drawn(spend: &GammaGammaModel, draws: usize, run: &Run) -> Vec<[f64; 3]> {
    let (values, covariance) = (spend.params(), &spend.estimates().covariance);
    // The factor of a covariance whose rows of parameters that are held are 0.
    let mut factor = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..=i {
            let rest = covariance[i][j] - (0..j).map(|k| factor[i][k] * factor[j][k]).sum::<f64>();
            factor[i][j] = match (i == j, factor[j][j] > 0.0) {
                (true, _) => rest.max(0.0).sqrt(),
                (_, true) => rest / factor[j][j],
                (_, false) => 0.0,
            };
        }
    }
    let mut rng = run.rng(SPEND);
    let one = || {
        let z: [f64; 3] = std::array::from_fn(|_| normal_quantile(unit_open(rng.next_u64())));
        std::array::from_fn(|i| values[i] * exp((0..=i).map(|j| factor[i][j] * z[j]).sum::<f64>()))
    };
    std::iter::repeat_with(one).take(draws).collect()
}
