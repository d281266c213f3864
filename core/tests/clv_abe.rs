//! Abe's Pareto/NBD against integrals over a fine grid, its limits, simulation and real customers.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout)]

use headwater::clv::posterior::{
    BootstrapOptions, Posterior, PosteriorOptions, Prior, bootstrap, laplace, sample_posterior,
};
use headwater::clv::{
    AbeParetoModel, AbeParetoNbd, Covariates, History, ParetoNbd, PredictOptions, PurchaseOptions, Purchases,
    Quantity, Rfm, RfmSlices, SummarizeOptions, fit_purchases, predict, purchases_from_bytes, summarize,
};
use headwater::column::Columns;
use headwater::{Error, Run};

fn model(values: [f64; 5]) -> AbeParetoModel {
    AbeParetoModel::from_parameters(values, 1, None).unwrap()
}

fn history(frequency: u32, recency: f64, age: f64) -> History {
    History { frequency, recency, age, ..History::default() }
}

fn odds(rho: f64) -> f64 {
    (1.0 + rho) / (1.0 - rho)
}

/// φ λ^x e^(−(λ+μ) t) f, of standardised ln λ and ln μ and of the rates themselves, added up on a grid: first of what
/// counts at all, then finely within it. `f` is in (0, 1]; gives the sums with each of `of`, and the logarithm by
/// which they are too small.
fn by_force<const N: usize>(
    [lambda, sigma, mu, sigma_mu, q]: [f64; 5],
    (x, t): (f64, f64),
    f: impl Fn(f64, f64) -> f64,
    of: impl Fn(f64, f64) -> [f64; N],
    fine: usize,
) -> ([f64; N], f64) {
    let rho = (q - 1.0) / (q + 1.0);
    let ln_at = |a: f64, b: f64| {
        let (l, m) = (lambda * (sigma * a).exp(), mu * (sigma_mu * b).exp());
        let form = (a * a - 2.0 * rho * a * b + b * b) / (1.0 - rho * rho);
        (x * (lambda.ln() + sigma * a) - (l + m) * t + f(l, m).ln() - 0.5 * form, l, m)
    };
    let mut range = [[-90.0, 90.0], [-90.0, 90.0]];
    let mut top = f64::NEG_INFINITY;
    for round in 0..60 {
        let n = 180;
        let step = range.map(|[low, high]| (high - low) / n as f64);
        let at =
            |i: usize, j: usize| ln_at(range[0][0] + step[0] * i as f64, range[1][0] + step[1] * j as f64).0;
        let values: Vec<Vec<f64>> = (0..=n).map(|i| (0..=n).map(|j| at(i, j)).collect()).collect();
        top = values.iter().flatten().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
        let mut new = [[f64::INFINITY, f64::NEG_INFINITY]; 2];
        for (i, row) in values.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                if *value > top - 45.0 {
                    for (new, (k, at)) in new.iter_mut().zip([(0, i), (1, j)]) {
                        new[0] = new[0].min(range[k][0] + step[k] * (at as f64 - 1.0));
                        new[1] = new[1].max(range[k][0] + step[k] * (at as f64 + 1.0));
                    }
                }
            }
        }
        let shrunk = (0..2).any(|k| new[k][1] - new[k][0] < 0.9 * (range[k][1] - range[k][0]));
        range = new;
        if !shrunk && round > 3 {
            break;
        }
    }
    let step = range.map(|[low, high]| (high - low) / fine as f64);
    let mut total = [0.0; N];
    for i in 0..=fine {
        let mut row = [0.0; N];
        for j in 0..=fine {
            let (value, l, m) = ln_at(range[0][0] + step[0] * i as f64, range[1][0] + step[1] * j as f64);
            if value > top - 50.0 {
                let weight = (value - top).exp();
                for (row, part) in row.iter_mut().zip(of(l, m)) {
                    *row += weight * part;
                }
            }
        }
        for (total, row) in total.iter_mut().zip(row) {
            *total += row;
        }
    }
    let scale = step[0] * step[1] / (2.0 * std::f64::consts::PI * (1.0 - rho * rho).sqrt());
    (total, top + scale.ln())
}

/// P(not seen after t_x | λ, μ, alive then).
fn missed(unseen: f64) -> impl Fn(f64, f64) -> f64 {
    move |l, m| (m + l * (-(l + m) * unseen).exp()) / (l + m)
}

