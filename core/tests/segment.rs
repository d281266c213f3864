//! RFM and k-means against the golden numbers and plain oracles.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, HashMap};

use headwater::column::{Columns, OnInvalid, Values};
use headwater::segment::{
    Convention, FrequencyBy, KMeans, KMeansFit, KMeansModel, MapChoice, MonetaryBy, NamedMap, Refunds,
    RfmOptions, RfmSegments, Scale, SegmentMap, rfm,
};
use headwater::{Error, Run, Table, model, options};
use proptest::prelude::*;

fn column(table: &Table, name: &str) -> Vec<i64> {
    table.i64s(name).unwrap().to_vec()
}

// ------------------------------------------------------------------ RFM

fn golden_rows(file: &str) -> Option<Vec<HashMap<String, String>>> {
    let mut reader = csv::Reader::from_path(support::golden(file)?).unwrap();
    Some(reader.deserialize().map(|row| row.unwrap()).collect())
}

fn by_customer(segments: &RfmSegments, name: &str) -> BTreeMap<String, i64> {
    let table = segments.table();
    let values = column(&table, name);
    values
        .into_iter()
        .enumerate()
        .map(|(i, v)| (table.text("customer", i).unwrap().into_owned(), v))
        .collect()
}

#[test]
fn scores_of_five_conventions_are_those_of_pandas_and_duckdb() {
    let (Some(orders), Some(expected)) =
        (golden_rows("segmentation/rfm_tx.csv"), golden_rows("segmentation/rfm_scores.csv"))
    else {
        return;
    };
    let of = |name: &str| orders.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    let amounts: Vec<f64> = orders.iter().map(|row| row["amount"].parse().unwrap()).collect();
    let frame =
        Columns::new().with("customer", of("customer_id")).with("time", of("date")).with("value", amounts);
    for (letter, convention) in [
        ("A", Convention::RankFirst),
        ("B", Convention::Quantile),
        ("C", Convention::Ntile),
        ("D", Convention::TiePreserving),
        ("E", Convention::Nested),
    ] {
        let options = RfmOptions { convention, snapshot: Some("2024-01-01".into()), ..RfmOptions::default() };
        let got = rfm(&frame, &options, &Run::new()).unwrap();
        let (r, f, m) = (by_customer(&got, "r"), by_customer(&got, "f"), by_customer(&got, "m"));
        let (recency, frequency) = (by_customer(&got, "recency"), by_customer(&got, "frequency"));
        let table = got.table();
        assert_eq!(table.rows(), expected.len());
        for row in &expected {
            let id = &row["customer_id"];
            let want = |name: &str| row[name].parse::<i64>().unwrap();
            assert_eq!(recency[id], want("recency"), "{id}");
            assert_eq!(frequency[id], want("frequency"), "{id}");
            assert_eq!(r[id], want(&format!("{letter}_R")), "{letter} {id}");
            assert_eq!(f[id], want(&format!("{letter}_F")), "{letter} {id}");
            assert_eq!(m[id], want(&format!("{letter}_M")), "{letter} {id}");
        }
        let money: HashMap<_, _> = (0..table.rows())
            .map(|i| (table.text("customer", i).unwrap().into_owned(), table.f64s("monetary").unwrap()[i]))
            .collect();
        for row in &expected {
            let want: f64 = row["monetary"].parse().unwrap();
            assert!((money[&row["customer_id"]] - want).abs() <= 1e-9 * want);
        }
        if letter == "A" {
            let names: HashMap<_, _> = (0..table.rows())
                .map(|i| (table.text("customer", i).unwrap(), table.text("segment", i).unwrap()))
                .collect();
            for row in &expected {
                assert_eq!(names[row["customer_id"].as_str()], row["A_segment10"]);
            }
        }
    }
}

#[test]
fn the_maps_are_those_of_the_literature_on_all_125_codes() {
    let Some(file) = support::golden("segmentation/segment_maps.json") else { return };
    let maps: HashMap<String, HashMap<String, String>> =
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    for (name, map) in [
        ("rf_regex_10", SegmentMap::rf10().unwrap()),
        ("grid11_R_x_FM_round_half_up", SegmentMap::fm11().unwrap()),
    ] {
        assert_eq!(maps[name].len(), 125);
        for (code, segment) in &maps[name] {
            let s: Vec<u32> = code.chars().map(|c| c.to_digit(10).unwrap()).collect();
            assert_eq!(map.name(s[0], s[1], s[2]), segment, "{name} {code}");
        }
    }
}

