//! Intervals on the numbers of any tables, from the same tables of samples.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use foldhash::fast::FixedState;

use super::bootstrap::Spread;
use crate::column::{Column, Table, Tables, Values};
use crate::run::Run;
use crate::{Error, Result};

/// A standard error, and the ends of an interval.
pub(in crate::attribution) type Around = [f64; 3];

/// What a sample says of a number whose row it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::attribution) enum Absent {
    /// It is 0 there.
    Zero,
    /// 0 where the sample knows it of another row that is the same in these
    /// columns, as there are other ways out of a state; else nothing is known.
    ZeroAmong(&'static [&'static str]),
    /// Nothing is known.
    Unknown,
}

/// The columns that are estimates, by name; a `*` at its end stands for any end.
pub(in crate::attribution) type Estimates = &'static [(&'static str, Absent)];

/// What is estimated in a table.
#[derive(Clone, Copy, Debug)]
pub(in crate::attribution) struct Told {
    /// The name of the table.
    pub(in crate::attribution) table: &'static str,
    /// The columns that name a row.
    pub(in crate::attribution) keys: &'static [&'static str],
    pub(in crate::attribution) estimates: Estimates,
}

/// Numbers that all samples may hold together.
const MOST: usize = 1 << 27;

/// The tables whose numbers are wanted in every sample.
pub(in crate::attribution) struct Numbers {
    tables: Tables,
    /// The columns that name the rows of each table, all that are no plain
    /// numbers unless they are listed; and its estimates.
    told: Vec<(Option<&'static [&'static str]>, Estimates)>,
    /// Where each table's row of a key stands.
    rows: Vec<HashMap<Key, usize, FixedState>>,
    size: usize,
}

/// What names a row, and which of the rows of that name it is.
type Key = (String, usize);

impl Numbers {
    /// Errors: [`Error::Option`] for more numbers than so many samples can hold.
    pub(in crate::attribution) fn new(
        tables: Tables,
        estimates: Estimates,
        replicates: usize,
    ) -> Result<Self> {
        let told = vec![(None, estimates); tables.len()];
        Self::of_told(tables, told, replicates)
    }

    /// As [`Numbers::new`], of tables that differ in what is estimated; those
    /// of which nothing is told have no estimates.
    pub(in crate::attribution) fn by_table(tables: Tables, told: &[Told], replicates: usize) -> Result<Self> {
        let find = |name: &str| told.iter().find(|of| of.table == name);
        let told = tables
            .iter()
            .map(|(name, _)| find(name).map_or((None, &[] as Estimates), |of| (Some(of.keys), of.estimates)))
            .collect();
        Self::of_told(tables, told, replicates)
    }