#[test]
fn the_likelihood_is_the_integral_over_both_rates() {
    let histories = [
        history(0, 0.0, 0.0),
        history(0, 0.0, 20.0),
        history(0, 0.0, 20_000.0),
        history(1, 5.0, 30.0),
        history(7, 12.0, 12.0),
        history(40, 300.0, 20_000.0),
        history(10_000, 19_000.0, 20_000.0),
        history(10_000, 9_990.0, 10_000.0),
    ];
    let mut worst = 0.0_f64;
    for (lambda, mu) in [(0.05, 0.02), (2.0, 1e-4)] {
        for (sigma, sigma_mu) in [(1.2, 1.6), (0.05, 0.05), (0.05, 4.0), (4.0, 0.05), (4.0, 4.0)] {
            for rho in [-0.95, 0.0, 0.95] {
                let p = [lambda, sigma, mu, sigma_mu, odds(rho)];
                for h in histories {
                    let (x, unseen) = (f64::from(h.frequency), h.age - h.recency);
                    let ([all], scale) = by_force(p, (x, h.recency), missed(unseen), |_, _| [1.0], 700);
                    let want = all.ln() + scale;
                    let got = model(p).quantity(h, Quantity::LogLikelihood);
                    let apart = (got - want).abs() / (1.0 + want.abs() / 1e3);
                    worst = worst.max(apart);
                    assert!(apart < 1e-10, "{p:?} {h:?}: {got} for {want}");
                }
            }
        }
    }
}

