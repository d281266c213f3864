//! Funnels: how many get from step to step, how fast, and where the others go.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::cells::whole_customers;
use super::options::{level_z, quantile_names};
use super::stats::{Waits, ratio, wilson};
use super::walk::{Entity, Walk, Walker, Walks};
use super::{CONVERSION, ChannelSet, Journeys, NULL_END, Report, SplitBy};
use crate::column::{Duration, Table, Text, Values};
use crate::journey::Repeats;
use crate::journey::counts::Sums;
use crate::run::Run;
use crate::{Error, Result};

/// What may stand between two steps of a funnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Other touches. The default.
    #[default]
    Loose,
    /// Nothing: each step is the very next touch.
    Strict,
    /// Other touches, and the steps may come in any order (a conversion after all others): step n
    /// is reached by those who did n of them. No channel may serve two steps.
    Any,
}

/// How often one journey or customer counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempts {
    /// Once, with the attempt that gets furthest, the earliest of several. The default.
    #[default]
    Best,
    /// With every attempt. They do not overlap: the next begins after the last
    /// touch that served the one before.
    All,
}

/// Options of [`Journeys::funnel`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FunnelOptions {
    /// The steps in order, at most 32: each a channel, or a list of channels
    /// any of which will do. The last may be `"(conversion)"`.
    pub steps: Vec<ChannelSet>,
    /// The longest time from the first step to the last. Default none.
    pub window: Option<Duration>,
    /// What may stand between the steps.
    pub order: Order,
    /// Channels of which a touch after the first step ends the attempt. Default none.
    pub exclude: Vec<String>,
    /// Journeys or customers.
    pub by: Entity,
    /// The best attempt, or all of them.
    pub attempts: Attempts,
    /// Whether a channel several times in a row counts once. Default `keep`.
    pub repeats: Repeats,
    /// What the funnel is split by.
    pub split_by: SplitBy,
    /// Quantiles of the times between steps. Default 0.5 and 0.9.
    pub quantiles: Vec<f64>,
    /// What the intervals of the rates cover. Default 0.95.
    pub level: f64,
}

impl Default for FunnelOptions {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            window: None,
            order: Order::default(),
            exclude: Vec::new(),
            by: Entity::default(),
            attempts: Attempts::default(),
            repeats: Repeats::Keep,
            split_by: SplitBy::default(),
            quantiles: vec![0.5, 0.9],
            level: 0.95,
        }
    }
}

impl FunnelOptions {
    fn walks(&self) -> Walks {
        Walks { by: self.by, repeats: self.repeats, split_by: self.split_by }
    }
}

/// A funnel made ready for these journeys' channels.
struct Plan {
    /// For each channel, and the conversion, a bit for each step that it serves.
    masks: Vec<u32>,
    /// For each channel, and the conversion, whether it ends an attempt.
    ends: Vec<bool>,
    steps: usize,
    window: i64,
    order: Order,
}

/// Room that is used again for each walk.
#[derive(Default)]
struct Scratch {
    hits: Vec<u32>,
    best: Vec<u32>,
    places: Places,
}

/// Where things are on a walk, in order.
#[derive(Default)]
struct Places {
    /// Where each step is served.
    steps: Vec<Vec<u32>>,
    /// Where an attempt ends.
    ends: Vec<u32>,
    /// Where one may begin.
    starts: Vec<u32>,
}

/// The attempts that were found, one a row; `times` holds `depth` entries of each.
#[derive(Default)]
struct Found {
    group: Vec<u32>,
    depth: Vec<u8>,
    /// The step after the last that was reached; the number of channels and one at the end.
    next: Vec<u32>,
    weight: Vec<f64>,
    /// Whether the journey was not over yet.
    undecided: Vec<bool>,
    times: Vec<i64>,
}

