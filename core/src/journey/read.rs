//! Journeys from frames.

use std::sync::Arc;

use super::build::Codes;
use super::detail::detailed;
use super::join::joined;
use super::options::{EventOptions, FlaggedRow, Open, PathOptions};
use super::paths::{Parsed, is_plain};
use super::stretch::{Places, cut};
use super::{Conversions, Journeys};
use crate::column::{Coded, Columns, Intake, Labels, NULL, Names, Sign, Text, check_sum, names_together};
use crate::run::Run;
use crate::{Error, Result};

impl Journeys {
    /// Journeys from a frame of touches, and conversions as a second frame or
    /// as a flag column of the first ([`EventOptions::conversion`]). Without
    /// either, all journeys are open.
    ///
    /// Columns of touches: customer and channel (any names), time, cost
    /// (optional); of conversions: customer, time, value (optional; negative
    /// only with [`Refunds::Keep`](super::Refunds)). In a flagged frame the value is read from the
    /// flagged rows, null counting as 0.
    pub fn from_events(
        touches: &Columns,
        conversions: Option<&Columns>,
        options: &EventOptions,
        run: &Run,
    ) -> Result<Self> {
        options.check_conversions(conversions.is_some())?;
        Self::from_some_events(touches, conversions, options, &[], run)
    }

    /// As [`Journeys::from_events`], where `elsewhere` names kinds of conversions that other customers have.
    pub(super) fn from_some_events(
        touches: &Columns,
        conversions: Option<&Columns>,
        options: &EventOptions,
        elsewhere: &[String],
        run: &Run,
    ) -> Result<Self> {
        options.check()?;
        let mut out = match (conversions, &options.conversion) {
            (Some(_), Some(flag)) => Err(Error::option(
                "conversion",
                format!("conversions came as a frame and as the flag column `{flag}`: give one of the two"),
            )),
            (conversions, _) if options.is_fine() => detailed(touches, conversions, options, elsewhere, run),
            (None, Some(flag)) => flagged(touches, flag, options, run),
            (conversions, None) => separate(touches, conversions, options, run),
        }?;
        out.check_sums(options)?;
        if !options.offline_channels.is_empty() {
            let offline = |label: &String| options.offline_channels.contains(label);
            out.offline = out.channel_labels().iter().map(offline).collect();
        }
        Ok(out)
    }

    /// An error where value or cost add up to more than a number can hold.
    pub(super) fn check_sums(&self, options: &EventOptions) -> Result<()> {
        if let Some(name) = &options.value {
            check_sum(name, self.value.iter().copied())?;
        }
        match (&options.cost, &self.cost) {
            (Some(name), Some(cost)) => check_sum(name, cost.iter().copied()),
            _ => Ok(()),
        }
    }

    /// Journeys from a table of paths with counts.
    ///
    /// Equal paths may stand in several rows. Fractions of a conversion are
    /// kept; a row whose path is blank or null counts as conversions without
    /// a touch. Rows are invalid when a number is missing or not finite, when
    /// conversions, nulls or, unless refunds are kept, value are negative, when a step
    /// of the path is empty (`"a >  > b"`), or when there is value without
    /// conversions.
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Journeys, PathOptions};
    ///
    /// let paths = Columns::new().with("path", vec!["a > b", "b"]).with("conversions", vec![3.0, 1.5]);
    /// let journeys = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
    /// assert_eq!(journeys.total_conversions(), 4.5);
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn from_paths(columns: &Columns, options: &PathOptions, run: &Run) -> Result<Self> {
        if options.sep.is_empty() {
            return Err(Error::option("sep", "must not be empty; paths are written like \"search > email\""));
        }
        let mut intake = Intake::new(columns, options.on_invalid, run);
        let data = columns.require(&options.path)?;
        let path = if is_plain(data) { None } else { Some(intake.optional_names(&options.path)?) };
        let mut weights = |name: &Option<String>, sign: Sign| match name {
            Some(name) => intake.amounts(name, sign).map(Some),
            None => Ok(None),
        };
        let conversions = weights(&options.conversions, Sign::NonNegative)?;
        let value = weights(&options.value, options.refunds.sign())?;
        let nulls = weights(&options.nulls, Sign::NonNegative)?;

        let parsed = match &path {
            None => Parsed::rows(data, &options.sep, run)?,
            Some(path) => Parsed::labels(&path.labels, &options.sep, run)?,
        };
        let mut broken: Vec<usize> = parsed.broken().collect();
        if let Some(path) = &path {
            let rows = path.codes.iter().enumerate();
            broken = rows
                .filter(|(_, code)| broken.binary_search(&(**code as usize)).is_ok())
                .map(|(row, _)| row)
                .collect();
        }
        intake.reject(&options.path, "has an empty step between two separators", broken);
        if let (Some(name), Some(value), Some(conversions)) = (&options.value, &value, &conversions) {
            let rows = value.iter().zip(conversions.iter()).enumerate();
            let idle: Vec<usize> =
                rows.filter(|(_, (v, c))| **v != 0.0 && **c == 0.0).map(|(row, _)| row).collect();
            intake.reject(name, "there is value without conversions", idle);
        }

        let kept = intake.finish()?;
        let n = kept.len();
        let codes = path.map(|path| kept.names(path).codes);
        let text = |i: usize| codes.as_ref().map_or_else(|| kept.row(i), |codes| codes[i] as usize);
        let column = |values: Option<std::borrow::Cow<'_, [f64]>>, default: f64| {
            values.map_or_else(|| vec![default; n], |v| kept.values(v).into_owned())
        };
        let has_value = value.is_some();
        for (name, column) in
            [(&options.conversions, &conversions), (&options.value, &value), (&options.nulls, &nulls)]
        {
            if let (Some(name), Some(amounts)) = (name, column) {
                check_sum(name, kept.values(amounts.clone()).iter().copied())?;
            }
        }
        let mut out = Self {
            conversions: column(conversions, 1.0),
            nulls: column(nulls, 0.0),
            value: column(value, 0.0),
            has_value,
            ..Self::default()
        };
        (out.start, out.len) = (0..n).map(|i| parsed.range(text(i))).unzip();
        let mut used = vec![kept.dropped().rows == 0; parsed.tokens.len()];
        if kept.dropped().rows > 0 {
            (0..n).for_each(|i| parsed.mark(text(i), &mut used));
        }
        let (recode, labels) = in_label_order(&Labels::Text(parsed.tokens.clone()), &used);
        out.steps = parsed.into_steps(&recode);
        out.channel_count = labels.len();
        out.channels = Some(Arc::new(labels));
        out.dropped = kept.into_dropped();
        Ok(out)
    }
}