/// P(n purchases in `time` | λ, μ, alive), by Simpson's rule over when the customer leaves.
fn count(n: usize, l: f64, m: f64, time: f64) -> f64 {
    let factorial: f64 = (1..=n).map(|i| i as f64).product();
    let poisson = |t: f64| (l * t).powi(n as i32) * (-l * t).exp() / factorial;
    let steps = 120;
    let left: f64 = (0..=steps)
        .map(|i| {
            // Crowded towards 0, where fast ones leave.
            let z = i as f64 / steps as f64;
            let weight = if i == 0 || i == steps { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
            let t = time * z.powi(3);
            weight * m * (-m * t).exp() * poisson(t) * 3.0 * time * z * z
        })
        .sum();
    left / (3.0 * steps as f64) + (-m * time).exp() * poisson(time)
}

#[test]
fn what_is_asked_of_a_customer_is_an_expectation_over_the_rates() {
    let (time, ahead, delta) = (13.0, 6.0, 0.01);
    for (p, h) in [
        ([0.07, 0.9, 0.03, 0.8, odds(0.3)], history(3, 7.5, 30.0)),
        ([0.3, 0.4, 0.02, 1.3, odds(-0.8)], history(0, 0.0, 20.0)),
        ([0.05, 1.4, 0.01, 2.1, odds(0.6)], history(12, 29.0, 30.0)),
        ([0.05, 0.9, 0.1, 0.5, odds(-0.2)], history(0, 0.0, 0.0)),
        ([0.05, 0.9, 0.1, 0.5, odds(0.9)], history(2, 10.0, 10.0)),
    ] {
        let x = f64::from(h.frequency);
        let unseen = h.age - h.recency;
        let later = |m: f64| -(-m * time).exp_m1() / m;
        // A factor as great as any of what is asked of, so that nothing that counts is left out.
        let (sums, _) = by_force(
            p,
            (x, h.recency),
            |l, m| missed(unseen)(l, m) * (1.0 + l * l + m * m),
            |l, m| {
                let other = 1.0 / (1.0 + l * l + m * m);
                let now = (l + m) / (l + m * ((l + m) * unseen).exp());
                let alive = other * now;
                [
                    other,
                    alive,
                    other * (1.0 - now),
                    alive * (-m * ahead).exp(),
                    alive * l * later(m),
                    alive * l / (m + delta),
                    alive * l,
                    other * l,
                    other * l * l,
                    other * m,
                    other * m * m,
                ]
            },
            900,
        );
        let [all, alive, dead, ahead_alive, purchases, residual, rate, l, ll, m, mm] = sums;
        let model = model(p);
        let ask = |quantity| model.quantity(h, quantity);
        let close = |got: f64, want: f64, what: &str| {
            assert!((got - want).abs() < 1e-9 * (1e-3 + want.abs()), "{p:?} {h:?} {what}: {got} for {want}");
        };
        close(ask(Quantity::Alive { ahead: 0.0 }), alive / all, "alive");
        if unseen > 0.0 {
            close(ask(Quantity::OddsAlive), (alive / dead).ln(), "odds");
        }
        close(ask(Quantity::Alive { ahead }), ahead_alive / all, "alive ahead");
        close(ask(Quantity::WhileAlive { periods: time }), purchases / alive, "while alive");
        close(ask(Quantity::Purchases { periods: time }), purchases / all, "purchases");
        close(ask(Quantity::Residual { rate: delta }), residual / all, "residual");
        close(ask(Quantity::Rate), rate / alive, "rate");
        let frame = Columns::new()
            .with("customer", vec!["a".to_owned()])
            .with("frequency", vec![x])
            .with("recency", vec![h.recency])
            .with("T", vec![h.age]);
        let options = PredictOptions { own_rates: true, ..PredictOptions::default() };
        let told = predict(&model, &frame, &options, &Run::new()).unwrap().table();
        let column = |name: &str| told.f64s(name).unwrap()[0];
        close(column("own_rate"), l / all, "own rate");
        close(column("own_rate_sd"), (ll / all - (l / all).powi(2)).sqrt(), "its deviation");
        close(column("own_dropout"), m / all, "own dropout");
        close(column("own_dropout_sd"), (mm / all - (m / all).powi(2)).sqrt(), "its deviation");
        // Counts.
        let ([total, counts @ ..], _) = by_force(
            p,
            (x, h.age),
            |_, _| 1.0,
            |l, m| {
                let of = |n| count(n, l, m, time);
                [1.0, of(0), of(1), of(2), of(5)]
            },
            110,
        );
        let mass = model.probabilities_of(h, time, 400);
        for (n, want) in [0, 1, 2, 5].into_iter().zip(counts) {
            let want = alive / all * want / total + if n == 0 { 1.0 - alive / all } else { 0.0 };
            assert!((mass[n] - want).abs() < 2e-6 * (1e-3 + want), "{p:?} {n}: {} for {want}", mass[n]);
            assert!((model.probabilities_of(h, time, n)[n] - mass[n]).abs() < 1e-12);
        }
        let ones: f64 = mass.iter().sum();
        let mean: f64 = mass.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        assert!((ones - 1.0).abs() < 1e-9, "{p:?}: {ones}");
        close(mean, ask(Quantity::Purchases { periods: time }), "the mean count");
        // Weighted sums are sums.
        let weights = [0.5, 0.0, 2.0, 1.0];
        let each: f64 =
            (1..=4).map(|t| weights[t - 1] * ask(Quantity::Purchases { periods: t as f64 })).sum();
        close(model.discounted_at(&p, h, &weights), each, "weighted");
    }
}

#[test]
fn extremes_have_answers() {
    for p in [
        [1e-6, 1e-6, 1e-6, 1e-6, 1e-6],
        [1e6, 1e6, 1e6, 1e6, 1e6],
        [1e-6, 30.0, 1e6, 1e-6, 1e6],
        [0.05, 12.0, 0.05, 12.0, 1.0],
        [0.05, 1.0, 1e-90, 1.0, 1.0],
        [1e90, 1.0, 1e90, 1.0, 1.0],
        [0.05, 30.0, 0.05, 12.0, 3e5],
        [1e100; 5],
        [1e-100; 5],
    ] {
        let model = model(p);
        for h in
            [history(0, 0.0, 0.0), history(0, 0.0, 1e4), history(5, 1.0, 1e4), history(1_000_000, 9.0, 10.0)]
        {
            for quantity in [
                Quantity::LogLikelihood,
                Quantity::Alive { ahead: 3.0 },
                Quantity::WhileAlive { periods: 4.0 },
                Quantity::Residual { rate: 0.1 },
                Quantity::Rate,
            ] {
                assert!(!model.quantity(h, quantity).is_nan(), "{p:?} {h:?} {quantity:?}");
            }
            let (x, t_x, t) = ([f64::from(h.frequency)], [h.recency], [h.age]);
            let rows = RfmSlices { frequency: &x, recency: &t_x, age: &t, ..RfmSlices::default() };
            let (value, gradient) = model.evaluate(&rows, &Run::new()).unwrap();
            assert!(!value.is_nan() && !gradient.iter().any(|g| g.is_nan()), "{p:?} {h:?} {gradient:?}");
            let mass = model.probabilities_of(h, 4.0, 20);
            assert!(mass.iter().all(|p| (0.0..=1.0).contains(p)), "{p:?} {h:?} {mass:?}");
        }
    }
}

struct Drawn {
    x: Vec<f64>,
    t_x: Vec<f64>,
    t: Vec<f64>,
}

/// Customers of known parameters.
fn draw([lambda, sigma, mu, sigma_mu, q]: [f64; 5], customers: usize) -> Drawn {
    let mut state = 20_091_122_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    let rho = (q - 1.0) / (q + 1.0);
    let mut out = Drawn { x: vec![], t_x: vec![], t: vec![] };
    for _ in 0..customers {
        let (radius, turn) = ((-2.0 * uniform().ln()).sqrt(), std::f64::consts::TAU * uniform());
        let (a, other) = (radius * turn.cos(), radius * turn.sin());
        let b = rho * a + (1.0 - rho * rho).sqrt() * other;
        let (l, m) = (lambda * (sigma * a).exp(), mu * (sigma_mu * b).exp());
        let age = (30.0 + 50.0 * uniform()).floor();
        let death = -uniform().ln() / m;
        let (mut x, mut t_x, mut now) = (0.0, 0.0, 0.0);
        loop {
            now += -uniform().ln() / l;
            if now > age.min(death) {
                break;
            }
            (x, t_x) = (x + 1.0, now);
        }
        out.x.push(x);
        out.t_x.push(t_x);
        out.t.push(age);
    }
    out
}

impl Drawn {
    fn slices(&self) -> RfmSlices<'_> {
        RfmSlices { frequency: &self.x, recency: &self.t_x, age: &self.t, ..RfmSlices::default() }
    }
}

