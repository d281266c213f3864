"""Charts of what a model of purchases says of customers."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from . import _call
from ._buyers import Purchases, given
from ._charts import axes, columns
from ._clock import SeasonalClock
from ._posterior import Posterior
from .clv import summarize
from .errors import OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["alive_path", "frequency_recency_matrix", "probability_alive_matrix"]


def frequency_recency_matrix(
    model: Purchases | Posterior, T: float, *, periods: float = 1.0, most: int = 20, ax: Axes | None = None
) -> Axes:
    """Expected purchases in the coming periods by frequency and recency, as a heat map.

    Cells that no customer can be in, such as a recency without a repeat purchase, are left blank.

    Parameters
    ----------
    model : BetaGeo, ParetoNBD, … or Posterior
        Without covariates; those of a kind of customer are ``model.at(…)``.
    T : float
        The age of the customers, in the unit of recency.
    periods : float, default 1
        How many periods ahead.
    most : int, default 20
        The greatest frequency.
    ax : matplotlib Axes, optional
    """
    ax = _matrix(model, T, periods, most, "expected_purchases", ax)
    ax.set(title=f"Expected purchases in {periods:g} periods, at the age of {T:g}")
    return ax


def probability_alive_matrix(
    model: Purchases | Posterior, T: float, *, most: int = 20, ax: Axes | None = None
) -> Axes:
    """The probability of being alive by frequency and recency, as a heat map.

    Cells that no customer can be in, such as a recency without a repeat purchase, are left blank.

    Parameters
    ----------
    model : BetaGeo, ParetoNBD, … or Posterior
        Without covariates; those of a kind of customer are ``model.at(…)``.
    T : float
        The age of the customers, in the unit of recency.
    most : int, default 20
        The greatest frequency.
    ax : matplotlib Axes, optional
    """
    ax = _matrix(model, T, 1.0, most, "p_alive", ax)
    ax.set(title=f"Probability of being alive, at the age of {T:g}")
    return ax


def alive_path(
    model: Purchases | Posterior,
    purchases: Iterable[Any],
    *,
    until: _call.Moment | None = None,
    period: _call.Span | None = None,
    grain: _call.Span = "1d",
    clock: SeasonalClock | None = None,
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The probability of being alive of one customer, from the first purchase on; purchases are marked.

    Parameters
    ----------
    model : BetaGeo, ParetoNBD, … or Posterior
        Without covariates; those of a kind of customer are ``model.at(…)``.
    purchases : sequence
        The times of the customer's orders, of any kind that `headwater.clv.summarize` takes.
    until : str or datetime, optional
        Where the path ends; at the last purchase by default.
    period : str, timedelta or number of days, optional
        The unit of the model, where it was not given to its ``fit``.
    grain, clock, time_unit
        As in `headwater.clv.summarize`.
    ax : matplotlib Axes, optional
    """
    whole = _whole(model)
    try:
        times = sorted(purchases)
    except TypeError as error:
        raise OptionError(f"option `purchases`: {error}; give the times of one customer's orders") from None
    if not times:
        raise OptionError("option `purchases`: holds no purchase; give the times of one customer's orders")
    # The first purchase beside each one tells the age at which that one was made.
    pairs = {
        "customer": [i for i, _ in enumerate(times) for _ in range(2)],
        "time": [at for time in times for at in (times[0], time)],
    }
    unit = model._unit(period)
    found = summarize(
        pairs,
        value=None,
        period=unit,
        grain=grain,
        observation_end=until,
        clock=clock,
        time_unit=time_unit,
        report={},  # what came after `until` is left out on purpose
    )
    repeats, recencies, ends = columns(found, "frequency", "recency", "T")
    ages = sorted({age for repeat, age in zip(repeats, recencies, strict=True) if repeat})
    histories = []
    for age in sorted({*_steps(ends[0], whole, 100), *ages}):
        bought = bisect_right(ages, age)
        if age in ages and not whole:  # just before it, for the jump
            histories.append((bought - 1, ages[bought - 2] if bought > 1 else 0.0, age))
        histories.append((bought, ages[bought - 1] if bought else 0.0, age))
    ax = axes(ax)
    alive = _ask(model, histories, "p_alive", period=unit)
    ax.plot([age for _, _, age in histories], alive, color="#4477aa", label="P(alive)")
    for i, age in enumerate([0.0, *ages]):
        line = ax.axvline(age, color="#cc3311", linestyle=":", linewidth=1)
        if i == 0:
            line.set_label("purchase")
    ax.set_xlabel(f"age in periods of {unit}" if isinstance(unit, str) else "age in periods")
    ax.set(ylabel="probability of being alive", title="Alive path of a customer", ylim=(0, 1.05))
    ax.legend(loc="lower left")
    return ax


