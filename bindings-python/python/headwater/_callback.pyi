from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from . import _call
from .journeys import Journeys

__all__ = ["Rule", "Touch"]

class Touch(NamedTuple):
    channel: str
    position: int
    touches: int
    age: float | None
    campaign: str | None
    kind: str | None

Rule = Callable[[list[Touch]], Sequence[float]]

def named(value: Any, rules: dict[str, Rule]) -> Any: ...
def checked(name: str, given: Sequence[float], path: list[str]) -> list[float]: ...
def weights(
    rules: Mapping[str, Rule], journeys: Journeys, other: Journeys | None, run: _call.Run
) -> dict[str, list[float]]: ...
