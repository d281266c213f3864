//! Checked columns of subjects under observation.

use std::borrow::Cow;

use super::design::{Given, Reader};
use crate::column::{Columns, Dropped, Intake, Names, OnInvalid, Sign};
use crate::{Error, Result, Run};

/// Which columns [`Subjects`] are read from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Roles<'a> {
    pub(super) duration: &'a str,
    pub(super) event: Option<&'a str>,
    pub(super) entry: Option<&'a str>,
    pub(super) weight: Option<&'a str>,
    pub(super) group: Option<&'a str>,
    pub(super) cluster: Option<&'a str>,
    pub(super) clock: Clock,
}

/// Which durations there can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Clock {
    /// 0 or more.
    #[default]
    Continuous,
    /// More than 0: models of the logarithm of time.
    Positive,
    /// Whole numbers of periods from 1.
    Periods,
}

const LONGEST: f64 = 1e100;
const HEAVIEST: f64 = 1e12;

/// The greatest number of periods of a discrete clock.
pub(super) const MOST_PERIODS: usize = 10_000;

/// Columns of subjects, all rows sound.
#[derive(Debug)]
pub(super) struct Subjects<'a> {
    pub(super) rows: usize,
    pub(super) duration: Cow<'a, [f64]>,
    pub(super) event: Option<Cow<'a, [bool]>>,
    pub(super) entry: Option<Cow<'a, [f64]>>,
    pub(super) weight: Option<Cow<'a, [f64]>>,
    pub(super) group: Option<Names>,
    pub(super) cluster: Option<Names>,
    pub(super) covariates: Vec<Given<'a>>,
    pub(super) dropped: Dropped,
}

impl<'a> Subjects<'a> {
    /// Reads the columns, and the covariates through `reader`.
    pub(super) fn read(
        frame: &'a Columns,
        roles: Roles<'_>,
        reader: &Reader<'_>,
        on_invalid: OnInvalid,
        run: &'a Run,
    ) -> Result<Self> {
        let mut intake = Intake::new(frame, on_invalid, run);
        let duration = intake.amounts(roles.duration, Sign::NonNegative)?;
        let event = roles.event.map(|c| intake.flags(c)).transpose()?;
        let entry = roles.entry.map(|c| intake.amounts(c, Sign::NonNegative)).transpose()?;
        let weight = roles.weight.map(|c| intake.amounts(c, Sign::NonNegative)).transpose()?;
        let group = roles.group.map(|c| intake.names(c)).transpose()?;
        let cluster = roles.cluster.map(|c| intake.names(c)).transpose()?;
        let covariates = reader.read(&mut intake)?;
        let sound = |x: f64| x.is_finite() && x >= 0.0;
        // Beyond these, products of sums overflow.
        let long = (0..duration.len()).filter(|i| duration[*i].is_finite() && duration[*i] > LONGEST);
        intake.reject(roles.duration, "the duration is beyond 1e100: choose a longer unit", long);
        if let (Some(weight), Some(name)) = (&weight, roles.weight) {
            let heavy = (0..weight.len()).filter(|i| weight[*i].is_finite() && weight[*i] > HEAVIEST);
            intake.reject(name, "the weight is beyond 1e12", heavy);
        }
        match roles.clock {
            Clock::Continuous => {}
            Clock::Positive => {
                let bad = (0..duration.len()).filter(|i| duration[*i] == 0.0);
                intake.reject(roles.duration, "the duration is 0; this model needs more than 0", bad);
            }
            Clock::Periods => {
                let whole = |x: f64| (1.0..=MOST_PERIODS as f64).contains(&x) && x.fract() == 0.0;
                let bad = (0..duration.len()).filter(|i| sound(duration[*i]) && !whole(duration[*i]));
                let reason = "the duration is not a whole number of periods from 1 to 10,000";
                intake.reject(roles.duration, reason, bad);
            }
        }
        if let (Some(entry), Some(name)) = (&entry, roles.entry) {
            let late = |i: &usize| {
                let (entry, end) = (entry[*i], duration[*i]);
                sound(entry) && sound(end) && entry > 0.0 && entry >= end
            };
            let reason = "observation begins at or after its end";
            intake.reject(name, reason, (0..entry.len()).filter(late));
            if roles.clock == Clock::Periods {
                let broken = (0..entry.len()).filter(|i| sound(entry[*i]) && entry[*i].fract() != 0.0);
                intake.reject(name, "the entry is not a whole number of periods", broken);
            }
        }
        let kept = intake.finish()?;
        Ok(Self {
            rows: kept.len(),
            duration: kept.values(duration),
            event: event.map(|v| kept.values(v)),
            entry: entry.map(|v| kept.values(v)),
            weight: weight.map(|v| kept.values(v)),
            group: group.map(|v| kept.names(v)),
            cluster: cluster.map(|v| kept.names(v)),
            covariates: covariates.into_iter().map(|g| g.cut(&kept)).collect(),
            dropped: kept.into_dropped(),
        })
    }

    pub(super) fn event(&self, i: usize) -> bool {
        self.event.as_ref().is_none_or(|e| e[i])
    }

    /// 0 for those seen from the beginning.
    pub(super) fn entry(&self, i: usize) -> f64 {
        self.entry.as_ref().map_or(0.0, |e| e[i])
    }

    pub(super) fn weight(&self, i: usize) -> f64 {
        self.weight.as_ref().map_or(1.0, |w| w[i])
    }

    /// An error where nothing is left, or nobody had the event.
    pub(super) fn check_events(&self, event: &str) -> Result<()> {
        self.check_rows()?;
        if (0..self.rows).any(|i| self.event(i) && self.weight(i) > 0.0) {
            return Ok(());
        }
        Err(Error::not_enough_data(format!(
            "nobody had the event (column `{event}`): there is nothing to learn when customers leave"
        )))
    }

    pub(super) fn check_rows(&self) -> Result<()> {
        if self.rows == 0 {
            return Err(Error::not_enough_data("there is no row to fit; all were dropped, or none came"));
        }
        Ok(())
    }
}

/// Times to look ahead: finite and not negative.
pub(super) fn check_horizons(name: &str, horizons: &[f64]) -> Result<()> {
    match horizons.iter().find(|h| !(h.is_finite() && **h >= 0.0)) {
        None => Ok(()),
        Some(bad) => Err(Error::option(name, format!("{bad} is not a finite time from 0"))),
    }
}
