//! Contracts with covariates: the likelihood written down, groups fitted apart, simulation, and bad input.
#![allow(clippy::unwrap_used, clippy::similar_names)]

use headwater::Run;
use headwater::clv::Verdict;
use headwater::clv::contract::{
    BetaDiscreteWeibull, Contract, LifeTable, ShiftedBetaGeo, ShiftedBetaGeoModel,
};
use headwater::column::{Columns, Table};
use headwater::math::{exp, ln, ln_beta, pow};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Beta, Distribution};

const BASIC: [f64; 8] = [1000.0, 631.0, 468.0, 382.0, 326.0, 289.0, 262.0, 241.0];
const PLUS: [f64; 8] = [1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0];

#[track_caller]
fn near(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1e-3), "{got} for {want}");
}

/// Customers one by one, as rows with weights.
#[derive(Clone, Default)]
struct Customers {
    duration: Vec<f64>,
    event: Vec<bool>,
    entry: Vec<f64>,
    weight: Vec<f64>,
    x: Vec<f64>,
    plan: Vec<&'static str>,
}

impl Customers {
    fn push(&mut self, (duration, event, entry): (f64, bool, f64), weight: f64, x: f64, plan: &'static str) {
        self.duration.push(duration);
        self.event.push(event);
        self.entry.push(entry);
        self.weight.push(weight);
        self.x.push(x);
        self.plan.push(plan);
    }

    /// Those of a cohort: who left at each renewal, and who is still there.
    fn cohort(&mut self, survivors: &[f64], x: f64, plan: &'static str) {
        for (t, pair) in survivors.windows(2).enumerate() {
            self.push(((t + 1) as f64, true, 0.0), pair[0] - pair[1], x, plan);
        }
        self.push(((survivors.len() - 1) as f64, false, 0.0), survivors[survivors.len() - 1], x, plan);
    }

    fn frame(&self) -> Columns {
        Columns::new()
            .with("duration", self.duration.clone())
            .with("event", self.event.clone())
            .with("entry", self.entry.clone())
            .with("weight", self.weight.clone())
            .with("x", self.x.clone())
            .with("plan", self.plan.clone())
    }

    fn two_groups() -> Self {
        let mut out = Self::default();
        out.cohort(&BASIC, 0.0, "basic");
        out.cohort(&PLUS, 1.0, "plus");
        out
    }

    /// ln L of customers whose parameters differ by γ x on α and δ x on β, written down.
    fn likelihood(&self, [alpha, beta, c]: [f64; 3], [on_alpha, on_beta]: [f64; 2]) -> f64 {
        let each = (0..self.x.len()).map(|i| {
            let (a, b) = (alpha * exp(-on_alpha * self.x[i]), beta * exp(-on_beta * self.x[i]));
            let survival = |t: f64| exp(ln_beta(a, b + pow(t, c)) - ln_beta(a, b));
            let (t, entry) = (self.duration[i], self.entry[i]);
            let chance = if self.event[i] { survival(t - 1.0) - survival(t) } else { survival(t) };
            self.weight[i] * (ln(chance) - ln(survival(entry)))
        });
        each.sum()
    }
}

const BOTH: &str = r#"{"data": "customers", "entry": "entry", "weight": "weight", "period": "365d",
    "covariates": {"alpha": ["x"], "beta": ["x"]}}"#;

fn fit(kind: &str, frame: &Columns, options: &str) -> headwater::Result<Contract> {
    Contract::fit(kind, frame, options, &Run::new()).map(|(model, _)| model)
}

fn report(model: &Contract, name: &str, frame: Option<&Columns>, options: &str) -> Table {
    model.report(name, frame, options, &Run::new()).unwrap().swap_remove(0).1
}

fn values(model: &Contract) -> Vec<f64> {
    model.model().effects().unwrap().coefficients().iter().map(|c| c.value).collect()
}

fn f64s(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap().to_vec()
}

/// The parameters of customers with this x, by the parameters at the mean.
fn at(model: &Contract, x: f64) -> Vec<f64> {
    let frame = Columns::new().with("x", vec![x]);
    model.model().at(&frame, &Run::new()).unwrap().params().to_vec()
}

