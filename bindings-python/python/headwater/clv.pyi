from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal

from . import _call
from ._buyers import (
    BetaGeo,
    BetaGeoBetaBinomial,
    BetaGeoCNBD,
    GGompertzNBD,
    ModifiedBetaGeo,
    ModifiedBetaGeoCNBD,
    ParetoGGG,
    ParetoNBD,
    Purchases,
)
from ._clock import SeasonalClock
from ._contract import BetaDiscreteWeibull, ShiftedBetaGeo
from ._dynamic import DynamicGammaGamma, DynamicParetoNBD
from ._finance import (
    chain_ladder,
    chain_ladder_orders,
    cohorts,
    customer_equity,
    historic_value,
    markov_from_orders,
    markov_value,
    simple_value,
)
from ._hierarchy import Hierarchy, sample_hierarchy
from ._posterior import Posterior, bootstrap, laplace, sample_posterior
from ._rfm import RfmBuilder
from ._spend import GammaGamma
from ._survival import Aft, Cox, DiscreteHazard, kaplan_meier, nelson_aalen, survival_scores
from ._value import ZeroInflatedLognormal

__all__ = [
    "Aft",
    "BetaDiscreteWeibull",
    "BetaGeo",
    "BetaGeoBetaBinomial",
    "BetaGeoCNBD",
    "Cox",
    "DiscreteHazard",
    "DynamicGammaGamma",
    "DynamicParetoNBD",
    "GGompertzNBD",
    "GammaGamma",
    "Hierarchy",
    "ModifiedBetaGeo",
    "ModifiedBetaGeoCNBD",
    "ParetoGGG",
    "ParetoNBD",
    "Posterior",
    "RfmBuilder",
    "SeasonalClock",
    "ShiftedBetaGeo",
    "ZeroInflatedLognormal",
    "backtest",
    "bootstrap",
    "chain_ladder",
    "chain_ladder_orders",
    "cohorts",
    "compare",
    "customer_equity",
    "forecast_errors",
    "historic_value",
    "kaplan_meier",
    "laplace",
    "lifetime_value",
    "likelihood_ratio",
    "markov_from_orders",
    "markov_value",
    "nelson_aalen",
    "sample_hierarchy",
    "sample_posterior",
    "simple_value",
    "summarize",
    "survival_scores",
    "tracking",
]
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
    log_intervals: bool = False,
    cohort: str | None = None,
    clock: SeasonalClock | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def compare(
    rfm: Any,
    models: Sequence[str | Mapping[str, Any]] = ("BetaGeo", "ModifiedBetaGeo", "ParetoNBD"),
    *,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    frequency_holdout: str = "frequency_holdout",
    duration_holdout: str = "duration_holdout",
    log_intervals: str | None = None,
    period: _call.Span | None = None,
    penalty: float = 0.0,
    on_invalid: _OnInvalid = "error",
    report: MutableMapping[str, Any] | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def likelihood_ratio(restricted: Purchases, full: Purchases) -> dict[str, Any]: ...
def backtest(
    orders: Any,
    model: str = "BetaGeo",
    *,
    origins: Sequence[_call.Moment],
    horizon: _call.Span = "90d",
    k: int = 1,
    penalty: float = 0.0,
    customer: str = "customer",
    time: str = "time",
    value: str | None = None,
    period: _call.Span = "1d",
    grain: _call.Span = "1d",
    clock: SeasonalClock | None = None,
    refunds: _Refunds = "error",
    on_invalid: _OnInvalid = "error",
    time_unit: _TimeUnit | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
def lifetime_value(
    model: Purchases,
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
    model: Purchases,
    *,
    customer: str = "customer",
    time: str = "time",
    value: str | None = None,
    period: _call.Span | None = None,
    grain: _call.Span = "1d",
    observation_end: _call.Moment | None = None,
    cohort: str | None = None,
    clock: SeasonalClock | None = None,
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
