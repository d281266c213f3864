//! Frames in: Arrow capsules, or a dict of columns. Frames out: [`Frame`].

use std::sync::Arc;

use arrow_array::array::TypedDictionaryArray;
use arrow_array::builder::make_view;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, LargeStringArray, NullArray, RecordBatch,
    RecordBatchOptions, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{DataType, Field, Schema};
use headwater::Error;
use headwater::column::{Columns, Table};
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyCapsule, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::capsule::{self, Chunked};
use crate::errors::Outcome;

/// The columns of a frame: an Arrow table, or a dict of columns.
pub(crate) fn columns(object: &Bound<'_, PyAny>) -> Outcome<Columns> {
    let batches = match object.cast::<PyDict>() {
        Ok(dict) => dict_batches(dict)?,
        Err(_) => match capsule::read(object)? {
            Some(chunked) => table_batches(chunked)?,
            None => {
                let name = object.get_type().name()?;
                return Err(pyo3::exceptions::PyTypeError::new_err(format!(
                    "a `{name}` is not a frame: pass a pandas, Polars or Arrow table, anything with \
                     __arrow_c_stream__, or a dict of columns"
                ))
                .into());
            }
        },
    };
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        // Libraries guess the types of columns without rows; nothing wrong can stand in them.
        return Ok(Columns::from_batches(batches.first().map(untyped).transpose()?)?);
    }
    Ok(Columns::from_batches(batches)?)
}

fn untyped(empty: &RecordBatch) -> headwater::Result<RecordBatch> {
    let schema = empty.schema();
    let fields = schema.fields().iter().map(|field| Field::new(field.name(), DataType::Null, true));
    let columns = schema.fields().iter().map(|_| Arc::new(NullArray::new(0)) as ArrayRef).collect();
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(0));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|e| Error::column("?", e.to_string()))
}

fn table_batches(chunked: Chunked) -> headwater::Result<Vec<RecordBatch>> {
    let DataType::Struct(fields) = chunked.field.data_type() else {
        return Err(Error::column("?", "an array stands where a table is wanted: pass a dict of columns"));
    };
    let schema = Arc::new(Schema::new(fields.clone()));
    let batches = chunked.chunks.iter().filter_map(|chunk| chunk.as_any().downcast_ref::<StructArray>());
    let batches: Result<Vec<_>, _> = batches
        .map(|chunk| {
            let options = RecordBatchOptions::new().with_row_count(Some(chunk.len()));
            RecordBatch::try_new_with_options(Arc::clone(&schema), chunk.columns().to_vec(), &options)
        })
        .collect();
    let mut batches = batches.map_err(|e| Error::column("?", e.to_string()))?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
}

/// A dict's columns may come in chunks of unlike lengths; every batch ends where any chunk ends.
fn dict_batches(dict: &Bound<'_, PyDict>) -> Outcome<Vec<RecordBatch>> {
    let mut fields = Vec::with_capacity(dict.len());
    let mut columns = Vec::with_capacity(dict.len());
    let mut rows: Option<(String, usize)> = None;
    let mut cuts = vec![0];
    for (name, values) in dict {
        let name = name.str()?.to_string();
        let chunked = column(&name, &values)?;
        let before = cuts.len();
        let mut end = 0;
        for chunk in &chunked.chunks {
            end += chunk.len();
            cuts.push(end);
        }
        if cuts.len() == before {
            cuts.push(0);
        }
        match &rows {
            Some((first, len)) if *len != end => {
                let reason = format!("has {end} rows, but `{first}` has {len}");
                return Err(Error::column(name, reason).into());
            }
            Some(_) => {}
            None => rows = Some((name.clone(), end)),
        }
        fields.push(chunked.field.with_name(name).with_nullable(true));
        columns.push(chunked.chunks);
    }
    cuts.sort_unstable();
    cuts.dedup();
    let schema = Arc::new(Schema::new(fields));
    if cuts.len() == 1 {
        return Ok(vec![RecordBatch::new_empty(schema)]);
    }
    let batches = cuts.windows(2).map(|cut| {
        let (start, len) = (cut[0], cut[1] - cut[0]);
        let piece = |chunks: &Vec<ArrayRef>| {
            let mut at = start;
            for chunk in chunks {
                if at < chunk.len() {
                    return chunk.slice(at, len);
                }
                at -= chunk.len();
            }
            Arc::new(NullArray::new(len))
        };
        RecordBatch::try_new(Arc::clone(&schema), columns.iter().map(piece).collect())
            .map_err(|e| Error::column("?", e.to_string()).into())
    });
    batches.collect()
}

fn column(name: &str, values: &Bound<'_, PyAny>) -> Outcome<Chunked> {
    if let Some(chunked) = capsule::read(values)? {
        return Ok(chunked);
    }
    let array =
        if values.hasattr("__array_interface__")? { numpy(name, values)? } else { sequence(name, values)? };
    let field = Field::new(name, array.data_type().clone(), true);
    Ok(Chunked { field, chunks: vec![array] })
}

