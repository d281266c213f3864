//! Retention under contract: golden numbers of Fader & Hardie's two segments
//! (`../shared/golden/clv/sbg.json`, mpmath), integrals over the beta
//! distribution, simulation, and bad input.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::similar_names, clippy::excessive_precision)]

mod support;

use headwater::Run;
use headwater::clv::Verdict;
use headwater::clv::contract::{
    BetaDiscreteWeibull, BetaDiscreteWeibullModel, Contract, Curve, LifeSlices, LifeTable, ShiftedBetaGeo,
    ShiftedBetaGeoModel,
};
use headwater::column::{Columns, Table};
use headwater::math::{exp, ln, ln_beta, pow};
use headwater::model;
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::{Beta, Distribution};
use serde_json::Value;

const HIGH_END: [f64; 8] = [1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0];
const REGULAR: [f64; 8] = [1000.0, 631.0, 468.0, 382.0, 326.0, 289.0, 262.0, 241.0];

fn life(survivors: &[f64]) -> LifeTable {
    LifeTable::from_survivors(survivors, 0).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    let error = (got - want).abs() / want.abs().max(1e-300);
    assert!(error <= tolerance, "{what}: {got} for {want}, relative error {error:.2e}");
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: headwater::Result<T>) -> (String, &'static str) {
    let error = result.unwrap_err();
    let named = match &error {
        headwater::Error::Option { option, .. } => option.clone(),
        headwater::Error::Column { column, .. } | headwater::Error::Row { column, .. } => column.clone(),
        _ => String::new(),
    };
    (named, error.code())
}

fn f64s(table: &Table, name: &str) -> Vec<f64> {
    table.f64s(name).unwrap().to_vec()
}

#[test]
fn golden_shifted_beta_geo() {
    let Some(file) = support::golden("clv/sbg.json") else { return };
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let (mut worst, mut worst_error) = (0.0_f64, 0.0_f64);
    for (name, case) in golden.as_object().unwrap() {
        let model = ShiftedBetaGeo::new().fit(&life(&numbers(&case["survivors"])), &Run::new()).unwrap();
        let mut check = |got: f64, want: &Value, what: &str| {
            let want = number(want);
            worst = worst.max((got / want - 1.0).abs());
            close(got, want, 1e-12, &format!("{name} {what}"));
        };
        let e = model.estimates();
        assert_eq!(e.verdict, Verdict::Interior);
        check(e.values[0], &case["alpha"], "alpha");
        check(e.values[1], &case["beta"], "beta");
        check(e.log_likelihood.unwrap(), &case["ll"], "log-likelihood");
        let curve = model.curve();
        for (t, want) in case["S"].as_array().unwrap().iter().enumerate() {
            check(curve.survival(t as u32), want, "S");
        }
        for (t, want) in case["retention"].as_array().unwrap().iter().enumerate() {
            check(curve.retention(t as u32 + 1), want, "retention");
        }
        check(curve.del(0.1).unwrap().unwrap(), &case["DEL_d10pct"], "DEL");
        for (n, want) in case["DERL_d10pct_n1..5"].as_array().unwrap().iter().enumerate() {
            check(curve.derl(n as u32 + 1, 0.1).unwrap().unwrap(), want, "DERL");
        }
        check(curve.churn(1), &case["E_theta"], "E[θ]");
        // The standard errors are printed to ten digits. Those of one case are off in
        // the fifth; these are of the same likelihood, by mpmath at 40 digits.
        let errors = match name.as_str() {
            "high_end_12y" => vec![0.10559049546436, 0.15480429702451],
            _ => numbers(&case["se_log"]),
        };
        for (i, want) in errors.into_iter().enumerate() {
            let got = model.standard_errors()[i].unwrap() / e.values[i];
            worst_error = worst_error.max((got / want - 1.0).abs());
            close(got, want, 1e-9, "standard error");
        }
    }
    println!("worst relative error {worst:.1e}, of standard errors {worst_error:.1e}");
}

