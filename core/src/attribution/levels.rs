//! Credits of channels and of the campaigns within them, from the same samples.

use serde::{Deserialize, Serialize};

use super::trust::{Absent, Draws, Estimates, Numbers, Spread};
use super::{AttributeOptions, Attribution, Interval, Model, attribute};
use crate::Result;
use crate::column::Table;
use crate::journey::{Hierarchy, Journeys};
use crate::run::Run;

/// Options of [`attribute_levels`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LevelOptions {
    /// The models, as in [`AttributeOptions`].
    pub models: Vec<Model>,
    /// Which channel a label belongs to.
    pub levels: Hierarchy,
    /// Whether channels have the credits of journeys that are rolled up, their
    /// campaigns sharing them out; else they have what their campaigns have.
    /// Default true.
    pub own_channels: bool,
    /// How many samples of customers are drawn again for intervals; 0, the
    /// default, for none.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval.
    pub interval: Interval,
}

impl Default for LevelOptions {
    fn default() -> Self {
        let AttributeOptions { models, bootstrap, confidence, interval } = AttributeOptions::default();
        Self { models, levels: Hierarchy::default(), own_channels: true, bootstrap, confidence, interval }
    }
}

/// A channel without conversions in a sample has no shares there.
const ESTIMATES: Estimates =
    &[("conversions", Absent::Zero), ("value", Absent::Zero), ("share_of_channel", Absent::Unknown)];

/// Credits by channel and campaign.
///
/// The table is that of [`Hierarchy::drill_down`]: model, channel, campaign
/// (missing for a channel without campaigns), conversions, value,
/// share_of_channel, and where cost is known cost, roas and cpa. With a
/// bootstrap conversions, value and share_of_channel are followed by their
/// `_standard_error`, `_low` and `_high`, roas and cpa by the last two: both
/// levels are credited in every sample, and shared out there. A bound of cpa is
/// missing where that of conversions is 0.
///
/// ```
/// use headwater::Run;
/// use headwater::attribution::{LevelOptions, Model, attribute_levels};
/// use headwater::column::Columns;
/// use headwater::journey::{Journeys, PathOptions};
///
/// let paths = Columns::new()
///     .with("path", vec!["search/brand > email/news", "search/generic"])
///     .with("conversions", vec![30.0, 10.0])
///     .with("nulls", vec![70.0, 90.0]);
/// let options = PathOptions { nulls: Some("nulls".into()), ..PathOptions::default() };
/// let fine = Journeys::from_paths(&paths, &options, &Run::new())?;
/// let options = LevelOptions { models: vec![Model::Linear], bootstrap: 200, ..Default::default() };
/// let table = attribute_levels(&fine, &options, &Run::new().seed(1))?;
/// assert_eq!(table.text("campaign", 1).as_deref(), Some("brand"));
/// assert_eq!(table.f64s("conversions"), Some(&[15.0, 15.0, 10.0][..]));
/// assert_eq!(table.f64s("share_of_channel"), Some(&[1.0, 0.6, 0.4][..]));
/// let low = table.f64s("share_of_channel_low").map(|low| low[1]);
/// assert!(low.is_some_and(|low| low > 0.4 && low < 0.6));
/// # Ok::<(), headwater::Error>(())
/// ```
///
/// Errors: those of [`attribute`](super::attribute) and of [`Journeys::roll_up`].
/// A [`Callback`](super::Callback) must have been called on the journeys that
/// are rolled up too, where channels have credits of their own.
pub fn attribute_levels(journeys: &Journeys, options: &LevelOptions, run: &Run) -> Result<Table> {
    let LevelOptions { levels, own_channels, bootstrap: replicates, confidence, interval, .. } = options;
    let spread = Spread { replicates: *replicates, confidence: *confidence, interval: *interval };
    spread.check()?;
    let plain = AttributeOptions { models: options.models.clone(), ..AttributeOptions::default() };
    let mut wanted = vec![attribute(journeys, &plain, run)?];
    if *own_channels {
        wanted.push(attribute(&journeys.roll_up(levels)?, &plain, run)?);
    }
    let down = |tables: &[Table]| match tables {
        [fine, rest @ ..] => levels.drill_down(fine, rest.first()),
        [] => Ok(Table::new()),
    };
    let table = down(&wanted.iter().map(Attribution::table).collect::<Vec<_>>())?;
    if spread.replicates == 0 {
        return Ok(table);
    }
    let draws = if *own_channels {
        Draws::of_levels(journeys, levels, &options.models, spread.replicates, run)?.to_vec()
    } else {
        vec![Draws::new(journeys, &options.models, spread.replicates, 0, run)?]
    };
    let cost = table.get("cost").is_some();
    let numbers = Numbers::new(vec![("levels", table)], ESTIMATES, spread.replicates)?;
    run.stage("share out samples", spread.replicates as u64)?;
    let samples = run.map_items(spread.replicates, |r| {
        let of = |(whole, draws): (&Attribution, &Draws)| whole.of_sample(draws, r).table();
        let tables: Vec<Table> = wanted.iter().zip(&draws).map(of).collect();
        run.advance(1)?;
        Ok(numbers.of(&vec![("levels", down(&tables)?)]))
    })?;
    let found = numbers.with_intervals(&samples, &spread, run)?;
    let table = found.into_iter().map(|(_, table)| table).next().unwrap_or_default();
    Ok(if cost { with_bounds_of_money(&table) } else { table })
}

/// The bounds of what is earned and paid for one unit, from those of value and conversions.
fn with_bounds_of_money(table: &Table) -> Table {
    let [cost, low, high, least, most] =
        ["cost", "value_low", "value_high", "conversions_low", "conversions_high"]
            .map(|name| table.optional(name));
    let ratio = |a: &[Option<f64>], b: &[Option<f64>]| -> Vec<Option<f64>> {
        a.iter().zip(b).map(|(a, b)| Some((*a)? / (*b).filter(|b| *b > 0.0)?)).collect()
    };
    // The more conversions, the less each costs.
    let of = |name: &str| match name {
        "roas" => Some([ratio(&low, &cost), ratio(&high, &cost)]),
        "cpa" => Some([ratio(&cost, &most), ratio(&cost, &least)]),
        _ => None,
    };
    table.columns().iter().fold(Table::new(), |wide, column| {
        let wide = wide.push(&column.name, column.values.clone(), column.valid.clone());
        match of(&column.name) {
            Some([low, high]) => wide
                .with_optional(&format!("{}_low", column.name), low)
                .with_optional(&format!("{}_high", column.name), high),
            None => wide,
        }
    })
}