/// A numpy array: one copy of the numbers; text goes through a list.
fn numpy(name: &str, values: &Bound<'_, PyAny>) -> Outcome<ArrayRef> {
    if values.getattr("ndim")?.extract::<usize>()? != 1 {
        return Err(Error::column(name, "is an array of more than one dimension").into());
    }
    let py = values.py();
    let kind: String = values.getattr("dtype")?.getattr("kind")?.extract()?;
    let cast = |dtype: &str| values.call_method1("astype", (dtype, "C"));
    Ok(match kind.as_str() {
        "f" => Arc::new(Float64Array::from(PyBuffer::<f64>::get(&cast("f8")?)?.to_vec(py)?)),
        "i" => Arc::new(Int64Array::from(PyBuffer::<i64>::get(&cast("i8")?)?.to_vec(py)?)),
        "u" => Arc::new(UInt64Array::from(PyBuffer::<u64>::get(&cast("u8")?)?.to_vec(py)?)),
        "b" => {
            let bytes = PyBuffer::<u8>::get(&cast("u1")?)?.to_vec(py)?;
            Arc::new(bytes.into_iter().map(|byte| Some(byte != 0)).collect::<BooleanArray>())
        }
        "M" => {
            let micros = cast("datetime64[us]")?.call_method1("view", ("i8",))?;
            let micros = PyBuffer::<i64>::get(&micros)?.to_vec(py)?;
            let micros = micros.into_iter().map(|at| (at != i64::MIN).then_some(at)); // NaT
            Arc::new(micros.collect::<TimestampMicrosecondArray>())
        }
        _ => sequence(name, &values.call_method0("tolist")?)?,
    })
}

enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

/// Any iterable of Python objects: one pass over the objects, some 50 ns each.
fn sequence(name: &str, values: &Bound<'_, PyAny>) -> Outcome<ArrayRef> {
    if values.is_instance_of::<PyString>() {
        return Err(Error::column(name, "is one string, not a column of values").into());
    }
    let not_iterable = |_| Error::column(name, "is not a list, an array or another column of values");
    let cells = values.try_iter().map_err(not_iterable)?;
    let cells = cells.map(|value| cell(name, &value?)).collect::<Outcome<Vec<Cell>>>()?;
    let mut seen = [None; 4];
    for (row, cell) in cells.iter().enumerate() {
        let kind = match cell {
            Cell::Null => continue,
            Cell::Float(x) if x.is_nan() && seen[3].is_some() => continue,
            Cell::Bool(_) => 0,
            Cell::Int(_) => 1,
            Cell::Float(_) => 2,
            Cell::Text(_) => 3,
        };
        seen[kind].get_or_insert(row);
    }
    let only_nan = |cell: &Cell| !matches!(cell, Cell::Float(x) if !x.is_nan());
    if seen[3].is_some() && cells.iter().all(only_nan) {
        seen[2] = None; // NaN among strings is how pandas writes a missing one
    }
    Ok(match seen {
        [None, None, None, None] => Arc::new(NullArray::new(cells.len())),
        [Some(_), None, None, None] => {
            let bools = cells.iter().map(|cell| if let Cell::Bool(x) = cell { Some(*x) } else { None });
            Arc::new(bools.collect::<BooleanArray>())
        }
        [None, Some(_), None, None] => {
            let ints = cells.iter().map(|cell| if let Cell::Int(x) = cell { Some(*x) } else { None });
            Arc::new(ints.collect::<Int64Array>())
        }
        [None, _, Some(_), None] => {
            let floats = cells.iter().map(|cell| match cell {
                Cell::Float(x) => Some(*x),
                Cell::Int(x) => Some(*x as f64),
                _ => None,
            });
            Arc::new(floats.collect::<Float64Array>())
        }
        [None, None, None, Some(_)] => {
            let texts =
                cells.iter().map(|cell| if let Cell::Text(x) = cell { Some(x.as_str()) } else { None });
            Arc::new(texts.collect::<StringArray>())
        }
        _ => {
            let kinds = ["bool", "int", "float", "str"].iter().zip(seen);
            let kinds = kinds.filter_map(|(kind, row)| row.map(|row| format!("{kind} (row {row})")));
            let kinds = kinds.collect::<Vec<_>>().join(", ");
            return Err(Error::column(name, format!("mixes types: {kinds}; make them all one")).into());
        }
    })
}

fn cell(name: &str, value: &Bound<'_, PyAny>) -> Outcome<Cell> {
    let unusable = |what: &str| Error::column(name, format!("holds {what}"));
    if value.is_none() {
        return Ok(Cell::Null);
    }
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str().map_err(|_| unusable("a string that is not valid Unicode"))?;
        return Ok(Cell::Text(text.to_owned()));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Cell::Float(value.extract()?));
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Cell::Bool(truth.is_true()));
    }
    if value.is_instance_of::<PyInt>() || value.hasattr("__index__")? {
        return Ok(Cell::Int(value.extract().map_err(|_| unusable("an integer beyond 64 bits"))?));
    }
    let kind = value.get_type().name()?.to_string();
    match kind.as_str() {
        "NAType" | "NaTType" => Ok(Cell::Null),
        "bool" | "bool_" => Ok(Cell::Bool(value.is_truthy()?)),
        "Decimal" | "float32" | "float16" => Ok(Cell::Float(value.call_method0("__float__")?.extract()?)),
        "UUID" | "datetime64" => Ok(Cell::Text(value.str()?.to_string())),
        _ if value.hasattr("isoformat")? => Ok(Cell::Text(value.call_method0("isoformat")?.extract()?)),
        _ => Err(unusable(&format!("a `{kind}`, which is no name, number or time")).into()),
    }
}

