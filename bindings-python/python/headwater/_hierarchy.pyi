from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

from . import _call
from ._models import Fitted

class Hierarchy(Fitted):
    group: str | None
    groups: list[str] | None
    dropped_: Any

    def summary(self, level: float = 0.9) -> Any: ...
    def population(self, level: float = 0.9) -> Any: ...
    def fit_summary(self) -> Any: ...
    def predict(
        self,
        rfm: Any,
        periods: _call.Horizon = 1.0,
        *,
        level: float = 0.9,
        purchase_interval: float | None = None,
        ahead: _call.Horizon | None = None,
        discount_rate: _call.Discount | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
        probabilities: int | None = None,
        most_draws: int = 400,
        customer: str = "customer",
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        period: _call.Span | None = None,
        on_invalid: Literal["error", "drop"] = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...

def sample_hierarchy(
    rfm: Any,
    model: str = "BetaGeo",
    *,
    group: str = "group",
    spread: float = 0.5,
    k: int = 1,
    chains: int = 4,
    draws: int = 1000,
    tune: int = 500,
    target_accept: float = 0.95,
    max_depth: int = 10,
    prior: Literal["weak", "flat"] = "weak",
    priors: Mapping[str, Mapping[str, float]] | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    period: _call.Span | None = None,
    on_invalid: Literal["error", "drop"] = "error",
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Hierarchy: ...
