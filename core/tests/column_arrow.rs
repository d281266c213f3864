//! Record batches in and out.
#![allow(missing_docs)]
#![cfg(feature = "arrow")]
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{Decimal256Builder, StringDictionaryBuilder, StringViewBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, Date32Type, Date64Type, Int8Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt16Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Date64Array, Decimal32Array, Decimal64Array, Decimal128Array,
    DictionaryArray, Float16Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    LargeStringArray, NullArray, PrimitiveArray, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt16Array,
    UInt32Array, UInt64Array,
};
use arrow_buffer::i256;
use arrow_schema::DataType;
use headwater::column::{
    Columns, ColumnsBuilder, Data, Intake, Labels, NULL, Names, OnInvalid, Sign, Table, Text, Values, intern,
};
use headwater::{Error, Run};

fn frame(array: impl Array + 'static) -> Columns {
    let array: ArrayRef = Arc::new(array);
    Columns::from_batches([RecordBatch::try_from_iter([("c", array)]).unwrap()]).unwrap()
}

fn names(frame: &Columns) -> headwater::Result<(Vec<u32>, Vec<String>)> {
    let run = Run::new();
    let names = Intake::new(frame, OnInvalid::Error, &run).optional_names("c")?;
    let labels = (0..names.labels.len() as u32).map(|c| names.labels.get(c).into_owned()).collect();
    Ok((names.codes, labels))
}

/// What is kept, and how many were dropped.
fn amounts(frame: &Columns) -> (Vec<f64>, u64) {
    let run = Run::new();
    let mut intake = Intake::new(frame, OnInvalid::Drop, &run);
    let values = intake.amounts("c", Sign::Any).unwrap();
    let kept = intake.finish().unwrap();
    (kept.values(values).into_owned(), kept.dropped().rows)
}

fn times(frame: &Columns) -> (Vec<i64>, u64) {
    let run = Run::new();
    let mut intake = Intake::new(frame, OnInvalid::Drop, &run);
    let values = intake.times("c").unwrap();
    let kept = intake.finish().unwrap();
    (kept.values(values).into_owned(), kept.dropped().rows)
}

const STRINGS: [Option<&str>; 6] =
    [Some("b"), None, Some("a"), Some(""), Some("b"), Some("ein langer Name, länger als zwölf")];

fn dictionary<K: ArrowDictionaryKeyType>() -> DictionaryArray<K> {
    let mut builder = StringDictionaryBuilder::<K>::new();
    builder.append_value("unused");
    for string in STRINGS {
        builder.append_option(string);
    }
    builder.finish().slice(1, STRINGS.len())
}

#[test]
fn strings_of_every_layout_are_the_same_names() {
    let expected = (
        vec![0, NULL, 1, NULL, 0, 2],
        vec!["b".to_owned(), "a".to_owned(), "ein langer Name, länger als zwölf".to_owned()],
    );
    let mut view = StringViewBuilder::new();
    for string in STRINGS {
        view.append_option(string);
    }
    let plain = StringArray::from(STRINGS.to_vec());
    let layouts: Vec<ArrayRef> = vec![
        Arc::new(plain.clone()),
        Arc::new(LargeStringArray::from(STRINGS.to_vec())),
        Arc::new(view.finish()),
        Arc::new(dictionary::<Int8Type>()),
        Arc::new(dictionary::<UInt16Type>()),
        Arc::new(dictionary::<Int64Type>()),
        Arc::new(dictionary::<UInt64Type>()),
        // Values of a dictionary may repeat, be missing, or be views.
        Arc::new(
            DictionaryArray::try_new(
                Int8Array::from(vec![Some(2), Some(1), Some(4), None, Some(0), Some(3)]),
                Arc::new(StringArray::from(vec![Some("b"), None, Some("b"), STRINGS[5], Some("a")]))
                    as ArrayRef,
            )
            .unwrap(),
        ),
    ];
    for array in &layouts {
        let batch = RecordBatch::try_from_iter([("c", Arc::clone(array))]).unwrap();
        let whole = Columns::from_batches([batch.clone()]).unwrap();
        assert_eq!(names(&whole).unwrap(), expected, "{}", array.data_type());
        // In slices, as streams bring them.
        let parts = Columns::from_batches([batch.slice(0, 1), batch.slice(1, 3), batch.slice(4, 2)]).unwrap();
        assert_eq!(names(&parts).unwrap(), expected, "{} in parts", array.data_type());
        let run = Run::new();
        let mut intake = Intake::new(&whole, OnInvalid::Drop, &run);
        intake.names("c").unwrap();
        let reasons = intake.finish().unwrap().into_dropped();
        assert_eq!(reasons.rows, 2, "{}", array.data_type());
    }
    // Each batch in another layout.
    let all = Columns::from_batches(
        layouts.iter().map(|a| RecordBatch::try_from_iter([("c", Arc::clone(a))]).unwrap()),
    );
    let (codes, labels) = names(&all.unwrap()).unwrap();
    assert_eq!(codes, expected.0.repeat(layouts.len()));
    assert_eq!(labels, expected.1);
}

