//! Channels of the visits of a frame.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::quality::RandomState;
use serde::{Deserialize, Serialize};

use super::{ChannelRules, Classified, Origin, Visit};
use crate::column::{Columns, Intake, Labels, NULL, Names, OnInvalid, Table, Text, Values, intern_ints};
use crate::run::Run;
use crate::{Error, Result};

/// Columns and policies of [`group_channels`]. Without a column named, it is
/// not read; at least one must be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelOptions {
    /// Column of the landing page's address. Default none.
    pub landing_page: Option<String>,
    /// Column of the referrer's address. Default none.
    pub referrer: Option<String>,
    /// Column of the source, where it was read before. Default none.
    pub source: Option<String>,
    /// Column of the medium, where it was read before. Default none.
    pub medium: Option<String>,
    /// Column of the campaign, where it was read before. Default none.
    pub campaign: Option<String>,
    /// Columns of click ids that were read before, by parameter: `{"gclid":
    /// "gclid"}`. A row has the id where its column is not null; of several the
    /// first in the order of the parameters counts.
    pub click_ids: BTreeMap<String, String>,
    /// Column of Google Ads' ad network type. Default none.
    pub ad_network: Option<String>,
    /// Column of Display & Video 360's creative format. Default none.
    pub creative_format: Option<String>,
    /// Column of Search Ads 360's engine account type. Default none.
    pub account_type: Option<String>,
    /// The rules. Default [`ChannelRules::ga4`].
    pub rules: ChannelRules,
    /// Hosts of one's own, besides those of the rules.
    pub own_hosts: Vec<String>,
}

/// The channel of every row of a frame.
#[derive(Clone, Debug)]
pub struct ChannelGroups {
    /// For each row, which of the distinct visits it is.
    rows: Vec<u32>,
    visits: Visits,
    /// How many rows each distinct visit has, and the first.
    counts: Vec<u64>,
    firsts: Vec<u32>,
    columns: [Option<String>; 2],
}

/// The distinct visits, each with codes of its source, medium, campaign and channel.
#[derive(Clone, Debug, Default)]
struct Visits {
    codes: [Vec<u32>; 4],
    labels: [Interned; 4],
    flags: Vec<u8>,
}

const BAD_PAGE: u8 = 1;
const BAD_REFERRER: u8 = 2;
const GOES_ON: u8 = 4;
const UNKNOWN: u8 = 8;

#[derive(Clone, Debug, Default)]
struct Interned {
    text: Text,
    codes: HashMap<String, u32, RandomState>,
}

impl Interned {
    fn code(&mut self, label: Option<&str>) -> u32 {
        let Some(label) = label else { return NULL };
        if let Some(code) = self.codes.get(label) {
            return *code;
        }
        let code = self.text.len() as u32;
        self.text.push(label);
        self.codes.insert(label.to_owned(), code);
        code
    }
}

impl Visits {
    fn push(&mut self, visit: &Classified) {
        let words = [&visit.source, &visit.medium, &visit.campaign, &visit.channel];
        for ((codes, labels), word) in self.codes.iter_mut().zip(&mut self.labels).zip(words) {
            codes.push(labels.code(word.as_deref()));
        }
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        self.flags.push(
            flag(visit.bad_landing_page, BAD_PAGE)
                | flag(visit.bad_referrer, BAD_REFERRER)
                | flag(visit.channel.is_none(), GOES_ON)
                | flag(visit.origin == Origin::Unknown, UNKNOWN),
        );
    }

    fn append(&mut self, part: &Self) {
        for k in 0..4 {
            let labels = &mut self.labels[k];
            let new: Vec<u32> = part.labels[k].text.iter().map(|label| labels.code(Some(label))).collect();
            let recode = |code: &u32| new.get(*code as usize).copied().unwrap_or(NULL);
            self.codes[k].extend(part.codes[k].iter().map(recode));
        }
        self.flags.extend_from_slice(&part.flags);
    }
}

/// A column of the frame, and which field of a visit it is.
struct Column<'o> {
    names: Names,
    set: for<'v> fn(&mut Visit<'v>, Cow<'v, str>),
    parameter: Option<&'o str>,
}

/// Distinct visits in one piece of parallel work.
const PIECE: usize = 2_048;

