//! Kinds of customers of equal covariates, and what their renewals say of a law and of coefficients.

use super::covariates::moves;
use super::curve::{FASTEST, SLOWEST};
use super::fit::{Family, Solver, judged};
use super::life::Life;
use super::likelihood::{Met, MetLaw, SHIFTED, WEIBULL, met, met_by};
use super::{ContractCovariates, ContractModel, LifeTable, Lives};
use crate::clv::covariates::{Effect, Effects, Patterns, Process, each_of, scales};
use crate::clv::design::{Given, Matrix, Terms};
use crate::clv::estimates::{Estimates, Verdict};
use crate::clv::finish::{Finish, Shrinkage};
use crate::math::ascent::Local;
use crate::math::{exp, ln, sum};
use crate::{Error, Result, Run};

/// Kinds of customers in one piece of work.
const PIECE: usize = 256;
/// ln of where a start lies at most: a fit without covariates may have run off.
const FAR: f64 = 7.0;

/// Customers who tell anything, one by one, with their covariates.
pub(crate) struct Customers {
    lives: Vec<(Life, f64)>,
    given: Vec<Given<'static>>,
}

impl Customers {
    /// Who met no renewal tells nothing, not even what is usual.
    pub(super) fn of(lives: &[(Life, f64)], given: &[Given<'_>]) -> Self {
        let tells =
            |((duration, event, entry), weight): (Life, f64)| weight > 0.0 && (event || duration > entry);
        let rows: Vec<u32> = (0..lives.len() as u32).filter(|row| tells(lives[*row as usize])).collect();
        Self {
            lives: rows.iter().map(|row| lives[*row as usize]).collect(),
            given: given.iter().map(|g| g.ordered(&rows)).collect(),
        }
    }

    /// Their lives, whatever their covariates.
    pub(crate) fn lives(&self) -> Lives {
        Lives::of(self.lives.clone())
    }

    pub(crate) fn kinds(&self, covariates: &ContractCovariates) -> Result<Kinds> {
        Kinds::of(&self.lives, &self.given, covariates)
    }

    /// Fits a model with covariates.
    pub(crate) fn fit(
        &self,
        family: Family,
        covariates: &ContractCovariates,
        solver: Solver,
        run: &Run,
    ) -> Result<ContractModel> {
        let life = LifeTable::of(self.lives.len(), |i| self.lives[i]);
        let plain = family.fit(&life, solver, run)?;
        let (lost, kept) = life.totals();
        if lost == 0.0 || kept == 0.0 {
            let what = if lost == 0.0 { "nobody left" } else { "nobody stayed" };
            return Err(Error::not_enough_data(format!(
                "{what}: there is nothing for covariates to explain; observe for longer, or fit without them"
            )));
        }
        let kinds = self.kinds(covariates)?;
        run.stage("fitting covariates", 0)?;
        let start = Estimates {
            values: plain.values.iter().map(|v| exp(ln(*v).clamp(-FAR, FAR))).collect(),
            distinct: kinds.met.iter().map(|met| met.len() as u64).sum(),
            ..plain
        };
        let asked = Asked { family, start: &start, covariates, customers: life.customers(), solver };
        let (estimates, values, fixed, covariance) = match family {
            Family::ShiftedBetaGeo => kinds.find(SHIFTED, &asked, run)?,
            Family::BetaDiscreteWeibull => kinds.find(WEIBULL, &asked, run)?,
        };
        let Kinds { terms, effects, .. } = kinds;
        let effects = Effects::found(terms, effects, values, &fixed, covariance);
        Ok(ContractModel { effects: Some(effects), ..ContractModel::new(estimates, life) })
    }
}

/// Kinds of customers of equal covariates, each with its renewals.
pub(crate) struct Kinds {
    /// How the covariates are read, with their means and scales.
    pub(in crate::clv) terms: Terms,
    /// The coefficients, all 0.
    pub(in crate::clv) effects: Vec<Effect>,
    /// Of each kind, standardised.
    covariates: Matrix,
    met: Vec<Vec<Met>>,
    /// The column of each coefficient, and the log parameter that it moves.
    moves: Vec<(usize, usize)>,
    /// Distinct lives, kind after kind, and how many customers had each.
    lives: Vec<Life>,
    weight: Vec<f64>,
    /// Where those of each kind begin, and where the last end.
    starts: Vec<usize>,
}

impl Kinds {
    fn of(lives: &[(Life, f64)], given: &[Given<'_>], covariates: &ContractCovariates) -> Result<Self> {
        let columns = covariates.columns()?;
        let mut terms = Terms::of(&columns, given, lives.len(), &covariates.references)?;
        let patterns = Patterns::of_matrix(terms.matrix(given, lives.len()));
        let (mut each, mut weight, mut starts) = (Vec::new(), Vec::new(), vec![0]);
        for kind in 0..patterns.len() {
            let members = patterns.get(kind).0.iter().map(|row| lives[*row as usize]).collect();
            for (life, customers) in Lives::distinct(members) {
                each.push(life);
                weight.push(customers);
            }
            starts.push(each.len());
        }
        let customers: Vec<f64> =
            starts.windows(2).map(|w| sum(weight[w[0]..w[1]].iter().copied())).collect();
        let mut matrix = patterns.distinct();
        terms.standardise(&mut matrix, |kind| customers[kind])?;
        let of = |names: &[String], on: Process| -> Vec<Effect> {
            names.iter().flat_map(|name| each_of(name, &[on], &columns, &terms)).collect()
        };
        let effects = [of(&covariates.alpha, Process::Alpha), of(&covariates.beta, Process::Beta)].concat();
        let moved = |effect: &Effect| effect.on().first().copied().and_then(moves).unwrap_or_default();
        let moves = effects.iter().map(|e| (e.column(), moved(e))).collect();
        let mut kinds =
            Self { terms, effects, covariates: matrix, met: Vec::new(), moves, lives: each, weight, starts };
        kinds.met = kinds.reweighted(&kinds.weight);
        Ok(kinds)
    }

    /// How many customers had each of the distinct lives.
    pub(crate) fn weight(&self) -> &[f64] {
        &self.weight
    }

    /// What each kind met where so many customers had each life. No more is kept than the renewals that tell:
    /// there may be a kind for each customer.
    pub(crate) fn reweighted(&self, weight: &[f64]) -> Vec<Vec<Met>> {
        let some = |range: &[usize]| {
            let had: Vec<usize> = (range[0]..range[1]).filter(|i| weight[*i] > 0.0).collect();
            match had[..] {
                [one] => met_by(self.lives[one], weight[one]),
                _ => met(&LifeTable::of(had.len(), |i| (self.lives[had[i]], weight[had[i]]))),
            }
        };
        self.starts.windows(2).map(some).collect()
    }

    /// What keeps a search of log parameters and standardised coefficients.
    pub(in crate::clv) fn shrinkage<const N: usize>(
        &self,
        penalty: f64,
        covariates: &ContractCovariates,
    ) -> Shrinkage<N> {
        let of = |at: usize| if at == 0 { covariates.alpha_penalty } else { covariates.beta_penalty };
        let penalties = self.moves.iter().map(|(_, at)| of(*at)).collect();
        Shrinkage { centre: [0.0; N], penalty, penalties }
    }

    /// The log-likelihood on log parameters and standardised coefficients, of kinds that met so much.
    pub(crate) fn evaluate<const N: usize>(
        &self,
        law: MetLaw<N>,
        met: &[Vec<Met>],
        at: &[f64],
        run: &Run,
    ) -> Result<Local> {
        let n = met.len();
        let parts = run.map_items(n.div_ceil(PIECE), |piece| {
            run.check()?;
            let mut total = Local::zero(at.len());
            let kinds = met.iter().enumerate().take(n.min((piece + 1) * PIECE)).skip(piece * PIECE);
            kinds.for_each(|(kind, met)| self.add(law, (kind, met), at, &mut total));
            Ok(total)
        })?;
        Ok(parts.into_iter().fold(Local::zero(at.len()), Local::merge))
    }

    /// The log-likelihood and its gradient, on one thread.
    pub(crate) fn slope<const N: usize>(&self, law: MetLaw<N>, at: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut total = 0.0;
        for (kind, met) in self.met.iter().enumerate() {
            let z = self.covariates.row(kind);
            let (value, slope) = (law.slope)(met, self.moved(at, z).map(exp));
            total += value;
            for (total, slope) in gradient.iter_mut().zip(slope) {
                *total += slope;
            }
            for ((column, moved), total) in self.moves.iter().zip(&mut gradient[N..]) {
                *total -= z[*column] * slope[*moved];
            }
        }
        total
    }

    /// The log parameters of customers of these covariates.
    fn moved<const N: usize>(&self, at: &[f64], z: &[f64]) -> [f64; N] {
        let mut log: [f64; N] = std::array::from_fn(|i| at[i]);
        for ((column, moved), coefficient) in self.moves.iter().zip(&at[N..]) {
            log[*moved] -= coefficient * z[*column];
        }
        log
    }

    fn add<const N: usize>(
        &self,
        law: MetLaw<N>,
        (kind, met): (usize, &[Met]),
        at: &[f64],
        total: &mut Local,
    ) {
        let (z, size) = (self.covariates.row(kind), at.len());
        let local = (law.local)(met, self.moved(at, z).map(exp));
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

    fn find<const N: usize>(&self, law: MetLaw<N>, asked: &Asked<'_>, run: &Run) -> Result<Found> {
        let &Asked { family, start, covariates, customers, solver } = asked;
        let finish = Finish {
            name: family.name(),
            plain: start,
            shrinkage: self.shrinkage::<N>(0.0, covariates),
            scales: scales(&self.effects, &self.terms),
            customers,
            limits: (solver.max_iterations, solver.tolerance),
        };
        let mut bounds = finish.shrinkage.bounds();
        for bound in bounds.iter_mut().take(N).skip(2) {
            *bound = (ln(SLOWEST), ln(FASTEST));
        }
        let mut found = finish.find_within(&bounds, |at| self.evaluate(law, &self.met, at, run))?;
        found.judge(Verdict::Interior, judged);
        Ok((found.estimates, found.values, found.fixed, found.covariance))
    }
}

/// What a fit is asked for, beside the likelihood.
struct Asked<'a> {
    family: Family,
    start: &'a Estimates,
    covariates: &'a ContractCovariates,
    customers: f64,
    solver: Solver,
}

/// The estimates, the coefficients, which of them are not identified, and the covariance of all.
type Found = (Estimates, Vec<f64>, Vec<bool>, Vec<Vec<f64>>);

#[cfg(test)]
mod tests {
    use super::*;

