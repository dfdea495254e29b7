"""The planted facts, read off the simulation's own truth: what an investigation of the sample must find."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import day
import lines
import memory
import new_relic
from day import HOUR, MS, SECOND
from memory import Excess, Sample
from simulate import Boot, Request, blocker_of, cause_of


@dataclass(frozen=True)
class Truth:
    """Everything that happened: requests, websockets, lives of dynos, ticks, memory errors, one-off dynos."""

    requests: list[Request]
    sockets: list[Request]
    lives: list[Boot]
    samples: list[Sample]
    excesses: list[Excess]
    jobs: list[Boot]

    def coded(self, code: str) -> list[Request]:
        """Return the requests that ended with that code, in the order of the router's lines."""
        found = [request for request in self.requests if request.code == code]
        return sorted(found, key=lambda request: (request.logged, request.request_id))

    def boots_of(self, dyno: str) -> list[Boot]:
        """Return the lives of one dyno."""
        return [life for life in self.lives if life.dyno == dyno]


def all_facts(truth: Truth) -> list[dict[str, Any]]:
    """Return the numbered facts."""
    found = [
        h12_burst(truth),
        worker_leak(truth),
        web_plateau(truth),
        bad_deploy(truth),
        r15_kill(truth),
        new_relic_zone(),
        small_things(truth),
    ]
    return [{"number": number, **fact} for number, fact in enumerate(found, 1)]


def tally(values: list[str]) -> dict[str, int]:
    """Return how often each value occurs, by name."""
    return dict(sorted(Counter(values).items()))


def h12_burst(truth: Truth) -> dict[str, Any]:
    """Return the burst of H12: who was blocked by whom."""
    found = truth.coded("H12")
    exports = [request for request in truth.requests if request.client == day.EXPORT_CLIENT]
    first, last = day.SALES[0]
    before = [request for request in truth.requests if first <= request.arrival < last]
    sale = [request for request in truth.requests if day.SALES[1][0] <= request.arrival < day.SALES[1][1]]
    return {
        "name": "h12_burst",
        "start": day.stamp(found[0].logged),
        "end": day.stamp(found[-1].logged),
        "h12_count": len(found),
        "h12_by_route": tally([request.route.route for request in found]),
        "h12_by_dyno": tally([request.dyno for request in found]),
        "h12_by_cause": tally([cause_of(request) for request in found]),
        "h12_by_outcome": tally([outcome_of(request) for request in found]),
        "h12_of_fast_routes": sum(request.route is not day.REPORTS for request in found),
        "work_after_h12_ms": sum(after_cut_ms(request) for request in found),
        "blocker_route": day.REPORTS.route,
        "blocker_client": day.EXPORT_CLIENT,
        "exports": {
            "count": len(exports),
            "first_arrival": day.stamp(exports[0].arrival),
            "last_arrival": day.stamp(exports[-1].arrival),
            "min_work_ms": min(request.work_ms for request in exports),
            "max_work_ms": max(request.work_ms for request in exports),
            "expired": sum(request.expired for request in exports),
        },
        "sale": {
            "requests_without_exports": len(sale) - sum(request in exports for request in sale),
            "requests_of_the_day_before": len(before),
            "h12_of_the_day_before": sum(request.code == "H12" for request in before),
        },
        "h12": [h12_row(request, truth) for request in found],
    }


def outcome_of(request: Request) -> str:
    """Return what became of a request in the dyno: it expired in the queue, or was completed."""
    return "expired" if request.expired else "completed"


