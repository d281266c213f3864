//! Identity: oracles, properties, bad input, real data.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use headwater::column::{Columns, NULL, Names, OnInvalid, Table};
use headwater::identity::{
    AssignOptions, EvaluateOptions, IdentityGraph, IdentityRules, Link, Namespace, OnConflict, People,
    StitchOptions, components, evaluate, explain_table, stitch, stitch_names,
};
use headwater::{Run, model};
use proptest::prelude::*;

/// One event: a time, a source, at most one value for each namespace.
#[derive(Clone, Debug)]
struct Event {
    time: i64,
    source: Option<u8>,
    ids: [Option<u8>; 3],
}

const SPACES: [&str; 3] = ["cookie", "email", "user_id"];

fn value(space: usize, v: u8) -> String {
    match space {
        1 => format!("m{v}@x.org"),
        _ => format!("{}{v}", &SPACES[space][..1]),
    }
}

fn event(times: i64, values: u8) -> impl Strategy<Value = Event> {
    let id = || prop::option::weighted(0.6, 0..values);
    (0..times, prop::option::of(0u8..3), [id(), id(), id()]).prop_map(|(time, source, ids)| Event {
        time,
        source,
        ids,
    })
}

fn frame(events: &[Event]) -> Columns {
    let mut out = Columns::new();
    for (s, name) in SPACES.iter().enumerate() {
        let column: Vec<Option<String>> = events.iter().map(|e| e.ids[s].map(|v| value(s, v))).collect();
        out = out.with(name, column);
    }
    let source: Vec<Option<String>> = events.iter().map(|e| e.source.map(|s| format!("s{s}"))).collect();
    let time: Vec<i64> = events.iter().map(|e| e.time).collect();
    out.with("source", source).with("time", time)
}

fn options(rules: &IdentityRules, timed: bool) -> StitchOptions {
    StitchOptions {
        identifiers: SPACES.map(String::from).to_vec(),
        time: timed.then(|| "time".into()),
        source: Some("source".into()),
        rules: rules.clone(),
        time_unit: Some(headwater::column::TimeUnit::Microsecond),
        ..StitchOptions::default()
    }
}

fn batch(events: &[Event], rules: &IdentityRules, timed: bool) -> People {
    stitch(&frame(events), &options(rules, timed), &Run::new()).unwrap()
}

fn observe(graph: &mut IdentityGraph, event: &Event, timed: bool) -> headwater::identity::Observation {
    let values: Vec<(usize, String)> =
        (0..3).filter_map(|s| event.ids[s].map(|v| (s, value(s, v)))).collect();
    let ids: Vec<(&str, &str)> = values.iter().map(|(s, v)| (SPACES[*s], v.as_str())).collect();
    let source = event.source.map(|s| format!("s{s}"));
    graph.observe(&ids, timed.then_some(event.time), source.as_deref()).unwrap()
}

fn stream(events: &[Event], rules: &IdentityRules, timed: bool) -> IdentityGraph {
    let mut graph = IdentityGraph::new(rules).unwrap();
    for event in events {
        observe(&mut graph, event, timed);
    }
    graph
}

/// A table row by row, as text.
fn rows(table: &Table) -> Vec<String> {
    let cell = |name: &str, row: usize| -> String {
        let column = table.get(name).unwrap();
        if column.valid.as_ref().is_some_and(|v| !v[row]) {
            return "null".into();
        }
        match table.i64s(name) {
            Some(ints) => ints[row].to_string(),
            None => table.text(name, row).map_or_else(|| "null".into(), std::borrow::Cow::into_owned),
        }
    };
    (0..table.rows())
        .map(|row| table.columns().iter().map(|c| cell(&c.name, row)).collect::<Vec<_>>().join("|"))
        .collect()
}

fn limited(policy: OnConflict) -> IdentityRules {
    IdentityRules {
        on_conflict: policy,
        max_identifiers: Some(6),
        ..IdentityRules::new([
            Namespace::new("user_id").limit(1),
            Namespace::new("email").limit(2),
            Namespace::new("cookie"),
        ])
    }
}

fn any_rules() -> impl Strategy<Value = IdentityRules> {
    prop_oneof![
        Just(IdentityRules::default()),
        Just(limited(OnConflict::Demote)),
        Just(limited(OnConflict::Skip)),
        Just(IdentityRules { max_identifiers: Some(3), ..IdentityRules::default() }),
        // A limit that cannot bind must change nothing.
        Just(IdentityRules::new([Namespace::new("email").limit(1000)])),
    ]
}

