//! The laws of purchases and dropout beside golden numbers (20-digit reference
//! fits and torture cases in `../shared/golden/clv`, made with mpmath), closed
//! forms, quadrature and simulation.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::similar_names, clippy::disallowed_methods)]

mod support;

use std::collections::HashMap;

use headwater::clv::{
    BetaGeoBetaBinomial, BetaGeoBetaBinomialModel, BetaGeoCnbdModel, BetaGeoModel, GGompertzNbd,
    ModifiedBetaGeo, ModifiedBetaGeoCnbdModel, ModifiedBetaGeoModel, ParetoNbd, ParetoNbdModel,
    PredictOptions, PurchaseOptions, Purchases, RfmSlices, fit_purchases, predict,
};
use headwater::column::Columns;
use headwater::{Error, Run};
use serde_json::Value;
use support::golden;

type Row = HashMap<String, String>;

fn golden_csv(name: &str) -> Vec<Row> {
    let Some(file) = golden(&format!("clv/{name}")) else { return Vec::new() };
    csv::Reader::from_path(file).unwrap().deserialize().map(Result::unwrap).collect()
}

fn golden_json(name: &str) -> Option<Value> {
    let file = golden(&format!("clv/{name}"))?;
    Some(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    let error = if got == want { 0.0 } else { (got - want).abs() / want.abs().max(1e-300) };
    assert!(error <= tolerance, "{what}: {got} for {want}, relative error {error:.2e}");
}

fn array<const N: usize>(values: &[f64]) -> [f64; N] {
    values.try_into().unwrap()
}

/// CDNOW, x, t_x and T in weeks.
struct Cdnow {
    x: Vec<f64>,
    t_x: Vec<f64>,
    t: Vec<f64>,
}

impl Cdnow {
    fn read() -> Option<Self> {
        let rows = golden_csv("cdnow_rfm_exact.csv");
        let column = |name: &str, by: f64| -> Vec<f64> {
            rows.iter().map(|r| r[name].parse::<f64>().unwrap() / by).collect()
        };
        let all = Self { x: column("x", 1.0), t_x: column("tx_days", 7.0), t: column("T_days", 7.0) };
        (!rows.is_empty()).then_some(all)
    }

    fn slices(&self) -> RfmSlices<'_> {
        RfmSlices { frequency: &self.x, recency: &self.t_x, age: &self.t, ..RfmSlices::default() }
    }
}

fn check_fit(model: &dyn Purchases, want: &Value, tolerance: f64) {
    let e = model.estimates();
    println!("{}: {} iterations, gradient {:.1e}", model.kind(), e.iterations, e.gradient_norm);
    for (got, want) in e.values.iter().zip(numbers(&want["params"])) {
        close(*got, want, tolerance, "parameter");
    }
    close(e.log_likelihood.unwrap(), number(&want["log_likelihood"]), 1e-12, "log-likelihood");
    for (i, se) in numbers(&want["se_log_params"]).into_iter().enumerate() {
        close(e.covariance[i][i].sqrt(), se, 1e-8, "standard error");
    }
    assert_eq!(e.verdict.name(), "interior");
}

#[test]
fn fits_are_those_of_twenty_digits() {
    let (Some(cdnow), Some(fits)) = (Cdnow::read(), golden_json("fits.json")) else { return };
    let run = Run::new();
    let mbg = ModifiedBetaGeo::new().fit(&cdnow.slices(), &run).unwrap();
    check_fit(&mbg, &fits["mbgnbd_exact"], 1e-9);
    let pareto = ParetoNbd::new().fit(&cdnow.slices(), &run).unwrap();
    check_fit(&pareto, &fits["pnbd_exact"], 1e-8);
    let donations = golden_csv("bgbb_donations.csv");
    let column = |name: &str| -> Vec<f64> {
        donations.iter().filter(|r| r["params"] == "mle").map(|r| r[name].parse().unwrap()).collect()
    };
    let (x, t_x, n, weight) = (column("x"), column("t_x"), column("n"), column("weight"));
    let rows =
        RfmSlices { frequency: &x, recency: &t_x, age: &n, weight: Some(&weight), ..RfmSlices::default() };
    let bgbb = BetaGeoBetaBinomial::new().fit(&rows, &run).unwrap();
    check_fit(&bgbb, &fits["bgbb_donations"], 1e-9);
}

