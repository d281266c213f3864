//! The touch after which people leave more often than expected.

use serde::{Deserialize, Serialize};

use super::cells::{MOST, tally};
use super::options::level_z;
use super::stats::{MantelHaenszel, ratio, two_sided};
use super::{Journeys, Report, START};
use crate::column::{Duration, Table, Values};
use crate::journey::Moment;
use crate::run::Run;
use crate::{Error, Result};

/// Options of [`Journeys::friction`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FrictionOptions {
    /// Touches from this one on are one stratum; 1 to 1,000. Default 20.
    pub max_step: usize,
    /// Channels and transitions with fewer touches are left out. Default 20.
    pub min_visits: f64,
    /// Whether to test transitions too. Default true.
    pub transitions: bool,
    /// How long after its last touch an open journey is over: one that is not
    /// over by the end of observation has not left yet, and its last touch
    /// does not count; so have not those that were built as censored. With 0
    /// every other open journey is over. Default: as long as the windows that
    /// the journeys were built with. Journeys from paths are over.
    pub lookback: Option<Duration>,
    /// The end of observation. Default: that of the build.
    pub observation_end: Option<Moment>,
    /// What the intervals cover. Default 0.95.
    pub level: f64,
}

impl Default for FrictionOptions {
    fn default() -> Self {
        Self {
            max_step: 20,
            min_visits: 20.0,
            transitions: true,
            lookback: None,
            observation_end: None,
            level: 0.95,
        }
    }
}

/// A channel, or a transition to it, against its strata.
struct Tested {
    from: usize,
    channel: usize,
    found: MantelHaenszel,
}

impl Journeys {
    /// The touch after which people leave more often than expected.
    ///
    /// A visit is a touch; it is an exit when its journey ends there without a
    /// conversion, and is over. A channel's exits are held against those expected had it
    /// the exit rate of all touches of the same number in their journeys
    /// (strata by step, since people leave early or late for reasons of their
    /// own); a transition's against those at the same channel and step, so
    /// that it shows what coming from there adds. The test is that of Mantel &
    /// Haenszel 1959 without a correction of continuity. Given the strata, each
    /// touch is taken to be left or not on its own: people who differ in their
    /// patience and in their channels will show as friction.
    ///
    /// Tables: `friction`: channel, visits, exits, exit_rate, expected_rate,
    /// excess (exits above the expected), risk_ratio (against the other
    /// touches), low, high, z, p_value (two-sided), q_value (adjusted for the
    /// number of rows, Benjamini & Hochberg 1995); highest z first. `transitions`:
    /// from, to, and the same, of those with another way to the channel at
    /// their step. A channel that alone fills its strata has no test.
    ///
    /// An [`Error::NotEnoughData`] where there are open journeys and none is over.
    pub fn friction(&self, options: &FrictionOptions, run: &Run) -> Result<Report> {
        let (n, strata) = (self.channel_count, options.max_step);
        if !(1..=1_000).contains(&strata) {
            return Err(Error::option("max_step", format!("must be 1 to 1000, not {strata}")));
        }
        let z = level_z(options.level)?;
        if options.lookback.is_some() {
            self.need_times("lookback")?;
        }
        let until = self.observed_until(options.observation_end);
        // Censored journeys are not over, whatever else is taken to be.
        let over =
            |j: usize| !self.is_censored(j) && (!self.timed || self.expires(j, options.lookback) <= until);
        let mut open = (0..self.len()).filter(|j| self.len[*j] > 0 && self.open_weight(*j) > 0.0).peekable();
        if open.peek().is_some() && !open.any(over) {
            return Err(Error::not_enough_data(
                "no open journey is over by the end of observation, so nobody is known to have left: pass a \
                 shorter `lookback`, after which one is over",
            ));
        }
        // Where touches come from: another channel, the same, or the start. Without transitions all are one.
        let froms = if options.transitions { n + 1 } else { 1 };
        let cells = n * froms * strata * 2;
        if cells > MOST {
            let reason = format!(
                "{n} channels are too many for {strata} steps: lower `max_step` or pass transitions=false"
            );
            return Err(Error::option("transitions", reason));
        }
        let sums = tally(
            self,
            "count exits",
            cells,
            run,
            || (),
            |range, (), add| {
                for j in range {
                    let (path, stays, leaves) = (self.path(j), self.conversions[j], self.open_weight(j));
                    let (mut from, is_over) = (n, over(j));
                    for (i, c) in path.iter().enumerate() {
                        let came = if froms == 1 { 0 } else { from };
                        let cell = ((*c as usize * froms + came) * strata + i.min(strata - 1)) * 2;
                        let ends = i + 1 == path.len();
                        if !ends || is_over {
                            add(cell, stays + leaves);
                        } else {
                            add(cell, stays);
                        }
                        if ends && is_over {
                            add(cell + 1, leaves);
                        }
                        from = *c as usize;
                    }
                }
            },
        )?;
        let at = |channel: usize, from: usize, step: usize| {
            let cell = ((channel * froms + from) * strata + step) * 2;
            (sums[cell], sums[cell + 1])
        };
        let total = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
            pairs.fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1))
        };
        let at_channel: Vec<Vec<(f64, f64)>> = (0..n)
            .map(|c| (0..strata).map(|s| total(&mut (0..froms).map(|f| at(c, f, s)))).collect())
            .collect();
        let all: Vec<(f64, f64)> = (0..strata).map(|s| total(&mut at_channel.iter().map(|c| c[s]))).collect();
        let channels = (0..n).map(|channel| {
            let mut found = MantelHaenszel::default();
            for (mine, all) in at_channel[channel].iter().zip(&all) {
                found.add(mine.0, mine.1, all.0, all.1);
            }
            Tested { from: 0, channel, found }
        });
        let labels = self.channel_labels();
        let mut tables = vec![("friction", tested(channels.collect(), "channel", &labels, options, z))];
        if options.transitions {
            run.check()?;
            let pairs = (0..n).flat_map(|channel| (0..froms).map(move |from| (channel, from)));
            let pairs = pairs.map(|(channel, from)| {
                let mut found = MantelHaenszel::default();
                for (step, all) in at_channel[channel].iter().enumerate() {
                    let mine = at(channel, from, step);
                    if mine.0 < all.0 {
                        found.add(mine.0, mine.1, all.0, all.1);
                    }
                }
                Tested { from, channel, found }
            });
            tables.push(("transitions", tested(pairs.collect(), "to", &labels, options, z)));
        }
        Ok(Report::new(tables))
    }
}

