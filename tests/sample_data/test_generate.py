"""The sample data is what its generator writes, and holds what its README and .planted.json say."""

from __future__ import annotations

import csv
import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SAMPLE = Path(__file__).parents[2] / "sample_data"
WRITTEN = ("*.txt", "*.log", "*.csv", "*.json", "papertrail/*/*.gz")
Record = tuple[str, str, str, str]
"""Whole second, source, process, message."""


def unpacked(path: Path) -> bytes:
    """Return the bytes of the file; of a gz those inside, for these do not depend on the zlib of the machine."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def written(folder: Path) -> dict[str, bytes]:
    """Return what the generator writes, from that folder."""
    paths = sorted(path for pattern in WRITTEN for path in folder.glob(pattern))
    return {path.relative_to(folder).as_posix(): unpacked(path) for path in paths}


@pytest.fixture(scope="module")
def planted() -> dict[str, Any]:
    """.planted.json."""
    return json.loads((SAMPLE / ".planted.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def facts(planted: dict[str, Any]) -> dict[str, Any]:
    """The planted facts by name."""
    return {fact["name"]: fact for fact in planted["facts"]}


@pytest.fixture(scope="module")
def archive() -> list[Record]:
    """Every record of the two archives, in file order."""
    rows = []
    for path in sorted(SAMPLE.glob("papertrail/*/*.gz")):
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            columns = line.split("\t", 9)
            source, process = columns[8].split("/")
            rows.append((columns[1], source, process, columns[9]))
    return rows


@pytest.fixture(scope="module")
def router(archive: list[Record]) -> list[dict[str, str]]:
    """Every router line as its pairs, with ``time``."""
    return [
        {
            "time": time,
            **{key: value.strip('"') for key, value in re.findall(r'(\w+)=("[^"]*"|\S*)', message)},
        }
        for time, _, process, message in archive
        if process == "router"
    ]


@pytest.fixture(scope="module")
def rack_timeout(archive: list[Record]) -> dict[str, dict[str, str]]:
    """The pairs of all rack-timeout lines by request id: a later line adds to an earlier one."""
    found: dict[str, dict[str, str]] = {}
    for _, _, process, message in archive:
        if message.startswith("source=rack-timeout"):
            pairs = dict(re.findall(r"(\w+)=(\S+)", message))
            found.setdefault(pairs["id"], {"dyno": process}).update(pairs)
    return found


def dump(name: str) -> list[Record]:
    """Return the records of a ``heroku logs`` dump, without colours."""
    data = (SAMPLE / name).read_bytes()
    text = data.decode("utf-16" if data[:2] == b"\xff\xfe" else "utf-8")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    pattern = re.compile(r"(\S{10})T(\S{8})\.\d{6}\+00:00 (app|heroku)\[([\w.-]+)\]: (.*)")
    matches = [match for match in map(pattern.fullmatch, lines) if match]
    return [(f"{m[1]} {m[2]}", m[3], m[4], m[5]) for m in matches]


def test_generator_writes_the_committed_files(tmp_path: Path) -> None:
    command = [sys.executable, str(SAMPLE / "generate.py"), "--to", str(tmp_path)]
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "7", "PYTHONDONTWRITEBYTECODE": "1"})
    fresh, committed = written(tmp_path), written(SAMPLE)
    assert sorted(fresh) == sorted(committed)
    assert [name for name in fresh if fresh[name] != committed[name]] == []
    for path in tmp_path.glob("papertrail/*/*.gz"):
        assert path.read_bytes()[4:8] == b"\0\0\0\0", "the time of making must not be in the gz"


def test_sizes_are_those_of_the_files(planted: dict[str, Any], archive: list[Record]) -> None:
    counts = planted["counts"]
    lines = {name: data.count(b"\n") for name, data in written(SAMPLE).items() if name != ".planted.json"}
    assert counts["lines_by_file"] == lines
    assert 38_000 <= sum(lines.values()) == counts["lines"] <= 42_000
    assert len(archive) == counts["log_lines"]
    assert sum(path.stat().st_size for pattern in WRITTEN for path in SAMPLE.glob(pattern)) < 3_000_000


def test_requests_are_counted(planted: dict[str, Any], router: list[dict[str, str]]) -> None:
    counts = planted["counts"]
    assert len(router) == counts["requests"] == len({request["request_id"] for request in router})
    assert Counter(request["dyno"] for request in router) == counts["requests_by_dyno"]
    assert Counter(request["status"] for request in router) == counts["requests_by_status"]
    assert Counter(request["code"] for request in router if "code" in request) == counts["requests_by_code"]


@pytest.mark.parametrize("name", ["heroku-logs.txt", "powershell-deploy.log"])
def test_dumps_repeat_the_archive(name: str, planted: dict[str, Any], archive: list[Record]) -> None:
    repeated = dump(name)
    assert len(repeated) == planted["counts"]["duplicates"][name]
    assert Counter(repeated) <= Counter(archive)


def test_every_h12_has_its_truth(
    facts: dict[str, Any], router: list[dict[str, str]], rack_timeout: dict[str, dict[str, str]]
) -> None:
    truth = {one["request_id"]: one for one in facts["h12_burst"]["h12"]}
    logged = {request["request_id"]: request for request in router if request.get("code") == "H12"}
    assert truth.keys() == logged.keys()
    assert 40 <= len(truth) <= 90
    for request_id, one in truth.items():
        line, timeout = logged[request_id], rack_timeout[request_id]
        assert one["time"][:19].replace("T", " ") == line["time"]
        assert 30_000 <= int(line["service"].removesuffix("ms")) <= 30_007
        assert f"{one['rack_timeout_wait_ms']}ms" == timeout["wait"]
        assert one["outcome"] == timeout["state"]
        assert 0 <= one["rack_timeout_wait_ms"] - one["queue_ms"] <= 3
        assert one["waited_ms"] == min(one["queue_ms"], int(line["service"].removesuffix("ms")))
        assert one["cause"] == ("blocked" if one["waited_ms"] >= 15_000 else "slow_itself")
        if one["outcome"] == "completed":
            assert timeout["service"] == f"{one['work_ms']}ms"
            assert one["queue_ms"] + one["work_ms"] >= 29_999


def test_every_blocker_ran_on_the_same_dyno(
    facts: dict[str, Any], rack_timeout: dict[str, dict[str, str]]
) -> None:
    blocked = [one for one in facts["h12_burst"]["h12"] if one["cause"] == "blocked"]
    for one in blocked:
        blocker = rack_timeout[one["blocker_request_id"]]
        assert blocker["dyno"] == one["dyno"]
        assert blocker["service"] == f"{one['blocker_ms']}ms"
        assert one["blocker_route"] == facts["h12_burst"]["blocker_route"]
        assert 0 < one["blocked_by_it_ms"] <= min(one["blocker_ms"], one["waited_ms"])
    assert sum(one["route"] != one["blocker_route"] for one in blocked) > len(blocked) / 2


def test_only_the_burst_has_h12_and_only_the_bad_deploy_has_500(
    facts: dict[str, Any], router: list[dict[str, str]]
) -> None:
    deploy = facts["bad_deploy"]
    errors = [request for request in router if request["status"] == "500"]
    assert len(errors) == deploy["errors"] > 10
    assert {request["path"] for request in errors} == {deploy["route"]}
    assert (errors[0]["time"], errors[-1]["time"]) == tuple(
        deploy[key][:19].replace("T", " ") for key in ("first_error", "last_error")
    )
    during = [request for request in router if errors[0]["time"] <= request["time"] <= errors[-1]["time"]]
    assert {request["status"] for request in during if request["path"] == deploy["route"]} == {"500"}
    slow = [
        request
        for request in router
        if request["status"] != "101" and int(request["service"].removesuffix("ms")) > 5_000
    ]
    assert {request["time"][:15] for request in slow} <= {
        "2026-03-11 19:3",
        "2026-03-11 19:4",
        "2026-03-11 19:5",
    }


def memory_of(archive: list[Record], dyno: str) -> list[tuple[datetime, str, float]]:
    """Return time, boot and memory in MB of each sample of a dyno."""
    found = []
    for time, _, process, message in archive:
        match = re.search(r"dyno=heroku\.[\w-]{36}\.([\w-]{36}) sample#memory_total=([\d.]+)MB", message)
        if match and process == dyno:
            found.append((datetime.fromisoformat(time), match[1], float(match[2])))
    return found


def test_worker_leaks_on_both_sides_of_its_restart(facts: dict[str, Any], archive: list[Record]) -> None:
    leak = facts["worker_leak"]
    samples = memory_of(archive, leak["dyno"])
    long_lives = [life for life in leak["lives"] if life["hours"] >= 12]
    assert len(long_lives) == 2
    for life in long_lives:
        own = [(time, value) for time, boot, value in samples if boot == life["boot"]]
        hours = np.array([(time - own[0][0]).total_seconds() / 3600 for time, _ in own])
        late = hours > 1
        slope = np.polyfit(hours[late], np.array([value for _, value in own])[late], 1)[0]
        assert slope == pytest.approx(leak["slope_mb_per_h"], abs=0.3)
    errors = [row for row in archive if row[2] == leak["dyno"] and row[3].startswith("Error R14")]
    assert len(errors) == leak["r14_count"]
    for before, after in pairwise(archive):
        if after[3].startswith("Error R14"):
            assert before[3].startswith("Process running mem=")
            assert before[2] == after[2]


def test_web_dynos_stay_below_their_quota(facts: dict[str, Any], archive: list[Record]) -> None:
    plateau = facts["web_plateau"]
    values = [value for dyno in plateau["dynos"] for _, _, value in memory_of(archive, dyno)]
    assert (len(values), max(values)) == (plateau["samples"], plateau["max_mb"])
    for dyno, lives in plateau["lives"].items():
        for life in (life for life in lives if life["hours"] >= 12):
            own = [value for _, boot, value in memory_of(archive, dyno) if boot == life["boot"]]
            first, second = np.median(own[240:480]), np.median(own[-240:])
            assert abs(second - first) < 5


def test_killed_job(facts: dict[str, Any], archive: list[Record]) -> None:
    kill = facts["r15_kill"]
    said = [row[3] for row in archive if row[2] == kill["dyno"]]
    expected = [
        f"Process running mem={kill['memory_mb']}M({kill['memory_percent']}%)",
        "Error R15 (Memory quota vastly exceeded)",
        "Stopping process with SIGKILL",
        f"Process exited with status {kill['exit_status']}",
        "State changed from up to complete",
    ]
    assert said[-5:] == expected
    assert sum(message.startswith("Error R15") for *_, message in archive) == 1


def test_new_relic_table_adds_up(planted: dict[str, Any]) -> None:
    with (SAMPLE / "new-relic-transactions.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))

    def value(row: dict[str, str], column: str) -> float:
        return float(row[column].replace(",", ""))

    for row in table:
        assert value(row, "Count") * value(row, "Avg (ms)") == pytest.approx(
            value(row, "Total (ms)"), rel=0.003
        )
    total, *rows = table
    assert total["Transaction"] == "All web transactions"
    assert sum(value(row, "Count") for row in rows) == value(total, "Count")
    counts = planted["counts"]
    unseen = counts["rack_timeout_lines"]["expired"] + counts["requests_by_route"]["/cable"]
    assert value(total, "Count") == counts["requests"] - unseen


def test_new_relic_series_is_in_new_york(facts: dict[str, Any], router: list[dict[str, str]]) -> None:
    zone = facts["new_relic_zone"]
    width = timedelta(minutes=zone["bucket_min"])
    day = datetime(2026, 3, 10)
    counts = Counter((datetime.fromisoformat(request["time"]) - day) // width for request in router)
    with (SAMPLE / "new-relic-throughput.csv").open(encoding="utf-8", newline="") as file:
        rows = [(datetime.fromisoformat(row["Timestamp"]), row) for row in csv.DictReader(file)]
    assert len(rows) == zone["buckets"]

    def fit(offset_min: int) -> float:
        pairs = [
            (counts[bucket], float(row["Requests per minute"]))
            for time, row in rows
            if 0 <= (bucket := (time - timedelta(minutes=offset_min) - day) // width) < zone["buckets"]
        ]
        return float(np.corrcoef(np.log1p(np.array(pairs)).T)[0, 1])

    fits = {offset: fit(offset) for offset in range(-14 * 60, 14 * 60 + 1, zone["bucket_min"])}
    best = max(fits, key=fits.__getitem__)
    assert best == zone["offset_min"]
    others = [fit for offset, fit in fits.items() if abs(offset - best) > 60]
    assert fits[best] > 0.98
    assert fits[best] - max(others) > 0.05


def test_everything_is_invented() -> None:
    text = "".join(
        data.decode("utf-16" if data[:2] == b"\xff\xfe" else "utf-8") for data in written(SAMPLE).values()
    )
    addresses = set(re.findall(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", text)) - {"0.0.0.0"}
    assert {address.rpartition(".")[0] for address in addresses} == {"192.0.2", "198.51.100", "203.0.113"}
    assert set(re.findall(r"(?:@|%40)([\w.-]+\w)", text)) == {"example.com"}


def test_readme_has_the_planted_numbers(planted: dict[str, Any], facts: dict[str, Any]) -> None:
    readme = " ".join((SAMPLE / "README.md").read_text(encoding="utf-8").split())
    burst, leak, plateau = facts["h12_burst"], facts["worker_leak"], facts["web_plateau"]
    deploy, kill, small = facts["bad_deploy"], facts["r15_kill"], facts["small_things"]
    causes, outcomes = burst["h12_by_cause"], burst["h12_by_outcome"]
    expected = [
        f"{planted['counts']['requests']:,} requests",
        f"{planted['counts']['log_lines']:,} log lines",
        f"{planted['counts']['lines']:,} physical lines",
        *(f"| {lines:,} |" for lines in planted["counts"]["lines_by_file"].values()),
        f"A burst of {burst['h12_count']} H12",
        f"from {burst['start'][11:19]} to {burst['end'][11:19]}",
        f"exports {burst['exports']['count']} reports",
        f"{burst['exports']['min_work_ms']:,} to {burst['exports']['max_work_ms']:,} ms",
        f"{causes['blocked']} of the {burst['h12_count']}",
        f"{causes['slow_itself']} were **slow themselves**",
        f"{burst['h12_of_fast_routes']} are of fast routes",
        *(f"{dyno} {count}" for dyno, count in burst["h12_by_dyno"].items()),
        f"{outcomes['expired']} expired in the queue ({planted['counts']['rack_timeout_lines']['expired']} `expired` lines in all",
        f"{outcomes['completed']} were completed after their H12",
        f"{burst['work_after_h12_ms']:,} ms of work for nobody",
        f"brought {burst['sale']['requests_of_the_day_before']} requests",
        f"{burst['sale']['requests_without_exports']:,} without the exports",
        f"{leak['slope_mb_per_h']} MB/h** from a base of {leak['base_mb']:.0f} MB",
        *(f"{life['hours']:.2f} h" for life in leak["lives"]),
        f"{leak['r14_count']} R14 from 2026-03-10 {leak['r14_first'][11:19]} to {leak['r14_last'][11:19]}",
        f"at most {leak['r14_peak_mb']} MB",
        f"{plateau['plateau_mb']:.0f} MB ({plateau['plateau_percent_of_quota']} % of the quota)",
        f"{plateau['max_mb']} MB at most in {plateau['samples']:,} samples",
        f"({deploy['build_seconds']:.0f} s)",
        f"{deploy['errors']} errors from {deploy['first_error'][11:19]} to {deploy['last_error'][11:19]}",
        deploy["first_own_frame"],
        f"{deploy['bad_minutes']} minutes later",
        f"{kill['dyno']} starts 2026-03-10 {kill['started'][11:19]}",
        f"R15 at {kill['r15_time'][11:19]} with {kill['memory_mb']} MB ({kill['memory_percent']} %)",
        f"{small['h27_count']} H27",
        f"{small['websockets']} websockets",
        f"{small['longest_websocket_ms']:,} ms",
        f"{small['l10_time'][11:19]}: {small['l10_dropped']} lines lost",
    ]
    assert [text for text in expected if text not in readme] == []
