"""Reading 10 million events: transition graph, step matrix and funnel, the loading included."""

from __future__ import annotations

import os

import data

STEPS = [data.CHANNELS[14], data.CHANNELS[13], data.CHANNELS[12]]


def arrow():
    return data.load("touches")


def ours(touches):
    import headwater as hw

    journeys = hw.Journeys.from_events(touches, lookback="90d")
    return journeys.graph(), journeys.step_matrix(steps=10), journeys.funnel(STEPS)


def ours_numbers(result) -> dict[str, float]:
    funnel = result[2].to_pylist()
    return {f"funnel {i}": row["count"] for i, row in enumerate(funnel)}


def pandas():
    frame = data.load("touches").to_pandas()
    frame["channel"] = frame["channel"].astype(str)
    frame["time"] = frame["time"].dt.tz_localize(None)
    return frame


def retentioneering(frame):
    os.environ["RETENTIONEERING_NO_TRACK"] = "1"
    from retentioneering import Eventstream

    schema = {"path_cols": ["customer"], "event_col": "channel", "timestamp_col": "time"}
    stream = Eventstream(frame, schema)
    graph = stream.transition_graph_data(edge_weight="count")
    matrix = stream.step_matrix_data(max_steps=10)
    return graph, matrix, stream.funnel_data(steps=STEPS)


def retentioneering_numbers(result) -> dict[str, float]:
    return {f"funnel {i}": row["unique_paths"] for i, row in enumerate(result[2]["steps"])}


TOOLS = {
    "headwater": (arrow, ours, ours_numbers),
    "retentioneering": (pandas, retentioneering, retentioneering_numbers),
}
