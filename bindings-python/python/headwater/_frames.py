"""Frames of any kind in; frames of the same kind out."""

from __future__ import annotations

import datetime as dt
import html
import warnings
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from importlib import import_module
from typing import Any

import narwhals.stable.v2 as nw

from . import _core
from .errors import DroppedRowsWarning, OptionError

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Frame:
    """A result's columns, for whoever has neither pandas, Polars nor PyArrow.

    Any library that reads the Arrow PyCapsule interface takes it as it is.
    """

    def __init__(self, native: _core.Frame) -> None:
        self._native = native

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The frame as an Arrow stream."""
        return self._native.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return len(self._native)

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return [name for name, _ in self._native.kinds()]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), len(self.columns)

    def __getitem__(self, column: str) -> list[Any]:
        """One column as a list."""
        return self._list(self.columns.index(column), 0, len(self))

    def _list(self, index: int, start: int, end: int) -> list[Any]:
        values = self._native.values(index, start, end)
        if self._native.kinds()[index][1] == "time":
            return [None if v is None else _EPOCH + dt.timedelta(microseconds=v) for v in values]
        return values

    def to_dict(self) -> dict[str, list[Any]]:
        """The columns as lists; times are datetimes in UTC."""
        return {name: self._list(i, 0, len(self)) for i, name in enumerate(self.columns)}

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table``."""
        return import_module("pyarrow").table(self)

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``."""
        return _build(self, "pandas")

    def to_polars(self) -> Any:
        """A ``polars.DataFrame``."""
        return _build(self, "polars")

    def _rows(self, count: int) -> Iterator[tuple[str, ...]]:
        columns = [self._list(i, 0, count) for i in range(len(self.columns))]
        for row in zip(*columns, strict=True):
            yield tuple(_cell(value) for value in row)

    def __repr__(self) -> str:
        rows = [tuple(self.columns), *self._rows(10)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join([*lines, f"[{len(self)} rows x {len(self.columns)} columns]"])

    def _repr_html_(self) -> str:
        def line(tag: str, cells: Iterable[str]) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(line("td", row) for row in self._rows(20))
        note = f"<p>{len(self)} rows × {len(self.columns)} columns</p>"
        return f"<table><thead>{line('th', self.columns)}</thead><tbody>{body}</tbody></table>{note}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _build(frame: Frame, backend: Any) -> Any:
    if str(backend) in ("pandas", "Implementation.PANDAS"):
        try:
            import_module("pyarrow")
        except ImportError:
            return import_module("pandas").DataFrame(frame.to_dict())
    if str(backend) in ("polars", "Implementation.POLARS"):
        # Polars' own layout of strings, in which labels are shared and not copied.
        return nw.from_arrow(
            _Stream(frame._native.__arrow_c_stream__(views=True)), backend=backend
        ).to_native()
    return nw.from_arrow(frame, backend=backend).to_native()


Maker = Callable[[_core.Frame], Any]


def take(frame: Any, columns: Iterable[str | None] = ()) -> tuple[Any, Maker]:
    """What the core can read of a frame, and how to make results of its kind.

    ``columns`` are those that will be read: from libraries that convert to
    Arrow by copying, only these are asked for.
    """
    if isinstance(frame, dict):
        return frame, neutral
    if isinstance(frame, Frame):
        return frame._native, Frame
    wrapped = nw.from_native(frame, pass_through=True)
    if isinstance(wrapped, nw.LazyFrame) and wrapped.implementation.is_polars():
        wrapped = wrapped.collect()
    if not isinstance(wrapped, nw.DataFrame):
        return frame, neutral
    implementation = wrapped.implementation
    if implementation.is_polars() or implementation.is_pyarrow():
        native = wrapped.to_native()
        unknown = [name for name, dtype in wrapped.schema.items() if dtype == nw.Unknown]
        if unknown:  # Polars' columns of nothing but nulls do not keep to the Arrow interface
            nothing = [name for name in unknown if wrapped[name].is_null().all()]
            native = {name: native[name] for name in wrapped.columns} | {
                name: [None] * len(wrapped) for name in nothing
            }
        return native, lambda native: _build(Frame(native), implementation)
    have = wrapped.columns
    wanted = [name for name in dict.fromkeys(columns) if name is not None]
    # Without all of them the core is to say what is missing and what there is.
    if wanted and all(name in have for name in wanted):
        wrapped = wrapped.select(wanted)
    return _arrow(wrapped), lambda native: _build(Frame(native), implementation)


def _arrow(frame: nw.DataFrame[Any]) -> Any:
    try:
        return _Stream(frame.to_native().__arrow_c_stream__())
    except Exception:  # no pyarrow, or an object column that it refuses: the core says which
        return {name: frame[name].to_numpy() for name in frame.columns}


class _Stream:
    """A stream already opened."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._capsule


