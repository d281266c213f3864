from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal

from . import _call
from ._buyers import (
    BetaGeo,
    BetaGeoBetaBinomial,
    BetaGeoCNBD,
    GammaGamma,
    GGompertzNBD,
    ModifiedBetaGeo,
    ModifiedBetaGeoCNBD,
    ParetoNBD,
    Purchases,
)

__all__ = [
    "BetaGeo",
    "BetaGeoBetaBinomial",
    "BetaGeoCNBD",
    "GGompertzNBD",
    "GammaGamma",
    "ModifiedBetaGeo",
    "ModifiedBetaGeoCNBD",
    "ParetoNBD",
    "compare",
    "forecast_errors",
    "lifetime_value",
    "summarize",
    "tracking",
]
_OnInvalid = Literal["error", "drop"]
_Refunds = Literal["error", "drop", "net"]
_TimeUnit = Literal["s", "ms", "us", "ns"]

def summarize(
    orders: Any,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str | None = "value",
    period: _call.Span = "1d",
    grain: _call.Span = "1d",
    observation_end: _call.Moment | None = None,
    calibration_end: _call.Moment | None = None,
    include_first: bool = False,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def compare(
    rfm: Any,
    models: Sequence[str | Mapping[str, Any]] = ("BetaGeo", "ModifiedBetaGeo", "ParetoNBD"),
    *,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    frequency_holdout: str = "frequency_holdout",
    duration_holdout: str = "duration_holdout",
    period: _call.Span | None = None,
    penalty: float = 0.0,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def lifetime_value(
    model: Purchases,
    spend: GammaGamma,
    rfm: Any,
    *,
    periods: int = 52,
    discount_rate: float = 0.0,
    margin: float = 1.0,
    customer: str = "customer",
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    monetary_value: str = "monetary_value",
    period: _call.Span | None = None,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def tracking(
    orders: Any,
    model: Purchases,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str | None = None,
    period: _call.Span | None = None,
    grain: _call.Span = "1d",
    observation_end: _call.Moment | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def forecast_errors(
    frame: Any,
    *,
    actual: str = "actual",
    predicted: str = "expected_purchases",
    threads: int | None = None,
    progress: _call.Progress = None,
) -> dict[str, float]: ...
