"""Charts of what the library gives, drawn with Matplotlib (the extra ``plot``).

Every function takes a result or a frame of its kind, draws on ``ax`` or on a
new figure, and returns the axes.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from ._frames import Frame
from .errors import ColumnError, OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "attribution",
    "calibration",
    "cluster_sizes",
    "journey_flow",
    "lifetime_value",
    "money",
    "rfm_map",
    "tracking",
    "transitions",
]


def _axes(ax: Axes | None, width: float = 7.0, height: float = 4.0) -> Axes:
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('charts need Matplotlib: pip install "headwater[plot]"') from error
    if _interactive():
        from matplotlib import pyplot

        axes: Axes = pyplot.subplots(figsize=(width, height), layout="constrained")[1]
        return axes
    return Figure(figsize=(width, height), layout="constrained").subplots()


def _interactive() -> bool:
    """Whether somebody is there to see a figure: in Jupyter, in the Python shell, in a script with pyplot."""
    return hasattr(sys, "ps1") or "IPython" in sys.modules or "matplotlib.pyplot" in sys.modules


def _names(frame: Any) -> list[str]:
    if isinstance(frame, dict):
        return list(frame)
    return frame.columns if isinstance(frame, Frame) else nw.from_native(frame, eager_only=True).columns


def _columns(frame: Any, *names: str) -> list[list[Any]]:
    if isinstance(frame, Frame):
        data: dict[str, list[Any]] = frame.to_dict()
    elif isinstance(frame, dict):
        data = frame
    else:
        data = nw.from_native(frame, eager_only=True).to_dict(as_series=False)
    for name in names:
        if name not in data:
            raise ColumnError(f"column `{name}`: there is none; the frame has {', '.join(data)}")
    return [list(data[name]) for name in names]


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


def transitions(journeys: Any, *, ax: Axes | None = None) -> Axes:
    """The probabilities of going from one channel to another, as a heat map.

    Parameters
    ----------
    journeys : Journeys or frame
        Journeys, or what their ``transitions()`` gives: ``from``, ``to``, ``probability``.
    ax : matplotlib Axes, optional
    """
    frame = journeys.transitions() if hasattr(journeys, "transitions") else journeys
    rows = list(zip(*_columns(frame, "from", "to", "probability"), strict=True))
    sources = list(dict.fromkeys(str(source) for source, _, _ in rows))
    targets = list(dict.fromkeys(str(target) for _, target, _ in rows))
    grid = [[math.nan] * len(targets) for _ in sources]
    for source, target, probability in rows:
        grid[sources.index(str(source))][targets.index(str(target))] = probability
    ax = _axes(ax, 7.0, 6.0)
    image = ax.imshow(grid, cmap="Blues", vmin=0)
    ax.figure.colorbar(image, ax=ax, label="probability", shrink=0.8)
    ax.set_xticks(range(len(targets)), targets, rotation=45, ha="right")
    ax.set_yticks(range(len(sources)), sources)
    ax.set(xlabel="to", ylabel="from", title="Transitions")
    return ax


def journey_flow(journeys: Any, *, steps: int = 4, ax: Axes | None = None) -> Axes:
    """How journeys flow from channel to channel: a column for each of the last touches, bands between them.

    Parameters
    ----------
    journeys : Journeys or frame
        Journeys, or what their ``paths()`` gives: ``path``, ``conversions``.
    steps : int, default 4
        How many touches before the conversion to show.
    ax : matplotlib Axes, optional
    """
    if steps < 1:
        raise OptionError(f"option `steps`: {steps} is not a number of touches; give at least 1")
    sep = getattr(journeys, "sep", " > ")
    frame = journeys.paths() if hasattr(journeys, "paths") else journeys
    weights: Counter[tuple[str, ...]] = Counter()
    for path, conversions in zip(*_columns(frame, "path", "conversions"), strict=True):
        touches = tuple(str(path).split(sep))[-steps:]
        weights[("",) * (steps - len(touches)) + (*touches, "conversion")] += conversions
    totals: Counter[str] = Counter()
    for path, count in weights.items():
        for name in path:
            totals[name] += count
    order = [name for name, _ in totals.most_common() if name]
    ax = _axes(ax, 10.0, 5.0)
    colors = {name: f"C{i % 10}" for i, name in enumerate(order)}
    whole = sum(weights.values()) or 1
    tops: list[dict[str, float]] = []
    for step in range(steps + 1):
        heights: dict[str, float] = defaultdict(float)
        for path, weight in weights.items():
            heights[path[step]] += weight / whole
        top, column = 0.0, {}
        for name in (name for name in order if heights[name]):
            column[name] = top
            ax.bar(step, heights[name], 0.12, bottom=top, color=colors[name])
            if heights[name] > 0.03:
                ax.text(step + 0.08, top + heights[name] / 2, name, va="center", fontsize=8)
            top += heights[name] + 0.01
        tops.append(column)
    for step in range(steps):
        _bands(ax, step, weights, whole, tops, order, colors)
    names = [f"{steps - step} before" if step < steps else "" for step in range(steps + 1)]
    ax.set_xticks(range(steps + 1), names)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set(title="Journeys to conversion", xlim=(-0.2, steps + 0.8))
    return ax


def _bands(
    ax: Axes,
    step: int,
    weights: Counter[tuple[str, ...]],
    whole: float,
    tops: list[dict[str, float]],
    order: list[str],
    colors: dict[str, str],
) -> None:
    moves: dict[tuple[str, str], float] = defaultdict(float)
    for path, weight in weights.items():
        moves[path[step], path[step + 1]] += weight / whole
    left, right = dict(tops[step]), dict(tops[step + 1])
    ease = [t / 20 for t in range(21)]
    smooth = [t * t * (3 - 2 * t) for t in ease]
    x = [step + 0.06 + 0.88 * t for t in ease]
    for source in order:
        for target in order:
            height = moves[source, target]
            if not height:
                continue
            low = [left[source] + (right[target] - left[source]) * s for s in smooth]
            ax.fill_between(x, low, [y + height for y in low], color=colors[source], alpha=0.35, linewidth=0)
            left[source] += height
            right[target] += height
    for target in order:  # journeys that begin here come from nowhere
        right[target] = right.get(target, 0.0) + moves["", target]


def tracking(forecast: Any, *, split: Any = None, ax: Axes | None = None) -> Axes:
    """Cumulative repeat purchases, forecast beside actual.

    Parameters
    ----------
    forecast : frame
        What `headwater.clv.tracking` gives.
    split : datetime, optional
        Where the calibration ends; drawn as a line.
    ax : matplotlib Axes, optional
    """
    names = ("period_end", "expected_cumulative", "actual_cumulative")
    ends, expected, actual = _columns(forecast, *names)
    ax = _axes(ax)
    ax.plot(ends, actual, color="black", label="actual")
    ax.plot(ends, expected, color="C1", linestyle="--", label="expected")
    if split is not None:
        ax.axvline(split, color="grey", linewidth=0.8)
    ax.set(ylabel="cumulative repeat purchases", title="Forecast against what came")
    ax.tick_params("x", rotation=30)
    ax.legend()
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