    fn of_told(
        tables: Tables,
        told: Vec<(Option<&'static [&'static str]>, Estimates)>,
        replicates: usize,
    ) -> Result<Self> {
        let rows =
            tables.iter().zip(&told).map(|((_, t), (by, _))| keys(t, *by).into_iter().zip(0..).collect());
        let rows = rows.collect();
        let of = |(table, estimates): (&Table, Estimates)| table.rows() * estimated(table, estimates).count();
        let size = tables.iter().zip(&told).map(|((_, t), (_, e))| of((t, *e))).sum();
        check_size(size, replicates)?;
        Ok(Self { tables, told, rows, size })
    }

    /// The numbers of a sample of which nothing is known.
    pub(super) fn unknown(&self) -> Vec<f64> {
        vec![f64::NAN; self.size]
    }

    /// The numbers of the same tables of a sample, NaN where they are not known.
    pub(in crate::attribution) fn of(&self, sample: &Tables) -> Vec<f64> {
        let mut out = Vec::with_capacity(self.size);
        for (((name, table), places), (by, estimates)) in self.tables.iter().zip(&self.rows).zip(&self.told) {
            let Some((_, there)) = sample.iter().find(|(n, _)| n == name) else {
                out.resize(out.len() + table.rows() * estimated(table, estimates).count(), f64::NAN);
                continue;
            };
            let mut found = vec![None; table.rows()];
            for (row, key) in keys(there, *by).into_iter().enumerate() {
                if let Some(place) = places.get(&key) {
                    found[*place] = Some(row);
                }
            }
            for (column, absent) in estimated(table, estimates) {
                let numbers = there.optional(&column.name);
                let others: HashSet<String, FixedState> = match absent {
                    Absent::ZeroAmong(like) => {
                        let known =
                            (0..there.rows()).filter(|row| numbers.get(*row).is_some_and(Option::is_some));
                        known.map(|row| named(there, like, row)).collect()
                    }
                    Absent::Zero | Absent::Unknown => HashSet::default(),
                };
                let number = |(row, found): (usize, &Option<usize>)| match (found, absent) {
                    (Some(at), _) => numbers.get(*at).copied().flatten().unwrap_or(f64::NAN),
                    (None, Absent::Zero) => 0.0,
                    (None, Absent::ZeroAmong(like)) if others.contains(&named(table, like, row)) => 0.0,
                    (None, _) => f64::NAN,
                };
                out.extend(found.iter().enumerate().map(number));
            }
        }
        out
    }

    /// The tables, each estimate followed by `_standard_error`, `_low` and
    /// `_high`; missing where fewer than two samples know the number.
    pub(in crate::attribution) fn with_intervals(
        self,
        samples: &[Vec<f64>],
        spread: &Spread,
        run: &Run,
    ) -> Result<Tables> {
        let mut first = 0;
        let mut out = Vec::with_capacity(self.tables.len());
        for ((name, table), (_, estimates)) in self.tables.iter().zip(&self.told) {
            let mut wide = Table::new();
            for column in table.columns() {
                wide = wide.push(&column.name, column.values.clone(), column.valid.clone());
                if !estimated(table, estimates).any(|(c, _)| c.name == column.name) {
                    continue;
                }
                let estimates = table.optional(&column.name);
                let found = run.map_items(estimates.len(), |row| {
                    let draws: Vec<f64> =
                        samples.iter().map(|s| s[first + row]).filter(|x| !x.is_nan()).collect();
                    let known = estimates[row].filter(|_| draws.len() > 1);
                    Ok(known.map(|estimate| spread.around(estimate, &draws)))
                })?;
                wide = beside(wide, &column.name, &found);
                first += estimates.len();
            }
            out.push((*name, wide));
        }
        Ok(out)
    }
}

/// An [`Error::Option`] for more numbers than so many samples can hold.
pub(in crate::attribution) fn check_size(size: usize, replicates: usize) -> Result<()> {
    if size <= MOST / replicates.max(1) {
        return Ok(());
    }
    let reason = format!("{replicates} samples of {size} numbers are too many to hold: draw fewer");
    Err(Error::option("bootstrap", reason))
}

/// Adds what stands beside the estimates of a column.
pub(in crate::attribution) fn beside(table: Table, name: &str, around: &[Option<Around>]) -> Table {
    ["standard_error", "low", "high"].into_iter().enumerate().fold(table, |table, (k, part)| {
        table.with_optional(&format!("{name}_{part}"), around.iter().map(|a| a.map(|a| a[k])))
    })
}

fn estimated(table: &Table, estimates: Estimates) -> impl Iterator<Item = (&Column, Absent)> {
    let is = |name: &str, column: &str| match name.strip_suffix('*') {
        Some(start) => column.starts_with(start),
        None => name == column,
    };
    table.columns().iter().filter_map(move |column| {
        estimates.iter().find(|(name, _)| is(name, &column.name)).map(|(_, a)| (column, *a))
    })
}

/// What names each row: these columns, or all that are no plain numbers; rows
/// alike are counted.
fn keys(table: &Table, by: Option<&[&str]>) -> Vec<Key> {
    let mut times: HashMap<String, usize, FixedState> = HashMap::default();
    let columns: Vec<&str> = if let Some(by) = by {
        by.to_vec()
    } else {
        let all = table.columns().iter().filter(|c| !matches!(c.values, Values::F64(_)));
        all.map(|c| c.name.as_str()).collect()
    };
    (0..table.rows())
        .map(|row| {
            let key = named(table, &columns, row);
            let seen = times.entry(key.clone()).or_default();
            *seen += 1;
            (key, *seen)
        })
        .collect()
}

