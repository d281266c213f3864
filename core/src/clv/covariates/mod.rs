//! Covariates of customers: who buys more often, and who stays longer, by what is known of them.
//!
//! The parameters of a law are those of a customer whose covariates are at
//! their means, and each customer's own differ by
//!
//! ```text
//! purchase:  λ → λ e^{γ (z − z̄)}        α → α e^{−γ (z − z̄)}
//! dropout:   μ → μ e^{δ (z − z̄)}        β → β e^{−δ (z − z̄)}          (Pareto/NBD, GGompertz/NBD)
//!            p / (1 − p) → … e^{δ (z − z̄)}   a → a e^{δ (z − z̄)}       (the BG laws; see DropoutOn)
//! ```
//!
//! (Fader & Hardie 2007, "Incorporating time-invariant covariates into the
//! Pareto/NBD and BG/NBD models"). For BG/BB they act on the odds of a purchase
//! (α of p) and of dropout (γ of θ). With covariates at 0 instead of their
//! means, as `CLVTools` states it, α₀ = α e^{γ z̄}.

mod effects;
mod fit;
mod patterns;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use effects::{Effect, Effects};
pub(super) use effects::{coefficients, each_of, scales};
pub(super) use fit::{Ask, Joint, fit};
pub use patterns::at;
pub(super) use patterns::{Patterns, Shared, each_law, each_pattern, reader};

use crate::{Error, Result};

/// What a covariate of dropout moves in the laws with dropout after a purchase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropoutOn {
    /// The odds of dropout, by a. The default.
    #[default]
    Odds,
    /// a and b alike, as `CLVTools` has it: how much dropout differs between
    /// customers, its mean staying where it is.
    Both,
    /// a and b, each with a coefficient of its own, as pymc-marketing has it.
    Separate,
}

/// A process that a coefficient moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Process {
    /// The rate (or odds) of purchases.
    Purchase,
    /// The rate (or odds) of dropout.
    Dropout,
    /// a and b alike.
    DropoutBoth,
    /// a alone, where b has a coefficient too.
    DropoutA,
    /// b alone.
    DropoutB,
    /// Under contract: α of the chance to leave.
    Alpha,
    /// Under contract: β of the chance to leave.
    Beta,
}

impl Process {
    /// The name before a coefficient's.
    fn name(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Dropout | Self::DropoutBoth => "dropout",
            Self::DropoutA => "dropout_a",
            Self::DropoutB => "dropout_b",
            Self::Alpha => "alpha",
            Self::Beta => "beta",
        }
    }
}

/// Which columns explain purchases and dropout, and how.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::{Covariates, PurchaseOptions, fit_purchases};
/// use headwater::column::Columns;
///
/// // Those of the channel "shop" buy twice as often.
/// let customers = Columns::new()
///     .with("frequency", vec![0.0, 1.0, 2.0, 0.0, 2.0, 5.0, 1.0, 3.0])
///     .with("recency", vec![0.0, 9.0, 30.0, 0.0, 16.0, 36.0, 4.0, 33.0])
///     .with("T", vec![38.0, 39.0, 38.0, 37.0, 39.0, 38.0, 38.0, 39.0])
///     .with("channel", vec!["web", "web", "web", "shop", "shop", "shop", "web", "shop"])
///     .with("weight", vec![700.0, 150.0, 60.0, 500.0, 150.0, 60.0, 100.0, 100.0]);
/// let options = PurchaseOptions {
///     covariates: Some(Covariates::new(["channel"], [])),
///     weight: Some("weight".into()),
///     ..PurchaseOptions::default()
/// };
/// let (model, _) = fit_purchases("clv.ParetoNBD", &customers, &options, &Run::new())?;
/// let effect = model.effects().map(|e| e.coefficients()[0].value);
/// assert!(effect.is_some_and(|e| e < 0.0)); // the web beside the shop
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Covariates {
    /// Columns that explain the rate of purchases: numbers, truth values or names.
    pub purchase: Vec<String>,
    /// Columns that explain dropout.
    pub dropout: Vec<String>,
    /// Those of both that have one coefficient for both.
    pub equal: Vec<String>,
    /// Reference levels of columns of names; the first in order by default.
    pub references: BTreeMap<String, String>,
    /// λ of −½ λ γ² per customer, on standardised covariates of purchase. Default 0.
    pub purchase_penalty: f64,
    /// The same for dropout.
    pub dropout_penalty: f64,
    /// What a covariate of dropout moves, in the BG laws.
    pub dropout_on: DropoutOn,
}

impl Covariates {
    /// These columns, with defaults.
    pub fn new<'a>(
        purchase: impl IntoIterator<Item = &'a str>,
        dropout: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let owned = |names: &mut dyn Iterator<Item = &'a str>| names.map(str::to_owned).collect();
        Self {
            purchase: owned(&mut purchase.into_iter()),
            dropout: owned(&mut dropout.into_iter()),
            ..Self::default()
        }
    }

    /// λ of a coefficient: of both processes where it moves both.
    pub(super) fn penalty(&self, effect: &Effect) -> f64 {
        let of = |process: &Process| match process {
            Process::Purchase => self.purchase_penalty,
            _ => self.dropout_penalty,
        };
        effect.on.iter().map(of).sum()
    }

    /// All columns, each once.
    pub(super) fn columns(&self) -> Result<Vec<String>> {
        let all = each_once([
            ("purchase", &self.purchase, self.purchase_penalty),
            ("dropout", &self.dropout, self.dropout_penalty),
        ])?;
        let unshared = |name: &&String| !(self.purchase.contains(name) && self.dropout.contains(name));
        if let Some(name) = self.equal.iter().find(unshared) {
            let reason = format!("equal: `{name}` is not a covariate of both, purchase and dropout");
            return Err(Error::option("covariates", reason));
        }
        if !self.equal.is_empty() && self.dropout_on == DropoutOn::Separate {
            let reason = "equal: dropout has two coefficients where dropout_on is \"separate\"";
            return Err(Error::option("covariates", reason));
        }
        Ok(all)
    }
}

/// The columns of two lists, each once, where they and their penalties make sense.
pub(super) fn each_once(lists: [(&str, &[String], f64); 2]) -> Result<Vec<String>> {
    let wrong = |reason: String| Err(Error::option("covariates", reason));
    for (list, names, penalty) in lists {
        if let Some(twice) = (1..names.len()).find(|i| names[..*i].contains(&names[*i])) {
            return wrong(format!("{list}: `{}` is named twice", names[twice]));
        }
        if !(penalty.is_finite() && penalty >= 0.0) {
            return wrong(format!("{list}_penalty: must be a finite number from 0"));
        }
    }
    let [(one, first, _), (other, second, _)] = lists;
    if first.is_empty() && second.is_empty() {
        return wrong(format!("name one column or more, for {one} or for {other}"));
    }
    let mut all = first.to_vec();
    all.extend(second.iter().filter(|name| !first.contains(name)).cloned());
    Ok(all)
}
