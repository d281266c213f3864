"""What are they worth? From orders to expected purchases and discounted lifetime value.

For customers who come and go without saying so (no contract), for those who say when they leave
(survival and retention), by the formulas of finance, and learned from whatever is known of a customer.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal

from . import _call, _core, _frames
from ._buyers import (
    NBD,
    AbeParetoNBD,
    BetaGeo,
    BetaGeoBetaBinomial,
    BetaGeoCNBD,
    Covariates,
    GGompertzNBD,
    ModifiedBetaGeo,
    ModifiedBetaGeoCNBD,
    ParetoGGG,
    ParetoNBD,
    Purchases,
    _named,
    given,
    law,
)
from ._clock import SeasonalClock
from ._contract import BetaDiscreteWeibull, ShiftedBetaGeo
from ._dynamic import DynamicGammaGamma, DynamicParetoNBD
from ._finance import (
    chain_ladder,
    chain_ladder_orders,
    cohorts,
    customer_equity,
    historic_value,
    markov_from_orders,
    markov_value,
    simple_value,
)
from ._hierarchy import Hierarchy, sample_hierarchy
from ._posterior import Posterior, bootstrap, laplace, sample_posterior
from ._report import Report, report
from ._rfm import RfmBuilder
from ._spend import GammaGamma
from ._survival import Aft, Cox, DiscreteHazard, kaplan_meier, nelson_aalen, survival_scores
from ._value import ZeroInflatedLognormal
from .errors import OptionError

__all__ = [
    "AbeParetoNBD",
    "Aft",
    "BetaDiscreteWeibull",
    "BetaGeo",
    "BetaGeoBetaBinomial",
    "BetaGeoCNBD",
    "Cox",
    "DiscreteHazard",
    "DynamicGammaGamma",
    "DynamicParetoNBD",
    "GGompertzNBD",
    "GammaGamma",
    "Hierarchy",
    "ModifiedBetaGeo",
    "ModifiedBetaGeoCNBD",
    "NBD",
    "ParetoGGG",
    "ParetoNBD",
    "Posterior",
    "Report",
    "RfmBuilder",
    "SeasonalClock",
    "ShiftedBetaGeo",
    "ZeroInflatedLognormal",
    "backtest",
    "bootstrap",
    "chain_ladder",
    "chain_ladder_orders",
    "cohorts",
    "compare",
    "customer_equity",
    "forecast_errors",
    "historic_value",
    "kaplan_meier",
    "laplace",
    "lifetime_value",
    "likelihood_ratio",
    "markov_from_orders",
    "markov_value",
    "nelson_aalen",
    "report",
    "sample_hierarchy",
    "sample_posterior",
    "simple_value",
    "summarize",
    "survival_scores",
    "tracking",
]


def __dir__() -> list[str]:
    return list(__all__)


_OnInvalid = Literal["error", "drop"]
_Refunds = Literal["error", "drop", "net"]
_TimeUnit = Literal["s", "ms", "us", "ns"]


def summarize(
    orders: Any,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str | None = "value",
    period: _call.Span = "1d",
    grain: _call.Span = "1d",
    observation_end: _call.When | None = None,
    calibration_end: _call.When | None = None,
    include_first: bool = False,
    log_intervals: bool = False,
    cohort: str | None = None,
    clock: SeasonalClock | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """From orders to frequency, recency, T and monetary value (Fader & Hardie 2005).

    Parameters
    ----------
    orders : frame
        One row an order.
    customer, time : str
        Its columns.
    value : str or None, default "value"
        The column of amounts; None leaves out ``monetary_value``.
    period : str, timedelta or number of days, default "1d"
        The unit of recency and T: a span, or ``"month"``, ``"quarter"`` or ``"year"`` of the calendar: whole
        months since the first purchase, and the part of the current month that is over.
    grain : str, timedelta or number of days, default "1d"
        Orders of one customer within one grain are one purchase: a span, or ``"month"``, ``"quarter"`` or
        ``"year"``, which with the same ``period`` are the opportunities of `BetaGeoBetaBinomial`.
    observation_end : str or datetime, optional
        The last moment observed; the last order by default.
    calibration_end : str or datetime, optional
        Later orders become the holdout columns.
    include_first : bool, default False
        Whether the first purchase counts in ``monetary_value``.
    log_intervals : bool, default False
        Also the column ``log_intervals``, how regularly customers buy: models of regular purchases need it
        to be compared with others.
    cohort : {"month", "quarter", "year", "week"} or str, optional
        Also the column ``cohort``: the start of the calendar period of the first purchase.
    clock : SeasonalClock, optional
        Count recency, T and the holdout by this clock.
    refunds : {"error", "drop", "net"}, default "error"
        What becomes of negative amounts: invalid, left out, or set against earlier purchases.
    on_invalid : {"error", "drop"}, default "error"
        Rows with nulls, NaN or negative amounts are an error, or dropped and counted.
    time_unit : {"s", "ms", "us", "ns"}, optional
        The unit of times that are plain numbers.
    report : dict, optional
        Is given the frames "accounting" (where orders and customers went) and "dropped".
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional
        True for a bar, or a function of (stage, done, total).

    Returns
    -------
    frame
        customer, frequency, recency, T, monetary_value; with ``calibration_end`` also frequency_holdout,
        monetary_value_holdout, duration_holdout.
    """
    options = _call.options(
        {
            "customer": customer,
            "time": time,
            "value": _call.NULL if value is None else value,
            "period": period,
            "grain": grain,
            "observation_end": _call.when(observation_end),
            "calibration_end": _call.when(calibration_end),
            "include_first": include_first,
            "log_intervals": log_intervals or None,
            "cohort": cohort,
            "clock": clock,
            "refunds": refunds,
            "on_invalid": on_invalid,
            "time_unit": time_unit,
        }
    )
    data, make = _frames.take(orders, [customer, time, value])
    run = _call.run(0, threads, progress)
    found, accounting, dropped = _core.clv_summarize(data, options, run)
    _frames.tell(report, make, dropped=dropped, accounting=accounting)
    return make(found)


def _candidates(models: Any) -> list[Any]:
    """Models to compare, or an error that says how they are named."""
    found = _call.listed("models", models)
    for model in found:
        if not isinstance(model, (str, Mapping)):
            raise OptionError(
                f'option `models`: is {given(model)}; give its name, such as "ParetoNBD", or '
                '{"model": "BetaGeoCNBD", "k": 2}: all are fitted here, under one penalty'
            )
    return found


def compare(
    rfm: Any,
    models: Sequence[str | Mapping[str, Any]] = ("BetaGeo", "ModifiedBetaGeo", "ParetoNBD"),
    *,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    frequency_holdout: str = "frequency_holdout",
    duration_holdout: str = "duration_holdout",
    log_intervals: str | None = None,
    period: _call.Span | None = None,
    penalty: float = 0.0,
    covariates: Covariates | None = None,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Fits several models to the same customers and judges them.

    Parameters
    ----------
    rfm : frame
        What `summarize` gives; with its holdout columns forecasts are judged too.
    models : list of str or dict
        Names, or for the regular models ``{"model": "ModifiedBetaGeoCNBD", "k": 2}``.
    frequency, recency, T, frequency_holdout, duration_holdout : str
        Columns.
    weight : str, optional
        The column of how many customers a row stands for; without the columns of a holdout, which is judged
        customer by customer.
    log_intervals : str, optional
        The column that ``summarize(log_intervals=True)`` gives; by that name where it is there.
    period, penalty
        As in the models.
    covariates : dict, optional
        What explains purchases and dropout in every model, as in their `fit`; the criteria count the
        coefficients.
    on_invalid, threads, progress
        As in `summarize`.
    report : dict, optional
        Is given the frames "vuong" (pairs of models: statistic, p; Vuong 1989; missing where
            the data do not tell them apart) and "dropped".

    Returns
    -------
    frame
        model, k, parameters, log_likelihood, aic, bic, verdict, and with a holdout mae, rmse, bias, spearman,
        gini_normalised; best BIC first. AIC and BIC are missing of models whose likelihood is of other
        data than that of the first one named: those of another k can be compared where the frame has
        ``log_intervals``.
    """
    options = {
        "models": _candidates(models),
        "frequency": frequency,
        "recency": recency,
        "T": T,
        "weight": weight,
        "frequency_holdout": frequency_holdout,
        "duration_holdout": duration_holdout,
        "log_intervals": log_intervals,
        "period": period,
        "penalty": penalty,
        "covariates": covariates,
        "on_invalid": on_invalid,
    }
    intervals = log_intervals or "log_intervals"
    holdout = [frequency_holdout, duration_holdout]
    data, make = _frames.take(rfm, [frequency, recency, T, weight, *holdout, intervals, *_named(covariates)])
    run = _call.run(0, threads, progress)
    found = dict(_core.clv_compare(data, _call.options(options), run))
    _frames.tell(report, make, vuong=found["vuong"], dropped=found["dropped"])
    return make(found["compare"])


