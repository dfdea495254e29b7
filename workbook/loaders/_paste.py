"""A paste is cut into outputs at prompts and at the first lines of outputs, and each is given to its reader.

A reader of an output is any file of this folder with a function ``part``; there is no list of them.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType

from workbook import loaders
from workbook.loaders import Context, Reading, _account, _columns, _log_lines, _prompts, _wrapped

Numbered = list[tuple[int, str]]
"""Lines that are not blank, each with its number from 1."""

_SURE = 0.95
_AMONG_LOG = 0.99
_MIXED = 0.96
_LEAST_SURE = 0.25
_LONGEST_BEGINNING = 1_000
_LONGEST_LINE = 8_000
"""Longer lines are of no output: forms are not tried on them, so that no line takes minutes."""


@dataclass
class Part:
    """Some lines of one output: its reader (None for no known one), the prompt's lines before it, and why it is not read."""

    reader: ModuleType | None = None
    prompt: Numbered = field(default_factory=list)
    command: _prompts.Command | None = None
    lines: Numbered = field(default_factory=list)
    reason: str = "output of an unknown command"


@functools.cache
def readers() -> tuple[ModuleType, ...]:
    """Return the readers of outputs, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(loaders.__path__))
    modules = [
        importlib.import_module(f"workbook.loaders.{name}") for name in names if not name.startswith("_")
    ]
    return (*(module for module in modules if hasattr(module, "part")), _log_lines)


def read(lines: list[str], context: Context) -> Reading:
    """Return the rows of every output in the lines, and of the commands; everything else as unread lines."""
    numbered = [(at, text) for at, text in enumerate(lines, 1) if text.strip()]
    return _account.merged([_read_part(part, context) for part in cut(numbered)])


def score_of(name: str) -> Callable[[list[str]], float]:
    """Return the function ``score(head)`` of the reader with that module name."""
    return lambda head: _scores(tuple(head)).get(name.rpartition(".")[2], 0.0)


def mixed_score(head: list[str]) -> float:
    """Return how sure it is that the lines are outputs of several commands, or one among text that is not known."""
    return _scores(tuple(head)).get("", 0.0)


@functools.lru_cache(maxsize=4)
def _scores(head: tuple[str, ...]) -> dict[str, float]:
    """How sure each reader of outputs is, by name; "" for a mixture. A reader counts when it gets rows out of its part."""
    known: dict[str, int] = {}
    prompts = 0
    for part in cut(list(enumerate(head, 1))):
        prompts += len(part.prompt)
        if part.reader is None:
            continue
        reading = _read_part(_without_prompt(part), Context("head"))
        rows = {int(line) for table in reading.tables.values() for line in table["line"]}
        if rows:
            name = part.reader.__name__.rpartition(".")[2]
            unread = {line for line, reason, _ in reading.unread if not reason.startswith("field ")}
            known[name] = known.get(name, 0) + len(part.lines) - len(unread)
    log = known.pop("_log_lines", 0)
    if not known:
        return {}
    share = (sum(known.values()) + prompts) / len(head)
    if log:
        return {"": _AMONG_LOG}
    if len(known) > 1:
        return {"": max(_MIXED * share, _LEAST_SURE)}
    return {"": _LEAST_SURE, next(iter(known)): _SURE * share}


def _without_prompt(part: Part) -> Part:
    """Return the part without its prompt."""
    return Part(part.reader, [], part.command, part.lines, part.reason)


def cut(numbered: Numbered) -> list[Part]:
    """Return the outputs in the lines, in their order; what is no part of any output comes last, with its reason."""
    texts = [text for _, text in numbered]
    parts, aside = [Part()], []
    within_key = False
    for index, (at, text) in enumerate(numbered):
        current = parts[-1]
        if within_key or _prompts.KEY_BEGINS.fullmatch(text):
            within_key = _prompts.KEY_ENDS.fullmatch(text) is None
            aside.append(Part(lines=[(at, "[private key]")], reason="a private key, which is not kept"))
        elif len(text) > _LONGEST_BEGINNING and not _prompts.is_log_line(text):
            current.lines.append((at, text))
        elif current.command and not current.lines and current.command.typed.endswith("\\"):
            typed = current.command.typed.rstrip("\\ ") + " " + text.strip()
            parts[-1] = _prompted([*current.prompt, (at, text)], _prompts.parsed(typed))
        elif command := _prompts.command(text):
            parts.append(_prompted([(at, text)], command))
        elif _prompts.is_log_line(text):
            if current.reader is not _log_lines:
                parts.append(Part(_log_lines))
            parts[-1].lines.append((at, text))
        elif reader := _beginning(texts, index, current):
            if reader is not current.reader:
                parts.append(_begun(reader, current))
            parts[-1].lines.append((at, text))
        elif reason := _aside(text, current):
            aside.append(Part(lines=[(at, text)], reason=reason))
        else:
            current.lines.append((at, text))
    return [part for part in [*parts, *aside] if part.lines or part.prompt]


def _prompted(prompt: Numbered, command: _prompts.Command) -> Part:
    """The part that a prompt begins: of the reader that knows the command, or of none."""
    reader = next((one for one in readers() if command.name in one.COMMANDS), None)
    return Part(reader, prompt, command, reason=f"output of {command.name}, which is not read")


def _beginning(texts: list[str], index: int, current: Part) -> ModuleType | None:
    """The reader whose output begins at the line, or below the box's edge there; the current one before any other."""
    if (
        texts[index].lstrip()[:1] in ("┌", "╔", "+")
        and _columns.is_ruler(texts[index])
        and index + 1 < len(texts)
    ):
        index += 1
    if current.reader is not None and current.reader.begins(texts, index):
        return current.reader
    return next((one for one in readers() if one.begins(texts, index)), None)


