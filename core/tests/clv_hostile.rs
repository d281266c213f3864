//! Whatever numbers come in, contractual models and formulas of finance give
//! finite numbers or one error.
#![allow(clippy::unwrap_used, clippy::similar_names)]

use headwater::clv::contract::Contract;
use headwater::clv::finance::report;
use headwater::column::{Columns, Data, Table, Tables, Values};
use headwater::{Error, Result, Run};
use proptest::prelude::*;

fn hostile() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3_i32..12).prop_map(f64::from),
        2 => -1.0..2.0_f64,
        1 => Just(0.0), 1 => Just(1e-300), 1 => Just(1e300), 1 => Just(1e16), 1 => Just(-1e308),
        1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(100_000.0), 1 => Just(5e-324),
    ]
}

fn finite(table: &Table) -> bool {
    table.columns().iter().all(|c| match &c.values {
        Values::F64(v) => v.iter().all(|x| x.is_finite()),
        _ => true,
    })
}

/// Finite tables, or an error of the input.
fn sound(got: Result<Tables>) -> std::result::Result<(), TestCaseError> {
    match got {
        Ok(tables) => {
            for (name, table) in &tables {
                prop_assert!(finite(table), "{name}: {table:?}");
            }
            Ok(())
        }
        Err(
            Error::Option { .. }
            | Error::Column { .. }
            | Error::Row { .. }
            | Error::NotEnoughData { .. }
            | Error::NotConverged { .. },
        ) => Ok(()),
        Err(other) => Err(TestCaseError::fail(other.to_string())),
    }
}

