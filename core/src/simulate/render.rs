//! Raw rows to tables.

use std::sync::Arc;

use super::block::{Block, Namespace, RawOrder};
use super::person::{NO_CHANNEL, NONE, Plan};
use crate::column::{Labels, NULL, Names, Text, Values};
use crate::{Result, Run, Table};

type Cells = (Values, Option<Vec<bool>>);

/// Label tables, made once for a market.
#[derive(Clone, Debug)]
pub(super) struct Lexicon {
    channels: Arc<Labels>,
    campaigns: Arc<Labels>,
    /// The code of a channel's first campaign.
    campaign_at: Vec<u32>,
    namespaces: Arc<Labels>,
    sources: Arc<Labels>,
    keys: [u64; 7],
    shift: u64,
}

const MULTIPLIER: u64 = 387_420_489; // 3^18: prime to both moduli below
const PHONES: u64 = 700_000_000;
const CARDS: u64 = 10_000_000_000;

impl Lexicon {
    pub(super) fn new(plan: &Plan) -> Self {
        let channels: Text = plan.options.channels.iter().map(|c| c.name.as_str()).collect();
        let mut campaigns = Text::new();
        let mut campaign_at = Vec::new();
        for c in &plan.options.channels {
            campaign_at.push(campaigns.len() as u32);
            for number in 1..=c.campaigns {
                campaigns.push(&format!("{}_{number}", c.name));
            }
        }
        let labels = |names: &[&str]| Arc::new(Labels::Text(names.iter().collect()));
        let seed = scramble(plan.options.seed ^ 0x6865_6164_7761_7465);
        Self {
            channels: Arc::new(Labels::Text(channels)),
            campaigns: Arc::new(Labels::Text(campaigns)),
            campaign_at,
            namespaces: labels(&["cookie", "device", "email", "user_id", "phone", "loyalty"]),
            sources: labels(&["web", "store"]),
            keys: std::array::from_fn(|i| scramble(seed.wrapping_add(i as u64))),
            shift: seed % PHONES,
        }
    }

    /// Writes an identifier. Within a namespace different keys give different texts.
    fn write(&self, namespace: Namespace, key: u64, out: &mut Vec<u8>) {
        let mixed = scramble(key ^ self.keys[namespace as usize]);
        match namespace {
            Namespace::Cookie => hex(b"ck_", mixed, b"", out),
            Namespace::Device => hex(b"dv_", mixed, b"", out),
            Namespace::UserId => hex(b"u_", mixed, b"", out),
            Namespace::Email => {
                let domain: &[u8] = if key & 1 == 0 { b"@example.com" } else { b"@example.org" };
                hex(b"", mixed, domain, out);
            }
            Namespace::Phone => {
                // German mobile numbers, 015x and eight digits.
                let number = (key * MULTIPLIER + self.shift) % PHONES;
                out.extend_from_slice(b"+4915");
                out.push(b"1256789"[(number / 100_000_000) as usize]);
                digits(number % 100_000_000, 8, out);
            }
            Namespace::Loyalty => {
                out.extend_from_slice(b"LC");
                digits((key * MULTIPLIER + self.shift) % CARDS, 10, out);
            }
        }
    }

    fn write_order(&self, number: u64, out: &mut Vec<u8>) {
        hex(b"o_", scramble(number ^ self.keys[6]), b"", out);
    }

    fn names(labels: &Arc<Labels>, codes: impl Iterator<Item = u32>) -> Cells {
        let codes: Vec<u32> = codes.collect();
        let valid = codes.contains(&NULL).then(|| codes.iter().map(|c| *c != NULL).collect());
        (Values::Names(Names { codes, labels: Arc::clone(labels) }), valid)
    }

    fn id_column(&self, namespace: Namespace, count: usize, key: impl Fn(usize) -> Option<u64>) -> Cells {
        let mut valid = Vec::with_capacity(count);
        let text = texts(count, 24, |i, out| {
            let key = key(i);
            valid.push(key.is_some());
            if let Some(key) = key {
                self.write(namespace, key, out);
            }
        });
        (Values::Text(text), Some(valid))
    }

