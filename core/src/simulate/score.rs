//! Credits against the truth.

use serde::{Deserialize, Serialize};

use crate::column::{Columns, Intake, Names, OnInvalid, Sign, Table, Text, Values};
use crate::math::{exact_sum, kendall};
use crate::{Error, Result, Run};

/// Columns and conventions of [`score`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScoreOptions {
    /// Column of credits: what is credited. With `<credit>_low` and
    /// `<credit>_high` beside it, or `share_low` and `share_high`, it is told
    /// whether intervals cover the truth. Default `"conversions"`.
    pub credit: String,
    /// Column of the truth: what each channel truly did. Default
    /// `"lost_conversions"`, as in [`MarketTruth::channels`](super::MarketTruth::channels).
    pub truth: String,
    /// Relative errors are summed up over channels with at least this true
    /// share. Default 0.05.
    pub min_share: f64,
    /// Labels of credits that belong to no channel, such as conversions that
    /// come anyway. Default `["(unattributed)", "(baseline)"]`.
    pub outside: Vec<String>,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self {
            credit: "conversions".into(),
            truth: "lost_conversions".into(),
            min_share: 0.05,
            outside: vec!["(unattributed)".into(), "(baseline)".into()],
        }
    }
}

/// How credits differ from the truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// One row a model and channel of the truth:
    ///
    /// | column | meaning |
    /// | --- | --- |
    /// | model, channel | in the order of the credits, and of the truth |
    /// | credit, truth | what is credited (0 where the model is silent), and what is true |
    /// | over_credit | credit − truth |
    /// | credit_share, true_share | parts of all that is credited to channels, and of the sum of the truth |
    /// | error | credit_share − true_share |
    /// | relative_error | error / true_share; missing where that is not above 0 |
    /// | covered | whether `<credit>_low` to `<credit>_high` holds the truth; missing without an interval |
    /// | share_covered | whether `share_low` to `share_high` holds the true share; the same |
    pub channels: Table,
    /// One row a model:
    ///
    /// | column | meaning |
    /// | --- | --- |
    /// | model, channels | its name, and how many channels the truth has |
    /// | mean_absolute_error | mean of abs(error) over channels |
    /// | weighted_mape | Σ abs(error) / Σ true_share over channels of at least `min_share` |
    /// | largest_error | the largest abs(relative_error) of these |
    /// | kendall_tau | rank correlation τ_b (Kendall 1945) of shares; missing where all are equal |
    /// | credit, truth | sums over channels |
    /// | over_credit | credit / truth − 1: models that split all conversions credit the baseline too |
    /// | coverage, share_coverage | share of covered truths among intervals; missing without any |
    pub models: Table,
}

/// Scores credits of one or more models against what channels truly did.
///
/// `credits` has the columns channel, `credit` and, for more than one model,
/// model, as [`attribute`](crate::attribution::attribute) gives them; `truth`
/// has one row a channel, as [`MarketTruth::channels`](super::MarketTruth::channels)
/// gives it. Two questions are kept apart: whether the *shares* are right
/// (errors), and whether the *amount* is (over-credit): a model that splits all
/// conversions can have the first right and never the second.
///
/// # Errors
/// `Column` for a channel that the truth does not know, a channel told twice,
/// or a column that is not there; `Row` for invalid values; `NotEnoughData`
/// where channels did nothing in sum.
///
/// ```
/// use headwater::Run;
/// use headwater::column::Columns;
/// use headwater::simulate::{ScoreOptions, score};
///
/// let truth = Columns::new().with("channel", vec!["a", "b"]).with("lost_conversions", vec![30, 10]);
/// let credits = Columns::new()
///     .with("channel", vec!["a", "b", "(unattributed)"])
///     .with("conversions", vec![50.0, 50.0, 20.0]);
/// let scores = score(&credits, &truth, &ScoreOptions::default(), &Run::new())?;
/// assert_eq!(scores.channels.f64s("error"), Some(&[-0.25, 0.25][..]));
/// assert_eq!(scores.models.f64s("over_credit"), Some(&[1.5][..]));
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn score(credits: &Columns, truth: &Columns, options: &ScoreOptions, run: &Run) -> Result<Scores> {
    if !(0.0..=1.0).contains(&options.min_share) {
        return Err(Error::option("min_share", format!("{} is no share", options.min_share)));
    }
    let truth = Truth::read(truth, options, run)?;
    let models = read_credits(credits, &truth, options, run)?;
    let rows: Vec<Vec<Row>> = models.iter().map(|(_, cells)| truth.compare(cells)).collect();
    let names: Vec<&str> = models.iter().map(|(name, _)| name.as_str()).collect();
    Ok(Scores {
        channels: channel_table(&names, &truth, &rows),
        models: model_table(&names, &truth, &rows, options.min_share),
    })
}

