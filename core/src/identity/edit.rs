//! Taking back: forgetting identifiers and unlinking them.

use super::book::Book;
use super::forest::{Reason, pair};
use super::graph::IdentityGraph;
use super::id;

/// What [`IdentityGraph::forget`] or [`IdentityGraph::unlink`] changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The customer as it was called before.
    pub customer: String,
    /// The customers that its identifiers are now, the first seen first. The
    /// one that holds the earliest identifier keeps the id.
    pub customers: Vec<String>,
    /// How many links were removed.
    pub links: u64,
}

impl IdentityGraph {
    /// Erases an identifier: its value, its links, its refusals, the id that
    /// was made from it.
    ///
    /// The rest of its customer is grouped again by the links that are left.
    /// A customer named after the erased identifier gets the name of its next
    /// earliest one, and the old id is gone: it is a trace of the value.
    /// `None` when the identifier is unknown.
    ///
    /// ```
    /// # use headwater::identity::{IdentityGraph, IdentityRules};
    /// # let mut graph = IdentityGraph::new(&IdentityRules::default())?;
    /// graph.observe(&[("email", "a@x.org"), ("cookie", "7f3")], None, None)?;
    /// let change = graph.forget("email", "a@x.org").expect("it was observed");
    /// assert_eq!(graph.resolve("email", "a@x.org"), None);
    /// assert!(graph.members(&change.customer).is_empty());
    /// assert_eq!(graph.resolve("cookie", "7f3"), Some(change.customers[0].clone()));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn forget(&mut self, namespace: &str, value: &str) -> Option<Change> {
        let node = self.lookup(namespace, value)?;
        let customer = self.customer(node);
        let mut members = self.forest.members(node);
        let edges: Vec<u32> = self.links_of(node).map(|(_, edge)| edge).collect();
        for edge in &edges {
            self.remove_edge(*edge);
        }
        // All of it first, so that the node stands alone when it goes.
        self.regroup(&members);
        self.erase(node);
        members.retain(|m| *m != node);
        Some(Change { customer, customers: self.names(&members), links: edges.len() as u64 })
    }

    /// Takes back that two identifiers, (namespace, value) each, are one
    /// customer's: removes the link between them, and never makes it again.
    ///
    /// When an event has both, the weaker of the two is refused. They stay one
    /// customer's where other links join them ([`IdentityGraph::explain`]
    /// shows them). `None` when one of them is unknown, or both are the same.
    pub fn unlink(&mut self, a: (&str, &str), b: (&str, &str)) -> Option<Change> {
        let (a, b) = (self.lookup(a.0, a.1)?, self.lookup(b.0, b.1)?);
        if a == b {
            return None;
        }
        let customer = self.customer(a);
        self.apart.insert(pair(a, b));
        let edge = self.edge(a, b);
        let mut members = self.forest.members(a);
        if let Some(edge) = edge {
            self.remove_edge(edge);
            self.regroup(&members);
        } else if self.forest.root(a) != self.forest.root(b) {
            members.extend(self.forest.members(b));
        }
        Some(Change { customer, customers: self.names(&members), links: u64::from(edge.is_some()) })
    }

    fn names(&mut self, members: &[u32]) -> Vec<String> {
        self.settle(members).into_iter().map(|founder| id::text(self.id(founder))).collect()
    }
}

/// The reasons as they stand in files.
impl Reason {
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Size => -1,
            Self::Unlinked => -2,
            Self::Limit(slot) => i64::from(slot),
        }
    }

    pub(super) fn from_code(code: i64, slots: usize) -> Option<Self> {
        match code {
            -1 => Some(Self::Size),
            -2 => Some(Self::Unlinked),
            slot if (0..slots as i64).contains(&slot) => Some(Self::Limit(slot as u16)),
            _ => None,
        }
    }
}
