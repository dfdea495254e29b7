"""What a build prints: ``git push heroku``, ``heroku builds:output``, the build log of the dashboard, a CI's log of a push.

Each ``----->`` heading is a step. Times stand only where a buildpack or a tool prints them (``completed (35.29s)``), or where
a CI put its own time before each line. A paste without a time has none; ``heroku releases`` dates it by its version. The
lines below a heading are kept whole in ``build_steps.output``. Dev Center: "Slug compiler", "Build behavior", "Release phase".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from workbook.loaders import Context, _account, _build_facts, _paste

TITLE = "output of a build"
COMMANDS = ("git push", "heroku builds:output")
TAKES_NOTICES = True

_ADDON = re.compile(
    r"(?:Adding|Attaching|Removing|Destroying|Upgrading|Creating) \S+ (?:on|to|from|for) .*\.\.\..*"
)

EXAMPLES = (
    (
        # the book, chapter 7
        "----> Preparing app for Rails asset pipeline\n"
        "      Running: rake assets:precompile\n"
        "      Asset precompilation completed (35.29s)\n",
        {
            "builds": (
                {"line": 1, "time": None, "version": None, "buildpacks": None, "seconds": None, "printed_seconds": 35.29,
                 "slug_mb": None, "cached": False, "outcome": None, "message": None},
            ),
            "build_steps": (
                {"line": 1, "build": 1, "step": 1, "name": "Preparing app for Rails asset pipeline", "kind": "assets",
                 "seconds": 35.29, "cached": False,
                 "output": "Running: rake assets:precompile\nAsset precompilation completed (35.29s)"},
            ),
        },
    ),
    (
        # the book, chapter 7: the first deploy with another buildpack, and one that finds its assets in the cache
        "----> Fetching custom git buildpack... done\n"
        "\n"
        "----> Preparing app for Rails asset pipeline  \n"
        "Assets already compiled, loading from cache\n",
        {
            "builds": ({"line": 1, "buildpacks": "custom", "cached": True, "printed_seconds": None, "outcome": None},),
            "build_steps": (
                {"line": 1, "build": 1, "step": 1, "name": "Fetching custom git buildpack", "kind": "buildpack",
                 "seconds": None, "cached": None, "output": None},
                {"line": 3, "build": 1, "step": 2, "name": "Preparing app for Rails asset pipeline", "seconds": None,
                 "cached": True},
            ),
        },
    ),
    (
        "$ git push heroku master\n"
        "Counting objects: 7, done.\n"
        "Writing objects: 100% (7/7), 1.28 KiB | 0 bytes/s, done.\n"
        "Total 7 (delta 3), reused 0 (delta 0)\n"
        "\n"
        "-----> Fetching set buildpack https://dev:s3cret@git.example.com/ruby.git... done\n"
        "-----> Ruby/Rails app detected\n"
        "-----> Installing dependencies using Bundler version 1.3.2\n"
        "       Using rake (10.0.4)\n"
        "       Bundle completed (12.34s)\n"
        "-----> Compressing... done, 43.1MB\n"
        "-----> Launching... done, v26\n"
        "       http://shop.herokuapp.com deployed to Heroku\n"
        "\n"
        "To git@heroku.com:shop.git\n"
        "   5a0e2fb..1a2b3c4  master -> master\n",
        {
            "builds": (
                {"line": 2, "app": "shop", "version": "v26", "commit": "1a2b3c4", "slug_mb": 43.1, "outcome": "succeeded",
                 "buildpacks": "https://git.example.com/ruby.git, Ruby/Rails", "stack": None, "cached": None,
                 "printed_seconds": 12.34},
            ),
            "build_steps": (
                {"line": 6, "build": 2, "step": 1, "name": "Fetching set buildpack https://git.example.com/ruby.git"},
                {"line": 7, "step": 2, "name": "Ruby/Rails app detected"},
                {"line": 8, "step": 3, "kind": "dependencies", "seconds": 12.34,
                 "output": "Using rake (10.0.4)\nBundle completed (12.34s)"},
                {"line": 11, "step": 4, "name": "Compressing", "kind": "slug"},
                {"line": 12, "step": 5, "name": "Launching", "kind": "launch"},
            ),
            "transcript": ({"line": 1, "said": "command", "command": "git push"},),
        },
    ),
    (
        "Enumerating objects: 5, done.\n"
        "remote: Compressing source files... done.        \n"
        "remote: Building source:        \n"
        "remote:         \n"
        "remote: -----> Building on the Heroku-22 stack        \n"
        "remote: -----> Using buildpacks:        \n"
        "remote:        1. heroku/nodejs        \n"
        "remote:        2. heroku/ruby        \n"
        "remote: -----> Node.js app detected        \n"
        "remote: -----> Installing dependencies        \n"
        "remote:        Installing node modules (yarn.lock)        \n"
        "remote:        Done in 25.31s.        \n"
        "remote: -----> Compressing...        \n"
        "remote:        Done: 83.2M        \n"
        "remote: -----> Launching...        \n"
        "remote:  !     Release command declared: this new release will not be available until the command succeeds.        \n"
        "remote:        Released v99        \n"
        "remote:        https://shop-0a1b2c3d4e5f.herokuapp.com/ deployed to Heroku        \n"
        "remote: Verifying deploy... done.        \n"
        "remote: Running release command...        \n"
        "remote: rake aborted!        \n"
        "remote: Waiting for release.... failed.        \n"
        "To https://git.heroku.com/shop.git\n"
        "   5a0e2fb..1a2b3c4  main -> main\n",
        {
            "builds": (
                {"line": 1, "app": "shop", "version": "v99", "slug_mb": 83.2, "outcome": "release_failed", "stack": "Heroku-22",
                 "buildpacks": "heroku/nodejs, heroku/ruby", "printed_seconds": 25.31,
                 "message": "Release command declared: this new release will not be available until the command succeeds."},
            ),
            "build_steps": (
                {"line": 5, "step": 1}, {"line": 6, "step": 2, "name": "Using buildpacks:"}, {"line": 9, "step": 3},
                {"line": 10, "step": 4, "kind": "dependencies", "seconds": 25.31}, {"line": 13, "step": 5},
                {"line": 15, "step": 6},
                {"line": 20, "step": 7, "name": "Running release command", "kind": "release_phase",
                 "output": "rake aborted!\nWaiting for release.... failed."},
            ),
        },
    ),
    (
        # a CI puts its time before each line; this build never ended
        "2024-02-03T04:05:06.0708091Z remote: -----> Running: go get -tags heroku ./...\n"
        "2024-02-03T04:20:07.0708091Z remote:  !     Timed out compiling Go app (15 minutes)\n"
        "2024-02-03T04:20:08.0708091Z  ! [remote rejected] main -> main (pre-receive hook declined)\n"
        "2024-02-03T04:20:08.1708091Z error: failed to push some refs to 'https://git.heroku.com/shop.git'\n",
        {
            "builds": (
                {"line": 1, "time": "2024-02-03 04:05:06.070809", "seconds": 901.0, "outcome": "timed_out",
                 "message": "Timed out compiling Go app (15 minutes)"},
            ),
            "build_steps": ({"line": 1, "time": "2024-02-03 04:05:06.070809", "seconds": 901.0},),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "-----> Adding heroku-postgresql:crane on shop... done, v3 ($50/mo)\n",
    "Released v3 of our handbook\n",
    "2014-05-02T11:20:30.101202+00:00 heroku[slug-compiler]: Slug compilation started\n",
    "To git@github.example.com:shop/site.git\n   5a0e2fb..1a2b3c4  master -> master\n",
)


@dataclass
class _Step:
    at: int
    heading: str
    time: datetime | None
    output: list[str] = field(default_factory=list)
    last_time: datetime | None = None

    def seconds(self, until: datetime | None) -> float | None:
        """What the buildpack says, else what a tool says (tools nest: the longest), else from the lines' times."""
        said = [self.heading, *self.output]
        own = [found for text in said if (found := _build_facts.own_seconds(text)) is not None]
        tools = [found for text in said if (found := _build_facts.tool_seconds(text)) is not None]
        printed = round(sum(own), 3) if own else max(tools, default=None)
        until = until or self.last_time
        if printed is None and self.time and until and until > self.time:
            return round((until - self.time).total_seconds(), 6)
        return printed

    @property
    def does_work(self) -> bool:
        """Whether it builds something: what is fetched and detected comes before."""
        return _build_facts.kind_of(self.heading) in ("assets", "dependencies", "slug", "launch")

    def printed(self) -> float | None:
        """What the output itself says that the step took, in s."""
        return _Step(self.at, self.heading, None, self.output).seconds(None)

    def cached(self) -> bool | None:
        said = [found for text in self.output if (found := _build_facts.cached(text)) is not None]
        return None if not said else any(said)


