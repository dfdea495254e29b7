"""Write the sample: two invented days of the invented application coupon-harbor, always the same bytes.

python sample_data/generate.py                  # into the folder of this file
python sample_data/generate.py --to FOLDER
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
from itertools import pairwise
from pathlib import Path

import day
import exports
import facts
import lines
import memory
import new_relic
import simulate
from day import HOUR, SECOND
from facts import Truth
from lines import Line, Log

RACK_TIMEOUT = "source=rack-timeout"
DUMP_LINES = 1_500
DUMP_AFTER_LAST_H12 = 150 * SECOND
DEPLOY_LINES = 500
DEPLOY_DUMP = day.at(2, 13, 40, 20)
PS_TIME = day.at(2, 19, 58, 12)


def main() -> None:
    """Write every file of the sample."""
    parser = argparse.ArgumentParser(description="Write the sample data.")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent, help="folder to write into")
    folder = parser.parse_args().to
    for name, data in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def files() -> dict[str, bytes]:
    """Return the bytes of every file by its name."""
    truth = the_truth()
    log = write_log(truth).in_order()
    last_h12 = truth.coded("H12")[-1].logged
    contents = {
        **{
            f"papertrail/dt={date}/{date}.tsv.gz": zipped(text)
            for date, text in exports.archives(log).items()
        },
        "heroku-logs.txt": exports.coloured_dump(
            exports.last_lines(log, last_h12 + DUMP_AFTER_LAST_H12, DUMP_LINES)
        ),
        "powershell-deploy.log": exports.powershell_dump(exports.last_lines(log, DEPLOY_DUMP, DEPLOY_LINES)),
        "heroku-ps.txt": process_list(truth).encode(),
        "new-relic-transactions.csv": as_csv(new_relic.transactions(truth.requests)),
        "new-relic-throughput.csv": as_csv(new_relic.throughput(truth.requests)),
        "new-relic-events.csv": as_csv(new_relic.events(truth.requests)),
    }
    return {**contents, ".planted.json": planted(truth, log, contents)}


def the_truth() -> Truth:
    """Return what happened in the two days."""
    requests, sockets, lives = simulate.simulate()
    samples, excesses = memory.formation(lives)
    jobs = []
    for dyno, start, balloons in day.JOBS:
        boot, ticks, errors = memory.job(dyno, start, balloons)
        jobs.append(boot)
        samples, excesses = samples + ticks, excesses + errors
    return Truth(requests, sockets, lives, samples, excesses, jobs)


def write_log(truth: Truth) -> Log:
    """Return the log of the two days."""
    log = Log()
    for request in [*truth.requests, *truth.sockets]:
        lines.write_request(log, request)
    for dyno in (*day.WEB, day.WORKER):
        lives = truth.boots_of(dyno)
        for boot, following in pairwise(lives):
            lines.write_boot(log, boot, following)
    for tick in truth.samples:
        lines.write_sample(log, tick)
    for excess in truth.excesses:
        lines.write_excess(log, excess)
    kills = {excess.dyno: excess for excess in truth.excesses if excess.code == "R15"}
    for boot in truth.jobs:
        lines.write_job(log, boot, kills.get(boot.dyno))
    lines.write_releases(log)
    lines.write_database(log)
    lines.write_worker(log, truth.lives)
    lines.drop(log)
    return log


def process_list(truth: Truth) -> str:
    """Return what ``heroku ps`` printed after the incident."""
    text = ""
    for kind, dynos in (("web", day.WEB), ("worker", (day.WORKER,))):
        text += f"=== {kind} ({day.SIZE}): {day.COMMANDS[kind]} ({len(dynos)})\n\n"
        for dyno in dynos:
            up = next(boot.up for boot in truth.boots_of(dyno) if boot.up <= PS_TIME < boot.down)
            ago = f"(~ {round((PS_TIME - up) / HOUR)}h ago)"
            text += f"{dyno}: up {day.moment(up):%Y/%m/%d %H:%M:%S} +0000 {ago}\n"
        text += "\n"
    return text


def zipped(text: str) -> bytes:
    """Return the text as a gzip file without the time of its making."""
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def as_csv(rows: new_relic.Rows) -> bytes:
    """Return the rows as a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def physical_lines(name: str, data: bytes) -> int:
    """Return the number of lines of a file, unpacked."""
    if name.endswith(".gz"):
        data = gzip.decompress(data)
    return data.count(b"\n")


def planted(truth: Truth, log: list[Line], contents: dict[str, bytes]) -> bytes:
    """Return the planted facts and the sizes of everything as JSON."""
    served = [*truth.requests, *truth.sockets]
    statuses = {"": None, "H12": 503, "H27": 499}
    states = [
        line.message.partition(" state=")[2].partition(" ")[0] for line in log if RACK_TIMEOUT in line.message
    ]
    document = {
        "app": day.APP,
        "seed": day.SEED,
        "start": day.stamp(0),
        "end": day.stamp(day.END),
        "formation": {"web": len(day.WEB), "worker": 1, "size": day.SIZE, "slots_per_web_dyno": 1},
        "counts": {
            "lines_by_file": {name: physical_lines(name, data) for name, data in contents.items()},
            "lines": sum(physical_lines(name, data) for name, data in contents.items()),
            "log_lines": len(log),
            "duplicates": {"heroku-logs.txt": DUMP_LINES, "powershell-deploy.log": DEPLOY_LINES},
            "requests": len(served),
            "requests_by_dyno": facts.tally([request.dyno for request in served]),
            "requests_by_route": facts.tally([request.route.route for request in served]),
            "requests_by_status": facts.tally([str(statuses[r.code] or r.status) for r in served]),
            "requests_by_code": facts.tally([request.code for request in served if request.code]),
            "rack_timeout_lines": facts.tally(states),
            "memory_samples": facts.tally([tick.dyno for tick in truth.samples]),
        },
        "facts": facts.all_facts(truth),
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


if __name__ == "__main__":
    main()
