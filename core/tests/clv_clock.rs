//! Clocks that run faster in some seasons.
#![allow(missing_docs)]
#![allow(clippy::disallowed_methods)] // references may be computed by the platform
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests as in tests

use headwater::clv::{
    BacktestOptions, ClockOptions, PurchaseOptions, Purchases, Rfm, RfmBuilder, SeasonalClock, Seasons,
    SummarizeOptions, TrackingOptions, Unit, Window, backtest, fit_purchases, summarize, tracking,
};
use headwater::column::{Columns, DAY, Data, Duration, Table, parse_time};
use headwater::{Error, Run, model, options};
use rand_distr::Distribution;

/// What the market's months are.
const SPEEDS: [f64; 12] = [0.7, 0.75, 0.9, 0.95, 1.0, 0.9, 0.8, 0.85, 1.0, 1.1, 1.45, 1.7];

fn weekly() -> SummarizeOptions {
    SummarizeOptions {
        period: "7d".parse().unwrap(),
        value: None,
        observation_end: Some("2024-12-31".into()),
        ..SummarizeOptions::default()
    }
}

/// Customers of a Pareto/NBD whose days are as long as the clock says: rates
/// and lives in days by the clock, purchases on at most one a day.
fn market(customers: usize, speed: &dyn Fn(i64) -> f64, days: std::ops::Range<i64>, seed: u64) -> Columns {
    let mut rng = Run::new().seed(seed).rng(0);
    let rate = rand_distr::Gamma::new(1.2, 1.0 / 25.0).unwrap();
    let death = rand_distr::Gamma::new(0.8, 1.0 / 250.0).unwrap();
    let unit = rand_distr::Exp::new(1.0).unwrap();
    let born = rand_distr::Uniform::new(0, (days.end - days.start) / 2).unwrap();
    let (mut who, mut when) = (Vec::new(), Vec::new());
    for customer in 0..customers {
        let first = days.start + born.sample(&mut rng);
        let (lambda, mu): (f64, f64) = (rate.sample(&mut rng), death.sample(&mut rng));
        let life = unit.sample(&mut rng) / mu;
        who.push(customer as i64);
        when.push(first * DAY);
        let (mut clock, mut next) = (0.0, unit.sample(&mut rng) / lambda);
        for day in first + 1..days.end {
            clock += speed(day);
            if next <= clock && next < life {
                who.push(customer as i64);
                when.push(day * DAY + DAY / 2);
                while next <= clock {
                    next += unit.sample(&mut rng) / lambda;
                }
            }
        }
    }
    Columns::new().with("customer", who).with("time", Data::times(when))
}

fn day(text: &str) -> i64 {
    parse_time(text).unwrap() / DAY
}

/// The month of a day, by a calendar of its own.
fn month(day: i64) -> usize {
    let (mut year, mut left) = (1970, day);
    loop {
        let leap = year % 4 == 0;
        for (m, days) in [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].iter().enumerate()
        {
            if left < *days {
                return m;
            }
            left -= days;
        }
        year += 1;
    }
}

fn seasonal(customers: usize, seed: u64) -> Columns {
    market(customers, &|day| SPEEDS[month(day)], day("2023-01-01")..day("2025-01-01"), seed)
}

fn fitted(orders: &Columns, how: &ClockOptions) -> headwater::Result<SeasonalClock> {
    SeasonalClock::fit(orders, how, &Run::new()).map(|found| found.0)
}

fn law(rfm: &Rfm, kind: &str) -> Box<dyn Purchases> {
    fit_purchases(kind, &rfm.table().into(), &PurchaseOptions::default(), &Run::new()).unwrap().0
}

