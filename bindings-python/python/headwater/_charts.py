"""What all charts share: axes, and columns of any kind of frame."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from ._frames import Frame
from .errors import ColumnError, OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["axes", "columns", "names", "panels", "say"]


def axes(ax: Axes | None, width: float = 7.0, height: float = 4.0) -> Axes:
    """The axes given, or those of a new figure."""
    if ax is not None:
        return ax
    made: Axes = _figure(width, height).subplots()
    return made


def panels(count: int) -> list[Axes]:
    """Axes for several charts in a new figure, two in a row."""
    rows = (count + 1) // 2
    grid = _figure(14.0, 4.0 * rows).subplots(rows, 2, squeeze=False)
    made: list[Axes] = list(grid.flat)
    for ax in made[count:]:
        ax.remove()
    return made[:count]


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('charts need Matplotlib: pip install "headwater[plot]"') from error
    if _interactive():
        from matplotlib import pyplot

        return pyplot.figure(figsize=(width, height), layout="constrained")
    return Figure(figsize=(width, height), layout="constrained")


def say(ax: Axes, text: str) -> None:
    """Writes on axes why there is nothing on them."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color="#555555")


def _interactive() -> bool:
    """Whether somebody is there to see a figure: in Jupyter, in the Python shell, in a script with pyplot."""
    return hasattr(sys, "ps1") or "IPython" in sys.modules or "matplotlib.pyplot" in sys.modules


def _known(frame: Any) -> Any:
    """A frame, as narwhals has it where it can; an error for what is none."""
    wrapped = nw.from_native(frame, pass_through=True)
    if isinstance(wrapped, (nw.DataFrame, nw.LazyFrame)) or hasattr(frame, "__arrow_c_stream__"):
        return wrapped
    kind = "nothing" if frame is None else f"a `{type(frame).__name__}`"
    raise OptionError(f"a chart is drawn from a result or a frame that its page names, not from {kind}")


def names(frame: Any) -> list[str]:
    """The columns of a frame of any kind."""
    if isinstance(frame, dict):
        return list(frame)
    if isinstance(frame, Frame):
        return frame.columns
    wrapped = _known(frame)
    if isinstance(wrapped, nw.LazyFrame):
        return wrapped.collect_schema().names()
    if not isinstance(wrapped, nw.DataFrame):  # only the Arrow capsule
        return list(import_module("pyarrow").table(frame).column_names)
    return wrapped.columns


def columns(frame: Any, *wanted: str) -> list[list[Any]]:
    """Columns of a frame of any kind, as lists."""
    if isinstance(frame, Frame):
        data: dict[str, list[Any]] = frame.to_dict()
    elif isinstance(frame, dict):
        data = frame
    else:
        wrapped = _known(frame)
        if isinstance(wrapped, nw.LazyFrame):
            wrapped = wrapped.collect()
        if not isinstance(wrapped, nw.DataFrame):  # only the Arrow capsule
            wrapped = nw.from_native(import_module("pyarrow").table(frame), eager_only=True)
        data = wrapped.to_dict(as_series=False)
    for name in wanted:
        if name not in data:
            raise ColumnError(f"column `{name}`: there is none; the frame has {', '.join(data)}")
        if isinstance(data[name], (str, bytes)) or not isinstance(data[name], Iterable):
            raise ColumnError(f"column `{name}`: is {data[name]!r}; give a list, one value a row")
    return [list(data[name]) for name in wanted]
