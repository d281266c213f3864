//! Value of a customer by the state of the relationship.
//!
//! Pfeifer & Carraway (2000), "Modeling customer relationships as Markov
//! chains": a customer in state i brings R_i at the start of each period and
//! moves by P; V = Σ_t (P / (1 + d))^t R, and (I − P / (1 + d))⁻¹ R without end.
//! A relationship whose state is worth less than nothing is ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::given;
use super::rate::Rate;
use crate::clv::unit::Unit;
use crate::column::{Columns, Intake, Names, OnInvalid, Sign, Table, Tables, Text, Values};
use crate::math::solve::AbsorbingChain;
use crate::math::sum;
use crate::{Error, Result, Run};

/// States that can be solved for.
const MOST_STATES: usize = 2000;
/// Rows must sum to 1 as closely as this.
const SUM: f64 = 1e-9;

/// A chain of states, with what does not go to any state leaving it.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkovChain {
    states: usize,
    /// From, to, probability: sorted, positive.
    edges: Vec<(u32, u32, f64)>,
    leave: Vec<f64>,
}

impl MarkovChain {
    /// A chain of `states` states. Probabilities from a state may sum to less
    /// than 1: the rest ends the relationship, worth nothing from then on.
    ///
    /// Errors: [`Error::Option`] for a probability outside 0 to 1, a pair given
    /// twice, a sum above 1, or more than 2000 states.
    pub fn new(states: usize, edges: &[(usize, usize, f64)]) -> Result<Self> {
        Self::of(states, edges, &|state| state.to_string())
    }

    /// The same, of states that have names.
    fn of(states: usize, edges: &[(usize, usize, f64)], name: &dyn Fn(usize) -> String) -> Result<Self> {
        let bad = |reason: String| Err(Error::option("probability", reason));
        if states > MOST_STATES {
            return Err(Error::option("states", "must be 2000 at most"));
        }
        let mut sorted = edges.to_vec();
        sorted.sort_by_key(|e| (e.0, e.1));
        let mut rows = vec![Vec::new(); states];
        for (i, (from, to, p)) in sorted.iter().enumerate() {
            if *from >= states || *to >= states || !(0.0..=1.0).contains(p) {
                let (from, to) = (name(*from), name(*to));
                return bad(format!("{p} from state {from} to {to} is not a probability between two states"));
            }
            if i > 0 && (sorted[i - 1].0, sorted[i - 1].1) == (*from, *to) {
                let (from, to) = (name(*from), name(*to));
                return bad(format!("the step from state {from} to {to} is given twice: add its rows up"));
            }
            rows[*from].push(*p);
        }
        let mut leave = Vec::with_capacity(states);
        for (state, row) in rows.into_iter().enumerate() {
            let rest = 1.0 - sum(row);
            if rest < -SUM {
                return bad(format!("from state {} they sum to {}, above 1", name(state), 1.0 - rest));
            }
            leave.push(if rest > SUM { rest } else { 0.0 });
        }
        let edges = sorted.into_iter().filter(|e| e.2 > 0.0);
        Ok(Self { states, edges: edges.map(|(i, j, p)| (i as u32, j as u32, p)).collect(), leave })
    }

    fn check(&self, rewards: &[f64], discount: f64) -> Result<()> {
        if rewards.len() != self.states || rewards.iter().any(|r| !r.is_finite()) {
            return Err(Error::option("rewards", "must be a finite number for each state"));
        }
        if !(discount.is_finite() && discount >= 0.0) {
            return Err(Error::option("discount", "must be a finite rate from 0"));
        }
        Ok(())
    }

    /// States from which no reward can be reached, going round those removed.
    fn dead(&self, rewards: &[f64], removed: &[bool]) -> Vec<bool> {
        let mut alive: Vec<bool> = rewards.iter().zip(removed).map(|(r, gone)| *r != 0.0 && !gone).collect();
        loop {
            let mut grown = false;
            for (from, to, _) in &self.edges {
                let (from, to) = (*from as usize, *to as usize);
                if alive[to] && !alive[from] && !removed[from] {
                    (alive[from], grown) = (true, true);
                }
            }
            if !grown {
                return alive.into_iter().map(|a| !a).collect();
            }
        }
    }

