//! Maximising the BG/NBD likelihood.

use super::likelihood::Likelihood;
use super::{BetaGeo, NAMES};
use crate::clv::estimates::{Estimates, Verdict};
use crate::clv::ridge::{EDGE, ended, identified};
use crate::clv::rows::Unique;
use crate::math::newton::{Local, Optimum, Stop, maximise};
use crate::math::sum;
use crate::math::{exp, ln};
use crate::{Error, Result, Run};

const MODEL: &str = "BetaGeo";
/// From this ratio of b to a on, the limit without dropout is tried too.
const RARE_DROPOUT: f64 = 100.0;
/// From this number of distinct rows on, the search begins on coarser ones.
const MANY_ROWS: usize = 512;

pub(super) fn fit(config: &BetaGeo, rows: &Unique, run: &Run) -> Result<Estimates> {
    let likelihood = Likelihood::new(rows);
    let n = likelihood.customers;
    let weighted = |f: &dyn Fn(usize) -> f64| sum((0..rows.len()).map(|i| rows.weight[i] * f(i)));
    let purchases = weighted(&|i| f64::from(rows.frequency[i]));
    let exposure = weighted(&|i| rows.age[i]);
    if n <= 0.0 {
        return Err(Error::not_enough_data("there are no customers to fit BetaGeo on"));
    }
    if purchases <= 0.0 {
        return Err(Error::not_enough_data(
            "no customer has a repeat purchase, so BetaGeo has nothing to estimate rates from: observe for longer",
        ));
    }
    if exposure <= 0.0 {
        return Err(Error::not_enough_data("every T is 0: no time has passed since the first purchases"));
    }
    let mean_age = exposure / n;
    let rate = purchases / exposure;

    let centre = [0.0, ln(mean_age), 0.0, 0.0];
    let penalty = config.penalty * n;
    run.stage("fitting BetaGeo", 0)?;
    let penalised = |likelihood: &Likelihood<'_>, log: &[f64; 4]| -> Result<Local<4>> {
        run.check()?;
        let mut local = likelihood.evaluate(log.map(exp), run)?;
        for i in 0..4 {
            let distance = log[i] - centre[i];
            local.value -= 0.5 * penalty * distance * distance;
            local.gradient[i] -= penalty * distance;
            local.hessian[i][i] -= penalty;
        }
        Ok(local)
    };
    let mut evaluate = |log: &[f64; 4]| penalised(&likelihood, log);
    let edge = ln(EDGE);
    let bounds: [(f64, f64); 4] = std::array::from_fn(|i| (centre[i] - edge, centre[i] + edge));
    let stop = Stop { max_iterations: config.max_iterations, gradient: config.tolerance * n };
    // Gamma rates of shape ½ about the pooled rate, and one dropout in three.
    let mut start = [ln(0.5), ln(0.5 / rate).clamp(bounds[1].0, bounds[1].1), 0.0, ln(2.0)];
    // Most of the way is found on rows that are nearly these, and fewer.
    if rows.len() >= MANY_ROWS {
        let coarse = rows.coarse();
        let likelihood = Likelihood::new(&coarse);
        let nearly = Stop { gradient: 1e-6 * n, ..stop };
        let near = maximise(start, &bounds, nearly, |log| penalised(&likelihood, log))?;
        let ordinary = near.converged
            && !near.bound.contains(&true)
            && near.at[3] - near.at[2] < ln(RARE_DROPOUT)
            && near.at.iter().zip(centre).all(|(at, centre)| (at - centre).abs() < 0.5 * edge);
        if ordinary {
            start = near.at;
        }
    }
    let mut found = maximise(start, &bounds, stop, &mut evaluate)?;

    // Without dropout the likelihood rises for ever along b/a → ∞; there the
    // model is the NBD, and only r and α are left to estimate.
    let mut dropout_gone = false;
    if config.penalty == 0.0 && found.at[3] - found.at[2] > ln(RARE_DROPOUT) {
        let limit = nbd_limit(found.at, &bounds, stop, &mut evaluate)?;
        if limit.converged && limit.local.value >= found.local.value - 1e-7 {
            dropout_gone = true;
            found = Optimum { iterations: found.iterations + limit.iterations, ..limit };
        }
    }
    ended(MODEL, &found, centre, (n, config.max_iterations), "add a small penalty such as 0.01")?;
    let mut fixed = found.bound;
    if dropout_gone {
        fixed[2] = true;
        fixed[3] = true;
    }
    let (fixed, covariance) = identified(&found, centre, fixed);
    let verdict = verdict(found.at, centre, fixed, dropout_gone);
    let values = found.at.map(exp);
    let log_likelihood =
        if config.penalty > 0.0 { likelihood.evaluate(values, run)?.value } else { found.local.value };
    Ok(Estimates {
        names: NAMES.map(str::to_owned).to_vec(),
        values: values.to_vec(),
        covariance: covariance.iter().map(|row| row.to_vec()).collect(),
        fixed: fixed.to_vec(),
        log_likelihood: Some(log_likelihood),
        customers: Some(n),
        distinct: rows.len() as u64,
        iterations: found.iterations as u64,
        gradient_norm: found.gradient_norm / n,
        verdict,
    })
}

/// The maximum over r and α with dropout switched off: a = 1, b = 1e12.
fn nbd_limit(
    from: [f64; 4],
    bounds: &[(f64, f64); 4],
    stop: Stop,
    evaluate: &mut impl FnMut(&[f64; 4]) -> Result<Local<4>>,
) -> Result<Optimum<4>> {
    let (a, b) = (0.0, ln(1e12));
    let bounds = [bounds[0], bounds[1], (a, a), (b, b)];
    maximise([from[0], from[1], a, b], &bounds, stop, |at| {
        let mut local = evaluate(at)?;
        for i in 2..4 {
            local.gradient[i] = 0.0; // held, whichever way it pushes
            for j in 0..4 {
                local.hessian[i][j] = 0.0;
                local.hessian[j][i] = 0.0;
            }
        }
        Ok(local)
    })
}

fn verdict(at: [f64; 4], centre: [f64; 4], fixed: [bool; 4], dropout_gone: bool) -> Verdict {
    let high = |i: usize| fixed[i] && at[i] > centre[i];
    if dropout_gone {
        Verdict::NoDropout
    } else if high(0) || high(1) {
        Verdict::EqualRates
    } else if (fixed[2] || fixed[3]) && at[2] > 6.0 && at[3] > 6.0 {
        Verdict::EqualDropout
    } else if (fixed[2] || fixed[3]) && at[2] < -6.0 && at[3] < -6.0 {
        Verdict::PolarisedDropout
    } else if (fixed[3] && at[3] < 0.0) || high(2) {
        Verdict::CertainDropout
    } else if fixed.contains(&true) {
        Verdict::Boundary
    } else {
        Verdict::Interior
    }
}
