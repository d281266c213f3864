//! The fuzz targets on stable: the corpus, and a few thousand mutations of it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::panic)] // in helpers of tests as in tests

#[path = "../fuzz/targets.rs"]
mod targets;

use std::path::PathBuf;

use headwater::Run;
use rand::Rng as _;

/// Mutations of each corpus; `HEADWATER_FUZZ=1000000` makes a night of it.
fn mutations() -> usize {
    std::env::var("HEADWATER_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Changes a file a little, as a fuzzer does.
fn mutated(files: &[Vec<u8>], rng: &mut rand_pcg::Pcg64) -> Vec<u8> {
    let mut at = |size: usize| (rng.next_u64() % size.max(1) as u64) as usize;
    let mut data = files[at(files.len())].clone();
    for _ in 0..=at(4) {
        let (from, size) = (at(data.len()), at(9));
        let to = data.len().min(from + size);
        match at(6) {
            0 if !data.is_empty() => data[from] ^= 1 << at(8),
            1 if !data.is_empty() => data[from] = [0, 1, b'0', b'-', b'"', 0x7f, 0x80, 0xff][at(8)],
            2 => drop(data.drain(from..to)),
            3 => {
                let piece = data[from..to].to_vec();
                let place = at(data.len() + 1);
                data.splice(place..place, piece);
            }
            4 => {
                let other = &files[at(files.len())];
                let start = at(other.len());
                data.truncate(from);
                data.extend_from_slice(&other[start..]);
            }
            _ => data.insert(from.min(data.len()), at(256) as u8),
        }
    }
    data
}

fn replay(name: &str, target: fn(&[u8])) {
    let files = corpus(name);
    let run = |data: &[u8]| {
        let held = std::panic::catch_unwind(|| target(data)).is_ok();
        assert!(held, "{name} failed on {data:?}\n{:?}", String::from_utf8_lossy(data));
    };
    run(b"");
    for file in &files {
        run(file);
    }
    let mut rng = Run::new().rng(11);
    for _ in 0..mutations() {
        run(&mutated(&files, &mut rng));
    }
}

#[test]
fn columns_hold() {
    replay("columns", targets::columns);
}

#[test]
fn model_files_hold() {
    replay("model_file", targets::model_file);
}

#[test]
fn observations_hold() {
    replay("observe", targets::observe);
}

#[test]
fn classifications_hold() {
    replay("classify", targets::classify);
}

/// With `HEADWATER_BLESS=1`, writes the seeds of `model_file`: whole files,
/// and for each kind the inside alone after its number.
#[test]
fn seeds_of_model_files() {
    use headwater::attribution::{Markov, Shapley};
    use headwater::clv::{BetaGeoModel, GammaGammaModel};
    use headwater::column::Columns;
    use headwater::identity::{IdentityGraph, IdentityRules, Namespace};
    use headwater::journey::{EventOptions, JourneyBuilder, Journeys, PathCounts, PathOptions};
    use headwater::model::to_bytes;
    use headwater::segment::KMeans;

    let mut graph = IdentityGraph::new(&IdentityRules::new([
        Namespace::new("user_id").limit(1),
        Namespace::new("cookie"),
    ]))
    .unwrap();
    graph.observe(&[("cookie", "7f3"), ("user_id", "u1")], Some(1_000_000), Some("web")).unwrap();
    graph.observe(&[("cookie", "7f3"), ("user_id", "u2")], None, None).unwrap();
    graph.unlink(("cookie", "7f3"), ("user_id", "u1"));
    let run = Run::new();
    let frame = Columns::new()
        .with("path", vec!["a > b", "b", "a > a > c"])
        .with("conversions", vec![2, 1, 0])
        .with("value", vec![10.1, 0.2, 0.0])
        .with("nulls", vec![5, 0, 3]);
    let options = PathOptions {
        value: Some("value".to_owned()),
        nulls: Some("nulls".to_owned()),
        ..PathOptions::default()
    };
    let journeys = Journeys::from_paths(&frame, &options, &run).unwrap();
    let points = Columns::new().with("x", vec![0.0, 0.1, 5.0, 5.1]).with("y", vec![1.0, 1.1, -3.0, -3.5]);
    let kmeans = KMeans { k: 2, features: vec!["x".to_owned(), "y".to_owned()], ..KMeans::default() };
    let touches = Columns::new()
        .with("customer", vec!["a", "b", "a"])
        .with("time", vec!["2024-01-01", "2024-01-02", "2024-01-03"])
        .with("channel", vec!["x", "y", "y"])
        .with("campaign", vec![Some("z"), None, None]);
    let orders = Columns::new().with("customer", vec!["a"]).with("time", vec!["2024-01-04"]);
    let campaigns = EventOptions { campaign: Some("campaign".to_owned()), ..EventOptions::default() };
    let mut builder = JourneyBuilder::new(campaigns);
    builder.extend(&touches, Some(&orders), &run).unwrap();
    let files = [
        to_bytes(&graph).unwrap(),
        to_bytes(&PathCounts::of(&journeys, &run).unwrap()).unwrap(),
        to_bytes(&Markov::default().fit(&journeys, &run).unwrap()).unwrap(),
        to_bytes(&BetaGeoModel::from_parameters(0.243, 4.414, 0.793, 2.426, None).unwrap()).unwrap(),
        to_bytes(&GammaGammaModel::from_parameters(6.25, 3.74, 15.4).unwrap()).unwrap(),
        to_bytes(kmeans.fit(&points, &run).unwrap().model()).unwrap(),
        to_bytes(&Shapley::default().fit(&journeys, &run).unwrap()).unwrap(),
        to_bytes(&builder).unwrap(),
    ];
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/model_file");
    for (kind, file) in files.iter().enumerate() {
        let text = std::str::from_utf8(file).unwrap();
        let inside = text.split_once("\"model\":").unwrap().1.strip_suffix('}').unwrap();
        targets::model_file(file);
        targets::model_file(format!("{kind}{inside}").as_bytes());
        if std::env::var("HEADWATER_BLESS").is_ok_and(|v| v == "1") {
            std::fs::write(folder.join(format!("whole_{kind}.json")), file).unwrap();
            std::fs::write(folder.join(format!("inside_{kind}.txt")), format!("{kind}{inside}")).unwrap();
        }
    }
}
