import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from . import _call, _core, _frames

__all__ = [
    "Change",
    "IdentityGraph",
    "IdentityRules",
    "Namespace",
    "Observation",
    "Stitched",
    "evaluate",
    "normalize_email",
    "normalize_phone",
    "stitch",
]
_Normalize = Literal["none", "trim", "lower", "email", "email_gmail", "phone", "device"]
_TimeUnit = Literal["s", "ms", "us", "ns"]
Identifier = tuple[str, str]

@dataclasses.dataclass(frozen=True)
class Namespace:
    name: str
    limit: int | None = None
    normalize: _Normalize | None = None
    blocked: Sequence[str] = ()

@dataclasses.dataclass(frozen=True)
class IdentityRules:
    namespaces: Sequence[str | Namespace] = ()
    max_identifiers: int | None = None
    on_conflict: Literal["demote", "skip"] = "demote"
    block_garbage: bool = True
    blocked: Sequence[str] = ()
    on_unparsable: Literal["keep", "block"] = "keep"
    default_region: str | None = None
    salt: str = ""

class Stitched:
    def __init__(self, native: _core.People, make: _frames.Maker, source: Any) -> None: ...
    def customers(self) -> Any: ...
    def assign(
        self,
        frame: Any,
        *,
        identifiers: Sequence[str] | Mapping[str, str] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def explain(self, a: Identifier, b: Identifier) -> Any: ...
    def resolve(self, namespace: str, value: str) -> str | None: ...
    def members(self, customer: str) -> list[Identifier]: ...
    def refused(self) -> Any: ...
    def blocked(self) -> Any: ...
    def sizes(self) -> Any: ...
    @property
    def dropped(self) -> Any: ...
    @property
    def n_customers(self) -> int: ...
    @property
    def n_identifiers(self) -> int: ...
    @property
    def unidentified(self) -> int: ...
    def __repr__(self) -> str: ...
    def plot(self, **options: Any) -> Any: ...

def stitch(
    events: Any,
    *,
    identifiers: Sequence[str] | Mapping[str, str],
    time: str | None = "time",
    source: str | None = None,
    rules: IdentityRules | None = None,
    on_invalid: Literal["error", "drop"] = "error",
    time_unit: _TimeUnit | None = None,
    threads: int | None = None,
    progress: _call.Progress = None,
) -> Stitched: ...
def evaluate(
    frame: Any,
    *,
    truth: str = "truth",
    customer: str = "customer",
    on_invalid: Literal["error", "drop"] = "error",
    threads: int | None = None,
    progress: _call.Progress = None,
) -> dict[str, float]: ...
def normalize_email(value: str, *, gmail: bool = False) -> str | None: ...
def normalize_phone(value: str, *, region: str | None = None) -> str | None: ...

@dataclasses.dataclass(frozen=True)
class Observation:
    customer: str | None
    merged: list[str]
    refused: list[tuple[str, str, str, str]]
    blocked: list[tuple[str, str, str]]

@dataclasses.dataclass(frozen=True)
class Change:
    customer: str
    customers: list[str]
    links: int

class IdentityGraph:
    def __init__(self, rules: IdentityRules | None = None) -> None: ...
    def observe(
        self,
        identifiers: Mapping[str, str | Iterable[str] | None],
        time: _call.Moment | None = None,
        source: str | None = None,
    ) -> Observation: ...
    def extend(
        self,
        events: Any,
        *,
        identifiers: Sequence[str] | Mapping[str, str],
        time: str | None = "time",
        source: str | None = None,
        on_invalid: Literal["error", "drop"] = "error",
        time_unit: _TimeUnit | None = None,
        progress: _call.Progress = None,
    ) -> Any: ...
    def resolve(self, namespace: str, value: str) -> str | None: ...
    def current(self, customer: str) -> str | None: ...
    def members(self, customer: str) -> list[Identifier]: ...
    def explain(self, a: Identifier, b: Identifier) -> Any: ...
    def forget(self, namespace: str, value: str) -> Change | None: ...
    def unlink(self, a: Identifier, b: Identifier) -> Change | None: ...
    def customers(self) -> Any: ...
    def refused(self) -> Any: ...
    @property
    def n_customers(self) -> int: ...
    def __len__(self) -> int: ...
    def __repr__(self) -> str: ...
    def to_bytes(self) -> bytes: ...
    @classmethod
    def from_bytes(cls, data: bytes) -> IdentityGraph: ...
    def save(self, path: str | os.PathLike[str]) -> None: ...
    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> IdentityGraph: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
