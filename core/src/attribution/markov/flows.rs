//! What flows between the states of a chain, in an order in which little flows back.

/// States that are not there any more.
pub(super) const GONE: u32 = u32::MAX;

/// Transitions between places, and what starts and ends at each. Staying only delays, and is left out.
pub(super) struct Flows {
    /// Transitions out of each place.
    ahead: Vec<usize>,
    to: Vec<u32>,
    count: Vec<f64>,
    /// Transitions into each place: from, share of what leaves there; those from places before it come first,
    /// up to `turn`.
    back: Vec<u32>,
    turn: Vec<u32>,
    from: Vec<u32>,
    share: Vec<f64>,
    /// The share of what leaves each place that goes back in the order.
    pub(super) backward: Vec<f64>,
    /// What ends at each place, and the share of it of what leaves there.
    ends: Vec<f64>,
    pub(super) ending: Vec<f64>,
    /// How often each place is left for another or for an end.
    pub(super) visits: Vec<f64>,
}

impl Flows {
    /// Of edges (from, to, count) between different places.
    pub(super) fn new(edges: impl Iterator<Item = (u32, u32, f64)> + Clone, ends: Vec<f64>) -> Self {
        let n = ends.len();
        let mut visits = ends.clone();
        for (i, _, w) in edges.clone() {
            visits[i as usize] += w;
        }
        let (ahead, to, count) = grouped(n, edges.clone());
        let into = || edges.clone().map(|(i, j, w)| (j, i, w / visits[i as usize]));
        let ahead_first = into().filter(|(j, i, _)| i < j).chain(into().filter(|(j, i, _)| i > j));
        let (back, from, share) = grouped(n, ahead_first);
        let turn = (0..n)
            .map(|j| (back[j] + from[back[j]..back[j + 1]].partition_point(|i| (*i as usize) < j)) as u32)
            .collect();
        let back = back.into_iter().map(|at| at as u32).collect();
        let ending = |(ends, all): (&f64, &f64)| if *all > 0.0 { ends / all } else { 0.0 };
        let ending = ends.iter().zip(&visits).map(ending).collect();
        let mut backward = vec![0.0; n];
        for (i, _, w) in edges.filter(|(i, j, _)| j < i) {
            backward[i as usize] += w / visits[i as usize];
        }
        Self { ahead, to, count, back, turn, from, share, backward, ends, ending, visits }
    }

    pub(super) fn len(&self) -> usize {
        self.visits.len()
    }

    pub(super) fn leading(&self, at: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.ahead[at]..self.ahead[at + 1];
        self.to[range.clone()].iter().map(|j| *j as usize).zip(self.count[range].iter().copied())
    }

    pub(super) fn coming(&self, at: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.transitions(self.back[at], self.back[at + 1])
    }

    /// What comes to a place from places before it, and what from those after it.
    pub(super) fn by_turn(&self, at: usize) -> [impl Iterator<Item = (usize, f64)> + '_; 2] {
        let turn = self.turn[at];
        [self.transitions(self.back[at], turn), self.transitions(turn, self.back[at + 1])]
    }

