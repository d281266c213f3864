//! The table that a channel manager reads: spend beside what it earned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::{Draws, Spread};
use super::calibrate::{CalibrateOptions, Period, lifted};
use super::grouped::{GroupedDraws, by_group, lost_by_group};
use super::interval::Interval;
use crate::attribution::{BASELINE, Fitted, Model, model};
use crate::column::{
    Columns, DAY, Intake, OnInvalid, Sign, Table, Text, TimeUnit, Values, check_sum, civil, written,
};
use crate::journey::{Journeys, UNATTRIBUTED};
use crate::math::ExactSum;
use crate::run::Run;
use crate::{Error, Result};

/// The stretches of time that have rows of their own, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoneyPeriod {
    /// All time together. The default.
    #[default]
    All,
    /// Days.
    Day,
    /// Weeks from Monday.
    Week,
    /// Calendar months.
    Month,
}

impl MoneyPeriod {
    /// The first instant of the period that holds this one.
    fn start(self, micros: i64) -> i64 {
        let day = micros.div_euclid(DAY);
        match self {
            Self::All => 0,
            Self::Day => day * DAY,
            // 1970-01-01 was a Thursday.
            Self::Week => (day - (day + 3).rem_euclid(7)) * DAY,
            Self::Month => (day + 1 - civil(day).2) * DAY,
        }
    }
}

/// Columns and options of [`money`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MoneyOptions {
    /// The models, one or more.
    pub models: Vec<Model>,
    /// Column of spend: the channel. Default `"channel"`.
    pub channel: String,
    /// Column of spend: the day; needed for periods, and where it is there spend
    /// outside the time of the journeys is left out. Default `"date"`.
    pub date: String,
    /// Column of spend: the amount. Default `"spend"`.
    pub spend: String,
    /// What is left of value when the goods are paid for: value is multiplied
    /// by it before it meets spend. Default 1.
    pub margin: f64,
    /// The stretches of time that have rows of their own. A conversion counts
    /// when it happened, spend when it was spent.
    pub period: MoneyPeriod,
    /// How many samples are drawn for intervals; 0, the default, for none. With
    /// periods every model is fitted to each of them.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval.
    pub interval: Interval,
    /// Rows of spend with nulls, NaN or negative amounts.
    pub on_invalid: OnInvalid,
    /// The unit of dates that are plain numbers.
    pub time_unit: Option<TimeUnit>,
    /// How lift tests are read and what is done with channels without one; `self_controlled` adds a row
    /// group of its own. Models, `bootstrap` and `confidence` are those of this table.
    pub calibration: CalibrateOptions,
}

impl Default for MoneyOptions {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            channel: "channel".into(),
            date: "date".into(),
            spend: "spend".into(),
            margin: 1.0,
            period: MoneyPeriod::default(),
            bootstrap: 0,
            confidence: 0.9,
            interval: Interval::default(),
            on_invalid: OnInvalid::default(),
            time_unit: None,
            calibration: CalibrateOptions::default(),
        }
    }
}

/// What a line is of.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Of {
    /// A channel with touches.
    #[default]
    Channel,
    /// A channel with spend alone.
    Spend,
    /// Conversions without a touch.
    NoTouch,
    /// Conversions that no channel brought.
    Baseline,
}

impl Of {
    fn is_rest(self) -> bool {
        matches!(self, Self::NoTouch | Self::Baseline)
    }
}

#[derive(Default)]
struct Line {
    model: usize,
    period: i64,
    channel: String,
    of: Of,
    spend: Option<f64>,
    conversions: f64,
    value: f64,
    bounds: Option<[[f64; 2]; 2]>,
}

