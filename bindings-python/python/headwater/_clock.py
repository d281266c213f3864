"""Clocks that run faster in some seasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from . import _call, _core, _frames
from ._models import Fitted

__all__ = ["SeasonalClock"]


class SeasonalClock(Fitted):
    """A clock by which customers buy: in each season time runs at a speed of its own.

    Where all customers buy more before Christmas, no law of purchases at a constant rate fits; by a clock
    that runs faster then, one does. ``summarize(..., clock=clock)`` counts by it, every model fits and
    predicts on what it gives, and `span` says how long a horizon is by it. The mean speed over a year is 1,
    and a season of the year that was not seen keeps 1.

    Parameters
    ----------
    seasons : {"month", "quarter", "week"} or list of dict, default "month"
        What speeds depend on; or windows ``{"name": "sale", "from": "2024-11-25", "until": "2024-12-02"}``,
        of which all other time is the season "other".
    model : {"BetaGeo", "ModifiedBetaGeo", "ParetoNBD", "GGompertzNBD"}, default "BetaGeo"
        The law whose parameters are estimated together with the speeds.
    penalty : float, default 0
        Weight of an L2 penalty on the logarithms of speeds about their mean, in purchases.

    Attributes
    ----------
    speeds_ : dict
        The speed of each season.
    dropped_ : frame
        The rows dropped by ``on_invalid="drop"``: column, reason, count, first_row.

    Examples
    --------
    >>> clock = hw.clv.SeasonalClock("month").fit(orders, period="7d")
    >>> rfm = hw.clv.summarize(orders, period="7d", clock=clock)
    >>> model = hw.clv.ParetoNBD().fit(rfm, period="7d")
    >>> model.predict(rfm, periods=clock.span("2024-09-30", 13))
    """

    _kind = "clv.SeasonalClock"
    dropped_: Any = None

    def __init__(
        self,
        seasons: str | Sequence[Mapping[str, Any]] = "month",
        *,
        model: Literal["BetaGeo", "ModifiedBetaGeo", "ParetoNBD", "GGompertzNBD"] = "BetaGeo",
        penalty: float = 0.0,
    ) -> None:
        self.seasons = seasons
        self.model = model
        self.penalty = penalty

    def _restore(self, body: dict[str, Any]) -> None:
        self.seasons = body["seasons"]
        if body["fit"] is not None:
            self.model = body["fit"]["model"]

    def _options(self) -> dict[str, Any]:
        return self._body()

    @classmethod
    def with_speeds(
        cls,
        speeds: Sequence[float],
        seasons: str | Sequence[Mapping[str, Any]] = "month",
        *,
        period: _call.Span = "1d",
        grain: _call.Span = "1d",
    ) -> Self:
        """A clock of given speeds.

        Parameters
        ----------
        speeds : list of float
            One for each season in its order; of windows, "other" first. Those of seasons of the year are
            divided by their mean over a year.
        seasons
            As in the class.
        period, grain
            As in `summarize`; the period is a span.
        """
        clock = cls(seasons)
        options = {"seasons": seasons, "speeds": speeds, "period": period, "grain": grain}
        clock._native = _core.clv_clock_given(_call.options(options))
        return clock

    def fit(
        self,
        orders: Any,
        *,
        customer: str = "customer",
        time: str = "time",
        value: str | None = None,
        period: _call.Span = "1d",
        grain: _call.Span = "1d",
        observation_end: _call.When | None = None,
        calibration_end: _call.When | None = None,
        refunds: Literal["error", "drop", "net"] = "error",
        on_invalid: Literal["error", "drop"] = "error",
        time_unit: Literal["s", "ms", "us", "ns"] | None = None,
        max_iterations: int = 50,
        tolerance: float = 1e-7,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self:
        """Finds the speeds by maximum likelihood, together with the law's parameters.

        Parameters
        ----------
        orders : frame
            One row an order.
        customer, time, value, period, grain, observation_end, calibration_end, refunds, on_invalid, time_unit
            As in `summarize`; ``value`` is needed only to settle refunds, and the period is a span. Orders
            after ``calibration_end`` are not used.
        max_iterations : int, default 50
            Most Newton steps.
        tolerance : float, default 1e-7
            The greatest gradient, per repeat purchase, of a fit that has converged.
        threads, progress
            As in `summarize`.

        Raises
        ------
        NotEnoughDataError
            When nobody bought again in a season that was seen, and there is no penalty.
        """
        summary = {
            "customer": customer,
            "time": time,
            "period": period,
            "grain": grain,
            "observation_end": _call.when(observation_end),
            "calibration_end": _call.when(calibration_end),
            "refunds": refunds,
            "on_invalid": on_invalid,
            "time_unit": time_unit,
        }
        options = {
            "seasons": self.seasons,
            "model": self.model,
            "penalty": self.penalty,
            "max_iterations": max_iterations,
            "tolerance": tolerance,
            "summarize": {name: given for name, given in summary.items() if given is not None}
            | {"value": value},
        }
        data, make = _frames.take(orders, [customer, time, value])
        self._native, dropped = _core.clv_clock_fit(
            data, _call.options(options), _call.run(0, threads, progress)
        )
        self.dropped_ = make(dropped)
        _frames.tell(None, make, dropped=dropped)
        return self

    @property
    def speeds_(self) -> dict[str, float]:
        """The speed of each season."""
        rows = _frames.Frame(_core.clv_clock_tables(self._fitted)[0])
        return dict(zip(rows["season"], rows["speed"], strict=True))

    def table(self) -> Any:
        """A row for each season: season, log_speed, speed; of a fit also std_error, purchases."""
        return _frames.neutral(_core.clv_clock_tables(self._fitted)[0])

    def fit_summary(self) -> Any:
        """One row on the fit: model, log_likelihood, log_likelihood_without, statistic, …

        … degrees_of_freedom, p (of no seasons at all, by the likelihood ratio) and iterations.
        """
        return _frames.neutral(_core.clv_clock_tables(self._fitted)[1])

    def span(self, since: _call.Moment, periods: float) -> float:
        """How much time the clock counts in the coming periods: the horizon to predict for.

        Parameters
        ----------
        since : str or datetime
            The end of observation or of calibration, its grain included.
        periods : float
            So many periods of the calendar after it.
        """
        return _core.clv_clock_span(self._fitted, _call.moment(since) or "", _call.number("periods", periods))
