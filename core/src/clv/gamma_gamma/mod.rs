//! Gamma-gamma: how much customers spend per purchase.
//!
//! Fader & Hardie (2013), "The gamma-gamma model of monetary value", note 025.
//! A customer's purchases have values Gamma(p, ν) with ν ~ Gamma(q, v), so the
//! mean of x of them is informative in proportion to x. The model takes spend
//! to be independent of frequency; the correlation is reported with the fit.

mod data;

use serde::{Deserialize, Serialize};

pub(crate) use data::Data;

use super::estimates::{Estimates, Verdict};
use super::laws::{Edges, factors, reach};
use super::ridge::{EDGE, ended, identified};
use crate::column::{Table, Values};
use crate::math::newton::{Stop, maximise};
use crate::math::{erfc, exp, ln, ln_1p};
use crate::model::Model;
use crate::{Error, Result, Run};

pub(crate) const MODEL: &str = "GammaGamma";
pub(crate) const NAMES: [&str; 3] = ["p", "q", "v"];

/// Mean spend of each customer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpendSlices<'a> {
    /// Repeat purchases, the number of values in the mean.
    pub frequency: &'a [f64],
    /// Mean value of those purchases.
    pub monetary_value: &'a [f64],
    /// How many customers a row stands for; one each when `None`.
    pub weight: Option<&'a [f64]>,
}

impl SpendSlices<'_> {
    pub(super) fn check(&self) -> Result<()> {
        let n = self.frequency.len();
        for (name, len) in
            [("monetary_value", self.monetary_value.len()), ("weight", self.weight.map_or(n, <[f64]>::len))]
        {
            if len != n {
                return Err(Error::column(name, format!("has {len} rows, and `frequency` has {n}")));
            }
        }
        let amount = |v: f64| v.is_finite() && v >= 0.0;
        for (name, column) in [
            ("frequency", Some(self.frequency)),
            ("monetary_value", Some(self.monetary_value)),
            ("weight", self.weight),
        ] {
            let Some(column) = column else { continue };
            let bad = || column.iter().enumerate().filter(|(_, v)| !amount(**v));
            if let Some((row, _)) = bad().next() {
                return Err(Error::Row {
                    column: name.to_owned(),
                    row: row as u64,
                    reason: "is not a finite number from 0".to_owned(),
                    count: bad().count() as u64,
                });
            }
        }
        Ok(())
    }
}

/// How to fit a gamma-gamma model.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::{GammaGamma, SpendSlices};
///
/// let spend = SpendSlices {
///     frequency: &[1.0, 2.0, 5.0, 1.0, 3.0, 8.0],
///     monetary_value: &[10.0, 35.0, 22.0, 60.0, 18.0, 41.0],
///     weight: None,
/// };
/// let model = GammaGamma::new().fit(&spend, &Run::new())?;
/// let (few, many) = (model.expected_spend(1.0, 60.0)?, model.expected_spend(50.0, 60.0)?);
/// assert!(few < many && many < Some(60.0)); // more purchases, less shrinkage to the mean
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GammaGamma {
    /// Most Newton steps; 200 by default.
    pub max_iterations: usize,
    /// The fit has converged when no entry of the gradient, per customer and
    /// on log parameters, exceeds this; 1e-9 by default.
    pub tolerance: f64,
}

impl Default for GammaGamma {
    fn default() -> Self {
        Self { max_iterations: 200, tolerance: 1e-9 }
    }
}

impl GammaGamma {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the most Newton steps.
    #[must_use]
    pub fn max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets the tolerance on the gradient.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Fits the model by maximum likelihood on the rows with a repeat purchase
    /// and a mean value above 0; [`GammaGammaModel::excluded`] counts the others.
    ///
    /// Errors: [`Error::Row`] for negative or non-finite numbers,
    /// [`Error::NotEnoughData`] with fewer than three different means,
    /// [`Error::NotConverged`].
    pub fn fit(&self, rows: &SpendSlices<'_>, run: &Run) -> Result<GammaGammaModel> {
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(Error::option("tolerance", "must lie between 0 and 1; the default is 1e-9"));
        }
        if self.max_iterations == 0 {
            return Err(Error::option("max_iterations", "must be 1 or more"));
        }
        let data = Data::read(rows)?;
        let n = data.customers;
        data.enough()?;
        let mean = data.mean();
        run.stage("fitting GammaGamma", 0)?;
        let centre = [0.0, 0.0, ln(mean)];
        let edge = ln(EDGE);
        let bounds: [(f64, f64); 3] = std::array::from_fn(|i| (centre[i] - edge, centre[i] + edge));
        let stop = Stop { max_iterations: self.max_iterations, gradient: self.tolerance * n };
        let found = maximise(start(mean).map(ln), &bounds, stop, |log| {
            run.check()?;
            data.evaluate(log.map(exp), run)
        })?;
        let advice = "look whether all mean values are nearly equal, or there are too few of them";
        ended(MODEL, &found, centre, (n, self.max_iterations), advice)?;
        let (fixed, covariance) = identified(&found, centre, found.bound);
        let verdict = if !fixed.contains(&true) {
            Verdict::Interior
        } else if (0..3).any(|i| fixed[i] && found.at[i] > centre[i]) {
            Verdict::EqualSpend
        } else {
            Verdict::Boundary
        };
        let estimates = Estimates {
            names: NAMES.map(str::to_owned).to_vec(),
            values: found.at.map(exp).to_vec(),
            covariance: covariance.iter().map(|row| row.to_vec()).collect(),
            fixed: fixed.to_vec(),
            log_likelihood: Some(found.local.value),
            customers: Some(n),
            distinct: data.rows.len() as u64,
            iterations: found.iterations as u64,
            gradient_norm: found.gradient_norm / n,
            verdict,
        };
        let [correlation, of_logs, of_ranks] = data.correlations();
        let dependence = Some([of_logs, of_ranks]);
        Ok(GammaGammaModel { estimates, excluded: data.excluded, correlation: Some(correlation), dependence })
    }
}

