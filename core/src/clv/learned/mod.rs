//! What will a customer spend, given all that is known of it?
//!
//! The laws of purchases read a history of orders; here any column may explain, and a
//! customer needs no history. The target is what each spent in a window of fixed length (the
//! `horizon`): 0 for many, heavy in the tail for the others. The loss is that of a
//! zero-inflated lognormal (Wang, Liu & Miao 2019, arXiv 1912.07753):
//!
//! P(y > 0) = p, ln y | y > 0 ~ Normal(μ, σ²), E\[y\] = p exp(μ + σ²/2).
//!
//! | head | link | explained by |
//! | --- | --- | --- |
//! | `purchase` | η = logit p | the covariates |
//! | `mu` | μ | the covariates |
//! | `log_sigma` | s = ln σ (the paper's network has softplus: here a coefficient is a factor on σ) | the covariates, or a constant |
//!
//! The loss separates: its logistic part holds p alone, its lognormal part μ and σ alone, and
//! maximising each maximises the whole. Two learners stand behind one surface: `linear`
//! (Newton's method, standard errors) and `boosted` (trees, one for each head and round).

mod boosted;
mod data;
mod likelihood;
mod linear;
mod model;
mod options;
mod predict;
mod score;
mod tree;

pub use model::ZeroInflatedLognormalModel;
pub use options::{Learner, Negative, Penalty, Sigma, ZeroInflatedLognormal};
pub use predict::PredictOptions;
pub use score::ScoreOptions;

/// The three heads, in the order in which they are stored.
const HEADS: [&str; 3] = ["purchase", "mu", "log_sigma"];
/// The name of the model in files.
const NAME: &str = "clv.ZeroInflatedLognormal";
/// Log odds of certainty: p is 1 to the last bit.
const CERTAIN: f64 = 100.0;
/// ln σ stays within these: all amounts alike, and none told from another.
const SCALES: (f64, f64) = (-7.0, 7.0);
