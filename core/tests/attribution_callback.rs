//! Rules by functions of one's own against the same rules as data.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::BTreeSet;

use headwater::attribution::{
    AgeWeight, AttributeOptions, Callback, CompareOptions, Custom, DifferenceOptions, DriftOptions, Fitted,
    Given, Model, MoneyOptions, Touch, attribute, compare, difference, drift, money, touch_credits,
};
use headwater::column::{Columns, Data, Table, Values};
use headwater::journey::{EventOptions, Journeys, PathOptions};
use headwater::{Error, Result, Run};

const HOUR: i64 = 3_600_000_000;

/// Sixty customers in a world that the seed says.
fn events(seed: u64) -> Journeys {
    let mut state = seed;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let (mut who, mut when, mut what, mut which) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut buyer, mut bought, mut kind, mut value) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for customer in 0..60 {
        let mut last = 0;
        for _ in 0..=below(4) {
            last = below(240) as i64;
            who.push(format!("c{customer}"));
            when.push(last * HOUR);
            what.push(["search", "email", "direct"][below(3) as usize]);
            which.push(["spring", "autumn"][below(2) as usize]);
        }
        if below(3) > 0 {
            buyer.push(format!("c{customer}"));
            bought.push((last + below(48) as i64) * HOUR);
            kind.push(["order", "trial"][below(2) as usize]);
            value.push(below(90) as f64 + 10.0);
        }
    }
    let touches = Columns::new()
        .with("customer", who)
        .with("time", Data::times(when))
        .with("channel", what)
        .with("campaign", which);
    let orders = Columns::new()
        .with("customer", buyer)
        .with("time", Data::times(bought))
        .with("kind", kind)
        .with("value", value);
    let options = EventOptions {
        campaign: Some("campaign".into()),
        conversion_kind: Some("kind".into()),
        value: Some("value".into()),
        ..EventOptions::default()
    };
    Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap()
}

fn as_data() -> Model {
    Model::Custom(Custom {
        from_end: vec![3.0, 1.0],
        channels: [("email".to_owned(), 0.5)].into(),
        ages: vec![AgeWeight { within: "2d".parse().unwrap(), weight: 2.0 }],
        older: 0.25,
        ..Custom::default()
    })
}

fn weigh(touches: &[Touch<'_>]) -> Vec<f64> {
    let weight = |t: &Touch<'_>| {
        let end = if t.position == t.touches { 3.0 } else { 1.0 };
        let channel = if t.channel == "email" { 0.5 } else { 1.0 };
        end * channel * if t.age.unwrap() <= 2.0 { 2.0 } else { 0.25 }
    };
    touches.iter().map(weight).collect()
}

fn as_function(journeys: &[&Journeys]) -> Model {
    Model::Callback(Callback::new("mine", journeys, &Run::new(), |touches| Ok(weigh(touches))).unwrap())
}

/// A table without the names of models.
fn numbers(table: &Table) -> Vec<(String, Values)> {
    let kept = table.columns().iter().filter(|c| !c.name.contains("model"));
    kept.map(|c| (c.name.clone(), c.values.clone())).collect()
}

/// Every report, by a rule as data and by the same as a function.
#[test]
fn a_function_is_the_same_rule_as_data_wherever_models_are_taken() -> Result<()> {
    let (now, then) = (events(1), events(2));
    let run = Run::new().seed(5);
    let both = [as_data(), as_function(&[&now, &then])];
    let [data, function] = both.map(|rule| -> Result<Vec<Table>> {
        let models = vec![rule.clone(), Model::Linear];
        let bootstrap = 20;
        let options = AttributeOptions { models: models.clone(), bootstrap, ..Default::default() };
        let mut out = vec![attribute(&now, &options, &run)?.table(), touch_credits(&now, &rule, &run)?];
        let options = CompareOptions { models: models.clone(), bootstrap, ..Default::default() };
        out.extend(compare(&now, None, None, &options, &run)?.into_iter().map(|t| t.1));
        let options = DifferenceOptions { models: models.clone(), bootstrap, ..Default::default() };
        out.push(difference(&now, None, None, None, &options, &run)?);
        let one = vec![rule.clone()];
        let options = DifferenceOptions { models: one.clone(), bootstrap, ..Default::default() };
        out.push(difference(&now, Some(&then), None, None, &options, &run)?);
        let options = DriftOptions { models: one.clone(), bootstrap, ..Default::default() };
        out.extend(drift(&now, &then, None, &options, &run)?.into_iter().map(|t| t.1));
        let options = MoneyOptions { models: one, bootstrap, ..Default::default() };
        let spend = Columns::new().with("channel", vec!["search"]).with("spend", vec![100.0]);
        out.extend(money(&now, Some(&spend), None, &options, &run)?);
        Ok(out)
    });
    let (data, function) = (data?, function?);
    assert!(data.len() >= 8);
    for (d, f) in data.iter().zip(&function) {
        assert_eq!(numbers(d), numbers(f));
    }
    Ok(())
}