#[test]
fn a_fit_finds_the_law_that_customers_were_drawn_from() {
    let truth = [0.15, 0.9, 0.03, 1.1, odds(0.4)];
    let drawn = draw(truth, 1500);
    let run = Run::new();
    let fitted = AbeParetoNbd::new().fit(&drawn.slices(), &run).unwrap();
    let e = fitted.estimates();
    for (i, truth) in truth.iter().enumerate() {
        let deviation = e.covariance[i][i].sqrt();
        let apart = (e.values[i] / truth).ln() / deviation;
        assert!(deviation < 0.6 && apart.abs() < 3.0, "{}: {apart} at {deviation}", e.names[i]);
    }
    let (value, gradient) = fitted.evaluate(&drawn.slices(), &run).unwrap();
    assert!((value - e.log_likelihood.unwrap()).abs() < 1e-9 * value.abs());
    assert!(gradient.iter().all(|g| g.abs() < 1e-5), "{gradient:?}");
    // The law of the data is the likelier one.
    let pareto = ParetoNbd::new().fit(&drawn.slices(), &run).unwrap();
    assert!(value > pareto.estimates().log_likelihood.unwrap());
}

/// CDNOW until the end of September.
fn cdnow(period: &str) -> Rfm {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/cdnow.csv");
    let mut orders = csv::Reader::from_path(file).unwrap();
    let (mut customer, mut date) = (Vec::new(), Vec::new());
    for row in orders.records() {
        let row = row.unwrap();
        customer.push(row[0].to_owned());
        date.push(row[1].to_owned());
    }
    let frame = Columns::new().with("customer", customer).with("date", date);
    let how = SummarizeOptions {
        time: "date".to_owned(),
        value: None,
        period: period.parse().unwrap(),
        calibration_end: Some("1997-09-30".into()),
        observation_end: Some("1998-06-30".into()),
        ..SummarizeOptions::default()
    };
    summarize(&frame, &how, &Run::new()).unwrap()
}

