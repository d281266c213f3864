//! Models along covariates by name, for the bindings.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    DynamicGammaGamma, DynamicGammaGammaModel, DynamicGiven, DynamicParetoNbd, DynamicParetoNbdModel,
    DynamicPosteriorOptions, DynamicSpend,
};
use crate::clv::estimates::Estimates;
use crate::clv::posterior::{BootstrapOptions, Method, Posterior};
use crate::column::{Columns, Dropped, Table, Tables};
use crate::model::{self, Model};
use crate::options::parse;
use crate::{Error, Result, Run};

/// A fitted model along covariates.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::dynamic::Dynamic;
/// use headwater::column::Columns;
///
/// let orders = Columns::new()
///     .with("customer", vec!["a", "a", "a", "b", "b", "b", "c", "c", "c", "c"])
///     .with("time", vec![
///         "2024-01-01", "2024-02-11", "2024-11-28", "2024-01-09", "2024-03-01", "2024-12-11", "2024-02-01",
///         "2024-05-01", "2024-11-30", "2024-12-02",
///     ])
///     .with("value", vec![9.0, 10.0, 24.0, 30.0, 33.0, 61.0, 8.0, 7.0, 15.0, 13.0]);
/// let seasons = Columns::new()
///     .with("customer", vec!["a", "a", "b", "b", "c", "c"])
///     .with("time", vec!["2024-01-01", "2024-11-25"].repeat(3))
///     .with("christmas", vec![false, true].repeat(3));
/// let ask = r#"{"covariates": ["christmas"]}"#;
/// let (model, _) = Dynamic::fit("clv.DynamicGammaGamma", &orders, &seasons, ask, &Run::new())?;
/// let again = Dynamic::from_bytes(&model.to_bytes()?)?.expect("a model along covariates");
/// assert_eq!(again.tables()?, model.tables()?);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Dynamic {
    /// Of purchases and dropout.
    Pareto(Box<DynamicParetoNbdModel>),
    /// Of spend.
    Spend(Box<DynamicGammaGammaModel>),
}

impl Dynamic {
    /// The kinds of model files.
    pub const KINDS: [&'static str; 2] = [DynamicParetoNbdModel::KIND, DynamicGammaGammaModel::KIND];

    /// Whether these options, as JSON, are options of this kind.
    pub fn check(kind: &str, options: &str) -> Result<()> {
        match kind {
            DynamicParetoNbdModel::KIND => parse::<DynamicParetoNbd>(options).map(drop),
            DynamicGammaGammaModel::KIND => parse::<DynamicGammaGamma>(options).map(drop),
            _ => Err(unknown(kind)),
        }
    }

    /// Fits the model of this kind; the rows dropped of orders and of covariates are returned beside it.
    pub fn fit(
        kind: &str,
        orders: &Columns,
        covariates: &Columns,
        options: &str,
        run: &Run,
    ) -> Result<(Self, [Dropped; 2])> {
        match kind {
            DynamicParetoNbdModel::KIND => {
                let (model, dropped) = parse::<DynamicParetoNbd>(options)?.fit(orders, covariates, run)?;
                Ok((Self::Pareto(Box::new(model)), dropped))
            }
            DynamicGammaGammaModel::KIND => {
                let (model, dropped) = parse::<DynamicGammaGamma>(options)?.fit(orders, covariates, run)?;
                Ok((Self::Spend(Box::new(model)), dropped))
            }
            _ => Err(unknown(kind)),
        }
    }

    /// The model of this kind with given parameters: [`DynamicGiven`] as JSON.
    pub fn from_parameters(kind: &str, given: &str) -> Result<Self> {
        let given: DynamicGiven = parse(given)?;
        match kind {
            DynamicParetoNbdModel::KIND => {
                Ok(Self::Pareto(Box::new(DynamicParetoNbdModel::from_parameters(&given)?)))
            }
            DynamicGammaGammaModel::KIND => {
                Ok(Self::Spend(Box::new(DynamicGammaGammaModel::from_parameters(&given)?)))
            }
            _ => Err(unknown(kind)),
        }
    }

    /// Its parameters, such as [`Dynamic::from_parameters`] takes.
    pub fn parameters(&self) -> DynamicGiven {
        match self {
            Self::Pareto(model) => model.parameters(),
            Self::Spend(model) => model.parameters(),
        }
    }

    /// Draws of the parameters of [`DynamicParetoNbd`] by the method of this name, `nuts`, `laplace` or `bootstrap`; the
    /// options, as JSON, are those of the fit and of [`DynamicPosteriorOptions`] together, of a bootstrap `replicates`.
    pub fn posterior(
        method: &str,
        orders: &Columns,
        covariates: &Columns,
        options: &str,
        run: &Run,
    ) -> Result<(Posterior, [Dropped; 2])> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct Refits {
            replicates: usize,
        }
        impl Default for Refits {
            fn default() -> Self {
                Self { replicates: BootstrapOptions::default().replicates }
            }
        }
        let given: Map<String, Value> = parse(options)?;
        let (draw, fit): (Map<_, _>, Map<_, _>) =
            given.into_iter().partition(|(name, _)| OF_DRAWS.contains(&name.as_str()));
        let fit: DynamicParetoNbd = parse(&Value::from(fit).to_string())?;
        let draw = Value::from(draw).to_string();
        let method = match method {
            "nuts" => Method::Nuts,
            "laplace" => Method::Laplace,
            "bootstrap" => {
                let replicates = parse::<Refits>(&draw)?.replicates;
                return fit.bootstrap(orders, covariates, replicates, run);
            }
            _ => {
                return Err(Error::option("method", format!("`{method}` is not nuts, laplace or bootstrap")));
            }
        };
        fit.posterior(method, orders, covariates, &parse::<DynamicPosteriorOptions>(&draw)?, run)
    }

