//! Journeys from frames.

use std::sync::Arc;

use super::build::Codes;
use super::options::{EventOptions, FlaggedRow, PathOptions};
use super::paths::{Parsed, is_plain};
use super::{Conversions, Journeys, Touches};
use crate::column::{Columns, Intake, Labels, NULL, Names, Sign, Text, names_together};
use crate::run::Run;
use crate::{Error, Result};

impl Journeys {
    /// Journeys from a frame of touches, and conversions as a second frame or
    /// as a flag column of the first ([`EventOptions::conversion`]). Without
    /// either, all journeys are open.
    ///
    /// Columns of touches: customer and channel (any names), time, cost
    /// (optional); of conversions: customer, time, value (optional, not
    /// negative). In a flagged frame the value is read from the flagged rows,
    /// null counting as 0.
    pub fn from_events(
        touches: &Columns,
        conversions: Option<&Columns>,
        options: &EventOptions,
        run: &Run,
    ) -> Result<Self> {
        match (conversions, &options.conversion) {
            (Some(_), Some(flag)) => Err(Error::option(
                "conversion",
                format!("conversions came as a frame and as the flag column `{flag}`: give one of the two"),
            )),
            (None, Some(flag)) => flagged(touches, flag, options, run),
            (conversions, None) => separate(touches, conversions, options, run),
        }
    }

    /// Journeys from a table of paths with counts.
    ///
    /// Equal paths may stand in several rows. Fractions of a conversion are
    /// kept; a row whose path is blank or null counts as conversions without
    /// a touch. Rows are invalid when a number is missing, not finite or
    /// negative, when a step of the path is empty (`"a >  > b"`), or when
    /// there is value without conversions.
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
        let mut weights = |name: &Option<String>| match name {
            Some(name) => intake.amounts(name, Sign::NonNegative).map(Some),
            None => Ok(None),
        };
        let conversions = weights(&options.conversions)?;
        let value = weights(&options.value)?;
        let nulls = weights(&options.nulls)?;

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
                rows.filter(|(_, (v, c))| **v > 0.0 && **c == 0.0).map(|(row, _)| row).collect();
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
    let time = intake.times(&options.time)?;
    let channel = intake.names(&options.channel)?;
    let cost = match &options.cost {
        Some(name) => Some(intake.optional_amounts(name, Sign::NonNegative)?),
        None => None,
    };
    let name = options.conversion_time.as_ref().unwrap_or(&options.time);
    let (mut sold, mut value) = (std::borrow::Cow::Owned(Vec::new()), None);
    if conversions.is_some() {
        sold = orders.times(name)?;
        if let Some(name) = &options.value {
            value = Some(orders.amounts(name, Sign::NonNegative)?);
        }
    }

    let kept = intake.finish()?;
    let (customer, channel) = (kept.names(customer), kept.names(channel));
    let (time, cost) = (kept.values(time), cost.map(|c| kept.values(c)));
    let kept_orders = orders.finish()?;
    let buyer = kept_orders.names(buyer);
    let (sold, value) = (kept_orders.values(sold), value.map(|v| kept_orders.values(v)));

    let touches =
        Touches { customer: &customer.codes, time: &time, channel: &channel.codes, cost: cost.as_deref() };
    let conversions = Conversions { customer: &buyer.codes, time: &sold, value: value.as_deref() };
    let whole = kept.dropped().rows == 0;
    let mut out = named(&touches, &conversions, &channel.labels, &customer.labels, whole, options, run)?;
    out.dropped = kept.into_dropped();
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
        Some(name) => Some(intake.optional_amounts(name, Sign::NonNegative)?),
        None => None,
    };
    let kept = intake.finish()?;
    let (customer, channel) = (kept.names(customer), kept.names(channel));
    let (time, flags) = (kept.values(time), kept.values(flags));
    let (cost, value) = (cost.map(|c| kept.values(c)), value.map(|v| kept.values(v)));

    let sold = Picked::new(&flags, true);
    let orders = (sold.of(&customer.codes), sold.of(&time), value.map(|v| sold.of(&v)));
    let conversions = Conversions { customer: &orders.0, time: &orders.1, value: orders.2.as_deref() };
    let labels = (&channel.labels, &customer.labels);
    let mut out = if options.flagged_row == FlaggedRow::TouchAndConversion {
        let (customer, channel) = (&customer.codes, &channel.codes);
        let touches = Touches { customer, time: &time, channel, cost: cost.as_deref() };
        let whole = kept.dropped().rows == 0;
        named(&touches, &conversions, labels.0, labels.1, whole, options, run)?
    } else {
        let rest = Picked::new(&flags, false);
        let columns = (rest.of(&customer.codes), rest.of(&time), cost.map(|c| rest.of(&c)));
        let (customer, channel) = (&columns.0, &rest.of(&channel.codes));
        let touches = Touches { customer, time: &columns.1, channel, cost: columns.2.as_deref() };
        named(&touches, &conversions, labels.0, labels.1, false, options, run)?
    };
    out.dropped = kept.into_dropped();
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

/// Journeys with their labels; `whole` says that all labels of channels occur.
fn named(
    touches: &Touches<'_>,
    conversions: &Conversions<'_>,
    channels: &Labels,
    customers: &Arc<Labels>,
    whole: bool,
    options: &EventOptions,
    run: &Run,
) -> Result<Journeys> {
    let mut used = vec![whole; channels.len()];
    if !whole {
        for code in touches.channel {
            used[*code as usize] = true;
        }
    }
    let (recode, labels) = in_label_order(channels, &used);
    let codes = Codes { customers: customers.len(), channels: labels.len(), recode: &recode };
    let mut out = Journeys::build_coded(touches, conversions, &codes, &options.into(), run)?;
    out.channels = Some(Arc::new(labels));
    out.customers = Some(Arc::clone(customers));
    Ok(out)
}

/// New codes for the labels that are used, in label order.
fn in_label_order(labels: &Labels, used: &[bool]) -> (Vec<u32>, Labels) {
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
