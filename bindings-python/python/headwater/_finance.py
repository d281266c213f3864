"""Value by the formulas of finance, with units that are checked."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal

from . import _call
from ._survival import _ask

_OnInvalid = Literal["error", "drop"]
_Refunds = Literal["error", "drop", "net"]
_TimeUnit = Literal["s", "ms", "us", "ns"]


def simple_value(
    frame: Any = None,
    *,
    margin: Mapping[str, Any],
    retention: Mapping[str, Any],
    discount: Mapping[str, Any],
    upkeep: Mapping[str, Any] | None = None,
    growth: Mapping[str, Any] | None = None,
    acquisition_cost: float = 0.0,
    horizon: _call.Span | None = None,
    payments: Literal["start", "end"] = "start",
    columns: Mapping[str, str] | None = None,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """What a customer is worth under one retention rate, in closed form.

    Parameters
    ----------
    frame : frame, optional
        One row a case, whose ``columns`` take the place of single options.
    margin, upkeep : dict
        What comes in and goes out once a period, such as ``{"amount": 9, "per": "30d"}``, per the same span.
    retention, discount, growth : dict
        Rates with their spans, such as ``{"rate": 0.1, "per": "365d"}``; growth is that of the margin.
    acquisition_cost : float, default 0
        What winning the customer costs.
    horizon : str, timedelta or number of days, optional
        How far ahead, a whole number of periods: a span, or ``"24 months"``, ``"3 years"`` of payments by the
        month; without end unless given.
    payments : {"start", "end"}, default "start"
        Whether the first comes at once, or at the period's end from those still there.
    columns : dict, optional
        Columns by option: name, margin, upkeep, retention, acquisition_cost.
    on_invalid : {"error", "drop"}, default "error"
        Rows that cannot be are an error, or dropped and counted.
    report : dict, optional
        Is given the frame "dropped", where a frame was given.
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional
        True for a bar, or a function of (stage, done, total).

    Returns
    -------
    frame
        gross_value, clv, clv_to_cac, payback_payments, payback_days, break_even_retention (per the span of
        ``retention``), break_even_retention_per_payment, expected_payments.

    Examples
    --------
    >>> hw.clv.simple_value(
    ...     margin={"amount": 9, "per": "30d"},
    ...     retention={"rate": 0.65, "per": "365d"},
    ...     discount={"rate": 0.1, "per": "365d"},
    ... )
    """
    options = {
        "margin": margin,
        "upkeep": upkeep,
        "retention": retention,
        "discount": discount,
        "growth": growth,
        "acquisition_cost": acquisition_cost,
        "horizon": horizon,
        "payments": payments,
        "columns": columns,
        "on_invalid": on_invalid,
    }
    wanted = list(columns.values()) if isinstance(columns, Mapping) else []
    return _ask("simple_value", options, frame, wanted, report=report, threads=threads, progress=progress)


def customer_equity(
    frame: Any,
    *,
    customer: str = "customer",
    value: str = "value",
    profit: str | None = None,
    p_active: str | None = None,
    age: str | None = None,
    remaining: str | None = None,
    future: Sequence[Mapping[str, Any]] = (),
    discount: Mapping[str, Any] | None = None,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """What all customers are worth, those to come included.

    Parameters
    ----------
    frame : frame
        One row a customer.
    customer, value : str
        Its columns: who, and the residual lifetime value of any model.
    profit, p_active, age, remaining : str, optional
        Columns of the profit so far, of the chance to be a customer still, of the age so far, and of the
        expected remaining lifetime in the unit of ``age``; for the shares and weights of each customer.
    future : sequence of dict
        Cohorts yet to come: ``{"after": "365d", "customers": 100, "value": 80, "acquisition_cost": 30}``;
        ``after`` may be ``"6 months"`` or ``"year"`` too.
    discount : dict, optional
        The rate for them, such as ``{"rate": 0.1, "per": "365d"}``.
    on_invalid, threads, progress
        As in `simple_value`.
    report : dict, optional
        Is given the frames "customers" (customer, value, equity_share, and where their columns are named
        profit_contribution, loyalty_weight, life_cycle_weight), "future" and "dropped".

    Returns
    -------
    frame
        One row: customers, current, future_customers, future, total, future_share.
    """
    options = {
        "customer": customer,
        "value": value,
        "profit": profit,
        "p_active": p_active,
        "age": age,
        "remaining": remaining,
        "future": _call.listed("future", future),
        "discount": discount,
        "on_invalid": on_invalid,
    }
    columns = [customer, value, profit, p_active, age, remaining]
    return _ask("customer_equity", options, frame, columns, report=report, threads=threads, progress=progress)


def historic_value(
    orders: Any,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str = "value",
    period: str = "month",
    margin: float = 1.0,
    observation_end: _call.When | None = None,
    keep_incomplete: bool | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """What each cohort has earned so far, by age.

    Parameters
    ----------
    orders, customer, time, value, period, observation_end, keep_incomplete, refunds, on_invalid, time_unit
        As in `cohorts`.
    margin : float, default 1
        The share of an amount that is margin.
    report : dict, optional
        Is given the frames "ages" (over all cohorts that have completed an age), "accounting" and "dropped".
    threads, progress
        As in `simple_value`.

    Returns
    -------
    frame
        cohort, age, customers, complete, margin, cumulative_margin, cumulative_margin_per_customer.
    """
    options = {
        "customer": customer,
        "time": time,
        "value": value,
        "period": period,
        "margin": margin,
        "observation_end": _call.when(observation_end),
        "keep_incomplete": keep_incomplete,
        "refunds": refunds,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
    }
    columns = [customer, time, value]
    return _ask("historic_value", options, orders, columns, report=report, threads=threads, progress=progress)


def cohorts(
    orders: Any,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str = "value",
    period: str = "month",
    margin: float = 1.0,
    observation_end: _call.When | None = None,
    keep_incomplete: bool | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Who came back, and with how much: customers by the period of their first purchase, and by age.

    Parameters
    ----------
    orders : frame
        One row an order.
    customer, time, value : str
        Its columns.
    period : str, default "month"
        What time is cut into: "month", "quarter", "year", "week", or days such as "30d"; in UTC.
    margin : float, default 1
        As in `historic_value`; revenue is before it.
    observation_end : str or datetime, optional
        The last day observed, wholly; the day of the last order by default.
    keep_incomplete : bool, default True
        Whether the last period is kept although it is not over.
    refunds, on_invalid, time_unit
        As in `summarize`.
    report : dict, optional
        Is given the frames "accounting" (where orders and customers went) and "dropped".
    threads, progress
        As in `simple_value`.

    Returns
    -------
    frame
        cohort, age, customers, complete, active, retention, purchases, revenue, revenue_per_customer.
    """
    options = {
        "customer": customer,
        "time": time,
        "value": value,
        "period": period,
        "margin": margin,
        "observation_end": _call.when(observation_end),
        "keep_incomplete": keep_incomplete,
        "refunds": refunds,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
    }
    columns = [customer, time, value]
    return _ask("cohorts", options, orders, columns, report=report, threads=threads, progress=progress)


