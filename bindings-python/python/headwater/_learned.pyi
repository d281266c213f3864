from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal

from . import _call
from .attribution import AttributionModel, FittedModel
from .journeys import Journeys

__all__ = [
    "AdditiveHazard",
    "Logistic",
    "PathCounterfactual",
    "ShaoLi",
    "TimeToEvent",
    "segmented",
    "validate",
]

_Model = str | AttributionModel | Mapping[str, Any]

class _Learned(FittedModel):
    @property
    def channels_(self) -> list[str]: ...
    def diagnostics(self) -> Any: ...

class _Regularised(_Learned):
    def tried(self) -> Any: ...

class _Incremental(_Regularised):
    def incremental(self) -> Any: ...

class PathCounterfactual(_Regularised):
    transform: Literal["exposure", "unique", "first", "frequency"]
    smoothing: float | None
    penalties: list[float]
    folds: int

    def __init__(
        self,
        transform: Literal["exposure", "unique", "first", "frequency"] = "exposure",
        smoothing: float | None = 0.0,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
        folds: int = 5,
    ) -> None: ...
    def rates(self) -> Any: ...

class ShaoLi(_Regularised):
    scope: Literal["global", "journey"]
    smoothing: float | None
    penalties: list[float]
    folds: int

    def __init__(
        self,
        scope: Literal["global", "journey"] = "global",
        smoothing: float | None = 0.0,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
        folds: int = 5,
    ) -> None: ...
    def contributions(self) -> Any: ...

class Logistic(_Incremental):
    features: Literal["presence", "counts"]
    cap: int
    penalty: float | None
    penalties: list[float]
    folds: int
    non_negative: bool
    bags: int
    sample_share: float
    feature_share: float
    credit: Literal["counterfactual", "coefficient"]
    max_iterations: int

    def __init__(
        self,
        features: Literal["presence", "counts"] = "presence",
        cap: int = 10,
        penalty: float | None = None,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
        folds: int = 5,
        non_negative: bool = True,
        bags: int = 20,
        sample_share: float = 0.5,
        feature_share: float = 0.5,
        credit: Literal["counterfactual", "coefficient"] = "counterfactual",
        max_iterations: int = 100,
    ) -> None: ...
    def coefficients(self) -> Any: ...

class TimeToEvent(_Incremental):
    link: Literal["log", "additive"]
    ages: list[_call.Span]
    cap: int
    horizon: _call.Span
    penalty: float | None
    non_negative: bool
    baseline: Literal["exclude", "share"]
    max_iterations: int
    penalties: list[float]
    folds: int

    def __init__(
        self,
        link: Literal["log", "additive"] = "log",
        ages: Sequence[_call.Span] = ("1d", "7d", "14d"),
        cap: int = 5,
        horizon: _call.Span = "30d",
        penalty: float | None = 1.0,
        non_negative: bool = True,
        baseline: Literal["exclude", "share"] = "exclude",
        max_iterations: int = 100,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
        folds: int = 5,
    ) -> None: ...
    def effects(self) -> Any: ...

class AdditiveHazard(_Incremental):
    effect: float | None
    delay: _call.Span
    effect_prior: float | None
    decay_prior: float | None
    baseline_hazard: bool
    baseline: Literal["exclude", "share"]
    horizon: _call.Span
    method: Literal["newton", "em"]
    max_iterations: int
    tolerance: float
    penalties: list[float]
    folds: int

    def __init__(
        self,
        effect: float | None = None,
        delay: _call.Span = "7d",
        effect_prior: float | None = 1.0,
        decay_prior: float | None = 1.0,
        baseline_hazard: bool = False,
        baseline: Literal["exclude", "share"] = "exclude",
        horizon: _call.Span = "30d",
        method: Literal["newton", "em"] = "newton",
        max_iterations: int = 100,
        tolerance: float = 1e-09,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
        folds: int = 5,
    ) -> None: ...
    def effects(self) -> Any: ...
    def trace(self) -> Any: ...

def validate(
    journeys: Journeys,
    models: _Model | Sequence[_Model],
    *,
    folds: int = 5,
    bins: int = 10,
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: Literal["percentile", "basic", "normal"] = "percentile",
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def segmented(
    journeys: Journeys,
    model: _Model,
    segments: Any,
    *,
    customer: str = "customer",
    segment: str = "segment",
    shrinkage: float | None = None,
    customers: bool = False,
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: Literal["percentile", "basic", "normal"] = "percentile",
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