#[test]
fn a_function_sees_each_distinct_journey_once_and_all_that_is_known_of_it() -> Result<()> {
    let journeys = events(3);
    let seen = RefCell::new(Vec::new());
    let rule = Callback::new("seen", &[&journeys, &journeys], &Run::new(), |touches| {
        let facts: Vec<String> = touches.iter().map(|t| format!("{t:?}")).collect();
        seen.borrow_mut().push(facts.join("; "));
        Ok(vec![1.0; touches.len()])
    })?;
    assert_eq!(rule.name(), "seen");
    let (channels, campaigns, kinds) =
        (journeys.channel_labels(), journeys.campaign_labels(), journeys.kind_labels());
    let mut wanted = BTreeSet::new();
    for j in (0..journeys.len()).filter(|j| journeys.converted(*j) && !journeys.path(*j).is_empty()) {
        let end = journeys.end_time(j).unwrap();
        let n = journeys.path(j).len();
        let facts = (0..n).map(|i| {
            format!(
                "Touch {{ channel: {:?}, position: {}, touches: {n}, age: {:?}, campaign: {:?}, kind: {:?} }}",
                channels[journeys.path(j)[i] as usize],
                i + 1,
                Some((end - journeys.touch_times(j)[i]) as f64 / 86_400e6),
                Some(&campaigns[journeys.campaigns(j)[i] as usize]),
                Some(&kinds[journeys.conversion_kind(j).unwrap() as usize]),
            )
        });
        wanted.insert(facts.collect::<Vec<_>>().join("; "));
    }
    let seen = seen.into_inner();
    assert_eq!(seen.len(), wanted.len());
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), wanted);
    Ok(())
}

fn paths(rows: &[(&str, f64)]) -> Journeys {
    let frame = Columns::new()
        .with("path", rows.iter().map(|r| r.0.to_owned()).collect::<Vec<_>>())
        .with("conversions", rows.iter().map(|r| r.1).collect::<Vec<_>>());
    Journeys::from_paths(&frame, &PathOptions::default(), &Run::new()).unwrap()
}

/// As the bindings do it: the touches as a table, and then a column of weights.
#[test]
fn weights_come_by_name_for_the_rows_of_a_report() -> Result<()> {
    let journeys = paths(&[("a > b", 3.0), ("b > a > a", 2.0), ("a > b", 1.0), ("c", 0.0)]);
    let run = Run::new();
    let given = Given::from(&journeys);
    let touches = given.report("callback_touches", "{}", &run)?.remove(0).1;
    let column = |name: &str| match touches.get(name).unwrap().values.clone() {
        Values::I64(numbers) => numbers,
        other => panic!("{other:?}"),
    };
    assert_eq!(column("journey"), [1, 1, 2, 2, 2]);
    assert_eq!(column("position"), [1, 2, 1, 2, 3]);
    assert_eq!(column("touches"), [2, 2, 3, 3, 3]);
    assert!(touches.get("age").unwrap().valid.as_ref().unwrap().iter().all(|known| !known));
    let rules = Columns::new()
        .with("rising", column("position").iter().map(|p| *p as f64).collect::<Vec<_>>())
        .with("none", vec![0.0; 5]);
    let given = Given { rules: Some(&rules), ..given };
    let options =
        r#"{"models": [{"model": "callback", "name": "rising"}, {"model": "callback", "name": "none"}]}"#;
    let credits = given.report("attribute", options, &run)?.remove(0).1;
    // By position a has 1/3 of four and 5/6 of two; by nothing half, and two thirds.
    let found = credits.f64s("conversions").unwrap();
    let wanted = [4.0 / 3.0 + 5.0 / 3.0, 8.0 / 3.0 + 1.0 / 3.0, 0.0, 2.0 + 4.0 / 3.0, 2.0 + 2.0 / 3.0, 0.0];
    assert!(found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-14), "{found:?}");
    assert_eq!(credits.text("model", 0).as_deref(), Some("callback(rising)"));
    Ok(())
}

#[test]
fn what_a_function_may_not_do_is_an_error_that_names_it() -> Result<()> {
    let journeys = paths(&[("a > b", 3.0), ("c", 1.0)]);
    let run = Run::new();
    for (weights, wanted) in [
        (vec![1.0], "gave 1 weights for the 2 touches of a > b"),
        (vec![1.0, f64::NAN], "gave NaN to touch 2 of a > b"),
        (vec![-1.0, 2.0], "gave -1 to touch 1 of a > b"),
        (vec![1.0, f64::INFINITY], "gave inf to touch 2 of a > b"),
    ] {
        let found = Callback::new("mine", &[&journeys], &run, |touches| {
            Ok(if touches.len() == 2 { weights.clone() } else { vec![1.0] })
        });
        let Err(Error::Option { option, reason }) = found else { panic!("{found:?}") };
        assert!(option == "mine" && reason.contains(wanted), "{reason}");
    }
    let own = Callback::new("mine", &[&journeys], &run, |_| Err(Error::option("mine", "has had enough")));
    assert!(own.unwrap_err().to_string().contains("has had enough"));

    let rule = Model::Callback(Callback::new("mine", &[&journeys], &run, |t| Ok(vec![1.0; t.len()]))?);
    let others = paths(&[("a > b > c", 1.0)]);
    let options = |model: &Model| AttributeOptions { models: vec![model.clone()], ..Default::default() };
    let unasked = attribute(&others, &options(&rule), &run).unwrap_err().to_string();
    assert!(unasked.contains("was not called on journey 0"), "{unasked}");
    // The same journey, whose channel has another code there.
    let part = paths(&[("c", 2.0)]);
    assert_eq!(attribute(&part, &options(&rule), &run)?.credits("callback(mine)")?, [[2.0, 0.0]]);
    // One journey by its labels is none of those.
    assert!(matches!(Fitted::rule(&rule)?.credit(&["a", "b"], &[], None), Err(Error::Option { .. })));
    // A file or JSON holds the name alone.
    let again: Model = serde_json::from_str(&serde_json::to_string(&rule).unwrap()).unwrap();
    let bare = attribute(&journeys, &options(&again), &run).unwrap_err().to_string();
    assert!(bare.contains("mine") && bare.contains("no weights"), "{bare}");
    Ok(())
}
