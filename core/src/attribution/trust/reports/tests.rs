use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::resample::{Sample, Unit};
use super::*;
use crate::attribution::Given;
use crate::column::{Columns, Names, Table, parse_time};
use crate::journey::{
    AssistedOptions, Entity, EventOptions, FunnelOptions, Moment, OnlineOfflineOptions, Open, PathOptions,
    SplitBy, StepMatrixOptions, TimeToConvertOptions, TransitionOptions,
};

const CUSTOMERS: usize = 80;

/// Each customer's touches and orders, as often as `times` says; in this order
/// of rows or from the last to the first.
fn journeys(open: Open, backward: bool, times: &dyn Fn(usize) -> usize) -> Journeys {
    let (mut touches, mut orders, mut who) = (Vec::new(), Vec::new(), Vec::new());
    let at = |h: usize| format!("2024-{:02}-{:02}T{:02}:00:00Z", h / 672 + 1, h / 24 % 28 + 1, h % 24);
    for c in 0..CUSTOMERS {
        for copy in 0..times(c) {
            let name = format!("{c}#{copy}");
            for i in 0..=c * 7 % 6 {
                let channel = ["x", "y", "z", "shop"][(c * c + i * i * 3) % 11 % 4];
                touches.push((name.clone(), at(c * 11 + i * 71 + i * i), channel));
            }
            for i in 0..c % 3 {
                orders.push((name.clone(), at(c * 11 + i * 170 + 30), (c % 9) as f64 + 0.5));
            }
            who.push((name, ["old", "new"][c % 2]));
        }
    }
    if backward {
        touches.reverse();
        orders.reverse();
        who.reverse();
    }
    let touches = Columns::new()
        .with("customer", touches.iter().map(|t| t.0.clone()).collect::<Vec<_>>())
        .with("time", touches.iter().map(|t| t.1.clone()).collect::<Vec<_>>())
        .with("channel", touches.iter().map(|t| t.2).collect::<Vec<_>>());
    let orders = Columns::new()
        .with("customer", orders.iter().map(|t| t.0.clone()).collect::<Vec<_>>())
        .with("time", orders.iter().map(|t| t.1.clone()).collect::<Vec<_>>())
        .with("value", orders.iter().map(|t| t.2).collect::<Vec<_>>());
    let who = Columns::new()
        .with("customer", who.iter().map(|t| t.0.clone()).collect::<Vec<_>>())
        .with("segment", who.iter().map(|t| t.1).collect::<Vec<_>>());
    let options = EventOptions {
        value: Some("value".into()),
        lookback: "20d".parse().unwrap(),
        observation_end: Some(Moment(parse_time("2024-03-10").unwrap())),
        open,
        ..EventOptions::default()
    };
    let run = Run::new();
    let journeys = Journeys::from_events(&touches, Some(&orders), &options, &run).unwrap();
    journeys.with_segments(&who, "customer", "segment", &run).unwrap()
}

fn paths() -> Journeys {
    let frame = Columns::new()
        .with("path", vec!["a > b", "a", "b > c > b", ""])
        .with("conversions", vec![12.0, 3.0, 9.0, 2.0])
        .with("value", vec![120.0, 60.0, 45.0, 20.0])
        .with("nulls", vec![20.0, 30.0, 11.0, 0.0]);
    let options =
        PathOptions { value: Some("value".into()), nulls: Some("nulls".into()), ..PathOptions::default() };
    Journeys::from_paths(&frame, &options, &Run::new()).unwrap()
}