/// Spend beside credit.
///
/// `spend` has a row a channel and day: channel, date, spend; rows of the same
/// channel and day add up. Without it the cost of the touches is the spend.
/// One row a model, period and channel:
///
/// | column | meaning |
/// | --- | --- |
/// | model, period (with [`MoneyOptions::period`]), channel | |
/// | spend | missing where no spend is known |
/// | conversions, value | credited; value times `margin`, missing where none is known |
/// | spend_share, credit_share | of the model's (and period's) spend, and of its credited conversions |
/// | cpa, roas | spend / conversions, value / spend; missing where they have no meaning |
/// | conversions_low … roas_high | with a bootstrap |
/// | note | what stands out, in words |
///
/// Channels with spend and no touch, those with touches and no spend, and
/// conversions without a touch have rows, so that spend and conversions add up
/// to their totals. The extra table `counts` tells how many there are of each,
/// and how much they hold.
///
/// With `lift_tests` the rows of each model are followed by those of `calibrated(model)`, whose credits
/// and intervals are those of [`calibrate`](super::calibrate): what a channel *added* beside its spend.
/// Tests of value calibrate value; where there are none, a channel's value for a conversion stays as the
/// model has it. What no channel brought is the row `(baseline)`. The models' own intervals are missing
/// there without a bootstrap.
///
/// Where spend has dates, what lies outside the time of the journeys has
/// nothing that it could have earned: it is left out, and the last row of
/// `counts`, `spend outside the journeys' time`, tells how many rows and how
/// much. That time is what [`Journeys::between`] cut; else it runs from the
/// first day of the month of the first event (spend may be dated by months) to
/// the end of observation. An [`Error::Column`] where no spend is left.
pub fn money(
    journeys: &Journeys,
    spend: Option<&Columns>,
    lift_tests: Option<&Columns>,
    options: &MoneyOptions,
    run: &Run,
) -> Result<[Table; 2]> {
    let mut names = model::labels(&options.models)?;
    let spread =
        Spread { replicates: options.bootstrap, confidence: options.confidence, interval: options.interval };
    spread.check()?;
    if !(options.margin.is_finite() && options.margin >= 0.0) {
        return Err(Error::option("margin", format!("must be 0 or more, not {}", options.margin)));
    }
    let timed = options.period != MoneyPeriod::All;
    if timed && !journeys.has_times() {
        return Err(Error::option("period", "these journeys come from paths, which have no times"));
    }
    if timed && lift_tests.is_some() {
        return Err(Error::option(
            "lift_tests",
            "calibrate all time together: leave `period` out, or the tests",
        ));
    }
    if lift_tests.is_none() && options.calibration != CalibrateOptions::default() {
        return Err(Error::option("calibration", "goes with a frame `lift_tests`"));
    }
    let labels = journeys.channel_labels();
    if timed && spend.is_none() {
        return Err(Error::option("period", "needs a frame of spend by day"));
    }
    let (spent, outside) = spent(journeys, spend, options, run)?;

    // Every period that has spend or a conversion.
    let end = |j: usize| options.period.start(journeys.end_time(j).unwrap_or(0));
    let counts = |j: &usize| journeys.conversions()[*j] != 0.0 || journeys.values()[*j] != 0.0;
    let mut periods: Vec<i64> = spent.keys().map(|k| k.0).collect();
    periods.extend((0..journeys.len()).filter(counts).map(end));
    periods.sort_unstable();
    periods.dedup();
    if periods.is_empty() {
        periods.push(0);
    }
    let place = |at: i64| periods.binary_search(&at).ok();
    let lost = lost_by_group(journeys, periods.len(), &|j| place(end(j)));
    let only_spend: Vec<&String> = {
        let mut extra: Vec<&String> = spent.keys().map(|k| &k.1).filter(|l| !labels.contains(l)).collect();
        extra.sort_unstable();
        extra.dedup();
        extra
    };
    let samples = Samples::new(journeys, options, &periods, run)?;
    let bounds = |m: usize, p: usize, c: usize, credit: [f64; 2]| {
        let draws = samples.as_ref()?.row(m, p, c);
        Some([0, 1].map(|k| spread.of(credit[k], &draws[k])))
    };

    let mut lines = Vec::new();
    for (m, model) in options.models.iter().enumerate() {
        let fitted = Fitted::fit(model, journeys, run)?;
        let credits = by_group(journeys, &fitted, periods.len(), &|j| place(end(j)), run)?;
        for (p, period) in periods.iter().enumerate() {
            let spend_of = |label: &String| spent.get(&(*period, label.clone())).copied();
            for (c, label) in labels.iter().enumerate() {
                let [conversions, value] = credits[p][c];
                lines.push(Line {
                    model: m,
                    period: *period,
                    channel: label.clone(),
                    of: Of::Channel,
                    spend: spend_of(label),
                    conversions,
                    value,
                    bounds: bounds(m, p, c, [conversions, value]),
                });
            }
            for label in only_spend.iter().filter(|l| spend_of(l).is_some()) {
                lines.push(Line::of_spend(m, *period, label, spend_of(label)));
            }
            let [conversions, value] = lost[p];
            if conversions > 0.0 || value != 0.0 {
                lines.push(Line {
                    model: m,
                    period: *period,
                    channel: UNATTRIBUTED.into(),
                    of: Of::NoTouch,
                    conversions,
                    value,
                    bounds: bounds(m, p, labels.len(), [conversions, value]),
                    ..Line::default()
                });
            }
        }
    }
    if let Some(tests) = lift_tests {
        let how = options.calibration.within(&options.models, options.bootstrap, options.confidence)?;
        let spend_of = |label: &String| spent.get(&(0, label.clone())).copied();
        for found in lifted(journeys, tests, &how, Period::default(), run)? {
            let model = names.len();
            for (c, [conversions, value]) in found.credits.iter().enumerate() {
                let (channel, of) = match labels.get(c) {
                    Some(label) => (label.clone(), Of::Channel),
                    None => (BASELINE.to_owned(), Of::Baseline),
                };
                let spend = if of == Of::Channel { spend_of(&channel) } else { None };
                if of == Of::Baseline {
                    lines.extend(only_spend.iter().map(|l| Line::of_spend(model, 0, l, spend_of(l))));
                }
                lines.push(Line {
                    model,
                    period: 0,
                    channel,
                    of,
                    spend,
                    conversions: *conversions,
                    value: *value,
                    bounds: found.bounds(c, options.confidence),
                });
            }
            names.push(found.name);
        }
    }
    Ok([table(&lines, &names, journeys.has_value, options), summary(&lines, &names, outside)])
}

