//! The rows that the models are fitted on: (x, t_x, T), with weights.

use hashbrown::HashMap;

use crate::column::Duration;
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
    pub period: Option<Duration>,
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

    /// The lengths agree, and every row can be: see [`fault`].
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
        let mut first: Option<(usize, Fault)> = None;
        let mut count = 0;
        for row in 0..n {
            let weight = self.weight.map_or(1.0, |w| w[row]);
            if let Some(fault) = fault(self.frequency[row], self.recency[row], self.age[row], weight) {
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

/// What is wrong with a row, if anything.
pub(crate) fn fault(frequency: f64, recency: f64, age: f64, weight: f64) -> Option<Fault> {
    let amount = |v: f64| v.is_finite() && v >= 0.0;
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
    /// For each input row, its distinct row.
    pub group: Vec<u32>,
}

impl Unique {
    /// Collapses checked rows.
    pub(crate) fn of(rows: &RfmSlices<'_>, run: &Run) -> Result<Self> {
        rows.check()?;
        run.stage("collapsing equal customers", rows.len() as u64)?;
        let mut seen: HashMap<(u32, u64, u64), u32, foldhash::fast::FixedState> =
            HashMap::with_hasher(foldhash::fast::FixedState::default());
        let mut keys: Vec<(u32, u64, u64)> = Vec::new();
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
            group,
        })
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

    /// Gives every input row the value of its distinct row.
    pub(crate) fn spread<T: Copy>(&self, values: &[T]) -> Vec<T> {
        self.group.iter().map(|id| values[*id as usize]).collect()
    }
}
