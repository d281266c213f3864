//! Spend per purchase along covariates.

use serde::{Deserialize, Serialize};

use super::Sources;
use super::spend_model::{DynamicGammaGammaModel, Slopes};
use super::timeline::{Lives, Timeline};
use crate::clv::design::{Matrix, Reader, Terms};
use crate::clv::estimates::{Estimates, Verdict};
use crate::clv::finish::{Finish, Finished, Shrinkage};
use crate::clv::gamma_gamma::{GammaGamma, SpendSlices};
use crate::clv::laws::{Fit, ParetoLaw, Purchases};
use crate::clv::rows::RfmSlices;
use crate::column::{Columns, Dropped, Duration};
use crate::math::ascent::Local;
use crate::math::{
    digamma, digamma_rise, exp, ln, ln_1p, ln_gamma, ln_gamma_rise, sum, trigamma, trigamma_rise,
};
use crate::{Error, Result, Run};

/// Customers in one piece of work.
const PIECE: usize = 256;
/// The parameters before the coefficients.
pub(super) const LAW: usize = 3;

/// Gamma–Gamma with covariates: how to fit it.
///
/// Each purchase has a value Gamma(p, ν e^{−δ (z − z̄)}), z being what held at
/// its time, and ν ~ Gamma(q, v) for the customer: covariates multiply spend by e^{δ (z − z̄)}.
/// Single purchases are looked at, not customers' means, so that without covariates the
/// estimates differ from [`GammaGamma`]'s, which knows the means alone. First purchases are left out, as there.
///
/// With `rate` the customer's purchase rate is a covariate too: the log of what Pareto/NBD, fitted to the
/// same orders, expects of it. Its coefficient tests whether those who buy often spend
/// more or less at a time, and where they do, spend is no longer taken to be independent of it.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::dynamic::{DynamicGammaGamma, DynamicSpendOptions};
/// use headwater::column::Columns;
///
/// let orders = Columns::new()
///     .with("customer", vec!["a", "a", "a", "a", "b", "b", "b", "c", "c", "c", "d", "d", "d", "d"])
///     .with("time", vec![
///         "2024-01-01", "2024-02-11", "2024-11-28", "2024-12-05", "2024-01-09", "2024-03-01", "2024-12-11",
///         "2024-02-01", "2024-05-01", "2024-11-30", "2024-01-02", "2024-04-02", "2024-06-03", "2024-12-20",
///     ])
///     .with("value", vec![9.0, 10.0, 24.0, 19.0, 30.0, 33.0, 61.0, 8.0, 7.0, 15.0, 20.0, 24.0, 21.0, 45.0]);
/// let seasons = Columns::new()
///     .with("customer", vec!["a", "a", "b", "b", "c", "c", "d", "d"])
///     .with("time", vec!["2024-01-01", "2024-11-25"].repeat(4))
///     .with("christmas", vec![0.0, 1.0].repeat(4));
/// let run = Run::new();
/// let (model, _) = DynamicGammaGamma::new(["christmas"]).fit(&orders, &seasons, &run)?;
/// assert!(model.coefficients()[0] > 0.4); // e^0.7 would be twice as much
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicGammaGamma {
    /// Columns that explain spend: numbers, truth values or names.
    pub covariates: Vec<String>,
    /// Reference levels of columns of names; the first in order by default.
    pub references: std::collections::BTreeMap<String, String>,
    /// Whether the purchase rate explains spend too. Default no.
    pub rate: bool,
    /// λ of −½ λ δ² per customer, on standardised covariates. Default 0.
    pub penalty: f64,
    /// The unit of time. Default 1 day.
    pub period: Duration,
    /// How the frames are read.
    pub sources: Sources,
    /// Most Newton steps. Default 200.
    pub max_iterations: usize,
    /// The gradient per customer that counts as zero. Default 1e-9.
    pub tolerance: f64,
}