/// Σ of S(n + k) / S(n) / (1 + d)^k: α, β, c, d, n and the sum.
const SUMS: [(f64, f64, f64, f64, u32, f64); 2] =
    [(0.7, 3.5, 0.8, 1e-4, 0, 257.50775397549592), (0.7, 3.5, 1.6, 2e-6, 12, 72.9558049580657234)];

/// mpmath at 40 digits: Newton's method on the likelihood, and sums by Euler and Maclaurin.
#[test]
fn references_of_the_beta_discrete_weibull() {
    let model = BetaDiscreteWeibull::new().fit(&life(&HIGH_END), &Run::new()).unwrap();
    let e = model.estimates();
    let want = [0.214253339280849964, 1.42657487486008418, 1.7235648487445279];
    let errors = [0.27808064342314, 0.26735968887069, 0.17466315929072];
    for i in 0..3 {
        close(e.values[i], want[i], 1e-12, "parameter");
        close(model.standard_errors()[i].unwrap() / e.values[i], errors[i], 1e-12, "standard error");
    }
    close(e.log_likelihood.unwrap(), -1605.3142132141932, 1e-14, "log-likelihood");
    assert_eq!(e.verdict, Verdict::Interior);
    // Twice the gain over c = 1 is χ² of one degree.
    let compared = Contract::BetaDiscreteWeibull(model).report("compare", None, "{}", &Run::new()).unwrap();
    close(
        f64s(&compared[0].1, "statistic")[2],
        2.0 * (1611.15814739115644 - 1605.3142132141932),
        1e-11,
        "LR",
    );
    close(
        f64s(&compared[0].1, "p_value")[2],
        headwater::math::erfc((1611.15814739115644_f64 - 1605.3142132141932).sqrt()),
        1e-10,
        "p",
    );
    for (alpha, beta, c, d, n, want) in SUMS {
        let got = Curve::new(alpha, beta, c).unwrap().discounted_lifetime(n, d, None).unwrap().unwrap();
        close(got, want, 1e-12, &format!("Σ at {alpha} {beta} {c} {d} {n}"));
    }
}

