"""A log for the benchmarks: 70 % router lines, 15 % application, 10 % runtime metrics, 5 % other; from a seed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

_PATHS = (
    "/",
    "/cart",
    "/orders/{n}",
    "/orders/{n}/items/7",
    "/search?q=red shoes&page={n}",
    "/users/{n}.json",
    "/reports/{n}",
)
_OTHER = (
    "heroku[web.{d}]: State changed from starting to up",
    "heroku[web.{d}]: Process running mem=548M(107.0%)",
    "heroku[web.{d}]: Error R14 (Memory quota exceeded)",
    "app[api]: Release v{n} created by user dev@example.com",
)


def write(path: Path, lines: int, seed: int = 7) -> None:
    """Write that many lines as ``heroku logs`` prints them, one millisecond apart on average."""
    dice = random.Random(seed)
    moment = datetime(2024, 3, 4, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as out:
        for number in range(lines):
            moment += timedelta(microseconds=dice.randrange(2000))
            out.write(f"{moment:%Y-%m-%dT%H:%M:%S.%f}+00:00 {_line(dice, number)}\n")


def _line(dice: random.Random, number: int) -> str:
    kind, dyno = dice.random(), dice.randrange(1, 9)
    if kind < 0.70:
        return _router(dice, number, dyno)
    if kind < 0.85:
        took = dice.randrange(90)
        return f"app[web.{dyno}]: [{_uuid(dice)}] Rendered orders/show.html.erb in layouts/application ({took}.1ms)"
    if kind < 0.95:
        total = dice.uniform(200, 500)
        return (
            f"heroku[web.{dyno}]: source=web.{dyno} dyno=heroku.29522462.00000000-0000-4000-8000-00000000000{dyno}"
            f" sample#memory_total={total:.2f}MB sample#memory_rss={total - 30:.2f}MB sample#memory_cache=30.00MB"
            f" sample#memory_swap=0.00MB sample#memory_pgpgin={number}pages sample#memory_pgpgout={number}pages"
            " sample#memory_quota=512.00MB"
        )
    return dice.choice(_OTHER).format(d=dyno, n=number)


def _router(dice: random.Random, number: int, dyno: int) -> str:
    path = dice.choice(_PATHS).format(n=number)
    client = f'fwd="192.0.2.{dice.randrange(256)}"'
    if dice.random() < 0.01:
        return (
            f'heroku[router]: at=error code=H12 desc="Request timeout" method=GET path="{path}" host=shop.example.com'
            f" request_id={_uuid(dice)} {client} dyno=web.{dyno} connect=0ms service=30001ms status=503 bytes=0"
            " protocol=https"
        )
    return (
        f'heroku[router]: at=info method=GET path="{path}" host=shop.example.com request_id={_uuid(dice)} {client}'
        f" dyno=web.{dyno} connect={dice.randrange(3)}ms service={dice.randrange(2000)}ms status=200"
        f" bytes={dice.randrange(90000)} protocol=https"
    )


def _uuid(dice: random.Random) -> str:
    text = f"{dice.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"
