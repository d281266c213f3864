//! Draws of the gamma-gamma model, and the spend that they expect.

use super::bootstrap::refits;
use super::kernel::{Evidence, Kernel};
use super::predict::{DrawPredictOptions, DrawPrediction};
use super::sample::drawn;
use super::subject::Subject;
use super::{BootstrapOptions, Method, Posterior, PosteriorOptions};
use crate::clv::frames::{GammaGammaOptions, Spends, beside};
use crate::clv::gamma_gamma::{Data, GammaGamma, GammaGammaModel, MODEL, NAMES, start};
use crate::clv::laws::Edges;
use crate::column::{Columns, Dropped, Intake, Sign, Table, Values};
use crate::math::newton::Local;
use crate::math::{exp, mean_and_limits};
use crate::model::Model;
use crate::{Error, Result, Run};

/// Distinct customers predicted in one piece of work.
const PIECE: usize = 256;

#[derive(Clone, Copy, Debug)]
pub(super) struct Spend;

impl Evidence for Data {
    fn pooled(&self, _: &'static str) -> Result<(f64, f64, f64)> {
        self.enough()?;
        Ok((self.customers, self.mean(), 1.0))
    }

    fn weights(&self) -> Vec<f64> {
        self.rows.iter().map(|row| row.weight).collect()
    }

    fn reweighted(&self, weight: &[f64]) -> Self {
        Self::reweighted(self, weight)
    }

    fn together(parts: &[Self]) -> Self {
        Self::together(parts)
    }
}

impl Kernel<3> for Spend {
    type Data = Data;
    type Ready<'a> = &'a Data;
    type Full<'a> = &'a Data;
    const NAME: &'static str = MODEL;
    const NAMES: [&'static str; 3] = NAMES;
    const UNIT: [f64; 3] = [0.0, 0.0, 1.0];

    fn ready(self, rows: &Data) -> &Data {
        rows
    }
    fn slope(self, ready: &&Data, log: [f64; 3]) -> (f64, [f64; 3]) {
        ready.slope(log.map(exp))
    }
    fn full(self, rows: &Data) -> &Data {
        rows
    }
    fn local(self, full: &&Data, log: [f64; 3], run: &Run) -> Result<Local<3>> {
        full.evaluate(log.map(exp), run)
    }
    fn start(self, _: &Data, (_, mean): (f64, f64), _: &Run) -> Result<[f64; 3]> {
        Ok(start(mean))
    }
}

pub(super) fn bayes(
    frame: &Columns,
    options: &PosteriorOptions,
    method: Method,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    let out = Posterior::empty(GammaGammaModel::KIND, 1, method, options.period);
    let (data, dropped) = read(frame, &asked(options), run)?;
    Ok((drawn(Spend, &data, out, options, run)?, dropped))
}

/// What a posterior's options say of the rows.
pub(super) fn asked(options: &PosteriorOptions) -> GammaGammaOptions {
    GammaGammaOptions {
        frequency: options.frequency.clone(),
        monetary_value: options.monetary_value.clone(),
        weight: options.weight.clone(),
        on_invalid: options.on_invalid,
        ..GammaGammaOptions::default()
    }
}

pub(super) fn read(frame: &Columns, asked: &GammaGammaOptions, run: &Run) -> Result<(Data, Dropped)> {
    let spends = Spends::read(frame, asked, run)?;
    Ok((Data::read(&spends.slices())?, spends.dropped))
}

pub(super) fn bootstrap(
    frame: &Columns,
    options: &BootstrapOptions,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    let out = Posterior::empty(GammaGammaModel::KIND, 1, Method::Bootstrap, options.period);
    let asked = GammaGammaOptions {
        frequency: options.frequency.clone(),
        monetary_value: options.monetary_value.clone(),
        weight: options.weight.clone(),
        on_invalid: options.on_invalid,
        max_iterations: options.max_iterations,
        tolerance: options.first_tolerance(),
    };
    let spends = Spends::read(frame, &asked, run)?;
    let config = GammaGamma { max_iterations: asked.max_iterations, tolerance: asked.tolerance };
    let fit = config.fit(&spends.slices(), run)?;
    let estimates = fit.estimates();
    let refits = refits(Spend, &Data::read(&spends.slices())?, &estimates.values, options, run)?;
    Ok((out.at(estimates).with_refits(MODEL, &refits, options)?, spends.dropped))
}

impl Posterior {
    /// The models of spend at some of the draws.
    pub(super) fn spends(&self, most: usize) -> Result<Vec<GammaGammaModel>> {
        if self.subject() != Subject::Spend {
            return Err(self.other("not of GammaGamma"));
        }
        let model = |draw: &[f64]| match draw {
            [p, q, v] => GammaGammaModel::from_parameters(*p, *q, *v),
            _ => Err(Error::option("params", "must be 3 numbers: p, q, v")),
        };
        self.thinned(most).into_iter().map(model).collect()
    }

