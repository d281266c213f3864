from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import _call
from ._buyers import Covariates, Purchases
from ._clock import SeasonalClock
from ._posterior import Posterior

class Report(Mapping[str, Any]):
    dropped_: dict[str, Any]

    def __init__(
        self,
        tables: Mapping[str, Any],
        *,
        dropped: Mapping[str, Any] | None = None,
        split: _call.Moment | None = None,
    ) -> None: ...
    def __getitem__(self, table: str) -> Any: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def plot(self, table: str, *, ax: Axes | None = None, **options: Any) -> Axes: ...
    def figure(self) -> Figure: ...

def report(
    model: Purchases,
    rfm: Any,
    *,
    orders: Any = None,
    origins: Sequence[_call.When] = (),
    horizon: _call.Horizon = "90d",
    covariates: Covariates | None = None,
    customers: Any = None,
    posterior: Posterior | None = None,
    interval: float | None = 0.9,
    cohort: str | None = None,
    split: _call.Moment | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    frequency_holdout: str = "frequency_holdout",
    duration_holdout: str = "duration_holdout",
    customer: str = "customer",
    time: str = "time",
    value: str | None = None,
    period: _call.Span | None = None,
    grain: _call.Span = "1d",
    clock: SeasonalClock | None = None,
    refunds: Literal["error", "drop", "net"] = "error",
    on_invalid: Literal["error", "drop"] = "error",
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Report: ...
