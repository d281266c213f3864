//! First visits: where walks first come to some states.
//!
//! D counts how often each state is left for another or for an end, W the
//! transitions. Both are counts of real journeys, so what a walk of the chain
//! does on average is known before anything is solved: it visits state i
//! D_i / starts times. Of the visits to i let z_i be those of walks that have
//! been in S before; for i outside S
//!
//!   z_j = Σ_{i ∈ S} W_ij + Σ_{i ∉ S} z_i W_ij / D_i,
//!
//! which concerns only what can follow on S. First visits to S are then
//! y_s = start_s + Σ_{i ∉ S} (D_i − z_i) W_is / D_i, and what they are worth is
//! Σ y_s b_s. A residual of the equations at j moves that sum by at most
//! |residual_j| · max b: the bound that an answer is accepted by.

use crate::Result;
use crate::journey::Chain;
use crate::run::Run;

/// Sweeps between two looks at the error.
const LOOK: usize = 3;
/// Looks before giving up.
const LOOKS: usize = 400;
/// Relative error at which sweeping stops, and that which is accepted where it stalls.
const WANTED: f64 = 1e-14;
const ACCEPTED: f64 = 1e-12;

/// A chain with its transitions by where they lead.
pub(super) struct FirstVisits<'a> {
    chain: &'a Chain,
    /// Transitions into each state: from, share of what leaves there.
    starts: Vec<usize>,
    from: Vec<u32>,
    share: Vec<f64>,
    /// Transitions out of each state.
    ahead: Vec<usize>,
    /// D.
    visits: Vec<f64>,
    /// The place of each state in an order in which few transitions lead back.
    rank: Vec<u32>,
}

impl<'a> FirstVisits<'a> {
    pub(super) fn new(chain: &'a Chain) -> Self {
        let n = chain.len();
        let mut visits: Vec<f64> = chain.conversions.iter().zip(&chain.nulls).map(|(a, b)| a + b).collect();
        let (mut starts, mut ahead) = (vec![0; n + 1], vec![0; n + 1]);
        for (i, j, w) in &chain.edges {
            ahead[*i as usize + 1] += 1;
            if i != j {
                visits[*i as usize] += w;
                starts[*j as usize + 1] += 1;
            }
        }
        for s in 0..n {
            starts[s + 1] += starts[s];
            ahead[s + 1] += ahead[s];
        }
        let mut next = starts.clone();
        let (mut from, mut share) = (vec![0; starts[n]], vec![0.0; starts[n]]);
        for (i, j, w) in chain.edges.iter().filter(|(i, j, _)| i != j) {
            let at = next[*j as usize];
            (from[at], share[at]) = (*i, w / visits[*i as usize]);
            next[*j as usize] += 1;
        }
        let mut out = Self { chain, starts, from, share, ahead, visits, rank: Vec::new() };
        out.rank = out.ranks();
        out
    }

