//! Credits of channels and of their campaigns, with intervals of the same samples.
#![allow(missing_docs, clippy::unwrap_used)]

use headwater::attribution::{
    AttributeOptions, Callback, Given, LevelOptions, Markov, Model, Shapley, attribute, attribute_levels,
};
use headwater::column::Columns;
use headwater::journey::{EventOptions, Hierarchy, Journeys, PathOptions};
use headwater::{Error, Run};

mod support;

use support::paths::paths;
use support::tables::{cell, floats, options, rules};
use support::world::world;

/// Journeys of two channels, a with two campaigns; with customers, times, value and cost.
fn fine() -> Journeys {
    world(700, 80.0, 0.3, 2.0, 3)
        .journeys(&EventOptions { campaign: Some("campaign".into()), ..EventOptions::default() })
        .by_campaign()
        .unwrap()
}

fn asked(models: Vec<Model>, bootstrap: usize) -> LevelOptions {
    LevelOptions { models, bootstrap, ..LevelOptions::default() }
}

#[test]
fn estimates_are_those_of_the_two_tables() {
    let j = fine();
    let levels = Hierarchy::default();
    let table = |j: &Journeys| Ok::<_, Error>(attribute(j, &options(&rules(), 0), &Run::new())?.table());
    let (below, above) = (table(&j).unwrap(), table(&j.roll_up(&levels).unwrap()).unwrap());
    let given = asked(rules(), 0);
    let found = attribute_levels(&j, &given, &Run::new()).unwrap();
    assert_eq!(found, levels.drill_down(&below, Some(&above)).unwrap());
    let summed = LevelOptions { own_channels: false, ..given };
    let found = attribute_levels(&j, &summed, &Run::new()).unwrap();
    assert_eq!(found, levels.drill_down(&below, None).unwrap());
    let with = LevelOptions { bootstrap: 20, ..summed };
    let with = attribute_levels(&j, &with, &Run::new()).unwrap();
    assert_eq!(with.f64s("conversions"), found.f64s("conversions"));
}

#[test]
fn intervals_are_those_of_counts() {
    // 600 and 400 conversions of one touch: counts are Poisson, and shares of a channel binomial.
    let j = paths(&[("s/a", 600.0, 0.0, 900.0), ("s/b", 400.0, 0.0, 400.0), ("e", 100.0, 300.0, 100.0)]);
    for own_channels in [true, false] {
        for model in [Model::Last, Model::Markov(Markov::default())] {
            let given = LevelOptions { own_channels, ..asked(vec![model], 4_000) };
            let table = attribute_levels(&j, &given, &Run::new().seed(2)).unwrap();
            let of = |campaign: &str, column: &str| cell(&table, &[("campaign", campaign)], column);
            let near =
                |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 0.06, "{found} {wanted}");
            near(of("a", "share_of_channel_standard_error"), (0.6_f64 * 0.4 / 1000.0).sqrt());
            if given.models[0] == Model::Last {
                near(of("a", "conversions_standard_error"), 600.0_f64.sqrt());
                near(of("b", "value_standard_error"), 400.0_f64.sqrt());
                near(of("b", "conversions_high") - of("b", "conversions_low"), 2.0 * 1.645 * 20.0);
            }
            // A channel without campaigns has all of its own.
            let e = (0..table.rows()).find(|r| table.text("channel", *r).as_deref() == Some("e")).unwrap();
            assert_eq!(floats(&table, "share_of_channel_low")[e], 1.0);
            assert_eq!(floats(&table, "share_of_channel_standard_error")[e], 0.0);
        }
    }
}

