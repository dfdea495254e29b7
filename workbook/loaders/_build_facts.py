"""What one line of a build's output says: a heading, a time, a cache, a size, a buildpack, how it ended."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PREFIX = re.compile(
    r"(?:(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) )?"
    r"(?P<remote>\s{0,8}remote:(?: |$))?(?P<text>.*)",
    re.ASCII,
)
_HEADING = re.compile(r"\s{0,8}(?:-{3,6}|={3,6})> (?P<name>\S.*)")
_RELEASE_PHASE = re.compile(r"Running release command\b.*")
# what git prints around the output, and what Heroku prints before the first heading and after the last
_GIT = re.compile(
    r"(?:Enumerating|Counting|Compressing) objects\b.*|Delta compression using .*|Writing objects\b.*|Total \d+ \(.*"
    r"|Fetching repository, done\.?|Everything up-to-date|Compressing source files\.\.\..*|Building source:"
    r"|Warning: Permanently added .*|git push\b.*|Updated \d+ paths? from .*"
)
_BEGINS = re.compile(
    r"(?:Enumerating|Counting) objects: .*|Fetching repository, done\.?|Compressing source files\.\.\..*|Building source:"
    r"|git push \S.*"
)
_REF = re.compile(
    r"\s*[*+!-]?\s*(?:\[(?:new branch|remote rejected|rejected|forced update|new tag)\]"
    r"|[0-9a-f]{7,40}\.{2,3}(?P<commit>[0-9a-f]{7,40}))\s+\S+ -> \S+.*"
)
_TO = re.compile(r"To (?:https?://\S*?/|\S+?[:/])(?P<app>[a-z][a-z0-9-]*)(?:\.git)?/?")
_FAILED_REFS = re.compile(r"error: failed to push some refs to .*")
_MARKED = re.compile(r"!(?:\s+(?P<text>.*))?")
# found anywhere in a line that is marked with "!", else only at the beginning: a test or a gem may print such words
_FAILURES = (
    (
        "timed_out",
        re.compile(r"Timed out (?:compiling|running|building)\b|Build timed out\b|Compilation took too long\b", re.I),
    ),
    ("too_large", re.compile(r"Compiled slug size: .{1,20} is too large\b|Slug .{0,40}\btoo large\b", re.I)),
    ("release_failed", re.compile(r"Release command failed\b|Waiting for release\.+ ?failed\b", re.I)),
    (
        "failed",
        re.compile(
            r"(?:Heroku )?Push (?:rejected|failed)\b|Build failed\b|Precompiling assets failed\b"
            r"|\[remote rejected\] .*pre-receive hook declined|error: failed to push some refs\b",
            re.I,
        ),
    ),
)  # fmt: skip
_SUCCESS = re.compile(
    r"Released v\d|Launching\.\.\. ?done\b|https?://\S+ deployed to Heroku\b|Verifying deploy\.* ?done\b"
    r"|Waiting for release\.+ ?done\b|Build succeeded\b"
)
_VERSION = re.compile(r"(?:^Released |^Launching\.\.\. ?done, )v(?P<version>\d{1,9})\b")
_DEPLOYED = re.compile(r"^https?://(?P<host>[a-z0-9-]+)\.herokuapp\.com/? deployed to Heroku")
_SIZE = re.compile(
    r"(?:^Done: |^Compressing\.\.\. ?done, |\bCompiled slug size(?::| is) |^Warning: Your? slug size \()"
    r"(?P<size>\d{1,6}(?:\.\d{1,3})?) ?(?P<unit>[KMG])i?B?\b"
)
_MB_OF = {"K": 1 / 1024, "M": 1.0, "G": 1024.0}
_OWN_TIME = re.compile(
    r"\b(?:completed?|compiled|finished|done|took)\b[^()]{0,60}\((?:took )?(?P<s>\d{1,6}(?:\.\d{1,6})?) ?s\)",
    re.I,
)
_TOOL_TIME = re.compile(
    r"(?:^|[✨⚡✓] *)Done in (?P<s>\d{1,6}(?:\.\d{1,6})?)(?P<unit>ms|s)?\b"
    r"|^(?:added|removed|changed|up to date|audited)\b.* in (?P<npm>(?:\d{1,4}m ?)?\d{1,6}(?:\.\d{1,6})?m?s|\d{1,4}m)$"
    r"|\bbuilt in (?P<vite>(?:\d{1,4}m ?)?\d{1,6}(?:\.\d{1,6})?m?s)\.?$"
    r"|^(?:\[INFO\] )?Total time: +(?P<maven>\d{1,4}:\d\d|\d{1,6}(?:\.\d{1,6})?) ?(?P<maven_unit>min|s)\b"
    r"|^BUILD SUCCESSFUL in (?P<gradle>(?:\d{1,4}m ?)?\d{1,6}m?s)$"
)  # fmt: skip
_SPELLED = re.compile(r"(?:(?P<m>\d{1,4})m)? ?(?:(?P<n>\d{1,6}(?:\.\d{1,6})?)(?P<unit>ms|s))?")
_CACHED = re.compile(
    r"\b(?:Assets already compiled|loading from cache|loaded from cache|restored? from (?:the )?cache|Using cached)\b",
    re.I,
)
_COMPILED = re.compile(
    r"\bAsset precompilation completed\b|\bRunning: (?:\S+=\S+ )*(?:bundle exec )?rake assets:precompile\b",
    re.I,
)
_BUILDPACK = re.compile(
    r"Fetching (?P<custom>custom)(?: \w+)? buildpack|(?:Fetching|Using) set buildpack:? (?P<set>\S+?)(?:\.\.\.|$| )"
    r"|Using buildpack: (?P<used>\S+)|Downloading Buildpack: (?P<url>\S+)"
)
_LISTED = re.compile(r"\d{1,2}\. (?P<name>\S+)")
_DETECTED = re.compile(
    r"(?P<name>\S.{0,60}?) (?:app|framework) detected\b|Detected Framework: (?P<framework>\S.*)", re.I
)
_STACK = re.compile(r"Building on the (?P<stack>\S+) stack")
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]*@")
_KINDS = (
    ("assets", re.compile(r"\basset|precompil|webpack|collectstatic", re.I)),
    ("slug", re.compile(r"^(?:Compressing|Compiled slug|Discovering process types)", re.I)),
    ("launch", re.compile(r"^(?:Launching|Released)", re.I)),
    ("release_phase", _RELEASE_PHASE),
    ("buildpack", re.compile(r"buildpack|\bapp detected\b|Detected Framework|^Building on the", re.I)),
    (
        "dependencies",
        re.compile(r"dependenc|requirements|bundler|node modules|\bgems?\b|pip\b|go modules|Installing .* with (?:Maven|Gradle)", re.I),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line of the output: its number, its text without prefix and margin, its time, and whether it had a margin."""

    at: int
    text: str
    time: str | None
    is_inner: bool
    heading: str | None


