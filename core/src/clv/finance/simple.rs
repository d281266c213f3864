//! Value under one retention rate, in closed form.

use serde::{Deserialize, Serialize};

use super::rate::{Flow, Rate, said, whole_periods};
use super::{finite, given, number};
use crate::column::{Columns, Duration, Intake, Names, OnInvalid, Sign, Table, Tables, Values};
use crate::math::{exp_m1, ln_1p};
use crate::{Error, Result, Run};

/// When a period's money comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payments {
    /// At its start, so that the first comes at once and for certain. The default.
    #[default]
    Start,
    /// At its end, from those who are still there.
    End,
}

/// The terms of a customer in one period as the unit: all rates per period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Margin m of a period.
    pub margin: f64,
    /// Upkeep c of a period: what keeping the customer costs.
    pub upkeep: f64,
    /// Retention ρ, from 0 to 1.
    pub retention: f64,
    /// Discount rate d, from 0.
    pub discount: f64,
    /// Growth g of the margin, above −1.
    pub growth: f64,
    /// What winning the customer costs, once, at the start.
    pub acquisition_cost: f64,
    /// Number n of payments; without end when `None`.
    pub periods: Option<u64>,
    /// When a period's money comes.
    pub payments: Payments,
}

/// What [`simple_value`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimpleValue {
    /// Value before the cost of acquisition.
    pub gross: f64,
    /// Value after it.
    pub clv: f64,
    /// Gross value over the cost of acquisition; `None` without one.
    pub clv_to_cac: Option<f64>,
    /// The number of the payment by which expected discounted money has covered
    /// the cost of acquisition; 0 without one, `None` where it never does.
    pub payback: Option<u64>,
    /// The least retention at which `clv` is not negative; `None` where none is
    /// enough. Found by halving, which takes a period to be worth having.
    pub break_even_retention: Option<f64>,
    /// Expected number of payments, undiscounted; `None` where infinite.
    pub expected_payments: Option<f64>,
}

/// No payback is looked for beyond this payment.
const LONGEST_PAYBACK: u64 = 1_000_000;

impl Terms {
    fn check(&self) -> Result<()> {
        for (name, value) in
            [("margin", self.margin), ("upkeep", self.upkeep), ("acquisition_cost", self.acquisition_cost)]
        {
            finite(name, value)?;
            if name != "margin" && value < 0.0 {
                return Err(Error::option(name, "must be a number from 0"));
            }
        }
        if !(0.0..=1.0).contains(&self.retention) {
            return Err(Error::option("retention", "must lie between 0 and 1"));
        }
        if !(self.discount.is_finite() && self.discount >= 0.0) {
            return Err(Error::option("discount", "must be a finite rate from 0"));
        }
        if !(self.growth.is_finite() && self.growth > -1.0) {
            return Err(Error::option("growth", "must be a finite rate above −1"));
        }
        if self.periods == Some(0) {
            return Err(Error::option("horizon", "must be one period or more"));
        }
        Ok(())
    }

    /// Σ of n payments of 1 that grow by g, at retention ρ; `None` where infinite.
    fn annuity(&self, growth: f64, retention: f64, n: Option<u64>) -> Option<f64> {
        let factor = retention * (1.0 + growth) / (1.0 + self.discount);
        // 1 − factor, without what the division rounds off.
        let rest = (1.0 + self.discount - retention * (1.0 + growth)) / (1.0 + self.discount);
        let sum = match n {
            None if factor >= 1.0 || rest <= 0.0 => return None,
            None => 1.0 / rest,
            Some(n) if rest.abs() < 1e-14 => n as f64,
            Some(_) if factor == 0.0 => 1.0,
            // (1 − q^n) / (1 − q)
            Some(n) => -exp_m1(n as f64 * ln_1p(-rest)) / rest,
        };
        Some(match self.payments {
            Payments::Start => sum,
            Payments::End => factor * sum,
        })
    }

