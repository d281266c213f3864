//! The whole story, once through: who they are, what brought them, what they
//! are worth, who they resemble.
//!
//! ```text
//! cargo run --release -p headwater --example customer_360 [-- --size EVENTS] [--numbers FILE]
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use headwater::attribution::{AttributeOptions, Markov, Model, Shapley, attribute};
use headwater::clv::{
    BetaGeoModel, BetaGeoOptions, GammaGammaModel, GammaGammaOptions, LifetimeOptions, PredictOptions,
    SummarizeOptions, beta_geo, gamma_gamma, lifetime_value, summarize,
};
use headwater::column::{Columns, Duration, Values};
use headwater::identity::{
    AssignOptions, EvaluateOptions, IdentityRules, Namespace, StitchOptions, evaluate, stitch,
};
use headwater::journey::{EventOptions, Journeys, PathOptions};
use headwater::segment::{KMeans, RfmOptions, Scale, rfm};
use headwater::simulate::{MarketOptions, generate};
use headwater::{Run, Table};
use serde_json::{Map, Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the test that compares the three languages reads.
type Numbers = Map<String, Value>;

fn main() -> Outcome<()> {
    let (mut size, mut file) = (1_000_000, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--size" => size = value.parse()?,
            "--numbers" => file = Some(PathBuf::from(value)),
            _ => return Err(format!("{name}: give --size or --numbers").into()),
        }
    }
    let (mut numbers, run) = (Numbers::new(), Run::new());
    cdnow(&mut numbers, &run)?;
    paths(&mut numbers, &run)?;
    febrl(&mut numbers, &run)?;
    market(size, &mut numbers, &run)?;
    if let Some(file) = file {
        std::fs::write(file, serde_json::to_vec(&numbers)?)?;
    }
    Ok(())
}

// --- part one: real data ---------------------------------------------------------------------------------------------

/// What CDNOW's customers of early 1997 would buy next, against what they bought.
fn cdnow(numbers: &mut Numbers, run: &Run) -> Outcome<()> {
    let orders = read_csv("cdnow.csv", &["customer"], &["amount"])?;
    let (time, value) = ("date".to_owned(), Some("amount".to_owned()));
    let options = SummarizeOptions {
        time: time.clone(),
        value: value.clone(),
        period: Duration::from_days(7).into(),
        calibration_end: Some("1997-09-30".into()),
        ..SummarizeOptions::default()
    };
    let summary = stage("CDNOW: summarize", orders.rows(), || {
        let summary = summarize(&orders, &options, run)?;
        let said = format!("{} customers", summary.len());
        Ok((summary, said))
    })?;
    let frame = Columns::from(summary.table());
    let (model, spend) = stage("CDNOW: fit BG/NBD and Gamma-Gamma", frame.rows(), || fit(&frame, run))?;
    let forecast = stage("CDNOW: forecast 39 weeks", frame.rows(), || {
        let options = PredictOptions { periods: 39.0.into(), ..PredictOptions::default() };
        Ok((model.predict_columns(&frame, &options, run)?.table(), String::new()))
    })?;
    let values = value_of(&frame, &model, &spend, run)?;
    let options = RfmOptions { time, value: "amount".to_owned(), ..RfmOptions::default() };
    let segments = rfm(&orders, &options, run)?.table();
    keep(
        numbers,
        "cdnow_summary",
        &summary.table(),
        &["customer", "frequency", "recency", "T", "monetary_value", "frequency_holdout"],
    );
    parameters(numbers, "cdnow", &model, &spend);
    keep(numbers, "cdnow_forecast", &forecast, &["customer", "expected_purchases", "p_alive"]);
    keep(numbers, "cdnow_value", &values, &["customer", "lifetime_value"]);
    keep(numbers, "cdnow_rfm", &segments, &["customer", "r", "f", "m", "segment"]);
    Ok(())
}

