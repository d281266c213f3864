//! The shared vectors of lifetime value, `vectors/clv.json`.
//!
//! Calls, frames, options and tables:
//! - `clv.summarize`: frame `orders`; the options of `SummarizeOptions`; tables `rfm`, `accounting`.
//! - `clv.beta_geo`, `clv.gamma_gamma`: frame `rfm`; options `{"fit": {…}, "predict": {…}}`;
//!   tables `parameters`, `fit`, `predictions`.
//! - `clv.lifetime_value`: frame `rfm`; options `{"beta_geo": {…}, "gamma_gamma": {…},
//!   "lifetime_value": {…}}`; table `lifetime_value`.
//! - `clv.tracking`: frames `rfm`, `orders`; options `{"fit": {…}, "tracking": {…}}`; table `tracking`.
//! - `clv.forecast_errors`: frame `frame`; the options of `ForecastOptions`; table `errors`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use headwater::Run;
use headwater::clv::{beta_geo, forecast_errors_columns, gamma_gamma, lifetime_value, summarize, tracking};
use headwater::options::parse;
use serde_json::Value;

#[test]
fn shared_vectors() {
    support::run_vectors("clv", |call, frames, options, run: &Run| {
        let whole: Value = serde_json::from_str(options).unwrap();
        let part = |name: &str| whole.get(name).map_or_else(|| "{}".to_owned(), Value::to_string);
        match call {
            "clv.summarize" => {
                let rfm = summarize(&frames["orders"], &parse(options)?, run)?;
                Ok(vec![("rfm", rfm.table()), ("accounting", rfm.accounting_table())])
            }
            "clv.beta_geo" => {
                let (model, _) = beta_geo(&frames["rfm"], &parse(&part("fit"))?, run)?;
                let predicted = model.predict_columns(&frames["rfm"], &parse(&part("predict"))?, run)?;
                Ok(vec![
                    ("parameters", model.table()?),
                    ("fit", model.estimates().fit_table()),
                    ("predictions", predicted.table()),
                ])
            }
            "clv.gamma_gamma" => {
                let (model, _) = gamma_gamma(&frames["rfm"], &parse(&part("fit"))?, run)?;
                let predicted = model.predict_columns(&frames["rfm"], &parse(&part("predict"))?, run)?;
                Ok(vec![
                    ("parameters", model.table()?),
                    ("fit", model.estimates().fit_table()),
                    ("predictions", predicted.table()),
                ])
            }
            "clv.lifetime_value" => {
                let rfm = &frames["rfm"];
                let (model, _) = beta_geo(rfm, &parse(&part("beta_geo"))?, run)?;
                let (spend, _) = gamma_gamma(rfm, &parse(&part("gamma_gamma"))?, run)?;
                let value = lifetime_value(&model, &spend, rfm, &parse(&part("lifetime_value"))?, run)?;
                Ok(vec![("lifetime_value", value.table())])
            }
            "clv.tracking" => {
                let (model, _) = beta_geo(&frames["rfm"], &parse(&part("fit"))?, run)?;
                let tracked = tracking(&frames["orders"], &model, &parse(&part("tracking"))?, run)?;
                Ok(vec![("tracking", tracked.table())])
            }
            "clv.forecast_errors" => {
                let found = forecast_errors_columns(&frames["frame"], &parse(options)?, run)?;
                Ok(vec![("errors", found.table())])
            }
            other => panic!("no such call: {other}"),
        }
    });
}
