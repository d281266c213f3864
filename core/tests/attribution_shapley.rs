//! Shapley values against their definition, exact fractions and closed forms.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::needless_range_loop)]

use std::collections::{BTreeMap, BTreeSet};

use headwater::attribution::{
    AttributeOptions, CoalitionWorth, DividendOptions, Fitted, Missing, Model, Negative, Shapley,
    ShapleyModel, Worth, attribute, touch_credits,
};
use headwater::column::Columns;
use headwater::journey::{Journeys, PathOptions, Refunds};
use headwater::model::{from_bytes, to_bytes};
use headwater::run::Run;
use headwater::{Error, Result};
use proptest::prelude::*;

mod support;

const TOY: [(&str, f64, f64, f64); 5] = [
    ("A > B > C", 10.0, 20.0, 1000.0),
    ("A > B", 5.0, 45.0, 400.0),
    ("B > C", 8.0, 32.0, 960.0),
    ("C", 4.0, 36.0, 200.0),
    ("A > A > C", 3.0, 17.0, 330.0),
];
const ALL: DividendOptions = DividendOptions { top: 0 };

fn journeys<S: AsRef<str>>(rows: &[(S, f64, f64, f64)]) -> Journeys {
    let frame = Columns::new()
        .with("path", rows.iter().map(|r| r.0.as_ref().to_owned()).collect::<Vec<_>>())
        .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("nulls", rows.iter().map(|r| r.2).collect::<Vec<_>>())
        .with("value", rows.iter().map(|r| r.3).collect::<Vec<_>>());
    let options = PathOptions {
        value: Some("value".into()),
        nulls: Some("nulls".into()),
        refunds: Refunds::Keep,
        ..PathOptions::default()
    };
    Journeys::from_paths(&frame, &options, &Run::new()).unwrap()
}

fn of(worth: Worth) -> Shapley {
    Shapley { worth, ..Shapley::default() }
}

fn fit(shapley: &Shapley, j: &Journeys) -> ShapleyModel {
    shapley.fit(j, &Run::new()).unwrap()
}

fn totals(j: &Journeys, shapley: Shapley) -> Result<Vec<[f64; 2]>> {
    let options = AttributeOptions { models: vec![Model::Shapley(shapley)], ..Default::default() };
    Ok(attribute(j, &options, &Run::new())?.credits("shapley")?.to_vec())
}

fn close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * b.abs().max(1e-300)
}

#[track_caller]
fn all_near(found: &[f64], exact: &[f64], tolerance: f64) {
    assert_eq!(found.len(), exact.len());
    assert!(found.iter().zip(exact).all(|(f, e)| (f - e).abs() <= tolerance), "{found:?} {exact:?}");
}

#[test]
fn each_worth_gives_its_fractions() {
    let j = journeys(&TOY);
    for (worth, exact) in [
        (Worth::Conversions, [22. / 3., 59. / 6., 77. / 6.]),
        (Worth::ExactSetConversions, [4. / 3., 23. / 6., 29. / 6.]),
        (Worth::ExactSetRate, [5. / 72., 17. / 180., 61. / 360.]),
        (Worth::Rate, [1. / 40., 1. / 24., 1. / 10.]),
        (Worth::JourneyRate, [61. / 12., 22. / 3., 211. / 12.]),
    ] {
        let model = fit(&of(worth), &j);
        all_near(model.values(), &exact, 2e-15 * exact[2].max(1.0));
        let back: ShapleyModel = from_bytes(&to_bytes(&model).unwrap()).unwrap();
        assert_eq!(back, model);
        // Scaled, they are all conversions and all value.
        let credits = totals(&j, of(worth)).unwrap();
        let sum: f64 = exact.iter().sum();
        for c in 0..3 {
            assert!(close(credits[c][0], exact[c] / sum * 30.0, 1e-13), "{worth:?} {credits:?}");
        }
        assert!(close(credits.iter().map(|c| c[1]).sum(), 2890.0, 1e-13));
    }
    let closed = totals(&j, Shapley::default()).unwrap();
    all_near(&closed.iter().map(|c| c[1]).collect::<Vec<_>>(), &[2095. / 3., 3040. / 3., 3535. / 3.], 1e-12);
    // Value per journey within a coalition: C 5, AB 8, AC 530/60, BC 14.5, ABC 2890/180.
    let (c, ab, ac, bc, abc) = (5.0, 8.0, 530. / 60., 14.5, 2890. / 180.);
    let by = |first: f64, pairs: [f64; 2], rest: f64| first / 3. + (pairs[0] + pairs[1]) / 6. + rest / 3.;
    let model = fit(&of(Worth::Rate), &j);
    all_near(
        model.values_value(),
        &[by(0., [ab, ac - c], abc - bc), by(0., [ab, bc - c], abc - ac), by(c, [ac, bc], abc - ab)],
        1e-13,
    );
}

