"""What several tests share."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from typing import Any

import narwhals as nw

import headwater as hw

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Holder:
    """Only the Arrow capsule: proves the protocol and not a special case."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def columns(frame: Any) -> dict[str, list[Any]]:
    """Any result as lists; times in microseconds since the epoch."""
    if isinstance(frame, dict):
        data = frame
    elif isinstance(frame, hw.Frame):
        data = frame.to_dict()
    else:
        data = nw.from_native(frame, eager_only=True).to_dict(as_series=False)
    return {name: [plain(value) for value in values] for name, values in data.items()}


def plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        if value != value:  # NaT
            return None
        if value.tzinfo is None:
            value = value.replace(tzinfo=dt.UTC)
        return (value - EPOCH) // dt.timedelta(microseconds=1)
    return value


def script(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a piece of Python in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"HEADWATER_ALLOW_DEBUG": "1"} | env,
        check=False,
    )
