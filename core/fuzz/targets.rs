//! What every input must satisfy, whatever its bytes.
//!
//! Run by cargo-fuzz (`cargo +nightly fuzz run columns`) and, on the corpus and
//! mutations of it, by `core/tests/fuzz_replay.rs`.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use headwater::attribution::{DividendOptions, MarkovModel, ShapleyModel};
use headwater::clv::{BetaGeoModel, GammaGammaModel};
use headwater::column::{
    Columns, Data, Intake, Kept, Labels, MAX_TIME, MIN_TIME, NULL, Names, OnInvalid, Sign, Table, Text,
    TimeUnit, Values, names_together, parse_time,
};
use headwater::identity::{IdentityGraph, IdentityRules, Namespace};
use headwater::journey::{ChannelRules, JourneyBuilder, Journeys, Origin, PathCounts, Visit};
use headwater::model::{self, Model};
use headwater::segment::KMeansModel;
use headwater::{Error, Run};

/// Reads bytes as what a target asks for; zeros at the end.
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub fn done(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(count.min(self.0.len()));
        self.0 = tail;
        head
    }

    pub fn word(&mut self) -> u64 {
        let mut word = [0; 8];
        let bytes = self.take(8);
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    }

    fn text(&mut self) -> String {
        let size = self.byte() as usize % 24;
        String::from_utf8_lossy(self.take(size)).into_owned()
    }
}

const UNITS: [Option<TimeUnit>; 7] = [
    None,
    Some(TimeUnit::Second),
    Some(TimeUnit::Millisecond),
    Some(TimeUnit::Microsecond),
    Some(TimeUnit::Nanosecond),
    Some(TimeUnit::Day),
    Some(TimeUnit::Ymd),
];

/// Bytes to a column: lines of text (`t`), integers (`i`), floats (`f`), or a
/// mix of chunks; and the column in every role. What is kept and what is
/// dropped are all rows, and what is kept satisfies the role.
pub fn columns(data: &[u8]) {
    let mut bytes = Bytes(data);
    let kind = bytes.byte();
    let unit = UNITS[bytes.byte() as usize % UNITS.len()];
    let data: Data = match kind {
        b't' => {
            let text = String::from_utf8_lossy(bytes.0);
            for line in text.lines() {
                if let Some(time) = parse_time(line) {
                    assert!((MIN_TIME..=MAX_TIME).contains(&time), "{line}");
                }
            }
            text.lines().map(str::to_owned).collect::<Vec<String>>().into()
        }
        b'i' => words(&mut bytes).into_iter().map(|w| w as i64).collect::<Vec<i64>>().into(),
        b'f' => words(&mut bytes).into_iter().map(f64::from_bits).collect::<Vec<f64>>().into(),
        _ => mixed(&mut bytes),
    };
    roles(&Columns::new().with("c", data), unit);
}

fn words(bytes: &mut Bytes<'_>) -> Vec<u64> {
    let mut out = Vec::new();
    while !bytes.done() {
        out.push(bytes.word());
    }
    out
}

fn mixed(bytes: &mut Bytes<'_>) -> Data {
    let mut data = Data::default();
    let base = bytes.byte();
    while !bytes.done() {
        let rows = bytes.byte() as usize % 9;
        // Mostly chunks of one kind: others are refused soon.
        let kind = if bytes.byte() < 230 { base } else { bytes.byte() };
        data.append(match kind % 6 {
            0 => (0..rows).map(|_| bytes.text()).collect::<Vec<String>>().into(),
            1 => {
                let labels: Text = (0..bytes.byte() % 5).map(|_| bytes.text()).collect();
                coded(bytes, rows, Labels::Text(labels)).into()
            }
            2 => {
                let labels = (0..bytes.byte() % 5).map(|_| bytes.word() as i64).collect();
                coded(bytes, rows, Labels::Int(labels)).into()
            }
            3 => Data::times((0..rows).map(|_| bytes.word() as i64).collect()),
            4 => (0..rows).map(|_| Some(bytes.byte() & 1 == 1)).collect::<Vec<Option<bool>>>().into(),
            _ => Data::nulls(rows),
        });
        if bytes.byte().is_multiple_of(4) {
            let mask = bytes.word();
            let size = data.len().saturating_sub(rows);
            let mask: Vec<bool> = (0..data.len()).map(|r| r < size || mask >> (r % 64) & 1 == 1).collect();
            data = data.with_valid(&mask);
        }
    }
    data
}

/// Codes that may lie beyond their labels, which may repeat.
fn coded(bytes: &mut Bytes<'_>, rows: usize, labels: Labels) -> Names {
    let codes = (0..rows).map(|_| match bytes.byte() {
        255 => NULL,
        code => u32::from(code % 8),
    });
    Names { codes: codes.collect(), labels: Arc::new(labels) }
}

