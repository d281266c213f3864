from collections.abc import Iterable
from typing import Any, Literal

from matplotlib.axes import Axes

from . import _call
from ._buyers import Purchases
from ._clock import SeasonalClock
from ._posterior import Posterior

__all__ = ["alive_path", "frequency_recency_matrix", "probability_alive_matrix"]

def frequency_recency_matrix(
    model: Purchases | Posterior, T: float, *, periods: float = 1.0, most: int = 20, ax: Axes | None = None
) -> Axes: ...
def probability_alive_matrix(
    model: Purchases | Posterior, T: float, *, most: int = 20, ax: Axes | None = None
) -> Axes: ...
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
) -> Axes: ...