/// The credits of samples drawn again: of all time, or by period.
enum Samples {
    All(Box<Draws>),
    ByPeriod(GroupedDraws),
}

impl Samples {
    /// `None` where none are wanted.
    fn new(journeys: &Journeys, options: &MoneyOptions, periods: &[i64], run: &Run) -> Result<Option<Self>> {
        let MoneyOptions { models, bootstrap, period, .. } = options;
        Ok(match (*bootstrap, *period) {
            (0, _) => None,
            (n, MoneyPeriod::All) => Some(Self::All(Box::new(Draws::new(journeys, models, n, 0, run)?))),
            (n, _) => {
                let group = |drawn: &Journeys, j: usize| {
                    periods.binary_search(&period.start(drawn.end_time(j).unwrap_or(0))).ok()
                };
                let draws = GroupedDraws::new(journeys, models, periods.len(), group, n, run)?;
                Some(Self::ByPeriod(draws))
            }
        })
    }

    /// The replicates of a channel's credit; past the channels, of what has no touch.
    fn row(&self, model: usize, period: usize, channel: usize) -> [Vec<f64>; 2] {
        match self {
            Self::All(draws) => draws.row(model, channel).clone(),
            Self::ByPeriod(draws) => draws.row(model, period, channel),
        }
    }
}

impl Line {
    /// A channel with spend and no touch.
    fn of_spend(model: usize, period: i64, channel: &str, spend: Option<f64>) -> Self {
        Self { model, period, channel: channel.to_owned(), of: Of::Spend, spend, ..Self::default() }
    }
}

/// Spend by period and channel.
pub(super) type Spent = BTreeMap<(i64, String), f64>;

/// Spend of a frame, else the cost of touches; and what [`read`] left out.
pub(super) fn spent(
    journeys: &Journeys,
    frame: Option<&Columns>,
    options: &MoneyOptions,
    run: &Run,
) -> Result<(Spent, (i64, f64))> {
    if let Some(frame) = frame {
        return read(journeys, frame, options, run);
    }
    let cost = journeys.cost().ok_or_else(|| {
        Error::option(
            "spend",
            "give a frame of spend, or journeys whose touches have a cost (parts of journeys have none)",
        )
    })?;
    let labels = journeys.channel_labels();
    Ok((labels.into_iter().zip(cost).map(|(label, cost)| ((0, label), *cost)).collect(), (0, 0.0)))
}

/// Spend in the time of the journeys; how many rows lie outside it, and their spend.
fn read(
    journeys: &Journeys,
    frame: &Columns,
    options: &MoneyOptions,
    run: &Run,
) -> Result<(Spent, (i64, f64))> {
    let mut intake = Intake::new(frame, options.on_invalid, run);
    intake.int_unit(options.time_unit);
    let channel = intake.names(&options.channel)?;
    let spend = intake.amounts(&options.spend, Sign::NonNegative)?;
    let seen = journeys.observed().filter(|_| frame.has(&options.date));
    let date = match (options.period, seen) {
        (MoneyPeriod::All, None) => None,
        _ => Some(intake.times(&options.date)?),
    };
    let kept = intake.finish()?;
    let (channel, spend, date) = (kept.names(channel), kept.values(spend), date.map(|d| kept.values(d)));
    let seen = seen.map(|(from, to)| {
        let from = if journeys.period.0.is_some() { from } else { MoneyPeriod::Month.start(from) };
        (from, to)
    });
    let mut sums: BTreeMap<(i64, String), ExactSum> = BTreeMap::new();
    let (mut rows, mut outside) = (0, ExactSum::new());
    for (row, spend) in spend.iter().enumerate() {
        let day = date.as_ref().map_or(0, |d| d[row]);
        if seen.is_some_and(|(from, to)| day < from || day >= to) {
            rows += 1;
            outside.add(*spend);
            continue;
        }
        let label = channel.get(row).unwrap_or_default().into_owned();
        sums.entry((options.period.start(day), label)).or_default().add(*spend);
    }
    if let Some((from, to)) = seen.filter(|_| rows > 0 && sums.is_empty()) {
        let (from, to) = (written(from), written(to));
        let reason =
            format!("no spend lies in the time of the journeys, {from} to {to}: give spend of that time");
        return Err(Error::column(options.date.as_str(), reason));
    }
    check_sum(&options.spend, spend.iter().copied())?;
    let sums = sums.into_iter().map(|(key, sum)| (key, sum.value())).collect();
    Ok((sums, (rows, outside.value())))
}