fn reports() -> Vec<JourneyReport> {
    let funnel = |by, split_by| {
        let steps = vec!["x".into(), "y".into(), "(conversion)".into()];
        JourneyReport::Funnel(FunnelOptions { steps, by, split_by, ..FunnelOptions::default() })
    };
    let patterns = |by| {
        let patterns = vec!["x -> .* -> y".into(), "(start) -> z".into()];
        JourneyReport::Patterns(PatternOptions { patterns, by, ..PatternOptions::default() })
    };
    vec![
        JourneyReport::Paths,
        JourneyReport::Transitions(TransitionOptions { order: 2, ..TransitionOptions::default() }),
        JourneyReport::Lags,
        JourneyReport::Lengths,
        JourneyReport::Channels,
        JourneyReport::Summary,
        funnel(Entity::Journey, SplitBy::Segment),
        funnel(Entity::Customer, SplitBy::None),
        JourneyReport::StepMatrix(StepMatrixOptions::default()),
        JourneyReport::Graph(GraphOptions::default()),
        JourneyReport::GraphDifference(DifferenceOptions::default()),
        JourneyReport::TimeToConvert(TimeToConvertOptions {
            split_by: SplitBy::Segment,
            ..TimeToConvertOptions::default()
        }),
        JourneyReport::Assisted(AssistedOptions::default()),
        JourneyReport::Positions,
        JourneyReport::Overlap(OverlapOptions { size: 3, min_journeys: 2.0, ..OverlapOptions::default() }),
        JourneyReport::OnlineOffline(OnlineOfflineOptions { offline: Some("shop".into()) }),
        JourneyReport::Friction(FrictionOptions { min_visits: 3.0, ..FrictionOptions::default() }),
        JourneyReport::LagCurves(LagCurveOptions::default()),
        patterns(Entity::Journey),
        patterns(Entity::Customer),
        JourneyReport::Sequences(SequenceOptions { min_count: 4.0, ..SequenceOptions::default() }),
    ]
}

/// The numbers of a table by what names them, in the order of rows.
type Rows = BTreeMap<(String, usize), Vec<(String, Option<f64>)>>;

fn rows(table: &Table) -> Rows {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut out = Rows::new();
    for row in 0..table.rows() {
        let (mut key, mut numbers) = (String::new(), Vec::new());
        for column in table.columns() {
            let name = column.name.as_str();
            match (table.text(name, row), table.i64s(name)) {
                (Some(text), _) => write!(key, "{text}|").unwrap(),
                (None, Some(ints)) if name != "journeys" => write!(key, "{}|", ints[row]).unwrap(),
                // Rows and touches that are held, in a journey or not.
                (None, _) if matches!(name, "journeys" | "touches") && table.f64s(name).is_none() => {}
                (None, _) => numbers.push((name.to_owned(), table.optional(name)[row])),
            }
        }
        let nth = seen.entry(key.clone()).or_default();
        *nth += 1;
        out.insert((key, *nth), numbers);
    }
    out
}

/// The rows of customers written out as often as they were drawn, and read anew.
#[test]
fn samples_are_those_of_customers_whose_rows_are_repeated() {
    let run = Run::new().seed(11);
    for open in [Open::Include, Open::Censored] {
        let whole = journeys(open, false, &|_| 1);
        let sample = Sample::new(&whole, 0, &run).unwrap();
        let label = |unit: &Unit| -> usize {
            let codes = vec![whole.customer(unit.journeys.start as usize).unwrap()];
            let names = Names { codes, labels: std::sync::Arc::clone(whole.customers.as_ref().unwrap()) };
            names.get(0).unwrap().split('#').next().unwrap().parse().unwrap()
        };
        for r in [0, 1, 33] {
            let weights = sample.weights(11, r);
            let mut times = vec![0; CUSTOMERS];
            for (unit, weight) in sample.units.iter().zip(&weights) {
                times[label(unit)] = *weight as usize;
            }
            let (drawn, naive) = (sample.copies(&weights), journeys(open, false, &|c| times[c]));
            assert!(naive.total_conversions() > 10.0 && drawn.len() == naive.len());
            for report in reports() {
                let report = of_samples(&report, &report.of(&whole, &run).unwrap());
                let (found, wanted) = (report.of(&drawn, &run).unwrap(), report.of(&naive, &run).unwrap());
                for ((name, found), (_, wanted)) in found.iter().zip(&wanted) {
                    let (found, wanted) = (rows(found), rows(wanted));
                    assert!(!wanted.is_empty() && found.keys().eq(wanted.keys()), "{name} {report:?}");
                    for (key, numbers) in &wanted {
                        for ((column, x), (_, y)) in found[key].iter().zip(numbers) {
                            let skip = *name == "summary" && matches!(column.as_str(), "touches");
                            let same = match (x, y) {
                                (Some(x), Some(y)) => (x - y).abs() <= 1e-9 * (1.0 + y.abs()),
                                (x, y) => x == y,
                            };
                            assert!(skip || same, "{name} {key:?} {column}: {x:?} {y:?} {report:?}");
                        }
                    }
                }
            }
        }
    }
}

