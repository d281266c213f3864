"""Charts of forecasts beside facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._charts import axes as _axes
from ._charts import columns as _columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