impl Plan {
    fn new(journeys: &Journeys, options: &FunnelOptions) -> Result<Self> {
        let FunnelOptions { steps, window, order, by, .. } = options;
        if !(1..=32).contains(&steps.len()) {
            return Err(Error::option("steps", format!("give 1 to 32 steps, not {}", steps.len())));
        }
        by.check(journeys)?;
        if window.is_some() {
            journeys.need_times("window")?;
        }
        let labels = journeys.channel_labels();
        let mut masks = vec![0_u32; labels.len() + 1];
        for (i, step) in steps.iter().enumerate() {
            if step.0.iter().any(|label| label == CONVERSION) {
                if step.0.len() > 1 || i == 0 || i + 1 < steps.len() {
                    let reason = format!("`{CONVERSION}` can only stand alone, as the last of several steps");
                    return Err(Error::option("steps", reason));
                }
                masks[labels.len()] |= 1 << i;
                continue;
            }
            for code in step.codes("steps", &labels)? {
                masks[code as usize] |= 1 << i;
            }
        }
        let mut ends = match &options.exclude[..] {
            [] => vec![false; labels.len()],
            some => ChannelSet(some.to_vec()).members("exclude", &labels)?,
        };
        ends.push(false);
        if let Some(both) = (0..labels.len()).find(|c| ends[*c] && masks[*c] != 0) {
            return Err(Error::option("exclude", format!("`{}` is a step as well", labels[both])));
        }
        let twice = (0..labels.len()).find(|c| *order == Order::Any && masks[*c].count_ones() > 1);
        if let Some(twice) = twice {
            let reason = format!("in any order, `{}` can serve one step only", labels[twice]);
            return Err(Error::option("steps", reason));
        }
        let window = window.map_or(i64::MAX, Duration::micros);
        Ok(Self { masks, ends, steps: steps.len(), window, order: *order })
    }

    fn serves(&self, walk: &Walk, at: usize, step: usize) -> bool {
        self.masks[walk.steps[at] as usize] >> step & 1 == 1
    }

    fn in_time(&self, walk: &Walk, first: usize, at: usize) -> bool {
        self.window == i64::MAX || walk.times[at].saturating_sub(walk.times[first]) <= self.window
    }

    /// The attempt that begins at `first`, and whether time ran out on it.
    fn attempt(&self, walk: &Walk, first: usize, hits: &mut Vec<u32>) -> bool {
        hits.clear();
        hits.push(first as u32);
        for at in first + 1..walk.steps.len() {
            if hits.len() == self.steps {
                return false;
            }
            if !self.in_time(walk, first, at) || self.ends[walk.steps[at] as usize] {
                return true;
            }
            if self.serves(walk, at, hits.len()) {
                hits.push(at as u32);
            } else if self.order == Order::Strict {
                return true;
            }
        }
        false
    }

    /// As [`Plan::attempt`], by the places that serve each step.
    fn jump(&self, walk: &Walk, first: u32, places: &Places, hits: &mut Vec<u32>) {
        hits.clear();
        hits.push(first);
        for list in &places.steps[1..] {
            match places.next(list, hits[hits.len() - 1] + 1, first) {
                Some(at) if self.in_time(walk, first as usize, at as usize) => hits.push(at),
                _ => return,
            }
        }
    }

    /// As [`Plan::jump`], the steps in any order.
    fn gather(&self, walk: &Walk, first: u32, places: &Places, hits: &mut Vec<u32>) {
        hits.clear();
        let (conversion, others) = match places.steps.split_last() {
            Some((last, others)) if self.masks.last().is_some_and(|mask| *mask != 0) => (Some(last), others),
            _ => (None, &places.steps[..]),
        };
        let in_time = |at: &u32| self.in_time(walk, first as usize, *at as usize);
        hits.extend(others.iter().filter_map(|list| places.next(list, first, first)).filter(in_time));
        hits.sort_unstable();
        if let (Some(list), true) = (conversion, hits.len() == others.len()) {
            let after = hits.last().map_or(first, |last| last + 1);
            hits.extend(places.next(list, after, first).filter(in_time));
        }
    }