    /// Discounted margin less upkeep of the first n payments; `None` where infinite.
    fn gross(&self, retention: f64, n: Option<u64>) -> Option<f64> {
        let part = |amount: f64, growth: f64| {
            if amount == 0.0 { Some(0.0) } else { Some(amount * self.annuity(growth, retention, n)?) }
        };
        Some(part(self.margin, self.growth)? - part(self.upkeep, 0.0)?)
    }

    fn payback(&self) -> Option<u64> {
        if self.acquisition_cost <= 0.0 {
            return Some(0);
        }
        let last = self.periods.unwrap_or(LONGEST_PAYBACK).min(LONGEST_PAYBACK);
        let reached =
            |n: u64| self.gross(self.retention, Some(n)).is_some_and(|v| v >= self.acquisition_cost);
        // Margins that do not shrink below the upkeep only add up: search by halves.
        if self.growth >= 0.0 && self.margin >= self.upkeep {
            if !reached(last) {
                return None;
            }
            let (mut low, mut high) = (0, last);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if reached(middle) { high = middle } else { low = middle }
            }
            return Some(high);
        }
        (1..=last.min(100_000)).find(|n| reached(*n))
    }

    fn break_even(&self) -> Option<f64> {
        let worth = |retention: f64| {
            // Without bound it is the sign of what comes in the end that counts.
            let last = match self.growth {
                g if g > 0.0 => self.margin,
                g if g < 0.0 => -self.upkeep,
                _ => self.margin - self.upkeep,
            };
            self.gross(retention, self.periods).unwrap_or(if last > 0.0 {
                f64::INFINITY
            } else {
                f64::NEG_INFINITY
            }) >= self.acquisition_cost
        };
        if worth(0.0) {
            return Some(0.0);
        }
        if !worth(1.0) {
            return None;
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            if worth(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }
}

/// Value of a customer under one retention rate.
///
/// With q = ρ (1 + g) / (1 + d) a margin is worth m (1 − q^n) / (1 − q) when paid
/// at the start of each of n periods, and q times that at their ends; upkeep the
/// same with g = 0. So m (1 + d) / (1 + d − ρ) for ever, without growth.
///
/// Errors: [`Error::Option`] for a value that is infinite, as with retention 1,
/// no discount and no end.
pub fn simple_value(terms: &Terms) -> Result<SimpleValue> {
    terms.check()?;
    let gross = terms.gross(terms.retention, terms.periods).ok_or_else(|| {
        Error::option(
            "discount",
            "the value is infinite: retention and growth are not outweighed by the discount rate; discount more, or give a horizon",
        )
    })?;
    let gross = number("horizon", gross)?;
    let undiscounted = Terms { discount: 0.0, ..*terms };
    Ok(SimpleValue {
        gross,
        clv: gross - terms.acquisition_cost,
        clv_to_cac: Some(gross / terms.acquisition_cost).filter(|v| v.is_finite()),
        payback: terms.payback(),
        break_even_retention: terms.break_even(),
        expected_payments: undiscounted.annuity(0.0, terms.retention, terms.periods),
    })
}

/// Columns of a frame of cases that take the place of single options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimpleColumns {
    /// Column of names for the cases; none by default.
    pub name: Option<String>,
    /// Column of margins, per the span of `margin`.
    pub margin: Option<String>,
    /// Column of upkeep, per the span of `margin`.
    pub upkeep: Option<String>,
    /// Column of retention rates, per the span of `retention`.
    pub retention: Option<String>,
    /// Column of acquisition costs.
    pub acquisition_cost: Option<String>,
}

