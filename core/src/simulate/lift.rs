//! Randomised experiments on a market: what a calibration is fed with.

use serde::{Deserialize, Serialize};

use super::block::{BLOCK, Block};
use super::life::{Life, Off, Real};
use super::market::Market;
use super::options::MarketOptions;
use super::person::Plan;
use crate::column::{Duration, Table, Text, Values};
use crate::journey::Moment;
use crate::math::ExactSum;
use crate::math::sample::Sampler;
use crate::run::split_mix;
use crate::{Error, Result, Run};

/// Who is compared with whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiftDesign {
    /// Everyone in the market: those who are held out with those who are not,
    /// touched or not.
    #[default]
    Everyone,
    /// Only those whom the channel would touch in the period, as with ghost
    /// ads (Johnson, Lewis & Nubbemeyer 2017): the same effect, less noise.
    Reached,
}

/// What a lift test counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiftMetric {
    /// Orders.
    #[default]
    Conversions,
    /// Their value.
    Value,
}

impl LiftMetric {
    fn name(self) -> &'static str {
        match self {
            Self::Conversions => "conversions",
            Self::Value => "value",
        }
    }
}

/// One randomised test of one channel.
///
/// Each person is held out with the probability `held_out`; the channel does
/// not touch who is held out from `start` to `end`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiftTest {
    /// The channel.
    pub channel: String,
    /// The first instant: a time, or microseconds. Default: the market's start.
    pub start: Option<Moment>,
    /// The end, excluded. Default: the end of the observed days.
    pub end: Option<Moment>,
    /// The share of people held out, above 0 and below 1. Default 0.5.
    pub held_out: f64,
    /// How long after the end orders still count, so that what the touches of
    /// the period bring about late is not missed. Default `"0d"`.
    pub cooldown: Duration,
    /// Everyone (`"everyone"`), or those whom the channel would touch
    /// (`"reached"`). Default `"everyone"`.
    pub design: LiftDesign,
    /// `"conversions"` or `"value"`. Default `"conversions"`.
    pub metric: LiftMetric,
    /// Decides who is held out, with the market's own seed and the channel: tests of several channels
    /// are independent of each other. Default 0.
    pub seed: u64,
}

impl Default for LiftTest {
    fn default() -> Self {
        Self {
            channel: String::new(),
            start: None,
            end: None,
            held_out: 0.5,
            cooldown: Duration::default(),
            design: LiftDesign::default(),
            metric: LiftMetric::default(),
            seed: 0,
        }
    }
}

/// A market, and the tests to make in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiftOptions {
    /// The market. Default: the default one.
    pub market: MarketOptions,
    /// The tests, one or more. Each is made as if it were the only one.
    pub tests: Vec<LiftTest>,
}

