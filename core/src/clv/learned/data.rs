//! Customers with what they spent, in the one order in which they are added up.

use rand::Rng;

use super::super::design::{LARGEST, Matrix, Reader, Terms, by_value};
use super::{Negative, ZeroInflatedLognormal};
use crate::column::{Columns, Dropped, Intake, Names, Sign};
use crate::math::{ln, sum};
use crate::run::unit;
use crate::{Error, Result, Run};

const HEAVIEST: f64 = 1e12;

/// Rows of a fit: those who bought nothing first, then by what they spent.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) terms: Terms,
    pub(super) x: Matrix,
    pub(super) amount: Vec<f64>,
    pub(super) weight: Vec<f64>,
    /// The first row of a buyer; all after it are.
    pub(super) first: usize,
    /// ln of the amounts of buyers, less `shift`.
    pub(super) log_amount: Vec<f64>,
    /// The mean of the logarithms.
    pub(super) shift: f64,
    /// Their standard deviation, of the maximum of the likelihood.
    pub(super) spread: f64,
    pub(super) customers: f64,
    pub(super) buyers: f64,
    pub(super) dropped: Dropped,
}

/// A column of what was spent; negative amounts as `negative` has them.
pub(super) fn amounts(intake: &mut Intake<'_>, name: &str, negative: Negative) -> Result<Vec<f64>> {
    let mut amounts = intake.amounts(name, Sign::Any)?.into_owned();
    let vast = |i: &usize| amounts[*i].is_finite() && amounts[*i].abs() > LARGEST;
    let rows: Vec<usize> = (0..amounts.len()).filter(vast).collect();
    intake.reject(name, "the amount is beyond 1e150", rows);
    let below: Vec<usize> =
        (0..amounts.len()).filter(|i| amounts[*i] < 0.0 && amounts[*i].is_finite()).collect();
    match negative {
        Negative::Error => {
            let reason = "the amount is negative (more came back than was bought); pass negative=\"zero\" to count \
                          such customers as having bought nothing";
            intake.reject(name, reason, below);
        }
        Negative::Zero => below.into_iter().for_each(|i| amounts[i] = 0.0),
    }
    Ok(amounts)
}

/// What explains, unless it is named: every column without a role of its own.
fn covariates(options: &ZeroInflatedLognormal, frame: &Columns) -> Vec<String> {
    if let Some(named) = &options.covariates {
        return named.clone();
    }
    let roles = [Some(&options.target), options.customer.as_ref(), options.weight.as_ref()];
    let free = |name: &&str| !roles.iter().flatten().any(|role| role.as_str() == *name);
    frame.column_names().filter(free).map(str::to_owned).collect()
}

impl Data {
    pub(super) fn read(options: &ZeroInflatedLognormal, frame: &Columns, run: &Run) -> Result<Self> {
        let names = covariates(options, frame);
        if names.contains(&options.target) {
            let reason = format!("`{}` is what is to be explained", options.target);
            return Err(Error::option("covariates", reason));
        }
        let mut intake = Intake::new(frame, options.on_invalid, run);
        if let Some(customer) = &options.customer {
            intake.names(customer)?;
        }
        let amount = amounts(&mut intake, &options.target, options.negative)?;
        let weight = options.weight.as_ref().map(|c| intake.amounts(c, Sign::NonNegative)).transpose()?;
        if let (Some(weight), Some(name)) = (&weight, &options.weight) {
            let heavy = (0..weight.len()).filter(|i| weight[*i].is_finite() && weight[*i] > HEAVIEST);
            intake.reject(name, "the weight is beyond 1e12", heavy);
        }
        let given = Reader::Fit(&names).read(&mut intake)?;
        let kept = intake.finish()?;
        let rows = kept.len();
        let given: Vec<_> = given.into_iter().map(|g| g.cut(&kept)).collect();
        let amount = kept.values(amount.into());
        let weight = weight.map(|w| kept.values(w));
        let weight = |i: usize| weight.as_ref().map_or(1.0, |w| w[i]);
        let terms = Terms::of(&names, &given, rows, &options.references)?;
        let raw = terms.matrix(&given, rows);
        if let Some(at) = raw.values.iter().position(|x| x.abs() > LARGEST) {
            let name = terms.names().swap_remove(at % raw.columns);
            return Err(Error::column(name, "holds numbers beyond 1e150: rescale it"));
        }

        let mut order: Vec<u32> = (0..rows as u32).filter(|i| weight(*i as usize) > 0.0).collect();
        order.sort_by(|a, b| {
            let (a, b) = (*a as usize, *b as usize);
            (amount[a] + 0.0)
                .total_cmp(&(amount[b] + 0.0))
                .then(weight(a).total_cmp(&weight(b)))
                .then_with(|| by_value(raw.row(a), raw.row(b)))
        });
        let x = raw.ordered(&order);
        let amount: Vec<f64> = order.iter().map(|i| amount[*i as usize] + 0.0).collect();
        let weight: Vec<f64> = order.iter().map(|i| weight(*i as usize)).collect();
        let first = amount.partition_point(|y| *y <= 0.0);
        let customers = sum(weight.iter().copied());
        let buyers = sum(weight[first..].iter().copied());
        if amount.is_empty() {
            return Err(Error::not_enough_data("there is no row to fit; all were dropped, or none came"));
        }
        let target = &options.target;
        if first == amount.len() {
            return Err(Error::not_enough_data(format!(
                "nobody bought anything (column `{target}` is 0 in all rows): there is no amount to learn from"
            )));
        }
        if amount[first] >= amount[amount.len() - 1] {
            return Err(Error::not_enough_data(format!(
                "all who bought spent the same (column `{target}`): amounts without spread have no lognormal law"
            )));
        }
        let mut log_amount: Vec<f64> = amount[first..].iter().map(|y| ln(*y)).collect();
        let mean = |values: &[f64], of: &dyn Fn(f64) -> f64| {
            sum(values.iter().zip(&weight[first..]).map(|(v, w)| w * of(*v))) / buyers
        };
        let shift = mean(&log_amount, &|v| v);
        log_amount.iter_mut().for_each(|v| *v -= shift);
        let spread = mean(&log_amount, &|v| v * v).sqrt();
        if spread <= 1e-13 * shift.abs().max(1.0) {
            return Err(Error::not_enough_data(format!(
                "all who bought spent the same to within rounding (column `{target}`)"
            )));
        }
        let dropped = kept.into_dropped();
        Ok(Self { terms, x, amount, weight, first, log_amount, shift, spread, customers, buyers, dropped })
    }

