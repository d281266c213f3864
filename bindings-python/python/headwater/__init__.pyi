from . import clv, errors, identity, plot, segment, simulate
from ._core import build_info
from ._frames import Frame
from ._models import load
from .attribution import (
    AttributionModel,
    FirstTouch,
    LastNonDirect,
    LastTouch,
    Linear,
    Markov,
    PositionBased,
    Shapley,
    TimeDecay,
    attribute,
)
from .errors import (
    CancelledError,
    ColumnError,
    DroppedRowsWarning,
    FileError,
    HeadwaterError,
    InternalError,
    ModelFileError,
    NotConvergedError,
    NotEnoughDataError,
    NotFittedError,
    OptionError,
    RowError,
)
from .identity import IdentityGraph, IdentityRules, Namespace, Observation, Stitched, stitch
from .journeys import Journeys

__all__ = [
    "AttributionModel",
    "CancelledError",
    "ColumnError",
    "DroppedRowsWarning",
    "FileError",
    "FirstTouch",
    "Frame",
    "HeadwaterError",
    "IdentityGraph",
    "IdentityRules",
    "InternalError",
    "Journeys",
    "LastNonDirect",
    "LastTouch",
    "Linear",
    "Markov",
    "ModelFileError",
    "Namespace",
    "NotConvergedError",
    "NotEnoughDataError",
    "NotFittedError",
    "Observation",
    "OptionError",
    "PositionBased",
    "RowError",
    "Shapley",
    "Stitched",
    "TimeDecay",
    "attribute",
    "build_info",
    "clv",
    "errors",
    "identity",
    "load",
    "plot",
    "segment",
    "simulate",
    "stitch",
]
__version__: str
