//! The file of a [`RfmBuilder`]: its options, its customers and their days.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::blocks::{BOUGHT, Block, LARGE, Line, REFUNDED, SUM, block};
use super::{Counts, RfmBuilder};
use crate::clv::pieces::PIECE;
use crate::clv::summarize::{Refunds, SummarizeOptions};
use crate::column::{DAY, Dropped, Labels, Text};
use crate::model::Model;
use crate::{Error, Result};

/// No time lies further from the epoch than this: beyond the years −9999 and 9999.
const FARTHEST: i64 = 5_000_000 * DAY;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    options: SummarizeOptions,
    customers: Customers,
    days: Days,
    counts: Counts,
    faults: Dropped,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Customers {
    Text(Vec<String>),
    Int(Vec<i64>),
}

/// Lines by customer and grain.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Days {
    customer: Vec<u32>,
    grain: Vec<i64>,
    value: Vec<f64>,
    kind: Vec<u8>,
}

impl From<&RfmBuilder> for Saved {
    fn from(builder: &RfmBuilder) -> Self {
        let mut days = Days::default();
        let net = builder.options.refunds == Refunds::Net;
        for block in &builder.blocks {
            for line in block.sorted(net) {
                days.customer.push(line.customer);
                days.grain.push(line.grain);
                days.value.push(line.value);
                days.kind.push(line.kind);
            }
        }
        Self {
            options: builder.options.clone(),
            customers: match builder.known.labels() {
                Labels::Text(text) => Customers::Text(text.iter().map(str::to_owned).collect()),
                Labels::Int(ints) => Customers::Int(ints),
            },
            days,
            counts: builder.counts,
            faults: builder.faults.clone(),
        }
    }
}

impl TryFrom<Saved> for RfmBuilder {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        let Saved { options, customers, days, counts, faults } = saved;
        let mut builder = Self::new(options)?;
        let labels = match customers {
            Customers::Text(labels) => Labels::Text(labels.iter().collect::<Text>()),
            Customers::Int(labels) => Labels::Int(labels),
        };
        let wrong = |what: &str| Err(Error::model_file(what.to_owned()));
        builder.known.agrees(&labels, &builder.options.customer)?;
        if builder.known.numbers(&labels).iter().enumerate().any(|(at, id)| at != *id as usize) {
            return wrong("a customer stands in the list twice");
        }
        let Days { customer, grain, value, kind } = days;
        if [grain.len(), value.len(), kind.len()].iter().any(|len| *len != customer.len()) {
            return wrong("columns of days differ in length");
        }
        builder.blocks.resize_with(builder.known.len().div_ceil(PIECE), Block::default);
        let (net, unit) = (builder.options.refunds == Refunds::Net, builder.options.grain);
        let far = |micros: i64| micros.saturating_abs() > FARTHEST;
        for (at, who) in customer.iter().enumerate() {
            let line = Line { grain: grain[at], value: value[at], customer: *who, kind: kind[at] };
            if !line.value.is_finite() || line.kind & !(SUM | BOUGHT | REFUNDED | LARGE) != 0 {
                return wrong("a day has no finite amount, or an unknown kind");
            }
            if far(unit.start(line.grain)) {
                return wrong("a day lies beyond the calendar");
            }
            match builder.blocks.get_mut(block(*who)) {
                Some(block) if (*who as usize) < builder.known.len() => block.push(line, net),
                _ => return wrong("a day belongs to no customer"),
            }
        }
        let most = |count: u64| count > 1 << 53;
        let Counts { rows, orders, lines, refunds, after_end, .. } = counts;
        if [rows, orders, lines, refunds, after_end].into_iter().any(most)
            || faults.reasons.iter().any(|r| most(r.count) || most(r.first_row))
            || most(faults.rows)
            || counts.first_refund.is_some_and(most)
            || counts.first_after_end.is_some_and(most)
            || counts.first.is_some_and(far)
            || counts.last.is_some_and(far)
        {
            return wrong("a count or a time is out of range");
        }
        builder.counts = counts;
        builder.faults = faults;
        Ok(builder)
    }
}

impl Serialize for RfmBuilder {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        Saved::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RfmBuilder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Saved::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

impl Model for RfmBuilder {
    const KIND: &'static str = "clv.RfmBuilder";

    fn check(&self) -> Result<()> {
        self.options.check()
    }
}
