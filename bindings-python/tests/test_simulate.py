"""Markets, and with them: seeds, threads, progress, interruption."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest
from support import columns, script

import headwater as hw


def test_a_market_has_events_orders_and_truth():
    market = hw.simulate.market(people=300, seed=7)
    events = columns(market.events)
    assert {"time", "cookie", "channel", "cost"} <= set(events)
    assert events["time"] == sorted(events["time"])
    assert len(market.records) == len(market.events) + len(market.orders)
    assert columns(market.totals)["events"] == [len(market.events)]
    assert market.end is not None
    assert market.end.tzinfo is not None
    assert "events=" in repr(market)


def test_the_seed_decides_and_threads_do_not():
    one = hw.simulate.market(people=3000, seed=7, threads=1, days=30)
    two = hw.simulate.market(people=3000, seed=7, threads=3, days=30)
    other = hw.simulate.market(people=3000, seed=8, threads=3, days=30)
    assert columns(one.events) == columns(two.events)
    assert columns(one.orders) != columns(other.orders)


def test_batches_stream_the_same_market():
    whole = hw.simulate.market(people=3000, seed=1, days=30)
    rows = 0
    for batch in hw.simulate.batches(people=3000, seed=1, days=30, batch_people=1024):
        rows += len(batch.events)
        totals = columns(batch.totals)
    assert rows == len(whole.events)
    assert totals == columns(whole.totals)


def test_a_preset_is_a_market_with_a_name():
    named = columns(hw.simulate.presets())
    assert {"plain", "branded_search", "retargeting"} <= set(named["name"])
    market = hw.simulate.market(300, preset="branded_search", seed=1)
    assert len(market.people) == 300
    assert "branded_search" in columns(market.channels)["channel"]
    assert len(market.truth_events) == len(market.events)
    batch = next(hw.simulate.batches(300, preset="branded_search", seed=1))
    assert columns(batch.channels) == columns(market.channels)
    with pytest.raises(hw.OptionError, match="`preset`"):
        hw.simulate.market(preset="plane")


def test_a_channel_switched_off_loses_what_the_truth_says():
    given = {"people": 2000, "preset": "synergy", "seed": 3}
    market = hw.simulate.market(**given)
    without = hw.simulate.market(**given, off=["display"])
    truth = columns(market.channels)
    lost = dict(zip(truth["channel"], truth["lost_conversions"], strict=True))
    assert lost["display"] > 0
    assert len(market.orders) - len(without.orders) == lost["display"]


def test_a_lift_test_estimates_what_a_channel_does():
    given = {"people": 3000, "preset": "plain", "seed": 2}
    tests = [{"channel": "display", "start": "2025-02-01", "end": "2025-05-01"}, {"channel": "social"}]
    lift = columns(hw.simulate.lift_test(tests, **given))
    assert lift["channel"] == ["display", "social"]
    truth = columns(hw.simulate.market(**given).channels)
    assert lift["true_effect"][1] == truth["lost_conversions"][truth["channel"].index("social")]
    z = (lift["effect"][1] - lift["true_effect"][1]) / lift["standard_error"][1]
    assert abs(z) < 4
    one = columns(hw.simulate.lift_test({"channel": "social"}, **given, threads=1))
    assert one["effect"] == lift["effect"][1:]
    with pytest.raises(hw.OptionError, match="radio"):
        hw.simulate.lift_test({"channel": "radio"}, **given)
    with pytest.raises(TypeError, match="peeple"):
        hw.simulate.lift_test(tests, peeple=3)


def test_credits_are_scored_against_the_truth():
    market = hw.simulate.market(2000, preset="branded_search", seed=5, backend="pandas")
    touches = market.events.assign(customer=market.truth_events.person)
    orders = market.orders.assign(customer=market.truth_orders.person)
    journeys = hw.Journeys.from_events(touches, conversions=orders)
    report = {}
    scores = hw.simulate.score(hw.attribute(journeys, ["last", "linear"]), market.channels, report=report)
    assert len(scores) == 2 * len(market.channels)
    models = columns(report["models"])
    assert models["model"] == ["last", "linear"]
    assert all(error > 0 for error in models["mean_absolute_error"])
    assert all(more > 0 for more in models["over_credit"])
    assert models["coverage"][0] is None or models["coverage"][0] != models["coverage"][0]


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_the_kind_of_frame_can_be_named(backend):
    market = hw.simulate.market(people=50, backend=backend)
    assert type(market.events).__module__.startswith((backend, "pyarrow"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"people": -1},
        {"people": "many"},
        {"days": 0},
        {"seed": -1},
        {"seed": "x"},
        {"threads": -1},
        {"channels": [{"name": "a", "effekt": 1}]},
        {"purchases": {"r": float("nan")}},
        {"backend": "spark"},
        {"progress": 3},
        {"start": "yesterday"},
        {"identity": object()},
    ],
)
def test_a_wrong_option_is_named(wrong):
    with pytest.raises(hw.OptionError, match=f"`{next(iter(wrong))}`") as caught:
        hw.simulate.market(**wrong)
    assert caught.value.code == "HW_OPTION"


def test_an_unknown_keyword_is_a_type_error_that_names_it():
    with pytest.raises(TypeError, match="peeple"):
        hw.simulate.market(peeple=3)


def test_progress_calls_back_with_stage_done_and_total():
    told = []
    hw.simulate.market(people=20_000, progress=lambda *now: told.append(now))
    assert told
    assert all(isinstance(stage, str) and done >= 0 for stage, done, total in told)


def test_progress_true_draws_a_bar(capsys):
    hw.simulate.market(people=20_000, progress=True)
    assert "%" in capsys.readouterr().err


def test_an_exception_in_the_callback_stops_the_work():
    def stop(*_):
        raise KeyError("enough")

    begun = time.monotonic()
    with pytest.raises(KeyError, match="enough"):
        hw.simulate.market(people=50_000_000, progress=stop)
    assert time.monotonic() - begun < 10
    assert len(hw.simulate.market(people=10).people) == 10


def test_other_threads_run_meanwhile():
    ticks = 0
    done = threading.Event()

    def tick():
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    hw.simulate.market(people=30_000)
    done.set()
    ticker.join()
    assert ticks > 10


INTERRUPTED = """
import sys, time, headwater as hw
print("ready", flush=True)
try:
    hw.simulate.market(people=200_000_000)
except KeyboardInterrupt:
    print("stopped", flush=True)
print(len(hw.simulate.market(people=100).people), flush=True)
"""


def test_ctrl_c_stops_the_work_at_once_and_leaves_everything_usable():
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    time.sleep(1.0)
    sent = time.monotonic()
    child.send_signal(signal.SIGINT)
    line = child.stdout.readline()
    waited = time.monotonic() - sent
    out, err = child.communicate(timeout=60)
    assert line == "stopped\n", err
    assert waited < 2.0  # 0.1 s by design; generous, because test machines are busy
    assert out == "100\n", err


FORKED = """
import multiprocessing, sys
import headwater as hw
def work(seed):
    return len(hw.simulate.market(people=3000, days=30, seed=seed, threads=2).people)
hw.simulate.market(people=3000, days=30, threads=2)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map_async(work, range(4)).get(timeout=60))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
def test_a_forked_child_works_after_its_parent_used_threads():
    done = script(FORKED)
    assert done.stdout.strip() == "[3000, 3000, 3000, 3000]", done.stderr
