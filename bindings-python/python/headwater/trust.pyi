from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Literal

from . import _call
from ._callback import Rule
from .attribution import AttributionModel
from .journeys import Journeys

__all__ = [
    "calibrate",
    "choose_half_life",
    "choose_lookback",
    "compare",
    "credits_by_weights",
    "difference",
    "drift",
    "money",
    "self_controlled",
]

_Model = str | AttributionModel | Mapping[str, Any] | Rule
_Models = _Model | Sequence[_Model]
_Metric = Literal["share", "conversions", "value", "value_share"]
_Interval = Literal["percentile", "basic", "normal"]

def difference(
    journeys: Journeys,
    models: _Models,
    *,
    other: Journeys | None = None,
    metric: _Metric | Literal["roas", "cpa"] = "share",
    spend: Any = None,
    channel: str = "channel",
    date: str = "date",
    amount: str = "spend",
    bootstrap: int = 1000,
    confidence: float = 0.9,
    interval: _Interval = "percentile",
    on_invalid: Literal["error", "drop"] = "error",
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    lift_tests: Any = None,
    calibration: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def calibrate(
    journeys: Journeys,
    models: _Models = (),
    *,
    lift_tests: Any,
    self_controlled: bool | Mapping[str, Any] = False,
    metric: Literal["conversions", "value"] = "conversions",
    untested: Literal["shrink", "proportional", "none"] = "shrink",
    bootstrap: int = 0,
    confidence: float = 0.9,
    channel: str = "channel",
    start: str = "start",
    end: str = "end",
    effect: str = "effect",
    standard_error: str = "standard_error",
    on_invalid: Literal["error", "drop"] = "error",
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def self_controlled(
    journeys: Journeys,
    *,
    half_lives: Sequence[_call.Span] | None = None,
    wear: Sequence[float] | None = None,
    wear_window: _call.Span = "30d",
    priming_windows: Sequence[_call.Span] | None = None,
    calendar: _call.Span = "7d",
    exclude: Sequence[str] = (),
    confidence: float = 0.9,
    observation_end: _call.Moment | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def money(
    journeys: Journeys,
    models: _Models,
    *,
    spend: Any = None,
    channel: str = "channel",
    date: str = "date",
    amount: str = "spend",
    margin: float = 1.0,
    period: Literal["all", "day", "week", "month"] = "all",
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: _Interval = "percentile",
    on_invalid: Literal["error", "drop"] = "error",
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    lift_tests: Any = None,
    calibration: Mapping[str, Any] | None = None,
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def choose_lookback(
    journeys: Journeys,
    candidates: Sequence[_call.Span] = ("1d", "3d", "7d", "14d", "30d", "60d", "90d"),
    *,
    folds: int = 5,
    rule: Literal["best", "one_standard_error"] = "best",
    observation_end: _call.Moment | None = None,
    exclude: Sequence[str] = (),
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def choose_half_life(
    journeys: Journeys,
    candidates: Sequence[_call.Span] = ("12h", "1d", "2d", "4d", "7d", "14d", "30d"),
    *,
    folds: int = 5,
    rule: Literal["best", "one_standard_error"] = "best",
    observation_end: _call.Moment | None = None,
    exclude: Sequence[str] = (),
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def compare(
    journeys: Journeys,
    models: _Models,
    *,
    truth: Any = None,
    channel: str = "channel",
    true_credit: str = "incremental_conversions",
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: _Interval = "percentile",
    folds: int = 5,
    on_invalid: Literal["error", "drop"] = "error",
    lift_tests: Any = None,
    calibration: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> dict[str, Any]: ...
def drift(
    old: Journeys,
    new: Journeys,
    models: _Models,
    *,
    metric: _Metric = "share",
    bootstrap: int = 1000,
    confidence: float = 0.9,
    interval: _Interval = "percentile",
    false_alarms: float = 0.05,
    least: float = 0.0,
    lift_tests: Any = None,
    calibration: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> dict[str, Any]: ...
def credits_by_weights(
    journeys: Journeys,
    weights: Sequence[float] | Callable[[list[str]], Sequence[float]],
    *,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
