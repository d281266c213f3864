//! The customers of a batch of events.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::book::{
    Book, Evidence, Identifier, Link, Refused, UNTIMED, customers_table, refused_table, shortest,
};
use super::forest::pair;
use super::graph::CLIQUE;
use super::id::{Id, Namer};
use super::rules::IdentityRules;
use super::space::{BlockReason, Spaces};
use crate::column::{Dropped, Kept, Labels, NULL, Names, Table, Text, Values};

#[derive(Clone, Debug)]
pub(super) struct BlockedValue {
    pub(super) space: u16,
    pub(super) value: String,
    pub(super) reason: BlockReason,
    pub(super) events: u64,
}

type Links = HashMap<(u32, u32), Evidence>;
type Near = HashMap<u32, Vec<u32>>;

/// The result of [`stitch`](super::stitch): who is who, and why.
#[derive(Clone, Debug)]
pub struct People {
    pub(super) spaces: Spaces,
    namer: Namer,
    /// For each namespace in use the number after its last node, the namespace, its values.
    pub(super) pools: Vec<(u32, u16, Arc<Labels>)>,
    /// The node of each row, for each column, the strongest first.
    pub(super) columns: Vec<(u16, Vec<u32>)>,
    pub(super) times: Option<Vec<i64>>,
    pub(super) sources: Option<Names>,
    pub(super) born: Vec<i64>,
    pub(super) last: Vec<i64>,
    pub(super) events: Vec<u32>,
    /// The customer of each node; [`NULL`] for one that occurs in no row.
    pub(super) home: Vec<u32>,
    /// The identifier that each customer is named after.
    pub(super) founders: Vec<u32>,
    pub(super) labels: Arc<Labels>,
    /// The customer of each row that was kept.
    pub(super) assigned: Vec<u32>,
    pub(super) unidentified: u64,
    pub(super) refused: Vec<Refused>,
    pub(super) refused_rows: Vec<(u32, u32)>,
    pub(super) blocked: Vec<BlockedValue>,
    kept: Kept,
    rows: usize,
    /// The columns of the stitching and their namespaces.
    pub(super) given: Vec<(String, String)>,
    index: OnceLock<(RandomState, HashTable<u32>)>,
    /// Where the rows of each customer begin, and the rows by customer.
    by_customer: OnceLock<(Vec<u32>, Vec<u32>)>,
}

impl People {
    pub(super) fn new(namer: Namer) -> Self {
        Self {
            spaces: Spaces::default(),
            namer,
            pools: Vec::new(),
            columns: Vec::new(),
            times: None,
            sources: None,
            born: Vec::new(),
            last: Vec::new(),
            events: Vec::new(),
            home: Vec::new(),
            founders: Vec::new(),
            labels: Arc::new(Labels::Text(Text::new())),
            assigned: Vec::new(),
            unidentified: 0,
            refused: Vec::new(),
            refused_rows: Vec::new(),
            blocked: Vec::new(),
            kept: Kept::default(),
            rows: 0,
            given: Vec::new(),
            index: OnceLock::new(),
            by_customer: OnceLock::new(),
        }
    }

    pub(super) fn with_kept(mut self, kept: Kept, rows: usize, given: Vec<(String, String)>) -> Self {
        self.given = given;
        self.kept = kept;
        self.rows = rows;
        self
    }

    /// The rules that were kept.
    pub fn rules(&self) -> &IdentityRules {
        &self.spaces.rules
    }

    /// How many customers there are.
    pub fn n_customers(&self) -> usize {
        self.founders.len()
    }

    /// How many identifiers there are.
    pub fn n_identifiers(&self) -> usize {
        self.events.iter().filter(|e| **e > 0).count()
    }

    /// How many rows had no identifier that could be used; they have no customer.
    pub fn unidentified(&self) -> u64 {
        self.unidentified
    }

    /// The rows that were dropped for their times, and why.
    pub fn dropped(&self) -> &Dropped {
        self.kept.dropped()
    }

    /// All identifiers and their customers: `namespace, identifier, customer,
    /// first_seen, last_seen, events`, by customer, the first seen first.
    pub fn customers(&self) -> Table {
        customers_table(self, (0..self.home.len() as u32).filter(|n| self.events[*n as usize] > 0))
    }

    /// The customer of each row of the events: that of the strongest
    /// identifier in it. [`NULL`] for a row without usable identifier, and one
    /// that was dropped. Customers are numbered in the order of the rows.
    pub fn assign(&self) -> Names {
        let rows = self.rows.max(self.assigned.len());
        let codes = if rows == self.assigned.len() {
            self.assigned.clone()
        } else {
            let mut codes = vec![NULL; rows];
            for (i, customer) in self.assigned.iter().enumerate() {
                if let Some(slot) = codes.get_mut(self.kept.row(i)) {
                    *slot = *customer;
                }
            }
            codes
        };
        Names { codes, labels: Arc::clone(&self.labels) }
    }

