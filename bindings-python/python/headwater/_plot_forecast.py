"""Charts of forecasts beside facts."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

from ._charts import axes as _axes
from ._charts import columns as _columns
from ._charts import names as _names
from .errors import OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def tracking(
    forecast: Any,
    *,
    kind: Literal["cumulative", "period"] = "cumulative",
    split: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Repeat purchases in time, forecast beside actual; the band of ``interval`` where the frame has it.

    Parameters
    ----------
    forecast : frame
        What `headwater.clv.tracking` gives, or its "by_cohort", of which each cohort has lines of its own.
    kind : {"cumulative", "period"}, default "cumulative"
        All purchases up to the end of each period, or those of each period alone.
    split : datetime or str, optional
        Where the calibration ends; drawn as a line.
    ax : matplotlib Axes, optional
    """
    if kind not in ("cumulative", "period"):
        raise OptionError(f"option `kind`: {kind!r} is neither 'cumulative' nor 'period'")
    tail = "_cumulative" if kind == "cumulative" else ""
    bounds = (f"expected{tail}_low", f"expected{tail}_high")
    there = _names(forecast)
    banded = set(bounds) <= set(there)
    wanted = ("period_end", f"actual{tail}", f"expected{tail}", *(bounds if banded else ()))
    rows = list(zip(*_columns(forecast, *wanted), strict=True))
    lines: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    for cohort, row in zip(_columns(forecast, "cohort")[0] if "cohort" in there else rows, rows, strict=True):
        lines[cohort if "cohort" in there else None].append(row)
    ax = _axes(ax)
    for i, (cohort, mine) in enumerate(lines.items()):
        ends, actual, expected, *band = zip(*mine, strict=True)
        color, dashes = ("black", "C1") if cohort is None else (_color(i, len(lines)),) * 2
        ax.plot(ends, actual, color=color, label="actual" if cohort is None else _name(cohort))
        ax.plot(ends, expected, color=dashes, linestyle="--", label="expected" if cohort is None else None)
        if banded:
            low, high = band
            ax.fill_between(ends, low, high, color=dashes, alpha=0.2, linewidth=0)
    if "cohort" in there:
        ax.plot([], [], color="black", label="actual")
        ax.plot([], [], color="black", linestyle="--", label="expected")
    if split is not None:
        at: Any = dt.datetime.fromisoformat(split) if isinstance(split, str) else split
        ax.axvline(at, color="grey", linewidth=0.8)
    of = "cumulative repeat purchases" if kind == "cumulative" else "repeat purchases in a period"
    ax.set(ylabel=of, title="Forecast against what came" + (", by cohorts" if "cohort" in there else ""))
    ax.tick_params("x", rotation=30)
    ax.legend(fontsize="small" if len(lines) > 3 else None, ncols=1 + len(lines) // 8)
    return ax


def backtest(table: Any, *, ax: Axes | None = None) -> Axes:
    """Purchases within the horizon of each origin, beside the forecast made there, and how far it was off.

    Parameters
    ----------
    table : frame
        What `headwater.clv.backtest` gives.
    ax : matplotlib Axes, optional
    """
    ax = _totals(table, "origin", ax)
    ax.set(xlabel="origin", ylabel="purchases within the horizon", title="Back-test")
    return ax


def by_cohort(table: Any, *, ax: Axes | None = None) -> Axes:
    """Purchases of each cohort in the holdout, beside the forecast, and how far it was off.

    Parameters
    ----------
    table : frame
        "by_cohort" of a model's ``check``. That of `headwater.clv.tracking` is for `tracking`.
    ax : matplotlib Axes, optional
    """
    ax = _totals(table, "cohort", ax)
    ax.set(xlabel="cohort", ylabel="purchases in the holdout", title="Forecast by cohorts")
    return ax


def errors(table: Any, *, ax: Axes | None = None) -> Axes:
    """The errors of a forecast of customers, of cohorts and of the total, on a logarithmic scale.

    Of the bias the size is drawn, and its sign stands above.

    Parameters
    ----------
    table : frame
        What a model's ``check`` gives: level, mae, rmse, bias.
    ax : matplotlib Axes, optional
    """
    levels, *found = _columns(table, "level", "mae", "rmse", "bias")
    ax = _axes(ax)
    for i, (name, values) in enumerate(zip(("MAE", "RMSE", "bias"), found, strict=True)):
        known = [(x, value) for x, value in enumerate(values) if value is not None and value]
        at = [x + 0.27 * (i - 1) for x, _ in known]
        bars = ax.bar(at, [abs(value) for _, value in known], 0.25, label=name, color=f"C{i}")
        ax.bar_label(bars, [f"{value:+.3g}" if name == "bias" else f"{value:.3g}" for _, value in known])
    ax.set_yscale("log")
    ax.margins(y=0.25)
    ax.set_xticks(range(len(levels)), [str(level) for level in levels])
    ax.set(xlabel="level", ylabel="purchases in the holdout", title="Errors by level")
    ax.legend(loc="upper left", ncols=3)
    return ax


def frequencies(counts: Any, *, ax: Axes | None = None) -> Axes:
    """Customers by their number of repeat purchases, beside what the model expects.

    Parameters
    ----------
    counts : frame
        What a model's ``frequencies`` gives.
    ax : matplotlib Axes, optional
    """
    purchases, actual, expected = _columns(counts, "purchases", "actual", "expected")
    labels = [str(n) for n in purchases[:-1]] + [f"{purchases[-1]}+"]
    ax = _pairs(labels, actual, expected, ax)
    ax.set(xlabel="repeat purchases", ylabel="customers", title="Frequency of repeat purchases")
    return ax


def conditional(bins: Any, *, ax: Axes | None = None) -> Axes:
    """Mean purchases in the holdout by bins, beside the forecast.

    Parameters
    ----------
    bins : frame
        "by_frequency", "by_recency" or "by_age" of a model's ``check``.
    ax : matplotlib Axes, optional
    """
    low, high, actual, expected = _columns(bins, "low", "high", "actual", "expected")
    labels = [
        f"{a:g}+" if b is None or b != b else f"{a:g}" if a == b else f"{a:.3g}–{b:.3g}"
        for a, b in zip(low, high, strict=True)
    ]
    ax = _pairs(labels, actual, expected, ax)
    ax.set(xlabel="bin", ylabel="purchases in the holdout", title="Conditional expectation")
    ax.tick_params("x", rotation=30)
    return ax


def deciles(table: Any, *, ax: Axes | None = None) -> Axes:
    """Mean purchases in the holdout by tenths of the customers, the most promising first.

    Parameters
    ----------
    table : frame
        "deciles" of a model's ``check``.
    ax : matplotlib Axes, optional
    """
    decile, actual, expected = _columns(table, "decile", "actual", "expected")
    ax = _pairs([str(d) for d in decile], actual, expected, ax)
    ax.set(xlabel="decile", ylabel="purchases in the holdout", title="Calibration by deciles")
    return ax


def posterior_check(found: Any, *, ax: Axes | None = None) -> Axes:
    """Customers by their repeat purchases, beside the interval of those that the model makes.

    The predictive p-values of mean, variance and late purchases stand in the legend; shares outside the
    interval are red.

    Parameters
    ----------
    found : frame
        What ``check`` of a `headwater.clv.Posterior` gives.
    ax : matplotlib Axes, optional
    """
    names = ("statistic", "observed", "expected", "low", "high", "p")
    rows = list(zip(*_columns(found, *names), strict=True))
    shares = [row for row in rows if str(row[0]).startswith("share_")]
    labels = [str(row[0]).removeprefix("share_").replace("_or_more", "+") for row in shares]
    ax = _axes(ax)
    places = range(len(shares))
    strange = [not low <= observed <= high for _, observed, _, low, high, _ in shares]
    colors = ["#cc3311" if out else "#4477aa" for out in strange]
    ax.bar(places, [row[1] for row in shares], color=colors, label="observed")
    expected, low, high = ([row[at] for row in shares] for at in (2, 3, 4))
    # A mean of skewed replicates may lie beyond their interval.
    below = [max(e - edge, 0.0) for e, edge in zip(expected, low, strict=True)]
    above = [max(edge - e, 0.0) for e, edge in zip(expected, high, strict=True)]
    ax.errorbar(places, expected, yerr=[below, above], color="C1", marker="o", capsize=3, label="model")
    for name, *_, p in rows:
        if not str(name).startswith("share_"):
            ax.plot([], [], " ", label=f"{str(name).replace('_', ' ')}: p = {p:.3f}")
    ax.set_xticks(list(places), labels)
    ax.set(xlabel="repeat purchases", ylabel="share of customers", title="Posterior predictive check")
    ax.legend()
    return ax


def _pairs(labels: list[str], actual: Any, expected: Any, ax: Axes | None) -> Axes:
    ax = _axes(ax)
    places = range(len(labels))
    height = [float("nan") if a is None else a for a in actual]
    line = [float("nan") if e is None else e for e in expected]
    ax.bar(places, height, color="#4477aa", label="actual")
    ax.plot(places, line, color="C1", marker="o", label="expected")
    ax.set_xticks(list(places), labels)
    ax.legend()
    return ax


def _totals(table: Any, by: str, ax: Axes | None) -> Axes:
    """All purchases of each origin or cohort, with the relative bias of the forecast above."""
    at, actual, expected, bias = _columns(table, by, "actual", "expected", "relative_bias")
    ax = _pairs([_name(value) for value in at], actual, expected, ax)
    for x, (off, *heights) in enumerate(zip(bias, actual, expected, strict=True)):
        tops = [height for height in heights if height is not None and not math.isnan(height)]
        if tops and off is not None and not math.isnan(off):
            ax.annotate(
                f"{off:+.0%}", (x, max(tops)), (0, 5), textcoords="offset points", ha="center", fontsize=8
            )
    ax.margins(y=0.25)
    ax.legend(loc="upper right", ncols=2)
    ax.tick_params("x", rotation=30)
    return ax


def _color(i: int, count: int) -> Any:
    """The color of a cohort: of many, one that tells which came earlier."""
    if count <= 10:
        return f"C{i}"
    from matplotlib import colormaps

    return colormaps["viridis"](i / count)


def _name(value: Any) -> str:
    """An origin or a cohort: of a moment its day."""
    return value.date().isoformat() if isinstance(value, dt.datetime) else str(value)
