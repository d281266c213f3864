//! Partial pooling: its limits, and what small groups gain.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::needless_range_loop)]

mod support;

use headwater::clv::posterior::{
    DrawPredictOptions, Hierarchy, HierarchyOptions, Posterior, PosteriorOptions, SummaryOptions,
    sample_hierarchy, sample_posterior,
};
use headwater::column::Columns;
use headwater::model::{from_bytes, to_bytes};
use headwater::{Result, Run};
use support::draws::Draws;

#[derive(Default)]
struct Customers {
    frequency: Vec<f64>,
    recency: Vec<f64>,
    age: Vec<f64>,
    channel: Vec<&'static str>,
}

impl Customers {
    /// BG/NBD with r = 1.2, a = 0.8, b = 2.5 and this α.
    fn add(&mut self, channel: &'static str, n: usize, alpha: f64, draws: &mut Draws) {
        for i in 0..n {
            let age = 30.0 + (i % 20) as f64;
            let (rate, leave) = (draws.gamma(1.2) / alpha, draws.beta(0.8, 2.5));
            let (mut x, mut last, mut t) = (0.0, 0.0, 0.0);
            loop {
                t += draws.exponential() / rate;
                if t > age {
                    break;
                }
                (x, last) = (x + 1.0, t);
                if draws.uniform() < leave {
                    break;
                }
            }
            self.frequency.push(x);
            self.recency.push((last * 10.0_f64).floor() / 10.0);
            self.age.push(age);
            self.channel.push(channel);
        }
    }

    fn frame(&self) -> Columns {
        Columns::new()
            .with("customer", (0..self.age.len() as i64).collect::<Vec<_>>())
            .with("frequency", self.frequency.clone())
            .with("recency", self.recency.clone())
            .with("T", self.age.clone())
            .with("channel", self.channel.clone())
    }

    fn only(&self, channel: &str) -> Columns {
        let rows: Vec<usize> = (0..self.age.len()).filter(|i| self.channel[*i] == channel).collect();
        let take = |v: &[f64]| rows.iter().map(|i| v[*i]).collect::<Vec<f64>>();
        Columns::new()
            .with("frequency", take(&self.frequency))
            .with("recency", take(&self.recency))
            .with("T", take(&self.age))
    }
}

fn market() -> Customers {
    let mut draws = Draws::new(6);
    let mut out = Customers::default();
    for (channel, n, alpha) in
        [("ads", 900, 6.0), ("mail", 700, 9.0), ("search", 800, 12.0), ("shop", 600, 8.0), ("tv", 35, 10.0)]
    {
        out.add(channel, n, alpha, &mut draws);
    }
    out
}

fn sampling(draws: usize) -> PosteriorOptions {
    PosteriorOptions { chains: 2, draws, tune: 300, target_accept: 0.9, ..PosteriorOptions::default() }
}

fn pool(customers: &Customers, spread: f64, draws: usize) -> Result<Hierarchy> {
    let options = HierarchyOptions { group: "channel".into(), spread, sampling: sampling(draws) };
    Ok(sample_hierarchy("BetaGeo", &customers.frame(), &options, &Run::new().seed(3))?.0)
}

fn moments(posterior: &Posterior, parameter: usize) -> (f64, f64) {
    let logs: Vec<f64> = posterior.draws().map(|d| d[parameter].ln()).collect();
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    (mean, (logs.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0)).sqrt())
}

#[test]
fn large_groups_speak_for_themselves_and_small_ones_borrow() -> Result<()> {
    let customers = market();
    let found = pool(&customers, 0.5, 300)?;
    assert_eq!(found.groups(), ["ads", "mail", "search", "shop", "tv"]);
    let table = found.groups_table(&SummaryOptions::default())?;
    let r_hat = table.f64s("r_hat").expect("R̂");
    assert!(r_hat.iter().all(|r| *r < 1.03), "{r_hat:?}");
    assert!(found.new_group().divergences() <= 12, "{}", found.new_group().divergences());
    let run = Run::new().seed(3);
    let alone = |channel: &str| -> Result<Posterior> {
        Ok(sample_posterior("BetaGeo", &customers.only(channel), &sampling(300), &run)?.0)
    };
    // α of the large ones is apart, as it is in truth.
    let alpha = |channel: &str| moments(found.group(channel).expect("a group"), 1);
    assert!(alpha("ads").0 < alpha("search").0);
    // The small one knows more together than alone, and is nearer to the others.
    let (together, apart) = (alpha("tv"), moments(&alone("tv")?, 1));
    assert!(together.1 < 0.7 * apart.1, "{together:?} {apart:?}");
    let large = moments(&alone("ads")?, 1);
    assert!((alpha("ads").0 - large.0).abs() < 1.5 * large.1);
    Ok(())
}

