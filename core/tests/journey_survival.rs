//! Times to convert, lags and friction: published numbers, simulations, real data.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::naive_bytecount, clippy::print_stdout)]

use std::path::PathBuf;

use headwater::Run;
use headwater::column::{Columns, Table};
use headwater::journey::{
    Conversions, DifferenceOptions, EventOptions, FrictionOptions, Journeys, Open, PathOptions, Policies,
    TimeToConvertOptions, Touches,
};
use proptest::prelude::*;
use rand::Rng;

const DAY: i64 = 86_400_000_000;

/// Spells of days from the first touch, as journeys: converted, or open with a last touch at that time.
fn spells(days: &[(i64, bool)]) -> Journeys {
    let (mut customer, mut time, mut buyer, mut sold) = (vec![], vec![], vec![], vec![]);
    for (i, (length, converts)) in days.iter().enumerate() {
        customer.push(i as u32);
        time.push(0);
        if *converts {
            buyer.push(i as u32);
            sold.push(length * DAY);
        } else {
            customer.push(i as u32);
            time.push(length * DAY);
        }
    }
    let channel = vec![0; customer.len()];
    let touches = Touches { customer: &customer, time: &time, channel: &channel, cost: None };
    let conversions = Conversions { customer: &buyer, time: &sold, value: None };
    let lookback = headwater::column::Duration::from_days(1_000);
    let policies = Policies { lookback, ..Policies::default() };
    Journeys::build(&touches, &conversions, &policies, &Run::new()).unwrap()
}

fn near(found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (f, w) in found.iter().zip(wanted) {
        assert!((f - w).abs() < tolerance, "{found:?} for {wanted:?}");
    }
}

fn known(table: &Table, name: &str) -> Vec<Option<f64>> {
    let valid = table.get(name).unwrap().valid.as_ref();
    let there = |row: usize| valid.is_none_or(|v| v[row]);
    table.f64s(name).unwrap().iter().enumerate().map(|(row, x)| there(row).then_some(*x)).collect()
}

/// Weeks of remission under 6-mercaptopurine and placebo: Freireich et al.,
/// Blood 21 (1963), as printed in Kalbfleisch & Prentice and in Kleinbaum & Klein.
const TREATED: [i64; 21] =
    [6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35];
const PLACEBO: [i64; 21] = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23];

/// What lifelines 0.30.3 and statsmodels give for them: time, at risk, S, Greenwood's error, low, high.
const CURVE: [[f64; 6]; 7] = [
    [6.0, 21.0, 0.857142857142857, 0.07636035483212125, 0.6197179552659838, 0.9515517476469969],
    [7.0, 17.0, 0.8067226890756299, 0.0869352851800572, 0.5631465646222333, 0.9228090192028802],
    [10.0, 15.0, 0.7529411764705878, 0.09634965299432052, 0.5031995107999564, 0.8893618351692651],
    [13.0, 12.0, 0.6901960784313722, 0.10681470777500983, 0.4316102224861839, 0.8490659633494505],
    [16.0, 11.0, 0.6274509803921566, 0.11405386525675254, 0.36751085598750194, 0.8049121894718411],
    [22.0, 7.0, 0.5378151260504199, 0.12823375169303403, 0.26777893676713493, 0.7467907176353943],
    [23.0, 6.0, 0.44817927170868327, 0.13459145675576048, 0.18805200595923233, 0.6801426284952412],
];

fn of(weeks: &[i64]) -> Journeys {
    spells(&weeks.iter().map(|w| (w.abs(), *w > 0)).collect::<Vec<_>>())
}

