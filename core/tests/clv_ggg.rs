//! Pareto/GGG against integrals written another way, its limits, simulation and real customers.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use headwater::clv::{
    BetaGeoCnbd, GGompertzNbd, GammaGammaModel, History, LifetimeOptions, ParetoGgg, ParetoGggModel,
    ParetoNbd, ParetoNbdModel, PredictOptions, PurchaseOptions, Purchases, Quantity, RfmSlices,
    SummarizeOptions, fit_purchases, lifetime_value, likelihood_ratio, predict, purchases_from_bytes,
    summarize,
};
use headwater::column::Columns;
use headwater::{Error, Run};

const PAPER: [f64; 6] = [1.695, 0.373, 0.948, 5.243, 0.432, 4.348];

fn model(values: [f64; 6]) -> ParetoGggModel {
    ParetoGggModel::from_parameters(values, 1, None).unwrap()
}

/// The history of a customer with these times between purchases.
fn history(gaps: &[f64], age: f64) -> History {
    History {
        frequency: gaps.len() as u32,
        recency: gaps.iter().sum(),
        age,
        log_intervals: Some(gaps.iter().map(|g| g.ln()).sum()),
    }
}

fn ln_gamma(z: f64) -> f64 {
    headwater::math::ln_gamma(z)
}

/// The trapezoidal rule on the logarithm of a positive variable, with what it is asked together.
fn over<const N: usize>(low: f64, high: f64, steps: usize, f: &dyn Fn(f64) -> [f64; N]) -> [f64; N] {
    let step = (high - low) / steps as f64;
    let mut total = [0.0; N];
    for i in 0..=steps {
        let v = (low + step * i as f64).exp();
        for (total, part) in total.iter_mut().zip(f(v)) {
            *total += step * v * part;
        }
    }
    total
}

fn gamma_density(v: f64, shape: f64, rate: f64) -> f64 {
    (shape * rate.ln() - ln_gamma(shape) + (shape - 1.0) * v.ln() - rate * v).exp()
}

/// Q(a, x) by its power series.
fn upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x > 60.0 + 3.0 * a {
        return 0.0;
    }
    let (mut term, mut total, mut n) = (1.0 / a, 1.0 / a, a);
    while term > 1e-18 * total {
        n += 1.0;
        term *= x / n;
        total += term;
    }
    (1.0 - (a * x.ln() - x - ln_gamma(a)).exp() * total).max(0.0)
}

/// L, L and alive, and λ of those alive, by integrals over k, λ, μ and the time of death.
fn by_force(p: [f64; 6], gaps: &[f64], age: f64) -> [f64; 3] {
    let [t, gamma, r, alpha, s, beta] = p;
    let h = history(gaps, age);
    let unseen = age - h.recency;
    // Simpson's rule over the time of death u = U q⁴.
    let n = 80;
    let deaths: Vec<(f64, f64)> = (0..=n)
        .map(|i| {
            let q = i as f64 / n as f64;
            let weight = if i == 0 || i == n { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 } / (3.0 * n as f64);
            (unseen * q.powi(4), weight * unseen * 4.0 * q.powi(3))
        })
        .collect();
    // What death does to the times since the last purchase, for any λ and k.
    let mut survival = vec![0.0; deaths.len()];
    let step = 0.1;
    let mut whole = 0.0;
    for i in -500..=60 {
        let mu = (step * f64::from(i)).exp();
        let weight = step * mu * gamma_density(mu, s, beta) * (-mu * h.recency).exp();
        for (sum, (u, width)) in survival.iter_mut().zip(&deaths) {
            *sum += weight * mu * (-mu * u).exp() * width;
        }
        whole += weight * (-mu * unseen).exp();
    }
    over(-9.0, 5.0, 140, &|k| {
        let of_k = gamma_density(k, t, gamma);
        over(-24.0, 5.0, 290, &|lambda| {
            let seen: f64 = gaps.iter().map(|g| gamma_density(*g, k, k * lambda)).product();
            let weight = of_k * gamma_density(lambda, r, alpha) * seen;
            if weight < 1e-18 {
                return [0.0; 3];
            }
            let waits = |u: f64| upper(k, k * lambda * u);
            let alive = whole * waits(unseen);
            let dead: f64 = deaths.iter().zip(&survival).map(|((u, _), sum)| sum * waits(*u)).sum();
            [weight * (alive + dead), weight * alive, weight * alive * lambda]
        })
    })
}

