//! What held for a customer when.

use std::collections::HashMap;
use std::sync::Arc;

use super::Sources;
use crate::clv::design::{Given, Matrix, Reader, Terms};
use crate::clv::summarize::Orders;
use crate::clv::visits::{Events, Visits};
use crate::column::{Columns, Dropped, Intake, Labels, Names};
use crate::{Error, Result, Run};

/// Rows of covariates by customer and time.
pub(super) struct Timeline<'a> {
    /// Of each model that reads them.
    given: Vec<Vec<Given<'a>>>,
    /// The row of the cut columns that stands at each place.
    order: Vec<u32>,
    times: Vec<i64>,
    /// Where the rows of each label begin and end.
    of: HashMap<String, (u32, (u32, u32))>,
    /// Customers, as they were given.
    pub(super) labels: Arc<Labels>,
    pub(super) dropped: Dropped,
}

impl<'a> Timeline<'a> {
    pub(super) fn read(
        frame: &'a Columns,
        readers: &[Reader<'_>],
        sources: &Sources,
        run: &'a Run,
    ) -> Result<Self> {
        let mut intake = Intake::new(frame, sources.on_invalid, run);
        intake.int_unit(sources.time_unit);
        let customer = intake.names(&sources.customer)?;
        let times = if frame.has(&sources.time) { Some(intake.times(&sources.time)?) } else { None };
        let given = readers.iter().map(|reader| reader.read(&mut intake)).collect::<Result<Vec<_>>>()?;
        let kept = intake.finish()?;
        let times: Vec<i64> = match &times {
            Some(times) => (0..kept.len()).map(|i| times[kept.row(i)]).collect(),
            None => vec![i64::MIN; kept.len()],
        };
        let cut = |given: Vec<Given<'a>>| given.into_iter().map(|g| g.cut(&kept)).collect();
        let given = given.into_iter().map(cut).collect();
        let customer = kept.names(customer);
        let mut order: Vec<u32> = (0..times.len() as u32).collect();
        let key = |row: u32| (customer.codes[row as usize], times[row as usize]);
        order.sort_by_key(|row| key(*row));
        if let Some(pair) = order.windows(2).find(|pair| key(pair[0]) == key(pair[1])) {
            let row = pair[0].max(pair[1]);
            return Err(Error::Row {
                column: sources.time.clone(),
                row: kept.row(row as usize) as u64,
                reason: "the customer has two rows of covariates at one time: keep one".into(),
                count: order.windows(2).filter(|pair| key(pair[0]) == key(pair[1])).count() as u64,
            });
        }
        let mut of = HashMap::new();
        let mut at = 0;
        for rows in order.chunk_by(|a, b| key(*a).0 == key(*b).0) {
            let code = key(rows[0]).0;
            let label = customer.labels.get(code).into_owned();
            of.insert(label, (code, (at, at + rows.len() as u32)));
            at += rows.len() as u32;
        }
        let times = order.iter().map(|row| times[*row as usize]).collect();
        let labels = customer.labels.clone();
        Ok(Self { given, order, times, of, labels, dropped: kept.into_dropped() })
    }

    pub(super) fn given(&self) -> &[Given<'a>] {
        self.given.first().map_or(&[], Vec::as_slice)
    }

    pub(super) fn given_rows(&self) -> usize {
        self.order.len()
    }

    /// The covariates as numbers, in the order of places.
    pub(super) fn matrix(&self, terms: &Terms) -> Matrix {
        self.matrix_of(0, terms)
    }

    /// The same of those that the reader at this place read.
    pub(super) fn matrix_of(&self, reader: usize, terms: &Terms) -> Matrix {
        let given = self.given.get(reader).map_or(&[][..], Vec::as_slice);
        terms.matrix(given, self.order.len()).ordered(&self.order)
    }

    /// The places of a customer.
    fn places(&self, label: &str) -> Option<(u32, u32)> {
        self.of.get(label).map(|(_, places)| *places)
    }

    /// The customers by their codes, and the times of their first rows, in order.
    pub(super) fn firsts(&self) -> Vec<(u32, i64, (u32, u32))> {
        let mut all: Vec<_> =
            self.of.values().map(|(code, range)| (*code, self.times[range.0 as usize], *range)).collect();
        all.sort_by_key(|(_, _, range)| range.0);
        all
    }

    /// The place that holds at a time; the first one before its own time too.
    fn place_at(&self, (from, to): (u32, u32), time: i64) -> u32 {
        let rows = &self.times[from as usize..to as usize];
        from + (rows.partition_point(|t| *t <= time) as u32).saturating_sub(1)
    }

    /// How long each place holds in the `ahead` microseconds from a moment on, in periods.
    pub(super) fn coming(&self, range: (u32, u32), from: i64, ahead: i64, period: f64) -> Vec<(u32, f64)> {
        let mut pieces = Vec::new();
        self.pieces(range, from, from.saturating_add(ahead), &mut pieces);
        pieces.into_iter().map(|(place, micros)| (place, micros as f64 / period)).collect()
    }

    /// Pieces of `from` … `to`: how long each place holds, in microseconds.
    pub(super) fn pieces(&self, range: (u32, u32), from: i64, to: i64, out: &mut Vec<(u32, i64)>) {
        let mut at = from;
        let mut place = self.place_at(range, from);
        while at < to {
            let next = if place + 1 < range.1 { self.times[place as usize + 1].min(to) } else { to };
            out.push((place, next - at));
            (at, place) = (next, place + 1);
        }
    }
}

/// Lives of customers beside their covariates.
pub(super) struct Lives {
    pub(super) customer: Names,
    pub(super) each: Vec<Life>,
    /// Places and lengths in periods; each life has a stretch of them.
    pub(super) pieces: Vec<(u32, f64)>,
    /// Places of the repeat purchases and their amounts, likewise.
    pub(super) purchases: Vec<(u32, f64)>,
    /// Their times, in microseconds.
    pub(super) times: Vec<i64>,
    pub(super) dropped: Dropped,
}

/// One customer.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) frequency: u32,
    /// Pieces from birth, from the last purchase on, and their end.
    pub(super) pieces: [usize; 3],
    /// Purchases: from and to.
    pub(super) purchases: [usize; 2],
    /// Rows of covariates, and the first purchase and the end of observation in microseconds.
    pub(super) places: (u32, u32),
    pub(super) birth: i64,
    pub(super) end: i64,
    pub(super) recency: f64,
    pub(super) age: f64,
}

