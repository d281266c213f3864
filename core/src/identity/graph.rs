//! Stitching one event at a time.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::book::{
    Book, Evidence, Identifier, Link, NEVER, Refused, UNTIMED, customers_table, last_of, refused_table,
    shortest,
};
use super::forest::{Forest, Reason, pair};
use super::id::{self, Id, Namer};
use super::rules::IdentityRules;
use super::space::{BlockReason, Spaces};
use crate::column::{NULL, Table};
use crate::{Error, Result};

/// Up to this many identifiers in an event, each is linked to each; from there
/// on all are linked to the strongest.
pub(super) const CLIQUE: usize = 16;

/// What a raw value came to.
type Form = std::result::Result<Box<str>, BlockReason>;

/// How many slow normalisations are remembered.
const REMEMBERED: usize = 65_536;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Box<str>,
    pub(super) space: u16,
    /// Whether a customer was ever named after it.
    pub(super) named: bool,
    pub(super) born: i64,
    pub(super) last: i64,
    /// 0 for a slot without identifier.
    pub(super) events: u64,
    /// The first of its links, [`NULL`] without one.
    pub(super) head: u32,
}

/// Two identifiers of one event. Each end has a list of its links.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) ends: [u32; 2],
    next: [u32; 2],
    pub(super) evidence: Evidence,
}

/// What [`IdentityGraph::observe`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// The customer of the event; `None` when no identifier could be used.
    pub customer: Option<String>,
    /// The ids of the customers that became this one; they still resolve to it.
    pub merged: Vec<String>,
    /// The identifiers that a rule kept out of this customer.
    pub refused: Vec<Refusal>,
    /// The values that identify nobody.
    pub blocked: Vec<Blocked>,
}

/// An identifier of an event that a rule kept out of the event's customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The identifier.
    pub identifier: Identifier,
    /// Whose it stays.
    pub customer: String,
    /// The rule: `limit:NAMESPACE`, `max_identifiers` or `unlinked`.
    pub rule: String,
}

/// A value of an event that identifies nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The value as it came.
    pub identifier: Identifier,
    /// Why.
    pub reason: BlockReason,
}

/// Customers from identifiers, one event at a time.
///
/// Observing events in the order of their times gives exactly what
/// [`stitch`](super::stitch) gives for all of them. An event takes a few
/// microseconds. The graph is a [`Model`](crate::model::Model): saved and
/// loaded it goes on as if nothing had happened.
///
/// ```
/// use headwater::identity::{IdentityGraph, IdentityRules};
///
/// let mut graph = IdentityGraph::new(&IdentityRules::default())?;
/// let anonymous = graph.observe(&[("cookie", "7f3")], Some(1_000_000), Some("web"))?;
/// let known = graph.observe(&[("cookie", "7f3"), ("email", "A@X.org")], Some(2_000_000), Some("web"))?;
/// assert_eq!(known.customer, anonymous.customer);
/// assert_eq!(graph.resolve("email", "a@x.org"), known.customer);
/// let why = graph.explain(("email", "a@x.org"), ("cookie", "7f3")).unwrap_or_default();
/// assert_eq!(why[0].source.as_deref(), Some("web"));
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct IdentityGraph {
    pub(super) spaces: Spaces,
    namer: Namer,
    pub(super) nodes: Vec<Node>,
    free: Vec<u32>,
    index: HashTable<u32>,
    pub(super) forest: Forest,
    /// At roots, the identifier that the customer is named after.
    founder: Vec<u32>,
    pub(super) edges: Vec<Edge>,
    free_edges: Vec<u32>,
    pairs: HashTable<u32>,
    pub(super) sources: Vec<Box<str>>,
    source_index: HashMap<Box<str>, u32>,
    pub(super) refused: Vec<Refused>,
    refused_index: HashMap<(u32, u32, Reason), u32>,
    pub(super) apart: BTreeSet<(u32, u32)>,
    ids: HashMap<Id, u32, RandomState>,
    /// How many events were observed.
    pub(super) observed: u64,
    hasher: RandomState,
    remembered: HashMap<(u16, Box<str>), Form, RandomState>,
}

