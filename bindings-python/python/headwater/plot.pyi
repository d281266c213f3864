from typing import Any

from matplotlib.axes import Axes

__all__ = [
    "attribution",
    "cluster_sizes",
    "journey_flow",
    "lifetime_value",
    "rfm_map",
    "tracking",
    "transitions",
]

def cluster_sizes(people: Any, *, ax: Axes | None = None) -> Axes: ...
def attribution(
    credits: Any, *, metric: str = "conversions", truth: Any = None, ax: Axes | None = None
) -> Axes: ...
def transitions(journeys: Any, *, ax: Axes | None = None) -> Axes: ...
def journey_flow(journeys: Any, *, steps: int = 4, ax: Axes | None = None) -> Axes: ...
def tracking(forecast: Any, *, split: Any = None, ax: Axes | None = None) -> Axes: ...
def lifetime_value(
    values: Any, *, column: str = "lifetime_value", bins: int = 50, ax: Axes | None = None
) -> Axes: ...
def rfm_map(scores: Any, *, recency: str = "r", frequency: str = "f", ax: Axes | None = None) -> Axes: ...
