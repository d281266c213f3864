//! What is lost without some channels: the solves behind every effect.

use super::Removal;
use super::first::{FirstVisits, accepted};
use crate::attribution::twins::{Marked, Twins, average};
use crate::journey::{Chain, Coalitions};
use crate::math::solve::{AbsorbingChain, Elimination};
use crate::run::Run;
use crate::{Error, Result};

/// States up to which elimination is quicker than sweeps at orders above 1.
const SMALL: usize = 160;
/// States up to which elimination is affordable at all (memory 8 n² bytes).
pub(super) const LARGE: usize = 3_000;
/// Channels that are taken out in step: half a line of the cache holds their numbers of a state.
const LANES: usize = 4;
/// Relative error that a solution may have.
const TOLERANCE: f64 = 1e-12;

/// Conversions (or their probability), and value.
pub(super) type Pair = [f64; 2];

/// Channels with marks, and what they count for.
type Marks = (Vec<(u32, u32)>, Pair);

/// What is taken out of a chain.
pub(super) enum Cut<'a> {
    /// Every state with one of these channels.
    Channels(&'a [u32]),
    /// Every walk that goes through these channels one after the other.
    Sequence(&'a [u32]),
}

impl Cut<'_> {
    /// Whether a state shows it.
    fn holds(&self, state: &[u32]) -> bool {
        match self {
            Self::Channels(channels) => state.iter().any(|c| channels.contains(c)),
            Self::Sequence(channels) => state.windows(channels.len()).any(|w| w == *channels),
        }
    }

    /// Whether going from a state to another one, of the same length, completes it.
    fn crosses(&self, from: &[u32], to: &[u32]) -> bool {
        match self {
            Self::Channels(_) => false,
            Self::Sequence(channels) => channels.split_last().is_some_and(|(last, before)| {
                to.last() == Some(last) && from.len() == before.len() && from == before
            }),
        }
    }
}

/// A counted chain, ready to be solved with parts of it taken out.
pub(super) struct Walks<'a> {
    chain: &'a Chain,
    states: Vec<Vec<u32>>,
    system: AbsorbingChain,
    solver: Solver,
    /// For chains too large to eliminate in no time.
    first: Option<FirstVisits>,
    begin: Vec<f64>,
    starts: f64,
    /// What a walk is worth from each state: probability of converting, expected value.
    worth: [Vec<f64>; 2],
    /// The same from the start.
    pub(super) whole: Pair,
}

impl<'a> Walks<'a> {
    /// Solves the whole chain; `None` where nobody walks.
    pub(super) fn new(chain: &'a Chain, run: &Run) -> Result<Option<Self>> {
        let starts: f64 = chain.start.iter().sum();
        if chain.is_empty() || starts <= 0.0 {
            return Ok(None);
        }
        let leave = chain.conversions.iter().zip(&chain.nulls).map(|(a, b)| a + b).collect();
        let system = AbsorbingChain::new(chain.edges.iter().copied(), leave)?;
        let begin: Vec<f64> = chain.start.iter().map(|w| w / starts).collect();
        let states = (0..chain.len()).map(|i| chain.state(i)).collect();
        let solver = Solver::new(&system, run)?;
        let solve = |r: &[f64]| solver.solve(&system, None, &begin, r, run);
        let worth = [solve(&chain.conversions)?, solve(&chain.value)?];
        let whole = [from(&begin, &worth[0]), from(&begin, &worth[1])];
        let first = (chain.len() > SMALL).then(|| FirstVisits::new(chain));
        Ok(Some(Self { chain, states, system, solver, first, begin, starts, worth, whole }))
    }

    /// What a walk is worth from each state.
    pub(super) fn worth(&self) -> &[Vec<f64>; 2] {
        &self.worth
    }

    /// Solves the whole chain for another reward.
    pub(super) fn solve(&self, r: &[f64], run: &Run) -> Result<Vec<f64>> {
        self.solver.solve(&self.system, None, &self.begin, r, run)
    }

    /// The removal effects of all channels. At order 1 channels that the chain cannot tell
    /// apart have the same to the last bit, whatever rounding makes of their places in it.
    pub(super) fn channel_effects(&self, removal: Removal, channels: usize, run: &Run) -> Result<Vec<Pair>> {
        let mut out = self.one_by_one(removal, channels, run)?;
        if self.chain.order() == 1 {
            let twins = self.twins(channels);
            for k in 0..2 {
                let mut effects: Vec<f64> = out.iter().map(|e| e[k]).collect();
                average(&twins, &mut effects);
                out.iter_mut().zip(effects).for_each(|(e, mean)| e[k] = mean);
            }
        }
        Ok(out)
    }