/// Sample by sample through the public reports, rows found by hand.
#[test]
fn intervals_are_those_of_the_reports_of_samples() {
    let run = Run::new().seed(5);
    let spread = Spread { replicates: 40, confidence: 0.8, interval: Interval::Percentile };
    let events = journeys(Open::Include, false, &|_| 1);
    let graph = JourneyReport::Graph(GraphOptions { min_share: 0.02, ..GraphOptions::default() });
    let funnel = JourneyReport::Funnel(FunnelOptions {
        steps: vec!["x".into(), "y".into()],
        by: Entity::Customer,
        ..FunnelOptions::default()
    });
    let cases: [(&Journeys, JourneyReport, &str, &[&str]); 5] = [
        (&events, graph, "edges", &["count", "p_out", "p_in", "journeys", "customers"]),
        (&events, JourneyReport::Summary, "summary", &["customers", "conversions", "value"]),
        (&events, funnel, "funnel", &["count", "dropped", "days_p50", "total_days_p90"]),
        (&paths(), JourneyReport::Paths, "paths", &["conversions", "value", "nulls", "conversion_rate"]),
        (&paths(), JourneyReport::Positions, "positions", &["early", "late_share"]),
    ];
    for (journeys, report, name, columns) in cases {
        let options = ReportBootstrapOptions {
            report: report.clone(),
            bootstrap: 40,
            confidence: 0.8,
            interval: Interval::Percentile,
        };
        let found = bootstrap_report(journeys, &options, &run).unwrap();
        let plain = report.of(journeys, &run).unwrap();
        let named = |tables: &Tables| tables.iter().find(|(n, _)| *n == name).unwrap().1.clone();
        let (found, plain) = (named(&found), named(&plain));
        assert!(plain.rows() > 0);
        let sample = Sample::new(journeys, 0, &run).unwrap();
        let every = of_samples(&report, &vec![(name, plain.clone())]);
        let samples: Vec<Rows> = (0..40)
            .map(|r| rows(&named(&every.of(&sample.copies(&sample.weights(5, r)), &run).unwrap())))
            .collect();
        let number = |rows: &Rows, key: &(String, usize), column: &str| {
            rows.get(key).map(|row| row.iter().find(|(c, _)| c == column).unwrap().1)
        };
        let by_key = rows(&plain);
        // The rows of the wide table have other numbers, but the same names.
        let wide = rows(&found);
        assert!(wide.keys().eq(by_key.keys()));
        for key in by_key.keys() {
            for column in columns {
                let draws: Vec<f64> = samples
                    .iter()
                    .filter_map(|s| {
                        let rate = matches!(*column, "conversion_rate" | "days_p50" | "total_days_p90");
                        let absent = if rate { None } else { Some(0.0) };
                        match (number(s, key, column), *column) {
                            (Some(known), _) => known,
                            (None, "p_out" | "p_in") => {
                                let end = usize::from(*column == "p_in");
                                let part = key.0.split('|').nth(end).unwrap();
                                let alike = s.keys().any(|k| k.0.split('|').nth(end) == Some(part));
                                alike.then_some(0.0)
                            }
                            (None, _) => absent,
                        }
                    })
                    .collect();
                let Some(estimate) = number(&by_key, key, column).flatten() else { continue };
                if draws.len() < 2 {
                    assert_eq!(number(&wide, key, &format!("{column}_low")), Some(None));
                    continue;
                }
                let wanted = spread.around(estimate, &draws);
                for (part, wanted) in ["standard_error", "low", "high"].iter().zip(wanted) {
                    let found = number(&wide, key, &format!("{column}_{part}")).flatten().unwrap();
                    assert!(
                        (found - wanted).abs() < 1e-9,
                        "{name} {key:?} {column}_{part}: {found} {wanted}"
                    );
                }
            }
        }
    }
}

