"""What the visitors asked and how three web dynos with one slot each served it: random dyno, own queue."""

from __future__ import annotations

import base64
import math
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import day
from day import HOUR, MINUTE, MS, SECOND, Route


@dataclass
class Boot:
    """One life of a dyno: from ``up`` to ``down``, and the release it ran. ``stop`` says why it ended."""

    dyno: str
    start: int
    up: int
    down: int
    exit: int
    release: int
    why: str
    identity: str


@dataclass
class Request:
    """One request with the truth about it: how long it waited in the dyno's queue and ran, its end."""

    arrival: int
    route: Route
    path: str
    client: str
    request_id: str
    work_ms: int
    dyno: str = ""
    connect_ms: int = 0
    begin: int = 0
    """When the dyno took it up; for an expired request when the dyno threw it away."""
    end: int = 0
    service_ms: int = 0
    status: int = 200
    bytes: int = 0
    code: str = ""
    expired: bool = False
    broken: bool = False
    release: int = 41

    @property
    def reached(self) -> int:
        """When it stood in the dyno's queue."""
        return self.arrival + self.connect_ms * MS

    @property
    def queue_ms(self) -> int:
        """Time in the dyno's queue in ms."""
        return (self.begin - self.reached) // MS

    @property
    def waited_ms(self) -> int:
        """Time in that queue in ms until the dyno took it up or the router gave up."""
        return min(self.queue_ms, self.service_ms)

    @property
    def wait_ms(self) -> int:
        """Time since the router took it in ms, as rack-timeout prints it."""
        return (self.begin - self.arrival) // MS

    @property
    def logged(self) -> int:
        """When the router wrote its line: at the end."""
        return self.reached + self.service_ms * MS


# The lives of the dynos


def boots() -> list[Boot]:
    """Return every life of every web and worker dyno in the two days."""
    rng = day.dice("boots")
    lives = []
    for position, dyno in enumerate((*day.WEB, day.WORKER)):
        releases = [(day.V42, 42, "Restarting"), (day.V43, 43, "Restarting"), (day.V44, 44, "Restarting")]
        stops = sorted([*releases, *((time, 0, "Cycling") for time in day.CYCLED[dyno])])
        start = up = day.BOOTED_BEFORE[dyno]
        running = 41
        for time, release, why in [*stops, (day.END + HOUR, 0, "")]:
            down = time + (round(rng.uniform(0.6, 1.4) * SECOND) if release else 0)
            exit_ = down + round(rng.uniform(1.1, 1.9) * SECOND)
            lives.append(Boot(dyno, start, up, down, exit_, running, why, day.new_uuid(rng)))
            running = release or running
            start = exit_ + round(rng.uniform(0.8, 1.3) * SECOND)
            up = start + round((rng.uniform(3.4, 3.9) + 0.8 * position) * SECOND)
    return lives


# The visitors


def rate_per_minute(time_us: int) -> float:
    """Return the usual number of requests per minute: lowest at 08:00, highest at 20:00 UTC."""
    return 3.95 * (1 + 0.42 * math.cos(2 * math.pi * (time_us / HOUR - 20) / 24))


def sale_per_minute(time_us: int) -> float:
    """Return the additional requests per minute of a sale."""
    return 44.0 if any(start <= time_us < end for start, end in day.SALES) else 0.0


def moments(rng: random.Random, start: int, end: int, rate: float) -> Iterator[int]:
    """Yield the moments of a Poisson stream of ``rate`` per minute."""
    time = start + round(rng.expovariate(rate) * MINUTE)
    while time < end:
        yield time
        time += round(rng.expovariate(rate) * MINUTE)


def client_of(rng: random.Random) -> str:
    """Return an address out of the documentation ranges."""
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randint(80, 250)}"


def path_of(route: Route, rng: random.Random) -> str:
    """Return a path of the route with ids, and with the query strings that must not leave the house."""
    number, token = rng.randint(1_000, 1_899), rng.getrandbits(128).to_bytes(16, "big")
    secret = base64.urlsafe_b64encode(token).decode().rstrip("=")
    person = f"{rng.choice(('jo', 'ana', 'kim', 'lee', 'sam'))}.{rng.choice(('harper', 'silva', 'novak'))}"
    query = {
        "/coupons": f"?page={rng.randint(2, 9)}" if rng.random() < 0.4 else "",
        "/search": f"?q={rng.choice(('shoes', 'pizza', 'caf%C3%A9', 'garden+tools', 'flights'))}",
        "/account/password/edit": f"?reset_token={secret}",
        "/unsubscribe": f"?email={person}%40example.com&token={secret}",
    }.get(route.route, "")
    return route.route.replace(":id", str(number)).replace(":uuid", day.new_uuid(rng)) + query


def ask(route: Route, arrival: int, rng: random.Random) -> Request:
    """Return one visitor's request, not yet served."""
    work = max(3, round(rng.lognormvariate(math.log(route.median_ms), route.sigma)))
    size = round(route.bytes * rng.uniform(0.9, 1.1))
    request = Request(arrival, route, path_of(route, rng), client_of(rng), day.new_uuid(rng), work)
    request.status, request.bytes = route.status, size
    if route.route == "/coupons/:id" and rng.random() < 0.02:
        request.status, request.bytes = 404, 1_722
    return request


