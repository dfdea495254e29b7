"""The facade a notebook talks to: open, load, ask, show, report."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pandas as pd

from workbook import analysis, files, loading, stories, timeline
from workbook.analysis import Analysis, Evidence, Finding, Result
from workbook.database import Database, as_values, inlined, schema, table_names
from workbook.errors import UsageError
from workbook.loading import LoadReport
from workbook.progress import bar
from workbook.window import Window

if TYPE_CHECKING:
    from workbook.bundle import Bundle
    from workbook.bundle.verifying import Verification
    from workbook.ticket import Ticket

_Method = TypeVar("_Method", bound=Callable[..., Any])
_HOW_TO_GET = {
    "requests": "router lines: `heroku logs -n 1500 > heroku.log`, or an archive of the logging add-on",
    "rack_timeouts": "lines of rack-timeout (or its like) that print the wait: add the gem, deploy, export the log",
    "dyno_samples": "runtime metrics: `heroku labs:enable log-runtime-metrics`, restart, export the log",
    "dyno_errors": "lines of the dyno manager (source heroku), as the log has them by default",
    "transactions": "New Relic, Web transactions, Table view, Export as CSV",
    "transaction_samples": "New Relic, a query of Transaction events, Export as CSV",
    "response_breakdown": "New Relic, a query with TIMESERIES, Export as CSV",
    "releases": "lines of the API (app[api]), as the log has them by default",
    "log_errors": "lines of logplex (heroku[logplex]), as the log has them by default",
    "processes": "`heroku ps > heroku-ps.txt`",
    "certificates": "`heroku certs > certs.txt`",
    "dns_records": "`dig www.example.com > dig.txt`",
    "domains": "`heroku domains > domains.txt`",
    "database_facts": "`heroku pg:info > pg-info.txt`",
    "backups": "`heroku pg:backups > backups.txt`",
    "table_statistics": "`heroku pg:cache-hit > cache-hit.txt`",
    "builds": "the output of `git push heroku`, copied from the terminal, a CI or the dashboard",
    "missing_binaries": "the terminal with `heroku run bash`, or the log of the dyno",
    "transcript": "the terminal, copied whole",
    "database_log": "lines of app[postgres.…], as the log of a production plan has them",
    "app_requests": "lines of Rails or lograge, as the application logs them",
    "database_samples": "lines of app[heroku-postgres], as the log of a production plan has them",
    "sources": "any export",
}


def _one_state(method: _Method) -> _Method:
    """Let a method see one state of the file from beginning to end, while a load may go on adding to it."""

    @functools.wraps(method)
    def held(self: Workbook, *given: Any, **named: Any) -> Any:
        with self._database.held():
            return method(self, *given, **named)

    return cast(_Method, held)


class Workbook:
    """One investigation: one DuckDB file with everything that is known about it.

    ``Workbook.open("incident.duckdb")``, then ``load``, ``triage``, ``run``, ``sql``, ``panel``, ``report``.
    """

    def __init__(self, database: Database):
        self._database = database
        self._losses: tuple[list[tuple[Any, ...]], list[tuple[Finding, tuple[str, ...]]]] | None = None

    @classmethod
    def open(cls, path: str | Path | None = None, *, read_only: bool = False) -> Workbook:
        """Return the workbook in that file, made when there is none; without a path, one in memory.

        A file of an older version is brought up to date: new tables and columns are added and filled from the log
        lines.
        Raises WorkbookError when the file is no workbook's, is in use, or was made by a newer version.
        """
        if path is None and read_only:
            raise UsageError(
                "a workbook in memory has nothing to read.", next_step="Give the path of a database."
            )
        database = Database(path, read_only=read_only)
        if database.is_older:
            loading.reread(database)
            database.mark_current()
        return cls(database)

    def close(self) -> None:
        """Close the file, so that another notebook or command can open it."""
        self._database.close()

    def __enter__(self) -> Workbook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        count = self._database.fetch("SELECT count(*), sum(lines) FROM sources")[0]
        return (
            f"<Workbook {self._database.path or 'in memory'}: {count[0]} sources, {count[1] or 0:,.0f} lines>"
        )

    def load(
        self,
        *paths: str | Path | Sequence[str | Path],
        zone: str | None = None,
        year: int | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> LoadReport:
        """Load files, folders, patterns, gz and zip; return a LoadReport that shows what became of every line.

        ``zone`` (America/New_York, -04:00) and ``year`` are for times written without them; a file that was loaded in
        another zone is loaded anew. A bar shows the progress; ``progress(path, bytes_read, bytes_in_all)`` is called in
        its place. A file that cannot be loaded is in ``report.errors`` and changes nothing.
        """
        flat: list[str | Path] = []
        for path in paths:
            flat.extend([path] if isinstance(path, str | Path) else path)
        if not paths:
            raise UsageError("nothing to load.", next_step="Name a file or a folder with exports.")
        if progress is not None:
            return loading.load(self._database, flat, zone=zone, year=year, progress=progress)
        with bar() as shown:
            return loading.load(self._database, flat, zone=zone, year=year, progress=shown)

    def paste(
        self, text: str, name: str = "pasted", *, zone: str | None = None, year: int | None = None
    ) -> LoadReport:
        """Load what was copied from a terminal; return a LoadReport that shows what became of every line.

        Outputs of several commands, prompts, notices and lines of a log may stand in it in any order. Evidence cites
        it by ``name``; another text of that name stays beside it, as ``name (2)``. ``zone``, ``year``: see ``load``.
        """
        if not isinstance(text, str) or not text.strip():
            raise UsageError(
                "nothing was pasted.", next_step='Put the text between the quotes: wb.paste("""…""").'
            )
        if not name.strip() or not name.isprintable():
            raise UsageError(f"{name!r} is no name.", next_step='Write wb.paste("""…""", name="pg:info").')
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        known = self._database.fetch("SELECT path, sha256 FROM sources ORDER BY source_id")
        taken = {path for path, sha in known if sha != digest}
        names = (name if number == 1 else f"{name} ({number})" for number in itertools.count(1))
        free = next(one for one in names if one not in taken)
        return loading.load_files(self._database, [files.pasted(text, free)], zone=zone, year=year)

    def reread(self) -> None:
        """Make all typed tables anew from the log lines, without the files."""
        loading.reread(self._database)

    def sources(self) -> pd.DataFrame:
        """Return one row per loaded file: lines = log_lines + joined + duplicates + unread + blank; times in UTC."""
        return self._database.frame("SELECT * FROM sources ORDER BY source_id")

    def gaps(self, window: Window | None = None) -> pd.DataFrame:
        """Return the spans in which no line was logged at all: gap_start, gap_end (UTC), gap_minutes, usual_minutes."""
        return self._database.frame(timeline.GAPS, **_ends(window or Window()))

    @_one_state
    def tables(self) -> pd.DataFrame:
        """Return one row per column of every table: table, rows, column, type, meaning (with unit)."""
        rows = {name: self._database.fetch(f"SELECT count(*) FROM {name}")[0][0] for name in table_names()}
        types = {
            (table, column): kind
            for table, column, kind in self._database.fetch(
                "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = 'main'"
            )
        }
        found = [
            (table, rows.get(table, 0), column, types.get((table, column), ""), meaning)
            for table, column, meaning in documented_columns()
            if table in rows
        ]
        return pd.DataFrame(found, columns=["table", "rows", "column", "type", "meaning"])

    @_one_state
    def analyses(self) -> pd.DataFrame:
        """Return one row per analysis: analysis, question, needs, can_run, parameters (with defaults)."""
        filled = self._database.filled()
        rows = [
            (
                one.name,
                one.question,
                ", ".join(" or ".join(need) for need in one.needs),
                not one.lacks(filled),
                ", ".join(f"{option.name}={option.default}" for option in one.options),
            )
            for one in analysis.discover().values()
        ]
        return pd.DataFrame(rows, columns=["analysis", "question", "needs", "can_run", "parameters"])

    @_one_state
    def run(self, name: str, window: Window | None = None, **parameters: Any) -> Result:
        """Return the result of one analysis in a window: findings, table, chart and the SQL that gives the table.

        Raises WorkbookError for an unknown analysis (with the nearest), an unknown parameter or one out of bounds.
        """
        window = _window(window)
        options = self.check(name, parameters)
        if name == "triage":
            return self.triage(window)
        return self._run(analysis.nearest(name), window, options, self._database.filled())

    def _run(self, chosen: Analysis, window: Window, options: dict[str, Any], filled: set[str]) -> Result:
        recorder = _Recorder(self._database)
        table = chosen.module.rows(recorder, window, **options)
        lacking = chosen.lacks(filled)
        if lacking:
            findings = [_lacking(chosen, lacking)]
        elif table.empty and window != Window() and self._outside(window):
            findings = [self._nothing_in(window)]
        else:
            findings = chosen.module.findings(table, **_accepted(chosen.module.findings, options))
        view = {**options, "marks": None}
        if "marks" in _names(chosen.module.chart):
            view["marks"] = self._marks(window)
        return Result(
            chosen.name,
            chosen.question,
            self._located(findings, chosen.name),
            table,
            chosen.module.chart(table, **_accepted(chosen.module.chart, view)),
            recorder.sql(table),
            window,
            {name: value for name, value in options.items() if value != _defaults(chosen)[name]},
            self._weakened(chosen.name, window),
        )

    def _weakened(self, name: str, window: Window) -> tuple[str, ...]:
        """What the files lost that weakens an answer in a window; looked at once for all questions."""
        state = self._database.fetch("SELECT source_id, sha256, log_lines FROM sources ORDER BY source_id")
        if self._losses is None or self._losses[0] != state:
            completeness = analysis.nearest("completeness").module
            rows = completeness.rows(_Recorder(self._database), Window())
            self._losses = (state, completeness.weakened(rows))
        return tuple(
            finding.title
            for finding, names in self._losses[1]
            if name in names and (finding.about is None or window.overlaps(*finding.about))
        )

    @_one_state
    def triage(self, window: Window | None = None) -> Result:
        """Return what these files tell: at most ten stories, worst first, what was ruled out, and what is missing.

        What several analyses say about one trouble is one finding with ``parts``; nothing is left out.
        The table has a row per finding: severity, title, analysis, numbers, evidence (source, line, text), next_step,
        reference, confidence, first_time, last_time (UTC), parts; the chart shows the whole span.
        ``self.run(finding.analysis)`` gives what is behind a finding.
        """
        return self.investigate(window)[0]

    @_one_state
    def investigate(self, window: Window | None = None) -> list[Result]:
        """Return the result of triage, and after it that of every analysis that is part of it and can run, by name."""
        window = window or Window()
        filled = self._database.filled()
        results = []
        findings: list[Finding] = []
        for chosen in analysis.discover().values():
            if not chosen.in_triage:
                continue
            lacking = chosen.lacks(filled)
            if lacking:
                findings.append(_lacking(chosen, lacking))
                continue
            result = self._run(chosen, window, _defaults(chosen), filled)
            results.append(result)
            findings.extend(result.findings)
        from workbook import render

        ranked = analysis.worst_first(stories.told_once(analysis.said_once(findings)))
        table = _finding_table(ranked)
        overview, marks = self.overview(window)
        question = "What is wrong, what was ruled out, and what could these files not have shown?"
        chart = timeline.overview_chart(overview, marks)
        # each finding has numbers of its own: as JSON they fit into one column
        sql = as_values(table.assign(numbers=[render.to_json(numbers) for numbers in table["numbers"]]))
        return [Result("triage", question, ranked, table, chart, sql, window, {}), *results]

    def sql(self, statement: str, **parameters: Any) -> pd.DataFrame:
        """Return the rows of a statement; ``$name`` takes the keyword of that name. Times are UTC.

        Raises WorkbookError in the engine's words when the statement is wrong.
        """
        return self._database.query(statement, **parameters)

    def panel(self, name: str = "triage", window: Window | None = None, **parameters: Any) -> Any:
        """Return the analysis with widgets: brush a window, tune parameters, see findings, chart and table follow.

        ``panel.window``, ``panel.result`` and ``panel.code`` can be read from the next cell.
        """
        from workbook.panel import Panel

        return Panel(self, name, window or Window(), parameters)

    @_one_state
    def report(
        self,
        path: str | Path,
        *,
        title: str = "Performance investigation",
        notes: str = "",
        window: Window | None = None,
        redact: bool = True,
        results: Sequence[Result] | None = None,
    ) -> Path:
        """Write one HTML file with everything that was found, for people without account, Python or network.

        Addresses, e-mails, tokens and query values are replaced unless ``redact=False``. ``results`` are those of
        ``investigate``, which is run when there are none. Returns the path. Raises WorkbookError when the file cannot
        be written.
        """
        from workbook import report

        self._not_over_a_source(Path(path))
        return report.write(
            path,
            list(results or self.investigate(window)),
            title=title,
            notes=notes,
            sources=self.sources(),
            redact=redact,
        )

    @_one_state
    def ticket(
        self,
        about: str | Finding | None = None,
        path: str | Path | None = None,
        *,
        window: Window | None = None,
        app: str = "",
        asked: str = "",
        tried: Sequence[str] = (),
        keep_host: bool = False,
        results: Sequence[Result] | None = None,
    ) -> Ticket:
        """Return a ticket for Heroku support about a finding, an analysis’s worst one, or the worst of triage.

        ``text`` is Markdown to paste, ``log`` the long log to attach; with a ``path`` both are written, the log beside
        it. Everything is redacted; ``keep_host`` leaves the host in the ``curl`` command so that it runs as it is.
        ``app`` names the application, ``asked`` the question to support, ``tried`` what was done already. ``results``
        are those of ``investigate``, which is run when there are none.
        Raises WorkbookError when nothing is wrong, when a secret would remain, or when a file cannot be written.
        """
        from workbook import ticket

        for target in () if path is None else (Path(path), ticket.log_path(Path(path))):
            self._not_over_a_source(target)
        results = list(results or self.investigate(window))
        finding, weakened = self._to_tell(about, results, window)
        name = ticket.log_path(Path(path or "ticket.md")).name
        made = ticket.make(
            self._database.frame,
            finding,
            results[0].findings,
            app=app,
            asked=asked,
            tried=[tried] if isinstance(tried, str) else tried,
            weakened=weakened,
            keep_host=keep_host,
            log_name=name,
        )
        return made if path is None else ticket.written(made, Path(path))

    def _to_tell(
        self, about: str | Finding | None, results: list[Result], window: Window | None
    ) -> tuple[Finding, tuple[str, ...]]:
        """The finding that a ticket is about, and what weakens it."""
        known = {result.name: result for result in results}
        if isinstance(about, Finding):
            return about, known[about.analysis].weakened if about.analysis in known else ()
        name = about or "triage"
        result = known[name] if name in known else self.run(name, window)
        wrong = [one for one in result.findings if one.severity in ("critical", "warning", "note")]
        if not wrong:
            raise UsageError(
                f"{name} found nothing wrong that a ticket could be about.",
                next_step="Load the log of the time in question, or name the analysis whose finding it is.",
            )
        weakened = known[wrong[0].analysis].weakened if wrong[0].analysis in known else result.weakened
        return wrong[0], weakened

    @_one_state
    def bundle(
        self,
        path: str | Path,
        *,
        title: str = "Performance investigation",
        notes: str = "",
        window: Window | None = None,
        redact: bool = True,
        results: Sequence[Result] | None = None,
        notebook: str | Path | None = None,
    ) -> Bundle:
        """Write one zip with all that the answers stand on, so that another person can check it with ``verify``.

        In it: the tables as Parquet, findings, results as JSON and CSV with the SQL of each, the report, a manifest
        with versions, parameters and the SHA-256 of everything. Addresses, e-mails, host names, tokens and query values
        are replaced in all of it unless ``redact=False``. ``results`` are those of ``investigate`` when there are none.
        ``notebook`` is a file, whose outputs are left out, or the name of a notebook that came with the workbook, which
        is run on the tables of the bundle. Raises WorkbookError when the file cannot be written.
        """
        from workbook import bundle

        self._not_over_a_source(Path(path))
        return bundle.write(
            path,
            self,
            self._database,
            title=title,
            notes=notes,
            window=window,
            redact=redact,
            results=results,
            notebook=notebook,
        )

    @staticmethod
    def verify(path: str | Path) -> Verification:
        """Return whether the tables of a bundle give its results again: ``identical``, or each value that differs.

        Raises WorkbookError when the file is no bundle.
        """
        from workbook.bundle import verifying

        return verifying.verify(path)

    def _not_over_a_source(self, target: Path) -> None:
        """Refuse to write over the database or a file that was loaded."""
        kept = [self._database.path, *self._database.frame("SELECT path FROM sources")["path"]]
        for one in kept:
            if one and target.exists() and Path(one).exists() and target.samefile(one):
                raise UsageError(
                    f"{target} is one of the files that the report is about.",
                    next_step="Give the report another name.",
                )

    # what the panel shares

    def questions(self) -> dict[str, str]:
        """Return the question of every analysis by its name, triage first."""
        asked = {"triage": "What is wrong, what was ruled out, and what is missing?"}
        return asked | {one.name: one.question for one in analysis.discover().values()}

    def check(self, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return all parameters of an analysis with their values; WorkbookError for a wrong name or value."""
        if name == "triage":
            if parameters:
                raise UsageError("triage has no parameters.", next_step="Run the analysis itself to tune it.")
            return {}
        return analysis.nearest(name).read_options(parameters)

    def parameters(self, name: str) -> tuple[analysis.Option, ...]:
        """Return the parameters of an analysis: name, type, default, and bounds or choices."""
        return () if name == "triage" else analysis.nearest(name).options

    @_one_state
    def overview(self, window: Window | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return lines, requests and errors per bucket of time (UTC), and marks: releases, restarts, bursts, gaps."""
        window = window or Window()
        return self._database.frame(timeline.OVERVIEW, **_ends(window)), self._marks(window)

    def _marks(self, window: Window) -> pd.DataFrame:
        return self._database.frame(timeline.MARKS.replace("{gaps}", timeline.GAPS), **_ends(window))

    def _outside(self, window: Window) -> bool:
        sql = "SELECT count(*), count(*) FILTER (WHERE in_window(time, $start, $end)) FROM log_lines"
        lines, inside = self._database.fetch(sql, **_ends(window))[0]
        return lines > 0 and inside == 0

    def _nothing_in(self, window: Window) -> Finding:
        first, last = self._database.fetch("SELECT min(first_time), max(last_time) FROM sources")[0]
        return Finding(
            "cannot_tell",
            f"No line lies in the window {window}; what is loaded runs from {first} to {last} UTC.",
            next_step="Choose a window inside that span, or load the files of that time.",
        )

    def _located(self, findings: Sequence[Finding], name: str) -> tuple[Finding, ...]:
        wanted = {
            (one.source, one.line) for finding in findings for one in finding.evidence if one.source.isdigit()
        }
        texts = {} if not wanted else self._texts(sorted(wanted))
        return analysis.worst_first(analysis.locate(finding, texts, name) for finding in findings)

    def _texts(self, wanted: list[tuple[str, int]]) -> dict[tuple[str, int], tuple[str, str]]:
        rows = self._database.fetch(
            _TEXTS, ids=[int(source) for source, _ in wanted], numbers=[line for _, line in wanted]
        )
        return {(str(source), line): (path, text or "") for source, line, path, text in rows}


_TEXTS = """
WITH wanted AS (
    SELECT unnest($ids::INTEGER[]) AS source_id, unnest($numbers::BIGINT[]) AS line
)
SELECT
    wanted.source_id,
    wanted.line,
    sources.path,
    coalesce(strftime(log_lines.time, '%Y-%m-%dT%H:%M:%S.%f+00:00 '), '')
        || coalesce(log_lines.source || '[' || log_lines.process || ']: ', log_lines.source || ': ', '')
        || log_lines.message AS text
FROM wanted
JOIN sources USING (source_id)
LEFT JOIN log_lines USING (source_id, line)
ORDER BY wanted.source_id, wanted.line
"""


class _Recorder:
    """The ``query`` that an analysis gets: runs statements, and remembers the last one with its parameters."""

    def __init__(self, database: Database):
        self._database = database
        self._last: tuple[str, pd.DataFrame] | None = None

    def __call__(self, sql: str, **parameters: Any) -> pd.DataFrame:
        frame = self._database.frame(sql, **parameters)
        self._last = (inlined(sql, parameters).strip(), frame)
        return frame

    def sql(self, table: pd.DataFrame) -> str:
        """The statement that gives the table again; what Python judged after the SQL is written in as values."""
        if self._last is None:
            return as_values(table)
        statement, frame = self._last
        if frame is table:
            return statement
        measured = "\n".join(f"--   {line}".rstrip() for line in statement.splitlines())
        return f"-- Judged by the workbook from the rows of:\n{measured}\n{as_values(table)}"


def documented_columns() -> list[tuple[str, str, str]]:
    """Return (table, column, meaning) for every column of schema.sql, from the comment above it."""
    found: list[tuple[str, str, str]] = []
    table = ""
    comment: list[str] = []
    for line in schema().splitlines():
        text = line.strip()
        if text.startswith("CREATE TABLE"):
            table, comment = text.split()[5], []
        elif text.startswith("CREATE"):
            table = ""
        elif text.startswith("--"):
            comment.append(text.removeprefix("--").strip())
        elif table and text and (text[0].isalpha() or text[0] == '"'):
            found.append((table, text.split()[0].strip('"'), " ".join(comment)))
            comment = []
        elif not text:
            comment = []
    return found


def _window(given: Window | None) -> Window:
    if given is not None and not isinstance(given, Window):
        raise UsageError(f"{given!r} is not a window.", next_step="Write Window(start, end).")
    return given or Window()


def _ends(window: Window) -> dict[str, Any]:
    return {"start": window.start, "end": window.end}


def _names(function: Callable[..., Any]) -> set[str]:
    import inspect

    return set(inspect.signature(function).parameters)


def _accepted(function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    names = _names(function)
    return {name: value for name, value in options.items() if name in names}


def _defaults(chosen: Analysis) -> dict[str, Any]:
    return {option.name: option.default for option in chosen.options}


def _lacking(chosen: Analysis, lacking: list[tuple[str, ...]]) -> Finding:
    wanted = " and ".join(" or ".join(need) for need in lacking)
    ways = "; ".join(_HOW_TO_GET.get(table, table) for need in lacking for table in need)
    return Finding(
        "cannot_tell",
        f"{chosen.question.rstrip('?')}? Nothing loaded says so: it needs {wanted}.",
        next_step=f"To get it: {ways}.",
        analysis=chosen.name,
    )


def _finding_table(findings: Sequence[Finding]) -> pd.DataFrame:
    rows = [
        {
            "severity": one.severity,
            "title": one.title,
            "analysis": one.analysis,
            "numbers": one.numbers,
            "evidence": [
                {"source": cited.source, "line": cited.line, "text": cited.text} for cited in one.evidence
            ],
            "next_step": one.next_step,
            "reference": one.reference,
            "confidence": one.confidence,
            "first_time": one.about[0] if one.about else None,
            "last_time": one.about[1] if one.about else None,
            "parts": [f"{part.analysis}: {part.title}" for part in one.parts],
        }
        for one in findings
    ]
    frame = pd.DataFrame(rows, columns=_FINDING_COLUMNS)
    for column in ("first_time", "last_time"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[us]")
    return frame


_FINDING_COLUMNS = [
    "severity",
    "title",
    "analysis",
    "numbers",
    "evidence",
    "next_step",
    "reference",
    "confidence",
    "first_time",
    "last_time",
    "parts",
]

__all__ = ["Evidence", "Workbook", "documented_columns"]