/// Ten thousand paths over twelve channels, under every model that needs no times.
fn paths(numbers: &mut Numbers, run: &Run) -> Outcome<()> {
    let counts = ["total_conversions", "total_conversion_value", "total_null"];
    let table = read_csv("paths.csv.gz", &[], &counts)?;
    let [conversions, value, nulls] = counts.map(|name| Some(name.to_owned()));
    let options = PathOptions { conversions, value, nulls, ..PathOptions::default() };
    let journeys = stage("paths: journeys", table.rows(), || {
        let journeys = Journeys::from_paths(&table, &options, run)?;
        let said = format!("{} distinct paths", journeys.paths(run)?.rows());
        Ok((journeys, said))
    })?;
    let models = models().into_iter().filter(|m| !matches!(m, Model::TimeDecay { .. })).collect();
    let credit = stage("paths: attribution", table.rows(), || credit(&journeys, models, run))?;
    keep(numbers, "paths_credit", &credit, &["model", "channel", "conversions", "value"]);
    Ok(())
}

/// Five thousand records with typing errors: who is the same person, by keys that must agree exactly.
fn febrl(numbers: &mut Numbers, run: &Run) -> Outcome<()> {
    let rows = records("febrl3.csv.gz")?;
    let column = |name: &str| rows.iter().map(|r| cell(r, name)).collect::<Vec<_>>();
    let key = |names: &[&str]| -> Vec<Option<String>> {
        let join = |row: &Record| {
            let parts: Option<Vec<String>> = names.iter().map(|n| cell(row, n)).collect();
            parts.map(|p| p.join("|"))
        };
        rows.iter().map(join).collect()
    };
    let frame = Columns::new()
        .with("person", column("person"))
        .with("soc_sec_id", column("soc_sec_id"))
        .with("name_and_birth", key(&["given_name", "date_of_birth"]))
        .with("surname_and_birth", key(&["surname", "date_of_birth"]))
        .with("name_and_place", key(&["given_name", "surname", "postcode"]));
    let identifiers = ["soc_sec_id", "name_and_birth", "surname_and_birth", "name_and_place"];
    let options =
        StitchOptions { identifiers: identifiers.map(str::to_owned).to_vec(), ..StitchOptions::default() };
    let people = stage("FEBRL: stitch", frame.rows(), || {
        let people = stitch(&frame, &options, run)?;
        let said = format!("{} people", people.n_customers());
        Ok((people, said))
    })?;
    let frame = frame.with("customer", people.assign());
    score(numbers, "febrl", &frame, run)
}

// --- part two: the whole chain ---------------------------------------------------------------------------------------

