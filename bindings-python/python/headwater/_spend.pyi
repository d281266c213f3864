from collections.abc import MutableMapping
from typing import Any, Literal, Self

from . import _call
from ._likelihood import _Likelihood

_OnInvalid = Literal["error", "drop"]

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
    def correlation_(self) -> float | None: ...
    def independence(self) -> Any: ...
    @property
    def mean_spend_(self) -> float | None: ...
    def mean_spend_interval(self, interval: float = 0.95) -> tuple[float | None, float | None]: ...
    def predict(
        self,
        rfm: Any,
        *,
        interval: float | None = None,
        customer: str = "customer",
        frequency: str = "frequency",
        monetary_value: str = "monetary_value",
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def score(self, frequency: float, monetary_value: float) -> float | None: ...
    def score_interval(
        self, frequency: float, monetary_value: float, interval: float = 0.95
    ) -> tuple[float | None, float | None]: ...
