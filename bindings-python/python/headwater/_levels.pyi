from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal

from . import _call
from ._callback import Rule
from .attribution import AttributionModel
from .journeys import Journeys

__all__ = ["attribute_levels"]

_Model = str | AttributionModel | Mapping[str, Any] | Rule

def attribute_levels(
    journeys: Journeys,
    models: _Model | Sequence[_Model],
    *,
    separator: str = "/",
    channels: Mapping[str, Sequence[str]] | None = None,
    own_channels: bool = True,
    bootstrap: int = 0,
    confidence: float = 0.9,
    interval: Literal["percentile", "basic", "normal"] = "percentile",
    report: MutableMapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Any: ...
