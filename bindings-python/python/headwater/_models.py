"""What all fitted models share: files, pickling, how they look."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from typing import Any, ClassVar, Self

from . import _call, _core
from .errors import FileError, ModelFileError, NotFittedError, OptionError

_KINDS: dict[str, type[Fitted]] = {}


class Fitted:
    """A model that can be fitted, saved, loaded and pickled."""

    _kind: ClassVar[str] = ""
    _native: _core.Model | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls._kind:
            _KINDS[cls._kind] = cls

    @property
    def _fitted(self) -> _core.Model:
        if self._native is None:
            raise NotFittedError(f"this {type(self).__name__} is not fitted: call fit() first")
        return self._native

    def _params(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def _body(self) -> dict[str, Any]:
        """What the model file says of the model."""
        body: dict[str, Any] = json.loads(self._fitted.to_bytes())["model"]
        return body

    def _unit(self, period: _call.Span | None) -> _call.Span:
        """The unit of a model's times: that given, or else its own."""
        unit: _call.Span | None = self._body().get("period") if period is None else period
        if unit is None:
            raise OptionError(
                "option `period`: the model was not told its unit; pass it, such as period='7d'"
            )
        return unit

    def _restore(self, body: dict[str, Any]) -> None:
        """Takes the constructor's arguments from a model file."""

    def to_bytes(self) -> bytes:
        """The model file: UTF-8 JSON, the same in every language."""
        return self._fitted.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Reads a model file."""
        native = _core.Model.from_bytes(data)
        if native.kind not in _KINDS or not issubclass(_KINDS[native.kind], cls):
            raise ModelFileError(f"model file: holds a `{native.kind}`, not a `{cls._kind}`")
        model: Any = _KINDS[native.kind]()
        model._native = native
        model._restore(model._body())
        return model  # type: ignore[no-any-return]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model file, which every version from this one on can load, in every language."""
        write(path, self.to_bytes())

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_native": self._native and self._native.to_bytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        native = state.pop("_native")
        vars(self).update(state)
        self._native = native and _core.Model.from_bytes(native)

    def __repr__(self) -> str:
        params = ", ".join(f"{name}={value!r}" for name, value in self._params().items() if value is not None)
        return f"{type(self).__name__}({params})"

    def _facts(self) -> dict[str, Any]:
        """What a fitted model says of itself in a notebook."""
        return {}

    def _repr_html_(self) -> str:
        title = f"<b>{html.escape(repr(self))}</b>"
        if self._native is None:
            return f"{title} (not fitted)"
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(_fact(value))}</td></tr>"
            for name, value in self._facts().items()
        )
        return f"{title}<table>{rows}</table>"


def _fact(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def read(path: str | os.PathLike[str]) -> bytes:
    """A file's bytes, with this library's error."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FileError(error.errno, error.strerror, os.fspath(path)) from None


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file, with this library's error."""
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise FileError(error.errno, error.strerror, os.fspath(path)) from None


def load(path: str | os.PathLike[str]) -> Any:
    """Reads a model file of any kind, saved by any version up to this one, in any language.

    Raises
    ------
    FileError
        When the file cannot be read.
    ModelFileError
        When it is damaged, or from a newer version.
    """
    from ._builder import JourneyBuilder
    from ._rfm import RfmBuilder
    from .identity import IdentityGraph

    data = read(path)
    match _core.model_kind(data):
        case "identity.IdentityGraph":
            return IdentityGraph.from_bytes(data)
        case "journey.JourneyBuilder":
            return JourneyBuilder.from_bytes(data)
        case "clv.RfmBuilder":
            return RfmBuilder.from_bytes(data)
    return Fitted.from_bytes(data)