    /// Channels whose names can be swapped without another chain of order 1.
    fn twins(&self, channels: usize) -> Twins {
        let channel = |state: u32| self.states.get(state as usize).and_then(|s| s.first()).copied();
        let mut rows: Vec<Marks> = Vec::new();
        for (from, to, count) in &self.chain.edges {
            if let (Some(from), Some(to)) = (channel(*from), channel(*to)) {
                let mut row = vec![(from, 0), (to, 1)];
                row.sort_unstable();
                rows.push((row, [*count, 0.0]));
            }
        }
        let Chain { start, conversions, nulls, value, .. } = self.chain;
        for (state, c) in (0..self.states.len()).filter_map(|s| Some((s, channel(s as u32)?))) {
            rows.push((vec![(c, 2)], [start[state], conversions[state]]));
            rows.push((vec![(c, 3)], [nulls[state], value[state]]));
        }
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut table = Marked::default();
        rows.into_iter().for_each(|(row, weights)| table.push(row.into_iter(), weights));
        table.twins(channels)
    }

    fn one_by_one(&self, removal: Removal, channels: usize, run: &Run) -> Result<Vec<Pair>> {
        run.stage("solve the chain", channels as u64)?;
        if removal == Removal::Null && self.chain.order() == 1 && self.chain.len() <= LARGE {
            return self.by_one_elimination(channels, run);
        }
        let found = match &self.first {
            Some(first) if removal == Removal::Null => self.in_step(first, channels, run)?,
            _ => vec![None; channels],
        };
        run.map_items(channels, |c| {
            if let Some(lost) = found[c] {
                return Ok(self.share_of(lost));
            }
            let effect = self.effect(removal, &Cut::Channels(&[c as u32]), run)?;
            run.advance(1)?;
            Ok(effect)
        })
    }

    /// What is lost with each channel, [`LANES`] of them at a time.
    fn in_step(&self, first: &FirstVisits, channels: usize, run: &Run) -> Result<Vec<Option<Pair>>> {
        let worth = [&self.worth[0][..], &self.worth[1][..]];
        let groups = run.map_items(channels.div_ceil(LANES), |group| {
            let gone: [Vec<bool>; LANES] = std::array::from_fn(|l| {
                let channel = [(group * LANES + l) as u32];
                self.states.iter().map(|s| Cut::Channels(&channel).holds(s)).collect()
            });
            let found: [_; LANES] = first.worth(std::array::from_fn(|l| &gone[l][..]), worth, run)?;
            run.advance(found.iter().take(channels - group * LANES).flatten().count() as u64)?;
            Ok(found)
        })?;
        Ok(groups.into_iter().flatten().take(channels).collect())
    }

    fn by_one_elimination(&self, channels: usize, run: &Run) -> Result<Vec<Pair>> {
        let visits = self.visit_probabilities(run)?;
        let mut out = vec![[0.0; 2]; channels];
        for (state, visit) in visits.into_iter().enumerate() {
            if let [channel] = self.states[state][..] {
                let lost = [visit * self.worth[0][state], visit * self.worth[1][state]];
                out[channel as usize] = self.share_of(lost);
            }
        }
        Ok(out)
    }

    /// The probability of ever coming to each state, for chains of up to
    /// [`LARGE`] states.
    pub(super) fn visit_probabilities(&self, run: &Run) -> Result<Vec<f64>> {
        let inverse = self.system.factor(None, run)?;
        // As many leave a state as come to it, so a walk visits state s N_ss D_s /
        // starts times: N_0s is the same for every s.
        run.map_items(self.states.len(), |s| Ok((1.0 / (self.starts * inverse.inverse_diagonal(s))).min(1.0)))
    }

    /// The share of conversions and of value that is lost with a cut.
    pub(super) fn effect(&self, removal: Removal, cut: &Cut<'_>, run: &Run) -> Result<Pair> {
        match removal {
            Removal::Reconnect => {
                let left = self.reconnected(cut, run)?;
                Ok(self.share_of([self.whole[0] - left[0], self.whole[1] - left[1]]))
            }
            _ => Ok(self.share_of(self.lost(cut, [&self.worth[0], &self.worth[1]], run)?)),
        }
    }

    fn share_of(&self, lost: Pair) -> Pair {
        let signed = self.chain.value.iter().any(|v| *v < 0.0);
        let share = |k: usize| match self.whole[k] {
            0.0 => 0.0,
            whole if k == 1 && signed => lost[k] / whole,
            whole => (lost[k] / whole).min(1.0),
        };
        [share(0), share(1)]
    }

