//! Sets of nodes that can only grow: union-find, and the limits on a union.

use std::collections::BTreeSet;

use super::rules::OnConflict;
use crate::run::{CHUNK, Run};
use crate::{Error, Result};

/// Connected components: for each of `n` nodes the number of its component.
///
/// Components are numbered from 0 in the order of their first node. `a[i]` and
/// `b[i]` are the ends of edge `i`, below `n`. The order of the edges does not
/// matter. Union-find by Rem's algorithm with splicing (Dijkstra 1976;
/// Patwary, Blair & Manne 2010).
///
/// ```
/// use headwater::identity::components;
///
/// assert_eq!(components(5, &[3, 0], &[1, 4], &headwater::Run::new())?, [0, 1, 2, 1, 0]);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn components(n: usize, a: &[u32], b: &[u32], run: &Run) -> Result<Vec<u32>> {
    if n > u32::MAX as usize {
        return Err(Error::option("n", format!("{n} nodes are more than codes can tell apart")));
    }
    if a.len() != b.len() {
        return Err(Error::column("b", format!("has {} ends for the {} of `a`", b.len(), a.len())));
    }
    let mut parent: Vec<u32> = (0..n as u32).collect();
    run.stage("link", a.len() as u64)?;
    for (a, b) in a.chunks(CHUNK).zip(b.chunks(CHUNK)) {
        for (&a, &b) in a.iter().zip(b) {
            if a.max(b) as usize >= n {
                return Err(Error::column(
                    if a as usize >= n { "a" } else { "b" },
                    format!("node {} of {n}", a.max(b)),
                ));
            }
            unite(&mut parent, a, b);
        }
        run.advance(a.len() as u64)?;
    }
    flatten(&mut parent);
    let mut label = vec![0; n];
    let mut next = 0;
    for (i, root) in parent.into_iter().enumerate() {
        // A root is the smallest node of its component.
        if root as usize == i {
            label[i] = next;
            next += 1;
        } else {
            label[i] = label[root as usize];
        }
    }
    Ok(label)
}

/// A node that knows its parent.
pub(super) trait Child {
    fn parent(&mut self) -> &mut u32;
}

impl Child for u32 {
    fn parent(&mut self) -> &mut u32 {
        self
    }
}

/// Joins the sets of two nodes; parents are never larger than their children.
pub(super) fn unite<C: Child>(nodes: &mut [C], mut x: u32, mut y: u32) {
    loop {
        let mut up = *nodes[x as usize].parent();
        let mut low = *nodes[y as usize].parent();
        if up == low {
            return;
        }
        if up < low {
            std::mem::swap(&mut x, &mut y);
            std::mem::swap(&mut up, &mut low);
        }
        *nodes[x as usize].parent() = low;
        if up == x {
            return;
        }
        x = up;
    }
}

/// Points every node at its root, the smallest node of its set.
pub(super) fn flatten(parent: &mut [u32]) {
    for i in 0..parent.len() {
        parent[i] = parent[parent[i] as usize];
    }
}

/// Why two identifiers of an event were not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Reason {
    /// The customer would have too many values of the namespace in this limit slot.
    Limit(u16),
    /// The customer would have too many identifiers.
    Size,
    /// The two were unlinked.
    Unlinked,
}

/// What a union must keep.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    /// The most values of a namespace, for each limited namespace.
    pub(super) slots: Vec<u32>,
    /// The most identifiers.
    pub(super) size: Option<u32>,
    pub(super) on_conflict: OnConflict,
}

impl Limits {
    pub(super) fn none(&self) -> bool {
        self.slots.is_empty() && self.size.is_none()
    }
}

/// Union-find under limits, with the members of each set in a ring.
#[derive(Clone, Debug, Default)]
pub(super) struct Forest {
    parent: Vec<u32>,
    size: Vec<u32>,
    next: Vec<u32>,
    /// For each node, how many values its set has in each limit slot (at roots).
    counts: Vec<u32>,
    slots: usize,
    sets: usize,
}