#[test]
fn a_large_shared_dictionary_of_many_small_batches() {
    let values: ArrayRef = Arc::new(StringArray::from_iter_values((0..200_000).map(|i| format!("n{i}"))));
    let rows: Vec<u32> = (0..100_000u32).map(|i| i.wrapping_mul(7919) % 5_000 + 150_000).collect();
    let batches = rows.chunks(10_000).map(|keys| {
        let keys = UInt32Array::from(keys.to_vec());
        let array: ArrayRef = Arc::new(DictionaryArray::try_new(keys, Arc::clone(&values)).unwrap());
        RecordBatch::try_from_iter([("c", array)]).unwrap()
    });
    let frame = Columns::from_batches(batches).unwrap();
    let strings: Vec<String> = rows.iter().map(|k| format!("n{k}")).collect();
    let expected = intern(&[&strings], &Run::new()).unwrap();
    let run = Run::new();
    let found = Intake::new(&frame, OnInvalid::Error, &run).names("c").unwrap();
    assert_eq!(found, expected[0]);
}

#[test]
fn integers_of_every_width_are_names_and_amounts() {
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int8Array::from(vec![Some(5), None, Some(7)])),
        Arc::new(Int16Array::from(vec![Some(5), None, Some(7)])),
        Arc::new(Int32Array::from(vec![Some(5), None, Some(7)])),
        Arc::new(Int64Array::from(vec![Some(5), None, Some(7)])),
        Arc::new(UInt8Array::from(vec![Some(5), None, Some(7)])),
        Arc::new(UInt16Array::from(vec![Some(5), None, Some(7)])),
        Arc::new(UInt32Array::from(vec![Some(5), None, Some(7)])),
        Arc::new(UInt64Array::from(vec![Some(5), None, Some(7)])),
        Arc::new(Float64Array::from(vec![5.0, f64::NAN, 7.0])),
        Arc::new(
            DictionaryArray::try_new(
                Int8Array::from(vec![Some(1), None, Some(0)]),
                Arc::new(Int32Array::from(vec![7, 5, 9])) as ArrayRef,
            )
            .unwrap(),
        ),
    ];
    for array in arrays {
        let kind = array.data_type().clone();
        let frame = Columns::new().with("c", Data::from(array));
        assert_eq!(names(&frame).unwrap(), (vec![0, NULL, 1], vec!["5".into(), "7".into()]), "{kind}");
        assert_eq!(amounts(&frame), (vec![5.0, 7.0], 1), "{kind}");
    }
    let error = names(&frame(UInt64Array::from(vec![u64::MAX]))).unwrap_err();
    assert!(matches!(&error, Error::Column { .. }) && error.to_string().contains("strings"), "{error}");
}

#[test]
fn numbers_of_every_type_are_amounts() {
    let half = |x: f32| half_of(x);
    assert_eq!(amounts(&frame(Float32Array::from(vec![0.5, f32::NAN, 2.0]))), (vec![0.5, 2.0], 1));
    assert_eq!(amounts(&frame(Float16Array::from(vec![half(0.5), half(2.0)]))), (vec![0.5, 2.0], 0));
    assert_eq!(amounts(&frame(NullArray::new(2))), (vec![], 2));
    let cents =
        Decimal128Array::from(vec![Some(1_005), None, Some(-30)]).with_precision_and_scale(10, 2).unwrap();
    assert_eq!(amounts(&frame(cents)), (vec![10.05, -0.3], 1));
    let cents = Decimal32Array::from(vec![1_005]).with_precision_and_scale(9, 2).unwrap();
    assert_eq!(amounts(&frame(cents)), (vec![10.05], 0));
    let cents = Decimal64Array::from(vec![1_005]).with_precision_and_scale(18, 2).unwrap();
    assert_eq!(amounts(&frame(cents)), (vec![10.05], 0));
    let thousands = Decimal128Array::from(vec![12]).with_precision_and_scale(10, -3).unwrap();
    assert_eq!(amounts(&frame(thousands)), (vec![12_000.0], 0));
    // Digits beyond 2^53 are rounded once, as when the number is read as text.
    let long = Decimal128Array::from(vec![123_456_789_012_345_678_901_234_567i128])
        .with_precision_and_scale(38, 12)
        .unwrap();
    assert_eq!(amounts(&frame(long)), (vec!["123456789012345.678901234567".parse().unwrap()], 0));
    let mut wide = Decimal256Builder::new().with_precision_and_scale(76, 2).unwrap();
    wide.append_value(i256::from_string("1234567890123456789012345678901234567890123").unwrap());
    wide.append_value(i256::from_i128(-250));
    let wide = amounts(&frame(wide.finish()));
    assert_eq!(wide, (vec!["12345678901234567890123456789012345678901.23".parse().unwrap(), -2.5], 0));
}

