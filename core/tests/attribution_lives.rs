//! What needs each touch of each customer once: estimates of what touches added, and choosing.
#![allow(missing_docs, clippy::unwrap_used)]

use headwater::attribution::{
    CalibrateOptions, ChooseOptions, ChooseRule, SelfControlledOptions, calibrate, choose_half_life,
    choose_lookback, self_controlled,
};
use headwater::column::{DAY, Data, Duration, Table};
use headwater::journey::{
    AtConversion, Collapse, Direct, EventOptions, JourneyBuilder, Journeys, Open, SharedTouch, Transform,
};
use headwater::{Error, Run};

mod support;

use support::paths::{TOY, paths};
use support::tables::{floats, tests_frame};
use support::world::world;

/// What needs each touch of each customer once.
fn of_lives(j: &Journeys) -> Result<Vec<Table>, Error> {
    let run = Run::new();
    let short = ChooseOptions {
        candidates: Some(vec![Duration::from_days(2), Duration::from_days(9)]),
        folds: 2,
        ..Default::default()
    };
    let mut out = self_controlled(j, &SelfControlledOptions::default(), &run)?.to_vec();
    out.push(choose_lookback(j, &short, &run)?);
    out.push(choose_half_life(j, &short, &run)?);
    let tests = tests_frame(&[("a", 40.0, 30.0)])
        .with("start", Data::times(vec![20 * DAY]))
        .with("end", Data::times(vec![70 * DAY]));
    let given =
        CalibrateOptions { self_controlled: Some(SelfControlledOptions::default()), ..Default::default() };
    out.extend(calibrate(j, &tests, &given, &run)?.into_iter().map(|t| t.1));
    Ok(out)
}

#[test]
fn touches_of_several_conversions_count_once_in_every_build() {
    let plain = EventOptions::default();
    let day = Duration::from_days;
    let mut w = world(250, 90.0, 0.3, 2.0, 8);
    let instant: Duration = "1us".parse().unwrap();
    let apart = [
        EventOptions { session_gap: Some(instant), ..plain.clone() },
        EventOptions { collapse: Collapse::Consecutive, collapse_within: Some(instant), ..plain.clone() },
        EventOptions { direct: Direct::IgnoreUnlessAlone, ..plain.clone() },
    ];
    let wanted = of_lives(&w.journeys(&plain)).unwrap();
    for options in apart {
        assert_eq!(of_lives(&w.journeys(&options)).unwrap(), wanted, "{options:?}");
    }
    // Touches at one instant: of one channel, of both, and when something is sold.
    for i in (0..w.touches.len()).step_by(5) {
        let touch = w.touches[i].clone();
        let other = if touch.2 == "a" { "b" } else { "a" };
        w.touches.push((touch.0.clone(), touch.1, other, 1.0));
        w.touches.push((touch.0.clone(), touch.1, touch.2, 1.0));
        w.orders.push((touch.0, touch.1, 5.0));
    }
    let wanted = of_lives(&w.journeys(&plain)).unwrap();
    let together = [
        EventOptions { campaign: Some("campaign".into()), ..plain.clone() },
        EventOptions { weight: Some("cost".into()), ..plain.clone() },
        EventOptions { lookback_by_channel: [("b".to_owned(), day(2))].into(), ..plain.clone() },
        EventOptions { lookback_by_channel: [("a".to_owned(), day(2))].into(), ..plain.clone() },
        EventOptions { campaign: Some("campaign".into()), lookback: day(3), ..plain.clone() },
        EventOptions {
            campaign: Some("campaign".into()),
            shared_touch: SharedTouch::Reset,
            at_conversion: AtConversion::Exclude,
            open: Open::Censored,
            ..plain.clone()
        },
        EventOptions { shared_touch: SharedTouch::FirstOnly, lookback: day(90), ..plain.clone() },
    ];
    for options in together {
        assert_eq!(of_lives(&w.journeys(&options)).unwrap(), wanted, "{options:?}");
    }
    let campaigns = EventOptions { campaign: Some("campaign".into()), ..plain };
    let touches: f64 = floats(&wanted[0], "touches").iter().filter(|n| n.is_finite()).sum();
    assert_eq!(touches, w.touches.len() as f64);
    assert!(w.journeys(&campaigns).paths(&Run::new()).is_ok());
}