/// A point to start from: p v / (q − 1) is the mean.
pub(crate) fn start(mean: f64) -> [f64; 3] {
    [2.0, 3.0, mean]
}

/// A fitted gamma-gamma model: parameters p, q, v.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GammaGammaModel {
    estimates: Estimates,
    excluded: u64,
    correlation: Option<f64>,
    /// Of logarithms, and of ranks.
    #[serde(default)]
    dependence: Option<[f64; 2]>,
}

impl Model for GammaGammaModel {
    const KIND: &'static str = "clv.GammaGamma";

    fn check(&self) -> Result<()> {
        self.estimates.check(&NAMES)?;
        if self.correlation.is_none_or(f64::is_finite)
            && self.dependence.is_none_or(|d| d.iter().all(|d| d.is_finite()))
        {
            Ok(())
        } else {
            Err(Error::model_file("the correlation is not a number"))
        }
    }
}

impl GammaGammaModel {
    /// A model with given parameters: no fit, no errors.
    pub fn from_parameters(p: f64, q: f64, v: f64) -> Result<Self> {
        for (name, value) in NAMES.iter().zip([p, q, v]) {
            if !(value > 0.0 && value <= 1e100) {
                return Err(Error::option(*name, "must be a number greater than 0, 1e100 at most"));
            }
        }
        let estimates = Estimates::given(&NAMES, vec![p, q, v]);
        Ok(Self { estimates, excluded: 0, correlation: None, dependence: None })
    }

    /// Parameters, standard errors, log-likelihood, verdict.
    pub fn estimates(&self) -> &Estimates {
        &self.estimates
    }

    /// [p, q, v]; v is in the unit of the amounts.
    pub fn params(&self) -> [f64; 3] {
        let v = &self.estimates.values;
        std::array::from_fn(|i| v.get(i).copied().unwrap_or(f64::NAN))
    }

    /// Standard errors of [p, q, v]; `None` where not identified.
    pub fn standard_errors(&self) -> Vec<Option<f64>> {
        self.estimates.standard_errors()
    }

    /// The maximised log-likelihood; `None` where the parameters were given.
    pub fn log_likelihood(&self) -> Option<f64> {
        self.estimates.log_likelihood
    }

    /// Rows that took no part in the fit: no repeat purchase, or a mean value of 0.
    pub fn excluded(&self) -> u64 {
        self.excluded
    }

    /// Whether spend is independent of frequency, as the model takes it to be: a frame of test
    /// (`pearson_log`, `spearman`), correlation and p (Fisher's z; of ranks with the variance
    /// of Fieller, Hartley & Pearson 1957). Where it is not, [`DynamicGammaGamma`](super::dynamic::DynamicGammaGamma)
    /// with `rate` models it.
    pub fn independence(&self) -> Table {
        let n = self.estimates.customers.unwrap_or_default();
        let p = |r: f64, spread: f64| {
            let free = (n - 3.0) / spread;
            let z = 0.5 * (ln_1p(r) - ln_1p(-r)) * free.max(0.0).sqrt();
            (free > 0.0).then(|| erfc(z.abs() / std::f64::consts::SQRT_2))
        };
        let found = self.dependence.unwrap_or_default();
        let spreads = [1.0, 1.06];
        Table::new()
            .with("test", Values::Text(["pearson_log", "spearman"].into_iter().collect()))
            .with_optional("correlation", found.map(|r| self.dependence.map(|_| r)))
            .with_optional("p", [0, 1].map(|i| self.dependence.and_then(|_| p(found[i], spreads[i]))))
    }