fn half_of(x: f32) -> <arrow_array::types::Float16Type as arrow_array::ArrowPrimitiveType>::Native {
    // 0.5 and 2.0 in binary16.
    let bits: u16 = if x == 0.5 { 0x3800 } else { 0x4000 };
    <arrow_array::types::Float16Type as arrow_array::ArrowPrimitiveType>::Native::from_bits(bits)
}

#[test]
fn timestamps_of_every_unit_and_zone_are_instants() {
    let zone = |array: PrimitiveArray<TimestampSecondType>| array.with_timezone("America/New_York");
    let expected = (vec![86_400_000_000, -86_400_000_000], 1);
    let day = 86_400;
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(TimestampSecondArray::from(vec![Some(day), None, Some(-day)])),
        Arc::new(zone(TimestampSecondArray::from(vec![Some(day), None, Some(-day)]))),
        Arc::new(TimestampMillisecondArray::from(vec![Some(day * 1000), None, Some(-day * 1000)])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(day * 1_000_000), None, Some(-day * 1_000_000)])),
        Arc::new(TimestampNanosecondArray::from(vec![
            Some(day * 1_000_000_000 + 1),
            None,
            Some(-day * 1_000_000_000),
        ])),
        Arc::new(Date32Array::from(vec![Some(1), None, Some(-1)])),
        Arc::new(Date64Array::from(vec![Some(day * 1000), None, Some(-day * 1000)])),
    ];
    for array in arrays {
        let kind = array.data_type().clone();
        assert_eq!(times(&Columns::new().with("c", Data::from(array))), expected, "{kind}");
    }
    // What would wrap around, or lies beyond the year 9999, is invalid.
    let big = |v| (times(&v).0.len(), times(&v).1);
    assert_eq!(big(frame(PrimitiveArray::<TimestampSecondType>::from(vec![i64::MAX, 0]))), (1, 1));
    assert_eq!(big(frame(PrimitiveArray::<TimestampMillisecondType>::from(vec![i64::MIN, 0]))), (1, 1));
    assert_eq!(big(frame(PrimitiveArray::<TimestampMicrosecondType>::from(vec![i64::MAX, 0]))), (1, 1));
    assert_eq!(big(frame(PrimitiveArray::<TimestampNanosecondType>::from(vec![i64::MAX, 0]))), (2, 0));
    assert_eq!(big(frame(PrimitiveArray::<Date32Type>::from(vec![i32::MAX, 0]))), (1, 1));
    assert_eq!(big(frame(PrimitiveArray::<Date64Type>::from(vec![i64::MIN, 0]))), (1, 1));
    assert_eq!(times(&frame(StringArray::from(vec!["1970-01-02", "never"]))), (vec![86_400_000_000], 1));
}

#[test]
fn numeric_columns_are_not_copied() {
    let values = Float64Array::from(vec![1.0, 2.0, 3.0]);
    let stamps = TimestampMicrosecondArray::from(vec![1, 2, 3]);
    let (at, then) = (values.values().as_ptr(), stamps.values().as_ptr());
    let batch = RecordBatch::try_from_iter([
        ("v", Arc::new(values) as ArrayRef),
        ("t", Arc::new(stamps) as ArrayRef),
    ]);
    let frame = Columns::from_batches([batch.unwrap()]).unwrap();
    let run = Run::new();
    let mut intake = Intake::new(&frame, OnInvalid::Error, &run);
    let values = intake.amounts("v", Sign::Any).unwrap();
    let times = intake.times("t").unwrap();
    let kept = intake.finish().unwrap();
    assert!(matches!(kept.values(values), Cow::Borrowed(v) if v.as_ptr() == at));
    assert!(matches!(kept.values(times), Cow::Borrowed(v) if v.as_ptr() == then));
}

