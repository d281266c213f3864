from collections.abc import MutableMapping
from typing import Any, Literal, Self

from . import _call
from ._models import Fitted

_OnInvalid = Literal["error", "drop"]

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

class Purchases(_Likelihood):
    penalty: float
    max_iterations: int
    tolerance: float

    def __init__(self, penalty: float = 0.0, max_iterations: int = 200, tolerance: float = 1e-09) -> None: ...
    def fit(
        self,
        rfm: Any,
        *,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        weight: str | None = None,
        log_intervals: str | None = None,
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
        purchase_interval: float | None = None,
        ahead: float | None = None,
        discount_rate: float | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
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
    def probabilities(
        self, frequency: float, recency: float, T: float, periods: float = 1.0, most: int = 10
    ) -> list[float]: ...
    def frequencies(
        self,
        rfm: Any,
        *,
        most: int = 7,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        weight: str | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def check(
        self,
        rfm: Any,
        *,
        most: int = 7,
        bins: int = 8,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        frequency_holdout: str = "frequency_holdout",
        duration_holdout: str = "duration_holdout",
        cohort: str | None = None,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...

class _Regular(Purchases):
    k: int

    def __init__(
        self, k: int = 2, penalty: float = 0.0, max_iterations: int = 200, tolerance: float = 1e-09
    ) -> None: ...

class BetaGeo(Purchases):
    @classmethod
    def from_params(
        cls, r: float, alpha: float, a: float, b: float, period: _call.Span | None = None
    ) -> Self: ...

class ModifiedBetaGeo(Purchases):
    @classmethod
    def from_params(
        cls, r: float, alpha: float, a: float, b: float, period: _call.Span | None = None
    ) -> Self: ...

class ParetoNBD(Purchases):
    @classmethod
    def from_params(
        cls, r: float, alpha: float, s: float, beta: float, period: _call.Span | None = None
    ) -> Self: ...

class BetaGeoCNBD(_Regular):
    @classmethod
    def from_params(
        cls, r: float, alpha: float, a: float, b: float, period: _call.Span | None = None, k: int = 2
    ) -> Self: ...

class ModifiedBetaGeoCNBD(_Regular):
    @classmethod
    def from_params(
        cls, r: float, alpha: float, a: float, b: float, period: _call.Span | None = None, k: int = 2
    ) -> Self: ...

class GGompertzNBD(Purchases):
    @classmethod
    def from_params(
        cls, r: float, alpha: float, b: float, s: float, beta: float, period: _call.Span | None = None
    ) -> Self: ...

class BetaGeoBetaBinomial(Purchases):
    @classmethod
    def from_params(
        cls, alpha: float, beta: float, gamma: float, delta: float, period: _call.Span | None = None
    ) -> Self: ...

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
