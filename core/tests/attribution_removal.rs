//! Markov chains with parts taken out, against exact fractions and brute force.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use headwater::attribution::{
    AttributeOptions, Fitted, JointOptions, Markov, MarkovModel, Model, Negative, Removal, Split, attribute,
    touch_credits,
};
use headwater::column::Table;
use headwater::journey::{Journeys, Repeats};
use headwater::model::{from_bytes, to_bytes};
use headwater::run::{Monitor, Run};
use headwater::{Error, Result};
use proptest::prelude::*;

mod support;

use support::paths::journeys;

const TOY: [(&str, f64, f64, f64); 5] = [
    ("A > B > C", 10.0, 20.0, 1000.0),
    ("A > B", 5.0, 45.0, 400.0),
    ("B > C", 8.0, 32.0, 960.0),
    ("C", 4.0, 36.0, 200.0),
    ("A > A > C", 3.0, 17.0, 330.0),
];

fn removed(order: usize, removal: Removal) -> Markov {
    Markov { order, removal, repeats: Repeats::Keep, ..Markov::default() }
}

fn fit(markov: &Markov, journeys: &Journeys) -> MarkovModel {
    markov.fit(journeys, &Run::new()).unwrap()
}

fn close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * b.abs().max(1e-300)
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-10 * b.abs().max(1.0)
}

fn totals(journeys: &Journeys, markov: Markov) -> Vec<[f64; 2]> {
    let options = AttributeOptions { models: vec![Model::Markov(markov)], ..Default::default() };
    attribute(journeys, &options, &Run::new()).unwrap().credits("markov").unwrap().to_vec()
}