impl Life {
    /// Of a customer who is new.
    pub(super) fn new(places: (u32, u32), birth: i64) -> Self {
        let (frequency, recency, age) = (0, 0.0, 0.0);
        Self { frequency, pieces: [0; 3], purchases: [0; 2], places, birth, end: birth, recency, age }
    }
}

impl Lives {
    /// Customers of orders, whose covariates must be known from their first purchase on.
    pub(super) fn read(
        orders: &Columns,
        timeline: &Timeline<'_>,
        sources: &Sources,
        period: f64,
        run: &Run,
    ) -> Result<Self> {
        let value = sources.value.clone().or_else(|| orders.has("value").then(|| "value".to_owned()));
        let read = Orders::read(
            orders,
            [&sources.customer, &sources.time],
            value.as_deref(),
            sources.refunds,
            sources.time_unit,
            sources.on_invalid,
            run,
        )?;
        let grain = sources.grain.micros();
        if grain <= 0 {
            return Err(Error::option("grain", "must be longer than 0"));
        }
        let end = match &sources.observation_end {
            Some(when) => when.micros("observation_end", sources.time_unit)?,
            None => read.times.iter().copied().max().unwrap_or_default(),
        };
        let end = end.div_euclid(grain);
        let events = Events::sort(
            &read.customer,
            &read.times,
            read.values.as_deref(),
            sources.grain.into(),
            end,
            run,
        )?;
        let labels = &read.customer.labels;
        let mut out = Self {
            customer: Names { codes: Vec::new(), labels: read.customer.labels.clone() },
            each: Vec::new(),
            pieces: Vec::new(),
            purchases: Vec::new(),
            times: Vec::new(),
            dropped: read.dropped,
        };
        let mut kept = Vec::new();
        let mut visits = Visits::default();
        let mut pieces = Vec::new();
        for code in 0..labels.len() {
            visits.fill(events.of(code), sources.refunds, None);
            let Some((birth, _)) = visits.list.first().copied() else { continue };
            let label = labels.get(code as u32);
            let Some(places) = timeline.places(&label) else {
                return Err(Error::column(
                    sources.customer.as_str(),
                    format!("customer `{label}` has orders and no covariates: give a row for each customer"),
                ));
            };
            if timeline.times[places.0 as usize] > (birth + 1).saturating_mul(grain) {
                return Err(Error::column(
                    sources.time.as_str(),
                    format!(
                        "the covariates of customer `{label}` begin after the first order: give them from there on"
                    ),
                ));
            }
            let at = |visit: i64| visit * grain;
            let last = visits.list.last().map_or(birth, |v| v.0);
            let first_piece = out.pieces.len();
            let mut add = |from: i64, to: i64| {
                pieces.clear();
                timeline.pieces(places, from, to, &mut pieces);
                out.pieces.extend(pieces.iter().map(|(place, micros)| (*place, *micros as f64 / period)));
                out.pieces.len()
            };
            let split = add(at(birth), at(last));
            let stop = add(at(last), at(end));
            let bought = out.purchases.len();
            for (visit, value) in visits.list.iter().skip(1) {
                out.purchases.push((timeline.place_at(places, at(*visit)), *value));
                out.times.push(at(*visit));
            }
            out.each.push(Life {
                frequency: (visits.list.len() - 1) as u32,
                pieces: [first_piece, split, stop],
                purchases: [bought, out.purchases.len()],
                places,
                birth: at(birth),
                end: at(end),
                recency: (at(last) - at(birth)) as f64 / period,
                age: (at(end) - at(birth)) as f64 / period,
            });
            kept.push(code as u32);
        }
        if out.each.is_empty() {
            return Err(Error::not_enough_data("there are no purchases"));
        }
        out.customer.codes = kept;
        Ok(out)
    }

    /// How long each place is lived in, for means and scales.
    pub(super) fn exposure(&self, places: usize) -> Vec<f64> {
        let mut out = vec![0.0; places];
        for (place, length) in &self.pieces {
            out[*place as usize] += length;
        }
        out
    }
}
