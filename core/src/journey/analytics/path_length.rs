//! How many touches it takes to convert, by Kaplan–Meier in touches.

use serde::{Deserialize, Serialize};

use super::options::{level_z, open_unit};
use super::survival::{Curves, Ends};
use super::{Journeys, Report, SplitBy};
use crate::Result;
use crate::journey::counts::Sums;
use crate::run::Run;

/// Options of [`Journeys::path_length`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PathLengthOptions {
    /// What the curves are split by.
    pub split_by: SplitBy,
    /// Shares of journeys that have converted, for the table of quantiles. Default 0.25, 0.5, 0.75, 0.9.
    pub quantiles: Vec<f64>,
    /// What the intervals cover. Default 0.95.
    pub level: f64,
}

impl Default for PathLengthOptions {
    fn default() -> Self {
        Self { split_by: SplitBy::default(), quantiles: vec![0.25, 0.5, 0.75, 0.9], level: 0.95 }
    }
}

impl Journeys {
    /// How many touches a conversion takes, as a life table in touches: an
    /// open journey did not convert at any of its touches, and is censored
    /// after the last.
    ///
    /// Tables as those of [`Journeys::time_to_convert`], the first called
    /// `path_length`, with `touches` in place of days; `events / at_risk` is
    /// the chance to convert at that touch once it is reached.
    pub fn path_length(&self, options: &PathLengthOptions, run: &Run) -> Result<Report> {
        options.split_by.check(self)?;
        let z = level_z(options.level)?;
        options.quantiles.iter().try_for_each(|q| open_unit("quantiles", *q).map(|_| ()))?;
        run.stage("count touches", self.len() as u64)?;
        let longest = self.len.iter().copied().max().unwrap_or(0) as usize;
        let mut place = vec![0_u32; longest + 1];
        self.len.iter().for_each(|len| place[*len as usize] = 1);
        let lengths: Vec<usize> = (1..=longest).filter(|len| place[*len] == 1).collect();
        lengths.iter().enumerate().for_each(|(at, len)| place[*len] = at as u32);
        let groups = options.split_by.groups(self);
        let touched: Vec<usize> = (0..self.len()).filter(|j| self.len[*j] > 0).collect();
        let cell = |j: &usize| {
            let group = options.split_by.group(self, *j, self.path(*j));
            group * lengths.len() as u32 + place[self.len[*j] as usize]
        };
        let cells: Vec<u32> = touched.iter().map(cell).collect();
        let sums = |weights: &[f64]| {
            let weights: Vec<f64> = touched.iter().map(|j| weights[*j]).collect();
            Sums::by_group(&cells, groups * lengths.len(), &weights).nearest
        };
        let open: Vec<f64> = (0..self.len()).map(|j| self.open_weight(j)).collect();
        let (conversions, open) = (sums(&self.conversions), sums(&open));
        run.check()?;
        let (mut curves, mut all) = (Curves::default(), Vec::new());
        for (group, name) in options.split_by.names(self).iter().enumerate() {
            let at = |i: usize| group * lengths.len() + i;
            let ends: Vec<Ends> = (0..lengths.len())
                .map(|i| (lengths[i] as i64, conversions[at(i)], open[at(i)]))
                .filter(|end| end.1 + end.2 > 0.0)
                .collect();
            if groups == 1 || !ends.is_empty() {
                curves.push(name, &ends, &options.quantiles, z, None);
                all.push(ends);
            }
        }
        curves.compare(&all.iter().map(Vec::as_slice).collect::<Vec<_>>());
        Ok(curves.report("path_length", "touches", |touches| touches as f64, z))
    }
}
