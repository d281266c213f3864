from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, Self, TypedDict

from . import _call
from ._survival import _Leavers

_OnInvalid = Literal["error", "drop"]

class ContractCovariates(TypedDict, total=False):
    alpha: list[str]
    beta: list[str]
    references: dict[str, str]
    alpha_penalty: float
    beta_penalty: float

class _Contract(_Leavers):
    max_iterations: int
    tolerance: float

    def __init__(self, max_iterations: int = 200, tolerance: float = 1e-09) -> None: ...
    def fit(
        self,
        frame: Any,
        *,
        data: Literal["cohorts", "customers"] = "cohorts",
        cohort: str | None = None,
        index: str = "period",
        customers: str = "customers",
        start: int = 0,
        left_truncated: bool = False,
        duration: str = "duration",
        event: str = "event",
        entry: str | None = None,
        weight: str | None = None,
        cohorts: Literal["pooled", "separate"] = "pooled",
        covariates: ContractCovariates | None = None,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    @property
    def effects_verdict_(self) -> str | None: ...
    def summary(self) -> Any: ...
    def fit_summary(self) -> Any: ...
    def coefficients(self) -> Any: ...
    def life_table(self) -> Any: ...
    def survival(
        self,
        periods: int | None = None,
        *,
        interval: float | None = None,
        at: Mapping[str, Any] | None = None,
    ) -> Any: ...
    def value(
        self,
        discount: Mapping[str, Any],
        *,
        tenures: int = 5,
        horizon: int | None = None,
        margin: float = 1.0,
        interval: float | None = None,
        at: Mapping[str, Any] | None = None,
    ) -> Any: ...
    def predict(
        self,
        frame: Any,
        *,
        customer: str = "customer",
        renewals: str = "renewals",
        cohort: str | None = None,
        periods: int = 1,
        discount: Mapping[str, Any] | None = None,
        horizon: int | None = None,
        margin: float = 1.0,
        interval: float | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def compare(self) -> Any: ...

class ShiftedBetaGeo(_Contract):
    @classmethod
    def from_params(cls, alpha: float, beta: float, period: _call.Span | None = None) -> Self: ...

class BetaDiscreteWeibull(_Contract):
    @classmethod
    def from_params(cls, alpha: float, beta: float, c: float, period: _call.Span | None = None) -> Self: ...
