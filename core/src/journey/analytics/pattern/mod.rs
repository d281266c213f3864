//! Path patterns: who took such a path, what they did on it, and whether they convert more often.

mod automaton;
mod grammar;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use self::automaton::Automaton;
pub(super) use self::automaton::Room;
use super::cells::{MOST, whole_customers};
use super::holders::{Holders, columns};
use super::options::{level_z, quantile_names};
use super::stats::Waits;
use super::walk::{Entity, Walk, Walks};
use super::{CONVERSION, ChannelSet, Journeys, NULL_END, Report, START, SplitBy};
use crate::column::{Duration, Table, Text, Values};
use crate::journey::Repeats;
use crate::journey::counts::group_sums;
use crate::run::Run;
use crate::{Error, Result};

/// Options of [`Journeys::patterns`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PatternOptions {
    /// The patterns, 1 to 1,000.
    pub patterns: Vec<String>,
    /// Journeys or customers.
    pub by: Entity,
    /// The longest time from the first step of a match to its last touch or conversion. Default none.
    pub within: Option<Duration>,
    /// Whether a channel several times in a row counts once. Default `keep`.
    pub repeats: Repeats,
    /// What the report is split by.
    pub split_by: SplitBy,
    /// How many of the commonest matches to tell, by pattern and group. Default 10.
    pub matches: usize,
    /// Quantiles of the time that a match takes. Default 0.5 and 0.9.
    pub quantiles: Vec<f64>,
    /// What the intervals cover. Default 0.95.
    pub level: f64,
}

impl Default for PatternOptions {
    fn default() -> Self {
        Self {
            patterns: Vec::new(),
            by: Entity::default(),
            within: None,
            repeats: Repeats::Keep,
            split_by: SplitBy::default(),
            matches: 10,
            quantiles: vec![0.5, 0.9],
            level: 0.95,
        }
    }
}

/// Options of [`Journeys::matching`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MatchingOptions {
    /// The pattern.
    pub pattern: String,
    /// The longest time from the first step of a match to its last touch. Default none.
    pub within: Option<Duration>,
    /// Whether a channel several times in a row counts once. Default `keep`.
    pub repeats: Repeats,
    /// Keeps the journeys that do not match instead. Default false.
    pub invert: bool,
}

impl Default for MatchingOptions {
    fn default() -> Self {
        Self { pattern: String::new(), within: None, repeats: Repeats::Keep, invert: false }
    }
}

/// A pattern's matches on one journey or customer.
struct Match {
    pattern: u32,
    group: u32,
    weight: f64,
    converts: bool,
    occurrences: u32,
    /// From the first step to the last, of the first match.
    wait: Option<i64>,
    /// The steps of the first match.
    path: Vec<u32>,
}

#[derive(Default)]
struct Found {
    matches: Vec<Match>,
    /// Group, weight, and whether it converts, of all.
    walkers: Vec<(u32, f64, bool)>,
}

