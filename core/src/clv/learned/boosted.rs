//! The boosted learner: trees that take Newton's steps down the loss, head by head.
//!
//! Newton boosting (Friedman, Hastie & Tibshirani 2000; Chen & Guestrin 2016): in each
//! round a tree is fitted by weighted least squares to −g/h with weights h, g and h the
//! derivatives of the loss in the predictor of the head. For ln σ, whose curvature can vanish, h is
//! the expected one (as in Duan et al. 2020).

use serde::{Deserialize, Serialize};

use super::super::design::Matrix;
use super::super::estimates::Verdict;
use super::data::Data;
use super::likelihood::{purchase, spend};
use super::tree::{Columns, Shape, Tree, columns};
use super::{CERTAIN, SCALES, Sigma, ZeroInflatedLognormal};
use crate::math::{exp, ln, sum};
use crate::{Error, Result, Run};

/// No customer asks for a longer step than this (Friedman, Hastie & Tibshirani 2000, section 4).
const LONGEST: f64 = 4.0;

/// A head: base + rate Σ trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ensemble {
    pub(super) base: f64,
    pub(super) trees: Vec<Tree>,
}

/// The boosted learner's half of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Boosted {
    pub(super) heads: [Ensemble; 3],
    pub(super) learning_rate: f64,
    /// The held-out log-likelihood a customer of `purchase`, and a buyer of `mu` and `log_sigma`.
    pub(super) held_out: [Option<f64>; 2],
}

impl Boosted {
    /// η, μ and ln σ of a row.
    pub(super) fn predict(&self, row: &[f64]) -> [f64; 3] {
        let [eta, mu, s] = self.heads.each_ref().map(|head| head.predict(row, self.learning_rate));
        [eta, mu, s.clamp(SCALES.0, SCALES.1)]
    }

    pub(super) fn check(&self, columns: usize) -> Result<()> {
        let sound = self.learning_rate > 0.0
            && self.learning_rate <= 1.0
            && self.heads.iter().all(|h| h.base.is_finite() && h.trees.iter().all(|t| t.is_sound(columns)));
        if sound {
            Ok(())
        } else {
            Err(Error::model_file("its trees are damaged; fit and save the model again"))
        }
    }
}

impl Ensemble {
    fn predict(&self, row: &[f64], rate: f64) -> f64 {
        self.base + self.trees.iter().map(|tree| rate * tree.value(row)).sum::<f64>()
    }
}

/// Rows that a booster sees; `log_amount` is empty for `purchase`.
struct Rows<'a> {
    x: &'a Matrix,
    /// Rows of the matrix.
    places: Vec<usize>,
    columns: Columns,
    weight: Vec<f64>,
}

impl<'a> Rows<'a> {
    fn of(data: &'a Data, places: Vec<usize>) -> Result<Self> {
        let weight = places.iter().map(|i| data.weight[*i]).collect();
        Ok(Self { x: &data.x, columns: columns(&data.x, &places)?, weight, places })
    }

    fn step(&self, predictor: &mut [f64], tree: &Tree, rate: f64) {
        for (f, row) in predictor.iter_mut().zip(&self.places) {
            *f += rate * tree.value(self.x.row(*row));
        }
    }
}

/// One of the two parts that the loss falls into.
trait Part: Sync {
    /// The rows of this part.
    fn rows(&self) -> std::ops::Range<usize>;
    /// Its predictors without covariates, for these rows.
    fn bases(&self, rows: &Rows<'_>) -> [f64; 2];
    /// A tree for each head, and what remains of the second in closed form.
    fn round(&self, rows: &Rows<'_>, at: &mut [Vec<f64>; 2], shape: Shape, rate: f64) -> Result<Round>;
    /// The log-likelihood of a row.
    fn value(&self, row: usize, at: [f64; 2]) -> f64;
}

struct Purchase<'a>(&'a Data);

impl Part for Purchase<'_> {
    fn rows(&self) -> std::ops::Range<usize> {
        0..self.0.rows()
    }

    fn bases(&self, rows: &Rows<'_>) -> [f64; 2] {
        let bought = |bought: bool| {
            let of = |(i, _): &(&usize, &f64)| self.0.bought(**i) == bought;
            sum(rows.places.iter().zip(&rows.weight).filter(of).map(|(_, w)| *w))
        };
        let (yes, no) = (bought(true), bought(false));
        [if no > 0.0 { ln(yes / no).clamp(-CERTAIN, CERTAIN) } else { CERTAIN }, 0.0]
    }

