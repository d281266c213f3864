//! Model files of lifetime value that were damaged with their checksum made good: they are refused, or what
//! they hold answers; nothing panics.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::panic::AssertUnwindSafe;

use headwater::clv::dynamic::Dynamic;
use headwater::clv::posterior::{
    Hierarchy, HierarchyOptions, Posterior, PosteriorOptions, laplace, sample_hierarchy,
};
use headwater::clv::{
    self, ClockOptions, Contractual, Covariates, PurchaseOptions, RfmBuilder, SeasonalClock,
    SummarizeOptions, fit_purchases, purchases_from_bytes,
};
use headwater::column::Columns;
use headwater::model::{from_bytes, to_bytes};
use headwater::{Result, Run};
use serde_json::{Value, json};
use support::draws::Draws;

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 })
    })
}

/// Changes one place of the model: a number, a word, what is there at all.
fn damage(value: &mut Value, draws: &mut Draws) {
    let mut at = |size: usize| (draws.uniform() * size as f64) as usize % size.max(1);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let key = fields.keys().nth(at(fields.len())).unwrap().clone();
            match at(12) {
                0 => drop(fields.remove(&key)),
                1 => drop(fields.insert(key, Value::Null)),
                _ => damage(fields.get_mut(&key).unwrap(), draws),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let place = at(items.len());
            match at(12) {
                0 => drop(items.remove(place)),
                1 => items.push(items[place].clone()),
                2 => items.clear(),
                _ => damage(&mut items[place], draws),
            }
        }
        Value::Number(_) => {
            let numbers = [0.0, -1.0, 1.0, 1e308, -1e308, 1e-308, 3.0, 1e18, 0.5, 1e6];
            *value = if at(2) == 0 { json!(numbers[at(10)]) } else { json!(numbers[at(10)] as i64) };
        }
        Value::String(_) => *value = json!(["", "month", "dropout_b", "clv.BetaGeo", "1d"][at(5)]),
        Value::Bool(flag) => *flag = !*flag,
        _ => *value = json!([1]),
    }
}

