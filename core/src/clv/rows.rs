//! The rows that the models are fitted on: (x, t_x, T), with weights.

use hashbrown::HashMap;

use super::laws::History;
use super::unit::Unit;
use crate::math::ln;
use crate::{Error, Result, Run};

/// Repeat purchases are counted in whole numbers up to here.
const MOST_PURCHASES: f64 = 1e9;

/// One row per customer, or per group of equal customers.
///
/// Legend: x = `frequency`, t_x = `recency`, T = `age` (Fader & Hardie). All
/// times are in one unit, `period`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RfmSlices<'a> {
    /// Repeat purchases: whole numbers, not negative.
    pub frequency: &'a [f64],
    /// Age at the last purchase; 0 where there was no repeat.
    pub recency: &'a [f64],
    /// Age at the end of observation.
    pub age: &'a [f64],
    /// How many customers a row stands for; one each when `None`.
    pub weight: Option<&'a [f64]>,
    /// The unit of the times, where it is known.
    pub period: Option<Unit>,
    /// Σ ln Δ over the times between a customer's purchases
    /// ([`Rfm::log_intervals`](super::Rfm::log_intervals)), for laws that learn
    /// from them how regularly each customer buys; others pass it by.
    pub log_intervals: Option<&'a [f64]>,
}

impl RfmSlices<'_> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.frequency.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.frequency.is_empty()
    }

    /// The sums of logarithms are those of times that add up to the recency.
    pub(crate) fn check_intervals(&self) -> Result<()> {
        let Some(sums) = self.log_intervals else { return Ok(()) };
        if sums.len() != self.len() {
            let reason = format!("has {} rows, and `frequency` has {}", sums.len(), self.len());
            return Err(Error::column("log_intervals", reason));
        }
        let possible = |row: usize| possible_intervals(self.frequency[row], self.recency[row], sums[row]);
        let mut faulty = (0..self.len()).filter(|row| !possible(*row));
        let Some(row) = faulty.next() else { return Ok(()) };
        Err(Error::Row {
            column: "log_intervals".to_owned(),
            row: row as u64,
            reason: IMPOSSIBLE_INTERVALS.to_owned(),
            count: 1 + faulty.count() as u64,
        })
    }

    /// What laws of the times between purchases ask for: that some time has passed.
    pub(crate) fn check_times(&self) -> Result<()> {
        let none = |row: &usize| self.frequency[*row] > 0.0 && self.recency[*row] <= 0.0;
        let mut faulty = (0..self.len()).filter(none);
        let Some(row) = faulty.next() else { return Ok(()) };
        Err(Error::Row {
            column: "recency".to_owned(),
            row: row as u64,
            reason: "is 0 though frequency is not: purchases at the time of the first are one with it"
                .to_owned(),
            count: 1 + faulty.count() as u64,
        })
    }

    /// The lengths agree, and every row can be: finite, none negative, recency at most T.
    pub fn check(&self) -> Result<()> {
        let n = self.len();
        for (name, len) in [
            ("recency", self.recency.len()),
            ("T", self.age.len()),
            ("weight", self.weight.map_or(n, <[f64]>::len)),
        ] {
            if len != n {
                return Err(Error::column(name, format!("has {len} rows, and `frequency` has {n}")));
            }
        }
        let weight = |row: usize| self.weight.map_or(1.0, |w| w[row]);
        if (0..n)
            .all(|row| sound(self.frequency[row], self.recency[row], self.age[row]) && amount(weight(row)))
        {
            return Ok(());
        }
        let mut first: Option<(usize, Fault)> = None;
        let mut count = 0;
        for row in 0..n {
            if let Some(fault) = fault(self.frequency[row], self.recency[row], self.age[row], weight(row)) {
                count += u64::from(first.is_none_or(|(_, f)| f == fault));
                first.get_or_insert((row, fault));
            }
        }
        match first {
            None => Ok(()),
            Some((row, fault)) => Err(fault.error(row as u64, count)),
        }
    }
}

pub(crate) const IMPOSSIBLE_INTERVALS: &str = "is no sum of logarithms of the times between purchases, which is \
     finite and at most x ln(recency / x): take it from summarize(log_intervals=True) with the same period";