#[test]
fn it_is_the_integral_over_k_rate_dropout_and_death() {
    let other = [3.1, 1.4, 1.3, 6.0, 1.1, 9.0];
    for (p, gaps, age) in [
        (PAPER, vec![], 12.0),
        (other, vec![2.0, 1.5, 2.5], 20.0),
        (other, vec![2.0, 1.5, 2.5], 6.9),
        (PAPER, vec![3.0, 0.4, 5.0, 2.0], 14.0),
    ] {
        let h = history(&gaps, age);
        let [all, alive, fast] = by_force(p, &gaps, age);
        let model = model(p);
        let ask = |quantity| model.quantity(h, quantity);
        let close = |got: f64, want: f64, what: &str| {
            assert!(
                (got - want).abs() < 2e-6 * (1.0 + want.abs()),
                "{gaps:?} {age} {what}: {got} for {want}"
            );
        };
        close(ask(Quantity::LogLikelihood), all.ln(), "likelihood");
        close(ask(Quantity::Alive { ahead: 0.0 }), alive / all, "alive");
        close(ask(Quantity::OddsAlive), (alive / (all - alive)).ln(), "odds");
        close(ask(Quantity::Rate), fast / alive, "rate");
    }
}

/// Simpson's rule.
fn simpson(low: f64, high: f64, n: usize, f: impl Fn(f64) -> f64) -> f64 {
    let step = (high - low) / n as f64;
    let weight = |i: usize| if i == 0 || i == n { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
    (0..=n).map(|i| weight(i) * f(low + step * i as f64)).sum::<f64>() * step / 3.0
}

/// The likelihood and the number of coming purchases are computed apart; that
/// a new customer buys n times is the likelihood of all histories with n.
#[test]
fn likelihoods_of_all_histories_are_the_probabilities_of_a_new_customer() {
    for (p, most) in [(PAPER, 0), ([6.1, 2.4, 1.3, 6.0, 1.1, 9.0], 3)] {
        let model = model(p);
        let age = 9.0;
        let mass = model.probabilities(0.0, 0.0, 0.0, age, 3).unwrap();
        let likelihood = |h: History| model.quantity(h, Quantity::LogLikelihood).exp();
        let none = likelihood(History { age, ..History::default() });
        assert!((mass[0] - none).abs() < 1e-9, "{} {none}", mass[0]);
        for n in 1..=most {
            // The density of t_x is that of n times in order, t_x^(n−1) / Γ(n) of them; t_x = T q³.
            let total = simpson(0.0, 1.0, 200, |q| {
                let recency = age * q.powi(3);
                if recency == 0.0 {
                    return 0.0;
                }
                let h = History { frequency: n, recency, age, log_intervals: None };
                let orders = recency.powi(n as i32 - 1) / (1..n).map(f64::from).product::<f64>();
                likelihood(h) * orders * age * 3.0 * q * q
            });
            let want = mass[n as usize];
            println!("{n}: {total} {want}");
            assert!((total - want).abs() < 3e-6, "{n}: {total} {want}");
        }
    }
}

#[test]
fn unknown_times_are_averaged_over() {
    let model = model([6.1, 2.4, 1.3, 6.0, 1.1, 9.0]);
    let likelihood = |h: History| model.quantity(h, Quantity::LogLikelihood).exp();
    let (recency, age) = (7.0, 11.0);
    let unknown = likelihood(History { frequency: 2, recency, age, log_intervals: None });
    // Where the first gap is u = t_x q⁴ / 2, or the second is.
    let mean = simpson(0.0, 1.0, 300, |q| {
        let first = 0.5 * recency * q.powi(4);
        if first == 0.0 { 0.0 } else { likelihood(history(&[first, recency - first], age)) * 4.0 * q.powi(3) }
    });
    assert!((mean / unknown - 1.0).abs() < 1e-6, "{mean} {unknown}");
    // One time is known from t_x.
    let one = History { frequency: 1, recency, age, log_intervals: None };
    assert_eq!(likelihood(one), likelihood(history(&[recency], age)));
}

fn some_histories() -> Vec<History> {
    vec![
        history(&[], 0.0),
        history(&[], 20.0),
        history(&[2.0, 3.0, 2.5], 9.0),
        history(&[2.0, 3.0, 2.5], 7.5),
        history(&[0.2, 6.0], 30.0),
        History { frequency: 4, recency: 9.0, age: 13.0, log_intervals: None },
    ]
}

#[test]
fn probabilities_add_up_and_their_mean_is_what_is_expected() {
    let p = [3.1, 1.4, 1.3, 6.0, 1.1, 9.0];
    let model = model(p);
    for h in some_histories() {
        let mass = model.probabilities_of(h, 6.0, 160);
        let mean: f64 = mass.iter().enumerate().map(|(n, m)| n as f64 * m).sum();
        let want = model.quantity(h, Quantity::Purchases { periods: 6.0 });
        println!("{h:?}: {mean} {want}");
        assert!(mass.iter().all(|m| *m >= 0.0));
        assert!((mass.iter().sum::<f64>() - 1.0).abs() < 1e-7, "{h:?} {}", mass.iter().sum::<f64>());
        assert!((mean - want).abs() < 1e-6 * (1.0 + want), "{h:?}: {mean} {want}");
    }
}

/// Purchases for ever are the Laplace transform of those in time.
#[test]
fn discounted_purchases_are_the_transform_of_expected_ones() {
    let rate = 0.4;
    for p in [PAPER, [6.1, 2.4, 1.3, 6.0, 1.1, 9.0]] {
        let model = model(p);
        for h in some_histories() {
            let at = |t: f64| model.quantity(h, Quantity::Purchases { periods: t });
            // t = e^v, as E grows like a power of t at first.
            let total = simpson(-14.0, 4.5, 74, |v| {
                let t = v.exp();
                if rate * t > 32.0 { 0.0 } else { rate * (-rate * t).exp() * at(t) * t }
            });
            let want = model.quantity(h, Quantity::Residual { rate });
            println!("{h:?}: {total} {want}");
            assert!((total / want - 1.0).abs() < 2e-4, "{h:?}: {total} {want}");
        }
    }
}

#[test]
fn of_equal_regularity_one_it_is_pareto_nbd() {
    let [r, alpha, s, beta] = [0.6, 11.0, 0.7, 9.0];
    let pareto = ParetoNbdModel::from_parameters([r, alpha, s, beta], 1, None).unwrap();
    let ggg = model([3e7, 3e7, r, alpha, s, beta]);
    for h in some_histories().into_iter().chain([history(&[1.0; 12], 40.0)]) {
        for quantity in [
            Quantity::LogLikelihood,
            Quantity::Alive { ahead: 0.0 },
            Quantity::Alive { ahead: 5.0 },
            Quantity::OddsAlive,
            Quantity::Purchases { periods: 20.0 },
            Quantity::WhileAlive { periods: 3.0 },
            Quantity::Residual { rate: 0.02 },
            Quantity::WhileAlive { periods: 4000.0 },
            Quantity::Rate,
        ] {
            let (got, want) = (ggg.quantity(h, quantity), pareto.quantity(h, quantity));
            let apart = if got == want { 0.0 } else { (got - want).abs() / (1.0 + want.abs()) };
            assert!(apart < 1e-6, "{h:?} {quantity:?}: {got} for {want}");
        }
        let (got, want) = (ggg.probabilities_of(h, 10.0, 12), pareto.probabilities_of(h, 10.0, 12));
        for (n, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got - want).abs() < 1e-6, "{h:?} {n}: {got} {want}");
        }
        let next = |m: &dyn Purchases| m.next_purchase_of(h, 0.1).unwrap_or(-1.0);
        let (got, want) = (next(&ggg), next(&pareto));
        assert!((got - want).abs() < 1e-4 * (2.0 + want), "{h:?} {got} {want}");
    }
}