#[test]
fn cdnow_is_as_published_in_weeks_and_in_days() {
    let run = Run::new();
    let (weeks, days) = (cdnow("7d"), cdnow("1d"));
    let options = PurchaseOptions { period: weeks.slices().period, ..PurchaseOptions::default() };
    let (model, _) = fit_purchases("clv.AbeParetoNBD", &weeks.table().into(), &options, &run).unwrap();
    let e = model.estimates();
    let pareto = ParetoNbd::new().fit(&weeks.slices(), &run).unwrap();
    assert!(e.log_likelihood > pareto.estimates().log_likelihood, "{:?}", e.log_likelihood);
    // Abe (2009), without covariates: ln λ −3.53, ln μ −3.59 a week; his are posterior means under a prior.
    assert!((e.values[0].ln() + 3.53).abs() < 0.3 && (e.values[2].ln() + 3.59).abs() < 0.3);
    let in_days = AbeParetoNbd::new().fit(&days.slices(), &run).unwrap();
    for ((day, week), power) in in_days.params().iter().zip(&e.values).zip([7.0, 1.0, 7.0, 1.0, 1.0]) {
        assert!((day * power / week - 1.0).abs() < 1e-5, "{:?} {:?}", in_days.params(), e.values);
    }
    let repeats: f64 = weeks.slices().frequency.iter().sum();
    let (one, other) = (e.log_likelihood.unwrap(), in_days.estimates().log_likelihood.unwrap());
    assert!((other + repeats * 7.0_f64.ln() - one).abs() < 1e-6, "{other} {one}");
    // The model travels.
    let again = purchases_from_bytes(&model.bytes().unwrap()).unwrap().unwrap();
    let asked = Quantity::Purchases { periods: 39.0 };
    let h = history(2, 12.0, 30.0);
    assert_eq!(again.quantity(h, asked), model.quantity(h, asked));
    // The same to the last bit on one thread.
    let alone = AbeParetoNbd::new().fit(&weeks.slices(), &Run::new().threads(1)).unwrap();
    assert_eq!(alone.estimates().values, e.values);
}

#[test]
fn what_the_data_do_not_tell_is_a_verdict() {
    let run = Run::new();
    let verdict = |drawn: &Drawn| {
        let fitted = AbeParetoNbd::new().fit(&drawn.slices(), &run).unwrap();
        let e = fitted.estimates();
        (e.verdict.name(), fitted)
    };
    // All buy until the end.
    let ages: Vec<f64> = (0..60).map(|i| 20.0 + f64::from(i % 7)).collect();
    let x: Vec<f64> = (0..60).map(|i| 4.0 + f64::from(i * i % 23)).collect();
    let bought = Drawn { t_x: ages.iter().map(|t| t - 0.1).collect(), x, t: ages };
    let (name, fitted) = verdict(&bought);
    assert_eq!(name, "no_dropout");
    assert!(fitted.p_alive(4.0, 18.0, 20.0, 0.0).unwrap() > 0.999);
    // All buy at one rate.
    let (name, _) = verdict(&draw([0.4, 1e-3, 0.02, 0.8, 1.0], 400));
    assert!(["equal_rates", "perfect_correlation"].contains(&name), "{name}");
    let error = AbeParetoNbd::new().k(2).fit(&bought.slices(), &run).unwrap_err();
    assert!(matches!(error, Error::Option { .. }), "{error}");
}

/// Customers of which each row stands for many.
fn frame(drawn: &Drawn, many: f64) -> Columns {
    Columns::new()
        .with("customer", (0..drawn.x.len()).map(|i| format!("c{i}")).collect::<Vec<_>>())
        .with("frequency", drawn.x.clone())
        .with("recency", drawn.t_x.clone())
        .with("T", drawn.t.clone())
        .with("group", (0..drawn.x.len()).map(|i| f64::from(u8::from(i % 2 == 0))).collect::<Vec<_>>())
        .with("many", vec![many; drawn.x.len()])
}