def line(at: int, raw: str) -> Line:
    """Return a line without its time of a CI, git's ``remote:`` and the margin; the last state of a progress line."""
    shown = next((piece for piece in reversed(re.split("[\r␍]", raw)) if piece.strip()), "")
    found = _PREFIX.fullmatch(shown)
    if found is None:
        return Line(at, shown.strip(), None, False, None)
    text = found["text"]
    heading = _HEADING.fullmatch(text.rstrip())
    name = heading["name"].strip() if heading else None
    if name is None and _RELEASE_PHASE.fullmatch(text.strip()):
        name = text.strip()
    inner = found["remote"] is not None or text[:2] == "  " or text[:1] == "\t"
    return Line(at, text.strip(), found["time"], inner, name)


def begins(one: Line) -> bool:
    """Say whether a push or a build begins there: a heading, or what git and Heroku print before the first."""
    if one.heading is not None:
        return _RELEASE_PHASE.fullmatch(one.heading) is None
    return _BEGINS.fullmatch(one.text) is not None


def is_git(one: Line) -> bool:
    """Say whether the line is git's own, or of the transfer: no part of a step."""
    return bool(
        _GIT.fullmatch(one.text)
        or _REF.fullmatch(one.text)
        or _TO.fullmatch(one.text)
        or _FAILED_REFS.fullmatch(one.text)
    )


def is_ref(text: str) -> bool:
    """Say whether git says there what became of a branch."""
    return _REF.fullmatch(text) is not None


def is_last(one: Line) -> bool:
    """Say whether git prints nothing of this push after the line."""
    return bool(_REF.fullmatch(one.text) or _FAILED_REFS.fullmatch(one.text))