struct Truth {
    channels: Vec<String>,
    amounts: Vec<f64>,
    total: f64,
}

/// What a model says of one channel.
#[derive(Clone, Copy, Default)]
struct Cell {
    told: bool,
    credit: f64,
    interval: Option<(f64, f64)>,
    share_interval: Option<(f64, f64)>,
}

#[derive(Clone, Copy)]
struct Row {
    credit: f64,
    share: f64,
    truth: f64,
    true_share: f64,
    covered: Option<bool>,
    share_covered: Option<bool>,
}

impl Row {
    fn error(&self) -> f64 {
        self.share - self.true_share
    }

    fn relative_error(&self) -> Option<f64> {
        (self.true_share > 0.0).then(|| self.error() / self.true_share)
    }
}

impl Truth {
    fn read(columns: &Columns, options: &ScoreOptions, run: &Run) -> Result<Self> {
        let mut intake = Intake::new(columns, OnInvalid::Error, run);
        let names = intake.names("channel")?;
        let amounts = intake.amounts(&options.truth, Sign::Any)?.into_owned();
        intake.finish().map_err(Error::undroppable)?;
        if names.labels.len() != names.len() {
            return Err(Error::column("channel", "the truth has a channel twice"));
        }
        let total = exact_sum(amounts.iter().copied());
        if total <= 0.0 {
            return Err(Error::not_enough_data(format!(
                "the channels' `{}` add up to {total}, so there is nothing to share; give a truth with effects",
                options.truth
            )));
        }
        let channels = (0..names.len()).map(|i| label(&names, i)).collect();
        Ok(Self { channels, amounts, total })
    }

    fn compare(&self, cells: &[Cell]) -> Vec<Row> {
        let credited = exact_sum(cells.iter().map(|c| c.credit));
        let within = |x: f64| move |(low, high): (f64, f64)| (low..=high).contains(&x);
        let row = |(cell, truth): (&Cell, &f64)| {
            let true_share = truth / self.total;
            Row {
                credit: cell.credit,
                share: if credited == 0.0 { 0.0 } else { cell.credit / credited },
                truth: *truth,
                true_share,
                covered: cell.interval.map(within(*truth)),
                share_covered: cell.share_interval.map(within(true_share)),
            }
        };
        cells.iter().zip(&self.amounts).map(row).collect()
    }
}

fn label(names: &Names, row: usize) -> String {
    names.get(row).unwrap_or_default().into_owned()
}

/// The models in the order of their first rows, each with one cell a channel.
fn read_credits(
    columns: &Columns,
    truth: &Truth,
    options: &ScoreOptions,
    run: &Run,
) -> Result<Vec<(String, Vec<Cell>)>> {
    let mut intake = Intake::new(columns, OnInvalid::Error, run);
    let models = if columns.has("model") { Some(intake.names("model")?) } else { None };
    let channels = intake.names("channel")?;
    let credits = intake.amounts(&options.credit, Sign::Any)?;
    intake.finish().map_err(Error::undroppable)?;
    let intervals = read_intervals(columns, &options.credit, run)?;
    let share_intervals = read_intervals(columns, "share", run)?;
    let mut out: Vec<(String, Vec<Cell>)> = match &models {
        Some(names) => {
            (0..names.labels.len() as u32).map(|i| (names.labels.get(i).into_owned(), Vec::new())).collect()
        }
        None => vec![("credit".to_owned(), Vec::new())],
    };
    for (_, cells) in &mut out {
        cells.resize(truth.channels.len(), Cell::default());
    }
    for (row, credit) in credits.iter().enumerate() {
        let name = label(&channels, row);
        let Some(at) = truth.channels.iter().position(|known| *known == name) else {
            if options.outside.contains(&name) {
                continue;
            }
            return Err(Error::column(
                "channel",
                format!("the truth has no channel `{name}`; if it is none, name it in the option `outside`"),
            ));
        };
        let model = models.as_ref().map_or(0, |names| names.codes[row] as usize);
        let (named, cells) = &mut out[model];
        if cells[at].told {
            return Err(Error::column("channel", format!("`{name}` is there twice for the model `{named}`")));
        }
        cells[at] = Cell {
            told: true,
            credit: *credit,
            interval: intervals.get(row).copied().flatten(),
            share_interval: share_intervals.get(row).copied().flatten(),
        };
    }
    Ok(out)
}

