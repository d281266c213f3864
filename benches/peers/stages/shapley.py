"""Shapley values: the closed form with its order, and the game of conversion rates over 20 channels."""

from __future__ import annotations

import data


def paths():
    return data.load("paths")


def twenty():
    return data.load("paths_20")


def ours(paths):
    import headwater as hw

    journeys = hw.Journeys.from_paths(paths, value="value", nulls="nulls")
    return hw.attribute(journeys, ["shapley"])


def ours_numbers(result) -> dict[str, float]:
    return {r["channel"]: r["conversions"] for r in result.to_pylist() if r["channel"] != "(unattributed)"}


def journeys_as_lists():
    table = data.load("paths")
    journeys = [path.split(" > ") for path in table["path"].to_pylist()]
    return journeys, table["conversions"].to_pylist()


def shapley_attribution(inputs):
    from shapley_attribution import SimplifiedShapleyAttribution

    journeys, converted = inputs
    return SimplifiedShapleyAttribution(normalize=False).fit(journeys, converted).get_attribution()


def ours_rate(paths):
    import headwater as hw

    journeys = hw.Journeys.from_paths(paths, value="value", nulls="nulls")
    return hw.attribute(journeys, [hw.Shapley(worth="rate")])


CLOSED = {
    "headwater": (paths, ours, ours_numbers),
    "shapley-attribution": (journeys_as_lists, shapley_attribution, dict),
}
RATE = {"headwater": (twenty, ours_rate, ours_numbers)}