#[test]
fn known_seasons_are_recovered() {
    let orders = seasonal(1500, 4);
    for model in ["ParetoNBD", "BetaGeo"] {
        let how = ClockOptions { model: model.into(), summarize: weekly(), ..ClockOptions::default() };
        let clock = fitted(&orders, &how).unwrap();
        let fit = clock.fitted().unwrap();
        let mut far = 0;
        for (m, truth) in SPEEDS.iter().enumerate() {
            let (gamma, error) = (clock.log_speeds()[m], fit.std_errors[m].unwrap());
            let z = (gamma - truth.ln()) / error;
            assert!(z.abs() < 4.0 && error < 0.15, "{model} {m} {gamma} {error} {z}");
            far += usize::from(z.abs() > 2.0);
        }
        assert!(far <= 3, "{model}: {far} of twelve are more than two standard errors off");
        let days = [31.0, 28.2425, 31.0, 30.0, 31.0, 30.0, 31.0, 31.0, 30.0, 31.0, 30.0, 31.0];
        let year: f64 = days.iter().zip(clock.log_speeds()).map(|(d, g)| d * g.exp()).sum();
        assert!((year - 365.2425).abs() < 1e-9);
        assert!(fit.log_likelihood > fit.log_likelihood_without + 50.0);
        let p = clock.fit_table().f64s("p").unwrap()[0];
        assert!(p < 1e-10, "{p}");

        // The likelihood by hand: that of the law by the clock, and the speeds at purchases.
        let rfm =
            summarize(&orders, &SummarizeOptions { clock: Some(clock.clone()), ..weekly() }, &Run::new());
        let by_law = law(&rfm.unwrap(), &format!("clv.{model}")).estimates().log_likelihood.unwrap();
        let gain: f64 = fit.purchases.iter().zip(clock.log_speeds()).map(|(n, g)| n * g).sum();
        assert!(
            (by_law + gain - fit.log_likelihood).abs() < 1e-6,
            "{} {}",
            by_law + gain,
            fit.log_likelihood
        );
    }
}

/// The likelihood of given speeds, by another way: a summary by that clock.
fn likelihood(orders: &Columns, log_speeds: &[f64], purchases: &[f64], seasons: &Seasons) -> f64 {
    let speeds: Vec<f64> = log_speeds.iter().map(|g| g.exp()).collect();
    let week: Unit = "7d".parse().unwrap();
    let clock = SeasonalClock::with_speeds(seasons.clone(), &speeds, week, Duration::from_days(1)).unwrap();
    let gain: f64 = purchases.iter().zip(clock.log_speeds()).map(|(n, g)| n * g).sum();
    let how = SummarizeOptions { clock: Some(clock), ..weekly() };
    law(&summarize(orders, &how, &Run::new()).unwrap(), "clv.BetaGeo").estimates().log_likelihood.unwrap()
        + gain
}

#[test]
fn no_other_speeds_are_likelier_and_errors_are_its_curvature() {
    let orders = seasonal(400, 9);
    let how = ClockOptions { seasons: Seasons::Quarter, summarize: weekly(), ..ClockOptions::default() };
    let clock = fitted(&orders, &how).unwrap();
    let fit = clock.fitted().unwrap();
    let best = clock.log_speeds().to_vec();
    let at = |moves: &[(usize, f64)]| {
        let mut moved = best.clone();
        moves.iter().for_each(|(s, by)| moved[*s] += by);
        likelihood(&orders, &moved, &fit.purchases, &Seasons::Quarter)
    };
    let top = at(&[]);
    assert!((top - fit.log_likelihood).abs() < 1e-6);
    let h = 0.02;
    for s in 0..4 {
        let (up, down) = (at(&[(s, h)]), at(&[(s, -h)]));
        assert!(up < top && down < top, "{s}");
        // The gradient is 0: both sides fall alike.
        assert!((up - down).abs() < 0.05 * (2.0 * top - up - down), "{s} {up} {top} {down}");
    }
    // Curvature of the profile likelihood on three of the four, by differences, inverted by hand.
    let bend = |i: usize, j: usize| {
        (at(&[(i, h), (j, h)]) - at(&[(i, h), (j, -h)]) - at(&[(i, -h), (j, h)]) + at(&[(i, -h), (j, -h)]))
            / (4.0 * h * h)
    };
    let m: Vec<Vec<f64>> = (0..3).map(|i| (0..3).map(|j| -bend(i, j)).collect()).collect();
    let det = |a: f64, b: f64, c: f64, d: f64| a * d - b * c;
    let cofactor = |i: usize, j: usize| {
        let (r, c) = ([(i + 1) % 3, (i + 2) % 3], [(j + 1) % 3, (j + 2) % 3]);
        det(m[r[0]][c[0]], m[r[0]][c[1]], m[r[1]][c[0]], m[r[1]][c[1]])
    };
    let whole: f64 = (0..3).map(|j| m[0][j] * cofactor(0, j)).sum();
    let covariance = |i: usize, j: usize| cofactor(j, i) / whole;
    // γ_0 of moves of the first three is 1 − w_0 v_0 of its own, less w v of the others.
    let share = [90.2425, 91.0, 92.0].map(|d| d / 365.2425);
    let slope = |s: usize, i: usize| f64::from(u8::from(s == i)) - share[i] * best[i].exp();
    for s in 0..4 {
        let variance: f64 = (0..3)
            .flat_map(|i| (0..3).map(move |j| (i, j)))
            .map(|(i, j)| slope(s, i) * covariance(i, j) * slope(s, j))
            .sum();
        let error = fit.std_errors[s].unwrap();
        assert!((error / variance.sqrt() - 1.0).abs() < 0.02, "{s} {error} {}", variance.sqrt());
    }
}

