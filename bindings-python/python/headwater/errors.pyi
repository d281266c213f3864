from typing import ClassVar

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
    code: ClassVar[str]

class ColumnError(HeadwaterError, ValueError):
    code: ClassVar[str]
    column: str

class RowError(HeadwaterError, ValueError):
    code: ClassVar[str]
    column: str
    row: int
    count: int

class OptionError(HeadwaterError, ValueError):
    code: ClassVar[str]
    option: str

class NotConvergedError(HeadwaterError):
    code: ClassVar[str]
    iterations: int
    gradient_norm: float

class NotEnoughDataError(HeadwaterError, ValueError):
    code: ClassVar[str]

class ModelFileError(HeadwaterError, ValueError):
    code: ClassVar[str]

class CancelledError(HeadwaterError):
    code: ClassVar[str]

class FileError(HeadwaterError, OSError):
    code: ClassVar[str]

class InternalError(HeadwaterError):
    code: ClassVar[str]

class NotFittedError(HeadwaterError, ValueError):
    code: ClassVar[str]

class DroppedRowsWarning(UserWarning): ...
class IgnoredWeightsWarning(UserWarning): ...