fn tested(mut rows: Vec<Tested>, name: &str, labels: &[String], options: &FrictionOptions, z: f64) -> Table {
    rows.retain(|row| row.found.visits > 0.0 && row.found.visits >= options.min_visits);
    let rank = |row: &Tested| row.found.z().unwrap_or(f64::NEG_INFINITY);
    rows.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
    let p: Vec<Option<f64>> = rows.iter().map(|row| row.found.z().map(two_sided)).collect();
    let q = crate::math::benjamini_hochberg(&p);
    let label = |code: usize| labels.get(code).map_or(START, String::as_str);
    let number = |f: &dyn Fn(&MantelHaenszel) -> f64| Values::F64(rows.iter().map(|r| f(&r.found)).collect());
    let interval = |row: &Tested| row.found.ratio(z).and_then(|r| r.1);
    let mut table = Table::new();
    if name == "to" {
        table = table.with("from", Values::Text(rows.iter().map(|row| label(row.from)).collect()));
    }
    table
        .with(name, Values::Text(rows.iter().map(|row| label(row.channel)).collect()))
        .with("visits", number(&|f| f.visits))
        .with("exits", number(&|f| f.exits))
        .with_optional("exit_rate", rows.iter().map(|r| ratio(r.found.exits, r.found.visits)))
        .with_optional("expected_rate", rows.iter().map(|r| ratio(r.found.expected, r.found.visits)))
        .with("excess", number(&|f| f.exits - f.expected))
        .with_optional("risk_ratio", rows.iter().map(|r| r.found.ratio(z).map(|r| r.0)))
        .with_optional("low", rows.iter().map(|r| interval(r).map(|i| i.0)))
        .with_optional("high", rows.iter().map(|r| interval(r).map(|i| i.1)))
        .with_optional("z", rows.iter().map(|r| r.found.z()))
        .with_optional("p_value", p.iter().copied())
        .with_optional("q_value", q.iter().copied())
}