impl Forest {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { slots: limits.slots.len(), ..Self::default() }
    }

    /// A new node alone, in this limit slot.
    pub(super) fn push(&mut self, slot: Option<u16>) {
        let node = self.parent.len() as u32;
        self.parent.push(node);
        self.size.push(1);
        self.next.push(node);
        self.counts.resize(self.counts.len() + self.slots, 0);
        self.sets += 1;
        self.alone(node, slot);
    }

    /// How many sets there are.
    pub(super) fn sets(&self) -> usize {
        self.sets
    }

    /// Takes a set apart; `slot` tells the limit slot of each member.
    pub(super) fn dissolve(&mut self, members: &[u32], slot: impl Fn(u32) -> Option<u16>) {
        for &node in members {
            self.alone(node, slot(node));
        }
        self.sets += members.len() - 1;
    }

    /// A node that stands alone is no set any more; [`Forest::revive`] makes it one.
    pub(super) fn retire(&mut self, node: u32) {
        self.alone(node, None);
        self.sets -= 1;
    }

    pub(super) fn revive(&mut self, node: u32, slot: Option<u16>) {
        self.alone(node, slot);
        self.sets += 1;
    }

    fn alone(&mut self, node: u32, slot: Option<u16>) {
        let i = node as usize;
        self.parent[i] = node;
        self.size[i] = 1;
        self.next[i] = node;
        self.counts[i * self.slots..(i + 1) * self.slots].fill(0);
        if let Some(slot) = slot {
            self.counts[i * self.slots + slot as usize] = 1;
        }
    }

    pub(super) fn find(&mut self, mut x: u32) -> u32 {
        while self.parent[x as usize] != x {
            let up = self.parent[self.parent[x as usize] as usize];
            self.parent[x as usize] = up;
            x = up;
        }
        x
    }

    /// The root, without shortening the way to it.
    pub(super) fn root(&self, mut x: u32) -> u32 {
        while self.parent[x as usize] != x {
            x = self.parent[x as usize];
        }
        x
    }

    pub(super) fn size(&self, root: u32) -> u32 {
        self.size[root as usize]
    }

    pub(super) fn members(&self, node: u32) -> Vec<u32> {
        let mut out = Vec::with_capacity(self.size(self.root(node)) as usize);
        let mut at = node;
        loop {
            out.push(at);
            at = self.next[at as usize];
            if at == node {
                return out;
            }
        }
    }

    /// What forbids the union of two different sets.
    pub(super) fn conflict(&self, a: u32, b: u32, limits: &Limits) -> Option<Reason> {
        let (a, b) = (a as usize, b as usize);
        for (slot, limit) in limits.slots.iter().enumerate() {
            let (x, y) = (self.counts[a * self.slots + slot], self.counts[b * self.slots + slot]);
            if x.saturating_add(y) > *limit {
                return Some(Reason::Limit(slot as u16));
            }
        }
        match limits.size {
            Some(most) if self.size[a].saturating_add(self.size[b]) > most => Some(Reason::Size),
            _ => None,
        }
    }

    /// Joins two sets by their roots and returns the root of both.
    pub(super) fn join(&mut self, a: u32, b: u32) -> u32 {
        if a == b {
            return a;
        }
        let (root, child) = if self.size[a as usize] >= self.size[b as usize] { (a, b) } else { (b, a) };
        self.sets -= 1;
        self.parent[child as usize] = root;
        self.size[root as usize] += self.size[child as usize];
        self.next.swap(a as usize, b as usize);
        for slot in 0..self.slots {
            self.counts[root as usize * self.slots + slot] += self.counts[child as usize * self.slots + slot];
        }
        root
    }

    /// Makes the identifiers of one event one customer as far as the limits
    /// let it. `nodes` are distinct, the strongest first; `kept` gets those
    /// that are one customer now, the rest goes to `refused`.
    pub(super) fn admit(
        &mut self,
        nodes: &[u32],
        limits: &Limits,
        apart: &BTreeSet<(u32, u32)>,
        kept: &mut Vec<u32>,
        refused: &mut Vec<(u32, Reason)>,
    ) {
        kept.clear();
        refused.clear();
        let Some((&first, rest)) = nodes.split_first() else { return };
        kept.push(first);
        let mut root = self.find(first);
        // Leaving out the weakest until the rest fits keeps the longest run of
        // the strongest that fits, and what fits can only grow one by one:
        // the first that does not fit ends it.
        let mut ended = None;
        for &node in rest {
            if let Some(reason) = ended {
                refused.push((node, reason));
                continue;
            }
            let other = self.find(node);
            let reason = if !apart.is_empty() && kept.iter().any(|k| apart.contains(&pair(*k, node))) {
                Some(Reason::Unlinked)
            } else if other == root {
                None
            } else {
                self.conflict(root, other, limits)
            };
            match reason {
                None => {
                    root = self.join(root, other);
                    kept.push(node);
                }
                Some(reason) => {
                    refused.push((node, reason));
                    if limits.on_conflict == OnConflict::Demote {
                        ended = Some(reason);
                    }
                }
            }
        }
    }
}

/// Two nodes, the smaller first.
pub(super) fn pair(a: u32, b: u32) -> (u32, u32) {
    (a.min(b), a.max(b))
}
