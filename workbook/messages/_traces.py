r"""The lines of a stack trace, language by language, as regular expressions (RE2) ready for SQL text.

A *head* names the exception, a *frame* a place in the code. Everything stands at the start of the text behind PREFIX.
"""

import re

from workbook.messages._prefix import LOGGER_PREFIX

PREFIX = (
    LOGGER_PREFIX
    + r"(?:\d{4}-\d\d-\d\dT[\d:.]+Z (?:pid=)?\d+ (?:tid=|TID-)\S+ (?:\S+ )*?(?:WARN|ERROR|FATAL): )?"  # Sidekiq
    + r"(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )?"  # Go
)

# Error classes: with a name space (A::B, a.B), or by their ending; a few of Python's are in small letters.
_CLASS = (
    r"(?:(?:[A-Za-z_][\w$]*(?:::|\.))+[A-Z][\w$]*"
    r"|[A-Z]\w*(?:Error|Exception|Timeout|Interrupt|Failure|Fault|Exit|Iteration|Warning|Invalid|NotFound)|Error"
    r"|[A-Z]\w*(?:404|Interrupted)|[a-z]\w*\.(?:error|timeout|gaierror))"
)
_WORDS = (
    r"(?:(?:WARN|ERROR|FATAL|Uncaught|app error):? |\(node:\d+\) |UnhandledPromiseRejectionWarning: "
    r'|Exception in thread "[^"]*" )*'
)
_PHP = r"(?:NOTICE: PHP message: )?(?:PHP )?(?:Fatal error|Parse error|Warning):\s+Uncaught "

_HEADS = {
    # a Ruby process that dies
    "crash": r"(?P<place>\S+:\d+:in [`'][^']*'): (?P<message>.*) \((?P<exception>[A-Z][\w:]*)\)\s*$",
    "app_error": r"app error: (?P<message>.*) \((?P<exception>[A-Z][\w:]*)\)\s*$",
    # Puma's last resort
    "rack": r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ )?Rack app (?:error|\(\"[^\"]*\"[^)]*\)\)?)[^#]*: #<(?P<exception>[A-Z][\w:]*): (?P<message>.*)>\s*$",
    # PHP 7 on, PHP 5, and what Monolog makes of it
    "php": rf"{_PHP}(?P<exception>[A-Z][\w\\]*): (?P<message>.*) in (?P<place>\S+:\d+)\s*$",
    "old_php": rf"{_PHP}exception '(?P<exception>[A-Z][\w\\]*)' with message '(?P<message>.*)' in (?P<place>\S+:\d+)\s*$",
    "monolog": r"[\w.]+\.[A-Z]+: .*\{\"exception\":\"\[object\] \((?P<exception>[A-Z][\w\\]*)\(code: [^)]*\): (?P<message>.*) at (?P<place>\S+:\d+)\)\s*$",
    "go": r"(?P<exception>panic|fatal error|http: panic)(?: serving \S+)?: (?P<message>.*)$",
    "exception": rf"{_WORDS}(?P<exception>{_CLASS})(?: \[[A-Z_]+\])?(?: \((?P<in_brackets>.*)\):?\s*|: (?P<message>.*)|\s*)$",
}
_CAUSE = rf"Caused by: {_CLASS}(?:: .*|\s*)$"
_PYTHON = r'File "[^"]*", line \d+(?:, in .*)?$'
_FRAMES = (
    # Ruby
    r"(?:from )?(?:\S+ \(\d[\w.]*\) )?[^\s:]*\.(?:rb|erb|haml|slim|ru|rake|builder|jbuilder):\d+(?::in .*)?$",
    r"(?:from )?[^\s:(]+:\d+:in [`'].*$",
    # Java and its kin
    r"at (?:[\w.@-]+/)*[\w.$<>]+\([^()]*\)(?: ~?\[[^\]]*\])?\s*$",
    # Node
    r"at (?:async )?(?:.* \(.+\)|\S+:\d+(?::\d+)?)$",
    # PHP
    r"#\d+ (?:\S+\(\d+\): .*|\[internal function\]: .*|\{main\}\s*)$",
    # Go
    r"/\S+\.go:\d+(?: \+0x[0-9a-f]+)?\s*$",
)
_FOREIGN = (
    # Ruby
    r"/gems/|(?:^|[\s/(])vendor/|lib/ruby/|/rubies/|<internal:|\(eval|^(?:from )?\S+ \(\d[\w.]*\) ",
    # Python
    r"site-packages|dist-packages|/lib/python\d|<frozen |<string>",
    # Node
    r"node_modules|node:|\((?:internal/[\w/.-]+|[\w.-]+)\.js:\d+:\d+\)|at internal/|<anonymous>\)?$|\(native\)|\(index \d+\)$",
    # Java and its kin
    r"^Caused by: |^at (?:[\w.@-]+/)*(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|clojure|groovy|play|akka|reactor"
    r"|io\.(?:netty|undertow|vertx|micrometer)|com\.(?:zaxxer|fasterxml|mysql|google\.common)"
    r"|org\.(?:springframework|apache|hibernate|postgresql|eclipse|jboss|thymeleaf|jooq|mongodb|codehaus))\.",
    # PHP
    r"^#\d+ (?:\[internal|\{main)",
    # Go
    r"/src/(?:runtime|net|internal|sync|testing)/|/pkg/mod/",
)


def _quoted(pattern: str) -> str:
    return pattern.replace("'", "''")


def _plain(pattern: str) -> str:
    """The pattern without groups, so that several can stand in one expression."""
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def head(name: str) -> str:
    """Return the SQL of one part (exception, message or place) of ``head.body``, by ``head.kind``; empty text without it."""
    whens = []
    for kind, pattern in _HEADS.items():
        names = re.findall(r"\(\?P<(\w+)>", pattern)
        parts = [
            f"regexp_extract(head.body, '^{_quoted(pattern)}', {number})"
            for number, one in enumerate(names, 1)
            if one == name or (one == "in_brackets" and name == "message")
        ]
        if parts:
            whens.append(f"WHEN '{kind}' THEN {' || '.join(parts)}")
    return f"CASE head.kind {' '.join(whens)} ELSE '' END"


def kind(body: str) -> str:
    """Return the SQL of the kind of a line: traceback, python, frame, cause, or one of the heads."""
    whens = [
        f"WHEN starts_with({body}, 'Traceback (') THEN 'traceback'",
        f"WHEN regexp_matches({body}, '^{_PYTHON}') THEN 'python'",
        f"WHEN starts_with({body}, 'Caused by: ') THEN 'cause'",
        *(
            f"WHEN regexp_matches({body}, '^{_quoted(_plain(pattern))}') THEN '{name}'"
            for name, pattern in _HEADS.items()
            if name != "exception"
        ),
        f"WHEN regexp_matches({body}, '^(?:{_quoted('|'.join(_FRAMES))})') THEN 'frame'",
    ]
    return f"CASE {' '.join(whens)} ELSE 'exception' END"


ANY = _quoted(
    "|".join(
        [r"Traceback \(most recent call last\):", _CAUSE, _PYTHON, *map(_plain, _HEADS.values()), *_FRAMES]
    )
)
"""What a line of any kind matches behind PREFIX."""

FOREIGN = _quoted("|".join(_FOREIGN))
"""What a frame outside of the application's own code holds."""