    /// A report by its name, with its options as JSON.
    ///
    /// | name | of | frames | table |
    /// | --- | --- | --- | --- |
    /// | `predict` | both | orders, covariates | [`DynamicParetoNbdModel::predict`], [`DynamicGammaGammaModel::predict`] |
    /// | `new_customers` | purchases | covariates | [`DynamicParetoNbdModel::new_customers`] |
    /// | `check` | purchases | orders, covariates | [`DynamicParetoNbdModel::check`] |
    /// | `tracking` | purchases | orders, covariates | [`DynamicParetoNbdModel::tracking`] |
    pub fn report(
        &self,
        name: &str,
        orders: Option<&Columns>,
        covariates: &Columns,
        options: &str,
        run: &Run,
    ) -> Result<Tables> {
        let needed = || Error::option("orders", "a frame of orders is needed");
        let found = match (self, name) {
            (Self::Pareto(model), "predict") => {
                model.predict(orders.ok_or_else(needed)?, covariates, &parse(options)?, run)?
            }
            (Self::Pareto(model), "new_customers") => {
                model.new_customers(covariates, &parse(options)?, run)?
            }
            (Self::Pareto(model), "check") => {
                return model.check(orders.ok_or_else(needed)?, covariates, &parse(options)?, run);
            }
            (Self::Pareto(model), "tracking") => {
                let orders = orders.ok_or_else(needed)?;
                let found = model.tracking(orders, covariates, &parse(options)?, run)?;
                return Ok(vec![("tracking", found.table()), ("dropped", found.dropped().table())]);
            }
            (Self::Spend(model), "predict") => {
                model.predict(orders.ok_or_else(needed)?, covariates, &parse(options)?, run)?
            }
            _ => {
                return Err(Error::option(
                    "report",
                    format!("there is no report `{name}` of {}", self.kind()),
                ));
            }
        };
        Ok(vec![("predict", found.table()), ("dropped", found.dropped().table())])
    }

    /// The model, if it is one of purchases and dropout.
    pub fn purchases(&self) -> Result<&DynamicParetoNbdModel> {
        match self {
            Self::Pareto(model) => Ok(model),
            Self::Spend(_) => {
                Err(Error::option("model", "is a model of spend along covariates, not one of purchases"))
            }
        }
    }

    /// The model, if it is one of spend.
    pub fn spend(&self) -> Result<DynamicSpend<'_>> {
        match self {
            Self::Spend(model) => Ok(DynamicSpend::Along(model)),
            Self::Pareto(_) => Err(Error::option("spend", "is a model of purchases, not one of spend")),
        }
    }

    /// All parameters with their errors and limits, and one row on the fit.
    pub fn tables(&self) -> Result<(Table, Table)> {
        match self {
            Self::Pareto(model) => model.tables(),
            Self::Spend(model) => model.tables(),
        }
    }

    /// The law's own parameters.
    pub fn estimates(&self) -> &Estimates {
        match self {
            Self::Pareto(model) => model.estimates(),
            Self::Spend(model) => model.estimates(),
        }
    }

    /// The kind of the model's file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pareto(_) => DynamicParetoNbdModel::KIND,
            Self::Spend(_) => DynamicGammaGammaModel::KIND,
        }
    }

    /// The model file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Pareto(model) => model::to_bytes(&**model),
            Self::Spend(model) => model::to_bytes(&**model),
        }
    }

    /// Reads a model file; `None` where it holds another kind of thing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Option<Self>> {
        Ok(match model::kind(bytes)?.as_str() {
            DynamicParetoNbdModel::KIND => Some(Self::Pareto(Box::new(model::from_bytes(bytes)?))),
            DynamicGammaGammaModel::KIND => Some(Self::Spend(Box::new(model::from_bytes(bytes)?))),
            _ => None,
        })
    }
}

/// Options that say how parameters are drawn.
const OF_DRAWS: [&str; 9] = [
    "chains",
    "draws",
    "tune",
    "target_accept",
    "max_depth",
    "prior",
    "priors",
    "coefficient_sd",
    "replicates",
];

fn unknown(kind: &str) -> Error {
    Error::option("kind", format!("there is no model `{kind}`"))
}
