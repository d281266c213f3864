//! Covariates of customers under contract, on the law of the chance to leave.
//!
//! The parameters of the model are those of a customer whose covariates x are
//! at their means, and each customer's own differ by
//!
//! ```text
//! α → α e^{−γ (x − x̄)}        β → β e^{−δ (x − x̄)}
//! ```
//!
//! (Fader & Hardie 2007, "Incorporating time-invariant covariates into the
//! Pareto/NBD and BG/NBD models", applied to the beta law of this room). A
//! customer leaves at the first renewal with chance α / (α + β): a coefficient
//! above 0 on α makes leaving rarer, and one on β makes it likelier. Equal
//! ones on both leave that chance where it is, and customers differ more. With
//! covariates at 0 instead of their means, α₀ = α e^{γ x̄}.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::curve::{FASTEST, SLOWEST};
use super::fit::{Family, Solver, judged};
use super::life::Life;
use super::likelihood::{Met, met, met_by, shifted, weibull};
use super::{ContractModel, LifeTable};
use crate::clv::covariates::{Effect, Effects, Patterns, Process, each_of, each_once, scales};
use crate::clv::design::{Given, Matrix, Terms};
use crate::clv::estimates::{Estimates, Verdict};
use crate::clv::finish::{Finish, Shrinkage};
use crate::column::{Columns, Intake, OnInvalid};
use crate::math::ascent::Local;
use crate::math::{exp, ln, newton};
use crate::{Error, Result, Run};

/// Kinds of customers in one piece of work.
const PIECE: usize = 256;
/// ln of where a start lies at most: a fit without covariates may have run off.
const FAR: f64 = 7.0;
/// α and β of one customer lie between this and its inverse: the curve is flat beyond.
const LEAST: f64 = 1e-12;

/// Which columns explain how customers leave, and how.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::contract::{ContractCovariates, ContractData, ContractOptions, Contract};
/// use headwater::column::Columns;
///
/// // Who left at renewals 1, 2, 3, and who is still there after 3, by plan.
/// let customers = Columns::new()
///     .with("plan", vec!["basic", "basic", "basic", "basic", "plus", "plus", "plus", "plus"])
///     .with("duration", vec![1.0, 2.0, 3.0, 3.0, 1.0, 2.0, 3.0, 3.0])
///     .with("event", vec![true, true, true, false, true, true, true, false])
///     .with("weight", vec![369.0, 163.0, 86.0, 382.0, 131.0, 126.0, 90.0, 653.0]);
/// let options = ContractOptions {
///     data: ContractData::Customers,
///     weight: Some("weight".into()),
///     covariates: Some(ContractCovariates::new(["plan"], ["plan"])),
///     ..ContractOptions::default()
/// };
/// let options = serde_json::to_string(&options).expect("options are JSON");
/// let (model, _) = Contract::fit("ShiftedBetaGeo", &customers, &options, &Run::new())?;
/// let basic = model.report("survival", None, r#"{"at": {"plan": "basic"}}"#, &Run::new())?;
/// let plus = model.report("survival", None, r#"{"at": {"plan": "plus"}}"#, &Run::new())?;
/// let after_three = |tables: &headwater::column::Tables| tables[0].1.f64s("survival").map(|s| s[3]);
/// assert!(after_three(&basic) < after_three(&plus));
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContractCovariates {
    /// Columns that move α: numbers, truth values or names.
    pub alpha: Vec<String>,
    /// Columns that move β.
    pub beta: Vec<String>,
    /// Reference levels of columns of names; the first in order by default.
    pub references: BTreeMap<String, String>,
    /// λ of −½ λ γ² per customer, on standardised covariates of α. Default 0.
    pub alpha_penalty: f64,
    /// The same for β.
    pub beta_penalty: f64,
}

impl ContractCovariates {
    /// These columns, with defaults.
    pub fn new<'a>(
        alpha: impl IntoIterator<Item = &'a str>,
        beta: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self {
            alpha: alpha.into_iter().map(str::to_owned).collect(),
            beta: beta.into_iter().map(str::to_owned).collect(),
            ..Self::default()
        }
    }

    /// All columns, each once.
    pub(super) fn columns(&self) -> Result<Vec<String>> {
        each_once([("alpha", &self.alpha, self.alpha_penalty), ("beta", &self.beta, self.beta_penalty)])
    }
}