fn separate(
    touches: &Columns,
    conversions: Option<&Columns>,
    options: &EventOptions,
    run: &Run,
) -> Result<Journeys> {
    if options.open == Open::Exclude
        && let Some(conversions) = conversions
        && let Some(journeys) = joined(touches, conversions, options, run)?
    {
        return Ok(journeys);
    }
    let nobody = Columns::new()
        .with("customer", Names { codes: Vec::new(), labels: Arc::new(Labels::Text(Text::new())) });
    let mut intake = Intake::new(touches, options.on_invalid, run);
    intake.int_unit(options.time_unit);
    let mut orders = Intake::new(conversions.unwrap_or(&nobody), options.on_invalid, run);
    orders.int_unit(options.time_unit);

    let (customer, buyer) = if conversions.is_some() {
        let name = options.conversion_customer.as_ref().unwrap_or(&options.customer);
        let [customer, buyer] =
            names_together([(&mut intake, options.customer.as_str()), (&mut orders, name.as_str())])?;
        (customer, buyer)
    } else {
        (intake.names(&options.customer)?, orders.names("customer")?)
    };
    let time = intake.time_runs(&options.time)?;
    let channel = intake.coded_runs(&options.channel)?;
    let names = if channel.is_none() { Some(intake.names(&options.channel)?) } else { None };
    let cost = match &options.cost {
        Some(name) => Some(intake.optional_amounts(name, Sign::NonNegative)?),
        None => None,
    };
    let name = options.conversion_time.as_ref().unwrap_or(&options.time);
    let (mut sold, mut value) = (std::borrow::Cow::Owned(Vec::new()), None);
    if conversions.is_some() {
        sold = orders.times(name)?;
        if let Some(name) = &options.value {
            value = Some(orders.amounts(name, options.refunds.sign())?);
        }
    }

    let kept = intake.finish()?;
    let whole = kept.dropped().rows == 0;
    let channel = match (channel.filter(|_| whole), names) {
        (Some(channel), _) => channel,
        (None, Some(names)) => Coded::of(kept.names(names), whole),
        // Some rows go, so that the rest cannot stay where they lie.
        (None, None) => {
            let names = Intake::new(touches, options.on_invalid, run).names(&options.channel)?;
            Coded::of(kept.names(names), whole)
        }
    };
    let customer = kept.names(customer);
    let (time, cost) = (kept.runs(time), cost.map(|c| kept.values(c)));
    let kept_orders = orders.finish()?;
    let buyer = kept_orders.names(buyer);
    let (sold, value) = (kept_orders.values(sold), value.map(|v| kept_orders.values(v)));

    let rows = Rows { customer: &customer.codes, time: &time, cost: cost.as_deref() };
    let conversions = Conversions { customer: &buyer.codes, time: &sold, value: value.as_deref() };
    let mut out = named(&rows, channel, &conversions, &customer.labels, options, run)?;
    out.dropped = kept.into_dropped();
    out.ledger.flawed_touches = out.dropped.reasons.len();
    out.dropped.merge(kept_orders.into_dropped());
    Ok(out)
}