    fn places(&self, walk: &Walk, places: &mut Places) {
        let all = || 0..walk.steps.len() as u32;
        let step = |at: &u32| walk.steps[*at as usize] as usize;
        places.steps.resize_with(self.steps, Vec::new);
        for (i, list) in places.steps.iter_mut().enumerate() {
            list.clear();
            list.extend(all().filter(|at| self.serves(walk, *at as usize, i)));
        }
        places.ends.clear();
        places.ends.extend(all().filter(|at| self.ends[step(at)]));
        places.starts.clear();
        match self.order {
            Order::Any => {
                let conversion = self.masks.len() - 1;
                places.starts.extend(all().filter(|at| step(at) != conversion && self.masks[step(at)] != 0));
            }
            Order::Loose | Order::Strict => places.starts.extend_from_slice(&places.steps[0]),
        }
    }

    /// The attempts of one walk, each handed to `take` as the places that it hit.
    fn walk(&self, walk: &Walk, attempts: Attempts, room: &mut Scratch, mut take: impl FnMut(&[u32])) {
        let Scratch { hits, best, places } = room;
        best.clear();
        if self.order != Order::Any {
            let Some(first) = (0..walk.steps.len()).find(|at| self.serves(walk, *at, 0)) else { return };
            if attempts == Attempts::Best {
                let cut_short = self.attempt(walk, first, best);
                if !cut_short || best.len() == self.steps {
                    return take(best);
                }
            }
        }
        self.places(walk, places);
        let mut after = 0;
        for start in &places.starts {
            if *start < after {
                continue;
            }
            match self.order {
                Order::Strict => {
                    self.attempt(walk, *start as usize, hits);
                }
                Order::Loose => self.jump(walk, *start, places, hits),
                Order::Any => self.gather(walk, *start, places, hits),
            }
            if attempts == Attempts::All {
                take(hits);
                after = hits[hits.len() - 1] + 1;
            } else if hits.len() > best.len() {
                std::mem::swap(hits, best);
                if best.len() == self.steps {
                    break;
                }
            }
        }
        if attempts == Attempts::Best && !best.is_empty() {
            take(best);
        }
    }
}

impl Places {
    /// The first place of a list from one on, unless the attempt that began at `first` ends before.
    fn next(&self, list: &[u32], from: u32, first: u32) -> Option<u32> {
        let end = self.ends.get(self.ends.partition_point(|at| *at <= first));
        list.get(list.partition_point(|at| *at < from)).copied().filter(|at| end.is_none_or(|end| at < end))
    }
}

impl Found {
    fn take(&mut self, walk: &Walk, hits: &[u32], walker: Walker, end: u32) {
        self.group.push(walker.group);
        self.depth.push(hits.len() as u8);
        let after = hits.last().map_or(0, |at| *at as usize + 1);
        self.next.push(walk.steps.get(after).copied().unwrap_or(end));
        self.weight.push(walker.weight);
        self.undecided.push(walker.undecided);
        if !walk.times.is_empty() {
            self.times.extend(hits.iter().map(|at| walk.times[*at as usize]));
        }
    }

    fn append(&mut self, other: Self) {
        self.group.extend(other.group);
        self.depth.extend(other.depth);
        self.next.extend(other.next);
        self.weight.extend(other.weight);
        self.undecided.extend(other.undecided);
        self.times.extend(other.times);
    }

    /// The weight of the attempts in each cell.
    fn sums(&self, cells: usize, cell: impl Fn(usize) -> Option<usize>) -> Vec<f64> {
        let picked = (0..self.depth.len()).filter_map(|i| Some((cell(i)? as u32, self.weight[i])));
        let (cell, weight): (Vec<u32>, Vec<f64>) = picked.unzip();
        Sums::by_group(&cell, cells, &weight).nearest
    }
}

