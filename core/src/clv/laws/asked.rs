//! What else can be asked of every customer of a frame, by a fitted law and by draws of one.

use super::History;
use super::delta::{Edges, around, of_probabilities};
use super::next_purchase::{Chances, edges_of_next, reached};
use super::purchases::{Purchases, Quantity, buying_level, slope};
use crate::clv::ahead::{DiscountRate, Horizon};
use crate::clv::unit::Unit;
use crate::{Error, Result};

/// So many probabilities at most are columns of a frame.
const MOST_COLUMNS: usize = 1000;

/// The options by which it is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::clv) struct More {
    pub(in crate::clv) ahead: Option<Horizon>,
    pub(in crate::clv) discount_rate: Option<DiscountRate>,
    pub(in crate::clv) next_purchase: Option<f64>,
    pub(in crate::clv) rate: bool,
    pub(in crate::clv) probabilities: Option<usize>,
}

/// One thing asked for: the names of its columns, each with those of its limits.
#[derive(Clone, Debug)]
pub(in crate::clv) struct Asked {
    pub(in crate::clv) names: Vec<[String; 3]>,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Of(Quantity),
    /// The time by which a purchase has come with this probability.
    Next(f64),
    /// The probabilities of 0 … `most` purchases.
    Probabilities {
        periods: f64,
        most: usize,
    },
}

impl More {
    /// In periods of this length, where it is known; `periods` is how far ahead probabilities look.
    pub(in crate::clv) fn asked(self, periods: f64, period: Option<Unit>) -> Result<Vec<Asked>> {
        let mut out = Vec::new();
        let mut add = |names: Vec<String>, what| {
            let names =
                names.into_iter().map(|name| [name.clone(), format!("{name}_low"), format!("{name}_high")]);
            out.push(Asked { names: names.collect(), what });
        };
        if let Some(ahead) = self.ahead {
            let ahead = ahead.periods("ahead", period)?;
            add(vec!["p_alive_ahead".into()], What::Of(Quantity::Alive { ahead }));
        }
        if let Some(rate) = self.discount_rate {
            let rate = slope(rate.per_period("discount_rate", period)?)?;
            add(vec!["residual_purchases".into()], What::Of(Quantity::Residual { rate }));
        }
        if let Some(level) = self.next_purchase {
            add(vec!["next_purchase".into()], What::Next(buying_level("next_purchase", level)?));
        }
        if self.rate {
            add(vec!["purchase_rate".into()], What::Of(Quantity::Rate));
        }
        if let Some(most) = self.probabilities {
            if most > MOST_COLUMNS {
                return Err(Error::option(
                    "probabilities",
                    format!("must be {MOST_COLUMNS} purchases or fewer"),
                ));
            }
            add(
                (0..=most).map(|n| format!("probability_{n}")).collect(),
                What::Probabilities { periods, most },
            );
        }
        Ok(out)
    }
}

impl Asked {
    /// What a law says of a history that can be; what has no number is missing.
    pub(in crate::clv) fn values(&self, model: &dyn Purchases, history: History) -> Vec<Option<f64>> {
        match self.what {
            What::Of(quantity) => vec![Some(model.quantity(history, quantity)).filter(|v| v.is_finite())],
            What::Next(level) => vec![model.next_purchase_of(history, level)],
            What::Probabilities { periods, most } => {
                model.probabilities_of(history, periods, most).into_iter().map(Some).collect()
            }
        }
    }

    /// The limits of `values` by the uncertainty of the law's parameters.
    pub(in crate::clv) fn edges(
        &self,
        model: &dyn Purchases,
        history: History,
        values: &[Option<f64>],
        z: f64,
    ) -> Vec<Edges> {
        match self.what {
            What::Of(quantity) => values
                .iter()
                .map(|v| v.map_or([None; 2], |v| around(model, history, quantity, v, z)))
                .collect(),
            What::Next(level) => vec![edges_of_next(model, history, level, z)],
            What::Probabilities { periods, most } => {
                let mass: Vec<f64> = values.iter().map(|v| v.unwrap_or_default()).collect();
                let at = |parameters: &[f64]| model.probabilities_at(parameters, history, periods, most);
                of_probabilities(model.estimates(), &mass, at, z)
            }
        }
    }

    /// What laws of one kind, drawn, say of a history that can be: each column's value and limits. `summed` gives
    /// the mean of numbers, one of each law, and their limits.
    pub(in crate::clv) fn among(
        &self,
        models: &[Box<dyn Purchases>],
        history: History,
        summed: impl Fn(Vec<f64>) -> [f64; 3],
    ) -> Vec<[Option<f64>; 3]> {
        let finite = |found: [f64; 3]| found.map(|v| Some(v).filter(|v| v.is_finite()));
        match self.what {
            What::Of(quantity) => {
                vec![finite(summed(models.iter().map(|m| m.quantity(history, quantity)).collect()))]
            }
            What::Next(level) => {
                // Who buys more surely buys sooner: the upper limit of the chance gives the lower one of the time.
                let edges = [0, 2, 1];
                if models.iter().all(|m| m.is_smooth()) {
                    let mut chances = Chances::new(models, history);
                    return vec![edges.map(|at| chances.reached(level, |bought| summed(bought)[at]))];
                }
                let bought = |t: f64| {
                    let none = |m: &dyn Purchases| m.probabilities_of(history, t, 0).first().copied();
                    summed(models.iter().map(|m| 1.0 - none(&**m).unwrap_or(1.0)).collect())
                };
                let discrete = models.first().is_some_and(|m| m.is_discrete());
                vec![edges.map(|at| reached(discrete, history.age, level, |t| bought(t)[at]))]
            }
            What::Probabilities { periods, most } => {
                let each: Vec<Vec<f64>> =
                    models.iter().map(|m| m.probabilities_of(history, periods, most)).collect();
                let of =
                    |n: usize| each.iter().map(|mass| mass.get(n).copied().unwrap_or_default()).collect();
                (0..=most).map(|n| finite(summed(of(n)))).collect()
            }
        }
    }
}