/// Makes lift tests, and tells the truth beside their estimates. One row a test:
///
/// | column | meaning |
/// | --- | --- |
/// | channel, start, end, metric | of the test; start and end are times, the end excluded |
/// | effect | incremental conversions (or value) of the whole population: N (m₁ − m₀), with m₁ and m₀ the means a person of those who are not and those who are held out |
/// | standard_error | N √(s₁²/n₁ + s₀²/n₀) |
/// | true_effect | what all people would have lost with the channel off from start to end |
/// | people, held_out | how many are compared (N), and how many of them are held out (n₀) |
/// | conversions, conversions_held_out | orders of the two arms from the start to the end and `cooldown` |
///
/// N counts people who entered before counting ends, or with the design
/// `reached` those of them whom the channel would touch. Touches before the
/// start work in both arms, so the effect is that of the period's touches
/// alone. People in a test are those of the market itself, living the same
/// lives: what [`generate`](super::generate) gives is this market without a test.
///
/// # Errors
/// `Option` for a channel that is not there, a period outside of the market's
/// days, no test or a share that is none; `NotEnoughData` where an arm has less
/// than two people or nobody ordered; `Cancelled`.
///
/// ```
/// use headwater::Run;
/// use headwater::simulate::{LiftOptions, LiftTest, MarketOptions, lift_test};
///
/// let market = MarketOptions { people: 4_000, ..MarketOptions::preset("plain")? };
/// let tests = vec![LiftTest { channel: "display".into(), ..LiftTest::default() }];
/// let table = lift_test(&LiftOptions { market, tests }, &Run::new())?;
/// let (effect, error) = (table.f64s("effect").unwrap()[0], table.f64s("standard_error").unwrap()[0]);
/// assert!((effect - table.f64s("true_effect").unwrap()[0]).abs() < 4.0 * error);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn lift_test(options: &LiftOptions, run: &Run) -> Result<Table> {
    let market = Market::new(options.market.clone())?;
    let plan = market.plan();
    if options.tests.is_empty() {
        return Err(Error::option("tests", "give at least one test"));
    }
    let tests: Vec<Test<'_>> = options.tests.iter().map(|t| Test::new(t, plan)).collect::<Result<_>>()?;
    let people = plan.options.people;
    run.stage("lift tests", people)?;
    let parts = run.map_items(people.div_ceil(BLOCK) as usize, |block| {
        let sums = measure(plan, block as u64, &tests);
        run.advance(BLOCK.min(people - block as u64 * BLOCK))?;
        Ok(sums)
    })?;
    let mut sums: Vec<Sums> = tests.iter().map(|_| Sums::default()).collect();
    for part in &parts {
        for (sum, part) in sums.iter_mut().zip(part) {
            sum.merge(part);
        }
    }
    table(&tests, &sums)
}

/// A test in the units of the simulation.
struct Test<'a> {
    spec: &'a LiftTest,
    off: Off,
    /// Days from and before which orders count.
    counted: (f64, f64),
    period: (i64, i64),
    assignment: Run,
}

impl<'a> Test<'a> {
    fn new(spec: &'a LiftTest, plan: &Plan) -> Result<Self> {
        let channel = plan.options.channel(&spec.channel).ok_or_else(|| {
            Error::option("channel", format!("`{}` is no channel of this market", spec.channel))
        })?;
        if !(spec.held_out > 0.0 && spec.held_out < 1.0) {
            return Err(Error::option(
                "held_out",
                format!("{} is no share of people; give a number between 0 and 1", spec.held_out),
            ));
        }
        let last = plan.micros(plan.horizon);
        let start = spec.start.map_or(plan.start, |at| at.0);
        let end = spec.end.map_or_else(|| plan.micros(plan.end), |at| at.0);
        let until = end.saturating_add(spec.cooldown.micros());
        if start < plan.start || end <= start || until > last {
            return Err(Error::option(
                "end",
                "the test must lie within the market's days, its end after its start, its cooldown before the end of the holdout",
            ));
        }
        let day = |micros| plan.day(micros);
        Ok(Self {
            spec,
            off: Off { channel: channel as u16, from: day(start), to: day(end) },
            counted: (day(start), day(until)),
            period: (start, end),
            // Each channel's test draws its own halves: chance must not err alike in all of them.
            assignment: Run::new().seed(
                split_mix(plan.options.seed ^ spec.seed.rotate_left(32) ^ 0x6c69_6674)
                    ^ split_mix(channel as u64),
            ),
        })
    }

    /// What this person ordered while the test counted.
    fn outcome(&self, life: &Life, real: &Real) -> (u64, f64) {
        let (mut orders, mut value) = (0, 0.0);
        for (order, there) in life.orders.iter().zip(&real.orders) {
            if *there && order.at >= self.counted.0 && order.at < self.counted.1 {
                orders += 1;
                value += order.value;
            }
        }
        match self.spec.metric {
            LiftMetric::Conversions => (orders, orders as f64),
            LiftMetric::Value => (orders, value),
        }
    }
}

/// One arm: people, orders, and the moments of what is measured.
#[derive(Default)]
struct Arm {
    people: u64,
    orders: u64,
    sum: ExactSum,
    squares: ExactSum,
}

impl Arm {
    fn add(&mut self, (orders, y): (u64, f64)) {
        self.people += 1;
        self.orders += orders;
        self.sum.add(y);
        self.squares.add(y * y);
    }

