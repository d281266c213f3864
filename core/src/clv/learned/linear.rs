//! The linear learner: two concave searches after another, the logistic and the lognormal.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::super::design::{LARGEST, Matrix, Terms};
use super::super::estimates::Verdict;
use super::super::regression::{Maximum, search};
use super::data::Data;
use super::likelihood::{purchase, spend};
use super::{CERTAIN, HEADS, NAME, SCALES, Sigma, ZeroInflatedLognormal};
use crate::math::ascent::Local;
use crate::math::{Sum, ln, sum};
use crate::{Error, Result, Run};

/// Standardised coefficients and centred intercepts stay within this.
const EDGE: f64 = 100.0;

/// One fitted head: η = centre + β · (x − x̄).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) slopes: Vec<f64>,
    pub(super) centre: f64,
    /// The intercept at x = 0.
    pub(super) intercept: f64,
    /// Standard errors of the slopes and the intercept; none where the data do not identify them.
    pub(super) errors: Vec<Option<f64>>,
    pub(super) penalty: f64,
}

/// A penalty that was tried, and the log-likelihood a customer of those held out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tried {
    pub(super) head: u8,
    pub(super) penalty: f64,
    /// None where a fold did not converge.
    pub(super) held_out: Option<f64>,
}

/// The linear learner's half of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Linear {
    pub(super) heads: [Head; 3],
    pub(super) tried: Vec<Tried>,
    pub(super) iterations: u64,
    pub(super) parameters: u64,
}

impl Linear {
    /// η, μ and ln σ of every row.
    pub(super) fn predict(&self, terms: &Terms, matrix: &Matrix) -> Vec<[f64; 3]> {
        let [a, b, c] = self.heads.each_ref().map(|head| terms.predictors(matrix, &head.slopes));
        let centre = self.heads.each_ref().map(|head| head.centre);
        a.into_iter().zip(b).zip(c).map(|((a, b), c)| [centre[0] + a, centre[1] + b, centre[2] + c]).collect()
    }

    pub(super) fn check(&self, terms: &Terms) -> Result<()> {
        let p = terms.size();
        let sound = |head: &Head| {
            head.slopes.len() == p
                && head.errors.len() == p + 1
                && head.slopes.iter().chain([&head.centre, &head.intercept]).all(|x| x.abs() <= LARGEST)
                && head.errors.iter().flatten().all(|e| e.is_finite() && *e >= 0.0)
                && head.penalty >= 0.0
        };
        let tried = |t: &Tried| (t.head as usize) < HEADS.len() && t.penalty >= 0.0;
        if self.heads.iter().all(sound) && self.tried.iter().all(tried) {
            Ok(())
        } else {
            Err(Error::model_file(format!(
                "its heads are not {p} coefficients each; fit and save the model again"
            )))
        }
    }
}

/// Fits a head, or two, with these weights and penalty from a start.
type Fitter<'a> = dyn Fn(&[f64], f64, &[f64]) -> Result<Maximum> + Sync + 'a;

/// A model in the making.
struct Fit<'a> {
    options: &'a ZeroInflatedLognormal,
    data: &'a Data,
    /// Standardised covariates and a last column of ones.
    x: Matrix,
    run: &'a Run,
}