/// E[f(θ)], θ ~ Beta(α, β), by Gauss and Legendre on panels of the log odds.
fn over_beta(alpha: f64, beta: f64, f: impl Fn(f64, f64) -> f64) -> f64 {
    const NODES: [(f64, f64); 4] = [
        (0.183434642495649805, 0.362683783378361983),
        (0.525532409916328986, 0.313706645877887287),
        (0.796666477413626740, 0.222381034453374471),
        (0.960289856497536232, 0.101228536290376259),
    ];
    let mut total = 0.0;
    let width = 0.25;
    let mut low = -300.0;
    while low < 300.0 {
        for (node, weight) in NODES {
            for side in [-1.0, 1.0] {
                let x = low + 0.5 * width * (1.0 + side * node);
                let (ln_p, ln_q) = (-headwater::math::log1p_exp(-x), -headwater::math::log1p_exp(x));
                total += 0.5
                    * width
                    * weight
                    * exp(alpha * ln_p + beta * ln_q - ln_beta(alpha, beta))
                    * f(exp(ln_p), ln_q);
            }
        }
        low += width;
    }
    total
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn curves_are_integrals_over_the_beta(
        alpha in 0.1..6.0_f64, beta in 0.1..20.0_f64, c in 0.3..2.0_f64, plain in any::<bool>(),
        t in 1_u32..60, n in 0_u32..20, d in 0.001..0.5_f64,
    ) {
        let c = if plain { 1.0 } else { c };
        let curve = Curve::new(alpha, beta, c).unwrap();
        let near = |got: f64, want: f64, what: &str| {
            let error = (got / want - 1.0).abs();
            if error < 1e-10 { Ok(()) } else { Err(TestCaseError::fail(format!("{what} {got} {want} {error:.1e}"))) }
        };
        let clock = |t: u32| pow(f64::from(t), c);
        let survive = |t: u32| over_beta(alpha, beta, |_, ln_q| exp(ln_q * clock(t)));
        near(curve.survival(t), survive(t), "S")?;
        near(curve.retention(t), survive(t) / survive(t - 1), "r")?;
        near(curve.survival_of_active(n, t), survive(n + t) / survive(n), "S(n + t) / S(n)")?;
        near(curve.churn(t), over_beta(alpha, beta, |_, ln_q| {
            -exp(ln_q * clock(t - 1)) * headwater::math::exp_m1(ln_q * (clock(t) - clock(t - 1)))
        }), "P(T = t)")?;
        // DEL: the sum for each θ is closed without duration dependence, and brute force with.
        let want = if plain {
            over_beta(alpha, beta, |p, ln_q| (1.0 + d) / (d + p) * exp(ln_q * f64::from(n))) / survive(n)
        } else {
            let v = 1.0 / (1.0 + d);
            let mut total = 0.0;
            let (mut k, mut weight) = (0, 1.0);
            while weight > 1e-15 {
                total += curve.survival_of_active(n, k) * weight;
                (k, weight) = (k + 1, weight * v);
            }
            total
        };
        near(curve.discounted_lifetime(n, d, None).unwrap().unwrap(), want, "Σ")?;
        let short: f64 = (0..t).map(|k| curve.survival_of_active(n, k) * pow(1.0 + d, -f64::from(k))).sum();
        near(curve.discounted_lifetime(n, d, Some(t)).unwrap().unwrap(), short, "Σ to a horizon")?;
    }

    #[test]
    fn small_rates_meet_the_closed_form(alpha in 1.05..6.0_f64, beta in 0.1..50.0_f64, n in 0_u32..50) {
        // The sum formula below its rate, and the closed form just above, differ as d does.
        let curve = Curve::new(alpha, beta, 1.0).unwrap();
        let at = |d: f64| curve.discounted_lifetime(n, d, None).unwrap().unwrap();
        let z = 1.0 / (1.0 + 1e-4);
        let n = f64::from(n);
        let closed = headwater::math::hyp2f1(1.0, beta + n, alpha + beta + n, z);
        prop_assert!((at(1e-4) / closed - 1.0).abs() < 1e-11, "{} {closed}", at(1e-4));
        let endless = (alpha + beta + n - 1.0) / (alpha - 1.0);
        prop_assert!(at(0.0) == endless && at(1e-9) < endless);
    }

    #[test]
    fn retention_rises_with_tenure_and_value_falls_with_the_rate(
        alpha in 0.05..50.0_f64, beta in 0.05..500.0_f64, c in 0.2..1.0_f64, t in 1_u32..200,
    ) {
        let curve = Curve::new(alpha, beta, c).unwrap();
        prop_assert!(curve.retention(t) <= curve.retention(t + 1));
        prop_assert!(curve.survival(t + 1) <= curve.survival(t));
        prop_assert!(curve.survival_of_active(0, t) <= curve.survival_of_active(3, t) * (1.0 + 1e-14));
        let [low, high] = [0.02, 0.2].map(|d| curve.derl(t, d).unwrap().unwrap());
        prop_assert!(high < low);
    }
}

#[test]
fn without_duration_dependence_it_is_the_shifted_beta_geometric_to_the_bit() {
    let (one, two) = (
        ShiftedBetaGeoModel::from_parameters(0.668, 3.806).unwrap(),
        BetaDiscreteWeibullModel::from_parameters(0.668, 3.806, 1.0).unwrap(),
    );
    let (one, two) = (one.curve(), two.curve());
    for t in 1..200 {
        assert_eq!(one.survival(t).to_bits(), two.survival(t).to_bits());
        assert_eq!(one.retention(t).to_bits(), two.retention(t).to_bits());
        assert_eq!(one.derl(t, 0.1).unwrap(), two.derl(t, 0.1).unwrap());
    }
    let nearly = Curve::new(0.668, 3.806, 1.0 + 1e-15).unwrap();
    for t in 1..200 {
        close(nearly.survival(t), one.survival(t), 1e-13, "S");
        close(nearly.retention(t), one.retention(t), 1e-13, "r");
    }
    close(nearly.del(0.1).unwrap().unwrap(), one.del(0.1).unwrap().unwrap(), 1e-13, "DEL");
}

