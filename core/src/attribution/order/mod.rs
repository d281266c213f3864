//! How long a memory the journeys show: the order of a Markov chain.
//!
//! | column | is |
//! | --- | --- |
//! | `log_likelihood` | Σ weight · ln P(journey) under the chain fitted to it, repeats kept |
//! | `aic`, `bic` | 2 p − 2 L, and p · ln(steps) − 2 L: p free parameters, steps = Σ weight · (touches + 1) (Katz 1981) |
//! | `held_out_log_likelihood` | the same sum for journeys that the chain was not fitted to, over all folds |
//! | `auc`, `pauc` | ChannelAttribution's rule: how well the last state tells converting journeys, and that after a penalty for the number of possible states |
//!
//! **Held out.** Journeys are dealt to folds by customer; those that come from
//! paths by each unit of weight of each distinct path (beyond 1,024 units of
//! one path the rest is dealt evenly, and a fraction goes as one), keyed by the
//! run's seed. The chain of the other folds predicts each touch and the end
//! from the last k touches; counts are smoothed by backing off to the chain
//! one shorter (interpolated Witten & Bell 1991): P_k(x | h) = (n(h, x) + T(h)
//! P_{k−1}(x | h')) / (n(h) + T(h)), with T(h) different things seen after h,
//! down to the same chance for every channel and both ends.

mod held_out;
mod roc;

use serde::{Deserialize, Serialize};

use crate::column::{Table, Values};
use crate::journey::{Chain, Journeys, PathCounts, Repeats};
use crate::math::{Sum, ln};
use crate::run::Run;
use crate::{Error, Result};

/// What the best order is chosen by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// The highest log-likelihood of journeys that were held out. The default.
    #[default]
    HeldOut,
    /// The lowest Akaike information criterion.
    Aic,
    /// The lowest Bayesian information criterion.
    Bic,
    /// The highest penalised area under ChannelAttribution's ROC curve. That
    /// library says "not found" when it is the last order tried.
    Auc,
}

/// Options of [`choose_order`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrderOptions {
    /// The highest order to try. Default 5.
    pub max_order: usize,
    /// What the best order is chosen by.
    pub criterion: Criterion,
    /// In how many parts journeys are held out, 2 to 100; 0 for not at all.
    /// Default 5.
    pub folds: usize,
}

impl Default for OrderOptions {
    fn default() -> Self {
        Self { max_order: 5, criterion: Criterion::default(), folds: 5 }
    }
}

