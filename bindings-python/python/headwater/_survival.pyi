from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self

from . import _call, _core
from ._likelihood import _Likelihood

_OnInvalid = Literal["error", "drop"]
_RankTest = Literal["log_rank", "wilcoxon", "tarone_ware", "fleming_harrington"]

def _ask(
    name: str,
    options: dict[str, Any],
    frame: Any = None,
    columns: Sequence[str | None] = (),
    *,
    model: _core.Model | None = None,
    level: int = 4,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def kaplan_meier(
    frame: Any,
    *,
    duration: str = "duration",
    event: str = "event",
    entry: str | None = None,
    weight: str | None = None,
    group: str | None = None,
    level: float = 0.95,
    interval: Literal["log_log", "plain"] = "log_log",
    quantiles: Sequence[float] = (0.25, 0.5, 0.75),
    horizon: float | None = None,
    test: _RankTest = "log_rank",
    rho: float = 1.0,
    gamma: float = 0.0,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def nelson_aalen(
    frame: Any,
    *,
    duration: str = "duration",
    event: str = "event",
    entry: str | None = None,
    weight: str | None = None,
    group: str | None = None,
    level: float = 0.95,
    ties: Literal["together", "split"] = "together",
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def survival_scores(
    frame: Any,
    *,
    duration: str = "duration",
    event: str = "event",
    risk: str | None = None,
    survival: Sequence[str] = (),
    horizons: Sequence[float] = (),
    tau: float | None = None,
    bins: int = 10,
    level: float = 0.95,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...

class _Leavers(_Likelihood): ...

class _Survival(_Leavers):
    def summary(self, level: float = 0.95, *, report: MutableMapping[str, Any] | None = None) -> Any: ...
    def predict(
        self,
        frame: Any,
        *,
        customer: str | None = None,
        age: str | None = None,
        horizons: Sequence[float] = (),
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def early_warning(
        self,
        frame: Any,
        *,
        customer: str | None = None,
        age: str = "duration",
        event: str | None = None,
        horizon: float = 1.0,
        top: int = 100,
        reasons: int = 3,
        threshold: float = 0.0,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def scores(
        self,
        frame: Any,
        *,
        duration: str | None = None,
        event: str | None = None,
        horizons: Sequence[float] = (),
        tau: float | None = None,
        bins: int = 10,
        level: float = 0.95,
        on_invalid: _OnInvalid = "error",
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...

class Cox(_Survival):
    ties: Literal["efron", "breslow"]
    penalty: float
    max_iterations: int
    tolerance: float

    def __init__(
        self,
        ties: Literal["efron", "breslow"] = "efron",
        penalty: float = 0.0,
        max_iterations: int = 100,
        tolerance: float = 1e-09,
    ) -> None: ...
    def fit(
        self,
        frame: Any,
        *,
        duration: str = "duration",
        event: str = "event",
        covariates: Sequence[str],
        references: Mapping[str, str] | None = None,
        entry: str | None = None,
        weight: str | None = None,
        weighting: Literal["frequency", "sampling"] = "frequency",
        strata: str | None = None,
        robust: bool = False,
        cluster: str | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    def baseline(self) -> Any: ...
    def proportional_hazards(self) -> Any: ...

class DiscreteHazard(_Survival):
    link: Literal["logit", "cloglog"]
    baseline: Literal["periods", "constant", "linear", "log", "given"]
    intercepts: Sequence[float] | None
    penalty: float
    max_iterations: int
    tolerance: float

    def __init__(
        self,
        link: Literal["logit", "cloglog"] = "logit",
        baseline: Literal["periods", "constant", "linear", "log", "given"] = "periods",
        intercepts: Sequence[float] | None = None,
        penalty: float = 0.0,
        max_iterations: int = 100,
        tolerance: float = 1e-09,
    ) -> None: ...
    def fit(
        self,
        frame: Any,
        *,
        duration: str = "duration",
        event: str = "event",
        covariates: Sequence[str] = (),
        references: Mapping[str, str] | None = None,
        entry: str | None = None,
        weight: str | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
    def hazards(self) -> Any: ...

class Aft(_Survival):
    distribution: Literal["weibull", "log_normal", "log_logistic", "exponential"]
    penalty: float
    max_iterations: int
    tolerance: float

    def __init__(
        self,
        distribution: Literal["weibull", "log_normal", "log_logistic", "exponential"] = "weibull",
        penalty: float = 0.0,
        max_iterations: int = 100,
        tolerance: float = 1e-09,
    ) -> None: ...
    def fit(
        self,
        frame: Any,
        *,
        duration: str = "duration",
        event: str = "event",
        covariates: Sequence[str] = (),
        references: Mapping[str, str] | None = None,
        entry: str | None = None,
        weight: str | None = None,
        on_invalid: _OnInvalid = "error",
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Self: ...
