//! Columns in: names, times, amounts, flags, and what is dropped.
#![allow(missing_docs)]

use headwater::column::{Columns, Data, Intake, Names, OnInvalid, Sign, intern, names_together};
use headwater::{Error, Run};

#[test]
fn a_frame_is_read_in_its_roles() {
    let frame = Columns::new()
        .with("customer", vec![Some("b"), None, Some("a"), Some("b"), Some("")])
        .with("time", vec!["2024-01-01", "2024-01-01", "x", "2024-01-02 00:00:01+01:00", "19970101"])
        .with("value", vec![1.0, -1.0, f64::NAN, 2.0, 3.0])
        .with("flag", vec![1, 0, 1, 0, 7]);
    let run = Run::new();
    let mut intake = Intake::new(&frame, OnInvalid::Drop, &run);
    let customer = intake.names("customer").unwrap();
    let time = intake.times("time").unwrap();
    let value = intake.amounts("value", Sign::NonNegative).unwrap();
    let flag = intake.flags("flag").unwrap();
    let kept = intake.finish().unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept.row(1), 3);
    assert_eq!(kept.names(customer).codes, [0, 0]);
    assert_eq!(*kept.values(time), [1_704_067_200_000_000, 1_704_150_001_000_000]);
    assert_eq!(*kept.values(value), [1.0, 2.0]);
    assert_eq!(*kept.values(flag), [true, false]);
    assert_eq!(kept.dropped().rows, 3);
    let reasons: Vec<_> = kept
        .dropped()
        .reasons
        .iter()
        .map(|r| (r.column.as_str(), r.reason.as_str(), r.count, r.first_row))
        .collect();
    assert_eq!(
        reasons,
        [
            ("customer", "missing", 1, 1),
            ("customer", "empty", 1, 4),
            ("time", "not a time", 1, 2),
            ("value", "negative", 1, 1),
            ("value", "missing", 1, 2),
            ("flag", "neither 0 nor 1", 1, 4),
        ]
    );
}

#[test]
fn two_frames_share_one_label_table() {
    let touches = Columns::new().with("customer", vec!["b", "a"]);
    let orders = Columns::new().with("who", vec![Some("c"), Some("a"), None]);
    let run = Run::new();
    let mut left = Intake::new(&touches, OnInvalid::Error, &run);
    let mut right = Intake::new(&orders, OnInvalid::Error, &run);
    let [a, b] = names_together([(&mut left, "customer"), (&mut right, "who")]).unwrap();
    assert_eq!((a.codes, b.codes), (vec![0, 1], vec![2, 1, u32::MAX]));
    assert!(left.finish().is_ok());
    let error = right.finish().unwrap_err();
    assert!(matches!(error, Error::Row { row: 2, count: 1, .. }), "{error}");
}

#[test]
fn many_strings_have_the_same_codes_for_any_number_of_threads() {
    let strings: Vec<String> =
        (0u64..300_000).map(|i| format!("id-{}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 170_000)).collect();
    let oracle: Names = strings.iter().collect();
    for threads in [1, 2, 7] {
        let names = intern(&[&strings], &Run::new().threads(threads)).unwrap();
        assert_eq!(names[0], oracle);
    }
    let frame = Columns::new().with("id", Data::from(oracle.clone()));
    let run = Run::new();
    assert_eq!(Intake::new(&frame, OnInvalid::Error, &run).names("id").unwrap(), oracle);
}