    /// Differences of order h⁴ of values and gradients.
    fn differences<const N: usize>(law: MetLaw<N>, at: &[f64]) -> Result<()> {
        let lives = |survivors: &[f64], x: [f64; 2]| -> Result<Vec<_>> {
            Ok(LifeTable::from_survivors(survivors, 0)?.lives().into_iter().map(|life| (life, x)).collect())
        };
        let all = [
            lives(&[90.0, 60.0, 45.0, 45.0, 45.0, 40.0], [-0.7, 0.3])?,
            lives(&[50.0, 48.0, 40.0], [1.2, -0.4])?,
            lives(&[9.0, 3.0], [0.1, 2.0])?,
        ]
        .concat();
        let (each, x): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let given = |i: usize| Given::Number(x.iter().map(|x| x[i]).collect::<Vec<f64>>().into());
        let covariates = ContractCovariates::new(["a", "b"], ["a"]);
        let kinds = Customers::of(&each, &[given(0), given(1)]).kinds(&covariates)?;
        let run = Run::new();
        let (here, size, h) = (kinds.evaluate(law, &kinds.met, at, &run)?, at.len(), 1e-3);
        let mut gradient = vec![0.0; size];
        let value = kinds.slope(law, at, &mut gradient);
        assert!((value / here.value - 1.0).abs() < 1e-13, "{value} {}", here.value);
        for i in 0..size {
            let moved = |k: f64| {
                let mut at = at.to_vec();
                at[i] += k * h;
                kinds.evaluate(law, &kinds.met, &at, &run)
            };
            let [a, b, c, d] = [moved(-2.0)?, moved(-1.0)?, moved(1.0)?, moved(2.0)?];
            let slope = |f: &dyn Fn(&Local) -> f64| (f(&a) - f(&d) + 8.0 * (f(&c) - f(&b))) / (12.0 * h);
            let near = |got: f64, want: f64, within: f64| {
                assert!((got - want).abs() < within * (1.0 + want.abs()), "{got} {want}");
            };
            near(here.gradient[i], slope(&|l| l.value), 1e-6);
            near(gradient[i], here.gradient[i], 1e-12);
            (0..=i).for_each(|j| near(here.hessian[i * size + j], slope(&|l| l.gradient[j]), 1e-6));
        }
        // Twice the customers say twice as much.
        let doubled: Vec<f64> = kinds.weight().iter().map(|w| 2.0 * w).collect();
        let twice = kinds.evaluate(law, &kinds.reweighted(&doubled), at, &run)?;
        assert!((twice.value / here.value - 2.0).abs() < 1e-13);
        Ok(())
    }

    #[test]
    fn derivatives_agree_with_differences() -> Result<()> {
        differences(SHIFTED, &[-0.3, 1.1, 0.4, -0.6, 0.2])?;
        differences(WEIBULL, &[-0.3, 1.1, 0.4, 0.4, -0.6, 0.2])
    }
}
