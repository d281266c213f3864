from collections.abc import MutableMapping
from typing import Any, Literal, Self

from . import _call
from ._models import Fitted

__all__ = ["BetaGeo", "GammaGamma", "forecast_errors", "lifetime_value", "summarize", "tracking"]
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

class _Likelihood(Fitted):
    dropped_: Any

    @property
    def params_(self) -> dict[str, float]: ...
    @property
    def standard_errors_(self) -> dict[str, float | None]: ...
    @property
    def log_likelihood_(self) -> float: ...
    @property
    def verdict_(self) -> str: ...
    def summary(self) -> Any: ...
    def fit_summary(self) -> Any: ...

class BetaGeo(_Likelihood):
    penalty: float
    max_iterations: int
    tolerance: float

    def __init__(self, penalty: float = 0.0, max_iterations: int = 200, tolerance: float = 1e-09) -> None: ...
    @classmethod
    def from_params(
        cls, r: float, alpha: float, a: float, b: float, period: _call.Span | None = None
    ) -> Self: ...
    def fit(
        self,
        rfm: Any,
        *,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        weight: str | None = None,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    def predict(
        self,
        rfm: Any,
        periods: float = 1.0,
        *,
        interval: float | None = None,
        customer: str = "customer",
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def score(
        self, frequency: float, recency: float, T: float, periods: float = 1.0
    ) -> tuple[float, float]: ...
    def new_customer(self, periods: float = 1.0, most: int = 10) -> tuple[float, list[float]]: ...

class GammaGamma(_Likelihood):
    max_iterations: int | None
    tolerance: float | None

    def __init__(self, max_iterations: int | None = None, tolerance: float | None = None) -> None: ...
    @classmethod
    def from_params(cls, p: float, q: float, v: float) -> Self: ...
    def fit(
        self,
        rfm: Any,
        *,
        frequency: str = "frequency",
        monetary_value: str = "monetary_value",
        weight: str | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    @property
    def correlation_(self) -> float: ...
    @property
    def mean_spend_(self) -> float | None: ...
    def predict(
        self,
        rfm: Any,
        *,
        customer: str = "customer",
        frequency: str = "frequency",
        monetary_value: str = "monetary_value",
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def score(self, frequency: float, monetary_value: float) -> float | None: ...

def lifetime_value(
    model: BetaGeo,
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
    model: BetaGeo,
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