/// Durations drawn from the model, censored after `periods`.
fn simulated([alpha, beta, c]: [f64; 3], customers: usize, periods: u32) -> (Vec<f64>, Vec<bool>) {
    let mut rng = Run::new().seed(5).rng(0);
    let chances = Beta::new(alpha, beta).unwrap();
    let (mut duration, mut event) = (Vec::new(), Vec::new());
    for _ in 0..customers {
        let theta: f64 = chances.sample(&mut rng);
        // P(T > t) = (1 − θ)^(t^c)
        let u: f64 = 1.0 - rng.random_range(0.0..1.0);
        let end = pow(ln(u) / headwater::math::ln_1p(-theta), 1.0 / c).floor() + 1.0;
        event.push(end <= f64::from(periods));
        duration.push(end.min(f64::from(periods)));
    }
    (duration, event)
}

#[test]
fn recovers_the_truth_within_four_standard_errors() {
    let (duration, event) = simulated([0.8, 4.0, 1.0], 40_000, 10);
    let lives = LifeSlices { duration: &duration, event: &event, ..LifeSlices::default() };
    let life = LifeTable::from_lives(&lives).unwrap();
    let model = ShiftedBetaGeo::new().fit(&life, &Run::new()).unwrap();
    for ((got, se), truth) in model.params().iter().zip(model.standard_errors()).zip([0.8, 4.0]) {
        assert!((got - truth).abs() < 4.0 * se.unwrap(), "{got} ± {se:?} for {truth}");
    }
    for truth in [[0.8, 4.0, 1.5], [1.5, 6.0, 0.7]] {
        let (duration, event) = simulated(truth, 40_000, 20);
        // Half of them came under observation after three renewals, if they lived to see it.
        let entry: Vec<f64> = (0..duration.len()).map(|i| if i % 2 == 0 { 3.0 } else { 0.0 }).collect();
        let seen: Vec<usize> = (0..duration.len()).filter(|i| duration[*i] > entry[*i]).collect();
        let of = |v: &[f64]| seen.iter().map(|i| v[*i]).collect::<Vec<f64>>();
        let events: Vec<bool> = seen.iter().map(|i| event[*i]).collect();
        let lives =
            LifeSlices { duration: &of(&duration), event: &events, entry: Some(&of(&entry)), weight: None };
        let life = LifeTable::from_lives(&lives).unwrap();
        let model = BetaDiscreteWeibull::new().fit(&life, &Run::new()).unwrap();
        for ((got, se), truth) in model.params().iter().zip(model.standard_errors()).zip(truth) {
            assert!((got - truth).abs() < 4.0 * se.unwrap(), "{got} ± {se:?} for {truth}");
        }
        let compared =
            Contract::BetaDiscreteWeibull(model).report("compare", None, "{}", &Run::new()).unwrap();
        assert!(f64s(&compared[0].1, "p_value")[2] < 1e-3);
    }
}

