from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, Unpack

from . import _call
from ._buyers import Covariates
from ._dynamic import Sources
from ._models import Fitted
from ._spend import GammaGamma

_OnInvalid = Literal["error", "drop"]
_Prior = Literal["weak", "flat"]
_SPEND: str
_RETENTION: tuple[str, ...]

class Posterior(Fitted):
    model: str | None
    method: str | None
    dropped_: Any
    covariates_: Sequence[str]

    def summary(self, level: float = 0.9) -> Any: ...
    def draws(self) -> Any: ...
    def fit_summary(self) -> Any: ...
    def predict(
        self,
        rfm: Any,
        periods: _call.Horizon = 1.0,
        *,
        level: float = 0.9,
        purchase_interval: float | None = None,
        ahead: _call.Horizon | None = None,
        discount_rate: _call.Discount | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
        probabilities: int | None = None,
        most_draws: int = 400,
        customer: str = "customer",
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        log_intervals: str | None = None,
        monetary_value: str = "monetary_value",
        renewals: str = "renewals",
        discount: Mapping[str, Any] | None = None,
        horizon: int | None = None,
        margin: float = 1.0,
        period: _call.Span | None = None,
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
        level: float = 0.9,
        most_draws: int = 400,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        monetary_value: str = "monetary_value",
        contract: Mapping[str, Any] | None = None,
        weight: str | None = None,
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        seed: int = 0,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def survival(
        self,
        periods: int = 12,
        *,
        level: float = 0.9,
        most_draws: int = 400,
        at: Mapping[str, Any] | None = None,
    ) -> Any: ...
    def value(
        self,
        discount: Mapping[str, Any],
        *,
        tenures: int = 5,
        horizon: int | None = None,
        margin: float = 1.0,
        level: float = 0.9,
        most_draws: int = 400,
        at: Mapping[str, Any] | None = None,
    ) -> Any: ...
    def predict_along(
        self,
        orders: Any,
        along: Any,
        periods: _call.Horizon = 1.0,
        *,
        level: float = 0.9,
        purchase_interval: float | None = None,
        ahead: _call.Horizon | None = None,
        discount_rate: _call.Discount | None = None,
        next_purchase: float | None = None,
        rate: bool = False,
        probabilities: int | None = None,
        most_draws: int = 400,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
        **sources: Unpack[Sources],
    ) -> Any: ...
    def lifetime_value(
        self,
        spend: Posterior | GammaGamma,
        rfm: Any,
        *,
        periods: _call.Horizon = 52,
        discount_rate: _call.Discount = 0.0,
        margin: float = 1.0,
        interval: float | None = None,
        most_draws: int = 400,
        customer: str = "customer",
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        monetary_value: str = "monetary_value",
        period: _call.Span | None = None,
        on_invalid: _OnInvalid = "error",
        seed: int = 0,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...

def _explaining(body: Mapping[str, Any]) -> list[str]: ...
def _is(model: str | None, *names: str) -> bool: ...
def sample_posterior(
    rfm: Any,
    model: str = "BetaGeo",
    *,
    k: int = 1,
    chains: int = 4,
    draws: int = 1000,
    tune: int = 300,
    target_accept: float = 0.8,
    max_depth: int = 10,
    prior: _Prior = "weak",
    priors: Mapping[str, Mapping[str, float]] | None = None,
    coefficient_sd: float | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    log_intervals: str | None = None,
    monetary_value: str = "monetary_value",
    contract: Mapping[str, Any] | None = None,
    covariates: Covariates | None = None,
    period: _call.Span | None = None,
    on_invalid: _OnInvalid = "error",
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Posterior: ...
def laplace(
    rfm: Any,
    model: str = "BetaGeo",
    *,
    k: int = 1,
    chains: int = 4,
    draws: int = 1000,
    prior: _Prior = "weak",
    priors: Mapping[str, Mapping[str, float]] | None = None,
    coefficient_sd: float | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    log_intervals: str | None = None,
    monetary_value: str = "monetary_value",
    contract: Mapping[str, Any] | None = None,
    covariates: Covariates | None = None,
    period: _call.Span | None = None,
    on_invalid: _OnInvalid = "error",
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Posterior: ...
def bootstrap(
    rfm: Any,
    model: str = "BetaGeo",
    *,
    k: int = 1,
    replicates: int = 1000,
    penalty: float = 0.0,
    max_iterations: int = 200,
    tolerance: float = 1e-5,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    log_intervals: str | None = None,
    monetary_value: str = "monetary_value",
    contract: Mapping[str, Any] | None = None,
    covariates: Covariates | None = None,
    period: _call.Span | None = None,
    on_invalid: _OnInvalid = "error",
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Posterior: ...