    /// Expected spend per purchase.
    pub(super) fn predict_spend(
        &self,
        frame: &Columns,
        options: &DrawPredictOptions,
        run: &Run,
    ) -> Result<DrawPrediction> {
        let models = self.spends(options.most_draws)?;
        let tail = 0.5 - 0.5 * options.level;
        let mut intake = Intake::new(frame, options.on_invalid, run);
        let customer = intake.names(&options.customer)?;
        let frequency = intake.amounts(&options.frequency, Sign::NonNegative)?;
        let money = intake.amounts(&options.monetary_value, Sign::NonNegative)?;
        let kept = intake.finish()?;
        let (frequency, money) = (kept.values(frequency), kept.values(money));
        // Customers without a repeat purchase are all alike.
        let key = |row: usize| {
            let x = frequency[row];
            (x.to_bits(), if x > 0.0 { money[row].to_bits() } else { 0 })
        };
        let mut distinct: Vec<(u64, u64)> = (0..kept.len()).map(key).collect();
        distinct.sort_unstable();
        distinct.dedup();
        run.stage("predicting", distinct.len() as u64)?;
        let parts = run.map_items(distinct.len().div_ceil(PIECE), |piece| {
            run.check()?;
            let rows = &distinct[piece * PIECE..distinct.len().min((piece + 1) * PIECE)];
            run.advance(rows.len() as u64)?;
            let one =
                |(x, mean): &(u64, u64)| expected(&models, f64::from_bits(*x), f64::from_bits(*mean), tail);
            Ok(rows.iter().map(one).collect::<Vec<_>>())
        })?;
        let answers: Vec<(Option<f64>, Edges)> = parts.into_iter().flatten().collect();
        let at: Vec<usize> =
            (0..kept.len()).map(|row| distinct.binary_search(&key(row)).unwrap_or_default()).collect();
        let edges: Vec<Edges> = at.iter().map(|i| answers[*i].1).collect();
        let table = Table::new()
            .with("customer", Values::Names(kept.names(customer)))
            .with_optional("expected_spend", at.iter().map(|i| answers[*i].0));
        Ok(DrawPrediction::new(beside(table, "expected_spend", &edges), kept.into_dropped()))
    }
}

/// The mean over the draws and its limits, missing where they are infinite: of some draws there is no mean.
fn expected(models: &[GammaGammaModel], x: f64, mean: f64, tail: f64) -> (Option<f64>, Edges) {
    let mut values: Vec<f64> = models.iter().map(|m| m.spend(x, mean).unwrap_or(f64::INFINITY)).collect();
    let [mean, low, high] = mean_and_limits(&mut values, tail).map(|v| Some(v).filter(|v| v.is_finite()));
    (mean, [low, high])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clv::SpendSlices;
    use crate::math::ln;

    #[test]
    fn the_slope_is_the_gradient() -> Result<()> {
        let slices = SpendSlices {
            frequency: &[1.0, 2.0, 5.0, 1.0, 3.0, 8.0, 2.0],
            monetary_value: &[10.0, 35.0, 22.0, 60.0, 18.0, 41.0, 35.0],
            weight: Some(&[3.0, 1.0, 0.0, 2.0, 7.0, 1.0, 4.0]),
        };
        let data = Data::read(&slices)?;
        let log = [1.7, 4.2, 18.0].map(ln);
        let (local, (value, gradient)) = (Spend.local(&&data, log, &Run::new())?, Spend.slope(&&data, log));
        assert!((value - local.value).abs() < 1e-13 * value.abs());
        for (got, want) in gradient.iter().zip(local.gradient) {
            assert!((got - want).abs() < 1e-12 * want.abs().max(1.0), "{got} for {want}");
        }
        let doubled: Vec<f64> = Evidence::weights(&data).iter().map(|w| 2.0 * w).collect();
        let twice = Spend.slope(&&Evidence::reweighted(&data, &doubled), log);
        assert!((twice.0 / value - 2.0).abs() < 1e-13);
        Ok(())
    }
}