fn bits(table: &Table) -> Vec<(String, Vec<u64>)> {
    let columns = table.columns().iter().filter_map(|c| Some((c.name.clone(), table.f64s(&c.name)?)));
    columns.map(|(name, v)| (name, v.iter().map(|x| x.to_bits()).collect())).collect()
}

#[test]
fn a_clock_of_one_speed_is_no_clock_and_any_counts_day_by_day() {
    let orders = seasonal(200, 2);
    let how =
        SummarizeOptions { log_intervals: true, calibration_end: Some("2024-06-10".into()), ..weekly() };
    let plain = summarize(&orders, &how, &Run::new()).unwrap();
    let week: Unit = "7d".parse().unwrap();
    let windows = Seasons::Windows(vec![Window {
        name: "sale".into(),
        from: "2024-01-05".into(),
        until: "2024-01-15".into(),
    }]);
    for (seasons, n) in [(Seasons::Month, 12), (Seasons::Quarter, 4), (Seasons::Week, 52), (windows, 2)] {
        let one = SeasonalClock::with_speeds(seasons, &vec![1.0; n], week, Duration::from_days(1)).unwrap();
        let by = SummarizeOptions { clock: Some(one.clone()), ..how.clone() };
        let same = summarize(&orders, &by, &Run::new()).unwrap();
        let without =
            |t: &Table| bits(t).into_iter().filter(|(n, _)| n != "log_intervals").collect::<Vec<_>>();
        assert!(without(&same.table()) == without(&plain.table()), "{:?}", one.names());
        for (a, b) in same.log_intervals.iter().flatten().zip(plain.log_intervals.iter().flatten()) {
            assert!((a - b).abs() < 1e-12 * b.abs().max(1.0));
        }
        assert_eq!(one.span(&"2024-02-03".into(), 3.5).unwrap(), 3.5);
        let model = law(&plain, "clv.BetaGeo");
        let track = |clock| {
            let how = TrackingOptions { period: Some(week), clock, ..TrackingOptions::default() };
            bits(&tracking(&orders, &*model, &how, &Run::new()).unwrap().table())
        };
        assert!(track(Some(one)) == track(None));
    }

    // Twelve speeds: every age is the sum of its days, and so is what is ahead.
    let clock = SeasonalClock::with_speeds(Seasons::Month, &SPEEDS, week, Duration::from_days(1)).unwrap();
    let speed: Vec<f64> = clock.log_speeds().iter().map(|g| g.exp()).collect();
    let by = SummarizeOptions { clock: Some(clock.clone()), ..how };
    let found = summarize(&orders, &by, &Run::new()).unwrap();
    let sum = |from: i64, to: i64| (from + 1..=to).map(|d| speed[month(d)]).sum::<f64>() / 7.0;
    let end = day("2024-06-10");
    for row in 0..plain.len() {
        let first = end - (plain.age[row] * 7.0).round() as i64;
        assert!((found.age[row] - sum(first, end)).abs() < 1e-9);
        assert!(
            (found.recency[row] - sum(first, first + (plain.recency[row] * 7.0).round() as i64)).abs() < 1e-9
        );
    }
    assert_eq!(found.frequency, plain.frequency);
    let length = found.holdout.unwrap().duration;
    assert!((length - sum(end, day("2024-12-31"))).abs() < 1e-9);
    let weeks = (day("2024-12-31") - end) as f64 / 7.0;
    assert!((clock.span(&"2024-06-10T15:00".into(), weeks).unwrap() - length).abs() < 1e-9);
    assert!((clock.span(&"2022-12-31".into(), 1461.0 / 7.0).unwrap() * 7.0 - 1461.0).abs() < 0.05);

    // In parts, and from files.
    let mut builder = RfmBuilder::new(by.clone()).unwrap();
    builder.extend(&orders, &Run::new()).unwrap();
    let builder: RfmBuilder = model::from_bytes(&model::to_bytes(&builder).unwrap()).unwrap();
    let whole = summarize(&orders, &by, &Run::new()).unwrap();
    assert!(bits(&builder.summary(&Run::new()).unwrap().table()) == bits(&whole.table()));
}