#[test]
fn flags_are_booleans_or_numbers() {
    let run = Run::new();
    for array in [
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])) as ArrayRef,
        Arc::new(UInt8Array::from(vec![Some(1), Some(2), Some(0)])),
        Arc::new(Float32Array::from(vec![1.0, f32::NAN, 0.0])),
    ] {
        let frame = Columns::new().with("c", Data::from(array));
        let mut intake = Intake::new(&frame, OnInvalid::Drop, &run);
        let flags = intake.flags("c").unwrap();
        let kept = intake.finish().unwrap();
        assert_eq!((&*kept.values(flags), kept.dropped().rows), (&[true, false][..], 1));
    }
}

#[test]
fn a_table_goes_out_and_comes_back() {
    let names =
        Names { codes: vec![0, NULL, 1, 0], labels: Arc::new(Labels::Text(Text::from_iter(["x", "y"]))) };
    let ids = Names { codes: vec![0, 1, NULL, 0], labels: Arc::new(Labels::Int(vec![i64::MIN, 7])) };
    let numbers = vec![1.0, -0.0, 5e-324, f64::MAX];
    let address = numbers.as_ptr();
    let table = Table::new()
        .with("number", Values::F64(numbers))
        .with_optional("gap", [Some(1.5), None, Some(2.5), None])
        .with("int", Values::I64(vec![1, 2, 3, i64::MIN]))
        .with("flag", Values::Bool(vec![true, false, true, true]))
        .with("time", Values::Time(vec![0, 1, 2, -3]))
        .push(
            "text",
            Values::Text(["a", "", "ü", "d"].into_iter().collect()),
            Some(vec![true, true, true, false]),
        )
        .with("name", Values::Names(names.clone()))
        .with("id", Values::Names(ids.clone()));
    assert_eq!(table.to_batch().unwrap(), table.clone().into_batch().unwrap());
    let batch = table.clone().into_batch().unwrap();
    assert_eq!(batch.num_rows(), 4);
    let moved = table.clone().into_batch().unwrap();
    assert_eq!(moved.schema(), batch.schema());
    assert_eq!(batch["gap"].null_count(), 2);
    assert_eq!(batch["text"].as_string::<i32>().value(2), "ü");
    assert!(batch["text"].is_null(3));
    assert_eq!(
        *batch["name"].data_type(),
        DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
    );
    let back = Columns::from_batches([batch]).unwrap();
    let run = Run::new();
    let mut intake = Intake::new(&back, OnInvalid::Drop, &run);
    assert_eq!(intake.optional_names("name").unwrap(), names);
    assert_eq!(intake.optional_names("id").unwrap(), ids);
    assert_eq!(*intake.times("time").unwrap(), [0, 1, 2, -3]);
    assert_eq!(*intake.flags("flag").unwrap(), [true, false, true, true]);
    assert_eq!(*intake.optional_amounts("gap", Sign::Any).unwrap(), [1.5, 0.0, 2.5, 0.0]);
    let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let read = intake.amounts("number", Sign::Any).unwrap();
    assert_eq!(bits(&read), bits(table.f64s("number").unwrap()));
    let taken = table.into_batch().unwrap();
    assert_eq!(taken["number"].as_primitive::<arrow_array::types::Float64Type>().values().as_ptr(), address);
    let empty = Table::new().into_batch().unwrap();
    assert_eq!((empty.num_rows(), empty.num_columns()), (0, 0));
}

#[test]
fn batches_must_have_the_same_columns_once() {
    let batch = |name: &str| {
        RecordBatch::try_from_iter([(name, Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap()
    };
    let mut builder = ColumnsBuilder::new();
    builder.push(batch("a")).unwrap();
    builder.push(batch("a")).unwrap();
    assert_eq!(builder.rows(), 2);
    assert!(matches!(builder.push(batch("b")), Err(Error::Column { .. })));
    let array: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let twice = RecordBatch::try_from_iter([("a", Arc::clone(&array)), ("a", array)]).unwrap();
    assert!(Columns::from_batches([twice]).unwrap_err().to_string().contains("twice"));
    let odd: ArrayRef = Arc::new(arrow_array::BinaryArray::from(vec![b"x".as_slice()]));
    let error = names(&Columns::new().with("c", Data::from(odd))).unwrap_err();
    assert!(error.to_string().contains("Binary"), "{error}");
}