def ordinary_requests() -> Iterator[Request]:
    """Yield the requests of every day, and the sale's."""
    rng = day.dice("traffic")
    peak = 3.95 * 1.42 + 44.0
    weights = [route.weight for route in day.ROUTES]
    for time in moments(rng, 0, day.END - 2 * MINUTE, peak):
        if rng.random() * peak < rate_per_minute(time) + sale_per_minute(time):
            yield ask(rng.choices(day.ROUTES, weights)[0], time, rng)


def report_requests() -> Iterator[Request]:
    """Yield the few small reports of ordinary hours, and the large ones that one client exports."""
    rng = day.dice("reports")
    for time in moments(rng, 0, day.END - HOUR, 1 / 55):
        if not any(start - HOUR <= time < end + HOUR for start, end in day.SALES):
            yield ask(day.REPORTS, time, rng)
    rng = day.dice("export")
    for time in moments(rng, *day.EXPORT, day.EXPORTS_PER_MINUTE):
        request = ask(day.REPORTS, time, rng)
        request.client, request.bytes = day.EXPORT_CLIENT, round(rng.uniform(240_000, 900_000))
        request.work_ms = round(rng.triangular(*day.EXPORT_MS, 14_500))
        request.path += "?format=csv"
        yield request


# The dynos


def serve(requests: list[Request], lives: list[Boot]) -> None:
    """Send each request to a random dyno that is up and let it queue there; the dyno has one slot."""
    rng = day.dice("routing")
    free: dict[str, int] = defaultdict(int)
    web = [life for life in lives if life.dyno in day.WEB]
    for request in requests:
        up = [life for life in web if life.up <= request.arrival < life.down]
        request.connect_ms = rng.choice((0, 0, 0, 1, 1, 2))
        if up:
            life = rng.choice(up)
        else:  # the router holds a request until the first dyno is up again
            life = min((life for life in web if life.up > request.arrival), key=lambda one: one.up)
            request.connect_ms = (life.up - request.arrival) // MS + 2
        request.dyno, request.release = life.dyno, life.release
        run(request, free, rng)
        assert request.end <= life.exit, "a dyno must not stop with work in its queue"


def run(request: Request, free: dict[str, int], rng: random.Random) -> None:
    """Let the request wait for the dyno's slot, run or expire there, and be cut or left at the router."""
    request.begin = max(request.reached + rng.randint(100, 900), free[request.dyno])
    limit = day.WAIT_TIMEOUT_MS + (day.WAIT_OVERTIME_MS if request.route.method == "POST" else 0)
    request.expired = request.wait_ms > limit
    if request.release == 42 and request.route.route == day.BROKEN_ROUTE:
        request.broken, request.status, request.bytes = True, 500, day.BROKEN_BYTES
        request.work_ms = max(12, request.work_ms // 2)
    request.end = request.begin + (2 if request.expired else request.work_ms) * MS
    free[request.dyno] = request.end
    request.service_ms = (request.end - request.reached) // MS + rng.randint(0, 2)
    leave(request, rng)


def leave(request: Request, rng: random.Random) -> None:
    """Let some visitors go before the answer (H27), and cut what takes longer than 30 s (H12)."""
    leaves = rng.random() < 0.05 and request.client != day.EXPORT_CLIENT
    patience = round(rng.uniform(0.5, 0.9) * min(request.service_ms, day.H12_MS))
    if leaves and request.service_ms > 1_200:
        request.code, request.service_ms = "H27", patience
    elif request.service_ms > day.H12_MS:
        request.code, request.service_ms = "H12", day.H12_MS + rng.randint(0, 7)


def websockets(lives: list[Boot]) -> list[Request]:
    """Return a few long connections (status 101); they do not hold the dyno's slot."""
    rng = day.dice("websockets")
    sockets = []
    for number, hour in ((1, 10), (1, 13), (1, 17), (2, 0), (2, 7)):
        start = day.at(number, hour, 0) + round(rng.uniform(0, 40) * MINUTE)
        seconds = rng.uniform(190, 2_900)
        end = start + seconds * SECOND
        able = [life for life in lives if life.dyno in day.WEB and life.up <= start and end < life.down]
        socket = Request(start, day.CABLE, "/cable", client_of(rng), day.new_uuid(rng), 0)
        socket.dyno = rng.choice(able).dyno
        socket.status, socket.bytes, socket.service_ms = 101, rng.randint(160, 3_200), round(seconds * 1_000)
        sockets.append(socket)
    return sockets


def simulate() -> tuple[list[Request], list[Request], list[Boot]]:
    """Return the served requests in order of arrival, the websockets, and the lives of the dynos."""
    lives = boots()
    requests = sorted(
        [*ordinary_requests(), *report_requests()], key=lambda one: (one.arrival, one.request_id)
    )
    serve(requests, lives)
    return requests, websockets(lives), lives


# The truth about the H12


@dataclass(frozen=True)
class Blocker:
    """The request that held the dyno longest while another waited, and for how many ms of that wait."""

    request: Request
    overlap_ms: int


def blocker_of(victim: Request, served: list[Request]) -> Blocker | None:
    """Return what ran longest on the dyno while the victim waited there; None when it did not wait."""
    best, until = None, victim.reached + victim.waited_ms * MS
    for other in served:
        if other.dyno != victim.dyno or other is victim or other.begin >= until:
            continue
        overlap = (min(other.end, until) - max(other.begin, victim.reached)) // MS
        if overlap > (best.overlap_ms if best else 0):
            best = Blocker(other, overlap)
    return best


def cause_of(victim: Request) -> str:
    """Return whether an H12 was blocked by others or slow itself: by how long it waited."""
    return "blocked" if victim.waited_ms >= day.BLOCKED_MS else "slow_itself"
