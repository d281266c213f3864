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
//! y_s = D_s − Σ_{i ∈ S} W_is − Σ_{i ∉ S} z_i W_is / D_i, as a state is come to
//! as often as it is left, and what they are worth is Σ y_s b_s. A residual of
//! the equations at j moves that sum by at most |residual_j| · max b: the bound
//! that an answer is accepted by. After a sweep that takes new values as they
//! come, the residuals together are at most Σ |change of z_i| · (share of i's
//! moves that lead back in the order): known without another pass over the
//! transitions.
//!
//! All of this holds of any chain, so also of this one as it is seen at those of
//! its states that can follow on S and cannot be left out for nothing.

use super::flows::Flows;
use crate::Result;
use crate::journey::Chain;
use crate::run::Run;

/// Sweeps before giving up, and those without half the error of before: to accept what is good enough, to give up.
const SWEEPS: usize = 1200;
const STALE: usize = 8;
const HOPELESS: usize = 26;
/// Numbers in a line of the cache.
const LINE: usize = 8;
/// Relative error at which sweeping stops, and that which is accepted where it stalls.
const WANTED: f64 = 1e-13;
const ACCEPTED: f64 = 1e-12;
/// Relative error from which an answer is formed after each sweep.
const NEAR: f64 = 1e-8;

/// A chain, its states in an order in which few lead back (reverse postorder), so that a sweep goes far.
pub(super) struct FirstVisits {
    /// The place of each state in the order; everything below goes by places.
    place: Vec<u32>,
    flows: Flows,
    starts: f64,
    /// Relative error that is accepted: rounding grows with the length of walks.
    accepted: f64,
}

impl FirstVisits {
    pub(super) fn new(chain: &Chain) -> Self {
        let n = chain.len();
        let place = places(chain);
        let put = |of: &dyn Fn(usize) -> f64| {
            let mut out = vec![0.0; n];
            place.iter().enumerate().for_each(|(s, p)| out[*p as usize] = of(s));
            out
        };
        let ends = put(&|s| chain.conversions[s] + chain.nulls[s]);
        let moves = chain.edges.iter().filter(|(i, j, _)| i != j);
        let edges = moves.map(|(i, j, w)| (place[*i as usize], place[*j as usize], *w));
        let flows = Flows::new(edges, ends);
        let starts: f64 = chain.start.iter().sum();
        let accepted = accepted(ACCEPTED, flows.visits.iter().sum::<f64>() / starts);
        Self { place, flows, starts, accepted }
    }

    /// Per journey what the first visits to some states are worth, by each of
    /// the worths, for L cuts (the states that are `gone`) in step: what comes
    /// to a state is read once for all of them. `None` where sweeps do not come
    /// to 12 digits.
    pub(super) fn worth<const K: usize, const L: usize>(
        &self,
        gone: [&[bool]; L],
        worths: [&[f64]; K],
        run: &Run,
    ) -> Result<[Option<[f64; K]>; L]> {
        let states = self.place.len();
        let mut keep = vec![false; states];
        for s in (0..states).filter(|s| gone.iter().any(|gone| gone[*s])) {
            keep[self.place[s] as usize] = true;
        }
        let (flows, place) = self.flows.seen_at(&keep);
        let flows = &flows;
        let n = flows.len();
        let mut inside = vec![[false; L]; n];
        let members: [Vec<Member<K>>; L] = std::array::from_fn(|l| {
            let states = (0..states).filter(|s| gone[l][*s]);
            let at = |s: usize| place[self.place[s] as usize] as usize;
            states.map(|s| (at(s), worths.map(|worth| worth[s]))).collect()
        });
        for (l, members) in members.iter().enumerate() {
            members.iter().for_each(|(at, _)| inside[*at][l] = true);
        }
        // What nothing leads to stays 0.
        let follow: Vec<u32> = (0..n as u32)
            .filter(|s| flows.coming(*s as usize).next().is_some() && inside[*s as usize] != [true; L])
            .collect();
        // 0 inside S, here and in z, so that nothing from there is counted twice.
        let entering = Marks::new(&members, |at| flows.leading(at), |j, l| !inside[j][l]);
        let again = Marks::new(&members, |at| flows.coming(at), |i, l| !inside[i][l]);
        let within = Marks::new(&members, |at| std::iter::once((at, 0.0)), |_, _| true);
        let top: [[f64; K]; L] = std::array::from_fn(|l| {
            std::array::from_fn(|k| members[l].iter().fold(0.0, |a: f64, (_, worth)| a.max(worth[k].abs())))
        });
        let entered: [f64; L] = entering.total();
        // A state's lanes side by side in one line of the cache: half the time goes into reading them.
        let mut room = vec![0.0; n * L + LINE];
        let from = room.as_ptr().align_offset(LINE * size_of::<f64>()).min(LINE);
        let z = room[from..from + n * L].as_chunks_mut::<L>().0;
        let (mut best, mut stale) = ([f64::INFINITY; L], [0; L]);
        let (mut found, mut open) = ([None; L], [true; L]);
        let (mut sums, mut sizes) = ([[0.0; K]; L], [[0.0; K]; L]);
        let mut leaving = [0.0; L];
        for sweep in 0..SWEEPS {
            run.check()?;
            // As much leaves these states as comes to them: without this factor walks
            // that go round a thousand times would take a thousand sweeps. One that differs
            // from 1 by rounding alone would keep every state in motion.
            let factor: [f64; L] = std::array::from_fn(|l| {
                let factor = entered[l] / leaving[l];
                if leaving[l] > 0.0 && (factor - 1.0).abs() > WANTED { factor } else { 1.0 }
            });
            let mut residual = [0.0; L];
            leaving = [0.0; L];
            let (mut entering, mut within, mut again) = (entering.walk(), within.walk(), again.walk());
            for j in &follow {
                let j = *j as usize;
                let [new, old] =
                    flows.by_turn(j).map(|of| lanes(of.map(|(i, share)| z[i].map(|z| share * z))));
                let mut next: [f64; L] = std::array::from_fn(|l| new[l] + factor[l] * old[l]);
                entering.at(j, |l, w| next[l] += w);
                within.at(j, |l, _| next[l] = 0.0);
                let (ends, backward) = (flows.ending[j], flows.backward[j]);
                for l in 0..L {
                    residual[l] += (next[l] - factor[l] * z[j][l]).abs() * backward;
                    leaving[l] += next[l] * ends;
                }
                again.at(j, |l, share| leaving[l] += next[l] * share);
                z[j] = next;
            }
            for l in 0..L {
                if !open[l] {
                    continue;
                }
                let off = |sizes: &[f64; K]| {
                    (0..K).fold(0.0_f64, |worst, k| {
                        let error = residual[l] * top[l][k];
                        worst.max(if error == 0.0 { 0.0 } else { error / sizes[k] })
                    })
                };
                // The sums are only looked at again where they may be the answer.
                if sweep == 0 || off(&sizes[l]) <= NEAR {
                    (sums[l], sizes[l]) = first(flows, &inside, l, &members[l], z);
                }
                let error = off(&sizes[l]);
                stale[l] = if error < 0.5 * best[l] { 0 } else { stale[l] + 1 };
                best[l] = best[l].min(error);
                if error <= WANTED || (stale[l] > STALE && error <= self.accepted) {
                    found[l] = Some(sums[l].map(|sum| sum / self.starts));
                    open[l] = false;
                } else if stale[l] > HOPELESS {
                    open[l] = false;
                }
            }
            if open == [false; L] {
                break;
            }
        }
        Ok(found)
    }
}

