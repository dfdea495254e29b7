"""Every number that the book or the platform sets: its value, unit, where it is written, and when it held.

The numbers are plain constants (``limits.H12_MS``); ``LIMITS`` holds the same with unit and source, so that a
finding, a document or a check can cite it. Nothing else in the package writes such a number by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar


@dataclass(frozen=True)
class Limit:
    """One number with its unit, its source (book chapter or vendor page) and the years in which it held."""

    value: float
    unit: str
    source: str
    since: str = ""
    until: str = ""


LIMITS: dict[str, Limit] = {}


_Number = TypeVar("_Number", int, float)


def _limit(name: str, value: _Number, unit: str, source: str, since: str = "", until: str = "") -> _Number:
    LIMITS[name] = Limit(value, unit, source, since, until)
    return value


# Requests
H12_MS = _limit("H12_MS", 30_000, "ms", "book ch. 4; Dev Center, HTTP routing: timeouts")
DANGER_MS = _limit(
    "DANGER_MS", 20_000, "ms", "ours: two thirds of the 30 s limit; book ch. 4 reads Max first"
)
TARGET_MS = _limit("TARGET_MS", 500, "ms", "book ch. 4: a well-tuned application answers within 500 ms")
BACKGROUND_MS = _limit("BACKGROUND_MS", 5_000, "ms", "book ch. 4: longer work belongs in a background dyno")
HIGH_WAIT_MS = _limit(
    "HIGH_WAIT_MS", 5_000, "ms", "book ch. 4: an age of 5 s or more is too long in the queue"
)
PERSON_MS = _limit("PERSON_MS", 2_000, "ms", "ours; book ch. 4: nobody waits more than a few seconds")
NEAR_H12_MS = _limit("NEAR_H12_MS", 25_000, "ms", "ours: five sixths of the 30 s limit")
TIMEOUT_MS = _limit("TIMEOUT_MS", 10_000, "ms", "book ch. 4: cut at 10 s or less; Dev Center: 10 or 15 s")
TIMEOUT_USELESS_MS = _limit(
    "TIMEOUT_USELESS_MS", 28_000, "ms", "book ch. 4: so near to 30 s a timeout makes no sense"
)
SLOW_MS = _limit("SLOW_MS", 5_000, "ms", "book ch. 4: more than five seconds")
APDEX_T_S = _limit("APDEX_T_S", 0.5, "s", "book ch. 6: T = 0.5 s")
APDEX_GOOD = _limit("APDEX_GOOD", 0.9, "score", "book ch. 6: 0.9 or higher is good")
APDEX_POOR = _limit("APDEX_POOR", 0.7, "score", "Apdex rating: below 0.70 is poor")
APDEX_MIN_COUNT = _limit(
    "APDEX_MIN_COUNT", 100, "requests", "Apdex specification: a group smaller than 100 is marked"
)
PRODUCT_PASS = _limit(
    "PRODUCT_PASS", 0.005, "share", "ours: New Relic prints three digits, so Count x Avg = Total to 0.5 %"
)
PRODUCT_WARN = _limit(
    "PRODUCT_WARN", 0.01, "share", "ours: beyond 1 % the numbers of a row do not belong together"
)
USUAL_SHARE = _limit("USUAL_SHARE", 0.5, "share", "ours: most visits, with 95 % certainty")
OFTEN_SHARE = _limit("OFTEN_SHARE", 0.05, "share", "ours: at least one visit in twenty, with 95 % certainty")
WELL_TUNED_SHARE = _limit(
    "WELL_TUNED_SHARE", 0.95, "share", "ours: 19 of 20 within 500 ms counts as well tuned"
)

# Routes with free words in them
SLUG_LEARNED = _limit("SLUG_LEARNED", 1_000, "requests", "ours: fewer do not teach where slugs stand")
SLUG_VALUES = _limit("SLUG_VALUES", 50, "values", "ours: fewer values at one place are actions")
SLUG_MANY = _limit("SLUG_MANY", 200, "values", "ours: so many values at one place are no actions")
SLUG_SHARE = _limit(
    "SLUG_SHARE", 0.2, "values per request", "ours: values that come again and again are actions"
)

# Smallest numbers of values behind a quantile (a 95 % bound that the quantile is below the largest value)
MIN_FOR_P50 = _limit("MIN_FOR_P50", 5, "requests", "1 - 0.50^n >= 0.95")
MIN_FOR_P95 = _limit("MIN_FOR_P95", 59, "requests", "1 - 0.95^n >= 0.95")
MIN_FOR_P99 = _limit("MIN_FOR_P99", 299, "requests", "1 - 0.99^n >= 0.95")

# Logs
LOGPLEX_LINES = _limit("LOGPLEX_LINES", 1_500, "lines", "book ch. 1; Dev Center, logging: history limit")
HEROKU_LOGS_LINES = _limit("HEROKU_LOGS_LINES", 100, "lines", "Dev Center, logging: heroku logs without -n")
FILTER_LINES = _limit("FILTER_LINES", 20, "lines", "ours: fewer lines of one kind do not show a filter")
GAP_S = _limit("GAP_S", 600, "s", "ours: a shorter silence is not called a gap")
GAP_SPACINGS = _limit(
    "GAP_SPACINGS", 20, "usual distances", "ours: nor is one of fewer usual distances of two lines"
)
GAP_BUSY_LINES = _limit(
    "GAP_BUSY_LINES", 100, "lines in 10 min", "ours: silence after so many lines is a surprise"
)
LOGPLEX_CHUNK_BYTES = _limit("LOGPLEX_CHUNK_BYTES", 10_000, "bytes", "Dev Center, logging: message length")
ROUTER_BUFFER_BYTES = _limit(
    "ROUTER_BUFFER_BYTES",
    1_000_000,
    "bytes",
    "Dev Center, HTTP routing: response buffer of 1 MB per connection",
)

# Memory
LEAK_HOURS = _limit("LEAK_HOURS", 12.0, "h", "book ch. 3: a leak can take twelve or more hours to show")
LEAK_PERCENT_PER_DAY = _limit(
    "LEAK_PERCENT_PER_DAY", 5.0, "% of quota per 24 h", "ours: smallest slope called a trend"
)
HIGH_LEVEL_PERCENT = _limit("HIGH_LEVEL_PERCENT", 90.0, "% of quota", "ours: too large from the start")
RESTART_HOURS = _limit("RESTART_HOURS", 24.0, "h", "Dev Center, dynos: automatic restarts once a day")
RESTART_JITTER_HOURS = _limit("RESTART_JITTER_HOURS", 3.6, "h", "Dev Center, dynos: plus 0 to 216 minutes")
R14_GAP_S = _limit("R14_GAP_S", 90, "s", "R14 repeats every 20 to 40 s; three missing reports end an episode")
QUOTA_SNAP = _limit(
    "QUOTA_SNAP", 0.01, "share", "ours: mem divided by percent is within 1 % of a plan's quota"
)
CONSTANT_MINUTES = _limit("CONSTANT_MINUTES", 60, "min", "ours: over the quota for less is an episode")
CONSTANT_SHARE = _limit(
    "CONSTANT_SHARE", 0.5, "share", "ours: over the quota for half of the time is constant"
)
PROCESS_MB = _limit("PROCESS_MB", 100.0, "MB", "book ch. 3: the Ruby process of a local Rails application")
WATCH_R14 = _limit(
    "WATCH_R14", 3, "lines in 10 min", "ours: R14 repeats every 20 to 40 s: an episode, no blip"
)
SWAP_MB = _limit("SWAP_MB", 50.0, "MB", "ours: a little swap that stays is normal today")
MEMORY_SUM_MB = _limit(
    "MEMORY_SUM_MB", 0.1, "MB", "ours: total, RSS, cache and swap are each rounded to 0.01 MB"
)
KILL_RATIO_2013 = _limit(
    "KILL_RATIO_2013",
    5.0,
    "times the quota",
    "R15 lines of 2013 (book ch. 3: 501 %; its text says 300 %)",
    "",
    "2014",
)
SWAP_BLOCKS = _limit("SWAP_BLOCKS", 4, "hours of a dyno", "ours: fewer do not show swap apart from its hour")
SUSPECT_ALPHA = _limit(
    "SUSPECT_ALPHA", 0.01, "probability", "ours: that chance alone makes one of many routes a suspect"
)
SUSPECT_RUNS = _limit("SUSPECT_RUNS", 5, "runs", "ours: fewer runs of a route or job do not show a habit")
SUSPECT_BINS = _limit("SUSPECT_BINS", 36, "spans", "ours: of ten minutes: six hours; fewer are not judged")
SUSPECT_LEAST_MB = _limit("SUSPECT_LEAST_MB", 20.0, "MB", "ours: kept growth below it needs no suspect")
SUSPECT_WARM_UP_MINUTES = _limit(
    "SUSPECT_WARM_UP_MINUTES", 60, "min", "ours: what is loaded once after a boot is no leak"
)

# Errors
BURST_GAP_S = _limit("BURST_GAP_S", 60, "s", "ours: two router timeouts of 30 s")
BURST_COUNT = _limit("BURST_COUNT", 5, "errors", "ours: fewer are not called a burst")
ERROR_SHARE = _limit(
    "ERROR_SHARE", 0.01, "share", "ours: one request in a hundred fails: users are broken off"
)
ERROR_PER_10K = _limit(
    "ERROR_PER_10K", 1.0, "errors per 10,000 requests", "ours: fewer are called occasional"
)
ERROR_POWER_PER_10K = _limit(
    "ERROR_POWER_PER_10K", 100.0, "errors per 10,000 requests", "ours: a weaker bound rules nothing out"
)
DENSE_SHARE = _limit("DENSE_SHARE", 0.8, "share", "ours: nearly all errors have this value")
CLIENT_SHARE = _limit(
    "CLIENT_SHARE", 0.05, "share", "ours: one visitor in twenty met the application's own error"
)
LOST_SHARE = _limit(
    "LOST_SHARE", 0.01, "share", "ours: one line in a hundred lost, unread or out of order weakens"
)
RELEASE_MINUTES = _limit(
    "RELEASE_MINUTES", 30, "min", "ours: compared before and after a release; book ch. 6"
)
ONSET_MINUTES = _limit(
    "ONSET_MINUTES", 10, "min", "ours: errors that begin later, or before, do not begin with the release"
)
BOOT_MINUTES = _limit("BOOT_MINUTES", 5, "min", "ours: a release boots its dynos in this time")
COMPARED_REQUESTS = _limit("COMPARED_REQUESTS", 20, "requests", "ours: fewer on a side are not compared")
COMPARED_TIMES = _limit(
    "COMPARED_TIMES", 100, "requests", "the 95 % ranks of a median lie within its middle fifth"
)
CHANGE_RATIO = _limit(
    "CHANGE_RATIO", 1.5, "ratio", "ours: a smaller change of an error rate is called the same"
)
CHANGE_TIMES = _limit("CHANGE_TIMES", 1.2, "ratio", "ours: a smaller change of a median is called the same")
CHANGE_MS = _limit(
    "CHANGE_MS", 50, "ms", "ours: both ratio and size must count (book ch. 6: 100 to 400 ms is still fast)"
)
CHANGE_SHARE = _limit(
    "CHANGE_SHARE", 0.02, "share", "ours: a smaller change of a share of all requests is called the same"
)
CHANGE_MEMORY_TIMES = _limit(
    "CHANGE_MEMORY_TIMES", 1.1, "ratio", "ours: a smaller change of a dyno's memory is called the same"
)
Z_999 = _limit("Z_999", 3.290527, "standard deviations", "two-sided 99.9 % of the normal distribution")
Z_95 = _limit("Z_95", 1.959964, "standard deviations", "two-sided 95 % of the normal distribution")

# Crashes
CRASH_LOOP_COUNT = _limit("CRASH_LOOP_COUNT", 3, "crashes", "ours: so many in half an hour are a loop")
CRASH_LOOP_MINUTES = _limit("CRASH_LOOP_MINUTES", 30, "min", "ours: restarts after a crash are spaced out")
CRASH_TRACE_S = _limit("CRASH_TRACE_S", 60, "s", "ours: a trace this near before a crash may tell its cause")
CRASH_STOP_S = _limit(
    "CRASH_STOP_S",
    120,
    "s",
    "ours: a stop ends in an exit within 30 s (Dev Center, dyno shutdown), and slack",
)
CRASH_CROSSED_S = _limit("CRASH_CROSSED_S", 10, "s", "ours: lines of one exit come in any order")

# Dynos compared
CROWD_REQUESTS = _limit("CROWD_REQUESTS", 3, "requests", "ours: one is worked on, two wait; book ch. 4")
BALANCE_ALPHA = _limit("BALANCE_ALPHA", 0.01, "probability", "ours: of a false alarm among all dynos")
BALANCE_COUNT = _limit("BALANCE_COUNT", 100, "requests", "ours: a dyno with fewer is not judged")
BALANCE_EXPECTED = _limit("BALANCE_EXPECTED", 5, "requests", "chi-square test: least expected count")
BALANCE_SHARE = _limit("BALANCE_SHARE", 0.1, "share", "ours: a smaller difference of counts does not matter")
BALANCE_THETA = _limit(
    "BALANCE_THETA", 0.56, "probability", "ours: slower than another dyno's, of one route and hour"
)
BALANCE_TIMES = _limit("BALANCE_TIMES", 1.2, "ratio", "ours: a smaller ratio of quantiles does not matter")
BALANCE_HOURS = _limit("BALANCE_HOURS", 3, "h", "ours: one slow request can make a dyno slow for an hour")
BALANCE_HOURS_SHARE = _limit(
    "BALANCE_HOURS_SHARE", 0.6, "share", "ours: a slow dyno is slow most of the time"
)
BALANCE_HOUR_COUNT = _limit("BALANCE_HOUR_COUNT", 30, "requests", "ours: fewer do not tell of an hour")
BALANCE_STEADY = _limit(
    "BALANCE_STEADY", 3.0, "standard errors", "ours: of the hours, so that a few bad ones do not do"
)
BALANCE_MINUTES = _limit(
    "BALANCE_MINUTES", 30, "min", "ours: fewer do not show whether clients stick to a dyno"
)

# Two clocks
ALIGN_CELLS = _limit("ALIGN_CELLS", 24, "cells", "ours: measured on seeded series of 3 days")
ALIGN_R = _limit("ALIGN_R", 0.8, "correlation", "ours: measured .999 at the true offset, .88 beside it")
ALIGN_MARGIN = _limit(
    "ALIGN_MARGIN", 0.05, "correlation", "ours: the next best offset must fit so much worse"
)
ALIGN_HOURS = _limit("ALIGN_HOURS", 6, "h", "ours: a shorter overlap has no shape")
ALIGN_VARIATION = _limit(
    "ALIGN_VARIATION", 0.1, "coefficient of variation", "ours: flat traffic fits anywhere"
)

# New Relic
SPAN_HOURS = _limit("SPAN_HOURS", 12, "h", "book ch. 6: look at 12 or 24 hours; 30 minutes are too few")

# Simulations
SEED = _limit("SEED", 20130613, "seed", "ours: of every random number, so that a run can be repeated")

# Support tickets
TICKET_LINES = _limit(
    "TICKET_LINES", 40, "lines", "ours; book, afterword: more than a handful is an attachment"
)
TICKET_LOG_LINES = _limit("TICKET_LOG_LINES", 5_000, "lines", "ours: about 1 MB; the rest is asked for")
TICKET_LOG_MINUTES = _limit(
    "TICKET_LOG_MINUTES", 10, "min", "ours: attached before and after what it is about"
)
TICKET_CHANGE_MINUTES = _limit(
    "TICKET_CHANGE_MINUTES", 30, "min", "ours: a change this near before may be the cause"
)
TICKET_REQUEST_IDS = _limit("TICKET_REQUEST_IDS", 20, "ids", "ours: enough to look up")
DOWN_SHARE = _limit(
    "DOWN_SHARE",
    0.5,
    "share",
    "ours: half of the requests fail; book, afterword: Urgent is a site that is down",
)
DOWN_REQUESTS = _limit("DOWN_REQUESTS", 20, "requests", "ours: fewer do not show that a site is down")
DOWN_MINUTES = _limit("DOWN_MINUTES", 10, "min", "ours: the end of the evidence, for what is down now")
SUPPORT_OPENS_HOUR = _limit(
    "SUPPORT_OPENS_HOUR", 6, "h of the day", "book, afterword: Monday to Friday, Pacific time"
)
SUPPORT_CLOSES_HOUR = _limit(
    "SUPPORT_CLOSES_HOUR", 18, "h of the day", "book, afterword: Monday to Friday, Pacific time"
)

# Builds
BUILD_MINUTES = _limit("BUILD_MINUTES", 15, "min", "book ch. 7; Dev Center, slug compiler: limits")
BUILD_SHARE = _limit("BUILD_SHARE", 0.8, "share", "ours: a build this near to its limit is called slow")
ASSETS_COMMON_S = _limit(
    "ASSETS_COMMON_S", 120, "s", "book ch. 7: 35 s is fast, several minutes are common; ours: two are several"
)
ASSETS_SLOW_S = _limit("ASSETS_SLOW_S", 600, "s", "book ch. 7: ten minutes or longer were seen")
SLUG_MB = _limit("SLUG_MB", 500, "MB", "Dev Center, slug compiler: most, compressed (max is 500M)")
SLUG_SOFT_MB = _limit("SLUG_SOFT_MB", 300, "MB", "builds warn: exceeds our soft limit (300 MB)")
BUILD_TREND_COUNT = _limit("BUILD_TREND_COUNT", 8, "builds", "ours: fewer do not show a trend")
BUILD_TREND_ALPHA = _limit(
    "BUILD_TREND_ALPHA", 0.01, "probability", "ours: that chance alone makes builds rise so"
)
BUILD_TREND_TIMES = _limit(
    "BUILD_TREND_TIMES",
    1.2,
    "ratio",
    "ours: from the first to the last build; a smaller rise does not matter",
)
BUILD_TREND_DAYS = _limit("BUILD_TREND_DAYS", 90, "days", "ours: a limit that is met later can wait")
BUILD_MATCH_S = _limit("BUILD_MATCH_S", 60, "s", "ours: a release this near to a build's end is of it")
SLOW_BUILD_MINUTES = _limit("SLOW_BUILD_MINUTES", 10, "min", "book ch. 7: ten minutes or more were seen")

# Certificates
EXPIRY_CRITICAL_DAYS = _limit(
    "EXPIRY_CRITICAL_DAYS", 7, "days", "ours: a renewal takes days when papers are asked"
)
EXPIRY_WARNING_DAYS = _limit(
    "EXPIRY_WARNING_DAYS",
    30,
    "days",
    "ours; Dev Center, Automated Certificate Management: renewed a month before",
)
NEAR_MISS_LETTERS = _limit(
    "NEAR_MISS_LETTERS", 2, "letters", "ours: book ch. 2 prints csrbuddy and csrbuggy, which differ in two"
)
CERTIFICATE_DAYS = _limit(
    "CERTIFICATE_DAYS", 365, "days", "book ch. 2: bought for a year, key renewed each year"
)

# Databases
CACHE_HIT_SHARE = _limit(
    "CACHE_HIT_SHARE", 0.99, "share", "book ch. 5: below 99 % better indexes, or a plan with more cache"
)
INDEX_USE_SHARE = _limit("INDEX_USE_SHARE", 0.95, "share", "ours: of the reads of a large table by an index")
INDEX_USE_ROWS = _limit(
    "INDEX_USE_ROWS", 10_000, "rows", "Dev Center, Heroku Postgres: smaller need no index"
)
CONNECTION_SHARE = _limit("CONNECTION_SHARE", 0.8, "share", "ours: one more deploy may fill the rest")
DATABASE_SHARE = _limit(
    "DATABASE_SHARE", 0.9, "share", "ours: of the plan's size; past it writes are refused"
)
LARGE_DATABASE_GB = _limit(
    "LARGE_DATABASE_GB", 10, "GB", "book ch. 5: a new follower may be ready before its indexes are"
)
BACKUP_HOURS = _limit(
    "BACKUP_HOURS", 26, "h", "ours: one a day (book ch. 5: 24.0 to 24.8 h apart) and an hour or so to spare"
)
BACKUP_SIZE_DROP = _limit("BACKUP_SIZE_DROP", 0.5, "share", "ours: half of the data gone is worth a look")
WAL_SECONDS = _limit("WAL_SECONDS", 60, "s", "book ch. 5: archived every 60 s, so at worst so much is lost")
TREND_SAMPLES = _limit("TREND_SAMPLES", 12, "samples", "ours: fewer give no slope")
TREND_SPAN_HOURS = _limit("TREND_SPAN_HOURS", 6, "h", "ours: a shorter span gives no slope")
TREND_HOURS = _limit(
    "TREND_HOURS", 24, "hours with samples", "ours: a day, so that a daily cycle is no trend"
)
TREND_ALPHA = _limit("TREND_ALPHA", 0.005, "probability", "ours: of a slope by chance, Mann-Kendall's test")
TREND_HIT_SHARE = _limit(
    "TREND_HIT_SHARE", 0.001, "share", "ours: a smaller change of a hit rate is called none"
)
STEADY_BUCKETS = _limit("STEADY_BUCKETS", 24, "buckets", "ours: fewer do not show a pattern")
STEADY_MINUTES = _limit("STEADY_MINUTES", 5, "min", "ours: one bucket; New Relic's own where that is longer")
STEADY_REQUESTS = _limit("STEADY_REQUESTS", 10, "requests in a bucket", "ours: fewer have no usual time")
ERRATIC_TIMES = _limit(
    "ERRATIC_TIMES", 1.5, "ratio", "ours: a usual bucket is that far from what traffic and trend explain"
)
LONG_QUERY_S = _limit("LONG_QUERY_S", 300, "s", "pg:long-running-queries lists what runs longer than 5 min")
BLOAT_FACTOR = _limit(
    "BLOAT_FACTOR", 10, "times", "Dev Center, Heroku Postgres: pg:diagnose warns from 10 on"
)
BLOAT_MB = _limit("BLOAT_MB", 100, "MB", "ours: less waste is not worth a vacuum")

PLAN_CONNECTIONS = {
    **{f"{tier}-0": 120 for tier in ("standard", "premium", "private", "shield")},
    **{f"{tier}-2": 400 for tier in ("standard", "premium", "private", "shield")},
    **{
        f"{tier}-{size}": 500
        for tier in ("standard", "premium", "private", "shield")
        for size in range(3, 10)
    },
    **{
        f"{tier}-{size}": 500
        for tier in ("premium", "private", "shield")
        for size in ("l-6", "xl-6", "l-9", "xl-9")
    },
    **dict.fromkeys(("enterprise-7", "enterprise-8"), 500),
    **dict.fromkeys(("crane", "kappa", "ronin", "fugu", "ika", "zilla", "baku", "mecha"), 500),
}
"""Most connections by plan.