    /// ((1 + d) I − P) V = (1 + d) R over the states that are not removed: an
    /// M-matrix, solved without a subtraction.
    fn solve(&self, rewards: &[f64], d: f64, removed: &[bool], run: &Run) -> Result<Vec<f64>> {
        let gone = self.dead(rewards, removed);
        let leave = (0..self.states).map(|i| if gone[i] { 1.0 } else { self.leave[i] + d }).collect();
        let infinite = |error: Error| match error {
            Error::NotEnoughData { .. } => Error::option(
                "discount",
                "without discount some state is never left and its value is infinite: discount, or give a horizon",
            ),
            other => other,
        };
        let chain = AbsorbingChain::new(self.edges.iter().copied(), leave).map_err(infinite)?;
        let factor = chain.factor(Some(&gone), run).map_err(infinite)?;
        let part = |sign: f64| {
            let r: Vec<f64> = rewards.iter().map(|r| (sign * r).max(0.0) * (1.0 + d)).collect();
            factor.solve(&r)
        };
        let values: Vec<f64> = part(1.0).iter().zip(part(-1.0)).map(|(gain, cost)| gain - cost).collect();
        if values.iter().all(|v| v.is_finite()) {
            return Ok(values);
        }
        Err(infinite(Error::not_enough_data("")))
    }

    /// R_i + Σ_j P_ij V_j / (1 + d).
    fn step(&self, rewards: &[f64], d: f64, values: &[f64]) -> Vec<f64> {
        let mut next = vec![0.0; self.states];
        for (from, to, p) in &self.edges {
            next[*from as usize] += p * values[*to as usize];
        }
        next.iter().zip(rewards).map(|(v, r)| r + v / (1.0 + d)).collect()
    }

    /// The value of each state with rewards for ever, or in the periods 0 to `horizon`.
    ///
    /// Errors: [`Error::Option`] where a value is infinite.
    pub fn values(
        &self,
        rewards: &[f64],
        discount: f64,
        horizon: Option<u32>,
        run: &Run,
    ) -> Result<Vec<f64>> {
        self.check(rewards, discount)?;
        let Some(horizon) = horizon else {
            return self.solve(rewards, discount, &vec![false; self.states], run);
        };
        let mut values = rewards.to_vec();
        for _ in 0..horizon {
            values = self.step(rewards, discount, &values);
            run.check()?;
        }
        if values.iter().all(|v| v.is_finite()) {
            return Ok(values);
        }
        Err(Error::option("horizon", "values grow beyond all bounds"))
    }

    /// The value of each state when a relationship is ended wherever going on
    /// is worth less than nothing, and whether it goes on: V = max(0, R + P V / (1 + d)),
    /// by policy iteration, or backwards from the horizon.
    pub fn values_with_stop(
        &self,
        rewards: &[f64],
        discount: f64,
        horizon: Option<u32>,
        run: &Run,
    ) -> Result<(Vec<f64>, Vec<bool>)> {
        self.check(rewards, discount)?;
        if let Some(horizon) = horizon {
            let mut next = rewards.to_vec();
            for _ in 0..horizon {
                let stopped: Vec<f64> = next.iter().map(|v| v.max(0.0)).collect();
                next = self.step(rewards, discount, &stopped);
                run.check()?;
            }
            let keep = next.iter().map(|v| *v >= 0.0).collect();
            return Ok((next.iter().map(|v| v.max(0.0)).collect(), keep));
        }
        let mut removed = vec![false; self.states];
        for _ in 0..=2 * self.states {
            let mut values = self.solve(rewards, discount, &removed, run)?;
            let onward = self.step(rewards, discount, &values);
            let mut changed = false;
            for i in 0..self.states {
                // Rounding must not swap a state back and forth.
                let hair = 1e-12 * rewards.iter().fold(0.0_f64, |m, r| m.max(r.abs()));
                if (!removed[i] && values[i] < -hair) || (removed[i] && onward[i] > hair) {
                    removed[i] = !removed[i];
                    changed = true;
                }
            }
            if !changed {
                values.iter_mut().for_each(|v| *v = v.max(0.0));
                return Ok((values, removed.into_iter().map(|gone| !gone).collect()));
            }
        }
        Err(Error::not_enough_data("the stop rule did not settle: values are equal to working accuracy"))
    }
}

/// What becomes of probability that the rows of a matrix leave over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// Rows must sum to 1. The default.
    #[default]
    Error,
    /// It ends the relationship, as do states without a row.
    Leave,
}

/// Roles and options of [`markov_value`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MarkovOptions {
    /// Column of the state that a step leaves.
    pub from: String,
    /// Column of the state that it reaches.
    pub to: String,
    /// Column of its probability.
    pub probability: String,
    /// What each state brings per period, by its label; needed for every state.
    pub rewards: BTreeMap<String, f64>,
    /// The length of a step; needed. A month, quarter or year has its mean length.
    pub period: Option<Unit>,
    /// Discount rate, such as `{"rate": 0.1, "per": "365d"}`; needed, if only to say 0.
    pub discount: Option<Rate>,
    /// The last period in which rewards count, from 0; without end by default.
    pub horizon: Option<u32>,
    /// What becomes of probability that a row leaves over.
    pub remainder: Remainder,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for MarkovOptions {
    fn default() -> Self {
        Self {
            from: "from".to_owned(),
            to: "to".to_owned(),
            probability: "probability".to_owned(),
            rewards: BTreeMap::new(),
            period: None,
            discount: None,
            horizon: None,
            remainder: Remainder::Error,
            on_invalid: OnInvalid::Error,
        }
    }
}