/// JSON has no NaN; a number that it has, however large.
fn json(v: f64) -> String {
    if v.is_finite() { format!("{v:e}") } else { "1e400".to_owned() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn contracts(
        rows in prop::collection::vec((0_u32..3, hostile(), hostile(), any::<bool>()), 0..14),
        cohorts in any::<bool>(), drop in any::<bool>(), weibull in any::<bool>(), apart in any::<bool>(),
        rate in hostile(), numbers in prop::collection::vec(hostile(), 2),
    ) {
        let run = Run::new();
        let mut frame = Columns::new()
            .with("cohort", rows.iter().map(|r| format!("c{}", r.0)).collect::<Vec<String>>())
            .with("customer", rows.iter().map(|r| format!("c{}", r.0)).collect::<Vec<String>>())
            .with("renewals", rows.iter().map(|r| r.1).collect::<Vec<f64>>())
            .with("duration", rows.iter().map(|r| r.1).collect::<Vec<f64>>())
            .with("event", rows.iter().map(|r| r.3).collect::<Vec<bool>>())
            .with("weight", rows.iter().map(|r| r.2).collect::<Vec<f64>>())
            .with("customers", rows.iter().map(|r| r.2).collect::<Vec<f64>>());
        frame = frame.with("period", rows.iter().map(|r| r.1).collect::<Vec<f64>>());
        let kind = if weibull { "BetaDiscreteWeibull" } else { "ShiftedBetaGeo" };
        let options = format!(
            r#"{{"data": "{}", "on_invalid": "{}", "cohorts": "{}", "weight": "weight", "period": "30d"}}"#,
            if cohorts { "cohorts" } else { "customers" },
            if drop { "drop" } else { "error" },
            if apart { "separate" } else { "pooled" },
        );
        let fitted = match Contract::fit(kind, &frame, &options, &run) {
            Ok((fitted, _)) => fitted,
            Err(error) => return sound(Err(error)),
        };
        let discount = format!(r#"{{"rate": {}, "per": "365d"}}"#, json(rate));
        let margin = json(numbers[0]);
        let value = format!(r#"{{"discount": {discount}, "interval": 0.9, "margin": {margin}, "tenures": 3}}"#);
        let predict = format!(r#"{{"discount": {discount}, "interval": 0.9, "margin": {margin}, "on_invalid": "drop"}}"#);
        sound(fitted.report("survival", None, r#"{"periods": 40, "interval": 0.9}"#, &run))?;
        sound(fitted.report("value", None, &value, &run))?;
        sound(fitted.report("predict", Some(&frame), &predict, &run))?;
        for name in ["compare", "estimates", "fit", "life_table"] {
            sound(fitted.report(name, None, "{}", &run))?;
        }
        prop_assert_eq!(Contract::from_bytes(&fitted.to_bytes().unwrap()).unwrap().unwrap(), fitted);
    }

    #[test]
    fn formulas(numbers in prop::collection::vec(hostile(), 9), end in any::<bool>(), horizon in any::<bool>()) {
        let run = Run::new();
        let n: Vec<String> = numbers.iter().map(|v| json(*v)).collect();
        let options = format!(
            r#"{{"margin": {{"amount": {}, "per": "30d"}}, "upkeep": {{"amount": {}, "per": "30d"}},
                "retention": {{"rate": {}, "per": "365d"}}, "discount": {{"rate": {}, "per": "365d"}},
                "growth": {{"rate": {}, "per": "365d"}}, "acquisition_cost": {}, "payments": "{}"{}}}"#,
            n[0], n[1], n[2], n[3], n[4], n[5], if end { "end" } else { "start" },
            if horizon { r#", "horizon": "3000d""# } else { "" },
        );
        sound(report("simple_value", None, &options, &run))?;
        let frame = Columns::new().with("customer", vec!["a", "b", "c"]).with("value", numbers[6..].to_vec());
        let options = format!(
            r#"{{"profit": "value", "p_active": "value", "age": "value", "remaining": "value", "on_invalid": "drop",
                "discount": {{"rate": {}, "per": "1d"}},
                "future": [{{"after": "9000d", "customers": {}, "value": {}, "acquisition_cost": {}}}]}}"#,
            n[0], n[1], n[2], n[3],
        );
        sound(report("customer_equity", Some(&frame), &options, &run))?;
        let from = vec!["a", "a", "b", "b", "c"];
        let frame = Columns::new().with("from", from).with("to", vec!["a", "b", "a", "c", "c"])
            .with("probability", numbers[..5].to_vec());
        let options = format!(
            r#"{{"rewards": {{"a": {}, "b": {}, "c": {}}}, "period": "30d", "remainder": "leave",
                "discount": {{"rate": {}, "per": "365d"}}{}}}"#,
            n[5], n[6], n[7], n[8], if horizon { r#", "horizon": 400"# } else { "" },
        );
        sound(report("markov_value", Some(&frame), &options, &run))?;
        let tame: Vec<f64> = numbers[..5].iter().map(|v| if (0.0..=0.5).contains(v) { *v } else { 0.5 }).collect();
        sound(report("markov_value", Some(&frame.with("probability", tame)), &options, &run))?;
    }

    #[test]
    fn triangles(
        rows in prop::collection::vec((0_u32..4, 0_i64..400, hostile()), 0..25), margin in hostile(),
        period in prop::sample::select(vec!["month", "week", "year", "30d", "quarter"]), drop in any::<bool>(),
        refunds in prop::sample::select(vec!["error", "drop", "net"]), far in any::<bool>(),
    ) {
        let run = Run::new();
        let scale = if far { 800_000_000_000_000 } else { 86_400_000_000 };
        let frame = Columns::new()
            .with("customer", rows.iter().map(|r| format!("c{}", r.0)).collect::<Vec<String>>())
            .with("time", Data::times(rows.iter().map(|r| (r.1 - 200) * scale).collect()))
            .with("value", rows.iter().map(|r| r.2).collect::<Vec<f64>>())
            .with("cohort", rows.iter().map(|r| i64::from(r.0)).collect::<Vec<i64>>())
            .with("age", rows.iter().map(|r| r.1 % 3).collect::<Vec<i64>>());
        let invalid = if drop { "drop" } else { "error" };
        let options = format!(
            r#"{{"period": "{period}", "margin": {}, "refunds": "{refunds}", "on_invalid": "{invalid}"}}"#, json(margin)
        );
        for name in ["cohorts", "historic_value", "chain_ladder_orders"] {
            sound(report(name, Some(&frame), &options, &run))?;
        }
        let options = format!(
            r#"{{"period": "{period}", "margin": {}, "refunds": "{refunds}", "on_invalid": "{invalid}", "states": 1,
                "contact_cost": {}, "discount": {{"rate": 0.1, "per": "365d"}}}}"#, json(margin), json(margin)
        );
        sound(report("markov_from_orders", Some(&frame), &options, &run))?;
        sound(report("chain_ladder", Some(&frame), &format!(r#"{{"on_invalid": "{invalid}"}}"#), &run))?;
    }
}
