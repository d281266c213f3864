//! Models along covariates with given parameters, such as published ones.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::likelihood::LAW;
use super::model::DynamicParetoNbdModel;
use super::spend::LAW as SPEND;
use super::spend_model::{DynamicGammaGammaModel, Slopes};
use crate::clv::covariates::{Effects, Process};
use crate::clv::design::{Covariate, Terms};
use crate::clv::estimates::Estimates;
use crate::clv::gamma_gamma::NAMES;
use crate::clv::laws::{Law, ParetoLaw};
use crate::column::Duration;
use crate::{Error, Result};

/// Parameters and coefficients of a model along covariates, and what these are.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::dynamic::{DynamicGiven, DynamicParetoNbdModel, DynamicPredictOptions};
/// use headwater::column::{Columns, Duration};
///
/// // A sale makes customers buy twice as often; the law is that of weeks without one.
/// let given = DynamicGiven {
///     period: Duration::from_days(7),
///     ..DynamicGiven::new([("r", 0.9), ("alpha", 6.0), ("s", 0.6), ("beta", 12.0), ("purchase:sale", 0.693)])
/// };
/// let model = DynamicParetoNbdModel::from_parameters(&given)?;
/// let orders = Columns::new().with("customer", vec!["a", "b"]).with("time", vec!["2024-01-01", "2024-01-08"]);
/// let along = Columns::new().with("customer", vec!["a", "b"]).with("sale", vec![0.0, 1.0]);
/// let ask = DynamicPredictOptions { periods: 4.0.into(), ..DynamicPredictOptions::default() };
/// let ahead = model.predict(&orders, &along, &ask, &Run::new())?.table();
/// let purchases = ahead.f64s("expected_purchases").unwrap_or_default();
/// assert!(purchases[1] > 1.5 * purchases[0]);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicGiven {
    /// Those of the law by their names, r, alpha, s and beta, or of spend p, q and v; and coefficients, in the units of the
    /// data, as a fit names them: `purchase:sale`, `dropout:plan[plus]`, `equal:price`; of spend `spend:sale`, `spend:rate`.
    #[serde(serialize_with = "as_map", deserialize_with = "in_order")]
    pub params: Vec<(String, f64)>,
    /// The covariates of a customer whose parameters are those of the law, by column or `column[level]`: in a fit, their
    /// means. 0 of those that are not named.
    pub means: BTreeMap<String, f64>,
    /// The reference level of each column of names.
    pub references: BTreeMap<String, String>,
    /// The unit of time. Default 1 day.
    pub period: Duration,
    /// The purchase rate that `spend:rate` is a coefficient of.
    pub rate: Option<GivenRate>,
}

/// What spend takes the purchase rate to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenRate {
    /// r and alpha of Pareto/NBD: the rate is (r + x) / (alpha + T).
    pub r: f64,
    /// See `r`.
    pub alpha: f64,
    /// The logarithm of the rate of a customer whose parameters are those of the law.
    pub mean: f64,
}

impl Default for DynamicGiven {
    fn default() -> Self {
        Self {
            params: Vec::new(),
            means: BTreeMap::new(),
            references: BTreeMap::new(),
            period: Duration::from_days(1),
            rate: None,
        }
    }
}

fn as_map<S: Serializer>(params: &[(String, f64)], to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_map(params.iter().map(|(name, value)| (name, value)))
}

/// The order of coefficients is that of the columns.
fn in_order<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Vec<(String, f64)>, D::Error> {
    struct InOrder;
    impl<'de> Visitor<'de> for InOrder {
        type Value = Vec<(String, f64)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("parameters by their names")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
            let mut out = Vec::new();
            while let Some(entry) = map.next_entry()? {
                out.push(entry);
            }
            Ok(out)
        }
    }
    from.deserialize_map(InOrder)
}

/// The law's own parameters, the covariates, and coefficients by column, what they move and their value.
type Parts = (Vec<f64>, Terms, Vec<(usize, Vec<Process>, f64)>);