/// What is to hold of the rows that were kept.
type Check = Box<dyn FnOnce(&Kept)>;

fn roles(frame: &Columns, unit: Option<TimeUnit>) {
    let run = Run::new().threads(1);
    let rows = frame.rows();
    let both = |read: &dyn Fn(&mut Intake<'_>) -> headwater::Result<Check>| {
        let mut dropping = Intake::new(frame, OnInvalid::Drop, &run);
        let mut strict = Intake::new(frame, OnInvalid::Error, &run);
        dropping.int_unit(unit);
        strict.int_unit(unit);
        match (read(&mut dropping), read(&mut strict)) {
            (Err(a), Err(b)) => {
                assert!(matches!(a, Error::Column { .. }), "{a}");
                assert_eq!(a.to_string(), b.to_string());
            }
            (Ok(check), Ok(_)) => {
                let kept = dropping.finish().unwrap();
                let dropped = kept.dropped();
                assert_eq!(kept.len() + dropped.rows as usize, rows);
                assert_eq!(dropped.rows == 0, dropped.reasons.is_empty());
                assert_eq!(dropped.reasons.iter().map(|r| r.count).sum::<u64>(), dropped.rows);
                check(&kept);
                match strict.finish() {
                    Ok(_) => assert_eq!(dropped.rows, 0),
                    Err(Error::Row { row, count, .. }) => {
                        assert_eq!((row, count), (dropped.reasons[0].first_row, dropped.reasons[0].count));
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            (a, b) => panic!("the policies disagree: {:?} {:?}", a.err(), b.err()),
        }
    };
    both(&|intake| {
        let names = intake.names("c")?;
        sound(&names, rows);
        Ok(Box::new(|kept| {
            let names = kept.names(names);
            assert_eq!(names.len(), kept.len());
            assert!(!names.codes.contains(&NULL));
            again(&names);
        }))
    });
    both(&|intake| {
        let names = intake.optional_names("c")?;
        sound(&names, rows);
        Ok(Box::new(|kept| assert_eq!(kept.dropped().rows, 0)))
    });
    both(&|intake| {
        let times = intake.times("c")?.into_owned();
        Ok(Box::new(|kept| {
            let times = kept.values(times.into());
            assert_eq!(times.len(), kept.len());
            assert!(times.iter().all(|t| (MIN_TIME..=MAX_TIME).contains(t)));
        }))
    });
    for sign in [Sign::Any, Sign::NonNegative] {
        both(&|intake| {
            let amounts = intake.amounts("c", sign)?.into_owned();
            Ok(Box::new(move |kept| {
                let amounts = kept.values(amounts.into());
                assert!(amounts.iter().all(|a| a.is_finite() && (sign == Sign::Any || *a >= 0.0)));
            }))
        });
        both(&|intake| {
            let amounts = intake.optional_amounts("c", sign)?.into_owned();
            Ok(Box::new(move |kept| {
                assert!(kept.values(amounts.into()).iter().all(|a| a.is_finite()));
            }))
        });
    }
    both(&|intake| {
        let flags = intake.flags("c")?.into_owned();
        Ok(Box::new(|kept| assert_eq!(kept.values(flags.into()).len(), kept.len())))
    });
}

/// Codes are dense, labels distinct, and both in first-seen order.
fn sound(names: &Names, rows: usize) {
    assert_eq!(names.len(), rows);
    let mut next = 0;
    for code in names.codes.iter().filter(|c| **c != NULL) {
        assert!(*code <= next);
        next = next.max(code + 1);
    }
    assert_eq!(next as usize, names.labels.len());
    let labels: HashSet<String> = (0..next).map(|c| names.labels.get(c).into_owned()).collect();
    assert_eq!(labels.len(), next as usize);
    assert!(!labels.contains(""));
}

/// Names that came out go in again as they are, and two frames of them agree.
fn again(names: &Names) {
    let run = Run::new().threads(1);
    let table = Table::new().with("c", Values::Names(names.clone()));
    #[cfg(feature = "arrow")]
    let frame = Columns::from_batches([table.to_batch().unwrap()]).unwrap();
    #[cfg(not(feature = "arrow"))]
    let frame = Columns::from(table.clone());
    let other = Columns::from(table);
    let mut a = Intake::new(&frame, OnInvalid::Error, &run);
    let mut b = Intake::new(&other, OnInvalid::Error, &run);
    let [left, right] = names_together([(&mut a, "c"), (&mut b, "c")]).unwrap();
    assert_eq!(left, right);
    sound(&left, names.len());
    for row in 0..names.len() {
        assert_eq!(left.get(row), names.get(row));
    }
}

/// Every kind of model; a seed's first byte picks one, modulo their number.
pub const KINDS: [&str; 8] = [
    IdentityGraph::KIND,
    PathCounts::KIND,
    MarkovModel::KIND,
    BetaGeoModel::KIND,
    GammaGammaModel::KIND,
    KMeansModel::KIND,
    ShapleyModel::KIND,
    JourneyBuilder::KIND,
];

/// Bytes as a model file; or, after a byte that is not `{`, as the inside of
/// one of that kind, with a good checksum. What loads saves again to bytes
/// that load and save to themselves.
pub fn model_file(data: &[u8]) {
    let _ = model::kind(data);
    if data.first() == Some(&b'{') {
        for kind in 0..KINDS.len() {
            load(kind, data);
        }
    } else if let Some((kind, inside)) = data.split_first()
        && let Ok(inside) = std::str::from_utf8(inside)
        && serde_json::from_str::<&serde_json::value::RawValue>(inside).is_ok()
    {
        let kind = usize::from(*kind) % KINDS.len();
        let inside = inside.trim_matches([' ', '\t', '\r', '\n']);
        let sum = crc32(inside.as_bytes());
        let file = format!(
            r#"{{"headwater":{{"format":1,"version":"0","kind":"{}","crc32":"{sum:08x}"}},"model":{inside}}}"#,
            KINDS[kind]
        );
        load(kind, file.as_bytes());
    }
}

fn load(kind: usize, data: &[u8]) {
    match kind {
        0 => {
            if let Some(mut graph) = resaves::<IdentityGraph>(data) {
                consistent(&graph);
                let _ = graph.observe(&[("email", "a@x.org"), ("cookie", "1")], Some(7), Some("web"));
                consistent(&graph);
            }
        }
        1 => {
            if let Some(counts) = resaves::<PathCounts>(data) {
                let journeys = Journeys::from_counts(&counts);
                let _ = (journeys.total_conversions(), journeys.total_value());
            }
        }
        2 => {
            if let Some(model) = resaves::<MarkovModel>(data) {
                let (_, credit) = (model.transitions(), model.credit(&["a", "b"]));
                assert!(credit.iter().all(|c| c.is_finite()));
                let _ = model.states(&Run::new().threads(1));
            }
        }
        3 => {
            if let Some(model) = resaves::<BetaGeoModel>(data) {
                let _ = (model.expected_purchases(2.0, 3.0, 9.0, 4.0), model.expected_purchases_new(1.0));
            }
        }
        4 => {
            if let Some(model) = resaves::<GammaGammaModel>(data) {
                let _ = (model.mean_spend(), model.expected_spend(2.0, 3.0));
            }
        }
        5 => {
            if let Some(model) = resaves::<KMeansModel>(data) {
                let _ = model.predict_rows(&[0.5, -1.5], &Run::new().threads(1));
            }
        }
        6 => {
            if let Some(model) = resaves::<ShapleyModel>(data)
                && model.channels().len() <= 12
            {
                let run = Run::new().threads(1);
                let _ = (model.dividends(DividendOptions::default(), &run), model.synergies(&run));
            }
        }
        _ => {
            if let Some(mut builder) = resaves::<JourneyBuilder>(data) {
                let before = model::to_bytes(&builder).unwrap();
                let touch = Columns::new()
                    .with("customer", vec!["a"])
                    .with("time", vec!["2024-01-01"])
                    .with("channel", vec!["b"]);
                if builder.extend(&touch, None, &Run::new().threads(1)).is_err() {
                    assert_eq!(model::to_bytes(&builder).unwrap(), before);
                }
                let _ = builder.journeys().total_conversions();
            }
        }
    }
}

fn resaves<M: Model>(data: &[u8]) -> Option<M> {
    let loaded: M = model::from_bytes(data).ok()?;
    let saved = model::to_bytes(&loaded).expect("what was loaded can be saved");
    let back: M = model::from_bytes(&saved).expect("what was saved can be loaded");
    assert_eq!(model::to_bytes(&back).unwrap(), saved);
    Some(loaded)
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 })
    })
}

