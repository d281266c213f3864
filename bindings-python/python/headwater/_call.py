"""How the face calls the core: options as JSON, and the run's seed, threads and progress."""

from __future__ import annotations

import datetime as dt
import json
import math
import operator
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import OptionError

if TYPE_CHECKING:
    from .journeys import Journeys

#: ``True`` for a tqdm bar, or a function called with (stage, done, total).
Progress = bool | Callable[[str, int, int], object] | None
#: A span of time: ``"30d"``, ``"12h"``, a timedelta, or a number of days.
Span = str | float | dt.timedelta
#: How far ahead: a number of the model's periods, or a span such as ``"365d"``, ``"month"`` or a timedelta.
Horizon = float | str | dt.timedelta
#: A discount rate: per period of the model, or ``{"rate": 0.1, "per": "365d"}``.
Discount = float | Mapping[str, Any]
#: A moment: an ISO string, a date, a datetime or a pandas Timestamp.
Moment = str | dt.date
#: The same beside a column of times: a number in their unit, ``time_unit``, too.
When = str | dt.date | int
#: An option that is null on purpose, where None would mean the default.
NULL = object()
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Run = tuple[int, int, Callable[[str, int, int], object] | None]
_Kind = TypeVar("_Kind")


def moment(value: Moment | None) -> str | None:
    """A moment as the ISO string that the core reads."""
    if value is None or isinstance(value, str):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)  # numpy.datetime64


def when(value: Any) -> Any:
    """A moment beside a column of times: a number in their unit too."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    number = (isinstance(value, (int, float)) and not isinstance(value, bool)) or kind in ("i", "u", "f")
    return value if number else moment(value)


def micros(value: Moment) -> int:
    """A moment in microseconds since the epoch, for calls that take one event."""
    try:
        at = dt.datetime.fromisoformat(moment(value) or "")
    except ValueError:
        raise OptionError(f"option `time`: {value!r} is not a time; write 2024-12-31T00:00:00Z") from None
    return ((at if at.tzinfo else at.replace(tzinfo=dt.UTC)) - _EPOCH) // dt.timedelta(microseconds=1)


def number(name: str, value: Any) -> float:
    """A number that a native function takes, or an error that names the option."""
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        raise OptionError(f"option `{name}`: {value!r} is not a number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"option `{name}`: {value!r} is not a number") from None


def whole(name: str, value: Any) -> int:
    """The same of a whole number from 0."""
    found = _index(value)
    if found is None or not 0 <= found < 2**32:
        raise OptionError(f"option `{name}`: {value!r} is not a whole number from 0")
    return found


def _index(value: Any) -> int | None:
    """A whole number, NumPy's too; a truth value is none."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def options(values: Mapping[str, Any]) -> str:
    """Options as JSON; what is None keeps the core's default."""
    return "{" + ",".join(f'"{k}":{dump(k, v)}' for k, v in values.items() if v is not None) + "}"


def dump(name: str, value: Any) -> str:
    """A value as JSON; what cannot be is an `OptionError` that names the option."""
    try:
        return "null" if value is NULL else json.dumps(value, default=_plain, allow_nan=False)
    except OptionError as error:
        raise OptionError(f"option `{name}`: {error}") from None
    except (TypeError, ValueError) as error:
        if "JSON compliant" in str(error):
            inside, number = _endless(name, value) or (name, value)
            its = "" if inside == name else f"its `{inside}` "
            raise OptionError(f"option `{name}`: {its}is {number!r}; give a finite number") from None
        raise OptionError(f"option `{name}`: {value!r} cannot be used: {error}") from None


def _endless(name: str, value: Any) -> tuple[str, Any] | None:
    """The first number that is none, and the name that it has."""
    if isinstance(value, float):
        return None if math.isfinite(value) else (name, value)
    if hasattr(value, "_options"):
        value = value._options()
    if isinstance(value, Mapping):
        inside = [_endless(str(key), item) for key, item in value.items()]
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        inside = [_endless(name, item) for item in value]
    else:
        inside = [_endless(name, value.item())] if hasattr(value, "item") else []
    return next((found for found in inside if found is not None), None)


def models(given: Any) -> list[Any]:
    """Models, one or several, as a list."""
    alone = isinstance(given, (str, Mapping)) or hasattr(given, "_options") or callable(given)
    listed = list(given) if isinstance(given, Iterable) and not alone else [given]
    for model in listed:
        if isinstance(model, type):
            raise OptionError(f"option `models`: `{model.__name__}` is a class; give `{model.__name__}()`")
        if not (isinstance(model, (str, Mapping)) or hasattr(model, "_options") or callable(model)):
            raise OptionError(
                f'option `models`: {model!r} is no model; give a name ("linear"), or `Markov()`'
            )
    return listed


def listed(name: str, given: Any) -> list[Any]:
    """A list of something; one string is an error, for it would be a list of letters."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise OptionError(f"option `{name}`: is {given!r}; give a list")
    return list(given)


def same(given: Any, kind: type[_Kind], name: str = "other") -> _Kind:
    """Another thing of a kind, or an error that says of which."""
    if not isinstance(given, kind):
        raise OptionError(f"option `{name}`: is a `{type(given).__name__}`; give a `{kind.__name__}`")
    return given


def journeys(given: Any, name: str = "journeys") -> Journeys:
    """Journeys, or an error that says how they are made."""
    if not hasattr(given, "_attribution"):
        kind = type(given).__name__
        raise OptionError(f"option `{name}`: is a `{kind}`; make Journeys by from_events or from_paths")
    found: Journeys = given
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dt.timedelta):
        return f"{value // dt.timedelta(microseconds=1)}us"
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "_options"):
        return value._options()
    for method in ("item", "tolist"):  # numpy scalars and arrays
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise OptionError(f"a `{type(value).__name__}` is no value for an option")


def run(seed: int = 0, threads: int | None = None, progress: Progress = None) -> Run:
    """The run's arguments, checked, as the native functions take them."""
    drawn = _index(seed)
    if drawn is None or not 0 <= drawn < 2**64:
        raise OptionError(f"option `seed`: {seed!r} is not an integer from 0 to 2**64 - 1")
    many = 0 if threads is None else _index(threads)
    if many is None or not 0 <= many <= 4096:
        raise OptionError(f"option `threads`: {threads!r} is not a number of threads")
    if progress is True:
        progress = _Bar()
    elif progress is not None and progress is not False and not callable(progress):
        raise OptionError("option `progress`: pass True, or a function of (stage, done, total)")
    return drawn, many, progress or None


class _Bar:
    """A tqdm bar for each stage."""

    def __init__(self) -> None:
        try:
            self._tqdm = import_module("tqdm.auto").tqdm
        except ImportError as error:
            raise ImportError('progress=True needs tqdm: pip install "headwater[progress]"') from error
        self._bar: Any = None
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage or self._bar is None:
            self.close()
            self._stage = stage
            self._bar = self._tqdm(desc=stage, total=total or None, file=sys.stderr, unit_scale=True)
        self._bar.total = total or None
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def __del__(self) -> None:
        self.close()
