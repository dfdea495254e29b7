"""The truth written down as log lines, in the order in which the log received them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import day
from day import HOUR, MINUTE, MS, SECOND
from memory import Excess, Sample
from simulate import Boot, Request


@dataclass(frozen=True)
class Line:
    """One log line: when its sender stamped it, when the log received it, and what it says."""

    received: int
    number: int
    time: int
    source: str
    process: str
    message: str


class Log:
    """Collects lines; each sender's lines arrive a little late, some of them by a second or two."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.rng = day.dice("log")

    def write(self, time: int, source: str, process: str, *messages: str) -> None:
        """Write the messages of one moment; they stay together and keep their order."""
        slow = self.rng.random() < 0.012
        received = time + self.rng.randint(900, 2_300) * MS if slow else time + self.rng.randint(2, 180) * MS
        for offset, message in enumerate(messages):
            line = Line(received, len(self.lines), time + 11 * offset, source, process, message)
            if 0 <= time < day.END - 3 * SECOND:
                self.lines.append(line)

    def in_order(self) -> list[Line]:
        """Return all lines as they arrived: one process keeps its order, two overtake each other."""
        latest: dict[tuple[str, str], int] = {}
        arrived = []
        for line in sorted(self.lines, key=lambda line: (line.time, line.number)):
            channel = (line.source, line.process)
            if line.process != "router":  # there are many routers
                latest[channel] = max(latest.get(channel, 0), line.received)
                line = replace(line, received=latest[channel])
            arrived.append(line)
        return sorted(arrived, key=lambda line: line.received)


# Requests


def write_request(log: Log, request: Request) -> None:
    """Write what the router, rack-timeout and the application say about one request."""
    log.write(request.logged, "heroku", "router", router_message(request))
    if request.route is day.CABLE:
        return
    rng = day.dice(f"application {request.request_id}")
    write_rack_timeout(log, request, rng)
    if request.expired:
        return
    written = request.end + rng.randint(0, 2) * MS + rng.randint(0, 999)
    if request.route.lograge:
        log.write(written, "app", request.dyno, lograge_message(request, rng))
    if request.broken:
        log.write(written + MS, "app", request.dyno, *BROKEN_TRACE)
    if request.client == day.EXPORT_CLIENT and rng.random() < 0.35:
        head = f"[DATABASE] [{rng.randint(100, 999)}-1]  sql_error_code = 00000 LOG:  "
        took = f"duration: {request.work_ms * 0.84:.3f} ms  statement: {SLOW_STATEMENT}"
        log.write(request.end - 900 * MS, "app", "postgres.48213", head + took)


def router_message(request: Request) -> str:
    """Return the router's line as of 2017 and later (``protocol=https``, quoted path)."""
    head = {
        "": "at=info",
        "H12": 'at=error code=H12 desc="Request timeout"',
        "H27": 'sock=client at=warning code=H27 desc="Client Request Interrupted"',
    }[request.code]
    status = {"": request.status, "H12": 503, "H27": 499}[request.code]
    size = 0 if request.code else request.bytes
    return (
        f'{head} method={request.route.method} path="{request.path}" host={day.HOST}'
        f' request_id={request.request_id} fwd="{request.client}" dyno={request.dyno}'
        f" connect={request.connect_ms}ms service={request.service_ms}ms status={status}"
        f" bytes={size} protocol=https"
    )


