//! The shared vectors of lifetime value, `vectors/clv.json`, `vectors/clv_models.json`,
//! `vectors/clv_covariates.json` and `vectors/clv_learned.json`.
//!
//! Calls, frames, options and tables:
//! - `clv.summarize`: frame `orders`; the options of `SummarizeOptions`; tables `rfm`, `accounting`.
//! - `clv.beta_geo`, `clv.gamma_gamma`: frame `rfm`; options `{"fit": {…}, "predict": {…}}`;
//!   tables `parameters`, `fit`, `predictions`.
//! - `clv.lifetime_value`: frame `rfm`; options `{"beta_geo": {…}, "gamma_gamma": {…},
//!   "lifetime_value": {…}}`, or in place of the second `"spend": {…}`, how draws of it are made; table
//!   `lifetime_value`.
//! - `clv.tracking`: frames `rfm`, `orders`; options `{"fit": {…}, "tracking": {…}}`; table `tracking`.
//! - `clv.tracking_of`: frames `rfm`, `orders`; options `{"kind": …, "fit": {…}, "tracking": {…}}`; tables `tracking`, `by_cohort`.
//! - `clv.single`: frame `rfm`; options `{"kind": …, "fit": {…}, "customer": [x, t_x, T], "periods": …, "most": …,
//!   "interval": …}`; tables `score` (of purchases and P(alive)), `probabilities`: low, high.
//! - `clv.forecast_errors`: frame `frame`; the options of `ForecastOptions`; table `errors`.
//! - `clv.purchases`: frame `rfm`; options `{"kind": …, "fit": {…}, "predict": {…}}`; tables
//!   `parameters`, `fit`, `predictions`.
//! - `clv.report`: frame `frame`, or none; options `{"name": …, "options": {…}}`; the report's tables.
//! - `clv.model`: frame `frame`, and for reports that take one `new`, or `frame` again; options
//!   `{"kind": …, "fit": {…}, "reports": [[name, {…}], …]}`; tables `parameters`, `fit`, and those of
//!   each report as `report.table`.
//! - `clv.dynamic`: frames `orders`, `along`; options `{"kind": …, "fit": {…}, "predict": {…}}`; tables `parameters`,
//!   `fit`, `predict`.
//! - `clv.independence`: frame `rfm`; no options; table `independence`.
//! - `clv.posterior`: frame `rfm`, and where predictions are of other customers `customers`; options `{"method": …,
//!   "kind": …, "draw": {…}, "predict": {…}}`, of models that have them `"check": {…}`, `"survival": {…}`, `"value":
//!   {…}`, and of purchases `"spend": {…}`, how spend is drawn, and `"lifetime_value": {…}`; tables `posterior`,
//!   `draws`, `fit`, and of the reports that are asked for. Not of NUTS, whose draws may differ between processors.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use headwater::clv::dynamic::Dynamic;
use headwater::clv::posterior::Posterior;
use headwater::clv::{
    Contractual, Quantity, beta_geo, fit_purchases, forecast_errors_columns, gamma_gamma, lifetime_value,
    purchases_from_bytes, report, summarize, tracking, tracking_of,
};
use headwater::column::Table;
use headwater::model::{from_bytes, to_bytes};
use headwater::options::parse;
use headwater::{Result, Run};
use serde_json::Value;
use support::Frames;

#[test]
fn shared_vectors() {
    support::run_vectors("clv", call);
}

#[test]
fn shared_vectors_of_covariates() {
    support::run_vectors("clv_covariates", call);
}

#[test]
fn shared_vectors_of_models_and_reports() {
    support::run_vectors("clv_models", call);
}

#[test]
fn shared_vectors_of_value_learned_from_covariates() {
    support::run_vectors("clv_learned", call);
}

