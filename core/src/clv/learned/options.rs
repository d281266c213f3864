//! Roles and options of a fit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clv::unit::Unit;
use crate::column::OnInvalid;
use crate::{Error, Result};

/// What learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learner {
    /// A linear predictor for each head, by maximum likelihood. The default.
    #[default]
    Linear,
    /// A sum of regression trees for each head, by Newton boosting.
    Boosted,
}

/// What explains the spread of amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sigma {
    /// The covariates. The default.
    #[default]
    Covariates,
    /// One σ for all.
    Constant,
}

/// What becomes of negative amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Negative {
    /// They are an error, or dropped with `on_invalid="drop"`. The default.
    #[default]
    Error,
    /// The customer bought nothing.
    Zero,
}

/// The strength of the ridge, for all heads or one for each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Penalty {
    /// One λ.
    All(f64),
    /// λ of `purchase`, `mu` and `log_sigma`.
    Heads([f64; 3]),
}

impl Penalty {
    /// λ of the three heads.
    pub fn heads(self) -> [f64; 3] {
        match self {
            Self::All(penalty) => [penalty; 3],
            Self::Heads(heads) => heads,
        }
    }
}

/// A zero-inflated lognormal regression with its roles and options
/// (Wang, Liu & Miao 2019, arXiv 1912.07753).
///
/// A frame has a row for each customer: what was known of it at one moment, and in `target`
/// what it spent within the `horizon` from then on. Text covariates become one dummy a level, beside a
/// reference level: the first in order, unless `references` names another.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::learned::{PredictOptions, ZeroInflatedLognormal};
/// use headwater::column::Columns;
///
/// let customers = Columns::new()
///     .with("visits", vec![1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 6.0])
///     .with("value", vec![0.0, 9.0, 0.0, 25.0, 0.0, 40.0, 90.0, 35.0]);
/// let (model, _) = ZeroInflatedLognormal::new(["visits"]).fit(&customers, &Run::new())?;
/// let tables = model.predict(&customers, &PredictOptions::default(), &Run::new())?;
/// let expected = tables[0].1.f64s("expected_value").unwrap();
/// assert!(expected[7] > 2.0 * expected[0]); // who came more often will spend more
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZeroInflatedLognormal {
    /// Column of what each customer spent within the horizon, 0 or more. Default `"value"`.
    pub target: String,
    /// Columns that explain: numbers, truth values or names. None: every column without
    /// another role; an empty list: the distribution alone.
    pub covariates: Option<Vec<String>>,
    /// Reference levels of text covariates, by column.
    pub references: BTreeMap<String, String>,
    /// Column of customers, which is no covariate. None by default.
    pub customer: Option<String>,
    /// Column of weights: how many customers a row stands for. None by default.
    pub weight: Option<String>,
    /// How long the window of the target is: kept with the model and told with its fit.
    pub horizon: Option<Unit>,
    /// What becomes of negative amounts.
    pub negative: Negative,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
    /// What learns.
    pub learner: Learner,
    /// What explains the spread of amounts.
    pub sigma: Sigma,
    /// Linear: λ of −½ λ Σ β² on standardised covariates, intercepts apart; none: chosen from
    /// `penalties` by held-out likelihood, head by head. Default 1, which keeps
    /// finite what tells buyers without fail; the spread of a rare level may need more.
    pub penalty: Option<Penalty>,
    /// Linear: what `penalty` is chosen from. Default 0.1, 1, 10, 100, 1000.
    pub penalties: Vec<f64>,
    /// Parts that are held out in turn, to choose penalties or the number of trees. Boosted: 0 grows
    /// all `trees`. Default 5.
    pub folds: usize,
    /// Linear: most Newton steps. Default 100.
    pub max_iterations: usize,
    /// Linear: the gradient per customer that counts as zero. Default 1e-9.
    pub tolerance: f64,
    /// Boosted: most trees of a head. Default 300.
    pub trees: usize,
    /// Boosted: the share of each tree that is added. Default 0.1.
    pub learning_rate: f64,
    /// Boosted: splits from the root to a leaf, at most. Default 3.
    pub depth: usize,
    /// Boosted: fewest rows of a leaf. Default 20.
    pub min_leaf: usize,
    /// Boosted: a fold stops when this many trees have not helped. Default 25.
    pub patience: usize,
}

impl Default for ZeroInflatedLognormal {
    fn default() -> Self {
        Self {
            target: "value".to_owned(),
            covariates: None,
            references: BTreeMap::new(),
            customer: None,
            weight: None,
            horizon: None,
            negative: Negative::Error,
            on_invalid: OnInvalid::Error,
            learner: Learner::Linear,
            sigma: Sigma::Covariates,
            penalty: Some(Penalty::All(1.0)),
            penalties: vec![0.1, 1.0, 10.0, 100.0, 1000.0],
            folds: 5,
            max_iterations: 100,
            tolerance: 1e-9,
            trees: 300,
            learning_rate: 0.1,
            depth: 3,
            min_leaf: 20,
            patience: 25,
        }
    }
}

impl ZeroInflatedLognormal {
    /// The model with these covariates, and defaults.
    pub fn new<S: Into<String>>(covariates: impl IntoIterator<Item = S>) -> Self {
        Self { covariates: Some(covariates.into_iter().map(Into::into).collect()), ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<()> {
        let at_least_0 = |option: &str, x: f64| {
            let sound = x.is_finite() && x >= 0.0;
            if sound { Ok(()) } else { Err(Error::option(option, "must be a finite number from 0")) }
        };
        match self.penalty {
            Some(penalty) => penalty.heads().into_iter().try_for_each(|x| at_least_0("penalty", x))?,
            None if self.penalties.is_empty() => {
                return Err(Error::option("penalties", "name at least one, for example 1.0"));
            }
            None => self.penalties.iter().try_for_each(|x| at_least_0("penalties", *x))?,
        }
        let all_trees = self.learner == Learner::Boosted && self.folds == 0;
        if !(2..=100).contains(&self.folds) && !all_trees {
            return Err(Error::option("folds", format!("must be 2 to 100, not {}", self.folds)));
        }
        self.horizon.map_or(Ok(()), |horizon| horizon.check_as("horizon"))?;
        if !(1..=100_000).contains(&self.trees) {
            return Err(Error::option("trees", "must be 1 to 100000"));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return Err(Error::option("learning_rate", "must be more than 0 and at most 1"));
        }
        if !(1..=20).contains(&self.depth) {
            return Err(Error::option("depth", "must be 1 to 20"));
        }
        if self.min_leaf == 0 {
            return Err(Error::option("min_leaf", "must be at least 1"));
        }
        if self.patience == 0 {
            return Err(Error::option("patience", "must be at least 1"));
        }
        Ok(())
    }
}
