//! A rule of one's own, as a function from a journey's touches to their weights.
//!
//! The function is called once for each distinct journey that converts; what it
//! said is kept, and looked up wherever the rule is applied: to the journeys, to
//! parts of them and to samples drawn from them.

use std::sync::Arc;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::learned::rows::{Sequences, collapse, hash};
use crate::column::{DAY, NULL, Table, Text, Values};
use crate::journey::{Journey, Journeys};
use crate::run::Run;
use crate::{Error, Result};

/// One touch, as a rule of one's own sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Touch<'a> {
    /// The channel.
    pub channel: &'a str,
    /// Its place in the journey, from 1.
    pub position: usize,
    /// How many touches the journey has.
    pub touches: usize,
    /// How long before the conversion, in days; `None` where journeys come from paths.
    pub age: Option<f64>,
    /// The campaign, where campaigns were read.
    pub campaign: Option<&'a str>,
    /// The kind of the conversion, where kinds were read.
    pub kind: Option<&'a str>,
}

/// A rule of one's own, as a function: each touch has its part of the weights
/// that the function gives to its journey; where all are 0, all have the same.
///
/// In JSON `{"model": "callback", "name": "mine"}`, which is without weights until
/// [`Given::rules`](super::Given) brings them.
///
/// ```
/// use headwater::Run;
/// use headwater::attribution::{AttributeOptions, Callback, Model, attribute};
/// use headwater::column::Columns;
/// use headwater::journey::{Journeys, PathOptions};
///
/// let paths = Columns::new().with("path", vec!["a > b > c", "a"]).with("conversions", vec![4.0, 1.0]);
/// let journeys = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
/// let rule = Callback::new("the first two", &[&journeys], &Run::new(), |touches| {
///     Ok(touches.iter().map(|t| if t.position <= 2 { 1.0 } else { 0.0 }).collect())
/// })?;
/// let options = AttributeOptions { models: vec![Model::Callback(rule)], bootstrap: 10, ..Default::default() };
/// let credit = attribute(&journeys, &options, &Run::new())?.table();
/// assert_eq!(credit.f64s("conversions"), Some(&[3.0, 2.0, 0.0][..]));
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// What stands in the model's name where there are several.
    name: String,
    #[serde(skip)]
    known: Option<Arc<Known>>,
}

impl PartialEq for Callback {
    fn eq(&self, other: &Self) -> bool {
        let said = |c: &Self| c.known.as_ref().map(|k| (Arc::clone(&k.asked), k.weights.clone()));
        self.name == other.name && said(self) == said(other)
    }
}

/// The distinct journeys that a function is asked about.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    /// Sorted: channels, campaigns, kinds of conversions.
    labels: [Vec<String>; 3],
    /// In lexicographic order; see [`Codes::write`].
    keys: Sequences,
}

/// What the function said.
#[derive(Debug)]
pub(super) struct Known {
    asked: Arc<Asked>,
    index: HashTable<u32>,
    /// A weight for each touch of the distinct journeys, end to end.
    weights: Vec<f64>,
}

/// Numbers in front of a key, and for each of its touches.
const HEAD: usize = 2;
const WIDTH: usize = 4;

/// From the codes of some journeys to those of the labels.
#[derive(Clone, Debug)]
pub(super) struct Codes([Vec<u32>; 3]);

fn labels(journeys: &Journeys) -> [Vec<String>; 3] {
    [journeys.channel_labels(), journeys.campaign_labels(), journeys.kind_labels()]
}

impl Codes {
    fn new(known: &[Vec<String>; 3], journeys: &Journeys) -> Self {
        let mut mine = labels(journeys).into_iter();
        Self(known.each_ref().map(|known| {
            let code = |label: String| known.binary_search(&label).map_or(NULL, |c| c as u32);
            mine.next().unwrap_or_default().into_iter().map(code).collect()
        }))
    }

    /// The kind of the conversion, whether there are times, then of each touch the
    /// channel, the campaign and the age.
    fn write(&self, journey: &Journey<'_>, key: &mut Vec<u32>) {
        let [channels, campaigns, kinds] = &self.0;
        let code = |codes: &[u32], c: u32| codes.get(c as usize).copied().unwrap_or(NULL);
        key.push(journey.kind.map_or(NULL, |kind| code(kinds, kind)));
        key.push(u32::from(!journey.times.is_empty()));
        for (i, channel) in journey.path.iter().enumerate() {
            let campaign = journey.campaigns.get(i).map_or(NULL, |c| code(campaigns, *c));
            let age = journey.times.get(i).map_or(0, |t| journey.end.saturating_sub(*t)).max(0) as u64;
            key.extend([code(channels, *channel), campaign, (age >> 32) as u32, age as u32]);
        }
    }
}