    fn transitions(&self, first: u32, end: u32) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = first as usize..end as usize;
        self.from[range.clone()].iter().map(|i| *i as usize).zip(self.share[range].iter().copied())
    }

    /// What can follow on these places, which are themselves among it.
    fn following(&self, keep: &[bool]) -> Vec<bool> {
        let mut seen = keep.to_vec();
        let mut queue: Vec<usize> = (0..self.len()).filter(|s| keep[*s]).collect();
        while let Some(at) = queue.pop() {
            for (next, _) in self.leading(at) {
                if !std::mem::replace(&mut seen[next], true) {
                    queue.push(next);
                }
            }
        }
        seen
    }

    /// What can follow on some of its places, as a chain that is seen at few of them, and where each of them
    /// stands in it.
    ///
    /// Those of `keep` are seen, and all that could not be left out without new transitions. Left out is what
    /// only one place leads to, and what leads to no more than one: in a long memory, where most states were
    /// met once, that is most of them. Nothing is taken off another number, so that no digit is lost.
    pub(super) fn seen_at(&self, keep: &[bool]) -> (Self, Vec<u32>) {
        let n = self.len();
        let within = self.following(keep);
        // All that comes to such a place has come from its root: that part of what leaves there.
        let mut root: Vec<u32> = (0..n as u32).collect();
        let mut part = vec![1.0; n];
        for j in (0..n).filter(|j| within[*j] && !keep[*j]) {
            let mut coming = self.coming(j).filter(|(i, _)| within[*i]);
            if let (Some((i, share)), None) = (coming.next(), coming.next())
                && i < j
            {
                (root[j], part[j]) = (root[i], part[i] * share);
            }
        }
        let mut ends = vec![0.0; n];
        let mut onward = vec![Onward::default(); n];
        let mut edges = Vec::new();
        for i in (0..n).filter(|i| within[*i]) {
            let r = root[i];
            let of_root =
                if r as usize == i { 1.0 } else { part[i] * self.visits[r as usize] / self.visits[i] };
            ends[r as usize] += of_root * self.ends[i];
            for (j, w) in self.leading(i) {
                let j = j as u32;
                // What goes back to its own root only delays.
                if root[j as usize] == j && j != r {
                    edges.push((r, j, of_root * w));
                    onward[r as usize].lead(j, of_root * w);
                }
            }
        }
        drop(part);
        let mut seen: Vec<bool> = (0..n).map(|j| within[j] && root[j] as usize == j).collect();
        // Of what is not seen `count` and `ends` are the shares of what comes to it from here on.
        let passed = |seen: &[bool], onward: &[Onward], ends: &[f64], j: u32| match onward.get(j as usize) {
            Some(next) if !seen[j as usize] => (next.to, next.count, ends[j as usize]),
            Some(_) => (j, 1.0, 0.0),
            None => (GONE, 0.0, 0.0),
        };
        for j in (0..n).rev() {
            let Onward { to, count, .. } = onward[j];
            let left = count + ends[j];
            if !seen[j] || keep[j] || left <= 0.0 || !onward[j].is_of_one_after(j as u32) {
                continue;
            }
            let (to, share, lost) = passed(&seen, &onward, &ends, to);
            seen[j] = false;
            onward[j] = Onward { to, count: count / left * share, parts: false };
            ends[j] = (ends[j] + count * lost) / left;
        }
        let mut place = vec![GONE; n];
        for (at, j) in (0..n).filter(|j| seen[*j]).enumerate() {
            place[j] = at as u32;
        }
        edges.retain(|(i, ..)| seen[*i as usize]);
        for (i, j, w) in &mut edges {
            let (to, share, lost) = passed(&seen, &onward, &ends, *j);
            ends[*i as usize] += *w * lost;
            *w *= share;
            *j = to;
        }
        edges.retain(|(i, j, w)| *w > 0.0 && j != i);
        let between = edges.iter().map(|(i, j, w)| (place[*i as usize], place[*j as usize], *w));
        let ends = (0..n).filter(|j| seen[*j]).map(|j| ends[j]).collect();
        (Self::new(between, ends), place)
    }
}

/// Where all that leaves a place goes, if that is one place.
#[derive(Clone, Copy)]
struct Onward {
    to: u32,
    count: f64,
    /// Whether it goes to several.
    parts: bool,
}

impl Default for Onward {
    fn default() -> Self {
        Self { to: GONE, count: 0.0, parts: false }
    }
}

impl Onward {
    fn lead(&mut self, to: u32, count: f64) {
        self.parts |= self.to != GONE && self.to != to;
        self.to = to;
        self.count += count;
    }

