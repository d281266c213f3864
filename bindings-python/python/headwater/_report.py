"""A report on a forecast: its tables, and a chart of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from . import _call, _charts
from ._buyers import Covariates, Purchases, _named, given, law
from ._clock import SeasonalClock
from ._posterior import Posterior
from .errors import OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The tables of bins, and what is along their axis.
_BINS = {"by_frequency": "repeat purchases", "by_recency": "recency", "by_age": "T"}


class Report(Mapping[str, Any]):
    """The tables that tell whether a forecast can be trusted, by name; `headwater.clv.report` makes it.

    Attributes
    ----------
    dropped_ : dict
        The rows dropped by ``on_invalid="drop"`` of "rfm" and "orders": column, reason, count, first_row.

    Examples
    --------
    >>> report = hw.clv.report(model, rfm, orders=orders, origins=["2025-03-31", "2025-06-30"])
    >>> list(report)
    >>> report["errors"]
    >>> report.plot("tracking", kind="period")
    >>> report.figure()
    """

    def __init__(
        self,
        tables: Mapping[str, Any],
        *,
        dropped: Mapping[str, Any] | None = None,
        split: _call.Moment | None = None,
    ) -> None:
        self._tables = dict(tables)
        self._split = split
        self.dropped_ = dict(dropped or {})

    def __getitem__(self, table: str) -> Any:
        """One table, by its name."""
        return self._tables[table]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def __repr__(self) -> str:
        return f"Report({', '.join(self)})"

    def plot(self, table: str, *, ax: Axes | None = None, **options: Any) -> Axes:
        """The chart of one table; "goodness_of_fit" stands above that of "frequencies".

        Parameters
        ----------
        table : str
            Its name.
        ax : matplotlib Axes, optional
        **options
            Of that chart in `headwater.plot`, such as ``kind="period"`` of "tracking".
        """
        from . import plot

        if table not in self._drawn():
            raise OptionError(
                f"option `table`: {table!r} is no chart of this report, which has {', '.join(self._drawn())}"
            )
        if table in ("tracking", "tracking_by_cohort"):
            return plot.tracking(self[table], ax=ax, **{"split": self._split} | options)
        if table in _BINS:
            ax = plot.conditional(self[table], ax=ax, **options)
            ax.set(xlabel=_BINS[table], title=f"Conditional expectation {table.replace('_', ' ')}")
            return ax
        drawn: Axes = getattr(plot, table)(self[table], ax=ax, **options)
        if table == "frequencies" and "goodness_of_fit" in self:
            ((chi_squared,), (p,)) = _charts.columns(self["goodness_of_fit"], "chi_squared", "p")
            known = p is not None and p == p
            said = f"χ² = {chi_squared:.3g}" + (f", p = {p:.2g}" if known else "")
            drawn.set_title(f"{drawn.get_title()}, {said}")
        return drawn

    def figure(self) -> Figure:
        """All charts in one figure, tracking both cumulative and by the period."""
        panels: list[tuple[str, dict[str, Any]]] = []
        for table in self._drawn():
            both = table.startswith("tracking")
            panels += (
                [(table, {"kind": kind}) for kind in ("cumulative", "period")] if both else [(table, {})]
            )
        axes = _charts.panels(len(panels))
        for ax, (table, options) in zip(axes, panels, strict=True):
            self.plot(table, ax=ax, **options)
        made: Any = axes[0].figure
        return made  # type: ignore[no-any-return]

    def _drawn(self) -> list[str]:
        return [table for table in self if table != "goodness_of_fit"]


def report(
    model: Purchases,
    rfm: Any,
    *,
    orders: Any = None,
    origins: Sequence[_call.When] = (),
    horizon: _call.Horizon = "90d",
    covariates: Covariates | None = None,
    customers: Any = None,
    posterior: Posterior | None = None,
    interval: float | None = 0.9,
    cohort: str | None = None,
    split: _call.Moment | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    frequency_holdout: str = "frequency_holdout",
    duration_holdout: str = "duration_holdout",
    customer: str = "customer",
    time: str = "time",
    value: str | None = None,
    period: _call.Span | None = None,
    grain: _call.Span = "1d",
    clock: SeasonalClock | None = None,
    refunds: Literal["error", "drop", "net"] = "error",
    on_invalid: Literal["error", "drop"] = "error",
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Report:
    """All that tells whether a forecast can be trusted, in one call: tables, and a chart of each.

    It asks `Purchases.frequencies`, `Purchases.check`, `tracking`, `backtest` and `Posterior.check`, as far
    as what is given allows.

    Parameters
    ----------
    model : BetaGeo, ParetoNBD, …
    rfm : frame
        What `summarize` gives; with its holdout columns the forecast is set beside what came.
    orders : frame, optional
        The orders behind ``rfm``, those of the holdout included: to track the model, and to back-test it.
    origins : list of str, datetime or int
        Back-test at these ends of calibration; the law is fitted anew at each, with the covariates it has.
    horizon : float, str or timedelta, default "90d"
        How long each forecast of the back-test is, as in `backtest`.
    covariates : dict, optional
        What ``covariates`` of the model's ``fit`` was, for back-tests of a model that was loaded.
    customers : frame, optional
        For a model with covariates, their columns for every customer of ``orders``, one row each; ``rfm``,
        unless given, which lacks those who first bought in its holdout.
    posterior : Posterior, optional
        Draws of the model, such as `laplace` gives: for posterior predictive checks.
    interval : float or None, default 0.9
        The level of the bounds of `tracking` (None: without), and of the intervals of posterior predictive
        checks.
    cohort : {"month", "quarter", "year", "week"} or str, optional
        What ``cohort`` of `summarize` was: errors by the column ``cohort``, and tracking cohort by cohort.
    split : str or datetime, optional
        Where the calibration ends, to be drawn where time is.
    frequency, recency, T, frequency_holdout, duration_holdout : str
        Columns of rfm.
    customer, time, value : str
        Columns of orders; that of customers is rfm's too where the model has covariates.
    period : str, timedelta or number of days, optional
        The unit of the model, where it was not given to its ``fit``.
    grain, clock, refunds, on_invalid, time_unit
        As in `summarize`, for the orders.
    seed : int, default 0
        That of the posterior predictive checks.
    threads, progress
        As in `summarize`.

    Returns
    -------
    Report
        "frequencies" and "goodness_of_fit"; with a holdout "errors", "by_frequency", "by_recency", "by_age",
        "deciles" and "by_cohort"; with orders "tracking" and "tracking_by_cohort"; with origins "backtest";
        with draws "posterior_check".
    """
    from .clv import backtest, tracking

    law(model)
    origins = _call.listed("origins", origins)
    if origins and orders is None:
        raise OptionError("option `origins`: back-tests need `orders`; pass them too")
    covariates = covariates or model._asked_covariates
    if origins and sorted(model.covariates_) != sorted(_named(covariates)):
        raise OptionError(
            f"option `covariates`: the model has {sorted(model.covariates_)} and these are "
            f"{sorted(_named(covariates))}: back-tests fit it anew; pass `covariates` as its `fit` had them"
        )
    name = type(model).__name__
    if posterior is not None and (not isinstance(posterior, Posterior) or posterior.model != name):
        told = f"of {posterior.model}" if isinstance(posterior, Posterior) else given(posterior)
        raise OptionError(f"option `posterior`: is {told}, not draws of {name}; give those of this law")
    if customers is not None and not (model.covariates_ and orders is not None):
        raise OptionError("option `customers`: is of models with covariates, beside `orders`: leave it out")
    told = rfm if customers is None else customers
    histories: dict[str, Any] = {"frequency": frequency, "recency": recency, "T": T, "on_invalid": on_invalid}
    run: dict[str, Any] = {"threads": threads, "progress": progress}
    dropped: dict[str, Any] = {}
    more: dict[str, Any] = {}
    tables = {"frequencies": model.frequencies(rfm, **histories, report=more, **run)}
    dropped["rfm"] = more.pop("dropped")
    tables |= more
    if frequency_holdout in _charts.names(rfm):
        more = {}
        tables["errors"] = model.check(
            rfm,
            **histories,
            frequency_holdout=frequency_holdout,
            duration_holdout=duration_holdout,
            cohort=None if cohort is None else "cohort",
            period=period,
            report=more,
            **run,
        )
        dropped["rfm"] = more.pop("dropped")
        tables |= more
    if orders is not None:
        source: dict[str, Any] = {"customer": customer, "time": time, "value": value, "grain": grain}
        source |= {"clock": clock, "refunds": refunds, "on_invalid": on_invalid, "time_unit": time_unit}
        more = {}
        tables["tracking"] = tracking(
            orders,
            model,
            period=period,
            cohort=cohort,
            interval=interval,
            customers=told if model.covariates_ else None,
            report=more,
            **source,
            **run,
        )
        dropped["orders"] = more.pop("dropped")
        tables |= {f"tracking_{name}": table for name, table in more.items()}
        if origins:
            tables["backtest"] = backtest(
                orders,
                name,
                origins=origins,
                horizon=horizon,
                k=getattr(model, "k", 1),
                penalty=model.penalty,
                covariates=covariates,
                customers=told if covariates else None,
                period=model._unit(period),
                **source,
                **run,
            )
    if posterior is not None:
        level = 0.9 if interval is None else interval
        tables["posterior_check"] = posterior.check(
            rfm, **histories, level=level, period=period, seed=seed, report={}, **run
        )
    return Report(tables, dropped=dropped, split=split)