def neutral(native: _core.Frame) -> Any:
    """A result for a source that is no data frame: an Arrow table where PyArrow is, else a `Frame`."""
    try:
        pyarrow = import_module("pyarrow")
    except ImportError:
        return Frame(native)
    return pyarrow.table(native)


def tell(
    report: MutableMapping[str, Any] | None,
    make: Maker,
    *,
    dropped: _core.Frame | None,
    level: int = 3,
    **more: _core.Frame,
) -> None:
    """Puts what a call has to say beside its frame into ``report``; else dropped rows are a warning.

    The warning is for the caller ``level`` calls up.
    """
    if report is not None:
        _told(report)
        said_so = more if dropped is None else {"dropped": dropped, **more}
        report.update({name: make(native) for name, native in said_so.items()})
    elif dropped is not None and len(dropped):
        rows = Frame(dropped).to_dict()
        reasons = zip(rows["column"], rows["reason"], rows["count"], strict=True)
        said = "; ".join(f"column `{column}`: {reason} ({count:,} rows)" for column, reason, count in reasons)
        warnings.warn(
            f"dropped rows: {said}. Pass report={{}} to take the counts without this warning",
            DroppedRowsWarning,
            stacklevel=level,
        )


def _told(report: Any) -> None:
    if not isinstance(report, MutableMapping):
        raise OptionError(f"option `report`: is a `{type(report).__name__}`; pass a dict to be filled")


def array(native: _core.Frame, index: int) -> Any:
    """A column of numbers as a NumPy array, or a list where NumPy is not installed."""
    try:
        numpy = import_module("numpy")
    except ImportError:
        return native.values(index, 0, len(native))
    kind = {"int": "int64", "float": "float64"}[native.kinds()[index][1]]
    return numpy.frombuffer(native.bytes(index), dtype=kind)


def maker(backend: str | None) -> Maker:
    """How to make frames of a kind that is named."""
    if backend is None:
        return neutral
    if backend not in ("pandas", "polars", "pyarrow"):
        raise OptionError(f"option `backend`: {backend!r} is not one of pandas, polars, pyarrow")
    return lambda native: _build(Frame(native), backend)


def append(frame: Any, name: str, values: _core.Frame) -> Any:
    """The caller's frame with the one column of ``values`` added under ``name``."""
    if isinstance(frame, dict):
        return {**frame, name: Frame(values)[name]}
    wrapped = nw.from_native(frame, pass_through=True)
    if isinstance(wrapped, nw.LazyFrame) and wrapped.implementation.is_polars():
        wrapped = wrapped.collect()
    if not isinstance(wrapped, nw.DataFrame):
        wrapped = nw.from_native(import_module("pyarrow").table(frame), eager_only=True)
    column = nw.from_arrow(Frame(values), backend=wrapped.implementation)[name]
    if wrapped.implementation.is_pandas_like():
        native = column.to_native()
        native.index = wrapped.to_native().index
        column = nw.from_native(native, series_only=True)
    return wrapped.with_columns(column.alias(name)).to_native()
