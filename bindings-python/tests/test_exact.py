"""Removals, games and orders by name: what a caller of Python sees."""

from __future__ import annotations

from typing import Any

import pytest
from support import columns

import headwater as hw

TOY = {
    "path": ["A > B > C", "A > B", "B > C", "C", "A > A > C"],
    "conversions": [10, 5, 8, 4, 3],
    "nulls": [20, 45, 32, 36, 17],
    "value": [1000.0, 400.0, 960.0, 200.0, 330.0],
}


@pytest.fixture(scope="module")
def journeys() -> hw.Journeys:
    return hw.Journeys.from_paths(TOY, value="value", nulls="nulls")


def rows(frame: Any) -> list[dict[str, Any]]:
    found = columns(frame)
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def test_removals_have_names(journeys):
    for removal, exact in {
        "null": [7 / 13, 8 / 13, 5 / 6],
        "reconnect": [-1 / 26, -2 / 13, 2 / 5],
        "skip": [0, 0, -4 / 35],
        "fail": [3 / 5, 23 / 30, 5 / 6],
        "fail_refit": [3 / 5, 23 / 30, 11 / 14],
    }.items():
        model = hw.Markov(removal=removal).fit(journeys)
        assert list(model.removal_effects_.values()) == pytest.approx(exact, abs=1e-14)
        again = hw.Markov.from_bytes(model.to_bytes())
        assert (again.removal, again.split, again.negative) == (removal, "removal", "clamp")
        assert again == model
    with pytest.raises(hw.OptionError, match="removal"):
        hw.Markov(removal="delete").fit(journeys)
    with pytest.raises(hw.OptionError, match="1 to 30 with 3 channels"):
        hw.Markov(order=31).fit(journeys)


def test_several_channels_at_once(journeys):
    model = hw.Markov(order=2).fit(journeys)
    found = rows(model.joint_effects([["A", "B"]], sequences=[["B", "C"]]))
    assert [row["kind"] for row in found] == ["set", "sequence"]
    assert found[0]["removal_effect"] <= found[0]["sum_of_effects"] == pytest.approx(11 / 21 + 23 / 30)
    assert found[1]["channels"] == "B > C"
    with pytest.raises(hw.OptionError, match="no channel `Z`"):
        model.joint_effects([["Z"]])
    report = {}
    states = rows(model.states(report=report))
    assert sum(row["expected_visits"] for row in states) == pytest.approx(1 + (30 + 20) / 180)
    assert [row["channel"] for row in rows(report["channels"])] == ["A", "B", "C"]


def test_worths_have_names(journeys):
    for worth, exact in {
        "conversions": [22 / 3, 59 / 6, 77 / 6],
        "rate": [1 / 40, 1 / 24, 1 / 10],
        "exact_set_rate": [5 / 72, 17 / 180, 61 / 360],
        "exact_set_conversions": [4 / 3, 23 / 6, 29 / 6],
        "journey_rate": [61 / 12, 22 / 3, 211 / 12],
    }.items():
        model = hw.Shapley(worth=worth).fit(journeys)
        assert list(model.values_.values()) == pytest.approx(exact, rel=1e-13)
        assert [row["shapley"] for row in rows(model.values())] == list(model.values_.values())
        again = hw.Shapley.from_bytes(model.to_bytes())
        assert again == model
        assert again.values_ == model.values_
        credit = rows(hw.attribute(journeys, [model]))
        assert sum(row["conversions"] for row in credit) == pytest.approx(30)
        assert sum(model.score(["A", "A", "C"])) == pytest.approx(1)
    model = hw.Shapley().fit(journeys)
    assert {(r["channel"], r["position"]) for r in rows(model.positions())} >= {("A", 2), ("C", 3)}
    assert [row["channels"] for row in rows(model.dividends(top=1))] == ["A + B + C"]
    assert len(rows(model.synergies())) == 3
    # As it stands it scores without being fitted; other worths do not.
    assert hw.Shapley().score(["A", "A", "C"]) == [0.25, 0.25, 0.5]
    with pytest.raises(hw.NotFittedError):
        hw.Shapley(worth="rate").score(["A"])
    gloves = [{"channels": c, "worth": 1} for c in (["A", "B"], ["A", "C"], ["A", "B", "C"])]
    glove = hw.Shapley(worth="table", worths=gloves).fit(journeys)
    assert list(glove.values_.values()) == pytest.approx([2 / 3, 1 / 6, 1 / 6])
    with pytest.raises(hw.OptionError, match="worths"):
        hw.Shapley(worth="table").fit(journeys)


def test_orders_are_compared(journeys):
    found = rows(hw.choose_order(journeys, 3, seed=5))
    assert [row["order"] for row in found] == [1, 2, 3]
    assert sum(row["chosen"] for row in found) == 1
    assert all(row["held_out_log_likelihood"] < 0 for row in found)
    with pytest.raises(hw.OptionError, match="folds"):
        hw.choose_order(journeys, folds=1)
