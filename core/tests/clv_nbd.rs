//! NBD beside integrals over customers' rates, and beside the law with dropout where nobody drops out.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use headwater::clv::posterior::{PosteriorOptions, laplace};
use headwater::clv::{
    BetaGeo, Candidate, CompareOptions, History, Nbd, NbdModel, Purchases, Quantity, RfmSlices,
    compare_purchases, purchases_from_bytes,
};
use headwater::column::Columns;
use headwater::math::ln_gamma;
use headwater::{Result, Run};
use support::draws::Draws;

/// ∫ f(λ) Gamma(λ; r, α) dλ by the trapezoidal rule on ln λ, which is exact but for rounding.
fn over_rates([r, alpha]: [f64; 2], f: impl Fn(f64) -> f64) -> f64 {
    let step = 0.01;
    (-4000..1500)
        .map(|i| {
            let at = f64::from(i) * step;
            let rate = at.exp();
            step * (r * (alpha.ln() + at) - alpha * rate - ln_gamma(r)).exp() * f(rate)
        })
        .sum()
}

fn near(got: f64, want: f64, what: &str) {
    assert!((got - want).abs() < 1e-10 * want.abs().max(0.1), "{what}: {got} for {want}");
}

#[test]
fn quantities_are_integrals_over_rates() -> Result<()> {
    for p in [[0.7, 9.0], [2.5, 1.3]] {
        let model = NbdModel::from_parameters(p, 1, None)?;
        for (x, recency, age) in [(0_u32, 0.0, 0.0), (0, 0.0, 13.0), (3, 9.0, 20.0), (40, 12.0, 12.0)] {
            let history = History { frequency: x, recency, age, ..History::default() };
            let seen = |rate: f64| rate.powi(x as i32) * (-rate * age).exp();
            let all = over_rates(p, seen);
            let after = |f: &dyn Fn(f64) -> f64| over_rates(p, |rate| seen(rate) * f(rate)) / all;
            near(model.quantity(history, Quantity::LogLikelihood), all.ln(), "likelihood");
            near(model.quantity(history, Quantity::Rate), after(&|rate| rate), "rate");
            near(
                model.quantity(history, Quantity::Purchases { periods: 7.0 }),
                after(&|rate| 7.0 * rate),
                "purchases",
            );
            near(
                model.quantity(history, Quantity::Residual { rate: 0.02 }),
                after(&|rate| rate / 0.02),
                "residual",
            );
            near(model.quantity(history, Quantity::Alive { ahead: 30.0 }), 1.0, "alive");
            for (n, found) in model.probabilities_of(history, 5.0, 6).into_iter().enumerate() {
                let n = n as f64;
                let want = after(&|rate| (n * (5.0 * rate).ln() - 5.0 * rate - ln_gamma(n + 1.0)).exp());
                near(found, want, "probability");
            }
        }
    }
    Ok(())
}

/// Customers who never leave.
fn simulate(n: usize) -> [Vec<f64>; 3] {
    let mut draws = Draws::new(3);
    let (mut frequency, mut recency, mut age) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..n {
        let (rate, end) = (draws.gamma(1.4) / 8.0, 30.0 + (i % 9) as f64);
        let (mut x, mut last, mut t) = (0.0, 0.0, draws.exponential() / rate);
        while t <= end {
            (x, last) = (x + 1.0, t);
            t += draws.exponential() / rate;
        }
        frequency.push(x);
        recency.push(last);
        age.push(end);
    }
    [frequency, recency, age]
}

#[test]
fn it_is_what_the_others_are_where_nobody_leaves() -> Result<()> {
    let run = Run::new();
    let [frequency, recency, age] = simulate(3000);
    let rows = RfmSlices { frequency: &frequency, recency: &recency, age: &age, ..RfmSlices::default() };
    let model = Nbd::new().fit(&rows, &run)?;
    let (value, gradient) = model.evaluate(&rows, &run)?;
    assert!(gradient.iter().all(|g| g.abs() < 1e-5), "{gradient:?}");
    for (got, (truth, error)) in
        model.params().iter().zip([1.4, 8.0].into_iter().zip(model.estimates().standard_errors()))
    {
        assert!((got - truth).abs() < 4.0 * error.unwrap(), "{got} for {truth}");
    }
    let by_hand: f64 = (0..rows.len())
        .map(|i| {
            let ([r, alpha], x, t) = (model.params(), frequency[i], age[i]);
            ln_gamma(r + x) - ln_gamma(r) + r * alpha.ln() - (r + x) * (alpha + t).ln()
        })
        .sum();
    assert!((value - by_hand).abs() < 1e-7 * by_hand.abs());
    // Everybody bought at the end: no sign of dropout at all.
    let bought: Vec<f64> = age.iter().zip(&frequency).map(|(t, x)| if *x > 0.0 { *t } else { 0.0 }).collect();
    let rows = RfmSlices { recency: &bought, ..rows };
    let (plain, richer) = (Nbd::new().fit(&rows, &run)?, BetaGeo::new().fit(&rows, &run)?);
    let fits = [plain.estimates(), richer.estimates()].map(|e| e.log_likelihood.unwrap());
    assert!((fits[0] - fits[1]).abs() < 1e-3, "{fits:?}");
    let back = purchases_from_bytes(&headwater::model::to_bytes(&plain)?)?.unwrap();
    assert_eq!((back.kind(), &back.estimates().values), ("clv.NBD", &plain.estimates().values));

    let frame = Columns::new().with("frequency", frequency).with("recency", recency).with("T", age);
    let models = ["BetaGeo", "NBD", "ParetoNBD"].map(|name| Candidate::Name(name.into())).to_vec();
    let options = CompareOptions { models, ..CompareOptions::default() };
    let table = &compare_purchases(&frame, &options, &run)?[0].1;
    assert_eq!(table.text("model", 0).as_deref(), Some("NBD")); // two parameters less
    let (drawn, _) = laplace("NBD", &frame, &PosteriorOptions::default(), &run)?;
    assert!((drawn.estimate()[0] / model.params()[0] - 1.0).abs() < 0.01);
    Ok(())
}