impl Default for DynamicGammaGamma {
    fn default() -> Self {
        let GammaGamma { max_iterations, tolerance } = GammaGamma::default();
        Self {
            covariates: Vec::new(),
            references: std::collections::BTreeMap::new(),
            rate: false,
            penalty: 0.0,
            period: Duration::from_days(1),
            sources: Sources::default(),
            max_iterations,
            tolerance,
        }
    }
}

/// One customer's purchases with a value: their places and values, and the log of the purchase rate.
struct Spender {
    bought: Vec<(u32, f64)>,
    rate: f64,
}

impl DynamicGammaGamma {
    /// These columns, with defaults.
    pub fn new<S: Into<String>>(covariates: impl IntoIterator<Item = S>) -> Self {
        Self { covariates: covariates.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Fits the model to orders and covariates; rows that were dropped are returned
    /// beside it, of orders and then of covariates. Purchases of 0 say nothing of
    /// spend and are left out.
    ///
    /// Errors: those of [`GammaGamma::fit`]; an order without a value, customers without
    /// covariates, a covariate that does not vary between purchases.
    pub fn fit(
        &self,
        orders: &Columns,
        covariates: &Columns,
        run: &Run,
    ) -> Result<(DynamicGammaGammaModel, [Dropped; 2])> {
        if self.covariates.is_empty() && !self.rate {
            return Err(Error::option("covariates", "name one column or more, or set rate"));
        }
        if !(self.penalty.is_finite() && self.penalty >= 0.0) {
            return Err(Error::option("penalty", "must be a finite number from 0"));
        }
        if self.period.micros() <= 0 {
            return Err(Error::option("period", "must be longer than 0"));
        }
        if self.sources.value.is_none() && !orders.has("value") {
            return Err(Error::column("value", "is needed: name the column of amounts in sources.value"));
        }
        let timeline = Timeline::read(covariates, &[Reader::Fit(&self.covariates)], &self.sources, run)?;
        let lives = Lives::read(orders, &timeline, &self.sources, self.period.micros() as f64, run)?;
        let rate = if self.rate { Some(Self::rates(&lives, run)?) } else { None };
        let spenders: Vec<Spender> = lives
            .each
            .iter()
            .map(|life| {
                let [from, to] = life.purchases;
                let bought = lives.purchases[from..to].iter().copied().filter(|(_, value)| *value > 0.0);
                let rate = rate.map_or(0.0, |law| log_rate(law, life.frequency, life.age));
                Spender { bought: bought.collect(), rate }
            })
            .filter(|spender| !spender.bought.is_empty())
            .collect();
        let mut terms =
            Terms::of(&self.covariates, timeline.given(), timeline.given_rows(), &self.references)?;
        let mut matrix = timeline.matrix(&terms);
        let mut purchases = vec![0.0; matrix.rows];
        for (place, _) in spenders.iter().flat_map(|s| &s.bought) {
            purchases[*place as usize] += 1.0;
        }
        if !self.covariates.is_empty() {
            terms.standardise(&mut matrix, |place| purchases[place])?;
        }
        let rates = Spread::of(&spenders);
        if self.rate && rates.scale <= 1e-12 {
            return Err(Error::not_enough_data("all customers buy at one rate, which explains nothing"));
        }
        let plain = self.start(&spenders, run)?;
        let bought = || spenders.iter().flat_map(|s| &s.bought).map(|b| b.1);
        let mean = sum(bought()) / bought().count() as f64;
        let rates = self.rate.then_some(rates);
        let scales: Vec<f64> = terms.scales().into_iter().chain(rates.map(|r| r.scale)).collect();
        run.stage("fitting spend", 0)?;
        let finish = Finish {
            name: "DynamicGammaGamma",
            plain: &plain,
            shrinkage: Shrinkage {
                centre: [0.0, 0.0, ln(mean)],
                penalty: 0.0,
                penalties: vec![self.penalty; scales.len()],
            },
            scales,
            customers: spenders.len() as f64,
            limits: (self.max_iterations, self.tolerance),
        };
        let mut found: Finished<LAW> = finish.find(|at| whole(&spenders, &matrix, rates, at, run))?;
        found.judge(found.estimates.verdict, |_, _| Verdict::EqualSpend);
        found.estimates.distinct = spenders.len() as u64;
        let Finished { estimates, values, fixed, covariance, .. } = found;
        let rate = rate.zip(rates).map(|(law, spread)| (law, spread.mean));
        let slopes = Slopes { terms, values, fixed, covariance, rate };
        let model = DynamicGammaGammaModel::new(estimates, slopes, self.period);
        Ok((model, [lives.dropped, timeline.dropped]))
    }

    /// r and α of Pareto/NBD.
    fn rates(lives: &Lives, run: &Run) -> Result<[f64; 2]> {
        let take = |f: fn(&super::timeline::Life) -> f64| lives.each.iter().map(f).collect::<Vec<f64>>();
        let (x, t_x, t) = (take(|l| f64::from(l.frequency)), take(|l| l.recency), take(|l| l.age));
        let rows = RfmSlices { frequency: &x, recency: &t_x, age: &t, ..RfmSlices::default() };
        let model = Fit::<ParetoLaw, 4>::new().tolerance(1e-7).fit(&rows, run)?;
        let values = &model.estimates().values;
        Ok([values[0], values[1]])
    }

    /// Spend by the customers' means.
    fn start(&self, spenders: &[Spender], run: &Run) -> Result<Estimates> {
        let x: Vec<f64> = spenders.iter().map(|s| s.bought.len() as f64).collect();
        let mean = spenders.iter().zip(&x).map(|(s, x)| sum(s.bought.iter().map(|b| b.1)) / x);
        let rows = SpendSlices { frequency: &x, monetary_value: &mean.collect::<Vec<f64>>(), weight: None };
        let fit = GammaGamma { max_iterations: self.max_iterations, tolerance: 1e-5 };
        Ok(fit.fit(&rows, run)?.estimates().clone())
    }
}

/// The log of the rate that Pareto/NBD expects of a living customer.
pub(super) fn log_rate([r, alpha]: [f64; 2], frequency: u32, age: f64) -> f64 {
    ln((r + f64::from(frequency)) / (alpha + age))
}

/// Mean and standard deviation of the rates, over purchases.
#[derive(Clone, Copy)]
struct Spread {
    mean: f64,
    scale: f64,
}

impl Spread {
    fn of(spenders: &[Spender]) -> Self {
        let each = || spenders.iter().map(|s| (s.bought.len() as f64, s.rate));
        let n = sum(each().map(|(x, _)| x));
        let mean = sum(each().map(|(x, rate)| x * rate)) / n;
        let scale = (sum(each().map(|(x, rate)| x * (rate - mean) * (rate - mean))) / n).sqrt();
        Self { mean, scale }
    }
}

fn whole(
    spenders: &[Spender],
    matrix: &Matrix,
    rates: Option<Spread>,
    at: &[f64],
    run: &Run,
) -> Result<Local> {
    let n = spenders.len();
    let parts = run.map_items(n.div_ceil(PIECE), |piece| {
        run.check()?;
        let mut total = Local::zero(at.len());
        let mut row = vec![0.0; at.len() - LAW];
        for spender in &spenders[piece * PIECE..n.min((piece + 1) * PIECE)] {
            if let (Some(last), Some(rates)) = (row.last_mut(), rates) {
                *last = (spender.rate - rates.mean) / rates.scale;
            }
            add(spender, matrix, &mut row, at, &mut total);
        }
        Ok(total)
    })?;
    Ok(parts.into_iter().fold(Local::zero(at.len()), Local::merge))
}

/// Adds one customer; `row` holds its rate where that explains, and is filled with covariates.
#[allow(clippy::needless_range_loop)] // matrices read best by their indices
fn add(spender: &Spender, matrix: &Matrix, row: &mut [f64], at: &[f64], total: &mut Local) {
    let size = at.len();
    let k = size - LAW;
    let [p, q, v] = [exp(at[0]), exp(at[1]), exp(at[2])];
    let (mut logs, mut sums) = (0.0, 0.0);
    let (mut shifts, mut first, mut second) = (vec![0.0; k], vec![0.0; k], vec![0.0; k * k]);
    for (place, value) in &spender.bought {
        let covariates = if matrix.columns == 0 { &[][..] } else { matrix.row(*place as usize) };
        row[..covariates.len()].copy_from_slice(covariates);
        let eta: f64 = row.iter().zip(&at[LAW..]).map(|(z, c)| z * c).sum();
        let level = value * exp((-eta).clamp(-300.0, 300.0));
        logs += ln(*value);
        sums += level;
        for c in 0..k {
            shifts[c] += row[c];
            first[c] -= level * row[c];
            for d in 0..=c {
                second[c * k + d] += level * row[c] * row[d];
            }
        }
    }
    let x = spender.bought.len() as f64;
    // Differences of near equals are taken whole: where all spend alike, q and v are vast.
    let (rise, c, w) = (p * x, p * x + q, v + sums);
    let (ln_w, over) = (ln(w), ln_1p(sums / v));
    let eta: f64 = shifts.iter().zip(&at[LAW..]).map(|(z, c)| z * c).sum();
    total.value +=
        (p - 1.0) * logs - p * eta + ln_gamma_rise(q, rise) - x * ln_gamma(p) - q * over - rise * ln_w;
    let (psi, bend) = (digamma(c), trigamma(c));
    // In p, q and v, then on their logarithms.
    let slope = [
        logs - eta + x * (psi - digamma(p)) - x * ln_w,
        digamma_rise(q, rise) - over,
        (q * (sums / v) - rise) / w,
    ];
    let bent = [
        [x * x * bend - x * trigamma(p), 0.0, 0.0],
        [x * bend, trigamma_rise(q, rise), 0.0],
        [-x / w, sums / v / w, (rise - q * (sums / v) * (2.0 + sums / v)) / (w * w)],
    ];
    let theta = [p, q, v];
    for i in 0..LAW {
        total.gradient[i] += theta[i] * slope[i];
        total.hessian[i * size + i] += theta[i] * slope[i];
        for j in 0..=i {
            total.hessian[i * size + j] += theta[i] * theta[j] * bent[i][j];
        }
    }
    for e in 0..k {
        let line = (LAW + e) * size;
        total.gradient[LAW + e] += -p * shifts[e] - c * first[e] / w;
        total.hessian[line] += p * (-shifts[e] - x * first[e] / w);
        total.hessian[line + 1] -= q * first[e] / w;
        total.hessian[line + 2] += v * c * first[e] / (w * w);
        for d in 0..=e {
            total.hessian[line + LAW + d] -= c * (second[e * k + d] / w - first[e] * first[d] / (w * w));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_value() {
        let matrix = Matrix { rows: 3, columns: 1, values: vec![0.4, -1.1, 0.9] };
        let spender = Spender { bought: vec![(0, 12.0), (2, 30.0), (1, 7.5), (2, 22.0)], rate: 0.7 };
        let rates = Some(Spread { mean: 0.2, scale: 0.5 });
        let at = [0.6, 1.1, 2.4, 0.3, -0.5];
        let local = |at: &[f64]| {
            let mut row = vec![0.0, rates.map_or(0.0, |r| (0.7 - r.mean) / r.scale)];
            let mut total = Local::zero(5);
            add(&spender, &matrix, &mut row, at, &mut total);
            total
        };
        let here = local(&at);
        for i in 0..5 {
            let moved = |h: f64| {
                let mut at = at;
                at[i] += h;
                local(&at)
            };
            let (up, down) = (moved(1e-5), moved(-1e-5));
            let slope = (up.value - down.value) / 2e-5;
            assert!((slope - here.gradient[i]).abs() < 1e-6 * (1.0 + slope.abs()), "{i}");
            for j in 0..5 {
                let bent = (up.gradient[j] - down.gradient[j]) / 2e-5;
                let told = here.hessian[i.max(j) * 5 + i.min(j)];
                assert!((bent - told).abs() < 1e-6 * (1.0 + bent.abs()), "{i} {j}: {bent} {told}");
            }
        }
    }
}