    /// The probability of ever coming to one of the states of a cut.
    pub(super) fn meeting(&self, cut: &Cut<'_>, run: &Run) -> Result<f64> {
        let (ones, none) = (vec![1.0; self.states.len()], vec![0.0; self.states.len()]);
        let [met, _] = self.lost(cut, [&ones, &none], run)?;
        Ok(met.min(1.0))
    }

    /// What the walks that come to a cut are worth when they first do.
    /// Solving for the loss, not for what remains, keeps the digits of small
    /// effects.
    fn lost(&self, cut: &Cut<'_>, worth: [&[f64]; 2], run: &Run) -> Result<Pair> {
        let gone: Vec<bool> = self.states.iter().map(|s| cut.holds(s)).collect();
        if let (Some(first), Cut::Channels(_)) = (&self.first, cut)
            && let [Some(found)] = first.worth([&gone[..]], worth, run)?
        {
            return Ok(found);
        }
        let crosses = |i: u32, j: u32| cut.crosses(&self.states[i as usize], &self.states[j as usize]);
        let edges = || self.chain.edges.iter().filter(|(i, ..)| !gone[*i as usize]);
        let crossed: Vec<(u32, u32, f64)> =
            edges().filter(|(i, j, _)| !gone[*j as usize] && crosses(*i, *j)).copied().collect();
        let cut_system;
        let system = if crossed.is_empty() {
            &self.system
        } else {
            let mut leave: Vec<f64> =
                self.chain.conversions.iter().zip(&self.chain.nulls).map(|(a, b)| a + b).collect();
            for (i, _, w) in &crossed {
                leave[*i as usize] += w;
            }
            let kept = self.chain.edges.iter().filter(|(i, j, _)| !crosses(*i, *j));
            cut_system = AbsorbingChain::new(kept.copied(), leave)?;
            &cut_system
        };
        let mut out = [0.0; 2];
        for (out, worth) in out.iter_mut().zip(worth) {
            let mut entering = vec![0.0; self.states.len()];
            for (i, j, w) in edges().filter(|(_, j, _)| gone[*j as usize]).chain(&crossed) {
                entering[*i as usize] += w * worth[*j as usize];
            }
            let mut x = self.solver.solve(system, Some(&gone), &self.begin, &entering, run)?;
            for (s, x) in x.iter_mut().enumerate().filter(|(s, _)| gone[*s]) {
                *x = worth[s];
            }
            *out = from(&self.begin, &x);
        }
        Ok(out)
    }

    /// What a walk is worth when the cut is closed and everyone who would go
    /// there takes one of the other ways instead, in proportion. Walks that
    /// have no other way, or no longer an end, are lost.
    fn reconnected(&self, cut: &Cut<'_>, run: &Run) -> Result<Pair> {
        let n = self.states.len();
        let crosses = |i: u32, j: u32| cut.crosses(&self.states[i as usize], &self.states[j as usize]);
        let mut gone: Vec<bool> = self.states.iter().map(|s| cut.holds(s)).collect();
        let starts: f64 = (0..n).filter(|s| !gone[*s]).map(|s| self.chain.start[s]).sum();
        if starts <= 0.0 {
            return Ok([0.0; 2]);
        }
        let begin: Vec<f64> =
            (0..n).map(|s| if gone[s] { 0.0 } else { self.chain.start[s] / starts }).collect();
        let open: Vec<(u32, u32, f64)> = self
            .chain
            .edges
            .iter()
            .filter(|(i, j, _)| !gone[*i as usize] && !gone[*j as usize] && !crosses(*i, *j))
            .copied()
            .collect();
        let mut leave: Vec<f64> =
            self.chain.conversions.iter().zip(&self.chain.nulls).map(|(a, b)| a + b).collect();
        let alive = reaching_an_end(&open, &leave, &gone);
        let (kept, stuck): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|(i, j, _)| alive[*i as usize] && alive[*j as usize]);
        for (i, _, w) in stuck.iter().filter(|(i, ..)| alive[*i as usize]) {
            leave[*i as usize] += w;
        }
        let reward =
            |of: &[f64]| -> Vec<f64> { (0..n).map(|s| if alive[s] { of[s] } else { 0.0 }).collect() };
        for s in (0..n).filter(|s| !alive[*s]) {
            (gone[s], leave[s]) = (true, 1.0);
        }
        let system = AbsorbingChain::new(kept, leave)?;
        let solver = Solver::new(&system, run)?;
        let mut out = [0.0; 2];
        for (out, of) in out.iter_mut().zip([&self.chain.conversions, &self.chain.value]) {
            *out = from(&begin, &solver.solve(&system, Some(&gone), &begin, &reward(of), run)?);
        }
        Ok(out)
    }
}