/// Options of the report `simple_value`.
///
/// Money comes once per the span of `margin`; all else is converted to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimpleOptions {
    /// Margin of a period, such as `{"amount": 9.9, "per": "30d"}`; needed.
    pub margin: Option<Flow>,
    /// Upkeep, per the same span; none by default.
    pub upkeep: Option<Flow>,
    /// Share of customers that stays, such as `{"rate": 0.8, "per": "365d"}`; needed.
    pub retention: Option<Rate>,
    /// Discount rate, such as `{"rate": 0.1, "per": "365d"}`; needed, if only to say 0.
    pub discount: Option<Rate>,
    /// Growth of the margin; none by default.
    pub growth: Option<Rate>,
    /// What winning the customer costs; 0 by default.
    pub acquisition_cost: f64,
    /// How far ahead, a whole number of periods; from text also a number of `months`, `quarters` or `years`.
    /// Without end by default.
    #[serde(deserialize_with = "super::rate::longest")]
    pub horizon: Option<Duration>,
    /// When a period's money comes.
    pub payments: Payments,
    /// Columns of a frame that take the place of single options.
    pub columns: SimpleColumns,
    /// What happens to rows that cannot be.
    pub on_invalid: OnInvalid,
}

impl Default for SimpleOptions {
    fn default() -> Self {
        Self {
            margin: None,
            upkeep: None,
            retention: None,
            discount: None,
            growth: None,
            acquisition_cost: 0.0,
            horizon: None,
            payments: Payments::Start,
            columns: SimpleColumns::default(),
            on_invalid: OnInvalid::Error,
        }
    }
}

impl SimpleOptions {
    /// The terms in the unit of one payment, and that unit.
    pub fn terms(&self) -> Result<(Terms, Duration)> {
        let margin = given(self.margin, "margin", "{\"amount\": 9.9, \"per\": \"30d\"}")?;
        margin.check("margin")?;
        let period = margin.per;
        let upkeep = match self.upkeep {
            None => 0.0,
            Some(upkeep) => {
                upkeep.check("upkeep")?;
                if upkeep.per != period {
                    return Err(Error::option(
                        "upkeep",
                        format!(
                            "is per {} and the margin per {}: give both per the same span",
                            said(upkeep.per),
                            said(period)
                        ),
                    ));
                }
                upkeep.amount
            }
        };
        let retention = given(self.retention, "retention", "{\"rate\": 0.8, \"per\": \"365d\"}")?;
        let discount = given(self.discount, "discount", "{\"rate\": 0.1, \"per\": \"365d\"}")?;
        discount.check("discount")?;
        if let Some(growth) = self.growth {
            growth.check_growth("growth")?;
        }
        let horizon = self.horizon.map(|h| whole_periods("horizon", h, period)).transpose()?;
        let terms = Terms {
            margin: margin.amount,
            upkeep,
            retention: retention.share_over("retention", period)?,
            discount: discount.over(period),
            growth: self.growth.map_or(0.0, |g| g.over(period)),
            acquisition_cost: self.acquisition_cost,
            periods: horizon,
            payments: self.payments,
        };
        terms.check()?;
        Ok((terms, period))
    }
}

