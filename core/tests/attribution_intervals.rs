//! Intervals on what models report, and on the credits of segments.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::needless_range_loop)]

use headwater::attribution::{
    AttributeOptions, BootstrapOptions, Given, Interval, Markov, Model, Removal, SegmentedOptions, Shapley,
    Statistic, Worth, attribute, bootstrap, segmented,
};
use headwater::column::{Columns, DAY, Data, Table, Values};
use headwater::journey::{EventOptions, Journeys, PathOptions};
use headwater::run::Monitor;
use headwater::{Error, Run};

const STATISTICS: [(&str, Statistic); 13] = [
    ("markov", Statistic::RemovalEffects),
    ("markov", Statistic::Transitions),
    ("markov", Statistic::States),
    ("markov", Statistic::JointEffects),
    ("markov", Statistic::TouchCredits),
    ("shapley", Statistic::Values),
    ("shapley", Statistic::Positions),
    ("shapley", Statistic::Dividends),
    ("shapley", Statistic::Synergies),
    ("shao_li", Statistic::Contributions),
    ("logistic", Statistic::Coefficients),
    ("logistic", Statistic::TouchCredits),
    ("path_counterfactual", Statistic::Rates),
];

fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut x = *state;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
}

fn paths(rows: &[(&str, f64, f64)]) -> Journeys {
    let frame = Columns::new()
        .with("path", rows.iter().map(|r| r.0.to_owned()).collect::<Vec<_>>())
        .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("nulls", rows.iter().map(|r| r.2).collect::<Vec<_>>());
    let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
    Journeys::from_paths(&frame, &options, &Run::new()).unwrap()
}

/// Touches (customer, day, channel) and orders (customer, day), in the order that `turn` gives.
fn events(people: usize, copies: usize, turn: impl Fn(usize) -> usize) -> Journeys {
    let (mut touches, mut orders) = (Vec::new(), Vec::new());
    let mut state = 5;
    for c in 0..people {
        let mut days = Vec::new();
        for _ in 0..=c % 5 {
            days.push((30.0 * uniform(&mut state), ["x", "y", "z"][(3.0 * uniform(&mut state)) as usize]));
        }
        let bought = uniform(&mut state) < 0.4;
        // The same journey again, long after the first.
        for copy in 0..copies {
            let later = 400.0 * copy as f64;
            touches.extend(days.iter().map(|(day, channel)| (format!("c{c}"), day + later, *channel)));
            if bought {
                orders.push((format!("c{c}"), 30.5 + later, (c % 7) as f64 + 1.0));
            }
        }
    }
    let turned: Vec<_> = (0..touches.len()).map(|i| touches[turn(i) % touches.len()].clone()).collect();
    let time = |day: f64| (day * DAY as f64) as i64;
    let touches = Columns::new()
        .with("customer", turned.iter().map(|t| t.0.clone()).collect::<Vec<_>>())
        .with("time", Data::times(turned.iter().map(|t| time(t.1)).collect()))
        .with("channel", turned.iter().map(|t| t.2).collect::<Vec<_>>());
    let orders = Columns::new()
        .with("customer", orders.iter().map(|t| t.0.clone()).collect::<Vec<_>>())
        .with("time", Data::times(orders.iter().map(|t| time(t.1)).collect()))
        .with("value", orders.iter().map(|t| t.2).collect::<Vec<_>>());
    let options = EventOptions { value: Some("value".into()), ..EventOptions::default() };
    Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap()
}

fn of(model: &str, statistic: Statistic, bootstrap: usize) -> BootstrapOptions {
    let sets = match statistic {
        Statistic::JointEffects => vec![vec!["x".to_owned(), "y".to_owned()]],
        _ => Vec::new(),
    };
    BootstrapOptions { model: model.parse().unwrap(), statistic, sets, bootstrap, ..Default::default() }
}

fn first(journeys: &Journeys, options: &BootstrapOptions, seed: u64) -> Table {
    bootstrap(journeys, options, &Run::new().seed(seed)).unwrap().swap_remove(0).1
}

