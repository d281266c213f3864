//! Journeys that grow as events come in.

use std::collections::HashMap;

use super::select::Copier;
use super::{Collapse, Direct, EventOptions, Gap, Journeys, Moment, Open};
use crate::column::{Columns, Intake, Kind, Labels, NULL, Names, OnInvalid, Text, names_together};
use crate::run::Run;
use crate::{Error, Result};

/// Builds journeys from events that come in parts.
///
/// Each part extends the journeys of its own customers; the journeys of all
/// others stay as they are. The result is that of [`Journeys::from_events`] on
/// all parts end to end, to the last bit and in the same order. What depends on
/// all customers at once is built anew with each part: `cost`, `order_id`,
/// `kinds`, `lookback_by_kind`, `session_gap`, `collapse`, `direct` and
/// `on_invalid = "drop"`.
///
/// A builder is a [`Model`](crate::model::Model): its file holds the options and
/// the events, as far as the options name their columns, and a builder that was
/// loaded goes on as if nothing had happened.
///
/// ```
/// use headwater::Run;
/// use headwater::column::Columns;
/// use headwater::journey::{EventOptions, JourneyBuilder};
///
/// let day = |time: &str, channel: &str| {
///     Columns::new().with("customer", vec!["ann"]).with("time", vec![time]).with("channel", vec![channel])
/// };
/// let mut builder = JourneyBuilder::new(EventOptions::default());
/// builder.extend(&day("2024-01-01", "search"), None, &Run::new())?;
/// builder.extend(&day("2024-01-02", "email"), None, &Run::new())?;
/// assert_eq!(builder.journeys().path(0).len(), 2);
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct JourneyBuilder {
    options: EventOptions,
    touches: Columns,
    conversions: Option<Columns>,
    /// Open journeys are kept as censored, since the end of observation moves.
    journeys: Journeys,
    begun: bool,
    /// Customers by label, in the order in which parts brought them.
    known: HashMap<Name, u32>,
    customers: Vec<Known>,
    /// The customer of each row.
    touched: Vec<u32>,
    sold: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Text(String),
    Int(i64),
}

impl Name {
    fn of(labels: &Labels, code: u32) -> Self {
        match labels {
            Labels::Text(_) => Self::Text(labels.get(code).into_owned()),
            Labels::Int(ints) => Self::Int(ints.get(code as usize).copied().unwrap_or_default()),
        }
    }
}

#[derive(Clone, Debug)]
struct Known {
    name: Name,
    /// The first touch and the first conversion among all: the order of customers.
    first: [u32; 2],
    /// The code in the journeys so far.
    code: u32,
}

impl JourneyBuilder {
    /// A builder without events.
    pub fn new(options: EventOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The options.
    pub fn options(&self) -> &EventOptions {
        &self.options
    }

    /// The events so far; `None` before the first part.
    pub(super) fn events(&self) -> Option<Events<'_>> {
        let Self { touches, conversions, .. } = self;
        self.begun.then_some(Events { touches, conversions: conversions.as_ref() })
    }

    /// How many rows of touches there are so far.
    pub fn touches(&self) -> usize {
        self.touches.rows()
    }

    /// Adds a part: touches, and conversions as a frame of their own or as the
    /// flag column of the options. All parts have the columns that the options
    /// name, and all have conversions or none has. After an error the builder
    /// is as before.
    pub fn extend(&mut self, touches: &Columns, conversions: Option<&Columns>, run: &Run) -> Result<()> {
        let flagged = self.options.conversion.is_some();
        if self.begun && !flagged && self.conversions.is_some() != conversions.is_some() {
            let reason = "some parts have a frame of conversions and others have none: give an empty one";
            return Err(Error::option("conversions", reason));
        }
        // By itself, so that an error tells of the part's own rows.
        let built = Journeys::from_events(touches, conversions, &self.options, run)?;
        let [of_touches, of_conversions] = self.options.columns();
        let (touches, conversions) =
            (touches.owned(&of_touches), conversions.map(|conversions| conversions.owned(&of_conversions)));
        let mut all = (self.touches.clone(), self.conversions.clone());
        append(&mut all.0, &touches)?;
        if let Some(conversions) = &conversions {
            append(all.1.get_or_insert_default(), conversions)?;
        }
        let events = Events { touches: &all.0, conversions: all.1.as_ref() };
        if self.is_whole() {
            self.journeys = events.build(&self.options, run)?;
        } else {
            let part = Events { touches: &touches, conversions: conversions.as_ref() };
            self.grow(part, events, &built, run)?;
        }
        (self.touches, self.conversions) = all;
        self.begun = true;
        Ok(())
    }