fn spread(posterior: &Posterior, at: usize) -> (f64, f64) {
    let logs: Vec<f64> = posterior.draws().map(|d| d[at].ln()).collect();
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    (mean, (logs.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}

const TRUTH: [f64; 5] = [0.15, 0.9, 0.03, 1.1, 2.3];

#[test]
fn correlations_have_limits_on_fishers_scale() {
    let run = Run::new();
    let told = |model: &(dyn Purchases + 'static)| {
        let tables = model.report("correlation", None, "{}", &run).unwrap();
        ["correlation", "low", "high"].map(|name| {
            let column = tables[0].1.get(name).unwrap();
            let known = column.valid.as_ref().is_none_or(|valid| valid[0]);
            known.then(|| tables[0].1.f64s(name).unwrap()[0])
        })
    };
    assert_eq!(told(&model([0.03, 1.2, 0.03, 1.5, 3.0])), [Some(0.5), None, None]);
    let fitted = AbeParetoNbd::new().fit(&draw(TRUTH, 200).slices(), &run).unwrap();
    let [rho, low, high] = told(&fitted).map(Option::unwrap);
    assert_eq!(rho, fitted.correlation());
    let reach = 1.959_963_984_540_054 * fitted.estimates().covariance[4][4].sqrt();
    assert!((high.atanh() - rho.atanh() - 0.5 * reach).abs() < 1e-9);
    assert!((rho.atanh() - low.atanh() - 0.5 * reach).abs() < 1e-9);
    let pareto = ParetoNbd::new().fit(&draw(TRUTH, 200).slices(), &run).unwrap();
    let other: &dyn Purchases = &pareto;
    let error = other.report("correlation", None, "{}", &run).unwrap_err();
    assert!(matches!(error, Error::Option { .. }), "{error}");
}

#[test]
fn draws_spread_as_far_as_the_fit_says() {
    let run = Run::new().seed(2);
    let frame = frame(&draw(TRUTH, 80), 20.0);
    let options = PurchaseOptions { weight: Some("many".into()), ..PurchaseOptions::default() };
    let (fit, _) = fit_purchases("clv.AbeParetoNBD", &frame, &options, &run).unwrap();
    let e = fit.estimates();
    let many = PosteriorOptions { weight: Some("many".into()), ..PosteriorOptions::default() };
    let flat = PosteriorOptions { prior: Prior::Flat, draws: 2000, ..many.clone() };
    let (normal, _) = laplace("AbeParetoNBD", &frame, &flat, &run).unwrap();
    for (i, value) in e.values.iter().enumerate() {
        let error = e.covariance[i][i].sqrt();
        let (mean, sd) = spread(&normal, i);
        assert!((normal.estimate()[i] / value - 1.0).abs() < 1e-5, "{i}");
        assert!((mean - value.ln()).abs() < 0.06 * error && (sd / error - 1.0).abs() < 0.05, "{i}");
    }
    let refits = BootstrapOptions {
        weight: Some("many".into()),
        replicates: 4,
        tolerance: 1e-4,
        ..BootstrapOptions::default()
    };
    let (found, _) = bootstrap("AbeParetoNBD", &frame, &refits, &run).unwrap();
    assert!(found.draws().all(|d| d.iter().all(|v| v.is_finite() && *v > 0.0)));
    let few = PosteriorOptions { chains: 1, draws: 70, tune: 50, ..many.clone() };
    let (sampled, _) = sample_posterior("AbeParetoNBD", &frame, &few, &run).unwrap();
    let (normal, _) = laplace("AbeParetoNBD", &frame, &few, &run).unwrap();
    for i in 0..5 {
        let ((mean, sd), (want, width)) = (spread(&sampled, i), spread(&normal, i));
        assert!((mean - want).abs() < 0.8 * width, "{i}: {mean} for {want} ± {width}");
        assert!((0.6..1.8).contains(&(sd / width)), "{i}: {sd} for {width}");
    }
}

#[test]
fn covariates_move_the_median_rates() {
    let run = Run::new();
    let (mut drawn, fast) = (draw(TRUTH, 300), draw([0.4, 0.9, 0.03, 1.1, 2.3], 300));
    for i in (0..300).step_by(2) {
        (drawn.x[i], drawn.t_x[i], drawn.t[i]) = (fast.x[i], fast.t_x[i], fast.t[i]);
    }
    let options = PurchaseOptions {
        covariates: Some(Covariates::new(["group"], [])),
        tolerance: 1e-6,
        ..PurchaseOptions::default()
    };
    let (model, _) = fit_purchases("clv.AbeParetoNBD", &frame(&drawn, 1.0), &options, &run).unwrap();
    let effect = model.effects().unwrap();
    let (value, error) = (effect.coefficients()[0].value, effect.standard_errors()[0].unwrap());
    assert!((value - (0.4_f64 / 0.15).ln()).abs() < 3.0 * error && error < 0.3);
}