    /// [`People::assign`] as a table with the one column `customer`.
    pub fn assign_table(&self) -> Table {
        Table::new().with("customer", Values::Names(self.assign()))
    }

    /// The customer of an identifier; `None` when it does not occur, or identifies nobody.
    pub fn resolve(&self, namespace: &str, value: &str) -> Option<String> {
        self.lookup(namespace, value).map(|node| self.customer(node))
    }

    /// The identifiers of a customer, the first seen first; none for an unknown id.
    pub fn members(&self, customer: &str) -> Vec<Identifier> {
        let Some(number) = self.labels.find(customer) else { return Vec::new() };
        let mut nodes: Vec<u32> =
            (0u32..).zip(&self.home).filter(|(_, home)| **home == number).map(|(node, _)| node).collect();
        nodes.sort_unstable_by(|a, b| self.compare(*a, *b));
        nodes.into_iter().map(|node| self.identifier(node)).collect()
    }

    /// Why two identifiers are one customer's: the shortest chain of links
    /// from `a` to `b`, each (namespace, value). Empty when they are the same;
    /// `None` when they are not one customer's.
    pub fn explain(&self, a: (&str, &str), b: (&str, &str)) -> Option<Vec<Link>> {
        let (a, b) = (self.lookup(a.0, a.1)?, self.lookup(b.0, b.1)?);
        if self.home[a as usize] != self.home[b as usize] {
            return None;
        }
        let (links, near) = self.links(self.home[a as usize]);
        let path = shortest(self, a, b, |node, found| {
            for other in near.get(&node).into_iter().flatten() {
                found(*other);
            }
        })?;
        path.windows(2)
            .map(|step| Some(self.link(step[0], step[1], links.get(&pair(step[0], step[1]))?)))
            .collect()
    }

    /// The links that a rule refused: `namespace, identifier, customer,
    /// with_namespace, with_identifier, with_customer, rule, time, last_time,
    /// source, events`. `with_identifier` is the strongest of the event.
    pub fn refused(&self) -> Table {
        refused_table(self, &self.refused)
    }

    /// The values that identify nobody: `namespace, value, reason, events`,
    /// the strongest namespace and the most frequent value first.
    pub fn blocked(&self) -> Table {
        let mut blocked: Vec<&BlockedValue> = self.blocked.iter().collect();
        blocked.sort_by(|a, b| {
            self.spaces
                .compare(a.space, b.space)
                .then_with(|| b.events.cmp(&a.events))
                .then_with(|| a.value.cmp(&b.value))
        });
        let namespace = blocked.iter().map(|b| self.spaces.name(b.space));
        Table::new()
            .with("namespace", Values::Names(namespace.collect()))
            .with("value", Values::Text(blocked.iter().map(|b| &b.value).collect()))
            .with("reason", Values::Names(blocked.iter().map(|b| b.reason.as_str()).collect()))
            .with("events", Values::I64(blocked.iter().map(|b| b.events as i64).collect()))
    }

    /// How many customers have how many identifiers: `identifiers, customers`.
    pub fn sizes(&self) -> Table {
        let mut size = vec![0i64; self.founders.len()];
        for home in self.home.iter().filter(|h| **h != NULL) {
            size[*home as usize] += 1;
        }
        let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
        for size in size {
            *counts.entry(size).or_default() += 1;
        }
        Table::new()
            .with("identifiers", Values::I64(counts.keys().copied().collect()))
            .with("customers", Values::I64(counts.values().copied().collect()))
    }

    pub(super) fn at(&self, row: usize) -> i64 {
        self.times.as_ref().map_or(UNTIMED + row as i64, |times| times[row])
    }

    pub(super) fn source_of(&self, row: usize) -> u32 {
        self.sources.as_ref().map_or(NULL, |s| s.codes[row])
    }

    /// The identifiers of a row, each once, the strongest first.
    pub(super) fn row_nodes(&self, row: usize, out: &mut Vec<u32>) {
        out.clear();
        let mut before = None;
        let mut sorted = true;
        for (space, codes) in &self.columns {
            let node = codes[row];
            if node != NULL {
                sorted &= before != Some(*space);
                before = Some(*space);
                out.push(node);
            }
        }
        if !sorted {
            out.sort_unstable_by(|a, b| self.strength(*a, *b));
            out.dedup();
        }
    }