fn flagged(touches: &Columns, flag: &str, options: &EventOptions, run: &Run) -> Result<Journeys> {
    let mut intake = Intake::new(touches, options.on_invalid, run);
    intake.int_unit(options.time_unit);
    let customer = intake.names(&options.customer)?;
    let time = intake.times(&options.time)?;
    let flags = intake.flags(flag)?;
    let channel = match options.flagged_row {
        FlaggedRow::TouchAndConversion => intake.names(&options.channel)?,
        FlaggedRow::Conversion => {
            let channel = intake.optional_names(&options.channel)?;
            let rows = channel.codes.iter().zip(flags.iter()).enumerate();
            let missing: Vec<usize> =
                rows.filter(|(_, (c, f))| **c == NULL && !**f).map(|(row, _)| row).collect();
            intake.reject(&options.channel, "a touch without a channel", missing);
            channel
        }
    };
    let cost = match &options.cost {
        Some(name) => Some(intake.optional_amounts(name, Sign::NonNegative)?),
        None => None,
    };
    let value = match &options.value {
        Some(name) => Some(intake.optional_amounts(name, options.refunds.sign())?),
        None => None,
    };
    let kept = intake.finish()?;
    let (customer, channel) = (kept.names(customer), kept.names(channel));
    let (time, flags) = (kept.values(time), kept.values(flags));
    let (cost, value) = (cost.map(|c| kept.values(c)), value.map(|v| kept.values(v)));

    let sold = Picked::new(&flags, true);
    let orders = (sold.of(&customer.codes), sold.of(&time), value.map(|v| sold.of(&v)));
    let conversions = Conversions { customer: &orders.0, time: &orders.1, value: orders.2.as_deref() };
    let mut out = if options.flagged_row == FlaggedRow::TouchAndConversion {
        let time = [(&*time).into()];
        let rows = Rows { customer: &customer.codes, time: &time, cost: cost.as_deref() };
        let channel = Coded::of(channel, kept.dropped().rows == 0);
        named(&rows, channel, &conversions, &customer.labels, options, run)?
    } else {
        let rest = Picked::new(&flags, false);
        let (time, cost) = ([rest.of(&time).into()], cost.map(|c| rest.of(&c)));
        let rows = Rows { customer: &rest.of(&customer.codes), time: &time, cost: cost.as_deref() };
        let channel = Coded::of(Names { codes: rest.of(&channel.codes), labels: channel.labels }, false);
        named(&rows, channel, &conversions, &customer.labels, options, run)?
    };
    out.dropped = kept.into_dropped();
    out.ledger.flawed_touches = out.dropped.reasons.len();
    Ok(out)
}

/// The rows whose flag has one value.
struct Picked(Vec<u32>);

impl Picked {
    fn new(flags: &[bool], wanted: bool) -> Self {
        Self(flags.iter().enumerate().filter(|(_, f)| **f == wanted).map(|(row, _)| row as u32).collect())
    }

    fn of<T: Copy>(&self, values: &[T]) -> Vec<T> {
        self.0.iter().map(|row| values[*row as usize]).collect()
    }
}

/// Touches that were read, but for their channels.
struct Rows<'a> {
    customer: &'a [u32],
    time: &'a [std::borrow::Cow<'a, [i64]>],
    cost: Option<&'a [f64]>,
}

/// Journeys with their labels.
fn named(
    touches: &Rows<'_>,
    channel: Coded<'_>,
    conversions: &Conversions<'_>,
    customers: &Arc<Labels>,
    options: &EventOptions,
    run: &Run,
) -> Result<Journeys> {
    let (recode, labels) = in_label_order(&channel.labels, &channel.used);
    let codes = Codes { customers: customers.len(), channels: labels.len() };
    let places = placed(channel, &recode);
    let customer = [touches.customer];
    let rows = cut(&customer, touches.time, &places);
    let mut out = Journeys::build_coded(&rows, touches.cost, conversions, &codes, &options.into(), run)?;
    out.channels = Some(Arc::new(labels));
    out.customers = Some(Arc::clone(customers));
    Ok(out)
}

/// The keys of channels with the new code of each.
pub(super) fn placed<'a>(channel: Coded<'a>, recode: &[u32]) -> Vec<Places<'a>> {
    let place = |codes: Vec<u32>| codes.into_iter().map(|code| recode[code as usize]).collect();
    channel.runs.into_iter().map(|(keys, codes)| (keys, place(codes))).collect()
}

/// New codes for the labels that are used, in label order.
pub(super) fn in_label_order(labels: &Labels, used: &[bool]) -> (Vec<u32>, Labels) {
    let mut order: Vec<u32> = (0..labels.len() as u32).filter(|c| used[*c as usize]).collect();
    let sorted = match labels {
        Labels::Text(text) => {
            order.sort_by(|a, b| text.get(*a as usize).cmp(&text.get(*b as usize)));
            Labels::Text(order.iter().filter_map(|c| text.get(*c as usize)).collect())
        }
        Labels::Int(ints) => {
            order.sort_by_key(|c| ints[*c as usize]);
            Labels::Int(order.iter().map(|c| ints[*c as usize]).collect())
        }
    };
    let mut recode = vec![0; labels.len()];
    for (new, old) in order.iter().enumerate() {
        recode[*old as usize] = new as u32;
    }
    (recode, sorted)
}
