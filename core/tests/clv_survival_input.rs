//! Survival: data that cannot be fitted, odd and tiny data, bad rows.
#![allow(clippy::unwrap_used, clippy::similar_names)]

use headwater::clv::Verdict;
use headwater::clv::survival::{
    Aft, Cox, DiscreteHazard, KaplanMeierOptions, PredictOptions, Survival, Ties, kaplan_meier, report,
};
use headwater::column::{Columns, Data, OnInvalid, Tables, Values};
use headwater::{Error, Run, Table};
use rand::RngExt;

fn table<'a>(tables: &'a Tables, name: &str) -> &'a Table {
    &tables.iter().find(|t| t.0 == name).unwrap().1
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{got} for {want}");
}

#[test]
fn separation_is_a_verdict_and_not_a_nan() {
    let frame = Columns::new()
        .with("duration", (1..=12).map(f64::from).collect::<Vec<_>>())
        .with("event", (1..=12).map(|i| i % 4 != 0).collect::<Vec<bool>>())
        .with("late", (1..=12).map(|i| f64::from(u8::from(i > 6))).collect::<Vec<_>>())
        .with("noise", (1..=12).map(|i| f64::from(i * 5 % 7)).collect::<Vec<_>>());
    let run = Run::new();
    for ties in [Ties::Efron, Ties::Breslow] {
        let (model, _) = Cox { ties, ..Cox::new(["late", "noise"]) }.fit(&frame, &run).unwrap();
        let found = model.coefficients();
        assert_eq!(found.verdict, Verdict::MonotoneLikelihood);
        let errors = found.standard_errors();
        assert!(errors[0].is_none() && errors[1].is_some(), "{errors:?}");
        assert!(found.values.iter().all(|v| v.is_finite()));
        for (_, table) in model.summary(0.95).unwrap() {
            for column in table.columns() {
                if let Values::F64(v) = &column.values {
                    assert!(v.iter().all(|x| x.is_finite()), "{}", column.name);
                }
            }
        }
        let fitted = Survival::Cox(std::sync::Arc::new(model));
        assert!(Survival::from_bytes(&fitted.to_bytes().unwrap()).unwrap().is_some());
    }
    let (penalised, _) = Cox { penalty: 0.1, ..Cox::new(["late", "noise"]) }.fit(&frame, &run).unwrap();
    assert_eq!(penalised.coefficients().verdict, Verdict::Interior);
    // Everybody who is new leaves in the first period, nobody else ever.
    let frame = Columns::new()
        .with("duration", vec![1.0, 1.0, 1.0, 3.0, 3.0, 3.0])
        .with("event", vec![true, true, true, false, false, false])
        .with("new", vec![1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    let options = DiscreteHazard { covariates: vec!["new".into()], ..Default::default() };
    let (model, _) = options.fit(&frame, &run).unwrap();
    assert_eq!(model.coefficients().verdict, Verdict::MonotoneLikelihood);
}

fn error(result: Result<impl Sized, Error>) -> (String, String) {
    match result {
        Ok(_) => ("OK".into(), String::new()),
        Err(error) => (error.code().to_owned(), error.to_string()),
    }
}

#[test]
fn what_cannot_be_fitted_is_named() {
    let run = Run::new();
    let base = |event: Vec<bool>| {
        let n = event.len();
        Columns::new()
            .with("duration", (1..=n).map(|i| i as f64).collect::<Vec<_>>())
            .with("event", event)
            .with("a", (0..n).map(|i| (i * 3 % 7) as f64).collect::<Vec<_>>())
            .with("b", (0..n).map(|i| 2.0 * (i * 3 % 7) as f64 - 1.0).collect::<Vec<_>>())
            .with("one", vec![5.0; n])
            .with("same", vec!["x"; n])
    };
    let frame = base(vec![true, false, true, true, false, true, true, true]);
    let fit = |kind: &str, frame: &Columns, covariates: &str| {
        let options = format!(r#"{{"covariates":[{covariates}]}}"#);
        error(Survival::fit(kind, frame, &options, &run))
    };
    for kind in ["Cox", "DiscreteHazard", "Aft"] {
        let (code, text) = fit(kind, &frame, r#""one""#);
        assert!(code == "HW_COLUMN" && text.contains("`one`"), "{text}");
        let (code, text) = fit(kind, &frame, r#""same""#);
        assert!(code == "HW_COLUMN" && text.contains("`same`"), "{text}");
        let (code, text) = fit(kind, &frame, r#""a","b""#);
        assert!(code == "HW_COLUMN" && text.contains("`b`") && text.contains("linear"), "{text}");
        assert_eq!(fit(kind, &base(vec![false; 8]), r#""a""#).0, "HW_NOT_ENOUGH_DATA");
        assert_eq!(fit(kind, &base(vec![true]), r#""a""#).0, "HW_COLUMN");
        assert_eq!(fit(kind, &base(Vec::new()), r#""a""#).0, "HW_NOT_ENOUGH_DATA");
        assert_eq!(fit(kind, &frame, r#""a","a""#).0, "HW_OPTION");
        assert_eq!(fit(kind, &frame, r#""nowhere""#).0, "HW_COLUMN");
        let wrong = error(Survival::fit(kind, &frame, r#"{"covariatez":[]}"#, &run));
        assert!(wrong.0 == "HW_OPTION" && wrong.1.contains("covariatez"));
    }
    assert_eq!(fit("Cox", &frame, "").0, "HW_OPTION");
    assert_eq!(fit("Weibull", &frame, r#""a""#).0, "HW_OPTION");
    // A covariate that is the same in each stratum.
    let strata = frame.clone().with("s", (0..8).map(|i| i64::from(i > 3)).collect::<Vec<i64>>());
    let options = Cox { strata: Some("s".into()), ..Cox::new(["s"]) };
    let (code, text) = error(options.fit(&strata, &run));
    assert!(code == "HW_COLUMN" && text.contains("tells none"), "{text}");
    // Fractional weights of tied events are nobody's frequencies.
    let weighted = frame.clone().with("w", vec![0.5; 8]);
    let options = Cox { weight: Some("w".into()), ..Cox::new(["a"]) };
    assert_eq!(error(options.fit(&weighted, &run)).0, "HW_OPTION");
}

#[test]
fn bad_rows_are_errors_or_counted() {
    let run = Run::new();
    let bad = |duration: Vec<f64>| {
        let n = duration.len();
        Columns::new()
            .with("duration", duration)
            .with("event", vec![true; n])
            .with("entry", (0..n).map(|i| if i == 3 { 9.0 } else { 0.0 }).collect::<Vec<_>>())
            .with("x", (0..n).map(|i| (i * 3 % 5) as f64).collect::<Vec<_>>())
    };
    let frame = bad(vec![1.0, f64::NAN, -1.0, 4.0, 5.0, f64::INFINITY, 7.0, 8.0, 0.0, 10.0]);
    let drop = |kind: &str| {
        let options = r#"{"covariates":["x"],"entry":"entry","on_invalid":"drop"}"#;
        Survival::fit(kind, &frame, options, &run).unwrap().1.rows
    };
    assert_eq!((drop("Cox"), drop("Aft"), drop("DiscreteHazard")), (4, 5, 5));
    for kind in ["Cox", "Aft", "DiscreteHazard"] {
        assert_eq!(error(Survival::fit(kind, &frame, r#"{"covariates":["x"]}"#, &run)).0, "HW_ROW");
    }
    let options = KaplanMeierOptions { on_invalid: OnInvalid::Drop, ..Default::default() };
    let tables = kaplan_meier(&frame, &options, &run).unwrap();
    assert_eq!(table(&tables, "dropped").rows(), 3);
    let nulls = frame.clone().with("event", Data::nulls(10));
    assert!(["HW_ROW", "HW_COLUMN"].contains(&error(report("kaplan_meier", &nulls, "{}", &run)).0.as_str()));
    // A level that the fit has not seen.
    let seen = bad(vec![1.0, 2.0, 3.0, 10.0, 5.0]).with("p", vec!["a", "b", "a", "b", "b"]);
    let (model, _) = Cox::new(["p"]).fit(&seen, &run).unwrap();
    let other = seen.clone().with("p", vec!["a", "b", "a", "b", "new"]);
    assert_eq!(error(model.predict(&other, &PredictOptions::default(), &run)).0, "HW_ROW");
    let options = PredictOptions { on_invalid: OnInvalid::Drop, ..Default::default() };
    let tables = model.predict(&other, &options, &run).unwrap();
    assert_eq!(table(&tables, "predictions").rows(), 4);
    // Another reference, the same model.
    let options = Cox { references: [("p".to_owned(), "b".to_owned())].into(), ..Cox::new(["p"]) };
    let (turned, _) = options.fit(&seen, &run).unwrap();
    close(turned.coefficients().values[0], -model.coefficients().values[0], 1e-9);
}

#[test]
fn small_and_odd_data_have_curves() {
    let run = Run::new();
    let one = |event: bool| Columns::new().with("duration", vec![3.0]).with("event", vec![event]);
    let tables = report("kaplan_meier", &one(true), "{}", &run).unwrap();
    assert_eq!(tables[0].1.f64s("survival").unwrap(), [1.0, 0.0]);
    assert_eq!(table(&tables, "groups").f64s("restricted_mean").unwrap(), [3.0]);
    let tables = report("kaplan_meier", &one(false), "{}", &run).unwrap();
    assert_eq!(tables[0].1.f64s("survival").unwrap(), [1.0]);
    assert_eq!(table(&tables, "test").rows(), 0);
    // Without censoring the mean and its error are those of any sample.
    let frame = Columns::new().with("duration", vec![1.0, 2.0, 4.0, 9.0]).with("event", vec![true; 4]);
    let tables = report("kaplan_meier", &frame, "{}", &run).unwrap();
    let groups = table(&tables, "groups");
    assert_eq!(groups.f64s("restricted_mean").unwrap(), [4.0]);
    close(groups.f64s("restricted_mean_std_error").unwrap()[0], (38.0_f64 / 16.0).sqrt(), 1e-14);
    let narrow = report("kaplan_meier", &frame, r#"{"interval":"plain"}"#, &run).unwrap();
    close(narrow[0].1.f64s("low").unwrap()[2], 0.5 - 1.959963984540054 * 0.25, 1e-14);
    // All at one time: a curve, a Cox model with nothing to tell, a boundary.
    let frame = Columns::new()
        .with("duration", vec![2.0; 6])
        .with("event", vec![true; 6])
        .with("x", vec![1.0, 2.0, 3.0, 1.0, 5.0, 2.0]);
    let (model, _) = Cox::new(["x"]).fit(&frame, &run).unwrap();
    close(model.coefficients().values[0], 0.0, 1e-9);
    assert_eq!((model.concordance(), model.proportional_hazards().rows()), (None, 0));
    let (model, _) = Aft::default().fit(&frame, &run).unwrap();
    assert_eq!(model.coefficients().verdict, Verdict::Boundary);
    let tables = model.predict(&frame, &PredictOptions::default(), &run).unwrap();
    close(table(&tables, "predictions").f64s("median").unwrap()[0], 2.0, 1e-2);
    let (model, _) = DiscreteHazard::default().fit(&frame, &run).unwrap();
    assert_eq!(model.baseline().f64s("hazard").unwrap(), [0.0, 1.0]);
    assert!(error(report("kaplan_meier", &frame, r#"{"level":1.5}"#, &run)).1.contains("level"));
}

/// No number of a table is anything but finite.
fn check_tables(tables: &Tables, what: &str) {
    for (name, table) in tables {
        for column in table.columns() {
            if let Values::F64(v) = &column.values {
                assert!(v.iter().all(|x| x.is_finite()), "{what}: {name}.{}: {v:?}", column.name);
            }
        }
    }
}

#[test]
fn tiny_data_give_errors_or_finite_numbers() {
    let run = Run::new().threads(1);
    let mut fits = 0;
    for seed in 0..400 {
        let mut rng = Run::new().seed(seed).rng(7);
        let n = rng.random_range(1..9);
        let mut column =
            |values: &[f64]| (0..n).map(|_| values[rng.random_range(0..values.len())]).collect::<Vec<f64>>();
        let frame = Columns::new()
            .with("duration", column(&[1.0, 2.0, 2.0, 3.0, 7.0]))
            .with("event", column(&[0.0, 1.0, 1.0]))
            .with("w", column(&[0.0, 1.0, 1.0, 2.0]))
            .with("x", column(&[-1.0, 0.0, 1.0, 1e6]))
            .with("y", column(&[0.0, 1.0]))
            .with("p", column(&[0.0, 1.0, 2.0]).iter().map(|v| format!("p{v}")).collect::<Vec<String>>());
        for options in
            ["{}", r#"{"weight":"w","group":"p","test":"wilcoxon"}"#, r#"{"group":"p","interval":"plain"}"#]
        {
            if let Ok(tables) = report("kaplan_meier", &frame, options, &run) {
                check_tables(&tables, options);
            }
        }
        for ties in ["together", "split"] {
            let options = format!(r#"{{"weight":"w","ties":"{ties}"}}"#);
            check_tables(&report("nelson_aalen", &frame, &options, &run).unwrap(), &options);
        }
        let given =
            format!(r#"{{"risk":"x","survival":["y","y"],"horizons":[1,{}],"bins":3}}"#, 2 + seed % 6);
        check_tables(&report("survival_scores", &frame, &given, &run).unwrap(), &given);
        for (kind, options) in [
            ("Cox", r#"{"covariates":["x"],"weight":"w","robust":true}"#),
            ("Cox", r#"{"covariates":["y","p"],"strata":"x","ties":"breslow"}"#),
            ("Cox", r#"{"covariates":["x","y"],"penalty":0.1}"#),
            ("DiscreteHazard", r#"{"covariates":["y"],"weight":"w"}"#),
            ("DiscreteHazard", r#"{"covariates":["x"],"link":"cloglog","baseline":"linear"}"#),
            ("DiscreteHazard", r#"{"baseline":"constant"}"#),
            ("Aft", r#"{"covariates":["y"],"weight":"w"}"#),
            ("Aft", r#"{"distribution":"log_normal"}"#),
            ("Aft", r#"{"covariates":["x"],"distribution":"log_logistic"}"#),
        ] {
            let what = format!("{seed} {kind} {options}");
            let fitted = match Survival::fit(kind, &frame, options, &run) {
                Ok((fitted, _)) => fitted,
                Err(error) => {
                    let known = ["HW_COLUMN", "HW_NOT_ENOUGH_DATA", "HW_NOT_CONVERGED", "HW_OPTION"];
                    assert!(known.contains(&error.code()), "{what}: {error}");
                    continue;
                }
            };
            fits += 1;
            check_tables(&fitted.report("summary", None, "{}", &run).unwrap(), &what);
            let predicted =
                fitted.report("predict", Some(&frame), r#"{"horizons":[0,1,4,100],"age":"duration"}"#, &run);
            check_tables(&predicted.unwrap(), &what);
            check_tables(&fitted.report("early_warning", Some(&frame), "{}", &run).unwrap(), &what);
            if let Ok(tables) = fitted.report("scores", Some(&frame), r#"{"horizons":[1,2]}"#, &run) {
                check_tables(&tables, &what);
            }
            if kind == "Cox" {
                check_tables(&fitted.report("proportional_hazards", None, "{}", &run).unwrap(), &what);
                check_tables(&fitted.report("baseline", None, "{}", &run).unwrap(), &what);
            }
            let bytes = fitted.to_bytes().unwrap_or_else(|e| panic!("{what}: {e}"));
            assert!(Survival::from_bytes(&bytes).unwrap().is_some());
        }
    }
    assert!(fits > 500, "{fits}");
}

/// A covariate that is one number in each stratum says nothing: rounding must not make an estimate of it.
#[test]
fn what_is_constant_within_strata_is_named() {
    let run = Run::new();
    for seed in 0..12 {
        let mut random = Run::new().seed(seed).rng(8);
        let stratum: Vec<i64> = (0..150).map(|_| random.random_range(0..3)).collect();
        let level: Vec<f64> = (0..3).map(|_| random.random_range(-2.0..2.0)).collect();
        let frame = Columns::new()
            .with("duration", (0..150).map(|_| random.random_range(0.0..9.0)).collect::<Vec<f64>>())
            .with("event", (0..150).map(|_| random.random_bool(0.7)).collect::<Vec<_>>())
            .with("x", (0..150).map(|_| random.random_range(-1.0..1.0)).collect::<Vec<f64>>())
            .with("level", stratum.iter().map(|s| level[*s as usize]).collect::<Vec<_>>())
            .with("stratum", stratum);
        let cox = Cox { strata: Some("stratum".into()), ..Cox::new(["x", "level"]) };
        let (code, text) = error(cox.fit(&frame, &run));
        assert!(code == "HW_COLUMN" && text.contains("`level`: tells none"), "{seed}: {text}");
        let cox = Cox { strata: Some("stratum".into()), ..Cox::new(["x"]) };
        assert!(cox.fit(&frame, &run).is_ok());
    }
}

#[test]
fn what_would_be_ignored_is_refused() {
    let run = Run::new();
    let frame = Columns::new()
        .with("duration", vec![1.0, 2.0, 3.0, 4.0])
        .with("event", vec![true, true, false, true])
        .with("x", vec![0.0, 1.0, 1.0, 0.0])
        .with("g", vec!["a", "b", "a", "b"]);
    for (name, options) in [
        ("test", r#"{"test": "wilcoxon"}"#),
        ("rho", r#"{"group": "g", "rho": 2}"#),
        ("gamma", r#"{"group": "g", "test": "tarone_ware", "gamma": 1}"#),
    ] {
        let (code, text) = error(report("kaplan_meier", &frame, options, &run));
        assert!(code == "HW_OPTION" && text.contains(&format!("`{name}`")), "{text}");
    }
    let options = r#"{"group": "g", "test": "fleming_harrington", "rho": 0, "gamma": 1}"#;
    assert!(report("kaplan_meier", &frame, options, &run).is_ok());
    let options = r#"{"covariates": ["x"], "weighting": "sampling"}"#;
    let (code, text) = error(Survival::fit("Cox", &frame, options, &run));
    assert!(code == "HW_OPTION" && text.contains("`weighting`"), "{text}");
}
