from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from . import _call
from ._models import Fitted

__all__ = ["SeasonalClock"]

class SeasonalClock(Fitted):
    dropped_: Any
    seasons: str | Sequence[Mapping[str, Any]]
    model: Literal["BetaGeo", "ModifiedBetaGeo", "ParetoNBD", "GGompertzNBD"]
    penalty: float
    def __init__(
        self,
        seasons: str | Sequence[Mapping[str, Any]] = "month",
        *,
        model: Literal["BetaGeo", "ModifiedBetaGeo", "ParetoNBD", "GGompertzNBD"] = "BetaGeo",
        penalty: float = 0.0,
    ) -> None: ...
    @classmethod
    def with_speeds(
        cls,
        speeds: Sequence[float],
        seasons: str | Sequence[Mapping[str, Any]] = "month",
        *,
        period: _call.Span = "1d",
        grain: _call.Span = "1d",
    ) -> Self: ...
    def fit(
        self,
        orders: Any,
        *,
        customer: str = "customer",
        time: str = "time",
        value: str | None = None,
        period: _call.Span = "1d",
        grain: _call.Span = "1d",
        observation_end: _call.When | None = None,
        calibration_end: _call.When | None = None,
        refunds: Literal["error", "drop", "net"] = "error",
        on_invalid: Literal["error", "drop"] = "error",
        time_unit: Literal["s", "ms", "us", "ns"] | None = None,
        max_iterations: int = 50,
        tolerance: float = 1e-7,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    @property
    def speeds_(self) -> dict[str, float]: ...
    def table(self) -> Any: ...
    def fit_summary(self) -> Any: ...
    def span(self, since: _call.Moment, periods: float) -> float: ...