/// Of the first law alone: the second has a common c.
#[test]
fn two_groups_are_two_fits() {
    let frame = Customers::two_groups().frame();
    let run = Run::new();
    let one = |s: &[f64]| ShiftedBetaGeo::new().fit(&LifeTable::from_survivors(s, 0).unwrap(), &run).unwrap();
    let apart = [one(&BASIC), one(&PLUS)];
    let model = fit("ShiftedBetaGeo", &frame, BOTH).unwrap();
    let sum: f64 = apart.iter().map(|m| m.log_likelihood().unwrap()).sum();
    near(model.estimates().log_likelihood.unwrap(), sum, 1e-12);
    assert_eq!(model.estimates().verdict, Verdict::Interior);
    for (x, one) in [0.0, 1.0].into_iter().zip(&apart) {
        let own = model.model().at(&Columns::new().with("x", vec![x]), &run).unwrap();
        for i in 0..2 {
            near(own.params()[i], one.params()[i], 1e-6);
            near(own.standard_errors()[i].unwrap(), one.standard_errors()[i].unwrap(), 1e-5);
        }
    }
    let [basic, plus] = [apart[0].params(), apart[1].params()];
    for (i, value) in values(&model).iter().enumerate() {
        near(*value, ln(basic[i] / plus[i]), 1e-6);
    }
    // Independent fits: the variances of their logarithms add up.
    let errors = model.model().effects().unwrap().standard_errors();
    for (i, error) in errors.iter().enumerate() {
        let variance: f64 =
            apart.iter().map(|m| (m.standard_errors()[i].unwrap() / m.params()[i]).powi(2)).sum();
        near(error.unwrap(), variance.sqrt(), 1e-5);
    }
    // The same by names, whose reference is the first level.
    let named = fit("ShiftedBetaGeo", &frame, &BOTH.replace("[\"x\"]", "[\"plan\"]")).unwrap();
    values(&named).iter().zip(values(&model)).for_each(|(a, b)| near(*a, b, 1e-9));
    let table = report(&named, "coefficients", None, "{}");
    assert_eq!(table.text("covariate", 0).unwrap(), "plan[plus]");
    assert_eq!((table.text("on", 0).unwrap(), table.text("on", 1).unwrap()), ("alpha".into(), "beta".into()));
    near(table.f64s("z").unwrap()[0], values(&named)[0] / errors[0].unwrap(), 1e-6);
}

#[test]
fn groups_of_equal_customers_are_geometric() {
    let mut customers = Customers::default();
    let stay = |r: f64| (0..9).map(|t| 1000.0 * pow(r, f64::from(t))).collect::<Vec<f64>>();
    customers.cohort(&stay(0.8), 0.0, "basic");
    customers.cohort(&stay(0.6), 1.0, "plus");
    for kind in ["ShiftedBetaGeo", "BetaDiscreteWeibull"] {
        let model = fit(kind, &customers.frame(), BOTH).unwrap();
        assert_ne!(model.estimates().verdict, Verdict::Interior, "{kind}");
        for (x, r) in [(0.0, 0.8), (1.0, 0.6)] {
            let own = model.model().at(&Columns::new().with("x", vec![x]), &Run::new()).unwrap();
            for t in [1, 4, 8] {
                assert!(
                    (own.curve().retention(t) - r).abs() < 1e-3,
                    "{kind} {x} {t} {}",
                    own.curve().retention(t)
                );
            }
        }
    }
}