    /// Adds the events of another builder after those of this one.
    pub fn merge(&mut self, other: &Self, run: &Run) -> Result<()> {
        if self.options != other.options {
            return Err(Error::option("options", "differ between the two builders: build one of them anew"));
        }
        if !other.begun {
            return Ok(());
        }
        self.extend(&other.touches, other.conversions.as_ref(), run)
    }

    /// The journeys of all events so far.
    pub fn journeys(&self) -> Journeys {
        // Without events there is no end, as in a build of none.
        let end = self.journeys.observation_end.or(Some(i64::MAX).filter(|_| self.begun));
        let gap = self.journeys.gap.or(Gap::of(self.options.open));
        let all = Journeys { observation_end: end, gap, ..self.journeys.clone() };
        if self.is_whole() || self.options.open == Open::Exclude {
            return all;
        }
        let decided: Vec<bool> = (0..all.len()).map(|j| all.decided(j) != Some(false)).collect();
        let mut out = match self.options.open {
            Open::Decided => {
                let picked = all.select(|j| decided[j]);
                Journeys {
                    gap,
                    touches: all.touches,
                    late_touches: all.late_touches,
                    late_conversions: all.late_conversions,
                    ..picked
                }
            }
            _ => all,
        };
        let include = self.options.open == Open::Include;
        for j in 0..out.len() {
            let over = include || out.decided(j) == Some(true);
            out.nulls[j] = f64::from(u8::from(over && !out.converted(j)));
        }
        out
    }

    /// Whether what all customers have in common is built anew each time.
    fn is_whole(&self) -> bool {
        let o = &self.options;
        o.cost.is_some()
            || o.order_id.is_some()
            || o.kinds.is_some()
            || !o.lookback_by_kind.is_empty()
            || o.session_gap.is_some()
            || o.collapse != Collapse::None
            || o.direct != Direct::Keep
            || o.on_invalid == OnInvalid::Drop
    }

    /// Rebuilds the journeys of the customers of a part; all or nothing.
    fn grow(&mut self, part: Events<'_>, all: Events<'_>, built: &Journeys, run: &Run) -> Result<()> {
        let names = self.names(part, run)?;
        let before = [self.customers.len(), self.touched.len(), self.sold.len()];
        let seen = self.meet(&names);
        match self.grown(&seen, part, all, built, run) {
            Ok((journeys, order)) => {
                for (place, id) in order.into_iter().enumerate() {
                    self.customers[id as usize].code = place as u32;
                }
                self.journeys = journeys;
                Ok(())
            }
            Err(error) => {
                self.forget(before);
                Err(error)
            }
        }
    }

    /// The journeys with the new ones of the customers seen, and the order of customers.
    fn grown(
        &self,
        seen: &[bool],
        part: Events<'_>,
        all: Events<'_>,
        built: &Journeys,
        run: &Run,
    ) -> Result<(Journeys, Vec<u32>)> {
        let rows = |of: &[u32]| -> Vec<u32> {
            let rows = of.iter().enumerate().filter(|(_, customer)| seen[**customer as usize]);
            rows.map(|(row, _)| row as u32).collect()
        };
        let end = match self.options.observation_end {
            Some(end) => Some(end.0),
            None => self.journeys.observation_end.max(built.observation_end.filter(|_| part.rows() > 0)),
        };
        let mut options = EventOptions { observation_end: end.map(Moment), ..self.options.clone() };
        if options.open != Open::Exclude {
            options.open = Open::Censored;
        }
        let touches = all.touches.take(&rows(&self.touched));
        let conversions = all.conversions.map(|all| all.take(&rows(&self.sold)));
        let some = Events { touches: &touches, conversions: conversions.as_ref() };
        let new = some.build(&options, run)?;
        run.check()?;
        let old = &self.journeys;
        let (mut out, order) = self.spliced(old, &new, seen)?;
        out.observation_end = end;
        out.touches = old.touches + built.touches;
        out.late_touches = old.late_touches + built.late_touches;
        out.late_conversions = old.late_conversions + built.late_conversions;
        Ok((out, order))
    }