/// A rule gives channels what it gives to their campaigns, in each sample too.
#[test]
fn samples_of_both_levels_are_of_the_same_customers() {
    let from_paths = paths(&[
        ("s/a > e > s/b", 30.0, 50.0, 90.0),
        ("s/b > e/x", 20.0, 10.0, 10.0),
        ("e/x > s/a", 7.0, 30.0, 3.0),
        ("s/b", 5.0, 30.0, 3.0),
    ]);
    for j in [fine(), from_paths] {
        for model in [Model::Linear, Model::Last, Model::Shapley(Shapley::default())] {
            let both = [true, false].map(|own_channels| {
                let given = LevelOptions { own_channels, ..asked(vec![model.clone()], 60) };
                attribute_levels(&j, &given, &Run::new().seed(5)).unwrap()
            });
            // Shapley counts a channel once, however many of its campaigns were met.
            if model == Model::Shapley(Shapley::default()) {
                assert_ne!(both[0].f64s("conversions"), both[1].f64s("conversions"));
                continue;
            }
            for column in ["conversions", "value", "share_of_channel"] {
                for end in ["", "_standard_error", "_low", "_high"] {
                    let name = format!("{column}{end}");
                    for (a, b) in floats(&both[0], &name).iter().zip(floats(&both[1], &name)) {
                        assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{name}: {a} {b}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_paid_has_the_bounds_of_what_is_bought() {
    let j = fine();
    let given = asked(vec![Model::Markov(Markov::default()), Model::First], 100);
    let table = attribute_levels(&j, &given, &Run::new().seed(1)).unwrap();
    let names: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
    for [column, next] in
        [["roas", "roas_low"], ["roas_low", "roas_high"], ["cpa", "cpa_low"], ["cpa_low", "cpa_high"]]
    {
        let at = names.iter().position(|name| *name == column).unwrap();
        assert_eq!(names[at + 1], next);
    }
    for row in 0..table.rows() {
        let of = |name: &str| floats(&table, name)[row];
        if table.text("channel", row).as_deref() == Some("(unattributed)") {
            continue;
        }
        assert_eq!(of("cpa_low"), of("cost") / of("conversions_high"));
        assert_eq!(of("roas_high"), of("value_high") / of("cost"));
        assert!(of("roas_low") < of("roas") && of("roas") < of("roas_high"));
    }
    let one = attribute_levels(&j, &given, &Run::new().seed(1).threads(1)).unwrap();
    assert_eq!(one, table);
}

#[test]
fn what_cannot_be_asked_is_said() {
    let j = paths(&[("s/a", 6.0, 3.0, 9.0), ("s/b", 4.0, 1.0, 4.0)]);
    let run = Run::new();
    let even = |touches: &[headwater::attribution::Touch<'_>]| Ok(vec![1.0; touches.len()]);
    let rule = |on: &[&Journeys]| vec![Model::Callback(Callback::new("even", on, &run, even).unwrap())];
    let above = j.roll_up(&Hierarchy::default()).unwrap();
    let error = attribute_levels(&j, &asked(rule(&[&j]), 20), &run).unwrap_err();
    assert!(error.to_string().contains("was not called on"), "{error}");
    for given in
        [asked(rule(&[&j, &above]), 20), LevelOptions { own_channels: false, ..asked(rule(&[&j]), 20) }]
    {
        assert_eq!(floats(&attribute_levels(&j, &given, &run).unwrap(), "conversions"), [6.0, 4.0]);
    }
    let orphan = paths(&[("/a", 6.0, 3.0, 9.0)]);
    let error = attribute_levels(&orphan, &asked(vec![Model::Last], 0), &run).unwrap_err();
    assert!(matches!(error, Error::Option { .. }), "{error}");
    for bad in [
        LevelOptions { bootstrap: 1, ..asked(vec![Model::Last], 0) },
        LevelOptions { confidence: 1.0, ..asked(vec![Model::Last], 10) },
        asked(Vec::new(), 10),
    ] {
        assert!(matches!(attribute_levels(&j, &bad, &run), Err(Error::Option { .. })));
    }
    let json = r#"{"models": ["last"], "levels": {"separator": "/"}, "bootstrap": 30}"#;
    let tables = Given::from(&j).report("attribute_levels", json, &run).unwrap();
    assert_eq!(tables[0].0, "levels");
    assert!(tables[0].1.get("share_of_channel_low").is_some());
}

/// Customers drawn by hand, on a frame of paths: what a sample is said to be.
#[test]
fn a_channel_without_conversions_in_a_sample_has_no_share_there() {
    let frame =
        Columns::new().with("path", vec!["s/a", "s/b", "e"]).with("conversions", vec![1.0, 1.0, 50.0]);
    let j = Journeys::from_paths(&frame, &PathOptions::default(), &Run::new()).unwrap();
    let given = asked(vec![Model::Last], 400);
    let table = attribute_levels(&j, &given, &Run::new()).unwrap();
    let of = |column: &str| cell(&table, &[("campaign", "a")], column);
    // Poisson(1) each: of both none in exp(-2) of the samples, and where one is drawn it is all.
    assert_eq!(
        [of("share_of_channel_low"), of("share_of_channel"), of("share_of_channel_high")],
        [0.0, 0.5, 1.0]
    );
    assert_eq!(of("conversions_low"), 0.0);
    let plain = AttributeOptions { models: vec![Model::Last], bootstrap: 400, ..AttributeOptions::default() };
    let plain = attribute(&j, &plain, &Run::new()).unwrap().table();
    assert_eq!(of("conversions_high"), cell(&plain, &[("channel", "s/a")], "conversions_high"));
}