#[test]
fn simpler_truths_are_named() {
    let run = Run::new();
    let sbg = |survivors: &[f64]| ShiftedBetaGeo::new().fit(&life(survivors), &run).unwrap();
    let verdict = |survivors: &[f64]| sbg(survivors).estimates().verdict;
    // One rate for all: the geometric distribution, whose likelihood is closed.
    let same = sbg(&[1000.0, 800.0, 640.0, 512.0]);
    assert_eq!(same.estimates().verdict, Verdict::EqualDropout);
    close(same.curve().retention(1), 0.8, 1e-9, "retention");
    close(same.curve().retention(50), 0.8, 1e-6, "retention");
    close(same.log_likelihood().unwrap(), 488.0 * ln(0.2) + 1952.0 * ln(0.8), 1e-9, "log-likelihood");
    assert_eq!(verdict(&[1000.0, 900.0, 700.0, 300.0]), Verdict::EqualDropout); // falling retention
    assert_eq!(verdict(&[1000.0, 600.0, 600.0, 600.0]), Verdict::PolarisedDropout);
    assert_eq!(verdict(&[1000.0, 1000.0]), Verdict::NoDropout);
    assert_eq!(verdict(&[1000.0, 0.0]), Verdict::CertainDropout);
    assert_eq!(sbg(&[10.0, 10.0, 10.0]).curve().survival(5), 1.0 - 5e-12);
    // Falling retention for everyone is what c > 1 is for.
    let weibull = BetaDiscreteWeibull::new().fit(&life(&[1000.0, 900.0, 700.0, 400.0, 150.0]), &run).unwrap();
    assert!(weibull.params()[2] > 1.2, "{:?}", weibull.params());
    assert_ne!(weibull.estimates().verdict, Verdict::Interior);
    for model in [same.estimates(), weibull.estimates()] {
        assert!(model.values.iter().all(|v| v.is_finite()) && model.standard_errors()[1].is_none());
    }
}

#[test]
fn cohorts_are_pooled_or_fitted_apart() {
    let run = Run::new();
    let (mut cohort, mut period, mut customers) = (Vec::new(), Vec::new(), Vec::new());
    for (name, survivors) in [("regular", &REGULAR[..]), ("high end", &HIGH_END[..]), ("new", &[50.0, 30.0])]
    {
        for (t, n) in survivors.iter().enumerate() {
            cohort.push(name);
            period.push(t as i64);
            customers.push(*n);
        }
    }
    let frame = Columns::new().with("cohort", cohort).with("period", period).with("customers", customers);
    let (pooled, dropped) = Contract::fit("ShiftedBetaGeo", &frame, "{}", &run).unwrap();
    assert_eq!(dropped.rows, 0);
    let mut all = life(&HIGH_END);
    all.merge(&life(&REGULAR));
    all.merge(&life(&[50.0, 30.0]));
    assert_eq!(pooled.model().life_table(), &all);
    let direct = ShiftedBetaGeo::new().fit(&all, &run).unwrap();
    assert_eq!(pooled.estimates(), direct.estimates());

    let options = r#"{"cohorts": "separate", "period": "365d"}"#;
    let (apart, _) = Contract::fit("ShiftedBetaGeo", &frame, options, &run).unwrap();
    assert_eq!(apart.estimates(), pooled.estimates());
    let cohorts = apart.model().cohorts();
    assert_eq!(cohorts.iter().map(|c| c.cohort.as_str()).collect::<Vec<_>>(), ["high end", "new", "regular"]);
    assert!(cohorts[1].estimates.is_none()); // too young
    let own = ShiftedBetaGeo::new().fit(&life(&HIGH_END), &run).unwrap();
    assert_eq!(cohorts[0].estimates.as_ref(), Some(own.estimates()));
    assert_eq!(apart.model().curve_of("new"), apart.model().curve());
    let compared = &apart.report("compare", None, "{}", &run).unwrap()[0].1;
    assert_eq!(compared.rows(), 4);
    assert!(f64s(compared, "p_value")[3] < 1e-30 && f64s(compared, "df")[3] == 4.0);
    let estimates = &apart.report("estimates", None, "{}", &run).unwrap()[0].1;
    assert_eq!(
        (estimates.rows(), estimates.text("cohort", 0), estimates.text("cohort", 4)),
        (6, None, Some("regular".into()))
    );

    // Predictions by cohort; a stranger has the curve of all.
    let active = Columns::new()
        .with("customer", vec!["a", "b", "c", "d"])
        .with("renewals", vec![3, 3, 3, 0])
        .with("cohort", vec![Some("high end"), Some("regular"), None, Some("elsewhere")]);
    let options =
        r#"{"periods": 2, "interval": 0.95, "discount": {"rate": 0.1, "per": "365d"}, "margin": 50}"#;
    let tables = apart.report("predict", Some(&active), options, &run).unwrap();
    let table = &tables[0].1;
    let survival = f64s(table, "survival");
    assert_eq!(survival[0], own.curve().survival_of_active(3, 2));
    assert_eq!(survival[2], apart.model().curve().survival_of_active(3, 2));
    assert_eq!(survival[3], apart.model().curve().survival(2));
    assert_eq!(f64s(table, "residual_value")[0], 50.0 * own.curve().derl(4, 0.1).unwrap().unwrap());
    for i in 0..4 {
        for name in ["survival", "residual_value"] {
            let [low, here, high] =
                [format!("{name}_low"), name.to_owned(), format!("{name}_high")].map(|n| f64s(table, &n)[i]);
            assert!(low < here && here < high, "{name} {low} {here} {high}");
        }
    }

    // A file gives the same bits back; a damaged one is an error.
    let bytes = apart.to_bytes().unwrap();
    assert_eq!(Contract::from_bytes(&bytes).unwrap().unwrap(), apart);
    assert_eq!(model::kind(&bytes).unwrap(), "clv.ShiftedBetaGeo");
    let mut bad = bytes.clone();
    let at = bad.len() - 20;
    bad[at] ^= 1;
    assert!(Contract::from_bytes(&bad).is_err());
    assert!(model::from_bytes::<BetaDiscreteWeibullModel>(&bytes).is_err());
}

