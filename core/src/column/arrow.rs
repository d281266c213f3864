//! Record batches in and out.
//!
//! 64-bit floats and integers and timestamps in microseconds are taken without
//! a copy, strings and dictionaries are read where they are, and everything
//! else is widened when a role asks for it. Results give their vectors away.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, Decimal256Type, DecimalType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    RecordBatchOptions, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema, TimeUnit as ArrowUnit};

use super::data::{Cells, Chunk, Columns, Data, Kind, Slab, Valid};
use super::names::{Labels, NULL, Names, Text};
use super::runs::Keys;
use super::table::{Column, Table, Values};
use super::time::TimeUnit;
use crate::{Error, Result};

/// What a type is to the roles.
pub(crate) fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        t if t.is_integer() => Kind::Int,
        t if t.is_floating() || t.is_decimal() => Kind::Float,
        DataType::Boolean => Kind::Bool,
        DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64 => Kind::Time,
        DataType::Null => Kind::Null,
        DataType::Dictionary(_, values) if !matches!(**values, DataType::Dictionary(_, _)) => kind(values),
        _ => Kind::Other,
    }
}

fn valid(array: &dyn Array) -> Valid {
    match array.nulls() {
        Some(nulls) if nulls.null_count() > 0 => Valid::Nulls(nulls.clone()),
        _ => Valid::All,
    }
}

/// A chunk that keeps the array.
fn chunk(array: ArrayRef) -> Chunk {
    let rows = array.len();
    let valid = valid(&array);
    let cells = match array.data_type() {
        DataType::Float64 => Cells::F64(Slab::Arrow(array.as_primitive::<Float64Type>().values().clone())),
        DataType::Int64 => Cells::I64(Slab::Arrow(array.as_primitive::<Int64Type>().values().clone())),
        DataType::Timestamp(ArrowUnit::Microsecond, _) => {
            Cells::Time(Slab::Arrow(array.as_primitive::<TimestampMicrosecondType>().values().clone()))
        }
        DataType::Null => Cells::Null,
        _ => Cells::Arrow(array),
    };
    Chunk::new(cells, rows, valid)
}

fn widen<A: ArrowPrimitiveType, T>(array: &ArrayRef, convert: impl Fn(A::Native) -> T) -> Option<Vec<T>> {
    Some(array.as_primitive_opt::<A>()?.values().iter().map(|v| convert(*v)).collect())
}

/// Converts where the value fits; the rest becomes missing.
fn times<A: ArrowPrimitiveType>(
    array: &ArrayRef,
    unit: TimeUnit,
    wide: impl Fn(A::Native) -> i64,
) -> Option<Cells> {
    // Beyond the years −9999 to 9999 the unit's own limits are far outside
    // the range that the role checks.
    let values: Vec<i64> = widen::<A, _>(array, |v| unit.micros(wide(v)).unwrap_or(i64::MAX))?;
    Some(Cells::Time(values.into()))
}

/// `value / 10^scale`, to the nearest double.
fn decimal(value: i128, scale: i8) -> f64 {
    const EXACT: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    match usize::try_from(scale).ok().and_then(|s| EXACT.get(s)) {
        // Both sides are exact, so that the quotient is rounded once.
        Some(power) if value.unsigned_abs() <= 1 << 53 => value as f64 / power,
        _ => spelled(&value.to_string(), scale),
    }
}

fn spelled(digits: &str, scale: i8) -> f64 {
    format!("{digits}e{}", -i32::from(scale)).parse().unwrap_or(f64::NAN)
}

fn decimals<A: DecimalType>(
    array: &ArrayRef,
    scale: i8,
    convert: impl Fn(A::Native, i8) -> f64,
) -> Option<Cells> {
    Some(Cells::F64(widen::<A, _>(array, |v| convert(v, scale))?.into()))
}

