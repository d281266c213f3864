//! How each attribution model errs in markets whose truth is known, and how
//! often intervals cover it; as Markdown.
//!
//! ```text
//! cargo run --release -p headwater --example market_scores
//! cargo run --release -p headwater --example market_scores -- --people 50000 --seeds 5 --models FILE
//! cargo run --release -p headwater --example market_scores -- --coverage 200
//! cargo run --release -p headwater --example market_scores -- --coverage 200 --from 200
//! cargo run --release -p headwater --example market_scores -- --aim 300000
//! cargo run --release -p headwater --example market_scores -- --aim 300000 --only synergy,mixed
//! ```
//!
//! `--models` is a file with a JSON array of models, as `attribute` takes them;
//! by default `MODELS`. `--aim` tells how far each channel is off with one lift test
//! for three channels, in markets of so many people; `--from` begins at a later
//! seed, for it and for `--coverage`, and `--only` names the markets, for it and for the errors of models. Customers are known without error here: what
//! stitching adds to the errors is another question.
#![allow(clippy::print_stdout)]

mod world;

use std::collections::BTreeMap;
use std::error::Error;

use headwater::attribution::{AttributeOptions, attribute, calibrate};
use headwater::column::{Columns, Text, Values};
use headwater::simulate::{ScoreOptions, Scores, presets, score};
use headwater::{Run, Table, options};

use world::World;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The models that are scored. New ones join here.
const MODELS: &str = r#"["first", "last", "last_non_direct", "linear", "position_based", "time_decay", "shapley",
    {"model": "shapley", "worth": "rate"}, {"model": "markov", "order": 1}, {"model": "markov", "order": 2},
    "logistic", "shao_li", "path_counterfactual", "time_to_event", "additive_hazard"]"#;

/// Estimates with intervals, whose coverage is counted. New ones join here.
const ESTIMATORS: [(&str, Estimator); 3] = [
    ("lift tests alone, 90 %", lift_intervals),
    ("Markov chain, calibrated by a test for three channels, 90 %", |world, run| {
        let tests = world.a_third_of_the_tests(run)?;
        calibrated(world, tests, r#"{"models": [{"model": "markov"}], "bootstrap": 50}"#, run)
    }),
    ("customers compared with themselves, joined with a test for three channels, 90 %", compared),
];

/// Gives a frame of channel, conversions, and `conversions_low` and `_high` or `share_low` and `_high`.
type Estimator = fn(&World, &Run) -> Outcome<Columns>;

/// The normal quantile of a two-sided 90 % interval.
const Z90: f64 = 1.644_853_626_951_472_7;

struct Arguments {
    people: u64,
    seeds: u64,
    coverage: u64,
    from: u64,
    aim: u64,
    models: String,
    markets: Vec<String>,
}

fn main() -> Outcome<()> {
    let mut given = Arguments {
        people: 20_000,
        seeds: 3,
        coverage: 0,
        from: 0,
        aim: 0,
        models: MODELS.to_owned(),
        markets: market_names(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--people" => given.people = value.parse()?,
            "--seeds" => given.seeds = value.parse()?,
            "--coverage" => given.coverage = value.parse()?,
            "--from" => given.from = value.parse()?,
            "--aim" => given.aim = value.parse()?,
            "--models" => given.models = std::fs::read_to_string(value)?,
            "--only" => given.markets = value.split(',').map(str::to_owned).collect(),
            _ => {
                let known = "--people, --seeds, --models, --coverage, --from, --aim or --only";
                return Err(format!("{name}: give {known}").into());
            }
        }
    }
    let run = Run::new();
    match &given {
        Arguments { coverage: count, from, .. } if *count > 0 => coverage(*from, *count, &run),
        Arguments { aim: people, .. } if *people > 0 => aim(*people, &given, &run),
        _ => errors(&given, &run),
    }
}

/// What a model's scores are, on average over seeds.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, x: f64) {
        self.sum += x;
        self.count += 1.0;
    }

    fn value(&self) -> f64 {
        self.sum / self.count
    }
}

