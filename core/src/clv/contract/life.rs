//! Life tables: how many customers met each renewal, and how many left at it.

use serde::{Deserialize, Serialize};

use crate::column::{Table, Values};
use crate::math::{ExactSum, sum};
use crate::{Error, Result};

/// Periods are counted up to here.
pub(super) const MOST_PERIODS: usize = 100_000;

/// The duration of one customer, whether it left, and the renewals made before observation began.
pub(super) type Life = (f64, bool, f64);

/// How long customers stayed, one row each.
#[derive(Clone, Copy, Debug, Default)]
pub struct LifeSlices<'a> {
    /// For who left, the renewal at which it happened, from 1; for who is
    /// still there, the renewals made, from 0. Whole numbers up to 100,000.
    pub duration: &'a [f64],
    /// Whether the customer left.
    pub event: &'a [bool],
    /// Renewals made before observation began (left truncation), below
    /// `duration`; 0 when `None`.
    pub entry: Option<&'a [f64]>,
    /// How many customers a row stands for; one each when `None`.
    pub weight: Option<&'a [f64]>,
}

impl LifeSlices<'_> {
    pub(super) fn row(&self, i: usize) -> Life {
        (self.duration[i], self.event[i], self.entry.map_or(0.0, |e| e[i]))
    }
}

/// What cannot be about a row: the role of the column, and why.
pub(super) fn fault((duration, event, entry): Life) -> Option<(&'static str, &'static str)> {
    let whole = |v: f64| v.fract() == 0.0 && (0.0..=MOST_PERIODS as f64).contains(&v);
    if !whole(duration) {
        Some(("duration", "is not a whole number of periods from 0 to 100,000"))
    } else if event && duration == 0.0 {
        Some(("duration", "is 0 for a customer who left: the first renewal is number 1"))
    } else if !whole(entry) {
        Some(("entry", "is not a whole number of periods from 0 to 100,000"))
    } else if entry > duration || (event && entry == duration) {
        Some(("entry", "is not before the end: the customer was never under observation"))
    } else {
        None
    }
}

/// For each renewal 1, 2, …: how many customers left at it and how many stayed.
///
/// The sufficient statistic of every model in this room; parts of the
/// customers are put together by [`LifeTable::merge`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifeTable {
    lost: Vec<f64>,
    kept: Vec<f64>,
    customers: f64,
}

impl LifeTable {
    /// From the customers of one cohort still there after `first`, `first` + 1, …
    /// renewals; `first` is 0 unless the cohort came under observation later.
    ///
    /// Errors: [`Error::Row`] for a number that is negative, not finite or
    /// greater than the one before.
    pub fn from_survivors(survivors: &[f64], first: usize) -> Result<Self> {
        let bad = |i: usize| {
            let n = survivors[i];
            !(n.is_finite() && n >= 0.0) || (i > 0 && n > survivors[i - 1])
        };
        if let Some(row) = (0..survivors.len()).find(|i| bad(*i)) {
            return Err(Error::Row {
                column: "customers".to_owned(),
                row: row as u64,
                reason: "must be a number from 0, and not above the one of the period before".to_owned(),
                count: (0..survivors.len()).filter(|i| bad(*i)).count() as u64,
            });
        }
        if first.saturating_add(survivors.len()) > MOST_PERIODS + 1 {
            return Err(too_long());
        }
        let mut out = Self { lost: vec![0.0; first], kept: vec![0.0; first], customers: 0.0 };
        for pair in survivors.windows(2) {
            out.lost.push(pair[0] - pair[1]);
            out.kept.push(pair[1]);
        }
        if survivors.len() > 1 {
            out.customers = survivors[0];
        }
        Ok(out.trimmed())
    }

    /// From customers one by one. The result does not depend on their order.
    ///
    /// Errors: [`Error::Row`] for what [`LifeSlices`] forbids, [`Error::Column`]
    /// for different lengths.
    pub fn from_lives(lives: &LifeSlices<'_>) -> Result<Self> {
        let n = lives.duration.len();
        for (name, len) in [
            ("event", lives.event.len()),
            ("entry", lives.entry.map_or(n, <[f64]>::len)),
            ("weight", lives.weight.map_or(n, <[f64]>::len)),
        ] {
            if len != n {
                return Err(Error::column(name, format!("has {len} rows, and `duration` has {n}")));
            }
        }
        let flaw = |i: usize| {
            let weight = lives.weight.map_or(1.0, |w| w[i]);
            let weight = !(weight.is_finite() && weight >= 0.0);
            fault(lives.row(i)).or(weight.then_some(("weight", "is not a finite number from 0")))
        };
        if let Some((row, (column, reason))) = (0..n).find_map(|i| flaw(i).map(|f| (i, f))) {
            let count = (0..n).filter(|i| flaw(*i) == Some((column, reason))).count() as u64;
            return Err(Error::Row {
                column: column.to_owned(),
                row: row as u64,
                reason: reason.to_owned(),
                count,
            });
        }
        Ok(Self::of(n, |i| (lives.row(i), lives.weight.map_or(1.0, |w| w[i]))))
    }