    fn round(&self, rows: &Rows<'_>, at: &mut [Vec<f64>; 2], shape: Shape, rate: f64) -> Result<Round> {
        let (mut target, mut weight) = (Vec::new(), Vec::new());
        for ((row, eta), w) in rows.places.iter().zip(&at[0]).zip(&rows.weight) {
            let [_, first, second] = purchase(self.0.bought(*row), *eta);
            let curvature = (-second).max(1e-12);
            target.push((first / curvature).clamp(-LONGEST, LONGEST));
            weight.push(w * curvature);
        }
        let tree = Tree::grow(&rows.columns, &target, &weight, shape)?;
        rows.step(&mut at[0], &tree, rate);
        Ok([Some(tree), None])
    }

    fn value(&self, row: usize, at: [f64; 2]) -> f64 {
        purchase(self.0.bought(row), at[0])[0]
    }
}

struct Spend<'a> {
    data: &'a Data,
    sigma: Sigma,
}

impl Spend<'_> {
    fn log_amount(&self, row: usize) -> f64 {
        self.data.log_amount[row - self.data.first]
    }
}

impl Part for Spend<'_> {
    fn rows(&self) -> std::ops::Range<usize> {
        self.data.first..self.data.rows()
    }

    fn bases(&self, rows: &Rows<'_>) -> [f64; 2] {
        let total = sum(rows.weight.iter().copied());
        let mean = |of: &dyn Fn(f64) -> f64| {
            sum(rows.places.iter().zip(&rows.weight).map(|(i, w)| w * of(self.log_amount(*i)))) / total
        };
        let mu = mean(&|v| v);
        let variance = mean(&|v| (v - mu) * (v - mu));
        [mu, (0.5 * ln(variance)).clamp(SCALES.0, SCALES.1)]
    }

    fn round(&self, rows: &Rows<'_>, at: &mut [Vec<f64>; 2], shape: Shape, rate: f64) -> Result<Round> {
        let [mus, sigmas] = at;
        let (mut target, mut weight) = (Vec::new(), Vec::new());
        for (((row, mu), s), w) in rows.places.iter().zip(mus.iter()).zip(sigmas.iter()).zip(&rows.weight) {
            target.push(self.log_amount(*row) - mu);
            weight.push(w * exp(-2.0 * s));
        }
        let first = Tree::grow(&rows.columns, &target, &weight, shape)?;
        rows.step(mus, &first, rate);
        if self.sigma == Sigma::Constant {
            return Ok([Some(first), None]);
        }
        target.clear();
        for ((row, mu), s) in rows.places.iter().zip(mus.iter()).zip(sigmas.iter()) {
            let terms = spend(self.log_amount(*row), *mu, *s);
            target.push((0.5 * terms.first[1]).min(LONGEST)); // the expected curvature is 2
        }
        let second = Tree::grow(&rows.columns, &target, &rows.weight, shape)?;
        rows.step(sigmas, &second, rate);
        sigmas.iter_mut().for_each(|s| *s = s.clamp(SCALES.0, SCALES.1));
        Ok([Some(first), Some(second)])
    }

    fn value(&self, row: usize, at: [f64; 2]) -> f64 {
        spend(self.log_amount(row), at[0], at[1].clamp(SCALES.0, SCALES.1)).value
    }
}

/// Two ensembles, and the predictors of the rows that they were grown on.
type Grown = ([Ensemble; 2], [Vec<f64>; 2]);
/// The trees of one round.
type Round = [Option<Tree>; 2];

/// Grows `rounds` rounds; `each` may look after every one, and end it.
fn grow(
    part: &dyn Part,
    rows: &Rows<'_>,
    options: &ZeroInflatedLognormal,
    rounds: usize,
    run: &Run,
    each: &mut dyn FnMut(&Round) -> bool,
) -> Result<Grown> {
    let shape = Shape { depth: options.depth, min_leaf: options.min_leaf };
    let bases = part.bases(rows);
    let mut heads = bases.map(|base| Ensemble { base, trees: Vec::new() });
    let mut at = bases.map(|base| vec![base; rows.places.len()]);
    for _ in 0..rounds {
        run.check()?;
        let trees = part.round(rows, &mut at, shape, options.learning_rate)?;
        let go_on = each(&trees);
        for (head, tree) in heads.iter_mut().zip(trees) {
            head.trees.extend(tree);
        }
        if !go_on {
            break;
        }
    }
    Ok((heads, at))
}