    /// Pearson's correlation of frequency and mean value in the rows fitted.
    /// The model assumes none; beyond ±0.3 its spend and a frequency model's
    /// purchases should not simply be multiplied. `None` where the parameters were given.
    pub fn correlation(&self) -> Option<f64> {
        self.correlation
    }

    /// Mean spend per purchase over all customers, p v / (q − 1); `None` where
    /// q ≤ 1, as the distribution then has no mean.
    pub fn mean_spend(&self) -> Option<f64> {
        let [p, q, v] = self.params();
        (q > 1.0).then(|| p * v / (q - 1.0))
    }

    /// Expected spend per purchase of a customer whose `frequency` repeat
    /// purchases had this mean (eq. 5 of note 025): the population's mean for a customer
    /// without one. `None` where the mean does not exist, p x + q ≤ 1.
    pub fn expected_spend(&self, frequency: f64, monetary_value: f64) -> Result<Option<f64>> {
        let one = SpendSlices { frequency: &[frequency], monetary_value: &[monetary_value], weight: None };
        one.check().map_err(Error::of_one)?;
        Ok(self.spend(frequency, monetary_value))
    }

    /// The interval of [`GammaGammaModel::expected_spend`] for the uncertainty of the parameters: the delta method on the
    /// log scale. `level` is such as 0.95. An edge that is not finite is `None`; both are where there is no mean or the
    /// data identify no parameter; of a model whose parameters were given an interval is an [`Error::Option`].
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::clv::{GammaGamma, SpendSlices};
    ///
    /// let spend = SpendSlices {
    ///     frequency: &[1.0, 2.0, 5.0, 1.0, 3.0, 8.0],
    ///     monetary_value: &[10.0, 35.0, 22.0, 60.0, 18.0, 41.0],
    ///     weight: None,
    /// };
    /// let model = GammaGamma::new().fit(&spend, &Run::new())?;
    /// let [low, high] = model.expected_spend_interval(1.0, 60.0, 0.9)?;
    /// let expected = model.expected_spend(1.0, 60.0)?;
    /// assert!(low < expected && expected < high);
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn expected_spend_interval(
        &self,
        frequency: f64,
        monetary_value: f64,
        level: f64,
    ) -> Result<[Option<f64>; 2]> {
        let z = self.estimates.interval_quantile(level)?;
        let one = SpendSlices { frequency: &[frequency], monetary_value: &[monetary_value], weight: None };
        one.check().map_err(Error::of_one)?;
        Ok(self.edges(frequency, monetary_value, z))
    }

    /// That of [`GammaGammaModel::mean_spend`].
    pub fn mean_spend_interval(&self, level: f64) -> Result<[Option<f64>; 2]> {
        self.expected_spend_interval(0.0, 0.0, level)
    }

    /// That of every row of [`GammaGammaModel::predict`].
    pub fn predict_interval(&self, rows: &SpendSlices<'_>, level: f64) -> Result<Vec<[Option<f64>; 2]>> {
        let z = self.estimates.interval_quantile(level)?;
        rows.check()?;
        Ok(rows.frequency.iter().zip(rows.monetary_value).map(|(x, m)| self.edges(*x, *m, z)).collect())
    }

    fn edges(&self, x: f64, m: f64, z: f64) -> Edges {
        let reach = self.spread(x, m).map(|spread| z * spread);
        self.spend(x, m).map_or([None; 2], |spend| factors(spend, reach))
    }

    /// Expected spend per purchase of every row.
    pub fn predict(&self, rows: &SpendSlices<'_>) -> Result<Vec<Option<f64>>> {
        rows.check()?;
        Ok(rows.frequency.iter().zip(rows.monetary_value).map(|(x, m)| self.spend(*x, *m)).collect())
    }

    /// The standard deviation of its logarithm, by the uncertainty of the parameters; `None` where the data identify none.
    pub(crate) fn spread(&self, x: f64, m: f64) -> Option<f64> {
        let [p, q, v] = self.params();
        let total = if x > 0.0 { x * m } else { 0.0 };
        let divisor = p * x + (q - 1.0);
        reach(&self.estimates, 1.0, &[1.0 - p * x / divisor, -q / divisor, v / (v + total)])
    }

    pub(crate) fn spend(&self, x: f64, m: f64) -> Option<f64> {
        spend_at(self.params(), x, m)
    }
}

/// Expected spend at given parameters; `None` where it has no mean.
pub(crate) fn spend_at([p, q, v]: [f64; 3], x: f64, m: f64) -> Option<f64> {
    let total = if x > 0.0 { x * m } else { 0.0 };
    let divisor = p * x + (q - 1.0);
    (divisor > 0.0).then(|| p * (v + total) / divisor)
}