fn orders(rows: &[(u32, i64, f64)]) -> Columns {
    Columns::new()
        .with("customer", rows.iter().map(|r| format!("c{}", r.0)).collect::<Vec<_>>())
        .with("time", rows.iter().map(|r| r.1).collect::<Vec<i64>>())
        .with("value", rows.iter().map(|r| r.2).collect::<Vec<f64>>())
}

fn seconds() -> RfmOptions {
    RfmOptions { time_unit: Some(headwater::column::TimeUnit::Second), ..RfmOptions::default() }
}

const DAY: i64 = 86_400;

#[test]
fn refunds_are_treated_as_asked() {
    let frame = orders(&[(1, 0, 10.0), (1, 5 * DAY, -4.0), (2, DAY, 7.0), (3, 2 * DAY, -1.0)]);
    let with = |refunds| rfm(&frame, &RfmOptions { refunds, ..seconds() }, &Run::new());
    assert!(matches!(with(Refunds::Invalid), Err(Error::Row { row: 1, count: 2, .. })));
    let net = with(Refunds::Net).unwrap();
    assert_eq!(net.table().f64s("monetary").unwrap(), [6.0, 7.0]);
    assert_eq!(column(&net.table(), "recency"), [6, 5]);
    assert_eq!(column(&net.table(), "frequency"), [1, 1]);
    assert_eq!(net.features().only_refunds, 1);
    let keep = with(Refunds::Keep).unwrap();
    assert_eq!(column(&keep.table(), "frequency"), [2, 1, 1]);
    assert_eq!(column(&keep.table(), "recency"), [1, 5, 4]);
    let ignore = with(Refunds::Ignore).unwrap();
    assert_eq!(ignore.table().f64s("monetary").unwrap(), [10.0, 7.0]);
    assert_eq!(ignore.features().refunds_ignored, 2);
    let drop = RfmOptions { on_invalid: OnInvalid::Drop, ..seconds() };
    assert_eq!(rfm(&frame, &drop, &Run::new()).unwrap().dropped().rows, 2);
}

#[test]
fn days_means_and_the_snapshot() {
    let frame = orders(&[(1, 0, 10.0), (1, 3600, 20.0), (1, DAY, 30.0), (2, 3 * DAY, 5.0)]);
    let options = RfmOptions {
        frequency: FrequencyBy::Days,
        monetary: MonetaryBy::Mean,
        snapshot: Some("1970-01-02T12:00:00Z".into()),
        ..seconds()
    };
    let got = rfm(&frame, &options, &Run::new()).unwrap();
    assert_eq!(column(&got.table(), "frequency"), [2]);
    assert_eq!(column(&got.table(), "recency"), [0]);
    assert_eq!(got.table().f64s("monetary").unwrap(), [20.0]);
    assert_eq!(got.features().after_snapshot, 1);
    let early = RfmOptions { snapshot: Some("1960-01-01".into()), ..seconds() };
    assert!(matches!(rfm(&frame, &early, &Run::new()), Err(Error::NotEnoughData { .. })));
}

