"""Removal effects of a Markov chain, from path strings: exact here, simulated by ChannelAttribution."""

from __future__ import annotations

from functools import partial

import data


def arrow(table: str = "paths"):
    return data.load(table)


def ours(order: int, paths):
    import headwater as hw

    return hw.attribute(hw.Journeys.from_paths(paths, value="value", nulls="nulls"), [hw.Markov(order=order)])


def ours_numbers(result) -> dict[str, float]:
    return {r["channel"]: r["conversions"] for r in result.to_pylist() if r["channel"] != "(unattributed)"}


def pandas(table: str = "paths"):
    return data.load(table).to_pandas()


def channel_attribution(order: int, paths):
    import ChannelAttribution

    return ChannelAttribution.markov_model(
        paths, "path", "conversions", var_value="value", var_null="nulls", order=order, sep=">", flg_pro=False
    )


def channel_attribution_numbers(result) -> dict[str, float]:
    table = result["result"] if isinstance(result, dict) else result
    return {r["channel_name"]: r["total_conversions"] for r in table.to_dict("records")}


def tools(order: int, table: str = "paths") -> dict:
    return {
        "headwater": (partial(arrow, table), partial(ours, order), ours_numbers),
        "ChannelAttribution": (
            partial(pandas, table),
            partial(channel_attribution, order),
            channel_attribution_numbers,
        ),
    }


ORDER_1, ORDER_3, HUNDRED = tools(1), tools(3), tools(3, "paths_100")
