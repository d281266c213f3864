//! Journeys that grow as events come in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::detail::repeated_orders;
use super::ledger::{Flawed, Ledger, Met, Orders, flawed_together, recounted};
use super::select::Copier;
use super::shared::{Name, codes_in, joined};
use super::{Collapse, EventOptions, Gap, Journeys, Open};
use crate::column::{Columns, DropReason, Intake, Kind, Labels, NULL, Names, Text, names_together};
use crate::math::ExactSum;
use crate::run::Run;
use crate::{Error, Result};

/// Builds journeys from events that come in parts.
///
/// Each part extends the journeys of its own customers; the journeys of all
/// others stay as they are. The result is that of [`Journeys::from_events`] on
/// all parts end to end, to the last bit and in the same order. Customers who
/// share an order (`order_id`) with those of the part are built anew with them.
/// All journeys are built anew only when, under `lookback_by_kind`, a part brings the
/// first conversion that has another window: open journeys wait for the longest one.
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
    orders: Orders,
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
        let built = Journeys::from_events(touches, conversions, &self.inner(), run)?;
        let [of_touches, of_conversions] = self.options.columns();
        let (touches, conversions) =
            (touches.owned(&of_touches), conversions.map(|conversions| conversions.owned(&of_conversions)));
        let mut all = (self.touches.clone(), self.conversions.clone());
        append(&mut all.0, &touches)?;
        if let Some(conversions) = &conversions {
            append(all.1.get_or_insert_default(), conversions)?;
        }
        let events = Events { touches: &all.0, conversions: all.1.as_ref() };
        let part = Events { touches: &touches, conversions: conversions.as_ref() };
        self.grow(part, events, &built, run)?;
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
        let gap = Gap::of(self.options.open);
        let mut out = Journeys { observation_end: end, ..self.journeys.clone() };
        if self.options.open == Open::Decided {
            let decided: Vec<bool> = (0..out.len()).map(|j| out.decided(j) != Some(false)).collect();
            let direct = out.ledger.direct.iter().zip(&decided).filter(|(_, d)| **d).map(|(n, _)| *n);
            out = Journeys {
                touches: out.touches,
                late_touches: out.late_touches,
                late_conversions: out.late_conversions,
                cost: out.cost.clone(),
                merged: out.merged,
                dropped: out.dropped.clone(),
                ledger: Ledger { direct: direct.collect(), ..out.ledger.clone() },
                ..out.select(|j| decided[j])
            };
        }
        out.merged.direct = out.ledger.direct.iter().map(|n| u64::from(*n)).sum();
        out.gap = gap.or(Some(Gap::Direct).filter(|_| out.merged.direct > 0));
        if self.options.open != Open::Exclude {
            let include = self.options.open == Open::Include;
            for j in 0..out.len() {
                let over = include || out.decided(j) == Some(true);
                out.nulls[j] = f64::from(u8::from(over && !out.converted(j)));
            }
        }
        out
    }

    /// The options of what is kept: no open journey is left out, as it may convert yet.
    fn inner(&self) -> EventOptions {
        let open = if self.options.open == Open::Exclude { Open::Exclude } else { Open::Censored };
        EventOptions { open, ..self.options.clone() }
    }

    /// The windows of kinds that conversions have, each once.
    fn windows(&self, journeys: &Journeys) -> BTreeSet<Option<i64>> {
        let by_kind = &self.options.lookback_by_kind;
        let window = |kind: &String| by_kind.get(kind).map(|window| window.micros());
        journeys.kind_labels().iter().filter(|_| !by_kind.is_empty()).map(window).collect()
    }

    /// Rebuilds the journeys of the customers of a part; all or nothing.
    fn grow(&mut self, part: Events<'_>, all: Events<'_>, built: &Journeys, run: &Run) -> Result<()> {
        let names = self.names(part, run)?;
        let orders = self.order_names(part, run)?;
        let before = [self.customers.len(), self.touched.len(), self.sold.len()];
        let mut seen = self.meet(&names);
        let mut met = Met::default();
        if let Some(orders) = orders {
            let buyers =
                if part.conversions.is_some() { &self.sold[before[2]..] } else { &self.touched[before[1]..] };
            met = self.orders.meet(&orders, buyers, self.customers.len());
            self.orders.spread(&mut seen);
        }
        let mut grown = self.grown(&seen, all, built, run);
        if self.begun
            && let Ok((journeys, _)) = &grown
            && self.windows(journeys) != self.windows(&self.journeys)
        {
            seen.fill(true);
            grown = self.grown(&seen, all, built, run);
        }
        match grown {
            Ok((journeys, order)) => {
                for (place, id) in order.into_iter().enumerate() {
                    self.customers[id as usize].code = place as u32;
                }
                self.journeys = journeys;
                Ok(())
            }
            Err(error) => {
                self.orders.forget(met);
                self.forget(before);
                Err(error)
            }
        }
    }

    /// The journeys with the new ones of the customers seen, and the order of customers.
    fn grown(
        &self,
        seen: &[bool],
        all: Events<'_>,
        built: &Journeys,
        run: &Run,
    ) -> Result<(Journeys, Vec<u32>)> {
        let rows = |of: &[u32]| -> Vec<u32> {
            // A row without a customer is dropped.
            let is_mine = |customer: u32| seen.get(customer as usize).copied().unwrap_or(false);
            let rows = of.iter().enumerate().filter(|(_, customer)| is_mine(**customer));
            rows.map(|(row, _)| row as u32).collect()
        };
        let options = self.inner();
        let by_kind = !options.lookback_by_kind.is_empty() && !seen.iter().all(|seen| *seen);
        let elsewhere = if by_kind { self.journeys.kind_labels() } else { Vec::new() };
        let [mine, orders] = [&self.touched, &self.sold].map(|of| rows(of));
        let build = |[mine, orders]: [&[u32]; 2]| {
            let touches = all.touches.take(mine);
            let conversions = all.conversions.map(|all| all.take(orders));
            Events { touches: &touches, conversions: conversions.as_ref() }.build(&options, &elsewhere, run)
        };
        // The rows that conversions are read from.
        let sold = if all.conversions.is_some() { &orders } else { &mine };
        // The first part is all there is.
        let sold = Some(sold).filter(|_| self.begun);
        let global =
            |row: u64| sold.and_then(|sold| sold.get(row as usize)).map_or(row, |row| u64::from(*row));
        let new = if self.begun { build([&mine, &orders]) } else { Ok(built.clone()) };
        let mut new = new.map_err(|error| match error {
            Error::Row { column, row, count, reason } => {
                Error::Row { column, row: global(row), count, reason }
            }
            other => other,
        })?;
        new.ledger.repeats.iter_mut().for_each(|row| *row = global(u64::from(*row)) as u32);
        // What the same customers had before, where it is not part of their journeys.
        let o = &self.options;
        let mut before = Journeys::default();
        let counts = o.order_id.is_some() || o.kinds.is_some();
        if self.begun && (counts || o.session_gap.is_some() || o.collapse != Collapse::None) {
            let old = |rows: &[u32], count: usize| {
                rows[..rows.partition_point(|row| (*row as usize) < count)].to_vec()
            };
            let sold = self.conversions.as_ref().map_or(0, Columns::rows);
            before = build([&old(&mine, self.touches.rows()), &old(&orders, sold)])?;
        }
        run.check()?;
        let old = &self.journeys;
        let (mut out, order) = self.spliced([old, &before, &new], seen)?;
        out.ledger.latest = old.ledger.latest.max(built.ledger.latest);
        // Of repeated orders and other kinds nothing is left, not even when they were.
        let sales = (0..out.len()).filter(|j| out.converted(*j)).map(|j| out.end[j]).max();
        out.observation_end = match o.observation_end {
            Some(end) => Some(end.0),
            None => out.ledger.latest.max(sales),
        };
        out.touches = old.touches + built.touches;
        out.late_touches = old.late_touches + built.late_touches;
        out.late_conversions = if counts {
            old.late_conversions + new.late_conversions - before.late_conversions
        } else {
            old.late_conversions + built.late_conversions
        };
        out.merged = old.merged.instead(&before.merged, &new.merged);
        let customer =
            |row: u32| if all.conversions.is_some() { &self.sold } else { &self.touched }[row as usize];
        out.ledger.repeats =
            old.ledger.repeats.iter().copied().filter(|row| !seen[customer(*row) as usize]).collect();
        out.ledger.repeats.extend(&new.ledger.repeats);
        out.ledger.repeats.sort_unstable();
        let flawed = self.flawed(all, built, &options, run)?;
        out.ledger.flawed_touches = flawed[0].len();
        out.dropped.reasons = flawed.into_iter().flatten().collect();
        out.dropped.rows = flawed_rows(old) + flawed_rows(built);
        if let Some(reason) = repeated_orders(o, &out.ledger.repeats) {
            out.dropped.rows += reason.count;
            out.dropped.reasons.push(reason);
        }
        if o.cost.is_some() {
            out.ledger.cost = vec![ExactSum::new(); out.channel_count];
            for some in [old, built] {
                for (code, sum) in codes_in(&out.channels, &some.channels).iter().zip(&some.ledger.cost) {
                    out.ledger.cost[*code as usize].merge(sum);
                }
            }
            out.cost = Some(out.ledger.cost.iter().map(ExactSum::value).collect());
        }
        out.ledger.campaign_cost = campaign_cost(&out, [old, built]);
        out.check_sums(o)?;
        Ok((out, order))
    }

    /// Why rows of all events were dropped, but for repeated orders.
    fn flawed(&self, all: Events<'_>, part: &Journeys, options: &EventOptions, run: &Run) -> Result<Flawed> {
        let before = [self.touches.rows(), self.conversions.as_ref().map_or(0, Columns::rows)];
        let mut out = flawed_together([&self.journeys, part].map(flaws_of), before);
        if out.iter().all(|reasons| reasons.len() < 2) {
            return Ok(out);
        }
        // The rows that show them are read as all would be, which tells their order.
        let shown = |k: usize| {
            let mut rows: Vec<u32> = out[k].iter().map(|reason| reason.first_row as u32).collect();
            rows.sort_unstable();
            rows.dedup();
            rows
        };
        let touches = all.touches.take(&shown(0));
        let conversions = all.conversions.map(|all| all.take(&shown(1)));
        let witness =
            Events { touches: &touches, conversions: conversions.as_ref() }.build(options, &[], run)?;
        for (reasons, known) in out.iter_mut().zip(flaws_of(&witness)) {
            let place =
                |r: &DropReason| known.iter().position(|k| (&k.column, &k.reason) == (&r.column, &r.reason));
            reasons.sort_by_key(|reason| place(reason).unwrap_or(usize::MAX));
        }
        Ok(out)
    }

    /// The orders of a part's conversions, one a row; `None` where orders have no names.
    fn order_names(&self, part: Events<'_>, run: &Run) -> Result<Option<Names>> {
        let o = &self.options;
        let flag = o.conversion.as_ref().filter(|_| part.conversions.is_none());
        let frame = part.conversions.or(flag.map(|_| part.touches));
        let (Some(name), Some(frame)) = (&o.order_id, frame) else { return Ok(None) };
        let mut intake = Intake::new(frame, o.on_invalid, run);
        let mut orders = intake.optional_names(name)?;
        if let Some(flag) = flag {
            for (code, sold) in orders.codes.iter_mut().zip(intake.flags(flag)?.iter()) {
                *code = if *sold { *code } else { NULL };
            }
        }
        Ok(Some(orders))
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
                let Some(id) = ids.get(*code as usize).copied() else {
                    rows.push(NULL);
                    continue;
                };
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
    fn spliced(&self, [old, before, new]: [&Journeys; 3], touched: &[bool]) -> Result<(Journeys, Vec<u32>)> {
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
        let by_kind = [old, before, new].map(|j| (&j.kinds, &j.ledger.kinds[..]));
        let by_place = [old, before, new].map(|j| (&j.places, &j.ledger.places[..]));
        let (kinds, kind_counts, rekind) = recounted(by_kind);
        let (places, place_counts, replace) = recounted(by_place);
        let mut out = Journeys {
            channel_count: channels.as_ref().map_or(0, |labels| labels.len()),
            channels,
            campaigns,
            kinds,
            places,
            timed: true,
            has_value: new.has_value,
            lookback: new.lookback,
            ledger: Ledger { kinds: kind_counts, places: place_counts, ..Ledger::default() },
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
                out.ledger.direct.extend(from.ledger.direct.get(j));
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

/// What touches of these journeys cost by channel and campaign, in the codes of others.
fn campaign_cost(all: &Journeys, parts: [&Journeys; 2]) -> Vec<((u32, u32), ExactSum)> {
    let mut sums: BTreeMap<(u32, u32), ExactSum> = BTreeMap::new();
    for part in parts {
        let channels = codes_in(&all.channels, &part.channels);
        let campaigns = codes_in(&all.campaigns, &part.campaigns);
        for ((channel, campaign), sum) in &part.ledger.campaign_cost {
            let campaign = campaigns.get(*campaign as usize).copied().unwrap_or(NULL);
            sums.entry((channels[*channel as usize], campaign)).or_default().merge(sum);
        }
    }
    sums.into_iter().collect()
}

/// Touches, and conversions where they are a frame of their own.
#[derive(Clone, Copy)]
pub(super) struct Events<'a> {
    pub(super) touches: &'a Columns,
    pub(super) conversions: Option<&'a Columns>,
}

impl Events<'_> {
    fn build(self, options: &EventOptions, elsewhere: &[String], run: &Run) -> Result<Journeys> {
        Journeys::from_some_events(self.touches, self.conversions, options, elsewhere, run)
    }
}

/// Why rows were dropped, but for repeated orders.
fn flaws_of(journeys: &Journeys) -> Flawed {
    let mut reasons = journeys.dropped.reasons.clone();
    reasons.truncate(reasons.len() - usize::from(!journeys.ledger.repeats.is_empty()));
    let of_conversions = reasons.split_off(journeys.ledger.flawed_touches.min(reasons.len()));
    [reasons, of_conversions]
}

/// How many rows were dropped, but for repeated orders.
fn flawed_rows(journeys: &Journeys) -> u64 {
    journeys.dropped.rows - journeys.ledger.repeats.len() as u64
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
