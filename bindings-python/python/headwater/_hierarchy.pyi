from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal

from . import _call
from ._buyers import Covariates
from ._models import Fitted
from ._posterior import Posterior
from ._spend import GammaGamma

class Hierarchy(Fitted):
    model: str | None
    group: str | None
    groups: list[str] | None
    dropped_: Any
    covariates_: Sequence[str]

    def summary(self, level: float = 0.9) -> Any: ...
    def population(self, level: float = 0.9) -> Any: ...
    def draws(self) -> Any: ...
    def posterior(self, group: str | None = None) -> Posterior: ...
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
        monetary_value: str = "monetary_value",
        renewals: str = "renewals",
        discount: Mapping[str, Any] | None = None,
        horizon: int | None = None,
        margin: float = 1.0,
        period: _call.Span | None = None,
        on_invalid: Literal["error", "drop"] = "error",
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
        on_invalid: Literal["error", "drop"] = "error",
        seed: int = 0,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def survival(self, periods: int = 12, *, level: float = 0.9, most_draws: int = 400) -> Any: ...
    def value(
        self,
        discount: Mapping[str, Any],
        *,
        tenures: int = 5,
        horizon: int | None = None,
        margin: float = 1.0,
        level: float = 0.9,
        most_draws: int = 400,
    ) -> Any: ...
    def lifetime_value(
        self,
        spend: Hierarchy | Posterior | GammaGamma,
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
        on_invalid: Literal["error", "drop"] = "error",
        seed: int = 0,
        report: MutableMapping[str, Any] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...

def _rows(model: str | None, group: str | None, options: Mapping[str, Any]) -> list[str | None]: ...
def sample_hierarchy(
    rfm: Any,
    model: str = "BetaGeo",
    *,
    group: str = "group",
    spread: float = 0.5,
    k: int = 1,
    chains: int = 4,
    draws: int = 1000,
    tune: int = 500,
    target_accept: float = 0.95,
    max_depth: int = 10,
    prior: Literal["weak", "flat"] = "weak",
    priors: Mapping[str, Mapping[str, float]] | None = None,
    coefficient_sd: float | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    weight: str | None = None,
    monetary_value: str = "monetary_value",
    contract: Mapping[str, Any] | None = None,
    covariates: Covariates | None = None,
    period: _call.Span | None = None,
    on_invalid: Literal["error", "drop"] = "error",
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Hierarchy: ...