fn converts(journeys: &Journeys, j: usize) -> bool {
    !journeys.path(j).is_empty() && (journeys.conversions()[j] != 0.0 || journeys.values()[j] != 0.0)
}

impl Asked {
    /// The distinct ones of those of the journeys that convert.
    pub(super) fn of(journeys: &[&Journeys], run: &Run) -> Result<Self> {
        let mut all: [Vec<String>; 3] = Default::default();
        for some in journeys {
            all.iter_mut().zip(labels(some)).for_each(|(all, some)| all.extend(some));
        }
        for labels in &mut all {
            labels.sort_unstable();
            labels.dedup();
        }
        let mut records = Vec::new();
        for some in journeys {
            let codes = Codes::new(&all, some);
            let pieces = some.pieces();
            run.stage("read journeys", some.len() as u64)?;
            records.extend(run.map_items(pieces.len(), |p| {
                let mut keys = Sequences::default();
                for j in pieces[p].clone().filter(|j| converts(some, *j)) {
                    codes.write(&some.journey(j), &mut keys.tokens);
                    keys.close();
                }
                run.advance(pieces[p].len() as u64)?;
                Ok(keys)
            })?);
        }
        let (keys, _) = collapse(&records, run)?;
        Ok(Self { labels: all, keys })
    }

    /// Where the touches of a distinct journey are among all.
    fn range(&self, i: usize) -> std::ops::Range<usize> {
        let end = |n: usize| match n {
            0 => 0,
            n => (self.keys.ends[n - 1] as usize - HEAD * n) / WIDTH,
        };
        end(i)..end(i + 1)
    }

    fn label(&self, k: usize, code: u32) -> Option<&str> {
        self.labels[k].get(code as usize).map(String::as_str)
    }