@dataclass
class _Build:
    at: int
    lines: list[int] = field(default_factory=list)
    steps: list[_Step] = field(default_factory=list)
    facts: dict[str, str | float | None] = field(default_factory=dict)
    named: list[str] = field(default_factory=list)
    detected: list[str] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)
    marked: list[str] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    is_pushed: bool = False

    def ends_before(self, line: _build_facts.Line) -> bool:
        """Whether the line begins another build."""
        if not _build_facts.begins(line):
            return False
        if line.heading is None:
            return bool(self.steps) or self.is_pushed
        kind = _build_facts.kind_of(line.heading)
        again = kind in ("assets", "slug", "launch") and line.heading in [step.heading for step in self.steps]
        begun = self.detected or self.facts.get("stack") or any(step.does_work for step in self.steps)
        first = _build_facts.is_first_heading(line.heading) and bool(begun)
        return self.is_pushed or "version" in self.facts or again or first

    def take(self, line: _build_facts.Line, time: datetime | None) -> None:
        """Take a line of this build: a heading, a line below one, or git's own."""
        self.lines.append(line.at)
        if time and not _build_facts.is_git(line) and not self.is_released:
            self.times.append(time)
        if line.heading is not None:
            if self.steps and time:
                self.steps[-1].last_time = time
            self.steps.append(_Step(line.at, line.heading, time))
        elif self.steps and line.text and not _build_facts.is_git(line):
            self.steps[-1].output.append(_build_facts.without_credentials(line.text))
            self.steps[-1].last_time = time or self.steps[-1].last_time
        self.is_pushed = self.is_pushed or _build_facts.is_last(line)
        self._note(line.heading or line.text)

    def _note(self, text: str) -> None:
        for name in ("version", "slug_mb", "stack", "commit"):
            if (found := getattr(_build_facts, name)(text)) is not None:
                self.facts[name] = found
        if (app := _build_facts.app(text)) and (app[1] or "app" not in self.facts):
            self.facts["app"] = app[0]
        pack = _build_facts.buildpack(text)
        if pack is None and self.steps and self.steps[-1].heading.startswith("Using buildpacks"):
            pack = _build_facts.listed_buildpack(text)
        if pack:
            self.named.append(pack)
        if found := _build_facts.detected(text):
            self.detected.append(found)
        if ended := _build_facts.outcome(text):
            self.outcomes.add(ended)
        if (said := _build_facts.marked(text)) and not _build_facts.is_ref(text):
            self.marked.append(_build_facts.without_credentials(said))

    @property
    def is_released(self) -> bool:
        """Whether the command of the release phase runs, which is no part of the build's time."""
        return any(_build_facts.kind_of(step.heading) == "release_phase" for step in self.steps)

    @property
    def is_build(self) -> bool:
        """Whether anything of it is a build's: git alone may have been pushed elsewhere, or found nothing new."""
        return bool(self.steps) or "version" in self.facts or "slug_mb" in self.facts

    def tell(self, account: _account.Account) -> None:
        """Give the build and its steps as rows."""
        steps = [step.cached() for step in self.steps if _build_facts.kind_of(step.heading) == "assets"]
        cached = [one for one in steps if one is not None]
        printed = [found for step in self.steps if (found := step.printed()) is not None]
        first, last = min(self.times, default=None), max(self.times, default=None)
        # a set buildpack is named by itself; what several listed ones detect says nothing more
        packs = self.named if len(self.named) > 1 else [*self.named, *self.detected]
        account.row(
            "builds",
            self.at,
            time=first,
            app=self.facts.get("app"),
            version=self.facts.get("version"),
            commit=self.facts.get("commit"),
            buildpacks=", ".join(dict.fromkeys(packs)) or None,
            stack=self.facts.get("stack"),
            seconds=(last - first).total_seconds() if first and last and last > first else None,
            printed_seconds=round(sum(printed), 3) if printed else None,
            slug_mb=self.facts.get("slug_mb"),
            cached=any(cached) if cached else None,
            outcome=next((name for name in _build_facts.OUTCOMES if name in self.outcomes), None),
            message="\n".join(self.marked) or None,
        )
        for number, step in enumerate(self.steps, 1):
            until = self.steps[number].time if number < len(self.steps) else None
            account.row(
                "build_steps",
                step.at,
                time=step.time,
                build=self.at,
                step=number,
                name=_build_facts.title_of(step.heading),
                kind=_build_facts.kind_of(step.heading),
                seconds=step.seconds(until),
                cached=step.cached(),
                output="\n".join(step.output) or None,
            )