/// What is known of a kind of customer: the value of a covariate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Known {
    /// A truth value.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A name.
    Name(String),
}

/// The log parameter that a coefficient moves.
fn moves(process: Process) -> Option<usize> {
    match process {
        Process::Alpha => Some(0),
        Process::Beta => Some(1),
        _ => None,
    }
}

fn direction<const N: usize>(process: Process) -> Option<[f64; N]> {
    let moved = moves(process)?;
    Some(std::array::from_fn(|i| if i == moved { -1.0 } else { 0.0 }))
}

/// The likelihood of a life table on log parameters.
type Likelihood<const N: usize> = fn(&[Met], [f64; N]) -> newton::Local<N>;

/// Kinds of customers of equal covariates, each with its renewals.
struct Kinds {
    covariates: Matrix,
    met: Vec<Vec<Met>>,
    /// The column of each coefficient, and the log parameter that it moves.
    moves: Vec<(usize, usize)>,
}

impl Kinds {
    /// The log-likelihood on log parameters and standardised coefficients.
    fn evaluate<const N: usize>(&self, law: Likelihood<N>, at: &[f64], run: &Run) -> Result<Local> {
        let n = self.met.len();
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            run.check()?;
            let mut total = Local::zero(at.len());
            for kind in piece * PIECE..n.min((piece + 1) * PIECE) {
                self.add(law, at, kind, &mut total);
            }
            Ok(total)
        })?;
        Ok(parts.into_iter().fold(Local::zero(at.len()), Local::merge))
    }

    fn add<const N: usize>(&self, law: Likelihood<N>, at: &[f64], kind: usize, total: &mut Local) {
        let (z, size) = (self.covariates.row(kind), at.len());
        let mut log: [f64; N] = std::array::from_fn(|i| at[i]);
        for ((column, moved), coefficient) in self.moves.iter().zip(&at[N..]) {
            log[*moved] -= coefficient * z[*column];
        }
        let local = law(&self.met[kind], log.map(exp));
        total.value += local.value;
        for i in 0..N {
            total.gradient[i] += local.gradient[i];
            for j in 0..=i {
                total.hessian[i * size + j] += local.hessian[i][j];
            }
        }
        for (c, (column, moved)) in self.moves.iter().enumerate() {
            let (zc, line) = (-z[*column], (N + c) * size);
            total.gradient[N + c] += zc * local.gradient[*moved];
            for j in 0..N {
                total.hessian[line + j] += zc * local.hessian[*moved][j];
            }
            for (d, (other, there)) in self.moves[..=c].iter().enumerate() {
                total.hessian[line + N + d] -= zc * z[*other] * local.hessian[*moved][*there];
            }
        }
    }

    fn find<const N: usize>(&self, law: Likelihood<N>, asked: Asked<'_>, run: &Run) -> Result<Found> {
        let Asked { family, start, penalties, scales, customers, solver } = asked;
        let finish = Finish {
            name: family.name(),
            plain: start,
            shrinkage: Shrinkage { centre: [0.0; N], penalty: 0.0, penalties },
            scales,
            customers,
            limits: (solver.max_iterations, solver.tolerance),
        };
        let mut bounds = finish.shrinkage.bounds();
        for bound in bounds.iter_mut().take(N).skip(2) {
            *bound = (ln(SLOWEST), ln(FASTEST));
        }
        let mut found = finish.find_within(&bounds, |at| self.evaluate(law, at, run))?;
        found.judge(Verdict::Interior, judged);
        Ok((found.estimates, found.values, found.fixed, found.covariance))
    }
}

/// What a fit is asked for, beside the likelihood.
struct Asked<'a> {
    family: Family,
    start: &'a Estimates,
    penalties: Vec<f64>,
    scales: Vec<f64>,
    customers: f64,
    solver: Solver,
}

/// The estimates, the coefficients, which of them are not identified, and the covariance of all.
type Found = (Estimates, Vec<f64>, Vec<bool>, Vec<Vec<f64>>);