    /// time, cookie, device, email, `user_id`, channel, campaign, cost.
    pub(super) fn events(&self, plan: &Plan, block: &Block, run: &Run) -> Result<Table> {
        let rows = &block.events;
        let n = rows.len();
        let make = |column: usize| -> Result<Cells> {
            Ok(match column {
                0 => (Values::Time(rows.iter().map(|r| r.time).collect()), None),
                1 => self.id_column(Namespace::Cookie, n, |i| some(rows[i].cookie)),
                2 => self.id_column(Namespace::Device, n, |i| some(rows[i].device)),
                3 => self.id_column(Namespace::Email, n, |i| email_key(rows[i].person, rows[i].email)),
                4 => self
                    .id_column(Namespace::UserId, n, |i| rows[i].login.then_some(u64::from(rows[i].person))),
                5 => Self::names(&self.channels, rows.iter().map(|r| u32::from(r.channel))),
                6 => Self::names(
                    &self.campaigns,
                    rows.iter().map(|r| match r.campaign {
                        0 => NULL,
                        c => self.campaign_at[r.channel as usize] + u32::from(c) - 1,
                    }),
                ),
                _ => {
                    let costs: Vec<f64> = plan.options.channels.iter().map(|c| c.cost).collect();
                    (Values::F64(rows.iter().map(|r| costs[r.channel as usize]).collect()), None)
                }
            })
        };
        let names = ["time", "cookie", "device", "email", "user_id", "channel", "campaign", "cost"];
        assemble(&names, make, run)
    }

    /// time, `order_id`, cookie, device, email, `user_id`, phone, loyalty, source, value.
    pub(super) fn orders(&self, rows: &[RawOrder], run: &Run) -> Result<Table> {
        let n = rows.len();
        let make = |column: usize| -> Result<Cells> {
            let who = |i: usize| u64::from(rows[i].person);
            Ok(match column {
                0 => (Values::Time(rows.iter().map(|r| r.time).collect()), None),
                1 => (self.order_ids(rows), None),
                2 => self.id_column(Namespace::Cookie, n, |i| some(rows[i].cookie)),
                3 => self.id_column(Namespace::Device, n, |i| some(rows[i].device)),
                4 => self.id_column(Namespace::Email, n, |i| email_key(rows[i].person, rows[i].email)),
                5 => self.id_column(Namespace::UserId, n, |i| rows[i].login.then(|| who(i))),
                6 => self.id_column(Namespace::Phone, n, |i| rows[i].phone.then(|| who(i))),
                7 => self.id_column(Namespace::Loyalty, n, |i| rows[i].loyalty.then(|| who(i))),
                8 => Self::names(&self.sources, rows.iter().map(|r| u32::from(r.store))),
                _ => (Values::F64(rows.iter().map(|r| r.value).collect()), None),
            })
        };
        let names = [
            "time", "order_id", "cookie", "device", "email", "user_id", "phone", "loyalty", "source", "value",
        ];
        assemble(&names, make, run)
    }

    fn order_ids(&self, rows: &[RawOrder]) -> Values {
        Values::Text(texts(rows.len(), 18, |i, out| self.write_order(rows[i].number, out)))
    }

    /// person.
    pub(super) fn truth_events(block: &Block) -> Table {
        Table::new()
            .with("person", Values::I64(block.events.iter().map(|row| i64::from(row.person)).collect()))
    }

    /// `order_id`, person, `caused_by`.
    pub(super) fn truth_orders(&self, block: &Block) -> Table {
        let rows = &block.orders;
        let cause = |r: &RawOrder| if r.caused_by == NO_CHANNEL { NULL } else { u32::from(r.caused_by) };
        let (caused_by, valid) = Self::names(&self.channels, rows.iter().map(cause));
        Table::new()
            .with("order_id", self.order_ids(rows))
            .with("person", Values::I64(rows.iter().map(|r| i64::from(r.person)).collect()))
            .push("caused_by", caused_by, valid)
    }

    /// namespace, identifier, person.
    pub(super) fn truth_people(&self, block: &Block) -> Table {
        let rows = &block.ids;
        let (namespaces, _) = Self::names(&self.namespaces, rows.iter().map(|r| r.namespace as u32));
        let text = texts(rows.len(), 24, |i, out| self.write(rows[i].namespace, rows[i].key, out));
        Table::new()
            .with("namespace", namespaces)
            .with("identifier", Values::Text(text))
            .with("person", Values::I64(rows.iter().map(|r| i64::from(r.person)).collect()))
    }