def begins(lines: list[str], at: int) -> bool:
    """Say whether a step's heading stands there, or what git and Heroku print before the first one."""
    line = _build_facts.line(1, lines[at])
    return _build_facts.begins(line) and not (line.heading and _ADDON.fullmatch(line.heading))


def part(lines: list[tuple[int, str]], account: _account.Account, context: Context) -> None:
    """Take each build as a row of ``builds``, each of its headings as a row of ``build_steps``; the rest is joined to them."""
    found = [_build_facts.line(at, text) for at, text in lines]
    # some mail programs and web pages take the margins away
    has_margins = any(line.is_inner for line in found)
    builds: list[_Build] = []
    for line in found:
        if not builds or builds[-1].ends_before(line):
            if not _build_facts.begins(line):
                continue
            builds.append(_Build(line.at))
        if _is_of(line, builds[-1], has_margins):
            builds[-1].take(line, account.clock.read(line.time) if line.time else None)
    for build in builds:
        if build.is_build:
            build.tell(account)
        for at in build.lines:
            if build.is_build:
                account.join(at)
            else:
                account.refuse(at, "git's own line of a push without a build")


def _is_of(line: _build_facts.Line, build: _Build, has_margins: bool) -> bool:
    if _build_facts.is_git(line):
        return True
    if build.is_pushed:
        return False
    known = (
        line.heading is not None
        or line.is_inner
        or not line.text
        or line.text.startswith("!")
        or _build_facts.outcome(line.text) is not None
        or _build_facts.cached(line.text) is not None
        or _build_facts.own_seconds(line.text) is not None
        or _build_facts.slug_mb(line.text) is not None
    )
    return known or (not has_margins and bool(build.steps))


score, read = _paste.score_of(__name__), _paste.read