    /// From sound rows.
    pub(super) fn of(rows: usize, row: impl Fn(usize) -> (Life, f64)) -> Self {
        // What begins and ends where: swept over time with exact sums.
        let (mut steps, mut losses) = (Vec::with_capacity(2 * rows), Vec::new());
        let mut customers = ExactSum::new();
        for i in 0..rows {
            let ((duration, event, entry), weight) = row(i);
            let (entry, last) = (entry as u32, duration as u32 - u32::from(event));
            if last > entry {
                steps.push((entry, weight));
                steps.push((last, -weight));
            }
            if event {
                losses.push((last, weight));
            }
            if event || last > entry {
                customers.add(weight);
            }
        }
        steps.sort_unstable_by_key(|s| s.0);
        losses.sort_unstable_by_key(|s| s.0);
        let end = |list: &[(u32, f64)]| list.last().map_or(0, |s| s.0);
        let periods = end(&steps).max(losses.last().map_or(0, |s| s.0 + 1)) as usize;
        let mut out = Self { lost: Vec::new(), kept: Vec::new(), customers: customers.value() };
        let (mut steps, mut losses) = (steps.into_iter().peekable(), losses.into_iter().peekable());
        let mut kept = ExactSum::new();
        for period in 0..periods as u32 {
            while let Some((_, weight)) = steps.next_if(|s| s.0 == period) {
                kept.add(weight);
            }
            let mut lost = ExactSum::new();
            while let Some((_, weight)) = losses.next_if(|s| s.0 == period) {
                lost.add(weight);
            }
            out.kept.push(kept.value());
            out.lost.push(lost.value());
        }
        out.trimmed()
    }

    /// The customers of one cohort that was observed without a gap, by how long they stayed.
    pub(super) fn lives(&self) -> Vec<(Life, f64)> {
        let met = |t: usize| self.lost[t] + self.kept[t] > 0.0;
        let Some(first) = (0..self.periods()).find(|t| met(*t)) else { return Vec::new() };
        let entry = first as f64;
        let left = (first..self.periods()).map(|t| (((t + 1) as f64, true, entry), self.lost[t]));
        let stayed = self.kept.last().map(|kept| ((self.periods() as f64, false, entry), *kept));
        left.chain(stayed).filter(|(_, customers)| *customers > 0.0).collect()
    }

    /// Adds the customers of another table.
    pub fn merge(&mut self, other: &Self) {
        let periods = self.periods().max(other.periods());
        for (own, more) in [(&mut self.lost, &other.lost), (&mut self.kept, &other.kept)] {
            own.resize(periods, 0.0);
            own.iter_mut().zip(more).for_each(|(a, b)| *a += b);
        }
        self.customers += other.customers;
    }

    /// Without renewals at the end that nobody met.
    fn trimmed(mut self) -> Self {
        let last = (0..self.periods()).rposition(|t| self.lost[t] + self.kept[t] > 0.0);
        self.lost.truncate(last.map_or(0, |t| t + 1));
        self.kept.truncate(self.lost.len());
        self
    }

    /// How many renewals were observed.
    pub fn periods(&self) -> usize {
        self.lost.len()
    }

    /// Customers who met one renewal or more.
    pub fn customers(&self) -> f64 {
        self.customers
    }

    /// Who left at renewal t, at index t − 1.
    pub fn lost(&self) -> &[f64] {
        &self.lost
    }

    /// Who stayed at renewal t, at index t − 1.
    pub fn kept(&self) -> &[f64] {
        &self.kept
    }

    /// Renewals that someone met.
    pub(super) fn informative(&self) -> usize {
        self.lost.iter().zip(&self.kept).filter(|(l, k)| **l + **k > 0.0).count()
    }

