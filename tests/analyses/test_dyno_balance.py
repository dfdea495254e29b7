"""dyno_balance: the known chi-squares and bounds, one slow dyno, one slow request, restarts, and too little data."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import NormalDist

import pandas as pd
import pytest

from workbook import Workbook
from workbook.analyses import dyno_balance

NOON = datetime(2024, 3, 5, 12, 0, 0)
CALM = (19, 20, 21, 22, 23, 25, 28, 33, 45, 90)


def fill(wb: Workbook, requests: list[tuple[float, str, float]]) -> Workbook:
    """Put requests (second, dyno, ms) into the table of requests, as the readers would."""
    frame = pd.DataFrame(requests, columns=["second", "dyno", "ms"])
    frame["line"] = range(1, len(frame) + 1)
    frame["time"] = [NOON + timedelta(seconds=float(second)) for second in frame["second"]]
    connection = wb._database._connection
    connection.register("made", frame)
    connection.execute(
        "INSERT INTO requests (source_id, line, time, dyno, route, connect_ms, service_ms, status)"
        " SELECT 1, line, time, dyno, '/a', 0, ms::BIGINT, 200 FROM made"
    )
    connection.unregister("made")
    wb._database.execute(
        "INSERT INTO sources (source_id, path, sha256, kind, bytes, lines, log_lines, joined, duplicates, unread, blank)"
        " VALUES (1, 'made.log', 'x', 'heroku_logs', 1, 1, 1, 0, 0, 0, 0)"
    )
    return wb


def state(wb: Workbook, second: float, dyno: str, before: str, after: str) -> None:
    wb._database.execute(
        "INSERT INTO dyno_states (source_id, line, time, dyno, from_state, to_state, event)"
        " VALUES (1, $line, $time, $dyno, $before, $after, 'state')",
        line=100_000 + int(second), time=NOON + timedelta(seconds=second), dyno=dyno, before=before, after=after,
    )  # fmt: skip


def dealt(counts: list[int], seconds: float = 6_000) -> list[tuple[float, str, float]]:
    """So many requests for each dyno, each evenly over the time."""
    return [
        (seconds * (n + 0.5) / count, f"web.{dyno}", CALM[n % 10])
        for dyno, count in enumerate(counts, 1)
        for n in range(count)
    ]


def randomly(seed: int, n: int, hours: float, dynos: int = 3, slow: str = "", times: float = 2.0):
    seeded = random.Random(seed)
    return [
        (
            seeded.uniform(0, hours * 3600),
            dyno,
            seeded.choice(CALM) * seeded.uniform(0.5, 2) * (times if dyno == slow else 1),
        )
        for dyno in (f"web.{seeded.randint(1, dynos)}" for _ in range(n))
    ]


def counted(counts: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"count": counts, "expected": sum(counts) / len(counts), "overdispersion": 1.0})


@pytest.mark.parametrize(
    ("counts", "chi2", "p"),
    [
        ([250, 260, 245, 245], 0.6, 0.896),
        ([300, 250, 225, 225], 15.0, 0.00182),
        ([520, 250, 115, 115], 437.4, 0.0),
    ],
)
def test_known_chi_squares(counts, chi2, p):
    found, probability = dyno_balance.spread_test(counted(counts))
    assert found == pytest.approx(chi2, abs=0.01)
    assert probability == pytest.approx(p, abs=0.0005)


def test_known_bounds():
    assert dyno_balance.count_z(10) == pytest.approx(3.2905, abs=1e-4)
    for expected, spread in ((100, 0.170), (400, 0.085), (2_500, 0.034)):
        assert dyno_balance.natural_spread(counted([expected] * 4)) == pytest.approx(spread, abs=5e-4)


def test_one_dyno_with_a_fifth_more_differs(wb):
    result = fill(wb, dealt([300, 250, 225, 225])).run("dyno_balance")
    first = result.table.iloc[0]
    assert (first["count"], first["expected"], first["z"]) == (
        300,
        pytest.approx(250, abs=0.5),
        pytest.approx(3.651, abs=0.05),
    )
    assert result.table["verdict"].tolist() == ["different", "same", "same", "same"]
    assert result.table["reason"].str.contains("not in the log").all()
    warning = result.findings[0]
    assert (warning.severity, warning.confidence) == ("warning", "low")
    assert "web.1 300 of 250" in warning.title and warning.next_step


def test_equal_dynos_are_ruled_out(wb):
    result = fill(wb, dealt([250, 260, 245, 245])).run("dyno_balance")
    assert set(result.table["verdict"]) == {"same"}
    assert [finding.severity for finding in result.findings] == ["ruled_out"]
    assert "245–260 requests" in result.findings[0].title
    assert result.findings[0].numbers["chi2_probability"] == pytest.approx(0.896, abs=0.01)


@pytest.mark.parametrize("seed", range(8))
def test_clients_that_stick_to_a_dyno_are_no_bad_dyno(wb, seed):
    """Requests in runs of 12 of one client: the counts differ by more than routing would, the minutes show why."""
    seeded = random.Random(seed)
    runs = [(seeded.uniform(0, 14_000), f"web.{seeded.randint(1, 4)}") for _ in range(200)]
    table = (
        fill(wb, [(start + n, dyno, 20) for start, dyno in runs for n in range(12)]).run("dyno_balance").table
    )
    assert table["overdispersion"].iloc[0] > 4
    assert (
        (table["count"] - 600).abs() / (600 * 0.75) ** 0.5
    ).max() > 2.5  # without the minutes it would look bad
    assert set(table["verdict"]) == {"same"}


def test_a_dyno_that_was_down_is_expected_to_have_fewer(wb):
    requests = [one for one in dealt([1_200, 1_200, 1_200], 7_200) if one[1] != "web.3" or one[0] < 3_600]
    fill(wb, requests)
    before = wb.run("dyno_balance").table
    state(wb, 3_600, "web.3", "up", "down")
    after = wb.run("dyno_balance").table
    assert after["share_of_time_up"].round(2).tolist() == [1.0, 1.0, 0.5]
    assert after["up_known"].all() and not before["up_known"].any()
    assert after["ratio"].tolist() == pytest.approx([1, 1, 1], abs=0.2)
    # half of the requests of the second hour belong to each of the two that stayed
    assert after["expected"].tolist() == pytest.approx([1_200, 1_200, 600], abs=5)
    assert set(after["verdict"]) == {"same"}


def test_a_dyno_that_is_up_and_gets_nothing_differs(wb):
    requests = [one for one in dealt([1_200, 1_200, 1_200], 7_200) if one[1] != "web.3" or one[0] < 3_600]
    fill(wb, requests)
    state(wb, 10, "web.1", "starting", "up")  # the log has states, and web.3 never went down
    result = wb.run("dyno_balance")
    assert result.table["verdict"].tolist()[2] == "different"
    assert result.table["ratio"].tolist()[2] == pytest.approx(0.6, abs=0.01)
    assert result.findings[0].severity == "warning" and result.findings[0].confidence == "medium"


def test_theta_and_its_distance_agree_with_scipy(wb):
    from scipy.stats import mannwhitneyu

    requests = randomly(3, 900, 0.9, slow="web.2", times=1.3)
    table = fill(wb, requests).run("dyno_balance").table.set_index("dyno")
    own = [int(ms + 0.5) for _, dyno, ms in requests if dyno == "web.2"]
    others = [int(ms + 0.5) for _, dyno, ms in requests if dyno != "web.2"]
    known = mannwhitneyu(own, others, use_continuity=False, method="asymptotic")
    assert table.loc["web.2", "theta"] == pytest.approx(known.statistic / len(own) / len(others), abs=2e-3)
    assert table.loc["web.2", "theta_z"] == pytest.approx(NormalDist().inv_cdf(1 - known.pvalue / 2), abs=0.1)


def test_a_dyno_that_is_twice_as_slow_for_hours_differs(wb):
    result = fill(wb, randomly(1, 3_000, 8, slow="web.2")).run("dyno_balance")
    table = result.table.set_index("dyno")
    assert table["verdict"].to_dict() == {"web.1": "same", "web.2": "different", "web.3": "same"}
    assert table.loc["web.2", "p50_ratio"] == pytest.approx(2.0, abs=0.25)
    assert table.loc["web.2", "slower_hours"] == table.loc["web.2", "hours"] == 8
    warning = result.findings[0]
    assert warning.severity == "warning" and warning.title.startswith("web.2 is slower")
    assert "memory_quota" in warning.next_step


def test_slow_in_one_hour_is_not_told_from_one_slow_request(wb):
    result = fill(wb, randomly(2, 1_200, 0.9, slow="web.2", times=3.0)).run("dyno_balance")
    assert result.table["verdict"].tolist() == ["same", "cannot_tell", "same"]
    assert not [finding for finding in result.findings if finding.severity == "warning"]


def test_one_bad_hour_of_eight_is_within_chance(wb):
    requests = [
        (s, d, ms * (20 if d == "web.1" and 3_600 <= s < 7_200 else 1)) for s, d, ms in randomly(4, 4_000, 8)
    ]
    table = fill(wb, requests).run("dyno_balance").table
    assert set(table["verdict"]) == {"same"}


def served(seed: int, hours: float, slow_share: float) -> list[tuple[float, str, float]]:
    """Three equal dynos, random routing, first come, first served, with requests of 15 s in between."""
    seeded = random.Random(seed)
    free = dict.fromkeys(("web.1", "web.2", "web.3"), 0.0)
    made, now = [], 0.0
    while now < hours * 3600:
        now += seeded.expovariate(0.2)
        dyno = seeded.choice(tuple(free))
        work = 15.0 if seeded.random() < slow_share else seeded.uniform(0.02, 0.2)
        free[dyno] = max(free[dyno], now) + work
        made.append((free[dyno], dyno, 1_000 * (free[dyno] - now)))
    return made


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("hours", "slow_share"), [(1, 0.03), (4, 0.1), (8, 0.3)])
def test_equal_dynos_behind_slow_requests_never_differ(wb, seed, hours, slow_share):
    table = fill(wb, served(seed, hours, slow_share)).run("dyno_balance").table
    assert "different" not in set(table["verdict"])


@pytest.mark.parametrize(
    ("counts", "reason"),
    [([500], "only one dyno"), ([500, 90], "too few requests"), ([500, 1], "too few requests")],
)
def test_too_little_is_not_judged(wb, counts, reason):
    result = fill(wb, dealt(counts)).run("dyno_balance")
    last = result.table.iloc[-1]
    assert last["verdict"] == "cannot_tell" and last["reason"].startswith(reason)
    assert any(finding.severity == "cannot_tell" and reason in finding.title for finding in result.findings)


def test_a_short_log_is_too_short_to_tell_sticky_clients(wb):
    result = fill(wb, dealt([300, 250, 225, 225], 600)).run("dyno_balance")
    assert result.table["verdict"].tolist() == ["cannot_tell", "same", "same", "same"]


def test_websockets_do_not_count(wb):
    fill(wb, dealt([150, 150]))
    wb._database.execute("INSERT INTO requests (source_id, line, time, dyno, service_ms, status) "
                         "SELECT 1, 9000 + n, TIMESTAMP '2024-03-05 12:30', 'web.1', 900000, 101 FROM range(50) t(n)")  # fmt: skip
    assert wb.run("dyno_balance").table["count"].tolist() == [150, 150]


def test_no_rows_say_what_is_missing():
    assert [finding.severity for finding in dyno_balance.findings(pd.DataFrame())] == ["cannot_tell"]


def test_bounds_fall_step_by_step():
    steps = [dyno_balance.count_z(5 - place) for place in range(5)]
    assert all(before > after for before, after in pairwise(steps))
    assert steps[-1] == pytest.approx(2.5758, abs=1e-4)
