"""A program that is not on the dyno, as the shell, ``env`` or Go says it: ``bash: wget: command not found``.

Every year since 2010; the forms are those of bash, dash, busybox, coreutils and Go. A name alone with "not found" is no
shell's line and is not claimed. What Ruby and Node say of it (Errno::ENOENT, spawn … ENOENT) is a stack trace.
"""

TABLE = "missing_binaries"

CLAIMS = r"""
    source = 'app'
    AND (contains(message, ' not found') OR contains(message, ': No such file or directory'))
    AND regexp_matches(
        rtrim(message),
        '^(?:\S*\b(?:ba|da|k|z|a)?sh: (?:line \d+: |\d+: )?[\w.+/-]+: (?:command )?not found'
        || '|\S+: line \d+: [\w.+/-]+: command not found'
        || '|(?:\S*/)?env: [''"‘]?[\w.+-]+[''"’]?: No such file or directory'
        || '|(?:.{0,80}\s)?exec: "[\w.+/-]+": executable file not found in \$PATH)$'
    )
"""

ROWS = r"""
SELECT
    source_id,
    line,
    time,
    process AS dyno,
    regexp_extract(
        rtrim(message),
        '([\w.+/-]+)[''"’]?: (?:(?:command )?not found|No such file or directory|executable file not found in \$PATH)$',
        1
    ) AS program,
    rtrim(message) AS text
FROM claimed
"""

EXAMPLES = (
    (
        # the book, chapter 7, as the log of a dyno has it
        "2013-06-09T01:50:51.101202+00:00 app[run.5543]: bash: wget: command not found",
        (
            {"dyno": "run.5543", "program": "wget", "text": "bash: wget: command not found"},
        ),
    ),
    (
        "2024-02-03T04:05:06.101202+00:00 app[web.1]: sh: 1: ffmpeg: not found\n"
        "2024-02-03T04:05:07.101202+00:00 app[web.1]: /bin/sh: 1: pdftk: not found\n"
        "2024-02-03T04:05:08.101202+00:00 app[worker.1]: bin/start.sh: line 12: convert: command not found\n"
        "2024-02-03T04:05:09.101202+00:00 app[release.1234]: /usr/bin/env: ‘node’: No such file or directory\n"
        "2024-02-03T04:05:10.101202+00:00 app[web.1]: 2024/02/03 04:05:10 exec: \"wkhtmltopdf\": executable file not found in $PATH\n"
        "2024-02-03T04:05:11.101202+00:00 app[web.1]: /bin/bash: line 1: /app/bin/jq: not found",
        (
            {"dyno": "web.1", "program": "ffmpeg"},
            {"program": "pdftk"},
            {"dyno": "worker.1", "program": "convert"},
            {"dyno": "release.1234", "program": "node"},
            {"program": "wkhtmltopdf"},
            {"program": "/app/bin/jq"},
        ),
    ),
)  # fmt: skip

NOT_MINE = (
    "2024-02-03T04:05:06.101202+00:00 app[web.1]: user 5: not found",
    "2024-02-03T04:05:06.101202+00:00 app[web.1]: push: product-7: not found",
    "2024-02-03T04:05:06.101202+00:00 heroku[web.1]: bash: wget: command not found",
    "2024-02-03T04:05:06.101202+00:00 app[web.1]: cat: /tmp/x: No such file or directory",
)