fn numbers<'a>(table: &'a Table, name: &str) -> &'a [f64] {
    table.f64s(name).unwrap_or_else(|| panic!("no column {name}"))
}

fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} {b}");
    }
}

#[test]
fn effects_beside_credits_and_by_themselves_are_the_same() {
    let journeys = events(80, 1, |i| i);
    for removal in [Removal::Null, Removal::Reconnect, Removal::Skip] {
        let model = Model::Markov(Markov { removal, ..Markov::default() });
        let options = AttributeOptions { models: vec![model.clone()], bootstrap: 60, ..Default::default() };
        let beside = attribute(&journeys, &options, &Run::new().seed(2)).unwrap().removal_effects();
        let options = BootstrapOptions { model, bootstrap: 60, ..Default::default() };
        let alone = first(&journeys, &options, 2);
        for name in ["removal_effect", "removal_effect_value"] {
            assert!(numbers(&alone, &format!("{name}_standard_error")).iter().all(|x| *x > 0.0));
            for part in ["", "_standard_error", "_low", "_high"] {
                let name = format!("{name}{part}");
                close(numbers(&alone, &name), numbers(&beside, &name), 1e-9);
            }
        }
    }
}

/// Weights are Poisson, so the errors of sums and of ratios of sums are known.
#[test]
fn errors_are_those_of_closed_forms() {
    let rows = [("x > y", 40.0, 60.0), ("x", 20.0, 80.0), ("y", 30.0, 170.0)];
    let journeys = paths(&rows);
    let transitions = first(&journeys, &of("markov", Statistic::Transitions, 4_000), 1);
    let error = |from: &str, to: &str| {
        let names = |name: &str, row: usize| transitions.text(name, row).unwrap().into_owned();
        let row =
            (0..transitions.rows()).find(|r| names("from", *r) == from && names("to", *r) == to).unwrap();
        let column = |name: &str| numbers(&transitions, name)[row];
        let p = column("probability");
        // Of n walkers at a state, p n take this way.
        let n = column("count") / p;
        close(&[column("probability_standard_error")], &[(p * (1.0 - p) / n).sqrt()], 0.0015);
        let [count, spread] = [column("count"), column("count_standard_error")];
        assert!((spread / count.sqrt() - 1.0).abs() < 0.05, "{count} {spread}");
        assert!(column("probability_low") < p && p < column("probability_high"));
    };
    for (from, to) in [("(start)", "x"), ("x", "y"), ("x", "(conversion)"), ("y", "(null)")] {
        error(from, to);
    }
    let values = first(&journeys, &of("shapley", Statistic::Values, 4_000), 1);
    // Half of 40 conversions each, and those of the channel alone.
    let wanted = [(0.25 * 40.0 + 20.0_f64).sqrt(), (0.25 * 40.0 + 30.0_f64).sqrt()];
    for (found, wanted) in numbers(&values, "shapley_standard_error").iter().zip(wanted) {
        assert!((found / wanted - 1.0).abs() < 0.05, "{found} {wanted}");
    }
    let dividends = first(&journeys, &of("shapley", Statistic::Dividends, 4_000), 1);
    assert_eq!(dividends.text("channels", 0).as_deref(), Some("x + y"));
    let found = numbers(&dividends, "dividend_standard_error")[0];
    assert!((found / 40.0_f64.sqrt() - 1.0).abs() < 0.05, "{found}");
}

#[test]
fn journeys_of_a_customer_are_drawn_together() {
    let (once, twice) = (events(90, 1, |i| i), events(90, 2, |i| i));
    let options = of("markov", Statistic::Transitions, 50);
    let (a, b) = (first(&once, &options, 4), first(&twice, &options, 4));
    let doubled: Vec<f64> = numbers(&a, "count_standard_error").iter().map(|x| 2.0 * x).collect();
    close(numbers(&b, "count_standard_error"), &doubled, 1e-9);
    for name in ["probability_standard_error", "probability_low", "probability_high"] {
        close(numbers(&b, name), numbers(&a, name), 1e-9);
    }
}

