"""Weights of touches that models do not know."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from . import _charts
from .errors import IgnoredWeightsWarning


def heed(found: Mapping[str, Any], *, remedy: bool, depth: int = 3) -> None:
    """Warns where a report says that its models ignored weights."""
    if "ignored_weights" not in found:
        return
    deaf, conversions = _charts.columns(found["ignored_weights"], "model", "conversions")
    text = (
        f"touches weigh differently in the journeys of {conversions[0]:,.10g} conversions, and these "
        f"models know no weights of touches: {', '.join(deaf)}."
    )
    if remedy:
        text += " Pass report={} to take that without this warning"
    warnings.warn(text, IgnoredWeightsWarning, stacklevel=depth)
