//! What a graph and a batch have in common: identifiers by number, and the
//! tables that are made of them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::forest::Reason;
use super::id::{self, Id};
use super::space::Spaces;
use crate::column::{Labels, Names, Table, Text, Values};

/// From here on a time is not a time but the number of an event without one.
/// Such events come after all others, in the order in which they were given.
pub(super) const UNTIMED: i64 = 1 << 62;

/// The last time of an identifier never seen at a time.
pub(super) const NEVER: i64 = i64::MIN;

/// An identifier: a namespace and a value in its one form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier {
    /// The namespace.
    pub namespace: String,
    /// The value.
    pub value: String,
}

/// One step of the chain that joins two identifiers: they were seen together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where the step begins.
    pub from: Identifier,
    /// Where it ends.
    pub to: Identifier,
    /// When the two were first seen together, in microseconds; `None` for events without a time.
    pub time: Option<i64>,
    /// When they were last seen together.
    pub last_time: Option<i64>,
    /// Where that first event came from.
    pub source: Option<String>,
    /// In how many events they were together.
    pub events: u64,
}

/// The chain as a table: `from_namespace, from_identifier, to_namespace,
/// to_identifier, time, last_time, source, events`.
pub fn explain_table(links: &[Link]) -> Table {
    let names = |of: fn(&Link) -> &str| Values::Text(links.iter().map(of).collect());
    let table = Table::new()
        .with("from_namespace", names(|l| &l.from.namespace))
        .with("from_identifier", names(|l| &l.from.value))
        .with("to_namespace", names(|l| &l.to.namespace))
        .with("to_identifier", names(|l| &l.to.value));
    let table = push_times(table, "time", links.iter().map(|l| l.time));
    let table = push_times(table, "last_time", links.iter().map(|l| l.last_time));
    push_texts(table, "source", links.iter().map(|l| l.source.as_deref()))
        .with("events", Values::I64(links.iter().map(|l| l.events as i64).collect()))
}

/// Evidence that two identifiers are one customer's, over all events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub(super) first: i64,
    pub(super) last: i64,
    /// The source of the first; [`crate::column::NULL`] without one.
    pub(super) source: u32,
    pub(super) events: u64,
}

impl Evidence {
    pub(super) fn new(at: i64, source: u32) -> Self {
        Self { first: at, last: last_of(at), source, events: 1 }
    }

    /// One more event. `name` tells sources apart: of two at one time the
    /// smaller name is kept, so that the order of events does not matter.
    pub(super) fn add<'a>(&mut self, at: i64, source: u32, name: impl Fn(u32) -> Option<Cow<'a, str>>) {
        self.events += 1;
        self.last = self.last.max(last_of(at));
        if at < self.first || (at == self.first && source != self.source && name(source) < name(self.source))
        {
            self.first = at;
            self.source = source;
        }
    }
}

/// What a time adds to the last times.
pub(super) fn last_of(at: i64) -> i64 {
    if at < UNTIMED { at } else { NEVER }
}

pub(super) fn first_time(at: i64) -> Option<i64> {
    (at < UNTIMED).then_some(at)
}

pub(super) fn last_time(at: i64) -> Option<i64> {
    (at != NEVER).then_some(at)
}

/// An identifier that a rule kept out of a customer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) node: u32,
    /// The strongest identifier of the event.
    pub(super) with: u32,
    pub(super) reason: Reason,
    pub(super) evidence: Evidence,
}

/// Identifiers by number.
pub(super) trait Book {
    fn spaces(&self) -> &Spaces;
    fn space(&self, node: u32) -> u16;
    fn value(&self, node: u32) -> Cow<'_, str>;
    /// The first time, or [`UNTIMED`] and the number of the first event.
    fn born(&self, node: u32) -> i64;
    fn last(&self, node: u32) -> i64;
    fn events(&self, node: u32) -> u64;
    /// The identifier that the node's customer is named after.
    fn founder(&self, node: u32) -> u32;
    fn id(&self, founder: u32) -> Id;
    fn source(&self, source: u32) -> Option<Cow<'_, str>>;

    fn customer(&self, node: u32) -> String {
        id::text(self.id(self.founder(node)))
    }

    fn identifier(&self, node: u32) -> Identifier {
        Identifier {
            namespace: self.spaces().name(self.space(node)).to_owned(),
            value: self.value(node).into_owned(),
        }
    }

    /// The order of two different identifiers that events cannot change once
    /// they are given: by first time, then strength, then value.
    fn compare(&self, a: u32, b: u32) -> Ordering {
        self.born(a).cmp(&self.born(b)).then_with(|| self.strength(a, b))
    }

    /// The stronger is less.
    fn strength(&self, a: u32, b: u32) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        self.spaces().compare(self.space(a), self.space(b)).then_with(|| self.value(a).cmp(&self.value(b)))
    }

    fn link(&self, from: u32, to: u32, evidence: &Evidence) -> Link {
        Link {
            from: self.identifier(from),
            to: self.identifier(to),
            time: first_time(evidence.first),
            last_time: last_time(evidence.last),
            source: self.source(evidence.source).map(Cow::into_owned),
            events: evidence.events,
        }
    }
}