/// From x or y a walk goes to the other, converts or ends.
#[test]
fn intervals_cover_the_chain_that_walks_came_from() {
    let (begin, x, y) = (0.6, [0.3, 0.15], [0.2, 0.25]);
    let worth_x = (x[1] + x[0] * y[1]) / (1.0 - x[0] * y[0]);
    let worth_y = y[1] + y[0] * worth_x;
    let whole = begin * worth_x + (1.0 - begin) * worth_y;
    let effects = [1.0 - (1.0 - begin) * y[1] / whole, 1.0 - begin * x[1] / whole];
    let (mut effects_held, mut ways_held, mut cases) = (0, 0, 0);
    let mut state = 78;
    for market in 0..300 {
        let mut counts = std::collections::BTreeMap::<String, [f64; 2]>::new();
        for _ in 0..400 {
            let mut at_x = uniform(&mut state) < begin;
            let mut path = vec![if at_x { "x" } else { "y" }];
            let converts = loop {
                let way = if at_x { x } else { y };
                match uniform(&mut state) {
                    u if u < way[0] => at_x = !at_x,
                    u => break u < way[0] + way[1],
                }
                path.push(if at_x { "x" } else { "y" });
            };
            counts.entry(path.join(" > ")).or_default()[usize::from(!converts)] += 1.0;
        }
        let rows: Vec<(&str, f64, f64)> = counts.iter().map(|(p, n)| (p.as_str(), n[0], n[1])).collect();
        let journeys = paths(&rows);
        let holds = |table: &Table, name: &str, row: usize, truth: f64| {
            let bound = |end: &str| numbers(table, &format!("{name}_{end}"))[row];
            usize::from(bound("low") <= truth && truth <= bound("high"))
        };
        let found = first(&journeys, &of("markov", Statistic::RemovalEffects, 300), market);
        for channel in 0..2 {
            effects_held += holds(&found, "removal_effect", channel, effects[channel]);
        }
        let found = first(&journeys, &of("markov", Statistic::Transitions, 300), market);
        for row in 0..found.rows() {
            let way = |name: &str| found.text(name, row).unwrap().into_owned();
            let truth = match (way("from").as_str(), way("to").as_str()) {
                ("x", "(conversion)") => x[1],
                ("y", "x") => y[0],
                _ => continue,
            };
            ways_held += holds(&found, "probability", row, truth);
        }
        cases += 2;
    }
    for held in [effects_held, ways_held] {
        let share = held as f64 / f64::from(cases);
        assert!((share - 0.9).abs() < 0.035, "{held} of {cases}");
    }
}

