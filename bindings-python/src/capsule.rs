//! Arrow through PyCapsules: tables and bare arrays in, record batches out.
//!
//! This is the Arrow PyCapsule interface on `arrow-array` alone. The crate
//! `pyo3-arrow` does the same and more, but it brings arrow-cast, a time zone
//! database and numpy: 272 CPU seconds of release build and an 11 MB module,
//! where this file costs 74 seconds and 1.5 MB. What we give up is schema
//! negotiation, which no caller of this library needs.
//!
//! The only unsafe code of the project is here. Each block relies on the same
//! promise, made by the producer: the pointer in a capsule of the agreed name
//! is a valid structure of the Arrow C data interface.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::ptr::NonNull;

use arrow_array::ffi::{FFI_ArrowArray, from_ffi_and_data_type};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchIterator, make_array};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, Field};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

const STREAM: &CStr = c"arrow_array_stream";
const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";

/// What a producer gave: one field, and its values in chunks.
pub(crate) struct Chunked {
    pub(crate) field: Field,
    pub(crate) chunks: Vec<ArrayRef>,
}

/// Reads any object with `__arrow_c_stream__` or `__arrow_c_array__`; `None`
/// for an object with neither. Buffers are shared, not copied.
pub(crate) fn read(object: &Bound<'_, PyAny>) -> PyResult<Option<Chunked>> {
    if object.hasattr("__arrow_c_stream__")? {
        let capsule = object.call_method0("__arrow_c_stream__")?;
        return read_stream(&capsule).map(Some);
    }
    if object.hasattr("__arrow_c_array__")? {
        let pair = object.call_method0("__arrow_c_array__")?.cast_into::<PyTuple>()?;
        return read_array(&pair.get_item(0)?, &pair.get_item(1)?).map(Some);
    }
    Ok(None)
}

fn pointer<T>(capsule: &Bound<'_, PyAny>, name: &'static CStr) -> PyResult<NonNull<T>> {
    Ok(capsule.cast::<PyCapsule>()?.pointer_checked(Some(name))?.cast())
}

fn read_stream(capsule: &Bound<'_, PyAny>) -> PyResult<Chunked> {
    let raw = pointer::<FFI_ArrowArrayStream>(capsule, STREAM)?;
    // SAFETY: the capsule's name was checked; moving the structure out leaves
    // an empty one behind, so that the capsule's destructor releases nothing.
    let mut stream = unsafe { FFI_ArrowArrayStream::from_raw(raw.as_ptr()) };
    // A stream may run a query or call back into Python from other threads.
    capsule.py().detach(move || drain(&mut stream)).map_err(unreadable)
}

fn drain(stream: &mut FFI_ArrowArrayStream) -> Result<Chunked, ArrowError> {
    let released = || ArrowError::CDataInterface("the stream was already consumed".to_owned());
    let get_schema = stream.get_schema.ok_or_else(released)?;
    let get_next = stream.get_next.ok_or_else(released)?;
    let mut schema = FFI_ArrowSchema::empty();
    // SAFETY: the stream is live and `schema` is ours to write.
    let status = unsafe { get_schema(stream, &raw mut schema) };
    check(stream, status)?;
    let field = Field::try_from(&schema)?;
    let mut chunks = Vec::new();
    loop {
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: as above.
        let status = unsafe { get_next(stream, &raw mut array) };
        check(stream, status)?;
        if array.is_released() {
            return Ok(Chunked { field, chunks });
        }
        // SAFETY: the producer vouches that the array is of the stream's type.
        let data = unsafe { from_ffi_and_data_type(array, field.data_type().clone())? };
        chunks.push(make_array(data));
    }
}

fn check(stream: &mut FFI_ArrowArrayStream, status: i32) -> Result<(), ArrowError> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: the stream is live; the text belongs to it and is copied at once.
    let text = stream.get_last_error.map(|last| unsafe { last(stream) }).filter(|text| !text.is_null());
    let text = text.map(|text| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned());
    Err(ArrowError::CDataInterface(text.unwrap_or_else(|| format!("status {status}"))))
}

fn read_array(schema: &Bound<'_, PyAny>, array: &Bound<'_, PyAny>) -> PyResult<Chunked> {
    let schema = pointer::<FFI_ArrowSchema>(schema, SCHEMA)?;
    let array = pointer::<FFI_ArrowArray>(array, ARRAY)?;
    // SAFETY: the names were checked; the schema stays in its capsule, the
    // array is moved out of its own.
    let (field, data) = unsafe {
        let field = Field::try_from(schema.as_ref()).map_err(unreadable)?;
        let array = FFI_ArrowArray::from_raw(array.as_ptr());
        let data = from_ffi_and_data_type(array, field.data_type().clone()).map_err(unreadable)?;
        (field, data)
    };
    Ok(Chunked { field, chunks: vec![make_array(data)] })
}

/// A capsule that streams this batch.
pub(crate) fn stream(py: Python<'_>, batch: RecordBatch) -> PyResult<Bound<'_, PyCapsule>> {
    let schema = batch.schema();
    let reader = RecordBatchIterator::new([Ok(batch)], schema);
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), STREAM)
}

pub(crate) fn unreadable(error: ArrowError) -> PyErr {
    pyo3::exceptions::PyValueError::new_err(format!("the Arrow data could not be read: {error}"))
}