/// Spend and credited conversions of a model and period; the sums behind the shares.
fn totals(lines: &[Line], like: &Line) -> [f64; 2] {
    let mine = || lines.iter().filter(|l| l.model == like.model && l.period == like.period);
    [mine().filter_map(|l| l.spend).sum(), mine().filter(|l| !l.of.is_rest()).map(|l| l.conversions).sum()]
}

fn table(lines: &[Line], names: &[String], has_value: bool, options: &MoneyOptions) -> Table {
    let mut sums: BTreeMap<(usize, i64), [f64; 2]> = BTreeMap::new();
    for line in lines {
        sums.entry((line.model, line.period)).or_insert_with(|| totals(lines, line));
    }
    let share = |a: f64, of: f64| (of > 0.0).then_some(a / of);
    let total = |l: &Line| sums.get(&(l.model, l.period)).copied().unwrap_or_default();
    let spend_share = |l: &Line| l.spend.and_then(|s| share(s, total(l)[0]));
    let credit_share = |l: &Line| if l.of.is_rest() { None } else { share(l.conversions, total(l)[1]) };
    let cpa = |l: &Line, conversions: f64| l.spend.and_then(|s| share(s, conversions));
    let roas =
        |l: &Line, value: f64| l.spend.filter(|_| has_value).and_then(|s| share(value * options.margin, s));
    let text = |f: &dyn Fn(&Line) -> String| Values::Text(lines.iter().map(f).collect::<Text>());
    let mut table = Table::new().with("model", text(&|l| names[l.model].clone()));
    if options.period != MoneyPeriod::All {
        table = table.with("period", Values::Time(lines.iter().map(|l| l.period).collect()));
    }
    table = table
        .with("channel", text(&|l| l.channel.clone()))
        .with_optional("spend", lines.iter().map(|l| l.spend))
        .with("conversions", Values::F64(lines.iter().map(|l| l.conversions).collect()))
        .with_optional("value", lines.iter().map(|l| has_value.then_some(l.value * options.margin)))
        .with_optional("spend_share", lines.iter().map(spend_share))
        .with_optional("credit_share", lines.iter().map(credit_share))
        .with_optional("cpa", lines.iter().map(|l| cpa(l, l.conversions)))
        .with_optional("roas", lines.iter().map(|l| roas(l, l.value)));
    if options.bootstrap > 0 || lines.iter().any(|l| l.bounds.is_some()) {
        let bound = |k: usize, b: usize| move |l: &Line| l.bounds.map(|bounds| bounds[k][b]);
        let value =
            |b: usize| move |l: &Line| bound(1, b)(l).filter(|_| has_value).map(|v| v * options.margin);
        table = table
            .with_optional("conversions_low", lines.iter().map(bound(0, 0)))
            .with_optional("conversions_high", lines.iter().map(bound(0, 1)))
            .with_optional("value_low", lines.iter().map(value(0)))
            .with_optional("value_high", lines.iter().map(value(1)))
            .with_optional("cpa_low", lines.iter().map(|l| bound(0, 1)(l).and_then(|c| cpa(l, c))))
            .with_optional("cpa_high", lines.iter().map(|l| bound(0, 0)(l).and_then(|c| cpa(l, c))))
            .with_optional("roas_low", lines.iter().map(|l| bound(1, 0)(l).and_then(|v| roas(l, v))))
            .with_optional("roas_high", lines.iter().map(|l| bound(1, 1)(l).and_then(|v| roas(l, v))));
    }
    table.with("note", text(&|l| note(l, total(l), spend_share(l), credit_share(l))))
}