/// Fits the heads; also the log-likelihood and the verdict.
pub(super) fn fit(
    options: &ZeroInflatedLognormal,
    data: &mut Data,
    run: &Run,
) -> Result<(Linear, f64, Verdict)> {
    let mut x = std::mem::take(&mut data.x);
    if data.terms.size() > 0 {
        let weight = std::mem::take(&mut data.weight);
        data.terms.standardise(&mut x, |i| weight[i])?;
        data.weight = weight;
    }
    let fit = Fit { options, data, x: with_ones(&x), run };
    let (penalty, tried) = match options.penalty {
        Some(penalty) => (penalty.heads(), Vec::new()),
        None => fit.choose()?,
    };
    let bought = fit.purchase(&fit.data.weight, penalty[0], &fit.purchase_start())?;
    let spent = fit.spend(&fit.data.weight, [penalty[1], penalty[2]], &fit.spend_start())?;

    let m = fit.x.columns;
    let shift = fit.data.shift;
    let heads = [
        head(&fit.data.terms, &bought, 0, 0.0, penalty[0]),
        head(&fit.data.terms, &spent, 0, shift, penalty[1]),
        head(&fit.data.terms, &spent, m, 0.0, penalty[2]),
    ];
    let value = fit.purchase_value(&fit.data.weight, &bought.at)
        + fit.spend_value(&fit.data.weight, &spent.at)
        - fit.data.jacobian();
    let free = |found: &Maximum| found.fixed.iter().filter(|f| !**f).count() as u64;
    let verdict = match (bought.verdict, spent.verdict) {
        (Verdict::Interior, other) | (other, Verdict::Interior) => other,
        (Verdict::MonotoneLikelihood, _) | (_, Verdict::MonotoneLikelihood) => Verdict::MonotoneLikelihood,
        (other, _) => other,
    };
    let linear = Linear {
        heads,
        tried,
        iterations: (bought.iterations + spent.iterations) as u64,
        parameters: free(&bought) + free(&spent),
    };
    Ok((linear, value, verdict))
}

fn with_ones(x: &Matrix) -> Matrix {
    let columns = x.columns + 1;
    let mut values = Vec::with_capacity(x.rows * columns);
    for i in 0..x.rows {
        values.extend_from_slice(x.row(i));
        values.push(1.0);
    }
    Matrix { rows: x.rows, columns, values }
}

/// The parameters from `from` on as a head in the units of the data: β = b / s, and the
/// intercept a − Σ b m / s.
fn head(terms: &Terms, found: &Maximum, from: usize, shift: f64, penalty: f64) -> Head {
    let (p, n) = (terms.size(), found.at.len());
    let (means, scales) = (terms.means(), terms.scales());
    let slopes: Vec<f64> = (0..p).map(|k| found.at[from + k] / scales[k]).collect();
    let centre = found.at[from + p] + shift;
    let intercept = centre - slopes.iter().zip(&means).map(|(b, m)| b * m).sum::<f64>();
    let covariance = |i: usize, j: usize| found.covariance[(from + i) * n + from + j];
    let fixed = |k: usize| found.fixed[from + k];
    let root = |variance: f64| Some(variance).filter(|v| *v > 0.0 && v.is_finite()).map(f64::sqrt);
    let mut errors: Vec<Option<f64>> =
        (0..p).map(|k| if fixed(k) { None } else { root(covariance(k, k)).map(|e| e / scales[k]) }).collect();
    // Slopes that are held at 0 by the options add nothing to the intercept's error.
    let known = (0..=p).all(|k| !fixed(k) || (k < p && found.at[from + k] == 0.0));
    let part = |k: usize| if k == p { 1.0 } else { -means[k] / scales[k] };
    let variance = || sum((0..=p).flat_map(|i| (0..=p).map(move |j| part(i) * part(j) * covariance(i, j))));
    errors.push(if known { root(variance()) } else { None });
    Head { slopes, centre, intercept, errors, penalty }
}