def likelihood_ratio(restricted: Purchases, full: Purchases) -> dict[str, Any]:
    """Is the richer law worth it? A law against one that contains it, fitted to the same customers.

    `ParetoNBD` lies within `GGompertzNBD` (b = 0) and within `ParetoGGG` (t / gamma = 1, 1 / t = 0), at the
    edge of their parameters' space, so that the statistic is a mixture of chi-squared variables (Self & Liang
    1987). Fit both without a penalty.

    Parameters
    ----------
    restricted, full : ParetoNBD, GGompertzNBD, ParetoGGG, …

    Returns
    -------
    dict
        statistic (twice the gain in log-likelihood), degrees_of_freedom, p, distribution (in words).

    Raises
    ------
    OptionError
        Where neither contains the other, such as laws of different k; where they were fitted to different
        customers; where the restricted law's own parameters ran off.
    """
    law(restricted, "restricted")
    law(full, "full")
    table = _frames.Frame(_core.clv_likelihood_ratio(restricted._fitted, full._fitted))
    return {name: values[0] for name, values in table.to_dict().items()}


def backtest(
    orders: Any,
    model: str = "BetaGeo",
    *,
    origins: Sequence[_call.When],
    horizon: _call.Horizon = "90d",
    k: int = 1,
    penalty: float = 0.0,
    covariates: Covariates | None = None,
    customers: Any = None,
    interval: float | None = None,
    customer: str = "customer",
    time: str = "time",
    value: str | None = None,
    period: _call.Span = "1d",
    grain: _call.Span = "1d",
    clock: SeasonalClock | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Fits a model at several origins and compares each forecast with what came.

    Parameters
    ----------
    orders : frame
    model : str, default "BetaGeo"
        Its name, such as ``"ParetoNBD"``.
    origins : list of str, datetime or int
        The ends of the calibration periods; numbers are in ``time_unit``.
    horizon : float, str or timedelta, default "90d"
        How long each forecast is: a number of periods, or a span such as ``"90d"``; ``"month"``,
        ``"quarter"`` and ``"year"`` are those of the calendar that follow the origin.
    k, penalty
        As in the models.
    covariates : dict, optional
        What explains purchases and dropout, as in the `fit` of the models; ``customers`` has the columns.
    customers : frame, optional
        The columns of covariates, and that of customers, one row a customer.
    interval : float, optional
        The level of an interval of what is expected in all, such as 0.9: the chance of every customer's
        purchases and the standard errors of the parameters, the sum over customers taken as normal.
    customer, time, value, period, grain, clock, refunds, on_invalid, time_unit, threads, progress
        As in `summarize`; ``value`` is needed only to settle refunds.

    Returns
    -------
    frame
        origin, customers, repeats, log_likelihood, actual, expected, bias, relative_bias, mae, rmse,
        spearman, gini_normalised, verdict; with ``interval`` expected_low, expected_high.
    """
    summary = {
        "customer": customer,
        "time": time,
        "value": value,
        "period": period,
        "grain": grain,
        "clock": clock,
        "refunds": refunds,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
    }
    options = {
        "model": model,
        "origins": [_call.when(origin) for origin in _call.listed("origins", origins)],
        "horizon": horizon,
        "k": k,
        "penalty": penalty,
        "covariates": covariates,
        "interval": interval,
        "summarize": {name: given for name, given in summary.items() if given is not None} | {"value": value},
    }
    data, make = _frames.take(orders, [customer, time, value])
    told = None if customers is None else _frames.take(customers, [customer, *_named(covariates)])[0]
    run = _call.run(0, threads, progress)
    return make(dict(_core.clv_backtest(data, told, _call.options(options), run))["backtest"])


def lifetime_value(
    model: Purchases | Posterior | Hierarchy,
    spend: GammaGamma | Posterior | Hierarchy,
    rfm: Any,
    *,
    periods: _call.Horizon = 52,
    discount_rate: _call.Discount = 0.0,
    margin: float = 1.0,
    interval: float | None = None,
    most_draws: int = 400,
    customer: str = "customer",
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    monetary_value: str = "monetary_value",
    period: _call.Span | None = None,
    on_invalid: _OnInvalid = "error",
    seed: int = 0,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """The discounted value of each customer's coming purchases.

    Parameters
    ----------
    model : BetaGeo, ParetoNBD, … or Posterior or Hierarchy
        A fitted law, or draws of one: then expected_purchases, p_alive and the value are means over them.
        `DynamicParetoNBD` has a method ``lifetime_value`` of its own.
    spend : GammaGamma, Posterior or Hierarchy
        A fitted `GammaGamma` or draws of it, over which expected_spend and the value are means; draws by
        group go with draws of purchases by the same groups.
    rfm : frame
        What `summarize` gives.
    periods : int, str or timedelta, default 52
        How many periods ahead are valued, in the unit of recency and T; or a span that is a whole number of
        them, such as ``"364d"`` of weeks or ``"year"`` of months.
    discount_rate : float or dict, default 0
        Per period of the model, or per a span of its own, ``{"rate": 0.1, "per": "365d"}``, which is
        compounded to the model's period. Purchases of a period are discounted as if made at its end.
    margin : float, default 1
        The share of the spend that is profit.
    interval : float, optional
        The level of an interval of the value for the uncertainty of the parameters, such as 0.9: by the delta
        method; of draws as in `Posterior.lifetime_value`; of a fitted law beside draws of spend by quantiles,
        purchases being normal on the log scale.
    most_draws : int, default 400
        Of draws, at most so many are looked at, evenly spaced.
    customer, frequency, recency, T, monetary_value : str
        Columns.
    period : str, timedelta or number of days, optional
        The unit of recency and T; where given, it must be the model's.
    seed : int, default 0
        Decides what is drawn of a fitted model beside draws of the other.
    on_invalid, report, threads, progress
        As in `summarize`.

    Returns
    -------
    frame
        customer, expected_purchases, p_alive, expected_spend, lifetime_value; with ``interval``
        lifetime_value_low, lifetime_value_high. What is not finite is missing.

    Raises
    ------
    OptionError
        Where ``model`` is neither a law of purchases nor draws of one, or ``spend`` no `GammaGamma`.
    """
    if isinstance(model, Posterior | Hierarchy):
        return model.lifetime_value(
            spend,  # type: ignore[arg-type]
            rfm,
            periods=periods,
            discount_rate=discount_rate,
            margin=margin,
            interval=interval,
            most_draws=most_draws,
            customer=customer,
            frequency=frequency,
            recency=recency,
            T=T,
            monetary_value=monetary_value,
            period=period,
            on_invalid=on_invalid,
            seed=seed,
            report=report,
            threads=threads,
            progress=progress,
        )
    law(model)
    if not isinstance(spend, GammaGamma | Posterior):
        raise OptionError(
            f"option `spend`: is {given(spend)}, neither a GammaGamma nor draws of it; fit one to the same "
            "customers (draws of spend by group go with draws of purchases by group)"
        )
    options = {
        "customer": customer,
        "frequency": frequency,
        "recency": recency,
        "T": T,
        "monetary_value": monetary_value,
        "periods": periods,
        "discount_rate": discount_rate,
        "margin": margin,
        "interval": interval,
        "most_draws": most_draws,
        "period": period,
        "on_invalid": on_invalid,
    }
    columns = [customer, frequency, recency, T, monetary_value, model._intervals, *model.covariates_]
    data, make = _frames.take(rfm, columns)
    run = _call.run(seed, threads, progress)
    found, dropped = _core.clv_lifetime_value(model._fitted, spend._fitted, data, _call.options(options), run)
    _frames.tell(report, make, dropped=dropped)
    return make(found)


def tracking(
    orders: Any,
    model: Purchases,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str | None = None,
    period: _call.Span | None = None,
    grain: _call.Span = "1d",
    observation_end: _call.When | None = None,
    cohort: str | None = None,
    clock: SeasonalClock | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    interval: float | None = None,
    customers: Any = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Actual and expected repeat purchases of all customers, period after period.

    Give it orders beyond those that the model was fitted on, and the rest is a forecast.

    Parameters
    ----------
    orders : frame
    model : BetaGeo, ParetoNBD, …
    customer, time : str
        Columns of orders.
    value : str, optional
        The column of amounts, needed only to settle refunds.
    period : str, timedelta or number of days, optional
        The unit of the model, where it was not given to its `fit`; also the length of a step.
    cohort : {"month", "quarter", "year", "week"} or str, optional
        Track cohorts too: ``report`` is given the frame "by_cohort" (cohort, customers, period_end, actual,
        expected, actual_cumulative, expected_cumulative).
    clock : SeasonalClock, optional
        The clock by which the model's rows were counted.
    grain, observation_end, refunds, on_invalid, time_unit, report, threads, progress
        As in `summarize`.
    interval : float, optional
        The level of bounds within which actual purchases lie if the model is right, such as 0.9: the chance
        of every customer's purchases and the standard errors of the parameters, the sum over customers taken
        as normal. Too wide on the customers that the model was fitted to.
    customers : frame, optional
        For a model with covariates: their columns, and that of customers, one row a customer, such as the
        model was fitted to. Each customer is expected to do what the own law says.

    Returns
    -------
    frame
        period_end, actual, expected, actual_cumulative, expected_cumulative; with ``interval`` expected_low,
        expected_high, expected_cumulative_low, expected_cumulative_high.
    """
    law(model)
    options = {
        "customer": customer,
        "time": time,
        "value": value,
        "period": period,
        "grain": grain,
        "observation_end": _call.when(observation_end),
        "cohort": cohort,
        "clock": clock,
        "refunds": refunds,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
        "interval": interval,
    }
    data, make = _frames.take(orders, [customer, time, value])
    told = None if customers is None else _frames.take(customers, [customer, *model.covariates_])[0]
    run = _call.run(0, threads, progress)
    found, dropped, cohorts = _core.clv_tracking(data, told, model._fitted, _call.options(options), run)
    _frames.tell(report, make, dropped=dropped)
    if report is not None and cohorts is not None:
        report["by_cohort"] = make(cohorts)
    return make(found)


def forecast_errors(
    frame: Any,
    *,
    actual: str = "actual",
    predicted: str = "expected_purchases",
    threads: int | None = None,
    progress: _call.Progress = None,
) -> dict[str, float]:
    """How a forecast compares with what happened, customer by customer.

    Parameters
    ----------
    frame : frame
    actual, predicted : str
        Its columns.
    threads, progress
        As in `summarize`.

    Returns
    -------
    dict
        mae, rmse, bias (levels), spearman, gini, gini_normalised (order).
    """
    data, _ = _frames.take(frame, [actual, predicted])
    options = _call.options({"actual": actual, "predicted": predicted})
    native = _core.clv_forecast_errors(data, options, _call.run(0, threads, progress))
    return {name: values[0] for name, values in _frames.Frame(native).to_dict().items()}