def _matrix(model: Any, T: float, periods: float, most: int, column: str, ax: Axes | None) -> Axes:
    whole = _whole(model)
    if not (math.isfinite(T) and T > 0) or whole and int(T) != T:
        of = "a whole number of opportunities" if whole else "one"
        raise OptionError(f"option `T`: {T!r} is no age of customers; give {of} above 0, such as 39")
    if most < 1:
        raise OptionError(f"option `most`: must be at least 1, not {most}")
    recencies = _steps(T, whole, 40)
    most = min(most, int(T)) if whole else most
    cells = [
        (frequency, recency)
        for frequency in range(most + 1)
        for recency in recencies
        if (frequency == 0) == (recency == 0) and (not whole or frequency <= recency)
    ]
    found = _ask(model, [(*cell, T) for cell in cells], column, periods=periods)
    told = dict(zip(cells, found, strict=True))
    grid = [[told.get((x, y), math.nan) for x in range(most + 1)] for y in recencies]
    half = recencies[1] / 2
    ax = axes(ax, 7.0, 6.0)
    image = ax.imshow(
        grid,
        origin="lower",
        aspect="auto",
        cmap="viridis",
        extent=(-0.5, most + 0.5, -half, recencies[-1] + half),
        vmin=0,
        vmax=1 if column == "p_alive" else None,
        interpolation="nearest",
    )
    ax.figure.colorbar(image, ax=ax, label=column.replace("_", " "), shrink=0.8)
    ax.locator_params(axis="x", integer=True)
    ax.set(xlabel="frequency (repeat purchases)", ylabel="recency (age at the last purchase)")
    return ax


def _ask(
    model: Any, histories: Sequence[tuple[float, float, float]], column: str, **options: Any
) -> list[Any]:
    """What the model predicts of customers of these (frequency, recency, T)."""
    frequency, recency, age = (list(values) for values in zip(*histories, strict=True))
    rows = {"customer": list(range(len(age))), "frequency": frequency, "recency": recency, "T": age}
    return columns(model.predict(rows, **options), column)[0]


def _steps(T: float, whole: bool, count: int) -> list[float]:
    """Ages from 0 to T, whole opportunities where the law has no others."""
    if whole:
        return [float(age) for age in range(0, int(T) + 1, math.ceil(T / count) or 1)]
    return [T * i / count for i in range(count + 1)]


def _whole(model: Any) -> bool:
    """Whether the law knows whole periods only; refuses what cannot be asked about any history."""
    if not isinstance(model, (Purchases, Posterior)):
        raise OptionError(
            f"option `model`: is {given(model)}, which cannot be asked about any history; give a "
            "fitted law of purchases, such as BetaGeo, or draws of one"
        )
    if model.covariates_:
        raise OptionError(
            f"option `model`: has covariates ({', '.join(model.covariates_)}), of which a history tells "
            "nothing; give the law of one kind of customer, model.at(…)"
        )
    law = model.model if isinstance(model, Posterior) else type(model).__name__
    return law == "BetaGeoBetaBinomial"
