//! Which channels meet on a path, and whether they gain by it.

use serde::{Deserialize, Serialize};

use super::cells::{MOST, tally};
use super::options::level_z;
use super::stats::{ratio, two_sided};
use super::{ChannelSet, Journeys, Report};
use crate::column::{Table, Text, Values};
use crate::run::Run;
use crate::{Error, Result};

/// Options of [`Journeys::overlap`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OverlapOptions {
    /// How many channels a set holds: 2 or 3. Default 2.
    pub size: usize,
    /// The channels to combine. Default: all.
    pub channels: Option<ChannelSet>,
    /// Sets on fewer journeys are left out, and not tested. Default 10.
    pub min_journeys: f64,
    /// What the intervals cover. Default 0.95.
    pub level: f64,
}

impl Default for OverlapOptions {
    fn default() -> Self {
        Self { size: 2, channels: None, min_journeys: 10.0, level: 0.95 }
    }
}

/// Where sets of one to three channels stand: in the order of the combinatorial number system.
#[derive(Clone, Copy)]
struct Sets {
    channels: usize,
    size: usize,
}

impl Sets {
    fn pairs(n: usize) -> usize {
        n * n.saturating_sub(1) / 2
    }

    fn triples(n: usize) -> usize {
        Self::pairs(n) * n.saturating_sub(2) / 3
    }

    fn len(self) -> usize {
        let n = self.channels;
        n + Self::pairs(n) + if self.size == 3 { Self::triples(n) } else { 0 }
    }

    /// The place of a set, its channels ascending.
    fn place(self, set: &[usize]) -> usize {
        let n = self.channels;
        match *set {
            [a] => a,
            [a, b] => n + Self::pairs(b) + a,
            [a, b, c] => n + Self::pairs(n) + Self::triples(c) + Self::pairs(b) + a,
            _ => 0,
        }
    }

    /// Hands on every set of some channels, which are ascending.
    fn each(self, of: &[usize], mut take: impl FnMut(usize)) {
        for (i, a) in of.iter().enumerate() {
            take(self.place(&[*a]));
            for (j, b) in of.iter().enumerate().skip(i + 1) {
                take(self.place(&[*a, *b]));
                if self.size == 3 {
                    of[j + 1..].iter().for_each(|c| take(self.place(&[*a, *b, *c])));
                }
            }
        }
    }

    /// All sets of the largest size, in the order of their channels.
    fn largest(self) -> Vec<Vec<usize>> {
        let n = self.channels;
        let pairs = (0..n).flat_map(|a| (a + 1..n).map(move |b| vec![a, b]));
        if self.size == 2 {
            return pairs.collect();
        }
        pairs.flat_map(|p| (p[1] + 1..n).map(move |c| vec![p[0], p[1], c])).collect()
    }
}

/// Journeys and conversions of every set.
struct Counts {
    sets: Sets,
    journeys: Vec<f64>,
    conversions: Vec<f64>,
    whole: f64,
}

/// One set of channels.
struct Row {
    set: Vec<usize>,
    journeys: f64,
    conversions: f64,
    expected: Option<f64>,
    std_error: Option<f64>,
    expected_journeys: f64,
    union: f64,
}

impl Row {
    fn rate(&self) -> f64 {
        self.conversions / self.journeys
    }

    fn synergy(&self) -> Option<f64> {
        Some(self.rate() - self.expected?)
    }

    fn z(&self) -> Option<f64> {
        Some(self.synergy()? / self.std_error?)
    }
}

impl Counts {
    /// Journeys and conversions with a channel, and without the others of a set.
    fn alone(&self, channel: usize, set: &[usize]) -> (f64, f64) {
        let others: Vec<usize> = set.iter().copied().filter(|c| *c != channel).collect();
        let of = |weights: &[f64]| {
            let at = |mut with: Vec<usize>| {
                with.push(channel);
                with.sort_unstable();
                weights[self.sets.place(&with)]
            };
            match others[..] {
                [a, b] => at(vec![]) - at(vec![a]) - at(vec![b]) + at(vec![a, b]),
                _ => at(vec![]) - at(others.clone()),
            }
        };
        (of(&self.journeys).max(0.0), of(&self.conversions).max(0.0))
    }