impl Journeys {
    /// How many get from step to step.
    ///
    /// An attempt begins at a touch that serves the first step; each further
    /// step is served by the earliest touch after the one before that serves
    /// it (`loose`), or by the very next touch (`strict`), within the window; in any order each
    /// step has its first touch from the beginning of the attempt on.
    ///
    /// Tables: `funnel`: group, step (from 1), name, count, from_previous,
    /// from_previous_low, from_previous_high, from_first, from_first_low,
    /// from_first_high (shares of those who reached the previous and the first
    /// step, with Wilson's score intervals), dropped (stopped here), undecided
    /// (those of them whose journey was not over when observation ended, and may
    /// still go on; missing without times), and for each quantile days_pN (from the previous step) and total_days_pN (from
    /// the first), missing without times. `dropoff`: group, step, name, to
    /// (what those who stopped at the step did next, in time or not, a channel,
    /// `(conversion)` or `(null)`), count, share.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{FunnelOptions, Journeys, PathOptions};
    ///
    /// let paths = Columns::new().with("path", vec!["ad > search", "ad > email > search"]);
    /// let paths = paths.with("conversions", vec![1.0, 0.0]).with("nulls", vec![0.0, 2.0]);
    /// let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
    /// let journeys = Journeys::from_paths(&paths, &options, &Run::new())?;
    /// let steps = vec!["ad".into(), "search".into(), "(conversion)".into()];
    /// let funnel = journeys.funnel(&FunnelOptions { steps, ..FunnelOptions::default() }, &Run::new())?;
    /// assert_eq!(funnel.table().f64s("count"), Some(&[3.0, 3.0, 1.0][..]));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn funnel(&self, options: &FunnelOptions, run: &Run) -> Result<Report> {
        options.split_by.check(self)?;
        let plan = Plan::new(self, options)?;
        let (z, names) = (level_z(options.level)?, quantile_names(&options.quantiles)?);
        let pieces = whole_customers(self);
        run.stage("walk the funnel", self.steps.len() as u64)?;
        let parts = run.map_items(pieces.len(), |p| {
            let found = self.through(&plan, options, pieces[p].clone());
            run.advance(pieces[p].clone().map(|j| u64::from(self.len[j])).sum())?;
            Ok(found)
        })?;
        let mut found = Found::default();
        for part in parts {
            run.check()?;
            found.append(part);
        }
        let groups = options.split_by.groups(self);
        if groups.saturating_mul(plan.steps).saturating_mul(self.channel_count + 2) > super::cells::MOST {
            return Err(Error::option("split_by", "there are too many groups to split this funnel into"));
        }
        self.tabulate(&plan, options, &found, z, &names, run)
    }

    fn through(&self, plan: &Plan, options: &FunnelOptions, range: Range<usize>) -> Found {
        let (mut found, mut room) = (Found::default(), Scratch::default());
        let (walks, end) = (options.walks(), self.channel_count as u32 + 1);
        walks.each(self, range, |walk, walker| {
            plan.walk(walk, options.attempts, &mut room, |hits| found.take(walk, hits, walker, end));
        });
        found
    }

    fn tabulate(
        &self,
        plan: &Plan,
        options: &FunnelOptions,
        found: &Found,
        z: f64,
        quantiles: &[String],
        run: &Run,
    ) -> Result<Report> {
        let (k, groups) = (plan.steps, options.split_by.groups(self));
        let names: Vec<String> = match options.order {
            Order::Any => (1..=k).map(|n| format!("{n} of {k}")).collect(),
            Order::Loose | Order::Strict => options.steps.iter().map(ToString::to_string).collect(),
        };
        let group_names = options.split_by.names(self);
        let mut reached = vec![0.0; groups * k];
        for step in 0..k {
            let cell = |i: usize| (found.depth[i] as usize > step).then(|| found.group[i] as usize);
            for (group, count) in found.sums(groups, cell).into_iter().enumerate() {
                reached[group * k + step] = count;
            }
        }
        let ends = self.channel_count + 2;
        let stopped = found.sums(groups * k * ends, |i| {
            let depth = found.depth[i] as usize;
            (depth < k).then(|| (found.group[i] as usize * k + depth - 1) * ends + found.next[i] as usize)
        });
        let undecided = found.sums(groups * k, |i| {
            let depth = found.depth[i] as usize;
            (depth < k && found.undecided[i]).then(|| found.group[i] as usize * k + depth - 1)
        });
        run.check()?;
        let waits = if self.timed { found.waits(groups, k) } else { Vec::new() };
        let shown: Vec<usize> = (0..groups)
            .filter(|g| groups == 1 || reached[g * k] > 0.0)
            .flat_map(|g| (0..k).map(move |s| g * k + s))
            .collect();

        let first = |at: usize| reached[at / k * k];
        let previous = |at: usize| reached[if at.is_multiple_of(k) { at } else { at - 1 }];
        let low = |of: Option<(f64, f64)>| of.map(|i| i.0);
        let high = |of: Option<(f64, f64)>| of.map(|i| i.1);
        let column = |f: &dyn Fn(usize) -> Option<f64>| shown.iter().map(|at| f(*at)).collect::<Vec<_>>();
        let dropped = |at: usize| stopped[at * ends..(at + 1) * ends].iter().sum::<f64>();
        let mut table = Table::new()
            .with("group", text(shown.iter().map(|at| &group_names[at / k])))
            .with("step", Values::I64(shown.iter().map(|at| (at % k) as i64 + 1).collect()))
            .with("name", text(shown.iter().map(|at| &names[at % k])))
            .with("count", Values::F64(shown.iter().map(|at| reached[*at]).collect()))
            .with_optional("from_previous", column(&|at| ratio(reached[at], previous(at))))
            .with_optional("from_previous_low", column(&|at| low(wilson(reached[at], previous(at), z))))
            .with_optional("from_previous_high", column(&|at| high(wilson(reached[at], previous(at), z))))
            .with_optional("from_first", column(&|at| ratio(reached[at], first(at))))
            .with_optional("from_first_low", column(&|at| low(wilson(reached[at], first(at), z))))
            .with_optional("from_first_high", column(&|at| high(wilson(reached[at], first(at), z))))
            .with("dropped", Values::F64(shown.iter().map(|at| dropped(*at)).collect()))
            .with_optional("undecided", column(&|at| self.timed.then_some(undecided[at])));
        for (which, prefix) in ["days", "total_days"].iter().enumerate() {
            for (q, name) in options.quantiles.iter().zip(quantiles) {
                let days = |at: usize| waits.get(at * 2 + which).and_then(|w: &Waits| w.days(*q));
                table = table.with_optional(&format!("{prefix}_{name}"), column(&days));
            }
        }

        let labels = self.channel_labels();
        let (mut group, mut name, mut to) = (Text::new(), Text::new(), Text::new());
        let (mut step, mut count, mut share) = (Vec::new(), Vec::new(), Vec::new());
        for at in &shown {
            let whole = dropped(*at);
            for (end, weight) in stopped[at * ends..(at + 1) * ends].iter().enumerate() {
                if *weight > 0.0 {
                    group.push(&group_names[at / k]);
                    step.push((at % k) as i64 + 1);
                    name.push(&names[at % k]);
                    to.push(match labels.get(end) {
                        Some(label) => label,
                        None if end == labels.len() => CONVERSION,
                        None => NULL_END,
                    });
                    count.push(*weight);
                    share.push(weight / whole);
                }
            }
        }
        let dropoff = Table::new()
            .with("group", Values::Text(group))
            .with("step", Values::I64(step))
            .with("name", Values::Text(name))
            .with("to", Values::Text(to))
            .with("count", Values::F64(count))
            .with("share", Values::F64(share));
        Ok(Report::new(vec![("funnel", table), ("dropoff", dropoff)]))
    }
}

impl Found {
    /// For each group and step the waits since the previous and since the first.
    fn waits(&self, groups: usize, k: usize) -> Vec<Waits> {
        let mut raw: Vec<Vec<(i64, f64)>> = vec![Vec::new(); groups * k * 2];
        let mut at = 0;
        for (i, depth) in self.depth.iter().enumerate() {
            let times = &self.times[at..at + *depth as usize];
            at += *depth as usize;
            for step in 1..times.len() {
                let cell = (self.group[i] as usize * k + step) * 2;
                raw[cell].push((times[step].saturating_sub(times[step - 1]), self.weight[i]));
                raw[cell + 1].push((times[step].saturating_sub(times[0]), self.weight[i]));
            }
        }
        raw.into_iter().map(Waits::new).collect()
    }
}

fn text<'a>(labels: impl Iterator<Item = &'a String>) -> Values {
    Values::Text(labels.collect())
}
