//! Draws of the parameters: by NUTS, and by Laplace's approximation.
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use super::draw::{Peak, fill};
use super::joint::JointBayes;
use super::kernel::{Evidence, Kernel, Visit, full, with_kernel};
use super::prior::Priors;
use super::subject::Subject;
use super::{Method, Posterior, PosteriorOptions, retention, spend};
use crate::clv::covariates::Covariates;
use crate::clv::door::{PurchaseOptions, with_law};
use crate::clv::frames::{History as Rows, Roles, intervals_of};
use crate::clv::laws::{Law, opportunities, with_intervals};
use crate::clv::rows::{RfmSlices, Unique};
use crate::clv::{BetaBinomialLaw, ParetoGggLaw};
use crate::column::{Columns, Dropped};
use crate::math::newton::{Local, Optimum, Stop, cholesky, covariance, maximise};
use crate::math::{exp, ln, sum};
use crate::{Error, Result, Run};

/// Most draws in all.
pub(super) const MOST_DRAWS: usize = 4_000_000;

/// The full posterior of a model of purchases, of spend or of retention by the no-U-turn sampler.
///
/// `kind` is that of [`fit_purchases`](crate::clv::fit_purchases), `GammaGamma`, `ShiftedBetaGeo` or
/// `BetaDiscreteWeibull`. Chains start
/// about the mode in coordinates in which the posterior is roughly standard
/// normal there, so warm-up is short. The same seed gives the same draws for
/// any number of threads and any order of rows.
///
/// Errors: [`Error::Row`], [`Error::NotEnoughData`] without repeat purchases,
/// [`Error::Option`], [`Error::NotConverged`] where no mode is found.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::posterior::{PosteriorOptions, sample_posterior};
/// use headwater::column::Columns;
///
/// let customers = Columns::new()
///     .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
///     .with("recency", vec![0.0, 4.0, 24.0, 9.0, 30.0, 13.0, 36.0])
///     .with("T", vec![35.0, 38.0, 38.0, 39.0, 39.0, 38.0, 38.0])
///     .with("customers", vec![1400.0, 300.0, 200.0, 100.0, 100.0, 10.0, 90.0]);
/// let options = PosteriorOptions { weight: Some("customers".into()), draws: 200, ..Default::default() };
/// let (posterior, _) = sample_posterior("BetaGeo", &customers, &options, &Run::new())?;
/// assert_eq!(posterior.len(), 4 * 200);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn sample_posterior(
    kind: &str,
    frame: &Columns,
    options: &PosteriorOptions,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    bayes(kind, frame, options, Method::Nuts, run)
}

/// Laplace's approximation: draws of a normal on log parameters about the
/// greatest posterior density, with the curvature there.
///
/// Options, priors and errors are those of [`sample_posterior`]; `tune`,
/// `target_accept` and `max_depth` mean nothing here.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::Covariates;
/// use headwater::clv::posterior::{PosteriorOptions, SummaryOptions, laplace};
/// use headwater::column::Columns;
///
/// // Those of the channel "shop" buy more often: how sure is that?
/// let customers = Columns::new()
///     .with("frequency", vec![0.0, 1.0, 2.0, 0.0, 2.0, 5.0, 1.0, 3.0])
///     .with("recency", vec![0.0, 9.0, 30.0, 0.0, 16.0, 36.0, 4.0, 33.0])
///     .with("T", vec![38.0, 39.0, 38.0, 37.0, 39.0, 38.0, 38.0, 39.0])
///     .with("channel", vec!["web", "web", "web", "shop", "shop", "shop", "web", "shop"])
///     .with("weight", vec![700.0, 150.0, 60.0, 500.0, 150.0, 60.0, 100.0, 100.0]);
/// let options = PosteriorOptions {
///     covariates: Some(Covariates::new(["channel"], [])),
///     weight: Some("weight".into()),
///     ..PosteriorOptions::default()
/// };
/// let (posterior, _) = laplace("ParetoNBD", &customers, &options, &Run::new())?;
/// assert_eq!(posterior.parameters()[4], "purchase:channel[web]");
/// let table = posterior.table(&SummaryOptions { level: 0.9 })?;
/// assert!(table.f64s("high").is_some_and(|high| high[4] < 0.0)); // the web beside the shop
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn laplace(
    kind: &str,
    frame: &Columns,
    options: &PosteriorOptions,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    bayes(kind, frame, options, Method::Laplace, run)
}

fn bayes(
    kind: &str,
    frame: &Columns,
    options: &PosteriorOptions,
    method: Method,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    options.check()?;
    let kind = full(kind);
    let subject = Subject::of(&kind);
    subject.refuse(&kind, &options.given())?;
    match subject {
        Subject::Purchases => purchases(&kind, frame, options, method, run),
        Subject::Spend => spend::bayes(frame, options, method, run),
        Subject::Retention(family) => retention::bayes(family, frame, options, method, run),
        Subject::Along => Err(Subject::along()),
    }
}

