//! Is the richer law worth it? Likelihood-ratio tests of laws within laws.

use super::beta_geo::BetaGeoModel;
use super::covariates::Effects;
use super::laws::{
    BetaGeoCnbdLaw, GGompertzLaw, Law, ModifiedBetaGeoCnbdLaw, ModifiedBetaGeoLaw, ParetoGggLaw, ParetoLaw,
    Purchases,
};
use crate::clv::estimates::Verdict;
use crate::column::{Table, Values};
use crate::math::chi_squared_tail;
use crate::model::Model;
use crate::{Error, Result};

/// What [`likelihood_ratio`] finds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LikelihoodRatio {
    /// Twice the gain in log-likelihood.
    pub statistic: f64,
    /// How many parameters the richer law has more.
    pub degrees_of_freedom: u32,
    /// The distribution of the statistic where the restricted law is the truth:
    /// χ² of so many degrees of freedom, each with its weight.
    pub mixture: Vec<(u32, f64)>,
    /// The probability of a statistic as great or greater under that distribution.
    pub p_value: f64,
}

impl LikelihoodRatio {
    /// The distribution in words, such as "0.5 chi2(0) + 0.5 chi2(1)".
    pub fn distribution(&self) -> String {
        let part = |(free, weight): &(u32, f64)| {
            if *weight == 1.0 { format!("chi2({free})") } else { format!("{weight} chi2({free})") }
        };
        self.mixture.iter().map(part).collect::<Vec<_>>().join(" + ")
    }

    /// A frame of one row: statistic, degrees_of_freedom, p, distribution.
    pub fn table(&self) -> Table {
        Table::new()
            .with("statistic", Values::F64(vec![self.statistic]))
            .with("degrees_of_freedom", Values::I64(vec![i64::from(self.degrees_of_freedom)]))
            .with("p", Values::F64(vec![self.p_value]))
            .with("distribution", Values::Text([self.distribution()].into_iter().collect()))
    }
}

/// Tests a fitted law against a richer one that contains it, both fitted to the
/// same customers without a penalty (Wilks 1938).
///
/// | restricted | full | what it says | distribution |
/// | --- | --- | --- | --- |
/// | ParetoNBD | GGompertzNBD | b = 0: the hazard does not grow | ½ χ²₀ + ½ χ²₁ |
/// | ParetoNBD | ParetoGGG | t/γ = 1 and 1/t = 0: all buy at random | ½ χ²₁ + ½ χ²₂ |
/// | any law | the same law with more covariates, or with coefficients of both processes that are not `equal` | those do nothing, or are equal | χ² of the difference |
///
/// A parameter that the restricted law puts at the edge of its space can be
/// estimated on one side of it only, so half of the time it gains nothing:
/// the distribution is a mixture (Self & Liang 1987, cases 5 and 6).
///
/// Errors: [`Error::Option`] for laws of which none contains the other, for
/// fits to different customers or under a penalty, for a richer law that is less likely (a
/// search that ended elsewhere), and where the restricted law's own
/// parameters ran off, which the distribution does not allow for.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::{GGompertzNbd, ParetoNbd, RfmSlices, likelihood_ratio};
///
/// let rfm = RfmSlices {
///     frequency: &[0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0],
///     recency: &[0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0],
///     age: &[35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0],
///     weight: Some(&[1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0]),
///     ..RfmSlices::default()
/// };
/// let run = Run::new();
/// let pareto = ParetoNbd::new().fit(&rfm, &run)?;
/// let gompertz = GGompertzNbd::new().tolerance(1e-6).fit(&rfm, &run)?;
/// let test = likelihood_ratio(&pareto, &gompertz)?;
/// assert_eq!(test.mixture, [(0, 0.5), (1, 0.5)]);
/// assert!((0.0..=1.0).contains(&test.p_value));
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn likelihood_ratio(restricted: &dyn Purchases, full: &dyn Purchases) -> Result<LikelihoodRatio> {
    let (few, many) = (restricted.estimates(), full.estimates());
    let mixture = mixture(restricted, full)?;
    for (name, estimates) in [("restricted", few), ("full", many)] {
        if estimates.verdict == Verdict::Given {
            return Err(Error::option(name, "its parameters were given, so it has no likelihood: fit it"));
        }
    }
    for (name, model) in [("restricted", restricted), ("full", full)] {
        if model.penalty() > 0.0 {
            let reason = format!(
                "was fitted with a penalty of {}, and the test is of likelihoods at their maximum: fit both without a penalty",
                model.penalty()
            );
            return Err(Error::option(name, reason));
        }
    }
    if let (Some(one), Some(other)) = (restricted.period(), full.period())
        && one != other
    {
        let reason = format!(
            "counts in periods of {other} and the restricted law in {one}: fit both to the same rows"
        );
        return Err(Error::option("full", reason));
    }
    let counted = [few, many].map(|estimates| estimates.customers.unwrap_or_default());
    let fits = [few.fit(), many.fit()];
    let same = (counted[0] - counted[1]).abs() <= 1e-9 * counted[0] && few.distinct > 0 && many.distinct > 0;
    if !same {
        return Err(Error::option(
            "full",
            format!(
                "{} was fitted to {} customers and {} to {}: fit both to the same rows",
                full.kind(),
                counted[1],
                restricted.kind(),
                counted[0]
            ),
        ));
    }
    if few.verdict != Verdict::Interior {
        return Err(Error::option(
            "restricted",
            format!(
                "its parameters ran off (verdict {}): the statistic then follows no known distribution",
                few.verdict.name()
            ),
        ));
    }
    let statistic = 2.0 * (fits[1] - fits[0]);
    if statistic < -1e-5 * (1.0 + 1e-3 * fits[0].abs()) {
        return Err(Error::option(
            "full",
            format!(
                "is less likely than the law within it (log-likelihood {} and {}): fit both without penalties of covariates, and to a smaller tolerance",
                fits[1], fits[0]
            ),
        ));
    }
    let statistic = statistic.max(0.0);
    let p_value = mixture.iter().map(|(free, weight)| weight * beyond(statistic, *free)).sum();
    let degrees_of_freedom = mixture.iter().map(|m| m.0).max().unwrap_or(0);
    Ok(LikelihoodRatio { statistic, degrees_of_freedom, mixture, p_value })
}

