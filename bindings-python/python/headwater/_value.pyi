from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self

from . import _call
from ._survival import _Leavers

_OnInvalid = Literal["error", "drop"]

class ZeroInflatedLognormal(_Leavers):
    learner: Literal["linear", "boosted"]
    sigma: Literal["covariates", "constant"]
    penalty: float | Sequence[float] | None
    penalties: Sequence[float]
    folds: int
    max_iterations: int
    tolerance: float
    trees: int
    learning_rate: float
    depth: int
    min_leaf: int
    patience: int

    def __init__(
        self,
        learner: Literal["linear", "boosted"] = "linear",
        sigma: Literal["covariates", "constant"] = "covariates",
        penalty: float | Sequence[float] | None = 1.0,
        penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0, 1000.0),
        folds: int = 5,
        max_iterations: int = 100,
        tolerance: float = 1e-09,
        trees: int = 300,
        learning_rate: float = 0.1,
        depth: int = 3,
        min_leaf: int = 20,
        patience: int = 25,
    ) -> None: ...
    def fit(
        self,
        frame: Any,
        *,
        target: str = "value",
        covariates: Sequence[str] | None = None,
        references: Mapping[str, str] | None = None,
        customer: str | None = None,
        weight: str | None = None,
        horizon: _call.Span | None = None,
        negative: Literal["error", "zero"] = "error",
        on_invalid: _OnInvalid = "error",
        seed: int = 0,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    def summary(self, level: float = 0.95, *, report: MutableMapping[str, Any] | None = None) -> Any: ...
    def predict(
        self,
        frame: Any,
        *,
        customer: str | None = None,
        quantiles: Sequence[float] = (),
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def score(
        self,
        frame: Any,
        *,
        target: str | None = None,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