def chain_ladder(
    frame: Any,
    *,
    cohort: str = "cohort",
    age: str = "age",
    value: str = "value",
    values: Literal["incremental", "cumulative"] = "incremental",
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """What young cohorts will have earned when they are old, with standard errors (Mack 1993).

    Parameters
    ----------
    frame : frame
        One row a cohort and age.
    cohort, age, value : str
        Its columns; ages are whole numbers without gaps.
    values : {"incremental", "cumulative"}, default "incremental"
        Whether values were earned at each age or up to it.
    on_invalid, threads, progress
        As in `simple_value`.
    report : dict, optional
        Is given the frames "total" (one row of the same), "factors" (age, factor, sigma, cohorts), "triangle"
        (cohort, age, value, projected) and "dropped".

    Returns
    -------
    frame
        cohort, latest_age, latest, ultimate, outstanding, standard_error, coefficient_of_variation.
    """
    options = {"cohort": cohort, "age": age, "value": value, "values": values, "on_invalid": on_invalid}
    columns = [cohort, age, value]
    return _ask("chain_ladder", options, frame, columns, report=report, threads=threads, progress=progress)


def chain_ladder_orders(
    orders: Any,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str = "value",
    period: str = "month",
    margin: float = 1.0,
    observation_end: _call.When | None = None,
    keep_incomplete: bool | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """The chain ladder of the margins of cohorts, from orders.

    Parameters
    ----------
    orders, customer, time, value, period, margin, observation_end, refunds, on_invalid, time_unit
        As in `historic_value`.
    keep_incomplete : bool, default False
        Whether the last period is kept although it is not over.
    report : dict, optional
        Is given the frames of `chain_ladder` and "accounting".
    threads, progress
        As in `simple_value`.

    Returns
    -------
    frame
        As of `chain_ladder`, with customers and ultimate_per_customer.
    """
    options = {
        "customer": customer,
        "time": time,
        "value": value,
        "period": period,
        "margin": margin,
        "observation_end": _call.when(observation_end),
        "keep_incomplete": keep_incomplete,
        "refunds": refunds,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
    }
    columns = [customer, time, value]
    return _ask(
        "chain_ladder_orders", options, orders, columns, report=report, threads=threads, progress=progress
    )


def markov_value(
    frame: Any,
    *,
    rewards: Mapping[str, float],
    period: _call.Span,
    discount: Mapping[str, Any],
    from_state: str = "from",
    to_state: str = "to",
    probability: str = "probability",
    horizon: int | None = None,
    remainder: Literal["error", "leave"] = "error",
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """What a customer is worth in each state of the relationship (Pfeifer & Carraway 2000).

    Parameters
    ----------
    frame : frame
        The matrix, one row a step.
    rewards : dict
        What each state brings per period.
    period : str, timedelta or number of days
        The length of a step, such as ``"30d"`` or ``"month"``.
    discount : dict
        A rate with its span, such as ``{"rate": 0.1, "per": "365d"}``.
    from_state, to_state, probability : str
        Columns of the frame: "from", "to" and "probability" by default.
    horizon : int, optional
        The last period in which rewards count, from 0; without end unless given.
    remainder : {"error", "leave"}, default "error"
        Whether the probabilities from a state must sum to 1, or the rest ends the relationship.
    on_invalid, threads, progress
        As in `simple_value`.
    report : dict, optional
        Is given the frame "dropped".

    Returns
    -------
    frame
        state, reward, value, value_with_stop, keep.
    """
    options = {
        "rewards": rewards,
        "period": period,
        "discount": discount,
        "from": from_state,
        "to": to_state,
        "probability": probability,
        "horizon": horizon,
        "remainder": remainder,
        "on_invalid": on_invalid,
    }
    columns = [from_state, to_state, probability]
    return _ask("markov_value", options, frame, columns, report=report, threads=threads, progress=progress)


def markov_from_orders(
    orders: Any,
    *,
    discount: Mapping[str, Any],
    customer: str = "customer",
    time: str = "time",
    value: str = "value",
    period: str = "month",
    states: int = 4,
    margin: float = 1.0,
    contact_cost: float = 0.0,
    horizon: int | None = None,
    observation_end: _call.When | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """The chain of recency, estimated from orders and valued.

    Parameters
    ----------
    orders, customer, time, value, period, margin, observation_end, refunds, on_invalid, time_unit
        As in `historic_value`.
    discount, horizon
        As in `markov_value`.
    states : int, default 4
        How many periods without a purchase a customer is kept: recency_1 (bought in the period) to recency_n.
    contact_cost : float, default 0
        What keeping up with a customer costs per period, until lost.
    report : dict, optional
        Is given the frames "transitions" (from, to, count, probability, standard_error), "accounting" and
        "dropped".
    threads, progress
        As in `simple_value`.

    Returns
    -------
    frame
        As of `markov_value`.
    """
    options = {
        "discount": discount,
        "customer": customer,
        "time": time,
        "value": value,
        "period": period,
        "states": states,
        "margin": margin,
        "contact_cost": contact_cost,
        "horizon": horizon,
        "observation_end": _call.when(observation_end),
        "refunds": refunds,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
    }
    columns = [customer, time, value]
    return _ask(
        "markov_from_orders", options, orders, columns, report=report, threads=threads, progress=progress
    )
