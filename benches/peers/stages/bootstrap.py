"""Intervals by a thousand bootstrap replicates; no peer has them."""

from __future__ import annotations

import data

RULES = ["first", "last", "linear", "position_based", "shapley", "markov"]


def paths():
    return data.load("paths")


def ours(paths):
    import headwater as hw

    journeys = hw.Journeys.from_paths(paths, value="value", nulls="nulls")
    return hw.attribute(journeys, RULES, bootstrap=1000)


TOOLS = {"headwater": (paths, ours, lambda _: {})}
