"""One file per kind of file: how to recognise it, and how its lines become log lines or rows of a table.

Every file here defines ``TITLE`` (what a person calls such a file) and ``score(head)``: how sure it is, from 0 to 1, that
a file is of this kind, from its first 200 lines that are not blank (decoded, colours removed). The highest score of at
least 0.2 reads the file; equal scores go to the first name.

A log defines, in SQL, so that millions of lines are read at once:

``STARTS``
    condition over ``text``: whether a physical line begins a record.
``GLUE``
    what stands between a record and a piece that is joined to it: ``''`` where a line was split by accident, ``'\\n'``
    where the newline belongs to the message.
``RECORDS``
    statement over ``records`` (``line``: first physical line, ``text``: the whole record) that gives ``line, time,
    received_at, source, process, message, reason``. Times are TIMESTAMP in UTC. A ``reason`` that is not NULL sends the
    record to unread_lines. ``$zone`` (name or offset such as +02:00) and ``$year`` are what the person gave, or UTC and
    the year of the file's date; ``utc_of(local, $zone)`` turns a local time into UTC.
``NEEDS_ZONE``
    True where times carry no zone; then ``$zone`` is used and noted in ``sources.zone``.
``NEEDS_YEAR``
    True where times carry no year either.

A table or a command's output is small, and defines instead

``read(lines, context) -> Reading``
    from all physical lines to DataFrames by table name; each has a column ``line`` (from 1). ``log_lines`` is a table
    like the others: its rows then go on to ``messages/``.

The output of a command is such a table that may also stand in a paste of several outputs. It defines instead

``COMMANDS``
    the commands that print it, such as ``heroku certs``.
``begins(lines, at)``
    whether an output of this kind begins at that line of lines that are not blank; no two kinds begin at one line.
``part(lines, account, context)``
    from the numbered lines of one output, without the prompt and blank lines, to rows: each line is given to the
    ``_account.Account`` as a row, as joined, or as refused with its reason.
``TAKES_NOTICES``
    True where notices of the command line belong to the output; else they are kept apart, as unread lines.
``score, read``
    ``_paste.score_of(__name__)`` and ``_paste.read``, which cut the file into outputs and give each to its reader.

and all: ``EXAMPLES``, pairs of text and the rows ``{table: (row, …)}`` it must give, and ``NOT_MINE``, texts of other
kinds that look alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Context:
    """What is known about a file besides its lines: its path, and the zone and year for times that lack them.

    ``command`` is the command as it was typed before this part of a paste; None when it was not pasted.
    """

    path: str
    zone: str = "UTC"
    year: int | None = None
    command: str | None = None


@dataclass
class Reading:
    """What a file that is no log holds: rows by table, how many lines were headers, and what could not be read.

    ``joined`` counts physical lines that belong to another line's row (headers, rulers, continued cells). ``unread``
    lists ``(line, reason, text)``: a reason ``field NAME`` leaves the row in its table, any other reason counts the
    line as unread. Every physical line must be a row, joined, unread or blank.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    joined: int = 0
    unread: list[tuple[int, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    zone: str | None = None
    """How times without a zone were read, for ``sources.zone``; None when every time has its own."""
    lines: int | None = None
    """Number of records where the file does not have one a line (a JSON document); None to count physical lines."""