#[test]
fn gradients_away_from_the_maximum() {
    let (Some(cdnow), Some(want)) = (Cdnow::read(), golden_json("gradients.json")) else { return };
    let run = Run::new();
    let check = |(value, gradient): (f64, [f64; 4]), want: &Value| {
        close(value, number(&want["ll"]), 1e-12, "log-likelihood");
        for (got, want) in gradient.iter().zip(numbers(&want["grad_log_params"])) {
            close(*got, want, 1e-9, "gradient");
        }
    };
    let p = |name: &str| array::<4>(&numbers(&want[name]["params"]));
    let mbg = ModifiedBetaGeoModel::from_parameters(p("mbgnbd"), 1, None).unwrap();
    check(mbg.evaluate(&cdnow.slices(), &run).unwrap(), &want["mbgnbd"]);
    // Every eighth of the sorted distinct rows, with the customers of each.
    let mut rows: Vec<(u64, u64, u64)> = (0..cdnow.x.len())
        .map(|i| (cdnow.x[i] as u64, (cdnow.t_x[i] * 7.0).round() as u64, (cdnow.t[i] * 7.0).round() as u64))
        .collect();
    rows.sort_unstable();
    let groups: Vec<_> = rows.chunk_by(|a, b| a == b).map(|g| (g[0], g.len() as f64)).step_by(8).collect();
    let x: Vec<f64> = groups.iter().map(|g| g.0.0 as f64).collect();
    let t_x: Vec<f64> = groups.iter().map(|g| g.0.1 as f64 / 7.0).collect();
    let t: Vec<f64> = groups.iter().map(|g| g.0.2 as f64 / 7.0).collect();
    let weight: Vec<f64> = groups.iter().map(|g| g.1).collect();
    let slices =
        RfmSlices { frequency: &x, recency: &t_x, age: &t, weight: Some(&weight), ..RfmSlices::default() };
    let pareto = ParetoNbdModel::from_parameters(p("pnbd"), 1, None).unwrap();
    check(pareto.evaluate(&slices, &run).unwrap(), &want["pnbd"]);
}

#[test]
fn every_quantity_of_named_customers() {
    let rows = golden_csv("cdnow_customers.csv");
    let Some(fits) = golden_json("fits.json") else { return };
    let published: [(&str, [f64; 4]); 3] = [
        ("bgnbd_exact", [0.243, 4.414, 0.793, 2.426]),
        ("mbgnbd_exact", [0.525, 6.183, 0.891, 1.614]),
        ("pnbd_exact", [0.553, 10.578, 0.606, 11.669]),
    ];
    for row in rows {
        let get = |name: &str| row[name].parse::<f64>().unwrap();
        let params = |at: usize| -> [f64; 4] {
            let (name, rounded) = published[at];
            if row["params"] == "mle" { array(&numbers(&fits[name]["params"])) } else { rounded }
        };
        let [r, alpha, a, b] = params(0);
        let models: [(&str, Box<dyn Purchases>); 3] = [
            ("bg", Box::new(BetaGeoModel::from_parameters(r, alpha, a, b, None).unwrap())),
            ("mbg", Box::new(ModifiedBetaGeoModel::from_parameters(params(1), 1, None).unwrap())),
            ("pn", Box::new(ParetoNbdModel::from_parameters(params(2), 1, None).unwrap())),
        ];
        let (x, t_x, t) = (get("x"), get("tx_days") / 7.0, get("T_days") / 7.0);
        let rate = (f64::ln(1.15) / 52.0).exp_m1();
        for (name, model) in models {
            let what = |q: &str| format!("{name} {q} of {}", row["sample_id"]);
            let ll = model.quantity(
                headwater::clv::History { frequency: x as u32, recency: t_x, age: t, ..Default::default() },
                headwater::clv::Quantity::LogLikelihood,
            );
            close(ll, get(&format!("{name}_ll")), 1e-12, &what("likelihood"));
            close(
                model.p_alive(x, t_x, t, 0.0).unwrap(),
                get(&format!("{name}_palive")),
                1e-12,
                &what("alive"),
            );
            let cet = model.expected_purchases(x, t_x, t, 39.0).unwrap();
            close(cet, get(&format!("{name}_cet39")), 1e-12, &what("expected"));
            let dert = model.residual_purchases(x, t_x, t, rate).unwrap();
            close(dert, get(&format!("{name}_dert15")), 1e-10, &what("residual"));
            if name == "pn" {
                close(
                    model.p_alive(x, t_x, t, 39.0).unwrap(),
                    get("pn_palive_plus39"),
                    1e-12,
                    &what("later"),
                );
            }
        }
    }
}

#[test]
fn expectations_and_probabilities_of_new_customers() {
    let models: [(&str, Box<dyn Purchases>); 3] = [
        (
            "bgnbd_published",
            Box::new(BetaGeoModel::from_parameters(0.243, 4.414, 0.793, 2.426, None).unwrap()),
        ),
        (
            "mbgnbd_published",
            Box::new(ModifiedBetaGeoModel::from_parameters([0.525, 6.183, 0.891, 1.614], 1, None).unwrap()),
        ),
        (
            "pnbd_published",
            Box::new(ParetoNbdModel::from_parameters([0.553, 10.578, 0.606, 11.669], 1, None).unwrap()),
        ),
    ];
    let find = |name: &str| models.iter().find(|m| m.0 == name).map(|m| &m.1);
    for row in golden_csv("expectations.csv") {
        let (t, value) = (row["t"].parse().unwrap(), row["value"].parse().unwrap());
        let got = find(&row["model"]).unwrap().expected_purchases(0.0, 0.0, 0.0, t).unwrap();
        close(got, value, 1e-12, &format!("E[X({t})] of {}", row["model"]));
    }
    for row in golden_csv("pmf.csv") {
        let (t, n, prob): (f64, usize, f64) =
            (row["t"].parse().unwrap(), row["n"].parse().unwrap(), row["prob"].parse().unwrap());
        let conditional = row["model"].starts_with("pnbd_conditional");
        let model = find(if conditional { "pnbd_published" } else { &row["model"] }).unwrap();
        let (x, t_x, age) = if conditional { (2.0, 30.43, 38.86) } else { (0.0, 0.0, 0.0) };
        let got = model.probabilities(x, t_x, age, t, n).unwrap()[n];
        close(got, prob, 1e-11, &format!("P(X({t}) = {n}) of {}", row["model"]));
    }
}