/// Every identifier that occurs, as (namespace, value).
fn identifiers(events: &[Event]) -> BTreeSet<(usize, u8)> {
    events.iter().flat_map(|e| (0..3).filter_map(|s| e.ids[s].map(|v| (s, v)))).collect()
}

fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|e| e.time);
    events
}

/// Breadth-first distances from one identifier over events.
fn distances(events: &[Event], from: (usize, u8)) -> HashMap<(usize, u8), usize> {
    let mut out = HashMap::from([(from, 0)]);
    let mut queue = std::collections::VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        for event in events.iter().filter(|e| e.ids[at.0] == Some(at.1)) {
            for other in (0..3).filter_map(|s| event.ids[s].map(|v| (s, v))) {
                if !out.contains_key(&other) {
                    out.insert(other, out[&at] + 1);
                    queue.push_back(other);
                }
            }
        }
    }
    out
}

fn resolve(people: &People, id: (usize, u8)) -> String {
    people.resolve(SPACES[id.0], &value(id.0, id.1)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn components_are_those_of_a_breadth_first_search(
        n in 1usize..40, edges in prop::collection::vec((0u32..40, 0u32..40), 0..60)
    ) {
        let edges: Vec<(u32, u32)> = edges.into_iter().map(|(a, b)| (a % n as u32, b % n as u32)).collect();
        let (a, b): (Vec<u32>, Vec<u32>) = edges.iter().copied().unzip();
        let found = components(n, &a, &b, &Run::new())?;
        let mut expected = vec![u32::MAX; n];
        let mut next = 0;
        for start in 0..n {
            if expected[start] != u32::MAX {
                continue;
            }
            let mut stack = vec![start as u32];
            while let Some(at) = stack.pop() {
                if expected[at as usize] == u32::MAX {
                    expected[at as usize] = next;
                    stack.extend(edges.iter().filter(|e| e.0 == at).map(|e| e.1));
                    stack.extend(edges.iter().filter(|e| e.1 == at).map(|e| e.0));
                }
            }
            next += 1;
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn without_limits_customers_are_components_and_explained_by_shortest_chains(
        events in prop::collection::vec(event(20, 8), 0..25)
    ) {
        let people = batch(&events, &IdentityRules::default(), true);
        let all = identifiers(&events);
        prop_assert_eq!(people.n_identifiers(), all.len());
        for &a in &all {
            let near = distances(&events, a);
            for &b in &all {
                let (x, y) = (value(a.0, a.1), value(b.0, b.1));
                let chain = people.explain((SPACES[a.0], &x), (SPACES[b.0], &y));
                prop_assert_eq!(chain.as_ref().map(Vec::len), near.get(&b).copied());
                prop_assert_eq!(resolve(&people, a) == resolve(&people, b), near.contains_key(&b));
            }
        }
    }

    #[test]
    fn without_limits_the_order_of_rows_does_not_matter(
        events in prop::collection::vec(event(20, 8), 0..25), seed in any::<u64>()
    ) {
        let rules = IdentityRules::default();
        let mut shuffled = events.clone();
        for i in (1..shuffled.len()).rev() {
            shuffled.swap(i, (seed.wrapping_mul(i as u64 + 7) >> 33) as usize % (i + 1));
        }
        let people = batch(&events, &rules, true);
        let other = batch(&shuffled, &rules, true);
        prop_assert_eq!(rows(&people.customers()), rows(&other.customers()));
        // Nor in the stream, where some events then come late.
        let graph = stream(&shuffled, &rules, true);
        prop_assert_eq!(rows(&people.customers()), rows(&graph.customers()));
        prop_assert_eq!(people.n_customers(), graph.n_customers());
        for a in identifiers(&events) {
            for b in identifiers(&events) {
                let (x, y) = (value(a.0, a.1), value(b.0, b.1));
                let (a, b) = ((SPACES[a.0], x.as_str()), (SPACES[b.0], y.as_str()));
                prop_assert_eq!(people.explain(a, b), graph.explain(a, b));
                prop_assert_eq!(people.explain(a, b), other.explain(a, b));
            }
        }
    }

    #[test]
    fn a_batch_is_a_stream_in_the_order_of_time(
        events in prop::collection::vec(event(15, 6), 0..40), rules in any_rules(), timed: bool
    ) {
        let people = batch(&events, &rules, timed);
        let in_order = if timed { sorted(events.clone()) } else { events.clone() };
        let graph = stream(&in_order, &rules, timed);
        prop_assert_eq!(rows(&people.customers()), rows(&graph.customers()));
        prop_assert_eq!(rows(&people.refused()), rows(&graph.refused()));
        prop_assert_eq!(people.n_customers(), graph.n_customers());
        let other = people.assign_frame(&frame(&events), &AssignOptions::default(), &Run::new())?;
        prop_assert_eq!(other, people.assign());
        let mut extended = IdentityGraph::new(&rules)?;
        extended.extend(&frame(&events), &options(&rules, timed), &Run::new())?;
        prop_assert_eq!(rows(&people.customers()), rows(&extended.customers()));
        let assigned = people.assign();
        for (row, event) in events.iter().enumerate() {
            let strongest = [2, 1, 0].into_iter().find_map(|s| event.ids[s].map(|v| (s, v)));
            let expected = strongest.map(|id| resolve(&people, id));
            prop_assert_eq!(assigned.get(row).map(std::borrow::Cow::into_owned), expected);
        }
        for a in identifiers(&events) {
            for b in identifiers(&events) {
                let (x, y) = (value(a.0, a.1), value(b.0, b.1));
                let (a, b) = ((SPACES[a.0], x.as_str()), (SPACES[b.0], y.as_str()));
                prop_assert_eq!(people.explain(a, b), graph.explain(a, b));
            }
        }
    }

    #[test]
    fn limits_hold_and_every_customer_is_held_together_by_links(
        events in prop::collection::vec(event(15, 6), 0..40), skip: bool
    ) {
        let rules = limited(if skip { OnConflict::Skip } else { OnConflict::Demote });
        let people = batch(&events, &rules, true);
        let mut customers: BTreeMap<String, Vec<(usize, u8)>> = BTreeMap::new();
        for id in identifiers(&events) {
            customers.entry(resolve(&people, id)).or_default().push(id);
        }
        for (customer, ids) in &customers {
            prop_assert!(ids.len() <= 6);
            prop_assert!(ids.iter().filter(|id| id.0 == 2).count() <= 1);
            prop_assert!(ids.iter().filter(|id| id.0 == 1).count() <= 2);
            prop_assert_eq!(people.members(customer).len(), ids.len());
            for b in ids {
                let (x, y) = (value(ids[0].0, ids[0].1), value(b.0, b.1));
                let chain = people.explain((SPACES[ids[0].0], &x), (SPACES[b.0], &y)).unwrap();
                check_chain(&chain, &events, (SPACES[ids[0].0], &x), (SPACES[b.0], &y))?;
            }
        }
        // Refusals name two customers that stayed apart, or the rule would not have been needed.
        let refused = people.refused();
        for row in 0..refused.rows() {
            let rule = refused.text("rule", row).unwrap();
            prop_assert!(["limit:user_id", "limit:email", "max_identifiers"].contains(&&*rule));
        }
    }

    #[test]
    fn ids_stay_when_later_events_come(
        events in prop::collection::vec(event(30, 6), 1..40), cut in 0.0f64..1.0, rules in any_rules()
    ) {
        let events = sorted(events);
        let mut cut = (cut * events.len() as f64) as usize;
        // Later means later: ties at the cut belong together.
        while cut > 0 && cut < events.len() && events[cut].time == events[cut - 1].time {
            cut += 1;
        }
        let before = batch(&events[..cut], &rules, true);
        let after = batch(&events, &rules, true);
        let mut graph = stream(&events[..cut], &rules, true);
        let old: Vec<String> = identifiers(&events[..cut]).into_iter().map(|id| resolve(&before, id)).collect();
        for event in &events[cut..] {
            let seen = observe(&mut graph, event, true);
            for merged in &seen.merged {
                prop_assert_eq!(graph.current(merged), seen.customer.clone());
            }
        }
        let ids: HashSet<&String> = old.iter().collect();
        for id in identifiers(&events[..cut]) {
            // Whoever was a customer is still called by that name, or by the older of those it became one with.
            let (was, is) = (resolve(&before, id), resolve(&after, id));
            prop_assert!(ids.contains(&is));
            prop_assert_eq!(graph.current(&was), Some(is));
        }
        // The same events again, later: nothing changes but the counts.
        let again: Vec<Event> =
            events.iter().chain(&events).enumerate().map(|(i, e)| Event { time: e.time + 1000 * i64::from(i >= events.len()), ..e.clone() }).collect();
        if rules.max_identifiers.is_none() && rules.namespaces.iter().all(|n| n.limit.is_none_or(|l| l > 6)) {
            let twice = batch(&again, &rules, true);
            for id in identifiers(&events) {
                prop_assert_eq!(resolve(&twice, id), resolve(&after, id));
            }
        }
    }

    #[test]
    fn a_loaded_graph_goes_on_as_if_nothing_had_happened(
        events in prop::collection::vec(event(15, 6), 0..40), cut in 0usize..40, rules in any_rules(), timed: bool,
        gone in 0usize..20
    ) {
        let cut = cut.min(events.len());
        let mut graph = stream(&events[..cut], &rules, timed);
        let ids: Vec<_> = identifiers(&events[..cut]).into_iter().collect();
        if let (Some(a), Some(b)) = (ids.get(gone), ids.get(gone / 2)) {
            graph.unlink((SPACES[a.0], &value(a.0, a.1)), (SPACES[b.0], &value(b.0, b.1)));
            graph.forget(SPACES[a.0], &value(a.0, a.1));
        }
        let bytes = model::to_bytes(&graph)?;
        let mut loaded: IdentityGraph = model::from_bytes(&bytes)?;
        prop_assert_eq!(rows(&loaded.customers()), rows(&graph.customers()));
        prop_assert_eq!(rows(&loaded.refused()), rows(&graph.refused()));
        for event in &events[cut..] {
            prop_assert_eq!(observe(&mut loaded, event, timed), observe(&mut graph, event, timed));
        }
        prop_assert_eq!(rows(&loaded.customers()), rows(&graph.customers()));
        prop_assert_eq!(rows(&loaded.refused()), rows(&graph.refused()));
        prop_assert_eq!(loaded.n_customers(), graph.n_customers());
        prop_assert_eq!(loaded.n_customers(), customers_of(&loaded.customers()).len());
    }

    #[test]
    fn forgetting_is_as_if_the_identifier_had_never_been_there(
        events in prop::collection::vec(event(15, 6), 1..30), pick in any::<prop::sample::Index>()
    ) {
        let rules = IdentityRules::default();
        let mut graph = stream(&events, &rules, true);
        let all: Vec<_> = identifiers(&events).into_iter().collect();
        prop_assume!(!all.is_empty());
        let gone = all[pick.index(all.len())];
        let text = value(gone.0, gone.1);
        let id = graph.resolve(SPACES[gone.0], &text).unwrap();
        let change = graph.forget(SPACES[gone.0], &text).unwrap();
        prop_assert_eq!(change.customer, id);
        let without: Vec<Event> = events
            .iter()
            .map(|e| Event { ids: std::array::from_fn(|s| e.ids[s].filter(|v| (s, *v) != gone)), ..e.clone() })
            .collect();
        let expected = batch(&without, &rules, true);
        prop_assert_eq!(rows(&graph.customers()), rows(&expected.customers()));
        prop_assert_eq!(graph.n_customers(), expected.n_customers());
        let bytes = String::from_utf8(model::to_bytes(&graph)?).unwrap();
        let quoted = format!("\"{text}\"");
        prop_assert!(!bytes.contains(&quoted), "{}", bytes);
        prop_assert!(graph.forget(SPACES[gone.0], &text).is_none());
        // And it may come again, as somebody new.
        let seen = graph.observe(&[(SPACES[gone.0], &text)], Some(99), None)?;
        prop_assert_eq!(graph.members(seen.customer.as_deref().unwrap()).len(), 1);
    }

    #[test]
    fn unlinked_identifiers_are_not_linked_again(
        events in prop::collection::vec(event(15, 4), 1..30), pick in any::<prop::sample::Index>(), rules in any_rules()
    ) {
        let mut graph = stream(&events, &rules, true);
        let pairs: Vec<_> = events.iter().filter(|e| e.ids[0].is_some() && e.ids[2].is_some()).collect();
        prop_assume!(!pairs.is_empty());
        let event = pairs[pick.index(pairs.len())];
        let (x, y) = (value(0, event.ids[0].unwrap()), value(2, event.ids[2].unwrap()));
        let (a, b) = (("cookie", x.as_str()), ("user_id", y.as_str()));
        let change = graph.unlink(a, b).unwrap();
        prop_assert!(!change.customers.is_empty());
        for event in &events {
            observe(&mut graph, event, true);
        }
        if let Some(chain) = graph.explain(a, b) {
            prop_assert!(chain.len() > 1);
        }
        prop_assert_eq!(graph.n_customers(), customers_of(&graph.customers()).len());
    }

    #[test]
    fn a_hostile_file_is_an_error_or_a_graph_that_works(
        events in prop::collection::vec(event(15, 5), 1..15),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4)
    ) {
        let graph = stream(&events, &limited(OnConflict::Demote), true);
        let mut text = serde_json::to_string(&graph).unwrap();
        for (at, with) in edits {
            let numbers: Vec<usize> = text.match_indices(|c: char| c.is_ascii_digit()).map(|m| m.0).collect();
            let at = numbers[at.index(numbers.len())];
            let new = ["0", "1", "7", "99999999", "-1", "4611686018427387904", "\"x\"", "null"];
            text.replace_range(at..=at, new[with.index(new.len())]);
        }
        if let Ok(mut graph) = serde_json::from_str::<IdentityGraph>(&text) {
            for event in &events {
                observe(&mut graph, event, false);
            }
            let table = graph.customers();
            for row in 0..table.rows() {
                let name = table.text("namespace", row).unwrap().into_owned();
                let id = table.text("identifier", row).unwrap().into_owned();
                graph.forget(&name, &id);
            }
            graph.refused();
        }
    }
}

fn customers_of(table: &Table) -> HashSet<String> {
    (0..table.rows()).map(|row| table.text("customer", row).unwrap().into_owned()).collect()
}

/// Each step joins two identifiers that were together in an event at that time from that source.
fn check_chain(
    chain: &[Link],
    events: &[Event],
    a: (&str, &str),
    b: (&str, &str),
) -> Result<(), TestCaseError> {
    let mut at = a;
    for link in chain {
        prop_assert_eq!((link.from.namespace.as_str(), link.from.value.as_str()), at);
        at = (&link.to.namespace, &link.to.value);
        let has = |e: &Event, namespace: &str, v: &str| {
            let s = SPACES.iter().position(|s| *s == namespace).unwrap();
            e.ids[s].is_some_and(|id| value(s, id) == v)
        };
        let seen = events.iter().any(|e| {
            has(e, &link.from.namespace, &link.from.value)
                && has(e, &link.to.namespace, &link.to.value)
                && Some(e.time) == link.time
                && e.source.map(|s| format!("s{s}")) == link.source
        });
        prop_assert!(seen, "{:?}", link);
    }
    prop_assert_eq!(at, b);
    prop_assert_eq!(explain_table(chain).rows(), chain.len());
    Ok(())
}

#[test]
fn a_shared_device_does_not_make_one_customer_of_two_people() {
    let rules = IdentityRules::new([Namespace::new("user_id").limit(1), Namespace::new("device")]);
    let mut graph = IdentityGraph::new(&rules).unwrap();
    let ann = graph.observe(&[("user_id", "ann"), ("device", "tablet")], Some(1), Some("app")).unwrap();
    let bob = graph.observe(&[("user_id", "bob"), ("device", "tablet")], Some(2), Some("app")).unwrap();
    assert_ne!(ann.customer, bob.customer);
    assert_eq!(bob.refused[0].identifier.value, "tablet");
    assert_eq!(Some(&bob.refused[0].customer), ann.customer.as_ref());
    assert_eq!(bob.refused[0].rule, "limit:user_id");
    assert_eq!(graph.resolve("device", "tablet"), ann.customer);
    // Again and again is one row in the table, with its count.
    graph.observe(&[("user_id", "bob"), ("device", "tablet")], Some(9), Some("web")).unwrap();
    assert_eq!(rows(&graph.refused()).len(), 1);
    assert_eq!(graph.refused().i64s("events"), Some(&[2][..]));
    assert_eq!(graph.refused().i64s("last_time"), Some(&[9][..]));
}

#[test]
fn demoting_leaves_out_all_that_is_weaker_and_skipping_only_what_does_not_fit() {
    for (policy, together) in [(OnConflict::Demote, false), (OnConflict::Skip, true)] {
        let rules = IdentityRules {
            on_conflict: policy,
            ..IdentityRules::new([
                Namespace::new("user_id").limit(1),
                Namespace::new("email"),
                Namespace::new("cookie"),
            ])
        };
        let mut graph = IdentityGraph::new(&rules).unwrap();
        graph.observe(&[("user_id", "ann"), ("email", "a@x.org")], None, None).unwrap();
        graph.observe(&[("cookie", "new"), ("email", "a@x.org"), ("user_id", "bob")], None, None).unwrap();
        assert_eq!(graph.resolve("email", "a@x.org"), graph.resolve("user_id", "ann"));
        assert_eq!(graph.resolve("cookie", "new") == graph.resolve("user_id", "bob"), together);
    }
}

#[test]
fn two_values_of_a_namespace_in_one_row_keep_to_its_limit() {
    let events = Columns::new()
        .with("login", vec!["ann", "bob", "ann"])
        .with("previous login", vec!["bob", "bob", "ann"])
        .with("cookie", vec!["c1", "c2", "c1"]);
    let mut options = StitchOptions {
        identifiers: vec!["cookie".into(), "login".into(), "previous login".into()],
        namespaces: [("login", "user"), ("previous login", "user")].map(|(a, b)| (a.into(), b.into())).into(),
        ..StitchOptions::default()
    };
    assert_eq!(stitch(&events, &options, &Run::new()).unwrap().n_customers(), 1);
    options.rules = IdentityRules::new([Namespace::new("user").limit(1)]);
    let people = stitch(&events, &options, &Run::new()).unwrap();
    assert_eq!(people.assign().codes, [0, 1, 0]);
    assert_eq!(people.n_customers(), 2, "in the first row bob is refused, and the cookie with him");
    assert_eq!(people.resolve("user", "ann"), people.resolve("cookie", "c1"));
}

#[test]
fn what_identifies_nobody_is_counted() {
    let events = Columns::new()
        .with("email", vec![Some("null"), Some("A@X.org"), None, Some("NULL"), Some("a@x.org "), Some(" ")])
        .with("device", vec!["00000000-0000-0000-0000-000000000000", "d1", "d2", "0", "d3", "d4"])
        .with(
            "time",
            vec![
                Some("2024-01-01"),
                Some("2024-01-02"),
                Some("2024-01-03"),
                None,
                Some("x"),
                Some("2024-01-06"),
            ],
        );
    let options = StitchOptions {
        identifiers: vec!["email".into(), "device".into()],
        time: Some("time".into()),
        on_invalid: OnInvalid::Drop,
        ..StitchOptions::default()
    };
    let people = stitch(&events, &options, &Run::new()).unwrap();
    assert_eq!(people.dropped().rows, 2);
    assert_eq!(people.unidentified(), 1);
    assert_eq!(people.assign().codes, [NULL, 0, 1, NULL, NULL, 2]);
    assert_eq!(
        rows(&people.blocked()),
        ["email| |blank|1", "email|null|garbage|1", "device|00000000-0000-0000-0000-000000000000|garbage|1"]
    );
    assert_eq!(people.sizes().i64s("identifiers"), Some(&[1, 2][..]));
    assert_eq!(people.sizes().i64s("customers"), Some(&[2, 1][..]));
    let strict = StitchOptions { on_invalid: OnInvalid::Error, ..options };
    assert_eq!(stitch(&events, &strict, &Run::new()).unwrap_err().code(), "HW_ROW");
}

#[test]
fn bad_options_are_errors() {
    let events = Columns::new().with("a", vec!["x"]).with("b", vec![1.5]);
    let options = |columns: &[&str]| StitchOptions {
        identifiers: columns.iter().map(|c| (*c).to_owned()).collect(),
        ..StitchOptions::default()
    };
    let code = |options: &StitchOptions| stitch(&events, options, &Run::new()).unwrap_err().code();
    assert_eq!(code(&options(&[])), "HW_OPTION");
    assert_eq!(code(&options(&["a", "a"])), "HW_OPTION");
    assert_eq!(code(&options(&["missing"])), "HW_COLUMN");
    assert_eq!(code(&options(&["b"])), "HW_COLUMN");
    let renamed = StitchOptions { namespaces: [("z".into(), "y".into())].into(), ..options(&["a"]) };
    assert_eq!(code(&renamed), "HW_OPTION");
    let mut graph = IdentityGraph::new(&IdentityRules::default()).unwrap();
    assert_eq!(graph.observe(&[("", "x")], None, None).unwrap_err().code(), "HW_OPTION");
    assert_eq!(graph.observe(&[("a", "x")], Some(i64::MAX), None).unwrap_err().code(), "HW_OPTION");
    assert!(graph.is_empty());
    assert_eq!(graph.observe(&[], None, None).unwrap().customer, None);
    assert!(graph.members("c_nobody").is_empty() && graph.current("").is_none());
    assert!(graph.explain(("a", "x"), ("a", "x")).is_none());
    let ragged = [("a".into(), Names::from_iter(["x"])), ("b".into(), Names::from_iter(["x", "y"]))];
    let result = stitch_names(ragged.into(), None, None, &IdentityRules::default(), &Run::new());
    assert_eq!(result.unwrap_err().code(), "HW_COLUMN");
    assert!(
        components(2, &[0], &[2], &Run::new()).is_err() && components(2, &[0], &[], &Run::new()).is_err()
    );
}

#[test]
fn other_frames_are_assigned_by_what_they_have() {
    let events = Columns::new().with("cookie", vec!["a", "b"]).with("email", vec!["m@x.org", "n@x.org"]);
    let options =
        StitchOptions { identifiers: vec!["cookie".into(), "email".into()], ..StitchOptions::default() };
    let people = stitch(&events, &options, &Run::new()).unwrap();
    let orders = Columns::new()
        .with("email", vec![Some("N@X.org"), None, Some("new@x.org"), Some("new@x.org")])
        .with("cookie", vec![Some("a"), Some("b"), Some("a"), Some("null")]);
    let assigned = people.assign_frame(&orders, &AssignOptions::default(), &Run::new()).unwrap();
    assert_eq!(assigned.codes, [1, 1, 0, NULL]);
    let emails = Columns::new().with("email", vec!["m@x.org"]);
    assert_eq!(people.assign_frame(&emails, &AssignOptions::default(), &Run::new()).unwrap().codes, [0]);
    let none = Columns::new().with("x", vec![1]);
    assert_eq!(
        people.assign_frame(&none, &AssignOptions::default(), &Run::new()).unwrap_err().code(),
        "HW_OPTION"
    );
}

#[test]
fn an_empty_frame_has_no_customers() {
    let events = Columns::new().with("a", Vec::<String>::new());
    let options = StitchOptions { identifiers: vec!["a".into()], ..StitchOptions::default() };
    let people = stitch(&events, &options, &Run::new()).unwrap();
    assert_eq!((people.n_customers(), people.assign().len(), people.customers().rows()), (0, 0, 0));
    assert_eq!(people.explain(("a", "x"), ("a", "y")), None);
}

#[test]
fn one_cookie_in_a_hundred_thousand_rows_is_quick() {
    const ROWS: usize = 100_000;
    let users: Vec<String> = (0..ROWS).map(|i| format!("u{i}")).collect();
    let events = Columns::new()
        .with("user_id", users.clone())
        .with("cookie", vec!["kiosk"; ROWS])
        .with("time", (0..ROWS as i64).collect::<Vec<_>>());
    let mut options = StitchOptions {
        identifiers: vec!["user_id".into(), "cookie".into()],
        time: Some("time".into()),
        time_unit: Some(headwater::column::TimeUnit::Microsecond),
        ..StitchOptions::default()
    };
    let people = stitch(&events, &options, &Run::new()).unwrap();
    assert_eq!(people.n_customers(), 1);
    assert_eq!(people.explain(("user_id", "u5"), ("user_id", "u99999")).unwrap().len(), 2);
    options.rules = IdentityRules::new([Namespace::new("user_id").limit(1)]);
    let people = stitch(&events, &options, &Run::new()).unwrap();
    assert_eq!(people.n_customers(), ROWS);
    assert_eq!(people.refused().rows(), ROWS - 1);
    let mut graph = IdentityGraph::new(&IdentityRules::default()).unwrap();
    graph.extend(&events, &options, &Run::new()).unwrap();
    assert_eq!(graph.n_customers(), 1);
    assert_eq!(graph.forget("user_id", "u77").unwrap().customers.len(), 1);
    assert_eq!(graph.forget("cookie", "kiosk").unwrap().customers.len(), ROWS - 1);
}

#[test]
fn an_event_with_very_many_identifiers_is_one_customer() {
    let values: Vec<String> = (0..5000).map(|i| format!("v{i}")).collect();
    let ids: Vec<(&str, &str)> = values.iter().map(|v| ("a", v.as_str())).collect();
    let mut graph = IdentityGraph::new(&IdentityRules::default()).unwrap();
    let seen = graph.observe(&ids, None, None).unwrap();
    assert_eq!(graph.members(&seen.customer.unwrap()).len(), 5000);
    assert_eq!(graph.explain(("a", "v17"), ("a", "v4000")).unwrap().len(), 2);
}

#[test]
fn threads_do_not_change_a_thing() {
    let events: Vec<Event> = (0..70_000u64)
        .map(|i| {
            let mix = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let id = |shift: u32| (mix >> shift).is_multiple_of(3).then_some((mix >> (shift + 3)) as u8);
            Event { time: (mix >> 50) as i64, source: None, ids: [id(7), id(23), id(41)] }
        })
        .collect();
    let frame = frame(&events);
    let options = options(&limited(OnConflict::Demote), true);
    let one = stitch(&frame, &options, &Run::new().threads(1)).unwrap();
    let four = stitch(&frame, &options, &Run::new().threads(4)).unwrap();
    assert_eq!(rows(&one.customers()), rows(&four.customers()));
    assert_eq!(rows(&one.refused()), rows(&four.refused()));
    assert_eq!(one.assign(), four.assign());
}

#[test]
fn a_stitching_is_scored_against_its_truth() {
    let frame = Columns::new()
        .with("truth", vec![Some("p"), Some("p"), Some("q"), None])
        .with("customer", vec![Some(1), Some(1), None, Some(1)]);
    let options = EvaluateOptions { on_invalid: OnInvalid::Drop, ..EvaluateOptions::default() };
    let result = evaluate(&frame, &options, &Run::new()).unwrap();
    assert_eq!(result.dropped().rows, 1);
    assert_eq!((result.scores.f1, result.scores.rows), (1.0, 3));
    assert_eq!(result.table().rows(), 1);
}

/// The tracker events of Snowplow's own test set: each session's inferred user is the one its cookie logged in as.
#[test]
fn snowplow_sessions_are_attributed_to_the_users_that_snowplow_infers() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/snowplow_events");
    if !std::path::Path::new(folder).exists() {
        println!("skipped: {folder} is not here");
        return;
    }
    let mut columns: [Vec<String>; 3] = Default::default();
    for file in ["sp_event.csv", "sp_event_update.csv"] {
        let mut reader = csv::Reader::from_path(format!("{folder}/{file}")).unwrap();
        let header = reader.headers().unwrap().clone();
        for record in reader.records() {
            let record = record.unwrap();
            for (column, name) in columns.iter_mut().zip(["domain_userid", "user_id", "collector_tstamp"]) {
                column.push(record[header.iter().position(|h| h == name).unwrap()].to_owned());
            }
        }
    }
    let [domain, user, time] = columns;
    let events = Columns::new().with("domain_userid", domain).with("user_id", user).with("time", time);
    let options = StitchOptions {
        identifiers: vec!["domain_userid".into(), "user_id".into()],
        time: Some("time".into()),
        rules: IdentityRules::new([Namespace::new("user_id").limit(1), Namespace::new("domain_userid")]),
        ..StitchOptions::default()
    };
    let people = stitch(&events, &options, &Run::new()).unwrap();
    let mut reader = csv::Reader::from_path(format!("{folder}/snowplow_sessions_expected.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let (inferred, domain) = (at("inferred_user_id"), at("user_snowplow_domain_id"));
    let mut sessions = 0;
    for record in reader.records() {
        let record = record.unwrap();
        let customer = people.resolve("domain_userid", &record[domain]).unwrap();
        let members = people.members(&customer);
        let user = members.iter().find(|m| m.namespace == "user_id").unwrap_or(&members[0]);
        assert_eq!(user.value, record[inferred]);
        sessions += 1;
    }
    assert_eq!(sessions, 5);
}