#[test]
fn customers_say_what_their_cohort_says_in_any_order() {
    let run = Run::new();
    let (mut duration, mut event, mut weight) = (Vec::new(), Vec::new(), Vec::new());
    for t in 1..8 {
        duration.push(t as f64);
        event.push(1);
        weight.push(HIGH_END[t - 1] - HIGH_END[t]);
    }
    duration.push(7.0);
    event.push(0);
    weight.push(HIGH_END[7]);
    let options = r#"{"data": "customers", "weight": "weight", "on_invalid": "drop"}"#;
    let cohorts =
        Columns::new().with("period", (0..8).collect::<Vec<i64>>()).with("customers", HIGH_END.to_vec());
    let (want, _) = Contract::fit("BetaDiscreteWeibull", &cohorts, "{}", &run).unwrap();
    for order in [[0, 1, 2, 3, 4, 5, 6, 7], [7, 3, 1, 0, 2, 6, 5, 4]] {
        let pick = |v: &[f64]| order.iter().map(|i| v[*i]).collect::<Vec<f64>>();
        let mut frame = Columns::new()
            .with("duration", pick(&duration))
            .with("event", order.iter().map(|i| event[*i]).collect::<Vec<i64>>())
            .with("weight", pick(&weight));
        let (got, _) = Contract::fit("BetaDiscreteWeibull", &frame, options, &run).unwrap();
        assert_eq!(got, want);
        // Rows that cannot be are counted.
        let more = Columns::new()
            .with("duration", vec![0.0, 2.5, f64::NAN])
            .with("event", vec![1, 1, 0])
            .with("weight", vec![1.0, 1.0, 1.0]);
        frame.append(more).unwrap();
        let (got, dropped) = Contract::fit("BetaDiscreteWeibull", &frame, options, &run).unwrap();
        assert_eq!((got, dropped.rows), (want.clone(), 3));
    }
}