#[test]
fn torture_cases() {
    for row in golden_csv("hard_pnbd.csv") {
        let get = |name: &str| row[name].parse::<f64>().unwrap();
        let model = ParetoNbdModel::from_parameters([get("r"), get("alpha"), get("s"), get("beta")], 1, None)
            .unwrap();
        let (x, t_x, t) = (get("x"), get("t_x"), get("T"));
        let history =
            headwater::clv::History { frequency: x as u32, recency: t_x, age: t, ..Default::default() };
        let what = |q: &str| format!("Pareto/NBD {q}, {}", row["case"]);
        close(
            model.quantity(history, headwater::clv::Quantity::LogLikelihood),
            get("ll"),
            1e-10,
            &what("ll"),
        );
        close(model.p_alive(x, t_x, t, 0.0).unwrap(), get("palive"), 1e-10, &what("alive"));
        close(model.expected_purchases(x, t_x, t, 52.0).unwrap(), get("cet_t52"), 1e-10, &what("cet"));
        let dert = model.residual_purchases(x, t_x, t, 0.0027_f64.exp_m1()).unwrap();
        close(dert, get("dert_d0.0027"), 1e-10, &what("dert"));
    }
    for row in golden_csv("hard_bgnbd.csv") {
        let get = |name: &str| row[name].parse::<f64>().unwrap();
        let p = [get("r"), get("alpha"), get("a"), get("b")];
        let (x, t_x, t) = (get("x"), get("t_x"), get("T"));
        let models: [(&str, Box<dyn Purchases>); 2] = [
            ("bg", Box::new(BetaGeoModel::from_parameters(p[0], p[1], p[2], p[3], None).unwrap())),
            ("mbg", Box::new(ModifiedBetaGeoModel::from_parameters(p, 1, None).unwrap())),
        ];
        for (name, model) in models {
            let history =
                headwater::clv::History { frequency: x as u32, recency: t_x, age: t, ..Default::default() };
            let what = |q: &str| format!("{name} {q}, {}", row["case"]);
            let ll = model.quantity(history, headwater::clv::Quantity::LogLikelihood);
            close(ll, get(&format!("{name}_ll")), 1e-10, &what("ll"));
            close(
                model.p_alive(x, t_x, t, 0.0).unwrap(),
                get(&format!("{name}_palive")),
                1e-10,
                &what("alive"),
            );
            let cet = model.expected_purchases(x, t_x, t, get("t")).unwrap();
            close(cet, get(&format!("{name}_cet")), 1e-10, &what("cet"));
        }
    }
    for row in golden_csv("hard_bgbb.csv") {
        let get = |name: &str| row[name].parse::<f64>().unwrap();
        let p = [get("alpha"), get("beta"), get("gamma"), get("delta")];
        let model = BetaGeoBetaBinomialModel::from_parameters(p, 1, None).unwrap();
        let (x, t_x, n) = (get("x"), get("t_x"), get("n"));
        let history =
            headwater::clv::History { frequency: x as u32, recency: t_x, age: n, ..Default::default() };
        let what = |q: &str| format!("BG/BB {q}, {}", row["case"]);
        close(
            model.quantity(history, headwater::clv::Quantity::LogLikelihood),
            get("ll"),
            1e-10,
            &what("ll"),
        );
        close(model.p_alive(x, t_x, n, 0.0).unwrap(), get("palive_n"), 1e-10, &what("alive"));
        close(model.expected_purchases(x, t_x, n, 10.0).unwrap(), get("cet10"), 1e-10, &what("cet"));
    }
    for row in golden_csv("bgbb_donations.csv").iter().filter(|r| r["params"] == "mle") {
        let get = |name: &str| row[name].parse::<f64>().unwrap();
        let p = array(&numbers(&golden_json("fits.json").unwrap()["bgbb_donations"]["params"]));
        let model = BetaGeoBetaBinomialModel::from_parameters(p, 1, None).unwrap();
        let (x, t_x, n) = (get("x"), get("t_x"), get("n"));
        close(model.p_alive(x, t_x, n, 5.0).unwrap(), get("palive_n_plus_5"), 1e-12, "alive later");
        close(model.residual_purchases(x, t_x, n, 0.1).unwrap(), get("dert_d10pct"), 1e-12, "residual");
    }
    for row in golden_csv("pnbd_dert_78wk.csv") {
        let get = |name: &str| row[name].parse::<f64>().unwrap();
        let model = ParetoNbdModel::from_parameters([get("r"), get("alpha"), get("s"), get("beta")], 1, None)
            .unwrap();
        let got = model.residual_purchases(get("x"), get("t_x"), get("T"), get("delta").exp_m1()).unwrap();
        close(got, get("dert"), 1e-11, "DERT of the iso-value paper");
    }
}

