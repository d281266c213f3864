//! Options that mean nothing to a model are refused, and what is wrong with the others is said in words.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use headwater::clv::contract::{Contract, ContractOptions};
use headwater::clv::finance::Rate;
use headwater::clv::posterior::{
    BootstrapOptions, DrawPredictOptions, Posterior, PosteriorCheckOptions, PosteriorOptions, Prior,
    bootstrap, laplace, sample_posterior,
};
use headwater::clv::{CompareOptions, GammaGammaOptions, gamma_gamma};
use headwater::column::Columns;
use headwater::options::parse;
use headwater::{Error, Result, Run};
use support::draws::Draws;

fn customers() -> Columns {
    Columns::new()
        .with("customer", vec!["a", "b", "c", "d", "e", "f", "g"])
        .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
        .with("recency", vec![0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0])
        .with("T", vec![35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0])
        .with("monetary_value", vec![0.0, 12.0, 35.0, 8.0, 60.0, 25.0, 42.0])
        .with("many", vec![1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0])
        .with("renewals", vec![0, 1, 1, 2, 2, 6, 6])
}

fn cohort() -> Columns {
    Columns::new()
        .with("period", vec![0, 1, 2, 3, 4])
        .with("customers", vec![1000.0, 869.0, 743.0, 653.0, 593.0])
}

fn draws(kind: &str) -> Result<Posterior> {
    let retention = kind == "ShiftedBetaGeo";
    let weight = (!retention).then(|| "many".to_owned());
    let options = PosteriorOptions { weight, chains: 1, draws: 20, ..PosteriorOptions::default() };
    let frame = if retention { cohort() } else { customers() };
    Ok(laplace(kind, &frame, &options, &Run::new())?.0)
}

fn refused<T>(found: Result<T>, option: &str) {
    match found {
        Err(Error::Option { option: named, reason }) => assert_eq!(named, option, "{reason}"),
        Err(other) => unreachable!("{option}: {other}"),
        Ok(_) => unreachable!("{option} was not refused"),
    }
}

#[test]
fn draws_refuse_what_they_do_not_read() -> Result<()> {
    let run = Run::new();
    let default = DrawPredictOptions::default;
    let discount = Some(Rate::new(0.1, "365d".parse()?));
    for (kind, options, option) in [
        ("BetaGeo", DrawPredictOptions { margin: 2.0, ..default() }, "margin"),
        ("BetaGeo", DrawPredictOptions { discount, ..default() }, "discount"),
        ("BetaGeo", DrawPredictOptions { monetary_value: "many".into(), ..default() }, "monetary_value"),
        ("GammaGamma", DrawPredictOptions { periods: 4.0.into(), ..default() }, "periods"),
        ("GammaGamma", DrawPredictOptions { age: "many".into(), ..default() }, "T"),
        ("GammaGamma", DrawPredictOptions { horizon: Some(3), ..default() }, "horizon"),
        ("ShiftedBetaGeo", DrawPredictOptions { rate: true, ..default() }, "rate"),
        (
            "ShiftedBetaGeo",
            DrawPredictOptions { discount_rate: Some(0.1.into()), ..default() },
            "discount_rate",
        ),
    ] {
        refused(draws(kind)?.predict(&customers(), &options, &run), option);
        draws(kind)?.predict(&customers(), &default(), &run)?;
    }
    let contract = Some(ContractOptions::default());
    let checks = PosteriorCheckOptions::default;
    refused(
        draws("BetaGeo")?.check(&customers(), &PosteriorCheckOptions { contract, ..checks() }, &run),
        "contract",
    );
    refused(
        draws("GammaGamma")?.check(&customers(), &PosteriorCheckOptions { most: 4, ..checks() }, &run),
        "most",
    );
    Ok(())
}

