"""What swapping costs: made logs in which the slowdown is known, R14 lines alone, and what must not be concluded."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from workbook.analyses import swap_cost
from workbook.database import Database
from workbook.window import Window

BEGIN = datetime(2024, 5, 6)
HOURS = 24
ROUTES = {"/home": 40.0, "/search": 200.0, "/reports/:id": 900.0}


def made(
    seed: int,
    slowdown: float,
    *,
    swaps: tuple[tuple[str, int, int], ...] = (("web.1", 6, 12), ("web.2", 14, 18)),
    busy: float = 1.0,
    per_hour: int = 60,
    h12: tuple[int, int] = (0, 0),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Swap samples and requests of three dynos; ``swaps`` are dyno, first and last hour of swapping.

    Requests on a swapping dyno take ``slowdown`` times as long; all take ``busy`` times as long in hours in which any
    dyno swaps. ``h12``: how many begin on swapping and on other dynos.
    """
    random = np.random.default_rng(seed)
    second = np.arange(0, HOURS * 3600, 20.0)
    frames, asked = [], []
    some_swap = np.zeros(HOURS, dtype=bool)
    for _, first, last in swaps:
        some_swap[first:last] = True
    for dyno in ("web.1", "web.2", "web.3"):
        swapping = np.zeros(HOURS, dtype=bool)
        for _, first, last in (one for one in swaps if one[0] == dyno):
            swapping[first:last] = True
        swap = np.where(swapping[(second // 3600).astype(int)], 120.0, 2.0)
        frames.append(pd.DataFrame({"dyno": dyno, "second": second, "value": swap}))
        start = np.sort(random.uniform(0, HOURS * 3600, per_hour * HOURS))
        hour = (start // 3600).astype(int)
        # load differs by hour: slow hours are not independent requests
        load = np.exp(random.normal(0, 0.15, HOURS))[hour]
        route = random.choice(list(ROUTES), len(start), p=[0.6, 0.3, 0.1])
        typical = np.array([ROUTES[one] for one in route])
        ms = typical * load * np.exp(random.normal(0, 0.5, len(start)))
        ms = ms * np.where(swapping[hour], slowdown, 1.0) * np.where(some_swap[hour], busy, 1.0)
        asked.append(
            pd.DataFrame({"dyno": dyno, "route": route, "start": start, "ms": np.round(ms), "code": None})
        )
    inside = [first * 3600 + 600 + number for _, first, _ in swaps[:1] for number in range(h12[0])]
    outside = [22 * 3600 + number for number in range(h12[1])]
    for dyno, moments in (("web.1", inside), ("web.3", outside)):
        asked.append(
            pd.DataFrame(
                {"dyno": dyno, "route": "/reports/:id", "start": moments, "ms": 30_000.0, "code": "H12"}
            )
        )
    return pd.concat(frames, ignore_index=True), pd.concat(asked, ignore_index=True)


def judged(
    samples: pd.DataFrame, asked: pd.DataFrame, r14: pd.DataFrame | None = None, **options: float
) -> pd.DataFrame:
    """The rows of the analysis over those samples (MB of swap), requests and R14 lines."""
    database = Database()
    database.register("samples", samples)
    database.register(
        "asked", asked.assign(code=asked["code"].astype("string"), second=asked["start"] + asked["ms"] / 1000)
    )
    time = "$begin::TIMESTAMP + to_microseconds((second * 1e6)::BIGINT)"
    database.execute(
        f"INSERT INTO dyno_samples SELECT 1, row_number() OVER (), {time}, dyno, 'a', 'memory_swap', value, 'MB' FROM samples",
        begin=BEGIN,
    )
    database.execute(
        "INSERT INTO requests (source_id, line, time, dyno, method, path, route, service_ms, connect_ms, status, code)"
        " SELECT 2, row_number() OVER (ORDER BY start, dyno),"
        f" {time}, dyno, 'GET', route, route, ms, 0,"
        " CASE WHEN code IS NULL THEN 200 ELSE 503 END, code FROM asked",
        begin=BEGIN,
    )
    if r14 is not None:
        database.register("errors", r14)
        database.execute(
            "INSERT INTO dyno_errors (source_id, line, time, dyno, code, memory_mb, memory_percent)"
            f" SELECT 3, row_number() OVER (), {time}, dyno, 'R14', 600, 117.2 FROM errors",
            begin=BEGIN,
        )
    try:
        return swap_cost.rows(database.frame, Window(), **options)
    finally:
        database.close()


def test_the_true_slowdown_lies_in_the_interval_and_h12_of_swapping_dynos_are_counted():
    rows = judged(*made(1, 2.5, h12=(8, 2)))
    whole = rows.iloc[0]
    assert (whole["scope"], whole["verdict"]) == ("process", "slower")
    assert whole["ratio_low"] <= 2.5 <= whole["ratio_high"]
    assert whole["same_hour_ratio_low"] <= 2.5 <= whole["same_hour_ratio_high"]
    assert (whole["h12"], whole["h12_swapping"], whole["h12_share"]) == (10, 8, 0.8)
    assert whole["h12_share_low"] == pytest.approx(0.4902, abs=1e-4)
    assert whole["exposed_share"] == pytest.approx(10 / 72, abs=0.02)
    (found,) = swap_cost.findings(rows)
    assert (found.severity, found.confidence) == ("warning", "high")
    assert "8 of 10 H12 began on a swapping dyno (80 %)" in found.title
    assert {"process", "dyno", "route"} == set(rows["scope"])
    assert set(rows.loc[rows["scope"] == "dyno", "dyno"]) == {"web.1", "web.2", "web.3"}


@pytest.mark.parametrize("seed", range(3))
def test_swap_that_costs_nothing_is_ruled_out_or_left_open_never_called_slower(seed):
    rows = judged(*made(seed, 1.0))
    assert rows.iloc[0]["verdict"] in ("same", "cannot_tell")
    assert swap_cost.findings(rows)[0].severity in ("ruled_out", "cannot_tell")


def test_a_slow_hour_of_all_dynos_is_not_laid_at_the_door_of_swap():
    rows = judged(*made(4, 1.0, busy=2.5))
    assert rows.iloc[0]["ratio"] > 1.5
    (found,) = swap_cost.findings(rows)
    assert (found.severity, found.confidence) == ("note", "low") and "load of those hours" in found.title


def test_one_stretch_of_swapping_is_too_little_to_judge():
    rows = judged(*made(5, 2.5, swaps=(("web.1", 6, 8),)))
    assert rows.iloc[0]["verdict"] == "cannot_tell" and pd.isna(rows.iloc[0]["ratio_low"])
    (found,) = swap_cost.findings(rows)
    assert found.severity == "cannot_tell" and "2 hours of swapping" in found.title


def test_a_little_swap_that_stays_is_not_swapping_until_it_is_asked_for():
    samples, asked = made(6, 2.0)
    assert judged(samples, asked, swap_mb=200).iloc[0]["verdict"] == "never_swapped"
    (found,) = swap_cost.findings(judged(samples, asked, swap_mb=200))
    assert found.severity == "ruled_out" and "120 MB" in found.title


def test_r14_lines_alone_tell_when_a_dyno_swapped_but_not_of_dynos_without_any():
    samples, asked = made(7, 2.5)
    lines = samples[samples["value"] >= 50].iloc[::2][["dyno", "second"]]
    rows = judged(samples.head(0), asked, lines)
    whole = rows.iloc[0]
    assert whole["verdict"] == "slower" and whole["ratio_low"] <= 2.5 <= whole["ratio_high"]
    of_third = rows[rows["dyno"] == "web.3"].iloc[0]
    assert of_third["requests_unknown"] == (asked["dyno"] == "web.3").sum()


def test_a_request_long_after_the_last_sample_is_left_out_and_counted():
    samples, asked = made(8, 2.5)
    cut = samples[samples["second"] < 12 * 3600]
    whole = judged(cut, asked).iloc[0]
    late = asked[(asked["start"] > 12 * 3600 + 120)]
    assert whole["requests_unknown"] >= len(late)


def test_the_same_rows_give_the_same_numbers_twice():
    samples, asked = made(1, 2.5)
    pd.testing.assert_frame_equal(judged(samples, asked), judged(samples, asked))
