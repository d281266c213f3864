"""What can go wrong, one class for each kind of remedy.

Every class has a ``code``, the same string in all languages of the library.
The message says what is wrong, where, and what to do.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "CancelledError",
    "ColumnError",
    "DroppedRowsWarning",
    "FileError",
    "HeadwaterError",
    "IgnoredWeightsWarning",
    "InternalError",
    "ModelFileError",
    "NotConvergedError",
    "NotEnoughDataError",
    "NotFittedError",
    "OptionError",
    "RowError",
]


class HeadwaterError(Exception):
    """The base of every error that this library raises on purpose."""

    code: ClassVar[str] = "HW_ERROR"


class ColumnError(HeadwaterError, ValueError):
    """A column is missing, or is of a type that its role cannot take."""

    code: ClassVar[str] = "HW_COLUMN"
    column: str = ""


class RowError(HeadwaterError, ValueError):
    """Some rows of a column hold values that the role cannot take.

    ``row`` is the first such row, counted from 0, and ``count`` how many there are.
    """

    code: ClassVar[str] = "HW_ROW"
    column: str = ""
    row: int = 0
    count: int = 0


class OptionError(HeadwaterError, ValueError):
    """An option has a value that it cannot take."""

    code: ClassVar[str] = "HW_OPTION"
    option: str = ""


class NotConvergedError(HeadwaterError):
    """An iteration stopped without an answer that can be trusted."""

    code: ClassVar[str] = "HW_NOT_CONVERGED"
    iterations: int = 0
    gradient_norm: float = float("nan")


class NotEnoughDataError(HeadwaterError, ValueError):
    """The data holds nothing that the model could be estimated from."""

    code: ClassVar[str] = "HW_NOT_ENOUGH_DATA"


class ModelFileError(HeadwaterError, ValueError):
    """A model file is damaged, of another kind, or from a newer version."""

    code: ClassVar[str] = "HW_MODEL_FILE"


class CancelledError(HeadwaterError):
    """The work was asked to stop."""

    code: ClassVar[str] = "HW_CANCELLED"


class FileError(HeadwaterError, OSError):
    """A file could not be read or written."""

    code: ClassVar[str] = "HW_IO"


class InternalError(HeadwaterError):
    """A bug in the library; please report it with the message and ``headwater.build_info()``."""

    code: ClassVar[str] = "HW_INTERNAL"


class NotFittedError(HeadwaterError, ValueError):
    """The model was asked before it was fitted."""

    code: ClassVar[str] = "HW_NOT_FITTED"


class DroppedRowsWarning(UserWarning):
    """Rows were dropped with ``on_invalid="drop"``, and nobody took the report that counts them."""


class IgnoredWeightsWarning(UserWarning):
    """Touches weigh differently, and models were asked that know no weights of touches."""


_BY_CODE: dict[str, type[HeadwaterError]] = {
    cls.code: cls
    for cls in (
        ColumnError,
        RowError,
        OptionError,
        NotConvergedError,
        NotEnoughDataError,
        ModelFileError,
        CancelledError,
        FileError,
        InternalError,
    )
}


def _make(code: str, message: str, details: dict[str, Any]) -> HeadwaterError:
    if code == InternalError.code:
        message = f"this is a bug in headwater, please report it: {message}"
    error = _BY_CODE.get(code, HeadwaterError)(message)
    for name, value in details.items():
        setattr(error, name, value)
    return error