fn purchases(
    kind: &str,
    frame: &Columns,
    options: &PosteriorOptions,
    method: Method,
    run: &Run,
) -> Result<(Posterior, Dropped)> {
    let rows = read(kind, frame, &options.purchases(), run)?;
    let slices = rows.slices();
    let unique = unique(&slices, run)?;
    let out = Posterior::empty(kind, options.k, method, options.period);
    let posterior = if let Some(covariates) = &options.covariates {
        let given = (&slices, rows.covariates.as_slice(), covariates);
        with_law(kind, options.k, JointBayes { out, unique: &unique, given, options, run })?
    } else {
        with_kernel(kind, options.k, Bayes { out, unique: &unique, options, run })?
    };
    Ok((posterior, rows.dropped))
}

/// The rows of a frame, as a law of this kind takes them.
pub(super) fn read<'a>(
    kind: &str,
    frame: &'a Columns,
    asked: &PurchaseOptions,
    run: &'a Run,
) -> Result<Rows<'a>> {
    let covariates = asked.covariates.as_ref().map_or(Ok(Vec::new()), Covariates::columns)?;
    let learns = kind == ParetoGggLaw::KIND;
    let named = asked.log_intervals.as_deref().filter(|_| learns);
    let roles = Roles { intervals: intervals_of(named, frame, learns), ..asked.roles(&covariates) };
    let rows = Rows::read(frame, roles, asked.on_invalid, run)?;
    if learns {
        with_intervals(ParetoGggLaw::NAME, &rows.slices())?;
        rows.slices().check_times()?;
    }
    if kind == BetaBinomialLaw::KIND {
        opportunities(&rows.slices())?;
    }
    Ok(rows)
}

/// The distinct rows that stand for anybody.
pub(super) fn unique(slices: &RfmSlices<'_>, run: &Run) -> Result<Unique> {
    let mut unique = Unique::with_intervals(slices, run)?;
    if unique.weight.contains(&0.0) {
        unique = unique.reweighted(&unique.weight);
    }
    Ok(unique)
}

impl Evidence for Unique {
    fn pooled(&self, model: &'static str) -> Result<(f64, f64, f64)> {
        let weighted = |f: &dyn Fn(usize) -> f64| sum((0..self.len()).map(|i| self.weight[i] * f(i)));
        let n = weighted(&|_| 1.0);
        let purchases = weighted(&|i| f64::from(self.frequency[i]));
        let exposure = weighted(&|i| self.age[i]);
        if n <= 0.0 {
            return Err(Error::not_enough_data(format!("there are no customers to fit {model} on")));
        }
        if purchases <= 0.0 {
            return Err(Error::not_enough_data(format!(
                "no customer has a repeat purchase, so {model} has nothing to estimate rates from: observe for longer"
            )));
        }
        if exposure <= 0.0 {
            return Err(Error::not_enough_data("every T is 0: no time has passed since the first purchases"));
        }
        Ok((n, exposure / n, purchases / exposure))
    }

    fn weights(&self) -> Vec<f64> {
        self.weight.clone()
    }

    fn reweighted(&self, weight: &[f64]) -> Self {
        let kept = || (0..self.len()).filter(|row| weight.get(*row).is_some_and(|w| *w > 0.0));
        Self {
            frequency: kept().map(|row| self.frequency[row]).collect(),
            recency: kept().map(|row| self.recency[row]).collect(),
            age: kept().map(|row| self.age[row]).collect(),
            weight: kept().map(|row| weight[row]).collect(),
            log_intervals: kept().filter_map(|row| self.log_intervals.get(row).copied()).collect(),
            group: Vec::new(),
        }
    }

    fn together(parts: &[Self]) -> Self {
        let mut all = Self::default();
        for one in parts {
            all.frequency.extend(&one.frequency);
            all.recency.extend(&one.recency);
            all.age.extend(&one.age);
            all.weight.extend(&one.weight);
        }
        // The laws ask for rows of one x beside each other.
        let mut order: Vec<usize> = (0..all.len()).collect();
        let key = |i: &usize| (all.frequency[*i], all.recency[*i].to_bits(), all.age[*i].to_bits());
        order.sort_by_key(key);
        Self {
            frequency: order.iter().map(|i| all.frequency[*i]).collect(),
            recency: order.iter().map(|i| all.recency[*i]).collect(),
            age: order.iter().map(|i| all.age[*i]).collect(),
            weight: order.iter().map(|i| all.weight[*i]).collect(),
            log_intervals: Vec::new(),
            group: Vec::new(),
        }
    }
}