fn from(begin: &[f64], x: &[f64]) -> f64 {
    begin.iter().zip(x).map(|(p, v)| p * v).sum()
}

/// The states from which a walk can still end.
fn reaching_an_end(edges: &[(u32, u32, f64)], leave: &[f64], gone: &[bool]) -> Vec<bool> {
    let mut back: Vec<Vec<u32>> = vec![Vec::new(); leave.len()];
    for (i, j, w) in edges {
        if *w > 0.0 {
            back[*j as usize].push(*i);
        }
    }
    let mut alive: Vec<bool> = leave.iter().zip(gone).map(|(w, gone)| *w > 0.0 && !gone).collect();
    let mut queue: Vec<u32> = (0..leave.len() as u32).filter(|s| alive[*s as usize]).collect();
    while let Some(s) = queue.pop() {
        for i in &back[s as usize] {
            if !std::mem::replace(&mut alive[*i as usize], true) {
                queue.push(*i);
            }
        }
    }
    alive
}

/// Sweeps with a proven error where they converge, elimination where not.
struct Solver {
    /// Expected visits before leaving; `None` means eliminate.
    visits: Option<Vec<f64>>,
}

impl Solver {
    fn new(system: &AbsorbingChain, run: &Run) -> Result<Self> {
        let visits = if system.len() <= SMALL { None } else { system.visits_bound(run)? };
        Ok(Self { visits })
    }

    /// Solves a chain that is visited no more often than this solver's own.
    fn solve(
        &self,
        system: &AbsorbingChain,
        removed: Option<&[bool]>,
        begin: &[f64],
        r: &[f64],
        run: &Run,
    ) -> Result<Vec<f64>> {
        if r.iter().all(|x| *x == 0.0) {
            return Ok(vec![0.0; r.len()]);
        }
        if r.iter().any(|x| *x < 0.0) {
            // Gains and losses each keep their digits.
            let part = |sign: f64| r.iter().map(|x| (sign * x).max(0.0)).collect::<Vec<f64>>();
            let gain = self.solve(system, removed, begin, &part(1.0), run)?;
            let loss = self.solve(system, removed, begin, &part(-1.0), run)?;
            return Ok(gain.iter().zip(&loss).map(|(g, l)| g - l).collect());
        }
        let mut error = f64::INFINITY;
        if let Some(visits) = &self.visits {
            let steps = from(begin, visits);
            // Below this, rounding is all there is.
            let (x, epsilon) = system.sweep(removed, r, 2e-16, run)?;
            let answer = from(begin, &x);
            error = epsilon * steps;
            if error <= accepted(TOLERANCE, steps) * answer || answer == 0.0 {
                return Ok(x);
            }
        }
        if system.len() <= LARGE {
            let eliminated: Elimination = system.factor(removed, run)?;
            return Ok(eliminated.solve(r));
        }
        Err(Error::NotConverged {
            model: "markov",
            iterations: 0,
            gradient_norm: error,
            hint: "journeys go round for too long before they end; lower the order, or shorten the lookback"
                .into(),
        })
    }
}

/// The effects that are defined on journeys and not on walks, of taking a set
/// of channels out of every journey.
pub(super) fn of_journeys(removal: Removal, all: &Coalitions, gone: &[u32]) -> Pair {
    let sum = |keep: &dyn Fn(&[u32]) -> bool, of: &dyn Fn(usize) -> f64| -> f64 {
        crate::math::exact_sum((0..all.len()).filter(|s| keep(&all.sets[*s])).map(of))
    };
    let every = |_: &[u32]| true;
    let untouched = |set: &[u32]| !set.iter().any(|c| gone.contains(c));
    let remaining = |set: &[u32]| set.iter().any(|c| !gone.contains(c));
    let journeys = |s: usize| all.conversions[s] + all.nulls[s];
    let measure = |of: &[f64]| {
        let number = |s: usize| of[s];
        let before = sum(&every, &number);
        let after = match removal {
            Removal::Skip => sum(&remaining, &number),
            _ => sum(&untouched, &number),
        };
        let rescaled = match removal {
            Removal::Fail => 1.0,
            // Per journey that still has a touch.
            _ => match sum(&remaining, &journeys) {
                0.0 => return if before == 0.0 { 0.0 } else { 1.0 },
                left => sum(&every, &journeys) / left,
            },
        };
        if before == 0.0 { 0.0 } else { 1.0 - after * rescaled / before }
    };
    [measure(&all.conversions), measure(&all.value)]
}
