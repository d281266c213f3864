//! What really happened, added up while the market streams by.

use std::sync::Arc;

use super::options::{ChannelKind, MarketOptions};
use crate::Table;
use crate::column::{Labels, Names, Text, Values};

/// What one channel truly did in the observed days.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelTruth {
    /// The channel's name.
    pub channel: String,
    /// Paid or organic.
    pub kind: ChannelKind,
    /// Touches.
    pub touches: u64,
    /// Money spent on them.
    pub cost: f64,
    /// Orders that its touches caused, each counted for one channel.
    pub incremental_conversions: u64,
    /// The value of those orders.
    pub incremental_value: f64,
    /// Orders that would not exist had the channel touched nobody, everything
    /// else and each person's random draws being equal. Includes what its
    /// touches bring about through others, so channels may share an order.
    pub lost_conversions: i64,
    /// The value of those orders.
    pub lost_value: f64,
}

/// The totals of a market, or of its part so far. All but the holdout counts
/// belong to the observed days.
///
/// Amounts are added block after block, in the blocks' order, so the totals
/// are the same bits for any batch size.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketTruth {
    /// People.
    pub people: u64,
    /// People who ordered.
    pub customers: u64,
    /// Touches: rows of the events.
    pub events: u64,
    /// Orders.
    pub orders: u64,
    /// Orders that would have been without any marketing.
    pub baseline_orders: u64,
    /// The value of all orders.
    pub value: f64,
    /// The value of the baseline orders.
    pub baseline_value: f64,
    /// Pairs of a person and an identifier that was seen.
    pub identifiers: u64,
    /// Orders in the days after.
    pub holdout_orders: u64,
    /// Their value.
    pub holdout_value: f64,
    /// One entry a channel, in the order of the options.
    pub by_channel: Vec<ChannelTruth>,
}

impl MarketTruth {
    pub(super) fn new(options: &MarketOptions) -> Self {
        let by_channel = options
            .channels
            .iter()
            .map(|c| ChannelTruth {
                channel: c.name.clone(),
                kind: c.kind,
                touches: 0,
                cost: 0.0,
                incremental_conversions: 0,
                incremental_value: 0.0,
                lost_conversions: 0,
                lost_value: 0.0,
            })
            .collect();
        Self {
            people: 0,
            customers: 0,
            events: 0,
            orders: 0,
            baseline_orders: 0,
            value: 0.0,
            baseline_value: 0.0,
            identifiers: 0,
            holdout_orders: 0,
            holdout_value: 0.0,
            by_channel,
        }
    }

    /// Adds the next part.
    pub(super) fn merge(&mut self, part: &Self) {
        self.people += part.people;
        self.customers += part.customers;
        self.events += part.events;
        self.orders += part.orders;
        self.baseline_orders += part.baseline_orders;
        self.value += part.value;
        self.baseline_value += part.baseline_value;
        self.identifiers += part.identifiers;
        self.holdout_orders += part.holdout_orders;
        self.holdout_value += part.holdout_value;
        for (mine, theirs) in self.by_channel.iter_mut().zip(&part.by_channel) {
            mine.touches += theirs.touches;
            mine.cost += theirs.cost;
            mine.incremental_conversions += theirs.incremental_conversions;
            mine.incremental_value += theirs.incremental_value;
            mine.lost_conversions += theirs.lost_conversions;
            mine.lost_value += theirs.lost_value;
        }
    }

    /// One row a channel: channel, kind, touches, cost;
    /// `incremental_conversions`, `incremental_value` and `incremental_share`:
    /// the orders that its touches caused, and their part of all caused orders;
    /// `lost_conversions`, `lost_value` and `lost_share`: the orders that would
    /// not exist with the channel switched off, and their part of the sum over
    /// channels. A share is 0 where there is nothing to share.
    ///
    /// The two differ where channels work through each other: the first order
    /// brings the newsletters that bring the second, a visit brings
    /// retargeting, one channel primes another. The second is what attribution
    /// is scored against, and what a lift test estimates.
    pub fn channels(&self) -> Table {
        let rows = &self.by_channel;
        let names: Text = rows.iter().map(|c| c.channel.as_str()).collect();
        let kinds: Text = rows.iter().map(|c| kind_name(c.kind)).collect();
        let counts = |f: fn(&ChannelTruth) -> i64| Values::I64(rows.iter().map(f).collect());
        let amounts = |f: fn(&ChannelTruth) -> f64| Values::F64(rows.iter().map(f).collect());
        let shares = |f: fn(&ChannelTruth) -> i64| {
            let total: i64 = rows.iter().map(f).sum();
            let share = |n: i64| if total <= 0 { 0.0 } else { n as f64 / total as f64 };
            Values::F64(rows.iter().map(|c| share(f(c))).collect())
        };
        Table::new()
            .with("channel", Values::Names(Names::all(Arc::new(Labels::Text(names)))))
            .with("kind", Values::Text(kinds))
            .with("touches", counts(|c| c.touches as i64))
            .with("cost", amounts(|c| c.cost))
            .with("incremental_conversions", counts(|c| c.incremental_conversions as i64))
            .with("incremental_value", amounts(|c| c.incremental_value))
            .with("incremental_share", shares(|c| c.incremental_conversions as i64))
            .with("lost_conversions", counts(|c| c.lost_conversions))
            .with("lost_value", amounts(|c| c.lost_value))
            .with("lost_share", shares(|c| c.lost_conversions))
    }

    /// One row: people, customers, events, orders, `baseline_orders`,
    /// `incremental_orders`, value, `baseline_value`, identifiers,
    /// `holdout_orders`, `holdout_value`.
    pub fn totals(&self) -> Table {
        let whole = |n: u64| Values::I64(vec![n as i64]);
        let money = |x: f64| Values::F64(vec![x]);
        Table::new()
            .with("people", whole(self.people))
            .with("customers", whole(self.customers))
            .with("events", whole(self.events))
            .with("orders", whole(self.orders))
            .with("baseline_orders", whole(self.baseline_orders))
            .with("incremental_orders", whole(self.orders - self.baseline_orders))
            .with("value", money(self.value))
            .with("baseline_value", money(self.baseline_value))
            .with("identifiers", whole(self.identifiers))
            .with("holdout_orders", whole(self.holdout_orders))
            .with("holdout_value", money(self.holdout_value))
    }
}

fn kind_name(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Paid => "paid",
        ChannelKind::Organic => "organic",
    }
}
