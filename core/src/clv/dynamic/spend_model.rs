//! A fitted Gamma–Gamma model with covariates.

use serde::{Deserialize, Serialize};

use super::Sources;
use super::model::centred;
use super::spend::{LAW, log_rate};
use super::timeline::{Life, Lives, Timeline};
use crate::clv::ahead::Horizon;
use crate::clv::design::{Matrix, Reader, Terms};
use crate::clv::estimates::{Estimates, Verdict, interval_quantile};
use crate::clv::frames::beside;
use crate::clv::gamma_gamma::NAMES;
use crate::clv::laws::{CustomerPrediction, deviation_by, factors, ln_rise, slopes as delta_slopes};
use crate::column::{Columns, Duration, Table, Text, Values};
use crate::math::{erfc, exp, ln};
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
    /// Level of an interval for the uncertainty of the parameters; none by default.
    pub interval: Option<f64>,
    /// How the frames are read.
    pub sources: Sources,
}

impl Default for DynamicSpendOptions {
    fn default() -> Self {
        Self { periods: Horizon::Periods(0.0), interval: None, sources: Sources::default() }
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
        match self.estimates.verdict {
            Verdict::Given => Verdict::Given,
            _ => Verdict::of_coefficients(&self.slopes.fixed),
        }
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
    /// expected_spend (missing where the model has no mean: px + q ≤ 1); with `interval` its `_low` and `_high` (delta
    /// method on the log scale).
    pub fn predict(
        &self,
        orders: &Columns,
        covariates: &Columns,
        options: &DynamicSpendOptions,
        run: &Run,
    ) -> Result<CustomerPrediction> {
        let period = self.period.micros() as f64;
        let ahead = options.periods.micros("periods", self.period)?.max(1);
        let z = options.interval.map(|level| self.estimates.interval_quantile(level)).transpose()?;
        let timeline = Timeline::read(covariates, &[self.reader()], &options.sources, run)?;
        let lives = Lives::read(orders, &timeline, &options.sources, period, run)?;
        let spend = self.spend(&timeline, 0);
        let at = spend.at();
        let (mut expected, mut edges) = (Vec::new(), Vec::new());
        for life in &lives.each {
            let coming = timeline.coming(life.places, life.end, ahead, period);
            let whole: f64 = coming.iter().map(|(_, length)| length).sum();
            let ask = |at: &[f64]| {
                let factors = coming.iter().map(|(place, t)| spend.factor(at, life, *place) * t).sum::<f64>();
                spend.level(at, life, &lives).map(|level| level * factors / whole)
            };
            let value = ask(&at);
            let reach =
                z.zip(value).map(|(z, value)| z * spend.deviation(value, |at| ask(at).unwrap_or(value)));
            expected.push(value);
            edges.push(value.map_or([None; 2], |value| factors(value, reach.filter(|r| r.is_finite()))));
        }
        let table = Table::new()
            .with("customer", Values::Names(lives.customer))
            .with_optional("expected_spend", expected);
        let table = if z.is_some() { beside(table, "expected_spend", &edges) } else { table };
        Ok(CustomerPrediction::new(table, lives.dropped))
    }

    pub(super) fn slopes(&self) -> &Slopes {
        &self.slopes
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        if self.slopes.terms.size() == 0 { Reader::None } else { Reader::Model(&self.slopes.terms) }
    }

    /// The model beside what the reader at this place read.
    pub(super) fn spend(&self, timeline: &Timeline<'_>, reader: usize) -> Spend<'_> {
        Spend { model: self, matrix: centred(&self.slopes.terms, timeline, reader) }
    }

    /// Whether spend depends on the purchase rate.
    pub(super) fn reads_rate(&self) -> bool {
        self.slopes.rate.is_some()
    }
}

/// What a model says of the spend of customers along their covariates, at log parameters and coefficients.
pub(super) struct Spend<'a> {
    model: &'a DynamicGammaGammaModel,
    matrix: Matrix,
}

impl Spend<'_> {
    /// Those that were estimated.
    pub(super) fn at(&self) -> Vec<f64> {
        let law = self.model.estimates.values.iter().map(|value| ln(*value));
        law.chain(self.model.slopes.values.iter().copied()).collect()
    }

    /// By how much spend at a place exceeds that at the means.
    pub(super) fn factor(&self, at: &[f64], life: &Life, place: u32) -> f64 {
        let row = if self.matrix.columns == 0 { &[][..] } else { self.matrix.row(place as usize) };
        let eta: f64 = row.iter().zip(&at[LAW..]).map(|(z, c)| z * c).sum();
        let rate = self.model.slopes.rate.map_or(0.0, |(law, mean)| {
            let slope = at.last().copied().unwrap_or_default();
            slope * (log_rate(law, life.frequency, life.age) - mean)
        });
        exp((eta + rate).clamp(-300.0, 300.0))
    }

    /// Expected spend at the means, by the purchases so far; `None` where it has no mean.
    pub(super) fn level(&self, at: &[f64], life: &Life, lives: &Lives) -> Option<f64> {
        let (p, q, v) = (exp(at[0]), exp(at[1]), exp(at[2]));
        let [from, to] = life.purchases;
        let (mut x, mut level) = (0.0, 0.0);
        for (place, value) in lives.purchases[from..to].iter().filter(|(_, value)| *value > 0.0) {
            x += 1.0;
            level += value / self.factor(at, life, *place);
        }
        let shape = p * x + q - 1.0;
        (shape > 0.0).then(|| p * (v + level) / shape)
    }

    /// The standard deviation of the logarithm of something that is `value` where it was estimated.
    pub(super) fn deviation(&self, value: f64, of: impl Fn(&[f64]) -> f64) -> f64 {
        let (estimates, slopes) = (&self.model.estimates, &self.model.slopes);
        let fixed = |i: usize| match i.checked_sub(LAW) {
            None => estimates.fixed[i],
            Some(c) => slopes.fixed[c],
        };
        let rise = |moved: &[f64]| vec![ln_rise(value, of(moved))];
        let found = delta_slopes(&self.at(), 1, fixed, |value, step| value + step, rise);
        found.first().map_or(0.0, |found| deviation_by(&slopes.covariance, found))
    }
}