#[test]
fn regular_purchases_have_their_exact_expectation() {
    let Some(cases) = golden_json("cnbd_cet.json") else { return };
    for case in cases.as_array().unwrap() {
        let p = array(&numbers(&case["params_r_alpha_a_b"]));
        let k = case["k"].as_u64().unwrap() as u32;
        let model: Box<dyn Purchases> = if case["model"] == "bgcnbd" {
            Box::new(BetaGeoCnbdModel::from_parameters(p, k, None).unwrap())
        } else {
            Box::new(ModifiedBetaGeoCnbdModel::from_parameters(p, k, None).unwrap())
        };
        let (x, t_x, t) = (number(&case["x"]), number(&case["tx_days"]) / 7.0, number(&case["T_days"]) / 7.0);
        close(model.p_alive(x, t_x, t, 0.0).unwrap(), number(&case["palive"]), 1e-11, "alive");
        let cet = model.expected_purchases(x, t_x, t, number(&case["t_weeks"])).unwrap();
        close(cet, number(&case["cet52_exact"]), 1e-10, "expected");
    }
}

/// Every law with parameters, and histories that it can have.
fn every_law() -> Vec<Box<dyn Purchases>> {
    vec![
        Box::new(BetaGeoModel::from_parameters(0.6, 8.0, 0.8, 2.4, None).unwrap()),
        Box::new(ModifiedBetaGeoModel::from_parameters([0.6, 8.0, 0.8, 2.4], 1, None).unwrap()),
        Box::new(BetaGeoCnbdModel::from_parameters([0.6, 3.0, 0.8, 2.4], 3, None).unwrap()),
        Box::new(ModifiedBetaGeoCnbdModel::from_parameters([0.6, 3.0, 0.8, 2.4], 2, None).unwrap()),
        Box::new(ParetoNbdModel::from_parameters([0.6, 8.0, 0.7, 9.0], 1, None).unwrap()),
        Box::new(
            headwater::clv::GGompertzNbdModel::from_parameters([0.6, 8.0, 0.05, 0.7, 2.0], 1, None).unwrap(),
        ),
        Box::new(BetaGeoBetaBinomialModel::from_parameters([1.2, 0.8, 0.7, 2.8], 1, None).unwrap()),
    ]
}

/// E λ / (δ + λ p) of a living customer on a grid: λ ~ Gamma by its logarithm, p ~ Beta(a, b) by
/// u = p^a, in which a density that crowds at 0 is even.
fn residual_on_a_grid([shape, scale, a, b]: [f64; 4], delta: f64) -> f64 {
    let ln_density = |y: f64| shape * y - y.exp();
    let lambdas: Vec<(f64, f64)> = (0..2_000)
        .map(|k| shape.ln() - 60.0 / shape.min(1.0) + f64::from(k) * (64.0 / shape.min(1.0) / 2_000.0))
        .map(|y| (y.exp() / scale, ln_density(y).exp()))
        .filter(|l| l.1 > 0.0)
        .collect();
    let whole: f64 = lambdas.iter().map(|l| l.1).sum();
    let n = 4_000;
    let (mut sum, mut mass) = (0.0, 0.0);
    for i in 0..n {
        let p = ((f64::from(i) + 0.5) / f64::from(n)).powf(1.0 / a);
        let weight = (1.0 - p).powf(b - 1.0);
        let earned: f64 = lambdas.iter().map(|(l, w)| w * l / (delta + l * p)).sum();
        sum += weight * earned / whole;
        mass += weight;
    }
    sum / mass
}

#[test]
fn discounted_purchases_of_customers_who_hardly_drop_out() {
    for ([r, alpha, a, b], [x, t_x, t], d) in [
        ([0.243, 4.414, 0.05, 2.4], [2.0, 30.43, 38.86], 0.1_f64),
        ([0.243, 4.414, 0.01, 2.4], [2.0, 30.43, 38.86], 0.002),
        ([2.0, 10.0, 0.003, 1.5], [4.0, 20.0, 24.0], 0.01),
        ([0.8, 5.0, 1e-5, 3.0], [1.0, 8.0, 30.0], 0.05),
    ] {
        let model = BetaGeoModel::from_parameters(r, alpha, a, b, None).unwrap();
        let alive = model.p_alive(x, t_x, t).unwrap();
        let exact = alive * residual_on_a_grid([r + x, alpha + t, a, b + x], d.ln_1p());
        // Of the smallest a the grid has no node among the few who drop out, a share of about a.
        let tolerance = if a < 1e-4 { a } else { 1e-9 };
        close(model.residual_purchases(x, t_x, t, d).unwrap(), exact, tolerance, &format!("a {a} d {d}"));
    }
    let known = BetaGeoModel::from_parameters(0.243, 4.414, 0.05, 2.4, None).unwrap();
    close(known.residual_purchases(2.0, 30.43, 38.86, 0.1).unwrap(), 0.527_125_95, 1e-8, "by mpmath");
}