/// Whether there are x times that add up to t_x with this sum of logarithms.
pub(crate) fn possible_intervals(x: f64, recency: f64, sum: f64) -> bool {
    x == 0.0 || sum.is_finite() && sum >= -750.0 * x && sum <= regular(x, recency) + 1e-6 * (1.0 + x)
}

/// The greatest sum of logarithms of x times that add up to t_x: that of equal ones.
fn regular(x: f64, recency: f64) -> f64 {
    x * ln(recency / x)
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Frequency,
    Recency,
    Age,
    RecencyAfterEnd,
    RecencyWithoutRepeat,
    Weight,
}

impl Fault {
    pub(crate) fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::Frequency => ("frequency", "is not a whole number of repeat purchases from 0 to 1e9"),
            Self::Recency => ("recency", "is not a finite number from 0"),
            Self::Age => ("T", "is not a finite number from 0"),
            Self::RecencyAfterEnd => ("recency", "is greater than T: the last purchase lies after the end"),
            Self::RecencyWithoutRepeat => {
                ("recency", "is not 0 though frequency is 0: without a repeat purchase it is 0 by definition")
            }
            Self::Weight => ("weight", "is not a finite number from 0"),
        }
    }

    pub(crate) fn error(self, row: u64, count: u64) -> Error {
        let (column, reason) = self.text();
        Error::Row { column: column.to_owned(), row, reason: reason.to_owned(), count }
    }
}

fn amount(v: f64) -> bool {
    (0.0..=f64::MAX).contains(&v)
}

/// Whether [`fault`] finds nothing wrong but, perhaps, the weight: quickly, as
/// hardly a row has a fault.
#[inline]
pub(crate) fn sound(frequency: f64, recency: f64, age: f64) -> bool {
    (0.0..=MOST_PURCHASES).contains(&frequency)
        && f64::from(frequency as u32) == frequency
        && (0.0..=f64::MAX).contains(&age)
        && (0.0..=age).contains(&recency)
        && (frequency != 0.0 || recency == 0.0)
}

/// What is wrong with a row, if anything.
pub(crate) fn fault(frequency: f64, recency: f64, age: f64, weight: f64) -> Option<Fault> {
    if !amount(frequency) || frequency > MOST_PURCHASES || frequency.fract() != 0.0 {
        Some(Fault::Frequency)
    } else if !amount(recency) {
        Some(Fault::Recency)
    } else if !amount(age) {
        Some(Fault::Age)
    } else if recency > age {
        Some(Fault::RecencyAfterEnd)
    } else if frequency == 0.0 && recency != 0.0 {
        Some(Fault::RecencyWithoutRepeat)
    } else if !amount(weight) {
        Some(Fault::Weight)
    } else {
        None
    }
}

/// The distinct rows, sorted by x, t_x, T, with the weight of each; and where
/// each row of the input went.
///
/// Customers of one group share their likelihood and their prediction, and in
/// data of day grain most customers share a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unique {
    pub frequency: Vec<u32>,
    pub recency: Vec<f64>,
    pub age: Vec<f64>,
    pub weight: Vec<f64>,
    /// Empty where it is not told apart.
    pub log_intervals: Vec<f64>,
    /// For each input row, its distinct row.
    pub group: Vec<u32>,
}

impl Unique {
    /// Collapses rows by x, t_x and T.
    pub(crate) fn of(rows: &RfmSlices<'_>, run: &Run) -> Result<Self> {
        Self::collapse(&RfmSlices { log_intervals: None, ..*rows }, run)
    }

    /// [`Unique::of`] without telling where each row went, which is quicker.
    pub(crate) fn counted(rows: &RfmSlices<'_>, run: &Run) -> Result<Self> {
        if rows.weight.is_none() {
            rows.check()?;
            run.stage("collapsing equal customers", rows.len() as u64)?;
            if let Some(grid) = Grid::of(rows) {
                return grid.count(rows, run);
            }
        }
        Self::of(rows, run)
    }