/// Fits a model with covariates to customers one by one.
pub(super) fn fit(
    family: Family,
    lives: &[(Life, f64)],
    given: &[Given<'_>],
    covariates: &ContractCovariates,
    solver: Solver,
    run: &Run,
) -> Result<ContractModel> {
    // Who met no renewal tells nothing, not even what is usual.
    let tells = |((duration, event, entry), weight): (Life, f64)| weight > 0.0 && (event || duration > entry);
    let rows: Vec<u32> = (0..lives.len() as u32).filter(|row| tells(lives[*row as usize])).collect();
    let given: Vec<Given<'_>> = given.iter().map(|g| g.ordered(&rows)).collect();
    let life = LifeTable::of(rows.len(), |i| lives[rows[i] as usize]);
    let plain = family.fit(&life, solver, run)?;
    let (lost, kept) = life.totals();
    if lost == 0.0 || kept == 0.0 {
        let what = if lost == 0.0 { "nobody left" } else { "nobody stayed" };
        return Err(Error::not_enough_data(format!(
            "{what}: there is nothing for covariates to explain; observe for longer, or fit without them"
        )));
    }
    let columns = covariates.columns()?;
    let mut terms = Terms::of(&columns, &given, rows.len(), &covariates.references)?;
    let patterns = Patterns::of_matrix(terms.matrix(&given, rows.len()));
    // Of each kind no more is kept than the renewals that tell: there may be one for each customer.
    let (met, customers): (Vec<Vec<Met>>, Vec<f64>) = (0..patterns.len())
        .map(|kind| {
            let (members, _) = patterns.get(kind);
            if let [one] = members {
                let (life, weight) = lives[rows[*one as usize] as usize];
                return (met_by(life, weight), weight);
            }
            let own = LifeTable::of(members.len(), |i| lives[rows[members[i] as usize] as usize]);
            (met(&own), own.customers())
        })
        .unzip();
    let mut matrix = patterns.distinct();
    terms.standardise(&mut matrix, |kind| customers[kind])?;
    let of = |names: &[String], on: Process| -> Vec<Effect> {
        names.iter().flat_map(|name| each_of(name, &[on], &columns, &terms)).collect()
    };
    let effects = [of(&covariates.alpha, Process::Alpha), of(&covariates.beta, Process::Beta)].concat();
    let moved = |effect: &Effect| effect.on().first().copied().and_then(moves).unwrap_or_default();
    let kinds =
        Kinds { covariates: matrix, met, moves: effects.iter().map(|e| (e.column(), moved(e))).collect() };
    run.stage("fitting covariates", 0)?;
    let start = Estimates {
        values: plain.values.iter().map(|v| exp(ln(*v).clamp(-FAR, FAR))).collect(),
        distinct: kinds.met.iter().map(|met| met.len() as u64).sum(),
        ..plain
    };
    let scales = scales(&effects, &terms);
    let penalty = |at: usize| if at == 0 { covariates.alpha_penalty } else { covariates.beta_penalty };
    let penalties: Vec<f64> = kinds.moves.iter().map(|(_, at)| penalty(*at)).collect();
    let asked = Asked { family, start: &start, penalties, scales, customers: life.customers(), solver };
    let (estimates, values, fixed, covariance) = match family {
        Family::ShiftedBetaGeo => kinds.find(shifted, asked, run)?,
        Family::BetaDiscreteWeibull => kinds.find(weibull, asked, run)?,
    };
    let effects = Effects::found(terms, effects, values, &fixed, covariance);
    Ok(ContractModel { effects: Some(effects), ..ContractModel::new(estimates, life) })
}

impl ContractModel {
    /// The covariates and their coefficients; `None` of a model without.
    pub fn effects(&self) -> Option<&Effects> {
        self.effects.as_ref()
    }

    /// The model of customers of one kind, by a frame of one row that holds their covariates.
    /// It has neither covariates nor a life table.
    pub fn at(&self, covariates: &Columns, run: &Run) -> Result<Self> {
        let Some(effects) = &self.effects else {
            return Err(Error::option("at", "the model was fitted without: leave them out"));
        };
        let mut intake = Intake::new(covariates, OnInvalid::Error, run);
        let given = effects.reader().read(&mut intake)?;
        let kept = intake.finish()?;
        if kept.len() != 1 {
            let reason = format!("must be one row, a kind of customer; this frame has {}", kept.len());
            return Err(Error::option("at", reason));
        }
        let given: Vec<_> = given.into_iter().map(|g| g.cut(&kept)).collect();
        let own = self.estimates_at(effects, effects.terms().matrix(&given, 1).row(0));
        Ok(Self::new(own, LifeTable::default()).with_period(self.period))
    }

    /// The model of which a report speaks that can speak of one kind of customer:
    /// of a model with covariates, those at the means unless some are given.
    pub(super) fn told(&self, known: Option<&BTreeMap<String, Known>>, run: &Run) -> Result<Cow<'_, Self>> {
        let Some(known) = known else {
            return Ok(match &self.effects {
                None => Cow::Borrowed(self),
                Some(_) => Cow::Owned(
                    Self::new(self.estimates.clone(), LifeTable::default()).with_period(self.period),
                ),
            });
        };
        let columns = known.iter().fold(Columns::new(), |columns, (name, value)| match value {
            Known::Flag(flag) => columns.with(name.as_str(), vec![*flag]),
            Known::Number(number) => columns.with(name.as_str(), vec![*number]),
            Known::Name(label) => columns.with(name.as_str(), vec![label.as_str()]),
        });
        let own = self.at(&columns, run)?;
        let read = self.effects.as_ref().map(|e| e.terms().covariates()).unwrap_or_default();
        match known.keys().find(|name| !read.iter().any(|covariate| covariate.name() == *name)) {
            None => Ok(Cow::Owned(own)),
            Some(name) => Err(Error::option("at", format!("`{name}` is not one of the model's covariates"))),
        }
    }

    /// The estimates for a customer with these covariates.
    pub(super) fn estimates_at(&self, effects: &Effects, row: &[f64]) -> Estimates {
        let mut own = if self.estimates.values.len() == 2 {
            effects.estimates_by::<2>(direction, &self.estimates, row)
        } else {
            effects.estimates_by::<3>(direction, &self.estimates, row)
        };
        for value in own.values.iter_mut().take(2) {
            *value = value.clamp(LEAST, 1.0 / LEAST);
        }
        own
    }

    pub(super) fn check_effects(&self, family: Family) -> Result<()> {
        let Some(effects) = &self.effects else { return Ok(()) };
        match family {
            Family::ShiftedBetaGeo => effects.check_by::<2>(direction)?,
            Family::BetaDiscreteWeibull => effects.check_by::<3>(direction)?,
        }
        if self.cohorts.is_empty() && effects.coefficients().iter().all(|c| c.on().len() == 1) {
            return Ok(());
        }
        Err(Error::model_file("it has covariates and cohorts, or coefficients of both parameters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Differences of order h⁴ of values and gradients.
    fn differences<const N: usize>(law: Likelihood<N>, at: &[f64]) -> Result<()> {
        let table = |survivors: &[f64]| LifeTable::from_survivors(survivors, 0).map(|life| met(&life));
        let met = vec![
            table(&[90.0, 60.0, 45.0, 45.0, 45.0, 40.0])?,
            table(&[50.0, 48.0, 40.0])?,
            table(&[9.0, 3.0])?,
        ];
        let covariates = Matrix { rows: 3, columns: 2, values: vec![-0.7, 0.3, 1.2, -0.4, 0.1, 2.0] };
        let kinds = Kinds { covariates, met, moves: vec![(0, 0), (1, 0), (0, 1)] };
        let run = Run::new();
        let (here, size, h) = (kinds.evaluate(law, at, &run)?, at.len(), 1e-3);
        for i in 0..size {
            let moved = |k: f64| {
                let mut at = at.to_vec();
                at[i] += k * h;
                kinds.evaluate(law, &at, &run)
            };
            let [a, b, c, d] = [moved(-2.0)?, moved(-1.0)?, moved(1.0)?, moved(2.0)?];
            let slope = |f: &dyn Fn(&Local) -> f64| (f(&a) - f(&d) + 8.0 * (f(&c) - f(&b))) / (12.0 * h);
            let near =
                |got: f64, want: f64| assert!((got - want).abs() < 1e-6 * (1.0 + want.abs()), "{got} {want}");
            near(here.gradient[i], slope(&|l| l.value));
            (0..=i).for_each(|j| near(here.hessian[i * size + j], slope(&|l| l.gradient[j])));
        }
        Ok(())
    }

    #[test]
    fn derivatives_agree_with_differences() -> Result<()> {
        differences(shifted, &[-0.3, 1.1, 0.4, -0.6, 0.2])?;
        differences(weibull, &[-0.3, 1.1, 0.4, 0.4, -0.6, 0.2])
    }
}