const NAMESPACES: [&str; 5] = ["user_id", "email", "phone", "device", "cookie"];

/// Bytes as observations, with forgetting, unlinking and saving in between.
/// The members of the customers partition the identifiers, and every
/// identifier resolves to the customer that lists it.
pub fn observe(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mode = bytes.byte();
    let mut rules = IdentityRules::new([
        Namespace::new("user_id").limit(1),
        Namespace::new("email").limit(2),
        Namespace::new("device"),
    ]);
    if mode & 1 == 1 {
        rules.max_identifiers = Some(4);
    }
    if mode & 2 == 2 {
        rules = IdentityRules::default();
    }
    let mut graph = IdentityGraph::new(&rules).unwrap();
    while !bytes.done() {
        let op = bytes.byte();
        let mut identifier = || {
            let namespace = NAMESPACES[bytes.byte() as usize % NAMESPACES.len()];
            let value = match bytes.byte() {
                size @ 250.. => String::from_utf8_lossy(bytes.take(size as usize - 249)).into_owned(),
                value if namespace == "email" => format!("u{}@x.org", value % 12),
                value => format!("v{}", value % 12),
            };
            (namespace, value)
        };
        match op {
            0..=239 => {
                let ids: Vec<(&str, String)> = (0..op % 5).map(|_| identifier()).collect();
                let ids: Vec<(&str, &str)> = ids.iter().map(|(n, v)| (*n, v.as_str())).collect();
                let time = if op & 16 == 0 { None } else { Some(bytes.word() as i64 >> (op >> 3)) };
                let source = ["web", "app", ""][op as usize % 3];
                let before = graph.n_customers();
                let Ok(seen) = graph.observe(&ids, time, Some(source)) else {
                    assert_eq!(graph.n_customers(), before);
                    continue;
                };
                if let Some(customer) = &seen.customer {
                    assert_eq!(graph.current(customer).as_ref(), Some(customer));
                    for old in &seen.merged {
                        assert_eq!(graph.current(old).as_ref(), Some(customer));
                    }
                }
            }
            240..=247 => {
                let (namespace, value) = identifier();
                let known = graph.resolve(namespace, &value);
                assert_eq!(graph.forget(namespace, &value).map(|c| c.customer), known);
                assert_eq!(graph.resolve(namespace, &value), None);
            }
            248..=252 => {
                let (a, b) = (identifier(), identifier());
                graph.unlink((a.0, &a.1), (b.0, &b.1));
            }
            _ => {
                let saved = model::to_bytes(&graph).unwrap();
                graph = model::from_bytes(&saved).unwrap();
                assert_eq!(model::to_bytes(&graph).unwrap(), saved);
            }
        }
    }
    consistent(&graph);
}