def write_rack_timeout(log: Log, request: Request, rng: random.Random) -> None:
    """Write ready and completed, which are logged since release v44, or expired, which always is."""
    begin = request.begin + rng.randint(0, 900)
    head = f"source=rack-timeout id={request.request_id} wait={request.wait_ms}ms"
    if request.expired:
        limit = day.WAIT_TIMEOUT_MS + (day.WAIT_OVERTIME_MS if request.route.method == "POST" else 0)
        error = f"#<Rack::Timeout::RequestExpiryError: Request older than {limit}ms.>"
        asked = f'Rack app ("{request.route.method} {request.path.partition("?")[0]}" - ({request.client}))'
        local = day.moment(begin).strftime("%Y-%m-%d %H:%M:%S +0000")
        log.write(begin, "app", request.dyno, f"{head} timeout={limit}ms state=expired at=error")
        log.write(begin + MS, "app", request.dyno, f"{local} {asked}: {error}")
    elif request.release == 44:
        limits = f"timeout={day.SERVICE_TIMEOUT_MS}ms"
        log.write(begin, "app", request.dyno, f"{head} {limits} term_on_timeout=0 state=ready at=info")
        worked = f"service={request.work_ms}ms term_on_timeout=0 state=completed at=info"
        log.write(begin + request.work_ms * MS, "app", request.dyno, f"{head} {limits} {worked}")


def lograge_message(request: Request, rng: random.Random) -> str:
    """Return the application's own line, as lograge prints it: path without query, times in ms."""
    duration = request.work_ms - rng.uniform(0.5, 2.0)
    database = duration * (rng.uniform(0.78, 0.86) if request.route is day.REPORTS else rng.uniform(0.2, 0.5))
    view = 0 if request.status in (302, 500) else (duration - database) * rng.uniform(0.5, 0.9)
    error = f" error='NoMethodError: {BROKEN_MESSAGE}'" if request.broken else ""
    path = request.path.partition("?")[0]
    kind = "csv" if "format=csv" in request.path else "html"
    return (
        f"method={request.route.method} path={path} format={kind} controller={request.route.controller}"
        f" action={request.route.action} status={request.status}{error}"
        f" allocations={rng.randint(2_100, 48_000)}"
        f" duration={duration:.2f} view={view:.2f} db={database:.2f} request_id={request.request_id}"
    )


SLOW_STATEMENT = (
    "SELECT coupons.*, redemptions.* FROM coupons"
    " JOIN redemptions ON redemptions.coupon_id = coupons.id WHERE coupons.partner_id = $1"
)
BROKEN_MESSAGE = "undefined method `amount' for nil"
BROKEN_OWN_FRAME = "app/models/cart.rb:58:in `discount'"
BROKEN_TRACE = (
    f"NoMethodError ({BROKEN_MESSAGE}):",
    BROKEN_OWN_FRAME,
    "app/models/cart.rb:41:in `total'",
    "app/views/carts/show.html.erb:17",
    "app/controllers/carts_controller.rb:12:in `show'",
)
PARTNER_TRACE = (
    "Net::ReadTimeout: Net::ReadTimeout with #<TCPSocket:(closed)>",
    "/app/vendor/ruby-3.3.6/lib/ruby/3.3.0/net/protocol.rb:229:in `rbuf_fill'",
    "/app/vendor/ruby-3.3.6/lib/ruby/3.3.0/net/http/response.rb:158:in `read_status_line'",
    "/app/vendor/bundle/ruby/3.3.0/gems/faraday-2.12.2/lib/faraday/connection.rb:528:in `run_request'",
    "/app/app/jobs/sync_partner_job.rb:18:in `perform'",
    "/app/vendor/bundle/ruby/3.3.0/gems/sidekiq-7.3.8/lib/sidekiq/processor.rb:220:in `execute_job'",
)


# Dynos


def write_boot(log: Log, boot: Boot, following: Boot | None) -> None:
    """Write the end of a dyno's life and the start of the next one."""
    dyno, kind = boot.dyno, boot.dyno.partition(".")[0]
    if following is None:
        return
    log.write(boot.down, "heroku", dyno, boot.why)
    log.write(boot.down + 40 * MS, "heroku", dyno, "State changed from up to starting")
    log.write(boot.down + 430 * MS, "heroku", dyno, "Stopping all processes with SIGTERM")
    goodbye = "- Gracefully stopping, waiting for requests to finish" if kind == "web" else "Shutting down"
    log.write(boot.down + 520 * MS, "app", dyno, goodbye)
    log.write(boot.exit, "heroku", dyno, "Process exited with status 143")
    log.write(following.start, "heroku", dyno, f"Starting process with command `{day.COMMANDS[kind]}`")
    if kind == "web":
        hello = (
            "Puma starting in single mode...",
            "* Min threads: 1, max threads: 1",
            "* Listening on http://0.0.0.0:27415",
            "",
        )
        log.write(following.up - 210 * MS, "app", dyno, *hello)
    log.write(following.up, "heroku", dyno, "State changed from starting to up")