impl IdentityGraph {
    /// An empty graph; an [`Error::Option`] for rules that cannot be kept.
    pub fn new(rules: &IdentityRules) -> Result<Self> {
        let spaces = Spaces::new(rules)?;
        Ok(Self {
            namer: Namer::new(&rules.salt),
            forest: Forest::new(&spaces.limits),
            spaces,
            nodes: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            founder: Vec::new(),
            edges: Vec::new(),
            free_edges: Vec::new(),
            pairs: HashTable::new(),
            sources: Vec::new(),
            source_index: HashMap::new(),
            refused: Vec::new(),
            refused_index: HashMap::new(),
            apart: BTreeSet::new(),
            ids: HashMap::default(),
            observed: 0,
            hasher: RandomState::default(),
            remembered: HashMap::default(),
        })
    }

    /// The rules in force.
    pub fn rules(&self) -> &IdentityRules {
        &self.spaces.rules
    }

    /// How many identifiers there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many customers there are.
    pub fn n_customers(&self) -> usize {
        self.forest.sets()
    }

    /// Takes in one event: identifiers seen together, as (namespace, value).
    ///
    /// `time` is in microseconds since the epoch; events without one count as
    /// later than all that have one, in the order in which they come. A late
    /// event is taken in like any other, and if it holds a customer's earliest
    /// identifier, gives the customer its name; the old id stays an alias.
    ///
    /// Errors: a namespace without a name, a time beyond 2⁶² microseconds.
    pub fn observe(
        &mut self,
        identifiers: &[(&str, &str)],
        time: Option<i64>,
        source: Option<&str>,
    ) -> Result<Observation> {
        let at = match time {
            None => UNTIMED + self.observed as i64,
            Some(t) if (-UNTIMED..UNTIMED).contains(&t) => t,
            Some(t) => {
                return Err(Error::option("time", format!("{t} µs is 146,000 years from now or more")));
            }
        };
        let mut out = Observation::default();
        let mut values: Vec<(u16, Cow<'_, str>)> = Vec::with_capacity(identifiers.len());
        for &(namespace, raw) in identifiers {
            let space = self.spaces.of(namespace)?;
            match self.clean(space, raw) {
                Ok(value) => values.push((space, value)),
                Err(reason) => out.blocked.push(Blocked {
                    identifier: Identifier { namespace: namespace.to_owned(), value: raw.to_owned() },
                    reason,
                }),
            }
        }
        values.sort_unstable_by(|a, b| self.spaces.compare(a.0, b.0).then_with(|| a.1.cmp(&b.1)));
        values.dedup();
        // Both would overflow a code; neither fits into memory.
        if self.nodes.len() + values.len() >= NULL as usize
            || self.edges.len() + values.len() * CLIQUE >= NULL as usize
        {
            return Err(Error::option("identifiers", "the graph is full"));
        }
        self.observed += 1;
        if values.is_empty() {
            return Ok(out);
        }
        let source = source.map_or(NULL, |s| self.source_code(s));
        // The founders before and after the times of this event are known.
        let mut old = Vec::with_capacity(values.len());
        let mut candidates = Vec::with_capacity(values.len());
        let mut nodes = Vec::with_capacity(values.len());
        for (space, value) in &values {
            let (node, is_new) = self.node(*space, value, at);
            let root = self.forest.find(node);
            let founder = self.founder[root as usize];
            if !is_new {
                old.push((node, founder));
            }
            nodes.push(node);
            let entry = &mut self.nodes[node as usize];
            entry.born = entry.born.min(at);
            entry.last = entry.last.max(last_of(at));
            entry.events += 1;
        }
        for &node in &nodes {
            let founder = self.founder[self.forest.find(node) as usize];
            candidates.push(self.earlier(founder, node));
        }
        let (mut kept, mut refused) = (Vec::with_capacity(nodes.len()), Vec::new());
        self.forest.admit(&nodes, &self.spaces.limits, &self.apart, &mut kept, &mut refused);
        let root = self.forest.find(kept[0]);
        let mut founder = candidates[0];
        for (node, candidate) in nodes.iter().zip(&candidates) {
            let home = self.forest.find(*node);
            if home == root {
                founder = self.earlier(founder, *candidate);
            } else {
                self.founder[home as usize] = self.earlier(self.founder[home as usize], *candidate);
            }
        }
        self.founder[root as usize] = founder;
        for &node in &nodes {
            let home = self.forest.find(node);
            self.name(self.founder[home as usize]);
        }
        out.customer = Some(id::text(self.id(founder)));
        let mut merged: Vec<u32> = old
            .into_iter()
            .filter(|(node, was)| *was != founder && self.forest.root(*node) == root)
            .map(|(_, was)| was)
            .collect();
        merged.sort_unstable_by(|a, b| self.compare(*a, *b));
        merged.dedup();
        out.merged = merged.into_iter().map(|was| id::text(self.id(was))).collect();
        self.connect(&kept, at, source);
        for (node, reason) in refused {
            self.refuse(node, nodes[0], reason, at, source);
            out.refused.push(Refusal {
                identifier: self.identifier(node),
                customer: self.customer(node),
                rule: self.spaces.rule(reason).into_owned(),
            });
        }
        Ok(out)
    }

    /// The customer of an identifier; `None` when it was never seen, or
    /// identifies nobody.
    pub fn resolve(&self, namespace: &str, value: &str) -> Option<String> {
        self.lookup(namespace, value).map(|node| self.customer(node))
    }

    /// The id that a customer has now: its own, or for the id of a customer
    /// that became part of another, that one's. `None` for an unknown id.
    pub fn current(&self, customer: &str) -> Option<String> {
        self.ids.get(&id::parse(customer)?).map(|node| self.customer(*node))
    }

    /// The identifiers of a customer, by its id or a former one, the first
    /// seen first; none for an unknown id.
    pub fn members(&self, customer: &str) -> Vec<Identifier> {
        let Some(node) = id::parse(customer).and_then(|id| self.ids.get(&id)) else { return Vec::new() };
        let mut nodes = self.forest.members(*node);
        nodes.sort_unstable_by(|a, b| self.compare(*a, *b));
        nodes.into_iter().map(|node| self.identifier(node)).collect()
    }

    /// Why two identifiers are one customer's: the shortest chain of links
    /// from `a` to `b`. Empty when they are the same; `None` when they are not
    /// one customer's.
    pub fn explain(&self, a: (&str, &str), b: (&str, &str)) -> Option<Vec<Link>> {
        let (a, b) = (self.lookup(a.0, a.1)?, self.lookup(b.0, b.1)?);
        if self.forest.root(a) != self.forest.root(b) {
            return None;
        }
        let path = shortest(self, a, b, |node, found| {
            for (other, _) in self.links_of(node) {
                found(other);
            }
        })?;
        path.windows(2)
            .map(|step| {
                let edge = self.edge(step[0], step[1])?;
                Some(self.link(step[0], step[1], &self.edges[edge as usize].evidence))
            })
            .collect()
    }

    /// All identifiers and their customers: `namespace, identifier, customer,
    /// first_seen, last_seen, events`.
    pub fn customers(&self) -> Table {
        customers_table(self, self.index.iter().copied())
    }

    /// The links that a rule refused: `namespace, identifier, customer,
    /// with_namespace, with_identifier, with_customer, rule, time, last_time,
    /// source, events`. `with_identifier` is the strongest of the event.
    pub fn refused(&self) -> Table {
        refused_table(self, &self.refused)
    }

    fn clean<'a>(&mut self, space: u16, raw: &'a str) -> std::result::Result<Cow<'a, str>, BlockReason> {
        if !self.spaces.slow(space) {
            return self.spaces.clean(space, raw);
        }
        let key = (space, Box::from(raw));
        if let Some(known) = self.remembered.get(&key) {
            return known.clone().map(|v| Cow::Owned(v.into_string()));
        }
        let value = self.spaces.clean(space, raw);
        if self.remembered.len() >= REMEMBERED {
            self.remembered.clear();
        }
        let known = value.as_ref().map(|v| Box::from(&**v)).map_err(|reason| *reason);
        self.remembered.insert(key, known);
        value
    }

    fn hash(&self, space: u16, value: &str) -> u64 {
        self.hasher.hash_one((space, value))
    }

    pub(super) fn lookup(&self, namespace: &str, raw: &str) -> Option<u32> {
        let space = self.spaces.find(namespace)?;
        let value = self.spaces.clean(space, raw).ok()?;
        self.lookup_clean(space, &value)
    }

    fn lookup_clean(&self, space: u16, value: &str) -> Option<u32> {
        let same = |node: &u32| {
            let node = &self.nodes[*node as usize];
            node.space == space && &*node.value == value
        };
        self.index.find(self.hash(space, value), same).copied()
    }

    /// The node of an identifier, and whether it was made just now.
    pub(super) fn node(&mut self, space: u16, value: &str, at: i64) -> (u32, bool) {
        match self.lookup_clean(space, value) {
            Some(node) => (node, false),
            None => (self.add(space, value, at), true),
        }
    }

    /// Makes room for so many more identifiers and links.
    pub(super) fn reserve(&mut self, identifiers: usize, links: usize) {
        let (nodes, edges, hasher) = (&self.nodes, &self.edges, &self.hasher);
        self.index.reserve(identifiers, |n| {
            let node = &nodes[*n as usize];
            hasher.hash_one((node.space, &*node.value))
        });
        self.pairs.reserve(links, |e| {
            let [a, b] = edges[*e as usize].ends;
            hasher.hash_one((a, b))
        });
        self.nodes.reserve(identifiers);
        self.edges.reserve(links);
    }

    /// A new identifier, alone.
    fn add(&mut self, space: u16, value: &str, at: i64) -> u32 {
        let entry =
            Node { value: value.into(), space, named: false, born: at, last: NEVER, events: 0, head: NULL };
        let slot = self.spaces.list[space as usize].slot;
        let node = if let Some(node) = self.free.pop() {
            self.nodes[node as usize] = entry;
            self.forest.revive(node, slot);
            self.founder[node as usize] = node;
            node
        } else {
            let node = self.nodes.len() as u32;
            self.nodes.push(entry);
            self.forest.push(slot);
            self.founder.push(node);
            node
        };
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        self.index.insert_unique(self.hasher.hash_one((space, value)), node, |n| {
            let node = &nodes[*n as usize];
            hasher.hash_one((node.space, &*node.value))
        });
        node
    }

    fn earlier(&self, a: u32, b: u32) -> u32 {
        if self.compare(b, a).is_lt() { b } else { a }
    }

    /// Remembers that a customer is named after this identifier.
    pub(super) fn name(&mut self, founder: u32) {
        if !self.nodes[founder as usize].named {
            self.nodes[founder as usize].named = true;
            self.ids.insert(self.id(founder), founder);
        }
    }

    pub(super) fn source_code(&mut self, source: &str) -> u32 {
        if let Some(code) = self.source_index.get(source) {
            return *code;
        }
        let code = self.sources.len() as u32;
        self.sources.push(source.into());
        self.source_index.insert(source.into(), code);
        code
    }

    /// Links the identifiers of one event that are one customer.
    fn connect(&mut self, kept: &[u32], at: i64, source: u32) {
        let firsts = if kept.len() <= CLIQUE { kept.len() } else { 1 };
        for i in 0..firsts {
            for &other in &kept[i + 1..] {
                let evidence = Evidence::new(at, source);
                match self.edge(kept[i], other) {
                    None => self.add_edge(kept[i], other, evidence),
                    Some(edge) => {
                        let sources = &self.sources;
                        let name = |s: u32| sources.get(s as usize).map(|s| Cow::Borrowed(&**s));
                        self.edges[edge as usize].evidence.add(at, source, name);
                    }
                }
            }
        }
    }

    pub(super) fn edge(&self, a: u32, b: u32) -> Option<u32> {
        let (a, b) = pair(a, b);
        self.pairs.find(self.hasher.hash_one((a, b)), |e| self.edges[*e as usize].ends == [a, b]).copied()
    }

    pub(super) fn add_edge(&mut self, a: u32, b: u32, evidence: Evidence) {
        let (a, b) = pair(a, b);
        let next = [self.nodes[a as usize].head, self.nodes[b as usize].head];
        let entry = Edge { ends: [a, b], next, evidence };
        let edge = if let Some(edge) = self.free_edges.pop() {
            self.edges[edge as usize] = entry;
            edge
        } else {
            self.edges.push(entry);
            self.edges.len() as u32 - 1
        };
        self.nodes[a as usize].head = edge;
        self.nodes[b as usize].head = edge;
        let (edges, hasher) = (&self.edges, &self.hasher);
        self.pairs.insert_unique(self.hasher.hash_one((a, b)), edge, |e| {
            let [a, b] = edges[*e as usize].ends;
            hasher.hash_one((a, b))
        });
    }

    /// The other ends of a node's links, with the links.
    pub(super) fn links_of(&self, node: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut at = self.nodes[node as usize].head;
        std::iter::from_fn(move || {
            let edge = self.edges.get(at as usize)?;
            let end = usize::from(edge.ends[1] == node);
            let found = (edge.ends[1 - end], at);
            at = edge.next[end];
            Some(found)
        })
    }

    /// Takes a link out of both ends' lists.
    pub(super) fn remove_edge(&mut self, edge: u32) {
        let Edge { ends: [a, b], next, .. } = self.edges[edge as usize];
        for (end, node) in [a, b].into_iter().enumerate() {
            if self.nodes[node as usize].head == edge {
                self.nodes[node as usize].head = next[end];
                continue;
            }
            let mut at = self.nodes[node as usize].head;
            while let Some(entry) = self.edges.get_mut(at as usize) {
                let side = usize::from(entry.ends[1] == node);
                if entry.next[side] == edge {
                    entry.next[side] = next[end];
                    break;
                }
                at = entry.next[side];
            }
        }
        if let Ok(entry) = self.pairs.find_entry(self.hasher.hash_one((a, b)), |e| *e == edge) {
            entry.remove();
        }
        self.edges[edge as usize].evidence.events = 0;
        self.free_edges.push(edge);
    }

    pub(super) fn refuse(&mut self, node: u32, with: u32, reason: Reason, at: i64, source: u32) {
        let sources = &self.sources;
        if let Some(i) = self.refused_index.get(&(node, with, reason)) {
            let name = |s: u32| sources.get(s as usize).map(|s| Cow::Borrowed(&**s));
            self.refused[*i as usize].evidence.add(at, source, name);
            return;
        }
        self.log(Refused { node, with, reason, evidence: Evidence::new(at, source) });
    }

    pub(super) fn log(&mut self, refused: Refused) {
        self.refused_index.insert((refused.node, refused.with, refused.reason), self.refused.len() as u32);
        self.refused.push(refused);
    }

    /// Takes an identifier that stands alone, without links, out of everything.
    pub(super) fn erase(&mut self, node: u32) {
        let (id, space) = (self.id(node), self.nodes[node as usize].space);
        let value = std::mem::take(&mut self.nodes[node as usize].value);
        if let Ok(entry) = self.index.find_entry(self.hasher.hash_one((space, &*value)), |n| *n == node) {
            entry.remove();
        }
        if self.nodes[node as usize].named {
            self.ids.remove(&id);
        }
        self.refused.retain(|r| r.node != node && r.with != node);
        self.refused_index =
            (0u32..).zip(&self.refused).map(|(i, r)| ((r.node, r.with, r.reason), i)).collect();
        self.apart.retain(|(a, b)| *a != node && *b != node);
        self.remembered.clear();
        self.nodes[node as usize].events = 0;
        self.nodes[node as usize].named = false;
        self.forest.retire(node);
        self.free.push(node);
    }

    /// Makes customers again of these identifiers, which were one, by the
    /// links that are left; returns their founders, the first seen first.
    pub(super) fn regroup(&mut self, members: &[u32]) -> Vec<u32> {
        let slots = |node: u32| self.spaces.list[self.nodes[node as usize].space as usize].slot;
        self.forest.dissolve(members, slots);
        for &node in members {
            let mut root = self.forest.find(node);
            let others: Vec<u32> = self.links_of(node).map(|(other, _)| other).collect();
            for other in others {
                let other = self.forest.find(other);
                root = self.forest.join(root, other);
            }
        }
        self.settle(members)
    }

    /// Finds and names the founders of whole customers.
    pub(super) fn settle(&mut self, members: &[u32]) -> Vec<u32> {
        let mut order = members.to_vec();
        order.sort_unstable_by(|a, b| self.compare(*a, *b));
        let mut founders = Vec::new();
        let mut seen = HashSet::new();
        for node in order {
            let root = self.forest.find(node);
            if seen.insert(root) {
                self.founder[root as usize] = node;
                self.name(node);
                founders.push(node);
            }
        }
        founders
    }
}

impl Book for IdentityGraph {
    fn spaces(&self) -> &Spaces {
        &self.spaces
    }
    fn space(&self, node: u32) -> u16 {
        self.nodes[node as usize].space
    }
    fn value(&self, node: u32) -> Cow<'_, str> {
        Cow::Borrowed(&self.nodes[node as usize].value)
    }
    fn born(&self, node: u32) -> i64 {
        self.nodes[node as usize].born
    }
    fn last(&self, node: u32) -> i64 {
        self.nodes[node as usize].last
    }
    fn events(&self, node: u32) -> u64 {
        self.nodes[node as usize].events
    }
    fn founder(&self, node: u32) -> u32 {
        self.founder[self.forest.root(node) as usize]
    }
    fn id(&self, founder: u32) -> Id {
        let node = &self.nodes[founder as usize];
        self.namer.id(self.spaces.name(node.space), &node.value)
    }
    fn source(&self, source: u32) -> Option<Cow<'_, str>> {
        self.sources.get(source as usize).map(|s| Cow::Borrowed(&**s))
    }
}
