"""The H, R and L codes: official name, who writes it, what it means in our words, and what to do next.

Names follow Dev Center, "Heroku error codes" (2024). ``severity`` is the most that one kind of line can mean
by itself: ``critical`` breaks requests for users or kills a dyno, ``warning`` hurts, ``note`` is the rest.
Lines with other codes are kept and counted too; ``code`` gives them a plain entry.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """One code: official name, layer (router, dyno, log, app), severity, meaning, next step, reference."""

    code: str
    name: str
    layer: str
    severity: str
    meaning: str
    next_step: str
    reference: str
    status: str = ""
    """HTTP status that the router answers with; empty when there is none."""


def _router(
    code: str, name: str, severity: str, status: str, meaning: str, step: str, reference: str
) -> Code:
    return Code(code, name, "router", severity, meaning, step, reference, status)


def _dyno(code: str, name: str, severity: str, meaning: str, step: str, reference: str) -> Code:
    return Code(code, name, "dyno", severity, meaning, step, reference)


def _log(code: str, name: str, severity: str, meaning: str, step: str) -> Code:
    return Code(code, name, "log", severity, meaning, step, "book ch. 1; Dev Center, error codes")


_CH1, _CH2, _CH3, _CH4, _CH7 = "book ch. 1", "book ch. 2", "book ch. 3", "book ch. 4", "book ch. 7"
_DEV = "Dev Center, error codes"
_SUPPORT = "book, afterword"

_FIND_TRACE = (
    "Look for a stack trace of the crashing dyno and at the process list (heroku ps); then restart it."
)
_QUEUE = "Run queueing and blockers: find the slow requests that the others wait for."

_ALL = (
    _router(
        "H10",
        "App crashed",
        "critical",
        "503",
        "a web dyno has crashed or crashes while it boots",
        _FIND_TRACE,
        _CH1,
    ),
    _router(
        "H11", "Backlog too deep", "critical", "503", "too many requests wait for the web dynos", _QUEUE, _CH4
    ),
    _router(
        "H12",
        "Request timeout",
        "critical",
        "503",
        "the dyno sent no first byte within 30 s; it goes on working on the request",
        "Run blockers to see which requests were slow themselves and which waited; fix every slow action.",
        _CH4,
    ),
    _router(
        "H13",
        "Connection closed without response",
        "critical",
        "503",
        "the dyno took the request and closed the connection without an answer, as when a worker is killed",
        "Look in the same dyno's log for a worker that was killed or crashed at that moment.",
        f"{_CH1}, ch. 4",
    ),
    _router(
        "H14",
        "No web dynos running",
        "critical",
        "503",
        "no web dyno is running",
        "Check heroku ps and scale the web process to at least one.",
        _CH1,
    ),
    _router(
        "H15",
        "Idle connection",
        "warning",
        "503",
        "nothing was sent for 55 s after the response had begun",
        "Send data at least every 55 s, or move the long work to a background dyno.",
        _CH4,
    ),
    _router(
        "H16",
        "(retired)",
        "note",
        "",
        "no longer in use: a redirect to herokuapp.com",
        "Nothing to do.",
        _DEV,
    ),
    _router(
        "H17",
        "Poorly formatted HTTP response",
        "warning",
        "503",
        "the dyno's answer was no valid HTTP",
        "Check the application server and middleware that write the response.",
        _CH1,
    ),
    _router(
        "H18",
        "Server Request Interrupted",
        "warning",
        "503",
        "the connection broke in the middle of a request; sock= names the side",
        "Look at sock=: backend means the dyno closed it, client the visitor.",
        _CH4,
    ),
    _router(
        "H19",
        "Backend connection timeout",
        "critical",
        "503",
        "the dyno did not accept a connection within 5 s",
        f"The dyno is overloaded. {_QUEUE}",
        _CH4,
    ),
    _router(
        "H20",
        "App boot timeout",
        "critical",
        "503",
        "the request waited 75 s for a dyno to boot",
        "Look at what the application does while it boots, and at failing boots (R10).",
        f"{_CH1}, ch. 7",
    ),
    _router(
        "H21",
        "Backend connection refused",
        "critical",
        "503",
        "the dyno refused the connection",
        _FIND_TRACE,
        _CH1,
    ),
    _router(
        "H22",
        "Connection limit reached",
        "critical",
        "503",
        "too many connections are open to the dyno",
        f"The dyno is overloaded. {_QUEUE}",
        _CH4,
    ),
    _router(
        "H23",
        "Endpoint misconfigured",
        "warning",
        "503",
        "the dyno's answer broke the protocol, such as a wrong websocket handshake",
        "Check the websocket endpoint.",
        _DEV,
    ),
    _router(
        "H24",
        "Forced close",
        "note",
        "",
        "the router was shut down and closed a connection that was still open",
        "If it repeats, ask Heroku support.",
        _SUPPORT,
    ),
    _router(
        "H25",
        "HTTP Restriction",
        "warning",
        "502",
        "the answer broke a rule of the router: header, cookie, status line or length",
        "Look for oversized or illegal headers and cookies.",
        _CH1,
    ),
    _router(
        "H26",
        "Request Error",
        "note",
        "400",
        "the client sent a bad request",
        "Look at cause= in the line; the application never saw the request.",
        _DEV,
    ),
    _router(
        "H27",
        "Client Request Interrupted",
        "note",
        "499",
        "the visitor left before the answer was complete",
        "Many of them are a sign of slowness: run slow_transactions for the same routes.",
        _CH4,
    ),
    _router(
        "H28",
        "Client Connection Idle",
        "note",
        "499",
        "the visitor sent nothing for 55 s",
        "Usually a slow or broken client; nothing to do in the application.",
        _DEV,
    ),
    _router(
        "H31",
        "Misdirected Request",
        "note",
        "421",
        "the connection was for another host name",
        "Check which domains share the certificate.",
        _CH2,
    ),
    _router(
        "H32",
        "TLS Certificate Mismatch",
        "warning",
        "",
        "the host name and the certificate do not fit",
        "Check the certificate's names against the domain.",
        _CH2,
    ),
    _router(
        "H80",
        "Maintenance mode",
        "note",
        "503",
        "the owner switched maintenance mode on",
        "If that was not planned, run heroku maintenance:off.",
        "book ch. 5",
    ),
    _router(
        "H81", "Blank app", "note", "502", "nothing has been deployed yet", "Deploy the application.", _DEV
    ),
    _router(
        "H82",
        "You've used up your dyno hour pool",
        "note",
        "503",
        "the hours of Eco or Free dynos are used up",
        "Change to a dyno type without an hour pool, or wait for the next month.",
        _DEV,
    ),
    _router(
        "H83",
        "Planned Service Degradation",
        "note",
        "503",
        "Heroku announced a brown-out of a feature that ends",
        "Read the announcement and move off the feature.",
        _DEV,
    ),
    _router(
        "H99",
        "Platform error",
        "critical",
        "503",
        "the platform itself failed",
        "Check status.heroku.com and open a ticket with these lines.",
        _SUPPORT,
    ),
    _dyno(
        "R10",
        "Boot timeout",
        "warning",
        "the web process did not bind to $PORT within 60 s and was killed",
        "Look at what the application does while it boots.",
        f"{_CH1}, ch. 7",
    ),
    _dyno(
        "R11", "Bad bind", "warning", "the process bound to another port than $PORT", "Bind to $PORT.", _CH1
    ),
    _dyno(
        "R12",
        "Exit timeout",
        "note",
        "the process was still alive after SIGTERM's time limit and was killed",
        "Make the process stop within the limit: work in progress is lost otherwise.",
        _CH1,
    ),
    _dyno("R13", "Attach error", "note", "a one-off dyno could not attach", "Run it again.", _DEV),
    _dyno(
        "R14",
        "Memory quota exceeded",
        "warning",
        "the dyno uses more memory than its quota and swaps, which makes it slow",
        "Run memory_quota and memory_trend: which dynos, since when, and is it a leak.",
        _CH3,
    ),
    _dyno(
        "R15",
        "Memory quota vastly exceeded",
        "critical",
        "the dyno was killed with SIGKILL because of its memory; what it worked on is lost",
        "Run memory_trend and look at what was in flight on the dyno when it was killed.",
        _CH3,
    ),
    _dyno(
        "R16",
        "Detached",
        "note",
        "a one-off dyno outlived its connection",
        "Stop it if it is not needed.",
        _DEV,
    ),
    _dyno("R17", "Checksum error", "warning", "the slug's checksum was wrong", "Deploy again.", _CH7),
    _dyno(
        "R99",
        "Platform error",
        "warning",
        "the platform failed to run the dyno",
        "Check status.heroku.com and open a ticket with these lines.",
        _SUPPORT,
    ),
    _log(
        "L10",
        "Drain buffer overflow",
        "warning",
        "messages for a log drain were thrown away",
        "Log less or use a faster drain; counts made from that drain's archive are too low.",
    ),
    _log(
        "L11",
        "Tail buffer overflow",
        "warning",
        "heroku logs --tail was too slow and messages were thrown away",
        "Use a log drain instead of a tail; counts made from this tail are too low.",
    ),
    _log(
        "L12",
        "Local buffer overflow",
        "warning",
        "the dyno's own log buffer was full and messages were thrown away",
        "Log less from this dyno; counts are too low.",
    ),
    _log(
        "L13",
        "Local delivery error",
        "warning",
        "the dyno could not deliver its log messages",
        "If it repeats, ask Heroku support; counts are too low.",
    ),
    _log(
        "L14",
        "Certificate validation error",
        "warning",
        "the drain's certificate was rejected, so the drain gets nothing",
        "Renew the certificate of the drain's host.",
    ),
    _log(
        "L15",
        "Tail buffer temporarily unavailable",
        "note",
        "the log's history was not available for a moment",
        "Ask for the log again.",
    ),
)

CODES: dict[str, Code] = {one.code: one for one in _ALL}
"""Every known code, by the code."""

MAINTENANCE = ("H80", "H81", "H82", "H83")
"""The application was switched off: such lines are no errors and leave the error rate alone."""

CLIENT_GONE = ("H27", "H28")
"""The visitor left: such lines are counted apart from the error rate."""

LOST = ("L10", "L11", "L12", "L13")
"""The log itself lost messages: counts made from it are too low."""

OWN = "app"
"""What stands before the status of a 5xx that the application answered itself: app500."""


def code(name: str) -> Code:
    """Return the entry of a code; a plain one for a code that is not listed, and for app500 and its kind."""
    if name in CODES:
        return CODES[name]
    if name.startswith(OWN):
        status = name.removeprefix(OWN)
        return Code(
            name,
            f"Status {status} from the application",
            "app",
            "critical",
            f"the application itself answered with status {status}; the router has no code for it",
            "Look at the application's stack traces of the same time.",
            f"{_CH1}, ch. 6",
            status,
        )
    layer = {"H": "router", "R": "dyno", "L": "log"}.get(name[:1], "router")
    return Code(
        name, name, layer, "warning", "a code that is not in the list", "Look it up at Dev Center.", _DEV
    )