impl Journeys {
    /// Who took such a path, what they did on it, and whether they convert more often.
    ///
    /// A pattern is elements joined by `->`, in the order in which they follow one another:
    ///
    /// | element | takes |
    /// | --- | --- |
    /// | `email`, `"a -> b"` | a touch of that channel; quoted as in JSON where its label has signs |
    /// | `.` | any touch |
    /// | `[search\|social]`, `[^direct]` | a touch of any of these, of any other |
    /// | `.*`, `[email]+`, `"email"?` | none or more, one or more, one or none of them |
    /// | `(start)`, first | the beginning of the path |
    /// | `(conversion)` | the conversion; last, but for customers |
    /// | `(null)`, last | the end of a path without a conversion |
    ///
    /// A pattern may begin anywhere unless it says `(start)`; `ad -> search` is one right after
    /// the other, `ad -> .* -> search` with anything between. `.` and `[^…]` take touches only: what follows a
    /// conversion does so by name. Of several matches the first to end is taken,
    /// the shortest of those; the next begins after it. Takes `O(touches × elements)`.
    ///
    /// Tables: `patterns`: group, pattern, count (of paths that hold it), share (of all paths) with Wilson's score
    /// interval share_low and share_high, conversions, conversion_rate with its own, others_rate (of the
    /// paths without it), risk_ratio, low, high (Greenland & Robins 1985), z, p_value
    /// (Mantel & Haenszel 1959), q_value (Benjamini & Hochberg 1995), occurrences (matches, weighed),
    /// and the days_pN that the first match took, missing without times. Keen customers have
    /// longer paths, so a pattern's ratio tells no cause. `matches`: group, pattern, path (the steps of
    /// the first match), count, conversions; the commonest first.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Journeys, PathOptions, PatternOptions};
    ///
    /// let paths = Columns::new().with("path", vec!["ad > email > search", "search > ad", "ad > ad"]);
    /// let paths = paths.with("conversions", vec![2.0, 1.0, 0.0]).with("nulls", vec![1.0, 3.0, 1.0]);
    /// let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
    /// let journeys = Journeys::from_paths(&paths, &options, &Run::new())?;
    /// let patterns = vec!["ad -> .* -> search".into(), "ad -> (null)".into()];
    /// let found = journeys.patterns(&PatternOptions { patterns, ..PatternOptions::default() }, &Run::new())?;
    /// assert_eq!(found.table().f64s("count"), Some(&[3.0, 4.0][..]));
    /// assert_eq!(found.get("matches").and_then(|m| m.text("path", 0)).as_deref(), Some("ad > email > search"));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn patterns(&self, options: &PatternOptions, run: &Run) -> Result<Report> {
        let PatternOptions { patterns, by, within, repeats, split_by, .. } = options;
        split_by.check(self)?;
        by.check(self)?;
        let (z, names) = (level_z(options.level)?, quantile_names(&options.quantiles)?);
        if !(1..=1_000).contains(&patterns.len()) {
            return Err(Error::option(
                "patterns",
                format!("give 1 to 1000 patterns, not {}", patterns.len()),
            ));
        }
        let made: Vec<Automaton> =
            patterns.iter().map(|pattern| self.automaton(pattern, *by, *within)).collect::<Result<_>>()?;
        let groups = split_by.groups(self);
        if groups.saturating_mul(made.len()) > MOST {
            return Err(Error::option("split_by", "there are too many groups for so many patterns"));
        }
        let walks = Walks { by: *by, repeats: *repeats, split_by: *split_by };
        let pieces = whole_customers(self);
        run.stage("match patterns", self.steps.len() as u64)?;
        let parts = run.map_items(pieces.len(), |p| {
            let mut found = Found::default();
            let mut room = Room::default();
            walks.each(self, pieces[p].clone(), |walk, walker| {
                found.walkers.push((walker.group, walker.weight, walker.converts));
                for (pattern, automaton) in made.iter().enumerate() {
                    let first = self.first_match(automaton, walk, &mut room);
                    if let Some((occurrences, wait, path)) = first {
                        found.matches.push(Match {
                            pattern: pattern as u32,
                            group: walker.group,
                            weight: walker.weight,
                            converts: walker.converts,
                            occurrences,
                            wait,
                            path,
                        });
                    }
                }
            });
            run.advance(pieces[p].clone().map(|j| u64::from(self.len[j])).sum())?;
            Ok(found)
        })?;
        let mut found = Found::default();
        for part in parts {
            run.check()?;
            found.matches.extend(part.matches);
            found.walkers.extend(part.walkers);
        }
        Ok(self.tell(options, &found, z, &names))
    }

    /// The journeys whose path holds a pattern (see [`Journeys::patterns`]), or the others.
    ///
    /// A row counts for its conversions where the path that converts matches, and for its nulls
    /// where the one that does not. Like [`Journeys::of_kind`], what is kept is a part of customers' touches.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Journeys, MatchingOptions, PathOptions};
    ///
    /// let paths = Columns::new().with("path", vec!["ad > email", "email"]).with("conversions", vec![2.0, 1.0]);
    /// let journeys = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
    /// let options = MatchingOptions { pattern: "ad -> .*".into(), ..MatchingOptions::default() };
    /// assert_eq!(journeys.matching(&options, &Run::new())?.total_conversions(), 2.0);
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn matching(&self, options: &MatchingOptions, run: &Run) -> Result<Self> {
        let automaton = self.automaton(&options.pattern, Entity::Journey, options.within)?;
        run.stage("match a pattern", self.steps.len() as u64)?;
        let pieces = self.pieces();
        let parts = run.map_items(pieces.len(), |p| {
            let (mut walk, mut room) = (Walk::default(), Room::default());
            let mut holds = |j: usize, converts: bool| {
                walk.journey(self, j, converts, options.repeats);
                let mut any = false;
                self.each_match(&automaton, &walk, &mut room, |_, _| {
                    any = true;
                    false
                });
                f64::from(u8::from(any != options.invert))
            };
            let kept: Vec<[f64; 2]> = pieces[p]
                .clone()
                .map(|j| {
                    [(self.conversions[j], true), (self.nulls[j], false)]
                        .map(|(n, c)| if n > 0.0 { n * holds(j, c) } else { 0.0 })
                })
                .collect();
            run.advance(pieces[p].clone().map(|j| u64::from(self.len[j])).sum())?;
            Ok(kept)
        })?;
        let (conversions, nulls): (Vec<f64>, Vec<f64>) =
            parts.into_iter().flatten().map(|[conversions, nulls]| (conversions, nulls)).unzip();
        Ok(self.reweighted(&conversions, &nulls))
    }

    pub(super) fn automaton(&self, pattern: &str, by: Entity, within: Option<Duration>) -> Result<Automaton> {
        if within.is_some() {
            self.need_times("within")?;
        }
        let within = within.map(Duration::micros);
        Automaton::new(pattern, &self.channel_labels(), by == Entity::Customer, within)
    }

    /// The matches on a walk, which ends in `(null)` unless it ends with a conversion.
    pub(super) fn each_match(
        &self,
        automaton: &Automaton,
        walk: &Walk,
        room: &mut Room,
        take: impl FnMut(usize, usize) -> bool,
    ) {
        let conversion = self.channel_count as u32;
        let end = (walk.steps.last() != Some(&conversion)).then_some(conversion + 1);
        automaton.find(&walk.steps, &walk.times, end, room, take);
    }

    /// How many matches there are, and the wait and the steps of the first.
    fn first_match(
        &self,
        automaton: &Automaton,
        walk: &Walk,
        room: &mut Room,
    ) -> Option<(u32, Option<i64>, Vec<u32>)> {
        let (mut occurrences, mut first) = (0, None);
        self.each_match(automaton, walk, room, |from, to| {
            first = first.or(Some((from, to)));
            occurrences += 1;
            true
        });
        let (from, to) = first?;
        let end = self.channel_count as u32 + 1;
        let path = (from..=to).map(|at| walk.steps.get(at).copied().unwrap_or(end)).collect();
        let last = to.min(walk.times.len().saturating_sub(1));
        let wait = walk.times.get(from).map(|start| walk.times[last].saturating_sub(*start));
        Some((occurrences, wait, path))
    }

    fn tell(&self, options: &PatternOptions, found: &Found, z: f64, quantiles: &[String]) -> Report {
        let (groups, k) = (options.split_by.groups(self), options.patterns.len());
        let group_names = options.split_by.names(self);
        let sums = |of: &dyn Fn(&Match) -> f64| {
            let cells: Vec<u32> = found.matches.iter().map(|m| m.group * k as u32 + m.pattern).collect();
            group_sums(&cells, groups * k, &found.matches.iter().map(of).collect::<Vec<f64>>())
        };
        let walkers: Vec<u32> = found.walkers.iter().map(|w| w.0).collect();
        let whole = |of: &dyn Fn(&(u32, f64, bool)) -> f64| {
            group_sums(&walkers, groups, &found.walkers.iter().map(of).collect::<Vec<f64>>())
        };
        let count = sums(&|m| m.weight);
        let conversions = sums(&|m| if m.converts { m.weight } else { 0.0 });
        let occurrences = sums(&|m| m.weight * f64::from(m.occurrences));
        let (all, converted) = (whole(&|w| w.1), whole(&|w| if w.2 { w.1 } else { 0.0 }));
        let mut waits: Vec<Vec<(i64, f64)>> = vec![Vec::new(); groups * k];
        for m in &found.matches {
            waits[m.group as usize * k + m.pattern as usize].extend(m.wait.map(|wait| (wait, m.weight)));
        }
        let waits: Vec<Waits> = waits.into_iter().map(Waits::new).collect();
        let shown: Vec<usize> = (0..groups * k).filter(|at| groups == 1 || all[at / k] > 0.0).collect();
        let holders: Vec<Holders> = shown
            .iter()
            .map(|at| Holders {
                count: count[*at],
                conversions: conversions[*at],
                all: all[at / k],
                converted: converted[at / k],
            })
            .collect();
        let named = Table::new()
            .with("group", Values::Text(shown.iter().map(|at| &group_names[at / k]).collect()))
            .with("pattern", Values::Text(shown.iter().map(|at| &options.patterns[at % k]).collect()));
        let mut table = columns(named, &holders, z)
            .with("occurrences", Values::F64(shown.iter().map(|at| occurrences[*at]).collect()));
        for (q, name) in options.quantiles.iter().zip(quantiles) {
            table = table.with_optional(&format!("days_{name}"), shown.iter().map(|at| waits[*at].days(*q)));
        }
        Report::new(vec![("patterns", table), ("matches", self.commonest(options, found, &group_names))])
    }

    /// The commonest first matches of each group and pattern.
    fn commonest(&self, options: &PatternOptions, found: &Found, group_names: &[String]) -> Table {
        let mut places: HashMap<(u32, u32, &[u32]), u32> = HashMap::new();
        let mut kinds: Vec<(u32, u32, &[u32])> = Vec::new();
        let cells: Vec<u32> = found
            .matches
            .iter()
            .map(|m| {
                let kind = (m.group, m.pattern, &m.path[..]);
                *places.entry(kind).or_insert_with(|| {
                    kinds.push(kind);
                    kinds.len() as u32 - 1
                })
            })
            .collect();
        let weights = |only: bool| -> Vec<f64> {
            let of = |m: &Match| if only && !m.converts { 0.0 } else { m.weight };
            group_sums(&cells, kinds.len(), &found.matches.iter().map(of).collect::<Vec<f64>>())
        };
        let (count, conversions) = (weights(false), weights(true));
        let mut order: Vec<usize> = (0..kinds.len()).collect();
        order.sort_unstable_by(|a, b| {
            let of = |i: &usize| (kinds[*i].0, kinds[*i].1);
            of(a).cmp(&of(b)).then(count[*b].total_cmp(&count[*a])).then(kinds[*a].2.cmp(kinds[*b].2))
        });
        let mut seen = (u32::MAX, u32::MAX, 0);
        order.retain(|i| {
            let (group, pattern, _) = kinds[*i];
            seen = if (seen.0, seen.1) == (group, pattern) {
                (group, pattern, seen.2 + 1)
            } else {
                (group, pattern, 1)
            };
            seen.2 <= options.matches
        });
        let mut labels = self.channel_labels();
        labels.extend([CONVERSION, NULL_END].map(String::from));
        let path = |i: usize| {
            kinds[i].2.iter().map(|step| labels[*step as usize].as_str()).collect::<Vec<_>>().join(" > ")
        };
        Table::new()
            .with("group", Values::Text(order.iter().map(|i| &group_names[kinds[*i].0 as usize]).collect()))
            .with(
                "pattern",
                Values::Text(order.iter().map(|i| &options.patterns[kinds[*i].1 as usize]).collect()),
            )
            .with("path", Values::Text(order.iter().map(|i| path(*i)).collect::<Text>()))
            .with("count", Values::F64(order.iter().map(|i| count[*i]).collect()))
            .with("conversions", Values::F64(order.iter().map(|i| conversions[*i]).collect()))
    }
}