    pub(super) fn rows(&self) -> usize {
        self.amount.len()
    }

    pub(super) fn bought(&self, i: usize) -> bool {
        i >= self.first
    }

    /// Whether everybody bought.
    pub(super) fn all_bought(&self) -> bool {
        self.first == 0
    }

    /// Σ ln y: densities of logarithms, less this, are densities of amounts.
    pub(super) fn jacobian(&self) -> f64 {
        sum(self.log_amount.iter().zip(&self.weight[self.first..]).map(|(v, w)| w * (v + self.shift)))
    }

    /// The log-likelihood without covariates, in closed form.
    pub(super) fn null_log_likelihood(&self) -> f64 {
        let (n, m) = (self.customers, self.buyers);
        let entropy = |part: f64| if part > 0.0 { part * ln(part / n) } else { 0.0 };
        let spend = m * (-ln(self.spread) - 0.5 - super::likelihood::HALF_LN_TWO_PI) - self.jacobian();
        entropy(m) + entropy(n - m) + spend
    }

    /// A fold for each row. Rows stand by what they spent, and of every `folds` in a row each
    /// fold gets one: all folds have buyers, and amounts, alike.
    pub(super) fn folds(&self, folds: usize, run: &Run) -> Vec<usize> {
        let mut rng = run.rng(0);
        let mut out = Vec::with_capacity(self.rows());
        while out.len() < self.rows() {
            let mut block: Vec<usize> = (0..folds).collect();
            for i in (1..folds).rev() {
                let j = (unit(rng.next_u64()) * (i + 1) as f64) as usize;
                block.swap(i, j.min(i));
            }
            out.extend(block);
        }
        out.truncate(self.rows());
        out
    }

    /// An error where the folds are too many for the buyers.
    pub(super) fn check_folds(&self, folds: usize) -> Result<()> {
        let buyers = self.rows() - self.first;
        if buyers >= 4 * folds {
            return Ok(());
        }
        Err(Error::not_enough_data(format!(
            "{buyers} buyers are too few to hold out {folds} folds: give a penalty (linear) or folds=0 (boosted)"
        )))
    }
}

/// Rows of a prediction.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) customer: Option<Names>,
    /// The row of the frame.
    pub(super) row: Vec<i64>,
    pub(super) matrix: Matrix,
    pub(super) amount: Option<Vec<f64>>,
    pub(super) dropped: Dropped,
}

impl Seen {
    pub(super) fn read(
        terms: &Terms,
        frame: &Columns,
        customer: Option<&str>,
        target: Option<(&str, Negative)>,
        on_invalid: crate::column::OnInvalid,
        run: &Run,
    ) -> Result<Self> {
        let mut intake = Intake::new(frame, on_invalid, run);
        let customer = customer.map(|c| intake.names(c)).transpose()?;
        let amount = target.map(|(name, negative)| amounts(&mut intake, name, negative)).transpose()?;
        let given = Reader::Model(terms).read(&mut intake)?;
        let kept = intake.finish()?;
        let given: Vec<_> = given.into_iter().map(|g| g.cut(&kept)).collect();
        Ok(Self {
            customer: customer.map(|c| kept.names(c)),
            row: (0..kept.len()).map(|i| kept.row(i) as i64).collect(),
            matrix: terms.matrix(&given, kept.len()),
            amount: amount.map(|a| kept.values(a.into()).into_owned()),
            dropped: kept.into_dropped(),
        })
    }
}
