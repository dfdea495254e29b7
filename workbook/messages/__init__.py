"""One file per kind of log line: which lines it claims, and how a claimed line becomes a row of its table.

A file here defines:

``TABLE``
    the table that it fills.
``CLAIMS``
    SQL condition over a log line (``source``, ``process``, ``message``): whether the line is of this kind. Begin with
    ``source``/``process``, they are cheap. No other kind may claim the same line.
``ROWS``
    SQL that selects the table's columns from ``claimed`` (the log lines that it claims, with all columns of
    ``log_lines``); it may also read ``lines`` (all log lines of the sources being read), for what stands beside a
    claimed line. A column ``unread`` (VARCHAR[]) may name the fields whose text could not be read.
``USUAL`` and ``USUAL_ROWS``
    where speed matters: a condition for lines of the usual form, and a statement that reads those, all of them without
    an unread field. ``ROWS`` gives the same for them, and reads the others.
``NEIGHBOURS``
    where a row depends on other lines than its own: the condition for all lines that ``ROWS`` looks at. It is then run
    once all lines of a source are known, and again over the lines of all sources that overlap or adjoin.
``OTHER_LINES``
    names of further columns that hold the number of a line of the same source.
``EXAMPLES``
    pairs of text (one or more lines, as ``heroku logs`` prints them) and the rows that it must give.
``NOT_MINE``
    lines that look alike and must not be claimed.
"""