#[test]
fn the_curve_of_the_leukaemia_trial_is_the_published_one() {
    let options = r#"{"censor_at":"last_touch","quantiles":[0.1,0.25,0.5,0.75]}"#;
    let tables = of(&TREATED).report("time_to_convert", options, &Run::new()).unwrap();
    let curve = &tables[0].1;
    for (k, name) in ["days", "at_risk", "survival", "std_error", "low", "high"].iter().enumerate() {
        let wanted: Vec<f64> = CURVE.iter().map(|row| row[k]).collect();
        near(&curve.f64s(name).unwrap()[1..], &wanted, 1e-12);
    }
    assert_eq!(curve.f64s("events").unwrap(), [0.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(curve.f64s("censored").unwrap(), [0.0, 1.0, 1.0, 2.0, 0.0, 3.0, 0.0, 5.0]);
    let quantiles = &tables[1].1;
    assert_eq!(known(quantiles, "days"), [Some(6.0), Some(13.0), Some(23.0), None]);
    assert_eq!(known(quantiles, "low"), [Some(6.0), Some(6.0), Some(13.0), Some(23.0)]);
    assert_eq!(known(quantiles, "high"), [Some(10.0), Some(22.0), None, None]);
    assert_eq!(tables[2].1.f64s("censored").unwrap(), [12.0]);
}

#[test]
fn the_curve_of_the_placebo_ends_at_nothing() {
    let tables =
        of(&PLACEBO).report("time_to_convert", r#"{"quantiles":[0.25,0.5,0.75]}"#, &Run::new()).unwrap();
    let curve = &tables[0].1;
    // Without censoring the curve is one less the distribution.
    let wanted: Vec<f64> =
        [21, 19, 17, 16, 14, 12, 8, 6, 4, 3, 2, 1, 0].iter().map(|n| f64::from(*n) / 21.0).collect();
    near(curve.f64s("survival").unwrap(), &wanted, 1e-12);
    assert_eq!(known(curve, "std_error").last().unwrap(), &None);
    let quantiles = &tables[1].1;
    assert_eq!(known(quantiles, "days"), [Some(4.0), Some(8.0), Some(12.0)]);
    assert_eq!(known(quantiles, "low"), [Some(1.0), Some(4.0), Some(8.0)]);
    assert_eq!(known(quantiles, "high"), [Some(5.0), Some(11.0), Some(22.0)]);
}

/// As [`spells`], of channel 0 for the first `firsts` and channel 1 for the others.
fn two_groups(days: &[(i64, bool)], firsts: usize) -> Journeys {
    let (mut customer, mut time, mut channel, mut buyer, mut sold) = (vec![], vec![], vec![], vec![], vec![]);
    for (i, (length, converts)) in days.iter().enumerate() {
        let mut touch = |at: i64| {
            customer.push(i as u32);
            time.push(at * DAY);
            channel.push(u32::from(i >= firsts));
        };
        touch(0);
        if *converts {
            buyer.push(i as u32);
            sold.push(length * DAY);
        } else {
            touch(*length);
        }
    }
    let touches = Touches { customer: &customer, time: &time, channel: &channel, cost: None };
    let conversions = Conversions { customer: &buyer, time: &sold, value: None };
    let lookback = headwater::column::Duration::from_days(1_000);
    let policies = Policies { lookback, ..Policies::default() };
    Journeys::build(&touches, &conversions, &policies, &Run::new()).unwrap()
}

#[test]
fn the_log_rank_test_of_the_trial_is_the_published_one() {
    let both: Vec<(i64, bool)> = TREATED.iter().chain(&PLACEBO).map(|w| (w.abs(), *w > 0)).collect();
    let options = r#"{"censor_at":"last_touch","split_by":"first_channel"}"#;
    let groups = two_groups(&both, 21).report("time_to_convert", options, &Run::new()).unwrap().remove(2).1;
    // Kleinbaum & Klein, Survival Analysis, print chi² = 16.79 and E of 19.25 and 10.75; lifelines 0.30.3 gives the digits.
    near(groups.f64s("expected").unwrap(), &[19.25, 10.75], 1e-2);
    let z = groups.f64s("z").unwrap();
    assert!((z[0] * z[0] - 16.792940989216547).abs() < 1e-9 && (z[0] + z[1]).abs() < 1e-9, "{z:?}");
    assert!(groups.f64s("p_value").unwrap()[0] < 1e-4);
    // One group has nothing to differ from.
    let one = of(&TREATED).report("time_to_convert", r#"{"censor_at":"last_touch"}"#, &Run::new()).unwrap();
    assert_eq!(known(&one[2].1, "z"), [None]);
}

#[test]
fn a_grid_reads_the_same_curve() {
    let options = r#"{"censor_at":"last_touch","grid":"10d"}"#;
    let tables = of(&TREATED).report("time_to_convert", options, &Run::new()).unwrap();
    let curve = &tables[0].1;
    assert_eq!(curve.f64s("days").unwrap(), [0.0, 10.0, 20.0, 30.0]);
    near(curve.f64s("survival").unwrap(), &[1.0, CURVE[2][2], CURVE[4][2], CURVE[6][2]], 1e-12);
    assert_eq!(curve.f64s("events").unwrap(), [0.0, 5.0, 2.0, 2.0]);
}

#[test]
fn open_journeys_are_watched_until_the_end_of_observation_or_the_lookback() {
    // Three converted after 2, 4 and 8 days; one open with a last touch on day 1, watched until day 8.
    let j = spells(&[(2, true), (4, true), (8, true), (1, false)]);
    let survival = |options: &str| {
        let tables = j.report("time_to_convert", options, &Run::new()).unwrap();
        tables[0].1.f64s("survival").unwrap().to_vec()
    };
    near(&survival("{}"), &[1.0, 0.75, 0.5, 0.25], 1e-12);
    near(&survival(r#"{"lookback":"2d"}"#), &[1.0, 0.75, 0.375, 0.0], 1e-12);
    near(&survival(r#"{"censor_at":"last_touch"}"#), &[1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0], 1e-12);
    near(&survival(r#"{"observation_end":"1970-01-04"}"#), &[1.0, 0.75, 0.375, 0.0], 1e-12);
}

/// b left; c was seen a day before the end of observation, and may still go on.
fn undecided(open: Open, end: &str) -> Journeys {
    let touches = Columns::new()
        .with("customer", vec!["a", "b", "c", "c"])
        .with("time", vec!["2024-01-01", "2024-01-02", "2024-01-08", "2024-01-09"])
        .with("channel", vec!["x", "x", "x", "y"]);
    let sales = Columns::new().with("customer", vec!["a"]).with("time", vec!["2024-01-03"]);
    let options = EventOptions {
        lookback: headwater::column::Duration::from_days(5),
        open,
        observation_end: Some(headwater::options::parse(&format!("\"{end}\"")).unwrap()),
        ..EventOptions::default()
    };
    Journeys::from_events(&touches, Some(&sales), &options, &Run::new()).unwrap()
}

#[test]
fn censored_journeys_have_not_converted_and_have_not_left() {
    // b and c are open; with a lookback of 5 days b is over by the end of observation, c is not.
    let built = |open| undecided(open, "2024-01-10");
    let j = built(Open::Censored);
    assert_eq!((j.total_conversions(), j.total_nulls()), (1.0, 1.0));
    let tables = j.report("time_to_convert", "{}", &Run::new()).unwrap();
    // a converts after 2 days, when b (for 5 days) and c (for 2, until the end) are still watched.
    assert_eq!(tables[0].1.f64s("at_risk").unwrap(), [3.0, 3.0]);
    near(tables[0].1.f64s("survival").unwrap(), &[1.0, 2.0 / 3.0], 1e-12);
    assert_eq!(tables[2].1.f64s("censored").unwrap(), [2.0]);
    let friction = j.report("friction", r#"{"min_visits":0}"#, &Run::new()).unwrap().remove(0).1;
    let rows = |name: &str| {
        let row = (0..friction.rows()).find(|r| friction.text("channel", *r).as_deref() == Some(name));
        row.map(|r| (friction.f64s("visits").unwrap()[r], friction.f64s("exits").unwrap()[r]))
    };
    // b is censored after one touch, c after two; with open="include" as well.
    let lengths = |open| built(open).report("path_length", "{}", &Run::new()).unwrap();
    let found = lengths(Open::Censored);
    assert_eq!(found[0].1.f64s("at_risk").unwrap(), [3.0, 3.0]);
    assert_eq!(found, lengths(Open::Include));
    // The last touch of c has not been left yet: it is no visit, so that y has none.
    assert_eq!((rows("x"), rows("y")), (Some((3.0, 1.0)), None));
}

#[test]
fn who_may_still_convert_has_not_left() {
    let friction = |j: &Journeys, options: &str| {
        let table = j.report("friction", options, &Run::new()).unwrap().remove(0).1;
        let row = |r: usize| {
            let of = |name: &str| table.f64s(name).unwrap()[r];
            (table.text("channel", r).unwrap().into_owned(), of("visits"), of("exits"))
        };
        let mut rows: Vec<_> = (0..table.rows()).map(row).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    };
    let x = |visits: f64, exits: f64| ("x".to_owned(), visits, exits);
    let (any, all) = (r#"{"min_visits":0}"#, r#"{"min_visits":0,"lookback":"0d"}"#);
    let j = undecided(Open::Include, "2024-01-10");
    assert_eq!(friction(&j, any), [x(3.0, 1.0)]);
    assert_eq!(friction(&j, any), friction(&undecided(Open::Censored, "2024-01-10"), any));
    assert_eq!(friction(&j, all), [x(3.0, 1.0), ("y".to_owned(), 1.0, 1.0)]);
    // Five days later all are over, and nothing has to be said.
    let over = undecided(Open::Include, "2024-01-14");
    assert_eq!(friction(&over, any), friction(&j, all));
    // On the fourth nobody has left yet.
    let none = undecided(Open::Include, "2024-01-04");
    let error = none.report("friction", any, &Run::new()).unwrap_err();
    assert!(matches!(error, headwater::Error::NotEnoughData { .. }), "{error}");
    assert!(error.to_string().contains("`lookback`"), "{error}");

    // Both b and c stop before the conversion; of c that is not settled.
    let steps = r#"{"steps":["x","(conversion)"]"#;
    for by in ["journey", "customer"] {
        let options = format!(r#"{steps},"by":"{by}"}}"#);
        let table = j.report("funnel", &options, &Run::new()).unwrap().remove(0).1;
        assert_eq!(table.f64s("dropped").unwrap(), [2.0, 0.0], "{by}");
        assert_eq!(table.f64s("undecided").unwrap(), [1.0, 0.0], "{by}");
        let table = over.report("funnel", &options, &Run::new()).unwrap().remove(0).1;
        assert_eq!(table.f64s("undecided").unwrap(), [0.0, 0.0], "{by}");
    }
}

#[test]
fn path_lengths_make_a_life_table() {
    let paths = Columns::new()
        .with("path", vec!["a", "a > b", "b > a > c"])
        .with("conversions", vec![2.0, 3.0, 1.0])
        .with("nulls", vec![4.0, 0.0, 5.0]);
    let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
    let j = Journeys::from_paths(&paths, &options, &Run::new()).unwrap();
    let tables = j.report("path_length", "{}", &Run::new()).unwrap();
    let table = &tables[0].1;
    assert_eq!(table.f64s("touches").unwrap(), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(table.f64s("at_risk").unwrap(), [15.0, 15.0, 9.0, 6.0]);
    assert_eq!(table.f64s("events").unwrap(), [0.0, 2.0, 3.0, 1.0]);
    assert_eq!(table.f64s("censored").unwrap(), [0.0, 4.0, 0.0, 5.0]);
    let s = [1.0, 13.0 / 15.0, 13.0 / 15.0 * 6.0 / 9.0, 13.0 / 15.0 * 6.0 / 9.0 * 5.0 / 6.0];
    near(table.f64s("survival").unwrap(), &s, 1e-12);
}

proptest! {
    #[test]
    fn log_rank_tests_are_sums_over_the_times(
        days in prop::collection::vec((0..8_i64, any::<bool>()), 4..40), firsts in 1..3_usize,
    ) {
        let options = r#"{"censor_at":"last_touch","split_by":"first_channel"}"#;
        let groups = two_groups(&days, firsts).report("time_to_convert", options, &Run::new()).unwrap().remove(2).1;
        let (mut expected, mut variance) = (0.0, 0.0);
        let observed = days[..firsts].iter().filter(|d| d.1).count() as f64;
        for t in 0..8 {
            let risk = |of: &[(i64, bool)]| of.iter().filter(|d| d.0 >= t).count() as f64;
            let (n, mine) = (risk(&days), risk(&days[..firsts]));
            let d = days.iter().filter(|x| x.0 == t && x.1).count() as f64;
            if n > 0.0 {
                expected += d * mine / n;
            }
            if n > 1.0 {
                variance += d * (n - d) * mine * (n - mine) / (n * n * (n - 1.0));
            }
        }
        prop_assert!((groups.f64s("expected").unwrap()[0] - expected).abs() < 1e-9);
        match known(&groups, "z")[0] {
            Some(z) => prop_assert!((z - (observed - expected) / f64::sqrt(variance)).abs() < 1e-6),
            None => prop_assert!(variance < 1e-9),
        }
    }

    /// Without censoring the curve is the share that has not converted yet; with it, the product of the chances.
    #[test]
    fn curves_are_products_of_chances(days in prop::collection::vec((0..12_i64, any::<bool>()), 1..40)) {
        let j = spells(&days);
        let options = TimeToConvertOptions {
            censor_at: headwater::journey::CensorAt::LastTouch,
            ..TimeToConvertOptions::default()
        };
        let table = j.time_to_convert(&options, &Run::new()).unwrap().table();
        for (row, t) in table.f64s("days").unwrap().iter().enumerate() {
            let t = *t as i64;
            let chance = |at: i64| {
                let risk = days.iter().filter(|d| d.0 >= at).count() as f64;
                let events = days.iter().filter(|d| d.0 == at && d.1).count() as f64;
                if risk > 0.0 { 1.0 - events / risk } else { 1.0 }
            };
            let wanted: f64 = (0..=t).map(chance).product();
            prop_assert!((table.f64s("survival").unwrap()[row] - wanted).abs() < 1e-12);
        }
    }
}

#[test]
fn lag_curves_by_hand() {
    // a on days 0 and 3, b on day 2, conversion on day 4; and a alone, half a day before.
    let touches = Columns::new()
        .with("customer", vec!["x", "x", "x", "y"])
        .with("time", vec!["2024-01-01", "2024-01-03", "2024-01-04", "2024-01-04T12:00:00"])
        .with("channel", vec!["a", "b", "a", "a"]);
    let sales =
        Columns::new().with("customer", vec!["x", "y"]).with("time", vec!["2024-01-05", "2024-01-05"]);
    let j = Journeys::from_events(&touches, Some(&sales), &EventOptions::default(), &Run::new()).unwrap();
    let share = |options: &str| {
        let table = j.report("lag_curves", options, &Run::new()).unwrap().remove(0).1;
        table.f64s("share").unwrap().to_vec()
    };
    // Of all, of a, of b, at 0 to 4 days.
    let first = [[0.0, 0.5, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 0.5, 1.0], [0.0, 0.0, 1.0, 1.0, 1.0]].concat();
    assert_eq!(share("{}"), first);
    let last = [[0.0, 1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0, 1.0]].concat();
    assert_eq!(share(r#"{"from_touch":"last"}"#), last);
    assert_eq!(share(r#"{"longest":"1d"}"#), [0.0, 0.5, 0.0, 0.5, 0.0, 0.0]);
}

/// Journeys of channels by chance, left with a probability of the step alone, but for one bad channel.
fn simulated(stream: u64, journeys: usize, bad: Option<(u32, f64)>) -> Journeys {
    let mut rng = Run::new().seed(11).rng(stream);
    let mut unit = move || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let (mut paths, mut conversions, mut nulls) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..journeys {
        let mut path = Vec::new();
        loop {
            let channel = (unit() * unit() * 6.0) as u32;
            path.push(format!("c{channel}"));
            let worse = bad.filter(|b| b.0 == channel).map_or(1.0, |b| b.1);
            // People leave less as they go on; one in ten touches converts.
            let leaves = 0.4 / (1.0 + path.len() as f64 / 3.0) * worse;
            let chance = unit();
            if chance < leaves + 0.1 || path.len() == 60 {
                conversions.push(f64::from(u8::from(chance >= leaves)));
                nulls.push(f64::from(u8::from(chance < leaves)));
                break;
            }
        }
        paths.push(path.join(" > "));
    }
    let frame = Columns::new().with("path", paths).with("conversions", conversions).with("nulls", nulls);
    let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
    Journeys::from_paths(&frame, &options, &Run::new()).unwrap()
}

#[test]
fn friction_is_found_where_it_is_and_seldom_where_it_is_not() {
    let (mut p, mut alarms) = (Vec::new(), 0);
    let replicates = 300;
    for stream in 0..replicates {
        let found = simulated(stream, 400, None).friction(&FrictionOptions::default(), &Run::new()).unwrap();
        let table = found.table();
        p.extend(known(&table, "p_value").into_iter().flatten());
        p.extend(known(found.get("transitions").unwrap(), "p_value").into_iter().flatten());
        alarms += usize::from(known(&table, "q_value").into_iter().flatten().any(|q| q < 0.05));
    }
    assert!(p.len() > 5_000);
    for level in [0.01, 0.05, 0.1, 0.25, 0.5, 0.75] {
        let share = p.iter().filter(|p| **p < level).count() as f64 / p.len() as f64;
        // About 30 tests a replicate are correlated: three standard errors of as many independent replicates.
        let width = 3.0 * (level * (1.0 - level) / p.len() as f64).sqrt() * 2.0;
        assert!((share - level).abs() < width + 0.002, "{share} of the p-values are below {level}");
    }
    // Nothing is wrong with any channel, and 5 in 100 replicates may say so.
    assert!(
        alarms as f64 <= 0.05 * replicates as f64 + 3.0 * (0.05 * 0.95 * replicates as f64).sqrt(),
        "{alarms}"
    );

    let found =
        simulated(9_999, 4_000, Some((3, 2.0))).friction(&FrictionOptions::default(), &Run::new()).unwrap();
    let table = found.table();
    assert_eq!(table.text("channel", 0).as_deref(), Some("c3"));
    assert!(table.f64s("q_value").unwrap()[0] < 1e-9);
    let (low, high) = (table.f64s("low").unwrap()[0], table.f64s("high").unwrap()[0]);
    assert!(low < 2.0 && 2.0 < high, "{low} to {high}");
    // The channel is bad, not the ways to it.
    let ways = found.get("transitions").unwrap();
    assert!(known(ways, "q_value").into_iter().flatten().all(|q| q > 0.01));
}

#[test]
fn friction_by_hand_is_the_mantel_haenszel_test() {
    // Step 1: a 10 visits, 4 exits; b 20 visits, 4 exits. Step 2: a 4 of 8, b 2 of 14.
    let rows = [("a", 4), ("b", 4), ("a > a", 4), ("b > b", 2)];
    let stay = [("a > b", 2), ("b > b", 10), ("b > a", 4)];
    let mut text: Vec<String> = Vec::new();
    let (mut conversions, mut nulls) = (Vec::new(), Vec::new());
    for (i, (path, n)) in rows.iter().chain(&stay).enumerate() {
        text.push((*path).to_owned());
        conversions.push(if i < rows.len() { 0.0 } else { f64::from(*n) });
        nulls.push(if i < rows.len() { f64::from(*n) } else { 0.0 });
    }
    let frame = Columns::new().with("path", text).with("conversions", conversions).with("nulls", nulls);
    let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
    let j = Journeys::from_paths(&frame, &options, &Run::new()).unwrap();
    let table = j.report("friction", r#"{"min_visits":1}"#, &Run::new()).unwrap().remove(0).1;
    assert_eq!(table.text("channel", 0).as_deref(), Some("a"));
    assert_eq!((table.f64s("visits").unwrap()[0], table.f64s("exits").unwrap()[0]), (18.0, 8.0));
    let expected = 10.0 * 8.0 / 30.0 + 8.0 * 6.0 / 22.0;
    let variance = 10.0 * 20.0 * 8.0 * 22.0 / (900.0 * 29.0) + 8.0 * 14.0 * 6.0 * 16.0 / (484.0 * 21.0);
    near(&table.f64s("excess").unwrap()[..1], &[8.0 - expected], 1e-12);
    near(&table.f64s("z").unwrap()[..1], &[(8.0 - expected) / f64::sqrt(variance)], 1e-12);
    let ratio = (4.0 * 20.0 / 30.0 + 4.0 * 14.0 / 22.0) / (4.0 * 10.0 / 30.0 + 2.0 * 8.0 / 22.0);
    near(&table.f64s("risk_ratio").unwrap()[..1], &[ratio], 1e-12);
}

/// Events of a shop with planted troubles, one session a customer: those that `keep` wants by platform and day.
fn shop(keep: impl Fn(&str, &str) -> bool) -> Option<Journeys> {
    let file =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/ecom_clickstream/ecom.csv.gz"));
    let out = std::process::Command::new("gzip").arg("-dc").arg(&file).output().ok()?;
    let text = String::from_utf8(out.stdout).ok().filter(|t| !t.is_empty())?;
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let rows: Vec<Vec<&str>> = rows.into_iter().filter(|r| keep(r[4], &r[3][..10])).collect();
    let column = |k: usize| rows.iter().map(|r| r[k].to_owned()).collect::<Vec<String>>();
    let bought: Vec<bool> = rows.iter().map(|r| r[2] == "purchase").collect();
    let touches = Columns::new()
        .with("customer", column(1))
        .with("time", column(3))
        .with("channel", column(2))
        .with("bought", bought);
    let options = EventOptions {
        conversion: Some("bought".into()),
        flagged_row: headwater::journey::FlaggedRow::Conversion,
        shared_touch: headwater::journey::SharedTouch::Reset,
        ..EventOptions::default()
    };
    Journeys::from_events(&touches, None, &options, &Run::new()).ok()
}

/// The row of an edge in a difference of graphs: (difference, q).
fn edge(table: &Table, from: &str, to: &str) -> (f64, f64) {
    let is = |column: &str, row: usize, name: &str| table.text(column, row).as_deref() == Some(name);
    let row = (0..table.rows()).find(|r| is("from", *r, from) && is("to", *r, to)).unwrap();
    (table.f64s("difference").unwrap()[row], table.f64s("q_value").unwrap()[row])
}

#[test]
fn the_planted_troubles_of_a_shop_are_found() {
    let Some(all) = shop(|_, _| true) else {
        println!("skipped: the events of the shop are not here");
        return;
    };
    // Where the shop loses people: at the payment, twice as often as expected of touches as late.
    // Who has not come back for a week has left the shop.
    let lookback = Some(headwater::column::Duration::from_days(7));
    let options = FrictionOptions { lookback, ..FrictionOptions::default() };
    let friction = all.friction(&options, &Run::new()).unwrap().table();
    assert_eq!(friction.text("channel", 0).as_deref(), Some("payment_details"));
    assert!(friction.f64s("q_value").unwrap()[0] < 1e-10 && friction.f64s("low").unwrap()[0] > 1.5);

    // The mobile checkout was broken from 9 April to 9 May: those on mobile
    // ran into it from the cart and the address. The other platforms went on as before.
    let broken = |day: &str| ("2024-04-09"..="2024-05-09").contains(&day);
    let difference = |mobile: bool| {
        let on = |platform: &str| (platform == "mobile") == mobile;
        let then = shop(|platform, day| on(platform) && broken(day)).unwrap();
        let else_ = shop(|platform, day| on(platform) && !broken(day)).unwrap();
        then.graph_difference(Some(&else_), &DifferenceOptions::default(), &Run::new()).unwrap().table()
    };
    let (mobile, others) = (difference(true), difference(false));
    for from in ["shipping_details", "cart", "add_to_cart"] {
        let (difference, q) = edge(&mobile, from, "checkout_bug");
        assert!(difference > 0.05 && q < 1e-3, "{from}: {difference}, {q}");
    }
    assert_eq!(mobile.text("to", 0).as_deref(), Some("checkout_bug"));
    assert!(known(&others, "q_value").into_iter().flatten().all(|q| q > 0.1));
    // The payment failed from 19 May to 7 June: fewer went from there to the purchase.
    let failed = |day: &str| ("2024-05-19"..="2024-06-07").contains(&day);
    let (then, else_) = (shop(|_, day| failed(day)).unwrap(), shop(|_, day| !failed(day)).unwrap());
    let options = DifferenceOptions::default();
    let table = then.graph_difference(Some(&else_), &options, &Run::new()).unwrap().table();
    let (difference, q) = edge(&table, "payment_details", "payment_error");
    assert!(difference > 0.1 && q < 1e-9);
    let (difference, q) = edge(&table, "payment_details", "(conversion)");
    assert!(difference < -0.1 && q < 0.05);
}