    fn merge(&mut self, part: &Self) {
        self.people += part.people;
        self.orders += part.orders;
        self.sum.merge(&part.sum);
        self.squares.merge(&part.squares);
    }

    /// The mean, and its variance.
    fn mean(&self) -> (f64, f64) {
        let n = self.people as f64;
        let mean = self.sum.value() / n;
        let squares = (self.squares.value() - n * mean * mean).max(0.0);
        (mean, squares / (n - 1.0) / n)
    }
}

#[derive(Default)]
struct Sums {
    /// Those who are not and those who are held out.
    arms: [Arm; 2],
    truth: ExactSum,
}

impl Sums {
    fn merge(&mut self, part: &Self) {
        for (arm, part) in self.arms.iter_mut().zip(&part.arms) {
            arm.merge(part);
        }
        self.truth.merge(&part.truth);
    }
}

fn measure(plan: &Plan, block: u64, tests: &[Test<'_>]) -> Vec<Sums> {
    let mut sums: Vec<Sums> = tests.iter().map(|_| Sums::default()).collect();
    let mut draws: Vec<Sampler> = tests.iter().map(|t| Sampler::new(t.assignment.rng(block))).collect();
    let mut without = Real::default();
    Block::live(plan, block, |life, traces| {
        let entered = traces.people.last().map_or(f64::INFINITY, |p| plan.day(p.entered));
        for ((test, draw), sums) in tests.iter().zip(&mut draws).zip(&mut sums) {
            let held_out = draw.chance(test.spec.held_out);
            if entered >= test.counted.1 {
                continue;
            }
            let reached =
                life.touches.iter().zip(&life.real.touches).any(|(t, there)| *there && test.off.covers(t));
            if !reached && test.spec.design == LiftDesign::Reached {
                continue;
            }
            let with = test.outcome(life, &life.real);
            let mut seen = with;
            if reached {
                life.settle(plan, Some(test.off), &mut without);
                let lost = test.outcome(life, &without);
                sums.truth.add(with.1 - lost.1);
                if held_out {
                    seen = lost;
                }
            }
            sums.arms[usize::from(held_out)].add(seen);
        }
    });
    sums
}

fn table(tests: &[Test<'_>], sums: &[Sums]) -> Result<Table> {
    let (mut effect, mut standard_error) = (Vec::new(), Vec::new());
    for (test, sums) in tests.iter().zip(sums) {
        let [treated, held_out] = &sums.arms;
        if treated.people < 2 || held_out.people < 2 || treated.orders + held_out.orders == 0 {
            return Err(Error::not_enough_data(format!(
                "the test of `{}` compares {} people who ordered {} times with {} who ordered {} times; make it longer or the market larger",
                test.spec.channel, treated.people, treated.orders, held_out.people, held_out.orders
            )));
        }
        let people = (treated.people + held_out.people) as f64;
        let ((m1, v1), (m0, v0)) = (treated.mean(), held_out.mean());
        effect.push(people * (m1 - m0));
        standard_error.push(people * (v1 + v0).sqrt());
    }
    let channels: Text = tests.iter().map(|t| t.spec.channel.as_str()).collect();
    let metrics: Text = tests.iter().map(|t| t.spec.metric.name()).collect();
    let counts = |f: fn(&Sums) -> u64| Values::I64(sums.iter().map(|s| f(s) as i64).collect());
    Ok(Table::new()
        .with("channel", Values::Text(channels))
        .with("start", Values::Time(tests.iter().map(|t| t.period.0).collect()))
        .with("end", Values::Time(tests.iter().map(|t| t.period.1).collect()))
        .with("metric", Values::Text(metrics))
        .with("effect", Values::F64(effect))
        .with("standard_error", Values::F64(standard_error))
        .with("true_effect", Values::F64(sums.iter().map(|s| s.truth.value()).collect()))
        .with("people", counts(|s| s.arms[0].people + s.arms[1].people))
        .with("held_out", counts(|s| s.arms[1].people))
        .with("conversions", counts(|s| s.arms[0].orders))
        .with("conversions_held_out", counts(|s| s.arms[1].orders)))
}
