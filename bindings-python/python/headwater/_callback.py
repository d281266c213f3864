"""Rules of one's own, as functions from a journey's touches to their weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _call, _frames
from .errors import OptionError

if TYPE_CHECKING:
    from .journeys import Journeys

__all__ = ["Rule", "Touch"]


class Touch(NamedTuple):
    """One touch of a converting journey, as a rule of one's own sees it.

    Attributes
    ----------
    channel : str
    position : int
        Its place in the journey, from 1.
    touches : int
        How many touches the journey has.
    age : float or None
        Days before the conversion; None where journeys come from paths.
    campaign, kind : str or None
        The campaign, and the kind of the conversion, where they were read.
    """

    channel: str
    position: int
    touches: int
    age: float | None
    campaign: str | None
    kind: str | None


#: A weight of 0 or more for each touch of a journey.
Rule = Callable[[list[Touch]], Sequence[float]]


def named(value: Any, rules: dict[str, Rule]) -> Any:
    """Options whose functions are models by name; the functions go into ``rules``."""
    if isinstance(value, Mapping):
        return {key: named(item, rules) for key, item in value.items()}
    if isinstance(value, list):
        return [named(item, rules) for item in value]
    if not callable(value) or isinstance(value, type):
        return value
    own = getattr(value, "__name__", type(value).__name__)
    name, again = own, 2
    while name in rules and rules[name] is not value:
        name, again = f"{own} {again}", again + 1
    rules[name] = value
    return {"model": "callback", "name": name}


def weights(
    rules: Mapping[str, Rule], journeys: Journeys, other: Journeys | None, run: _call.Run
) -> dict[str, list[float]]:
    """What the rules say of each touch of the distinct journeys; each is called once for each of them."""
    given = other._native if other is not None else None
    ((_, native),) = journeys._native.attribution("callback_touches", "{}", run, given)
    columns = _frames.Frame(native).to_dict()
    said: dict[str, list[float]] = {}
    for name, rule in rules.items():
        cells = (columns.get(field, repeat(None)) for field in Touch._fields)
        touches = map(Touch._make, zip(*cells, strict=False))
        said[name] = [
            weight
            for journey in _journeys(touches)
            for weight in checked(name, rule(journey), [touch.channel for touch in journey])
        ]
    return said


def _journeys(touches: Iterator[Touch]) -> Iterator[list[Touch]]:
    while (first := next(touches, None)) is not None:
        yield [first, *islice(touches, first.touches - 1)]


def checked(name: str, given: Sequence[float], path: list[str]) -> list[float]:
    """What a function gave for the touches of a path, or an error that names the function."""
    try:
        found = [float(weight) for weight in given]
    except (TypeError, ValueError):
        raise OptionError(f"option `{name}`: gave {given!r} for {path}: a weight for each touch") from None
    if len(found) != len(path):
        raise OptionError(f"option `{name}`: gave {len(found)} weights for the {len(path)} touches of {path}")
    for position, weight in enumerate(found, 1):
        if not (math.isfinite(weight) and weight >= 0):
            raise OptionError(
                f"option `{name}`: gave {weight} to touch {position} of {path}: a weight is 0 or more"
            )
    return found
