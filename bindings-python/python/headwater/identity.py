"""Who is this? Identifiers that were seen together, stitched into customers."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from . import _call, _core, _frames
from ._models import read
from .errors import FileError, OptionError

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
#: An identifier: (namespace, value).
Identifier = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Namespace:
    """One kind of identifier.

    Parameters
    ----------
    name : str
        As in the columns and in `IdentityGraph.observe`.
    limit : int, optional
        How many different values of it one customer may have.
    normalize : str, optional
        "none", "trim", "lower", "email", "email_gmail", "phone" or "device"; by default the name decides.
    blocked : sequence of str
        Values of it that identify nobody; ``*`` stands for any text.
    """

    name: str
    limit: int | None = None
    normalize: _Normalize | None = None
    blocked: Sequence[str] = ()

    def _options(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclasses.dataclass(frozen=True)
class IdentityRules:
    """The rules of stitching.

    Parameters
    ----------
    namespaces : sequence of str or Namespace
        The strongest first. One that is not listed may still be used; it is weaker and has no limit.
    max_identifiers : int, optional
        How many identifiers one customer may have in all.
    on_conflict : {"demote", "skip"}, default "demote"
        When the identifiers of an event cannot all be one customer: leave out the weakest until the rest
        fits, or only those that do not fit.
    block_garbage : bool, default True
        Whether the values that tools are known to send for nobody are left out (``null``, ``0``, …).
    blocked : sequence of str
        Values that identify nobody in any namespace; ``*`` stands for any text.
    on_unparsable : {"keep", "block"}, default "keep"
        What becomes of an e-mail address or telephone number that is none.
    default_region : str, optional
        The country of telephone numbers without a country code, such as "GB".
    salt : str, default ""
        Goes into customer ids, so that nobody without it can tell which identifier an id came from.

    Examples
    --------
    >>> hw.IdentityRules([hw.Namespace("user_id", limit=1), hw.Namespace("email", limit=3), "device"])
    """

    namespaces: Sequence[str | Namespace] = ()
    max_identifiers: int | None = None
    on_conflict: Literal["demote", "skip"] = "demote"
    block_garbage: bool = True
    blocked: Sequence[str] = ()
    on_unparsable: Literal["keep", "block"] = "keep"
    default_region: str | None = None
    salt: str = ""

    def _options(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}


class Stitched:
    """Who is who, and why: the result of `stitch`. Frames come out in the kind that came in."""

    def __init__(self, native: _core.People, make: _frames.Maker, source: Any) -> None:
        self._native = native
        self._make = make
        self._source: weakref.ref[Any] | None = None
        with contextlib.suppress(TypeError):  # a dict, say
            self._source = weakref.ref(source)

    def _table(self, name: str) -> Any:
        return self._make(self._native.table(name, _call.run()))

    def customers(self) -> Any:
        """All identifiers: namespace, identifier, customer, first_seen, last_seen, events."""
        return self._table("customers")

    def assign(
        self,
        frame: Any,
        *,
        identifiers: Sequence[str] | Mapping[str, str] | None = None,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> Any:
        """A frame with a column ``customer`` added: the customer of the strongest identifier in each row.

        Parameters
        ----------
        frame : frame
            The one that was stitched, or any other with identifiers.
        identifiers : sequence of str, or dict, optional
            Its columns that hold identifiers, or from column to namespace; by default those that were
            stitched, as far as the frame has them.
        threads, progress
            As in `stitch`.
        """
        same = identifiers is None and self._source is not None and self._source() is frame
        data = None if same else _frames.take(frame)[0]
        namespaces = dict(identifiers) if isinstance(identifiers, Mapping) else None
        listed = None if identifiers is None else list(identifiers)
        options = _call.options({"identifiers": listed, "namespaces": namespaces})
        found = self._native.assign(data, options, _call.run(0, threads, progress))
        return _frames.append(frame, "customer", found)

    def explain(self, a: Identifier, b: Identifier) -> Any:
        """Why two identifiers are one customer's: the shortest chain of links from one to the other.

        Parameters
        ----------
        a, b : (namespace, value)

        Returns
        -------
        frame or None
            One row a link, with times and sources; None when they are not one customer's.
        """
        links = self._native.explain(_identifier(a), _identifier(b), _call.run())
        return None if links is None else self._make(links)

    def resolve(self, namespace: str, value: str) -> str | None:
        """The customer of an identifier; None when it does not occur, or identifies nobody."""
        return self._native.resolve(namespace, str(value), _call.run())

    def members(self, customer: str) -> list[Identifier]:
        """The identifiers of a customer, the first seen first."""
        return self._native.members(customer, _call.run())

    def refused(self) -> Any:
        """The links that a rule refused, which rule, and when."""
        return self._table("refused")

    def blocked(self) -> Any:
        """The values that identify nobody: namespace, value, reason, events."""
        return self._table("blocked")

    def sizes(self) -> Any:
        """How many customers have how many identifiers: identifiers, customers."""
        return self._table("sizes")

    @property
    def dropped(self) -> Any:
        """The rows dropped with ``on_invalid="drop"``: column, reason, count, first_row."""
        return self._table("dropped")

    @property
    def n_customers(self) -> int:
        """How many customers there are."""
        return self._native.counts()[0]

    @property
    def n_identifiers(self) -> int:
        """How many identifiers there are."""
        return self._native.counts()[1]

    @property
    def unidentified(self) -> int:
        """How many rows had no identifier that could be used; they have no customer."""
        return self._native.counts()[2]

    def __repr__(self) -> str:
        customers, identifiers, unidentified, dropped = self._native.counts()
        return (
            f"Stitched({customers:,} customers from {identifiers:,} identifiers; "
            f"{unidentified:,} rows without identifier, {dropped:,} dropped)"
        )

    def plot(self, **options: Any) -> Any:
        """How many identifiers customers have; see `headwater.plot.cluster_sizes`."""
        from . import plot

        return plot.cluster_sizes(self, **options)


def _identifier(pair: Identifier) -> Identifier:
    try:
        if isinstance(pair, str):
            raise TypeError
        namespace, value = pair
    except (TypeError, ValueError):
        raise OptionError(f"option `identifier`: {pair!r} is not a pair (namespace, value)") from None
    return str(namespace), str(value)


def _options(
    identifiers: Sequence[str] | Mapping[str, str],
    time: str | None,
    source: str | None,
    on_invalid: str,
    time_unit: str | None,
    rules: IdentityRules | None = None,
) -> str:
    if isinstance(identifiers, str):
        identifiers = [identifiers]
    namespaces = dict(identifiers) if isinstance(identifiers, Mapping) else None
    return _call.options(
        {
            "identifiers": list(identifiers),
            "namespaces": namespaces,
            "time": time,
            "source": source,
            "rules": rules,
            "on_invalid": on_invalid,
            "time_unit": time_unit,
        }
    )


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
) -> Stitched:
    """Stitches identifiers into customers.

    Without limits in the rules customers are connected components. Customer
    ids stay the same when the same events come again with more.

    Parameters
    ----------
    events : frame
        Each row is identifiers that were seen together.
    identifiers : sequence of str, or dict
        The columns that hold identifiers, each the namespace of its values; or from column to namespace.
    time : str or None, default "time"
        The column of times; None takes the rows to be in order.
    source : str, optional
        The column that says where a row comes from.
    rules : IdentityRules, optional
    on_invalid : {"error", "drop"}, default "error"
        Rows without a valid time are an error, or dropped and counted.
    time_unit : {"s", "ms", "us", "ns"}, optional
        The unit of times that are plain numbers.
    threads : int, optional
        How many threads to use; all by default. Does not change the result.
    progress : bool or callable, optional
        True for a bar, or a function of (stage, done, total).

    Examples
    --------
    >>> people = hw.stitch(events, identifiers=["cookie", "device", "email"])
    >>> people.assign(events)
    """
    options = _options(identifiers, time, source, on_invalid, time_unit, rules)
    data, make = _frames.take(events, [*identifiers, time, source])
    native = _core.People.stitch(data, options, _call.run(0, threads, progress))
    return Stitched(native, make, events)


def evaluate(
    frame: Any,
    *,
    truth: str = "truth",
    customer: str = "customer",
    on_invalid: Literal["error", "drop"] = "error",
    threads: int | None = None,
    progress: _call.Progress = None,
) -> dict[str, float]:
    """How good a stitching is: counts and shares of pairs of rows, and B-cubed.

    Parameters
    ----------
    frame : frame
    truth : str
        The column of true customers.
    customer : str
        The column of customers found; a row without one is a customer of its own.
    on_invalid : {"error", "drop"}, default "error"
        Rows without truth are an error, or dropped.
    threads, progress
        As in `stitch`.

    Returns
    -------
    dict
        rows, true_customers, predicted_customers, true_pairs, predicted_pairs, matched_pairs, precision,
        recall, f1, bcubed_precision, bcubed_recall, bcubed_f1.
    """
    options = _call.options({"truth": truth, "customer": customer, "on_invalid": on_invalid})
    data, _ = _frames.take(frame, [truth, customer])
    native = _core.evaluate_identity(data, options, _call.run(0, threads, progress))
    return {name: values[0] for name, values in _frames.Frame(native).to_dict().items()}


def normalize_email(value: str, *, gmail: bool = False) -> str | None:
    """An e-mail address in its one form; None when it is none.

    Parameters
    ----------
    value : str
    gmail : bool, default False
        Apply Gmail's rules: dots and ``+tag`` do not count, googlemail.com is gmail.com.
    """
    return _core.normalize_email(value, gmail)


def normalize_phone(value: str, *, region: str | None = None) -> str | None:
    """A telephone number in E.164; None when it is none.

    Parameters
    ----------
    value : str
    region : str, optional
        The country of numbers without a country code, such as "GB".
    """
    return _core.normalize_phone(value, region)


@dataclasses.dataclass(frozen=True)
class Observation:
    """What `IdentityGraph.observe` did.

    Attributes
    ----------
    customer : str or None
        The customer of the event; None when no identifier could be used.
    merged : list of str
        The ids of the customers that became this one; they still resolve to it.
    refused : list of (namespace, value, customer, rule)
        Identifiers that a rule kept out, whose they stay, and the rule.
    blocked : list of (namespace, value, reason)
        Values that identify nobody.
    """

    customer: str | None
    merged: list[str]
    refused: list[tuple[str, str, str, str]]
    blocked: list[tuple[str, str, str]]


@dataclasses.dataclass(frozen=True)
class Change:
    """What `IdentityGraph.forget` or `unlink` changed.

    Attributes
    ----------
    customer : str
        The customer as it was called before.
    customers : list of str
        The customers that its identifiers are now; the one with the earliest identifier keeps the id.
    links : int
        How many links were removed.
    """

    customer: str
    customers: list[str]
    links: int


class IdentityGraph:
    """Customers from identifiers, one event at a time, in microseconds each.

    Observing events in the order of their times gives exactly what `stitch` gives for all of them.

    Parameters
    ----------
    rules : IdentityRules, optional

    Examples
    --------
    >>> graph = hw.IdentityGraph()
    >>> graph.observe({"cookie": "7f3", "email": "a@x.org"}, time="2024-05-01T12:00:00Z", source="web")
    >>> graph.resolve("email", "a@x.org")
    """

    def __init__(self, rules: IdentityRules | None = None) -> None:
        self._native = _core.IdentityGraph(_call.dump("rules", rules or IdentityRules()))

    def observe(
        self,
        identifiers: Mapping[str, str | Iterable[str] | None],
        time: _call.Moment | None = None,
        source: str | None = None,
    ) -> Observation:
        """Takes in one event: identifiers that were seen together.

        Parameters
        ----------
        identifiers : dict
            From namespace to value, or to several values; None is none.
        time : str or datetime, optional
            Events without a time count as later than all that have one, in the order in which they come.
        source : str, optional
        """
        pairs: list[Identifier] = []
        for namespace, value in identifiers.items():
            if value is None:
                continue
            several = isinstance(value, (list, tuple, set, frozenset))
            pairs.extend((namespace, str(each)) for each in (value if several else [value]))
        return Observation(*self._native.observe(pairs, None if time is None else _call.micros(time), source))

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
    ) -> Any:
        """Observes every row of a frame, in the order of their times; parameters as in `stitch`.

        Returns
        -------
        frame
            What was dropped: column, reason, count, first_row.
        """
        options = _options(identifiers, time, source, on_invalid, time_unit)
        data, make = _frames.take(events, [*identifiers, time, source])
        return make(self._native.extend(data, options, _call.run(0, None, progress)))

    def resolve(self, namespace: str, value: str) -> str | None:
        """The customer of an identifier; None when it was never seen, or identifies nobody."""
        return self._native.resolve(namespace, str(value))

    def current(self, customer: str) -> str | None:
        """The id that a customer has now, by its id or a former one; None for an unknown id."""
        return self._native.current(customer)

    def members(self, customer: str) -> list[Identifier]:
        """The identifiers of a customer, by its id or a former one, the first seen first."""
        return self._native.members(customer)

    def explain(self, a: Identifier, b: Identifier) -> Any:
        """Why two identifiers are one customer's, as `Stitched.explain` gives it."""
        links = self._native.explain(_identifier(a), _identifier(b))
        return None if links is None else _frames.neutral(links)

    def forget(self, namespace: str, value: str) -> Change | None:
        """Erases an identifier and all traces of it; None when it is unknown."""
        change = self._native.forget(namespace, str(value))
        return None if change is None else Change(*change)

    def unlink(self, a: Identifier, b: Identifier) -> Change | None:
        """Takes back that two identifiers are one customer's, for good; None when one is unknown."""
        change = self._native.unlink(_identifier(a), _identifier(b))
        return None if change is None else Change(*change)

    def customers(self) -> Any:
        """All identifiers: namespace, identifier, customer, first_seen, last_seen, events."""
        return _frames.neutral(self._native.table("customers", _call.run()))

    def refused(self) -> Any:
        """The links that a rule refused, which rule, and when."""
        return _frames.neutral(self._native.table("refused", _call.run()))

    @property
    def n_customers(self) -> int:
        """How many customers there are."""
        return self._native.counts()[1]

    def __len__(self) -> int:
        return self._native.counts()[0]

    def __repr__(self) -> str:
        identifiers, customers = self._native.counts()
        return f"IdentityGraph({customers:,} customers, {identifiers:,} identifiers)"

    def to_bytes(self) -> bytes:
        """The graph's file: UTF-8 JSON, the same in every language."""
        return self._native.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> IdentityGraph:
        """Reads a graph's file; it goes on as if nothing had happened."""
        graph = cls.__new__(cls)
        graph._native = _core.IdentityGraph.from_bytes(data)
        return graph

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the graph to a file, which `headwater.load` reads."""
        data = self.to_bytes()
        try:
            Path(path).write_bytes(data)
        except OSError as error:
            raise FileError(error.errno, error.strerror, os.fspath(path)) from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> IdentityGraph:
        """Reads a graph from a file."""
        return cls.from_bytes(read(path))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),)