#[test]
fn a_seasonal_forecast_beats_a_plain_one() {
    let orders = seasonal(1500, 21);
    let calibration = Some("2024-09-30".into());
    let how = SummarizeOptions { calibration_end: calibration.clone(), ..weekly() };
    let options =
        ClockOptions { model: "ParetoNBD".into(), summarize: how.clone(), ..ClockOptions::default() };
    let clock = fitted(&orders, &options).unwrap();
    let bias = |clock: Option<SeasonalClock>| {
        let how = BacktestOptions {
            model: "ParetoNBD".into(),
            origins: vec!["2024-09-30".into()],
            horizon: "92d".parse().unwrap(),
            summarize: SummarizeOptions { clock, calibration_end: None, observation_end: None, ..weekly() },
            ..BacktestOptions::default()
        };
        let found = backtest(&orders, &how, &Run::new()).unwrap();
        found[0].1.f64s("relative_bias").unwrap()[0].abs()
    };
    let (plain, seasonal) = (bias(None), bias(Some(clock.clone())));
    assert!(plain > 0.2 && seasonal < 0.12, "{plain} {seasonal}");

    // Tracked week by week: the clock is nearer in most.
    let misses = |clock: Option<SeasonalClock>| -> f64 {
        let rfm = summarize(&orders, &SummarizeOptions { clock: clock.clone(), ..how.clone() }, &Run::new());
        let model = law(&rfm.unwrap(), "clv.ParetoNBD");
        let how = TrackingOptions {
            period: Some("7d".parse().unwrap()),
            clock,
            observation_end: Some("2024-12-31".into()),
            ..TrackingOptions::default()
        };
        let table = tracking(&orders, &*model, &how, &Run::new()).unwrap().table();
        let (a, e) = (table.f64s("actual").unwrap(), table.f64s("expected").unwrap());
        a.iter().zip(e).map(|(a, e)| (a - e) * (a - e)).sum()
    };
    assert!(misses(Some(clock)) < 0.6 * misses(None));
}