    /// Journeys with any channel of a set.
    fn union(&self, set: &[usize]) -> f64 {
        let mut signed = Vec::new();
        Sets { size: set.len(), ..self.sets }.each(set, |place| signed.push(place));
        let sign = |place: usize| {
            let odd =
                place < self.sets.channels || place >= self.sets.channels + Sets::pairs(self.sets.channels);
            if odd { 1.0 } else { -1.0 }
        };
        crate::math::exact_sum(signed.into_iter().map(|place| sign(place) * self.journeys[place]))
    }

    fn row(&self, set: Vec<usize>) -> Row {
        let place = self.sets.place(&set);
        let (journeys, conversions) = (self.journeys[place], self.conversions[place]);
        // With half a success and half a failure more, so that rates of 0 and 1 have a width.
        let spread = |k: f64, n: f64| {
            let p = (k + 0.5) / (n + 1.0);
            p * (1.0 - p) / n
        };
        let alone: Vec<(f64, f64)> = set.iter().map(|c| self.alone(*c, &set)).collect();
        let known = alone.iter().all(|(n, _)| *n > 0.0);
        let misses: Vec<f64> = alone.iter().map(|(n, k)| 1.0 - k / n).collect();
        let expected = known.then(|| 1.0 - misses.iter().product::<f64>());
        let std_error = known.then(|| {
            let others = |i: usize| {
                let rest = misses.iter().enumerate().filter(|(j, _)| *j != i);
                rest.map(|(_, m)| *m).product::<f64>()
            };
            let parts = alone.iter().enumerate().map(|(i, (n, k))| others(i) * others(i) * spread(*k, *n));
            (spread(conversions, journeys) + parts.sum::<f64>()).sqrt()
        });
        let reach = |c: &usize| self.journeys[self.sets.place(&[*c])] / self.whole;
        let expected_journeys = self.whole * set.iter().map(reach).product::<f64>();
        let union = self.union(&set);
        Row { set, journeys, conversions, expected, std_error, expected_journeys, union }
    }
}