    /// Whether it leads to no place, or to one that comes later.
    fn is_of_one_after(&self, at: u32) -> bool {
        !self.parts && (self.to == GONE || self.to > at)
    }
}

/// Edges (at, other, weight) grouped by `at`.
fn grouped(
    n: usize,
    edges: impl Iterator<Item = (u32, u32, f64)> + Clone,
) -> (Vec<usize>, Vec<u32>, Vec<f64>) {
    let mut ends = vec![0; n + 1];
    for (at, ..) in edges.clone() {
        ends[at as usize + 1] += 1;
    }
    for s in 0..n {
        ends[s + 1] += ends[s];
    }
    let mut next = ends.clone();
    let (mut other, mut weight) = (vec![0; ends[n]], vec![0.0; ends[n]]);
    for (at, to, w) in edges {
        let here = next[at as usize];
        (other[here], weight[here]) = (to, w);
        next[at as usize] += 1;
    }
    (ends, other, weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::run::split_mix;

    /// What walks through places leave behind; many are met once.
    fn walked(seed: u64, places: u64, walks: u64) -> Flows {
        let mut flows: BTreeMap<(u32, u32), f64> = BTreeMap::new();
        let mut ends = vec![0.0; places as usize];
        for walk in 0..walks {
            let mut bits = split_mix(seed ^ (walk << 20));
            let mut draw = |n: u64| {
                bits = split_mix(bits);
                bits % n
            };
            let mut at = draw(3);
            while draw(7) > 0 {
                // To somewhere near, as histories grow by a touch.
                let next = (at * 3 + draw(4)) % places;
                if next != at {
                    *flows.entry((at as u32, next as u32)).or_default() += 1.0;
                }
                at = next;
            }
            ends[at as usize] += 1.0;
        }
        Flows::new(flows.iter().map(|((i, j), w)| (*i, *j, *w)), ends)
    }

    /// First visits to each of some places, by sweeps until nothing changes.
    fn firsts(flows: &Flows, members: &[usize]) -> Vec<f64> {
        let mut z = vec![0.0; flows.len()];
        members.iter().for_each(|s| z[*s] = flows.visits[*s]);
        for _ in 0..3_000 {
            for j in (0..flows.len()).filter(|j| !members.contains(j)) {
                z[j] = flows.coming(j).map(|(i, share)| share * z[i]).sum();
            }
        }
        let again = |s: usize| flows.coming(s).map(|(i, share)| share * z[i]).sum::<f64>();
        let first = |s: &usize| flows.visits[*s] - again(*s);
        members.iter().map(first).collect()
    }

    #[test]
    fn first_visits_are_those_of_the_whole_chain() {
        let mut left_out = 0;
        for seed in 0..60 {
            let flows = walked(seed, 10 + seed, 15 + seed % 20);
            let met: Vec<usize> = (0..flows.len()).filter(|j| flows.visits[*j] > 0.0).collect();
            let members: Vec<usize> =
                met.iter().copied().filter(|j| split_mix(seed ^ (*j as u64)).is_multiple_of(6)).collect();
            let mut keep = vec![false; flows.len()];
            members.iter().for_each(|s| keep[*s] = true);
            let (seen, place) = flows.seen_at(&keep);
            left_out += flows.len() - seen.len();
            let there: Vec<usize> = members.iter().map(|s| place[*s] as usize).collect();
            for (a, b) in firsts(&flows, &members).iter().zip(firsts(&seen, &there)) {
                assert!((a - b).abs() < 1e-10 * (1.0 + a), "{seed}: {a} {b}");
            }
            // Of what leaves a place nothing is lost on the way.
            for j in 0..seen.len() {
                let leads: f64 = seen.leading(j).map(|(_, w)| w).sum();
                let gap = leads + seen.ends[j] - seen.visits[j];
                assert!(gap.abs() < 1e-9 * seen.visits[j], "{seed} {j}: {gap}");
            }
        }
        assert!(left_out > 400, "{left_out}");
    }
}
