//! Channels and the campaigns within them: one set of journeys on two levels.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Journeys;
use super::transform::Relabelled;
use crate::column::{Cells, Column, Columns, Intake, Kind, OnInvalid, Table, Text, Values};
use crate::math::{ExactSum, exact_sum};
use crate::run::Run;
use crate::{Error, Result};

/// Which channel a fine label belongs to.
///
/// Journeys are on the fine level where their channels are labels such as
/// `search / brand`, as [`Journeys::by_campaign`] makes them, or names that a
/// list puts under a channel. A [`Hierarchy`]
/// knows the channel of each.
///
/// | | level | |
/// | --- | --- | --- |
/// | [`Journeys::roll_up`] | fine → channels | the same journeys with channels as steps |
/// | [`Hierarchy::drill_down`] | credits of the fine level | channel, campaign, credits, share of the channel |
/// | [`Hierarchy::drill_down`] with the channels' own credits | both | the channels' credits, shared out by the fine ones |
/// | [`Hierarchy::total`] | credits of the fine level → channels | exact sums over campaigns |
///
/// A model that splits every journey by itself (the rules) gives a channel the
/// same on both levels. A model of all journeys together (Markov, Shapley)
/// does not: the removal of a channel is not the removal of its campaigns one
/// by one. Then the two credits are two answers, and `drill_down` with the
/// channels' credits keeps the answer on channels and asks the fine level only
/// how to share it out. In either way the sum over a channel's campaigns is
/// the channel to the last bit, if sums are exact.
///
/// A label that `channels` lists is a campaign of that channel. Of any other,
/// what stands before the first separator is the channel and the rest is the
/// campaign, white space around them cut; a label without a separator is a
/// channel without campaigns.
///
/// In JSON `{"separator": "/", "channels": {"search": ["gads_brand"]}}`.
///
/// ```
/// use headwater::journey::Hierarchy;
///
/// let levels = Hierarchy::default();
/// assert_eq!(levels.split("search / brand"), ("search".into(), Some("brand".into())));
/// assert_eq!(levels.split("direct"), ("direct".into(), None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hierarchy {
    /// What stands between channel and campaign. Default `"/"`.
    pub separator: String,
    /// Fine labels by channel. Default none.
    pub channels: BTreeMap<String, Vec<String>>,
}

impl Default for Hierarchy {
    fn default() -> Self {
        Self { separator: "/".into(), channels: BTreeMap::new() }
    }
}

/// The columns of credits that add up.
const ADDITIVE: [&str; 5] = ["conversions", "value", "cost", "touches", "nulls"];

/// The columns of credits that have bounds where they were bootstrapped.
const BOUNDED: [&str; 4] = ["conversions", "value", "roas", "cpa"];

/// The names of the bounds of a column.
fn bounds(name: &str) -> [String; 2] {
    ["low", "high"].map(|side| format!("{name}_{side}"))
}