/// Model, market and measure to the mean; models in the order in which they come.
#[derive(Default)]
struct Book {
    models: Vec<String>,
    cells: BTreeMap<(String, String, &'static str), Mean>,
    /// Market, channel and model (empty for the truth) to the mean share.
    shares: BTreeMap<(String, String, String), Mean>,
}

const MEASURES: [&str; 4] = ["weighted_mape", "largest_error", "kendall_tau", "over_credit"];

impl Book {
    fn add(&mut self, market: &str, scores: &Scores) {
        let table = &scores.models;
        for row in 0..table.rows() {
            let model = table.text("model", row).unwrap_or_default().into_owned();
            if !self.models.contains(&model) {
                self.models.push(model.clone());
            }
            for measure in MEASURES {
                let there =
                    table.get(measure).is_some_and(|c| c.valid.as_ref().is_none_or(|valid| valid[row]));
                if let (true, Some(x)) = (there, table.f64s(measure).map(|v| v[row])) {
                    self.cells.entry((model.clone(), market.to_owned(), measure)).or_default().add(x);
                }
            }
        }
    }

    fn add_shares(&mut self, market: &str, table: &Table) {
        let text = |name, row| table.text(name, row).unwrap_or_default().into_owned();
        let numbers = |name| table.f64s(name).unwrap_or_default();
        for row in 0..table.rows() {
            let mut add = |model, share| {
                let key = (market.to_owned(), text("channel", row), model);
                self.shares.entry(key).or_default().add(share);
            };
            add(text("model", row), numbers("credit_share")[row]);
            add(String::new(), numbers("true_share")[row]);
        }
    }

    /// One row a market and channel, one column a model.
    fn print_shares(&self) {
        let head = self.models.join(" | ");
        println!("\nWhere the credit goes, in %\n\n| market | channel | truth | {head} |");
        println!("| --- | --- | ---: |{}", " ---: |".repeat(self.models.len()));
        for ((market, channel, model), truth) in &self.shares {
            if !model.is_empty() {
                continue;
            }
            let cells = self.models.iter().map(|m| {
                let mean = self.shares.get(&(market.clone(), channel.clone(), m.clone()));
                mean.map_or_else(|| "–".to_owned(), |mean| format!("{:.0}", mean.value() * 100.0))
            });
            let cells: Vec<String> = cells.collect();
            println!("| {market} | {channel} | {:.0} | {} |", truth.value() * 100.0, cells.join(" | "));
        }
    }

