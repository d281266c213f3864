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
