"""One measurement: `one.py STAGE TOOL` prints a line of JSON."""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
import warnings

import pandas  # noqa: F401
import psutil
import stages

# What importing takes is nobody's work: our own package and what peers hand their results over in.
import headwater  # noqa: F401

warnings.filterwarnings("ignore")


class Peak(threading.Thread):
    """The peak of this process's resident memory, sampled every 5 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(os.getpid())
        self.base = self.peak = self.process.memory_info().rss
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.005):
            self.peak = max(self.peak, self.process.memory_info().rss)

    def megabytes(self) -> float:
        self.over.set()
        self.join()
        return max(0, self.peak - self.base) / 1e6


def main() -> None:
    stage, tool = sys.argv[1:3]
    prepare, work, numbers, *note = stages.STAGES[stage][2][tool]
    inputs = prepare()
    best: dict = {}
    for attempt in range(3):
        gc.collect()
        peak = Peak() if attempt == 0 else None
        if peak:
            peak.start()
        cpu, wall = time.process_time(), time.perf_counter()
        result = work(inputs)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        if peak:
            best = {"cpu": cpu, "wall": wall, "megabytes": peak.megabytes()}
        best["cpu"], best["wall"] = min(best["cpu"], cpu), min(best["wall"], wall)
        if wall > 20:
            break
    best["numbers"] = {k: float(v) for k, v in numbers(result).items()}
    if note:
        best["note"] = note[0](result)
    print(json.dumps(best))


if __name__ == "__main__":
    main()