#[test]
fn reports_are_tables() {
    let run = Run::new();
    let frame =
        Columns::new().with("period", (1..9).collect::<Vec<i64>>()).with("customers", HIGH_END.to_vec());
    let fit = |options: &str| Contract::fit("ShiftedBetaGeo", &frame, options, &run);
    let (model, _) = fit(r#"{"start": 1, "period": "30d"}"#).unwrap();
    let survival =
        &model.report("survival", None, r#"{"periods": 12, "interval": 0.95}"#, &run).unwrap()[0].1;
    assert_eq!(survival.rows(), 13);
    let [low, high, s] = ["survival_low", "survival_high", "survival"].map(|n| f64s(survival, n));
    assert!((1..13).all(|t| low[t] < s[t] && s[t] < high[t]) && low[0] == 1.0);
    for name in ["retention", "churn"] {
        let [low, here, high] =
            [format!("{name}_low"), name.to_owned(), format!("{name}_high")].map(|n| f64s(survival, &n));
        assert!((1..13).all(|t| low[t] < here[t] && here[t] < high[t] && high[t] < 1.0), "{name}");
    }
    // r₁ is 1 − E[θ] and so is S(1); the delta method must not care which it is called.
    close(f64s(survival, "retention_low")[1], low[1], 1e-12, "r_1");
    let observed = survival.get("observed").unwrap();
    assert_eq!(observed.valid.as_ref().unwrap().iter().filter(|v| **v).count(), 8);
    close(f64s(survival, "observed")[7], 0.491, 1e-14, "observed");
    // A yearly rate, compounded down to a period of 30 days.
    let options = r#"{"discount": {"rate": 0.1, "per": "365d"}, "interval": 0.9, "tenures": 2, "margin": 2}"#;
    let value = &model.report("value", None, options, &run).unwrap()[0].1;
    let d = headwater::math::exp_m1(30.0 / 365.0 * headwater::math::ln_1p(0.1));
    let curve = model.model().curve();
    close(f64s(value, "value")[2], 2.0 * curve.derl(2, d).unwrap().unwrap(), 1e-15, "DERL");
    assert_eq!(value.get("expected_lifetime").unwrap().valid, Some(vec![false; 3])); // α < 1
    assert!(f64s(value, "discounted_lifetime_low")[0] < f64s(value, "discounted_lifetime")[0]);

    // What a period is, is never guessed.
    let (blind, _) = fit(r#"{"start": 1}"#).unwrap();
    assert_eq!(code(blind.report("value", None, options, &run)), ("period".into(), "HW_OPTION"));
    assert_eq!(code(model.report("value", None, "{}", &run)), ("discount".into(), "HW_OPTION"));
    let free = r#"{"discount": {"rate": 0.0, "per": "30d"}}"#;
    assert_eq!(code(model.report("value", None, free, &run)), ("discount".into(), "HW_OPTION"));
    let bounded = r#"{"discount": {"rate": 0.0, "per": "30d"}, "horizon": 24}"#;
    assert!(model.report("value", None, bounded, &run).is_ok());
    assert_eq!(code(model.report("predict", None, "{}", &run)), ("frame".into(), "HW_OPTION"));
    assert_eq!(code(model.report("nothing", None, "{}", &run)), ("report".into(), "HW_OPTION"));
    assert_eq!(
        code(model.report("survival", None, r#"{"interval": 2}"#, &run)),
        ("interval".into(), "HW_OPTION")
    );
    assert_eq!(code(model.report("survival", None, r#"{"periods": 4000000000}"#, &run)).1, "HW_OPTION");
    for name in ["compare", "estimates", "fit", "life_table"] {
        assert!(model.report(name, None, "{}", &run).unwrap()[0].1.rows() > 0);
    }
    // Where a cohort begins is never guessed either.
    assert_eq!(code(fit("{}")), ("start".into(), "HW_OPTION"));
    assert!(fit(r#"{"left_truncated": true}"#).is_ok());
    assert_eq!(code(fit(r#"{"strat": 1}"#)), ("strat".into(), "HW_OPTION"));
    assert_eq!(code(Contract::fit("ShiftedBeta", &frame, "{}", &run)), ("kind".into(), "HW_OPTION"));
}

#[test]
fn bad_frames_are_one_clear_error() {
    let run = Run::new();
    let fit = |period: Vec<i64>, customers: Vec<f64>| {
        let frame = Columns::new().with("period", period).with("customers", customers);
        code(Contract::fit("ShiftedBetaGeo", &frame, "{}", &run))
    };
    assert_eq!(fit(vec![0, 1, 3], vec![9.0, 8.0, 7.0]), ("period".into(), "HW_COLUMN"));
    assert_eq!(fit(vec![0, 1, 1], vec![9.0, 8.0, 7.0]), ("period".into(), "HW_COLUMN"));
    assert_eq!(fit(vec![0, 1, 2], vec![9.0, 8.0, 8.5]), ("customers".into(), "HW_COLUMN"));
    assert_eq!(fit(vec![0, 1, 2], vec![9.0, -8.0, 8.5]), ("customers".into(), "HW_ROW"));
    assert_eq!(fit(vec![0, -1], vec![9.0, 8.0]), ("period".into(), "HW_ROW"));
    assert_eq!(fit(vec![0, 300_000], vec![9.0, 8.0]), ("period".into(), "HW_ROW"));
    assert_eq!(fit(vec![], vec![]).1, "HW_NOT_ENOUGH_DATA");
    assert_eq!(fit(vec![0], vec![9.0]).1, "HW_NOT_ENOUGH_DATA");
    assert_eq!(fit(vec![0, 1], vec![9.0, 5.0]).1, "HW_NOT_ENOUGH_DATA"); // one renewal, two parameters
    assert_eq!(fit(vec![0, 1], vec![0.0, 0.0]).1, "HW_NOT_ENOUGH_DATA");
    assert!(Curve::new(-1.0, 1.0, 1.0).is_err() && Curve::new(1.0, 1.0, 50.0).is_err());
    assert!(BetaDiscreteWeibullModel::from_parameters(1.0, f64::NAN, 1.0).is_err());
    let curve = Curve::new(1.0, 1.0, 1.0).unwrap();
    assert!(curve.del(-0.1).is_err() && curve.del(f64::NAN).is_err());
    assert_eq!(curve.expected_lifetime(3).unwrap(), None);
    // A model made from parameters has nothing to compare on.
    let model = Contract::ShiftedBetaGeo(ShiftedBetaGeoModel::from_parameters(1.0, 2.0).unwrap());
    assert_eq!(code(model.report("compare", None, "{}", &run)).1, "HW_NOT_ENOUGH_DATA");
    assert_eq!(model.report("survival", None, "{}", &run).unwrap()[0].1.rows(), 2);
    assert!(Contract::from_bytes(&model.to_bytes().unwrap()).unwrap().is_some());
}

/// Subscriptions by the month are discounted by its mean length, fitted or given, and from a file.
#[test]
fn periods_are_months_of_the_calendar_too() {
    let run = Run::new();
    let frame =
        Columns::new().with("period", (0..8).collect::<Vec<i64>>()).with("customers", HIGH_END.to_vec());
    let yearly = r#"{"discount": {"rate": 0.1, "per": "year"}, "tenures": 3}"#;
    let value = |model: &Contract| {
        f64s(&model.report("value", None, yearly, &run).unwrap()[0].1, "discounted_lifetime")
    };
    let (months, _) = Contract::fit("ShiftedBetaGeo", &frame, r#"{"period": "month"}"#, &run).unwrap();
    let curve = Curve::new(months.estimates().values[0], months.estimates().values[1], 1.0).unwrap();
    let monthly = pow(1.1, 1.0 / 12.0) - 1.0;
    close(value(&months)[0], curve.del(monthly).unwrap().unwrap(), 1e-12, "DEL");
    let again = Contract::from_bytes(&months.to_bytes().unwrap()).unwrap().unwrap();
    assert_eq!(again, months);
    let given = Contract::from_parameters(
        "ShiftedBetaGeo",
        &months.estimates().values,
        Some("month".parse().unwrap()),
    );
    assert_eq!(value(&given.unwrap()), value(&months));
    assert_eq!(value(&again), value(&months));
    let spans = Contract::fit("ShiftedBetaGeo", &frame, r#"{"period": "30.436875d"}"#, &run).unwrap().0;
    assert_eq!(value(&spans), value(&months));
    for bad in [r#"{"period": "months"}"#, r#"{"period": 0}"#, r#"{"period": true}"#, r#"{"period": "-1d"}"#]
    {
        let found = Contract::fit("ShiftedBetaGeo", &frame, bad, &run);
        assert_eq!(code(found), ("period".into(), "HW_OPTION"), "{bad}");
    }
}