impl DynamicGiven {
    /// These parameters, with defaults.
    pub fn new<'a>(params: impl IntoIterator<Item = (&'a str, f64)>) -> Self {
        let params = params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { params, ..Self::default() }
    }

    /// Those of a model.
    pub(super) fn of(
        estimates: &Estimates,
        coefficients: impl Iterator<Item = (String, f64)>,
        terms: &Terms,
        period: Duration,
    ) -> Self {
        let law = estimates.names.iter().cloned().zip(estimates.values.iter().copied());
        let references = terms.covariates().iter().filter_map(|covariate| match covariate {
            Covariate::Level { name, reference, .. } => Some((name.clone(), reference.clone())),
            Covariate::Number { .. } => None,
        });
        Self {
            params: law.chain(coefficients).collect(),
            means: terms.names().into_iter().zip(terms.means()).collect(),
            references: references.collect(),
            period,
            rate: None,
        }
    }

    /// Sorts parameters of a law and coefficients on these processes.
    fn parts(&self, law: &[&str], processes: &[(&str, &[Process])]) -> Result<Parts> {
        let wrong = |reason: String| Error::option("params", reason);
        if self.period.micros() <= 0 {
            return Err(Error::option("period", "must be longer than 0"));
        }
        if let Some((name, _)) = self.params.iter().find(|(_, value)| !value.is_finite()) {
            return Err(wrong(format!("`{name}` must be a finite number")));
        }
        if let Some(at) = (1..self.params.len())
            .find(|at| self.params[..*at].iter().any(|(name, _)| *name == self.params[*at].0))
        {
            return Err(wrong(format!("`{}` is given twice", self.params[at].0)));
        }
        let own = |name: &&str| {
            let found = self.params.iter().find(|(given, _)| given == name).map(|(_, value)| *value);
            found.filter(|value| *value > 0.0).ok_or_else(|| {
                wrong(format!("`{name}` must be a number above 0: the law's are {}", law.join(", ")))
            })
        };
        let values = law.iter().map(own).collect::<Result<Vec<f64>>>()?;
        let mut found: Vec<(&str, &[Process], f64)> = Vec::new();
        for (name, value) in self.params.iter().filter(|(name, _)| !law.contains(&name.as_str())) {
            let known = name.split_once(':').and_then(|(process, column)| {
                let (_, on) = processes.iter().find(|(known, _)| *known == process)?;
                Some((column, *on, *value))
            });
            let Some(one) = known.filter(|(column, ..)| !column.is_empty()) else {
                let kinds: Vec<String> = processes.iter().map(|(name, _)| format!("{name}:…")).collect();
                let all = law.iter().map(|name| (*name).to_owned()).chain(kinds).collect::<Vec<_>>();
                return Err(wrong(format!("`{name}` is none of {}", all.join(", "))));
            };
            found.push(one);
        }
        let (terms, columns) = self.terms(&found)?;
        let column = |name: &str| columns.iter().position(|c| *c == name).unwrap_or_default();
        let each = found.iter().map(|(name, on, value)| (column(name), on.to_vec(), *value)).collect();
        Ok((values, terms, each))
    }

    /// The covariates of coefficients, in the order in which they come, and the columns that they make.
    fn terms(&self, found: &[(&str, &[Process], f64)]) -> Result<(Terms, Vec<String>)> {
        let mean = |column: &str| -> Result<f64> {
            let mean = self.means.get(column).copied().unwrap_or(0.0);
            if mean.is_finite() {
                return Ok(mean);
            }
            Err(Error::option("means", format!("that of `{column}` must be a finite number")))
        };
        // Any scale will do: with this one, the coefficients of a column are of order 1.
        let scale = |column: &str| {
            let of = found.iter().filter(|(name, ..)| *name == column).map(|(_, _, value)| value.abs());
            Some(of.fold(0.0, f64::max)).filter(|most| *most > 1e-100).map_or(1.0, |most| 1.0 / most)
        };
        let mut out: Vec<Covariate> = Vec::new();
        for (column, ..) in found {
            let level = self.references.iter().find_map(|(name, reference)| {
                let level = column.strip_prefix(name.as_str())?.strip_prefix('[')?.strip_suffix(']')?;
                Some((name, reference, level))
            });
            let Some((name, reference, level)) = level else {
                if !out.iter().any(|known| known.name() == *column) {
                    let name = (*column).to_owned();
                    out.push(Covariate::Number { name, mean: mean(column)?, scale: scale(column) });
                }
                continue;
            };
            if level == reference {
                let reason = format!("`{column}` is the reference level, which has no coefficient");
                return Err(Error::option("params", reason));
            }
            if !out.iter().any(|known| known.name() == name) {
                out.push(Covariate::Level {
                    name: name.clone(),
                    reference: reference.clone(),
                    levels: Vec::new(),
                    means: Vec::new(),
                    scales: Vec::new(),
                });
            }
            for known in &mut out {
                if let Covariate::Level { name: known, levels, means, scales, .. } = known
                    && known == name
                    && !levels.iter().any(|known| known == level)
                {
                    levels.push(level.to_owned());
                    means.push(mean(column)?);
                    scales.push(scale(column));
                }
            }
        }
        let terms = Terms::known(out);
        let columns = terms.names();
        if let Some(name) = self.means.keys().find(|name| !columns.contains(name)) {
            return Err(Error::option("means", format!("`{name}` is none of {}", columns.join(", "))));
        }
        let read = terms.covariates();
        if let Some(name) = self.references.keys().find(|name| !read.iter().any(|c| c.name() == *name)) {
            let reason = format!("`{name}` has no coefficient, such as `purchase:{name}[level]`");
            return Err(Error::option("references", reason));
        }
        terms.check().map_err(|_| Error::option("means", "must lie within 1e150"))?;
        Ok((terms, columns))
    }
}