    pub(crate) fn totals(&self) -> (f64, f64) {
        (sum(self.lost.iter().copied()), sum(self.kept.iter().copied()))
    }

    /// The share that stayed at each renewal; `None` where nobody met it.
    pub fn retention(&self) -> Vec<Option<f64>> {
        let rate = |(lost, kept): (&f64, &f64)| (lost + kept > 0.0).then(|| kept / (lost + kept));
        self.lost.iter().zip(&self.kept).map(rate).collect()
    }

    /// The product of the retention rates up to each renewal (Kaplan & Meier
    /// 1958); `None` from the first renewal on that nobody met.
    pub fn survival(&self) -> Vec<Option<f64>> {
        self.retention()
            .into_iter()
            .scan(Some(1.0), |so_far, rate| {
                *so_far = so_far.zip(rate).map(|(s, r)| s * r);
                Some(*so_far)
            })
            .collect()
    }

    /// A frame: period, at_risk, lost, retention, survival.
    pub fn table(&self) -> Table {
        let at_risk = self.lost.iter().zip(&self.kept).map(|(l, k)| l + k).collect();
        Table::new()
            .with("period", Values::I64((1..=self.periods() as i64).collect()))
            .with("at_risk", Values::F64(at_risk))
            .with("lost", Values::F64(self.lost.clone()))
            .with_optional("retention", self.retention())
            .with_optional("survival", self.survival())
    }

    /// What a loaded table must satisfy.
    pub(super) fn check(&self) -> Result<()> {
        let sound = |v: &[f64]| v.len() <= MOST_PERIODS && v.iter().all(|x| x.is_finite() && *x >= 0.0);
        if sound(&self.lost)
            && sound(&self.kept)
            && self.lost.len() == self.kept.len()
            && self.customers.is_finite()
            && self.customers >= 0.0
        {
            Ok(())
        } else {
            Err(Error::model_file("its life table is not two columns of numbers from 0 of equal length"))
        }
    }
}

pub(super) fn too_long() -> Error {
    Error::option("period", "more than 100,000 periods: count in longer ones")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survivors_and_lives_say_the_same() -> Result<()> {
        let survivors = LifeTable::from_survivors(&[10.0, 7.0, 7.0, 4.0], 0)?;
        let duration = [1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0];
        let event: Vec<bool> = (0..10).map(|i| i < 6).collect();
        let lives = LifeSlices { duration: &duration, event: &event, ..LifeSlices::default() };
        assert_eq!(LifeTable::from_lives(&lives)?, survivors);
        assert_eq!(survivors.survival(), [Some(0.7), Some(0.7), Some(0.7 * (4.0 / 7.0))]);
        Ok(())
    }

    #[test]
    fn who_came_late_is_at_risk_from_then_on() -> Result<()> {
        let lives = LifeSlices {
            duration: &[4.0, 2.0, 3.0],
            event: &[true, false, false],
            entry: Some(&[2.0, 0.0, 3.0]),
            weight: None,
        };
        let life = LifeTable::from_lives(&lives)?;
        assert_eq!((life.kept(), life.lost()), (&[1.0, 1.0, 1.0, 0.0][..], &[0.0, 0.0, 0.0, 1.0][..]));
        assert_eq!(life.customers(), 2.0); // the third was never under observation
        let mut late = LifeTable::from_survivors(&[1.0, 1.0, 0.0], 2)?;
        late.merge(&LifeTable::from_survivors(&[1.0, 1.0, 1.0], 0)?);
        assert_eq!(late, life);
        Ok(())
    }

    #[test]
    fn rows_that_cannot_be_are_named() {
        for (duration, event, entry, column) in [
            (0.0, true, 0.0, "duration"),
            (1.5, false, 0.0, "duration"),
            (f64::NAN, false, 0.0, "duration"),
            (2.0, true, 2.0, "entry"),
            (2.0, false, 3.0, "entry"),
            (2.0, false, -1.0, "entry"),
        ] {
            let lives =
                LifeSlices { duration: &[duration], event: &[event], entry: Some(&[entry]), weight: None };
            let Err(Error::Row { column: found, .. }) = LifeTable::from_lives(&lives) else {
                unreachable!("{duration} {event} {entry}")
            };
            assert_eq!(found, column);
        }
        assert_eq!(LifeTable::from_survivors(&[5.0, 6.0], 0).map_err(|e| e.code()), Err("HW_ROW"));
    }
}