/// The array in a plain form; `None` for strings, and for what no role takes.
pub(crate) fn plain(array: &ArrayRef, valid: &Valid) -> Option<Chunk> {
    use DataType as T;
    let rows = array.len();
    let ints = |values: Option<Vec<i64>>| values.map(|v| Cells::I64(v.into()));
    let floats = |values: Option<Vec<f64>>| values.map(|v| Cells::F64(v.into()));
    let cells = match array.data_type() {
        T::Int8 => ints(widen::<Int8Type, _>(array, i64::from)),
        T::Int16 => ints(widen::<Int16Type, _>(array, i64::from)),
        T::Int32 => ints(widen::<Int32Type, _>(array, i64::from)),
        T::UInt8 => ints(widen::<UInt8Type, _>(array, i64::from)),
        T::UInt16 => ints(widen::<UInt16Type, _>(array, i64::from)),
        T::UInt32 => ints(widen::<UInt32Type, _>(array, i64::from)),
        T::UInt64 => {
            let values = array.as_primitive_opt::<UInt64Type>()?.values();
            let fits: Option<Vec<i64>> = values
                .iter()
                .enumerate()
                .map(|(row, v)| i64::try_from(*v).ok().or_else(|| (!valid.at(row)).then_some(0)))
                .collect();
            match fits {
                Some(fits) => ints(Some(fits)),
                None => floats(Some(values.iter().map(|v| *v as f64).collect())),
            }
        }
        T::Float16 => floats(widen::<Float16Type, _>(array, f64::from)),
        T::Float32 => floats(widen::<Float32Type, _>(array, f64::from)),
        T::Decimal32(_, scale) => decimals::<Decimal32Type>(array, *scale, |v, s| decimal(v.into(), s)),
        T::Decimal64(_, scale) => decimals::<Decimal64Type>(array, *scale, |v, s| decimal(v.into(), s)),
        T::Decimal128(_, scale) => decimals::<Decimal128Type>(array, *scale, decimal),
        T::Decimal256(_, scale) => decimals::<Decimal256Type>(array, *scale, |v, s| match v.to_i128() {
            Some(v) => decimal(v, s),
            None => spelled(&v.to_string(), s),
        }),
        T::Boolean => {
            let flags: Vec<bool> = array.as_boolean_opt()?.values().iter().collect();
            Some(Cells::Bool(Arc::new(flags)))
        }
        T::Timestamp(ArrowUnit::Second, _) => times::<TimestampSecondType>(array, TimeUnit::Second, |v| v),
        T::Timestamp(ArrowUnit::Millisecond, _) => {
            times::<TimestampMillisecondType>(array, TimeUnit::Millisecond, |v| v)
        }
        T::Timestamp(ArrowUnit::Nanosecond, _) => {
            times::<TimestampNanosecondType>(array, TimeUnit::Nanosecond, |v| v)
        }
        T::Date32 => times::<Date32Type>(array, TimeUnit::Day, i64::from),
        T::Date64 => times::<Date64Type>(array, TimeUnit::Millisecond, |v| v),
        T::Dictionary(_, _) => return expand(array, valid),
        _ => None,
    };
    Some(Chunk::new(cells?, rows, valid.clone()))
}

/// A dictionary of anything but strings, row by row.
fn expand(array: &ArrayRef, valid: &Valid) -> Option<Chunk> {
    let (keys, values) = dictionary(array)?;
    if kind(values.data_type()) == Kind::Text {
        return None;
    }
    let values = chunk(Arc::clone(values));
    let values = values.plain();
    let there: Vec<bool> = keys
        .iter()
        .enumerate()
        .map(|(row, key)| {
            let key = *key as usize;
            valid.at(row) && key < values.rows && values.valid.at(key)
        })
        .collect();
    fn pick<T: Copy + Default>(keys: &[u32], values: &[T]) -> Vec<T> {
        keys.iter().map(|key| values.get(*key as usize).copied().unwrap_or_default()).collect()
    }
    let cells = match &values.cells {
        Cells::F64(v) => Cells::F64(pick(&keys, v).into()),
        Cells::I64(v) => Cells::I64(pick(&keys, v).into()),
        Cells::Time(v) => Cells::Time(pick(&keys, v).into()),
        Cells::Bool(v) => Cells::Bool(Arc::new(pick(&keys, v))),
        Cells::Null => Cells::Null,
        _ => return None,
    };
    Some(Chunk::new(cells, keys.len(), Valid::mask(there)))
}