    fn leading(&self, state: usize) -> impl Iterator<Item = usize> + '_ {
        self.chain.edges[self.ahead[state]..self.ahead[state + 1]].iter().map(|(_, j, _)| *j as usize)
    }

    fn coming(&self, state: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.starts[state]..self.starts[state + 1];
        self.from[range.clone()].iter().map(|i| *i as usize).zip(self.share[range].iter().copied())
    }

    /// Reverse postorder of a depth-first walk.
    fn ranks(&self) -> Vec<u32> {
        let n = self.visits.len();
        let (mut rank, mut seen) = (vec![0; n], vec![false; n]);
        let mut last = n as u32;
        let mut stack: Vec<(usize, usize)> = Vec::new();
        for root in 0..n {
            if std::mem::replace(&mut seen[root], true) {
                continue;
            }
            stack.push((root, self.ahead[root]));
            while let Some((state, at)) = stack.last_mut() {
                if *at == self.ahead[*state + 1] {
                    last -= 1;
                    rank[*state] = last;
                    stack.pop();
                    continue;
                }
                let next = self.chain.edges[*at].1 as usize;
                *at += 1;
                if !std::mem::replace(&mut seen[next], true) {
                    stack.push((next, self.ahead[next]));
                }
            }
        }
        rank
    }

    /// Per journey what the first visits to the states of `gone` are worth, by
    /// each of the worths; `None` where sweeps do not come to 12 digits.
    pub(super) fn worth<const K: usize>(
        &self,
        gone: &[bool],
        worths: [&[f64]; K],
        run: &Run,
    ) -> Result<Option<[f64; K]>> {
        let n = self.visits.len();
        let members: Vec<usize> = (0..n).filter(|s| gone[*s]).collect();
        let follow = self.following(gone, &members);
        let mut base = vec![0.0; n];
        for (i, j, w) in members.iter().flat_map(|s| &self.chain.edges[self.ahead[*s]..self.ahead[*s + 1]]) {
            if i != j {
                base[*j as usize] += w;
            }
        }
        let top = worths.map(|worth| members.iter().fold(0.0_f64, |a, s| a.max(worth[*s].abs())));
        let starts: f64 = self.chain.start.iter().sum();
        let entered: f64 = follow.iter().map(|j| base[*j]).sum();
        let left = self.leaving(gone, &follow);
        let mut z = vec![0.0; n];
        let (mut best, mut stale) = (f64::INFINITY, 0);
        for _ in 0..LOOKS {
            run.check()?;
            for _ in 0..if follow.is_empty() { 0 } else { LOOK } {
                // As much leaves these states as comes to them: without this step walks
                // that go round a thousand times would take a thousand sweeps.
                let leaving: f64 = follow.iter().zip(&left).map(|(j, share)| z[*j] * share).sum();
                let factor = if leaving > 0.0 { entered / leaving } else { 1.0 };
                for j in &follow {
                    z[*j] *= factor;
                }
                for j in &follow {
                    z[*j] = base[*j] + self.inflow(*j, gone, &z);
                }
            }
            let residual: f64 =
                follow.iter().map(|j| (base[*j] + self.inflow(*j, gone, &z) - z[*j]).abs()).sum();
            let (sums, sizes) = self.first(gone, &members, &z, worths);
            let error = (0..K).fold(0.0_f64, |worst, k| {
                let error = residual * top[k];
                worst.max(if error == 0.0 { 0.0 } else { error / sizes[k] })
            });
            stale = if error < 0.5 * best { 0 } else { stale + 1 };
            best = best.min(error);
            if error <= WANTED || (stale > 2 && error <= ACCEPTED) {
                return Ok(Some(sums.map(|sum| sum / starts)));
            }
            if stale > 8 {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// The share of what is at each of these states that then ends, or comes to S.
    fn leaving(&self, gone: &[bool], follow: &[usize]) -> Vec<f64> {
        let share = |s: &usize| {
            let out = self.chain.edges[self.ahead[*s]..self.ahead[*s + 1]].iter();
            let again: f64 = out.filter(|(_, j, _)| gone[*j as usize]).map(|(.., w)| w).sum();
            (self.chain.conversions[*s] + self.chain.nulls[*s] + again) / self.visits[*s]
        };
        follow.iter().map(share).collect()
    }

    fn inflow(&self, state: usize, gone: &[bool], z: &[f64]) -> f64 {
        // z is 0 in S, so nothing from there is counted twice.
        debug_assert!(!gone[state]);
        self.coming(state).map(|(i, share)| share * z[i]).sum()
    }

    /// What can follow on the members, in order.
    fn following(&self, gone: &[bool], members: &[usize]) -> Vec<usize> {
        let mut seen = vec![false; gone.len()];
        let (mut out, mut queue) = (Vec::new(), members.to_vec());
        while let Some(state) = queue.pop() {
            for next in self.leading(state) {
                if !gone[next] && !std::mem::replace(&mut seen[next], true) {
                    out.push(next);
                    queue.push(next);
                }
            }
        }
        out.sort_unstable_by_key(|s| self.rank[*s]);
        out
    }

    /// Σ y_s worth_s, and the same of sizes.
    fn first<const K: usize>(
        &self,
        gone: &[bool],
        members: &[usize],
        z: &[f64],
        worths: [&[f64]; K],
    ) -> ([f64; K], [f64; K]) {
        let (mut sums, mut sizes) = ([0.0; K], [0.0; K]);
        for s in members {
            let coming = self.coming(*s).filter(|(i, _)| !gone[*i]);
            let y: f64 = self.chain.start[*s]
                + coming.map(|(i, share)| (self.visits[i] - z[i]).max(0.0) * share).sum::<f64>();
            for k in 0..K {
                sums[k] += y * worths[k][*s];
                sizes[k] += y * worths[k][*s].abs();
            }
        }
        (sums, sizes)
    }
}