    /// The strongest identifier of a row; [`NULL`] without one.
    pub(super) fn top(&self, row: usize) -> u32 {
        self.strongest(&self.columns, row)
    }

    pub(super) fn strongest(&self, columns: &[(u16, Vec<u32>)], row: usize) -> u32 {
        let mut top = NULL;
        let mut of = 0;
        for (space, codes) in columns {
            let node = codes[row];
            if node == NULL {
                continue;
            }
            if top == NULL {
                (top, of) = (node, *space);
            } else if *space != of {
                break;
            } else if self.strength(node, top).is_lt() {
                top = node;
            }
        }
        top
    }

    fn pool(&self, node: u32) -> (u16, u32, &Labels) {
        let at = self.pools.partition_point(|(end, ..)| *end <= node);
        let start = if at == 0 { 0 } else { self.pools[at - 1].0 };
        let (_, space, pool) = &self.pools[at];
        (*space, node - start, pool)
    }

    pub(super) fn lookup(&self, namespace: &str, raw: &str) -> Option<u32> {
        let space = self.spaces.find(namespace)?;
        let value = self.spaces.clean(space, raw).ok()?;
        let (hasher, table) = self.index.get_or_init(|| {
            let hasher = RandomState::default();
            let mut table = HashTable::with_capacity(self.home.len());
            let hash = |node: &u32| hasher.hash_one((self.space(*node), &*self.value(*node)));
            for node in (0..self.home.len() as u32).filter(|n| self.events[*n as usize] > 0) {
                table.insert_unique(hash(&node), node, hash);
            }
            (hasher, table)
        });
        let same = |node: &u32| self.space(*node) == space && self.value(*node) == value;
        table.find(hasher.hash_one((space, &*value)), same).copied()
    }

    /// The links of a customer, and who is linked to whom.
    fn links(&self, customer: u32) -> (Links, Near) {
        let (starts, rows) = self.by_customer.get_or_init(|| {
            let mut starts = vec![0u32; self.founders.len() + 1];
            for customer in self.assigned.iter().filter(|c| **c != NULL) {
                starts[*customer as usize + 1] += 1;
            }
            for i in 1..starts.len() {
                starts[i] += starts[i - 1];
            }
            let mut next = starts.clone();
            let mut rows = vec![0; starts.last().map_or(0, |n| *n as usize)];
            for (row, customer) in (0u32..).zip(&self.assigned).filter(|(_, c)| **c != NULL) {
                let slot = &mut next[*customer as usize];
                rows[*slot as usize] = row;
                *slot += 1;
            }
            (starts, rows)
        });
        let mut links = Links::new();
        let mut near = Near::new();
        let mut nodes = Vec::new();
        let range = starts[customer as usize] as usize..starts[customer as usize + 1] as usize;
        for &row in &rows[range] {
            self.row_nodes(row as usize, &mut nodes);
            if !self.refused_rows.is_empty() {
                nodes.retain(|node| self.refused_rows.binary_search(&(row, *node)).is_err());
            }
            let (at, source) = (self.at(row as usize), self.source_of(row as usize));
            let firsts = if nodes.len() <= CLIQUE { nodes.len() } else { 1 };
            for i in 0..firsts {
                for &other in &nodes[i + 1..] {
                    links
                        .entry(pair(nodes[i], other))
                        .and_modify(|e| e.add(at, source, |s| self.source(s)))
                        .or_insert_with(|| {
                            near.entry(nodes[i]).or_default().push(other);
                            near.entry(other).or_default().push(nodes[i]);
                            Evidence::new(at, source)
                        });
                }
            }
        }
        (links, near)
    }
}

impl Book for People {
    fn spaces(&self) -> &Spaces {
        &self.spaces
    }
    fn space(&self, node: u32) -> u16 {
        self.pool(node).0
    }
    fn value(&self, node: u32) -> Cow<'_, str> {
        let (_, i, pool) = self.pool(node);
        pool.get(i)
    }
    fn born(&self, node: u32) -> i64 {
        self.born[node as usize]
    }
    fn last(&self, node: u32) -> i64 {
        self.last[node as usize]
    }
    fn events(&self, node: u32) -> u64 {
        u64::from(self.events[node as usize])
    }
    fn founder(&self, node: u32) -> u32 {
        self.founders[self.home[node as usize] as usize]
    }
    fn id(&self, founder: u32) -> Id {
        let (space, i, pool) = self.pool(founder);
        self.namer.id(self.spaces.name(space), &pool.get(i))
    }
    fn source(&self, source: u32) -> Option<Cow<'_, str>> {
        self.sources.as_ref().filter(|_| source != NULL).map(|s| s.labels.get(source))
    }
}