/// What a row holds in these columns.
fn named(table: &Table, columns: &[&str], row: usize) -> String {
    let mut key = String::new();
    for column in columns.iter().filter_map(|name| table.get(name)) {
        match &column.values {
            Values::I64(v) | Values::Time(v) => {
                let _ = write!(key, "{};", v[row]);
            }
            _ => {
                // Lengths keep apart what labels cannot.
                if let Some(text) = table.text(&column.name, row) {
                    let _ = write!(key, "{}:{text}", text.len());
                }
            }
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::Interval;

    fn table(rows: &[(&str, &str, f64, f64)]) -> Tables {
        let text = |pick: fn(&(&str, &str, f64, f64)) -> String| {
            Values::Text(rows.iter().map(pick).collect::<Vec<_>>().iter().collect())
        };
        let out = Table::new()
            .with("from", text(|r| r.0.to_owned()))
            .with("to", text(|r| r.1.to_owned()))
            .with("count", Values::F64(rows.iter().map(|r| r.2).collect()))
            .with_optional("share", rows.iter().map(|r| (r.3 >= 0.0).then_some(r.3)))
            .with("age", Values::F64(vec![9.0; rows.len()]));
        vec![("edges", out)]
    }

    #[test]
    fn rows_of_samples_are_found_by_their_names() {
        let whole = table(&[("a", "b", 3.0, 0.6), ("a", "c", 2.0, 0.4), ("b", "c", 1.0, 1.0)]);
        let estimates = &[("count", Absent::Zero), ("share", Absent::ZeroAmong(&["from"]))];
        let numbers = Numbers::new(whole, estimates, 4).unwrap();
        let one = numbers.of(&table(&[("b", "c", 4.0, 1.0), ("a", "c", 5.0, 0.5), ("a", "x", 5.0, 0.5)]));
        assert_eq!(one, [0.0, 5.0, 4.0, 0.0, 0.5, 1.0]);
        // Nothing leaves b, and one share is missing.
        let two = numbers.of(&table(&[("a", "b", 1.0, 1.0), ("a", "c", 2.0, -1.0)]));
        assert_eq!(two[..4], [1.0, 2.0, 0.0, 1.0]);
        assert!(two[4].is_nan() && two[5].is_nan());
        let spread = Spread { replicates: 2, confidence: 0.5, interval: Interval::Percentile };
        let found = numbers.with_intervals(&[one, two], &spread, &Run::new()).unwrap();
        let edges = &found[0].1;
        let names: Vec<&str> = edges.columns().iter().map(|c| c.name.as_str()).collect();
        let wanted = [
            "from",
            "to",
            "count",
            "count_standard_error",
            "count_low",
            "count_high",
            "share",
            "share_standard_error",
            "share_low",
            "share_high",
            "age",
        ];
        assert_eq!(names, wanted);
        assert_eq!(edges.f64s("count"), Some(&[3.0, 2.0, 1.0][..]));
        assert_eq!(edges.f64s("count_low"), Some(&[0.25, 2.75, 1.0][..]));
        assert_eq!(edges.f64s("count_high"), Some(&[0.75, 4.25, 3.0][..]));
        assert_eq!(
            edges.f64s("count_standard_error"),
            Some(&[0.5_f64.sqrt(), 4.5_f64.sqrt(), 8.0_f64.sqrt()][..])
        );
        // One sample is not enough.
        assert_eq!(edges.optional("share_low"), [Some(0.25), None, None]);
    }

    #[test]
    fn rows_of_one_name_are_told_apart_by_their_order() {
        let rows = [("a", "b", 1.0, 0.1), ("a", "b", 2.0, 0.2)];
        let numbers = Numbers::new(table(&rows), &[("count", Absent::Unknown)], 2).unwrap();
        assert_eq!(numbers.of(&table(&rows)), [1.0, 2.0]);
        // Joined labels are not taken for others.
        let numbers = Numbers::new(table(&[("a", "bc", 1.0, 0.1)]), &[("count", Absent::Zero)], 2).unwrap();
        assert_eq!(numbers.of(&table(&[("ab", "c", 7.0, 0.1)])), [0.0]);
        let many = Numbers::new(table(&rows), &[("count", Absent::Zero)], MOST);
        assert!(matches!(many, Err(Error::Option { .. })));
    }
}