impl DynamicParetoNbdModel {
    /// A model with given parameters, for example published ones: no fit, no errors.
    pub fn from_parameters(given: &DynamicGiven) -> Result<Self> {
        if given.rate.is_some() {
            return Err(Error::option("rate", "is of spend: leave it out"));
        }
        let processes: [(&str, &[Process]); 3] = [
            ("purchase", &[Process::Purchase]),
            ("dropout", &[Process::Dropout]),
            ("equal", &[Process::Purchase, Process::Dropout]),
        ];
        let (values, terms, each) = given.parts(&ParetoLaw::PARAMETERS, &processes)?;
        if each.is_empty() {
            return Err(Error::option("params", "name one coefficient or more, such as `purchase:season`"));
        }
        let estimates = Estimates::given(&ParetoLaw::PARAMETERS, values);
        Ok(Self::given(estimates, Effects::given(terms, each, LAW), given.period))
    }

    /// Its parameters, of which [`from_parameters`](Self::from_parameters) makes a model that predicts as this one does.
    pub fn parameters(&self) -> DynamicGiven {
        let effects = self.effects();
        let values = effects.coefficients().iter().map(|c| c.value);
        let coefficients = effects.names().into_iter().zip(values);
        DynamicGiven::of(self.estimates(), coefficients, effects.terms(), self.period())
    }
}

impl DynamicGammaGammaModel {
    /// A model with given parameters, for example published ones: no fit, no errors.
    pub fn from_parameters(given: &DynamicGiven) -> Result<Self> {
        let wrong = |option: &str, reason: &str| Err(Error::option(option, reason));
        // Of the purchase rate there is no column.
        const RATE: &str = "spend:rate";
        let mut columns = given.clone();
        columns.params.retain(|(name, _)| given.rate.is_none() || name != RATE);
        let (estimated, terms, each) = columns.parts(&NAMES, &[("spend", &[Process::Purchase])])?;
        let mut values = vec![0.0; terms.size()];
        for (column, _, value) in each {
            values[column] = value;
        }
        let slope = given.params.iter().find(|(name, _)| name == RATE).map(|(_, value)| *value);
        let rate = match (given.rate, slope) {
            (None, _) => None,
            (Some(_), None) => return wrong("rate", "has no coefficient: give `spend:rate`"),
            (Some(rate), Some(slope)) => {
                let positive = |v: f64| v.is_finite() && v > 0.0;
                if !(positive(rate.r) && positive(rate.alpha) && rate.mean.is_finite() && slope.is_finite()) {
                    return wrong(
                        "rate",
                        "must be finite numbers, r and alpha above 0, and so its coefficient",
                    );
                }
                values.push(slope);
                Some(([rate.r, rate.alpha], rate.mean))
            }
        };
        if values.is_empty() {
            return wrong("params", "name one coefficient or more, such as `spend:season`");
        }
        let (k, size) = (values.len(), SPEND + values.len());
        let slopes =
            Slopes { terms, values, fixed: vec![true; k], covariance: vec![vec![0.0; size]; size], rate };
        Ok(Self::new(Estimates::given(&NAMES, estimated), slopes, given.period))
    }

    /// Its parameters, of which [`from_parameters`](Self::from_parameters) makes a model that predicts as this one does.
    pub fn parameters(&self) -> DynamicGiven {
        let slopes = self.slopes();
        let coefficients = self.names().into_iter().zip(slopes.values.iter().copied());
        let rate = slopes.rate.map(|([r, alpha], mean)| GivenRate { r, alpha, mean });
        DynamicGiven {
            rate,
            ..DynamicGiven::of(self.estimates(), coefficients, &slopes.terms, self.period())
        }
    }
}