/// `namespace, identifier, customer, first_seen, last_seen, events`, by
/// customer and then by identifier, the first seen first.
pub(super) fn customers_table(book: &impl Book, nodes: impl Iterator<Item = u32>) -> Table {
    let mut nodes: Vec<(i64, u32)> = nodes.map(|node| (book.born(node), node)).collect();
    nodes.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| book.strength(a.1, b.1)));
    // In this order a customer's founder comes before its other identifiers,
    // so customers are numbered in order of their founders.
    let mut number: HashMap<u32, u32, FixedState> = HashMap::default();
    let mut ids = Text::new();
    let of: Vec<u32> = nodes
        .iter()
        .map(|(_, node)| {
            let founder = book.founder(*node);
            *number.entry(founder).or_insert_with(|| {
                ids.push(&id::text(book.id(founder)));
                ids.len() as u32 - 1
            })
        })
        .collect();
    let mut at = vec![0u32; ids.len() + 1];
    for customer in &of {
        at[*customer as usize + 1] += 1;
    }
    for i in 1..at.len() {
        at[i] += at[i - 1];
    }
    let mut sorted = vec![0; nodes.len()];
    let mut codes = vec![0; nodes.len()];
    for ((_, node), customer) in nodes.iter().zip(&of) {
        let slot = &mut at[*customer as usize];
        sorted[*slot as usize] = *node;
        codes[*slot as usize] = *customer;
        *slot += 1;
    }
    drop((nodes, of));
    let mut text = Text::new();
    for node in &sorted {
        text.push(&book.value(*node));
    }
    let table = Table::new()
        .with("namespace", Values::Names(namespaces(book, &sorted)))
        .with("identifier", Values::Text(text))
        .with("customer", Values::Names(Names { codes, labels: Arc::new(Labels::Text(ids)) }));
    let table = push_times(table, "first_seen", sorted.iter().map(|n| first_time(book.born(*n))));
    let table = push_times(table, "last_seen", sorted.iter().map(|n| last_time(book.last(*n))));
    table.with("events", Values::I64(sorted.iter().map(|n| book.events(*n) as i64).collect()))
}

/// `namespace, identifier, customer, with_namespace, with_identifier,
/// with_customer, rule, time, last_time, source, events`, by time.
pub(super) fn refused_table(book: &impl Book, refused: &[Refused]) -> Table {
    let mut refused: Vec<&Refused> = refused.iter().collect();
    refused.sort_by(|a, b| {
        a.evidence
            .first
            .cmp(&b.evidence.first)
            .then_with(|| book.strength(a.with, b.with))
            .then_with(|| book.strength(a.node, b.node))
            .then_with(|| a.reason.cmp(&b.reason))
    });
    let nodes: Vec<u32> = refused.iter().map(|r| r.node).collect();
    let withs: Vec<u32> = refused.iter().map(|r| r.with).collect();
    let values = |nodes: &[u32]| Values::Text(nodes.iter().map(|n| book.value(*n)).collect());
    let customers = |nodes: &[u32]| Values::Text(nodes.iter().map(|n| book.customer(*n)).collect());
    let table = Table::new()
        .with("namespace", Values::Names(namespaces(book, &nodes)))
        .with("identifier", values(&nodes))
        .with("customer", customers(&nodes))
        .with("with_namespace", Values::Names(namespaces(book, &withs)))
        .with("with_identifier", values(&withs))
        .with("with_customer", customers(&withs))
        .with("rule", Values::Names(refused.iter().map(|r| book.spaces().rule(r.reason)).collect()));
    let table = push_times(table, "time", refused.iter().map(|r| first_time(r.evidence.first)));
    let table = push_times(table, "last_time", refused.iter().map(|r| last_time(r.evidence.last)));
    let sources: Vec<_> = refused.iter().map(|r| book.source(r.evidence.source)).collect();
    push_texts(table, "source", sources.iter().map(Option::as_deref))
        .with("events", Values::I64(refused.iter().map(|r| r.evidence.events as i64).collect()))
}

fn namespaces(book: &impl Book, nodes: &[u32]) -> Names {
    let labels: Text = book.spaces().list.iter().map(|s| &s.name).collect();
    Names {
        codes: nodes.iter().map(|n| u32::from(book.space(*n))).collect(),
        labels: Arc::new(Labels::Text(labels)),
    }
}

fn push_times(table: Table, name: &str, times: impl Iterator<Item = Option<i64>>) -> Table {
    let (values, valid): (Vec<i64>, Vec<bool>) = times.map(|t| (t.unwrap_or(0), t.is_some())).unzip();
    table.push(name, Values::Time(values), Some(valid))
}

pub(super) fn push_texts<'a>(
    table: Table,
    name: &str,
    texts: impl Iterator<Item = Option<&'a str>>,
) -> Table {
    let mut valid = Vec::new();
    let text: Text = texts.inspect(|t| valid.push(t.is_some())).map(Option::unwrap_or_default).collect();
    table.push(name, Values::Text(text), Some(valid))
}

/// The shortest way from `a` to `b`, both included; of several the one over
/// the identifiers that come first in the order of `book`.
pub(super) fn shortest(
    book: &impl Book,
    a: u32,
    b: u32,
    mut neighbours: impl FnMut(u32, &mut dyn FnMut(u32)),
) -> Option<Vec<u32>> {
    let mut before: HashMap<u32, u32> = HashMap::from([(a, a)]);
    let mut level = vec![a];
    while !level.is_empty() && !before.contains_key(&b) {
        let mut next = Vec::new();
        for &node in &level {
            neighbours(node, &mut |other| {
                before.entry(other).or_insert_with(|| {
                    next.push(other);
                    node
                });
            });
        }
        next.sort_unstable_by(|a, b| book.compare(*a, *b));
        level = next;
    }
    before.get(&b)?;
    let mut path = vec![b];
    let mut at = b;
    while at != a {
        at = *before.get(&at)?;
        path.push(at);
    }
    path.reverse();
    Some(path)
}
