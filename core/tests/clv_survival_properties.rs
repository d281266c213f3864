//! Survival: properties, likelihoods by brute force, closed forms.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::similar_names)] // an oracle of its own

use headwater::clv::Verdict;
use headwater::clv::survival::{
    Aft, Cox, DiscreteHazard, Distribution, KaplanMeierOptions, Link, PeriodBaseline, PredictOptions,
    Survival, kaplan_meier, report,
};
use headwater::column::{Columns, Tables};
use headwater::{Run, Table};
use rand::RngExt;

/// Contracts in whole and half months, with ties, late entries and weights.
#[derive(Clone, Debug)]
struct Contracts {
    duration: Vec<f64>,
    event: Vec<bool>,
    entry: Vec<f64>,
    weight: Vec<f64>,
    price: Vec<f64>,
    calls: Vec<f64>,
    plan: Vec<String>,
    region: Vec<String>,
}

fn contracts(n: usize, seed: u64) -> Contracts {
    let mut rng = Run::new().seed(seed).rng(0);
    let mut out = Contracts {
        duration: Vec::new(),
        event: Vec::new(),
        entry: Vec::new(),
        weight: Vec::new(),
        price: Vec::new(),
        calls: Vec::new(),
        plan: Vec::new(),
        region: Vec::new(),
    };
    for _ in 0..n {
        let price = f64::from(rng.random_range(1..9)) / 2.0;
        let calls = f64::from(rng.random_range(0..5));
        let plan = ["basic", "plus", "premium"][rng.random_range(0..3)];
        let rate = 0.08 * f64::exp(0.3 * (price - 2.0) - 0.2 * calls + 0.5 * f64::from(plan == "basic"));
        let left = (2.0 * -f64::ln(rng.random_range(1e-9..1.0)) / rate).ceil() / 2.0;
        let censored = f64::from(rng.random_range(2..48)) / 2.0;
        let duration: f64 = left.min(censored);
        let entry =
            if rng.random_range(0..3) == 0 { (duration * rng.random_range(0.0..0.9)).floor() } else { 0.0 };
        out.event.push(left <= censored);
        out.entry.push(if entry < duration { entry } else { 0.0 });
        out.duration.push(duration);
        out.weight.push(f64::from(rng.random_range(1..4)));
        out.price.push(price);
        out.calls.push(calls);
        out.plan.push(plan.to_owned());
        out.region.push(["north", "south"][rng.random_range(0..2)].to_owned());
    }
    out
}

impl Contracts {
    fn frame(&self, order: &[usize]) -> Columns {
        let numbers = |v: &[f64]| order.iter().map(|i| v[*i]).collect::<Vec<f64>>();
        let texts = |v: &[String]| order.iter().map(|i| v[*i].clone()).collect::<Vec<String>>();
        Columns::new()
            .with("duration", numbers(&self.duration))
            .with("event", order.iter().map(|i| self.event[*i]).collect::<Vec<bool>>())
            .with("entry", numbers(&self.entry))
            .with("weight", numbers(&self.weight))
            .with("price", numbers(&self.price))
            .with("calls", numbers(&self.calls))
            .with("plan", texts(&self.plan))
            .with("region", texts(&self.region))
            .with("periods", order.iter().map(|i| self.duration[*i].ceil()).collect::<Vec<f64>>())
    }

    fn all(&self) -> Columns {
        self.frame(&(0..self.duration.len()).collect::<Vec<_>>())
    }

    fn repeated(&self) -> Columns {
        let order: Vec<usize> =
            (0..self.duration.len()).flat_map(|i| std::iter::repeat_n(i, self.weight[i] as usize)).collect();
        self.frame(&order)
    }
}

fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut rng = Run::new().seed(seed).rng(1);
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    order
}

fn table<'a>(tables: &'a Tables, name: &str) -> &'a Table {
    &tables.iter().find(|t| t.0 == name).unwrap().1
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{got} for {want}");
}

