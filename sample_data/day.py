"""The invented application and its two days: names, times, routes. Times are µs since START (UTC)."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

SEED = 20260311
START = datetime(2026, 3, 10)
HOURS = 48

MS = 1_000
SECOND = 1_000 * MS
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
END = HOURS * HOUR


def at(day: int, hour: int, minute: int, second: float = 0) -> int:
    """Return the moment of day 0 (the day before), 1 or 2 at that time of day."""
    return round((((day - 1) * 24 + hour) * 60 + minute) * MINUTE + second * SECOND)


def moment(time_us: int) -> datetime:
    """Return the moment as a datetime in UTC."""
    return START + timedelta(microseconds=time_us)


def stamp(time_us: int) -> str:
    """Return the moment as ``2026-03-11T13:12:04.000000``."""
    return moment(time_us).isoformat(timespec="microseconds")


def dice(purpose: str) -> random.Random:
    """Return the random numbers of one purpose, so that a change to one leaves the others alone."""
    return random.Random(f"{SEED} {purpose}")


def new_uuid(rng: random.Random) -> str:
    """Return an invented UUID, version 4."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


APP = "coupon-harbor"
HOST = "www.coupon-harbor.example.com"
APP_ID = "6f1d2a90-3c4b-4e8d-9a57-0b1c2d3e4f50"
WEB = ("web.1", "web.2", "web.3")
WORKER = "worker.1"
SIZE = "Standard-1X"
QUOTA_MB = 512
COMMANDS = {
    "web": "bundle exec puma -t 1:1 -p ${PORT}",
    "worker": "bundle exec sidekiq -c 1",
    "scheduler": "bundle exec rake coupons:rebuild",
}
DEVELOPER = "dana@example.com"
OPERATOR = "priya@example.com"

# Releases
BUILD_STARTED = at(2, 13, 12, 4)
V42 = at(2, 13, 12, 43.412907)
BUILD_SUCCEEDED = at(2, 13, 12, 45)
V43 = at(2, 13, 37, 51.208114)
V44 = at(2, 14, 20, 16.640352)

# Restarts once a day (24 h and up to 216 min after the boot), staggered
BOOTED_BEFORE = {
    "web.1": at(0, 1, 41),
    "web.2": at(0, 7, 52),
    "web.3": at(0, 20, 9),
    WORKER: at(0, 15, 37),
}
CYCLED = {
    "web.1": (at(1, 3, 20, 11.5), at(2, 4, 46, 37.25)),
    "web.2": (at(1, 9, 5, 42.75), at(2, 10, 41, 8.5)),
    "web.3": (at(1, 21, 50, 26.125),),
    WORKER: (at(1, 16, 10, 3.375),),
}

# One-off dynos of the nightly job: dyno, start, whether it balloons
JOBS = (("scheduler.7316", at(1, 5, 0, 12.3), True), ("scheduler.2208", at(2, 5, 0, 9.8), False))

# The sale of every day brings many fast requests; on the second day someone exports reports at the same time
SALES = ((at(1, 19, 30), at(1, 19, 50)), (at(2, 19, 30), at(2, 19, 50)))
EXPORT = (at(2, 19, 31, 30), at(2, 19, 50, 30))
EXPORT_CLIENT = "203.0.113.77"
EXPORTS_PER_MINUTE = 4.9
EXPORT_MS = (12_000, 25_000)

# rack-timeout: info lines since release v44; a service timeout set too high, not shortened by the wait
SERVICE_TIMEOUT_MS = 60_000
WAIT_TIMEOUT_MS = 30_000
WAIT_OVERTIME_MS = 60_000  # on top, for requests with a body
H12_MS = 30_000
BLOCKED_MS = 15_000  # an H12 that waited this long was blocked; one that waited less was slow itself


@dataclass(frozen=True)
class Route:
    """One route: its share of the traffic, its log-normal work (median in ms, sigma), its Rails action."""

    method: str
    route: str
    controller: str
    action: str
    weight: float
    median_ms: float
    sigma: float
    status: int = 200
    bytes: int = 12_000
    lograge: bool = False


ROUTES = (
    Route("GET", "/", "HomeController", "index", 11, 42, 0.40, bytes=18_400),
    Route("GET", "/coupons", "CouponsController", "index", 27, 72, 0.45, bytes=31_200),
    Route("GET", "/coupons/:id", "CouponsController", "show", 24, 56, 0.45, bytes=14_800),
    Route("GET", "/cart", "CartsController", "show", 16, 95, 0.50, bytes=9_100, lograge=True),
    Route("POST", "/cart/items", "CartItemsController", "create", 8, 78, 0.45, status=302, bytes=180),
    Route("GET", "/search", "SearchesController", "index", 5, 165, 0.45, bytes=22_700),
    Route("POST", "/checkout", "CheckoutsController", "create", 3, 410, 0.40, 302, 210, lograge=True),
    Route("GET", "/orders/:uuid", "OrdersController", "show", 5, 110, 0.45, bytes=11_300, lograge=True),
    Route("GET", "/account/password/edit", "PasswordsController", "edit", 0.5, 38, 0.35, bytes=4_200),
    Route("GET", "/unsubscribe", "SubscriptionsController", "destroy", 0.5, 52, 0.35, bytes=2_900),
)
REPORTS = Route(
    "GET", "/reports/:id", "ReportsController", "show", 0, 1_150, 0.35, bytes=48_000, lograge=True
)
CABLE = Route("GET", "/cable", "", "", 0, 0, 0, status=101, bytes=0)
BROKEN_ROUTE = "/cart"
BROKEN_BYTES = 1_635
