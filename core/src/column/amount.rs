//! Amounts from any kind of number.

use std::borrow::Cow;

use super::data::{Cells, Data, Kind};
use super::flaw::{Flaw, Flaws, fill, scan};
use super::intake::{Sign, wrong_kind};
use crate::{Error, Result, Run};

/// An error where the sizes of finite amounts add up to more than a number can hold.
pub(crate) fn check_sum(name: &str, amounts: impl IntoIterator<Item = f64>) -> Result<()> {
    if amounts.into_iter().map(f64::abs).sum::<f64>().is_finite() {
        return Ok(());
    }
    Err(Error::column(name, "adds up to more than a number can hold: give it in a larger unit"))
}

fn check(value: f64, sign: Sign) -> Option<Flaw> {
    if value.is_finite() {
        (sign == Sign::NonNegative && value < 0.0).then_some(Flaw::Negative)
    } else {
        Some(if value.is_nan() { Flaw::Missing } else { Flaw::Infinite })
    }
}

/// Reads a column as amounts; with `optional`, what is missing is 0.
pub(crate) fn read<'a>(
    name: &str,
    data: &'a Data,
    sign: Sign,
    optional: bool,
    run: &Run,
) -> Result<(Cow<'a, [f64]>, Flaws)> {
    if !matches!(data.kind(), Kind::Int | Kind::Float | Kind::Null) {
        return Err(wrong_kind(
            name,
            data,
            "an amount is an integer, a float or a decimal: convert the column to numbers",
        ));
    }
    if let [chunk] = &*data.chunks
        && let Cells::F64(values) = &chunk.cells
        && chunk.valid.all()
    {
        let flaws = scan(run, "read amounts", values.len(), |rows, add| {
            for row in rows {
                if let Some(flaw) = check(values[row], sign) {
                    add(row, flaw);
                }
            }
        })?;
        let gaps = flaws.kinds().iter().any(|(flaw, _, _)| *flaw == Flaw::Missing);
        if !(optional && gaps) {
            return Ok((Cow::Borrowed(values), flaws));
        }
    }
    let (values, flaws) = fill(run, "read amounts", data, |chunk, rows, out: &mut [f64], add| {
        let mut put = |row: usize, slot: &mut f64, value: f64| {
            let value = if chunk.valid.at(row) { value } else { f64::NAN };
            match check(value, sign) {
                None => *slot = value,
                Some(Flaw::Missing) if optional => {}
                Some(flaw) => add(row, flaw),
            }
        };
        let slots = rows.clone().zip(out);
        match &chunk.cells {
            Cells::F64(v) => slots.zip(&v[rows]).for_each(|((row, slot), v)| put(row, slot, *v)),
            Cells::I64(v) => slots.zip(&v[rows]).for_each(|((row, slot), v)| put(row, slot, *v as f64)),
            _ => slots.for_each(|(row, slot)| put(row, slot, f64::NAN)),
        }
    })?;
    Ok((Cow::Owned(values), flaws))
}
