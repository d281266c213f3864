from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal

from . import _call
from .attribution import AttributionModel
from .journeys import Journeys

__all__ = ["bootstrap"]

def bootstrap(
    journeys: Journeys,
    model: str | AttributionModel | Mapping[str, Any],
    statistic: Literal[
        "removal_effects",
        "joint_effects",
        "transitions",
        "states",
        "values",
        "positions",
        "dividends",
        "synergies",
        "coefficients",
        "contributions",
        "rates",
        "effects",
        "incremental",
        "touch_credits",
    ],
    *,
    sets: Sequence[Sequence[str]] = (),
    sequences: Sequence[Sequence[str]] = (),
    top: int | None = None,
    bootstrap: int = 1000,
    confidence: float = 0.9,
    interval: Literal["percentile", "basic", "normal"] = "percentile",
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
