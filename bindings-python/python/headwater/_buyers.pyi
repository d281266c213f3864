from collections.abc import MutableMapping, Sequence
from typing import Any, Literal, Self, TypedDict

from . import _call
from ._likelihood import _Likelihood
from ._spend import GammaGamma as GammaGamma

_OnInvalid = Literal["error", "drop"]
_Edges = tuple[float | None, float | None]

class Covariates(TypedDict, total=False):
    purchase: list[str]
    dropout: list[str]
    equal: list[str]
    references: dict[str, str]
    purchase_penalty: float
    dropout_penalty: float
    dropout_on: Literal["odds", "both", "separate"]

def given(model: Any) -> str: ...

class Purchases(_Likelihood):
    covariates_: Sequence[str]
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
        covariates: Covariates | None = None,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    @property
    def effects_verdict_(self) -> str | None: ...
    def at(self, **covariates: Any) -> Self: ...
    def predict(
        self,
        rfm: Any,
        periods: _call.Horizon = 1.0,
        *,
        interval: float | None = None,
        purchase_interval: float | None = None,
        ahead: _call.Horizon | None = None,
        discount_rate: _call.Discount | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
        probabilities: int | None = None,
        own_rates: bool = False,
        log_likelihood: bool = False,
        customer: str = "customer",
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        log_intervals: str | None = None,
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
    def score_interval(
        self, frequency: float, recency: float, T: float, periods: float = 1.0, interval: float = 0.95
    ) -> tuple[_Edges, _Edges]: ...
    def probabilities_interval(
        self,
        frequency: float,
        recency: float,
        T: float,
        periods: float = 1.0,
        most: int = 10,
        interval: float = 0.95,
    ) -> list[_Edges]: ...
    def new_customer_interval(
        self, periods: float = 1.0, most: int = 10, interval: float = 0.95
    ) -> tuple[_Edges, list[_Edges]]: ...
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
        report: MutableMapping[str, Any] | None = None,
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

def law(model: Any, name: str = "model") -> None: ...

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

class ParetoGGG(Purchases):
    @classmethod
    def from_params(
        cls,
        t: float,
        gamma: float,
        r: float,
        alpha: float,
        s: float,
        beta: float,
        period: _call.Span | None = None,
    ) -> Self: ...

class NBD(Purchases):
    @classmethod
    def from_params(cls, r: float, alpha: float, period: _call.Span | None = None) -> Self: ...

class AbeParetoNBD(Purchases):
    @classmethod
    def from_params(
        cls,
        lambda_: float,
        sigma_lambda: float,
        mu: float,
        sigma_mu: float,
        odds: float = 1.0,
        period: _call.Span | None = None,
    ) -> Self: ...
    def correlation(self) -> Any: ...
    @property
    def correlation_(self) -> float: ...

class BetaGeoBetaBinomial(Purchases):
    @classmethod
    def from_params(
        cls, alpha: float, beta: float, gamma: float, delta: float, period: _call.Span | None = None
    ) -> Self: ...
