"""Customer analytics: who a customer is, what brought them, what they are worth, who they resemble.

Frames of any kind go in (pandas, Polars, PyArrow, DuckDB, anything with the
Arrow PyCapsule interface, or a dict of columns), and results come out in the
same kind. Long calls take ``progress=True`` and stop on Ctrl-C; the same seed
gives the same bits for any number of threads, and in Rust and Node too.
"""

from __future__ import annotations

import os as _os
import warnings as _warnings

from . import channels, clv, errors, identity, plot, segment, simulate
from ._bootstrap import bootstrap
from ._builder import JourneyBuilder
from ._callback import Touch
from ._core import build_info
from ._frames import Frame
from ._learned import (
    AdditiveHazard,
    Logistic,
    PathCounterfactual,
    ShaoLi,
    TimeToEvent,
    segmented,
    validate,
)
from ._levels import attribute_levels
from ._models import load
from .attribution import (
    AttributionModel,
    Custom,
    FirstTouch,
    FittedModel,
    LastNonDirect,
    LastTouch,
    Linear,
    Markov,
    PositionBased,
    Shapley,
    TimeDecay,
    attribute,
    choose_order,
)
from .channels import ChannelRules
from .errors import (
    CancelledError,
    ColumnError,
    DroppedRowsWarning,
    FileError,
    HeadwaterError,
    IgnoredWeightsWarning,
    InternalError,
    ModelFileError,
    NotConvergedError,
    NotEnoughDataError,
    NotFittedError,
    OptionError,
    RowError,
)
from .identity import IdentityGraph, IdentityRules, Namespace, Observation, Stitched, stitch
from .journeys import Journeys, PathCounts
from .trust import (
    calibrate,
    choose_half_life,
    choose_lookback,
    compare,
    credits_by_weights,
    difference,
    drift,
    money,
    self_controlled,
)

__all__ = [
    "AdditiveHazard",
    "AttributionModel",
    "CancelledError",
    "ChannelRules",
    "ColumnError",
    "Custom",
    "DroppedRowsWarning",
    "FileError",
    "FirstTouch",
    "FittedModel",
    "Frame",
    "HeadwaterError",
    "IgnoredWeightsWarning",
    "IdentityGraph",
    "IdentityRules",
    "InternalError",
    "JourneyBuilder",
    "Journeys",
    "LastNonDirect",
    "LastTouch",
    "Linear",
    "Logistic",
    "Markov",
    "ModelFileError",
    "Namespace",
    "NotConvergedError",
    "NotEnoughDataError",
    "NotFittedError",
    "Observation",
    "OptionError",
    "PathCounterfactual",
    "PathCounts",
    "PositionBased",
    "RowError",
    "ShaoLi",
    "Shapley",
    "Stitched",
    "TimeDecay",
    "TimeToEvent",
    "Touch",
    "attribute",
    "attribute_levels",
    "bootstrap",
    "choose_order",
    "build_info",
    "channels",
    "calibrate",
    "choose_half_life",
    "choose_lookback",
    "clv",
    "compare",
    "credits_by_weights",
    "difference",
    "drift",
    "errors",
    "identity",
    "load",
    "money",
    "plot",
    "segment",
    "self_controlled",
    "segmented",
    "simulate",
    "stitch",
    "validate",
]

__version__: str = build_info()["version"]

if build_info()["profile"] == "debug" and not _os.environ.get("HEADWATER_ALLOW_DEBUG"):
    _warnings.warn(
        "headwater was built without optimisation and is slow; build it with `maturin develop --release`, "
        "or set HEADWATER_ALLOW_DEBUG=1",
        RuntimeWarning,
        stacklevel=2,
    )