/// The file of a model, with its checksum.
fn sealed(kind: &Value, model: &Value) -> String {
    let inside = model.to_string();
    let crc = format!("{:08x}", crc32(inside.as_bytes()));
    let header = json!({"format": 1, "version": "0", "kind": kind, "crc32": crc});
    format!(r#"{{"headwater":{header},"model":{inside}}}"#)
}

/// A file as it is, then damaged so many times.
fn torment(file: &[u8], times: usize, ask: impl Fn(&[u8]) -> Result<()>) {
    ask(file).unwrap();
    let whole: Value = serde_json::from_slice(file).unwrap();
    let mut draws = Draws::new(7);
    for _ in 0..times {
        let mut whole = whole.clone();
        for _ in 0..=(draws.uniform() * 3.0) as usize {
            damage(&mut whole["model"], &mut draws);
        }
        let text = sealed(&whole["headwater"]["kind"], &whole["model"]);
        let held = std::panic::catch_unwind(AssertUnwindSafe(|| drop(ask(text.as_bytes())))).is_ok();
        assert!(held, "failed on {text}");
    }
}

fn customers() -> Columns {
    let n = 60;
    let x: Vec<f64> = (0..n).map(|i| f64::from(i % 4)).collect();
    Columns::new()
        .with("customer", (0..i64::from(n)).collect::<Vec<_>>())
        .with("frequency", x.clone())
        .with("recency", x.iter().enumerate().map(|(i, x)| x * (2.0 + (i % 5) as f64)).collect::<Vec<_>>())
        .with("T", (0..n).map(|i| 30.0 + f64::from(i % 7)).collect::<Vec<_>>())
        .with("log_intervals", x.iter().map(|x| x * 0.3).collect::<Vec<_>>())
        .with("channel", (0..n).map(|i| if i % 3 == 0 { "web" } else { "shop" }).collect::<Vec<_>>())
        .with("income", (0..n).map(|i| f64::from(i % 11) / 5.0).collect::<Vec<_>>())
        .with("value", (0..n).map(|i| if i % 2 == 0 { 0.0 } else { 1.0 + f64::from(i) }).collect::<Vec<_>>())
}

fn orders() -> (Columns, Columns) {
    let (mut customer, mut time, mut value) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..40_i64 {
        for day in (i % 5..if i % 3 == 0 { 60 } else { 180 }).step_by(9 + (7 * (i % 4)) as usize) {
            customer.push(i);
            time.push(day * 86_400_000_000);
            value.push((10.0 + ((i * 7 + day) % 13) as f64) * (1 + i % 6) as f64);
        }
    }
    let along = Columns::new()
        .with("customer", (0..80_i64).map(|row| row / 2).collect::<Vec<_>>())
        .with("time", (0..80_i64).map(|row| row % 2 * 90 * 86_400_000_000).collect::<Vec<_>>())
        .with("sale", (0..80).map(|row| row % 2 == 1).collect::<Vec<_>>());
    (Columns::new().with("customer", customer).with("time", time).with("value", value), along)
}

#[test]
fn damaged_laws_with_covariates_do_not_panic() -> Result<()> {
    let run = Run::new().threads(1);
    let frame = customers();
    let covariates = Some(Covariates::new(["income", "channel"], ["income"]));
    for kind in ["clv.ParetoNBD", "clv.BetaGeo"] {
        let options =
            PurchaseOptions { covariates: covariates.clone(), penalty: 0.05, ..PurchaseOptions::default() };
        let (model, _) = fit_purchases(kind, &frame, &options, &run)?;
        let frame = &frame;
        torment(&model.bytes()?, 1_500, move |bytes| {
            let run = Run::new().threads(1);
            let Some(model) = purchases_from_bytes(bytes)? else { return Ok(()) };
            let found = model.report("predict", Some(frame), r#"{"periods": 5, "interval": 0.9}"#, &run);
            let kind = Columns::new().with("income", vec![1.0]).with("channel", vec!["web"]);
            let own = clv::at(&*model, &kind, &run).and_then(|m| m.expected_purchases(1.0, 5.0, 9.0, 4.0));
            model.tables()?;
            found.map(drop).and(own.map(drop))
        });
    }
    Ok(())
}

#[test]
fn damaged_draws_with_covariates_do_not_panic() -> Result<()> {
    let run = Run::new().threads(1);
    let frame = customers();
    let one = Columns::new()
        .with("frequency", vec![1.0])
        .with("recency", vec![2.0])
        .with("T", vec![9.0])
        .with("channel", vec!["web"])
        .with("income", vec![0.5]);
    let covariates = Some(Covariates::new(["income", "channel"], ["income"]));
    for kind in ["clv.ParetoNBD", "clv.BetaGeo"] {
        let options =
            PosteriorOptions { covariates: covariates.clone(), chains: 1, draws: 6, ..Default::default() };
        let (found, _) = laplace(kind, &frame, &options, &run)?;
        let (frame, one, file) = (&frame, &one, to_bytes(&found)?);
        torment(&file, 200, move |bytes| {
            let found: Posterior = from_bytes(bytes)?;
            let run = Run::new().threads(1);
            for name in ["posterior", "draws", "fit"] {
                found.report(name, None, "{}", &run)?;
            }
            found.report("predict", Some(frame), r#"{"periods": 2, "most_draws": 2}"#, &run).map(drop)
        });
        // Of damaged laws a customer may buy without end, and classes are told apart up to 100,000.
        torment(&file, 40, move |bytes| {
            let (found, run): (Posterior, _) = (from_bytes(bytes)?, Run::new().threads(1));
            found.report("check", Some(one), r#"{"most": 2, "most_draws": 1}"#, &run).map(drop)
        });
    }
    Ok(())
}

#[test]
fn damaged_draws_of_spend_and_of_retention_do_not_panic() -> Result<()> {
    let run = Run::new().threads(1);
    let options =
        PosteriorOptions { chains: 1, draws: 6, period: Some("30d".parse()?), ..PosteriorOptions::default() };
    let few = Columns::new()
        .with("customer", vec!["a", "b"])
        .with("frequency", vec![1.0, 3.0])
        .with("value", vec![9.0, 20.0])
        .with("renewals", vec![0, 4]);
    let cohort = Columns::new()
        .with("period", vec![0, 1, 2, 3, 4])
        .with("customers", vec![90.0, 70.0, 61.0, 55.0, 52.0]);
    let of_spend = PosteriorOptions { monetary_value: "value".into(), ..options.clone() };
    let (spend, _) = laplace("GammaGamma", &customers(), &of_spend, &run)?;
    torment(&to_bytes(&spend)?, 300, |bytes| {
        let found: Posterior = from_bytes(bytes)?;
        let json = r#"{"monetary_value": "value", "most_draws": 3}"#;
        for name in ["predict", "check"] {
            found.report(name, Some(&few), json, &run)?;
        }
        found.report("posterior", None, "{}", &run).map(drop)
    });
    for kind in ["ShiftedBetaGeo", "BetaDiscreteWeibull"] {
        let (found, _) = laplace(kind, &cohort, &options, &run)?;
        torment(&to_bytes(&found)?, 300, |bytes| {
            let found: Posterior = from_bytes(bytes)?;
            let json = r#"{"discount": {"rate": 0.1, "per": "365d"}, "horizon": 9, "most_draws": 3}"#;
            found.report("survival", None, r#"{"periods": 5}"#, &run)?;
            found.report("value", None, json, &run)?;
            found.report("check", Some(&cohort), r#"{"most": 2, "most_draws": 3}"#, &run)?;
            found.report("predict", Some(&few), json, &run).map(drop)
        });
    }
    Ok(())
}

#[test]
fn draws_of_no_curve_are_refused() -> Result<()> {
    let cohort = Columns::new().with("period", vec![0, 1, 2, 3]).with("customers", vec![9.0, 7.0, 6.0, 5.0]);
    let options = PosteriorOptions { chains: 1, draws: 4, ..PosteriorOptions::default() };
    let (found, _) = laplace("BetaDiscreteWeibull", &cohort, &options, &Run::new())?;
    let whole: Value = serde_json::from_slice(&to_bytes(&found)?).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut model = whole["model"].clone();
        change(&mut model);
        from_bytes::<Posterior>(sealed(&whole["headwater"]["kind"], &model).as_bytes())
            .map_err(|e| e.code())
            .err()
    };
    assert_eq!(refused(&|_| ()), None);
    let changes: [&dyn Fn(&mut Value); 5] = [
        &|model| model["draws"][2] = json!(25.0), // c beyond 20
        &|model| model["draws"][0] = json!(-1.0),
        &|model| model["parameters"] = json!(["alpha", "beta", "d"]),
        &|model| model["kind"] = json!("clv.ShiftedBetaGeo"),
        &|model| model["k"] = json!(2),
    ];
    for change in changes {
        assert_eq!(refused(change), Some("HW_MODEL_FILE"));
    }
    Ok(())
}

#[test]
fn damaged_models_along_covariates_do_not_panic() -> Result<()> {
    let run = Run::new().threads(1);
    let (orders, along) = orders();
    let micros = r#""sources": {"time_unit": "us"}"#;
    for (kind, fit) in [
        (
            "clv.DynamicParetoNBD",
            format!(r#"{{"covariates": {{"purchase": ["sale"]}}, "penalty": 0.05, {micros}}}"#),
        ),
        ("clv.DynamicGammaGamma", format!(r#"{{"covariates": ["sale"], "penalty": 0.05, {micros}}}"#)),
    ] {
        let (model, _) = Dynamic::fit(kind, &orders, &along, &fit, &run)?;
        let (orders, along) = (&orders, &along);
        torment(&model.to_bytes()?, 600, move |bytes| {
            let Some(model) = Dynamic::from_bytes(bytes)? else { return Ok(()) };
            model.tables()?;
            let run = Run::new().threads(1);
            let asked = format!(r#"{{"periods": 5, {micros}}}"#);
            model.report("predict", Some(orders), along, &asked, &run).map(drop)
        });
    }
    Ok(())
}

#[test]
fn damaged_hierarchies_clocks_and_summaries_do_not_panic() -> Result<()> {
    let run = Run::new().threads(1);
    let frame = customers();
    let sampling =
        PosteriorOptions { chains: 1, draws: 8, tune: 50, max_depth: 3, ..PosteriorOptions::default() };
    let options = HierarchyOptions { group: "channel".into(), sampling, ..HierarchyOptions::default() };
    let (found, _) = sample_hierarchy("BetaGeo", &frame, &options, &run)?;
    let one = &frame;
    torment(&to_bytes(&found)?, 400, move |bytes| {
        let found: Hierarchy = from_bytes(bytes)?;
        let run = Run::new().threads(1);
        found.report("groups", None, "{}", &run)?;
        found.report("population", None, "{}", &run)?;
        found.report("predict", Some(one), r#"{"periods": 2}"#, &run).map(drop)
    });
    let (orders, _) = orders();
    let micros = Some(headwater::column::TimeUnit::Microsecond);
    let how = SummarizeOptions { time_unit: micros, ..SummarizeOptions::default() };
    let mut builder = RfmBuilder::new(how.clone())?;
    builder.extend(&orders, &run)?;
    let orders = &orders;
    torment(&to_bytes(&builder)?, 800, move |bytes| {
        let mut builder: RfmBuilder = from_bytes(bytes)?;
        let run = Run::new().threads(1);
        builder.summary(&run).map(drop).and(builder.extend(orders, &run))
    });
    let options = ClockOptions { summarize: how, ..ClockOptions::default() };
    let (clock, _) = SeasonalClock::fit(orders, &options, &run)?;
    torment(&to_bytes(&clock)?, 800, |bytes| from_bytes::<SeasonalClock>(bytes).map(drop));
    Ok(())
}

#[test]
fn damaged_learned_value_does_not_panic() -> Result<()> {
    let run = Run::new().threads(1);
    let frame = customers();
    for learner in ["linear", "boosted"] {
        let fit = format!(
            r#"{{"covariates": ["income", "channel"], "learner": "{learner}", "trees": 4, "folds": 2}}"#
        );
        let (model, _) = Contractual::fit("clv.ZeroInflatedLognormal", &frame, &fit, &run)?;
        let frame = &frame;
        torment(&model.to_bytes()?, 800, move |bytes| {
            let Some(model) = Contractual::from_bytes(bytes)? else { return Ok(()) };
            model.report("predict", Some(frame), "{}", &Run::new().threads(1)).map(drop)
        });
    }
    Ok(())
}
