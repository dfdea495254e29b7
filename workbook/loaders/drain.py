r"""A log drain's lines as they were received: ``<158>1 2013-01-15T10:00:00+00:00 host heroku router - at=info …``.

Logplex sends them over HTTPS (each behind its count of bytes, several on one line where a message has no newline of its
own) or TCP (with the drain's token and two dashes). Read too: what Logentries keeps and shows (its own local time in
front is skipped), copies on web pages that lost ``<158>``, a blank for the ``T``, a token behind the process (2012, and
Postgres in 2013). The number in angle brackets is the channel's, not the message's, and is not kept. Dev Center:
"Log Drains"; formats by year in the examples below.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

TITLE = "log drain (syslog frames)"
GLUE = "\n"

_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_FRONT = r"(?:\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d(?:\.\d+)? )?(?:\d+ )?"
# With its <158>1 any frame; without it only one of Heroku's, for many programs begin their lines with a time.
_START = (
    rf"^{_FRONT}(?:<\d{{1,3}}>1 {_TIME} |(?:\d{{1,4}} )?{_TIME} (?:host |d\.[\w-]+ )?(?:app|heroku) [\w.-]+ )"
)
_HEAD = rf"^({_FRONT}(?:<\d{{1,3}}>)?(?:\d{{1,4}} )?({_TIME}) (host |d\.[\w-]+ )?([A-Za-z][\w-]*) (\w[\w.-]*)(?: d\.[\w-]+)? -(?: |$))"

STARTS = f"regexp_matches(text, '{_START}')"

# The literal word host stands in HTTPS frames, which have one dash; all others may have two.
RECORDS = rf"""
WITH heads AS (
    SELECT
        line,
        text,
        regexp_extract(text, '{_HEAD}', ['head', 'time', 'host', 'source', 'process']) AS frame
    FROM records
),
bodies AS (
    SELECT
        line,
        frame,
        try_cast(frame.time AS TIMESTAMPTZ) AT TIME ZONE 'UTC' AS time,
        substr(text, length(frame.head) + 1) AS body
    FROM heads
)
SELECT
    line,
    time,
    NULL::TIMESTAMP AS received_at,
    frame.source,
    frame.process,
    CASE
        WHEN frame.host = 'host ' THEN body
        WHEN starts_with(body, '- ') THEN substr(body, 3)
        WHEN body = '-' THEN ''
        ELSE body
    END AS message,
    CASE
        WHEN frame.head = '' THEN 'not a frame of a Heroku drain'
        WHEN time IS NULL THEN 'field time'
    END AS reason
