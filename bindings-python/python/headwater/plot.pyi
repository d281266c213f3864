from typing import Any

from matplotlib.axes import Axes

from ._plot_customers import alive_path as alive_path
from ._plot_customers import frequency_recency_matrix as frequency_recency_matrix
from ._plot_customers import probability_alive_matrix as probability_alive_matrix
from ._plot_forecast import backtest as backtest
from ._plot_forecast import by_cohort as by_cohort
from ._plot_forecast import conditional as conditional
from ._plot_forecast import deciles as deciles
from ._plot_forecast import errors as errors
from ._plot_forecast import frequencies as frequencies
from ._plot_forecast import posterior_check as posterior_check
from ._plot_forecast import tracking as tracking
from ._plot_journeys import funnel as funnel
from ._plot_journeys import journey_flow as journey_flow
from ._plot_journeys import lag_curves as lag_curves
from ._plot_journeys import overlap as overlap
from ._plot_journeys import sankey as sankey
from ._plot_journeys import step_matrix as step_matrix
from ._plot_journeys import survival as survival
from ._plot_journeys import transitions as transitions

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

def cluster_sizes(people: Any, *, ax: Axes | None = None) -> Axes: ...
def attribution(
    credits: Any, *, metric: str = "conversions", truth: Any = None, ax: Axes | None = None
) -> Axes: ...
def calibration(calibrated: Any, *, model: str | None = None, ax: Axes | None = None) -> Axes: ...
def money(table: Any, *, model: str | None = None, ax: Axes | None = None) -> Axes: ...
def lifetime_value(
    values: Any, *, column: str = "lifetime_value", bins: int = 50, ax: Axes | None = None
) -> Axes: ...
def rfm_map(scores: Any, *, recency: str = "r", frequency: str = "f", ax: Axes | None = None) -> Axes: ...