    fn each(&self, i: usize) -> impl Iterator<Item = Touch<'_>> {
        let key = self.keys.get(i);
        let touches = (key.len() - HEAD) / WIDTH;
        let (kind, timed) = (self.label(2, key[0]), key[1] == 1);
        key[HEAD..].chunks_exact(WIDTH).enumerate().map(move |(at, touch)| {
            let age = u64::from(touch[2]) << 32 | u64::from(touch[3]);
            Touch {
                channel: self.label(0, touch[0]).unwrap_or_default(),
                position: at + 1,
                touches,
                age: timed.then(|| age as f64 / DAY as f64),
                campaign: self.label(1, touch[1]),
                kind,
            }
        })
    }

    /// The touches, a row each: journey (from 1), position (from 1), touches,
    /// channel, age (days before the conversion, missing where journeys come from
    /// paths); and where they were read campaign and kind (of the conversion).
    pub(super) fn table(&self) -> Table {
        let rows = || (0..self.keys.len()).flat_map(|i| self.each(i).map(move |touch| (i, touch)));
        let numbers = |f: fn((usize, Touch<'_>)) -> i64| Values::I64(rows().map(f).collect());
        let table = Table::new()
            .with("journey", numbers(|(i, _)| i as i64 + 1))
            .with("position", numbers(|(_, t)| t.position as i64))
            .with("touches", numbers(|(_, t)| t.touches as i64))
            .with("channel", Values::Text(rows().map(|(_, t)| t.channel).collect()))
            .with_optional("age", rows().map(|(_, t)| t.age));
        let known = |table: Table, k: usize, name: &str, of: fn(Touch<'_>) -> Option<&str>| {
            if self.labels[k].is_empty() {
                return table;
            }
            let text: Text = rows().map(|(_, t)| of(t).unwrap_or_default()).collect();
            table.push(name, Values::Text(text), Some(rows().map(|(_, t)| of(t).is_some()).collect()))
        };
        known(known(table, 1, "campaign", |t| t.campaign), 2, "kind", |t| t.kind)
    }
}

impl Callback {
    /// Calls the function once for each distinct journey, of all of these, that
    /// converts. It gives a weight to each touch, 0 or more.
    ///
    /// Errors: [`Error::Option`] for as many weights as there are not touches, for a
    /// negative weight and one that is no number; and what the function gives.
    pub fn new(
        name: &str,
        journeys: &[&Journeys],
        run: &Run,
        mut weigh: impl FnMut(&[Touch<'_>]) -> Result<Vec<f64>>,
    ) -> Result<Self> {
        let asked = Asked::of(journeys, run)?;
        let mut weights = Vec::new();
        run.stage("ask the rule", asked.keys.len() as u64)?;
        for i in 0..asked.keys.len() {
            let touches: Vec<Touch<'_>> = asked.each(i).collect();
            let mine = weigh(&touches)?;
            if mine.len() != touches.len() {
                let path: Vec<&str> = touches.iter().map(|t| t.channel).collect();
                return Err(Error::option(
                    name,
                    format!(
                        "gave {} weights for the {} touches of {}",
                        mine.len(),
                        touches.len(),
                        path.join(" > ")
                    ),
                ));
            }
            weights.extend(mine);
            run.advance(1)?;
        }
        Self::weighed(name, Arc::new(asked), weights)
    }

    /// The rule by what the function said of each of the touches asked about.
    pub(super) fn weighed(name: &str, asked: Arc<Asked>, weights: Vec<f64>) -> Result<Self> {
        let touches = asked.range(asked.keys.len().saturating_sub(1)).end;
        if weights.len() != touches {
            let reason = format!("gave {} weights for {touches} touches of distinct journeys", weights.len());
            return Err(Error::option(name, reason));
        }
        if let Some(bad) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            let i = (0..asked.keys.len()).find(|i| asked.range(*i).contains(&bad)).unwrap_or_default();
            let path: Vec<&str> = asked.each(i).map(|t| t.channel).collect();
            return Err(Error::option(
                name,
                format!(
                    "gave {} to touch {} of {}: a weight is 0 or more",
                    weights[bad],
                    bad - asked.range(i).start + 1,
                    path.join(" > ")
                ),
            ));
        }
        let mut index = HashTable::with_capacity(asked.keys.len());
        for i in 0..asked.keys.len() as u32 {
            index.insert_unique(hash(asked.keys.get(i as usize)), i, |i| hash(asked.keys.get(*i as usize)));
        }
        Ok(Self { name: name.to_owned(), known: Some(Arc::new(Known { asked, index, weights })) })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the function was called at all.
    pub(super) fn is_weighed(&self) -> bool {
        self.known.is_some()
    }

    /// What the function said, and the codes of these journeys in its.
    pub(super) fn weights(&self, journeys: Option<&Journeys>) -> Result<Weights> {
        match (&self.known, journeys) {
            (Some(known), Some(journeys)) => {
                Ok(Weights { known: Arc::clone(known), codes: Codes::new(&known.asked.labels, journeys) })
            }
            (None, _) => Err(Error::option(self.name.as_str(), "has no weights: make it with Callback::new")),
            (_, None) => Err(Error::option(
                self.name.as_str(),
                "was called on journeys alone: credit their touches by touch_credits",
            )),
        }
    }

    /// An error unless the function was called on all of these journeys.
    pub(super) fn check_journeys(&self, journeys: &Journeys) -> Result<()> {
        let weights = self.weights(Some(journeys))?;
        let mut key = Vec::new();
        for j in (0..journeys.len()).filter(|j| converts(journeys, *j)) {
            if weights.find(&journeys.journey(j), &mut key).is_none() {
                return Err(Error::option(
                    self.name.as_str(),
                    format!("was not called on journey {j} of these: give them to Callback::new too"),
                ));
            }
        }
        Ok(())
    }
}

/// The weights that a function gave, for some journeys.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    known: Arc<Known>,
    codes: Codes,
}

impl Weights {
    fn find(&self, journey: &Journey<'_>, key: &mut Vec<u32>) -> Option<&[f64]> {
        let Known { asked, index, weights } = &*self.known;
        key.clear();
        self.codes.write(journey, key);
        let i = index.find(hash(key), |i| asked.keys.get(*i as usize) == key.as_slice())?;
        weights.get(asked.range(*i as usize))
    }

    /// Writes a journey's weights, not yet made to add up to 1; 0 for one that
    /// the function was not called on.
    pub(super) fn write(&self, journey: &Journey<'_>, out: &mut Vec<f64>) {
        let mut key = Vec::with_capacity(HEAD + WIDTH * journey.path.len());
        out.clear();
        match self.find(journey, &mut key) {
            Some(weights) => out.extend_from_slice(weights),
            None => out.resize(journey.path.len(), 0.0),
        }
    }
}