#[test]
fn quantities_agree_with_each_other() {
    for model in every_law() {
        for (x, t_x, t) in
            [(0.0, 0.0, 0.0), (0.0, 0.0, 30.0), (2.0, 11.0, 30.0), (5.0, 30.0, 30.0), (9.0, 12.0, 60.0)]
        {
            let what = format!("{} {x} {t_x} {t}", model.kind());
            let alive = |ahead: f64| model.p_alive(x, t_x, t, ahead).unwrap();
            assert!(alive(0.0) <= 1.0 && alive(7.0) <= alive(0.0) && alive(30.0) <= alive(7.0), "{what}");
            // Probabilities sum to 1, and their mean is the expectation.
            let mass = model.probabilities(x, t_x, t, 20.0, 1500).unwrap();
            let total: f64 = mass.iter().sum();
            let mean: f64 = mass.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
            let expected = model.expected_purchases(x, t_x, t, 20.0).unwrap();
            close(total, 1.0, 1e-11, &what);
            close(mean, expected, 1e-9, &what);
            // The chance of none does not depend on how many more are asked for.
            close(model.probabilities(x, t_x, t, 20.0, 0).unwrap()[0], mass[0], 1e-11, &what);
            // The residual is the discounted sum of what is expected.
            let d: f64 = 0.15;
            let slow = f64::ln_1p(d);
            let residual = model.residual_purchases(x, t_x, t, d).unwrap();
            let step = if model.is_discrete() { 1.0 } else { 0.5 };
            let at = |i: usize| model.expected_purchases(x, t_x, t, i as f64 * step).unwrap();
            let mut sum = 0.0;
            let mut before = 0.0;
            for i in 1..=(130.0 / step) as usize {
                let now = at(i);
                let when = if model.is_discrete() { i as f64 } else { (i as f64 - 0.5) * step };
                sum += (now - before) * (-slow * when).exp();
                before = now;
            }
            close(sum, residual, 1e-3, &format!("residual, {what}"));
            // One that hardly ever comes is looked for far ahead, and that in no time.
            assert_eq!(model.next_purchase(x, t_x, 600.0, 1.0 - 1e-12).unwrap(), None, "{what}");
            // The median time until the next purchase is one.
            if let Some(median) = model.next_purchase(x, t_x, t, 0.3).unwrap() {
                let none = model.probabilities(x, t_x, t, median, 0).unwrap()[0];
                if model.is_discrete() {
                    assert!(none <= 0.7, "{what}");
                } else {
                    close(none, 0.7, 1e-9, &format!("next purchase, {what}"));
                }
            }
        }
    }
}

/// P(alive), by Bayes on a grid of rates, is that of the closed form.
#[test]
fn the_gompertz_law_is_what_integrals_say() {
    let [r, alpha, b, s, beta] = [0.6, 8.0, 0.05, 0.7, 2.0];
    let model = headwater::clv::GGompertzNbdModel::from_parameters([r, alpha, b, s, beta], 1, None).unwrap();
    let (x, t_x, t) = (3.0_f64, 14.0, 30.0);
    let survival = |u: f64| (beta / (beta - 1.0 + (b * u).exp())).powf(s);
    let density = |u: f64| s * b * beta.powf(s) * (b * u).exp() / (beta - 1.0 + (b * u).exp()).powf(s + 1.0);
    let n = 200_000;
    let step = (t - t_x) / f64::from(n);
    let dead: f64 = (0..n)
        .map(|i| t_x + (f64::from(i) + 0.5) * step)
        .map(|u| step * density(u) * (alpha + u).powf(-(r + x)))
        .sum();
    let alive = survival(t) * (alpha + t).powf(-(r + x));
    close(model.p_alive(x, t_x, t, 0.0).unwrap(), alive / (alive + dead), 1e-9, "alive");
    let lived: f64 = (0..n)
        .map(|i| (f64::from(i) + 0.5) * 25.0 / f64::from(n))
        .map(|u| 25.0 / f64::from(n) * survival(t + u) / survival(t))
        .sum();
    let want = alive / (alive + dead) * (r + x) / (alpha + t) * lived;
    close(model.expected_purchases(x, t_x, t, 25.0).unwrap(), want, 1e-9, "expected");
}