#[test]
fn so_do_those_who_draw() {
    let run = Run::new();
    let default = PosteriorOptions::default;
    for (kind, options, option) in [
        ("BetaGeo", PosteriorOptions { monetary_value: "many".into(), ..default() }, "monetary_value"),
        ("BetaGeo", PosteriorOptions { coefficient_sd: Some(0.5), ..default() }, "coefficient_sd"),
        ("GammaGamma", PosteriorOptions { recency: "many".into(), ..default() }, "recency"),
        ("ShiftedBetaGeo", PosteriorOptions { frequency: "many".into(), ..default() }, "frequency"),
        ("ShiftedBetaGeo", PosteriorOptions { weight: Some("many".into()), ..default() }, "weight"),
    ] {
        let frame = if kind == "ShiftedBetaGeo" { cohort() } else { customers() };
        refused(sample_posterior(kind, &frame, &options, &run), option);
    }
    let weight = BootstrapOptions { weight: Some("many".into()), ..BootstrapOptions::default() };
    refused(bootstrap("ShiftedBetaGeo", &cohort(), &weight, &run), "weight");
    for (json, option) in [
        (r#"{"weight": "many"}"#, "weight"),
        (r#"{"entry": "many"}"#, "entry"),
        (r#"{"data": "customers", "start": 1}"#, "start"),
        (r#"{"data": "customers", "index": "month"}"#, "index"),
    ] {
        refused(Contract::fit("ShiftedBetaGeo", &cohort(), json, &run), option);
    }
}

#[test]
fn no_mode_is_no_approximation() -> Result<()> {
    let run = Run::new();
    // Spend that does not differ between customers more than chance makes it: q and v run off.
    let frame = Columns::new()
        .with("frequency", vec![4.0, 4.0, 4.0, 4.0])
        .with("monetary_value", vec![10.0, 10.1, 9.9, 10.05]);
    let flat = PosteriorOptions { prior: Prior::Flat, chains: 1, draws: 20, ..PosteriorOptions::default() };
    let Err(Error::NotConverged { hint, .. }) = laplace("GammaGamma", &frame, &flat, &run) else {
        unreachable!("a mode at the edge of the prior")
    };
    assert!(hint.contains("`weak`") && hint.contains("`priors`"), "{hint}");
    let weak = PosteriorOptions { prior: Prior::Weak, ..flat.clone() };
    let found = laplace("GammaGamma", &frame, &weak, &run);
    assert!(found.is_ok_and(|(found, _)| found.len() == 20));
    // Where there is a mode, it is the fit with the flat prior.
    let mut draws = Draws::new(5);
    let frequency: Vec<f64> = (0..400).map(|i| 1.0 + f64::from(i % 4)).collect();
    let money =
        frequency.iter().map(|x| draws.gamma(6.0 * x) / (x * draws.gamma(4.0) / 15.0)).collect::<Vec<_>>();
    let frame = Columns::new().with("frequency", frequency).with("monetary_value", money);
    let (found, _) = laplace("GammaGamma", &frame, &flat, &run)?;
    let (fit, _) = gamma_gamma(&frame, &GammaGammaOptions::default(), &run)?;
    assert!((found.estimate()[0] / fit.params()[0] - 1.0).abs() < 1e-5);
    Ok(())
}

#[test]
fn too_few_amounts_are_one_message() {
    let run = Run::new();
    let frame = Columns::new().with("frequency", vec![2.0, 1.0]).with("monetary_value", vec![10.0, 12.0]);
    let of_fit = gamma_gamma(&frame, &GammaGammaOptions::default(), &run).unwrap_err().to_string();
    assert!(of_fit.contains("three or more different mean values"), "{of_fit}");
    let of_draws = laplace("GammaGamma", &frame, &PosteriorOptions::default(), &run).unwrap_err();
    assert_eq!(of_draws.to_string(), of_fit);
    let of_refits = bootstrap("GammaGamma", &frame, &BootstrapOptions::default(), &run).unwrap_err();
    assert_eq!(of_refits.to_string(), of_fit);
}

#[test]
fn rates_may_be_per_month() -> Result<()> {
    let monthly: Rate = parse(r#"{"rate": 0.01, "per": "month"}"#)?;
    let year = "year".parse::<headwater::clv::Unit>()?.length();
    assert!((monthly.over(year) - (1.01_f64.powi(12) - 1.0)).abs() < 1e-12);
    assert_eq!(parse::<Rate>(r#"{"rate": 0.1, "per": "365d"}"#)?, Rate::new(0.1, "365d".parse()?));
    let text = parse::<Rate>(r#"{"rate": 0.1, "per": "moon"}"#).unwrap_err().to_string();
    assert!(text.contains("per") && text.contains("month, quarter or year"), "{text}");
    Ok(())
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let told = |error: Error| error.to_string();
    let missing = parse::<PosteriorOptions>(r#"{"priors": {"a": {"median": 0.5}}}"#).unwrap_err();
    assert_eq!(told(missing), "option `priors.a`: `sd` is missing: give it too");
    let candidate =
        parse::<CompareOptions>(r#"{"models": ["BetaGeo", {"model": "BetaGeoCNBD"}]}"#).unwrap_err();
    assert!(told(candidate).contains(r#"{"model": "BetaGeoCNBD", "k": 3}"#));
    let contract = parse::<PosteriorOptions>(r#"{"contract": {"start": -1}}"#).unwrap_err();
    assert_eq!(
        told(contract),
        "option `contract.start`: is integer `-1`, where a whole number from 0 is expected"
    );
    let unknown = parse::<PosteriorOptions>(r#"{"contract": {"begin": 1}}"#).unwrap_err();
    assert!(
        told(unknown).starts_with("option `contract.begin`: there is no option `begin`; there is `data`, ")
    );
}