fn keys_of<K: ArrowDictionaryKeyType>(array: &ArrayRef) -> Option<(Vec<u32>, &ArrayRef)>
where
    u32: TryFrom<K::Native>,
{
    let array: &DictionaryArray<K> = array.as_dictionary_opt()?;
    let keys = array.keys().values().iter().map(|key| u32::try_from(*key).unwrap_or(NULL));
    let mut keys: Vec<u32> = keys.collect();
    if let Some(nulls) = array.keys().nulls().filter(|n| n.null_count() > 0) {
        for (row, key) in keys.iter_mut().enumerate() {
            if nulls.is_null(row) {
                *key = NULL;
            }
        }
    }
    Some((keys, array.values()))
}

/// The keys of a dictionary, [`NULL`] where there is none, and its values.
pub(crate) fn dictionary(array: &ArrayRef) -> Option<(Vec<u32>, &ArrayRef)> {
    let DataType::Dictionary(key, _) = array.data_type() else { return None };
    match **key {
        DataType::Int8 => keys_of::<Int8Type>(array),
        DataType::Int16 => keys_of::<Int16Type>(array),
        DataType::Int32 => keys_of::<Int32Type>(array),
        DataType::Int64 => keys_of::<Int64Type>(array),
        DataType::UInt8 => keys_of::<UInt8Type>(array),
        DataType::UInt16 => keys_of::<UInt16Type>(array),
        DataType::UInt32 => keys_of::<UInt32Type>(array),
        DataType::UInt64 => keys_of::<UInt64Type>(array),
        _ => None,
    }
}

/// The keys of a dictionary without a copy, of the widths that are common.
pub(crate) fn raw_keys(array: &ArrayRef) -> Option<Keys<'_>> {
    let DataType::Dictionary(key, _) = array.data_type() else { return None };
    Some(match **key {
        DataType::Int8 => Keys::I8(array.as_dictionary_opt::<Int8Type>()?.keys().values()),
        DataType::Int32 => Keys::I32(array.as_dictionary_opt::<Int32Type>()?.keys().values()),
        DataType::UInt32 => {
            Keys::U32(Cow::Borrowed(array.as_dictionary_opt::<UInt32Type>()?.keys().values()))
        }
        _ => return None,
    })
}

/// The values of a dictionary of strings.
pub(crate) fn dictionary_values(array: &ArrayRef) -> Option<&ArrayRef> {
    let dictionary = array.as_any_dictionary_opt()?;
    (kind(dictionary.values().data_type()) == Kind::Text).then(|| dictionary.values())
}

/// Whether two arrays are views of the same memory.
pub(crate) fn same_buffers(a: &ArrayRef, b: &ArrayRef) -> bool {
    Arc::ptr_eq(a, b) || (a.len() == b.len() && a.to_data().ptr_eq(&b.to_data()))
}

impl From<ArrayRef> for Data {
    fn from(array: ArrayRef) -> Self {
        Self { chunks: vec![chunk(array)] }
    }
}

impl From<RecordBatch> for Columns {
    fn from(batch: RecordBatch) -> Self {
        let mut out = Self::new();
        let schema = batch.schema();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            out.set(field.name(), Arc::clone(array));
        }
        out
    }
}

impl Columns {
    /// A frame of record batches with the same columns.
    ///
    /// Numbers and strings are not copied. Two columns of one name, or a batch
    /// with other columns than the first, are an [`Error::Column`].
    pub fn from_batches(batches: impl IntoIterator<Item = RecordBatch>) -> Result<Self> {
        let mut builder = ColumnsBuilder::new();
        for batch in batches {
            builder.push(batch)?;
        }
        Ok(builder.finish())
    }
}

/// A frame that grows by one record batch at a time.
#[derive(Clone, Debug, Default)]
pub struct ColumnsBuilder {
    columns: Columns,
    begun: bool,
}

impl ColumnsBuilder {
    /// A builder without batches.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a batch.
    pub fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let schema = batch.schema();
        for (at, field) in schema.fields().iter().enumerate() {
            if schema.fields().iter().take(at).any(|f| f.name() == field.name()) {
                return Err(Error::column(field.name(), "appears twice; rename one of the two"));
            }
        }
        // Empty batches of a stream cost chunks and tell nothing but types.
        if self.begun && batch.num_rows() == 0 {
            return Ok(());
        }
        self.begun = true;
        self.columns.append(Columns::from(batch))
    }

    /// How many rows there are so far.
    pub fn rows(&self) -> usize {
        self.columns.rows()
    }

    /// The frame.
    pub fn finish(self) -> Columns {
        self.columns
    }
}