pub(super) fn check_horizon(horizon: Option<u32>) -> Result<()> {
    if horizon.is_some_and(|h| h > 100_000) {
        return Err(Error::option("horizon", "must be 100,000 periods at most"));
    }
    Ok(())
}

/// Values the states of a matrix in long form: from, to, probability.
///
/// Tables: `markov_value` (state, reward, value, value_with_stop, keep: whether
/// the relationship goes on in that state), states by label, and `dropped`.
pub fn markov_value(frame: &Columns, options: &MarkovOptions, run: &Run) -> Result<Tables> {
    let period = given(options.period, "period", "\"30d\" or \"month\", the length of a step")?;
    period.check()?;
    let discount = given(options.discount, "discount", "{\"rate\": 0.1, \"per\": \"365d\"}")?;
    discount.check("discount")?;
    check_horizon(options.horizon)?;
    let mut intake = Intake::new(frame, options.on_invalid, run);
    let from = intake.names(&options.from)?;
    let to = intake.names(&options.to)?;
    let probability = intake.amounts(&options.probability, Sign::NonNegative)?;
    let kept = intake.finish()?;
    let (from, to, probability) = (kept.names(from), kept.names(to), kept.values(probability));
    let (labels, [from, to]) = together([&from, &to]);
    let n = labels.len();
    if n == 0 {
        return Err(Error::not_enough_data("there are no transitions"));
    }
    let mut rewards = Vec::with_capacity(n);
    for label in &labels {
        rewards.push(*options.rewards.get(label).ok_or_else(|| {
            Error::option(
                "rewards",
                format!("has nothing for the state `{label}`; give 0 if it brings nothing"),
            )
        })?);
    }
    if let Some(stranger) = options.rewards.keys().find(|k| !labels.contains(k)) {
        return Err(Error::option("rewards", format!("names a state `{stranger}` that no transition has")));
    }
    if options.remainder == Remainder::Error {
        let mut rows = vec![Vec::new(); n];
        from.iter().zip(probability.iter()).for_each(|(i, p)| rows[*i].push(*p));
        for (label, row) in labels.iter().zip(rows) {
            let total = sum(row);
            if (total - 1.0).abs() > SUM {
                return Err(Error::column(
                    &options.probability,
                    format!(
                        "sums to {total} from the state `{label}` and not to 1; complete it (a state that is never left goes to itself), or pass remainder=\"leave\" to end the relationship with what is left over"
                    ),
                ));
            }
        }
    }
    let edges: Vec<_> =
        from.into_iter().zip(to).zip(probability.iter()).map(|((i, j), p)| (i, j, *p)).collect();
    let named = |state: usize| labels.get(state).map_or_else(String::new, |label| format!("`{label}`"));
    let chain = MarkovChain::of(n, &edges, &named)?;
    let table =
        values_table(&chain, &labels, &rewards, discount.over(period.length()), options.horizon, run)?;
    Ok(vec![("markov_value", table), ("dropped", kept.into_dropped().table())])
}

pub(super) fn values_table(
    chain: &MarkovChain,
    labels: &[String],
    rewards: &[f64],
    d: f64,
    horizon: Option<u32>,
    run: &Run,
) -> Result<Table> {
    let values = chain.values(rewards, d, horizon, run)?;
    let (stopped, keep) = chain.values_with_stop(rewards, d, horizon, run)?;
    Ok(Table::new()
        .with("state", Values::Text(labels.iter().collect::<Text>()))
        .with("reward", Values::F64(rewards.to_vec()))
        .with("value", Values::F64(values))
        .with("value_with_stop", Values::F64(stopped))
        .with("keep", Values::Bool(keep)))
}

/// The labels of two columns in order, of numbers as numbers, and where each row's stands.
fn together(columns: [&Names; 2]) -> (Vec<String>, [Vec<usize>; 2]) {
    let mut labels: Vec<String> = columns
        .iter()
        .flat_map(|names| names.codes_by_label().into_iter().map(|c| names.labels.get(c).into_owned()))
        .collect();
    let number = |label: &String| label.parse::<i64>().ok();
    if labels.iter().all(|l| number(l).is_some()) {
        labels.sort_by_key(number);
    } else {
        labels.sort();
    }
    labels.dedup();
    let at: BTreeMap<&str, usize> = labels.iter().enumerate().map(|(i, l)| (l.as_str(), i)).collect();
    let places = columns.map(|names| {
        let known: Vec<usize> = (0..names.labels.len() as u32)
            .map(|c| at.get(&*names.labels.get(c)).copied().unwrap_or_default())
            .collect();
        names.codes.iter().map(|c| known.get(*c as usize).copied().unwrap_or_default()).collect()
    });
    (labels, places)
}
