"""Journeys that grow as events come in."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Self

from . import _call, _core, _events, _frames
from ._models import write
from .errors import OptionError
from .journeys import Journeys

if TYPE_CHECKING:
    from typing import Unpack

__all__ = ["JourneyBuilder"]


class JourneyBuilder:
    """Builds journeys from events that come in parts, such as days.

    Each part extends the journeys of its own customers; those of all others stay as they are. The result is
    that of `Journeys.from_events` on all parts end to end, to the last bit and in the same order. With
    ``order_id`` those who share an order with them are built anew too. All are built anew only when, under
    ``lookback_by_kind``, a part brings the first conversion that has another window.

    The builder keeps the columns that its options name. It pickles and saves with them, and goes on after
    that as if nothing had happened.

    Parameters
    ----------
    **options
        Columns and policies, as in `Journeys.from_events`. ``conversions`` can only be the name of a flag
        column: a frame of conversions comes with each part.

    Examples
    --------
    >>> builder = hw.JourneyBuilder(value="revenue", lookback="14d")
    >>> for touches, orders in days:
    ...     builder.extend(touches, orders)
    >>> builder.journeys().paths()
    >>> builder.save("journeys.json")  # hw.load gives it back
    """

    def __init__(self, **options: Unpack[_events.EventOptions]) -> None:
        given: dict[str, Any] = dict(options)
        if not isinstance(given.get("conversions"), str | None):
            raise OptionError("option `conversions`: names a flag column here; pass a frame to extend()")
        given["observation_end"] = _call.moment(options.get("observation_end"))
        self._hold(_core.JourneyBuilder(_call.options(given)))

    def _hold(self, native: _core.JourneyBuilder) -> None:
        self._native = native
        self._options: dict[str, Any] = json.loads(native.options())
        self._make: _frames.Maker | None = None

    def extend(
        self,
        touches: Any,
        conversions: Any = None,
        *,
        threads: int | None = None,
        progress: _call.Progress = None,
    ) -> None:
        """Adds a part; after an error the builder is as before.

        Parameters
        ----------
        touches : frame
            One row a touch.
        conversions : frame, optional
            One row a conversion. All parts have such a frame, be it empty, or none has.
        threads : int, optional
            How many threads to use; all by default. Does not change the result.
        progress : bool or callable, optional
            True for a bar, or a function of (stage, done, total).

        Raises
        ------
        ColumnError, RowError, OptionError
        """
        data, orders, make = _events.take(touches, conversions, self._options)
        self._native.extend(data, orders, _call.run(0, threads, progress))
        self._make = self._make or make

    def merge(
        self, other: JourneyBuilder, *, threads: int | None = None, progress: _call.Progress = None
    ) -> None:
        """Adds the events of another builder, which has the same options, after those of this one.

        Parameters
        ----------
        other : JourneyBuilder
            Stays as it is.
        threads, progress
            As in `extend`.
        """
        other = _call.same(other, JourneyBuilder)
        self._native.merge(other._native, _call.run(0, threads, progress))
        self._make = self._make or other._make

    def journeys(self) -> Journeys:
        """The journeys of all events so far; what comes later does not change them."""
        return Journeys(self._native.journeys(_call.run()), self._make or _frames.neutral)

    @property
    def touches(self) -> int:
        """How many rows of touches there are so far."""
        return len(self._native)

    def __len__(self) -> int:
        return len(self._native)

    def __repr__(self) -> str:
        return f"JourneyBuilder({len(self):,} touches)"

    def to_bytes(self) -> bytes:
        """The builder's file: UTF-8 JSON with its options and events, the same in every language."""
        return self._native.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Reads a builder's file; it goes on as if nothing had happened."""
        builder = cls.__new__(cls)
        builder._hold(_core.JourneyBuilder.from_bytes(data))
        return builder

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the builder to a file, which `headwater.load` reads."""
        write(path, self.to_bytes())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),)