    /// The customers of a part, of its touches and of its conversions.
    fn names(&self, part: Events<'_>, run: &Run) -> Result<Vec<Names>> {
        let o = &self.options;
        let mut intake = Intake::new(part.touches, o.on_invalid, run);
        let names = if let Some(conversions) = part.conversions {
            let mut orders = Intake::new(conversions, o.on_invalid, run);
            let buyer = o.conversion_customer.as_ref().unwrap_or(&o.customer);
            names_together([(&mut intake, o.customer.as_str()), (&mut orders, buyer.as_str())])?.to_vec()
        } else {
            vec![intake.names(&o.customer)?]
        };
        let mixed = |known: &Known, labels: &Labels| {
            matches!((&known.name, labels), (Name::Text(_), Labels::Int(_)) | (Name::Int(_), Labels::Text(_)))
        };
        if let (Some(known), Some(names)) = (self.customers.first(), names.first())
            && !names.labels.is_empty()
            && mixed(known, &names.labels)
        {
            return Err(Error::column(
                &o.customer,
                "holds integers in one part and text in another: convert one of the two",
            ));
        }
        Ok(names)
    }

    /// Takes down who the rows of a part are, and says which customers it touches.
    fn meet(&mut self, names: &[Names]) -> Vec<bool> {
        let Some(labels) = names.first().map(|names| &names.labels) else { return Vec::new() };
        let ids: Vec<u32> = (0..labels.len() as u32)
            .map(|code| {
                let name = Name::of(labels, code);
                *self.known.entry(name).or_insert_with_key(|name| {
                    self.customers.push(Known { name: name.clone(), first: [NULL; 2], code: NULL });
                    self.customers.len() as u32 - 1
                })
            })
            .collect();
        let mut seen = vec![false; self.customers.len()];
        for (k, names) in names.iter().enumerate() {
            let rows = if k == 0 { &mut self.touched } else { &mut self.sold };
            for code in &names.codes {
                let id = ids.get(*code as usize).copied().unwrap_or_default();
                let first = &mut self.customers[id as usize].first[k];
                *first = (*first).min(rows.len() as u32);
                seen[id as usize] = true;
                rows.push(id);
            }
        }
        seen
    }

    /// Undoes [`Self::meet`]: so many customers, touches and conversions there were.
    fn forget(&mut self, [customers, touches, conversions]: [usize; 3]) {
        for gone in self.customers.drain(customers..) {
            self.known.remove(&gone.name);
        }
        for known in &mut self.customers {
            for (first, rows) in known.first.iter_mut().zip([touches, conversions]) {
                if *first as usize >= rows {
                    *first = NULL;
                }
            }
        }
        self.touched.truncate(touches);
        self.sold.truncate(conversions);
    }

    /// The journeys of touched customers from `new`, and of all others from `old`;
    /// and the order of customers.
    fn spliced(&self, old: &Journeys, new: &Journeys, touched: &[bool]) -> Result<(Journeys, Vec<u32>)> {
        let mut codes = HashMap::new();
        if let Some(labels) = &new.customers {
            for code in 0..labels.len() as u32 {
                codes.insert(Name::of(labels, code), code);
            }
        }
        let mut order: Vec<u32> = (0..self.customers.len() as u32).collect();
        order.sort_unstable_by_key(|id| self.customers[*id as usize].first);
        let (channels, recode) = joined([&old.channels, &new.channels]);
        let (campaigns, recampaign) = joined([&old.campaigns, &new.campaigns]);
        let (kinds, rekind) = joined([&old.kinds, &new.kinds]);
        let (places, replace) = joined([&old.places, &new.places]);
        let mut out = Journeys {
            channel_count: channels.as_ref().map_or(0, |labels| labels.len()),
            channels,
            campaigns,
            kinds,
            places,
            timed: true,
            has_value: new.has_value,
            lookback: new.lookback,
            gap: old.gap.or(new.gap),
            ..Journeys::default()
        };
        let sources = [old, new].map(by_customer);
        let mut copies = [Copier::default(), Copier::default()];
        let (mut text, mut ints) = (Text::new(), Vec::new());
        for (place, id) in order.iter().enumerate() {
            let id = *id;
            let known = &self.customers[id as usize];
            match &known.name {
                Name::Text(name) => text.push(name),
                Name::Int(name) => ints.push(*name),
            }
            let which = usize::from(touched[id as usize]);
            let from = [old, new][which];
            let code = if which == 1 { codes.get(&known.name).copied().unwrap_or(NULL) } else { known.code };
            copies[which] = Copier::default();
            for j in sources[which].get(code as usize).cloned().unwrap_or_default() {
                let first = out.steps.len();
                copies[which].touches(&mut out, from, j);
                out.steps[first..].iter_mut().for_each(|step| *step = recode[which][*step as usize]);
                for campaign in out.campaign.iter_mut().skip(first).filter(|c| **c != NULL) {
                    *campaign = recampaign[which][*campaign as usize];
                }
                out.len.push(from.len[j]);
                out.conversions.push(from.conversions[j]);
                out.nulls.push(from.nulls[j]);
                out.value.push(from.value[j]);
                out.customer.push(place as u32);
                out.end.push(from.end[j]);
                out.expiry.extend(from.expiry.get(j));
                let put =
                    |code: &u32, recode: &[u32]| if *code == NULL { NULL } else { recode[*code as usize] };
                out.conversion_kind.extend(from.conversion_kind.get(j).map(|k| put(k, &rekind[which])));
                out.place.extend(from.place.get(j).map(|p| put(p, &replace[which])));
            }
        }
        if out.steps.len() >= NULL as usize {
            return Err(Error::column(
                "customer",
                "has more touches than fit in one build: split by customer",
            ));
        }
        out.customers =
            Some(std::sync::Arc::new(if ints.is_empty() { Labels::Text(text) } else { Labels::Int(ints) }));
        let offline = |label: &String| self.options.offline_channels.contains(label);
        if !self.options.offline_channels.is_empty() {
            out.offline = out.channel_labels().iter().map(offline).collect();
        }
        Ok((out, order))
    }
}