def write_sample(log: Log, tick: Sample) -> None:
    """Write the runtime metrics of one tick: the memory, and for some ticks the load."""
    head = f"source={tick.dyno} dyno=heroku.{day.APP_ID}.{tick.identity}"
    if tick.with_load:
        names = ("load_avg_1m", "load_avg_5m", "load_avg_15m")
        loads = " ".join(f"sample#{name}={load:.2f}" for name, load in zip(names, tick.loads, strict=False))
        log.write(tick.time, "heroku", tick.dyno, f"{head} {loads}")
    total, cache = round(tick.total_mb * 100), round(tick.total_mb * 3)
    swap = max(0, total - day.QUOTA_MB * 100)
    memory = (
        f"sample#memory_total={total / 100:.2f}MB sample#memory_rss={(total - cache - swap) / 100:.2f}MB"
        f" sample#memory_cache={cache / 100:.2f}MB sample#memory_swap={swap / 100:.2f}MB"
        f" sample#memory_pgpgin={tick.pages_in}pages sample#memory_pgpgout={tick.pages_out}pages"
        f" sample#memory_quota={day.QUOTA_MB:.2f}MB"
    )
    log.write(tick.time + 9 * MS, "heroku", tick.dyno, f"{head} {memory}")


def write_excess(log: Log, excess: Excess) -> None:
    """Write the pair of lines of memory over the quota."""
    names = {"R14": "Error R14 (Memory quota exceeded)", "R15": "Error R15 (Memory quota vastly exceeded)"}
    percent = excess.memory_mb / day.QUOTA_MB * 100
    log.write(
        excess.time,
        "heroku",
        excess.dyno,
        f"Process running mem={int(excess.memory_mb)}M({percent:.1f}%)",
        names[excess.code],
    )


def write_job(log: Log, boot: Boot, kill: Excess | None) -> None:
    """Write the life of a one-off dyno, with its kill where it had one."""
    dyno = boot.dyno
    log.write(boot.start, "heroku", dyno, f"Starting process with command `{day.COMMANDS['scheduler']}`")
    log.write(boot.up, "heroku", dyno, "State changed from starting to up")
    log.write(boot.up + 4 * SECOND, "app", dyno, "Rebuilding the index of „Frühling“, „Été“ and 春 …")
    if kill is None:
        log.write(boot.exit - SECOND, "app", dyno, "Rebuilt the coupon index: 48112 coupons")
        log.write(boot.exit, "heroku", dyno, "Process exited with status 0")
    else:
        log.write(kill.time + 35 * MS, "heroku", dyno, "Stopping process with SIGKILL")
        log.write(boot.exit, "heroku", dyno, "Process exited with status 137")
    log.write(boot.exit + 90 * MS, "heroku", dyno, "State changed from up to complete")


# Everything else


def write_releases(log: Log) -> None:
    """Write the bad deploy, its rollback, and the change that makes rack-timeout log at info level."""
    by = f"by user {day.DEVELOPER}"
    log.write(day.BUILD_STARTED, "app", "api", f"Build started {by}")
    log.write(day.V42, "app", "api", f"Deploy 8f2c91ab {by}")
    log.write(day.V42, "app", "api", f"Release v42 created {by}")
    log.write(day.BUILD_SUCCEEDED, "app", "api", "Build succeeded")
    log.write(day.V43, "app", "api", f"Rollback to v41 {by}")
    log.write(day.V43, "app", "api", f"Release v43 created {by}")
    log.write(day.V44, "app", "api", f"Set TIMEOUT_LOG_LEVEL config vars by user {day.OPERATOR}")
    log.write(day.V44, "app", "api", f"Release v44 created by user {day.OPERATOR}")