    /// person, entered, buyer, rate, dropout, `mean_amount`, orders, value,
    /// alive, `expected_future_orders`, `future_orders`, `future_value`.
    pub(super) fn people(block: &Block) -> Table {
        let rows = &block.people;
        Table::new()
            .with("person", Values::I64(rows.iter().map(|r| i64::from(r.person)).collect()))
            .with("entered", Values::Time(rows.iter().map(|r| r.entered).collect()))
            .with("buyer", Values::Bool(rows.iter().map(|r| r.buyer).collect()))
            .with("rate", Values::F64(rows.iter().map(|r| r.rate).collect()))
            .with("dropout", Values::F64(rows.iter().map(|r| r.dropout).collect()))
            .with("mean_amount", Values::F64(rows.iter().map(|r| r.mean_amount).collect()))
            .with("orders", Values::I64(rows.iter().map(|r| i64::from(r.orders)).collect()))
            .with("value", Values::F64(rows.iter().map(|r| r.value).collect()))
            .with("alive", Values::Bool(rows.iter().map(|r| r.alive).collect()))
            .with_optional("expected_future_orders", rows.iter().map(|r| r.expected_future))
            .with("future_orders", Values::I64(rows.iter().map(|r| i64::from(r.future_orders)).collect()))
            .with("future_value", Values::F64(rows.iter().map(|r| r.future_value).collect()))
    }
}

/// Rows of events and orders together, in the order of time (events first at
/// equal times): time, source and every identifier.
pub(super) fn records(events: &Table, orders: &Table) -> Table {
    let times = |t: &Table| t.i64s("time").unwrap_or_default().to_vec();
    let (left, right) = (times(events), times(orders));
    let split = left.len();
    let time_of = |i: usize| if i < split { left[i] } else { right[i - split] };
    let mut order: Vec<usize> = (0..split + right.len()).collect();
    order.sort_by_key(|i| time_of(*i));
    let mut out = Table::new().with("time", Values::Time(order.iter().map(|i| time_of(*i)).collect()));
    for name in ["cookie", "device", "email", "user_id", "phone", "loyalty"] {
        let mut valid = Vec::with_capacity(order.len());
        let text = texts(order.len(), 24, |row, bytes| {
            let i = order[row];
            let (table, at) = if i < split { (events, i) } else { (orders, i - split) };
            let cell = table.text(name, at);
            valid.push(cell.is_some());
            bytes.extend_from_slice(cell.unwrap_or_default().as_bytes());
        });
        out = out.push(name, Values::Text(text), Some(valid));
    }
    let sources: Names = order
        .iter()
        .map(|i| match i.checked_sub(split) {
            Some(at) => orders.text("source", at).unwrap_or_default(),
            None => "web".into(),
        })
        .collect();
    out.with("source", Values::Names(sources))
}

fn assemble(names: &[&str], make: impl Fn(usize) -> Result<Cells> + Sync + Send, run: &Run) -> Result<Table> {
    let columns = run.map_items(names.len(), make)?;
    Ok(names.iter().zip(columns).fold(Table::new(), |t, (name, (values, valid))| t.push(name, values, valid)))
}

fn some(key: u64) -> Option<u64> {
    (key != NONE).then_some(key)
}

fn email_key(person: u32, email: u8) -> Option<u64> {
    (email > 0).then(|| (u64::from(person) << 1) | u64::from(email - 1))
}

fn texts(count: usize, width: usize, mut write: impl FnMut(usize, &mut Vec<u8>)) -> Text {
    let mut out = Text::with_capacity(count, count * width);
    let mut bytes = Vec::with_capacity(40);
    for i in 0..count {
        bytes.clear();
        write(i, &mut bytes);
        out.push(std::str::from_utf8(&bytes).unwrap_or_default());
    }
    out
}

fn hex(before: &[u8], value: u64, after: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(before);
    let mut text = [0; 16];
    for (i, c) in text.iter_mut().enumerate() {
        *c = b"0123456789abcdef"[(value >> (60 - 4 * i)) as usize & 15];
    }
    out.extend_from_slice(&text);
    out.extend_from_slice(after);
}

fn digits(mut value: u64, width: usize, out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + width, b'0');
    for c in out[at..].iter_mut().rev() {
        *c = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// A permutation of the 64-bit numbers (the finaliser of SplitMix64), so that
/// identifiers look random and never collide.
fn scramble(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(all(test, feature = "phone"))]
mod tests {
    use super::*;
    use crate::simulate::MarketOptions;

    #[test]
    fn telephone_numbers_are_valid_and_differ() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..5 {
            let plan = Plan::new(MarketOptions { seed, ..MarketOptions::default() }).unwrap();
            let lexicon = Lexicon::new(&plan);
            seen.clear();
            for person in (0..1u64 << 29).step_by(900_001) {
                let mut text = Vec::new();
                lexicon.write(Namespace::Phone, person, &mut text);
                let text = String::from_utf8(text).unwrap();
                let number = phonenumber::parse(None, &text).unwrap();
                assert!(phonenumber::is_valid(&number), "{text}");
                assert!(seen.insert(text));
            }
        }
    }
}
