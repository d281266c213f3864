"""One journey credited in Node; the figure is microseconds a call, in the note."""

from __future__ import annotations

import json
import pathlib
import subprocess


def ours(_):
    script = pathlib.Path(__file__).with_name("credit.mjs")
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def note(result) -> str:
    return "; ".join(f"{name}: {micros:.2f} µs a journey of five touches" for name, micros in result.items())


TOOLS = {"headwater": (lambda: None, ours, lambda _: {}, note)}