/// The bounds of each row, `None` where one is missing; empty without such columns.
fn read_intervals(columns: &Columns, of: &str, run: &Run) -> Result<Vec<Option<(f64, f64)>>> {
    let (low, high) = (format!("{of}_low"), format!("{of}_high"));
    if !columns.has(&low) || !columns.has(&high) {
        return Ok(Vec::new());
    }
    let mut out = vec![None; columns.rows()];
    let mut intake = Intake::new(columns, OnInvalid::Drop, run);
    let (low, high) = (intake.amounts(&low, Sign::Any)?, intake.amounts(&high, Sign::Any)?);
    let kept = intake.finish()?;
    let (low, high) = (kept.values(low), kept.values(high));
    for i in 0..kept.len() {
        out[kept.row(i)] = Some((low[i], high[i]));
    }
    Ok(out)
}

fn channel_table(names: &[&str], truth: &Truth, rows: &[Vec<Row>]) -> Table {
    let (mut model, mut channel) = (Text::new(), Text::new());
    for name in names {
        for label in &truth.channels {
            model.push(name);
            channel.push(label);
        }
    }
    let rows: Vec<&Row> = rows.iter().flatten().collect();
    let numbers = |f: fn(&Row) -> f64| Values::F64(rows.iter().map(|r| f(r)).collect());
    let flags = |f: fn(&Row) -> Option<bool>| {
        let valid = rows.iter().map(|r| f(r).is_some()).collect();
        (Values::Bool(rows.iter().map(|r| f(r).unwrap_or(false)).collect()), Some(valid))
    };
    let (covered, covered_valid) = flags(|r| r.covered);
    let (share_covered, share_valid) = flags(|r| r.share_covered);
    Table::new()
        .with("model", Values::Text(model))
        .with("channel", Values::Text(channel))
        .with("credit", numbers(|r| r.credit))
        .with("truth", numbers(|r| r.truth))
        .with("over_credit", numbers(|r| r.credit - r.truth))
        .with("credit_share", numbers(|r| r.share))
        .with("true_share", numbers(|r| r.true_share))
        .with("error", numbers(Row::error))
        .with_optional("relative_error", rows.iter().map(|r| r.relative_error()))
        .push("covered", covered, covered_valid)
        .push("share_covered", share_covered, share_valid)
}

fn model_table(names: &[&str], truth: &Truth, rows: &[Vec<Row>], min_share: f64) -> Table {
    let sum = |rows: &[Row], f: fn(&Row) -> f64| exact_sum(rows.iter().map(f));
    let large: Vec<Vec<Row>> = rows
        .iter()
        .map(|rows| {
            rows.iter().filter(|r| r.true_share > 0.0 && r.true_share >= min_share).copied().collect()
        })
        .collect();
    let each = |f: &dyn Fn(&[Row]) -> f64| Values::F64(rows.iter().map(|r| f(r)).collect());
    let error = |r: &Row| r.error().abs();
    let largest = |rows: &[Row]| {
        rows.iter()
            .filter_map(|r| Some(r.relative_error()?.abs()))
            .fold(None, |a: Option<f64>, b| Some(a.map_or(b, |a| a.max(b))))
    };
    Table::new()
        .with("model", Values::Text(names.iter().collect()))
        .with("channels", Values::I64(rows.iter().map(|r| r.len() as i64).collect()))
        .with("mean_absolute_error", each(&|rows| sum(rows, error) / rows.len() as f64))
        .with_optional(
            "weighted_mape",
            large
                .iter()
                .map(|rows| (!rows.is_empty()).then(|| sum(rows, error) / sum(rows, |r| r.true_share))),
        )
        .with_optional("largest_error", large.iter().map(|rows| largest(rows)))
        .with_optional("kendall_tau", rows.iter().map(|rows| kendall_tau(rows)))
        .with("credit", each(&|rows| sum(rows, |r| r.credit)))
        .with("truth", Values::F64(vec![truth.total; rows.len()]))
        .with("over_credit", each(&|rows| sum(rows, |r| r.credit) / truth.total - 1.0))
        .with_optional("coverage", rows.iter().map(|rows| coverage(rows, |r| r.covered)))
        .with_optional("share_coverage", rows.iter().map(|rows| coverage(rows, |r| r.share_covered)))
}

/// τ_b of the credited and the true shares.
fn kendall_tau(rows: &[Row]) -> Option<f64> {
    let column = |of: fn(&Row) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
    kendall(&column(|r| r.share), &column(|r| r.true_share))
}

fn coverage(rows: &[Row], covered: fn(&Row) -> Option<bool>) -> Option<f64> {
    let (hits, all) =
        rows.iter().filter_map(covered).fold((0, 0), |(hits, all), hit| (hits + u32::from(hit), all + 1));
    (all > 0).then(|| f64::from(hits) / f64::from(all))
}
