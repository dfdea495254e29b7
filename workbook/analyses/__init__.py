"""One file per question, read from top to bottom like a page of the book; the folder is the registry.

A file here defines:

docstring
    its first line is the question (what follows five blanks on that line, such as the chapter, is cut off); then the
    columns of the table with their units, the rules, and what the words of a verdict mean.
``NEEDS``
    the tables without which it can say nothing; a tuple inside it names tables of which one is enough.
``IN_TRIAGE``
    False for a question that only a person can ask (which request?); it may be left out.
``SQL``
    the statement that gives the table, its parameters written ``$name``; ``in_window(time, $start, $end)`` keeps to the
    window, ORDER BY makes the order certain.
``rows(query, window, *, option=…)``
    runs it and returns a DataFrame. The keyword-only parameters are the one definition of what can be tuned: type,
    default, and bounds (``Annotated[int, Bounds(low, high)]``) or choices (``Literal[…]``). The facade makes
    ``Result.sql`` of the statement that was run last; rows that Python judged after it are written in as values.
``findings(rows)``
    pure: rows in, sentences out. It may take options of ``rows`` by name.
``chart(rows)``
    pure: a picture of at most 5,000 rows. It may take ``marks``: releases, restarts, error bursts, gaps.
"""
