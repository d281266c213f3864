from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self

from . import _call
from ._callback import Rule
from ._models import Fitted
from .journeys import Journeys

__all__ = [
    "AttributionModel",
    "Custom",
    "FirstTouch",
    "FittedModel",
    "LastNonDirect",
    "LastTouch",
    "Linear",
    "Markov",
    "PositionBased",
    "Shapley",
    "TimeDecay",
    "attribute",
    "choose_order",
]

class AttributionModel:
    def score(self, path: Sequence[str], times: Sequence[_call.Moment] | None = None) -> list[float]: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
    def __repr__(self) -> str: ...

class FirstTouch(AttributionModel): ...
class LastTouch(AttributionModel): ...

class LastNonDirect(AttributionModel):
    direct: list[str] | None

    def __init__(self, direct: Sequence[str] | None = None) -> None: ...

class Linear(AttributionModel): ...

class PositionBased(AttributionModel):
    first: float
    last: float

    def __init__(self, first: float = 0.4, last: float = 0.4) -> None: ...

class TimeDecay(AttributionModel):
    half_life: _call.Span

    def __init__(self, half_life: _call.Span = "7d") -> None: ...

class Custom(AttributionModel):
    from_start: Sequence[float] | None
    from_end: Sequence[float] | None
    channels: dict[str, float] | None
    other_channels: float
    ages: list[dict[str, Any]] | None
    older: float
    name: str | None
    def __init__(
        self,
        *,
        from_start: Sequence[float] | None = None,
        from_end: Sequence[float] | None = None,
        channels: Mapping[str, float] | None = None,
        other_channels: float = 1.0,
        ages: Sequence[tuple[_call.Span, float]] | None = None,
        older: float = 0.0,
        name: str | None = None,
    ) -> None: ...

_Model = str | AttributionModel | Mapping[str, Any] | Rule

class FittedModel(Fitted, AttributionModel):
    def fit(
        self,
        journeys: Journeys,
        *,
        seed: int = 0,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    def score(
        self,
        path: Sequence[str],
        times: Sequence[_call.Moment] | None = None,
        end: _call.Moment | None = None,
    ) -> list[float]: ...
    def predict(
        self,
        path: Sequence[str],
        times: Sequence[_call.Moment] | None = None,
        end: _call.Moment | None = None,
    ) -> float: ...

class Markov(FittedModel):
    order: int
    repeats: Literal["collapse", "keep"]
    removal: Literal["null", "reconnect", "skip", "fail", "fail_refit"]
    split: Literal["removal", "journey"]
    negative: Literal["clamp", "keep"]

    def __init__(
        self,
        order: int = 1,
        repeats: Literal["collapse", "keep"] = "collapse",
        removal: Literal["null", "reconnect", "skip", "fail", "fail_refit"] = "null",
        split: Literal["removal", "journey"] = "removal",
        negative: Literal["clamp", "keep"] = "clamp",
    ) -> None: ...
    @property
    def channels_(self) -> list[str]: ...
    @property
    def removal_effects_(self) -> dict[str, float]: ...
    @property
    def removal_effects_value_(self) -> dict[str, float]: ...
    @property
    def conversion_probability_(self) -> float: ...
    @property
    def value_per_journey_(self) -> float: ...
    def transitions(self) -> Any: ...
    def states(
        self,
        *,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def joint_effects(
        self,
        sets: Sequence[Sequence[str]] = (),
        sequences: Sequence[Sequence[str]] = (),
        *,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def plot(self, **options: Any) -> Any: ...

class Shapley(FittedModel):
    worth: Literal["conversions", "rate", "exact_set_rate", "exact_set_conversions", "journey_rate", "table"]
    worths: list[dict[str, Any]] | None
    missing: Literal["zero", "nearest_subset", "error"]
    samples: int
    negative: Literal["keep", "clamp"]

    def __init__(
        self,
        worth: Literal[
            "conversions", "rate", "exact_set_rate", "exact_set_conversions", "journey_rate", "table"
        ] = "conversions",
        worths: Sequence[Mapping[str, Any]] | None = None,
        missing: Literal["zero", "nearest_subset", "error"] = "zero",
        samples: int = 4096,
        negative: Literal["keep", "clamp"] = "keep",
    ) -> None: ...
    def score(
        self,
        path: Sequence[str],
        times: Sequence[_call.Moment] | None = None,
        end: _call.Moment | None = None,
    ) -> list[float]: ...
    @property
    def channels_(self) -> list[str]: ...
    @property
    def values_(self) -> dict[str, float]: ...
    def values(self) -> Any: ...
    def positions(self) -> Any: ...
    def dividends(
        self, top: int = 100, *, threads: int | None = None, progress: _call.Progress = None
    ) -> Any: ...
    def synergies(self, *, threads: int | None = None, progress: _call.Progress = None) -> Any: ...

def attribute(
    journeys: Journeys,
    models: _Model | Sequence[_Model],
    *,
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: Literal["percentile", "basic", "normal"] = "percentile",
    lifetime: Any = None,
    lifetime_customer: str = "customer",
    lifetime_value: str = "lifetime_value",
    lifetime_mode: Literal["first_conversion", "every"] = "first_conversion",
    lifetime_missing: Literal["error", "zero"] = "error",
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def choose_order(
    journeys: Journeys,
    max_order: int = 5,
    *,
    criterion: Literal["held_out", "aic", "bic", "auc"] = "held_out",
    folds: int = 5,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