fn call(call: &str, frames: &Frames, options: &str, run: &Run) -> Result<Vec<(&'static str, Table)>> {
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
            if whole.get("spend").is_some() {
                let (spend, _) = Posterior::fit("laplace", "GammaGamma", rfm, &part("spend"), run)?;
                let value = lifetime_value(&model, &spend, rfm, &parse(&part("lifetime_value"))?, run)?;
                return Ok(vec![("lifetime_value", value.table())]);
            }
            let (spend, _) = gamma_gamma(rfm, &parse(&part("gamma_gamma"))?, run)?;
            let value = lifetime_value(&model, &spend, rfm, &parse(&part("lifetime_value"))?, run)?;
            Ok(vec![("lifetime_value", value.table())])
        }
        "clv.tracking" => {
            let (model, _) = beta_geo(&frames["rfm"], &parse(&part("fit"))?, run)?;
            let tracked = tracking(&frames["orders"], &model, &parse(&part("tracking"))?, run)?;
            Ok(vec![("tracking", tracked.table())])
        }
        "clv.tracking_of" => {
            let (rfm, orders) = (&frames["rfm"], &frames["orders"]);
            let kind = whole["kind"].as_str().unwrap();
            let (model, _) = fit_purchases(kind, rfm, &parse(&part("fit"))?, run)?;
            let tracked = tracking_of(orders, rfm, &*model, &parse(&part("tracking"))?, run)?;
            Ok(vec![("tracking", tracked.table()), ("by_cohort", tracked.cohort_table().unwrap())])
        }
        "clv.single" => {
            let number = |value: &Value| value.as_f64().unwrap();
            let [x, t_x, t] = [0, 1, 2].map(|i| number(&whole["customer"][i]));
            let (periods, level) = (number(&whole["periods"]), number(&whole["interval"]));
            let kind = whole["kind"].as_str().unwrap();
            let (model, _) = fit_purchases(kind, &frames["rfm"], &parse(&part("fit"))?, run)?;
            let table = |edges: &[[Option<f64>; 2]]| {
                let side = |i: usize| edges.iter().map(move |e| e[i]);
                Table::new().with_optional("low", side(0)).with_optional("high", side(1))
            };
            let purchases = model.interval(x, t_x, t, Quantity::Purchases { periods }, level)?;
            let alive = model.interval(x, t_x, t, Quantity::Alive { ahead: 0.0 }, level)?;
            let most = whole["most"].as_u64().unwrap() as usize;
            let mass = model.probabilities_interval(x, t_x, t, periods, most, level)?;
            Ok(vec![("score", table(&[purchases, alive])), ("probabilities", table(&mass))])
        }
        "clv.forecast_errors" => {
            let found = forecast_errors_columns(&frames["frame"], &parse(options)?, run)?;
            Ok(vec![("errors", found.table())])
        }
        "clv.purchases" => {
            let kind = whole["kind"].as_str().unwrap();
            let (model, _) = fit_purchases(kind, &frames["rfm"], &parse(&part("fit"))?, run)?;
            let model = purchases_from_bytes(&model.bytes()?)?.unwrap();
            let mut tables = model.report("predict", Some(&frames["rfm"]), &part("predict"), run)?;
            Ok(vec![
                ("parameters", model.tables()?.0),
                ("fit", model.tables()?.1),
                ("predictions", tables.swap_remove(0).1),
            ])
        }
        "clv.dynamic" => {
            let kind = whole["kind"].as_str().unwrap();
            let (orders, along) = (&frames["orders"], &frames["along"]);
            let (model, _) = Dynamic::fit(kind, orders, along, &part("fit"), run)?;
            let model = Dynamic::from_bytes(&model.to_bytes()?)?.unwrap();
            let (parameters, fit) = model.tables()?;
            let mut found = model.report("predict", Some(orders), along, &part("predict"), run)?;
            Ok(vec![("parameters", parameters), ("fit", fit), ("predict", found.swap_remove(0).1)])
        }
        "clv.independence" => {
            let (model, _) = gamma_gamma(&frames["rfm"], &parse(options)?, run)?;
            Ok(vec![("independence", model.independence())])
        }
        "clv.report" => report(whole["name"].as_str().unwrap(), frames.get("frame"), &part("options"), run),
        "clv.model" => {
            let kind = whole["kind"].as_str().unwrap();
            let (model, _) = Contractual::fit(kind, &frames["frame"], &part("fit"), run)?;
            let model = Contractual::from_bytes(&model.to_bytes()?)?.unwrap();
            let frame = frames.get("new").or_else(|| frames.get("frame"));
            let mut tables = vec![("parameters", model.parameters()?), ("fit", model.fit_table())];
            for asked in whole["reports"].as_array().unwrap() {
                let name = asked[0].as_str().unwrap();
                for (table, found) in model.report(name, frame, &asked[1].to_string(), run)? {
                    tables.push((format!("{name}.{table}").leak(), found));
                }
            }
            Ok(tables)
        }
        "clv.posterior" => {
            let named = |name: &str| whole[name].as_str().unwrap();
            let rfm = &frames["rfm"];
            let (drawn, _) = Posterior::fit(named("method"), named("kind"), rfm, &part("draw"), run)?;
            let drawn: Posterior = from_bytes(&to_bytes(&drawn)?)?;
            let customers = frames.get("customers").unwrap_or(rfm);
            let (_, found) = drawn.report("predict", Some(customers), &part("predict"), run)?.swap_remove(0);
            let mut tables = vec![("predict", found)];
            if whole.get("spend").is_some() {
                let (spend, _) = Posterior::fit(named("method"), "GammaGamma", rfm, &part("spend"), run)?;
                let options = parse(&part("lifetime_value"))?;
                let value = drawn.lifetime_value(&spend, customers, &options, run)?;
                tables.push(("lifetime_value", value.table()));
            }
            for name in ["check", "survival", "value"].into_iter().filter(|name| whole.get(*name).is_some()) {
                tables.extend(drawn.report(name, Some(rfm), &part(name), run)?.into_iter().take(1));
            }
            for name in ["posterior", "draws", "fit"] {
                tables.extend(drawn.report(name, None, "{}", run)?);
            }
            Ok(tables)
        }
        other => panic!("no such call: {other}"),
    }
}
