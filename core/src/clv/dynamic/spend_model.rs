//! A fitted Gamma–Gamma model with covariates.

use serde::{Deserialize, Serialize};

use super::Sources;
use super::model::centred;
use super::spend::{LAW, log_rate};
use super::timeline::{Lives, Timeline};
use crate::clv::ahead::Horizon;
use crate::clv::design::{Reader, Terms};
use crate::clv::estimates::{Estimates, Verdict, interval_quantile};
use crate::clv::gamma_gamma::NAMES;
use crate::clv::laws::CustomerPrediction;
use crate::column::{Columns, Duration, Table, Text, Values};
use crate::math::{erfc, exp};
use crate::model::Model;
use crate::{Error, Result, Run};

/// What covariates do to spend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slopes {
    pub(super) terms: Terms,
    pub(super) values: Vec<f64>,
    pub(super) fixed: Vec<bool>,
    /// Of ln p, ln q, ln v, and the coefficients.
    pub(super) covariance: Vec<Vec<f64>>,
    /// r and α of the purchase rate, and the mean of its logarithm, where that explains.
    pub(super) rate: Option<([f64; 2], f64)>,
}

/// A fitted [`DynamicGammaGamma`](super::DynamicGammaGamma).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicGammaGammaModel {
    estimates: Estimates,
    slopes: Slopes,
    period: Duration,
}

impl Model for DynamicGammaGammaModel {
    const KIND: &'static str = "clv.DynamicGammaGamma";

    fn check(&self) -> Result<()> {
        self.estimates.check(&NAMES)?;
        self.slopes.terms.check()?;
        let k = self.slopes.terms.size() + usize::from(self.slopes.rate.is_some());
        let finite = |v: &[f64]| v.iter().all(|x| x.is_finite());
        let sound = self.period.micros() > 0
            && self.slopes.values.len() == k
            && self.slopes.fixed.len() == k
            && finite(&self.slopes.values)
            && self.slopes.covariance.len() == LAW + k
            && self.slopes.covariance.iter().all(|row| row.len() == LAW + k && finite(row))
            && self
                .slopes
                .rate
                .is_none_or(|([r, alpha], mean)| r > 0.0 && alpha > 0.0 && finite(&[r, alpha, mean]));
        if sound {
            return Ok(());
        }
        Err(Error::model_file(
            "its coefficients or their covariance are not whole; fit and save the model again",
        ))
    }
}

/// Options of [`DynamicGammaGammaModel::predict`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicSpendOptions {
    /// How long after the end of observation covariates count, in periods or as a span of time; 0, the
    /// default, for the moment of the end.
    pub periods: Horizon,
    /// How the frames are read.
    pub sources: Sources,
}

impl Default for DynamicSpendOptions {
    fn default() -> Self {
        Self { periods: Horizon::Periods(0.0), sources: Sources::default() }
    }
}

impl DynamicGammaGammaModel {
    pub(super) fn new(estimates: Estimates, slopes: Slopes, period: Duration) -> Self {
        Self { estimates, slopes, period }
    }

    /// p, q and v at the means of the covariates over purchases.
    pub fn estimates(&self) -> &Estimates {
        &self.estimates
    }

    /// The coefficients, in the units of the data; `rate`, where it explains, is the last one.
    pub fn coefficients(&self) -> &[f64] {
        &self.slopes.values
    }