    /// One row a model, one column a market; the best model of each market in bold.
    fn print(&self, title: &str, markets: &[String], measure: &'static str, best_is_low: Option<bool>) {
        let value = |model: &str, market: &str| {
            self.cells.get(&(model.to_owned(), market.to_owned(), measure)).map(Mean::value)
        };
        let tau = measure == "kendall_tau";
        let shown = |x: f64| if tau { format!("{x:.2}") } else { format!("{:.0}", x * 100.0) };
        println!("\n{title}\n\n| model | {} |", markets.join(" | "));
        println!("| --- |{}", " ---: |".repeat(markets.len()));
        for model in &self.models {
            let cells = markets.iter().map(|market| match value(model, market) {
                None => "–".to_owned(),
                Some(x) => {
                    let rivals = self.models.iter().filter(|m| !m.starts_with('('));
                    let mut rivals = rivals.filter_map(|m| value(m, market));
                    let best = best_is_low.is_some_and(|low| {
                        rivals.all(|y| shown(x) == shown(y) || if low { x < y } else { x > y })
                    });
                    if best && !model.starts_with('(') { format!("**{}**", shown(x)) } else { shown(x) }
                }
            });
            println!("| {model} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
    }
}

fn market_names() -> Vec<String> {
    let table = presets();
    (0..table.rows()).filter_map(|row| table.text("name", row).map(std::borrow::Cow::into_owned)).collect()
}

fn errors(given: &Arguments, run: &Run) -> Outcome<()> {
    let models: AttributeOptions = options::parse(&format!("{{\"models\": {}}}", given.models))?;
    let markets = &given.markets;
    let (mut book, plain) = (Book::default(), ScoreOptions::default());
    println!("| market | orders | incremental | true shares |\n| --- | ---: | ---: | --- |");
    for name in markets {
        for seed in 1..=given.seeds {
            let world = World::new(name, given.people, seed, run)?;
            if seed == 1 {
                describe(name, &world);
            }
            let credits = attribute(&world.journeys, &models, run)?.table();
            let truth = world.truth();
            let scores = score(&credits.into(), &truth, &plain, run)?;
            book.add(name, &scores);
            book.add_shares(name, &scores.channels);
            for (label, credits) in yardsticks(&world, run)? {
                let n = credits.rows();
                let credits = credits.with("model", vec![label; n]);
                book.add(name, &score(&credits, &truth, &plain, run)?);
            }
        }
    }
    println!("\n{} people, {} seeds each.", given.people, given.seeds);
    book.print(
        "Error of shares: Σ|error| / Σ share over channels above 5 %, in %",
        markets,
        MEASURES[0],
        Some(true),
    );
    book.print("Largest relative error of a channel above 5 %, in %", markets, MEASURES[1], Some(true));
    book.print("Rank correlation with the truth, τ_b", markets, MEASURES[2], Some(false));
    book.print("Credit beyond what channels truly did, in %", markets, MEASURES[3], None);
    book.print_shares();
    Ok(())
}

fn describe(name: &str, world: &World) {
    let truth = &world.truth;
    let table = truth.channels();
    let shares = table.f64s("lost_share").unwrap_or_default();
    let mut told: Vec<(f64, &str)> =
        shares.iter().copied().zip(truth.by_channel.iter().map(|c| c.channel.as_str())).collect();
    told.sort_by(|a, b| b.0.total_cmp(&a.0));
    let told: Vec<String> = told.iter().map(|(share, c)| format!("{c} {:.0} %", share * 100.0)).collect();
    let caused = truth.orders - truth.baseline_orders;
    println!(
        "| {name} | {} | {:.0} % | {} |",
        truth.orders,
        100.0 * caused as f64 / truth.orders as f64,
        told.join(", ")
    );
}

/// What needs no model: the same to all, by touches, and experiments on every channel.
fn yardsticks(world: &World, run: &Run) -> Outcome<Vec<(&'static str, Columns)>> {
    let truth = &world.truth.by_channel;
    let names = || truth.iter().map(|c| c.channel.as_str()).collect::<Vec<_>>();
    let credit = |x: Vec<f64>| Columns::new().with("channel", names()).with("conversions", x);
    let each = world.truth.orders as f64 / truth.len() as f64;
    let touches = world.truth.events as f64 / world.truth.orders as f64;
    let tests = world.lift_tests(run)?;
    let column = |name: &str| tests.get(name).cloned().ok_or("a lift test without its columns");
    let effects = Columns::new().with("channel", column("channel")?).with("conversions", column("effect")?);
    let mut out = vec![
        ("(the same to all)", credit(vec![each; truth.len()])),
        ("(by number of touches)", credit(truth.iter().map(|c| c.touches as f64 / touches).collect())),
        ("(a lift test of each channel)", effects),
    ];
    for (label, options) in CALIBRATED {
        out.push((label, calibrated(world, world.a_third_of_the_tests(run)?, options, run)?));
    }
    out.push(("(compared with themselves, joined with tests)", compared(world, run)?));
    Ok(out)
}

/// Calibrated by a test for three channels.
const CALIBRATED: [(&str, &str); 3] = [
    ("(Markov, calibrated: shrink)", r#"{"models": [{"model": "markov"}]}"#),
    (
        "(Markov, calibrated: proportional)",
        r#"{"models": [{"model": "markov"}], "untested": "proportional"}"#,
    ),
    ("(Markov, calibrated: none)", r#"{"models": [{"model": "markov"}], "untested": "none"}"#),
];

/// Customers compared with themselves, what follows intent left out, and one test for three channels.
fn compared(world: &World, run: &Run) -> Outcome<Columns> {
    let exclude: Vec<String> = world.intent().iter().map(|c| format!("{c:?}")).collect();
    let given = format!("{{\"self_controlled\": {{\"exclude\": [{}]}}}}", exclude.join(", "));
    calibrated(world, world.chosen_tests(run)?, &given, run)
}

fn calibrated(world: &World, tests: Table, given: &str, run: &Run) -> Outcome<Columns> {
    let mut found = calibrate(&world.journeys, &tests.into(), &options::parse(given)?, run)?;
    let (_, table) = found.swap_remove(0);
    // What is neither compared nor tested is not told.
    let told = table.get("low").and_then(|c| c.valid.clone());
    let channels: Vec<usize> = (0..table.rows())
        .filter(|row| table.text("channel", *row).as_deref() != Some("(baseline)"))
        .filter(|row| told.as_ref().is_none_or(|told| told[*row]))
        .collect();
    let names: Text = channels.iter().filter_map(|row| table.text("channel", *row)).collect();
    let numbers = |name: &str| -> Outcome<Vec<f64>> {
        let column = table.f64s(name).ok_or_else(|| format!("no column {name}"))?;
        Ok(channels.iter().map(|row| column[*row]).collect())
    };
    Ok(Columns::new()
        .with("channel", names)
        .with("conversions", numbers("calibrated")?)
        .with("conversions_low", numbers("low")?)
        .with("conversions_high", numbers("high")?))
}

// --- the aim -----------------------------------------------------------------------------------------------------------

/// How far each channel above 5 % is off, and how often all of a market's are within 10 %.
fn aim(people: u64, Arguments { from, seeds, markets, .. }: &Arguments, run: &Run) -> Outcome<()> {
    println!("{people} people, {seeds} seeds; one test for three channels, of half of the people.\n");
    println!(
        "| market | worst of each seed, share in % | the same, amount | true share → estimate (last seed) |"
    );
    println!("| --- | --- | --- | --- |");
    for name in markets {
        let (mut shares, mut amounts, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for seed in from + 1..=from + seeds {
            let world = World::new(name, people, seed, run)?;
            let found =
                score(&compared(&world, run)?, &world.truth(), &ScoreOptions::default(), run)?.channels;
            let column = |name: &str| found.f64s(name).ok_or_else(|| format!("no column {name}"));
            let (share, true_share) = (column("credit_share")?, column("true_share")?);
            let (amount, truth) = (column("credit")?, column("truth")?);
            let large = (0..found.rows()).filter(|row| true_share[*row] >= 0.05);
            let worst =
                |a: &[f64], b: &[f64]| large.clone().map(|r| (a[r] / b[r] - 1.0).abs()).fold(0.0, f64::max);
            shares.push(format!("{:.1}", 100.0 * worst(share, true_share)));
            amounts.push(format!("{:.1}", 100.0 * worst(amount, truth)));
            let told = |row: usize| {
                let channel = found.text("channel", row).unwrap_or_default();
                format!("{channel} {:.1} → {:.1}", 100.0 * true_share[row], 100.0 * share[row])
            };
            shown = large.clone().map(told).collect();
        }
        println!("| {name} | {} | {} | {} |", shares.join(", "), amounts.join(", "), shown.join(", "));
    }
    Ok(())
}

// --- coverage ----------------------------------------------------------------------------------------------------------

/// How often intervals cover the truth, over many small markets.
fn coverage(from: u64, count: u64, run: &Run) -> Outcome<()> {
    let markets = market_names();
    println!("| estimate | market | intervals | cover |\n| --- | --- | ---: | ---: |");
    for (label, estimate) in ESTIMATORS {
        let mut hits: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for at in 0..count {
            let name = &markets[at as usize % markets.len()];
            let world = World::new(name, 3_000, 1_000 + from + at, run)?;
            let scores = score(&estimate(&world, run)?, &world.truth(), &ScoreOptions::default(), run)?;
            let tally = hits.entry(name).or_default();
            for column in ["covered", "share_covered"] {
                let Some(column) = scores.channels.get(column) else { continue };
                let Values::Bool(covered) = &column.values else { continue };
                for (row, hit) in covered.iter().enumerate() {
                    if column.valid.as_ref().is_none_or(|valid| valid[row]) {
                        tally.0 += u64::from(*hit);
                        tally.1 += 1;
                    }
                }
            }
        }
        let all = hits.values().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        for (market, (hit, told)) in markets.iter().filter_map(|m| Some((m.as_str(), *hits.get(m.as_str())?)))
        {
            println!("| {label} | {market} | {told} | {:.1} % |", 100.0 * hit as f64 / told as f64);
        }
        let rate = all.0 as f64 / all.1 as f64;
        let error = (rate * (1.0 - rate) / all.1 as f64).sqrt();
        println!("| {label} | all | {} | {:.1} ± {:.1} % |", all.1, rate * 100.0, error * 100.0);
    }
    Ok(())
}

/// What a lift test of each channel says by itself.
fn lift_intervals(world: &World, run: &Run) -> Outcome<Columns> {
    let tests = world.lift_tests(run)?;
    let numbers = |name: &str| tests.f64s(name).ok_or_else(|| format!("no column {name}"));
    let (effect, error) = (numbers("effect")?, numbers("standard_error")?);
    let at = |z: f64| effect.iter().zip(error).map(|(x, e)| x + z * e).collect::<Vec<f64>>();
    let names: Text = (0..tests.rows()).filter_map(|row| tests.text("channel", row)).collect();
    Ok(Columns::new()
        .with("channel", names)
        .with("conversions", effect.to_vec())
        .with("conversions_low", at(-Z90))
        .with("conversions_high", at(Z90)))
}
