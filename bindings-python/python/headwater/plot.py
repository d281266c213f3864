"""Charts of what the library gives, drawn with Matplotlib (the extra ``plot``).

Every function takes a result or a frame of its kind, draws on ``ax`` or on a
new figure, and returns the axes.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._charts import axes as _axes
from ._charts import columns as _columns
from ._charts import names as _names
from ._plot_customers import alive_path, frequency_recency_matrix, probability_alive_matrix
from ._plot_forecast import (
    backtest,
    by_cohort,
    conditional,
    deciles,
    errors,
    frequencies,
    posterior_check,
    tracking,
)
from ._plot_journeys import (
    funnel,
    journey_flow,
    lag_curves,
    overlap,
    sankey,
    step_matrix,
    survival,
    transitions,
)
from .errors import OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "alive_path",
    "attribution",
    "backtest",
    "by_cohort",
    "calibration",
    "cluster_sizes",
    "conditional",
    "deciles",
    "errors",
    "frequencies",
    "frequency_recency_matrix",
    "funnel",
    "journey_flow",
    "lag_curves",
    "lifetime_value",
    "money",
    "overlap",
    "posterior_check",
    "probability_alive_matrix",
    "rfm_map",
    "sankey",
    "step_matrix",
    "survival",
    "tracking",
    "transitions",
]


def cluster_sizes(people: Any, *, ax: Axes | None = None) -> Axes:
    """How many identifiers customers have.

    Parameters
    ----------
    people : Stitched or frame
        The result of `headwater.stitch`, or what its ``sizes()`` gives.
    ax : matplotlib Axes, optional
    """
    sizes, customers = _columns(
        people.sizes() if hasattr(people, "sizes") else people, "identifiers", "customers"
    )
    ax = _axes(ax)
    ax.bar([str(size) for size in sizes], customers, color="#4477aa")
    if len(sizes) > 15:
        ax.set_xticks(range(0, len(sizes), math.ceil(len(sizes) / 15)))
    if customers and max(customers) > 50 * min(customers):
        ax.set_yscale("log")
    ax.set(xlabel="identifiers of a customer", ylabel="customers", title="Identity clusters")
    return ax


def attribution(
    credits: Any, *, metric: str = "conversions", truth: Any = None, ax: Axes | None = None
) -> Axes:
    """Attribution models side by side, with the intervals of a bootstrap where there are any.

    Parameters
    ----------
    credits : frame
        What `headwater.attribute` gives.
    metric : str, default "conversions"
        Its column to show: ``conversions``, ``value``, ``roas``, …
    truth : frame or dict, optional
        The true figures: a frame with ``channel`` and either the metric or ``incremental_`` and the metric,
        or a dict from channel to figure.
    ax : matplotlib Axes, optional
    """
    table: dict[str, dict[str, float]] = defaultdict(dict)
    for model, channel, credit in zip(*_columns(credits, "model", "channel", metric), strict=True):
        table[str(model)][str(channel)] = math.nan if credit is None else credit
    bounds: dict[tuple[str, str], list[float]] = {}
    if {f"{metric}_low", f"{metric}_high"} <= set(_names(credits)):
        rows = _columns(credits, "model", "channel", f"{metric}_low", f"{metric}_high")
        for model, channel, low, high in zip(*rows, strict=True):
            if low is not None and high is not None:
                bounds[str(model), str(channel)] = [low, high]
    if truth is not None:
        if not isinstance(truth, dict) or "channel" in truth:
            name = metric if metric in _names(truth) else f"incremental_{metric}"
            truth = dict(zip(*_columns(truth, "channel", name), strict=True))
        table["truth"] = {str(channel): figure for channel, figure in truth.items()}
    channels = list(dict.fromkeys(channel for row in table.values() for channel in row))
    ax = _axes(ax, 9.0)
    width = 0.85 / max(len(table), 1)
    for i, (model, row) in enumerate(table.items()):
        at = [x + (i - (len(table) - 1) / 2) * width for x in range(len(channels))]
        color = "black" if model == "truth" else None
        ax.bar(at, [row.get(channel, math.nan) for channel in channels], width, label=model, color=color)
        for x, channel in zip(at, channels, strict=True):
            if (model, channel) in bounds:
                ax.plot([x, x], bounds[model, channel], color="#222222", linewidth=1)
    ax.set_xticks(range(len(channels)), channels, rotation=30, ha="right")
    ax.set(ylabel=metric, title="Attribution models")
    ax.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def calibration(calibrated: Any, *, model: str | None = None, ax: Axes | None = None) -> Axes:
    """What experiments moved: each channel's credit before, and after with its interval.

    Parameters
    ----------
    calibrated : frame
        What `headwater.calibrate` gives.
    model : str, optional
        The model to show; by default the first.
    ax : matplotlib Axes, optional
    """
    names = ("model", "channel", "uncalibrated", "calibrated", "low", "high", "source")
    rows = list(zip(*_columns(calibrated, *names), strict=True))
    chosen = model if model is not None else (rows[0][0] if rows else "")
    rows = [row for row in rows if row[0] == chosen]
    if not rows:
        raise OptionError(f"option `model`: `{chosen}` is not in the frame")
    ax = _axes(ax, 8.0)
    for y, (_, _, before, after, low, high, source) in enumerate(reversed(rows)):
        ax.plot([before, after], [y, y], color="#bbbbbb", linewidth=1, zorder=1)
        ax.plot([low, high], [y, y], color="#4477aa", linewidth=2, zorder=2)
        ax.scatter([before], [y], facecolors="white", edgecolors="#888888", zorder=3)
        ax.scatter([after], [y], color="#4477aa", marker="D" if source == "tested" else "o", zorder=3)
    ax.set_yticks(range(len(rows)), [f"{row[1]} ({row[6]})" for row in reversed(rows)])
    ax.set(xlabel="conversions: credited (hollow), incremental (filled)", title=f"Calibration of {chosen}")
    return ax


def money(table: Any, *, model: str | None = None, ax: Axes | None = None) -> Axes:
    """Each channel's share of spend beside its share of credit.

    Parameters
    ----------
    table : frame
        What `headwater.money` gives, without periods.
    model : str, optional
        The model to show; by default the first.
    ax : matplotlib Axes, optional
    """
    rows = list(zip(*_columns(table, "model", "channel", "spend_share", "credit_share"), strict=True))
    chosen = model if model is not None else (rows[0][0] if rows else "")
    rows = [row for row in rows if row[0] == chosen and (row[2] is not None or row[3] is not None)]
    if not rows:
        raise OptionError(f"option `model`: `{chosen}` is not in the frame")
    ax = _axes(ax, 8.0)
    for shift, column, label in ((-0.2, 2, "spend"), (0.2, 3, "credit")):
        shares = [100 * (row[column] or 0.0) for row in rows]
        ax.bar([x + shift for x in range(len(rows))], shares, 0.4, label=label)
    ax.set_xticks(range(len(rows)), [str(row[1]) for row in rows], rotation=30, ha="right")
    ax.set(ylabel="% of all", title=f"Spend and credit by {chosen}")
    ax.legend(fontsize="small")
    return ax


def lifetime_value(
    values: Any, *, column: str = "lifetime_value", bins: int = 50, ax: Axes | None = None
) -> Axes:
    """How lifetime values are spread; the highest hundredth is counted in the last bar.

    Parameters
    ----------
    values : frame
        What `headwater.clv.lifetime_value` gives.
    column : str, default "lifetime_value"
    bins : int, default 50
    ax : matplotlib Axes, optional
    """
    (found,) = _columns(values, column)
    known = sorted(value for value in found if value is not None and math.isfinite(value))
    ax = _axes(ax)
    if known:
        top = known[min(len(known) - 1, math.ceil(0.99 * len(known)))]
        ax.hist([min(value, top) for value in known], bins=bins, color="#228833")
    ax.set(xlabel=column.replace("_", " "), ylabel="customers", title="Lifetime value")
    return ax


def rfm_map(scores: Any, *, recency: str = "r", frequency: str = "f", ax: Axes | None = None) -> Axes:
    """The map of customers by recency and frequency scores, each cell with its count and usual segment.

    Parameters
    ----------
    scores : frame
        What `headwater.segment.rfm` gives.
    recency, frequency : str
        The columns of the scores.
    ax : matplotlib Axes, optional
    """
    names: Sequence[str] = ("segment",)
    r, f, segments = _columns(scores, recency, frequency, *names)
    cells: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    for x, y, segment in zip(r, f, segments, strict=True):
        if x is not None and y is not None:
            cells[int(x), int(y)][str(segment)] += 1
    width, height = (max((cell[axis] for cell in cells), default=1) for axis in (0, 1))
    counts = [
        [sum(cells.get((x, y), {}).values()) for x in range(1, width + 1)] for y in range(1, height + 1)
    ]
    ax = _axes(ax, 8.0, 6.0)
    ax.imshow(
        counts, origin="lower", cmap="YlGn", extent=(0.5, width + 0.5, 0.5, height + 0.5), aspect="auto"
    )
    peak = max(max(row) for row in counts)
    for (x, y), members in cells.items():
        total = sum(members.values())
        name = members.most_common(1)[0][0].replace(" ", "\n", 1)
        color = "white" if total > 0.6 * peak else "black"
        ax.text(x, y, f"{name}\n{total:,}", ha="center", va="center", fontsize=7, color=color)
    ax.set_xticks(range(1, width + 1))
    ax.set_yticks(range(1, height + 1))
    ax.set(xlabel="recency score", ylabel="frequency score", title="Customers by recency and frequency")
    return ax