fn consistent(graph: &IdentityGraph) {
    let table = graph.customers();
    assert_eq!(table.rows(), graph.len());
    let mut customers: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for row in 0..table.rows() {
        let cell = |name| table.text(name, row).unwrap().into_owned();
        let identifier = (cell("namespace"), cell("identifier"));
        let customer = cell("customer");
        assert_eq!(graph.resolve(&identifier.0, &identifier.1).as_ref(), Some(&customer), "{identifier:?}");
        assert!(customers.entry(customer).or_default().insert(identifier), "listed twice");
    }
    assert_eq!(customers.len(), graph.n_customers());
    for (customer, identifiers) in &customers {
        let members = graph.members(customer);
        let members: Vec<_> = members.into_iter().map(|m| (m.namespace, m.value)).collect();
        assert_eq!(members.len(), identifiers.len());
        assert_eq!(&members.iter().cloned().collect::<BTreeSet<_>>(), identifiers);
        for pair in members.windows(2) {
            let why = graph.explain((&pair[0].0, &pair[0].1), (&pair[1].0, &pair[1].1));
            assert!(why.is_some_and(|chain| !chain.is_empty()), "{pair:?}");
        }
    }
}

/// Bytes to rules and a visit: whatever they are, the visit is classified, its
/// channel is one of the rules', rules survive JSON, and a visit that does not
/// go on has all its words.
pub fn classify(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (page, referrer, tag, rest) = (line(), line(), line(), line());
    let rules = serde_json::from_str::<ChannelRules>(rest).unwrap_or_default();
    let back: ChannelRules = serde_json::from_str(&serde_json::to_string(&rules).unwrap()).unwrap();
    assert_eq!(back, rules);
    resaves::<ChannelRules>(&model::to_bytes(&rules).unwrap()).unwrap();
    let addresses = Visit::page(page).referrer(referrer);
    let tagged = Visit { source: Some(tag.into()), click_id: Some(referrer.into()), ..Visit::page(page) };
    for visit in [addresses, tagged] {
        let found = rules.classify(&visit);
        let words = [&found.source, &found.medium, &found.campaign, &found.channel];
        let goes_on = found.origin == Origin::Internal && found.channel.is_none();
        assert!(words.iter().all(|word| word.is_none() == goes_on), "{found:?}");
        assert!(words.iter().all(|word| word.as_deref() != Some("")), "{found:?}");
        if let Some(channel) = &found.channel {
            assert!(rules.channels().contains(&&**channel), "{channel}");
        }
        assert_eq!(back.classify(&visit), found);
        assert!(!found.bad_landing_page || !page.trim().is_empty());
    }
}