#[test]
fn extremes_give_numbers() {
    let run = Run::new();
    for p in [PAPER, [0.3, 0.2, 0.1, 0.5, 0.05, 1e-3], [1e5, 1e4, 300.0, 700.0, 50.0, 1e4]] {
        let model = model(p);
        let many = history(&(0..400).map(|i| 0.1 + 0.05 * f64::from(i % 3)).collect::<Vec<_>>(), 90.0);
        let clumpy = history(&[1e-4, 20.0, 1e-4, 9.0, 1e-3], 30.0);
        for h in [
            History { age: 1e-6, ..History::default() },
            History { age: 1e5, ..History::default() },
            history(&[5.0, 5.0], 10.0),
            history(&[5.0, 5.0], 10.0 + 1e-9),
            many,
            History { age: many.recency, ..many },
            History { log_intervals: None, ..many },
            clumpy,
        ] {
            let started = std::time::Instant::now();
            let ask = |quantity| model.quantity(h, quantity);
            let alive = ask(Quantity::Alive { ahead: 0.0 });
            assert!((0.0..=1.0).contains(&alive), "{h:?} {alive}");
            for quantity in [
                Quantity::LogLikelihood,
                Quantity::WhileAlive { periods: 2.0 },
                Quantity::Residual { rate: 0.05 },
                Quantity::Rate,
            ] {
                assert!(ask(quantity).is_finite(), "{p:?} {h:?} {quantity:?} {}", ask(quantity));
            }
            let mass = model.probabilities_of(h, 2.0, 3);
            assert!(mass.iter().all(|m| (0.0..=1.0).contains(m)), "{h:?} {mass:?}");
            println!("{p:?} {h:?}: {:?}", started.elapsed());
        }
        let rows = RfmSlices {
            frequency: &[0.0, 2.0],
            recency: &[0.0, 3.0],
            age: &[5.0, 9.0],
            log_intervals: Some(&[0.0, 0.8]),
            ..RfmSlices::default()
        };
        let (value, gradient) = model.evaluate(&rows, &run).unwrap();
        assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()), "{p:?} {value} {gradient:?}");
    }
    // Many purchases to come, of which the first few are sure to have come long before.
    let faithful = model([400.0, 40.0, 2.0, 8.0, 1e-3, 1e4]);
    let often = history(&(0..90).map(|i| 0.45 + 0.01 * f64::from(i % 11)).collect::<Vec<_>>(), 46.0);
    for periods in [1.0, 50.0, 500.0, 5000.0] {
        let count = faithful.quantity(often, Quantity::WhileAlive { periods });
        let usual = faithful.quantity(often, Quantity::Rate) * periods;
        assert!((count / usual - 1.0).abs() < 0.3 / periods + 1e-3, "{periods}: {count} {usual}");
    }
    // The first purchases of a new customer have no mean number where E 1/k is infinite.
    let clumpy = model([0.9, 0.5, 1.0, 3.0, 0.5, 4.0]);
    let error = clumpy.expected_purchases(0.0, 0.0, 0.0, 1.0).unwrap_err().to_string();
    assert!(error.contains("mean of 1/k") && error.contains("probabilities"), "{error}");
    assert!(clumpy.residual_purchases(0.0, 0.0, 0.0, 0.1).is_err());
    let rows = Columns::new()
        .with("customer", vec!["new", "old"])
        .with("frequency", vec![0.0, 1.0])
        .with("recency", vec![0.0, 2.0])
        .with("T", vec![0.0, 2.0])
        .with("monetary_value", vec![0.0, 9.0]);
    let options = PredictOptions { discount_rate: Some(0.1.into()), ..PredictOptions::default() };
    let predicted = predict(&clumpy, &rows, &options, &Run::new()).unwrap().table();
    let spend = GammaGammaModel::from_parameters(6.25, 3.74, 15.44).unwrap();
    let options = LifetimeOptions { periods: 2.0.into(), ..LifetimeOptions::default() };
    let valued = lifetime_value(&clumpy, &spend, &rows, &options, &Run::new()).unwrap().table();
    for (table, name) in [
        (&predicted, "expected_purchases"),
        (&predicted, "residual_purchases"),
        (&valued, "expected_purchases"),
        (&valued, "lifetime_value"),
    ] {
        assert_eq!(table.get(name).unwrap().valid, Some(vec![false, true]), "{name}");
        assert!(table.f64s(name).unwrap()[1].is_finite());
    }
    assert!(clumpy.expected_purchases(0.0, 0.0, 0.1, 1.0).unwrap().is_finite());
}