fn strings(text: Text) -> ArrayRef {
    let (bytes, ends) = text.into_parts();
    let buffer = Buffer::from_vec(bytes.into_bytes());
    if let Ok(last) = i32::try_from(buffer.len()) {
        let mut offsets: Vec<i32> = Vec::with_capacity(ends.len() + 1);
        offsets.push(0);
        offsets.extend(ends.iter().map(|end| i32::try_from(*end).unwrap_or(last)));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        if let Ok(array) = StringArray::try_new(offsets, buffer.clone(), None) {
            return Arc::new(array);
        }
    }
    let mut offsets: Vec<i64> = Vec::with_capacity(ends.len() + 1);
    offsets.push(0);
    offsets.extend(ends.iter().map(|end| *end as i64));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    match LargeStringArray::try_new(offsets, buffer, None) {
        Ok(array) => Arc::new(array),
        Err(_) => Arc::new(LargeStringArray::new_null(ends.len())),
    }
}

fn with_nulls(array: ArrayRef, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let Some(nulls) = nulls else { return Ok(array) };
    let data = array.to_data().into_builder().nulls(Some(nulls)).build().map_err(|e| broken(&e))?;
    Ok(arrow_array::make_array(data))
}

fn broken(error: &arrow_schema::ArrowError) -> Error {
    Error::column("table", format!("cannot be given as Arrow: {error}"))
}

fn names(names: Names, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let there = |code: u32| (code as usize) < names.labels.len();
    let gaps = names.codes.iter().any(|c| !there(*c));
    let nulls = match (nulls, gaps) {
        (nulls, false) => nulls,
        (nulls, true) => {
            let mask: NullBuffer = names.codes.iter().map(|c| there(*c)).collect();
            NullBuffer::union(nulls.as_ref(), Some(&mask))
        }
    };
    match &*names.labels {
        Labels::Int(ints) => {
            let value = |code: &u32| ints.get(*code as usize).copied().unwrap_or_default();
            let values: Vec<i64> = names.codes.iter().map(value).collect();
            Ok(Arc::new(Int64Array::new(values.into(), nulls)))
        }
        Labels::Text(_) => {
            let mut codes = names.codes;
            if gaps {
                let size = names.labels.len();
                codes.iter_mut().filter(|c| **c as usize >= size).for_each(|c| *c = 0);
            }
            let text = match Arc::unwrap_or_clone(names.labels) {
                Labels::Text(text) => text,
                Labels::Int(_) => Text::new(),
            };
            let keys = UInt32Array::new(codes.into(), nulls);
            let array = DictionaryArray::try_new(keys, strings(text)).map_err(|e| broken(&e))?;
            Ok(Arc::new(array))
        }
    }
}

fn array(column: Column) -> Result<ArrayRef> {
    let nulls = column.valid.map(NullBuffer::from);
    Ok(match column.values {
        Values::F64(v) => Arc::new(Float64Array::new(v.into(), nulls)),
        Values::I64(v) => Arc::new(Int64Array::new(v.into(), nulls)),
        Values::Bool(v) => Arc::new(BooleanArray::new(v.into(), nulls)),
        Values::Time(v) => Arc::new(TimestampMicrosecondArray::new(v.into(), nulls).with_timezone("UTC")),
        Values::Text(text) => with_nulls(strings(text), nulls)?,
        Values::Names(v) => names(v, nulls)?,
    })
}

impl Table {
    /// The table as a record batch; see [`Table::into_batch`], which copies nothing.
    pub fn to_batch(&self) -> Result<RecordBatch> {
        self.clone().into_batch()
    }

    /// The table as a record batch; vectors are moved, not copied.
    ///
    /// Names of strings become `Dictionary(UInt32, Utf8)` and names of integers
    /// `Int64`; times `Timestamp(Microsecond, "UTC")`; strings `Utf8`, or
    /// `LargeUtf8` from 2 GiB on.
    pub fn into_batch(self) -> Result<RecordBatch> {
        let rows = self.rows();
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        for mut column in self.into_columns() {
            let name = std::mem::take(&mut column.name);
            let array = array(column)?;
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|e| broken(&e))
    }
}