#[test]
fn degenerate_data_get_a_verdict_and_finite_numbers() {
    let run = Run::new();
    // Everyone buys all the time, to the end.
    let x: Vec<f64> = (0..400).map(|i| f64::from(20 + i % 30)).collect();
    let t = vec![40.0; 400];
    let t_x: Vec<f64> = (0..400).map(|i| 39.0 - f64::from(i % 7) * 0.1).collect();
    let rows = RfmSlices { frequency: &x, recency: &t_x, age: &t, ..RfmSlices::default() };
    let fits: [Result<Box<dyn Purchases>, Error>; 3] = [
        ModifiedBetaGeo::new().fit(&rows, &run).map(|m| Box::new(m) as Box<dyn Purchases>),
        ParetoNbd::new().fit(&rows, &run).map(|m| Box::new(m) as Box<dyn Purchases>),
        GGompertzNbd::new().fit(&rows, &run).map(|m| Box::new(m) as Box<dyn Purchases>),
    ];
    for fit in fits {
        let model = fit.unwrap();
        println!("{} {:?} {}", model.kind(), model.estimates().values, model.estimates().verdict.name());
        assert_ne!(model.estimates().verdict.name(), "interior");
        assert!(model.p_alive(25.0, 39.0, 40.0, 0.0).unwrap() > 0.9);
        assert!(model.expected_purchases(25.0, 39.0, 40.0, 40.0).unwrap().is_finite());
    }
    let once = RfmSlices { frequency: &[0.0; 5], recency: &[0.0; 5], age: &[9.0; 5], ..RfmSlices::default() };
    assert!(matches!(ParetoNbd::new().fit(&once, &run), Err(Error::NotEnoughData { .. })));
    let discrete = RfmSlices { frequency: &[3.0], recency: &[2.0], age: &[6.0], ..RfmSlices::default() };
    assert!(matches!(BetaGeoBetaBinomial::new().fit(&discrete, &run), Err(Error::Row { .. })));
    assert!(ParetoNbd::new().k(2).fit(&rows, &run).is_err());
}

#[test]
fn fits_recover_what_was_simulated_and_files_keep_every_bit() {
    let (x, t_x, t) = simulated(6000, [0.7, 9.0, 0.8, 12.0]);
    let rows = RfmSlices { frequency: &x, recency: &t_x, age: &t, ..RfmSlices::default() };
    let run = Run::new();
    let model = ParetoNbd::new().fit(&rows, &run).unwrap();
    let e = model.estimates();
    for (i, truth) in [0.7_f64, 9.0, 0.8, 12.0].into_iter().enumerate() {
        let z = (e.values[i].ln() - truth.ln()) / e.covariance[i][i].sqrt();
        assert!(z.abs() < 3.5, "{i}: {} for {truth}, z {z}", e.values[i]);
    }
    let back: ParetoNbdModel = headwater::model::from_bytes(&model.bytes().unwrap()).unwrap();
    assert_eq!(back, model);
    // The order of rows and the number of threads tell nothing.
    let reversed = |v: &[f64]| v.iter().rev().copied().collect::<Vec<f64>>();
    let (a, b, c) = (reversed(&x), reversed(&t_x), reversed(&t));
    let rows = RfmSlices { frequency: &a, recency: &b, age: &c, ..RfmSlices::default() };
    assert_eq!(ParetoNbd::new().fit(&rows, &Run::new().threads(1)).unwrap().estimates(), e);
}

/// Customers who live and buy as Pareto/NBD says.
fn simulated(n: usize, [r, alpha, s, beta]: [f64; 4]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    use rand::SeedableRng;
    use rand_distr::{Distribution, Exp, Gamma};
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(11);
    let (rates, ends) = (Gamma::new(r, 1.0 / alpha).unwrap(), Gamma::new(s, 1.0 / beta).unwrap());
    let (mut x, mut t_x, mut t) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..n {
        let age = 20.0 + (i % 30) as f64;
        let rate: f64 = rates.sample(&mut rng);
        let end: f64 = Exp::new(f64::max(ends.sample(&mut rng), 1e-12)).unwrap().sample(&mut rng);
        let (mut now, mut count, mut last) = (0.0, 0.0, 0.0);
        loop {
            now += Exp::new(rate.max(1e-12)).unwrap().sample(&mut rng);
            if now > end.min(age) {
                break;
            }
            count += 1.0;
            last = now;
        }
        x.push(count);
        t_x.push(last);
        t.push(age);
    }
    (x, t_x, t)
}