/// From raw events to decisions on a market whose truth is known.
fn market(size: u64, numbers: &mut Numbers, run: &Run) -> Outcome<()> {
    let options = MarketOptions {
        events: Some(size),
        days: 180,
        holdout_days: 90,
        seed: 1,
        ..MarketOptions::default()
    };
    let world = stage("market: simulate", size as usize, || {
        let world = generate(&options, run)?;
        let said = format!("{} events, {} orders", world.tables.events.rows(), world.tables.orders.rows());
        Ok((world, said))
    })?;
    let records = Columns::from(world.tables.records());
    let identifiers = ["user_id", "email", "phone", "loyalty", "device", "cookie"];
    let options = StitchOptions {
        identifiers: identifiers.map(str::to_owned).to_vec(),
        time: Some("time".to_owned()),
        rules: IdentityRules::new([Namespace::new("user_id").limit(1)]),
        ..StitchOptions::default()
    };
    let people = stage("stitch identifiers", records.rows(), || {
        let people = stitch(&records, &options, run)?;
        let said = format!("{} customers", people.n_customers());
        Ok((people, said))
    })?;
    let assign = |table: &Table| -> Outcome<Columns> {
        let frame = Columns::from(table.clone());
        let customers = people.assign_frame(&frame, &AssignOptions::default(), run)?;
        Ok(frame.with("customer", customers))
    };
    let touches = assign(&world.tables.events)?;
    let truth = Columns::from(world.tables.truth_orders.clone());
    let mut orders = assign(&world.tables.orders)?;
    if let Some(person) = truth.get("person") {
        orders.set("person", person.clone());
    }
    score(numbers, "market_identity", &orders, run)?;

    let options = EventOptions {
        cost: Some("cost".to_owned()),
        value: Some("value".to_owned()),
        ..EventOptions::default()
    };
    let journeys = stage("journeys", touches.rows(), || {
        let journeys = Journeys::from_events(&touches, Some(&orders), &options, run)?;
        let said = format!("{} journeys", journeys.len());
        Ok((journeys, said))
    })?;
    let credit = stage("attribution", touches.rows(), || credit(&journeys, models(), run))?;
    keep(numbers, "market_credit", &credit, &["model", "channel", "conversions", "value", "roas"]);
    let effects = world.truth.channels();
    keep(numbers, "market_truth", &effects, &["channel", "incremental_conversions", "incremental_value"]);

    let options = SummarizeOptions { period: Duration::from_days(7).into(), ..SummarizeOptions::default() };
    let summary = stage("clv: summarize", orders.rows(), || {
        let summary = summarize(&orders, &options, run)?;
        let said = format!("{} customers", summary.len());
        Ok((summary, said))
    })?;
    let frame = Columns::from(summary.table());
    let (model, spend) = stage("clv: fit", frame.rows(), || fit(&frame, run))?;
    let values = value_of(&frame, &model, &spend, run)?;
    let segments = stage("segments: RFM", orders.rows(), || {
        Ok((rfm(&orders, &RfmOptions::default(), run)?.table(), String::new()))
    })?;
    let clusters = stage("segments: k-means", segments.rows(), || {
        let features = ["recency", "frequency", "monetary"].map(str::to_owned).to_vec();
        let means = KMeans { k: 5, features, scale: Scale::Standard, ..KMeans::default() };
        let fit = means.fit(&Columns::from(segments.clone()), run)?;
        let said = format!("inertia {:.1}", fit.model().inertia());
        Ok((fit.into_model(), said))
    })?;
    parameters(numbers, "market", &model, &spend);
    keep(numbers, "market_value", &values, &["customer", "expected_purchases", "p_alive", "lifetime_value"]);
    keep(numbers, "market_rfm", &segments, &["customer", "recency", "frequency", "monetary", "segment"]);
    let found = json!({ "inertia": clusters.inertia(), "centers": clusters.centers() });
    numbers.insert("market_kmeans".to_owned(), found);
    Ok(())
}

// --- the stages' common parts ----------------------------------------------------------------------------------------

fn models() -> Vec<Model> {
    let markov = |order| Model::Markov(Markov { order, ..Markov::default() });
    vec![
        Model::First,
        Model::Last,
        Model::LastNonDirect { direct: vec!["direct".to_owned()] },
        Model::Linear,
        Model::PositionBased { first: 0.4, last: 0.4 },
        Model::TimeDecay { half_life: Duration::from_days(7) },
        markov(1),
        markov(2),
        Model::Shapley(Shapley::default()),
    ]
}

fn credit(journeys: &Journeys, models: Vec<Model>, run: &Run) -> Outcome<(Table, String)> {
    let said = format!("{} models", models.len());
    Ok((attribute(journeys, &AttributeOptions { models, ..Default::default() }, run)?.table(), said))
}

fn fit(frame: &Columns, run: &Run) -> Outcome<((BetaGeoModel, GammaGammaModel), String)> {
    let (model, _) = beta_geo(
        frame,
        &BetaGeoOptions { period: Some(Duration::from_days(7).into()), ..BetaGeoOptions::default() },
        run,
    )?;
    let (spend, _) = gamma_gamma(frame, &GammaGammaOptions::default(), run)?;
    let said = format!("log-likelihood {:.4}", model.log_likelihood().unwrap_or_default());
    Ok(((model, spend), said))
}

fn value_of(frame: &Columns, model: &BetaGeoModel, spend: &GammaGammaModel, run: &Run) -> Outcome<Table> {
    let options = LifetimeOptions {
        periods: 52.0.into(),
        discount_rate: 0.0025.into(),
        margin: 0.3,
        ..LifetimeOptions::default()
    };
    stage("clv: lifetime value of 52 weeks", frame.rows(), || {
        Ok((lifetime_value(model, spend, frame, &options, run)?.table(), String::new()))
    })
}