#[test]
fn rows_that_cannot_be_are_named() {
    let run = Run::new();
    let rows = RfmSlices {
        frequency: &[0.0, 2.0, 3.0],
        recency: &[0.0, 3.0, 8.0],
        age: &[5.0, 9.0, 9.0],
        ..RfmSlices::default()
    };
    let error = ParetoGgg::new().fit(&rows, &run).unwrap_err();
    assert!(matches!(&error, Error::Column { column, .. } if column == "log_intervals"), "{error}");
    let sums = [0.0, 0.9, 1.0];
    let error = ParetoGgg::new().fit(&RfmSlices { log_intervals: Some(&sums), ..rows }, &run).unwrap_err();
    assert!(
        matches!(&error, Error::Row { column, row: 1, count: 1, .. } if column == "log_intervals"),
        "{error}"
    );
    let error =
        ParetoGgg::new().fit(&RfmSlices { log_intervals: Some(&sums[..2]), ..rows }, &run).unwrap_err();
    assert!(matches!(&error, Error::Column { .. }), "{error}");
    let at_once = RfmSlices { recency: &[0.0, 0.0, 8.0], log_intervals: Some(&sums), ..rows };
    assert!(matches!(ParetoGgg::new().fit(&at_once, &run), Err(Error::Row { .. })));
    let error = model(PAPER).p_alive(2.0, 0.0, 5.0, 0.0).unwrap_err();
    assert!(matches!(&error, Error::Option { option, .. } if option == "recency"), "{error}");
    // Other laws pass them by.
    assert!(ParetoNbd::new().penalty(0.1).fit(&RfmSlices { log_intervals: None, ..rows }, &run).is_ok());
}

