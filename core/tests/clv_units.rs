//! Horizons and discount rates that carry their unit, beside the same in periods.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use headwater::clv::finance::Rate;
use headwater::clv::posterior::{DrawPredictOptions, Posterior};
use headwater::clv::{
    DiscountRate, GammaGammaModel, Horizon, LifetimeOptions, NewCustomerOptions, PredictOptions, Purchases,
    Unit, lifetime_value, predict, purchases_with,
};
use headwater::column::{Columns, Table};
use headwater::{Result, Run};

fn customers() -> Columns {
    Columns::new()
        .with("customer", vec!["a", "b", "c", "d", "e", "f", "g"])
        .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
        .with("recency", vec![0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0])
        .with("T", vec![35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0])
        .with("monetary_value", vec![0.0, 12.0, 35.0, 8.0, 60.0, 25.0, 42.0])
        .with("many", vec![1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0])
}

fn model(period: Option<&str>) -> Result<Box<dyn Purchases>> {
    let period = period.map(str::parse::<Unit>).transpose()?;
    purchases_with("clv.ParetoNBD", &[0.55, 10.6, 0.61, 11.7], 1, period)
}

fn value(period: Option<&str>, options: &LifetimeOptions) -> Result<Table> {
    let spend = GammaGammaModel::from_parameters(6.25, 3.74, 15.44)?;
    Ok(lifetime_value(&*model(period)?, &spend, &customers(), options, &Run::new())?.table())
}

fn span(text: &str) -> Horizon {
    text.parse().unwrap()
}

fn yearly(rate: f64) -> DiscountRate {
    Rate::new(rate, "365d".parse().unwrap()).into()
}

#[test]
fn a_rate_and_a_span_are_those_of_the_models_period() -> Result<()> {
    for (period, days, long) in [("7d", 7.0, "364d"), ("1d", 1.0, "30d"), ("month", 365.2425 / 12.0, "year")]
    {
        let weekly = 1.1_f64.powf(days / 365.0) - 1.0;
        let periods = match long {
            "364d" => 52.0,
            "30d" => 30.0,
            _ => 12.0,
        };
        let of = |periods: Horizon, discount_rate: DiscountRate| {
            value(Some(period), &LifetimeOptions { periods, discount_rate, ..LifetimeOptions::default() })
        };
        let (want, got) = (of(periods.into(), weekly.into())?, of(span(long), yearly(0.1))?);
        let near = |want: &Table, got: &Table, column: &str| {
            let (want, got) = (want.f64s(column).unwrap(), got.f64s(column).unwrap());
            assert_eq!(want.len(), got.len());
            for (a, b) in want.iter().zip(got) {
                assert!((a / b - 1.0).abs() < 1e-12, "{column} by {period}: {a} {b}");
            }
        };
        near(&want, &got, "expected_purchases");
        near(&want, &got, "lifetime_value");
        let of = |periods: Horizon, rate: DiscountRate| -> Result<Table> {
            let options = PredictOptions {
                periods,
                ahead: Some(periods),
                discount_rate: Some(rate),
                ..PredictOptions::default()
            };
            Ok(predict(&*model(Some(period))?, &customers(), &options, &Run::new())?.table())
        };
        let (want, got) = (of(periods.into(), weekly.into())?, of(span(long), yearly(0.1))?);
        for column in ["expected_purchases", "p_alive_ahead", "residual_purchases"] {
            near(&want, &got, column);
        }
    }
    Ok(())
}

#[test]
fn a_model_that_does_not_know_its_period_says_so() -> Result<()> {
    let yearly_rate = LifetimeOptions { discount_rate: yearly(0.1), ..LifetimeOptions::default() };
    let year = LifetimeOptions { periods: span("364d"), ..LifetimeOptions::default() };
    for (options, name) in [(&yearly_rate, "discount_rate"), (&year, "periods")] {
        let error = value(None, options).unwrap_err();
        assert_eq!(error.code(), "HW_OPTION");
        let text = error.to_string();
        assert!(text.contains(name) && text.contains("does not know how long its period is"), "{text}");
        // The rows may tell it.
        let told = LifetimeOptions { period: Some("7d".parse()?), ..options.clone() };
        assert_eq!(value(None, &told)?, value(Some("7d"), options)?);
    }
    let ahead = PredictOptions { ahead: Some(span("91d")), ..PredictOptions::default() };
    let error = predict(&*model(None)?, &customers(), &ahead, &Run::new()).unwrap_err();
    assert!(error.to_string().contains("ahead"), "{error}");
    let new = NewCustomerOptions { horizons: vec![span("91d"), 26.0.into()], ..Default::default() };
    let json = serde_json::to_string(&new).unwrap();
    let tables = model(Some("7d"))?.report("new_customer", None, &json, &Run::new())?;
    assert_eq!(tables[1].1.f64s("periods").unwrap(), [13.0, 26.0]);
    assert!(model(None)?.report("new_customer", None, &json, &Run::new()).is_err());
    Ok(())
}

#[test]
fn a_span_that_is_valued_is_a_whole_number_of_periods() -> Result<()> {
    let of = |periods: Horizon| {
        value(Some("7d"), &LifetimeOptions { periods, ..LifetimeOptions::default() }).unwrap_err().to_string()
    };
    let text = of(span("365d"));
    assert!(text.contains("52.1429 periods of 7d") && text.contains("give 52"), "{text}");
    for periods in [0.0, 1.5, -1.0, 1e6, f64::NAN, f64::INFINITY] {
        assert!(of(periods.into()).contains("periods"));
    }
    for rate in [yearly(-0.1), yearly(f64::NAN), Rate::new(0.1, "0d".parse()?).into(), (-0.5).into()] {
        let options = LifetimeOptions { discount_rate: rate, ..LifetimeOptions::default() };
        assert!(value(Some("7d"), &options).unwrap_err().to_string().contains("discount_rate"));
    }
    let read = |json: &str| headwater::options::parse::<PredictOptions>(json);
    assert_eq!(read(r#"{"periods": 3, "ahead": "91d"}"#)?.ahead, Some(span("91d")));
    assert_eq!(read(r#"{"discount_rate": {"rate": 0.1, "per": "365d"}}"#)?.discount_rate, Some(yearly(0.1)));
    for (json, name) in [
        (r#"{"periods": "soon"}"#, "periods"),
        (r#"{"ahead": [1]}"#, "ahead"),
        (r#"{"discount_rate": {"rate": 0.1}}"#, "discount_rate"),
    ] {
        let text = read(json).unwrap_err().to_string();
        assert!(text.contains(name) && text.contains("365d"), "{text}");
    }
    Ok(())
}

#[test]
fn draws_know_their_period() -> Result<()> {
    let (run, frame) = (Run::new(), customers());
    let options = r#"{"period": "7d", "weight": "many", "draws": 20, "chains": 1}"#;
    let (draws, _) = Posterior::fit("laplace", "clv.BetaGeo", &frame, options, &run)?;
    let of = |periods: Horizon| {
        Ok(draws.predict(&frame, &DrawPredictOptions { periods, ..Default::default() }, &run)?.table())
    };
    let (want, got): (Result<Table>, Result<Table>) = (of(13.0.into()), of(span("91d")));
    assert_eq!(want?, got?);
    Ok(())
}
