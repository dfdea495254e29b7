"""The log lines as the tools of the time would save them: an archive, a coloured dump, a PowerShell dump."""

from __future__ import annotations

import re

import day
from day import SECOND
from lines import Line

# Papertrail


def archives(lines: list[Line]) -> dict[str, str]:
    """Return the text of each day's archive by its date: ten columns, whole seconds, no header."""
    rng = day.dice("papertrail")
    texts: dict[str, list[str]] = {}
    event_id = 1_840_000_000_000_000_000
    for line in lines:
        event_id += rng.randint(4_096, 4_000_000)
        received = min(line.received + rng.randint(20, 900) * 1_000, day.END - SECOND)
        generated, arrived = (
            day.moment(time).strftime("%Y-%m-%d %H:%M:%S") for time in (line.time, received)
        )
        facility, severity = facility_of(line)
        columns = (
            str(event_id),
            generated,
            arrived,
            "9120447713",
            day.APP,
            f"198.51.100.{rng.randint(2, 60)}",
            facility,
            severity,
            f"{line.source}/{line.process}",
            line.message,
        )
        texts.setdefault(arrived[:10], []).append("\t".join(columns) + "\n")
    return {date: "".join(rows) for date, rows in texts.items()}


def facility_of(line: Line) -> tuple[str, str]:
    """Return the syslog facility and severity of the line's channel."""
    if line.process == "router":
        return "Local3", "Info"
    if line.process == "logplex":
        return "Local5", "Warning"
    if line.process in ("api", "heroku-postgres") or line.source == "heroku":
        return "Local0", "Info"
    return "Local7", "Info"


# heroku logs


def last_lines(lines: list[Line], until: int, count: int) -> list[Line]:
    """Return the last lines that had arrived by then; the command line drops those without text."""
    return [line for line in lines if line.received <= until and line.message][-count:]


def plain(line: Line) -> str:
    """Return the line as ``heroku logs`` prints it into a file."""
    return f"{day.stamp(line.time)}+00:00 {line.source}[{line.process}]: {line.message}"


RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN = range(31, 37)
BRIGHT = 60
CYCLE = tuple((colour, bold) for bold in (False, True) for colour in (YELLOW, GREEN, CYAN, MAGENTA, BLUE))


def paint(text: str, colour: int, bold: bool = False) -> str:
    """Return the text in a colour of the terminal."""
    painted = f"\x1b[{colour}m{text}\x1b[39m"
    return f"\x1b[1m{painted}\x1b[22m" if bold else painted


def dim(text: str) -> str:
    """Return the text in faint letters."""
    return f"\x1b[2m{text}\x1b[22m"


class Painter:
    """Colours lines as the command line does: each process in its colour, each part of a router line."""

    def __init__(self) -> None:
        self.colours: dict[str, tuple[int, bool]] = {}
        for process in ("run", "router", "web", "postgres", "heroku-postgres"):
            self.of(process)

    def of(self, process: str) -> tuple[int, bool]:
        """Return the colour of a process type; a new one takes the next colour."""
        kind = process.partition(".")[0]
        return self.colours.setdefault(kind, CYCLE[len(self.colours) % len(CYCLE)])

    def line(self, line: Line) -> str:
        """Return the whole line, coloured."""
        head = f"{day.stamp(line.time)}+00:00 {line.source}[{line.process}]:"
        return f"{paint(head, *self.of(line.process))} {self.body(line)}"

    def body(self, line: Line) -> str:
        """Return the message, coloured."""
        if line.process == "router":
            return " ".join(self.token(token) for token in line.message.split())
        if line.process == "heroku-postgres":
            return dim(line.message)
        changed = re.fullmatch(r"State changed from (\w+) to (\w+)", line.message)
        if changed:
            states = {"up": GREEN + BRIGHT, "starting": YELLOW + BRIGHT, "down": RED}
            before, after = (paint(state, states.get(state, GREEN)) for state in changed.groups())
            return f"State changed from {before} to {after}"
        return line.message

    def token(self, token: str) -> str:
        """Return one blank-separated piece of a router line, coloured; a quoted text is cut like the rest."""
        key, equals, value = token.partition("=")
        if not equals:
            return dim(token)
        return dim(f"{key}=") + self.value(key, value)

    def value(self, key: str, value: str) -> str:
        """Return the value of a key, coloured."""
        if key == "dyno":
            return paint(value, *self.of(value))
        if key in ("connect", "service"):
            return paint_time(value)
        if key == "status":
            return paint(value, {"2": GREEN, "3": CYAN, "4": YELLOW, "5": RED}.get(value[:1], MAGENTA))
        if key == "method":
            return paint(value, MAGENTA, bold=True)
        if key == "path":
            return paint(value, GREEN)
        if key == "code" or (key == "at" and value == "error"):
            return paint(value, RED, bold=key == "code")
        return dim(value)


def paint_time(value: str) -> str:
    """Return a time in ms, the redder the longer."""
    time_ms = int(value.removesuffix("ms"))
    if time_ms == 0:
        return value
    steps = ((100, GREEN + BRIGHT), (500, GREEN), (5_000, YELLOW), (10_000, YELLOW + BRIGHT))
    return paint(value, next((colour for limit, colour in steps if time_ms < limit), RED))


def coloured_dump(lines: list[Line]) -> bytes:
    """Return what a terminal session shows, saved with its colours."""
    painter = Painter()
    return "".join(painter.line(line) + "\n" for line in lines).encode()


POWERSHELL_BLOCK = """\
heroku : » Warning: heroku update available from 10.12.0 to 10.13.1.
At line:1 char:1
+ heroku logs -n {count} -a {app} > powershell-deploy.log
+ ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
    + CategoryInfo          : NotSpecified: ( »   Warning: h... to 10.13.1.:String) [], RemoteException
    + FullyQualifiedErrorId : NativeCommandError

"""


def powershell_dump(lines: list[Line]) -> bytes:
    """Return what PowerShell saves: UTF-16 with its mark, CR and LF, and its error block on top."""
    head = POWERSHELL_BLOCK.format(count=len(lines), app=day.APP)
    text = head + "".join(plain(line) + "\n" for line in lines)
    return b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le")