def _begun(reader: ModuleType, current: Part) -> Part:
    """A part whose reader was known by its first line; the prompt just before it was of its command."""
    fresh = current.prompt and not current.lines
    return Part(reader, command=current.command if fresh else None)


def _aside(text: str, current: Part) -> str | None:
    """Why a line is part of no output; None when it may be one."""
    if _prompts.CUT.fullmatch(text):
        return "lines were left out here"
    if _prompts.is_empty_prompt(text):
        return "a prompt without a command"
    if getattr(current.reader, "TAKES_NOTICES", False):
        return None
    return "a notice of the command line" if _prompts.is_notice(text) else None


def _read_part(part: Part, context: Context) -> Reading:
    """Return the reading of a part; where lines are lost, also as it would be if its lines had been wrapped."""
    told = replace(context, command=part.command.typed if part.command else None)
    readings = []
    for lines in _wrapped.variants(part.lines):
        account = _account.Account(told, part.reader.TITLE if part.reader else "any output")
        if part.prompt and part.command:
            _say_command(account, part.prompt[0][0], part.command)
        if part.reader is None:
            for line in lines:
                account.refuse(line.at, part.reason)
        else:
            any_length = part.reader is _log_lines
            for line in lines:
                if len(line.text) > _LONGEST_LINE and not any_length:
                    account.refuse(line.at, "longer than a line of an output")
            fitting = [
                (line.at, line.text) for line in lines if len(line.text) <= _LONGEST_LINE or any_length
            ]
            if fitting:
                part.reader.part(fitting, account, told)
        pieces = {line.at: line.pieces for line in lines}
        lost = sum(len(pieces[at]) for at in account.unread(list(pieces))) + account.fields
        if part.prompt:
            pieces[part.prompt[0][0]] = part.prompt
        readings.append((lost, account, pieces))
        if not lost or part.reader in (None, _log_lines):
            break
    _, account, pieces = min(readings, key=lambda reading: reading[0])
    return account.reading(pieces)


def _say_command(account: _account.Account, at: int, command: _prompts.Command) -> None:
    account.row(
        "transcript", at, said="command", command=command.name, arguments=command.arguments or None,
        app=command.app, text=command.typed,
    )  # fmt: skip
