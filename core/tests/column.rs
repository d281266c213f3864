//! Columns in: names, times, amounts, flags, and what is dropped.
#![allow(missing_docs)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use headwater::column::{
    Columns, Data, Intake, Kind, Labels, NULL, Names, OnInvalid, Sign, Table, Text, Values, intern,
    intern_ints, names_together,
};
use headwater::{Error, Run};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

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

fn oracle<'a>(columns: &[Vec<Option<&'a str>>]) -> (Vec<Vec<u32>>, Vec<&'a str>) {
    let mut seen = HashMap::new();
    let mut labels = Vec::new();
    let codes = columns
        .iter()
        .map(|column| {
            let code = |name: Option<&'a str>| match name {
                None | Some("") => NULL,
                Some(name) => *seen.entry(name).or_insert_with(|| {
                    labels.push(name);
                    labels.len() as u32 - 1
                }),
            };
            column.iter().copied().map(code).collect()
        })
        .collect();
    (codes, labels)
}

/// A column in pieces of these sizes, plain or as a dictionary with unused and repeated labels.
fn pieces(names: &[Option<&str>], sizes: &[(usize, bool)]) -> Data {
    let mut data = Data::default();
    let mut rest = names;
    for (size, coded) in sizes.iter().copied().chain([(usize::MAX, false)]) {
        let (here, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        if !coded {
            data.append(here.to_vec().into());
            continue;
        }
        let mut labels: Text = ["unused", "", "a"].into_iter().collect();
        let codes = here.iter().map(|name| {
            name.map_or(NULL, |name| {
                labels.push(name);
                labels.len() as u32 - 1
            })
        });
        let codes = codes.collect();
        data.append(Names { codes, labels: Arc::new(Labels::Text(labels)) }.into());
    }
    data
}

fn labels_of(names: &Names) -> Vec<String> {
    (0..names.labels.len() as u32).map(|code| names.labels.get(code).into_owned()).collect()
}

proptest! {
    #[test]
    fn names_are_those_of_a_hash_map_in_any_layout_and_number_of_threads(
        left in vec(option::of("[a-c]{0,2}"), 0..60),
        right in vec(option::of("[a-d]{0,3}"), 0..60),
        sizes in vec((0usize..20, any::<bool>()), 0..5),
        threads in 1usize..4,
    ) {
        let columns = [&left, &right].map(|c| c.iter().map(|n| n.as_deref()).collect::<Vec<_>>());
        let (codes, labels) = oracle(&columns);
        let frames = columns.each_ref().map(|c| Columns::new().with("name", pieces(c, &sizes)));
        let run = Run::new().threads(threads);
        let mut a = Intake::new(&frames[0], OnInvalid::Drop, &run);
        let mut b = Intake::new(&frames[1], OnInvalid::Drop, &run);
        let found = names_together([(&mut a, "name"), (&mut b, "name")]).unwrap();
        for (found, expected) in found.iter().zip(&codes) {
            prop_assert_eq!(&found.codes, expected);
            prop_assert_eq!(&labels_of(found), &labels);
        }
        let [left, right] = found;
        for (intake, names) in [(a, left), (b, right)] {
            let rows = names.len();
            let kept = intake.finish().unwrap();
            prop_assert_eq!(kept.len() + kept.dropped().rows as usize, rows);
            let originals: Vec<u32> = (0..kept.len()).map(|i| names.codes[kept.row(i)]).collect();
            let names = kept.names(names);
            prop_assert!(!names.codes.contains(&NULL));
            prop_assert_eq!(names.codes, originals);
        }
    }

    #[test]
    fn integer_names_are_those_of_a_hash_map(
        values in vec(option::of(prop_oneof![-3i64..20, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]), 0..50),
        wide in any::<bool>(),
    ) {
        let values: Vec<Option<i64>> = values.into_iter().map(|v| if wide { v } else { v.map(|v| v % 50) }).collect();
        let text: Vec<Option<String>> = values.iter().map(|v| v.map(|v| v.to_string())).collect();
        let (codes, labels) = oracle(&[text.iter().map(|n| n.as_deref()).collect()]);
        let frame = Columns::new().with("id", values.clone());
        let run = Run::new();
        let names = Intake::new(&frame, OnInvalid::Error, &run).optional_names("id").unwrap();
        prop_assert_eq!(&names.codes, &codes[0]);
        prop_assert_eq!(labels_of(&names), labels);
        prop_assert!(matches!(*names.labels, Labels::Int(_)));
    }

    #[test]
    fn amounts_keep_their_bits_and_the_rest_is_counted(values in vec(any::<f64>(), 0..40), split in 0usize..40) {
        let (a, b) = values.split_at(split.min(values.len()));
        let mut data = Data::from(a.to_vec());
        data.append(b.to_vec().into());
        for data in [data, values.clone().into()] {
            let frame = Columns::new().with("v", data);
            let run = Run::new();
            let mut intake = Intake::new(&frame, OnInvalid::Drop, &run);
            let read = intake.amounts("v", Sign::NonNegative).unwrap();
            let kept = intake.finish().unwrap();
            let good: Vec<u64> =
                values.iter().filter(|v| v.is_finite() && **v >= 0.0).map(|v| v.to_bits()).collect();
            let found: Vec<u64> = kept.values(read).iter().map(|v| v.to_bits()).collect();
            prop_assert_eq!(&found, &good);
            prop_assert_eq!(kept.dropped().rows as usize, values.len() - good.len());
            let counted: u64 = kept.dropped().reasons.iter().map(|r| r.count).sum();
            prop_assert_eq!(counted, kept.dropped().rows);
        }
    }
}

#[test]
fn a_million_rows_are_the_same_bits_on_any_number_of_threads() {
    let mut rng = Run::new().rng(1);
    let random: Vec<String> = (0..1_000_000).map(|_| format!("{:x}", rng.next_u32() % 600_000)).collect();
    // Few names first, then many: the chunks change their way of working.
    let sorted: Vec<String> =
        (0..400_000u32).map(|i| (i / 3000 * (i / 200_000 * 7 + 1)).to_string()).collect();
    for strings in [random, sorted, vec!["same".to_owned(); 1_000_000]] {
        let expected: Names = strings.iter().collect();
        for threads in [1, 2, 7] {
            let names = intern(&[&strings], &Run::new().threads(threads)).unwrap();
            assert_eq!(names[0], expected);
        }
        let text: Text = strings.iter().collect();
        let mut data = Data::default();
        for start in (0..text.len()).step_by(33_333) {
            let end = text.len().min(start + 33_333);
            data.append(strings[start..end].to_vec().into());
        }
        let (whole, parts) = (Columns::new().with("id", text), Columns::new().with("id", data));
        for frame in [whole, parts] {
            let run = Run::new().threads(2);
            assert_eq!(Intake::new(&frame, OnInvalid::Error, &run).names("id").unwrap(), expected);
        }
    }
}

#[test]
fn wide_integers_are_coded_like_strings() {
    let mut rng = Run::new().rng(2);
    let ints: Vec<i64> = (0..300_000).map(|_| (rng.next_u64() % 50_000) as i64 * 1_000_003_000_017).collect();
    let expected: Names = ints.iter().map(ToString::to_string).collect();
    for threads in [1, 3] {
        let names = intern_ints(&[&ints], &Run::new().threads(threads)).unwrap();
        assert_eq!(names[0].codes, expected.codes);
        assert_eq!(labels_of(&names[0]), labels_of(&expected));
    }
}

#[test]
fn nothing_and_one_row() {
    let run = Run::new();
    let empty = Columns::new().with("n", Vec::<&str>::new()).with("t", Data::times(vec![]));
    let mut intake = Intake::new(&empty, OnInvalid::Error, &run);
    assert!(intake.names("n").unwrap().is_empty());
    assert!(intake.times("t").unwrap().is_empty());
    assert!(intake.finish().unwrap().is_empty());
    let one = Columns::new().with("n", vec!["x"]).with("nothing", Data::nulls(1));
    let mut intake = Intake::new(&one, OnInvalid::Error, &run);
    assert_eq!(intake.names("n").unwrap().codes, [0]);
    assert_eq!(intake.optional_names("nothing").unwrap().codes, [NULL]);
    assert_eq!(*intake.optional_amounts("nothing", Sign::Any).unwrap(), [0.0]);
    assert!(intake.names("nothing").is_ok());
    assert!(matches!(intake.finish(), Err(Error::Row { row: 0, .. })));
}

#[test]
fn columns_that_need_nothing_are_borrowed() {
    let run = Run::new();
    let frame = Columns::new()
        .with("v", vec![1.0, 2.0])
        .with("t", Data::times(vec![1, 2]))
        .with("f", vec![true, false]);
    let mut intake = Intake::new(&frame, OnInvalid::Error, &run);
    assert!(matches!(intake.amounts("v", Sign::NonNegative).unwrap(), Cow::Borrowed(_)));
    assert!(matches!(intake.times("t").unwrap(), Cow::Borrowed(_)));
    let flags = intake.flags("f").unwrap();
    let kept = intake.finish().unwrap();
    assert!(matches!(kept.values(flags), Cow::Borrowed(_)));
}

#[test]
fn messages_say_what_is_wrong_and_what_to_do() {
    let run = Run::new();
    let frame = Columns::new()
        .with("who", vec!["a", "b"])
        .with("when", vec!["2024-01-01", "01/02/2024"])
        .with("value", vec![1.0, -2.5])
        .with("at", vec![1, 2])
        .with("long", vec![1, 2, 3])
        .with("flag", vec![0, 2]);
    let say = |read: &dyn Fn(&mut Intake<'_>) -> headwater::Result<()>| {
        let mut intake = Intake::new(&frame, OnInvalid::Error, &run);
        read(&mut intake).and_then(|()| intake.finish().map(|_| ())).unwrap_err().to_string()
    };
    let expect = [
        (say(&|i| i.names("customer").map(drop)), "`who`, `when`, `value`, `at`, `long`, `flag`"),
        (say(&|i| i.names("long").map(drop)), "3 rows and `who` has 2"),
        (say(&|i| i.amounts("who", Sign::Any).map(drop)), "convert the column to numbers"),
        (say(&|i| i.amounts("value", Sign::NonNegative).map(drop)), "row 1: the amount -2.5 is negative"),
        (say(&|i| i.times("when").map(drop)), "`01/02/2024` is not a time; write ISO 8601"),
        (say(&|i| i.times("at").map(drop)), "time_unit"),
        (say(&|i| i.times("when").map(drop)), "on_invalid=\"drop\""),
        (say(&|i| i.flags("flag").map(drop)), "the value 2 is neither 0 nor 1"),
        (say(&|i| i.flags("who").map(drop)), "holds text"),
        (
            say(&|i| {
                i.reject("when", "lies before the first order", [1]);
                Ok(())
            }),
            "lies before the first order",
        ),
    ];
    for (message, part) in expect {
        assert!(message.contains(part), "{message}\nlacks: {part}");
    }
    let numbers = Columns::new().with("id", vec![1, 2]);
    let mut a = Intake::new(&frame, OnInvalid::Error, &run);
    let mut b = Intake::new(&numbers, OnInvalid::Error, &run);
    let error = names_together([(&mut a, "who"), (&mut b, "id")]).unwrap_err();
    assert!(error.to_string().contains("convert one of the two"), "{error}");
}

#[test]
fn a_frame_grows_by_frames_of_the_same_columns() {
    let mut frame = Columns::new();
    frame.append(Columns::new().with("a", vec!["x"]).with("b", vec![1])).unwrap();
    frame.append(Columns::new().with("b", vec![2.5]).with("a", vec!["y"])).unwrap();
    assert_eq!(frame.rows(), 2);
    assert_eq!(frame.kind("b"), Some(Kind::Float));
    assert!(frame.append(Columns::new().with("a", vec!["z"])).is_err());
    assert!(frame.append(Columns::new().with("c", vec!["z"])).is_err());
    let run = Run::new();
    let mut intake = Intake::new(&frame, OnInvalid::Error, &run);
    assert_eq!(*intake.amounts("b", Sign::Any).unwrap(), [1.0, 2.5]);
    assert_eq!(intake.names("a").unwrap().codes, [0, 1]);
}

#[test]
fn a_table_goes_in_again_as_it_came_out() {
    let names: Names = ["p", "q", "p"].into_iter().collect();
    let table = Table::new()
        .with("n", Values::Names(names.clone()))
        .push("t", Values::Time(vec![5, 0, 7]), Some(vec![true, false, true]))
        .with_optional("v", [Some(1.5), None, Some(2.5)]);
    let frame = Columns::from(table);
    let run = Run::new();
    let mut intake = Intake::new(&frame, OnInvalid::Drop, &run);
    let (n, t) = (intake.names("n").unwrap(), intake.times("t").unwrap());
    let v = intake.amounts("v", Sign::Any).unwrap();
    assert_eq!(n, names);
    let kept = intake.finish().unwrap();
    assert_eq!(*kept.values(t), [5, 7]);
    assert_eq!(*kept.values(v), [1.5, 2.5]);
    assert_eq!(kept.dropped().rows, 1);
    assert_eq!(kept.dropped().reasons.len(), 2);
}