#[test]
fn bad_input_is_one_clear_error() {
    let frame = orders(&[(1, 0, 10.0), (2, 1, 3.0)]);
    let code = |options: &RfmOptions| rfm(&frame, options, &Run::new()).unwrap_err().code();
    assert_eq!(code(&RfmOptions { customer: "client".into(), ..seconds() }), "HW_COLUMN");
    assert_eq!(code(&RfmOptions::default()), "HW_COLUMN"); // integers without a unit
    assert_eq!(code(&RfmOptions { bins: 1, ..seconds() }), "HW_OPTION");
    assert_eq!(code(&RfmOptions { snapshot: Some("soon".into()), ..seconds() }), "HW_OPTION");
    assert_eq!(code(&RfmOptions { convention: Convention::Fixed, ..seconds() }), "HW_OPTION");
    assert_eq!(code(&RfmOptions { map: MapChoice::Rules(vec![]), ..seconds() }), "HW_OPTION");
    assert_eq!(rfm(&orders(&[]), &seconds(), &Run::new()).unwrap_err().code(), "HW_NOT_ENOUGH_DATA");
    let parsed = options::parse::<RfmOptions>(r#"{"map": "rf11"}"#);
    assert!(matches!(parsed, Err(Error::Option { .. })));
    let parsed: RfmOptions =
        options::parse(r#"{"map":[{"segment":"all"}],"convention":"rank_first","frequency":"days"}"#)
            .unwrap();
    assert_eq!(parsed.convention, Convention::RankFirst);
    assert!(rfm(&frame, &RfmOptions { map: parsed.map, ..seconds() }, &Run::new()).is_ok());
}

#[test]
fn one_row_and_a_million_identical_rows() {
    let one = rfm(&orders(&[(1, 0, 10.0)]), &seconds(), &Run::new()).unwrap();
    assert_eq!(one.table().text("score", 0).unwrap(), "111");
    let n = 1_000_000;
    let frame = Columns::new()
        .with("customer", vec![7i64; n])
        .with("time", vec![1i64; n])
        .with("value", vec![1.0; n]);
    let got = rfm(&frame, &seconds(), &Run::new()).unwrap();
    assert_eq!(column(&got.table(), "frequency"), [1_000_000]);
    assert!(
        matches!(&got.table().get("customer").unwrap().values, Values::Names(n) if n.labels.get(0) == "7")
    );
}

#[test]
fn segments_add_up() {
    let rows: Vec<_> =
        (0..500).map(|i| (i % 83, i64::from(i * 7919 % 300) * DAY, f64::from(i % 13))).collect();
    let got =
        rfm(&orders(&rows), &RfmOptions { map: MapChoice::Named(NamedMap::Fm11), ..seconds() }, &Run::new())
            .unwrap();
    let summary = got.segments();
    assert_eq!(column(&summary, "customers").iter().sum::<i64>(), 83);
    let total = |name: &str| summary.f64s(name).unwrap().iter().sum::<f64>();
    assert!((total("share") - 1.0).abs() < 1e-12 && (total("monetary_share") - 1.0).abs() < 1e-12);
    assert!((total("monetary") - rows.iter().map(|r| r.2).sum::<f64>()).abs() < 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scores_do_not_depend_on_the_order_of_rows_and_equals_score_equal(
        rows in prop::collection::vec((0u32..40, 0i64..60, 0u8..9), 1..200),
        bins in 2u32..12,
    ) {
        let rows: Vec<_> = rows.iter().map(|(c, t, v)| (*c, t * DAY, f64::from(*v))).collect();
        let mut turned = rows.clone();
        turned.reverse();
        for convention in [Convention::TiePreserving, Convention::RankFirst, Convention::Quantile,
                           Convention::Ntile, Convention::Nested] {
            let options = RfmOptions { bins, convention, ..seconds() };
            let a = rfm(&orders(&rows), &options, &Run::new()).unwrap();
            let b = rfm(&orders(&turned), &options, &Run::new()).unwrap();
            for name in ["recency", "frequency", "r", "f", "m"] {
                prop_assert_eq!(by_customer(&a, name), by_customer(&b, name));
            }
            let n = a.table().rows();
            let scores = a.scores();
            for s in [&scores.r, &scores.f, &scores.m] {
                prop_assert!(s.iter().all(|s| (1..=bins).contains(s)));
            }
            // Scores rise with what they measure.
            let f = a.features();
            for i in 0..n {
                for j in 0..n {
                    if convention != Convention::Nested {
                        prop_assert!(f.frequency[i] <= f.frequency[j] || scores.f[i] >= scores.f[j]);
                        prop_assert!(f.monetary[i] <= f.monetary[j] || scores.m[i] >= scores.m[j]);
                    }
                    prop_assert!(f.recency[i] >= f.recency[j] || scores.r[i] >= scores.r[j]);
                }
            }
            if convention == Convention::TiePreserving {
                // The definition, counted out.
                for i in 0..n {
                    let worse = |count: usize| 1 + (bins as usize * count / n) as u32;
                    prop_assert_eq!(scores.r[i], worse(f.recency.iter().filter(|x| **x > f.recency[i]).count()));
                    prop_assert_eq!(scores.f[i], worse(f.frequency.iter().filter(|x| **x < f.frequency[i]).count()));
                    prop_assert_eq!(scores.m[i], worse(f.monetary.iter().filter(|x| **x < f.monetary[i]).count()));
                }
            }
            if let Some(breaks) = &scores.breaks
                && breaks.recency.len() + 1 == bins as usize
                && breaks.frequency.len() + 1 == bins as usize
                && breaks.monetary.len() + 1 == bins as usize
            {
                let fixed = RfmOptions { convention: Convention::Fixed, breaks: Some(breaks.clone()), ..options };
                let again = rfm(&orders(&rows), &fixed, &Run::new()).unwrap();
                prop_assert_eq!(again.scores(), scores);
            }
        }
    }
}

// -------------------------------------------------------------- k-means

/// The dumbest k-means: the labels and centres that any exact one must give.
fn plain(values: &[f64], d: usize, mut centres: Vec<Vec<f64>>) -> (Vec<u32>, Vec<Vec<f64>>, f64) {
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
    let mut labels: Vec<u32> = Vec::new();
    loop {
        let next: Vec<u32> = values
            .chunks_exact(d)
            .map(|p| {
                let mut best = 0;
                for j in 1..centres.len() {
                    if distance(p, &centres[j]) < distance(p, &centres[best]) {
                        best = j;
                    }
                }
                best as u32
            })
            .collect();
        if next == labels {
            let inertia =
                values.chunks_exact(d).zip(&labels).map(|(p, l)| distance(p, &centres[*l as usize])).sum();
            return (labels, centres, inertia);
        }
        labels = next;
        for (j, centre) in centres.iter_mut().enumerate() {
            let members: Vec<&[f64]> = values
                .chunks_exact(d)
                .zip(&labels)
                .filter(|(_, l)| **l == j as u32)
                .map(|(p, _)| p)
                .collect();
            assert!(!members.is_empty(), "the oracle does not know empty clusters");
            for (c, x) in centre.iter_mut().enumerate() {
                *x = members.iter().map(|p| p[c]).sum::<f64>() / members.len() as f64;
            }
        }
    }
}

/// Blobs around k centres, or noise when `spread` is large.
fn blobs(n: usize, d: usize, k: usize, spread: f64, seed: u64) -> Vec<f64> {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_pcg::Pcg64::seed_from_u64(seed);
    let mut uniform = move || (rng.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0;
    let centres: Vec<f64> = (0..k * d).map(|_| 10.0 * uniform()).collect();
    (0..n)
        .flat_map(|i| {
            let j = i % k;
            (0..d)
                .map(|c| centres[j * d + c] + spread * (uniform() + uniform() + uniform() - 1.5))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn rows_of(values: &[f64], d: usize, which: &[usize]) -> Vec<Vec<f64>> {
    which.iter().map(|i| values[i * d..(i + 1) * d].to_vec()).collect()
}

#[test]
fn iris_digits_and_wine_reach_the_reference() {
    let Some(file) = support::golden("segmentation/clustering.json") else { return };
    let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    for name in ["iris", "digits", "wine_std"] {
        let g = &golden[name];
        let Some((values, d)) = gunzipped(name) else { return };
        let k = g["k"].as_u64().unwrap() as usize;
        let init: Vec<usize> =
            g["init_rows"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect();
        let fit = KMeans::new(k)
            .tol(0.0)
            .start(rows_of(&values, d, &init))
            .fit_rows(&values, d, &Run::new())
            .unwrap();
        let want = g["inertia"].as_f64().unwrap();
        assert!((fit.model().inertia() - want).abs() <= 1e-9 * want, "{name}: {}", fit.model().inertia());
        // Iris and wine take the reference's steps and need few starts. Pixels are whole numbers, so that
        // points of digits lie halfway between centres up to rounding: the path to the same optimum is a step
        // shorter there (15 for 16), and the many optima close together take more starts (20 end 5e-4 above).
        let (steps, starts) = if name == "digits" { (1, 100) } else { (0, 20) };
        assert!(fit.model().n_iter().abs_diff(g["n_iter"].as_u64().unwrap()) <= steps, "{name}");
        let labels: Vec<u64> = g["labels"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap()).collect();
        assert!(fit.labels().iter().zip(&labels).all(|(a, b)| u64::from(*a) == *b), "{name}: labels");
        let sizes: Vec<u64> = g["sizes"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap()).collect();
        assert_eq!(fit.model().sizes(), sizes);

        // No more starts of our own find the best that a hundred of the reference found.
        let best = g["best_known_inertia_100_starts"].as_f64().unwrap();
        let ours = KMeans::new(k).n_init(starts).tol(0.0).fit_rows(&values, d, &Run::new()).unwrap();
        assert!(ours.model().inertia() <= best * (1.0 + 1e-4), "{name}: {}", ours.model().inertia());
    }
}

#[test]
fn the_best_inertia_of_iris_for_each_k() {
    let Some((values, d)) = gunzipped("iris") else { return };
    // scikit-learn 1.9.1, best of 100 starts.
    let best = [
        681.3705999999996,
        152.34795176035797,
        78.851441426146,
        57.22847321428572,
        46.44618205128204,
        39.03998724608725,
        34.305815295815314,
        30.014398496240617,
    ];
    for (k, best) in (1..).zip(best) {
        let fit = KMeans::new(k).n_init(60).tol(0.0).fit_rows(&values, d, &Run::new()).unwrap();
        assert!(fit.model().inertia() <= best * (1.0 + 1e-9), "k {k}: {}", fit.model().inertia());
    }
}

fn gunzipped(name: &str) -> Option<(Vec<f64>, usize)> {
    let file = support::golden(&format!("segmentation/{name}.csv.gz"))?;
    let out = std::process::Command::new("gzip").arg("-dc").arg(file).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let columns = text.lines().next()?.split(',').count();
    let values = text.lines().flat_map(|l| l.split(',')).map(|x| x.parse().unwrap()).collect();
    Some((values, columns))
}

#[test]
fn bounds_change_nothing_against_the_plain_iteration() {
    for (n, d, k, spread, seed) in [
        (300, 2, 3, 1.0, 1),
        (500, 5, 9, 3.0, 2),
        (700, 8, 17, 20.0, 3),
        (400, 1, 4, 30.0, 4),
        (900, 3, 30, 8.0, 5),
    ] {
        let values = blobs(n, d, k, spread, seed);
        let start = rows_of(&values, d, &(0..k).collect::<Vec<_>>());
        let (labels, centres, inertia) = plain(&values, d, start.clone());
        let fit = KMeans::new(k).tol(0.0).start(start).fit_rows(&values, d, &Run::new()).unwrap();
        assert_eq!(fit.labels(), labels, "n {n} d {d} k {k}");
        assert!((fit.model().inertia() / inertia - 1.0).abs() < 1e-12);
        for (a, b) in fit.model().centers().concat().iter().zip(centres.concat()) {
            assert!((a - b).abs() < 1e-12, "sums of up to 900 numbers, added in the same order");
        }
        assert!(fit.model().converged());
    }
}

fn fit(values: &[f64], d: usize, k: usize, threads: usize) -> KMeansFit {
    KMeans::new(k).n_init(2).fit_rows(values, d, &Run::new().threads(threads)).unwrap()
}

#[test]
fn threads_change_nothing() {
    let values = blobs(100_000, 3, 6, 12.0, 11);
    let one = fit(&values, 3, 6, 1);
    for threads in [2, 7] {
        assert_eq!(fit(&values, 3, 6, threads), one);
    }
}

#[test]
fn labels_are_those_of_the_final_centres_and_clusters_go_by_size() {
    let values = blobs(20_000, 4, 5, 15.0, 12);
    for tol in [0.0, 1e-4, 0.3] {
        for max_iter in [1, 3, 300] {
            let config = KMeans { max_iter, tol, ..KMeans::new(5) };
            let got = config.fit_rows(&values, 4, &Run::new()).unwrap();
            let again = got.model().predict_rows(&values, &Run::new()).unwrap();
            assert_eq!(again.labels(), got.labels());
            let inertia: f64 = again.distances().iter().map(|d| d * d).sum();
            assert!((inertia / got.model().inertia() - 1.0).abs() < 1e-12);
            assert!(got.model().sizes().is_sorted_by(|a, b| a >= b));
            let mut sizes = [0; 5];
            got.labels().iter().for_each(|l| sizes[*l as usize] += 1);
            assert_eq!(got.model().sizes(), sizes);
        }
    }
}

#[test]
fn inertia_falls_with_every_iteration_and_a_looser_tolerance_stops_earlier() {
    let values = blobs(5_000, 3, 8, 25.0, 13);
    let start = rows_of(&values, 3, &[0, 1, 2, 3, 4, 5, 6, 7]);
    let with = |max_iter, tol| {
        let config = KMeans { max_iter, tol, ..KMeans::new(8) }.start(start.clone());
        config.fit_rows(&values, 3, &Run::new()).unwrap().into_model()
    };
    let falling: Vec<f64> = (1..40).map(|i| with(i, 0.0).inertia()).collect();
    assert!(falling.is_sorted_by(|a, b| a >= &(b * (1.0 - 1e-13))));
    assert!(with(300, 1e-2).n_iter() <= with(300, 1e-4).n_iter());
    assert!(with(300, 1e-4).n_iter() <= with(300, 0.0).n_iter());
    assert!(!with(2, 0.0).converged());
}

#[test]
fn the_order_of_rows_does_not_matter_for_given_centres() {
    let values = blobs(3_000, 2, 4, 10.0, 14);
    let start = rows_of(&values, 2, &[0, 1, 2, 3]);
    let turned: Vec<f64> = values.chunks_exact(2).rev().flatten().copied().collect();
    let a = KMeans::new(4).tol(0.0).start(start.clone()).fit_rows(&values, 2, &Run::new()).unwrap();
    let b = KMeans::new(4).tol(0.0).start(start).fit_rows(&turned, 2, &Run::new()).unwrap();
    let back: Vec<u32> = b.labels().iter().rev().copied().collect();
    assert_eq!(a.labels(), back);
}

#[test]
fn an_empty_cluster_takes_the_farthest_point() {
    let values = [0.0, 0.1, 0.2, 5.0, 5.1, 100.0];
    let start = vec![vec![0.0], vec![0.0], vec![0.0]];
    let got = KMeans::new(3).tol(0.0).start(start).fit_rows(&values, 1, &Run::new()).unwrap();
    let mut sizes = got.model().sizes().to_vec();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2, 3]);
    assert!(got.model().inertia() < 0.05);
}

#[test]
fn fewer_distinct_rows_than_clusters_is_an_error() {
    let frame = Columns::new().with("x", vec![3.5; 1_000_000]);
    let error = KMeans::new(2).features(["x"]).fit(&frame, &Run::new()).unwrap_err();
    assert!(matches!(&error, Error::Option { option, .. } if option == "k"), "{error}");
    let one = KMeans::new(1).features(["x"]).fit(&frame, &Run::new()).unwrap();
    assert_eq!((one.model().inertia(), one.model().sizes()), (0.0, &[1_000_000][..]));
    let given = KMeans::new(2).start(vec![vec![3.5], vec![4.5]]).features(["x"]);
    assert!(matches!(given.fit(&frame, &Run::new()), Err(Error::Option { .. })));
}

#[test]
fn bad_numbers_and_options_are_errors() {
    let frame = Columns::new()
        .with("x", vec![Some(1.0), None, Some(3.0), Some(4.0)])
        .with("y", vec![1.0, 2.0, 3.0, f64::NAN])
        .with("t", vec!["a", "b", "c", "d"]);
    let code = |k: KMeans| k.fit(&frame, &Run::new()).unwrap_err().code();
    let two = || KMeans::new(2).features(["x", "y"]);
    assert_eq!(code(two()), "HW_ROW");
    assert_eq!(code(KMeans::new(2)), "HW_OPTION");
    assert_eq!(code(KMeans::new(2).features(["z"])), "HW_COLUMN");
    assert_eq!(code(KMeans::new(2).features(["t"])), "HW_COLUMN");
    assert_eq!(
        code(KMeans { on_invalid: OnInvalid::Drop, ..KMeans::new(3).features(["x", "y"]) }),
        "HW_OPTION"
    );
    let dropped = KMeans { on_invalid: OnInvalid::Drop, ..two() }.fit(&frame, &Run::new()).unwrap();
    assert_eq!(dropped.dropped().rows, 2);
    assert_eq!(column(&dropped.table(), "row"), [0, 2]);
    let rows = |values: &[f64]| KMeans::new(1).fit_rows(values, 1, &Run::new()).map_err(|e| e.code());
    assert!(matches!(rows(&[1.0, f64::INFINITY]), Err("HW_ROW")));
    assert!(matches!(rows(&[1.0, 1e200]), Err("HW_ROW")));
    assert!(matches!(rows(&[]), Err("HW_NOT_ENOUGH_DATA")));
    for bad in [
        KMeans { tol: f64::NAN, ..KMeans::new(1) },
        KMeans { n_init: 0, ..KMeans::new(1) },
        KMeans { max_iter: 0, ..KMeans::new(1) },
        KMeans::new(0),
        KMeans::new(1).start(vec![vec![1.0, 2.0]]),
    ] {
        assert_eq!(bad.fit_rows(&[1.0, 2.0], 1, &Run::new()).unwrap_err().code(), "HW_OPTION");
    }
}

#[test]
fn scaling_makes_units_irrelevant() {
    let values = blobs(2_000, 3, 4, 2.0, 15);
    let stretched: Vec<f64> =
        values.chunks_exact(3).flat_map(|p| [p[0] * 1024.0, p[1], p[2] / 4096.0 + 2.0]).collect();
    for scale in [Scale::Standard, Scale::Range] {
        let config = KMeans::new(4).scale(scale);
        let a = config.fit_rows(&values, 3, &Run::new()).unwrap();
        let b = config.fit_rows(&stretched, 3, &Run::new()).unwrap();
        assert_eq!(a.labels(), b.labels());
        assert!((a.model().inertia() / b.model().inertia() - 1.0).abs() < 1e-9);
        for (x, y) in a.model().centers().iter().zip(b.model().centers()) {
            assert!((x[0] * 1024.0 / y[0] - 1.0).abs() < 1e-9);
        }
        let again = b.model().predict_rows(&stretched, &Run::new()).unwrap();
        assert_eq!(again.labels(), b.labels());
    }
}

#[test]
fn a_model_file_scores_alike_and_a_bad_one_is_refused() {
    let values = blobs(500, 2, 3, 4.0, 16);
    let got = KMeans::new(3).scale(Scale::Standard).fit_rows(&values, 2, &Run::new()).unwrap();
    let bytes = model::to_bytes(got.model()).unwrap();
    assert_eq!(model::kind(&bytes).unwrap(), "segment.KMeans");
    let back: KMeansModel = model::from_bytes(&bytes).unwrap();
    assert_eq!(&back, got.model());
    assert_eq!(back.predict_rows(&values, &Run::new()).unwrap().labels(), got.labels());
    for (what, json) in [
        (
            "lengths",
            r#"{"features":["x"],"offset":[0.0],"factor":[1.0],"centers":[[0.0,1.0]],"sizes":[1],"inertia":0.0,"n_iter":1,"converged":true}"#,
        ),
        (
            "factor",
            r#"{"features":["x"],"offset":[0.0],"factor":[0.0],"centers":[[0.0]],"sizes":[1],"inertia":0.0,"n_iter":1,"converged":true}"#,
        ),
        (
            "empty",
            r#"{"features":[],"offset":[],"factor":[],"centers":[],"sizes":[],"inertia":0.0,"n_iter":1,"converged":true}"#,
        ),
    ] {
        let bad: KMeansModel = serde_json::from_str(json).unwrap();
        assert!(matches!(model::to_bytes(&bad), Err(Error::ModelFile { .. })), "{what}");
    }
}

#[test]
fn greedy_seeding_finds_separated_blobs_at_the_first_start() {
    let mut found = 0;
    for seed in 0..20 {
        let values = blobs(2_000, 8, 8, 1.0, seed + 100);
        let one = KMeans::new(8).seed(seed).fit_rows(&values, 8, &Run::new()).unwrap();
        let best = KMeans::new(8).seed(seed).n_init(20).fit_rows(&values, 8, &Run::new()).unwrap();
        found += usize::from(one.model().inertia() <= best.model().inertia() * (1.0 + 1e-6));
    }
    assert!(found >= 13, "{found} of 20");
}

#[test]
fn shared_vectors() {
    support::run_vectors("segment", |call, frames, json, run| match call {
        "segment.rfm" => {
            let got = rfm(&frames["orders"], &options::parse(json)?, run)?;
            Ok(vec![
                ("table", got.table()),
                ("segments", got.segments()),
                ("breaks", got.breaks()),
                ("dropped", got.dropped().table()),
            ])
        }
        "segment.kmeans" => {
            let config: KMeans = options::parse(json)?;
            let fit = config.fit(&frames["frame"], run)?;
            let mut tables = vec![
                ("table", fit.table()),
                ("centers", fit.model().table()),
                ("dropped", fit.dropped().table()),
            ];
            if config.features == ["x", "y"] {
                tables
                    .push(("predict", fit.model().predict(&frames["new"], config.on_invalid, run)?.table()));
            }
            Ok(tables)
        }
        other => panic!("unknown call {other}"),
    });
}