/// Touches, and conversions where they are a frame of their own.
#[derive(Clone, Copy)]
pub(super) struct Events<'a> {
    pub(super) touches: &'a Columns,
    pub(super) conversions: Option<&'a Columns>,
}

impl Events<'_> {
    fn build(self, options: &EventOptions, run: &Run) -> Result<Journeys> {
        Journeys::from_events(self.touches, self.conversions, options, run)
    }

    fn rows(self) -> usize {
        self.touches.rows() + self.conversions.map_or(0, Columns::rows)
    }
}

/// Appends the rows of a part, which must be of the same kinds as those before.
fn append(all: &mut Columns, part: &Columns) -> Result<()> {
    let before = all.clone();
    all.append(part.clone())?;
    if all.rows() >= NULL as usize {
        return Err(Error::column("customer", "has more rows than fit in one build: split by customer"));
    }
    if let Some((name, data)) = all.iter().find(|(_, data)| data.kind() == Kind::Other) {
        let kinds = [&before, part].map(|columns| columns.kind(name).unwrap_or(data.kind()).name());
        let reason =
            format!("holds {} in one part and {} in another: convert one of the two", kinds[0], kinds[1]);
        return Err(Error::column(name, reason));
    }
    Ok(())
}

/// The journeys of each customer code.
fn by_customer(journeys: &Journeys) -> Vec<std::ops::Range<usize>> {
    let size = journeys.customers.as_ref().map_or(0, |labels| labels.len());
    let mut out = vec![0..0; size];
    for j in 0..journeys.len() {
        let range = &mut out[journeys.customer[j] as usize];
        *range = if range.end == 0 { j..j + 1 } else { range.start..j + 1 };
    }
    out
}

type Shared = Option<std::sync::Arc<Labels>>;

/// Two sorted lists of labels in one, and the new codes of each.
fn joined(lists: [&Shared; 2]) -> (Shared, [Vec<u32>; 2]) {
    let labels = |list: &Shared| match list.as_deref() {
        Some(Labels::Int(ints)) => ints.iter().map(|i| Name::Int(*i)).collect::<Vec<Name>>(),
        Some(text) => (0..text.len() as u32).map(|code| Name::of(text, code)).collect(),
        None => Vec::new(),
    };
    let [a, b] = lists.map(labels);
    let key = |name: &Name| match name {
        Name::Int(i) => (*i, String::new()),
        Name::Text(text) => (0, text.clone()),
    };
    let mut all: Vec<Name> = a.iter().chain(&b).cloned().collect();
    all.sort_by_key(key);
    all.dedup();
    let place = |list: &[Name]| -> Vec<u32> {
        let at = |name: &Name| all.binary_search_by_key(&key(name), key).unwrap_or_default() as u32;
        list.iter().map(at).collect()
    };
    let recode = [place(&a), place(&b)];
    if lists.iter().all(|list| list.is_none()) {
        return (None, recode);
    }
    let is_int = |name: &Name| matches!(name, Name::Int(_));
    let labels = if all.iter().any(is_int) {
        Labels::Int(
            all.iter().filter_map(|name| if let Name::Int(i) = name { Some(*i) } else { None }).collect(),
        )
    } else {
        Labels::Text(
            all.iter().map(|name| if let Name::Text(text) = name { text.as_str() } else { "" }).collect(),
        )
    };
    (Some(std::sync::Arc::new(labels)), recode)
}
