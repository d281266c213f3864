//! A forecast along covariates beside the purchases of a holdout.

use serde::{Deserialize, Serialize};

use super::Sources;
use super::model::DynamicParetoNbdModel;
use super::predict::DynamicPredictOptions;
use super::timeline::{Life, Lives};
use crate::clv::checking::{CheckOptions, Cut};
use crate::clv::rows::RfmSlices;
use crate::clv::summarize::{Refunds, When};
use crate::column::{Columns, Tables};
use crate::{Error, Result, Run};

/// Options of [`DynamicParetoNbdModel::check`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicCheckOptions {
    /// The end of calibration, its grain included: later orders are the holdout. Needed.
    pub calibration_end: Option<When>,
    /// The last bin of frequencies is this many purchases or more. Default 7.
    pub most: usize,
    /// How many bins of recency and of T. Default 8.
    pub bins: usize,
    /// How the frames are read; the holdout ends with `observation_end`.
    pub sources: Sources,
}

impl Default for DynamicCheckOptions {
    fn default() -> Self {
        let CheckOptions { most, bins, .. } = CheckOptions::default();
        Self { calibration_end: None, most, bins, sources: Sources::default() }
    }
}

impl DynamicParetoNbdModel {
    /// The purchases that are expected of each customer after the end of calibration, by what was known until then and by
    /// the covariates since, beside those that came: the tables `check`, `by_frequency`, `by_recency`, `by_age` and
    /// `deciles` that the report `check` of the other laws has.
    ///
    /// Errors: those of [`DynamicParetoNbdModel::predict`]; an [`Error::Option`] without `calibration_end` or where no time
    /// is left after it, and for refunds that are netted, which may take back what was known before.
    pub fn check(
        &self,
        orders: &Columns,
        covariates: &Columns,
        options: &DynamicCheckOptions,
        run: &Run,
    ) -> Result<Tables> {
        let cut = Cut::new(options.most, options.bins)?;
        let Some(split) = &options.calibration_end else {
            return Err(Error::option("calibration_end", "is needed: the holdout begins after it"));
        };
        if options.sources.refunds == Refunds::Net {
            let reason = "must be \"error\" or \"drop\": netted, those of the holdout reach back before it";
            return Err(Error::option("refunds", reason));
        }
        let ask =
            DynamicPredictOptions { sources: options.sources.clone(), ..DynamicPredictOptions::default() };
        let (timeline, period) = self.timeline(covariates, &ask, run)?;
        let until = Sources { observation_end: Some(split.clone()), ..options.sources.clone() };
        let seen = Lives::read(orders, &timeline, &until, period, run)?;
        let whole = Lives::read(orders, &timeline, &options.sources, period, run)?;
        let end = |lives: &Lives| lives.each.first().map_or(0, |life| life.end);
        let ahead = end(&whole).saturating_sub(end(&seen));
        if ahead <= 0 {
            let reason = "must lie before the end of observation, or there is no holdout";
            return Err(Error::option("calibration_end", reason));
        }
        let mut bought = vec![0; whole.customer.labels.len()];
        for (code, life) in whole.customer.codes.iter().zip(&whole.each) {
            bought[*code as usize] = life.frequency;
        }
        let actual = seen.customer.codes.iter().zip(&seen.each);
        let actual: Vec<f64> = actual
            .map(|(code, life)| f64::from(bought[*code as usize].saturating_sub(life.frequency)))
            .collect();
        let coming = |life: &Life| timeline.coming(life.places, life.end, ahead, period);
        let coming: Vec<_> = seen.each.iter().map(coming).collect();
        let expected = self.expected(&timeline, &seen, &coming, &ask, run)?;
        let take = |f: fn(&Life) -> f64| seen.each.iter().map(f).collect::<Vec<f64>>();
        let (x, t_x, t) = (take(|l| f64::from(l.frequency)), take(|l| l.recency), take(|l| l.age));
        let rows = RfmSlices { frequency: &x, recency: &t_x, age: &t, ..RfmSlices::default() };
        let mut tables = cut.tables(&rows, &actual, &expected, None)?;
        tables.push(("dropped", whole.dropped.table()));
        Ok(tables)
    }
}