impl Hierarchy {
    /// The channel of a fine label, and the campaign if it is one.
    pub fn split<'l>(&'l self, label: &'l str) -> (Cow<'l, str>, Option<Cow<'l, str>>) {
        let listed = self.channels.iter().find(|(_, labels)| labels.iter().any(|l| l == label));
        if let Some((channel, _)) = listed {
            return (channel.into(), Some(label.into()));
        }
        match label.split_once(&*self.separator) {
            Some((channel, campaign)) if !self.separator.is_empty() => {
                let (channel, campaign) = (channel.trim(), campaign.trim());
                (channel.into(), (!campaign.is_empty()).then(|| campaign.into()))
            }
            _ => (label.into(), None),
        }
    }

    fn check(&self) -> Result<()> {
        if self.separator.is_empty() && self.channels.is_empty() {
            return Err(Error::option("separator", "must not be empty where no channels are listed"));
        }
        let mut seen = BTreeMap::new();
        for (channel, labels) in &self.channels {
            for label in labels {
                if let Some(other) = seen.insert(label, channel).filter(|other| *other != channel) {
                    return Err(Error::option(
                        "channels",
                        format!("`{label}` is in `{other}` and in `{channel}`"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Credits of the fine level by channel and campaign.
    ///
    /// `fine` is a table of credits with a column `channel` of fine labels, as
    /// [`Attribution::table`](crate::attribution::Attribution::table) gives it.
    /// Result: the other columns of text (`model`), channel, campaign (missing
    /// for a channel without campaigns), those of conversions, value, cost,
    /// touches and nulls that are there, share_of_channel (of its conversions;
    /// missing where it has none), and roas and cpa where cost is there; in the
    /// order of model, channel and campaign. Bounds of conversions, value, roas
    /// and cpa stay with them; they are missing where several labels are one
    /// campaign, whose bounds do not add up.
    ///
    /// With `channels`, a table of the same models' credits of channels, the
    /// conversions and value of each channel are shared out over its campaigns
    /// in proportion to the fine credits; in equal parts where these are all 0.
    /// Bounds are of other numbers then, and left out.
    /// Errors: [`Error::Column`] where a table has no such columns, or a
    /// channel stands in one of them only.
    pub fn drill_down(&self, fine: &Table, channels: Option<&Table>) -> Result<Table> {
        self.check()?;
        let mut rows = self.rows(fine, true)?;
        if let Some(channels) = channels {
            let coarse = Self::default_rows(channels)?;
            share_out(&mut rows, &coarse)?;
            rows.bounds.clear();
        }
        Ok(rows.table(true))
    }

    /// The sums over the campaigns of every channel: the other columns of text,
    /// channel, and the columns that add up, and roas and cpa where cost is there.
    pub fn total(&self, fine: &Table) -> Result<Table> {
        self.check()?;
        Ok(self.rows(fine, false)?.table(false))
    }

    /// [`drill_down`](Self::drill_down) of credits that stand in frames.
    pub fn drill_down_frame(&self, fine: &Columns, channels: Option<&Columns>, run: &Run) -> Result<Table> {
        let channels = channels.map(|c| credits(c, run)).transpose()?;
        self.drill_down(&credits(fine, run)?, channels.as_ref())
    }

    fn default_rows(table: &Table) -> Result<Rows> {
        // Labels of channels, as they stand.
        Self { separator: String::new(), channels: BTreeMap::new() }.rows(table, false)
    }

    fn rows(&self, table: &Table, campaigns: bool) -> Result<Rows> {
        let Some(label) = table.get("channel").filter(|c| is_text(c)) else {
            return Err(Error::column("channel", "is not in this table of credits"));
        };
        let names: Vec<&str> = ADDITIVE.into_iter().filter(|name| table.f64s(name).is_some()).collect();
        if !names.contains(&"conversions") {
            return Err(Error::column("conversions", "is not in this table of credits"));
        }
        let keys: Vec<&Column> =
            table.columns().iter().filter(|c| is_text(c) && c.name != "channel").collect();
        let mut order: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        // The sums of each, and its rows.
        let mut groups: BTreeMap<Key, (Vec<Option<ExactSum>>, Vec<usize>)> = BTreeMap::new();
        for row in 0..table.rows() {
            let text = |name: &str| table.text(name, row).unwrap_or_default().into_owned();
            let key: Vec<String> = keys.iter().map(|c| text(&c.name)).collect();
            let next = order.len();
            let at = *order.entry(key).or_insert(next);
            let label = text(&label.name);
            let (channel, campaign) = self.split(&label);
            let campaign = campaign.filter(|_| campaigns).map(Cow::into_owned);
            let (sums, rows) = groups
                .entry(Key { at, channel: channel.into_owned(), campaign })
                .or_insert_with(|| (vec![None; names.len()], Vec::new()));
            rows.push(row);
            for (sum, name) in sums.iter_mut().zip(&names) {
                if let Some(number) = number(table, name, row) {
                    sum.get_or_insert_with(ExactSum::new).add(number);
                }
            }
        }
        let bounded = BOUNDED.iter().flat_map(|name| bounds(name));
        let bounded = bounded.filter(|name| campaigns && table.f64s(name).is_some()).map(|name| {
            let only = |rows: &[usize]| match rows {
                [row] => number(table, &name, *row),
                _ => None,
            };
            let numbers = groups.values().map(|(_, rows)| only(rows)).collect();
            (name, numbers)
        });
        let bounds = bounded.collect();
        let mut key_texts = vec![Vec::new(); order.len()];
        for (texts, at) in order {
            key_texts[at] = texts;
        }
        Ok(Rows {
            key_names: keys.iter().map(|c| c.name.clone()).collect(),
            key_texts,
            names: names.into_iter().map(str::to_owned).collect(),
            all: groups
                .into_iter()
                .map(|(key, (sums, _))| (key, sums.iter().map(|s| s.as_ref().map(ExactSum::value)).collect()))
                .collect(),
            bounds,
        })
    }
}

/// The columns of a frame that say something about credits.
fn credits(columns: &Columns, run: &Run) -> Result<Table> {
    let mut intake = Intake::new(columns, OnInvalid::Error, run);
    let mut table = Table::new();
    let bounded: Vec<String> = BOUNDED.iter().flat_map(|name| bounds(name)).collect();
    let wanted = |name: &str| ADDITIVE.contains(&name) || bounded.iter().any(|bound| bound == name);
    for name in columns.column_names() {
        let data = columns.require(name)?;
        match data.kind() {
            Kind::Text => table = table.with(name, Values::Names(intake.optional_names(name)?)),
            Kind::Int | Kind::Float | Kind::Null if wanted(name) => {
                let mut numbers = Vec::with_capacity(data.len());
                for chunk in &data.chunks {
                    let chunk = chunk.plain();
                    numbers.extend((0..chunk.rows).map(|row| match &chunk.cells {
                        _ if !chunk.valid.at(row) => None,
                        Cells::F64(values) => Some(values[row]).filter(|x| !x.is_nan()),
                        Cells::I64(values) => Some(values[row] as f64),
                        _ => None,
                    }));
                }
                table = table.with_optional(name, numbers);
            }
            _ => {}
        }
    }
    intake.finish().map_err(Error::undroppable)?;
    Ok(table)
}

fn is_text(column: &Column) -> bool {
    matches!(column.values, Values::Text(_) | Values::Names(_))
}

fn number(table: &Table, name: &str, row: usize) -> Option<f64> {
    let column = table.get(name)?;
    let there = column.valid.as_ref().is_none_or(|valid| valid[row]);
    table.f64s(name).filter(|_| there).map(|values| values[row])
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// Which set of keys, by first appearance.
    at: usize,
    channel: String,
    campaign: Option<String>,
}

/// Credits by channel and campaign.
struct Rows {
    key_names: Vec<String>,
    key_texts: Vec<Vec<String>>,
    names: Vec<String>,
    all: Vec<(Key, Vec<Option<f64>>)>,
    /// Columns of bounds, a number for each of `all`.
    bounds: Vec<(String, Vec<Option<f64>>)>,
}

impl Rows {
    fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    /// The rows of one channel, from `first`.
    fn channel(&self, first: usize) -> std::ops::Range<usize> {
        let key = &self.all[first].0;
        let same = |(k, _): &&(Key, Vec<Option<f64>>)| k.at == key.at && k.channel == key.channel;
        first..first + self.all[first..].iter().take_while(same).count()
    }

    fn table(&self, campaigns: bool) -> Table {
        let mut table = Table::new();
        for (k, name) in self.key_names.iter().enumerate() {
            table = table.with(
                name,
                Values::Text(self.all.iter().map(|(key, _)| &self.key_texts[key.at][k]).collect()),
            );
        }
        table = table.with("channel", Values::Text(self.all.iter().map(|(key, _)| &key.channel).collect()));
        if campaigns {
            let texts: Text =
                self.all.iter().map(|(key, _)| key.campaign.as_deref().unwrap_or_default()).collect();
            let there = self.all.iter().map(|(key, _)| key.campaign.is_some()).collect();
            table = table.push("campaign", Values::Text(texts), Some(there));
        }
        for (k, name) in self.names.iter().enumerate() {
            table = table.with_optional(name, self.all.iter().map(|(_, numbers)| numbers[k]));
            table = self.bounded(table, name);
        }
        if campaigns {
            table = table.with_optional("share_of_channel", self.shares());
        }
        let (Some(cost), Some(conversions)) = (self.column("cost"), self.column("conversions")) else {
            return table;
        };
        let ratio = |a: Option<f64>, b: Option<f64>| Some(a? / b.filter(|b| *b > 0.0)?);
        let value = self.column("value");
        let roas = self.all.iter().map(|(_, n)| ratio(value.and_then(|v| n[v]), n[cost]));
        let cpa = self.all.iter().map(|(_, n)| ratio(n[cost], n[conversions]));
        let table = self.bounded(table.with_optional("roas", roas), "roas");
        self.bounded(table.with_optional("cpa", cpa), "cpa")
    }

    /// The table with the bounds of a column, where they are known.
    fn bounded(&self, mut table: Table, name: &str) -> Table {
        for bound in bounds(name) {
            if let Some((_, numbers)) = self.bounds.iter().find(|(known, _)| *known == bound) {
                table = table.with_optional(&bound, numbers.iter().copied());
            }
        }
        table
    }

    fn shares(&self) -> Vec<Option<f64>> {
        let Some(conversions) = self.column("conversions") else { return vec![None; self.all.len()] };
        let mut out = Vec::with_capacity(self.all.len());
        while out.len() < self.all.len() {
            let rows = &self.all[self.channel(out.len())];
            let total = exact_sum(rows.iter().filter_map(|(_, n)| n[conversions]));
            out.extend(rows.iter().map(|(_, n)| n[conversions].filter(|_| total > 0.0).map(|x| x / total)));
        }
        out
    }
}

/// Shares the channels' conversions and value out over the rows of each.
fn share_out(rows: &mut Rows, coarse: &Rows) -> Result<()> {
    if rows.key_names != coarse.key_names {
        return Err(Error::column("model", "stands in one of the two tables only"));
    }
    let mut met = 0;
    let mut first = 0;
    while first < rows.all.len() {
        let range = rows.channel(first);
        let key = &rows.all[first].0;
        let texts = &rows.key_texts[key.at];
        let of =
            |(k, _): &&(Key, Vec<Option<f64>>)| k.channel == key.channel && coarse.key_texts[k.at] == *texts;
        let Some((_, whole)) = coarse.all.iter().find(of) else {
            return Err(Error::column(
                "channel",
                format!("`{}` is not among the channels' credits", key.channel),
            ));
        };
        met += 1;
        for name in ["conversions", "value"] {
            let (Some(k), Some(c)) = (rows.column(name), coarse.column(name)) else { continue };
            if let Some(whole) = whole[c] {
                let parts: Vec<f64> =
                    rows.all[range.clone()].iter().map(|(_, n)| n[k].unwrap_or(0.0)).collect();
                for (row, part) in range.clone().zip(shared(whole, &parts)) {
                    rows.all[row].1[k] = Some(part);
                }
            }
        }
        first = range.end;
    }
    if met == coarse.all.len() {
        return Ok(());
    }
    Err(Error::column("channel", "the channels' credits have channels that the fine level has not"))
}

/// `whole` in proportion to `parts`, so that the exact sum is `whole` again.
fn shared(whole: f64, parts: &[f64]) -> Vec<f64> {
    let total = exact_sum(parts.iter().copied());
    let share = |part: &f64| if total == 0.0 { whole / parts.len() as f64 } else { whole * (part / total) };
    let mut out: Vec<f64> = parts.iter().map(share).collect();
    let mut order: Vec<usize> = (0..out.len()).collect();
    order.sort_by(|a, b| out[*b].abs().total_cmp(&out[*a].abs()).then(a.cmp(b)));
    // What rounding left over goes to the largest part, and where that is too coarse to take it, to the next.
    for at in order {
        if exact_sum(out.iter().copied()) == whole {
            break;
        }
        let rest = exact_sum(out.iter().map(|x| -x).chain([whole]));
        if (out[at] + rest) * out[at] >= 0.0 {
            out[at] += rest;
        }
    }
    out
}

impl Journeys {
    /// The same journeys on the level of channels: every step is the channel
    /// of its label. Costs of a channel's campaigns add up.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Hierarchy, Journeys, PathOptions};
    ///
    /// let paths = Columns::new()
    ///     .with("path", vec!["search/brand > email/welcome", "search/generic > email/welcome"])
    ///     .with("conversions", vec![2.0, 1.0]);
    /// let fine = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
    /// let channels = fine.roll_up(&Hierarchy::default())?;
    /// let paths = channels.paths(&Run::new())?;
    /// assert_eq!(paths.text("path", 0).as_deref(), Some("search > email"));
    /// assert_eq!(paths.f64s("conversions"), Some(&[3.0][..]));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn roll_up(&self, hierarchy: &Hierarchy) -> Result<Self> {
        hierarchy.check()?;
        let names: Vec<String> =
            self.channel_labels().iter().map(|label| hierarchy.split(label).0.into_owned()).collect();
        if let Some(at) = names.iter().position(String::is_empty) {
            let label = self.channel_label(at as u32);
            return Err(Error::option("separator", format!("`{label}` has no channel before its separator")));
        }
        let new = Relabelled::new(&names, self.cost.as_deref(), &self.offline);
        let mut out = self.clone();
        for step in &mut out.steps {
            *step = new.recode[*step as usize];
        }
        out.channel_count = new.labels.len();
        out.channels = Some(Arc::new(new.labels));
        (out.cost, out.offline) = (new.cost, new.offline);
        // Its codes are those of the old channels.
        out.ledger.campaign_cost.clear();
        Ok(out)
    }
}
