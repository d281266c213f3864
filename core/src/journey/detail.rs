//! Events of which more is read than who, when and what.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::build::{Codes, Scope, Which};
use super::fine::{Fine, Flavour, split};
use super::options::{DuplicateOrders, EventOptions, FlaggedRow};
use super::read::in_label_order;
use super::stretch::cut;
use super::{Conversions, Gap, Journeys, Policies};
use crate::column::{
    Columns, DropReason, Dropped, Duration, Intake, Kept, Keys, Labels, NULL, Names, Sign, names_together,
};
use crate::math::ExactSum;
use crate::run::Run;
use crate::{Error, Result};

/// Touches, one a row.
struct Touched {
    customer: Vec<u32>,
    time: Vec<i64>,
    channel: Names,
    cost: Option<Vec<f64>>,
    view: Option<Vec<bool>>,
    weight: Option<Vec<f64>>,
    campaign: Option<Names>,
}

/// Conversions, one a row.
#[derive(Default)]
struct Sold {
    row: Vec<usize>,
    customer: Vec<u32>,
    time: Vec<i64>,
    value: Option<Vec<f64>>,
    kind: Option<Names>,
    place: Option<Names>,
    order: Option<Names>,
}

/// Journeys from frames with more columns, or with windows that differ; `elsewhere` are
/// kinds of conversions that occur beside those of these frames.
pub(super) fn detailed(
    touches: &Columns,
    conversions: Option<&Columns>,
    options: &EventOptions,
    elsewhere: &[String],
    run: &Run,
) -> Result<Journeys> {
    let mut intake = Intake::new(touches, options.on_invalid, run);
    intake.int_unit(options.time_unit);
    if let Some(flag) = &options.conversion {
        let flags = intake.flags(flag)?.into_owned();
        let customer = intake.names(&options.customer)?;
        let labels = Arc::clone(&customer.labels);
        let mut sold = Sold::read(&mut intake, customer.clone(), Some(&flags), options)?;
        let mut touched = Touched::read(&mut intake, customer, Some(&flags), options)?;
        let kept = intake.finish()?;
        let is_touch = |row: &usize| !flags[*row] || options.flagged_row == FlaggedRow::TouchAndConversion;
        touched.pick(&rows(&kept, is_touch));
        sold.pick(&rows(&kept, |row| flags[*row]));
        return built(
            touched,
            sold,
            &labels,
            [kept.into_dropped(), Dropped::default()],
            options,
            elsewhere,
            run,
        );
    }
    let Some(conversions) = conversions else {
        let customer = intake.names(&options.customer)?;
        let labels = Arc::clone(&customer.labels);
        let mut touched = Touched::read(&mut intake, customer, None, options)?;
        let kept = intake.finish()?;
        touched.pick(&rows(&kept, |_| true));
        let dropped = [kept.into_dropped(), Dropped::default()];
        return built(touched, Sold::default(), &labels, dropped, options, elsewhere, run);
    };
    let mut orders = Intake::new(conversions, options.on_invalid, run);
    orders.int_unit(options.time_unit);
    let name = options.conversion_customer.as_ref().unwrap_or(&options.customer);
    let [customer, buyer] =
        names_together([(&mut intake, options.customer.as_str()), (&mut orders, name.as_str())])?;
    let labels = Arc::clone(&customer.labels);
    let mut touched = Touched::read(&mut intake, customer, None, options)?;
    let mut sold = Sold::read(&mut orders, buyer, None, options)?;
    let (kept, kept_orders) = (intake.finish()?, orders.finish()?);
    touched.pick(&rows(&kept, |_| true));
    sold.pick(&rows(&kept_orders, |_| true));
    let dropped = [kept.into_dropped(), kept_orders.into_dropped()];
    built(touched, sold, &labels, dropped, options, elsewhere, run)
}

/// The rows that were kept, of those that `wanted` says.
fn rows(kept: &Kept, wanted: impl Fn(&usize) -> bool) -> Vec<usize> {
    (0..kept.len()).map(|i| kept.row(i)).filter(wanted).collect()
}

fn pick<T: Copy>(rows: &[usize], values: &mut Vec<T>) {
    *values = rows.iter().map(|row| values[*row]).collect();
}

fn pick_names(rows: &[usize], names: &mut Option<Names>) {
    if let Some(names) = names {
        pick(rows, &mut names.codes);
    }
}