/// Customers drawn from the law, observed for 30 to 40 periods.
struct Drawn {
    x: Vec<f64>,
    t_x: Vec<f64>,
    t: Vec<f64>,
    sums: Vec<f64>,
    /// Purchases in the 20 periods after.
    coming: Vec<f64>,
}

fn draw(p: [f64; 6], customers: usize) -> Drawn {
    use rand::{RngExt, SeedableRng};
    use rand_distr::{Distribution, Exp, Gamma};
    let [t, gamma, r, alpha, s, beta] = p;
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(11);
    let of = |shape: f64, rate: f64| Gamma::new(shape, 1.0 / rate).unwrap();
    let mut out =
        Drawn { x: Vec::new(), t_x: Vec::new(), t: Vec::new(), sums: Vec::new(), coming: Vec::new() };
    for i in 0..customers {
        let k: f64 = of(t, gamma).sample(&mut rng);
        let lambda: f64 = of(r, alpha).sample(&mut rng);
        let death: f64 = Exp::new(of(s, beta).sample(&mut rng)).unwrap().sample(&mut rng);
        let age = 30.0 + (i % 11) as f64;
        let _: f64 = rng.random();
        let gaps = of(k, k * lambda);
        let (mut now, mut seen, mut coming) = (0.0, (0.0, 0.0, 0.0), 0.0);
        loop {
            let gap: f64 = gaps.sample(&mut rng);
            now += gap;
            if now > death || now > age + 20.0 {
                break;
            }
            if now <= age {
                seen = (seen.0 + 1.0, now, seen.2 + gap.max(1e-12).ln());
            } else {
                coming += 1.0;
            }
        }
        out.coming.push(coming);
        out.x.push(seen.0);
        out.t_x.push(seen.1);
        out.t.push(age);
        out.sums.push(seen.2);
    }
    out
}

impl Drawn {
    fn slices(&self) -> RfmSlices<'_> {
        RfmSlices {
            frequency: &self.x,
            recency: &self.t_x,
            age: &self.t,
            log_intervals: Some(&self.sums),
            ..RfmSlices::default()
        }
    }
}

#[test]
fn a_fit_finds_the_law_that_customers_were_drawn_from() {
    let truth = [4.0, 1.3, 1.4, 6.0, 0.8, 20.0];
    let drawn = draw(truth, 800);
    let run = Run::new();
    let started = std::time::Instant::now();
    let fitted = ParetoGgg::new().fit(&drawn.slices(), &run).unwrap();
    let e = fitted.estimates();
    println!("{:?} {} steps, gradient {:e}", started.elapsed(), e.iterations, e.gradient_norm);
    println!("{:?} ± {:?}", e.values, e.standard_errors());
    for (i, truth) in truth.iter().enumerate() {
        let deviation = e.covariance[i][i].sqrt();
        let apart = (e.values[i] / truth).ln() / deviation;
        assert!(deviation < 0.5 && apart.abs() < 3.0, "{}: {apart} at {deviation}", e.names[i]);
    }
    // The gradient is that of the likelihood, and vanishes.
    let (value, gradient) = fitted.evaluate(&drawn.slices(), &run).unwrap();
    assert!((value - e.log_likelihood.unwrap()).abs() < 1e-9 * value.abs());
    assert!(gradient.iter().all(|g| g.abs() < 1e-5), "{gradient:?}");
    let pareto = ParetoNbd::new().fit(&drawn.slices(), &run).unwrap();
    assert!(e.log_likelihood.unwrap() > pareto.estimates().log_likelihood.unwrap() + 100.0);
    // Forecasts, and what came to the same customers.
    let expected: f64 = (0..300)
        .map(|i| {
            let h = History {
                frequency: drawn.x[i] as u32,
                recency: drawn.t_x[i],
                age: drawn.t[i],
                log_intervals: Some(drawn.sums[i]),
            };
            fitted.quantity(h, Quantity::Purchases { periods: 20.0 })
        })
        .sum();
    let came: f64 = drawn.coming[..300].iter().sum();
    println!("expected {expected}, came {came}");
    assert!((expected / came - 1.0).abs() < 0.2);
}