/// Precision and recall of pairs of rows that are one customer's.
fn score(numbers: &mut Numbers, name: &str, frame: &Columns, run: &Run) -> Outcome<()> {
    let options = EvaluateOptions { truth: "person".to_owned(), ..EvaluateOptions::default() };
    let scores = evaluate(frame, &options, run)?.scores;
    println!("{:<34}precision {:.4}, recall {:.4}", "  against the truth", scores.precision, scores.recall);
    let found = json!({ "precision": scores.precision, "recall": scores.recall, "f1": scores.f1 });
    numbers.insert(name.to_owned(), found);
    Ok(())
}

/// One line of the story: what was done, on how many rows, in how long.
fn stage<T>(name: &str, rows: usize, work: impl FnOnce() -> Outcome<(T, String)>) -> Outcome<T> {
    let begun = Instant::now();
    let (out, said) = work()?;
    println!("{name:<34}{rows:>12} rows {:>8.2} s   {said}", begun.elapsed().as_secs_f64());
    Ok(out)
}

fn parameters(numbers: &mut Numbers, name: &str, model: &BetaGeoModel, spend: &GammaGammaModel) {
    let with = |estimates: &headwater::clv::Estimates| json!({ "params": estimates.values, "log_likelihood": estimates.log_likelihood });
    numbers.insert(format!("{name}_beta_geo"), with(model.estimates()));
    numbers.insert(format!("{name}_gamma_gamma"), with(spend.estimates()));
}

/// Remembers the first rows of a result.
fn keep(numbers: &mut Numbers, name: &str, table: &Table, columns: &[&str]) {
    let mut out = Map::new();
    for column in table.columns().iter().filter(|c| columns.contains(&c.name.as_str())) {
        let rows = column.values.len().min(50);
        let cell = |i: usize| match &column.values {
            _ if column.valid.as_ref().is_some_and(|v| !v[i]) => Value::Null,
            Values::F64(v) => json!(v[i]),
            Values::I64(v) | Values::Time(v) => json!(v[i]),
            Values::Bool(v) => json!(v[i]),
            Values::Text(v) => json!(v.get(i)),
            Values::Names(v) => match &*v.labels {
                headwater::column::Labels::Int(ints) => json!(ints.get(v.codes[i] as usize)),
                headwater::column::Labels::Text(_) => json!(v.get(i)),
            },
            _ => Value::Null,
        };
        out.insert(column.name.clone(), (0..rows).map(cell).collect());
    }
    numbers.insert(name.to_owned(), Value::Object(out));
}

// --- files -----------------------------------------------------------------------------------------------------------

type Record = std::collections::HashMap<String, String>;

fn records(name: &str) -> Outcome<Vec<Record>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data").join(name);
    let bytes = std::fs::read(&file)?;
    let mut text = String::new();
    if file.extension().is_some_and(|e| e == "gz") {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8(bytes)?;
    }
    Ok(csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>()?)
}

fn cell(row: &Record, name: &str) -> Option<String> {
    row.get(name).filter(|text| !text.is_empty()).cloned()
}

fn read_csv(name: &str, whole: &[&str], numbers: &[&str]) -> Outcome<Columns> {
    let rows = records(name)?;
    let mut columns: Vec<String> = rows.first().map(|r| r.keys().cloned().collect()).unwrap_or_default();
    columns.sort_unstable();
    let mut frame = Columns::new();
    for column in &columns {
        let texts = rows.iter().map(|r| r.get(column).map(String::as_str).unwrap_or_default());
        if whole.contains(&column.as_str()) {
            frame.set(column, texts.map(str::parse::<i64>).collect::<Result<Vec<_>, _>>()?);
        } else if numbers.contains(&column.as_str()) {
            frame.set(column, texts.map(str::parse::<f64>).collect::<Result<Vec<_>, _>>()?);
        } else {
            frame.set(column, texts.map(str::to_owned).collect::<Vec<String>>());
        }
    }
    Ok(frame)
}