fn optional(intake: &mut Intake<'_>, name: Option<&String>) -> Result<Option<Names>> {
    name.map(|name| intake.optional_names(name)).transpose()
}

impl Touched {
    /// Reads touches; in a flagged frame, flagged rows are touches or not.
    fn read(
        intake: &mut Intake<'_>,
        customer: Names,
        flags: Option<&[bool]>,
        options: &EventOptions,
    ) -> Result<Self> {
        let bare = flags.filter(|_| options.flagged_row == FlaggedRow::Conversion);
        let is_touch = |row: usize| bare.is_none_or(|flags| !flags[row]);
        let time = intake.times(&options.time)?.into_owned();
        let channel = intake.optional_names(&options.channel)?;
        let codes = channel.codes.iter().enumerate();
        let missing = codes.filter(|(row, code)| **code == NULL && is_touch(*row)).map(|(row, _)| row);
        intake.reject(&options.channel, "a touch without a channel", missing);
        let cost = match &options.cost {
            Some(name) => Some(intake.optional_amounts(name, Sign::NonNegative)?.into_owned()),
            None => None,
        };
        let mut view = None;
        if let Some(name) = &options.kind {
            let kind = intake.optional_names(name)?;
            let labels = [&options.view, &options.click].map(|label| kind.labels.find(label));
            let known = |code: u32| code == NULL || labels.contains(&Some(code));
            let codes = kind.codes.iter().enumerate();
            let others = codes.filter(|(row, code)| !known(**code) && is_touch(*row)).map(|(row, _)| row);
            intake.reject(name, &format!("neither `{}` nor `{}`", options.view, options.click), others);
            view = Some(kind.codes.iter().map(|code| *code != NULL && Some(*code) == labels[0]).collect());
        }
        let weight = match &options.weight {
            // The rows that are conversions only need none.
            Some(name) if bare.is_some() => {
                Some(intake.optional_amounts(name, Sign::NonNegative)?.into_owned())
            }
            Some(name) => Some(intake.amounts(name, Sign::NonNegative)?.into_owned()),
            None => None,
        };
        let campaign = optional(intake, options.campaign.as_ref())?;
        Ok(Self { customer: customer.codes, time, channel, cost, view, weight, campaign })
    }

    fn pick(&mut self, rows: &[usize]) {
        pick(rows, &mut self.customer);
        pick(rows, &mut self.time);
        pick(rows, &mut self.channel.codes);
        self.cost.iter_mut().chain(&mut self.weight).for_each(|v| pick(rows, v));
        self.view.iter_mut().for_each(|v| pick(rows, v));
        pick_names(rows, &mut self.campaign);
    }
}

impl Sold {
    /// Reads conversions; those of a flagged frame may lack a value.
    fn read(
        intake: &mut Intake<'_>,
        buyer: Names,
        flags: Option<&[bool]>,
        options: &EventOptions,
    ) -> Result<Self> {
        let own = options.conversion_time.as_ref().filter(|_| flags.is_none());
        let time = intake.times(own.unwrap_or(&options.time))?.into_owned();
        let value = match (&options.value, flags) {
            (Some(name), None) => Some(intake.amounts(name, options.refunds.sign())?.into_owned()),
            (Some(name), Some(_)) => {
                Some(intake.optional_amounts(name, options.refunds.sign())?.into_owned())
            }
            (None, _) => None,
        };
        let kind = optional(intake, options.conversion_kind.as_ref())?;
        if let (Some(name), Some(kind)) = (&options.conversion_kind, &kind) {
            let sold = |row: usize| flags.is_none_or(|flags| flags[row]);
            let codes = kind.codes.iter().enumerate();
            let missing = codes.filter(|(row, code)| **code == NULL && sold(*row)).map(|(row, _)| row);
            intake.reject(name, "a conversion without a kind", missing);
        }
        let place = optional(intake, options.conversion_place.as_ref())?;
        let order = optional(intake, options.order_id.as_ref())?;
        let row = (0..time.len()).collect();
        Ok(Self { row, customer: buyer.codes, time, value, kind, place, order })
    }

    fn pick(&mut self, rows: &[usize]) {
        pick(rows, &mut self.row);
        pick(rows, &mut self.customer);
        pick(rows, &mut self.time);
        self.value.iter_mut().for_each(|v| pick(rows, v));
        for names in [&mut self.kind, &mut self.place, &mut self.order] {
            pick_names(rows, names);
        }
    }
}