/// P(χ² ≥ `statistic`).
fn beyond(statistic: f64, free: u32) -> f64 {
    match free {
        0 => f64::from(u8::from(statistic <= 0.0)),
        free => chi_squared_tail(statistic, f64::from(free)),
    }
}

/// The names of the coefficients of covariates.
fn coefficients(model: &dyn Purchases) -> Vec<String> {
    model.effects().map_or_else(Vec::new, Effects::names)
}

fn mixture(restricted: &dyn Purchases, full: &dyn Purchases) -> Result<Vec<(u32, f64)>> {
    let chosen = || {
        Error::option(
            "full",
            "differs in k, a whole number that is chosen and not estimated, so no law contains the other: \
             compare their AIC",
        )
    };
    match (restricted.kind(), full.kind()) {
        (BetaGeoModel::KIND, BetaGeoCnbdLaw::KIND)
        | (ModifiedBetaGeoLaw::KIND, ModifiedBetaGeoCnbdLaw::KIND) => Err(chosen()),
        _ if restricted.ticks() != full.ticks() => Err(chosen()),
        (one, other) if one != other && coefficients(restricted) != coefficients(full) => {
            Err(Error::option("full", "has other covariates: change the law or the covariates, not both"))
        }
        (ParetoLaw::KIND, GGompertzLaw::KIND) => Ok(vec![(0, 0.5), (1, 0.5)]),
        (ParetoLaw::KIND, ParetoGggLaw::KIND) => Ok(vec![(1, 0.5), (2, 0.5)]),
        (one, other) if one == other => {
            let (few, many) = (coefficients(restricted), coefficients(full));
            let there = |name: &String| {
                let both = name.strip_prefix("equal:").is_some_and(|column| {
                    let has = |process: &str| many.contains(&format!("{process}:{column}"));
                    has("purchase") && has("dropout")
                });
                both || many.contains(name)
            };
            let more = many.len().saturating_sub(few.len());
            if !few.iter().all(there) || more == 0 {
                return Err(Error::option(
                    "full",
                    "must have the covariates of the restricted model, and more: the same law is no richer",
                ));
            }
            Ok(vec![(u32::try_from(more).unwrap_or(u32::MAX), 1.0)])
        }
        (one, other) => Err(Error::option(
            "full",
            format!("{other} does not contain {one}: Vuong's test and AIC, in `compare`, judge such laws"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Quantiles of the mixtures: 5 % at 2.706 of ½ χ²₀ + ½ χ²₁ (Self & Liang 1987), 5.138 of ½ χ²₁ + ½ χ²₂.
    #[test]
    fn mixtures_have_their_published_quantiles() {
        let half = |statistic: f64, one, other| 0.5 * (beyond(statistic, one) + beyond(statistic, other));
        assert!((half(2.705_543, 0, 1) - 0.05).abs() < 1e-6);
        assert!((half(5.138_3, 1, 2) - 0.05).abs() < 1e-5);
        assert_eq!(half(0.0, 0, 1), 1.0);
    }
}