/// Source, medium, campaign and channel of every row of a frame.
///
/// Each distinct visit (a pair of landing page and referrer, with the other
/// columns) is classified once. No row is lost and no address is an error:
/// what cannot be read is counted, see [`ChannelGroups::accounting`]. Errors:
/// [`Error::Column`] for a column that is missing or not text,
/// [`Error::Option`] where no column is named.
///
/// ```
/// use headwater::Run;
/// use headwater::column::Columns;
/// use headwater::journey::{ChannelOptions, group_channels};
///
/// let visits = Columns::new()
///     .with("url", vec!["https://shop.de/?gclid=abc", "https://shop.de/"])
///     .with("referrer", vec!["https://www.google.com/", "https://www.google.com/"]);
/// let options = ChannelOptions {
///     landing_page: Some("url".into()),
///     referrer: Some("referrer".into()),
///     ..ChannelOptions::default()
/// };
/// let channels = group_channels(&visits, &options, &Run::new())?.table();
/// assert_eq!(channels.text("channel", 0).as_deref(), Some("Paid Search"));
/// assert_eq!(channels.text("channel", 1).as_deref(), Some("Organic Search"));
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn group_channels(columns: &Columns, options: &ChannelOptions, run: &Run) -> Result<ChannelGroups> {
    let mut rules = options.rules.clone();
    for host in &options.own_hosts {
        rules = rules.with_own_host(host)?;
    }
    let read = read(columns, options, run)?;
    let rows = distinct(&read, columns.rows(), run)?;
    let (counts, firsts) = count(&rows, run)?;

    run.stage("classify visits", firsts.len() as u64)?;
    let parts = run.map_items(firsts.len().div_ceil(PIECE), |piece| {
        let mut part = Visits::default();
        for row in &firsts[piece * PIECE..firsts.len().min((piece + 1) * PIECE)] {
            let mut visit = Visit::default();
            for column in &read {
                let code = column.names.codes[*row as usize];
                match column.parameter {
                    _ if code == NULL => {}
                    Some(parameter) if visit.click_id.is_none() => visit.click_id = Some(parameter.into()),
                    Some(_) => {}
                    None => (column.set)(&mut visit, column.names.labels.get(code)),
                }
            }
            part.push(&rules.classify(&visit));
        }
        run.advance(part.flags.len() as u64)?;
        Ok(part)
    })?;
    let mut visits = Visits::default();
    for part in &parts {
        visits.append(part);
        run.check()?;
    }
    let columns = [options.landing_page.clone(), options.referrer.clone()];
    Ok(ChannelGroups { rows, visits, counts, firsts, columns })
}

fn read<'o>(columns: &Columns, options: &'o ChannelOptions, run: &Run) -> Result<Vec<Column<'o>>> {
    let mut intake = Intake::new(columns, OnInvalid::Error, run);
    let mut out: Vec<Column<'o>> = Vec::new();
    macro_rules! column {
        ($($field:ident),+) => {$(
            if let Some(name) = &options.$field {
                let names = intake.optional_names(name)?;
                out.push(Column { names, set: |visit, text| visit.$field = Some(text), parameter: None });
            }
        )+};
    }
    column!(landing_page, referrer, source, medium, campaign, ad_network, creative_format, account_type);
    for (parameter, name) in &options.click_ids {
        let mut names = intake.optional_names(name)?;
        // Which id it is makes no difference: one code for all that there are.
        names.codes.iter_mut().filter(|code| **code != NULL).for_each(|code| *code = 0);
        names.labels = Arc::new(Labels::Int(vec![1]));
        out.push(Column { names, set: |_, _| {}, parameter: Some(parameter) });
    }
    if out.is_empty() {
        return Err(Error::option(
            "landing_page",
            "name a column of landing pages, of referrers or of sources",
        ));
    }
    intake.finish().map_err(Error::undroppable)?;
    Ok(out)
}

