//! The reports of journeys by name: the one door of both bindings.

use serde::{Deserialize, Serialize};

use super::{Chain, Hierarchy, Journeys, Moment, Repeats, Report, TransformOptions};
use crate::column::{Columns, NULL, Tables};
use crate::options::{none, parse};
use crate::run::Run;
use crate::{Error, Result};

/// Options of the report `transitions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransitionOptions {
    /// How many channels a state holds, 1 or more ([`Chain::count`]). Default 1.
    pub order: usize,
    /// The same state several times in a row.
    pub repeats: Repeats,
}

impl Default for TransitionOptions {
    fn default() -> Self {
        Self { order: 1, repeats: Repeats::default() }
    }
}

/// Options of the part `of_kind`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindOptions {
    /// The kind of conversion.
    pub kind: String,
}

/// Options of the part `between`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeriodOptions {
    /// The first moment.
    pub start: Moment,
    /// The first moment after.
    pub end: Moment,
}

/// Options of the part `with_segments`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SegmentOptions {
    /// Column of the frame: who. Default `"customer"`.
    pub customer: String,
    /// Column of the frame: in which segment. Default `"segment"`.
    pub segment: String,
}

impl Default for SegmentOptions {
    fn default() -> Self {
        Self { customer: "customer".into(), segment: "segment".into() }
    }
}

impl Journeys {
    /// Journeys made of these, by the name of the function that makes them and
    /// its options as JSON: `of_kind`, `between`, `by_campaign`, `transform`, `matching`,
    /// `roll_up`, `with_margin`, `with_segments`, `with_lifetime` and `of_customers` (which take a frame), each the only one under an
    /// empty label, and `split`, one for each segment.
    pub fn part(
        &self,
        name: &str,
        options: &str,
        frame: Option<&Columns>,
        run: &Run,
    ) -> Result<Vec<(String, Self)>> {
        let frame =
            || frame.ok_or_else(|| Error::option("frame", format!("`{name}` needs a frame of customers")));
        let one = match name {
            "of_kind" => self.of_kind(&parse::<KindOptions>(options)?.kind)?,
            "between" => {
                let PeriodOptions { start, end } = parse(options)?;
                self.between(start.0, end.0)?
            }
            "with_segments" => {
                let SegmentOptions { customer, segment } = parse(options)?;
                self.with_segments(frame()?, &customer, &segment, run)?
            }
            "of_customers" => {
                let SegmentOptions { customer, .. } = parse(options)?;
                let frame = frame()?;
                let listed = frame.require(&customer)?.clone();
                let frame = frame.clone().with("segment", listed);
                let marked = self.with_segments(&frame, &customer, "segment", run)?;
                let mask: Vec<bool> = marked.segment.iter().map(|segment| *segment != NULL).collect();
                self.of_customers(&mask)?
            }
            "by_campaign" => {
                none(options)?;
                self.by_campaign()?
            }
            "transform" => self.transform(&parse::<TransformOptions>(options)?.steps, run)?,
            "matching" => self.matching(&parse(options)?, run)?,
            "with_lifetime" => self.with_lifetime(frame()?, &parse(options)?, run)?,
            "with_margin" => self.with_margin(&parse(options)?)?,
            "roll_up" => self.roll_up(&parse::<Hierarchy>(options)?)?,
            "split" => {
                none(options)?;
                return self.split();
            }
            _ => return Err(Error::option("part", format!("there is no part `{name}` of journeys"))),
        };
        Ok(vec![(String::new(), one)])
    }

    /// A report by its name, with its options as JSON: what the bindings call,
    /// so that every report is there in every language. The names are those of
    /// the functions that make them; an unknown name or option is an
    /// [`Error::Option`].
    ///
    /// ```
    /// use headwater::Run;
    /// use headwater::column::Columns;
    /// use headwater::journey::{Journeys, PathOptions};
    ///
    /// let paths = Columns::new().with("path", vec!["a > b"]).with("conversions", vec![3.0]);
    /// let journeys = Journeys::from_paths(&paths, &PathOptions::default(), &Run::new())?;
    /// let tables = journeys.report("transitions", r#"{"order": 2}"#, &Run::new())?;
    /// assert_eq!((tables[0].0, tables[0].1.rows()), ("transitions", 2));
    /// # Ok::<(), headwater::Error>(())
    /// ```
    pub fn report(&self, name: &str, options: &str, run: &Run) -> Result<Tables> {
        if let Some(report) = self.analytics(name, options, run)? {
            return Ok(report.into_tables());
        }
        let table = match name {
            "transitions" => {
                let TransitionOptions { order, repeats } = parse(options)?;
                let chain = Chain::count(self, order, repeats, run)?;
                return Ok(vec![("transitions", chain.table(&self.channel_labels()))]);
            }
            "paths" => ("paths", self.paths(run)?),
            "lags" => ("lags", self.lags()?),
            "lengths" => ("lengths", self.lengths()),
            "channels" => ("channels", self.channels(run)?),
            "summary" => ("summary", self.summary()),
            "dropped" => ("dropped", self.dropped().table()),
            "durations" => ("durations", self.durations()?),
            "accounting" => ("accounting", self.accounting()),
            _ => return Err(Error::option("report", format!("there is no report `{name}` of journeys"))),
        };
        none(options)?;
        Ok(vec![table])
    }

    /// The reports that read journeys.
    fn analytics(&self, name: &str, options: &str, run: &Run) -> Result<Option<Report>> {
        Ok(Some(match name {
            "funnel" => self.funnel(&parse(options)?, run)?,
            "step_matrix" => self.step_matrix(&parse(options)?, run)?,
            "graph" => self.graph(&parse(options)?, run)?,
            "graph_difference" => self.graph_difference(None, &parse(options)?, run)?,
            "time_to_convert" => self.time_to_convert(&parse(options)?, run)?,
            "path_length" => self.path_length(&parse(options)?, run)?,
            "assisted" => self.assisted(&parse(options)?, run)?,
            "overlap" => self.overlap(&parse(options)?, run)?,
            "online_offline" => self.online_offline(&parse(options)?, run)?,
            "friction" => self.friction(&parse(options)?, run)?,
            "lag_curves" => self.lag_curves(&parse(options)?, run)?,
            "patterns" => self.patterns(&parse(options)?, run)?,
            "sequences" => self.sequences(&parse(options)?, run)?,
            "features" => self.features(&parse(options)?, run)?,
            "positions" => {
                none(options)?;
                self.positions(run)?
            }
            _ => return Ok(None),
        }))
    }
}