    /// Collapses rows by x, t_x, T and, where it is given, the sum of the
    /// logarithms of the times between purchases.
    pub(crate) fn with_intervals(rows: &RfmSlices<'_>, run: &Run) -> Result<Self> {
        Self::collapse(rows, run)
    }

    fn collapse(rows: &RfmSlices<'_>, run: &Run) -> Result<Self> {
        rows.check()?;
        rows.check_intervals()?;
        run.stage("collapsing equal customers", rows.len() as u64)?;
        if rows.log_intervals.is_none()
            && let Some(grid) = Grid::of(rows)
        {
            return grid.collapse(rows, run);
        }
        let mut seen: HashMap<(u32, u64, u64, u64), u32, foldhash::fast::FixedState> =
            HashMap::with_hasher(foldhash::fast::FixedState::default());
        let mut keys: Vec<(u32, u64, u64, u64)> = Vec::new();
        let mut weight: Vec<f64> = Vec::new();
        let mut group = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            if row % 65_536 == 0 {
                run.check()?;
            }
            // Not negative and with −0 made 0, doubles are ordered as their bits are.
            let key = (
                rows.frequency[row] as u32,
                (rows.recency[row] + 0.0).to_bits(),
                (rows.age[row] + 0.0).to_bits(),
                rows.log_intervals.map_or(0, |sums| ordered(intervals(rows, sums, row))),
            );
            let next = keys.len() as u32;
            let id = *seen.entry(key).or_insert_with(|| {
                keys.push(key);
                weight.push(0.0);
                next
            });
            weight[id as usize] += rows.weight.map_or(1.0, |w| w[row]);
            group.push(id);
        }
        drop(seen);
        let mut order: Vec<u32> = (0..keys.len() as u32).collect();
        order.sort_unstable_by_key(|id| keys[*id as usize]);
        let mut rank = vec![0_u32; order.len()];
        for (i, id) in order.iter().enumerate() {
            rank[*id as usize] = i as u32;
        }
        for id in &mut group {
            *id = rank[*id as usize];
        }
        let key = |id: &u32| keys[*id as usize];
        Ok(Self {
            frequency: order.iter().map(|id| key(id).0).collect(),
            recency: order.iter().map(|id| f64::from_bits(key(id).1)).collect(),
            age: order.iter().map(|id| f64::from_bits(key(id).2)).collect(),
            weight: order.iter().map(|id| weight[*id as usize]).collect(),
            log_intervals: match rows.log_intervals {
                Some(_) => order.iter().map(|id| of_ordered(key(id).3)).collect(),
                None => Vec::new(),
            },
            group,
        })
    }

    /// What is known of the customers of a distinct row.
    pub(crate) fn history(&self, row: usize) -> History {
        History {
            frequency: self.frequency[row],
            recency: self.recency[row],
            age: self.age[row],
            log_intervals: self.log_intervals.get(row).copied(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.frequency.len()
    }

    /// The distinct x in ascending order, and for each row the index of its x.
    pub(crate) fn counts(&self) -> (Vec<u32>, Vec<u32>) {
        let mut distinct: Vec<u32> = Vec::new();
        let index = self
            .frequency
            .iter()
            .map(|x| {
                if distinct.last() != Some(x) {
                    distinct.push(*x);
                }
                distinct.len() as u32 - 1
            })
            .collect();
        (distinct, index)
    }

    /// Far fewer rows that are nearly these: those of one x whose t_x and T
    /// lie close together become one, at their means.
    pub(crate) fn coarse(&self) -> Self {
        const CELLS: usize = 32;
        let cells = if self.len() < 8192 { 12 } else { CELLS };
        let longest = self.age.iter().fold(0.0_f64, |m, t| m.max(*t));
        let scale = if longest > 0.0 { cells as f64 / longest } else { 0.0 };
        let cell = |v: f64| ((v * scale) as usize).min(cells - 1);
        let mut out = Self::default();
        // Weight, Σ t_x and Σ T of each cell of T.
        let mut sums = [[0.0; 3]; CELLS];
        let mut row = 0;
        while row < self.len() {
            let here = (self.frequency[row], cell(self.recency[row]));
            while row < self.len() && (self.frequency[row], cell(self.recency[row])) == here {
                let (weight, sum) = (self.weight[row], &mut sums[cell(self.age[row])]);
                sum[0] += weight;
                sum[1] += weight * self.recency[row];
                sum[2] += weight * self.age[row];
                row += 1;
            }
            for [weight, recency, age] in sums.iter().filter(|s| s[0] > 0.0) {
                out.frequency.push(here.0);
                out.recency.push((recency / weight).min(age / weight));
                out.age.push(age / weight);
                out.weight.push(*weight);
            }
            sums = [[0.0; 3]; CELLS];
        }
        out
    }

    /// Gives every input row the value of its distinct row.
    pub(crate) fn spread<T: Copy>(&self, values: &[T]) -> Vec<T> {
        self.group.iter().map(|id| values[*id as usize]).collect()
    }
}

/// Rounding may lift the sum above that of equal times; without a purchase it is 0.
fn intervals(rows: &RfmSlices<'_>, sums: &[f64], row: usize) -> f64 {
    let x = rows.frequency[row];
    if x == 0.0 { 0.0 } else { sums[row].min(regular(x, rows.recency[row])) + 0.0 }
}

/// Bits in the order of finite numbers, and back.
fn ordered(v: f64) -> u64 {
    let bits = v.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn of_ordered(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

/// Histories whose times are whole multiples of one step, such as days in
/// periods of a week. They are whole numbers in disguise, and are sorted by
/// counting instead of being looked up.
struct Grid {
    /// Steps in one period.
    steps: f64,
    /// Greater than every number of steps.
    width: u64,
    /// Greater than every key.
    end: u64,
}

impl Grid {
    /// The grid of checked rows; `None` where there is none, or one too fine.
    fn of(rows: &RfmSlices<'_>) -> Option<Self> {
        let on = |steps: f64, v: f64| {
            let whole = (v * steps + 0.5) as u32;
            f64::from(whole) / steps == v
        };
        let most = |values: &[f64]| values.iter().fold(0.0_f64, |m, v| m.max(*v));
        let (longest, most) = (most(rows.age), most(rows.frequency) as u64);
        let steps = [1.0, 7.0, 24.0, 30.0, 168.0, 1440.0]
            .into_iter()
            .find(|steps| rows.age.iter().chain(rows.recency).all(|v| on(*steps, *v)))?;
        // No t_x is greater than T.
        let width = ((longest * steps + 0.5) as u64).saturating_add(1);
        let end = width.checked_mul(width)?.checked_mul(most + 1)?;
        let fits = end <= 1 << 32 && u32::try_from(rows.len()).is_ok();
        fits.then_some(Self { steps, width, end })
    }

    /// Ordered as rows are by x, t_x and T; below 2³².
    fn key(&self, rows: &RfmSlices<'_>, row: usize) -> u64 {
        let whole = |v: f64| (v * self.steps + 0.5) as u64;
        (rows.frequency[row] as u64 * self.width + whole(rows.recency[row])) * self.width
            + whole(rows.age[row])
    }

    fn count(&self, rows: &RfmSlices<'_>, run: &Run) -> Result<Unique> {
        let mut keys: Vec<u32> = (0..rows.len()).map(|row| self.key(rows, row) as u32).collect();
        run.check()?;
        sort_by(&mut keys, self.end, |key| *key as usize, run)?;
        let mut out = Unique::default();
        for same in keys.chunk_by(|a, b| a == b) {
            let key = u64::from(same[0]);
            let time = |whole: u64| whole as f64 / self.steps;
            out.frequency.push((key / self.width / self.width) as u32);
            out.recency.push(time(key / self.width % self.width));
            out.age.push(time(key % self.width));
            out.weight.push(same.len() as f64);
        }
        Ok(out)
    }

    fn collapse(&self, rows: &RfmSlices<'_>, run: &Run) -> Result<Unique> {
        // The key above, the row below: what is sorted by key stays in the order of rows.
        let mut keys: Vec<u64> = (0..rows.len()).map(|row| self.key(rows, row) << 32 | row as u64).collect();
        run.check()?;
        sort_by(&mut keys, self.end, |key| (key >> 32) as usize, run)?;
        let mut out = Unique { group: vec![0; rows.len()], ..Unique::default() };
        let mut last = u64::MAX;
        for both in keys {
            let (key, row) = (both >> 32, (both & 0xffff_ffff) as usize);
            if key != last {
                last = key;
                out.frequency.push(rows.frequency[row] as u32);
                out.recency.push(rows.recency[row] + 0.0);
                out.age.push(rows.age[row] + 0.0);
                out.weight.push(0.0);
            }
            let group = out.weight.len() - 1;
            out.weight[group] += rows.weight.map_or(1.0, |w| w[row]);
            out.group[row] = group as u32;
        }
        Ok(out)
    }
}

/// Sorts what has keys below `end` by counting, from the lowest digit up; equal keys stay in order.
fn sort_by<T: Copy + Default>(
    items: &mut Vec<T>,
    end: u64,
    key: impl Fn(&T) -> usize,
    run: &Run,
) -> Result<()> {
    let bits = 64 - end.saturating_sub(1).leading_zeros();
    let rounds = bits.div_ceil(11);
    let width = bits.div_ceil(rounds.max(1));
    let mask = (1_usize << width) - 1;
    let mut to = vec![T::default(); items.len()];
    for round in 0..rounds {
        let digit = |item: &T| key(item) >> (round * width) & mask;
        let mut starts = vec![0_u32; mask + 1];
        for item in &*items {
            starts[digit(item)] += 1;
        }
        let mut next = 0;
        for start in &mut starts {
            (*start, next) = (next, next + *start);
        }
        for item in &*items {
            let at = &mut starts[digit(item)];
            to[*at as usize] = *item;
            *at += 1;
        }
        std::mem::swap(items, &mut to);
        run.check()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Weekly and daily grids against the general path, which a tiny offset enforces.
    #[test]
    fn a_grid_collapses_as_any_rows_do() {
        let run = Run::new();
        for period in [1.0, 7.0] {
            let frequency: Vec<f64> = (0..3000).map(|i| f64::from(i * 7919 % 5)).collect();
            let age: Vec<f64> = (0..3000).map(|i| f64::from(i * 104_729 % 31 + 5) / period).collect();
            let recency: Vec<f64> = (0..3000)
                .map(|i| if frequency[i as usize] == 0.0 { -0.0 } else { f64::from(i * 1299 % 6) / period })
                .collect();
            let weight: Vec<f64> = (0..3000).map(|i| 0.1 * f64::from(i % 13)).collect();
            let rows = RfmSlices {
                frequency: &frequency,
                recency: &recency,
                age: &age,
                weight: Some(&weight),
                ..RfmSlices::default()
            };
            assert!(Grid::of(&rows).is_some());
            let grid = Unique::of(&rows, &run).unwrap();
            let mut off = (age.clone(), recency.clone(), frequency.clone(), weight.clone());
            off.0.push(1e-3);
            off.1.push(0.0);
            off.2.push(0.0);
            off.3.push(0.0);
            let rows = RfmSlices {
                frequency: &off.2,
                recency: &off.1,
                age: &off.0,
                weight: Some(&off.3),
                ..RfmSlices::default()
            };
            assert!(Grid::of(&rows).is_none());
            let any = Unique::of(&rows, &run).unwrap();
            assert_eq!(grid.frequency, any.frequency[1..]);
            assert_eq!(grid.recency, any.recency[1..]);
            assert_eq!(grid.age, any.age[1..]);
            assert_eq!(grid.weight, any.weight[1..]);
            let group: Vec<u32> = any.group[..3000].iter().map(|g| g - 1).collect();
            assert_eq!(grid.group, group);
            let single =
                RfmSlices { frequency: &frequency, recency: &recency, age: &age, ..RfmSlices::default() };
            let [told, counted] =
                [Unique::of(&single, &run).unwrap(), Unique::counted(&single, &run).unwrap()];
            assert_eq!(counted.frequency, told.frequency);
            assert_eq!(counted.recency, told.recency);
            assert_eq!(counted.age, told.age);
            assert_eq!(counted.weight, told.weight);
            assert!(counted.group.is_empty());
        }
    }
}
