//! Where visits come from, and channels with their campaigns.

use headwater::journey::{ChannelOptions, ChannelRules, Hierarchy, group_channels as group};
use headwater::options::parse;
use pyo3::prelude::*;

use crate::errors::Outcome;
use crate::frame::{Frame, columns};
use crate::journey::{Frames, frames};
use crate::models::Model;
use crate::run::{RunArgs, direct};

/// Source, medium, campaign and channel of every row; how many rows each channel has; what could not be read.
#[pyfunction]
pub(crate) fn group_channels(
    py: Python<'_>,
    visits: &Bound<'_, PyAny>,
    options: &str,
    run: RunArgs,
) -> Outcome<Frames> {
    let (visits, options) = (columns(visits)?, parse::<ChannelOptions>(options)?);
    run.call(py, |run| {
        let found = group(&visits, &options, run)?;
        frames(vec![
            ("table", found.table()),
            ("summary", found.summary()),
            ("accounting", found.accounting()),
        ])
    })
}

/// Rules from JSON.
#[pyfunction]
pub(crate) fn channel_rules(options: &str) -> Outcome<Model> {
    Ok(Model::new(parse::<ChannelRules>(options)?))
}

/// What the rules make of one visit, as JSON.
#[pyfunction]
pub(crate) fn classify_visit(rules: &Model, visit: &str) -> Outcome<String> {
    let (rules, visit) = (rules.get::<ChannelRules>()?, parse(visit)?);
    direct(|| {
        serde_json::to_string(&rules.classify(&visit))
            .map_err(|e| headwater::Error::option("visit", e.to_string()))
    })
}

/// Credits of campaigns by channel.
#[pyfunction]
pub(crate) fn drill_down(
    py: Python<'_>,
    credits: &Bound<'_, PyAny>,
    channels: Option<&Bound<'_, PyAny>>,
    levels: &str,
    run: RunArgs,
) -> Outcome<Frame> {
    let (credits, channels) = (columns(credits)?, channels.map(columns).transpose()?);
    let levels: Hierarchy = parse(levels)?;
    run.call(py, |run| Frame::new(levels.drill_down_frame(&credits, channels.as_ref(), run)?))
}
