"""Charts of journeys."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import compress
from typing import TYPE_CHECKING, Any

from ._charts import axes, columns, names, say
from .errors import OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "funnel",
    "journey_flow",
    "lag_curves",
    "overlap",
    "sankey",
    "step_matrix",
    "survival",
    "transitions",
]


def transitions(journeys: Any, *, ax: Axes | None = None) -> Axes:
    """The probabilities of going from one channel to another, as a heat map.

    Parameters
    ----------
    journeys : Journeys or frame
        Journeys, or what their ``transitions()`` gives: ``from``, ``to``, ``probability``.
    ax : matplotlib Axes, optional
    """
    frame = journeys.transitions() if hasattr(journeys, "transitions") else journeys
    rows = list(zip(*columns(frame, "from", "to", "probability"), strict=True))
    sources = list(dict.fromkeys(str(source) for source, _, _ in rows))
    targets = list(dict.fromkeys(str(target) for _, target, _ in rows))
    grid = [[math.nan] * len(targets) for _ in sources]
    for source, target, probability in rows:
        grid[sources.index(str(source))][targets.index(str(target))] = probability
    ax = axes(ax, 7.0, 6.0)
    if grid:
        image = ax.imshow(grid, cmap="Blues", vmin=0)
        ax.figure.colorbar(image, ax=ax, label="probability", shrink=0.8)
    else:
        say(ax, "no touches")
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
    for path, conversions in zip(*columns(frame, "path", "conversions"), strict=True):
        touches = tuple(str(path).split(sep))[-steps:]
        weights[("",) * (steps - len(touches)) + (*touches, "conversion")] += conversions
    totals: Counter[str] = Counter()
    for path, count in weights.items():
        for name in path:
            totals[name] += count
    order = [name for name, _ in totals.most_common() if name]
    ax = axes(ax, 10.0, 5.0)
    colors = {name: f"C{i % 10}" for i, name in enumerate(order)}
    _flow(ax, steps, weights, order, colors, "no conversions")
    ticks = [f"{steps - step} before" if step < steps else "" for step in range(steps + 1)]
    ax.set_xticks(range(steps + 1), ticks)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set(title="Journeys to conversion", xlim=(-0.2, steps + 0.8))
    return ax


def _flow(
    ax: Axes,
    steps: int,
    weights: Counter[tuple[str, ...]],
    order: list[str],
    colors: dict[str, str],
    nothing: str,
) -> None:
    """The columns of a flow and the bands between them; what to say where no journey counts."""
    whole = sum(weights.values())
    if not whole:
        say(ax, nothing)
        return
    tops = _stacks(ax, weights, whole, order, colors)
    for step in range(steps):
        _bands(ax, step, weights, whole, tops, order, colors)


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


def sankey(journeys: Any, *, steps: int = 5, channels: int = 8, ax: Axes | None = None) -> Axes:
    """How journeys flow from their first touch: bands to the next channel, to the conversion, and out.

    Parameters
    ----------
    journeys : Journeys or frame
        Journeys, or what their ``paths()`` gives: ``path``, ``conversions``, ``nulls``.
    steps : int, default 5
        How many touches to show; what is longer goes on.
    channels : int, default 8
        How many channels to show, those with the most touches; the others are merged into one.
    ax : matplotlib Axes, optional
    """
    for name, number in (("steps", steps), ("channels", channels)):
        if number < 1:
            raise OptionError(f"option `{name}`: must be at least 1, not {number}")
    sep = getattr(journeys, "sep", " > ")
    frame = journeys.paths() if hasattr(journeys, "paths") else journeys
    rows = [
        (str(path).split(sep), conversions, nulls)
        for path, conversions, nulls in zip(*columns(frame, "path", "conversions", "nulls"), strict=True)
        if path != "(unattributed)"
    ]
    touches: Counter[str] = Counter()
    for path, conversions, nulls in rows:
        for channel in path[:steps]:
            touches[channel] += conversions + nulls
    kept = {channel for channel, _ in touches.most_common(channels)}
    weights: Counter[tuple[str, ...]] = Counter()
    for path, conversions, nulls in rows:
        seen = [channel if channel in kept else "(other)" for channel in path]
        for end, weight in (("(conversion)", conversions), ("(null)", nulls)):
            shown = [*seen, end] if len(seen) <= steps else seen[: steps + 1]
            weights[tuple((shown + [""] * steps)[: steps + 1])] += weight
    order = [channel for channel, _ in touches.most_common() if channel in kept]
    order += ["(other)", "(conversion)", "(null)"]
    colors = {name: f"C{i % 10}" for i, name in enumerate(order)}
    colors |= {"(other)": "#bbbbbb", "(conversion)": "#228833", "(null)": "#555555"}
    ax = axes(ax, 11.0, 5.0)
    _flow(ax, steps, weights, order, colors, "no touches")
    ax.set_xticks(range(steps + 1), [f"touch {step + 1}" for step in range(steps)] + ["then"])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set(title="Journeys from the first touch", xlim=(-0.2, steps + 0.8))
    return ax


def _stacks(
    ax: Axes,
    weights: Counter[tuple[str, ...]],
    whole: float,
    order: list[str],
    colors: dict[str, str],
) -> list[dict[str, float]]:
    """The columns of a flow: where each channel begins at each step."""
    tops: list[dict[str, float]] = []
    for step in range(len(next(iter(weights), ()))):
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
    return tops


def funnel(result: Any, *, ax: Axes | None = None) -> Axes:
    """The steps of a funnel as bars, each with its share of the first step and that share's interval.

    Parameters
    ----------
    result : frame
        What `Journeys.funnel` gives; a funnel that is split has a bar for each group.
    ax : matplotlib Axes, optional
    """
    wanted = ("group", "step", "name", "count", "from_first", "from_first_low", "from_first_high")
    rows = list(zip(*columns(result, *wanted), strict=True))
    groups = list(dict.fromkeys(row[0] for row in rows))
    labels = {row[1]: row[2] for row in rows}
    width = 0.85 / max(len(groups), 1)
    ax = axes(ax)
    for i, group in enumerate(groups):
        mine = [row for row in rows if row[0] == group]
        at = [row[1] + (i - (len(groups) - 1) / 2) * width for row in mine]
        share = [row[4] or 0.0 for row in mine]
        below = [s - (row[5] if row[5] is not None else s) for s, row in zip(share, mine, strict=True)]
        above = [(row[6] if row[6] is not None else s) - s for s, row in zip(share, mine, strict=True)]
        ax.bar(at, share, width, yerr=[below, above], capsize=2, label=group, color=f"C{i % 10}", alpha=0.8)
        if len(groups) == 1:
            for x, s, row in zip(at, share, mine, strict=True):
                ax.text(x, 0.02, f"{row[3]:,.10g}\n{s:.1%}", ha="center", va="bottom", fontsize=8)
    ax.set_xticks(list(labels), list(labels.values()))
    ax.set(ylabel="share of the first step", title="Funnel", ylim=(0, 1.05))
    if len(groups) > 1:
        ax.legend(fontsize="small")
    return ax


def step_matrix(matrix: Any, *, ax: Axes | None = None) -> Axes:
    """Where journeys are at each step, as a heat map.

    Parameters
    ----------
    matrix : Journeys or frame
        What `Journeys.step_matrix` gives, or journeys.
    ax : matplotlib Axes, optional
    """
    frame = matrix.step_matrix() if hasattr(matrix, "step_matrix") else matrix
    rows = list(zip(*columns(frame, "step", "channel", "share"), strict=True))
    steps = sorted({row[0] for row in rows})
    rest = sorted({str(row[1]) for row in rows}, key=lambda name: (name.startswith("("), name))
    grid = [[0.0] * len(steps) for _ in rest]
    for step, channel, share in rows:
        grid[rest.index(str(channel))][steps.index(step)] = share
    ax = axes(ax, 8.0, 5.0)
    if grid:
        image = ax.imshow(grid, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ax.figure.colorbar(image, ax=ax, label="share of journeys", shrink=0.8)
    else:
        say(ax, "no touches")
    if len(steps) <= 15:
        for y, shares in enumerate(grid):
            for x, share in enumerate(shares):
                if share >= 0.005:
                    color = "white" if share > 0.6 else "black"
                    ax.text(x, y, f"{share:.0%}", ha="center", va="center", fontsize=7, color=color)
    ax.set_xticks(range(len(steps)), [str(step) for step in steps])
    ax.set_yticks(range(len(rest)), rest)
    ax.set(xlabel="step", title="Journeys step by step")
    return ax


def survival(curve: Any, *, ax: Axes | None = None) -> Axes:
    """Curves of survival with their intervals, a line for each group.

    Of journeys it is the share that have converted by now; of customers the share who are still there, or the
    cumulative hazard of leaving.

    Parameters
    ----------
    curve : Journeys or frame
        What `Journeys.time_to_convert` or `Journeys.path_length` gives, or journeys; what
        `headwater.clv.kaplan_meier`, `headwater.clv.nelson_aalen` or ``survival()`` of a model of contracts
        gives.
    ax : matplotlib Axes, optional
    """
    frame = curve.time_to_convert() if hasattr(curve, "time_to_convert") else curve
    there = names(frame)
    along = next((name for name in ("touches", "days", "time", "period") if name in there), "time")
    converting = along in ("touches", "days")
    of = "cumulative_hazard" if "cumulative_hazard" in there else "survival"
    bounds = ("low", "high") if "low" in there else (f"{of}_low", f"{of}_high")
    banded = set(bounds) <= set(there)
    rows = list(zip(*columns(frame, along, of, *(bounds if banded else (of, of))), strict=True))
    split = next((name for name in ("group", "cohort", "stratum") if name in there), None)
    groups: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for group, row in zip(columns(frame, split)[0] if split else [""] * len(rows), rows, strict=True):
        groups[str(group)].append(row)
    ax = axes(ax)
    for i, (group, mine) in enumerate(groups.items()):
        at, line, low, high = (list(values) for values in zip(*mine, strict=True))
        if converting:
            line, low, high = (_converted(values) for values in (line, high, low))
        color = f"C{i % 10}"
        ax.step(at, line, where="post", color=color, label=group)
        if banded:
            known = [bound is not None for bound in low]
            steps, low, high = (list(compress(values, known)) for values in (at, low, high))
            ax.fill_between(steps, low, high, step="post", color=color, alpha=0.2, linewidth=0)
    if converting:
        ax.set(ylabel="share converted", title="Journeys to conversion")
    elif of == "survival":
        ax.set(ylabel="share still there", title="Survival")
    else:
        ax.set(ylabel="cumulative hazard", title="Hazard of leaving")
    ax.set(xlabel=along, ylim=(0, None))
    if len(groups) > 1:
        ax.legend(fontsize="small")
    return ax


def _converted(survival: list[Any]) -> list[Any]:
    """The shares that have converted of those that have not."""
    return [None if share is None else 1 - share for share in survival]


def lag_curves(curves: Any, *, ax: Axes | None = None) -> Axes:
    """The cumulative share of each channel's conversions by days since its touch.

    Parameters
    ----------
    curves : Journeys or frame
        What `Journeys.lag_curves` gives, or journeys.
    ax : matplotlib Axes, optional
    """
    frame = curves.lag_curves() if hasattr(curves, "lag_curves") else curves
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for channel, days, share in zip(*columns(frame, "channel", "days", "share"), strict=True):
        lines[str(channel)].append((days, share))
    ax = axes(ax)
    for channel, points in lines.items():
        days, shares = zip(*points, strict=True)
        whole = channel == "(all)"
        ax.plot(
            days, shares, label=channel, color="black" if whole else None, linewidth=2.0 if whole else 1.5
        )
    ax.set(xlabel="days since the touch", ylabel="share of conversions", title="Lags", ylim=(0, 1.02))
    if lines:
        ax.legend(fontsize="small")
    return ax


def overlap(pairs: Any, *, metric: str = "synergy", ax: Axes | None = None) -> Axes:
    """Pairs of channels as a heat map; those whose q_value is below 0.05 have a star.

    Parameters
    ----------
    pairs : Journeys or frame
        What `Journeys.overlap` gives for pairs, or journeys.
    metric : str, default "synergy"
        Its column to show: ``synergy``, ``lift``, ``jaccard``, ``conversion_rate``, …
    ax : matplotlib Axes, optional
    """
    frame = pairs.overlap() if hasattr(pairs, "overlap") else pairs
    rows = list(zip(*columns(frame, "channel_1", "channel_2", metric, "q_value"), strict=True))
    found = sorted({str(name) for row in rows for name in row[:2]})
    grid = [[math.nan] * len(found) for _ in found]
    ax = axes(ax, 7.0, 6.0)
    for first, second, number, q in rows:
        if number is None:
            continue
        x, y = found.index(str(first)), found.index(str(second))
        grid[y][x] = grid[x][y] = number
        star = "*" if metric == "synergy" and q is not None and q < 0.05 else ""
        for a, b in ((x, y), (y, x)):
            ax.text(a, b, f"{number:.3g}{star}", ha="center", va="center", fontsize=7)
    centre = 1.0 if metric == "lift" else 0.0
    width = max((abs(n - centre) for row in grid for n in row if not math.isnan(n)), default=1.0) or 1.0
    if grid:
        image = ax.imshow(grid, cmap="RdBu", vmin=centre - width, vmax=centre + width)
        ax.figure.colorbar(image, ax=ax, label=metric, shrink=0.8)
    else:
        say(ax, "no pairs")
    ax.set_xticks(range(len(found)), found, rotation=45, ha="right")
    ax.set_yticks(range(len(found)), found)
    ax.set(title="Channels that meet")
    return ax