#[test]
fn each_removal_gives_its_fractions() {
    let j = journeys(&TOY).unwrap();
    let exact = [
        (Removal::Null, [7. / 13., 8. / 13., 5. / 6.]),
        (Removal::Reconnect, [-1. / 26., -2. / 13., 2. / 5.]),
        (Removal::Skip, [0.0, 0.0, -4. / 35.]),
        (Removal::Fail, [3. / 5., 23. / 30., 5. / 6.]),
        (Removal::FailRefit, [3. / 5., 23. / 30., 11. / 14.]),
    ];
    for (removal, exact) in exact {
        let model = fit(&removed(1, removal), &j);
        for (found, exact) in model.removal_effects().iter().zip(exact) {
            assert!((found - exact).abs() < 1e-15, "{removal:?} {:?}", model.removal_effects());
        }
        assert!(close(model.conversion_probability(), 1. / 6., 1e-15));
        let back: MarkovModel = from_bytes(&to_bytes(&model).unwrap()).unwrap();
        assert_eq!(back, model);
    }
    // The names of do-attribution are understood.
    for (theirs, ours) in [("detour", Removal::Skip), ("redirect_to_null", Removal::Null)] {
        let json = format!(r#"{{"model": "markov", "removal": "{theirs}"}}"#);
        let Model::Markov(markov) = serde_json::from_str(&json).unwrap() else { panic!("{json}") };
        assert_eq!(markov.removal, ours);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two channels that the chain cannot tell apart, and what it would say of them without being told.
    #[test]
    fn twins_have_the_same_to_the_last_bit(
        rows in prop::collection::vec(
            (prop::collection::vec(0_usize..5, 1..6), 0_u32..9, 0_u32..9, 0_u32..99), 1..12,
        ),
        removal in prop::sample::select(vec![Removal::Null, Removal::Reconnect, Removal::Fail]),
    ) {
        // x and y, apart in the order of labels.
        const NAMES: [&str; 5] = ["b", "a", "m", "y", "x"];
        let swap = |c: usize| match c { 1 => 4, 4 => 1, other => other };
        let path = |steps: &[usize], twin: bool| {
            let names = steps.iter().map(|c| NAMES[if twin { swap(*c) } else { *c }]);
            names.collect::<Vec<_>>().join(" > ")
        };
        let both: Vec<(String, f64, f64, f64)> = rows
            .iter()
            .flat_map(|(steps, c, n, v)| {
                let value = if *c > 0 { f64::from(*v) / 7.0 } else { 0.0 };
                [false, true].map(|twin| (path(steps, twin), f64::from(*c), f64::from(*n), value))
            })
            .collect();
        let j = journeys(&both).unwrap();
        let labels = j.channel_labels();
        let place = |name: &str| labels.iter().position(|l| l == name);
        let (Some(a), Some(x)) = (place("a"), place("x")) else { return Ok(()) };
        let model = fit(&removed(1, removal), &j);
        for effects in [model.removal_effects(), model.removal_effects_value()] {
            prop_assert_eq!(effects[a].to_bits(), effects[x].to_bits());
        }
        let options = AttributeOptions { models: vec![Model::Markov(removed(1, removal))], ..Default::default() };
        let credits = attribute(&j, &options, &Run::new()).unwrap();
        let credits = credits.credits("markov").unwrap();
        prop_assert_eq!(credits[a].map(f64::to_bits), credits[x].map(f64::to_bits));
        // Joint removal of one channel alone is a solve of its own, which no mean has touched.
        let sets = vec![vec!["a".to_owned()], vec!["x".to_owned()]];
        let joint = JointOptions { sets, ..JointOptions::default() };
        let alone = model.joint_effects(&joint, &Run::new()).unwrap();
        for k in 0..2 {
            let found = alone.f64s("removal_effect").unwrap()[k];
            prop_assert!((found - model.removal_effects()[a]).abs() < 1e-10);
        }
    }
}

#[test]
fn negative_effects_are_clamped_or_kept_and_credits_add_up() {
    let j = journeys(&TOY).unwrap();
    let clamped = totals(&j, removed(1, Removal::Reconnect));
    assert_eq!(clamped.iter().map(|c| c[0]).collect::<Vec<_>>(), [0.0, 0.0, 30.0]);
    let kept = totals(&j, Markov { negative: Negative::Keep, ..removed(1, Removal::Reconnect) });
    // -1/26, -2/13 and 2/5 add up to 27/130.
    for (found, exact) in kept.iter().zip([-5. / 27., -20. / 27., 52. / 27.]) {
        assert!(close(found[0], 30.0 * exact, 1e-13), "{kept:?}");
    }
    // Nothing is positive: by touches.
    let skipped = totals(&j, removed(1, Removal::Skip));
    for (found, linear) in skipped.iter().zip([47. / 6., 59. / 6., 37. / 3.]) {
        assert!(close(found[0], linear, 1e-14));
    }
    for removal in [Removal::Null, Removal::Reconnect, Removal::Skip, Removal::Fail, Removal::FailRefit] {
        for negative in [Negative::Clamp, Negative::Keep] {
            for order in [1, 2] {
                let credits = totals(&j, Markov { negative, ..removed(order, removal) });
                for (k, total) in [30.0, 2890.0].into_iter().enumerate() {
                    let sum: f64 = credits.iter().map(|c| c[k]).sum();
                    assert!(close(sum, total, 1e-12), "{removal:?} {negative:?} {order}: {credits:?}");
                }
            }
        }
    }
}

#[test]
fn the_split_of_each_journey_is_dp6s() {
    let j = journeys(&TOY).unwrap();
    let markov = Markov { split: Split::Journey, ..Markov::default() };
    let found = totals(&j, markov.clone());
    for (found, printed) in found.iter().zip([6.7343, 9.1617, 14.1040]) {
        assert!((found[0] - printed).abs() < 5e-5, "{found:?}");
    }
    // And it is the sum of what the touches have.
    let touches = touch_credits(&j, &Model::Markov(markov), &Run::new()).unwrap();
    for (c, label) in ["A", "B", "C"].iter().enumerate() {
        for (k, column) in ["conversions", "value"].iter().enumerate() {
            let of = touches.f64s(column).unwrap();
            let mine = (0..of.len()).filter(|r| touches.text("channel", *r).as_deref() == Some(label));
            assert!(close(mine.map(|r| of[r]).sum(), found[c][k], 1e-13));
        }
    }
}

fn joint(model: &MarkovModel, sets: &[&[&str]], sequences: &[&[&str]]) -> Result<Table> {
    let lists = |of: &[&[&str]]| of.iter().map(|s| s.iter().map(|&c| c.to_owned()).collect()).collect();
    let options = JointOptions { sets: lists(sets), sequences: lists(sequences) };
    model.joint_effects(&options, &Run::new())
}

#[test]
fn joint_effects_of_the_toy() {
    let j = journeys(&TOY).unwrap();
    let model = fit(&removed(1, Removal::Null), &j);
    let table = joint(&model, &[&["A", "B"], &["A"], &["C", "B", "A"]], &[&["A", "B"], &["A", "A"]]).unwrap();
    // Without A and B: start > C 2/9, of which 5/26 convert; P = 1/6.
    // Without A > B: A is left by C alone, 1/5; B is come to from the start only.
    let (b_b, b_c) = (2. / 13., 5. / 26.);
    let without_ab = 5. / 9. * (b_c / 5.) + 2. / 9. * b_b + 2. / 9. * b_c;
    // With repeats kept A > A is 1/5 of what A does: 20, 80 to B, 20 to C of 120 here.
    let a_once = 80. / 120. * b_b + 20. / 120. * b_c;
    let without_aa = 5. / 9. * a_once + 2. / 9. * b_b + 2. / 9. * b_c;
    let exact = [1. - 6. * (2. / 9. * b_c), 7. / 13., 1.0, 1. - 6. * without_ab, 1. - 6. * without_aa];
    let found = table.f64s("removal_effect").unwrap();
    for (found, exact) in found.iter().zip(exact) {
        assert!(close(*found, exact, 1e-13), "{found} {exact}");
    }
    assert!(close(table.f64s("sum_of_effects").unwrap()[0], 7. / 13. + 8. / 13., 1e-14));
    assert_eq!(table.text("channels", 3).unwrap(), "A > B");
    assert_eq!(table.text("kind", 3).unwrap(), "sequence");

    let fails = |model: &MarkovModel, sets: &[&[&str]], sequences: &[&[&str]]| {
        let Err(Error::Option { reason, .. }) = joint(model, sets, sequences) else { panic!("no error") };
        reason
    };
    assert!(fails(&model, &[], &[]).contains("at least one"));
    assert!(fails(&model, &[&["Z"]], &[]).contains("`Z`"));
    assert!(fails(&model, &[&[]], &[]).contains("empty"));
    assert!(fails(&model, &[], &[&["A"]]).contains("two channels"));
    assert!(fails(&model, &[], &[&["A", "B", "C"]]).contains("order 2"));
    let collapsed = fit(&Markov::default(), &j);
    assert!(fails(&collapsed, &[], &[&["A", "A"]]).contains("keep"));
    assert!(fails(&fit(&removed(1, Removal::Fail), &j), &[], &[&["A", "B"]]).contains("null"));

    // Through the door, from a file.
    let fitted = Fitted::from_bytes(&to_bytes(&model).unwrap()).unwrap().unwrap();
    let tables = fitted
        .report("joint_effects", r#"{"sets": [["A", "B"]], "sequences": [["A", "B"]]}"#, &Run::new())
        .unwrap();
    assert_eq!(tables[0].1.f64s("removal_effect").unwrap(), [found[0], found[3]]);
    let tables = fitted.report("states", "{}", &Run::new()).unwrap();
    assert_eq!((tables[0].0, tables[1].0), ("states", "channels"));
    assert!(fitted.report("states", r#"{"top": 3}"#, &Run::new()).is_err());
    assert!(fitted.report("dividends", "{}", &Run::new()).is_err());
    let monitor = Monitor::new();
    let run = Run::new().monitor(monitor.clone());
    fitted.report("joint_effects", r#"{"sets": [["A", "B"], ["A"]]}"#, &run).unwrap();
    let now = monitor.progress();
    assert_eq!((now.stage, now.done, now.total), ("remove together", 2, 2));
    monitor.cancel();
    for (report, options) in [("joint_effects", r#"{"sets": [["A", "B"]]}"#), ("states", "{}")] {
        assert!(matches!(fitted.report(report, options, &run), Err(Error::Cancelled)), "{report}");
    }
}

#[test]
fn states_of_the_toy() {
    let j = journeys(&TOY).unwrap();
    let tables = fit(&Markov::default(), &j).states(&Run::new()).unwrap();
    let states = &tables[0].1;
    let column = |name: &str| states.f64s(name).unwrap().to_vec();
    let check = |name: &str, exact: [f64; 3]| {
        for (found, exact) in column(name).iter().zip(exact) {
            assert!(close(*found, exact, 1e-14), "{name}: {:?}", column(name));
        }
    };
    // A 100 of 180 journeys, B 120, C 130; none comes back.
    check("expected_visits", [5. / 9., 2. / 3., 13. / 18.]);
    check("probability", [5. / 9., 2. / 3., 13. / 18.]);
    check("conversion_probability", [4. / 5. * 2. / 13. + 1. / 26., 2. / 13., 5. / 26.]);
    check("expected_steps", [1. + 4. / 5. * (19. / 12.) + 1. / 5., 19. / 12., 1.0]);
    check("conversion_share", [7. / 13., 8. / 13., 5. / 6.]);
    check(
        "expected_value",
        [
            4. / 5. * (400. / 120. + 7. / 12. * 2490. / 130.) + 1. / 5. * 2490. / 130.,
            400. / 120. + 7. / 12. * 2490. / 130.,
            2490. / 130.,
        ],
    );
    let channels = &tables[1].1;
    assert_eq!(channels.text("channel", 2).unwrap(), "C");
    assert!(close(channels.f64s("probability").unwrap()[0], 5. / 9., 1e-14));
    assert!(close(channels.f64s("conversion_share").unwrap()[2], 5. / 6., 1e-14));
}

#[test]
fn orders_go_as_far_as_their_keys() {
    let j = journeys(&TOY).unwrap();
    // 3 channels: 4^31 is the highest power of 4 in 64 bits.
    for order in [6, 17, 30] {
        let model = fit(&Markov { order, ..Markov::default() }, &j);
        for (found, exact) in model.removal_effects().iter().zip([3. / 5., 23. / 30., 5. / 6.]) {
            assert!(close(*found, exact, 1e-14), "order {order}");
        }
        let back: MarkovModel = from_bytes(&to_bytes(&model).unwrap()).unwrap();
        assert_eq!(back.transitions(), model.transitions());
    }
    let over = Markov { order: 31, ..Markov::default() }.fit(&j, &Run::new()).unwrap_err();
    assert!(over.to_string().contains("1 to 30 with 3 channels"), "{over}");
}

#[test]
fn hard_chains_have_answers() {
    // A start that only the removed channel leads on from.
    let j = journeys(&[("a > b", 3.0, 1.0, 6.0), ("a > c > b", 1.0, 5.0, 1.0)]).unwrap();
    for removal in [Removal::Null, Removal::Reconnect, Removal::Fail, Removal::Skip, Removal::FailRefit] {
        let model = fit(&removed(1, removal), &j);
        let effect = model.removal_effects()[0];
        assert!(
            close(effect, if removal == Removal::Skip { 0.0 } else { 1.0 }, 1e-15),
            "{removal:?} {effect}"
        );
    }
    // Without b nobody comes from a > c > a to an end any more.
    let j = journeys(&[("a > c > a > c > b", 3.0, 1.0, 6.0), ("d", 1.0, 1.0, 1.0)]).unwrap();
    let model = fit(&removed(1, Removal::Reconnect), &j);
    // a and c go round for ever: of those who start, 2 of 6 at d, half convert; p was 2/3.
    assert!(close(model.removal_effects()[1], 1.0 - (1. / 6.) / (2. / 3.), 1e-14));
    // One channel, one touch; all convert; none does; journeys that are null alone.
    for (rows, exact) in [
        (vec![("a", 1.0, 0.0, 2.0)], [1.0, 1.0, 0.0, 1.0, 1.0]),
        (vec![("a", 0.0, 2.0, 0.0)], [0.0; 5]),
        (vec![("a > a", 2.0, 2.0, 1.0)], [1.0, 1.0, 1.0, 1.0, 1.0]),
    ] {
        let j = journeys(&rows).unwrap();
        let all = [Removal::Null, Removal::Reconnect, Removal::Skip, Removal::Fail, Removal::FailRefit];
        for (removal, exact) in all.into_iter().zip(exact) {
            let model = fit(&removed(2, removal), &j);
            let exact = if removal == Removal::Skip { model.removal_effects()[0] } else { exact };
            assert_eq!(model.removal_effects(), [exact], "{rows:?} {removal:?}");
            assert!((model.removal_effects()[0]).is_finite());
            let sum = totals(&j, removed(1, removal))[0];
            assert!(close(sum[0], j.total_conversions(), 1e-15) && close(sum[1], j.total_value(), 1e-15));
        }
    }
    // 200 channels in a row, and a path of 10,000 touches that hardly ever ends.
    let long: Vec<String> = (0..200).map(|i| format!("c{i:03}")).collect();
    let rows = [(long.join(" > "), 2.0, 1.0, 4.0), (long[7].clone(), 1.0, 2.0, 1.0)];
    let j = journeys(&rows).unwrap();
    let model = fit(&Markov { order: 2, ..Markov::default() }, &j);
    assert!(close(model.conversion_probability(), 0.5, 1e-13));
    assert!(model.removal_effects().iter().enumerate().all(|(c, e)| close(
        *e,
        if c == 7 { 1.0 } else { 2. / 3. },
        1e-12
    )));
    let round = vec!["x > y"; 5_000].join(" > ");
    let j = journeys(&[(round, 1.0, 3.0, 1.0), ("y > z".to_owned(), 1.0, 0.0, 2.0)]).unwrap();
    for order in [1, 2, 3] {
        let model = fit(&Markov { order, ..Markov::default() }, &j);
        assert!(close(model.conversion_probability(), 0.4, 1e-11), "{}", model.conversion_probability());
        assert!(model.removal_effects().iter().all(|e| (0.0..=1.0).contains(e)));
    }
}

#[test]
fn refunds_are_value_too() {
    let rows = [
        ("a > b", 2.0, 1.0, 50.0),
        ("b > c", 1.0, 1.0, -30.0),
        ("c", 1.0, 0.0, -5.0),
        ("a > c > b", 1.0, 2.0, 7.0),
    ];
    let j = journeys(&rows).unwrap();
    assert_eq!(j.total_value(), 22.0);
    let model = fit(&removed(1, Removal::Fail), &j);
    // Value with each channel: a 57, b 27, c -28; of 22 in all.
    for (found, exact) in model.removal_effects_value().iter().zip([57. / 22., 27. / 22., -28. / 22.]) {
        assert!(close(*found, exact, 1e-14), "{found} {exact}");
    }
    let kept = totals(&j, Markov { negative: Negative::Keep, ..removed(1, Removal::Fail) });
    for (found, exact) in kept.iter().zip([57., 27., -28.]) {
        assert!(close(found[1], exact / 56. * 22., 1e-13), "{kept:?}");
    }
    let back: MarkovModel = from_bytes(&to_bytes(&model).unwrap()).unwrap();
    assert_eq!(back, model);
}

type PathRow = (Vec<u8>, f64, f64, f64);

fn path_rows() -> impl Strategy<Value = Vec<PathRow>> {
    let row = (prop::collection::vec(0_u8..4, 1..6), 0_u8..4, 0_u8..4, -4_i8..9);
    prop::collection::vec(row, 1..12).prop_map(|rows| {
        rows.into_iter()
            .map(|(p, c, n, v)| (p, f64::from(c), f64::from(n), if c == 0 { 0.0 } else { f64::from(v) }))
            .collect()
    })
}

fn named(rows: &[PathRow]) -> Vec<(String, f64, f64, f64)> {
    let name = |path: &[u8]| path.iter().map(|c| format!("ch{c}")).collect::<Vec<_>>().join(" > ");
    rows.iter().map(|r| (name(&r.0), r.1, r.2, r.3)).collect()
}

/// What the walks that remain bring: conversions, value, all ends; step by
/// step, from the start or a state. `keep` says which states and transitions
/// are open; closed ones are lost, or their share goes to the others.
fn walk(
    rows: &[PathRow],
    order: usize,
    keep: impl Fn(&[u8], &[u8]) -> bool,
    reconnect: bool,
    from: &[u8],
) -> [f64; 3] {
    let mut flows: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, f64>> = BTreeMap::new();
    let mut ends: BTreeMap<Vec<u8>, [f64; 3]> = BTreeMap::new();
    for (path, c, n, v) in rows.iter().filter(|r| r.1 + r.2 > 0.0) {
        let mut states = vec![Vec::new()];
        states.extend(path.windows(order.min(path.len())).map(<[u8]>::to_vec));
        for pair in states.windows(2) {
            *flows.entry(pair[0].clone()).or_default().entry(pair[1].clone()).or_default() += c + n;
        }
        let end = ends.entry(states.last().unwrap().clone()).or_default();
        *end = [end[0] + c, end[1] + n, end[2] + v];
    }
    let mut mass: BTreeMap<Vec<u8>, f64> = [(from.to_vec(), 1.0)].into();
    let mut out = [0.0; 3];
    for _ in 0..4_000 {
        let mut next: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
        for (state, m) in &mass {
            let to = flows.get(state);
            let end = ends.get(state).copied().unwrap_or_default();
            let open: f64 =
                to.into_iter().flatten().filter(|(t, _)| !reconnect || keep(state, t)).map(|(_, w)| w).sum();
            let total = open + end[0] + end[1];
            if total == 0.0 {
                continue;
            }
            out = [
                out[0] + m * end[0] / total,
                out[1] + m * end[2] / total,
                out[2] + m * (end[0] + end[1]) / total,
            ];
            for (t, w) in to.into_iter().flatten().filter(|(t, _)| keep(state, t)) {
                *next.entry(t.clone()).or_default() += m * w / total;
            }
        }
        mass = next;
        if mass.values().sum::<f64>() < 1e-16 {
            break;
        }
    }
    out
}

fn everywhere(_: &[u8], _: &[u8]) -> bool {
    true
}

fn effect(whole: [f64; 3], left: [f64; 3], k: usize) -> Option<f64> {
    // Where gains and refunds cancel there is no share worth a comparison.
    if k == 0 && whole[0] == 0.0 {
        Some(0.0)
    } else {
        (whole[k].abs() > 1e-3).then(|| 1.0 - left[k] / whole[k])
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chains_without_channels_are_walked_without_them(rows in path_rows(), order in 1_usize..=3) {
        let j = journeys(&named(&rows)).unwrap();
        let whole = walk(&rows, order, everywhere, false, &[]);
        for (removal, reconnect) in [(Removal::Null, false), (Removal::Reconnect, true)] {
            let model = fit(&removed(order, removal), &j);
            let codes: Vec<u8> = model.channels().iter().map(|l| l[2..].parse().unwrap()).collect();
            for (c, code) in codes.iter().enumerate() {
                let left = walk(&rows, order, |_, t| !t.contains(code), reconnect, &[]);
                for (k, found) in [model.removal_effects()[c], model.removal_effects_value()[c]].into_iter().enumerate() {
                    if let Some(exact) = effect(whole, left, k) {
                        prop_assert!((found - exact).abs() < 1e-9 * (1.0 + exact.abs()), "{removal:?} {code} {k}: {found} {exact}");
                    }
                }
            }
            for (a, first) in codes.iter().enumerate() {
                for second in &codes[a..] {
                    let name = |c: &u8| format!("ch{c}");
                    let (x, y) = (name(first), name(second));
                    let table = joint(&model, &[&[&x, &y]], &[&[&x, &y], &[&y, &x]]).unwrap();
                    let cut = |f: &[u8], t: &[u8], p: u8, q: u8| {
                        let mut seen = f.to_vec();
                        seen.push(*t.last().unwrap());
                        let new = if f.is_empty() || f.len() < t.len() { t.to_vec() } else { seen };
                        !new.windows(2).any(|w| w == [p, q])
                    };
                    let lefts = [
                        walk(&rows, order, |_, t| !t.contains(first) && !t.contains(second), reconnect, &[]),
                        walk(&rows, order, |f, t| cut(f, t, *first, *second), reconnect, &[]),
                        walk(&rows, order, |f, t| cut(f, t, *second, *first), reconnect, &[]),
                    ];
                    for (row, left) in lefts.into_iter().enumerate() {
                        for (k, column) in ["removal_effect", "removal_effect_value"].iter().enumerate() {
                            if let Some(exact) = effect(whole, left, k) {
                                let found = table.f64s(column).unwrap()[row];
                                prop_assert!((found - exact).abs() < 1e-9 * (1.0 + exact.abs()), "{removal:?} {first} {second} {row} {k}: {found} {exact}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn journeys_without_channels_are_counted_without_them(rows in path_rows(), order in 1_usize..=3) {
        let j = journeys(&named(&rows)).unwrap();
        let whole = walk(&rows, order, everywhere, false, &[]);
        for removal in [Removal::Skip, Removal::Fail, Removal::FailRefit] {
            let model = fit(&removed(order, removal), &j);
            let codes: Vec<u8> = model.channels().iter().map(|l| l[2..].parse().unwrap()).collect();
            for (c, code) in codes.iter().enumerate() {
                // Strip the channel, fit again, walk.
                let mut all = 0.0;
                let stripped: Vec<PathRow> = rows.iter().filter_map(|(path, c, n, v)| {
                    all += c + n;
                    let hit = path.contains(code);
                    let left: Vec<u8> = path.iter().copied().filter(|x| x != code).collect();
                    let lost = hit && removal != Removal::Skip;
                    let row = if lost { (left, 0.0, c + n, 0.0) } else { (left, *c, *n, *v) };
                    (!row.0.is_empty()).then_some(row)
                }).collect();
                let mut left = walk(&stripped, order, everywhere, false, &[]);
                if removal == Removal::Fail {
                    // Those that lost all their touches are journeys still.
                    let remaining: f64 = stripped.iter().map(|r| r.1 + r.2).sum();
                    left = left.map(|x| x * remaining / all.max(1e-300));
                }
                for (k, found) in [model.removal_effects()[c], model.removal_effects_value()[c]].into_iter().enumerate() {
                    if let Some(exact) = effect(whole, left, k) {
                        prop_assert!((found - exact).abs() < 1e-9 * (1.0 + exact.abs()), "{removal:?} {code} {k}: {found} {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn states_are_what_walking_finds(rows in path_rows(), order in 1_usize..=3) {
        let j = journeys(&named(&rows)).unwrap();
        let total: f64 = rows.iter().map(|r| r.1 + r.2).sum();
        prop_assume!(total > 0.0);
        let tables = fit(&removed(order, Removal::Null), &j).states(&Run::new()).unwrap();
        let states = &tables[0].1;
        let column = |name: &str, row: usize| states.f64s(name).unwrap()[row];
        for row in 0..states.rows() {
            let name = states.text("state", row).unwrap().into_owned();
            let state: Vec<u8> = name.split(" > ").map(|l| l[2..].parse().unwrap()).collect();
            let visits: f64 = rows.iter()
                .map(|r| (r.1 + r.2) * r.0.windows(order.min(r.0.len())).filter(|w| *w == state).count() as f64)
                .sum();
            prop_assert!(near(column("expected_visits", row), visits / total));
            let around = walk(&rows, order, |_, t| t != state, false, &[]);
            prop_assert!(near(column("probability", row), 1.0 - around[2]));
            let onward = walk(&rows, order, everywhere, false, &state);
            prop_assert!(near(column("conversion_probability", row), onward[0]));
            prop_assert!(near(column("expected_value", row), onward[1]));
            let whole = walk(&rows, order, everywhere, false, &[]);
            let share = if whole[0] > 0.0 { 1.0 - around[0] / whole[0] } else { 0.0 };
            prop_assert!(near(column("conversion_share", row), share));
        }
        // From the start on, visits are steps.
        let visits: f64 = states.f64s("expected_visits").unwrap().iter().sum();
        let begun: f64 = rows.iter().filter(|r| r.1 + r.2 > 0.0).map(|r| {
            let first: Vec<u8> = r.0[..order.min(r.0.len())].to_vec();
            let name = first.iter().map(|c| format!("ch{c}")).collect::<Vec<_>>().join(" > ");
            let at = (0..states.rows()).find(|s| states.text("state", *s).as_deref() == Some(&name)).unwrap();
            (r.1 + r.2) / total * column("expected_steps", at)
        }).sum();
        prop_assert!(near(begun, visits), "{begun} {visits}");
    }
}

#[test]
fn transitions_with_and_without_loops_are_channelattributions() {
    let mut rows = Vec::new();
    let Some(golden) = support::golden("attribution") else { return };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/paths.csv.gz");
    let mut reader =
        csv::Reader::from_reader(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    for record in reader.records() {
        let record = record.unwrap();
        let number = |i: usize| record[i].parse::<f64>().unwrap();
        rows.push((record[0].to_owned(), number(1), number(3), number(2)));
    }
    let j = journeys(&rows).unwrap();
    let read = |name: &str| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_path(golden.join(name)).unwrap();
        reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect()
    };
    let names: BTreeMap<String, String> =
        read("ca_tm_equal_order1_channels.csv").into_iter().map(|r| (r[0].clone(), r[1].clone())).collect();
    let state = |ids: &str| match ids {
        "(start)" | "(conversion)" | "(null)" => ids.to_owned(),
        _ => ids.split(' ').map(|id| names[id].clone()).collect::<Vec<_>>().join(" > "),
    };
    for (file, repeats) in [("ca_tm_equal", Repeats::Keep), ("ca_tm_noequal", Repeats::Collapse)] {
        for order in [1, 2] {
            let expected = read(&format!("{file}_order{order}.csv"));
            let table = fit(&Markov { order, repeats, ..Markov::default() }, &j).transitions();
            let found: BTreeMap<(String, String), f64> = (0..table.rows())
                .map(|r| {
                    let text = |c: &str| table.text(c, r).unwrap().into_owned();
                    ((text("from"), text("to")), table.f64s("probability").unwrap()[r])
                })
                .collect();
            assert_eq!(found.len(), expected.len(), "{file} {order}");
            for row in expected {
                let f = found[&(state(&row[0]), state(&row[1]))];
                assert!(close(f, row[2].parse().unwrap(), 1e-14), "{row:?} {f}");
            }
        }
    }
}
