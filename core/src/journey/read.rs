//! Journeys from frames.

use std::collections::HashMap;
use std::sync::Arc;

use super::options::{EventOptions, FlaggedRow, PathOptions};
use super::{Conversions, Journeys, Touches};
use crate::column::{Columns, Intake, Labels, NULL, Names, Sign, Text, names_together};
use crate::run::{CHUNK, Run};
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
        let path = intake.optional_names(&options.path)?;
        let mut weights = |name: &Option<String>| match name {
            Some(name) => intake.amounts(name, Sign::NonNegative).map(Some),
            None => Ok(None),
        };
        let conversions = weights(&options.conversions)?;
        let value = weights(&options.value)?;
        let nulls = weights(&options.nulls)?;

        let parsed = Parsed::new(&path.labels, &options.sep, run)?;
        let broken = path.codes.iter().enumerate().filter(|(_, c)| parsed.is_broken(**c)).map(|(row, _)| row);
        intake.reject(&options.path, "has an empty step between two separators", broken.collect::<Vec<_>>());
        if let (Some(name), Some(value), Some(conversions)) = (&options.value, &value, &conversions) {
            let rows = value.iter().zip(conversions.iter()).enumerate();
            let idle: Vec<usize> =
                rows.filter(|(_, (v, c))| **v > 0.0 && **c == 0.0).map(|(row, _)| row).collect();
            intake.reject(name, "there is value without conversions", idle);
        }

        let kept = intake.finish()?;
        let codes = kept.names(path).codes;
        let n = codes.len();
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
        (out.start, out.len) = codes.iter().map(|c| parsed.range(*c)).unzip();
        let mut used = vec![false; parsed.tokens.len()];
        let mut seen = vec![false; parsed.ends.len()];
        for code in codes {
            if let Some(seen) = seen.get_mut(code as usize)
                && !std::mem::replace(seen, true)
            {
                let (start, len) = parsed.range(code);
                for step in &parsed.steps[start as usize..(start + len) as usize] {
                    used[*step as usize] = true;
                }
            }
        }
        let (recode, labels) = in_label_order(&Labels::Text(parsed.tokens), &used);
        out.steps = parsed.steps;
        for step in &mut out.steps {
            *step = recode[*step as usize];
        }
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

    let (codes, labels) = channels(channel);
    let touches = Touches { customer: &customer.codes, time: &time, channel: &codes, cost: cost.as_deref() };
    let conversions = Conversions { customer: &buyer.codes, time: &sold, value: value.as_deref() };
    let mut out = Journeys::build(&touches, &conversions, &options.into(), run)?;
    out.name(labels, customer.labels);
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
    let mut out;
    let (codes, labels);
    if options.flagged_row == FlaggedRow::TouchAndConversion {
        (codes, labels) = channels(channel);
        let touches =
            Touches { customer: &customer.codes, time: &time, channel: &codes, cost: cost.as_deref() };
        out = Journeys::build(&touches, &conversions, &options.into(), run)?;
    } else {
        let rest = Picked::new(&flags, false);
        let columns = (rest.of(&customer.codes), rest.of(&time), cost.map(|c| rest.of(&c)));
        let channel = Names { codes: rest.of(&channel.codes), labels: channel.labels };
        (codes, labels) = channels(channel);
        let touches =
            Touches { customer: &columns.0, time: &columns.1, channel: &codes, cost: columns.2.as_deref() };
        out = Journeys::build(&touches, &conversions, &options.into(), run)?;
    }
    out.name(labels, customer.labels);
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

impl Journeys {
    fn name(&mut self, channels: Labels, customers: Arc<Labels>) {
        self.channel_count = channels.len();
        if let Some(cost) = &mut self.cost {
            cost.resize(channels.len(), 0.0);
        }
        self.channels = Some(Arc::new(channels));
        self.customers = Some(customers);
    }
}

/// Channel codes in the order of their labels, and the labels that occur.
fn channels(names: Names) -> (Vec<u32>, Labels) {
    let mut used = vec![false; names.labels.len()];
    for code in &names.codes {
        if let Some(used) = used.get_mut(*code as usize) {
            *used = true;
        }
    }
    let (recode, labels) = in_label_order(&names.labels, &used);
    let mut codes = names.codes;
    for code in &mut codes {
        *code = recode[*code as usize];
    }
    (codes, labels)
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

/// Distinct path texts cut into tokens.
struct Parsed {
    tokens: Text,
    steps: Vec<u32>,
    ends: Vec<u32>,
    broken: Vec<bool>,
}

impl Parsed {
    fn new(labels: &Labels, sep: &str, run: &Run) -> Result<Self> {
        let mut codes: HashMap<String, u32> = HashMap::new();
        let mut out = Self { tokens: Text::new(), steps: Vec::new(), ends: Vec::new(), broken: Vec::new() };
        run.stage("read paths", labels.len() as u64)?;
        for label in 0..labels.len() {
            if label % CHUNK == 0 {
                run.check()?;
            }
            let text = labels.get(label as u32);
            let mut broken = false;
            if !text.trim().is_empty() {
                for token in text.split(sep).map(str::trim) {
                    broken |= token.is_empty();
                    let code = codes.get(token).copied().unwrap_or_else(|| {
                        let code = out.tokens.len() as u32;
                        out.tokens.push(token);
                        codes.insert(token.to_owned(), code);
                        code
                    });
                    out.steps.push(code);
                }
            }
            if out.steps.len() >= NULL as usize {
                return Err(Error::column(
                    "path",
                    "holds more than four billion steps: aggregate equal paths first",
                ));
            }
            out.ends.push(out.steps.len() as u32);
            out.broken.push(broken);
        }
        Ok(out)
    }

    fn is_broken(&self, code: u32) -> bool {
        self.broken.get(code as usize).copied().unwrap_or(false)
    }

    /// Start and length of a path's steps; (0, 0) for none.
    fn range(&self, code: u32) -> (u32, u32) {
        let Some(end) = self.ends.get(code as usize) else { return (0, 0) };
        let start = if code == 0 { 0 } else { self.ends[code as usize - 1] };
        (start, end - start)
    }
}