#[test]
fn journeys_that_lack_touches_are_refused() {
    let w = world(250, 90.0, 0.3, 2.0, 8);
    let plain = EventOptions::default();
    let all = w.journeys(&plain);
    let named = |j: &Journeys| {
        let none = SelfControlledOptions::default();
        let found = [
            self_controlled(j, &none, &Run::new()).err(),
            choose_lookback(j, &ChooseOptions::default(), &Run::new()).err(),
            choose_half_life(j, &ChooseOptions::default(), &Run::new()).err(),
        ];
        found.map(|error| match error {
            Some(Error::Option { option, .. }) => option,
            other => format!("{other:?}"),
        })
    };
    for open in [Open::Exclude, Open::Decided] {
        for direct in [Direct::Keep, Direct::IgnoreUnlessAlone] {
            let options = EventOptions { open, direct, ..plain.clone() };
            assert_eq!(named(&w.journeys(&options)), ["open"; 3]);
            let mut builder = JourneyBuilder::new(EventOptions { value: None, cost: None, ..options });
            builder.extend(&w.frames()[0], Some(&w.frames()[1]), &Run::new()).unwrap();
            assert_eq!(named(&builder.journeys()), ["open"; 3]);
        }
    }
    let direct =
        EventOptions { direct: Direct::IgnoreUnlessAlone, direct_labels: vec!["b".into()], ..plain.clone() };
    assert_eq!(named(&w.journeys(&direct)), ["direct"; 3]);
    let mut builder = JourneyBuilder::new(EventOptions { value: None, cost: None, ..direct });
    builder.extend(&w.frames()[0], Some(&w.frames()[1]), &Run::new()).unwrap();
    assert_eq!(named(&builder.journeys()), ["direct"; 3]);
    assert_eq!(named(&all.between(10 * DAY, 40 * DAY).unwrap()), ["journeys"; 3]);
    let step = |step: Transform| all.transform(&[step], &Run::new()).unwrap();
    assert_eq!(named(&step(Transform::TrimLongPath { steps: 1 })), ["transform"; 3]);
    // What only names channels, or takes whole customers and channels, lacks nothing.
    let channels = vec!["b".to_owned()];
    for whole in [
        all.between(-DAY, 400 * DAY).unwrap(),
        all.of_customers(&(0..250).map(|c| c % 2 == 0).collect::<Vec<_>>()).unwrap(),
        step(Transform::Exclude { channels: channels.clone() }),
        step(Transform::Merge { channels: [("both".to_owned(), channels)].into() }),
    ] {
        assert!(self_controlled(&whole, &SelfControlledOptions::default(), &Run::new()).is_ok());
        assert!(choose_lookback(&whole, &ChooseOptions::default(), &Run::new()).is_ok());
    }
}

#[test]
fn channels_of_intent_are_left_out_of_the_choice() {
    // Touches of a work for weeks; b comes an hour before each order.
    let mut w = world(1_500, 150.0, 0.3, 20.0, 12);
    w.touches.retain(|t| t.2 == "a");
    w.touches.extend(w.orders.iter().map(|o| (o.0.clone(), o.1 - 1.0 / 24.0, "b", 0.0)));
    let j = w.journeys(&EventOptions::default());
    let all = choose_half_life(&j, &ChooseOptions::default(), &Run::new()).unwrap();
    let note = |t: &Table, r: usize| t.text("note", r).unwrap().into_owned();
    assert!(note(&all, 0).starts_with("the shortest candidate"), "{all:?}");
    assert!((1..7).all(|r| note(&all, r).is_empty()));
    let given = ChooseOptions { exclude: vec!["b".into()], ..ChooseOptions::default() };
    let table = choose_half_life(&j, &given, &Run::new()).unwrap();
    let score = floats(&table, "score");
    let best = (0..7).max_by(|a, b| score[*a].total_cmp(&score[*b])).unwrap();
    assert!(floats(&table, "days")[best] >= 7.0, "{table:?}");
    // The same as if there were no such channel.
    w.touches.retain(|t| t.2 == "a");
    let without =
        choose_half_life(&w.journeys(&EventOptions::default()), &ChooseOptions::default(), &Run::new());
    assert_eq!(without.unwrap(), table);
    let given =
        ChooseOptions { candidates: Some(vec![Duration::from_days(1), Duration::from_days(4)]), ..given };
    assert!(
        note(&choose_half_life(&j, &given, &Run::new()).unwrap(), 1).starts_with("the longest candidate")
    );
    let stranger = ChooseOptions { exclude: vec!["c".into()], ..ChooseOptions::default() };
    assert!(matches!(choose_lookback(&j, &stranger, &Run::new()), Err(Error::Option { .. })));
}

#[test]
fn windows_and_half_lives_are_found() {
    let j = world(4_000, 150.0, 0.3, 2.0 / std::f64::consts::LN_2, 33).journeys(&EventOptions::default());
    let table = choose_half_life(&j, &ChooseOptions::default(), &Run::new()).unwrap();
    let (days, score, se) = (floats(&table, "days"), floats(&table, "score"), floats(&table, "se"));
    let best = (0..7).max_by(|a, b| score[*a].total_cmp(&score[*b])).unwrap();
    assert_eq!(days[best], 2.0, "{table:?}");
    assert!(score[best] - score[1] > se[1] && score[best] - score[3] > se[3], "{table:?}");
    assert!((0.3..1.0).contains(&floats(&table, "explained")[best]), "{table:?}");
    assert!(score[best] > 0.05 && score[6] < score[best], "{table:?}");
    let window = choose_lookback(&j, &ChooseOptions::default(), &Run::new()).unwrap();
    let score = floats(&window, "score");
    assert!(score[5] < score[1] && score[6] < score[2], "{window:?}");
    let given = ChooseOptions { rule: ChooseRule::OneStandardError, ..ChooseOptions::default() };
    let careful = choose_lookback(&j, &given, &Run::new()).unwrap();
    assert_eq!(floats(&careful, "score"), score);
    let none = ChooseOptions { candidates: Some(vec![Duration::default()]), ..ChooseOptions::default() };
    assert!(choose_lookback(&j, &none, &Run::new()).is_err());
    assert!(choose_lookback(&paths(&TOY), &ChooseOptions::default(), &Run::new()).is_err());
    // Touches that do nothing tell nothing.
    let idle = world(3_000, 150.0, 0.0, 2.0, 34).journeys(&EventOptions::default());
    let table = choose_half_life(&idle, &ChooseOptions::default(), &Run::new()).unwrap();
    assert!(floats(&table, "score").iter().all(|s| s.abs() < 0.01), "{table:?}");
}