#[test]
fn windows_of_ones_own_are_seasons_too() {
    let sale = [("2023-03-01", "2023-03-15"), ("2023-11-20", "2023-12-01"), ("2024-03-01", "2024-03-15")];
    let ranges: Vec<(i64, i64)> = sale.iter().map(|(a, b)| (day(a), day(b))).collect();
    let speed = |d: i64| if ranges.iter().any(|(a, b)| (*a..*b).contains(&d)) { 3.0 } else { 1.0 };
    let orders = market(600, &speed, day("2023-01-01")..day("2025-01-01"), 5);
    let window = |(from, until): &(&str, &str)| Window {
        name: "sale".into(),
        from: (*from).into(),
        until: (*until).into(),
    };
    let seasons = Seasons::Windows(sale.iter().map(window).collect());
    let how = ClockOptions { seasons, summarize: weekly(), ..ClockOptions::default() };
    let clock = fitted(&orders, &how).unwrap();
    assert_eq!(clock.names(), ["other", "sale"]);
    let ratio = clock.log_speeds()[1] - clock.log_speeds()[0];
    let fit = clock.fitted().unwrap();
    let error = fit.std_errors[1].unwrap() + fit.std_errors[0].unwrap();
    assert!((ratio - 3_f64.ln()).abs() < 4.0 * error && error < 0.12, "{ratio} {error}");
    let again: SeasonalClock = model::from_bytes(&model::to_bytes(&clock).unwrap()).unwrap();
    assert_eq!(again, clock);
    // As an option in JSON: what the bindings pass.
    let json =
        format!(r#"{{"period": "7d", "value": null, "clock": {}}}"#, serde_json::to_string(&clock).unwrap());
    let read: SummarizeOptions = options::parse(&json).unwrap();
    assert_eq!(read.clock.as_ref(), Some(&clock));
    summarize(&orders, &read, &Run::new()).unwrap();

    // Pulled to no seasons at all.
    let tight = fitted(&orders, &ClockOptions { penalty: 1e6, ..how.clone() }).unwrap();
    assert!(tight.log_speeds().iter().all(|g| g.abs() < 0.01));
    // The same on one thread, and in any order of rows.
    let one = SeasonalClock::fit(&orders, &how, &Run::new().threads(1)).unwrap().0;
    assert_eq!(one, clock);
}

#[test]
fn what_cannot_be_is_one_clear_error() {
    let orders = seasonal(60, 1);
    let short = SummarizeOptions { observation_end: Some("2023-02-10".into()), ..weekly() };
    let fit = |how: ClockOptions| fitted(&orders, &how).unwrap_err();
    let of = |summarize: SummarizeOptions| ClockOptions { summarize, ..ClockOptions::default() };
    let told = |error: Error, code: &str, said: &str| {
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    };
    told(
        fit(ClockOptions { seasons: Seasons::Week, ..of(short) }),
        "HW_NOT_ENOUGH_DATA",
        "nobody bought again",
    );
    let month = SummarizeOptions { period: Unit::Month, ..weekly() };
    told(fit(of(month)), "HW_OPTION", "fixed span");
    told(fit(ClockOptions { model: "BetaGeoCNBD".into(), ..of(weekly()) }), "HW_OPTION", "at random");
    told(fit(ClockOptions { penalty: -1.0, ..of(weekly()) }), "HW_OPTION", "penalty");
    let week: Unit = "7d".parse().unwrap();
    let day = Duration::from_days(1);
    let clock = SeasonalClock::with_speeds(Seasons::Quarter, &[1.0, 1.0, 1.0, 2.0], week, day).unwrap();
    let by = |how: SummarizeOptions| SummarizeOptions { clock: Some(clock.clone()), ..how };
    for (how, said) in [
        (by(SummarizeOptions { period: "1d".parse().unwrap(), ..weekly() }), "counts in periods of 7d"),
        (by(SummarizeOptions { grain: "12h".parse().unwrap(), ..weekly() }), "counts grains of 1d"),
    ] {
        told(summarize(&orders, &how, &Run::new()).unwrap_err(), "HW_OPTION", said);
    }
    told(fit(of(by(weekly()))), "HW_OPTION", "leave it out");
    for speeds in [&[1.0; 3][..], &[1.0, 1.0, 1.0, 0.0], &[1.0, 1.0, 1.0, f64::NAN]] {
        let error = SeasonalClock::with_speeds(Seasons::Quarter, speeds, week, day).unwrap_err();
        told(error, "HW_OPTION", "quarter_1, quarter_2");
    }
    told(clock.span(&"2024-01-01".into(), -1.0).unwrap_err(), "HW_OPTION", "from 0");
    told(clock.span(&"soon".into(), 1.0).unwrap_err(), "HW_OPTION", "not a time");
    for (seasons, said) in [
        (r#""moon""#, "not month"),
        ("[]", "windows"),
        (r#"[{"name": "a", "from": "2024-01-02", "until": "2024-01-02"}]"#, "before it begins"),
        (r#"[{"name": "other", "from": "2024-01-01", "until": "2024-01-02"}]"#, "other than"),
        (
            r#"[{"name": "a", "from": "2024-01-01", "until": "2024-01-09"}, {"name": "b", "from": "2024-01-08", "until": "2024-01-10"}]"#,
            "overlap",
        ),
    ] {
        let error = options::parse::<ClockOptions>(&format!(r#"{{"seasons": {seasons}}}"#))
            .and_then(|how| fitted(&orders, &ClockOptions { summarize: weekly(), ..how }))
            .unwrap_err();
        told(error, "HW_OPTION", said);
    }
    let file = String::from_utf8(model::to_bytes(&clock).unwrap()).unwrap();
    let inside = file.split_once("\"model\":").unwrap().1.strip_suffix('}').unwrap();
    let load = |inside: &str| serde_json::from_str::<SeasonalClock>(inside);
    assert_eq!(load(inside).unwrap(), clock);
    for (from, to) in [(r#""7d""#, r#""month""#), (r#""quarter""#, r#""month""#), (r#""1d""#, r#""0d""#)] {
        assert!(load(&inside.replace(from, to)).is_err(), "{to}");
    }
}