#[test]
fn standard_errors_are_those_of_the_closed_forms() {
    let run = Run::new().seed(3);
    let spread = |report| ReportBootstrapOptions { report, bootstrap: 4_000, ..Default::default() };
    // A mean of 4,000 draws of a variance is known to 2.2 %, a deviation to half of it; four times that.
    let near = |found: f64, wanted: f64| {
        assert!((found / wanted - 1.0).abs() < 0.05, "{found} {wanted}");
    };
    let tables = bootstrap_report(&paths(), &spread(JourneyReport::Paths), &run).unwrap();
    let table = &tables[0].1;
    let row = (0..table.rows()).find(|r| table.text("path", *r).as_deref() == Some("a > b")).unwrap();
    let at = |name: &str| table.f64s(name).unwrap()[row];
    near(at("conversion_rate_standard_error"), (0.375_f64 * 0.625 / 32.0).sqrt());
    near(at("conversions_standard_error"), 12_f64.sqrt());
    near(at("value_standard_error"), 10.0 * 12_f64.sqrt());
    // Conversions of one customer come together: the variance is the sum of their squares.
    let events = journeys(Open::Include, false, &|_| 1);
    let tables = bootstrap_report(&events, &spread(JourneyReport::Summary), &run).unwrap();
    let at = |name: &str| tables[0].1.f64s(name).unwrap()[0];
    let squares: f64 = (0..CUSTOMERS).map(|c| (c % 3) as f64).map(|k| k * k).sum();
    near(at("conversions_standard_error"), squares.sqrt());
    near(at("customers_standard_error"), at("customers").sqrt());
}

#[test]
fn neither_threads_nor_the_order_of_rows_matter() {
    let (forth, back) = (journeys(Open::Include, false, &|_| 1), journeys(Open::Include, true, &|_| 1));
    for report in reports() {
        let options = ReportBootstrapOptions { report, bootstrap: 12, ..Default::default() };
        let found = bootstrap_report(&forth, &options, &Run::new().seed(2).threads(1)).unwrap();
        for (journeys, threads) in [(&forth, 3), (&back, 2)] {
            let other = bootstrap_report(journeys, &options, &Run::new().seed(2).threads(threads)).unwrap();
            assert_eq!(found, other, "{:?}", options.report);
        }
    }
}

#[test]
fn what_cannot_be_is_told() {
    let paths = paths();
    let ask = |journeys: &Journeys, options: &str| {
        Given::from(journeys).report("bootstrap_report", options, &Run::new())
    };
    for (options, wrong) in [
        (r#"{"report": "paths", "bootstrap": 0}"#, "bootstrap"),
        (r#"{"report": "paths", "bootstrap": 1}"#, "bootstrap"),
        (r#"{"report": "paths", "confidence": 1.5}"#, "confidence"),
        (r#"{"report": "paths", "options": {"order": 2}}"#, "order"),
        (r#"{"report": "graph", "options": {"min_share": 2}}"#, "min_share"),
        (r#"{"report": "assisted", "options": {"asist": "not_last"}}"#, "asist"),
        (r#"{"report": "features"}"#, "report"),
        (r#"{"report": "pahts"}"#, "report"),
        (r#"{"bootstrap": 10}"#, "report"),
        (r#"{"report": "paths", "samples": 10}"#, "samples"),
    ] {
        let Err(Error::Option { option, .. }) = ask(&paths, options) else { panic!("{options}") };
        assert_eq!(option, wrong, "{options}");
    }
    assert!(matches!(ask(&paths, r#"{"report": "lags"}"#), Err(Error::Column { .. })));
    // Two journeys, one of them open and over: a sample without it knows no friction.
    let touches = Columns::new()
        .with("customer", vec!["a", "b"])
        .with("time", vec!["2024-01-01", "2024-01-02"])
        .with("channel", vec!["x", "x"]);
    let orders = Columns::new().with("customer", vec!["b"]).with("time", vec!["2024-01-03"]);
    let options = EventOptions {
        lookback: "5d".parse().unwrap(),
        observation_end: Some(Moment(parse_time("2024-02-01").unwrap())),
        ..EventOptions::default()
    };
    let few = Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap();
    let found =
        ask(&few, r#"{"report": "friction", "options": {"min_visits": 0}, "bootstrap": 50}"#).unwrap();
    assert_eq!(found[0].1.optional("visits"), [Some(2.0)]);
    assert!(found[0].1.optional("exit_rate_high")[0].is_some_and(|high| high <= 1.0));
    // Nobody at all.
    let none = few.of_customers(&[]).unwrap();
    for report in ["paths", "graph", "assisted", "summary", "lag_curves", "path_length"] {
        ask(&none, &format!(r#"{{"report": "{report}", "bootstrap": 5}}"#)).unwrap();
    }
}