/// Why these rows of conversions went, if any did.
pub(super) fn repeated_orders(options: &EventOptions, rows: &[u32]) -> Option<DropReason> {
    let (column, first_row) = (options.order_id.clone()?, u64::from(*rows.first()?));
    let reason = "repeats an order".to_owned();
    Some(DropReason { column, reason, count: rows.len() as u64, first_row })
}

/// Makes conversions with the same order id one, and says which rows went, ascending.
fn unique_orders(sold: &mut Sold, customers: &Labels, options: &EventOptions) -> Result<Vec<u32>> {
    let (Some(name), Some(order)) = (&options.order_id, &sold.order) else { return Ok(Vec::new()) };
    let value = |i: usize| sold.value.as_ref().map_or(0.0, |v| v[i]);
    let kind = |i: usize| sold.kind.as_ref().map(|k| k.labels.get(k.codes[i]));
    let place = |i: usize| sold.place.as_ref().map(|p| p.labels.get(p.codes[i]));
    let last = options.duplicate_orders == DuplicateOrders::Last;
    let mut by_order: Vec<usize> = (0..order.codes.len()).filter(|i| order.codes[*i] != NULL).collect();
    by_order.sort_by(|a, b| {
        let time = sold.time[*a].cmp(&sold.time[*b]);
        order.codes[*a]
            .cmp(&order.codes[*b])
            .then(if last { time.reverse() } else { time })
            .then(value(*b).total_cmp(&value(*a)))
            // The rest only so that the order of rows has no meaning.
            .then_with(|| customers.get(sold.customer[*a]).cmp(&customers.get(sold.customer[*b])))
            .then_with(|| kind(*a).cmp(&kind(*b)))
            .then_with(|| place(*a).cmp(&place(*b)))
    });
    let mut gone = vec![false; order.codes.len()];
    let mut sums = Vec::new();
    for same in by_order.chunk_by(|a, b| order.codes[*a] == order.codes[*b]).filter(|same| same.len() > 1) {
        same[1..].iter().for_each(|i| gone[*i] = true);
        if options.duplicate_orders == DuplicateOrders::Sum {
            sums.push((same[0], same.iter().map(|i| value(*i)).collect::<ExactSum>().value()));
        }
    }
    let rows: Vec<u32> = (0..gone.len()).filter(|i| gone[*i]).map(|i| sold.row[i] as u32).collect();
    let Some(first) = rows.first() else { return Ok(rows) };
    if options.duplicate_orders == DuplicateOrders::Error {
        let reason = "repeats an order; choose another `duplicate_orders`, or drop the row".to_owned();
        let (row, count) = (u64::from(*first), rows.len() as u64);
        return Err(Error::Row { column: name.clone(), row, count, reason });
    }
    if let Some(value) = &mut sold.value {
        for (i, sum) in sums {
            value[i] = sum;
        }
    }
    let kept: Vec<usize> = (0..gone.len()).filter(|i| !gone[*i]).collect();
    sold.pick(&kept);
    Ok(rows)
}

/// The labels that occur, in their order, and the codes in them.
fn in_order(names: Names) -> (Vec<u32>, Labels) {
    let mut used = vec![false; names.labels.len()];
    names.codes.iter().filter(|c| **c != NULL).for_each(|c| used[*c as usize] = true);
    let (recode, labels) = in_label_order(&names.labels, &used);
    let code = |c: u32| if c == NULL { NULL } else { recode[c as usize] };
    (names.codes.into_iter().map(code).collect(), labels)
}

/// How often each code occurs.
fn counts(codes: &[u32], size: usize) -> Vec<u32> {
    let mut out = vec![0; size];
    codes.iter().filter(|c| **c != NULL).for_each(|c| out[*c as usize] += 1);
    out
}

type Key = (u32, u32, bool, u64);

/// A code for each mix of channel, campaign, kind and weight that occurs, in
/// the order of these.
fn flavours(keys: &[Key]) -> (Vec<u32>, Vec<Key>) {
    let mut codes: HashMap<Key, u32, FixedState> = HashMap::default();
    let mut found = Vec::new();
    let mut out: Vec<u32> = Vec::with_capacity(keys.len());
    for key in keys {
        out.push(*codes.entry(*key).or_insert_with(|| {
            found.push(*key);
            found.len() as u32 - 1
        }));
    }
    let mut order: Vec<u32> = (0..found.len() as u32).collect();
    order.sort_unstable_by_key(|code| found[*code as usize]);
    let mut rank = vec![0; found.len()];
    for (new, old) in order.iter().enumerate() {
        rank[*old as usize] = new as u32;
    }
    for code in &mut out {
        *code = rank[*code as usize];
    }
    (out, order.into_iter().map(|code| found[code as usize]).collect())
}

