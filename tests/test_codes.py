"""The table of H, R and L codes: complete, well formed, and usable for any code of a log."""

import ast
from pathlib import Path

import pytest

from workbook import codes

PUBLISHED = [
    "H10",
    "H11",
    "H12",
    "H13",
    "H14",
    "H15",
    "H16",
    "H17",
    "H18",
    "H19",
    "H20",
    "H21",
    "H22",
    "H23",
    "H24",
    "H25",
    "H26",
    "H27",
    "H28",
    "H31",
    "H32",
    "H80",
    "H81",
    "H82",
    "H83",
    "H99",
    "R10",
    "R11",
    "R12",
    "R13",
    "R14",
    "R15",
    "R16",
    "R17",
    "R99",
    "L10",
    "L11",
    "L12",
    "L13",
    "L14",
    "L15",
]


def test_every_published_code_is_there_once_and_no_other():
    assert sorted(codes.CODES) == sorted(PUBLISHED)
    assert all(key == entry.code for key, entry in codes.CODES.items())


@pytest.mark.parametrize("entry", codes.CODES.values(), ids=lambda entry: entry.code)
def test_an_entry_says_what_it_is_and_what_to_do(entry):
    assert entry.layer == {"H": "router", "R": "dyno", "L": "log"}[entry.code[0]]
    assert entry.severity in ("critical", "warning", "note")
    assert entry.name and entry.meaning and entry.next_step.endswith(".") and entry.reference
    assert not entry.meaning.endswith(".")
    assert entry.status == "" or entry.status.isdigit()


@pytest.mark.parametrize(
    ("code", "name", "status"),
    [
        ("H10", "App crashed", "503"),
        ("H12", "Request timeout", "503"),
        ("H25", "HTTP Restriction", "502"),
        ("H27", "Client Request Interrupted", "499"),
        ("R14", "Memory quota exceeded", ""),
        ("L11", "Tail buffer overflow", ""),
    ],
)
def test_official_names_and_statuses(code, name, status):
    assert (codes.code(code).name, codes.code(code).status) == (name, status)


def test_what_kills_dynos_or_breaks_requests_is_critical_and_what_the_owner_or_visitor_did_is_not():
    assert {"H12", "H10", "H14", "R15"} <= {
        code for code, one in codes.CODES.items() if one.severity == "critical"
    }
    assert {codes.code(code).severity for code in codes.MAINTENANCE + codes.CLIENT_GONE} == {"note"}
    assert all(codes.code(code).layer == "log" and code in codes.CODES for code in codes.LOST)


def test_an_own_status_and_an_unknown_code_have_an_entry_too():
    own = codes.code("app502")
    assert (own.layer, own.status) == ("app", "502") and "502" in own.meaning
    unknown = codes.code("H77")
    assert (unknown.name, unknown.layer, unknown.severity) == ("H77", "router", "warning")
    assert codes.code("R42").layer == "dyno" and codes.code("L42").layer == "log"


def test_the_table_is_data_and_imports_nothing_of_ours():
    tree = ast.parse(Path(codes.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "dataclasses"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