/// Compares the orders 1 to `max_order`: order, states, parameters,
/// log_likelihood, aic, bic, held_out_log_likelihood, held_out_se (of its
/// distance to the highest, as the folds scatter; both missing without folds),
/// auc, pauc (missing where nothing or everything converts, or where more
/// states are possible than there are journeys), chosen.
///
/// Conversions without a touch are no part of it. Errors: [`Error::Option`]
/// for an order that does not fit the channels, or a criterion that needs
/// folds; [`Error::NotEnoughData`] for no journeys, or an AUC that is missing
/// at every order.
pub fn choose_order(journeys: &Journeys, options: &OrderOptions, run: &Run) -> Result<Table> {
    let OrderOptions { max_order, criterion, folds } = *options;
    if max_order == 0 {
        return Err(Error::option("max_order", "must be 1 or more"));
    }
    if folds == 1 || folds > 100 {
        return Err(Error::option("folds", format!("must be 0 or 2 to 100, not {folds}")));
    }
    if folds == 0 && criterion == Criterion::HeldOut {
        return Err(Error::option("folds", "must be 2 or more for the criterion held_out"));
    }
    let counted;
    let journeys = if journeys.has_times() {
        journeys
    } else {
        // One journey for each distinct path, in an order of their own.
        counted = Journeys::from_counts(&PathCounts::of(journeys, run)?);
        &counted
    };
    let (mut weight, mut steps) = (Sum::default(), Sum::default());
    for j in (0..journeys.len()).filter(|j| !journeys.path(*j).is_empty()) {
        let w = journeys.conversions()[j] + journeys.nulls()[j];
        weight.add(w);
        steps.add(w * (journeys.path(j).len() + 1) as f64);
    }
    if weight.value() <= 0.0 {
        return Err(Error::not_enough_data("there are no journeys to choose an order by"));
    }
    let mut rows = Vec::with_capacity(max_order);
    for order in 1..=max_order {
        let chain = Chain::count(journeys, order, Repeats::Keep, run)?;
        rows.push(Row::of(&chain, weight.value(), steps.value()));
    }
    let by_fold = match folds {
        0 => Vec::new(),
        _ => held_out::log_likelihoods(journeys, max_order, folds, run)?,
    };
    let held_out: Vec<Option<f64>> = (0..max_order).map(|k| by_fold.get(k).map(|f| f.total)).collect();
    // Of equal ones the lowest order.
    let first = by_fold.iter().rev().max_by(|a, b| a.total.total_cmp(&b.total));
    let errors = (0..max_order).map(|k| Some(by_fold.get(k)?.error_to(first?)));
    let best = best(&rows, &held_out, criterion)?;
    let ints = |of: fn(&Row) -> i64| Values::I64(rows.iter().map(of).collect());
    let floats = |of: fn(&Row) -> f64| Values::F64(rows.iter().map(of).collect());
    Ok(Table::new()
        .with("order", Values::I64((1..=max_order as i64).collect()))
        .with("states", ints(|r| r.states))
        .with("parameters", ints(|r| r.parameters))
        .with("log_likelihood", floats(|r| r.log_likelihood))
        .with("aic", floats(|r| r.aic))
        .with("bic", floats(|r| r.bic))
        .with_optional("held_out_log_likelihood", held_out)
        .with_optional("held_out_se", errors)
        .with_optional("auc", rows.iter().map(|r| r.auc.map(|a| a[0])))
        .with_optional("pauc", rows.iter().map(|r| r.auc.map(|a| a[1])))
        .with("chosen", Values::Bool((0..max_order).map(|k| k == best).collect())))
}

struct Row {
    states: i64,
    parameters: i64,
    log_likelihood: f64,
    aic: f64,
    bic: f64,
    /// Plain and penalised.
    auc: Option<[f64; 2]>,
}

impl Row {
    fn of(chain: &Chain, weight: f64, steps: f64) -> Self {
        let n = chain.len();
        let (mut total, mut ways) = (vec![0.0; n], vec![0_i64; n]);
        let mut likelihood = Sum::default();
        let mut parameters = -1;
        for w in chain.start.iter().filter(|w| **w > 0.0) {
            likelihood.add(w * ln(w / weight));
            parameters += 1;
        }
        let ends = [&chain.conversions, &chain.nulls];
        let leaving = ends.iter().flat_map(|end| end.iter().enumerate().map(|(s, w)| (s, *w)));
        let edges = chain.edges.iter().map(|(i, _, w)| (*i as usize, *w));
        let all: Vec<(usize, f64)> = edges.chain(leaving).filter(|(_, w)| *w > 0.0).collect();
        for (s, w) in &all {
            total[*s] += w;
            ways[*s] += 1;
        }
        for (s, w) in &all {
            likelihood.add(w * ln(w / total[*s]));
        }
        parameters += ways.iter().map(|w| w - 1).sum::<i64>();
        let (l, p) = (likelihood.value(), parameters as f64);
        Self {
            states: n as i64,
            parameters,
            log_likelihood: l,
            aic: 2.0 * p - 2.0 * l,
            bic: p * ln(steps) - 2.0 * l,
            auc: roc::auc(chain, weight),
        }
    }
}

fn best(rows: &[Row], held_out: &[Option<f64>], criterion: Criterion) -> Result<usize> {
    let score = |k: usize| match criterion {
        Criterion::HeldOut => held_out[k],
        Criterion::Aic => Some(-rows[k].aic),
        Criterion::Bic => Some(-rows[k].bic),
        Criterion::Auc => rows[k].auc.map(|a| a[1]),
    };
    // Of equal ones the lowest order.
    let found = (0..rows.len()).rev().filter_map(|k| Some((k, score(k)?))).max_by(|a, b| a.1.total_cmp(&b.1));
    found.map(|(k, _)| k).ok_or_else(|| {
        Error::not_enough_data(
            "no order has an AUC: some journeys must convert and some not, and states be few",
        )
    })
}
