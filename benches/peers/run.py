"""Every stage, this library beside its peer, on the same data; each in a process of its own.

    make bench                       every stage
    make bench ARGS="markov rfm"     some of them

CPU seconds of all threads are the figure to compare; wall seconds and the peak of resident memory
stand beside them. The inputs are loaded before the clock starts, and the memory is the peak less what
the loaded inputs took. Each figure is the best of three runs (one, where a run takes over 20 s).
"""

from __future__ import annotations

import datetime
import json
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import stages  # noqa: E402


def measure(stage: str, tool: str) -> dict:
    """One tool of one stage, in a fresh process."""
    done = subprocess.run(
        [sys.executable, str(HERE / "one.py"), stage, tool],
        capture_output=True,
        text=True,
        cwd=HERE,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"error": last[:160]}
    return json.loads(lines[-1])


def difference(ours: dict, theirs: dict) -> str:
    """The largest relative difference of the numbers that both tools report."""
    worst, name = 0.0, ""
    for key in sorted(set(ours) & set(theirs)):
        scale = max(abs(ours[key]), abs(theirs[key]), 1e-300)
        gap = abs(ours[key] - theirs[key]) / scale
        if gap >= worst:
            worst, name = gap, key
    return f"{worst:.1e} ({name})" if name else ""


def report(title: str, aim: str, rows: list[tuple[str, dict]]) -> list[str]:
    """The stage's table, in Markdown."""
    ours = rows[0][1]
    out = [
        f"### {title}",
        "",
        f"Aim: {aim}",
        "",
        "| tool | CPU s | wall s | MB | ratio (CPU) | largest difference |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for tool, row in rows:
        if "error" in row:
            out.append(f"| {tool} | failed: {row['error']} | | | | |")
            continue
        if "error" in ours or tool == rows[0][0]:
            ratio, gap = "", ""
        else:
            times = row["cpu"] / ours["cpu"]
            ratio = f"{times:.1f} ×" if times >= 1 else f"{times:.2f} × (**we are slower**)"
            gap = difference(ours["numbers"], row["numbers"])
        out.append(
            f"| {tool} | {row['cpu']:.4g} | {row['wall']:.4g} | {row['megabytes']:.0f} | {ratio} | {gap} |"
        )
    notes = [row["note"] for _, row in rows if row.get("note")]
    return [*out, "", *(f"- {note}" for note in notes), ""]


def main() -> None:
    chosen = sys.argv[1:] or list(stages.STAGES)
    lines = []
    for name in chosen:
        title, aim, tools = stages.STAGES[name]
        rows = []
        for tool in tools:
            print(f"{name}: {tool} …", file=sys.stderr, flush=True)
            rows.append((tool, measure(name, tool)))
        part = report(title, aim, rows)
        print("\n".join(part), flush=True)
        lines += part
    if len(chosen) == len(stages.STAGES):
        head = [
            "# Beside the peers",
            "",
            f"Written by `make bench` on {datetime.date.today()}, {platform.machine()}, {stages.cores()} cores, "
            f"Python {platform.python_version()}. " + " ".join((__doc__ or "").split("\n\n")[-1].split()),
            "",
        ]
        (HERE.parent / "RESULTS.md").write_text("\n".join([*head, *lines]))


if __name__ == "__main__":
    main()
