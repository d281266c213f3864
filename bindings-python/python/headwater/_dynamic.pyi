from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Self, TypedDict, Unpack

from . import _call
from ._buyers import Covariates
from ._likelihood import _Likelihood
from ._posterior import Posterior
from ._spend import GammaGamma

class Sources(TypedDict, total=False):
    customer: str
    time: str
    value: str | None
    refunds: Literal["error", "drop", "net"]
    grain: _call.Span
    observation_end: _call.When | None
    time_unit: Literal["s", "ms", "us", "ns"] | None
    on_invalid: Literal["error", "drop"]

class _Dynamic(_Likelihood):
    dropped_covariates_: Any
    covariates_: Sequence[str]

    @property
    def effects_verdict_(self) -> str: ...
    @property
    def means_(self) -> dict[str, float]: ...
    @property
    def references_(self) -> dict[str, str]: ...

class DynamicParetoNBD(_Dynamic):
    penalty: float
    max_iterations: int
    tolerance: float

    def __init__(self, penalty: float = 0.0, max_iterations: int = 200, tolerance: float = 1e-09) -> None: ...
    @classmethod
    def from_params(
        cls,
        params: Mapping[str, float],
        *,
        means: Mapping[str, float] | None = None,
        references: Mapping[str, str] | None = None,
        period: _call.Span = "1d",
    ) -> Self: ...
    def fit(
        self,
        orders: Any,
        along: Any,
        *,
        covariates: Covariates,
        period: _call.Span = "1d",
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Self: ...
    def posterior(
        self,
        orders: Any,
        along: Any,
        method: Literal["nuts", "laplace", "bootstrap"] = "nuts",
        *,
        covariates: Covariates,
        period: _call.Span = "1d",
        chains: int | None = None,
        draws: int | None = None,
        tune: int | None = None,
        target_accept: float | None = None,
        max_depth: int | None = None,
        prior: Literal["weak", "flat"] | None = None,
        priors: Mapping[str, Mapping[str, float]] | None = None,
        coefficient_sd: float | None = None,
        replicates: int | None = None,
        seed: int = 0,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Posterior: ...
    def predict(
        self,
        orders: Any,
        along: Any,
        periods: _call.Horizon = 1.0,
        *,
        interval: float | None = None,
        discount_rate: _call.Discount | None = None,
        ahead: _call.Horizon | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
        probabilities: int | None = None,
        own_rates: bool = False,
        log_likelihood: bool = False,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any: ...
    def new_customers(
        self,
        along: Any,
        periods: _call.Horizon = 1.0,
        *,
        interval: float | None = None,
        discount_rate: _call.Discount | None = None,
        ahead: _call.Horizon | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
        probabilities: int | None = None,
        own_rates: bool = False,
        log_likelihood: bool = False,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any: ...
    def check(
        self,
        orders: Any,
        along: Any,
        calibration_end: _call.When,
        *,
        most: int = 7,
        bins: int = 8,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any: ...
    def tracking(
        self,
        orders: Any,
        along: Any,
        *,
        interval: float | None = None,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any: ...
    def lifetime_value(
        self,
        spend: GammaGamma | DynamicGammaGamma | Posterior,
        orders: Any,
        along: Any,
        *,
        periods: _call.Horizon = 52,
        discount_rate: _call.Discount = 0.0,
        margin: float = 1.0,
        interval: float | None = None,
        most_draws: int = 400,
        seed: int = 0,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any: ...

class DynamicGammaGamma(_Dynamic):
    rate: bool
    penalty: float
    max_iterations: int
    tolerance: float

    def __init__(
        self,
        rate: bool = False,
        penalty: float = 0.0,
        max_iterations: int = 200,
        tolerance: float = 1e-09,
    ) -> None: ...
    @property
    def rate_(self) -> dict[str, float] | None: ...
    @classmethod
    def from_params(
        cls,
        params: Mapping[str, float],
        *,
        means: Mapping[str, float] | None = None,
        references: Mapping[str, str] | None = None,
        rate: Mapping[str, float] | None = None,
        period: _call.Span = "1d",
    ) -> Self: ...
    def fit(
        self,
        orders: Any,
        along: Any,
        *,
        covariates: Sequence[str] = (),
        references: Mapping[str, str] | None = None,
        period: _call.Span = "1d",
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Self: ...
    def predict(
        self,
        orders: Any,
        along: Any,
        periods: _call.Horizon = 0.0,
        *,
        interval: float | None = None,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any: ...