/// With models of their own, segments are as journeys that are alone.
#[test]
fn a_segment_has_the_intervals_of_its_own_journeys() {
    let journeys = events(160, 1, |i| i);
    let frame = Columns::new()
        .with("customer", (0..160).map(|c| format!("c{c}")).collect::<Vec<_>>())
        .with("segment", (0..160).map(|c| ["u", "v"][c % 2]).collect::<Vec<_>>());
    let run = Run::new().seed(9);
    let options = SegmentedOptions {
        shrinkage: Some(0.0),
        customers: true,
        bootstrap: 80,
        ..SegmentedOptions::default()
    };
    let found = segmented(&journeys, Some(&frame), &options, &run).unwrap();
    let marked = journeys.with_segments(&frame, "customer", "segment", &run).unwrap();
    for (s, (label, mine)) in marked.split().unwrap().iter().take(2).enumerate() {
        let options =
            AttributeOptions { models: vec!["markov".parse().unwrap()], bootstrap: 80, ..Default::default() };
        let alone = attribute(mine, &options, &run).unwrap();
        let (table, effects) = (alone.table(), alone.removal_effects());
        assert_eq!(found.credits().text("segment", 3 * s).as_deref(), Some(label.as_str()));
        let rows = 3 * s..3 * s + 3;
        for name in ["conversions", "value"] {
            for end in ["low", "high"] {
                let name = format!("{name}_{end}");
                close(&numbers(found.credits(), &name)[rows.clone()], &numbers(&table, &name)[..3], 1e-9);
            }
        }
        for end in ["standard_error", "low", "high"] {
            let mine = &numbers(found.effects(), &format!("effect_{end}"))[rows.clone()];
            close(mine, &numbers(&effects, &format!("removal_effect_{end}"))[..3], 1e-9);
        }
        for end in ["low", "high"] {
            let mine = &numbers(found.effects(), &format!("share_{end}"))[rows.clone()];
            close(mine, &numbers(&table, &format!("share_{end}"))[..3], 1e-9);
        }
    }
    // A customer has what the touches have by the samples' models of the segment.
    let (by_customer, mut met) = (found.customers().unwrap(), 0);
    for (_, mine) in marked.split().unwrap().iter().take(2) {
        let touches = first(mine, &of("markov", Statistic::TouchCredits, 80), 9);
        for row in 0..by_customer.rows() {
            let is = |name: &str, r: &usize| touches.text(name, *r) == by_customer.text(name, row);
            let like: Vec<usize> =
                (0..touches.rows()).filter(|r| is("customer", r) && is("channel", r)).collect();
            let [touch] = like[..] else { continue };
            for name in [
                "conversions",
                "conversions_standard_error",
                "conversions_low",
                "conversions_high",
                "value",
                "value_low",
                "value_high",
            ] {
                close(&[numbers(by_customer, name)[row]], &[numbers(&touches, name)[touch]], 1e-9);
            }
            met += 1;
        }
    }
    assert!(met > 30, "{met}");
    // What is estimated of the segments themselves: all weight is their own, in every sample.
    assert_eq!(numbers(found.segments(), "weight_standard_error"), [0.0, 0.0]);
    assert_eq!(found.shrinkage_table().f64s("shrinkage"), Some(&[0.0][..]));
    assert!(numbers(found.segments(), "conversions_standard_error").iter().all(|x| *x > 0.0));
    let plain = SegmentedOptions { shrinkage: Some(0.0), ..SegmentedOptions::default() };
    let plain = segmented(&journeys, Some(&frame), &plain, &run).unwrap();
    assert_eq!(plain.credits().f64s("conversions"), found.credits().f64s("conversions"));
    assert!(plain.credits().get("conversions_low").is_none());
}

/// k is as unsure as the weights that follow from it.
#[test]
fn shrinkage_has_an_interval() {
    let run = Run::new().seed(9);
    let of = |segment: fn(usize) -> usize, shrinkage: Option<f64>, bootstrap: usize| {
        let journeys = events(400, 1, |i| i);
        let frame = Columns::new()
            .with("customer", (0..400).map(|c| format!("c{c}")).collect::<Vec<_>>())
            .with("segment", (0..400).map(|c| ["u", "v", "w"][segment(c)]).collect::<Vec<_>>());
        let options = SegmentedOptions { shrinkage, bootstrap, ..SegmentedOptions::default() };
        segmented(&journeys, Some(&frame), &options, &run).unwrap()
    };
    let given = of(|c| c % 3, Some(4.0), 20);
    for (name, wanted) in [
        ("variance_ratio", 0.25),
        ("variance_ratio_standard_error", 0.0),
        ("shrinkage", 4.0),
        ("shrinkage_low", 4.0),
        ("shrinkage_high", 4.0),
    ] {
        assert_eq!(given.shrinkage_table().f64s(name), Some(&[wanted][..]), "{name}");
    }
    // The journeys' length is c % 5: those of one touch have other channels than long ones, as models see them.
    let found = of(|c| c % 5 / 2, None, 300);
    let table = found.shrinkage_table();
    let at = |name: &str| numbers(table, name)[0];
    assert!(at("variance_ratio_low") <= at("variance_ratio_high"));
    assert!(at("variance_ratio_standard_error") > 0.0);
    let k = found.shrinkage();
    for s in 0..3 {
        let [n, w] = ["conversions", "weight"].map(|name| numbers(found.segments(), name)[s]);
        let wanted = if k.is_finite() { n / (n + k) } else { 0.0 };
        assert!((w - wanted).abs() < 1e-12, "{n} {k} {w}");
    }
    if at("variance_ratio_low") > 0.0 {
        assert!((at("shrinkage_high") - 1.0 / at("variance_ratio_low")).abs() < 1e-9);
    } else {
        assert_eq!(table.get("shrinkage_high").and_then(|c| c.valid.clone()), Some(vec![false]));
    }
    assert!((at("shrinkage_low") - 1.0 / at("variance_ratio_high")).abs() < 1e-9);
    assert!(of(|c| c % 3, None, 0).shrinkage_table().get("shrinkage_low").is_none());
}