const FITS: [(&str, &str); 6] = [
    (
        "Cox",
        r#"{"covariates":["price","calls","plan"],"entry":"entry","weight":"weight","strata":"region","robust":true}"#,
    ),
    ("Cox", r#"{"covariates":["price","plan"],"cluster":"calls","ties":"breslow"}"#),
    ("DiscreteHazard", r#"{"duration":"periods","covariates":["price","calls","plan"],"weight":"weight"}"#),
    (
        "DiscreteHazard",
        r#"{"duration":"periods","covariates":["calls"],"link":"cloglog","baseline":"log","entry":"entry"}"#,
    ),
    ("Aft", r#"{"covariates":["price","calls","plan"],"entry":"entry","weight":"weight"}"#),
    ("Aft", r#"{"covariates":["price"],"distribution":"log_normal"}"#),
];

#[test]
fn the_order_of_rows_and_the_number_of_threads_do_not_matter_to_the_bit() {
    let c = contracts(400, 1);
    let frame = c.all();
    let mixed = c.frame(&shuffled(400, 5));
    for (kind, options) in FITS {
        let fit = |frame: &Columns, threads: usize| {
            let run = Run::new().threads(threads);
            Survival::fit(kind, frame, options, &run).unwrap().0.to_bytes().unwrap()
        };
        let one = fit(&frame, 1);
        assert_eq!(one, fit(&frame, 3), "{kind}");
        assert_eq!(one, fit(&mixed, 2), "{kind}");
    }
    let options = r#"{"group":"plan","entry":"entry","weight":"weight"}"#;
    let run = Run::new();
    let (a, b) = (
        report("kaplan_meier", &frame, options, &run).unwrap(),
        report("kaplan_meier", &mixed, options, &run).unwrap(),
    );
    assert_eq!(a, b);
    let (fitted, _) = Survival::fit("Cox", &frame, FITS[0].1, &run).unwrap();
    let scores = |frame: &Columns| {
        fitted.report("scores", Some(frame), r#"{"horizons":[2.0,5.0,8.0]}"#, &run).unwrap()
    };
    assert_eq!(scores(&frame), scores(&mixed));
}

#[test]
fn a_weight_is_so_many_rows() {
    let c = contracts(150, 2);
    let run = Run::new();
    let (frame, rows) = (c.all(), c.repeated());
    let all = [
        ("Cox", r#""covariates":["price","calls","plan"],"entry":"entry","robust":true"#),
        ("Cox", r#""covariates":["price","calls","plan"],"ties":"breslow","robust":true"#),
        ("DiscreteHazard", r#""duration":"periods","covariates":["price","plan"]"#),
        ("Aft", r#""covariates":["price","calls","plan"],"entry":"entry""#),
    ];
    for (kind, options) in all {
        let weighted = format!(r#"{{{options},"weight":"weight"}}"#);
        let (a, _) = Survival::fit(kind, &frame, &weighted, &run).unwrap();
        let (b, _) = Survival::fit(kind, &rows, &format!("{{{options}}}"), &run).unwrap();
        let (a, b) =
            (a.report("summary", None, "{}", &run).unwrap(), b.report("summary", None, "{}", &run).unwrap());
        for name in ["estimate", "standard_error"] {
            let (a, b) = (
                table(&a, "coefficients").f64s(name).unwrap(),
                table(&b, "coefficients").f64s(name).unwrap(),
            );
            for (a, b) in a.iter().zip(b) {
                close(*a, *b, 1e-7);
            }
        }
        let likelihood = |t: &Tables| table(t, "fit").f64s("log_likelihood").unwrap()[0];
        close(likelihood(&a), likelihood(&b), 1e-11);
        let concordance = |t: &Tables| table(t, "concordance").f64s("concordance").unwrap()[0];
        close(concordance(&a), concordance(&b), 1e-12);
    }
    let weighted = KaplanMeierOptions {
        weight: Some("weight".into()),
        group: Some("plan".into()),
        ..Default::default()
    };
    let plain = KaplanMeierOptions { group: Some("plan".into()), ..Default::default() };
    let (a, b) = (kaplan_meier(&frame, &weighted, &run).unwrap(), kaplan_meier(&rows, &plain, &run).unwrap());
    assert_eq!(a, b); // whole weights: to the bit
}

/// The log partial likelihood as Efron wrote it, event after event.
fn efron(c: &Contracts, x: &[[f64; 4]], beta: &[f64]) -> f64 {
    let n = c.duration.len();
    let eta = |i: usize| x[i].iter().zip(beta).map(|(x, b)| x * b).sum::<f64>();
    let mut times: Vec<f64> = (0..n).filter(|i| c.event[*i]).map(|i| c.duration[i]).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let mut value = 0.0;
    for t in times {
        let tied: Vec<usize> = (0..n).filter(|i| c.event[*i] && c.duration[*i] == t).collect();
        let at_risk: f64 = (0..n)
            .filter(|i| c.duration[*i] >= t && (c.entry[*i] == 0.0 || c.entry[*i] < t))
            .map(|i| eta(i).exp())
            .sum();
        let leaving: f64 = tied.iter().map(|i| eta(*i).exp()).sum();
        for (l, i) in tied.iter().enumerate() {
            value += eta(*i) - (at_risk - l as f64 / tied.len() as f64 * leaving).ln();
        }
    }
    value
}

#[test]
fn cox_is_the_maximum_of_the_likelihood_as_written() {
    let c = contracts(80, 3);
    let options = Cox { entry: Some("entry".into()), ..Cox::new(["price", "calls", "plan"]) };
    let (model, _) = options.fit(&c.all(), &Run::new()).unwrap();
    let found = model.coefficients();
    let x: Vec<[f64; 4]> = (0..80)
        .map(|i| {
            let is = |plan: &str| f64::from(c.plan[i] == plan);
            [c.price[i], c.calls[i], is("plus"), is("premium")]
        })
        .collect();
    close(found.log_likelihood, efron(&c, &x, &found.values), 1e-12);
    close(found.null_log_likelihood, efron(&c, &x, &[0.0; 4]), 1e-12);
    for k in 0..4 {
        for step in [-1e-4, 1e-4] {
            let mut at = found.values.clone();
            at[k] += step;
            assert!(efron(&c, &x, &at) < found.log_likelihood);
        }
    }
    // The covariance is the inverse of the observed information, here by differences.
    let h = 1e-3;
    let second = |k: usize, j: usize| {
        let f = |a: f64, b: f64| {
            let mut at = found.values.clone();
            at[k] += a * h;
            at[j] += b * h;
            efron(&c, &x, &at)
        };
        (f(1.0, 1.0) - f(1.0, -1.0) - f(-1.0, 1.0) + f(-1.0, -1.0)) / (4.0 * h * h)
    };
    for i in 0..4 {
        for j in 0..4 {
            let product: f64 = (0..4).map(|k| found.covariance[i * 4 + k] * -second(k, j)).sum();
            close(product, f64::from(u8::from(i == j)), 1e-4);
        }
    }
    // Fewer covariates, no higher likelihood.
    let fewer = Cox { entry: Some("entry".into()), ..Cox::new(["price", "calls"]) };
    let (fewer, _) = fewer.fit(&c.all(), &Run::new()).unwrap();
    assert!(fewer.coefficients().log_likelihood < found.log_likelihood);
    // More penalty, lower likelihood, smaller coefficients.
    let (shrunk, _) = Cox { penalty: 30.0, ..options }.fit(&c.all(), &Run::new()).unwrap();
    assert!(shrunk.coefficients().log_likelihood < found.log_likelihood);
    assert!(shrunk.coefficients().values[0].abs() < found.values[0].abs());
}

#[test]
fn the_exponential_has_its_closed_form() {
    let c = contracts(300, 4);
    let frame = c.all().with("cheap", c.price.iter().map(|p| *p < 2.0).collect::<Vec<bool>>());
    let options = Aft {
        distribution: Distribution::Exponential,
        covariates: vec!["cheap".into()],
        entry: Some("entry".into()),
        ..Default::default()
    };
    let (model, _) = options.fit(&frame, &Run::new()).unwrap();
    let found = model.coefficients();
    let group = |cheap: bool| {
        let inside = || (0..300).filter(|i| (c.price[*i] < 2.0) == cheap);
        let events = inside().filter(|i| c.event[*i]).count() as f64;
        (events, inside().map(|i| c.duration[i] - c.entry[i]).sum::<f64>())
    };
    let ((d0, t0), (d1, t1)) = (group(false), group(true));
    close(found.values[0], (t1 / d1).ln() - (t0 / d0).ln(), 1e-9);
    close(found.values[1], (t0 / d0).ln(), 1e-9);
    let errors = found.standard_errors();
    close(errors[0].unwrap(), (1.0 / d0 + 1.0 / d1).sqrt(), 1e-8);
    close(errors[1].unwrap(), (1.0 / d0).sqrt(), 1e-8);
    assert_eq!(errors[2], None); // the scale is given
    close(found.log_likelihood, d0 * (d0 / t0).ln() + d1 * (d1 / t1).ln() - d0 - d1, 1e-12);
    assert_eq!(found.verdict, Verdict::Interior);
}

#[test]
fn a_weibull_finds_the_truth() {
    let mut rng = Run::new().seed(9).rng(2);
    let (mut duration, mut event, mut x) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..20_000 {
        let z: f64 = rng.random_range(-1.0..1.0);
        let t = (2.0 + 0.5 * z + 0.7 * (-f64::ln(rng.random_range(1e-12..1.0))).ln()).exp();
        let c = rng.random_range(0.0..30.0);
        duration.push(t.min(c).max(1e-6));
        event.push(t <= c);
        x.push(z);
    }
    let frame = Columns::new().with("duration", duration).with("event", event).with("x", x);
    let (model, _) =
        Aft { covariates: vec!["x".into()], ..Default::default() }.fit(&frame, &Run::new()).unwrap();
    let found = model.coefficients();
    for ((value, error), truth) in
        found.values.iter().zip(found.standard_errors()).zip([0.5, 2.0, 0.7_f64.ln()])
    {
        assert!((value - truth).abs() < 4.0 * error.unwrap(), "{found:?}");
    }
    // The same data as proportional hazards: β = −0.5 / 0.7.
    let (model, _) = Cox::new(["x"]).fit(&frame, &Run::new()).unwrap();
    let error = model.coefficients().standard_errors()[0].unwrap();
    assert!((model.coefficients().values[0] + 0.5 / 0.7).abs() < 4.0 * error);
}

/// The log-likelihood of every customer's periods, one by one.
fn by_periods(c: &Contracts, link: Link, alpha: &[f64], slope: f64, mean: f64) -> f64 {
    let mut value = 0.0;
    for i in 0..c.duration.len() {
        let last = c.duration[i].ceil() as usize;
        for k in c.entry[i] as usize + 1..=last {
            let eta = alpha[k - 1] + slope * (c.price[i] - mean);
            let h = match link {
                Link::Logit => 1.0 / (1.0 + (-eta).exp()),
                Link::Cloglog => 1.0 - (-eta.exp()).exp(),
            };
            value += c.weight[i] * if k == last && c.event[i] { h.ln() } else { (1.0 - h).ln() };
        }
    }
    value
}

#[test]
fn the_discrete_hazard_is_the_maximum_of_its_likelihood() {
    let c = contracts(200, 6);
    let frame = c.all();
    for link in [Link::Logit, Link::Cloglog] {
        let options = DiscreteHazard {
            duration: "periods".into(),
            covariates: vec!["price".into()],
            entry: Some("entry".into()),
            weight: Some("weight".into()),
            baseline: PeriodBaseline::Log,
            link,
            ..Default::default()
        };
        let (model, _) = options.fit(&frame, &Run::new()).unwrap();
        let v = model.coefficients().values.clone();
        let total: f64 = c.weight.iter().sum();
        let mean = c.price.iter().zip(&c.weight).map(|(p, w)| p * w).sum::<f64>() / total;
        let value = |v: &[f64]| {
            let alpha: Vec<f64> = (1..60).map(|k| v[1] + v[2] * f64::from(k).ln()).collect();
            by_periods(&c, link, &alpha, v[0], mean)
        };
        close(model.coefficients().log_likelihood, value(&v), 1e-11);
        for k in 0..3 {
            for step in [-1e-4, 1e-4] {
                let mut at = v.clone();
                at[k] += step;
                assert!(value(&at) < model.coefficients().log_likelihood);
            }
        }
        // A baseline with a formula goes on beyond the data.
        let ahead = PredictOptions { horizons: vec![40.0], ..Default::default() };
        let tables = model.predict(&frame, &ahead, &Run::new()).unwrap();
        assert!(table(&tables, "survival").get("survival").unwrap().valid.is_none());
    }
}

#[test]
fn without_covariates_the_discrete_hazard_is_kaplan_meier() {
    let c = contracts(200, 7);
    let frame = c.all();
    let options = DiscreteHazard { duration: "periods".into(), ..Default::default() };
    let (model, _) = options.fit(&frame, &Run::new()).unwrap();
    let curve = kaplan_meier(
        &frame,
        &KaplanMeierOptions { duration: "periods".into(), ..Default::default() },
        &Run::new(),
    )
    .unwrap();
    let baseline = model.baseline();
    let (times, survival) = (curve[0].1.f64s("time").unwrap(), curve[0].1.f64s("survival").unwrap());
    for (k, s) in baseline.f64s("survival").unwrap().iter().enumerate() {
        let at = times.partition_point(|t| *t <= (k + 1) as f64) - 1;
        close(*s, survival[at], 1e-9);
    }
}

#[test]
fn scores_are_those_of_all_pairs() {
    let c = contracts(90, 8);
    let n = 90;
    let survival: Vec<f64> = (0..n).map(|i| 0.9 - 0.1 * c.price[i] + 0.02 * c.calls[i]).collect();
    let frame =
        c.all().with("s4", survival.clone()).with("s8", survival.iter().map(|s| s * s).collect::<Vec<_>>());
    let options = r#"{"survival":["s4","s8"],"horizons":[4.0,8.0],"tau":10.0,"bins":4}"#;
    let tables = report("survival_scores", &frame, options, &Run::new()).unwrap();
    // G(t−), not censored before t.
    let g = |t: f64, with: bool| {
        let mut times: Vec<f64> = (0..n).filter(|i| !c.event[*i]).map(|i| c.duration[i]).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        let mut g = 1.0;
        for u in times.into_iter().filter(|u| *u < t || (with && *u == t)) {
            let risk =
                (0..n).filter(|i| c.duration[*i] > u || (c.duration[*i] == u && !c.event[*i])).count() as f64;
            let censored = (0..n).filter(|i| c.duration[*i] == u && !c.event[*i]).count() as f64;
            g *= 1.0 - censored / risk;
        }
        g
    };
    let (mut harrell, mut uno) = ([0.0; 2], [0.0; 2]);
    for i in (0..n).filter(|i| c.event[*i]) {
        for j in 0..n {
            if c.duration[j] > c.duration[i] || (c.duration[j] == c.duration[i] && !c.event[j]) {
                // The risk is 1 less the survival at the last horizon.
                let (a, b) = (survival[i] * survival[i], survival[j] * survival[j]);
                let right = if a < b {
                    1.0
                } else if a == b {
                    0.5
                } else {
                    0.0
                };
                harrell = [harrell[0] + right, harrell[1] + 1.0];
                if c.duration[i] < 10.0 {
                    let w = g(c.duration[i], false).powi(-2);
                    uno = [uno[0] + w * right, uno[1] + w];
                }
            }
        }
    }
    let values = table(&tables, "scores").f64s("value").unwrap();
    close(values[0], harrell[0] / harrell[1], 1e-13);
    close(values[1], uno[0] / uno[1], 1e-12);
    let mut briers = Vec::new();
    for (t, s) in [(4.0, survival.clone()), (8.0, survival.iter().map(|s| s * s).collect())] {
        let term = |i: usize| {
            if c.duration[i] > t {
                (1.0 - s[i]).powi(2) / g(t, true)
            } else if c.event[i] {
                s[i] * s[i] / g(c.duration[i], false)
            } else {
                0.0
            }
        };
        briers.push((0..n).map(term).sum::<f64>() / n as f64);
    }
    for (got, want) in table(&tables, "brier").f64s("brier").unwrap().iter().zip(&briers) {
        close(*got, *want, 1e-13);
    }
    close(values[2], f64::midpoint(briers[0], briers[1]), 1e-13);
    let calibration = table(&tables, "calibration");
    assert_eq!(calibration.f64s("subjects").unwrap().iter().sum::<f64>(), 180.0);
}

#[test]
fn the_early_warning_says_who_and_why() {
    let c = contracts(300, 10);
    let frame = c.all().with("customer", (0..300).map(|i| format!("c{i:03}")).collect::<Vec<String>>());
    let run = Run::new();
    for (kind, options) in FITS {
        let (fitted, _) = Survival::fit(kind, &frame, options, &run).unwrap();
        let age = if kind == "DiscreteHazard" { "periods" } else { "duration" };
        let ask = format!(
            r#"{{"customer":"customer","age":"{age}","event":"event","horizon":3,"top":20,"reasons":2}}"#
        );
        let tables = fitted.report("early_warning", Some(&frame), &ask, &run).unwrap();
        let customers = table(&tables, "customers");
        assert_eq!(customers.rows(), 20, "{kind}");
        let probability = customers.f64s("probability").unwrap();
        assert!(probability.iter().rev().is_sorted() && probability.iter().all(|p| (0.0..=1.0).contains(p)));
        let reasons = table(&tables, "reasons");
        assert!(reasons.rows() > 0 && reasons.f64s("contribution").unwrap().iter().all(|c| *c > 0.0));
        assert!(reasons.i64s("reason").unwrap().iter().all(|r| (1..=2).contains(r)));
        // Nobody who has left, and the probability that the prediction gives.
        let place = |row: usize| customers.text("customer", row).unwrap()[1..].parse::<usize>().unwrap();
        assert!((0..20).all(|row| !c.event[place(row)]));
        let ahead = format!(r#"{{"customer":"customer","age":"{age}","horizons":[3]}}"#);
        let predicted = fitted.report("predict", Some(&frame), &ahead, &run).unwrap();
        let churn = table(&predicted, "survival").f64s("churn").unwrap();
        for (row, p) in probability.iter().enumerate() {
            close(*p, churn[place(row)], 1e-15);
        }
    }
}

#[test]
fn model_files_come_back_and_damage_is_told() {
    let c = contracts(120, 12);
    let frame = c.all();
    let run = Run::new();
    for (kind, options) in FITS {
        let (fitted, _) = Survival::fit(kind, &frame, options, &run).unwrap();
        let bytes = fitted.to_bytes().unwrap();
        let back = Survival::from_bytes(&bytes).unwrap().unwrap();
        assert_eq!(back.kind(), format!("clv.{kind}"));
        let ask = r#"{"horizons":[2]}"#;
        assert_eq!(
            fitted.report("predict", Some(&frame), ask, &run).unwrap(),
            back.report("predict", Some(&frame), ask, &run).unwrap()
        );
        let mut bad = bytes.clone();
        let at = bytes.len() / 2;
        bad[at] ^= 1;
        assert!(Survival::from_bytes(&bad).is_err());
        assert!(Survival::from_bytes(&bytes[..at]).is_err());
        assert_eq!(fitted.report("nothing", None, "{}", &run).unwrap_err().code(), "HW_OPTION");
        assert_eq!(fitted.report("predict", None, "{}", &run).unwrap_err().code(), "HW_OPTION");
    }
}