/// The rounds after which the log-likelihood of a fold was highest, and how high.
fn judge(
    part: &dyn Part,
    data: &Data,
    fold: (&[usize], usize),
    options: &ZeroInflatedLognormal,
    run: &Run,
) -> Result<(usize, f64)> {
    let (of, fold) = fold;
    let (held, rest): (Vec<usize>, Vec<usize>) = part.rows().partition(|i| of[*i] == fold);
    let rows = Rows::of(data, rest)?;
    let bases = part.bases(&rows);
    let mut at = bases.map(|base| vec![base; held.len()]);
    let value = |at: &[Vec<f64>; 2]| {
        sum(held.iter().enumerate().map(|(k, i)| data.weight[*i] * part.value(*i, [at[0][k], at[1][k]])))
    };
    let (mut round, mut best) = (0, (0, value(&at)));
    grow(part, &rows, options, options.trees, run, &mut |trees| {
        round += 1;
        for (at, tree) in at.iter_mut().zip(trees) {
            if let Some(tree) = tree {
                for (f, i) in at.iter_mut().zip(&held) {
                    *f += options.learning_rate * tree.value(data.x.row(*i));
                }
            }
        }
        let now = value(&at);
        if now > best.1 {
            best = (round, now);
        }
        round < best.0 + options.patience
    })?;
    Ok(best)
}

/// Fits the heads; also the log-likelihood and the verdict.
pub(super) fn fit(
    options: &ZeroInflatedLognormal,
    data: &Data,
    run: &Run,
) -> Result<(Boosted, f64, Verdict)> {
    if data.x.columns == 0 {
        return Err(Error::option("covariates", "trees need at least one column that explains"));
    }
    let parts: [&dyn Part; 2] = [&Purchase(data), &Spend { data, sigma: options.sigma }];
    let folds = options.folds;
    let of = if folds > 0 {
        data.check_folds(folds)?;
        data.folds(folds, run)
    } else {
        Vec::new()
    };
    let moot = |part: usize| part == 0 && data.all_bought();
    run.stage("grow trees", 0)?;
    // Both parts with all their folds at once: they do not know of each other.
    let judged = run.map_items(2 * folds, |i| {
        let (part, fold) = (i / folds, i % folds);
        if moot(part) { Ok((0, 0.0)) } else { judge(parts[part], data, (&of, fold), options, run) }
    })?;
    let sizes = [data.customers, data.buyers];
    let mut held_out = [None; 2];
    let mut rounds = [options.trees; 2];
    for (part, folds) in judged.chunks(folds.max(1)).enumerate() {
        let mean = folds.iter().map(|f| f.0 as f64).sum::<f64>() / folds.len() as f64;
        rounds[part] = mean.round() as usize;
        held_out[part] = (!moot(part)).then(|| sum(folds.iter().map(|f| f.1)) / sizes[part]);
    }
    if moot(0) {
        rounds[0] = 0;
    }
    let grown = run.map_items(2, |i| {
        let rows = Rows::of(data, parts[i].rows().collect())?;
        let (mut heads, at) = grow(parts[i], &rows, options, rounds[i], run, &mut |_| true)?;
        if i == 1 && options.sigma == Sigma::Constant {
            // σ of what the trees leave.
            let left = |(k, row): (usize, &usize)| {
                let r = data.log_amount[row - data.first] - at[0][k];
                rows.weight[k] * r * r
            };
            let variance = sum(rows.places.iter().enumerate().map(left)) / data.buyers;
            heads[1].base = (0.5 * ln(variance)).clamp(SCALES.0, SCALES.1);
        }
        Ok(heads)
    })?;
    let mut heads = grown.into_iter().flatten();
    let empty = || Ensemble { base: 0.0, trees: Vec::new() };
    let mut next = || heads.next().unwrap_or_else(empty);
    let (purchase_head, _, mut mu, log_sigma) = (next(), next(), next(), next());
    mu.base += data.shift;
    let boosted =
        Boosted { heads: [purchase_head, mu, log_sigma], learning_rate: options.learning_rate, held_out };
    let value = sum((0..data.rows()).map(|i| {
        let [eta, mu, s] = boosted.predict(data.x.row(i));
        let bought = data.bought(i);
        let spent =
            if bought { spend(data.log_amount[i - data.first], mu - data.shift, s).value } else { 0.0 };
        data.weight[i] * (purchase(bought, eta)[0] + spent)
    })) - data.jacobian();
    let verdict = if moot(0) { Verdict::Boundary } else { Verdict::Interior };
    Ok((boosted, value, verdict))
}

/// The share of each column of a head in what its splits gained, and how many there were.
pub(super) fn importance(head: &Ensemble, columns: usize) -> (Vec<f64>, Vec<u64>) {
    let (mut gain, mut splits) = (vec![0.0; columns], vec![0; columns]);
    head.trees.iter().for_each(|tree| tree.tally(&mut gain, &mut splits));
    (gain, splits)
}