#[test]
fn the_same_bits_for_any_threads_and_order_of_rows() {
    let journeys = events(60, 1, |i| i);
    // 7 is no divisor of the number of touches, so all are there.
    let turned = events(60, 1, |i| 7 * i + 3);
    assert_eq!(journeys.len(), turned.len());
    for (model, statistic) in STATISTICS {
        let options = of(model, statistic, 40);
        let run = |journeys: &Journeys, threads: usize| {
            bootstrap(journeys, &options, &Run::new().seed(6).threads(threads)).unwrap()
        };
        let one = run(&journeys, 1);
        assert_eq!(one, run(&journeys, 2), "{model} {statistic:?}");
        if statistic != Statistic::TouchCredits {
            assert_eq!(one, run(&turned, 2), "{model} {statistic:?}");
        }
        assert_ne!(
            one,
            bootstrap(&journeys, &options, &Run::new().seed(7)).unwrap(),
            "{model} {statistic:?}"
        );
        for (_, table) in &one {
            for column in table.columns() {
                let Values::F64(numbers) = &column.values else { continue };
                assert!(numbers.iter().all(|x| x.is_finite()), "{model} {statistic:?} {}", column.name);
            }
        }
    }
}

#[test]
fn every_report_has_errors_and_ends_beside_its_estimates() {
    let journeys = events(60, 1, |i| i);
    for (model, statistic) in STATISTICS {
        let table = first(&journeys, &of(model, statistic, 40), 6);
        let widened: Vec<&str> =
            table.columns().iter().filter_map(|c| c.name.strip_suffix("_standard_error")).collect();
        assert!(!widened.is_empty(), "{model} {statistic:?}");
        let some = widened.iter().any(|name| {
            numbers(&table, &format!("{name}_standard_error")).iter().any(|x| *x > 0.0)
                && numbers(&table, &format!("{name}_low")).iter().any(|x| *x != 0.0)
        });
        assert!(some, "{model} {statistic:?}");
        for name in widened {
            let ends =
                numbers(&table, &format!("{name}_low")).iter().zip(numbers(&table, &format!("{name}_high")));
            ends.for_each(|(low, high)| assert!(low <= high, "{model} {statistic:?} {name}"));
        }
    }
    // A normal interval is as wide as its error says.
    let normal =
        BootstrapOptions { interval: Interval::Normal, ..of("markov", Statistic::RemovalEffects, 40) };
    let table = first(&journeys, &normal, 6);
    let column = |name: &str| numbers(&table, name)[0];
    let reach = 1.644_853_626_951_472_8 * column("removal_effect_standard_error");
    close(&[column("removal_effect_low")], &[column("removal_effect") - reach], 1e-12);
}