impl Journeys {
    /// Sets of channels that meet on a path: how often, and what comes of it.
    ///
    /// The expected conversion rate is that of channels which act on their
    /// own: `1 − Π (1 − pᵢ)`, where pᵢ is the rate of the journeys with channel
    /// i and without the others of the set. `synergy` is what the observed
    /// rate has above it; its standard error is that of the delta method, each
    /// rate with half a conversion and half a null more. Journeys choose their
    /// channels, so a synergy is an association: keen customers touch more.
    ///
    /// The expected number of journeys is that of channels which meet by
    /// chance, `N Π nᵢ / N`; `lift` is observed to expected, `jaccard` the share
    /// of the journeys with any of the channels that have all of them.
    ///
    /// Table `overlap`: channels (joined by ` + `), channel_1, channel_2 (and
    /// channel_3), journeys, conversions, conversion_rate, expected_rate,
    /// synergy, std_error, low, high, z, p_value (two-sided), q_value (adjusted
    /// for the number of rows, Benjamini & Hochberg 1995), expected_journeys,
    /// lift, jaccard; most journeys first. What stands on rates alone is
    /// missing where a channel never occurs without the others.
    pub fn overlap(&self, options: &OverlapOptions, run: &Run) -> Result<Report> {
        if !(2..=3).contains(&options.size) {
            return Err(Error::option("size", format!("must be 2 or 3, not {}", options.size)));
        }
        let z = level_z(options.level)?;
        let labels = self.channel_labels();
        let mut codes = match &options.channels {
            Some(set) => set.codes("channels", &labels)?,
            None => (0..labels.len() as u32).collect(),
        };
        codes.sort_unstable();
        codes.dedup();
        let sets = Sets { channels: codes.len(), size: options.size };
        let cells = sets.len();
        if codes.len() > 10_000 || cells > MOST / 8 {
            let reason = format!("{} channels are too many for sets of {}", codes.len(), options.size);
            return Err(Error::option("channels", reason));
        }
        let mut place = vec![usize::MAX; labels.len()];
        codes.iter().enumerate().for_each(|(i, code)| place[*code as usize] = i);
        let room = || (vec![u32::MAX; codes.len()], Vec::new());
        let sums = tally(self, "count sets", 2 * (cells + 1), run, room, |range, (seen, found), add| {
            for j in range.filter(|j| self.len[*j] > 0) {
                found.clear();
                for c in self.path(j) {
                    let c = place[*c as usize];
                    if c != usize::MAX && std::mem::replace(&mut seen[c], j as u32) != j as u32 {
                        found.push(c);
                    }
                }
                found.sort_unstable();
                let (weight, conversions) = (self.conversions[j] + self.nulls[j], self.conversions[j]);
                add(2 * cells, weight);
                sets.each(found, |set| {
                    add(2 * set, weight);
                    if conversions > 0.0 {
                        add(2 * set + 1, conversions);
                    }
                });
            }
        })?;
        let half = |k: usize| sums.iter().skip(k).step_by(2).copied().take(cells).collect();
        let counts = Counts { sets, journeys: half(0), conversions: half(1), whole: sums[2 * cells] };
        let mut rows = Vec::new();
        for set in sets.largest() {
            let journeys = counts.journeys[sets.place(&set)];
            if journeys > 0.0 && journeys >= options.min_journeys {
                rows.push(counts.row(set));
            }
        }
        run.check()?;
        rows.sort_by(|a, b| b.journeys.total_cmp(&a.journeys));
        let label = |i: usize| labels[codes[i] as usize].as_str();
        Ok(Report::new(vec![("overlap", table(&rows, options.size, label, z))]))
    }
}

fn table<'a>(rows: &[Row], size: usize, label: impl Fn(usize) -> &'a str, z: f64) -> Table {
    let p: Vec<Option<f64>> = rows.iter().map(|row| row.z().map(two_sided)).collect();
    let q = crate::math::benjamini_hochberg(&p);
    let mut joined = Text::new();
    for row in rows {
        joined.push(&row.set.iter().map(|c| label(*c)).collect::<Vec<_>>().join(" + "));
    }
    let mut table = Table::new().with("channels", Values::Text(joined));
    for k in 0..size {
        let column = rows.iter().map(|row| label(row.set[k])).collect();
        table = table.with(&format!("channel_{}", k + 1), Values::Text(column));
    }
    let number = |f: &dyn Fn(&Row) -> f64| Values::F64(rows.iter().map(f).collect());
    let bound = |sign: f64| {
        let at = move |row: &Row| Some(row.synergy()? + sign * z * row.std_error?);
        rows.iter().map(at).collect::<Vec<_>>()
    };
    table
        .with("journeys", number(&|r| r.journeys))
        .with("conversions", number(&|r| r.conversions))
        .with("conversion_rate", number(&Row::rate))
        .with_optional("expected_rate", rows.iter().map(|r| r.expected))
        .with_optional("synergy", rows.iter().map(Row::synergy))
        .with_optional("std_error", rows.iter().map(|r| r.std_error))
        .with_optional("low", bound(-1.0))
        .with_optional("high", bound(1.0))
        .with_optional("z", rows.iter().map(Row::z))
        .with_optional("p_value", p)
        .with_optional("q_value", q)
        .with("expected_journeys", number(&|r| r.expected_journeys))
        .with_optional("lift", rows.iter().map(|r| ratio(r.journeys, r.expected_journeys)))
        .with_optional("jaccard", rows.iter().map(|r| ratio(r.journeys, r.union)))
}