impl Fit<'_> {
    fn stop(&self) -> (usize, f64) {
        (self.options.max_iterations, self.options.tolerance)
    }

    /// p of all customers alike.
    fn purchase_start(&self) -> Vec<f64> {
        let mut start = vec![0.0; self.x.columns];
        let rest = self.data.customers - self.data.buyers;
        if let Some(last) = start.last_mut() {
            *last =
                if self.data.all_bought() { CERTAIN } else { ln(self.data.buyers / rest).clamp(-EDGE, EDGE) };
        }
        start
    }

    /// The mean and the spread of all buyers alike.
    fn spend_start(&self) -> Vec<f64> {
        let mut start = vec![0.0; 2 * self.x.columns];
        if let Some(last) = start.last_mut() {
            *last = ln(self.data.spread).clamp(SCALES.0, SCALES.1);
        }
        start
    }

    /// The head of buying or not. Where everybody bought there is nothing to tell apart: p = 1.
    fn purchase(&self, weight: &[f64], penalty: f64, start: &[f64]) -> Result<Maximum> {
        let n = start.len();
        let mut bounds = vec![(-EDGE, EDGE); n];
        if self.data.all_bought() {
            bounds = start.iter().map(|x| (*x, *x)).collect();
        }
        let size = sum(weight.iter().copied());
        let mut found = search(NAME, start, &bounds, self.stop(), size, |at| {
            self.local(0..self.data.rows(), n, |i, local, value| {
                let x = self.x.row(i);
                let [v, first, second] = purchase(self.data.bought(i), dot(x, at));
                let w = weight[i];
                value.add(w * v);
                for (k, xk) in x.iter().enumerate() {
                    local.gradient[k] += w * first * xk;
                    add(&mut local.hessian[k * n..=k * n + k], w * second * xk, x);
                }
            })
            .map(|local| ridge(local, at, &[(0..n - 1, penalty)]))
        })?;
        if self.data.all_bought() {
            found.verdict = Verdict::Boundary;
        }
        Ok(found)
    }

    fn spend(&self, weight: &[f64], penalty: [f64; 2], start: &[f64]) -> Result<Maximum> {
        let (n, m) = (start.len(), self.x.columns);
        let mut bounds = vec![(-EDGE, EDGE); n];
        if self.options.sigma == Sigma::Constant {
            bounds[m..n - 1].fill((0.0, 0.0));
        }
        bounds[n - 1] = SCALES;
        let size = sum(weight[self.data.first..].iter().copied());
        let found = search(NAME, start, &bounds, self.stop(), size, |at| {
            self.local(self.data.first..self.data.rows(), n, |i, local, value| {
                let (x, w) = (self.x.row(i), weight[i]);
                let terms =
                    spend(self.data.log_amount[i - self.data.first], dot(x, &at[..m]), dot(x, &at[m..]));
                value.add(w * terms.value);
                let [mm, ms, ss] = terms.second;
                for (k, xk) in x.iter().enumerate() {
                    local.gradient[k] += w * terms.first[0] * xk;
                    local.gradient[m + k] += w * terms.first[1] * xk;
                    let lower = (m + k) * n;
                    add(&mut local.hessian[k * n..=k * n + k], w * mm * xk, x);
                    add(&mut local.hessian[lower..lower + m], w * ms * xk, x);
                    add(&mut local.hessian[lower + m..=lower + m + k], w * ss * xk, x);
                }
            })
            .map(|local| ridge(local, at, &[(0..m - 1, penalty[0]), (m..n - 1, penalty[1])]))
        });
        found.map_err(|error| match error {
            Error::NotConverged { model, iterations, gradient_norm, .. } if self.options.sigma == Sigma::Covariates => {
                let hint = "where few bought, as in a rare level, their amounts are fitted exactly and σ runs to 0: \
                            set sigma to \"constant\", a stronger penalty of log_sigma, or no penalty so that one is chosen";
                Error::NotConverged { model, iterations, gradient_norm, hint: hint.to_owned() }
            }
            other => other,
        })
    }

    /// Value, gradient and Hessian over rows; `row` adds one.
    fn local(
        &self,
        rows: Range<usize>,
        n: usize,
        row: impl Fn(usize, &mut Local, &mut Sum) + Sync + Send,
    ) -> Result<Local> {
        let part = |part: Range<usize>| {
            let (mut local, mut value) = (Local::zero(n), Sum::default());
            part.for_each(|i| row(rows.start + i, &mut local, &mut value));
            local.value = value.value();
            Ok(local)
        };
        let whole = self.run.reduce_chunks("maximise the likelihood", rows.len(), part, Local::merge)?;
        Ok(whole.unwrap_or_else(|| Local::zero(n)))
    }

    fn purchase_value(&self, weight: &[f64], at: &[f64]) -> f64 {
        let of = |i: usize| weight[i] * purchase(self.data.bought(i), dot(self.x.row(i), at))[0];
        sum((0..self.data.rows()).filter(|i| weight[*i] > 0.0).map(of))
    }

    fn spend_value(&self, weight: &[f64], at: &[f64]) -> f64 {
        let (m, first) = (self.x.columns, self.data.first);
        let of = |i: usize| {
            let x = self.x.row(i);
            weight[i] * spend(self.data.log_amount[i - first], dot(x, &at[..m]), dot(x, &at[m..])).value
        };
        sum((first..self.data.rows()).filter(|i| weight[*i] > 0.0).map(of))
    }

    /// The penalties of the highest held-out likelihood: of `purchase` by itself, of `mu` beside
    /// the strongest of `log_sigma`, and then of `log_sigma` beside that of `mu`.
    fn choose(&self) -> Result<([f64; 3], Vec<Tried>)> {
        let folds = self.options.folds;
        self.data.check_folds(folds)?;
        let of = self.data.folds(folds, self.run);
        let part = |fold: usize, held: bool| -> Vec<f64> {
            let weigh = |(w, f): (&f64, &usize)| if (*f == fold) == held { *w } else { 0.0 };
            self.data.weight.iter().zip(&of).map(weigh).collect()
        };
        let penalties = &self.options.penalties;
        let judge = |head: u8, fit: &Fitter<'_>, start: Vec<f64>| {
            let scores = self.run.map_items(folds, |fold| {
                let (rest, out) = (part(fold, false), part(fold, true));
                let mut at = start.clone();
                let mut scores = Vec::with_capacity(penalties.len());
                for penalty in penalties {
                    match fit(&rest, *penalty, &at) {
                        Ok(found) => at = found.at,
                        Err(Error::NotConverged { .. }) => {
                            scores.push(None);
                            continue;
                        }
                        Err(other) => return Err(other),
                    }
                    scores.push(Some(match head {
                        0 => self.purchase_value(&out, &at),
                        _ => self.spend_value(&out, &at),
                    }));
                }
                Ok(scores)
            })?;
            let size = if head == 0 { self.data.customers } else { self.data.buyers };
            let tried = penalties.iter().enumerate().map(|(p, penalty)| {
                let folds: Option<Vec<f64>> = scores.iter().map(|s| s[p]).collect();
                let held_out = folds.map(|f| sum(f) / size).filter(|v| v.is_finite());
                Tried { head, penalty: *penalty, held_out }
            });
            Ok::<_, Error>(tried.collect::<Vec<_>>())
        };
        let best = |tried: &[Tried]| {
            let known = tried.iter().filter_map(|t| Some((t.held_out?, t.penalty)));
            let top = known.fold(None, |best: Option<(f64, f64)>, t| match best {
                Some(b) if b.0 >= t.0 => Some(b),
                _ => Some(t),
            });
            let hint = "no penalty converged in all folds: try larger ones";
            top.map(|t| t.1).ok_or_else(|| Error::option("penalties", hint))
        };
        let strongest = penalties.iter().fold(0.0_f64, |m, p| m.max(*p));
        let mut all = Vec::new();
        let mut chosen = [0.0; 3];
        if self.x.columns == 1 {
            return Ok((chosen, all)); // nothing is penalised
        }
        if !self.data.all_bought() {
            let tried = judge(0, &|w, penalty, at| self.purchase(w, penalty, at), self.purchase_start())?;
            chosen[0] = best(&tried)?;
            all.extend(tried);
        }
        let tried = judge(1, &|w, penalty, at| self.spend(w, [penalty, strongest], at), self.spend_start())?;
        chosen[1] = best(&tried)?;
        all.extend(tried);
        if self.options.sigma == Sigma::Covariates {
            let mu = chosen[1];
            let tried = judge(2, &|w, penalty, at| self.spend(w, [mu, penalty], at), self.spend_start())?;
            chosen[2] = best(&tried)?;
            all.extend(tried);
        }
        Ok((chosen, all))
    }
}

fn dot(x: &[f64], at: &[f64]) -> f64 {
    x.iter().zip(at).map(|(x, b)| x * b).sum()
}

fn add(cells: &mut [f64], factor: f64, x: &[f64]) {
    for (cell, x) in cells.iter_mut().zip(x) {
        *cell += factor * x;
    }
}

fn ridge(mut local: Local, at: &[f64], penalties: &[(Range<usize>, f64)]) -> Local {
    let n = at.len();
    for (range, penalty) in penalties {
        for k in range.clone() {
            local.value -= 0.5 * penalty * at[k] * at[k];
            local.gradient[k] -= penalty * at[k];
            local.hessian[k * n + k] -= penalty;
        }
    }
    local
}
