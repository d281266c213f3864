//! Touches kept and channels renamed, step by step.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::{Keep, KeepInSession, Transform};
use crate::column::{Labels, NULL, Text};
use crate::journey::ledger::Ledger;
use crate::journey::{Gap, Journeys, PIECE};
use crate::math::{ExactSum, merge_sums};
use crate::run::{CHUNK, Run};
use crate::{Error, Result};

/// The labels of channels in new order.
pub(in crate::journey) struct Relabelled {
    /// For each old code the new one; [`NULL`] for channels that left.
    pub(in crate::journey) recode: Vec<u32>,
    pub(in crate::journey) labels: Labels,
    pub(in crate::journey) cost: Option<Vec<f64>>,
    pub(in crate::journey) offline: Vec<bool>,
}

impl Relabelled {
    /// Channels with new labels, equal ones made one: their costs add up, and
    /// the one is offline if all of them are.
    pub(in crate::journey) fn new(names: &[String], cost: Option<&[f64]>, offline: &[bool]) -> Self {
        let mut codes: BTreeMap<&str, u32> = names.iter().map(|name| (&**name, 0)).collect();
        for (code, place) in codes.values_mut().enumerate() {
            *place = code as u32;
        }
        let recode: Vec<u32> = names.iter().map(|name| codes[&**name]).collect();
        let cost = cost.map(|cost| {
            let mut sums = vec![ExactSum::new(); codes.len()];
            for (code, cost) in recode.iter().zip(cost) {
                sums[*code as usize].add(*cost);
            }
            sums.iter().map(ExactSum::value).collect()
        });
        let mut all = vec![true; if offline.is_empty() { 0 } else { codes.len() }];
        for (code, offline) in recode.iter().zip(offline) {
            all[*code as usize] &= *offline;
        }
        Self { recode, labels: Labels::Text(codes.keys().collect::<Text>()), cost, offline: all }
    }
}

/// Journeys on their way through the steps.
pub(super) struct Work<'j> {
    from: &'j Journeys,
    /// The touches that are left: positions in `from.steps`, and their channels now.
    position: Vec<u32>,
    code: Vec<u32>,
    /// Where each journey ends among them.
    end: Vec<usize>,
    channels: Option<Arc<Labels>>,
    channel_count: usize,
    cost: Option<Vec<f64>>,
    offline: Vec<bool>,
    gap: Option<Gap>,
}

/// The touches of some journeys after a step.
#[derive(Default)]
struct Kept {
    position: Vec<u32>,
    code: Vec<u32>,
    end: Vec<usize>,
}

impl Kept {
    fn push(&mut self, position: u32, code: u32) {
        self.position.push(position);
        self.code.push(code);
    }
}

/// Touches of one journey.
#[derive(Clone, Copy)]
struct Path<'w> {
    position: &'w [u32],
    code: &'w [u32],
}

impl Path<'_> {
    fn len(&self) -> usize {
        self.code.len()
    }

    fn keep(&self, i: usize, out: &mut Kept) {
        out.push(self.position[i], self.code[i]);
    }

    fn keep_range(&self, range: Range<usize>, out: &mut Kept) {
        out.position.extend_from_slice(&self.position[range.clone()]);
        out.code.extend_from_slice(&self.code[range]);
    }
}

fn too_many() -> Error {
    Error::column("touches", "journeys share so many touches that they come to more than four billion")
}

impl<'j> Work<'j> {
    pub(super) fn new(from: &'j Journeys, run: &Run) -> Result<Self> {
        let mut end = Vec::with_capacity(from.len());
        let mut total = 0;
        for len in &from.len {
            total += *len as usize;
            end.push(total);
        }
        if total >= NULL as usize {
            return Err(too_many());
        }
        let mut position = Vec::with_capacity(total);
        for (j, start) in from.start.iter().enumerate() {
            position.extend(*start..*start + from.len[j]);
            if j % CHUNK == 0 {
                run.check()?;
            }
        }
        let code = gather(&from.steps, &position, run)?;
        Ok(Self {
            from,
            position,
            code,
            end,
            channels: from.channels.clone(),
            channel_count: from.channel_count,
            cost: from.cost.clone(),
            offline: from.offline.clone(),
            gap: from.gap,
        })
    }