#[test]
fn without_spread_the_groups_are_one() -> Result<()> {
    let customers = market();
    let found = pool(&customers, 0.002, 300)?;
    let run = Run::new().seed(3);
    let (whole, _) = sample_posterior("BetaGeo", &customers.frame(), &sampling(300), &run)?;
    for parameter in 0..4 {
        let (mean, sd) = moments(&whole, parameter);
        for channel in found.groups() {
            let (own, spread) = moments(found.group(channel).expect("a group"), parameter);
            assert!((own - mean).abs() < 0.35 * sd, "{channel} {parameter}: {own} {mean} ± {sd}");
            assert!((spread / sd - 1.0).abs() < 0.3, "{channel} {parameter}: {spread} {sd}");
        }
    }
    Ok(())
}

#[test]
fn files_and_predictions_are_by_group() -> Result<()> {
    let run = Run::new();
    let customers = market();
    let found = pool(&customers, 0.5, 60)?;
    let back: Hierarchy = from_bytes(&to_bytes(&found)?)?;
    assert_eq!(back, found);
    let frame = Columns::new()
        .with("customer", vec!["a", "b", "c"])
        .with("frequency", vec![2.0, 2.0, 2.0])
        .with("recency", vec![20.0, 20.0, 20.0])
        .with("T", vec![30.0, 30.0, 30.0])
        .with("channel", vec!["search", "ads", "radio"]);
    let ask = DrawPredictOptions { periods: 10.0.into(), ..DrawPredictOptions::default() };
    let table = back.predict(&frame, &ask, &run)?.table();
    let column = |name: &str| table.f64s(name).expect("a column").to_vec();
    let (expected, low, high) =
        (column("expected_purchases"), column("expected_purchases_low"), column("expected_purchases_high"));
    assert!(expected[0] < expected[1]);
    // Nobody knows radio: its interval is the widest.
    assert!(high[2] - low[2] > high[0] - low[0] && high[2] - low[2] > high[1] - low[1]);
    let own = found.group("ads").expect("ads").predict(&frame, &ask, &run)?.table();
    assert_eq!(own.f64s("expected_purchases").expect("a column")[1], expected[1]);
    Ok(())
}

#[test]
fn draws_depend_on_the_seed_alone() -> Result<()> {
    let mut draws = Draws::new(2);
    let mut customers = Customers::default();
    customers.add("a", 120, 6.0, &mut draws);
    customers.add("b", 90, 9.0, &mut draws);
    let options = HierarchyOptions {
        group: "channel".into(),
        spread: 0.5,
        sampling: PosteriorOptions { tune: 60, max_depth: 4, ..sampling(20) },
    };
    let sample = |threads: usize, seed: u64| {
        sample_hierarchy("ParetoNBD", &customers.frame(), &options, &Run::new().threads(threads).seed(seed))
    };
    let one = sample(1, 5)?.0;
    assert_eq!(sample(2, 5)?.0, one);
    assert_ne!(sample(1, 6)?.0, one);
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let mut customers = Customers::default();
    customers.add("a", 50, 6.0, &mut Draws::new(2));
    let message = |options: HierarchyOptions| match sample_hierarchy(
        "BetaGeo",
        &customers.frame(),
        &options,
        &Run::new(),
    ) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let by_channel = || HierarchyOptions { group: "channel".into(), ..HierarchyOptions::default() };
    assert!(message(by_channel()).contains("1 groups"));
    assert!(message(HierarchyOptions::default()).contains("group"));
    assert!(message(HierarchyOptions { spread: 0.0, ..by_channel() }).contains("spread"));
}