fn built(
    touched: Touched,
    mut sold: Sold,
    customers: &Arc<Labels>,
    [of_touches, of_conversions]: [Dropped; 2],
    options: &EventOptions,
    elsewhere: &[String],
    run: &Run,
) -> Result<Journeys> {
    let (mut dropped, lost) = (of_touches, of_conversions);
    let flawed_touches = dropped.reasons.len();
    dropped.merge(lost);
    let repeats = unique_orders(&mut sold, customers, options)?;
    if let Some(reason) = repeated_orders(options, &repeats) {
        dropped.rows += reason.count;
        dropped.reasons.push(reason);
    }
    let before = sold.row.len();
    if let (Some(wanted), Some(kind)) = (&options.kinds, &sold.kind) {
        let wanted: Vec<bool> =
            (0..kind.labels.len() as u32).map(|k| wanted.iter().any(|w| *w == kind.labels.get(k))).collect();
        let kept: Vec<usize> = (0..before).filter(|i| wanted[kind.codes[*i] as usize]).collect();
        sold.pick(&kept);
    }
    let other_kinds = (before - sold.row.len()) as u64;

    let (channel, channels) = in_order(touched.channel);
    let campaign = touched.campaign.map(in_order);
    let key = |i: usize| -> Key {
        // No campaign comes before all campaigns.
        let campaign = campaign.as_ref().map_or(0, |(codes, _)| codes[i].wrapping_add(1));
        let view = touched.view.as_ref().is_some_and(|view| view[i]);
        let weight = touched.weight.as_ref().map_or(1.0, |weight| weight[i]);
        let weight = if view { weight * options.view_weight } else { weight };
        (channel[i], campaign, view, (weight + 0.0).to_bits())
    };
    let keys: Vec<Key> = (0..channel.len()).map(key).collect();
    run.check()?;
    let (codes, keys) = flavours(&keys);

    let kind = sold.kind.map(in_order);
    let place = sold.place.map(in_order);
    let (windows, horizons) =
        windows(&keys, &channels, kind.as_ref().map(|(_, labels)| labels), elsewhere, options);
    let is_direct = |channel: u32| {
        options.direct_labels.iter().any(|label| label.eq_ignore_ascii_case(&channels.get(channel)))
    };
    let flavours: Vec<Flavour> = keys
        .iter()
        .enumerate()
        .map(|(at, (channel, campaign, view, weight))| Flavour {
            channel: *channel,
            campaign: campaign.wrapping_sub(1),
            view: *view,
            weight: f64::from_bits(*weight),
            direct: is_direct(*channel),
            horizon: horizons[at],
        })
        .collect();
    let places = place.as_ref().map_or(0, |(_, labels)| labels.len() as u32) + 1;
    let sale = |i: usize| {
        let kind = kind.as_ref().map_or(0, |(codes, _)| codes[i]);
        let place = place.as_ref().map_or(places - 1, |(codes, _)| codes[i].min(places - 1));
        kind * places + place
    };
    let sales: Vec<u32> = (0..sold.row.len()).map(sale).collect();

    let (who, when) = ([&touched.customer[..]], [Cow::Borrowed(&touched.time[..])]);
    let by_flavour = [(Keys::U32(Cow::Borrowed(&codes)), (0..flavours.len() as u32).collect::<Vec<u32>>())];
    let rows = cut(&who, &when, &by_flavour);
    let policies = Policies::from(options);
    let scope = Scope::new(&rows, &sold.time, &policies, run)?;
    let fine = Fine { flavours: &flavours, windows: &windows, sales: &sales, places, options };
    let conversions =
        Conversions { customer: &sold.customer, time: &sold.time, value: sold.value.as_deref() };
    let size = Codes { customers: customers.len(), channels: flavours.len() };
    let mut out = scope.build(&rows, Which::Fine(&fine), &conversions, &size, &policies, run)?;
    if let Some(cost) = &touched.cost {
        let mut pairs: Vec<(u32, u32)> = flavours.iter().map(|f| (f.channel, f.campaign)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let pair = |f: &Flavour| pairs.binary_search(&(f.channel, f.campaign)).unwrap_or_default() as u32;
        let of_flavour: Vec<u32> = flavours.iter().map(pair).collect();
        let by_pair = [(Keys::U32(Cow::Borrowed(&codes)), of_flavour)];
        scope.charge(&mut out, &cut(&who, &when, &by_pair), cost, pairs.len(), run)?;
        let sums = std::mem::take(&mut out.ledger.cost);
        out.ledger.cost = vec![ExactSum::new(); channels.len()];
        for ((channel, _), sum) in pairs.iter().zip(&sums) {
            out.ledger.cost[*channel as usize].merge(sum);
        }
        out.cost = Some(out.ledger.cost.iter().map(ExactSum::value).collect());
        if campaign.is_some() {
            out.ledger.campaign_cost = pairs.into_iter().zip(sums).collect();
        }
    }

    let steps = std::mem::take(&mut out.steps);
    let of = |step: &u32| &flavours[*step as usize];
    if options.weight.is_some() || options.view_weight != 1.0 {
        out.weight = steps.iter().map(|s| of(s).weight).collect();
    }
    if let Some((_, labels)) = campaign {
        out.campaign = steps.iter().map(|s| of(s).campaign).collect();
        out.campaigns = Some(Arc::new(labels));
    }
    if options.kind.is_some() {
        out.view = steps.iter().map(|s| of(s).view).collect();
    }
    out.steps = steps.iter().map(|s| of(s).channel).collect();
    let ends: Vec<(u32, u32)> = out.conversion_kind.iter().map(|label| split(*label, places)).collect();
    out.conversion_kind = Vec::new();
    if let Some((codes, labels)) = kind {
        out.ledger.kinds = counts(&codes, labels.len());
        out.conversion_kind = ends.iter().map(|e| e.0).collect();
        out.kinds = Some(Arc::new(labels));
    }
    if let Some((codes, labels)) = place {
        out.ledger.places = counts(&codes, labels.len());
        out.place = ends.iter().map(|e| e.1).collect();
        out.places = Some(Arc::new(labels));
    }
    if out.merged.direct > 0 {
        out.gap = out.gap.or(Some(Gap::Direct));
    }
    out.merged.orders = repeats.len() as u64;
    out.ledger.repeats = repeats;
    out.merged.other_kinds = other_kinds;
    out.channel_count = channels.len();
    out.channels = Some(Arc::new(channels));
    out.customers = Some(Arc::clone(customers));
    out.ledger.flawed_touches = flawed_touches;
    out.dropped = dropped;
    Ok(out)
}

/// How far back each kind of conversion sees each flavour: the shortest of the
/// windows that are stated for them, else `lookback`. And how far any kind sees
/// it, those `elsewhere` too.
fn windows(
    keys: &[Key],
    channels: &Labels,
    kinds: Option<&Labels>,
    elsewhere: &[String],
    options: &EventOptions,
) -> (Vec<Vec<i64>>, Vec<i64>) {
    let by_channel: Vec<Option<i64>> = (0..channels.len() as u32)
        .map(|c| options.lookback_by_channel.get(&*channels.get(c)).map(|w| w.micros()))
        .collect();
    let window = |(channel, _, view, _): &Key, kind: Option<i64>| {
        let by_touch = if *view { options.view_lookback } else { options.click_lookback };
        let stated = [by_channel[*channel as usize], by_touch.map(Duration::micros), kind];
        stated.into_iter().flatten().min().unwrap_or(options.lookback.micros())
    };
    let row = |kind: Option<i64>| keys.iter().map(|key| window(key, kind)).collect::<Vec<i64>>();
    let of_kind = |kind: &str| row(options.lookback_by_kind.get(kind).map(|w| w.micros()));
    let here: Vec<Vec<i64>> = match kinds {
        Some(kinds) => (0..kinds.len() as u32).map(|k| of_kind(&kinds.get(k))).collect(),
        None => Vec::new(),
    };
    let plain = || vec![row(None)];
    let others = elsewhere.iter().map(|kind| of_kind(kind));
    let mut all: Vec<Vec<i64>> = here.iter().cloned().chain(others).collect();
    if all.is_empty() {
        all = plain();
    }
    let horizons = (0..keys.len()).map(|at| all.iter().map(|w| w[at]).max().unwrap_or(0)).collect();
    (if here.is_empty() { plain() } else { here }, horizons)
}
