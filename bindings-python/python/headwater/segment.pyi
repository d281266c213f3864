from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self

from . import _call
from ._models import Fitted

__all__ = ["KMeans", "rfm"]
_OnInvalid = Literal["error", "drop"]

def rfm(
    orders: Any,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str = "value",
    bins: int = 5,
    snapshot: _call.Moment | None = None,
    convention: Literal[
        "tie_preserving", "rank_first", "quantile", "ntile", "nested", "fixed"
    ] = "tie_preserving",
    breaks: Mapping[str, Sequence[float]] | None = None,
    frequency: Literal["orders", "days"] = "orders",
    monetary: Literal["sum", "mean"] = "sum",
    refunds: Literal["invalid", "net", "keep", "ignore"] = "invalid",
    map: Literal["rf10", "fm11"] | Sequence[Mapping[str, Any]] = "rf10",
    on_invalid: _OnInvalid = "error",
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...

class KMeans(Fitted):
    dropped_: Any
    k: int
    seed: int
    n_init: int
    max_iter: int
    tol: float
    scale: Literal["none", "standard", "range"]
    centers: Sequence[Sequence[float]] | None

    def __init__(
        self,
        k: int = 8,
        *,
        seed: int = 0,
        n_init: int = 1,
        max_iter: int = 300,
        tol: float = 0.0001,
        scale: Literal["none", "standard", "range"] = "none",
        centers: Sequence[Sequence[float]] | None = None,
    ) -> None: ...
    def fit(
        self,
        frame: Any,
        features: Sequence[str],
        *,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    def predict(
        self,
        frame: Any,
        *,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def score(self, row: Sequence[float]) -> tuple[int, float]: ...
    def clusters(self) -> Any: ...
    @property
    def labels_(self) -> Any: ...
    @property
    def rows_(self) -> Any: ...
    @property
    def centers_(self) -> list[list[float]]: ...
    @property
    def features_(self) -> list[str]: ...
    @property
    def inertia_(self) -> float: ...
    @property
    def sizes_(self) -> list[int]: ...
    @property
    def n_iter_(self) -> int: ...
    @property
    def converged_(self) -> bool: ...
