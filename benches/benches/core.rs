//! The core's stages on a simulated market of 300,000 events: `cargo bench -p headwater-benches`.
#![allow(clippy::unwrap_used)]

use divan::Bencher;
use headwater::Run;
use headwater::attribution::{AttributeOptions, Markov, Model, attribute};
use headwater::clv::{BetaGeo, SummarizeOptions, summarize};
use headwater::column::Columns;
use headwater::identity::stitch;
use headwater::journey::{EventOptions, Journeys};
use headwater::segment::{KMeans, RfmOptions, Scale, rfm};
use headwater_benches::{assigned, identifiers, market};

const EVENTS: u64 = 300_000;

fn main() {
    divan::main();
}

#[divan::bench]
fn simulate() {
    divan::black_box(market(EVENTS).unwrap());
}

#[divan::bench]
fn stitch_records(bench: Bencher<'_, '_>) {
    let records = Columns::from(market(EVENTS).unwrap().tables.records());
    bench.bench(|| stitch(&records, &identifiers(), &Run::new()).unwrap());
}

#[divan::bench]
fn build_journeys(bench: Bencher<'_, '_>) {
    let [touches, orders] = assigned(&market(EVENTS).unwrap()).unwrap();
    let options = EventOptions { value: Some("value".to_owned()), ..EventOptions::default() };
    bench.bench(|| Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap());
}

#[divan::bench(args = [1, 2, 3])]
fn markov(bench: Bencher<'_, '_>, order: usize) {
    let [touches, orders] = assigned(&market(EVENTS).unwrap()).unwrap();
    let options = EventOptions { value: Some("value".to_owned()), ..EventOptions::default() };
    let journeys = Journeys::from_events(&touches, Some(&orders), &options, &Run::new()).unwrap();
    let models = vec![Model::Markov(Markov { order, ..Markov::default() })];
    let options = AttributeOptions { models, ..Default::default() };
    bench.bench(|| attribute(&journeys, &options, &Run::new()).unwrap());
}

#[divan::bench]
fn fit_beta_geo(bench: Bencher<'_, '_>) {
    let [_, orders] = assigned(&market(EVENTS).unwrap()).unwrap();
    let rfm = summarize(&orders, &SummarizeOptions::default(), &Run::new()).unwrap();
    bench.bench(|| BetaGeo::new().fit(&rfm.slices(), &Run::new()).unwrap());
}

#[divan::bench]
fn score_rfm(bench: Bencher<'_, '_>) {
    let [_, orders] = assigned(&market(EVENTS).unwrap()).unwrap();
    bench.bench(|| rfm(&orders, &RfmOptions::default(), &Run::new()).unwrap());
}

#[divan::bench]
fn k_means(bench: Bencher<'_, '_>) {
    let [_, orders] = assigned(&market(EVENTS).unwrap()).unwrap();
    let features = Columns::from(rfm(&orders, &RfmOptions::default(), &Run::new()).unwrap().table());
    let config = KMeans::new(8).features(["recency", "frequency", "monetary"]).scale(Scale::Standard);
    bench.bench(|| config.fit(&features, &Run::new()).unwrap());
}