/// How far from the average counts as remarkable where no interval tells.
const REMARKABLE: f64 = 1.25;

/// What stands out. With intervals, only what they are sure of.
fn note(
    line: &Line,
    [spend, credit]: [f64; 2],
    spend_share: Option<f64>,
    credit_share: Option<f64>,
) -> String {
    match line.of {
        Of::Channel => {}
        Of::NoTouch => return "conversions without a touch".into(),
        Of::Baseline => return "conversions that no channel brought".into(),
        Of::Spend => {
            let reason = "spend, but no touch: check the channel's name, or whether its touches are recorded";
            return reason.into();
        }
    }
    let (Some(spent), Some(share), Some(credited)) = (line.spend, spend_share, credit_share) else {
        return "touches, but no spend".into();
    };
    if spent == 0.0 {
        return "touches, but no spend".into();
    }
    let both = format!("spend share {:.0} %, credit share {:.0} %", 100.0 * share, 100.0 * credited);
    if line.conversions <= 0.0 {
        return format!("{both}: no conversion is credited");
    }
    if credit <= 0.0 || spend <= 0.0 {
        return both;
    }
    let average = spend / credit;
    let times = spent / line.conversions / average;
    let sure = |bound: f64| bound > 0.0 && spent / bound / average > 1.0;
    let (dear, cheap) = match line.bounds {
        Some([[low, high], _]) => (sure(high), !sure(low) && low > 0.0),
        None => (times > REMARKABLE, times < 1.0 / REMARKABLE),
    };
    if dear {
        format!("{both}: costs {times:.1}× the average per conversion")
    } else if cheap {
        format!("{both}: costs {times:.2}× the average per conversion")
    } else {
        format!("{both}: near the average")
    }
}

/// Lines that are alike, and which they are.
type Kind = (&'static str, fn(&Line) -> bool);

/// What has no counterpart: one row a model and kind; and the spend that was left out.
fn summary(lines: &[Line], names: &[String], outside: (i64, f64)) -> Table {
    let kinds: [Kind; 4] = [
        ("touches and spend", |l| l.of == Of::Channel && l.spend.is_some()),
        ("touches, no spend", |l| l.of == Of::Channel && l.spend.is_none()),
        ("spend, no touches", |l| l.of == Of::Spend),
        ("no touch", |l| l.of == Of::NoTouch),
    ];
    let is_calibrated = |m: usize| lines.iter().any(|l| l.model == m && l.of == Of::Baseline);
    let (mut model, mut kind) = (Text::new(), Text::new());
    let (mut rows, mut spend, mut conversions) = (Vec::new(), Vec::new(), Vec::new());
    for (m, name) in names.iter().enumerate() {
        for (label, is) in kinds {
            let (label, is) = match label {
                "no touch" if is_calibrated(m) => (BASELINE, (|l| l.of == Of::Baseline) as fn(&Line) -> bool),
                _ => (label, is),
            };
            let mine: Vec<&Line> = lines.iter().filter(|l| l.model == m && is(l)).collect();
            model.push(name);
            kind.push(label);
            rows.push(mine.len() as i64);
            spend.push(crate::math::exact_sum(mine.iter().filter_map(|l| l.spend)));
            conversions.push(crate::math::exact_sum(mine.iter().map(|l| l.conversions)));
        }
        model.push(name);
        kind.push("spend outside the journeys' time");
        rows.push(outside.0);
        spend.push(outside.1);
        conversions.push(0.0);
    }
    Table::new()
        .with("model", Values::Text(model))
        .with("kind", Values::Text(kind))
        .with("rows", Values::I64(rows))
        .with("spend", Values::F64(spend))
        .with("conversions", Values::F64(conversions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::parse_time;

    #[test]
    fn periods_begin_where_the_calendar_says() {
        let at = |t: &str| parse_time(t).unwrap();
        for (period, time, start) in [
            (MoneyPeriod::Day, "2024-02-29T23:59:59Z", "2024-02-29"),
            (MoneyPeriod::Week, "2024-03-03", "2024-02-26"),
            (MoneyPeriod::Week, "2024-03-04", "2024-03-04"),
            (MoneyPeriod::Month, "2024-02-29T12:00:00Z", "2024-02-01"),
            (MoneyPeriod::Month, "1969-12-31", "1969-12-01"),
            (MoneyPeriod::Month, "2000-03-01", "2000-03-01"),
            (MoneyPeriod::Month, "1900-12-31", "1900-12-01"),
        ] {
            assert_eq!(period.start(at(time)), at(start), "{period:?} {time}");
        }
    }
}
