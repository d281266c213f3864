//! The reports of journeys by name: the one door of both bindings.

use serde::{Deserialize, Serialize};

use super::{
    AssistedOptions, Chain, DifferenceOptions, FrictionOptions, FunnelOptions, GraphOptions, Hierarchy,
    Journeys, LagCurveOptions, Moment, OnlineOfflineOptions, OverlapOptions, PathLengthOptions,
    PatternOptions, Repeats, SequenceOptions, StepMatrixOptions, TimeToConvertOptions, TransformOptions,
};
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

/// Options of the part `by_campaign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CampaignOptions {
    /// What stands between channel and campaign. Default `"/"`.
    pub separator: String,
}

impl Default for CampaignOptions {
    fn default() -> Self {
        Self { separator: Hierarchy::default().separator }
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
            "by_campaign" => self.by_campaign_with(&parse::<CampaignOptions>(options)?.separator)?,
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
        if let Some(report) = JourneyReport::named(name, options)? {
            return report.of(self, run);
        }
        if name == "features" {
            return Ok(self.features(&parse(options)?, run)?.into_tables());
        }
        let table = match name {
            "dropped" => ("dropped", self.dropped().table()),
            "durations" => ("durations", self.durations()?),
            "accounting" => ("accounting", self.accounting()),
            _ => return Err(Error::option("report", format!("there is no report `{name}` of journeys"))),
        };
        none(options)?;
        Ok(vec![table])
    }
}

/// A report of journeys that counts and compares them, with its options. What
/// lists single journeys or rows ([`Journeys::features`],
/// [`Journeys::durations`], [`Journeys::dropped`]) is none of these.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum JourneyReport {
    /// [`Journeys::paths`]. The default.
    #[default]
    Paths,
    /// [`Chain::count`].
    Transitions(TransitionOptions),
    /// [`Journeys::lags`].
    Lags,
    /// [`Journeys::lengths`].
    Lengths,
    /// [`Journeys::channels`].
    Channels,
    /// [`Journeys::summary`].
    Summary,
    /// [`Journeys::funnel`].
    Funnel(FunnelOptions),
    /// [`Journeys::step_matrix`].
    StepMatrix(StepMatrixOptions),
    /// [`Journeys::graph`].
    Graph(GraphOptions),
    /// [`Journeys::graph_difference`], of those that convert and those that do not.
    GraphDifference(DifferenceOptions),
    /// [`Journeys::time_to_convert`].
    TimeToConvert(TimeToConvertOptions),
    /// [`Journeys::path_length`].
    PathLength(PathLengthOptions),
    /// [`Journeys::assisted`].
    Assisted(AssistedOptions),
    /// [`Journeys::positions`].
    Positions,
    /// [`Journeys::overlap`].
    Overlap(OverlapOptions),
    /// [`Journeys::online_offline`].
    OnlineOffline(OnlineOfflineOptions),
    /// [`Journeys::friction`].
    Friction(FrictionOptions),
    /// [`Journeys::lag_curves`].
    LagCurves(LagCurveOptions),
    /// [`Journeys::patterns`].
    Patterns(PatternOptions),
    /// [`Journeys::sequences`].
    Sequences(SequenceOptions),
}

impl JourneyReport {
    /// The report of this name, with its options as JSON; `None` where there is none.
    pub fn named(name: &str, options: &str) -> Result<Option<Self>> {
        let plain = |report| none(options).map(|()| report);
        Ok(Some(match name {
            "paths" => plain(Self::Paths)?,
            "transitions" => Self::Transitions(parse(options)?),
            "lags" => plain(Self::Lags)?,
            "lengths" => plain(Self::Lengths)?,
            "channels" => plain(Self::Channels)?,
            "summary" => plain(Self::Summary)?,
            "funnel" => Self::Funnel(parse(options)?),
            "step_matrix" => Self::StepMatrix(parse(options)?),
            "graph" => Self::Graph(parse(options)?),
            "graph_difference" => Self::GraphDifference(parse(options)?),
            "time_to_convert" => Self::TimeToConvert(parse(options)?),
            "path_length" => Self::PathLength(parse(options)?),
            "assisted" => Self::Assisted(parse(options)?),
            "positions" => plain(Self::Positions)?,
            "overlap" => Self::Overlap(parse(options)?),
            "online_offline" => Self::OnlineOffline(parse(options)?),
            "friction" => Self::Friction(parse(options)?),
            "lag_curves" => Self::LagCurves(parse(options)?),
            "patterns" => Self::Patterns(parse(options)?),
            "sequences" => Self::Sequences(parse(options)?),
            _ => return Ok(None),
        }))
    }

    /// The tables of the report, the one that it is about first.
    pub fn of(&self, journeys: &Journeys, run: &Run) -> Result<Tables> {
        let found = match self {
            Self::Paths => return Ok(vec![("paths", journeys.paths(run)?)]),
            Self::Transitions(TransitionOptions { order, repeats }) => {
                let chain = Chain::count(journeys, *order, *repeats, run)?;
                return Ok(vec![("transitions", chain.table(&journeys.channel_labels()))]);
            }
            Self::Lags => return Ok(vec![("lags", journeys.lags()?)]),
            Self::Lengths => return Ok(vec![("lengths", journeys.lengths())]),
            Self::Channels => return Ok(vec![("channels", journeys.channels(run)?)]),
            Self::Summary => return Ok(vec![("summary", journeys.summary())]),
            Self::Funnel(options) => journeys.funnel(options, run)?,
            Self::StepMatrix(options) => journeys.step_matrix(options, run)?,
            Self::Graph(options) => journeys.graph(options, run)?,
            Self::GraphDifference(options) => journeys.graph_difference(None, options, run)?,
            Self::TimeToConvert(options) => journeys.time_to_convert(options, run)?,
            Self::PathLength(options) => journeys.path_length(options, run)?,
            Self::Assisted(options) => journeys.assisted(options, run)?,
            Self::Positions => journeys.positions(run)?,
            Self::Overlap(options) => journeys.overlap(options, run)?,
            Self::OnlineOffline(options) => journeys.online_offline(options, run)?,
            Self::Friction(options) => journeys.friction(options, run)?,
            Self::LagCurves(options) => journeys.lag_curves(options, run)?,
            Self::Patterns(options) => journeys.patterns(options, run)?,
            Self::Sequences(options) => journeys.sequences(options, run)?,
        };
        Ok(found.into_tables())
    }
}