def after_cut_ms(request: Request) -> int:
    """Return the work in ms that a dyno did for a request after its H12."""
    if request.expired:
        return 0
    return max(0, (request.end - max(request.begin, request.reached + day.H12_MS * MS)) // MS)


def h12_row(request: Request, truth: Truth) -> dict[str, Any]:
    """Return the truth about one H12; ``work_ms`` is null when it expired before any work."""
    blocker = blocker_of(request, truth.requests) if cause_of(request) == "blocked" else None
    return {
        "request_id": request.request_id,
        "time": day.stamp(request.logged),
        "dyno": request.dyno,
        "method": request.route.method,
        "path": request.path,
        "route": request.route.route,
        "cause": cause_of(request),
        "outcome": outcome_of(request),
        "waited_ms": request.waited_ms,
        "queue_ms": request.queue_ms,
        "rack_timeout_wait_ms": request.wait_ms,
        "work_ms": None if request.expired else request.work_ms,
        "blocker_request_id": blocker.request.request_id if blocker else None,
        "blocker_route": blocker.request.route.route if blocker else None,
        "blocker_ms": blocker.request.work_ms if blocker else None,
        "blocked_by_it_ms": blocker.overlap_ms if blocker else None,
    }


def life_row(boot: Boot) -> dict[str, Any]:
    """Return one life of a dyno, cut to the two days."""
    up, down = max(boot.up, 0), min(boot.down, day.END)
    return {
        "boot": boot.identity,
        "start": day.stamp(up),
        "end": day.stamp(down),
        "hours": round((down - up) / HOUR, 2),
        "release": f"v{boot.release}",
        "ended_by": boot.why or None,
    }


def worker_leak(truth: Truth) -> dict[str, Any]:
    """Return the leak of the worker."""
    errors = [excess for excess in truth.excesses if excess.dyno == day.WORKER]
    return {
        "name": "worker_leak",
        "dyno": day.WORKER,
        "verdict": "leak",
        "slope_mb_per_h": memory.LEAK_MB_PER_HOUR,
        "base_mb": memory.LEAK_BASE_MB,
        "quota_mb": day.QUOTA_MB,
        "r14_count": len(errors),
        "r14_first": day.stamp(errors[0].time + 11),
        "r14_last": day.stamp(errors[-1].time + 11),
        "r14_peak_mb": int(max(error.memory_mb for error in errors)),
        "cycled": day.stamp(day.CYCLED[day.WORKER][0]),
        "lives": [life_row(boot) for boot in truth.boots_of(day.WORKER)],
    }


def web_plateau(truth: Truth) -> dict[str, Any]:
    """Return the warm-up of the web dynos, which is no leak."""
    totals = [tick.total_mb for tick in truth.samples if tick.dyno in day.WEB]
    return {
        "name": "web_plateau",
        "dynos": list(day.WEB),
        "verdict": "plateau",
        "boot_mb": memory.WEB_BOOT_MB,
        "plateau_mb": memory.WEB_PLATEAU_MB,
        "plateau_percent_of_quota": round(100 * memory.WEB_PLATEAU_MB / day.QUOTA_MB, 1),
        "max_mb": round(max(totals), 2),
        "samples": len(totals),
        "lives": {dyno: [life_row(boot) for boot in truth.boots_of(dyno)] for dyno in day.WEB},
    }


def bad_deploy(truth: Truth) -> dict[str, Any]:
    """Return the deploy that broke one route, and its rollback."""
    broken = sorted((request for request in truth.requests if request.broken), key=lambda one: one.logged)
    return {
        "name": "bad_deploy",
        "build_started": day.stamp(day.BUILD_STARTED),
        "build_succeeded": day.stamp(day.BUILD_SUCCEEDED),
        "build_seconds": (day.BUILD_SUCCEEDED - day.BUILD_STARTED) / SECOND,
        "release": "v42",
        "released": day.stamp(day.V42),
        "rolled_back_to": "v41",
        "rollback_release": "v43",
        "rolled_back": day.stamp(day.V43),
        "bad_minutes": round((day.V43 - day.V42) / day.MINUTE, 1),
        "route": day.BROKEN_ROUTE,
        "status": 500,
        "errors": len(broken),
        "errors_that_reached_the_visitor": sum(not request.code for request in broken),
        "errors_by_dyno": tally([request.dyno for request in broken]),
        "first_error": day.stamp(broken[0].logged),
        "last_error": day.stamp(broken[-1].logged),
        "exception": "NoMethodError",
        "message": lines.BROKEN_MESSAGE,
        "first_own_frame": lines.BROKEN_OWN_FRAME,
    }


def r15_kill(truth: Truth) -> dict[str, Any]:
    """Return the nightly job that outgrew its dyno and was killed."""
    boot = truth.jobs[0]
    errors = [excess for excess in truth.excesses if excess.dyno == boot.dyno]
    kill = errors[-1]
    return {
        "name": "r15_kill",
        "dyno": boot.dyno,
        "started": day.stamp(boot.start),
        "up": day.stamp(boot.up),
        "r14_count": len(errors) - 1,
        "r14_first": day.stamp(errors[0].time + 11),
        "r15_time": day.stamp(kill.time + 11),
        "memory_mb": int(kill.memory_mb),
        "memory_percent": round(kill.memory_mb / day.QUOTA_MB * 100, 1),
        "killed": day.stamp(kill.time + 35 * MS),
        "exited": day.stamp(boot.exit),
        "exit_status": 137,
        "next_run_that_was_fine": truth.jobs[1].dyno,
    }


def new_relic_zone() -> dict[str, Any]:
    """Return the zone of the time series."""
    return {
        "name": "new_relic_zone",
        "zone": "America/New_York",
        "offset_min": new_relic.ZONE_HOURS * 60,
        "bucket_min": new_relic.BUCKET // day.MINUTE,
        "buckets": day.END // new_relic.BUCKET,
        "reported_share": new_relic.REPORTED,
    }


def small_things(truth: Truth) -> dict[str, Any]:
    """Return what else is in the files and deserves a note at most."""
    return {
        "name": "small_things",
        "h27_count": len(truth.coded("H27")),
        "websockets": len(truth.sockets),
        "longest_websocket_ms": max(socket.service_ms for socket in truth.sockets),
        "l10_time": day.stamp(lines.DROPPED_AT),
        "l10_dropped": lines.DROPPED,
        "config_release": {"version": "v44", "time": day.stamp(day.V44), "config": "TIMEOUT_LOG_LEVEL"},
        "cycled": {dyno: [day.stamp(time) for time in times] for dyno, times in day.CYCLED.items()},
    }
