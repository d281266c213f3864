"""What are they worth? From orders to expected purchases and discounted lifetime value.

For customers who come and go without saying so (no contract).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, ClassVar, Literal, Self

from . import _call, _core, _frames
from ._models import Fitted

__all__ = ["BetaGeo", "GammaGamma", "forecast_errors", "lifetime_value", "summarize", "tracking"]

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
    observation_end: _call.Moment | None = None,
    calibration_end: _call.Moment | None = None,
    include_first: bool = False,
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
        The unit of recency and T.
    grain : str, timedelta or number of days, default "1d"
        Orders of one customer within one grain are one purchase.
    observation_end : str or datetime, optional
        The last moment observed; the last order by default.
    calibration_end : str or datetime, optional
        Later orders become the holdout columns.
    include_first : bool, default False
        Whether the first purchase counts in ``monetary_value``.
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
            "observation_end": _call.moment(observation_end),
            "calibration_end": _call.moment(calibration_end),
            "include_first": include_first,
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


class _Likelihood(Fitted):
    """A model fitted by maximum likelihood."""

    _names: ClassVar[tuple[str, ...]] = ()
    _make: _frames.Maker
    #: The rows dropped by ``fit(on_invalid="drop")``: column, reason, count, first_row.
    dropped_: Any = None

    def _params(self) -> dict[str, Any]:
        return {name: value for name, value in super()._params().items() if not name.endswith("_")}

    def _fit(self, frame: Any, columns: list[str | None], options: dict[str, Any], run: _call.Run) -> None:
        data, make = _frames.take(frame, columns)
        native, dropped = _core.clv_fit(self._kind, data, _call.options(options | self._params()), run)
        self._native, self.dropped_ = native, make(dropped)

    @classmethod
    def _given(cls, values: list[float], period: _call.Span | None = None) -> Self:
        model = cls()
        length = None if period is None else _call.dump("period", period)
        model._native = _core.clv_from_parameters(cls._kind, [float(value) for value in values], length)
        return model

    def _column(self, name: str) -> dict[str, Any]:
        table = _frames.Frame(_core.clv_tables(self._fitted)[0])
        return dict(zip(table["parameter"], table[name], strict=True))

    def _fit_facts(self) -> dict[str, Any]:
        table = _frames.Frame(_core.clv_tables(self._fitted)[1])
        return {name: values[0] for name, values in table.to_dict().items()}

    @property
    def params_(self) -> dict[str, float]:
        """The parameters."""
        return self._column("estimate")

    @property
    def standard_errors_(self) -> dict[str, float | None]:
        """Their standard errors; None where the data do not identify the parameter."""
        return self._column("standard_error")

    @property
    def log_likelihood_(self) -> float:
        """The maximised log-likelihood."""
        return float(self._fit_facts()["log_likelihood"])

    @property
    def verdict_(self) -> str:
        """``"interior"`` for an ordinary maximum; else which simpler model the data ask for."""
        return str(self._fit_facts()["verdict"])

    def summary(self) -> Any:
        """The parameters as a frame: parameter, estimate, standard_error, low, high (95 %)."""
        return _frames.neutral(_core.clv_tables(self._fitted)[0])

    def fit_summary(self) -> Any:
        """On the fit: log_likelihood, customers, distinct, iterations, gradient_norm, aic, bic, verdict."""
        return _frames.neutral(_core.clv_tables(self._fitted)[1])

    def _facts(self) -> dict[str, Any]:
        errors = self.standard_errors_
        shown = {
            name: f"{value:.6g} ± {errors[name]:.2g}" if errors[name] is not None else value
            for name, value in self.params_.items()
        }
        return shown | self._fit_facts()


class BetaGeo(_Likelihood):
    """The BG/NBD model of purchases and dropout (Fader, Hardie & Lee 2005).

    Parameters
    ----------
    penalty : float, default 0
        Weight of an L2 penalty, per customer, on the logarithms of the parameters.
    max_iterations : int, default 200
        Most Newton steps, where ten are usual.
    tolerance : float, default 1e-9
        Converged when no entry of the gradient, per customer, exceeds this.

    Attributes
    ----------
    params_, standard_errors_ : dict
        r, alpha, a, b; alpha is in periods.
    log_likelihood_ : float
    verdict_ : str
    dropped_ : frame

    Examples
    --------
    >>> rfm = hw.clv.summarize(orders, period="7d")
    >>> model = hw.clv.BetaGeo().fit(rfm)
    >>> model.predict(rfm, periods=39)
    """

    _kind = "clv.BetaGeo"

    def __init__(self, penalty: float = 0.0, max_iterations: int = 200, tolerance: float = 1e-9) -> None:
        self.penalty = penalty
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def _restore(self, body: dict[str, Any]) -> None:
        self.penalty = body["penalty"]

    @classmethod
    def from_params(
        cls, r: float, alpha: float, a: float, b: float, period: _call.Span | None = None
    ) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given([r, alpha, a, b], period)

    def fit(
        self,
        rfm: Any,
        *,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        weight: str | None = None,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Fits the model by maximum likelihood.

        Parameters
        ----------
        rfm : frame
            What `summarize` gives.
        frequency, recency, T : str
            Its columns.
        weight : str, optional
            The column of how many customers a row stands for.
        period : str, timedelta or number of days, optional
            The unit of recency and T, to be kept with the model and checked later.
        on_invalid : {"error", "drop"}, default "error"
        threads, progress
            As in `summarize`.

        Returns
        -------
        BetaGeo
            Itself.

        Raises
        ------
        NotConvergedError, NotEnoughDataError
        """
        options = {
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "weight": weight,
            "period": period,
            "on_invalid": on_invalid,
        }
        self._fit(rfm, [frequency, recency, T, weight], options, _call.run(0, threads, progress))
        return self

    def predict(
        self,
        rfm: Any,
        periods: float = 1.0,
        *,
        interval: float | None = None,
        customer: str = "customer",
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """Expected purchases in the coming periods, and the probability that a customer is still alive.

        Parameters
        ----------
        rfm : frame
            What `summarize` gives.
        periods : float, default 1
            How many periods ahead, in the unit of recency and T.
        interval : float, optional
            The level of an interval for the uncertainty of the parameters, such as 0.95.
        customer, frequency, recency, T : str
            Columns.
        period : str, timedelta or number of days, optional
            The unit of recency and T; where given, it must be the model's.
        on_invalid, report, threads, progress
            As in `summarize`.

        Returns
        -------
        frame
            customer, expected_purchases, p_alive, and with ``interval`` their ``_low`` and ``_high``.
        """
        options = {
            "customer": customer,
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "periods": periods,
            "interval": interval,
            "period": period,
            "on_invalid": on_invalid,
        }
        data, make = _frames.take(rfm, [customer, frequency, recency, T])
        run = _call.run(0, threads, progress)
        found, dropped = _core.clv_predict(self._fitted, data, _call.options(options), run)
        _frames.tell(report, make, dropped=dropped)
        return make(found)

    def score(self, frequency: float, recency: float, T: float, periods: float = 1.0) -> tuple[float, float]:
        """(expected purchases, probability of being alive) of one customer, in a microsecond."""
        return _core.clv_score(self._fitted, frequency, recency, T, periods)

    def new_customer(self, periods: float = 1.0, most: int = 10) -> tuple[float, list[float]]:
        """Of a customer not yet seen: expected purchases, and the probabilities of 0, 1, … ``most``."""
        return _core.clv_new_customer(self._fitted, periods, most)


class GammaGamma(_Likelihood):
    """The gamma-gamma model of spend per purchase (Fader & Hardie 2013).

    Parameters
    ----------
    max_iterations : int, default 200
    tolerance : float, default 1e-9

    Attributes
    ----------
    params_, standard_errors_ : dict
        p, q, v; v is in the unit of the amounts.
    log_likelihood_ : float
    verdict_ : str
    correlation_ : float
        Of frequency and mean value; the model assumes none.
    dropped_ : frame
    """

    _kind = "clv.GammaGamma"

    def __init__(self, max_iterations: int | None = None, tolerance: float | None = None) -> None:
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    @classmethod
    def from_params(cls, p: float, q: float, v: float) -> Self:
        """A model with given parameters, for example published ones."""
        return cls._given([p, q, v])

    def fit(
        self,
        rfm: Any,
        *,
        frequency: str = "frequency",
        monetary_value: str = "monetary_value",
        weight: str | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Fits the model by maximum likelihood on the customers with repeat purchases.

        Parameters
        ----------
        rfm : frame
            What `summarize` gives.
        frequency, monetary_value : str
            Its columns.
        weight : str, optional
            The column of how many customers a row stands for.
        on_invalid, threads, progress
            As in `summarize`.

        Returns
        -------
        GammaGamma
            Itself.
        """
        options = {
            "frequency": frequency,
            "monetary_value": monetary_value,
            "weight": weight,
            "on_invalid": on_invalid,
        }
        self._fit(rfm, [frequency, monetary_value, weight], options, _call.run(0, threads, progress))
        return self

    @property
    def correlation_(self) -> float:
        """Pearson's correlation of frequency and mean value in the rows fitted; beyond ±0.3 beware."""
        return float(self._body()["correlation"])

    @property
    def mean_spend_(self) -> float | None:
        """Mean spend per purchase over all customers; None where the model has no mean."""
        return _core.clv_spend(self._fitted, None)

    def predict(
        self,
        rfm: Any,
        *,
        customer: str = "customer",
        frequency: str = "frequency",
        monetary_value: str = "monetary_value",
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """Expected spend per purchase: a frame of customer, expected_spend."""
        options = {
            "customer": customer,
            "frequency": frequency,
            "monetary_value": monetary_value,
            "on_invalid": on_invalid,
        }
        data, make = _frames.take(rfm, [customer, frequency, monetary_value])
        run = _call.run(0, threads, progress)
        found, dropped = _core.clv_predict(self._fitted, data, _call.options(options), run)
        _frames.tell(report, make, dropped=dropped)
        return make(found)

    def score(self, frequency: float, monetary_value: float) -> float | None:
        """Expected spend per purchase of one customer; None where the model has no mean."""
        return _core.clv_spend(self._fitted, (frequency, monetary_value))


def lifetime_value(
    model: BetaGeo,
    spend: GammaGamma,
    rfm: Any,
    *,
    periods: int = 52,
    discount_rate: float = 0.0,
    margin: float = 1.0,
    customer: str = "customer",
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    monetary_value: str = "monetary_value",
    period: _call.Span | None = None,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """The discounted value of each customer's coming purchases.

    Parameters
    ----------
    model : BetaGeo
    spend : GammaGamma
    rfm : frame
        What `summarize` gives.
    periods : int, default 52
        How many periods ahead are valued, in the unit of recency and T.
    discount_rate : float, default 0
        Per period; purchases of a period are discounted as if made at its end.
    margin : float, default 1
        The share of the spend that is profit.
    customer, frequency, recency, T, monetary_value : str
        Columns.
    period : str, timedelta or number of days, optional
        The unit of recency and T; where given, it must be the model's.
    on_invalid, report, threads, progress
        As in `summarize`.

    Returns
    -------
    frame
        customer, expected_purchases, p_alive, expected_spend, lifetime_value.
    """
    options = {
        "customer": customer,
        "frequency": frequency,
        "recency": recency,
        "T": T,
        "monetary_value": monetary_value,
        "periods": periods,
        "discount_rate": discount_rate,
        "margin": margin,
        "period": period,
        "on_invalid": on_invalid,
    }
    data, make = _frames.take(rfm, [customer, frequency, recency, T, monetary_value])
    run = _call.run(0, threads, progress)
    found, dropped = _core.clv_lifetime_value(model._fitted, spend._fitted, data, _call.options(options), run)
    _frames.tell(report, make, dropped=dropped)
    return make(found)


def tracking(
    orders: Any,
    model: BetaGeo,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str | None = None,
    period: _call.Span | None = None,
    grain: _call.Span = "1d",
    observation_end: _call.Moment | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any:
    """Actual and expected repeat purchases of all customers, period after period.

    Give it orders beyond those that the model was fitted on, and the rest is a forecast.

    Parameters
    ----------
    orders : frame
    model : BetaGeo
    customer, time : str
        Columns of orders.
    value : str, optional
        The column of amounts, needed only to settle refunds.
    period : str, timedelta or number of days, optional
        The unit of the model, where it was not given to `BetaGeo.fit`; also the length of a step.
    grain, observation_end, refunds, on_invalid, time_unit, report, threads, progress
        As in `summarize`.

    Returns
    -------
    frame
        period_end, actual, expected, actual_cumulative, expected_cumulative.
    """
    options = {
        "customer": customer,
        "time": time,
        "value": value,
        "period": period,
        "grain": grain,
        "observation_end": _call.moment(observation_end),
        "refunds": refunds,
        "on_invalid": on_invalid,
        "time_unit": time_unit,
    }
    data, make = _frames.take(orders, [customer, time, value])
    run = _call.run(0, threads, progress)
    found, dropped = _core.clv_tracking(data, model._fitted, _call.options(options), run)
    _frames.tell(report, make, dropped=dropped)
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