/// One code a row: rows with the same codes in all columns have the same.
fn distinct(columns: &[Column<'_>], rows: usize, run: &Run) -> Result<Vec<u32>> {
    let mut codes: Option<(Vec<u32>, u64)> = None;
    for column in columns {
        let size = column.names.labels.len() as u64 + 1;
        let code = |row: usize| u64::from(column.names.codes[row]).min(size - 1);
        let (before, many) = match &codes {
            Some((before, many)) => (Some(before), *many),
            None => (None, 1),
        };
        let parts = run.map_chunks("pair addresses", rows, |range| {
            let pair = |row| (before.map_or(0, |b| u64::from(b[row])) * size + code(row)) as i64;
            Ok(range.map(pair).collect::<Vec<i64>>())
        })?;
        let pairs = parts.concat();
        // Two numbers of rows at most: their product fits 64 bits.
        debug_assert!(many.checked_mul(size).is_some());
        let named = intern_ints(&[&pairs], run)?;
        let Some(names) = named.into_iter().next() else { continue };
        codes = Some((names.codes, names.labels.len() as u64));
    }
    Ok(codes.map(|(codes, _)| codes).unwrap_or_default())
}

/// How often each code occurs, and where first.
fn count(codes: &[u32], run: &Run) -> Result<(Vec<u64>, Vec<u32>)> {
    let (mut counts, mut firsts) = (Vec::new(), Vec::new());
    for (part, codes) in codes.chunks(crate::run::CHUNK).enumerate() {
        for (i, code) in codes.iter().enumerate() {
            // Codes run in the order in which they are first seen.
            if *code as usize == counts.len() {
                counts.push(0);
                firsts.push((part * crate::run::CHUNK + i) as u32);
            }
            counts[*code as usize] += 1;
        }
        run.check()?;
    }
    Ok((counts, firsts))
}

impl ChannelGroups {
    /// One row a row of the frame: source, medium, campaign, channel; all
    /// missing in a visit that goes on.
    pub fn table(&self) -> Table {
        let column = |k: usize| {
            let codes = &self.visits.codes[k];
            let codes = self.rows.iter().map(|visit| codes[*visit as usize]).collect();
            Values::Names(Names { codes, labels: Arc::new(Labels::Text(self.visits.labels[k].text.clone())) })
        };
        Table::new()
            .with("source", column(0))
            .with("medium", column(1))
            .with("campaign", column(2))
            .with("channel", column(3))
    }

    /// The channels as a column for the touches of
    /// [`Journeys::from_events`](crate::journey::Journeys::from_events).
    pub fn channels(&self) -> Names {
        let codes = &self.visits.codes[3];
        let codes = self.rows.iter().map(|visit| codes[*visit as usize]).collect();
        Names { codes, labels: Arc::new(Labels::Text(self.visits.labels[3].text.clone())) }
    }

    /// How many rows each channel has: channel, visits, share, in the order of
    /// the labels. Visits that go on are not among them.
    pub fn summary(&self) -> Table {
        let labels = &self.visits.labels[3].text;
        let mut counts = vec![0; labels.len()];
        for (channel, count) in self.visits.codes[3].iter().zip(&self.counts) {
            if let Some(sum) = counts.get_mut(*channel as usize) {
                *sum += *count;
            }
        }
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by_key(|at| labels.get(*at));
        let total: u64 = counts.iter().sum();
        Table::new()
            .with("channel", Values::Text(order.iter().filter_map(|at| labels.get(*at)).collect()))
            .with("visits", Values::I64(order.iter().map(|at| counts[*at] as i64).collect()))
            .with("share", Values::F64(order.iter().map(|at| counts[*at] as f64 / total as f64).collect()))
    }

    /// What could not be read or goes on, as a table: column, reason, count,
    /// first_row. A row may stand under several reasons; all of them are in
    /// [`table`](Self::table) nonetheless.
    pub fn accounting(&self) -> Table {
        let columns = [&self.columns[0], &self.columns[1], &None, &None];
        let reasons = [
            (BAD_PAGE, "not an address"),
            (BAD_REFERRER, "not an address with a host"),
            (GOES_ON, "referred by an own host: the visit goes on"),
            (UNKNOWN, "source unknown: no address could be read"),
        ];
        let (mut column, mut reason) = (Text::new(), Text::new());
        let (mut count, mut first) = (Vec::new(), Vec::new());
        for ((flag, why), name) in reasons.into_iter().zip(columns) {
            let visits =
                || self.visits.flags.iter().enumerate().filter(|(_, f)| *f & flag != 0).map(|(v, _)| v);
            let Some(row) = visits().map(|v| self.firsts[v]).min() else { continue };
            column.push(name.as_deref().unwrap_or("source"));
            reason.push(why);
            count.push(visits().map(|v| self.counts[v]).sum::<u64>() as i64);
            first.push(i64::from(row));
        }
        Table::new()
            .with("column", Values::Text(column))
            .with("reason", Values::Text(reason))
            .with("count", Values::I64(count))
            .with("first_row", Values::I64(first))
    }
}