#[test]
fn the_table_has_what_was_asked_for() {
    let run = Run::new();
    let frame = Columns::new()
        .with("customer", vec!["ann", "bob", "ann2"])
        .with("frequency", vec![2.0, 0.0, 2.0])
        .with("recency", vec![11.0, 0.0, 11.0])
        .with("T", vec![30.0, 30.0, 30.0]);
    let (x, t_x, t) = simulated(800, [0.7, 9.0, 0.8, 12.0]);
    let rows = RfmSlices { frequency: &x, recency: &t_x, age: &t, ..RfmSlices::default() };
    let model = ParetoNbd::new().fit(&rows, &run).unwrap();
    let options = PredictOptions {
        periods: 20.0.into(),
        interval: Some(0.9),
        purchase_interval: Some(0.9),
        ahead: Some(10.0.into()),
        discount_rate: Some(0.002.into()),
        next_purchase: Some(0.5),
        rate: true,
        ..PredictOptions::default()
    };
    let table = predict(&model, &frame, &options, &run).unwrap().table();
    let value = |name: &str, row: usize| table.f64s(name).unwrap()[row];
    assert_eq!(value("expected_purchases", 0), model.expected_purchases(2.0, 11.0, 30.0, 20.0).unwrap());
    assert_eq!(value("residual_purchases", 2), model.residual_purchases(2.0, 11.0, 30.0, 0.002).unwrap());
    for row in 0..3 {
        for name in ["expected_purchases", "p_alive"] {
            let (low, at, high) =
                (value(&format!("{name}_low"), row), value(name, row), value(&format!("{name}_high"), row));
            assert!(low < at && at < high, "{name} {row}");
        }
        let (x, t_x) = [(2.0, 11.0), (0.0, 0.0), (2.0, 11.0)][row];
        let mass = model.probabilities(x, t_x, 30.0, 20.0, 500).unwrap();
        let below: f64 = mass[..value("purchases_high", row) as usize].iter().sum();
        assert!(below < 0.95, "{row}");
        assert!(value("p_alive_ahead", row) < value("p_alive", row));
    }
}

/// Mean and standard deviation of own rate and dropout.
fn own_rates(model: &dyn Purchases, x: f64, t_x: f64, t: f64) -> [f64; 4] {
    let frame = Columns::new()
        .with("customer", vec!["one"])
        .with("frequency", vec![x])
        .with("recency", vec![t_x])
        .with("T", vec![t]);
    let options = PredictOptions { own_rates: true, ..PredictOptions::default() };
    let table = predict(model, &frame, &options, &Run::new()).unwrap().table();
    ["own_rate", "own_rate_sd", "own_dropout", "own_dropout_sd"].map(|name| table.f64s(name).unwrap()[0])
}

#[test]
fn a_customers_own_rates_are_those_of_bayes() {
    // BG/NBD: Gamma and Beta distributions of those alive, and of those who left at the last purchase.
    let [r, alpha, a, b] = [0.6, 5.0, 0.8, 2.5];
    let (x, t_x, t) = (4.0, 17.0, 30.0);
    let model = BetaGeoModel::from_parameters(r, alpha, a, b, None).unwrap();
    let alive = model.p_alive(x, t_x, t).unwrap();
    let mixed = |of: [[f64; 2]; 2]| {
        let [mean, square] = [0, 1].map(|k| alive * of[0][k] + (1.0 - alive) * of[1][k]);
        [mean, (square - mean * mean).sqrt()]
    };
    let gamma = |shape: f64, rate: f64| [shape / rate, shape * (shape + 1.0) / (rate * rate)];
    let beta = |a: f64, b: f64| [a / (a + b), a * (a + 1.0) / ((a + b) * (a + b + 1.0))];
    let exact = [
        mixed([gamma(r + x, alpha + t), gamma(r + x, alpha + t_x)]),
        mixed([beta(a, b + x), beta(a + 1.0, b + x - 1.0)]),
    ]
    .concat();
    for (got, want) in own_rates(&model, x, t_x, t).iter().zip(&exact) {
        close(*got, *want, 1e-11, "BG/NBD");
    }
    // Pareto/NBD on a grid of both rates: (λ^x μ e^(−(λ+μ) t_x) + λ^(x+1) e^(−(λ+μ) T)) / (λ + μ).
    let [r, alpha, s, beta] = [0.55, 10.6, 0.61, 11.7];
    let model = ParetoNbdModel::from_parameters([r, alpha, s, beta], 1, None).unwrap();
    let grid: Vec<f64> = (0..900).map(|i| (-32.0 + f64::from(i) * 0.04).exp()).collect();
    let (mut whole, mut sums) = (0.0, [0.0; 4]);
    for l in &grid {
        for m in &grid {
            let prior = l.powf(r) * (-alpha * l).exp() * m.powf(s) * (-beta * m).exp();
            let life = l.powf(x) / (l + m) * (m * (-(l + m) * t_x).exp() + l * (-(l + m) * t).exp());
            let weight = prior * life;
            whole += weight;
            for (sum, value) in sums.iter_mut().zip([*l, l * l, *m, m * m]) {
                *sum += weight * value;
            }
        }
    }
    let [l, ll, m, mm] = sums.map(|sum| sum / whole);
    let exact = [l, (ll - l * l).sqrt(), m, (mm - m * m).sqrt()];
    for (got, want) in own_rates(&model, x, t_x, t).iter().zip(exact) {
        close(*got, want, 1e-7, "Pareto/NBD");
    }
    // BG/BB after no purchase in no time: the priors themselves.
    let model = BetaGeoBetaBinomialModel::from_parameters([1.2, 0.8, 0.7, 2.8], 1, None).unwrap();
    let found = own_rates(&model, 0.0, 0.0, 0.0);
    close(found[0], 0.6, 1e-12, "BG/BB");
    close(found[2], 0.2, 1e-12, "BG/BB");
}