/// Where the posterior of a law without covariates is greatest.
pub(super) fn mode<K: Kernel<N>, const N: usize>(
    kernel: K,
    rows: &K::Data,
    priors: &Priors,
    run: &Run,
) -> Result<Optimum<N>> {
    let (customers, unit, rate) = rows.pooled(K::NAME)?;
    run.stage("looking for the mode", 0)?;
    let full = kernel.full(rows);
    let local = |log: &[f64; N]| -> Result<Local<N>> {
        run.check()?;
        let mut local = kernel.local(&full, *log, run)?;
        priors.add_local(*log, &mut local);
        Ok(local)
    };
    let stop = Stop { max_iterations: 300, gradient: 1e-9 * customers.max(1.0) };
    let start = kernel.start(rows, (rate, unit), run)?.map(ln);
    let found = maximise(start, &K::within(priors.bounds_of()), stop, local)?;
    if found.local.value.is_finite() {
        return Ok(found);
    }
    Err(Error::NotConverged {
        model: K::NAME,
        iterations: found.iterations,
        gradient_norm: found.gradient_norm / customers,
        hint: "no density can be computed at the start of the search: look at the units of time".to_owned(),
    })
}

/// Laplace's approximation has nothing to approximate.
pub(super) fn no_mode(model: &'static str, iterations: usize, gradient_norm: f64) -> Error {
    let hint =
        "the posterior has no ordinary mode to approximate it at: take the prior `weak`, or name one of the \
                parameter that the data do not tell (`priors`)"
            .to_owned();
    Error::NotConverged { model, iterations, gradient_norm, hint }
}

/// The names of a law's parameters and the centres of their logarithms.
pub(super) fn centred<const N: usize>(names: [&str; N], powers: [f64; N], unit: f64) -> Vec<(&str, f64)> {
    names.into_iter().zip(powers.map(|power| power * ln(unit))).collect()
}

struct Bayes<'a> {
    out: Posterior,
    unique: &'a Unique,
    options: &'a PosteriorOptions,
    run: &'a Run,
}

impl Visit for Bayes<'_> {
    type Out = Posterior;

    fn visit<K: Kernel<N, Data = Unique>, const N: usize>(self, kernel: K) -> Result<Posterior> {
        drawn(kernel, self.unique, self.out, self.options, self.run)
    }
}

/// Draws of the parameters of a law without covariates.
pub(super) fn drawn<K: Kernel<N>, const N: usize>(
    kernel: K,
    rows: &K::Data,
    mut out: Posterior,
    options: &PosteriorOptions,
    run: &Run,
) -> Result<Posterior> {
    let (customers, unit, _) = rows.pooled(K::NAME)?;
    let parameters = centred(K::NAMES, K::UNIT, unit);
    let priors = Priors::new(options.prior, &options.priors, &parameters, &[], None)?;
    let found = mode(kernel, rows, &priors, run)?;
    let ordinary = found.converged.then(|| covariance(&found.local.hessian, found.bound)).flatten();
    let runs_off = ordinary.is_none_or(|c| priors.runs_off(&found.at, |i| c[i][i].max(0.0).sqrt()));
    if out.method == Method::Laplace && (runs_off || found.bound.contains(&true)) {
        return Err(no_mode(K::NAME, found.iterations, found.gradient_norm / customers));
    }
    // Where the density is flat or not yet curved, coordinates of a prior's width do.
    let factor = ordinary
        .filter(|_| !found.bound.contains(&true))
        .and_then(|c| cholesky(&c))
        .unwrap_or_else(|| rounded(&found.local.hessian));
    let lower = factor.iter().enumerate().map(|(i, row)| row[..=i].to_vec()).collect();
    let peak =
        Peak { at: found.at.to_vec(), value: found.local.value, factor: lower, limits: K::LIMITS.to_vec() };
    out.parameters = K::NAMES.map(str::to_owned).to_vec();
    out.estimate = found.at.map(exp).to_vec();
    out.customers = customers;
    let ready = kernel.ready(rows);
    let density = |at: &[f64], gradient: &mut [f64]| -> f64 {
        if peak.beyond(at) {
            return f64::NAN;
        }
        let (mut value, slope) = kernel.slope(&ready, std::array::from_fn(|i| at[i]));
        gradient.copy_from_slice(&slope);
        priors.add(at, &mut value, gradient);
        value
    };
    fill(&mut out, K::NAME, (&peak, &[]), density, options, run)?;
    Ok(out)
}

/// A factor of the covariance of a curvature that is made positive by what it lacks.
pub(super) fn rounded<const N: usize>(hessian: &[[f64; N]; N]) -> [[f64; N]; N] {
    let mut ridge = 0.25;
    for _ in 0..60 {
        let mut bent = *hessian;
        for i in 0..N {
            bent[i][i] -= ridge;
        }
        if let Some(factor) = covariance(&bent, [false; N]).and_then(|c| cholesky(&c)) {
            return factor;
        }
        ridge *= 4.0;
    }
    std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))))
}
