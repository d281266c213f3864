//! Covariates that change while customers live: seasons, campaigns, prices.
//!
//! [`DynamicParetoNbd`] is Pareto/NBD whose rates are multiplied by what the
//! covariates say at each moment (Bachmann, Meierer & Näf 2021, "The role of
//! time-varying contextual factors in latent attrition models"):
//!
//! ```text
//! λ(t) = λ e^{γ (x(t) − x̄)}       A(t) = ∫₀ᵗ e^{γ (x(u) − x̄)} du
//! μ(t) = μ e^{δ (z(t) − z̄)}       D(t) = ∫₀ᵗ e^{δ (z(u) − z̄)} du
//!
//! L = (r)_x α^r β^s Π_j e^{γ (x(t_j) − x̄)} [ (α + A(T))^{−(r+x)} (β + D(T))^{−s}
//!       + s ∫_{t_x}^{T} (α + A(u))^{−(r+x)} (β + D(u))^{−(s+1)} dD(u) ]
//! ```
//!
//! t_j are the repeat purchases. A row of the frame of covariates holds from
//! its time to the customer's next row, the last one for ever; one row alone is
//! a covariate that does not change, and the model is then that of
//! [`Covariates`](super::Covariates). [`DynamicGammaGamma`] does the same for spend.

mod check;
mod customer;
mod door;
mod draws;
mod given;
mod likelihood;
mod living;
mod model;
mod pareto;
mod predict;
mod spend;
mod spend_model;
mod timeline;
mod tracking;
mod value;

use serde::{Deserialize, Serialize};

pub use check::DynamicCheckOptions;
pub use door::Dynamic;
pub use draws::{DynamicDrawOptions, DynamicPosteriorOptions};
pub use given::{DynamicGiven, GivenRate};
pub use model::DynamicParetoNbdModel;
pub use pareto::DynamicParetoNbd;
pub use predict::DynamicPredictOptions;
pub use spend::DynamicGammaGamma;
pub use spend_model::{DynamicGammaGammaModel, DynamicSpendOptions};
pub use tracking::DynamicTrackingOptions;
pub use value::{DynamicLifetimeOptions, DynamicSpend};

use super::summarize::{Refunds, When};
use crate::column::{Duration, OnInvalid, TimeUnit};

/// How orders and covariates are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// Column of customers, of both frames. Default `"customer"`.
    pub customer: String,
    /// Column of the time of an order, and of that from which a row of covariates holds; the
    /// latter may be missing where covariates do not change. Default `"time"`.
    pub time: String,
    /// Column of the orders' amounts, which refunds and spend need. Default `"value"`, where there is one.
    pub value: Option<String>,
    /// What becomes of negative amounts.
    pub refunds: Refunds,
    /// Purchases within one of these are one. Default 1 day.
    pub grain: Duration,
    /// The last moment observed; the last order by default.
    pub observation_end: Option<When>,
    /// The unit of times that are plain numbers.
    pub time_unit: Option<TimeUnit>,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            customer: "customer".into(),
            time: "time".into(),
            value: None,
            refunds: Refunds::default(),
            grain: Duration::from_days(1),
            observation_end: None,
            time_unit: None,
            on_invalid: OnInvalid::default(),
        }
    }
}