#[test]
fn the_maximum_is_that_of_the_likelihood_as_it_is_written() {
    let mut customers = Customers::two_groups();
    // Late entries, and a third kind of customer.
    customers.push((6.0, true, 2.0), 40.0, 0.5, "mid");
    customers.push((4.0, true, 3.0), 60.0, 0.5, "mid");
    customers.push((7.0, false, 1.0), 200.0, 0.5, "mid");
    customers.push((3.0, false, 3.0), 500.0, 9.0, "mid"); // never under observation
    let mean = {
        let told = 0..customers.x.len() - 1;
        let total: f64 = told.clone().map(|i| customers.weight[i]).sum();
        told.map(|i| customers.weight[i] * customers.x[i]).sum::<f64>() / total
    };
    for (kind, c) in [("ShiftedBetaGeo", false), ("BetaDiscreteWeibull", true)] {
        let model = fit(kind, &customers.frame(), BOTH).unwrap();
        let gamma = [values(&model)[0], values(&model)[1]];
        let p = &model.estimates().values;
        let origin = [p[0] * exp(gamma[0] * mean), p[1] * exp(gamma[1] * mean), if c { p[2] } else { 1.0 }];
        let best = customers.likelihood(origin, gamma);
        near(model.estimates().log_likelihood.unwrap(), best, 1e-10);
        // No step along any parameter goes higher, and slopes are level.
        let h = 1e-3;
        for i in 0..5 {
            if i == 2 && !c {
                continue;
            }
            let moved = |by: f64| {
                let (mut origin, mut gamma) = (origin, gamma);
                if i < 3 {
                    origin[i] *= exp(by);
                } else {
                    gamma[i - 3] += by;
                }
                customers.likelihood(origin, gamma)
            };
            let (up, down) = (moved(h), moved(-h));
            assert!(up < best && down < best, "{kind} {i}");
            assert!((up - down).abs() / (2.0 * h) < 1e-3 * best.abs() * h, "{kind} {i} {}", up - down);
        }
        // Curves, values and predictions are those of a model with each customer's parameters.
        let own = at(&model, 1.0);
        near(own[0], origin[0] * exp(-gamma[0]), 1e-12);
        near(own[1], origin[1] * exp(-gamma[1]), 1e-12);
        let plain = Contract::from_parameters(kind, &own, Some("365d".parse().unwrap())).unwrap();
        let same = |name: &str, options: &str, column: &str| {
            let kinds = options.replacen('{', r#"{"at": {"x": 1}, "#, 1);
            let got = report(&model, name, None, &kinds);
            let want = report(&plain, name, None, options);
            assert_eq!(got.f64s(column).unwrap(), want.f64s(column).unwrap(), "{name}");
        };
        same("survival", r#"{"periods": 12}"#, "survival");
        same("value", r#"{"discount": {"rate": 0.1, "per": "365d"}}"#, "value");
        let who = Columns::new()
            .with("customer", vec!["a", "b", "c"])
            .with("renewals", vec![2.0, 2.0, 5.0])
            .with("x", vec![1.0, 0.0, 1.0]);
        let options = r#"{"periods": 3, "discount": {"rate": 0.1, "per": "365d"}}"#;
        let got = report(&model, "predict", Some(&who), options);
        let want = report(&plain, "predict", Some(&who), options);
        for column in ["survival", "churn", "residual_value"] {
            let (got, want) = (got.f64s(column).unwrap(), want.f64s(column).unwrap());
            assert_eq!((got[0], got[2]), (want[0], want[2]), "{column}");
            assert!((got[1] - want[1]).abs() > 0.01, "{column}");
        }
        let told = report(&model, "predict", Some(&who), r#"{"interval": 0.95}"#);
        let (low, high) = (told.f64s("survival_low").unwrap(), told.f64s("survival_high").unwrap());
        let survival = told.f64s("survival").unwrap();
        assert!((0..3).all(|i| low[i] < survival[i] && survival[i] < high[i]));
    }
}

#[test]
fn the_comparison_tests_the_covariates() {
    let frame = Customers::two_groups().frame();
    for (kind, row) in [("ShiftedBetaGeo", 1), ("BetaDiscreteWeibull", 2)] {
        let model = fit(kind, &frame, BOTH).unwrap();
        let plain = fit(kind, &frame, r#"{"data": "customers", "weight": "weight"}"#).unwrap();
        let table = report(&model, "compare", None, "{}");
        let fits = table.f64s("log_likelihood").unwrap();
        near(fits[row], plain.estimates().log_likelihood.unwrap(), 1e-12);
        near(fits[3], model.estimates().log_likelihood.unwrap(), 1e-15);
        assert_eq!(table.text("model", 3).unwrap(), "covariates");
        near(table.f64s("statistic").unwrap()[3], 2.0 * (fits[3] - fits[row]), 1e-12);
        assert_eq!(table.f64s("df").unwrap()[3], 2.0);
        assert!(table.f64s("p_value").unwrap()[3] < 1e-10);
        let parameters = if row == 1 { 4.0 } else { 5.0 };
        let fit = report(&model, "fit", None, "{}");
        near(fit.f64s("aic").unwrap()[0], 2.0 * parameters - 2.0 * fits[3], 1e-12);
    }
}

#[test]
fn coefficients_are_found_again() {
    let mut rng = StdRng::seed_from_u64(7);
    let (alpha, beta, gamma, delta) = (0.8, 2.5, 0.5, -0.4);
    let mut customers = Customers::default();
    for _ in 0..20_000 {
        let x = (rng.random::<f64>() * 4.0 - 2.0).round() / 2.0;
        let theta = Beta::new(alpha * exp(-gamma * x), beta * exp(-delta * x)).unwrap().sample(&mut rng);
        let mut left = 0;
        for t in 1..=8 {
            if rng.random::<f64>() < theta {
                left = t;
                break;
            }
        }
        let life = if left > 0 { (f64::from(left), true, 0.0) } else { (8.0, false, 0.0) };
        customers.push(life, 1.0, x, "one");
    }
    let model = fit("ShiftedBetaGeo", &customers.frame(), BOTH).unwrap();
    let effects = model.model().effects().unwrap();
    for ((c, error), truth) in
        effects.coefficients().iter().zip(effects.standard_errors()).zip([gamma, delta])
    {
        let error = error.unwrap();
        assert!(error < 0.1 && (c.value - truth).abs() < 3.0 * error, "{} ± {error} for {truth}", c.value);
    }
    let richer = fit("BetaDiscreteWeibull", &customers.frame(), BOTH).unwrap();
    let error = richer.estimates().standard_errors()[2].unwrap();
    assert!((richer.estimates().values[2] - 1.0).abs() < 3.0 * error);
    // A penalty shrinks the coefficients that it is of.
    let shrunk = BOTH.replace("\"beta\": [\"x\"]", "\"beta\": [\"x\"], \"alpha_penalty\": 10");
    let shrunk = fit("ShiftedBetaGeo", &customers.frame(), &shrunk).unwrap();
    assert!(values(&shrunk)[0].abs() < 0.05 && values(&shrunk)[1].abs() > 0.1, "{:?}", values(&shrunk));
}

#[test]
fn neither_the_order_of_rows_nor_threads_nor_a_file_change_anything() {
    let mut customers = Customers::two_groups();
    for i in 0..700 {
        let x = f64::from(i) / 700.0;
        customers.push((f64::from(1 + i % 5), i % 3 != 0, 0.0), 1.0, x, "some");
    }
    let model = fit("ShiftedBetaGeo", &customers.frame(), BOTH).unwrap();
    let mut turned = Customers::default();
    for i in (0..customers.x.len()).rev() {
        let life = (customers.duration[i], customers.event[i], customers.entry[i]);
        turned.push(life, customers.weight[i], customers.x[i], customers.plan[i]);
    }
    for threads in [1, 3] {
        let run = Run::new().threads(threads);
        let (again, _) = Contract::fit("ShiftedBetaGeo", &turned.frame(), BOTH, &run).unwrap();
        assert_eq!(again.to_bytes().unwrap(), model.to_bytes().unwrap());
    }
    let bytes = model.to_bytes().unwrap();
    let loaded = Contract::from_bytes(&bytes).unwrap().unwrap();
    assert_eq!(loaded, model);
    // Intervals of a kind are told by the covariance of all parameters, which the file keeps.
    let asked = r#"{"at": {"x": 0.3}, "interval": 0.9, "periods": 5}"#;
    let limits = |model: &Contract| f64s(&report(model, "survival", None, asked), "survival_high");
    assert_eq!(limits(&loaded), limits(&model));
    // A model without covariates has nothing of them in its file.
    let plain = ShiftedBetaGeoModel::from_parameters(1.0, 2.0).unwrap();
    let bytes = headwater::model::to_bytes(&plain).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("effects"));
}

#[test]
fn what_lies_far_from_the_mean_is_finite() {
    for kind in ["ShiftedBetaGeo", "BetaDiscreteWeibull"] {
        let model = fit(kind, &Customers::two_groups().frame(), BOTH).unwrap();
        let x = vec![-1e150, -1e6, -40.0, 40.0, 1e6, 1e150];
        let who = Columns::new()
            .with("customer", vec!["a", "b", "c", "d", "e", "f"])
            .with("renewals", vec![3.0; 6])
            .with("x", x);
        let options = r#"{"interval": 0.9, "horizon": 20, "discount": {"rate": 0.1, "per": "365d"}}"#;
        let told = report(&model, "predict", Some(&who), options);
        for column in ["survival", "churn", "expected_lifetime", "residual_value"] {
            let found = told.f64s(column).unwrap();
            assert!(found.iter().all(|v| v.is_finite() && *v >= 0.0), "{kind} {column} {found:?}");
        }
    }
}

#[test]
fn what_cannot_be_is_one_clear_error() {
    let frame = Customers::two_groups().frame();
    let told = |frame: &Columns, options: &str| {
        let error = fit("ShiftedBetaGeo", frame, options).unwrap_err();
        (error.code(), error.to_string())
    };
    let asked = |more: &str| BOTH.replacen('{', &format!("{{{more}, "), 1);
    let covariates =
        |what: &str| format!(r#"{{"data": "customers", "weight": "weight", "covariates": {what}}}"#);
    for (options, code, word) in [
        (r#"{"covariates": {"alpha": ["x"]}}"#.to_owned(), "HW_OPTION", "data=\"customers\""),
        (asked(r#""cohorts": "separate""#), "HW_OPTION", "cohort"),
        (asked(r#""cohort": "plan""#), "HW_OPTION", "cohort"),
        (covariates("{}"), "HW_OPTION", "for alpha or for beta"),
        (covariates(r#"{"alpha": ["x", "x"]}"#), "HW_OPTION", "twice"),
        (covariates(r#"{"alpha": ["x"], "alpha_penalty": -1}"#), "HW_OPTION", "alpha_penalty"),
        (covariates(r#"{"alpha": ["x"], "purchase": ["x"]}"#), "HW_OPTION", "purchase"),
        (covariates(r#"{"alpha": ["y"]}"#), "HW_COLUMN", "y"),
        (covariates(r#"{"alpha": ["entry"]}"#), "HW_COLUMN", "same in every row"),
        (covariates(r#"{"alpha": ["x", "plan"]}"#), "HW_COLUMN", "linear combination"),
        (covariates(r#"{"alpha": ["plan"], "references": {"plan": "gold"}}"#), "HW_OPTION", "gold"),
    ] {
        let (found, message) = told(&frame, &options);
        assert!(found == code && message.contains(word), "{options}: {found} {message}");
    }
    let mut stay = Customers::default();
    stay.push((3.0, false, 0.0), 5.0, 0.0, "a");
    stay.push((4.0, false, 0.0), 5.0, 1.0, "b");
    let (code, message) = told(&stay.frame(), BOTH);
    assert!(code == "HW_NOT_ENOUGH_DATA" && message.contains("nobody left"), "{message}");

    let model = fit("ShiftedBetaGeo", &frame, BOTH).unwrap();
    let plain = fit("ShiftedBetaGeo", &frame, r#"{"data": "customers", "weight": "weight"}"#).unwrap();
    let run = Run::new();
    let failed = |model: &Contract, name: &str, frame: Option<&Columns>, options: &str| {
        model.report(name, frame, options, &run).unwrap_err().to_string()
    };
    let survival = |options: &str| failed(&model, "survival", None, options);
    assert!(survival(r#"{"at": {}}"#).contains('x'));
    assert!(survival(r#"{"at": {"x": 1, "y": 2}}"#).contains("`y` is not one"));
    assert!(failed(&plain, "survival", None, r#"{"at": {"x": 1}}"#).contains("fitted without"));
    assert!(failed(&plain, "coefficients", None, "{}").contains("fitted without"));
    let who = Columns::new().with("customer", vec!["a"]).with("renewals", vec![1.0]);
    assert!(failed(&model, "predict", Some(&who), "{}").contains('x'));
    let who = who.with("x", vec![0.5]).with("cohort", vec!["c"]);
    assert!(failed(&model, "predict", Some(&who), r#"{"cohort": "cohort"}"#).contains("no cohorts"));
}

#[test]
fn a_common_c_is_shared() {
    // With c held common the groups' own maxima cannot be reached together, and pooling is worse still.
    let frame = Customers::two_groups().frame();
    let run = Run::new();
    let model = fit("BetaDiscreteWeibull", &frame, BOTH).unwrap();
    let apart: f64 = [&BASIC, &PLUS]
        .map(|s| {
            let life = LifeTable::from_survivors(s, 0).unwrap();
            BetaDiscreteWeibull::new().fit(&life, &run).unwrap().log_likelihood().unwrap()
        })
        .iter()
        .sum();
    let shifted = fit("ShiftedBetaGeo", &frame, BOTH).unwrap().estimates().log_likelihood.unwrap();
    let found = model.estimates().log_likelihood.unwrap();
    assert!(shifted < found && found < apart, "{shifted} {found} {apart}");
}