def is_first_heading(name: str) -> bool:
    """Say whether only the first heading of a build reads so."""
    return _STACK.match(name) is not None or re.match(r"Fetching (?:custom|set) ", name) is not None


def kind_of(name: str) -> str | None:
    """Return what a step with that heading does: assets, dependencies, buildpack, slug, launch, release_phase."""
    return next((kind for kind, form in _KINDS if form.search(name)), None)


def title_of(heading: str) -> str:
    """Return the name of a step: its heading without what came of it (``... done, 83.2M``) and without credentials."""
    return without_credentials(re.sub(r"\s*(?:\.{3}.*|:? \d+(?:\.\d+)? ?[KMG]B?)$", "", heading)) or heading


def without_credentials(text: str) -> str:
    """Return the text without the name and password of its URLs."""
    return _CREDENTIALS.sub("", text)


def own_seconds(text: str) -> float | None:
    """Return the time that the buildpack says a command took, in s: ``Asset precompilation completed (35.29s)``."""
    found = _OWN_TIME.search(text)
    return float(found["s"]) if found else None


def tool_seconds(text: str) -> float | None:
    """Return the time that a tool says it took, in s: yarn, npm, Vite, Maven, Gradle."""
    found = _TOOL_TIME.search(text)
    if found is None:
        return None
    if found["s"]:
        return float(found["s"]) / (1000 if found["unit"] == "ms" else 1)
    if found["maven"]:
        minutes, _, seconds = found["maven"].rpartition(":")
        return 60 * float(minutes or 0) + float(seconds)
    spelled = _SPELLED.fullmatch(found["npm"] or found["vite"] or found["gradle"])
    if spelled is None:
        return None
    rest = float(spelled["n"] or 0) / (1000 if spelled["unit"] == "ms" else 1)
    return 60 * float(spelled["m"] or 0) + rest


def cached(text: str) -> bool | None:
    """Return whether the line says that something came from the cache (True) or was compiled (False)."""
    return True if _CACHED.search(text) else False if _COMPILED.search(text) else None


def slug_mb(text: str) -> float | None:
    """Return the size of the slug in MB that the line prints."""
    found = _SIZE.search(text)
    return round(float(found["size"]) * _MB_OF[found["unit"]], 3) if found else None


def buildpack(text: str) -> str | None:
    """Return the buildpack that is fetched or used: a name, a URL, or custom."""
    found = _BUILDPACK.match(text)
    name = next((value for value in found.groups() if value), None) if found else None
    return without_credentials(name) if name else None


def listed_buildpack(text: str) -> str | None:
    """Return the buildpack of a numbered line below ``Using buildpacks:``."""
    found = _LISTED.fullmatch(text)
    return without_credentials(found["name"]) if found else None


def detected(text: str) -> str | None:
    """Return the language that a buildpack detected: ``Ruby/Rails app detected``."""
    found = _DETECTED.match(text)
    return (found["name"] or found["framework"]).strip() if found else None


def stack(text: str) -> str | None:
    """Return the stack that is built on."""
    found = _STACK.match(text)
    return found["stack"] if found else None


def version(text: str) -> str | None:
    """Return the release that was made: ``v26``."""
    found = _VERSION.search(text)
    return f"v{int(found['version'])}" if found else None


def app(text: str) -> tuple[str, bool] | None:
    """Return the application, and whether git named it: the host of its page may have a suffix."""
    if found := _TO.fullmatch(text):
        return found["app"], True
    page = _DEPLOYED.match(text)
    return (page["host"], False) if page else None


def commit(text: str) -> str | None:
    """Return the commit that was pushed; None for a first push, which names none."""
    found = _REF.fullmatch(text)
    return found["commit"] if found else None


def marked(text: str) -> str | None:
    """Return the text of a line that is marked with ``!``."""
    found = _MARKED.fullmatch(text)
    return (found["text"] or "").strip() or None if found else None


def outcome(text: str) -> str | None:
    """Return how the build ended, where the line says it: timed_out, too_large, release_failed, failed, succeeded."""
    said = marked(text)
    for name, form in _FAILURES:
        if form.search(said) if said else form.match(text):
            return name
    return "succeeded" if _SUCCESS.match(text) else None


OUTCOMES = (*(name for name, _ in _FAILURES), "succeeded")
"""How a build ends, the gravest first: of several that a build prints, the first of these holds."""
