//! Does the gamma-gamma model make mean values like these?

use super::check::{PosteriorCheck, PosteriorCheckOptions, STREAM, whole};
use super::{Posterior, predict::most_draws};
use crate::clv::frames::{GammaGammaOptions, Spends};
use crate::clv::gamma_gamma::Data;
use crate::column::Columns;
use crate::math::sample::Sampler;
use crate::math::{ln, quantile, sorted, sum};
use crate::{Error, Result, Run};

/// No more customers than so many are drawn.
const MOST_CUSTOMERS: f64 = 1e7;

/// What is compared: of the customers' mean values, and their correlation with frequency.
const STATISTICS: [&str; 6] = ["mean", "sd", "q10", "median", "q90", "correlation_of_logs"];

impl Posterior {
    pub(super) fn check_spend(
        &self,
        frame: &Columns,
        options: &PosteriorCheckOptions,
        run: &Run,
    ) -> Result<PosteriorCheck> {
        let models = self.spends(most_draws(options.most_draws)?)?;
        let asked = GammaGammaOptions {
            frequency: options.frequency.clone(),
            monetary_value: options.monetary_value.clone(),
            weight: options.weight.clone(),
            on_invalid: options.on_invalid,
            ..GammaGammaOptions::default()
        };
        let spends = Spends::read(frame, &asked, run)?;
        let slices = spends.slices();
        whole(options.weight.as_deref(), slices.weight)?;
        let data = Data::read(&slices)?;
        if data.customers < 2.0 {
            return Err(Error::not_enough_data(
                "the model of spend is checked by two customers or more with a repeat purchase and a positive mean",
            ));
        }
        if data.customers > MOST_CUSTOMERS {
            let reason = "more than 10,000,000 customers, who are drawn one by one: check a sample of them";
            return Err(Error::option("weight", reason));
        }
        run.stage("replicating customers", models.len() as u64)?;
        // Customers one by one: the frequency of each, and what it is to buy for.
        let frequency: Vec<f64> =
            data.rows.iter().flat_map(|row| std::iter::repeat_n(row.x, row.weight as usize)).collect();
        let found = run.map_items(models.len(), |draw| {
            let mut sampler = Sampler::new(run.rng(STREAM + draw as u64));
            let [p, q, v] = models[draw].params();
            let mut means = Vec::with_capacity(frequency.len());
            for (i, x) in frequency.iter().enumerate() {
                if i % 4096 == 0 {
                    run.check()?;
                }
                // ν ~ Gamma(q, v), and the mean of x purchases ~ Gamma(p x, ν x); a mean beyond the doubles is cut.
                let rate = (sampler.gamma(q) / v).max(f64::MIN_POSITIVE);
                means.push((sampler.gamma(p * x) / (rate * x)).clamp(1e-300, 1e100));
            }
            run.advance(1)?;
            Ok(statistics(&frequency, &means))
        })?;
        let means: Vec<f64> =
            data.rows.iter().flat_map(|row| std::iter::repeat_n(row.mean, row.weight as usize)).collect();
        let replicates = (0..STATISTICS.len())
            .map(|i| sorted(&found.iter().map(|s| s[i]).collect::<Vec<f64>>()))
            .collect();
        Ok(PosteriorCheck {
            statistics: STATISTICS.map(str::to_owned).to_vec(),
            observed: statistics(&frequency, &means).to_vec(),
            replicates,
            level: options.level,
            dropped: spends.dropped,
        })
    }
}

fn statistics(frequency: &[f64], means: &[f64]) -> [f64; 6] {
    let n = means.len() as f64;
    let mean = |values: &[f64]| sum(values.iter().copied()) / n;
    let product = |a: &[f64], b: &[f64]| {
        let (of_a, of_b) = (mean(a), mean(b));
        sum(a.iter().zip(b).map(|(x, y)| (x - of_a) * (y - of_b)))
    };
    let ordered = sorted(means);
    let logs = |values: &[f64]| values.iter().map(|v| ln(*v)).collect::<Vec<f64>>();
    let (x, m) = (logs(frequency), logs(means));
    let scale = (product(&x, &x) * product(&m, &m)).sqrt();
    [
        mean(means),
        (product(means, means) / (n - 1.0)).sqrt(),
        quantile(&ordered, 0.1),
        quantile(&ordered, 0.5),
        quantile(&ordered, 0.9),
        if scale > 0.0 { product(&x, &m) / scale } else { 0.0 },
    ]
}