Dev Center, "Heroku Postgres Production Tier Technical Characterization", column Connection Limit, as of 2015-02-23,
2023-04-12 and 2024-09-06; the named plans: Heroku blog, "Connection Limit Guidance", 2013-11-22 (500 across all
production databases until then). Smaller plans are not here: ``pg:info`` prints their limit itself (2/20).
"""


ONE_OFF = ("run", "scheduler", "release")
"""Process types whose dynos run once and end (Dev Center, one-off dynos; Scheduler; release phase)."""


# Evidence bundles
BUNDLE_FILES = _limit(
    "BUNDLE_FILES", 500, "files", "ours: a bundle has three for each result and one for each table"
)
BUNDLE_FREE_BYTES = _limit(
    "BUNDLE_FREE_BYTES", 1 << 30, "bytes", "ours: what a bundle may grow to however small it is"
)
BUNDLE_RATIO = _limit("BUNDLE_RATIO", 250, "times", "ours: no log grows more, as of a gz that is loaded")
BUNDLE_ROWS_PER_BYTE = _limit(
    "BUNDLE_ROWS_PER_BYTE",
    100,
    "rows per byte",
    "ours: a row of any table takes more than a twelfth of a bit",
)


@dataclass(frozen=True)
class DynoType:
    """One dyno type: its memory quota in MB and, as a multiple of the quota, where it is killed (R15)."""

    name: str
    quota_mb: int
    kill_ratio: float
    swaps: bool = True


DYNO_TYPES = (
    *(DynoType(name, 512, 2.0) for name in ("Free", "Hobby", "Eco", "Basic", "1X", "Standard-1X")),
    *(DynoType(name, 1_024, 2.0) for name in ("2X", "Standard-2X")),
    DynoType("Performance-M", 2_560, 2.0),
    *(DynoType(name, 6_144, 2.0) for name in ("PX", "Performance")),
    DynoType("Performance-L", 14_336, 2.0),
    DynoType("Performance-L-RAM", 30_720, 1.2),
    DynoType("Performance-XL", 63_488, 1.2),
    DynoType("Performance-2XL", 129_024, 1.2),
    *(DynoType(name, 1_024, 1.0, swaps=False) for name in ("Private-S", "Shield-S")),
    *(DynoType(name, 2_560, 1.0, swaps=False) for name in ("Private-M", "Shield-M")),
    *(DynoType(name, 14_336, 1.0, swaps=False) for name in ("Private-L", "Shield-L")),
    *(DynoType(name, 30_720, 1.0, swaps=False) for name in ("Private-L-RAM", "Shield-L-RAM")),
    *(DynoType(name, 63_488, 1.0, swaps=False) for name in ("Private-XL", "Shield-XL")),
    *(DynoType(name, 129_024, 1.0, swaps=False) for name in ("Private-2XL", "Shield-2XL")),
)
"""Dev Center, dyno types (memory table); the kill ratios of today."""


def dyno_type(name: str | None) -> DynoType | None:
    """Return the dyno type of that name, whatever its case; None when it is not known."""
    return next((kind for kind in DYNO_TYPES if kind.name.lower() == (name or "").lower()), None)


def snap_quota_mb(memory_mb: float, percent: float) -> int | None:
    """Return the known quota in MB that ``memory_mb`` is ``percent`` of, within 1 %; None when no plan fits.

    The log prints whole MB cut off, so 533M(104.3%) gives 512 and 1028M(103.3%) of 2011 gives None.
    """
    low, high = 100 * memory_mb / (percent + 0.05), 100 * (memory_mb + 1) / max(percent - 0.05, 0.01)
    quotas = sorted({kind.quota_mb for kind in DYNO_TYPES})
    fits = [quota for quota in quotas if low * (1 - QUOTA_SNAP) <= quota <= high * (1 + QUOTA_SNAP)]
    return fits[0] if len(fits) == 1 else None


def kill_ratio(quota_mb: float, when: date | datetime | None) -> float:
    """Return at what multiple of its quota a dyno was killed (R15) at that time.

    2013: 5 times in real lines (the book's prose says 3); since 2014: 2 times for up to 14 GB and 1.2 times above.
    """
    if when is not None and when.year <= 2013:
        return KILL_RATIO_2013
    return 2.0 if quota_mb <= 14_336 else 1.2