#[test]
fn dividends_positions_and_synergies_of_the_toy() {
    let j = journeys(&TOY);
    let dividends = |worth: Worth| -> BTreeMap<String, f64> {
        let table = fit(&of(worth), &j).dividends(ALL, &Run::new()).unwrap();
        let of = table.f64s("dividend").unwrap();
        assert!(of.windows(2).all(|w| w[0].abs() >= w[1].abs()));
        (0..table.rows()).map(|r| (table.text("channels", r).unwrap().into_owned(), of[r])).collect()
    };
    for (worth, exact) in [
        (Worth::Conversions, [4., 5., 3., 8., 10.]),
        (Worth::ExactSetConversions, [4., 5., -1., 4., -2.]),
        (Worth::ExactSetRate, [1. / 10., 1. / 10., 1. / 20., 1. / 10., -1. / 60.]),
        (Worth::Rate, [1. / 10., 1. / 10., 1. / 60., 1. / 20., -1. / 10.]),
    ] {
        let found = dividends(worth);
        for (set, exact) in ["C", "A + B", "A + C", "B + C", "A + B + C"].iter().zip(exact) {
            assert!((found[*set] - exact).abs() < 1e-15, "{worth:?} {set} {found:?}");
        }
        assert_eq!(found.len(), 5);
    }
    let model = fit(&Shapley::default(), &j);
    let table = model.positions().unwrap();
    let exact = [
        ("A", 1, 79. / 12.),
        ("A", 2, 3. / 4.),
        ("B", 1, 4.),
        ("B", 2, 35. / 6.),
        ("C", 1, 4.),
        ("C", 2, 4.),
        ("C", 3, 29. / 6.),
    ];
    assert_eq!(table.rows(), exact.len());
    for (row, (channel, position, phi)) in exact.into_iter().enumerate() {
        assert_eq!(
            (table.text("channel", row).unwrap().as_ref(), table.i64s("position").unwrap()[row]),
            (channel, position)
        );
        assert!(close(table.f64s("shapley").unwrap()[row], phi, 1e-15));
    }
    assert!(close(table.f64s("shapley_value").unwrap().iter().sum(), 2890.0, 1e-14));
    assert!(matches!(fit(&of(Worth::Rate), &j).positions(), Err(Error::Option { .. })));
    let synergies = model.synergies(&Run::new()).unwrap();
    all_near(synergies.f64s("synergy").unwrap(), &[5. + 10. / 2., 3. + 10. / 2., 8. + 10. / 2.], 1e-14);
    assert_eq!(synergies.text("other", 1).unwrap(), "C");
    assert!(matches!(fit(&of(Worth::JourneyRate), &j).synergies(&Run::new()), Err(Error::Option { .. })));
    let top = model.dividends(DividendOptions { top: 2 }, &Run::new()).unwrap();
    assert_eq!(top.f64s("dividend").unwrap(), [10.0, 8.0]);
    assert_eq!(top.i64s("size").unwrap(), [3, 2]);
    // Through the door, from a file.
    let fitted = Fitted::from_bytes(&to_bytes(&model).unwrap()).unwrap().unwrap();
    assert_eq!(fitted.kind(), Some("attribution.Shapley"));
    assert_eq!(fitted.report("dividends", r#"{"top": 2}"#, &Run::new()).unwrap()[0].1, top);
    for name in ["values", "positions", "synergies"] {
        assert!(fitted.report(name, "{}", &Run::new()).unwrap()[0].1.rows() > 0, "{name}");
        assert!(fitted.report(name, r#"{"top": 2}"#, &Run::new()).is_err());
    }
    assert!(fitted.report("transitions", "{}", &Run::new()).is_err());
}

#[test]
fn the_sample_agrees_with_the_reference() {
    let Some(golden) = support::golden("attribution/exact_other_models_sample.json") else { return };
    let reference: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/paths.csv.gz");
    let mut reader =
        csv::Reader::from_reader(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let number = |r: &csv::StringRecord, i: usize| r[i].parse::<f64>().unwrap();
    let rows: Vec<_> = reader
        .records()
        .map(|r| r.unwrap())
        .map(|r| (r[0].to_owned(), number(&r, 1), number(&r, 3), number(&r, 2)))
        .collect();
    let j = journeys(&rows);
    for (worth, name) in [
        (Worth::Conversions, "shapley v=sum conversions over subsets (Zhao)"),
        (Worth::ExactSetConversions, "shapley v=conversions of exact set (do-attribution)"),
        (Worth::ExactSetRate, "shapley v=conv rate exact set"),
        (Worth::Rate, "shapley v=conv rate over subsets"),
    ] {
        let model = fit(&of(worth), &j);
        for (c, label) in model.channels().iter().enumerate() {
            let exact = reference[name]["values"][label].as_f64().unwrap();
            assert!((model.values()[c] - exact).abs() < 1e-9 * exact.abs().max(1e-2), "{worth:?} {label}");
        }
    }
    // The worths of exact sets add up to nothing here: said, not returned as nothing or as NaN.
    let none = totals(&j, of(Worth::ExactSetRate)).unwrap_err();
    assert!(matches!(&none, Error::NotEnoughData { reason } if reason.contains("journey_rate")), "{none}");
    let clamped = totals(&j, Shapley { negative: Negative::Clamp, ..of(Worth::ExactSetRate) }).unwrap();
    assert!(close(clamped.iter().map(|c| c[0]).sum(), 19_785.0, 1e-12));
    for worth in [Worth::Rate, Worth::JourneyRate] {
        let credits = totals(&j, of(worth)).unwrap();
        assert!(close(credits.iter().map(|c| c[0]).sum(), 19_785.0, 1e-12));
        assert!(close(credits.iter().map(|c| c[1]).sum(), j.total_value(), 1e-12));
    }
}

#[test]
fn a_table_of_worths_is_played_as_it_stands() {
    let j = journeys(&TOY);
    let row = |channels: &[&str], worth: f64| CoalitionWorth {
        channels: channels.iter().map(|&c| c.to_owned()).collect(),
        worth,
        value: None,
    };
    // The textbook's glove game: A has a left one, B and C a right one.
    let gloves = vec![row(&["B", "A"], 1.0), row(&["A", "C"], 1.0), row(&["A", "B", "C"], 1.0)];
    let table = Shapley { worths: gloves.clone(), ..of(Worth::Table) };
    all_near(fit(&table, &j).values(), &[2. / 3., 1. / 6., 1. / 6.], 1e-15);
    let credits = totals(&j, table.clone()).unwrap();
    all_near(&credits.iter().map(|c| c[0]).collect::<Vec<_>>(), &[20., 5., 5.], 1e-13);
    // Nothing is known of a pair: it is worth its best-known part.
    let some = vec![row(&["A"], 3.0), row(&["B"], 1.0), row(&["A", "B", "C"], 9.0)];
    let nearest = Shapley { worths: some, missing: Missing::NearestSubset, ..of(Worth::Table) };
    // v: A 3, B 1, C 0, AB 3 (A stands first of equals), AC 3, BC 1, ABC 9.
    let exact = [3. / 3. + (2. + 3.) / 6. + 8. / 3., 1. / 3. + (0. + 1.) / 6. + 6. / 3., 0. + 0. + 6. / 3.];
    all_near(fit(&nearest, &j).values(), &exact, 1e-14);
    let fails = |s: &Shapley| s.fit(&j, &Run::new()).unwrap_err().to_string();
    assert!(
        fails(&Shapley { missing: Missing::Error, ..table.clone() }).contains("coalition A is not known")
    );
    assert!(fails(&Shapley { worths: vec![row(&["A", "Z"], 1.0)], ..table.clone() }).contains("`Z`"));
    assert!(fails(&Shapley { worths: vec![row(&["A", "A"], 1.0)], ..table.clone() }).contains("different"));
    assert!(fails(&Shapley { worths: vec![row(&["A"], f64::NAN)], ..table.clone() }).contains("finite"));
    let twice = vec![row(&["A", "B"], 1.0), row(&["B", "A"], 1.0)];
    assert!(fails(&Shapley { worths: twice, ..table.clone() }).contains("twice"));
    assert!(fails(&of(Worth::Table)).contains("empty"));
    assert!(fails(&Shapley { worths: gloves, ..of(Worth::Rate) }).contains("table"));
    assert!(fails(&Shapley { samples: 1, ..of(Worth::Rate) }).contains("samples"));
    // All together are worth nothing where the table does not say so.
    let alone = Shapley { worths: vec![row(&["A"], 1.0), row(&["A", "B"], 3.0)], ..of(Worth::Table) };
    let error = totals(&j, alone).unwrap_err().to_string();
    assert!(error.contains("add up to 0, ") && error.contains("of all channels together"), "{error}");
    // All coalitions but A, B are there: journeys must be within each.
    assert!(fails(&Shapley { missing: Missing::Error, ..of(Worth::Rate) }).contains("coalition A"));
}

#[test]
fn models_are_named_by_their_worths() {
    let json = r#"{"models": ["shapley", {"model": "shapley", "worth": "rate"},
        {"model": "shapley", "worth": "table", "worths": [{"channels": ["A"], "worth": 2}], "negative": "clamp"},
        {"model": "markov", "order": 2}, {"model": "markov", "order": 2, "removal": "reconnect", "split": "journey"}]}"#;
    let options: AttributeOptions = headwater::options::parse(json).unwrap();
    assert_eq!(options.models[0], Model::Shapley(Shapley::default()));
    let found = attribute(&journeys(&TOY), &options, &Run::new()).unwrap();
    assert_eq!(
        found.models(),
        [
            "shapley(worth=conversions)",
            "shapley(worth=rate)",
            "shapley(worth=table, negative=clamp)",
            "markov(order=2)",
            "markov(order=2, removal=reconnect, split=journey)"
        ]
    );
    let back: AttributeOptions =
        headwater::options::parse(&serde_json::to_string(&options).unwrap()).unwrap();
    assert_eq!(back, options);
}

#[test]
fn degenerate_games_have_an_answer() {
    let worths = [
        Worth::Conversions,
        Worth::Rate,
        Worth::ExactSetRate,
        Worth::ExactSetConversions,
        Worth::JourneyRate,
    ];
    for worth in worths {
        // One channel; all converted; nobody converts; nothing at all.
        for (rows, exact) in [
            (vec![("a", 1.0, 0.0, 2.0)], [1.0, 2.0]),
            (vec![("a > a", 4.0, 0.0, 2.0), ("", 3.0, 0.0, 1.0)], [4.0, 2.0]),
            (vec![("a", 0.0, 7.0, 0.0)], [0.0, 0.0]),
            (vec![("a", 0.0, 0.0, 0.0)], [0.0, 0.0]),
        ] {
            assert_eq!(totals(&journeys(&rows), of(worth)).unwrap(), [exact], "{worth:?} {rows:?}");
        }
        assert_eq!(totals(&journeys::<&str>(&[]), of(worth)).unwrap(), Vec::<[f64; 2]>::new());
    }
    // A refund is a negative value of the game.
    let j = journeys(&[("a > b", 1.0, 0.0, -6.0), ("a", 1.0, 0.0, 10.0)]);
    all_near(fit(&Shapley::default(), &j).values_value(), &[7.0, -3.0], 1e-15);
    assert_eq!(totals(&j, Shapley::default()).unwrap(), [[1.5, 7.0], [0.5, -3.0]]);
    // 200 channels: closed forms, and exact sets, and nothing that looks at every coalition.
    let rows: Vec<_> = (0..200)
        .map(|i| (format!("c{i:03} > c{:03}", (i * 7 + 1) % 200), f64::from(i % 3), 1.0, f64::from(i % 3)))
        .collect();
    let j = journeys(&rows);
    let model = fit(&Shapley::default(), &j);
    assert!(close(model.values().iter().sum(), j.total_conversions(), 1e-13));
    assert_eq!(model.synergies(&Run::new()).unwrap().rows(), 200 * 199 / 2);
    assert!(totals(&j, of(Worth::JourneyRate)).is_ok());
    let points = fit(&of(Worth::ExactSetConversions), &j);
    assert!(points.values().iter().sum::<f64>().abs() < 1e-10, "no journey has all channels");
    let nearest = Shapley { missing: Missing::NearestSubset, ..of(Worth::ExactSetRate) };
    assert!(matches!(nearest.fit(&j, &Run::new()), Err(Error::Option { .. })));
    let sampled = fit(&Shapley { samples: 64, ..of(Worth::Rate) }, &j);
    assert!(sampled.standard_errors().unwrap().iter().all(|e| e.is_finite()));
    assert!(close(
        sampled.values().iter().sum(),
        j.total_conversions() / (j.total_conversions() + 200.0),
        1e-12
    ));
    assert!(matches!(sampled.dividends(ALL, &Run::new()), Err(Error::Option { .. })));
}

#[test]
fn of_equally_known_subsets_the_first_by_label_counts() {
    // Both pairs have two journeys; A + D is read as a larger number than B + C.
    let j = journeys(&[("A > D", 1.0, 1.0, 0.0), ("B > C", 0.0, 2.0, 0.0), ("A > B > C > D", 1.0, 1.0, 0.0)]);
    for worth in [Worth::JourneyRate, Worth::ExactSetRate] {
        let split = totals(&j, Shapley { missing: Missing::NearestSubset, ..of(worth) }).unwrap();
        assert!(split[1][0].abs() < 1e-12 && split[2][0].abs() < 1e-12, "{split:?}");
        assert!((split[0][0] - 1.0).abs() < 1e-12 && (split[3][0] - 1.0).abs() < 1e-12, "{split:?}");
    }
}

#[test]
fn single_journeys_are_split() {
    let j = journeys(&TOY);
    let fitted = |worth| Fitted::fit(&Model::Shapley(of(worth)), &j, &Run::new()).unwrap();
    let credit = |worth, path: &[&str]| fitted(worth).credit(path, &[], None).unwrap();
    all_near(&credit(Worth::Conversions, &["A", "A", "C"]), &[0.25, 0.25, 0.5], 1e-15);
    // 1/40 to 1/10.
    all_near(&credit(Worth::Rate, &["A", "A", "C"]), &[0.1, 0.1, 0.8], 1e-14);
    // v(AC) 3/20, v(C) 1/10.
    all_near(&credit(Worth::JourneyRate, &["A", "A", "C"]), &[1. / 12., 1. / 12., 5. / 6.], 1e-14);
    // A journey that was never seen, and channels that were not.
    let a_b = credit(Worth::JourneyRate, &["B", "nobody", "B"]);
    all_near(&a_b, &[0.5, 0.0, 0.5], 1e-15);
    all_near(&credit(Worth::Rate, &["x", "y", "y"]), &[0.5, 0.25, 0.25], 1e-15);
    for worth in [Worth::Conversions, Worth::JourneyRate] {
        let sums = totals(&j, of(worth)).unwrap();
        let touches = touch_credits(&j, &Model::Shapley(of(worth)), &Run::new()).unwrap();
        for (c, label) in ["A", "B", "C"].iter().enumerate() {
            for (k, column) in ["conversions", "value"].iter().enumerate() {
                let all = touches.f64s(column).unwrap();
                let mine = (0..all.len()).filter(|r| touches.text("channel", *r).as_deref() == Some(label));
                assert!(close(mine.map(|r| all[r]).sum(), sums[c][k], 1e-13), "{worth:?} {label} {column}");
            }
        }
    }
}

/// 26 channels: too many to list coalitions, but 22 of them always stand together.
#[test]
fn sampling_is_within_its_standard_error() {
    let clones: Vec<String> = (0..22).map(|i| format!("z{i:02}")).collect();
    let rows = [
        ("a".to_owned(), 1.0, 9.0, 1.0),
        ("a > b".to_owned(), 6.0, 4.0, 9.0),
        ("b > c".to_owned(), 2.0, 18.0, 2.0),
        ("c > d > a".to_owned(), 9.0, 3.0, 27.0),
        (clones.join(" > "), 30.0, 2.0, 40.0),
        (format!("d > {}", clones.join(" > ")), 1.0, 20.0, 5.0),
    ];
    let j = journeys(&rows);
    let exact = by_clones(&rows);
    let run = |samples| fit(&Shapley { samples, ..of(Worth::Rate) }, &j);
    let (few, many) = (run(1_000), run(40_000));
    for (model, most) in [(&few, 0.02), (&many, 0.003)] {
        let errors = model.standard_errors().unwrap();
        for c in 0..26 {
            let truth = exact[c.min(4)];
            assert!(errors[c] > 0.0 && errors[c] < most, "{errors:?}");
            assert!(
                (model.values()[c] - truth).abs() < 4.5 * errors[c],
                "{c}: {} {truth} {}",
                model.values()[c],
                errors[c]
            );
        }
        let sum: f64 = model.values().iter().sum();
        assert!(close(sum, 49. / 105., 1e-12), "{sum}");
    }
    assert_eq!(Shapley { samples: 1_000, ..of(Worth::Rate) }.fit(&j, &Run::new().threads(3)).unwrap(), few);
    assert_ne!(Shapley { samples: 1_000, ..of(Worth::Rate) }.fit(&j, &Run::new().seed(9)).unwrap(), few);
    assert!(few.table().get("standard_error").unwrap().valid.is_none());
}

/// The values of a, b, c, d and of one clone, over how many clones have joined.
fn by_clones(rows: &[(String, f64, f64, f64)]) -> [f64; 5] {
    let bits = |path: &str| path.split(" > ").fold(0_u32, |m, c| m | 1 << "abcdz".find(&c[..1]).unwrap());
    let worth = |set: u32| {
        let within = rows.iter().filter(|r| bits(&r.0) & !set == 0);
        let (c, n) = within.fold((0.0, 0.0), |(c, n), r| (c + r.1, n + r.1 + r.2));
        if n > 0.0 { c / n } else { 0.0 }
    };
    let choose = |n: u32, k: u32| (0..k).fold(1.0, |c, i| c * f64::from(n - i) / f64::from(i + 1));
    let weight = |s: u32| 1.0 / (f64::from(26 - s) * choose(26, s));
    let mut out = [0.0; 5];
    for few in 0..16_u32 {
        for joined in 0..=22_u32 {
            let set = few | u32::from(joined == 22) << 4;
            let size = few.count_ones() + joined;
            for (i, out) in out.iter_mut().take(4).enumerate().filter(|(i, _)| few >> i & 1 == 0) {
                *out += choose(22, joined) * weight(size) * (worth(set | 1 << i) - worth(set));
            }
            if joined == 21 {
                // The last clone completes them.
                out[4] += weight(size) * (worth(few | 1 << 4) - worth(few));
            }
        }
    }
    out
}

#[test]
fn many_channels_are_exact_and_the_same_for_any_number_of_threads() {
    // 17 channels: more coalitions than a block.
    let mut state = 5_u64;
    let mut draw = |of: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % of
    };
    let rows: Vec<_> = (0..4_000)
        .map(|_| {
            let path: Vec<String> = (0..=draw(6)).map(|_| format!("c{:02}", draw(17))).collect();
            (path.join(" > "), draw(3) as f64, draw(5) as f64, 0.0)
        })
        .collect();
    let j = journeys(&rows);
    let one = of(Worth::Rate).fit(&j, &Run::new().threads(1)).unwrap();
    assert_eq!(of(Worth::Rate).fit(&j, &Run::new().threads(3)).unwrap(), one);
    let whole = j.total_conversions() / (j.total_conversions() + j.total_nulls());
    assert!(close(one.values().iter().sum(), whole, 1e-12));
    // φ from the dividends, which come by another way.
    let table = one.dividends(ALL, &Run::new()).unwrap();
    let mut phi = [0.0; 17];
    for (row, d) in table.f64s("dividend").unwrap().iter().enumerate() {
        let size = table.i64s("size").unwrap()[row] as f64;
        for label in table.text("channels", row).unwrap().split(" + ") {
            phi[label[1..].parse::<usize>().unwrap()] += d / size;
        }
    }
    all_near(one.values(), &phi, 1e-10);
    let top = one.dividends(DividendOptions { top: 700 }, &Run::new()).unwrap();
    assert_eq!(top.f64s("dividend").unwrap(), &table.f64s("dividend").unwrap()[..700]);
}

type Row = (Vec<u8>, f64, f64, f64);
const N: usize = 5;

fn path_rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (prop::collection::vec(0_u8..N as u8, 1..6), 0_u8..4, 0_u8..4, -4_i8..9);
    prop::collection::vec(row, 1..14).prop_map(|rows| {
        let every = (0..N as u8).collect();
        rows.into_iter()
            .map(|(p, c, n, v)| (p, f64::from(c), f64::from(n), if c == 0 { 0.0 } else { f64::from(v) }))
            .chain([(every, 0.0, 1.0, 0.0)])
            .collect()
    })
}

fn named(rows: &[Row]) -> Vec<(String, f64, f64, f64)> {
    let name = |path: &[u8]| path.iter().map(|c| format!("ch{c}")).collect::<Vec<_>>().join(" > ");
    rows.iter().map(|r| (name(&r.0), r.1, r.2, r.3)).collect()
}

fn bits(path: &[u8]) -> u32 {
    path.iter().fold(0, |m, c| m | 1 << c)
}

/// The worth of every coalition, by definition.
fn worths(rows: &[Row], worth: Worth, missing: Missing, k: usize) -> Vec<f64> {
    let of = |r: &Row| if k == 0 { r.1 } else { r.3 };
    let sum = |keep: &dyn Fn(u32) -> bool| {
        let kept = rows.iter().filter(|r| keep(bits(&r.0)));
        kept.fold((0.0, 0.0), |(x, n), r| (x + of(r), n + r.1 + r.2))
    };
    let seen = |s: u32| sum(&|b| b == s).1 > 0.0;
    (0..1_u32 << N)
        .map(|s| match worth {
            Worth::Conversions => sum(&|b| b & !s == 0).0,
            Worth::Rate => {
                let (x, n) = sum(&|b| b & !s == 0);
                if n > 0.0 { x / n } else { 0.0 }
            }
            _ => {
                let mut nearest: Vec<u32> = (1..1_u32 << N).filter(|t| t & !s == 0 && seen(*t)).collect();
                let list = |t: u32| (0..N).filter(|c| t >> c & 1 == 1).collect::<Vec<_>>();
                nearest.sort_by(|a, b| {
                    let n = |t: u32| sum(&|b| b == t).1;
                    b.count_ones()
                        .cmp(&a.count_ones())
                        .then(n(*b).total_cmp(&n(*a)))
                        .then(list(*a).cmp(&list(*b)))
                });
                let at = if seen(s) {
                    Some(s)
                } else {
                    nearest.first().copied().filter(|_| missing == Missing::NearestSubset)
                };
                at.map_or(0.0, |t| {
                    let (x, n) = sum(&|b| b == t);
                    if worth == Worth::ExactSetRate { x / n } else { x }
                })
            }
        })
        .collect()
}

fn factorial(n: u32) -> f64 {
    (1..=n).map(f64::from).product()
}

/// Over all coalitions of `among`.
fn by_definition(v: &[f64], among: u32) -> Vec<f64> {
    let n = among.count_ones();
    (0..N)
        .map(|i| {
            let others = |s: &u32| s & !among == 0 && s >> i & 1 == 0;
            if among >> i & 1 == 0 {
                return 0.0;
            }
            (0..1_u32 << N)
                .filter(others)
                .map(|s| {
                    let k = s.count_ones();
                    factorial(k) * factorial(n - k - 1) / factorial(n)
                        * (v[(s | 1 << i) as usize] - v[s as usize])
                })
                .sum()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_dividends_and_synergies_are_their_definitions(rows in path_rows()) {
        let j = journeys(&named(&rows));
        let all = (1_u32 << N) - 1;
        for worth in [Worth::Conversions, Worth::Rate, Worth::ExactSetRate, Worth::ExactSetConversions] {
            for missing in [Missing::Zero, Missing::NearestSubset] {
                let model = fit(&Shapley { missing, ..of(worth) }, &j);
                let table = model.dividends(ALL, &Run::new()).unwrap();
                let synergies = model.synergies(&Run::new()).unwrap();
                for k in 0..2 {
                    let v = worths(&rows, worth, missing, k);
                    let exact = by_definition(&v, all);
                    let found = if k == 0 { model.values() } else { model.values_value() };
                    for (f, e) in found.iter().zip(&exact) {
                        prop_assert!((f - e).abs() < 1e-12 * (1.0 + e.abs()), "{worth:?} {missing:?} {k}: {found:?} {exact:?}");
                    }
                    let column = table.f64s(["dividend", "dividend_value"][k]).unwrap();
                    for row in 0..table.rows() {
                        let set = table.text("channels", row).unwrap().split(" + ").fold(0_u32, |m, l| m | 1 << l[2..].parse::<u32>().unwrap());
                        let exact: f64 = (0..=all).filter(|t| t & !set == 0).map(|t| {
                            let sign = if (set.count_ones() - t.count_ones()) % 2 == 0 { 1.0 } else { -1.0 };
                            sign * v[t as usize]
                        }).sum();
                        prop_assert!((column[row] - exact).abs() < 1e-12 * (1.0 + exact.abs()), "{worth:?} {set:b}");
                    }
                    let column = synergies.f64s(["synergy", "synergy_value"][k]).unwrap();
                    let mut row = 0;
                    for a in 0..N {
                        for b in a + 1..N {
                            let (x, y) = (1_u32 << a, 1_u32 << b);
                            let exact: f64 = (0..=all).filter(|s| s & (x | y) == 0).map(|s| {
                                let k = s.count_ones();
                                let v = |s: u32| v[s as usize];
                                factorial(k) * factorial(N as u32 - k - 2) / factorial(N as u32 - 1)
                                    * (v(s | x | y) - v(s | x) - v(s | y) + v(s))
                            }).sum();
                            prop_assert!((column[row] - exact).abs() < 1e-12 * (1.0 + exact.abs()), "{worth:?} {missing:?} {k} {a} {b}: {} {exact}", column[row]);
                            row += 1;
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_game_of_each_journey_is_its_definition(rows in path_rows()) {
        let j = journeys(&named(&rows));
        for missing in [Missing::Zero, Missing::NearestSubset] {
            for negative in [Negative::Keep, Negative::Clamp] {
                let shapley = Shapley { missing, negative, ..of(Worth::JourneyRate) };
                let mut exact = [[0.0; 2]; N];
                for k in 0..2 {
                    let v = worths(&rows, Worth::ExactSetRate, missing, k);
                    let sets: BTreeSet<u32> = rows.iter().filter(|r| r.1 + r.2 > 0.0).map(|r| bits(&r.0)).collect();
                    for set in sets {
                        let total: f64 = rows.iter().filter(|r| bits(&r.0) == set).map(|r| if k == 0 { r.1 } else { r.3 }).sum();
                        if total == 0.0 {
                            continue;
                        }
                        let mut shares: Vec<f64> = by_definition(&v, set).iter().map(|x| x / v[set as usize]).collect();
                        if negative == Negative::Clamp {
                            shares.iter_mut().for_each(|s| *s = s.max(0.0));
                            let sum: f64 = shares.iter().sum();
                            shares.iter_mut().for_each(|s| *s /= sum);
                        }
                        exact.iter_mut().zip(shares).for_each(|(e, s)| e[k] += s * total);
                    }
                }
                let found = totals(&j, shapley.clone()).unwrap();
                let model = fit(&shapley, &j);
                for c in 0..N {
                    for k in 0..2 {
                        let size = 1.0 + exact[c][k].abs();
                        prop_assert!((found[c][k] - exact[c][k]).abs() < 1e-10 * size, "{found:?} {exact:?}");
                    }
                    prop_assert!((model.values()[c] - found[c][0]).abs() < 1e-10 * (1.0 + found[c][0].abs()));
                }
            }
        }
    }

    #[test]
    fn relabelling_permutes_and_alike_channels_have_alike(rows in path_rows(), shift in 1_u8..5) {
        let moved: Vec<Row> = rows.iter().map(|r| (r.0.iter().map(|c| (c + shift) % N as u8).collect(), r.1, r.2, r.3)).collect();
        let mut split = named(&rows);
        let (path, c, n, v) = split[0].clone();
        split[0] = (path.clone(), c / 2.0, n / 2.0, v / 2.0);
        split.push((path, c / 2.0, n / 2.0, v / 2.0));
        // A twin of channel 0 in every path that has it.
        let twins: Vec<_> = named(&rows).into_iter().map(|r| (r.0.replace("ch0", "ch0 > twin"), r.1, r.2, r.3)).collect();
        for worth in [Worth::Conversions, Worth::Rate, Worth::ExactSetRate, Worth::ExactSetConversions, Worth::JourneyRate] {
            let model = fit(&of(worth), &journeys(&named(&rows)));
            let other = fit(&of(worth), &journeys(&named(&moved)));
            prop_assert_eq!(&fit(&of(worth), &journeys(&split)), &model);
            for c in 0..N {
                let there = other.values()[(c + shift as usize) % N];
                prop_assert!((model.values()[c] - there).abs() < 1e-10 * (1.0 + there.abs()), "{worth:?}");
            }
            let twin = fit(&of(worth), &journeys(&twins));
            let (a, b) = (twin.values()[0], twin.values()[N]);
            prop_assert!((a - b).abs() < 1e-10 * (1.0 + a.abs()), "{worth:?} {:?}", twin.values());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// `t` is wherever `a` is, for as much; the rest are too many to list coalitions.
    #[test]
    fn sampled_values_of_channels_that_swap_are_the_same_to_the_last_bit(
        rows in proptest::collection::vec((0_u32..16, 1_u8..5, 0_u8..5, 0_u8..3), 1..7),
        both in 0_u8..4,
        seed in 0_u64..1_000,
    ) {
        let crowd: Vec<String> = (0..24).map(|i| format!("z{i:02}")).collect();
        let mut all = vec![(crowd.join(" > "), 1.0, 5.0, 2.0)];
        let mut taken = BTreeSet::new();
        for (set, c, n, v) in &rows {
            // Bit 0 is a, or t.
            let named = |first: &str| {
                let names = [first, "b", "c", "d"];
                let there = (0..4).filter(|i| set >> i & 1 == 1).map(|i| names[i]);
                there.collect::<Vec<_>>().join(" > ")
            };
            for path in BTreeSet::from([named("a"), named("t")]) {
                if !path.is_empty() && taken.insert(path.clone()) {
                    all.push((path, f64::from(*c), f64::from(*n), f64::from(*v)));
                }
            }
        }
        all.push(("a > d > t".to_owned(), f64::from(both), 3.0, f64::from(both)));
        let j = journeys(&all);
        let run = Run::new().seed(seed);
        let shapley = Shapley { samples: 20, ..of(Worth::Rate) };
        let model = shapley.fit(&j, &run).unwrap();
        let at = |label: &str| model.channels().iter().position(|c| c == label).unwrap();
        let (a, t) = (at("a"), at("t"));
        let errors = model.standard_errors().unwrap();
        prop_assert_eq!((model.values()[a], errors[a]), (model.values()[t], errors[t]));
        prop_assert_eq!(model.values_value()[a], model.values_value()[t]);
        let z = |i: usize| model.values()[at(&format!("z{i:02}"))];
        prop_assert!((1..24).all(|i| z(i) == z(0)));
        let total = j.total_conversions() / (j.total_conversions() + j.total_nulls());
        prop_assert!(close(model.values().iter().sum(), total, 1e-12));
        if let Ok(credits) = totals(&j, shapley) {
            prop_assert_eq!(credits[a][0], credits[t][0]);
        }
    }
}
