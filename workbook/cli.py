"""The command line: load, triage, run, report, ticket, bundle, verify, sql, tables, lab, notebook, redact, …"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbook.errors import UsageError, WorkbookError
from workbook.window import Window

if TYPE_CHECKING:
    from workbook.analysis import Option, Result
    from workbook.workbook import Workbook

_DATABASE = "workbook.duckdb"
_FORMATS = ("text", "json", "csv", "markdown")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when done, 1 for critical findings with --fail-on critical, 2 if mendable."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal without ─ or é still gets its answer
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    options, extra = parser.parse_known_args(_joined_zone(given))
    try:
        if extra and options.command != "run":
            raise UsageError(
                f"{options.command} does not know {extra[0]}.",
                next_step=f"See workbook {options.command} --help.",
            )
        return int(_COMMANDS[options.command](options, extra))
    except WorkbookError as error:
        if options.debug:
            raise
        _complain(str(error))
        return 2
    except KeyboardInterrupt:
        print(
            "workbook: interrupted; whole sources are kept. Run the same command again to go on.",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:
        # the reader (head) has seen enough: let the interpreter close without a word
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        return 0
    except Exception as error:
        if options.debug:
            raise
        _complain(
            f"something went wrong: {type(error).__name__}: {error} Run it again with --debug and report it."
        )
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="workbook",
        description="Find out why an application on Heroku is slow, from its exports. All times are UTC.",
    )
    parser.add_argument("--version", action="version", version=f"workbook {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, *, paths: str = "", table: bool = False, window: bool = False) -> Any:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--debug", action="store_true", help="show a traceback when something fails")
        sub.add_argument(
            "--db", metavar="FILE", help=f"the database (default {_DATABASE} here; in memory with PATHs)"
        )
        if paths:
            sub.add_argument(
                "paths", nargs=paths, metavar="PATH", help="file, folder, pattern, gz, zip, or - for input"
            )
            sub.add_argument("--zone", help="zone of times written without one (default UTC)")
            sub.add_argument(
                "--year", type=int, help="year of times written without one (default: the file's date)"
            )
        if table:
            sub.add_argument(
                "--format", choices=_FORMATS, default="text", help="how a table is written (default text)"
            )
        if window:
            sub.add_argument("--from", dest="start", metavar="T", help="start of the window, UTC")
            sub.add_argument("--to", dest="end", metavar="T", help="end of the window (not included), UTC")
            sub.add_argument(
                "--fail-on", choices=("critical",), help="exit with 1 when there is such a finding"
            )
        return sub

    load = command("load", "Load exports into the database.", paths="+", table=True)
    load.add_argument(
        "--follow", action="store_true", help="go on loading what is written to the file, until interrupted"
    )
    command(
        "triage", "What is wrong: every analysis, worst finding first.", paths="*", table=True, window=True
    )
    run = command("run", "Run one analysis.", table=True, window=True)
    run.add_argument(
        "analysis", metavar="ANALYSIS", help="its name; `workbook analyses` lists them with their parameters"
    )
    run.add_argument(
        "paths", nargs="*", metavar="PATH", help="file, folder, pattern, gz, zip, or - for input"
    )
    run.add_argument("--zone", help="zone of times written without one (default UTC)")
    run.add_argument("--year", type=int, help="year of times written without one (default: the file's date)")
    run.add_argument(
        "--show", choices=("findings", "table", "sql"), help="what text shows (default: findings and table)"
    )
    report = command("report", "Write everything that was found to one HTML file.", paths="*", window=True)
    report.add_argument(
        "-o", "--output", default="report.html", metavar="FILE", help="the file (default report.html)"
    )
    report.add_argument("--title", default="Performance investigation", help="title of the report")
    report.add_argument("--notes", default="", help="text that stands below the title")
    report.add_argument("--whole", action="store_true", help="do not replace addresses, e-mails and tokens")
    ticket = command("ticket", "Write a ticket for Heroku support, with the log beside it.")
    ticket.add_argument("--from", dest="start", metavar="T", help="start of the window, UTC")
    ticket.add_argument("--to", dest="end", metavar="T", help="end of the window (not included), UTC")
    ticket.add_argument(
        "paths",
        nargs="*",
        metavar="[ANALYSIS] PATH",
        help="whose worst finding (default: of triage); exports",
    )
    ticket.add_argument("--zone", help="zone of times written without one (default UTC)")
    ticket.add_argument(
        "--year", type=int, help="year of times written without one (default: the file's date)"
    )
    ticket.add_argument(
        "-o", "--output", default="ticket.md", metavar="FILE", help="the file (default ticket.md)"
    )
    ticket.add_argument("--app", default="", metavar="NAME", help="the application it is about")
    ticket.add_argument("--asked", default="", metavar="TEXT", help="what support is asked")
    ticket.add_argument(
        "--tried", action="append", default=[], metavar="TEXT", help="what was tried; may be given again"
    )
    ticket.add_argument(
        "--keep-host",
        action="store_true",
        help="leave the host in the curl command, so that it runs as it is",
    )
    bundle = command(
        "bundle",
        "Write one zip with all that the findings stand on, to be checked elsewhere.",
        paths="*",
        window=True,
    )
    bundle.add_argument(
        "-o", "--output", default="incident.zip", metavar="FILE", help="the file (default incident.zip)"
    )
    bundle.add_argument("--title", default="Performance investigation", help="title of the bundle")
    bundle.add_argument("--notes", default="", help="text that stands in its report")
    bundle.add_argument("--notebook", metavar="FILE/NAME", help="a notebook that goes with it")
    bundle.add_argument("--whole", action="store_true", help="do not replace addresses, e-mails and tokens")
    verify = commands.add_parser(
        "verify",
        help="Compute the numbers of a bundle anew.",
        description="Compute the numbers of a bundle anew.",
    )
    verify.add_argument("bundle", metavar="FILE", help="the zip that workbook bundle wrote")
    verify.add_argument("--debug", action="store_true", help="show a traceback when something fails")
    command("sources", "What was loaded, and where every line went.", table=True)
    command("tables", "Every table and column, with its meaning and unit.", table=True)
    command("analyses", "Every question, what it needs, and whether it can run now.", table=True)
    sql = command("sql", "Ask the tables.", table=True)
    sql.add_argument("statement", help="one SQL statement")
    lab = command("lab", "Open JupyterLab with the notebooks.", paths="*")
    lab.add_argument("--no-browser", action="store_true", help="do not open a browser")
    lab.add_argument("--port", type=int, help="port of the server")
    notebook = command("notebook", "Run a notebook without a browser, and keep it as .ipynb and .html.")
    notebook.add_argument("--from", dest="start", metavar="T", help="start of the window, UTC")
    notebook.add_argument("--to", dest="end", metavar="T", help="end of the window (not included), UTC")
    notebook.add_argument("name", metavar="NAME", help="its name; a wrong one lists all")
    notebook.add_argument("paths", nargs="*", metavar="PATH", help="file, folder, pattern, gz or zip")
    notebook.add_argument(
        "-o", "--output", default="notebooks-out", metavar="OUTDIR", help="the folder (default notebooks-out)"
    )
    redact = command("redact", "Copy a log with secrets and personal data replaced.")
    redact.add_argument("path", metavar="PATH", help="the file to read")
    redact.add_argument("-o", "--output", required=True, metavar="PATH", help="the file to write")
    command("reread", "Make all typed tables anew from the log lines in the database.")
    return parser


def _joined_zone(given: list[str]) -> list[str]:
    """The arguments with ``--zone -04:00`` as one: an offset may begin with a minus as a flag does."""
    joined = list(given)
    while "--zone" in joined[:-1]:
        at = joined.index("--zone")
        joined[at : at + 2] = [f"--zone={joined[at + 1]}"]
    return joined


def _complain(text: str) -> None:
    """Write one sentence to stderr; what a log or a file name put into it cannot steer the terminal."""
    from workbook import words

    print(f"workbook: {words.visible(text, one_line=True)}", file=sys.stderr)


def _print(text: str) -> None:
    """Write a text and one line end to stdout."""
    print(text.removesuffix("\n"))


def _width() -> int:
    """How wide the terminal is; 110 where there is none."""
    import shutil

    return max(60, min(shutil.get_terminal_size((110, 40)).columns, 140))


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("workbook")
    except PackageNotFoundError:
        return "from a checkout"


def _open(options: argparse.Namespace, *, read_only: bool = False) -> Workbook:
    """The workbook that a command works on: in memory when paths are given and no --db."""
    from workbook.workbook import Workbook

    paths = getattr(options, "paths", None)
    if paths and options.command != "load" and options.db is None:
        return Workbook.open()
    path = options.db or _DATABASE
    if not paths and not Path(path).exists():
        raise UsageError(
            f"there is no database {path} here.",
            next_step="Load exports first (workbook load PATH), or name the exports in this command.",
        )
    return Workbook.open(path, read_only=read_only and not paths)


def _load(workbook: Workbook, options: argparse.Namespace) -> bool:
    """Load the paths of a command; report errors on stderr; return whether all went well."""
    if not options.paths:
        return True
    report = workbook.load(*options.paths, zone=options.zone, year=options.year)
    as_text = options.command == "load" and options.format == "text"
    for error in report.errors if not as_text else ():
        _complain(str(error))
    if options.command == "load":
        from workbook import render

        _print(str(report) if options.format == "text" else render.table(report.table, options.format))
    elif report.table.empty:
        raise UsageError("nothing could be loaded.", next_step="Name a folder or a file with exports.")
    else:
        known = report.table.drop_duplicates("source_id")
        files = "1 file" if len(known) == 1 else f"{len(known)} files"
        print(f"loaded {int(known['lines'].sum()):,} lines of {files}", file=sys.stderr)
    return report.ok and not report.table.empty


def _window(options: argparse.Namespace) -> Window:
    return Window(options.start, options.end)


def _exit(loaded: bool, result: Result, options: argparse.Namespace) -> int:
    if options.fail_on and any(finding.severity == options.fail_on for finding in result.findings):
        return 1
    return 0 if loaded else 2


def _do_load(options: argparse.Namespace, _: list[str]) -> int:
    path = Path(options.db or _DATABASE)
    new = not path.exists()
    if options.follow or options.paths == ["-"]:
        loaded, nothing = _follow(options, path), False
    else:
        with _open(options) as workbook:
            loaded = _load(workbook, options)
            nothing = workbook.sources().empty
    if new and nothing:
        # a load that failed leaves the folder as it was
        path.unlink(missing_ok=True)
    return 0 if loaded else 2


def _follow(options: argparse.Namespace, path: Path) -> bool:
    """Load a file or the input for as long as it goes on."""
    import tempfile

    from workbook import following, render

    if len(options.paths) > 1:
        raise UsageError("one file can be followed at a time.", next_step="Start one command for each.")
    (given,) = options.paths
    where = {"zone": options.zone, "year": options.year}
    if given == "-":
        with tempfile.TemporaryDirectory(prefix="workbook-") as folder:
            report = following.follow_stream(sys.stdin.buffer, Path(folder), path, _note, **where)
    else:
        report = following.follow_file(Path(given), path, _note, **where)
    _print(str(report) if options.format == "text" else render.table(report.table, options.format))
    return report.ok


def _note(text: str) -> None:
    """Show in one line of a terminal how far a long command is; say nothing where nobody looks."""
    from workbook import words

    if sys.stderr.isatty():
        print(f"\r\x1b[K{words.visible(text, one_line=True)[:100]}", end="", file=sys.stderr, flush=True)


def _do_triage(options: argparse.Namespace, _: list[str]) -> int:
    window = _window(options)
    with _open(options, read_only=True) as workbook:
        loaded = _load(workbook, options)
        result = workbook.triage(window)
    _show(result, options, "findings")
    return _exit(loaded, result, options)


def _do_run(options: argparse.Namespace, extra: list[str]) -> int:
    parameters = _parameters(options, extra)
    window = _window(options)
    with _open(options, read_only=True) as workbook:
        loaded = _load(workbook, options)
        result = workbook.run(options.analysis, window, **parameters)
    _show(result, options, options.show)
    return _exit(loaded, result, options)


def _parameters(options: argparse.Namespace, extra: list[str]) -> dict[str, Any]:
    """The parameters of an analysis from the flags that its signature gives; what is left are paths."""
    from workbook import analysis

    chosen = None if options.analysis == "triage" else analysis.nearest(options.analysis)
    known = chosen.options if chosen else ()
    parser = argparse.ArgumentParser(
        prog=f"workbook run {options.analysis}", add_help=False, allow_abbrev=False
    )
    for option in known:
        parser.add_argument(_flag(option), dest=option.name)
    parser.add_argument("paths", nargs="*")
    read, unknown = parser.parse_known_args(extra)
    if unknown:
        flags = ", ".join(map(_flag, known)) or "none"
        raise UsageError(
            f"{options.analysis} does not know {unknown[0]}.", next_step=f"Its parameters: {flags}."
        )
    options.paths = [*options.paths, *read.paths]
    given = {option.name: getattr(read, option.name) for option in known}
    chosen_values = {name: value for name, value in given.items() if value is not None}
    return chosen.read_options(chosen_values) if chosen else {}


def _flag(option: Option) -> str:
    return f"--{option.name.replace('_', '-')}"


def _show(result: Result, options: argparse.Namespace, show: str | None) -> None:
    from workbook import render, words

    if options.format != "text":
        _print(render.table(result.table, options.format))
    elif show == "sql":
        print(words.visible(result.sql))
    elif show == "table":
        _print(render.table(result.table, "text"))
    elif show == "findings":
        _print(render.findings_text(result.findings, _width()))
    else:
        _print(render.result_text(result, _width()))


def _do_report(options: argparse.Namespace, _: list[str]) -> int:
    from workbook import render

    window = _window(options)
    with _open(options, read_only=True) as workbook:
        loaded = _load(workbook, options)
        results = workbook.investigate(window)
        path = workbook.report(
            options.output,
            title=options.title,
            notes=options.notes,
            redact=not options.whole,
            results=results,
        )
    _print(render.findings_text(results[0].findings, _width()))
    print(f"\nThe report: {path}")
    return _exit(loaded, results[0], options)


def _do_ticket(options: argparse.Namespace, _: list[str]) -> int:
    from workbook import analysis, words

    names = {"triage", *analysis.discover()}
    first = options.paths[0] if options.paths else ""
    about = options.paths.pop(0) if first in names and not Path(first).exists() else None
    window = _window(options)
    with _open(options, read_only=True) as workbook:
        loaded = _load(workbook, options)
        made = workbook.ticket(
            about,
            options.output,
            window=window,
            app=options.app,
            asked=options.asked,
            tried=options.tried,
            keep_host=options.keep_host,
        )
    for kind, count in made.replaced.items():
        print(f"{count:>8,}  {kind} replaced", file=sys.stderr)
    for kind, places in made.rotate.items():
        _complain(f"a {kind} stood in the log at {words.some(places)}: change it")
    print(f"Suggested priority: {made.priority}. {made.rule}")
    for path in made.paths:
        print(path)
    return 0 if loaded else 2


def _do_bundle(options: argparse.Namespace, _: list[str]) -> int:
    window = _window(options)
    with _open(options, read_only=True) as workbook:
        loaded = _load(workbook, options)
        results = workbook.investigate(window)
        made = workbook.bundle(
            options.output,
            title=options.title,
            notes=options.notes,
            window=window,
            redact=not options.whole,
            results=results,
            notebook=options.notebook,
        )
    _print(str(made))
    return _exit(loaded, results[0], options)


def _do_verify(options: argparse.Namespace, _: list[str]) -> int:
    from workbook.workbook import Workbook

    found = Workbook.verify(options.bundle)
    _print(str(found))
    return 0 if found.identical else 1


def _do_table(options: argparse.Namespace, _: list[str]) -> int:
    from workbook import render

    with _open(options, read_only=True) as workbook:
        _print(render.table(getattr(workbook, options.command)(), options.format))
    return 0


def _do_analyses(options: argparse.Namespace, extra: list[str]) -> int:
    if options.db or Path(_DATABASE).exists():
        return _do_table(options, extra)
    from workbook import render
    from workbook.workbook import Workbook

    with Workbook.open() as workbook:
        _print(render.table(workbook.analyses(), options.format))
    return 0


def _do_sql(options: argparse.Namespace, _: list[str]) -> int:
    from workbook import render

    with _open(options, read_only=True) as workbook:
        _print(render.table(workbook.sql(options.statement), options.format))
    return 0


def _do_redact(options: argparse.Namespace, _: list[str]) -> int:
    from workbook import redact

    counts = redact.redact_file(options.path, options.output)
    for kind, count in sorted(counts.items()):
        print(f"{count:>8,}  {kind}", file=sys.stderr)
    for left in counts.remaining:
        print(
            f"workbook: line {left.line} may still hold a {left.kind}: look at it before you share",
            file=sys.stderr,
        )
    print(options.output)
    return 0


def _do_reread(options: argparse.Namespace, _: list[str]) -> int:
    with _open(options) as workbook:
        workbook.reread()
    print("The typed tables were made anew from the log lines.", file=sys.stderr)
    return 0


def _do_lab(options: argparse.Namespace, _: list[str]) -> int:
    from workbook import lab

    return lab.run(options.paths, browser=not options.no_browser, port=options.port)


def _do_notebook(options: argparse.Namespace, _: list[str]) -> int:
    from workbook import headless

    written = headless.run(
        options.name, options.paths, database=options.db, output=options.output, window=_window(options)
    )
    for path in written:
        print(path)
    print(
        "workbook: these hold the lines of the log as they are; `workbook report` writes a page without addresses",
        file=sys.stderr,
    )
    return 0


_COMMANDS = {
    "load": _do_load,
    "triage": _do_triage,
    "run": _do_run,
    "report": _do_report,
    "ticket": _do_ticket,
    "bundle": _do_bundle,
    "verify": _do_verify,
    "sources": _do_table,
    "tables": _do_table,
    "analyses": _do_analyses,
    "sql": _do_sql,
    "lab": _do_lab,
    "notebook": _do_notebook,
    "redact": _do_redact,
    "reread": _do_reread,
}

if __name__ == "__main__":
    sys.exit(main())