FROM bodies
"""

EXAMPLES = (
    (
        # HTTPS: one frame a line; a message that begins with a dash keeps it; messages that are empty
        "93 <45>1 2015-03-02T10:11:12.131415+00:00 host heroku web.1 - State changed from starting to up\n"
        "63 <190>1 2015-03-02T10:11:12.61556+00:00 host app web.2 - - item\n"
        "56 <190>1 2015-03-02T10:11:13.112+00:00 host app web.2 - \n"
        "55 <190>1 2015-03-02T10:11:13.112+00:00 host app web.2 -\n",
        {
            "log_lines": (
                {"line": 1, "time": "2015-03-02 10:11:12.131415", "received_at": None, "source": "heroku",
                 "process": "web.1", "message": "State changed from starting to up"},
                {"line": 2, "time": "2015-03-02 10:11:12.615560", "source": "app", "process": "web.2",
                 "message": "- item"},
                {"line": 3, "time": "2015-03-02 10:11:13.112", "process": "web.2", "message": ""},
                {"line": 4, "time": "2015-03-02 10:11:13.112", "process": "web.2", "message": ""},
            ),
        },
    ),
    (
        # HTTPS: frames with nothing between them (the first count is right, the third is one too small), and a message
        # that quotes a frame, which its count protects
        "156 <172>1 2023-03-04T05:06:07.080910+00:00 host heroku logplex - Error L10 (output buffer overflow): 7 messages"
        " dropped since 2023-03-04T05:05:00.111213+00:00."
        "65 <190>1 2023-03-04T05:06:08.000001+00:00 host app web.1 - bytes=93"
        "63 <190>1 2023-03-04T05:06:09.000001+00:00 host app web.1 - three."
        "64 <190>1 2023-03-04T05:06:10.000001+00:00 host app web.1 - four.\n"
        "99 <190>1 2023-03-04T05:06:11.000001+00:00 host app web.1 - got 12 <190>1 2023-03-04T05:06:10+00:00 x\n",
        {
            "log_lines": (
                {"line": 1, "process": "logplex",
                 "message": "Error L10 (output buffer overflow): 7 messages dropped since"
                            " 2023-03-04T05:05:00.111213+00:00."},
                {"line": 2, "time": "2023-03-04 05:06:08.000001", "message": "bytes=93"},
                {"line": 3, "time": "2023-03-04 05:06:09.000001", "message": "three."},
                {"line": 4, "time": "2023-03-04 05:06:10.000001", "message": "four."},
                {"line": 5, "time": "2023-03-04 05:06:11.000001", "message": "got 12 <190>1 2023-03-04T05:06:10+00:00 x"},
            ),
        },
    ),
    (
        # TCP with token and two dashes, with one (2012–13), token behind the process (2012 labs, Postgres 2013)
        "<158>1 2014-02-03T04:05:06.070809+00:00 d.00000000-aaaa-bbbb-cccc-000000000000 app web.2 - - hello - world\n"
        "<158>1 2013-01-15T10:00:00+00:00 d.00000000-aaaa-bbbb-cccc-000000000000 heroku router - at=info method=GET path=/"
        " host=shop.example.com fwd=192.0.2.9 dyno=web.1 queue=0 wait=0ms connect=1ms service=9ms status=200 bytes=12\n"
        "<40>1 2012-11-30T06:45:29+00:00 heroku web.3 d.00000000-aaaa-bbbb-cccc-000000000000 - State changed from starting"
        " to up\n"
        "<134>1 2013-06-07T08:09:10+00:00 app postgres d.00000000-aaaa-bbbb-cccc-000000000000 - [311-1] dbname [TEAL]"
        " LOG:  duration: 61.803 ms  statement: SELECT 1\n",
        {
            "log_lines": (
                {"line": 1, "time": "2014-02-03 04:05:06.070809", "source": "app", "process": "web.2",
                 "message": "hello - world"},
                {"line": 2, "time": "2013-01-15 10:00:00", "source": "heroku", "process": "router",
                 "message": "at=info method=GET path=/ host=shop.example.com fwd=192.0.2.9 dyno=web.1 queue=0 wait=0ms"
                            " connect=1ms service=9ms status=200 bytes=12"},
                {"line": 3, "source": "heroku", "process": "web.3", "message": "State changed from starting to up"},
                {"line": 4, "source": "app", "process": "postgres",
                 "message": "[311-1] dbname [TEAL] LOG:  duration: 61.803 ms  statement: SELECT 1"},
            ),
        },
    ),
    (
        # Logentries' download and view, a web page's copy, a blank for the T, another zone
        "312 <158>1 2016-03-04T05:06:07.080910+00:00 heroku router - - at=info method=GET path=\"/\"\n"
        "05 Jan 2020 09:08:07.654321 <158>1 2020-01-05T08:08:06.5+00:00 heroku router - - at=info method=GET path=\"/\"\n"
        "198 1 2014-02-03T04:05:06.070809+00:00 d.00000000-aaaa-bbbb-cccc-000000000000 heroku router - - at=info\n"
        "2016-03-04 05:06:07.080910+00:00 heroku router - - sock=backend at=error code=H18 desc=\"Request Interrupted\"\n"
        "<190>1 2016-03-04T05:06:07-07:00 host app web.1 - noon\n",
        {
            "log_lines": (
                {"line": 1, "time": "2016-03-04 05:06:07.080910", "source": "heroku", "process": "router",
                 "message": "at=info method=GET path=\"/\""},
                {"line": 2, "time": "2020-01-05 08:08:06.5", "source": "heroku", "process": "router",
                 "message": "at=info method=GET path=\"/\""},
                {"line": 3, "time": "2014-02-03 04:05:06.070809", "source": "heroku", "process": "router",
                 "message": "at=info"},
                {"line": 4, "time": "2016-03-04 05:06:07.080910", "source": "heroku", "process": "router",
                 "message": "sock=backend at=error code=H18 desc=\"Request Interrupted\""},
                {"line": 5, "time": "2016-03-04 12:06:07", "source": "app", "process": "web.1", "message": "noon"},
            ),
        },
    ),
    (
        # a message with a newline in it, a frame of something else, a day that does not exist
        "<190>1 2016-03-04T05:06:07+00:00 host app web.1 - one\n"
        "  two\n"
        "<13>1 2016-03-04T05:06:08+00:00 server sshd 42 ID47 - not Heroku's\n"
        "<190>1 2016-02-30T05:06:09+00:00 host app web.1 - three\n",
        {
            "log_lines": (
                {"line": 1, "message": "one\n  two"},
                {"line": 4, "time": None, "process": "web.1", "message": "three"},
            ),
            "unread_lines": (
                {"line": 3, "reason": "not a frame of a Heroku drain"},
                {"line": 4, "reason": "field time"},
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "2012-06-03T08:15:42+00:00 heroku[web.1]: State changed from starting to up\n",
    "2016-03-04 05:06:07.080910+00:00 ERROR worker - - the application's own log\n",
    "Jul  4 22:11:00 d.00000000-aaaa-bbbb-cccc-000000000000 heroku[router] - at=info method=GET path=/\n",
)

# A frame of an HTTPS body, from its count of bytes on; inside a line, and as the beginning of one.
_COUNTED = re.compile(rb"(\d+) <\d{1,3}>1 \d{4}-")


def prepare(text: str) -> str:
    """Return the text with every frame of an HTTPS body on a line of its own.

    A frame's count of bytes says where it ends, so that a message may quote a frame. Where no frame begins there the
    count is wrong, and the next thing that looks like a frame begins one.
    """
    if ">1 " not in text:
        return text
    return "\n".join(_frames(line) if line.count(">1 ") > 1 else line for line in text.split("\n"))


def _frames(line: str) -> str:
    """One line, with a newline before every frame but the first."""
    content = line.encode("utf-8", "replace")
    found = list(_COUNTED.finditer(content))
    if len(found) < 2 or found[0].start() > 0:
        return line
    body = _Body(content, [frame.start() for frame in found], [frame.end(1) for frame in found])
    pieces, begun, at = [], 0, 0
    while (following := body.next_frame(begun, at)) is not None:
        end, at = following
        pieces.append(content[begun:end])
        begun = end
    return b"\n".join([*pieces, content[begun:]]).decode("utf-8")


@dataclass(frozen=True)
class _Body:
    """Bytes on one line, and where what looks like a frame begins its count and ends it."""

    content: bytes
    starts: list[int]
    ends: list[int]

    def next_frame(self, begun: int, at: int) -> tuple[int, int] | None:
        """Where the frame after this one begins, and its number; None when this one is the last."""
        if at == len(self.starts) - 1:
            return None
        end = self.counted_end(begun, at)
        if len(self.content) <= end <= len(self.content) + 1:
            return None
        following = self.landing(end)
        if following is None:
            return self.starts[at + 1], at + 1
        # a message may end in digits ("bytes=12" before "93 <"), or the count be too large: the next count tells
        whole = self.starts[following]
        if end > whole and self.fits(whole, following) and not self.fits(end, following):
            end = whole
        return end, following

    def counted_end(self, begun: int, at: int) -> int:
        """Where the frame ends by its own count; the count stands between ``begun`` and the end of its digits."""
        return self.ends[at] + 1 + int(self.content[begun : self.ends[at]][-9:])

    def landing(self, place: int) -> int | None:
        """The frame whose count is at that place."""
        following = bisect_right(self.ends, place)
        return following if following < len(self.starts) and self.starts[following] <= place else None

    def fits(self, begun: int, at: int) -> bool:
        """Whether the count of that frame leads to another frame, or to the end."""
        end = self.counted_end(begun, at)
        return len(self.content) <= end <= len(self.content) + 1 or self.landing(end) is not None


def score(head: list[str]) -> float:
    """Return the share of lines that begin as a drain's frames do."""
    return sum(re.match(_START, line, re.ASCII) is not None for line in head) / max(len(head), 1)
