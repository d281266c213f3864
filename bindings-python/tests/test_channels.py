"""Channel rules as an object: classify, extend, compare, save, pickle."""

from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
import pytest

import headwater as hw


def test_one_visit_is_classified() -> None:
    rules = hw.ChannelRules.ga4()
    found = rules.classify(landing_page="https://a.de/?utm_source=google&utm_medium=cpc&utm_campaign=x")
    assert (found["source"], found["medium"], found["campaign"]) == ("google", "cpc", "x")
    assert (found["channel"], found["origin"]) == ("Paid Search", "utm")
    assert rules.classify(landing_page="https://a.de/", referrer="https://a.de/x")["channel"] is None
    assert rules.classify()["channel"] == "Direct"
    assert rules.classify(source="crm", medium="webpush")["channel"] == "Mobile Push Notifications"
    assert rules.classify(landing_page="http://[broken")["bad_landing_page"]


def test_rules_are_extended_without_changing_what_they_came_from() -> None:
    rules = hw.ChannelRules.ga4()
    mine = (
        rules.with_source("my-shop.de", "shopping")
        .with_click_id("xclid", "x", "cpc")
        .prepend({"channel": "Podcast", "when": {"field": "campaign", "contains": "podcast"}})
        .append({"channel": "Print", "when": {"field": "medium", "equals": "print"}})
    )
    assert mine.classify(referrer="https://www.my-shop.de/")["channel"] == "Organic Shopping"
    assert mine.classify(landing_page="/?XClid=1")["channel"] == "Paid Other"
    assert mine.classify(source="google", medium="cpc", campaign="Podcast 1")["channel"] == "Podcast"
    assert mine.classify(source="flyer", medium="print")["channel"] == "Print"
    assert rules == hw.ChannelRules()
    assert mine != rules
    assert len(mine.rules) == len(rules.rules) + 2
    assert hw.ChannelRules(**mine.to_dict()) == mine


def test_rules_save_load_and_pickle(tmp_path: Path) -> None:
    rules = hw.ChannelRules(own_hosts=["a.de"], internal="direct", default="Other")
    rules.save(tmp_path / "rules.json")
    loaded = hw.load(tmp_path / "rules.json")
    assert loaded == rules
    assert pickle.loads(pickle.dumps(rules)) == rules
    assert loaded.classify(referrer="https://www.a.de/")["channel"] == "Direct"


@pytest.mark.parametrize(
    "bad",
    [
        {"rules": [{"channel": "A", "when": {"field": "sauce", "equals": "x"}}]},
        {"rules": [{"channel": "A", "when": {"field": "source", "matches": "("}}]},
        {"internal": "maybe"},
        {"own_hosts": ["a b"]},
    ],
)
def test_bad_rules_are_option_errors(bad: dict[str, object]) -> None:
    with pytest.raises(hw.OptionError):
        hw.ChannelRules(**bad)  # type: ignore[arg-type]


def test_a_frame_of_visits_becomes_touches() -> None:
    visits = pd.DataFrame(
        {
            "customer": ["ann", "ann", "bob"],
            "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"]),
            "url": ["https://a.de/?gclid=1", "https://a.de/", "nonsense"],
            "referrer": [None, "https://www.facebook.com/", None],
        }
    )
    report: dict[str, pd.DataFrame] = {}
    found = hw.channels.group(visits, landing_page="url", referrer="referrer", report=report)
    assert list(found["channel"]) == ["Paid Search", "Organic Social", "Unassigned"]
    assert list(report["accounting"]["first_row"]) == [2, 2]
    journeys = hw.Journeys.from_events(visits.assign(channel=found["channel"]))
    assert "Paid Search > Organic Social" in list(journeys.paths()["path"])
    short = journeys.transform([{"step": "trim_long_path", "steps": 1}])
    assert set(short.paths()["path"]) == {"Organic Social", "Unassigned"}
    with pytest.raises(hw.OptionError, match="there is no channel"):
        journeys.transform([{"step": "exclude", "channels": ["email"]}])