def write_database(log: Log) -> None:
    """Write the database's metrics every five minutes; nothing is wrong with it."""
    rng = day.dice("database")
    size, transaction = 8_412_300_000, 7_204_000
    for time in range(38 * SECOND, day.END, 5 * MINUTE):
        size, transaction = size + rng.randint(2_000, 30_000), transaction + rng.randint(150, 900)
        log.write(
            time,
            "app",
            "heroku-postgres",
            f"source=DATABASE addon=postgresql-curved-48213 sample#current_transaction={transaction}"
            f" sample#db_size={size}bytes sample#tables=61 sample#active-connections={rng.randint(6, 11)}"
            f" sample#waiting-connections=0 sample#index-cache-hit-rate={rng.uniform(0.9981, 0.9996):.5f}"
            f" sample#table-cache-hit-rate={rng.uniform(0.9952, 0.9989):.5f}"
            f" sample#load-avg-1m={rng.uniform(0.05, 0.3):.2f}"
            f" sample#load-avg-5m={rng.uniform(0.08, 0.2):.2f}"
            f" sample#load-avg-15m={rng.uniform(0.1, 0.16):.2f}"
            f" sample#read-iops={rng.uniform(0, 2):.3f} sample#write-iops={rng.uniform(1, 9):.3f}"
            f" sample#tmp-disk-used=543633408 sample#tmp-disk-available=72435191808"
            f" sample#memory-total=4030428kB sample#memory-free={rng.randint(150_000, 260_000)}kB"
            f" sample#memory-cached={rng.randint(3_100_000, 3_300_000)}kB"
            f" sample#memory-postgres={rng.randint(52_000, 61_000)}kB"
            f" sample#wal-percentage-used=0.0{rng.randint(61, 79)}",
        )


def write_worker(log: Log, lives: list[Boot]) -> None:
    """Write what the worker says: its jobs, three failed calls of a partner, and mails to people."""
    rng = day.dice("worker")
    shut = [life for life in lives if life.dyno == day.WORKER]
    names = (
        "Zoë Müller <zoe.mueller@example.com>",
        "José Núñez <jose.nunez@example.com>",
        "陳大文 <chen@example.com>",
    )
    for number, time in enumerate(range(7 * MINUTE, day.END - HOUR, 23 * MINUTE)):
        time += rng.randint(0, 9 * MINUTE)
        if not any(life.up + MINUTE < time < life.down - MINUTE for life in shut):
            continue
        process = ("app", day.WORKER)
        log.write(
            time,
            *process,
            f"SyncPartnerJob partner={rng.randint(11, 48)} done in {rng.randint(400, 2_900)}ms",
        )
        if number % 12 == 5:
            name = names[number // 12 % 3]
            log.write(time + 4 * SECOND, *process, f"Gutschein „Frühling“ an {name} verschickt ✓")
        if number in (16, 47, 101):
            log.write(time + 9 * SECOND, *process, *PARTNER_TRACE)


DROPPED_SINCE = day.at(1, 19, 36, 2.418221)
DROPPED_AT = day.at(1, 19, 37, 3.771905)
DROPPED = 7


def drop(log: Log) -> None:
    """Lose a few of the application's lines in the sale of the first day, and write the L10 that says so."""
    lost = [
        line
        for line in sorted(log.lines, key=lambda line: (line.time, line.number))
        if DROPPED_SINCE <= line.time < DROPPED_AT
        and line.message.startswith("method=")
        and "Carts" in line.message
    ][:DROPPED]
    assert len(lost) == DROPPED
    log.lines = [line for line in log.lines if line not in lost]
    since = f"{day.stamp(DROPPED_SINCE)}+00:00"
    message = f"Error L10 (output buffer overflow): {DROPPED} messages dropped since {since}."
    log.write(DROPPED_AT, "heroku", "logplex", message)