/// Σ y_s worth_s, and the same of sizes, of one cut.
fn first<const K: usize, const L: usize>(
    flows: &Flows,
    inside: &[[bool; L]],
    l: usize,
    members: &[Member<K>],
    z: &[[f64; L]],
) -> ([f64; K], [f64; K]) {
    let (mut sums, mut sizes) = ([0.0; K], [0.0; K]);
    for (s, worth) in members {
        let been = |i: usize| if inside[i][l] { flows.visits[i] } else { z[i][l] };
        let again = flows.coming(*s).map(|(i, share)| share * been(i)).sum::<f64>();
        let y = (flows.visits[*s] - again).max(0.0);
        for k in 0..K {
            sums[k] += y * worth[k];
            sizes[k] += y * worth[k].abs();
        }
    }
    (sums, sizes)
}

/// A place in S, and what coming there is worth.
type Member<const K: usize> = (usize, [f64; K]);

/// What concerns few places, by place and lane: dense, it would be most of what a sweep reads.
struct Marks<const L: usize>(Vec<(u32, u32, f64)>);

impl<const L: usize> Marks<L> {
    fn new<const K: usize, I: Iterator<Item = (usize, f64)>>(
        members: &[Vec<Member<K>>; L],
        near: impl Fn(usize) -> I,
        keep: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let mut all = Vec::new();
        for (l, members) in members.iter().enumerate() {
            let marks = members.iter().flat_map(|(at, _)| near(*at)).filter(|(at, _)| keep(*at, l));
            all.extend(marks.map(|(at, x)| (at as u32, l as u32, x)));
        }
        all.sort_by_key(|(at, lane, _)| (*at, *lane));
        Self(all)
    }

    fn total(&self) -> [f64; L] {
        let mut sum = [0.0; L];
        self.0.iter().for_each(|(_, lane, x)| sum[*lane as usize] += x);
        sum
    }

    fn walk(&self) -> Walk<'_> {
        Walk(&self.0)
    }
}

/// Marks from some place on.
struct Walk<'a>(&'a [(u32, u32, f64)]);

impl Walk<'_> {
    /// The marks at a place; places come in order.
    fn at(&mut self, place: usize, mut take: impl FnMut(usize, f64)) {
        while let Some(((at, lane, x), rest)) = self.0.split_first() {
            if *at as usize > place {
                return;
            }
            if *at as usize == place {
                take(*lane as usize, *x);
            }
            self.0 = rest;
        }
    }
}

/// The sum in each lane.
fn lanes<const L: usize>(of: impl Iterator<Item = [f64; L]>) -> [f64; L] {
    of.fold([0.0; L], |mut sum, one| {
        sum.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
        sum
    })
}

/// What an answer may be off by: 12 digits, or where walks take thousands of
/// steps, what rounding leaves of so many.
pub(super) fn accepted(digits: f64, steps: f64) -> f64 {
    digits.max(8.0 * f64::EPSILON * steps)
}

/// The place of each state in reverse postorder of a depth-first walk.
fn places(chain: &Chain) -> Vec<u32> {
    let n = chain.len();
    let mut ahead = vec![0; n + 1];
    chain.edges.iter().for_each(|(i, ..)| ahead[*i as usize + 1] += 1);
    for s in 0..n {
        ahead[s + 1] += ahead[s];
    }
    let (mut place, mut seen) = (vec![0; n], vec![false; n]);
    let mut last = n as u32;
    let mut stack: Vec<(usize, usize)> = Vec::new();
    for root in 0..n {
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        stack.push((root, ahead[root]));
        while let Some((state, at)) = stack.last_mut() {
            if *at == ahead[*state + 1] {
                last -= 1;
                place[*state] = last;
                stack.pop();
                continue;
            }
            let next = chain.edges[*at].1 as usize;
            *at += 1;
            if !std::mem::replace(&mut seen[next], true) {
                stack.push((next, ahead[next]));
            }
        }
    }
    place
}