/// A row for each case: \[name,\] gross_value, clv, clv_to_cac,
/// payback_payments, payback_days, break_even_retention and
/// break_even_retention_per_payment, expected_payments.
pub(super) fn report(frame: Option<&Columns>, options: &SimpleOptions, run: &Run) -> Result<Tables> {
    let (terms, period) = options.terms()?;
    let columns = &options.columns;
    let Some(frame) = frame else {
        if *columns != SimpleColumns::default() {
            return Err(Error::option("columns", "name columns of a frame, and there is none"));
        }
        return Ok(vec![("simple_value", table(None, &[simple_value(&terms)?], options, period))]);
    };
    if *columns == SimpleColumns::default() {
        return Err(Error::option(
            "columns",
            "names no column of the frame: name some, such as {\"retention\": \"stay\"}, or leave the frame out",
        ));
    }
    let mut intake = Intake::new(frame, options.on_invalid, run);
    let name = columns.name.as_deref().map(|c| intake.names(c)).transpose()?;
    let mut read =
        |column: &Option<String>, sign: Sign| column.as_deref().map(|c| intake.amounts(c, sign)).transpose();
    let margin = read(&columns.margin, Sign::Any)?;
    let upkeep = read(&columns.upkeep, Sign::NonNegative)?;
    let retention = read(&columns.retention, Sign::NonNegative)?;
    let cost = read(&columns.acquisition_cost, Sign::NonNegative)?;
    if let (Some(column), Some(rates)) = (&columns.retention, &retention) {
        let above = (0..rates.len()).filter(|i| rates[*i] > 1.0 && rates[*i].is_finite());
        intake.reject(column, "is above 1, and a retention rate is a share", above);
    }
    let kept = intake.finish()?;
    let [margin, upkeep, retention, cost] =
        [margin, upkeep, retention, cost].map(|c| c.map(|c| kept.values(c)));
    let mut values = Vec::with_capacity(kept.len());
    for row in 0..kept.len() {
        let own = |column: &Option<std::borrow::Cow<'_, [f64]>>, single: f64| {
            column.as_ref().map_or(single, |c| c[row])
        };
        let mut terms = Terms {
            margin: own(&margin, terms.margin),
            upkeep: own(&upkeep, terms.upkeep),
            acquisition_cost: own(&cost, terms.acquisition_cost),
            ..terms
        };
        if let (Some(rates), Some(rate)) = (&retention, options.retention) {
            terms.retention = Rate::new(rates[row], rate.per).share_over("retention", period)?;
        }
        values.push(simple_value(&terms)?);
        run.check()?;
    }
    let name = name.map(|n| kept.names(n));
    Ok(vec![("simple_value", table(name, &values, options, period)), ("dropped", kept.dropped().table())])
}

fn table(name: Option<Names>, values: &[SimpleValue], options: &SimpleOptions, period: Duration) -> Table {
    let table = match name {
        None => Table::new(),
        Some(name) => Table::new().with("name", Values::Names(name)),
    };
    let column = |f: fn(&SimpleValue) -> f64| Values::F64(values.iter().map(f).collect());
    let days = |v: &SimpleValue| {
        let payment = v.payback?;
        let periods = match options.payments {
            Payments::Start => payment.saturating_sub(1),
            Payments::End => payment,
        };
        Some(periods as f64 * period.days())
    };
    // Break-even per the span in which retention was given.
    let per = options.retention.map_or(period, |r| r.per);
    let as_given = |v: &SimpleValue| {
        let rate = v.break_even_retention?;
        Rate::new(rate, period).share_over("retention", per).ok()
    };
    table
        .with("gross_value", column(|v| v.gross))
        .with("clv", column(|v| v.clv))
        .with_optional("clv_to_cac", values.iter().map(|v| v.clv_to_cac))
        .with_optional("payback_payments", values.iter().map(|v| v.payback.map(|p| p as f64)))
        .with_optional("payback_days", values.iter().map(days))
        .with_optional("break_even_retention", values.iter().map(as_given))
        .with_optional("break_even_retention_per_payment", values.iter().map(|v| v.break_even_retention))
        .with_optional("expected_payments", values.iter().map(|v| v.expected_payments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            margin: 100.0,
            upkeep: 0.0,
            retention: 0.8,
            discount: 0.1,
            growth: 0.0,
            acquisition_cost: 150.0,
            periods: None,
            payments: Payments::Start,
        }
    }

    #[test]
    fn break_even_is_where_the_value_is_nothing() -> Result<()> {
        // AC = m (1 + d) / (1 + d − ρ) gives ρ = (1 + d) (1 − m / AC)
        let found = simple_value(&terms())?.break_even_retention.unwrap_or(f64::NAN);
        assert!((found - 1.1 * (1.0 - 100.0 / 150.0)).abs() < 1e-14, "{found}");
        Ok(())
    }

    #[test]
    fn an_infinite_value_is_a_named_error() {
        let Err(Error::Option { option, .. }) =
            simple_value(&Terms { retention: 1.0, discount: 0.0, ..terms() })
        else {
            unreachable!()
        };
        assert_eq!(option, "discount");
    }
}