    fn path(&self, j: usize) -> Path<'_> {
        let start = if j == 0 { 0 } else { self.end[j - 1] };
        let range = start..self.end[j];
        Path { position: &self.position[range.clone()], code: &self.code[range] }
    }

    /// Journeys cut into pieces of about equal work.
    fn pieces(&self) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let (mut first, mut from) = (0, 0);
        for (j, end) in self.end.iter().enumerate() {
            if end - from + (j - first) >= PIECE {
                pieces.push(first..j + 1);
                (first, from) = (j + 1, *end);
            }
        }
        if first < self.end.len() {
            pieces.push(first..self.end.len());
        }
        pieces
    }

    /// What `work` makes of every journey, in parallel, and of each piece.
    fn each<S, F>(&self, run: &Run, new: impl Fn() -> S + Sync + Send, work: F) -> Result<(Kept, Vec<S>)>
    where
        S: Send,
        F: Fn(&mut S, usize, Path<'_>, &mut Kept) + Sync + Send,
    {
        let pieces = self.pieces();
        run.stage("transform paths", self.end.len() as u64)?;
        let parts = run.map_items(pieces.len(), |p| {
            let (mut state, mut kept) = (new(), Kept::default());
            for j in pieces[p].clone() {
                work(&mut state, j, self.path(j), &mut kept);
                kept.end.push(kept.code.len());
            }
            run.advance(pieces[p].len() as u64)?;
            Ok((kept, state))
        })?;
        let total = parts.iter().map(|(kept, _)| kept.code.len()).sum();
        let mut all = Kept {
            position: Vec::with_capacity(total),
            code: Vec::with_capacity(total),
            end: Vec::with_capacity(self.end.len()),
        };
        let mut states = Vec::with_capacity(parts.len());
        for (kept, state) in parts {
            let before = all.code.len();
            all.position.extend_from_slice(&kept.position);
            all.code.extend_from_slice(&kept.code);
            all.end.extend(kept.end.iter().map(|end| before + end));
            states.push(state);
            run.check()?;
        }
        Ok((all, states))
    }

    fn keep(&mut self, run: &Run, work: impl Fn(Path<'_>, &mut Kept) + Sync + Send) -> Result<()> {
        let (kept, _) = self.each(run, || (), |(), _, path, out| work(path, out))?;
        self.set(kept);
        Ok(())
    }

    fn set(&mut self, kept: Kept) {
        (self.position, self.code, self.end) = (kept.position, kept.code, kept.end);
    }

    fn label(&self, code: u32) -> String {
        match &self.channels {
            Some(labels) => labels.get(code).into_owned(),
            None => code.to_string(),
        }
    }

    fn labels(&self) -> Vec<String> {
        (0..self.channel_count as u32).map(|code| self.label(code)).collect()
    }

    /// Which channels are among these; all of them must be there.
    fn members(&self, step: &str, channels: &[String]) -> Result<Vec<bool>> {
        let labels = self.labels();
        let mut is = vec![false; labels.len()];
        for channel in channels {
            let Some(code) = labels.iter().position(|label| label == channel) else {
                return Err(unknown(step, channel, &labels));
            };
            is[code] = true;
        }
        Ok(is)
    }

    fn direct(&self, direct: &[String]) -> Vec<bool> {
        let is = |label: &String| direct.iter().any(|d| d.eq_ignore_ascii_case(label));
        self.labels().iter().map(is).collect()
    }

    pub(super) fn step(&mut self, step: &Transform, run: &Run) -> Result<()> {
        let before = self.code.len();
        self.change(step, run)?;
        // Without a channel, all touches of the others are there.
        let whole = matches!(step, Transform::Exclude { .. } | Transform::IncludeOnly { .. });
        if self.code.len() < before && !whole {
            self.gap = self.gap.or(Some(Gap::Transform));
        }
        Ok(())
    }

    fn change(&mut self, step: &Transform, run: &Run) -> Result<()> {
        match step {
            Transform::Unique => Ok(()),
            Transform::Exposure { keep } => self.exposure(*keep, run),
            Transform::First => self.first(run),
            Transform::Frequency => self.frequency(run),
            Transform::RemoveIfLastAndNotAll { channels } => {
                let is = self.members("remove_if_last_and_not_all", channels)?;
                self.keep(run, |path, out| {
                    let rest =
                        path.code.iter().rposition(|c| !is[*c as usize]).map_or(path.len(), |at| at + 1);
                    path.keep_range(0..rest, out);
                })
            }
            Transform::RemoveIfNotAll { channels } => {
                let is = self.members("remove_if_not_all", channels)?;
                self.remove_if_not_all(&is, run)
            }
            Transform::IgnoreDirect { direct } => self.remove_if_not_all(&self.direct(direct), run),
            Transform::TrimLongPath { steps: 0 } => {
                Err(Error::option("trim_long_path", "steps must be 1 or more"))
            }
            Transform::TrimLongPath { steps } => self.keep(run, |path, out| {
                path.keep_range(path.len().saturating_sub(*steps as usize)..path.len(), out);
            }),
            Transform::Exclude { channels } => {
                let is = self.members("exclude", channels)?;
                self.only(&is.iter().map(|is| !is).collect::<Vec<bool>>(), run)
            }
            Transform::IncludeOnly { channels } => self.only(&self.members("include_only", channels)?, run),
            Transform::Merge { channels } => self.merge(channels),
            Transform::MergeRare { min_share, into } => self.merge_rare(*min_share, into, run),
            Transform::Collapse { gap } => self.collapse(gap.micros(), run),
            Transform::Sessions { gap, keep, direct } => {
                self.sessions(gap.micros(), *keep, &self.direct(direct), run)
            }
        }
    }

    fn exposure(&mut self, keep: Keep, run: &Run) -> Result<()> {
        self.keep(run, |path, out| {
            for i in 0..path.len() {
                let neighbour = match keep {
                    Keep::First => i.checked_sub(1),
                    Keep::Last => Some(i + 1),
                };
                if neighbour.and_then(|n| path.code.get(n)) != Some(&path.code[i]) {
                    path.keep(i, out);
                }
            }
        })
    }

    fn first(&mut self, run: &Run) -> Result<()> {
        let fresh = || vec![usize::MAX; self.channel_count];
        let (kept, _) = self.each(run, fresh, |seen, j, path, out| {
            for (i, code) in path.code.iter().enumerate() {
                if std::mem::replace(&mut seen[*code as usize], j) != j {
                    path.keep(i, out);
                }
            }
        })?;
        self.set(kept);
        Ok(())
    }

    fn remove_if_not_all(&mut self, is: &[bool], run: &Run) -> Result<()> {
        self.keep(run, |path, out| {
            if path.code.iter().all(|c| is[*c as usize]) {
                path.keep_range(0..path.len(), out);
                return;
            }
            for i in (0..path.len()).filter(|i| !is[path.code[*i] as usize]) {
                path.keep(i, out);
            }
        })
    }

    /// Touches of these channels, and no other channels any more.
    fn only(&mut self, is: &[bool], run: &Run) -> Result<()> {
        let mut recode = vec![NULL; is.len()];
        let left: Vec<u32> = (0..is.len() as u32).filter(|c| is[*c as usize]).collect();
        for (new, old) in left.iter().enumerate() {
            recode[*old as usize] = new as u32;
        }
        self.keep(run, |path, out| {
            for (position, code) in path.position.iter().zip(path.code) {
                if is[*code as usize] {
                    out.push(*position, recode[*code as usize]);
                }
            }
        })?;
        let labels = match self.channels.as_deref() {
            Some(Labels::Int(ints)) => Labels::Int(left.iter().map(|c| ints[*c as usize]).collect()),
            _ => Labels::Text(left.iter().map(|c| self.label(*c)).collect()),
        };
        self.cost = self.cost.as_ref().map(|cost| left.iter().map(|c| cost[*c as usize]).collect());
        if !self.offline.is_empty() {
            self.offline = left.iter().map(|c| self.offline[*c as usize]).collect();
        }
        self.relabel_as(labels);
        Ok(())
    }

    fn relabel_as(&mut self, labels: Labels) {
        self.channel_count = labels.len();
        self.channels = Some(Arc::new(labels));
    }

    fn relabel(&mut self, names: &[String]) {
        let new = Relabelled::new(names, self.cost.as_deref(), &self.offline);
        for code in &mut self.code {
            *code = new.recode[*code as usize];
        }
        (self.cost, self.offline) = (new.cost, new.offline);
        self.relabel_as(new.labels);
    }

    fn merge(&mut self, groups: &BTreeMap<String, Vec<String>>) -> Result<()> {
        let labels = self.labels();
        let mut names = labels.clone();
        let mut taken: Vec<Option<&String>> = vec![None; labels.len()];
        for (group, channels) in groups {
            for channel in channels {
                let Some(code) = labels.iter().position(|label| label == channel) else {
                    return Err(unknown("merge", channel, &labels));
                };
                if let Some(other) = taken[code].replace(group) {
                    return Err(Error::option(
                        "merge",
                        format!("`{channel}` is in `{other}` and in `{group}`"),
                    ));
                }
                names[code].clone_from(group);
            }
        }
        self.relabel(&names);
        Ok(())
    }

    fn merge_rare(&mut self, min_share: f64, into: &str, run: &Run) -> Result<()> {
        if !(0.0..=1.0).contains(&min_share) {
            return Err(Error::option(
                "merge_rare",
                format!("min_share must be a share of 1, not {min_share}"),
            ));
        }
        if into.is_empty() {
            return Err(Error::option("merge_rare", "`into` must name a channel"));
        }
        let from = self.from;
        let fresh = || vec![ExactSum::new(); self.channel_count];
        let (_, parts) = self.each(run, fresh, |sums, j, path, _| {
            let weight = from.conversions[j] + from.nulls[j];
            path.code.iter().for_each(|code| sums[*code as usize].add(weight));
        })?;
        let sums = merge_sums(std::iter::once(fresh()).chain(parts).collect());
        let mut total = ExactSum::new();
        sums.iter().for_each(|sum| total.merge(sum));
        let least = min_share * total.value();
        let rename =
            |(label, sum): (String, &ExactSum)| if sum.value() < least { into.to_owned() } else { label };
        let names: Vec<String> = self.labels().into_iter().zip(&sums).map(rename).collect();
        self.relabel(&names);
        Ok(())
    }

    fn times(&self) -> Result<&'j [i64]> {
        if self.from.timed {
            return Ok(&self.from.times);
        }
        Err(Error::column("time", "these journeys come from paths, which have no times"))
    }

    fn collapse(&mut self, gap: i64, run: &Run) -> Result<()> {
        let times = self.times()?;
        if gap == 0 {
            return Err(Error::option("collapse", "gap must be longer than 0, for example \"1h\""));
        }
        let fresh = || vec![(usize::MAX, 0_i64); self.channel_count];
        let (kept, _) = self.each(run, fresh, |last, j, path, out| {
            for i in 0..path.len() {
                let (seen, time) = (&mut last[path.code[i] as usize], times[path.position[i] as usize]);
                if seen.0 != j || time.saturating_sub(seen.1) >= gap {
                    *seen = (j, time);
                    path.keep(i, out);
                }
            }
        })?;
        self.set(kept);
        Ok(())
    }

    fn sessions(&mut self, gap: i64, keep: KeepInSession, direct: &[bool], run: &Run) -> Result<()> {
        let times = self.times()?;
        self.keep(run, |path, out| {
            let time = |i: usize| times[path.position[i] as usize];
            let mut first = 0;
            for next in 1..=path.len() {
                if next < path.len() && time(next).saturating_sub(time(next - 1)) <= gap {
                    continue;
                }
                let mut told = (first..next).filter(|i| !direct[path.code[*i] as usize]);
                let chosen = match keep {
                    KeepInSession::First => first,
                    KeepInSession::Last => next - 1,
                    KeepInSession::FirstNonDirect => told.next().unwrap_or(first),
                    KeepInSession::LastNonDirect => told.next_back().unwrap_or(next - 1),
                };
                path.keep(chosen, out);
                first = next;
            }
        })
    }

    fn frequency(&mut self, run: &Run) -> Result<()> {
        /// Pairs of channel and number with a code each, and how many touches they have.
        #[derive(Default)]
        struct Pairs {
            codes: HashMap<(u32, u32), u32, FixedState>,
            list: Vec<((u32, u32), u64)>,
            counts: Vec<(usize, u32)>,
        }
        let fresh = || Pairs { counts: vec![(usize::MAX, 0); self.channel_count], ..Pairs::default() };
        let (mut kept, parts) = self.each(run, fresh, |pairs, j, path, out| {
            for code in path.code {
                let count = &mut pairs.counts[*code as usize];
                *count = if count.0 == j { (j, count.1 + 1) } else { (j, 1) };
            }
            for (i, code) in path.code.iter().enumerate() {
                let count = std::mem::take(&mut pairs.counts[*code as usize].1);
                if count == 0 {
                    continue;
                }
                let place = *pairs.codes.entry((*code, count)).or_insert_with(|| {
                    pairs.list.push(((*code, count), 0));
                    pairs.list.len() as u32 - 1
                });
                pairs.list[place as usize].1 += u64::from(count);
                out.push(path.position[i], place);
            }
        })?;
        let mut touches: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for (pair, count) in parts.iter().flat_map(|part| &part.list) {
            *touches.entry(*pair).or_default() += count;
        }
        let mut all = vec![0_u64; self.channel_count];
        touches.iter().for_each(|((channel, _), count)| all[*channel as usize] += count);
        // A channel without a touch keeps its label, and its cost.
        for channel in (0..self.channel_count as u32).filter(|c| all[*c as usize] == 0) {
            touches.insert((channel, 0), 0);
        }
        let name = |(channel, count): &(u32, u32)| match count {
            0 => self.label(*channel),
            count => format!("{}({count})", self.label(*channel)),
        };
        let names: Vec<String> = touches.keys().map(name).collect();
        let cost: Option<Vec<f64>> = self.cost.as_ref().map(|cost| {
            let share = |((channel, _), count): (&(u32, u32), &u64)| match all[*channel as usize] {
                0 => cost[*channel as usize],
                all => cost[*channel as usize] * (*count as f64 / all as f64),
            };
            touches.iter().map(share).collect()
        });
        let is_offline = |pair: &(u32, u32)| self.offline.get(pair.0 as usize).copied();
        let offline: Vec<bool> = touches.keys().filter_map(is_offline).collect();
        let new = Relabelled::new(&names, cost.as_deref(), &offline);
        let place: HashMap<(u32, u32), u32, FixedState> =
            touches.keys().zip(&new.recode).map(|(pair, code)| (*pair, *code)).collect();
        let pieces = self.pieces();
        for (piece, part) in pieces.iter().zip(&parts) {
            let codes: Vec<u32> = part.list.iter().map(|(pair, _)| place[pair]).collect();
            let start = if piece.start == 0 { 0 } else { kept.end[piece.start - 1] };
            for code in &mut kept.code[start..kept.end[piece.end - 1]] {
                *code = codes[*code as usize];
            }
        }
        self.set(kept);
        (self.cost, self.offline) = (new.cost, new.offline);
        self.relabel_as(new.labels);
        Ok(())
    }

    /// The journeys with the touches that were kept. What else there is of
    /// every touch is gathered here.
    pub(super) fn finish(self, run: &Run) -> Result<Journeys> {
        let from = self.from;
        let start = |j: usize| if j == 0 { 0 } else { self.end[j - 1] };
        Ok(Journeys {
            channels: self.channels,
            channel_count: self.channel_count,
            start: (0..self.end.len()).map(|j| start(j) as u32).collect(),
            len: self.end.iter().enumerate().map(|(j, end)| (end - start(j)) as u32).collect(),
            steps: self.code,
            times: gather(&from.times, &self.position, run)?,
            weight: gather(&from.weight, &self.position, run)?,
            campaign: gather(&from.campaign, &self.position, run)?,
            view: gather(&from.view, &self.position, run)?,
            ledger: Ledger::default(),
            cost: self.cost,
            offline: self.offline,
            conversions: from.conversions.clone(),
            nulls: from.nulls.clone(),
            value: from.value.clone(),
            customer: from.customer.clone(),
            end: from.end.clone(),
            expiry: from.expiry.clone(),
            conversion_kind: from.conversion_kind.clone(),
            place: from.place.clone(),
            segment: from.segment.clone(),
            customers: from.customers.clone(),
            campaigns: from.campaigns.clone(),
            kinds: from.kinds.clone(),
            places: from.places.clone(),
            segments: from.segments.clone(),
            timed: from.timed,
            has_value: from.has_value,
            touches: from.touches,
            late_touches: from.late_touches,
            late_conversions: from.late_conversions,
            dropped: from.dropped.clone(),
            observation_end: from.observation_end,
            lookback: from.lookback,
            merged: from.merged,
            gap: self.gap,
            period: from.period,
        })
    }
}

/// The values at these positions; none where there are none.
fn gather<T: Copy>(values: &[T], positions: &[u32], run: &Run) -> Result<Vec<T>> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut out = Vec::with_capacity(positions.len());
    for part in positions.chunks(CHUNK) {
        out.extend(part.iter().map(|at| values[*at as usize]));
        run.check()?;
    }
    Ok(out)
}

fn unknown(step: &str, channel: &str, labels: &[String]) -> Error {
    let mut some = labels[..labels.len().min(12)].join("`, `");
    if labels.len() > 12 {
        some.push_str("`, `…");
    }
    Error::option(step, format!("there is no channel `{channel}`; there are `{some}`"))
}
