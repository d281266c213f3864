//! Models of retention beside each other on the same customers.

use super::ContractModel;
use super::fit::{Family, Solver};
use super::likelihood::{geometric, met, shifted, weibull};
use crate::column::{Table, Text, Values};
use crate::math::{erfc, exp, ln, ln_gamma};
use crate::{Error, Result, Run};

impl ContractModel {
    /// A frame that sets this model beside its neighbours on the same
    /// customers: model, parameters, log_likelihood, aic, bic, and the
    /// likelihood-ratio test of each against the one before: statistic, df,
    /// p_value. The models are `geometric` (one chance to leave for all),
    /// `shifted_beta_geo`, `beta_discrete_weibull`, and, where cohorts have
    /// curves of their own, `separate`, or `covariates`, either tested against this model without.
    ///
    /// Equal customers lie on the edge of the shifted beta-geometric model, so
    /// its p-value is half of the usual one (Self & Liang 1987).
    pub(super) fn compare(&self, family: Family, run: &Run) -> Result<Table> {
        if self.life.periods() == 0 {
            return Err(Error::not_enough_data(
                "the model was made from parameters: there is nothing to compare on",
            ));
        }
        let solver = Solver { max_iterations: 1000, tolerance: 1e-9 };
        let mut rows: Vec<Compared> =
            vec![Compared { model: "geometric", parameters: 1, fit: geometric(&self.life).0, test: None }];
        for other in [Family::ShiftedBetaGeo, Family::BetaDiscreteWeibull] {
            let fit = if other == family && self.effects.is_none() {
                self.estimates.fit()
            } else {
                match other.fit(&self.life, solver, run) {
                    Ok(fitted) => fitted.fit(),
                    Err(Error::NotEnoughData { .. }) => continue,
                    Err(error) => return Err(error),
                }
            };
            let statistic = rows.last().map_or(0.0, |r| (2.0 * (fit - r.fit)).max(0.0));
            let p = if other == Family::ShiftedBetaGeo {
                edge_tail(statistic)
            } else {
                chi_square_tail(statistic, 1)
            };
            rows.push(Compared {
                model: other.row(),
                parameters: other.parameters().len(),
                fit,
                test: Some((statistic, 1, p)),
            });
        }
        if self.separate() {
            // Cohorts without a curve of their own keep the pooled one on both sides.
            let own = self.cohorts.iter().filter_map(|c| Some((&c.life, c.estimates.as_ref()?)));
            let (mut gain, mut curves) = (0.0, 0);
            for (life, estimates) in own {
                let pooled = match family {
                    Family::ShiftedBetaGeo => {
                        let v = &self.estimates.values;
                        shifted(&met(life), [v[0], v[1]]).value
                    }
                    Family::BetaDiscreteWeibull => {
                        let v = &self.estimates.values;
                        weibull(&met(life), [v[0], v[1], v[2]]).value
                    }
                };
                gain += estimates.fit() - pooled;
                curves += 1;
            }
            let all = curves == self.cohorts.len();
            let parameters = family.parameters().len() * (curves + usize::from(!all));
            let df = parameters - family.parameters().len();
            let statistic = (2.0 * gain).max(0.0);
            let test = (df > 0).then(|| (statistic, df, chi_square_tail(statistic, df)));
            let fit = self.estimates.fit() + gain;
            rows.push(Compared { model: "separate", parameters, fit, test });
        }
        if let Some(effects) = &self.effects {
            let pooled = rows.iter().find(|r| r.model == family.row());
            let gain = pooled.map(|r| (2.0 * (self.estimates.fit() - r.fit)).max(0.0));
            let df = effects.free();
            let parameters = family.parameters().len() + df;
            let test = gain.filter(|_| df > 0).map(|gain| (gain, df, chi_square_tail(gain, df)));
            rows.push(Compared { model: "covariates", parameters, fit: self.estimates.fit(), test });
        }
        let n = self.life.customers();
        let k = |r: &Compared| r.parameters as f64;
        Ok(Table::new()
            .with("model", Values::Text(rows.iter().map(|r| r.model).collect::<Text>()))
            .with("parameters", Values::I64(rows.iter().map(|r| r.parameters as i64).collect()))
            .with("log_likelihood", Values::F64(rows.iter().map(|r| r.fit).collect()))
            .with("aic", Values::F64(rows.iter().map(|r| 2.0 * k(r) - 2.0 * r.fit).collect()))
            .with("bic", Values::F64(rows.iter().map(|r| k(r) * ln(n) - 2.0 * r.fit).collect()))
            .with_optional("statistic", rows.iter().map(|r| r.test.map(|t| t.0)))
            .with_optional("df", rows.iter().map(|r| r.test.map(|t| t.1 as f64)))
            .with_optional("p_value", rows.iter().map(|r| r.test.map(|t| t.2))))
    }
}

impl Family {
    /// Its row of the table.
    fn row(self) -> &'static str {
        match self {
            Self::ShiftedBetaGeo => "shifted_beta_geo",
            Self::BetaDiscreteWeibull => "beta_discrete_weibull",
        }
    }
}

struct Compared {
    model: &'static str,
    parameters: usize,
    fit: f64,
    test: Option<(f64, usize, f64)>,
}

/// P(χ² > `x`) with `df` degrees of freedom, by the finite sums for whole ones
/// (Abramowitz & Stegun 26.4.4 and 26.4.5).
fn chi_square_tail(x: f64, df: usize) -> f64 {
    if x.is_nan() || x <= 0.0 || df == 0 {
        return 1.0;
    }
    let half = 0.5 * x;
    let (mut total, mut power) =
        if df.is_multiple_of(2) { (exp(-half), 0.0) } else { (erfc(half.sqrt()), -0.5) };
    // e^(−x/2) (x/2)^power / Γ(power + 1), two degrees at a time
    let mut ln_term = -half + power * ln(half) - ln_gamma(power + 1.0);
    for _ in 1..df.div_ceil(2) {
        power += 1.0;
        ln_term += ln(half) - ln(power);
        total += exp(ln_term);
    }
    total.min(1.0)
}

/// The p-value of a parameter that lies on its edge under the hypothesis: half
/// the time the statistic is 0 by itself (Self & Liang 1987).
fn edge_tail(x: f64) -> f64 {
    if x > 0.0 { 0.5 * chi_square_tail(x, 1) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_of_chi_square() {
        // Quantiles of tables: 5 % of one, two, three and seven degrees.
        for (x, df) in
            [(3.841458820694124, 1), (5.991464547107979, 2), (7.814727903251179, 3), (14.067140449340169, 7)]
        {
            assert!((chi_square_tail(x, df) - 0.05).abs() < 1e-14, "{df}");
        }
        assert_eq!((chi_square_tail(0.0, 3), chi_square_tail(2000.0, 3)), (1.0, 0.0));
    }
}
