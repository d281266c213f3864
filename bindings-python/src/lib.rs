//! The Python face's native half: converts frames, releases the interpreter,
//! calls the core, converts back. It computes nothing.
#![deny(unsafe_code)]
// PyO3 hands arguments over by value, and one arm a kind of model reads better than an if.
#![allow(clippy::needless_pass_by_value, clippy::single_match_else)]

mod capsule;
mod channels;
mod clv;
mod errors;
mod frame;
mod identity;
mod journey;
mod models;
mod rfm;
mod run;
mod segment;
mod simulate;

use pyo3::prelude::*;

/// The native half of the package `headwater`.
#[pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    #[pymodule_export]
    use crate::channels::{channel_rules, classify_visit, drill_down, group_channels};
    #[pymodule_export]
    use crate::clv::{
        clv_at, clv_backtest, clv_compare, clv_dynamic_draws, clv_dynamic_fit, clv_dynamic_given,
        clv_dynamic_posterior, clv_dynamic_report, clv_dynamic_value, clv_fit, clv_forecast_errors,
        clv_from_parameters, clv_group, clv_independence, clv_lifetime_value, clv_likelihood_ratio,
        clv_posterior, clv_predict, clv_probabilities, clv_probabilities_interval, clv_report, clv_score,
        clv_score_interval, clv_spend, clv_spend_interval, clv_summarize, clv_tables, clv_tracking,
    };
    #[pymodule_export]
    use crate::frame::Frame;
    #[pymodule_export]
    use crate::identity::{IdentityGraph, People, evaluate_identity, normalize_email, normalize_phone};
    #[pymodule_export]
    use crate::journey::{JourneyBuilder, Journeys, merge_counts, model_report, predict_path, score_path};
    #[pymodule_export]
    use crate::models::{Model, model_kind};
    #[pymodule_export]
    use crate::rfm::{RfmBuilder, clv_clock_fit, clv_clock_given, clv_clock_span, clv_clock_tables};
    #[pymodule_export]
    use crate::segment::{kmeans_clusters, kmeans_fit, kmeans_predict, kmeans_score, segment_rfm};
    #[pymodule_export]
    use crate::simulate::{
        MarketBatches, simulate_lift_test, simulate_market, simulate_presets, simulate_score,
    };

    /// What this module was built from, for bug reports.
    #[pyfunction]
    fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let info = PyDict::new(py);
        info.set_item("version", env!("CARGO_PKG_VERSION"))?;
        info.set_item("profile", if cfg!(debug_assertions) { "debug" } else { "release" })?;
        info.set_item("target", format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS))?;
        info.set_item("threads", headwater::Run::new().thread_count())?;
        Ok(info)
    }
}