/// A result table; the Python class `headwater.Frame` is its face.
#[pyclass(frozen, module = "headwater._core")]
pub(crate) struct Frame(RecordBatch);

impl Frame {
    pub(crate) fn new(table: Table) -> headwater::Result<Self> {
        table.to_batch().map(Self)
    }
}

fn dictionary(array: &ArrayRef) -> Option<TypedDictionaryArray<'_, UInt32Type, StringArray>> {
    array.as_dictionary_opt::<UInt32Type>()?.downcast_dict::<StringArray>()
}

/// Names as plain strings, which every library joins and groups.
fn plain(array: &ArrayRef) -> ArrayRef {
    match dictionary(array) {
        Some(names) => Arc::new(names.into_iter().collect::<LargeStringArray>()),
        None => Arc::clone(array),
    }
}

/// Names as string views, which share the text of each label: Polars' own layout.
fn views(array: &ArrayRef) -> ArrayRef {
    let Some(names) = dictionary(array) else { return Arc::clone(array) };
    let labels = names.values();
    let text = labels.values().clone();
    let offsets = labels.value_offsets().iter().map(|at| *at as u32);
    let labels: Vec<u128> = labels
        .iter()
        .zip(offsets)
        .map(|(label, at)| make_view(label.unwrap_or_default().as_bytes(), 0, at))
        .collect();
    let keys = names.keys();
    let rows: ScalarBuffer<u128> =
        keys.values().iter().map(|key| labels.get(*key as usize).copied().unwrap_or(0)).collect();
    match StringViewArray::try_new(rows, vec![text], keys.nulls().cloned()) {
        Ok(array) => Arc::new(array),
        Err(_) => plain(array),
    }
}

#[pymethods]
impl Frame {
    /// The Arrow PyCapsule interface. Names come as plain strings, or with `views` as string views.
    #[pyo3(signature = (requested_schema=None, *, views=false))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
        views: bool,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema); // the interface allows to ignore it
        let lay_out = if views { self::views } else { plain };
        let arrays: Vec<ArrayRef> = self.0.columns().iter().map(lay_out).collect();
        let schema = self.0.schema();
        let fields = schema.fields().iter().zip(&arrays);
        let fields = fields.map(|(f, array)| Field::new(f.name(), array.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(self.0.num_rows()));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options);
        capsule::stream(py, batch.map_err(capsule::unreadable)?)
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    /// (name, kind) of each column; kinds are float, int, bool, time, text.
    fn kinds(&self) -> Vec<(String, &'static str)> {
        let kind = |data_type: &DataType| match data_type {
            DataType::Float64 => "float",
            DataType::Int64 => "int",
            DataType::Boolean => "bool",
            DataType::Timestamp(_, _) => "time",
            _ => "text",
        };
        self.0.schema().fields().iter().map(|f| (f.name().clone(), kind(f.data_type()))).collect()
    }

    /// A column of numbers as the bytes of an array of 64-bit values.
    fn bytes<'py>(&self, py: Python<'py>, index: usize) -> Option<Bound<'py, PyBytes>> {
        let column = self.0.columns().get(index)?;
        let data = column.to_data();
        let bytes = data.buffers().first()?.as_slice();
        let numbers = matches!(column.data_type(), DataType::Float64 | DataType::Int64);
        let at = data.offset() * 8;
        (numbers && data.nulls().is_none()).then(|| PyBytes::new(py, &bytes[at..at + data.len() * 8]))
    }

    /// Rows `start..end` of the column at `index` as Python objects; times in microseconds.
    fn values<'py>(
        &self,
        py: Python<'py>,
        index: usize,
        start: usize,
        end: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let rows = self.0.num_rows();
        let end = end.min(rows);
        let start = start.min(end);
        let Some(column) = self.0.columns().get(index) else { return Ok(PyList::empty(py).into_any()) };
        let column = plain(&column.slice(start, end - start));
        match column.data_type() {
            DataType::Float64 => {
                column.as_primitive::<Float64Type>().iter().collect::<Vec<_>>().into_pyobject(py)
            }
            DataType::Int64 => {
                column.as_primitive::<Int64Type>().iter().collect::<Vec<_>>().into_pyobject(py)
            }
            DataType::Boolean => column.as_boolean().iter().collect::<Vec<_>>().into_pyobject(py),
            DataType::Timestamp(_, _) => {
                column.as_primitive::<TimestampMicrosecondType>().iter().collect::<Vec<_>>().into_pyobject(py)
            }
            DataType::Utf8 => column.as_string::<i32>().iter().collect::<Vec<_>>().into_pyobject(py),
            _ => column.as_string::<i64>().iter().collect::<Vec<_>>().into_pyobject(py),
        }
    }
}