#[test]
fn the_customers_parts_add_up_to_the_likelihood_of_the_fit() {
    let rows = 60_u32;
    let x = |i: u32| f64::from(i * i % 7);
    let t_x = |i: u32| if x(i) == 0.0 { 0.0 } else { f64::from(1 + i * 13 % 37) };
    let frame = Columns::new()
        .with("customer", (0..i64::from(rows)).collect::<Vec<_>>())
        .with("frequency", (0..rows).map(x).collect::<Vec<_>>())
        .with("recency", (0..rows).map(t_x).collect::<Vec<_>>())
        .with("T", (0..rows).map(|i| 38.0 + f64::from(i % 3)).collect::<Vec<_>>());
    let options = PredictOptions { log_likelihood: true, ..PredictOptions::default() };
    // The fits of the last two integrate over the time of death for value and slopes together.
    for (kind, tolerance) in [
        ("clv.BetaGeo", 1e-13),
        ("clv.ModifiedBetaGeo", 1e-13),
        ("clv.ParetoNBD", 1e-10),
        ("clv.GGompertzNBD", 1e-10),
    ] {
        let model = fit_purchases(kind, &frame, &PurchaseOptions::default(), &Run::new()).unwrap().0;
        let table = predict(&*model, &frame, &options, &Run::new()).unwrap().table();
        let sum: f64 = table.f64s("log_likelihood").unwrap().iter().sum();
        close(sum, model.estimates().log_likelihood.unwrap(), tolerance, kind);
    }
}

/// Erlang times between purchases, without dropout: the law's likelihood with
/// what the times add is the integral over the rates.
#[test]
fn the_likelihood_of_regular_purchases_is_an_integral() {
    let (r, alpha, k) = (1.3_f64, 2.0_f64, 3);
    let model = BetaGeoCnbdModel::from_parameters([r, alpha, 1e-9, 1e3], k, None).unwrap();
    let (first, second, rest) = (2.5_f64, 4.0_f64, 3.0_f64);
    let history = headwater::clv::History {
        frequency: 2,
        recency: first + second,
        age: first + second + rest,
        ..Default::default()
    };
    let law = model.quantity(history, headwater::clv::Quantity::LogLikelihood);
    let litt = first.ln() + second.ln();
    let got = law + 2.0 * litt - 2.0 * 2.0_f64.ln(); // x ln Γ(3)
    let erlang = |l: f64, t: f64| l.powi(3) * t * t * (-l * t).exp() / 2.0;
    let idle = |l: f64| (-l * rest).exp() * (1.0 + l * rest + (l * rest).powi(2) / 2.0);
    let density = |l: f64| {
        alpha.powf(r) * l.powf(r - 1.0) * (-alpha * l).exp()
            / headwater::math::exp(headwater::math::ln_gamma(r))
    };
    let n = 400_000;
    let step = 12.0 / f64::from(n);
    let integral: f64 = (0..n)
        .map(|i| (f64::from(i) + 0.5) * step)
        .map(|l| step * density(l) * erlang(l, first) * erlang(l, second) * idle(l))
        .sum();
    assert!((got - integral.ln()).abs() < 1e-6, "{got} {}", integral.ln());
}

#[test]
fn the_times_between_purchases_tell_how_regular_they_are() {
    use rand::SeedableRng;
    use rand_distr::{Distribution, Gamma};
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(5);
    let (mut customer, mut time) = (Vec::new(), Vec::new());
    let rates = Gamma::new(2.0, 0.1).unwrap();
    for who in 0..300_i64 {
        let rate: f64 = rates.sample(&mut rng);
        let gaps = Gamma::new(3.0, 1.0 / (3.0 * rate.max(1e-3))).unwrap();
        let mut now = 0.0_f64;
        while now < 200.0 {
            customer.push(who);
            time.push((now * 86_400e6) as i64);
            now += f64::max(gaps.sample(&mut rng), 1.0);
        }
    }
    let orders = Columns::new().with("customer", customer).with("time", time);
    let run = Run::new();
    let how = headwater::clv::SummarizeOptions {
        value: None,
        log_intervals: true,
        observation_end: Some(headwater::clv::When::Micros(200 * 86_400_000_000)),
        time_unit: Some(headwater::column::TimeUnit::Microsecond),
        ..headwater::clv::SummarizeOptions::default()
    };
    let rfm = headwater::clv::summarize(&orders, &how, &run).unwrap();
    let regular = |k| headwater::clv::Candidate::Regular { model: "BetaGeoCNBD".into(), k };
    let options = headwater::clv::CompareOptions {
        models: vec![headwater::clv::Candidate::Name("BetaGeo".into()), regular(2), regular(3), regular(8)],
        ..headwater::clv::CompareOptions::default()
    };
    let found = headwater::clv::compare_purchases(&rfm.table().into(), &options, &run).unwrap();
    let best = found[0].1.text("model", 0).unwrap();
    assert_eq!(best, "BetaGeoCNBD (k = 3)");
    let p = found[1].1.get("p").unwrap();
    assert!(p.valid.as_ref().is_none_or(|valid| valid.iter().all(|v| *v)), "all pairs can be compared");
}