#[test]
fn rules_have_no_width() {
    let journeys = events(40, 1, |i| i);
    for rule in ["first", "linear", "time_decay", "shapley"] {
        let table = first(&journeys, &of(rule, Statistic::TouchCredits, 20), 1);
        for name in ["conversions", "value"] {
            assert_eq!(numbers(&table, name), numbers(&table, &format!("{name}_low")));
            assert_eq!(numbers(&table, name), numbers(&table, &format!("{name}_high")));
            assert!(numbers(&table, &format!("{name}_standard_error")).iter().all(|x| *x == 0.0));
        }
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let journeys = events(40, 1, |i| i);
    let refused = |options: &BootstrapOptions, wanted: &str| {
        let found = bootstrap(&journeys, options, &Run::new());
        let Err(Error::Option { option, .. }) = &found else { panic!("{found:?}") };
        assert_eq!(option, wanted);
    };
    let good = of("markov", Statistic::RemovalEffects, 20);
    refused(&BootstrapOptions { bootstrap: 0, ..good.clone() }, "bootstrap");
    refused(&BootstrapOptions { bootstrap: 1, ..good.clone() }, "bootstrap");
    refused(&BootstrapOptions { confidence: 1.0, ..good.clone() }, "confidence");
    refused(&BootstrapOptions { confidence: f64::NAN, ..good.clone() }, "confidence");
    refused(&BootstrapOptions { top: Some(3), ..good.clone() }, "top");
    refused(&BootstrapOptions { sets: vec![vec!["x".into()]], ..good.clone() }, "sets");
    refused(&BootstrapOptions { sequences: vec![vec!["x".into()]], ..good.clone() }, "sequences");
    refused(
        &BootstrapOptions { sets: vec![vec!["q".into()]], ..of("markov", Statistic::JointEffects, 20) },
        "sets",
    );
    refused(&of("linear", Statistic::Transitions, 20), "statistic");
    refused(&of("shapley", Statistic::Transitions, 20), "statistic");
    let sampled = Model::Shapley(Shapley { worth: Worth::JourneyRate, ..Shapley::default() });
    refused(&BootstrapOptions { model: sampled, ..of("markov", Statistic::Synergies, 20) }, "worth");
    let given = Given::from(&journeys);
    let json = r#"{"model": "markov", "statistic": "effect"}"#;
    let found = given.report("bootstrap", json, &Run::new());
    assert!(matches!(&found, Err(Error::Option { option, .. }) if option == "statistic"), "{found:?}");
    let json = r#"{"model": "shapley", "statistic": "dividends", "top": 2, "bootstrap": 20}"#;
    assert_eq!(given.report("bootstrap", json, &Run::new()).unwrap()[0].1.rows(), 2);
    let options = SegmentedOptions { bootstrap: 1, ..SegmentedOptions::default() };
    assert!(matches!(segmented(&journeys, None, &options, &Run::new()), Err(Error::Option { .. })));
}

#[test]
fn long_work_tells_where_it_is_and_stops() {
    let journeys = events(40, 1, |i| i);
    for (model, statistic) in STATISTICS {
        let monitor = Monitor::new();
        let run = Run::new().monitor(std::sync::Arc::clone(&monitor));
        bootstrap(&journeys, &of(model, statistic, 20), &run).unwrap();
        let last = monitor.progress();
        assert!(last.total > 0 && last.done == last.total, "{model} {statistic:?} {last:?}");
        monitor.cancel();
        let stopped = bootstrap(&journeys, &of(model, statistic, 20), &run);
        assert!(matches!(stopped, Err(Error::Cancelled)), "{model} {statistic:?}");
    }
}

#[test]
fn nothing_to_draw_from_is_no_panic() {
    for rows in [&[("x", 0.0, 5.0)][..], &[("", 3.0, 0.0)], &[("x", 1.0, 0.0)], &[]] {
        let journeys = paths(rows);
        for (model, statistic) in STATISTICS {
            let Ok(tables) = bootstrap(&journeys, &of(model, statistic, 10), &Run::new()) else { continue };
            for column in tables.iter().flat_map(|(_, table)| table.columns()) {
                let Values::F64(numbers) = &column.values else { continue };
                assert!(numbers.iter().all(|x| x.is_finite()), "{model} {statistic:?} {}", column.name);
            }
        }
    }
}
