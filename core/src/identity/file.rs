//! The graph as a model file.
//!
//! ```json
//! {"rules": {...}, "observed": 12, "namespaces": ["email", ...], "sources": ["web", ...],
//!  "identifiers": {"namespace": [0, ...], "value": ["a@x.org", ...], "first": [...], "last": [...],
//!                  "events": [...], "named": [true, ...]},
//!  "links":   {"a": [0, ...], "b": [1, ...], "first": [...], "last": [...], "source": [0, null, ...], "events": [...]},
//!  "refused": {"a": ..., "b": ..., ..., "rule": [0, -1, ...]},
//!  "apart": [[0, 1], ...]}
//! ```
//!
//! Customers are not in it: they are what the links join. `first` from 2⁶² on
//! is the number of an event without a time. `rule` is the place among the
//! limited namespaces, -1 for the size of a customer, -2 for unlinked.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::book::{Evidence, NEVER, Refused, UNTIMED, last_time};
use super::forest::{Reason, pair};
use super::graph::IdentityGraph;
use super::rules::IdentityRules;
use crate::column::NULL;
use crate::model::Model;
use crate::{Error, Result};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: IdentityRules,
    observed: u64,
    namespaces: Vec<String>,
    sources: Vec<String>,
    identifiers: Identifiers,
    links: Pairs,
    refused: Pairs,
    apart: Vec<(u32, u32)>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identifiers {
    namespace: Vec<u16>,
    value: Vec<String>,
    first: Vec<i64>,
    last: Vec<Option<i64>>,
    events: Vec<u64>,
    named: Vec<bool>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pairs {
    a: Vec<u32>,
    b: Vec<u32>,
    first: Vec<i64>,
    last: Vec<Option<i64>>,
    source: Vec<Option<u32>>,
    events: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rule: Vec<i64>,
}

impl Pairs {
    fn push(&mut self, a: u32, b: u32, evidence: &Evidence) {
        self.a.push(a);
        self.b.push(b);
        self.first.push(evidence.first);
        self.last.push(last_time(evidence.last));
        self.source.push((evidence.source != NULL).then_some(evidence.source));
        self.events.push(evidence.events);
    }

    /// The pairs, once every number in them has been looked at.
    fn checked(&self, nodes: usize, sources: usize) -> Result<Vec<(u32, u32, Evidence)>> {
        let n = self.a.len();
        let lengths = [self.b.len(), self.first.len(), self.last.len(), self.source.len(), self.events.len()];
        if lengths.iter().any(|len| *len != n) {
            return Err(broken("the columns of its links differ in length"));
        }
        (0..n)
            .map(|i| {
                let (a, b) = (self.a[i], self.b[i]);
                let source = self.source[i].unwrap_or(NULL);
                if a == b || a.max(b) as usize >= nodes {
                    return Err(broken("a link has an end that is no identifier"));
                }
                if source != NULL && source as usize >= sources {
                    return Err(broken("a link has a source that is not listed"));
                }
                check_times(self.first[i], self.last[i], self.events[i])?;
                let evidence = Evidence {
                    first: self.first[i],
                    last: self.last[i].unwrap_or(NEVER),
                    source,
                    events: self.events[i],
                };
                Ok((a, b, evidence))
            })
            .collect()
    }
}

fn broken(reason: &str) -> Error {
    Error::model_file(format!("is not a whole identity graph: {reason}"))
}

fn check_times(first: i64, last: Option<i64>, events: u64) -> Result<()> {
    let timed = |t: i64| (-UNTIMED..UNTIMED).contains(&t);
    // The number of an event stays far below 2⁶¹.
    if !(-UNTIMED..UNTIMED + (1 << 61)).contains(&first) || last.is_some_and(|t| !timed(t) || t < first) {
        return Err(broken("a time is out of range"));
    }
    if events == 0 || events > 1 << 61 {
        return Err(broken("a count of events is out of range"));
    }
    Ok(())
}

impl IdentityGraph {
    fn to_file(&self) -> File {
        let mut code = vec![NULL; self.nodes.len()];
        let mut identifiers = Identifiers::default();
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.events > 0) {
            code[i] = identifiers.value.len() as u32;
            identifiers.namespace.push(node.space);
            identifiers.value.push(node.value.to_string());
            identifiers.first.push(node.born);
            identifiers.last.push(last_time(node.last));
            identifiers.events.push(node.events);
            identifiers.named.push(node.named);
        }
        let code = |node: u32| code[node as usize];
        let mut links = Pairs::default();
        for edge in self.edges.iter().filter(|e| e.evidence.events > 0) {
            links.push(code(edge.ends[0]), code(edge.ends[1]), &edge.evidence);
        }
        let mut refused = Pairs::default();
        for r in &self.refused {
            refused.push(code(r.node), code(r.with), &r.evidence);
            refused.rule.push(r.reason.code());
        }
        File {
            rules: self.spaces.rules.clone(),
            observed: self.observed,
            namespaces: self.spaces.list.iter().map(|s| s.name.clone()).collect(),
            sources: self.sources.iter().map(ToString::to_string).collect(),
            identifiers,
            links,
            refused,
            apart: self.apart.iter().map(|(a, b)| (code(*a), code(*b))).collect(),
        }
    }

    fn from_file(file: File) -> Result<Self> {
        let File { rules, observed, namespaces, sources, identifiers, links, refused, apart } = file;
        let mut graph = Self::new(&rules).map_err(|e| broken(&e.to_string()))?;
        if observed > 1 << 61 {
            return Err(broken("the number of events is out of range"));
        }
        graph.observed = observed;
        for (i, name) in namespaces.iter().enumerate() {
            let space = graph.spaces.of(name).map_err(|e| broken(&e.to_string()))?;
            if space as usize != i {
                return Err(broken("its namespaces are not those of its rules, or one is listed twice"));
            }
        }
        for (i, source) in sources.iter().enumerate() {
            if graph.source_code(source) as usize != i {
                return Err(broken("a source is listed twice"));
            }
        }
        let n = identifiers.value.len();
        let lengths = [
            identifiers.namespace.len(),
            identifiers.first.len(),
            identifiers.last.len(),
            identifiers.events.len(),
            identifiers.named.len(),
        ];
        if lengths.iter().any(|len| *len != n) || n >= NULL as usize || links.a.len() >= NULL as usize {
            return Err(broken("the columns of its identifiers differ in length"));
        }
        graph.reserve(n, links.a.len());
        for i in 0..n {
            let (space, value) = (identifiers.namespace[i], &*identifiers.value[i]);
            if space as usize >= graph.spaces.list.len() {
                return Err(broken("an identifier has a namespace that is not listed"));
            }
            check_times(identifiers.first[i], identifiers.last[i], identifiers.events[i])?;
            let (node, is_new) = graph.node(space, value, identifiers.first[i]);
            if !is_new {
                return Err(broken("an identifier is listed twice"));
            }
            let entry = &mut graph.nodes[node as usize];
            entry.last = identifiers.last[i].unwrap_or(NEVER);
            entry.events = identifiers.events[i];
        }
        for (a, b, evidence) in links.checked(n, sources.len())? {
            if graph.edge(a, b).is_some() {
                return Err(broken("two links join the same identifiers"));
            }
            graph.add_edge(a, b, evidence);
        }
        let all: Vec<u32> = (0..n as u32).collect();
        if n > 0 {
            graph.join_all()?;
            graph.settle(&all);
        }
        for (node, named) in all.iter().zip(identifiers.named) {
            if named {
                graph.name(*node);
            }
        }
        let rules = &refused.rule;
        if rules.len() != refused.a.len() {
            return Err(broken("a refused link has no rule"));
        }
        let mut seen = HashSet::new();
        for ((node, with, evidence), rule) in refused.checked(n, sources.len())?.into_iter().zip(rules) {
            let reason = Reason::from_code(*rule, graph.spaces.limits.slots.len())
                .ok_or_else(|| broken("a refused link has a rule that does not exist"))?;
            if !seen.insert((node, with, reason)) {
                return Err(broken("a refused link is listed twice"));
            }
            graph.log(Refused { node, with, reason, evidence });
        }
        for (a, b) in apart {
            if a == b || a.max(b) as usize >= n || graph.edge(a, b).is_some() {
                return Err(broken("two unlinked identifiers are linked, or none"));
            }
            graph.apart.insert(pair(a, b));
        }
        Ok(graph)
    }

    /// Joins what the links join, and refuses customers that the rules would not have allowed.
    fn join_all(&mut self) -> Result<()> {
        for edge in 0..self.edges.len() {
            let [a, b] = self.edges[edge].ends;
            let (a, b) = (self.forest.find(a), self.forest.find(b));
            if a != b {
                if self.forest.conflict(a, b, &self.spaces.limits).is_some() {
                    return Err(broken("a customer breaks the rules"));
                }
                self.forest.join(a, b);
            }
        }
        Ok(())
    }
}

impl Serialize for IdentityGraph {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.to_file().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for IdentityGraph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::from_file(File::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Model for IdentityGraph {
    const KIND: &'static str = "identity.IdentityGraph";

    /// What is in a graph was checked when it was read.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}