/// CDNOW, in weeks, until the end of September.
#[test]
fn cdnow_is_more_than_pareto_nbd() {
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
        period: "7d".parse().unwrap(),
        calibration_end: Some("1997-09-30".into()),
        observation_end: Some("1998-06-30".into()),
        log_intervals: true,
        ..SummarizeOptions::default()
    };
    let run = Run::new();
    let rfm = summarize(&frame, &how, &run).unwrap();
    assert_eq!(rfm.len(), 2357);
    let options = PurchaseOptions { period: rfm.slices().period, ..PurchaseOptions::default() };
    let started = std::time::Instant::now();
    let (ggg, _) = fit_purchases("clv.ParetoGGG", &rfm.table().into(), &options, &run).unwrap();
    let e = ggg.estimates();
    println!("{:?}: {} steps, {} rows, {:?}", started.elapsed(), e.iterations, e.distinct, e.verdict);
    println!("{:?} ± {:?}, {}", e.values, e.standard_errors(), e.log_likelihood.unwrap());
    let pareto = ParetoNbd::new().fit(&rfm.slices(), &run).unwrap();
    println!("{:?}, {}", pareto.estimates().values, pareto.estimates().log_likelihood.unwrap());
    assert!(e.log_likelihood.unwrap() > pareto.estimates().log_likelihood.unwrap());
    let test = likelihood_ratio(&pareto, &*ggg).unwrap();
    assert!(test.p_value > 0.3 && test.degrees_of_freedom == 2, "{test:?}");
    let gompertz = GGompertzNbd::new().tolerance(1e-6).fit(&rfm.slices(), &run).unwrap();
    let test = likelihood_ratio(&pareto, &gompertz).unwrap();
    println!("{test:?} {:?}", gompertz.estimates().verdict);
    assert!((0.0..=1.0).contains(&test.p_value));
    // The model travels.
    let again = purchases_from_bytes(&ggg.bytes().unwrap()).unwrap().unwrap();
    let h = history(&[3.0, 4.0], 30.0);
    let asked = Quantity::Purchases { periods: 39.0 };
    assert_eq!(again.quantity(h, asked), ggg.quantity(h, asked));
}

#[test]
fn laws_are_tested_against_those_that_contain_them() {
    let truth = [4.0, 1.3, 1.4, 6.0, 0.8, 20.0];
    let drawn = draw(truth, 250);
    let run = Run::new();
    let slices = drawn.slices();
    let pareto = ParetoNbd::new().fit(&slices, &run).unwrap();
    let ggg = ParetoGgg::new().fit(&slices, &run).unwrap();
    // Regular purchases are told from random ones, on three degrees of freedom less one at the edge.
    let test = likelihood_ratio(&pareto, &ggg).unwrap();
    assert_eq!(
        test.statistic,
        2.0 * (ggg.estimates().log_likelihood.unwrap() - pareto.estimates().log_likelihood.unwrap())
    );
    assert_eq!((test.degrees_of_freedom, &test.mixture[..]), (2, &[(1, 0.5), (2, 0.5)][..]));
    assert!(test.p_value < 1e-6, "{test:?}");
    let refused = |a: &dyn Purchases, b: &dyn Purchases, why: &str| {
        let error = likelihood_ratio(a, b).unwrap_err();
        assert!(matches!(&error, Error::Option { .. }) && error.to_string().contains(why), "{error}");
    };
    refused(&ggg, &pareto, "does not contain");
    refused(&pareto, &pareto, "and more");
    let random = BetaGeoCnbd::new().k(1).penalty(0.01).fit(&slices, &run).unwrap();
    let regular = BetaGeoCnbd::new().k(2).penalty(0.01).fit(&slices, &run).unwrap();
    refused(&random, &regular, "whole number");
    let fewer = draw(truth, 249);
    refused(&ParetoNbd::new().fit(&fewer.slices(), &run).unwrap(), &ggg, "same rows");
    let heavy = ParetoGgg::new().penalty(10.0).fit(&slices, &run).unwrap();
    refused(&pareto, &heavy, "without a penalty");
}