    /// Their names: `spend:` and the column or `column[level]`; `spend:rate`.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.slopes.terms.names();
        names.extend(self.slopes.rate.is_some().then(|| "rate".to_owned()));
        names.iter().map(|name| format!("spend:{name}")).collect()
    }

    /// Whether the likelihood has its maximum at finite coefficients.
    pub fn effects_verdict(&self) -> Verdict {
        Verdict::of_coefficients(&self.slopes.fixed)
    }

    /// The unit of time.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// All parameters (parameter, estimate, standard_error, low, high at 95 %, and of coefficients
    /// z and p, by which each is tested), and one row on the fit.
    pub fn tables(&self) -> Result<(Table, Table)> {
        let law = self.estimates.table(0.95)?;
        let quantile = interval_quantile(0.95)?;
        let errors: Vec<Option<f64>> = (0..self.slopes.values.len())
            .map(|c| {
                let variance = self.slopes.covariance[LAW + c][LAW + c];
                (!self.slopes.fixed[c] && variance > 0.0).then(|| variance.sqrt())
            })
            .collect();
        let with = |f: &dyn Fn(f64, f64) -> f64| -> Vec<Option<f64>> {
            self.slopes.values.iter().zip(&errors).map(|(v, e)| e.map(|e| f(*v, e))).collect()
        };
        let names = self.estimates.names.iter().cloned().chain(self.names()).collect::<Text>();
        let values = [self.estimates.values.as_slice(), &self.slopes.values].concat();
        let mut table =
            Table::new().with("parameter", Values::Text(names)).with("estimate", Values::F64(values));
        let columns = [
            ("standard_error", errors.clone()),
            ("low", with(&|v, e| v - quantile * e)),
            ("high", with(&|v, e| v + quantile * e)),
        ];
        for (name, new) in columns {
            table = table.with_optional(name, law.optional(name).into_iter().chain(new));
        }
        for (name, new) in
            [("z", with(&|v, e| v / e)), ("p", with(&|v, e| erfc((v / e).abs() / std::f64::consts::SQRT_2)))]
        {
            table = table.with_optional(name, [None; LAW].into_iter().chain(new));
        }
        let free = self.slopes.fixed.iter().filter(|f| !**f).count();
        Ok((table, self.estimates.fit_table_with(free, self.effects_verdict())))
    }

    /// Expected value of a purchase in the coming periods, by what `covariates` say of then: customer,
    /// expected_spend (missing where the model has no mean: px + q ≤ 1).
    pub fn predict(
        &self,
        orders: &Columns,
        covariates: &Columns,
        options: &DynamicSpendOptions,
        run: &Run,
    ) -> Result<CustomerPrediction> {
        let period = self.period.micros() as f64;
        let ahead = options.periods.micros("periods", self.period)?.max(1);
        let reader =
            if self.slopes.terms.size() == 0 { Reader::None } else { Reader::Model(&self.slopes.terms) };
        let timeline = Timeline::read(covariates, reader, &options.sources, run)?;
        let lives = Lives::read(orders, &timeline, &options.sources, period, run)?;
        let matrix = centred(&self.slopes.terms, &timeline);
        let factor = |place: u32, rate: f64| {
            let row = if matrix.columns == 0 { &[][..] } else { matrix.row(place as usize) };
            let eta: f64 = row.iter().zip(&self.slopes.values).map(|(z, c)| z * c).sum();
            exp((eta + rate).clamp(-300.0, 300.0))
        };
        let values = &self.estimates.values;
        let (p, q, v) = (values[0], values[1], values[2]);
        let mut pieces = Vec::new();
        let mut spend = Vec::with_capacity(lives.each.len());
        for life in &lives.each {
            let rate = self.slopes.rate.map_or(0.0, |(law, mean)| {
                let slope = self.slopes.values.last().copied().unwrap_or_default();
                slope * (log_rate(law, life.frequency, life.age) - mean)
            });
            let [from, to] = life.purchases;
            let (mut x, mut level) = (0.0, 0.0);
            for (place, value) in lives.purchases[from..to].iter().filter(|(_, value)| *value > 0.0) {
                x += 1.0;
                level += value / factor(*place, rate);
            }
            pieces.clear();
            timeline.pieces(life.places, life.end, life.end.saturating_add(ahead), &mut pieces);
            let whole: f64 = pieces.iter().map(|(_, micros)| *micros as f64).sum();
            let coming: f64 =
                pieces.iter().map(|(place, micros)| factor(*place, rate) * *micros as f64).sum::<f64>()
                    / whole;
            let shape = p * x + q - 1.0;
            spend.push((shape > 0.0).then(|| coming * p * (v + level) / shape));
        }
        let table = Table::new()
            .with("customer", Values::Names(lives.customer))
            .with_optional("expected_spend", spend);
        Ok(CustomerPrediction::new(table, lives.dropped))
    }
}
