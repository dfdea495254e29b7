"""Routes: what names one thing in a path is replaced, by the rules of a small reader in plain Python."""

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbook.database import Database

UUID = "550e8400-e29b-41d4-a716-446655440000"
HASH = "0123456789abcdef0123456789abcdef"
EXTENSION = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]{0,9}){0,2}\Z", re.ASCII)
MONTHS = re.compile(r"/(?:19|20)\d\d/(?:0?[1-9]|1[0-2])(?=/|\Z)", re.ASCII)


def route_of(path: str) -> str:
    """The route of a path, segment by segment."""
    bare = re.sub(r";[^/]*", "", re.split(r"[?#]", path, maxsplit=1)[0])
    bare = re.sub(r"//+", "/", bare).rstrip("/") or "/"
    if re.fullmatch(r"/(404|422|500)(\.\w+)?", bare, re.ASCII):
        return bare
    return "/".join(route_segment(segment) for segment in MONTHS.sub("/:year/:month", bare).split("/"))


def route_segment(segment: str) -> str:
    """What stands for one segment."""
    try:
        decoded = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        decoded = segment
    if "@" in decoded and "." in decoded:
        return ":email"
    # the shortest text before the extensions that names something decides
    for cut in sorted({len(decoded), *(found.start() for found in EXTENSION.finditer(decoded))}):
        stem, extension = decoded[:cut], decoded[cut:]
        if kind := segment_kind(stem):
            return kind + extension
    if re.search(r".-[0-9a-f]{8,64}(\.\w+)+\Z", segment, re.ASCII) and re.search(
        r"-[a-f]*[0-9][0-9a-f]*(\.\w+)+\Z", segment, re.ASCII
    ):
        return re.sub(r"-[0-9a-f]{8,64}((?:\.\w+)+)\Z", r"-:fp\1", segment, flags=re.ASCII)
    stem = decoded[: next(EXTENSION.finditer(decoded)).start()]
    random = re.fullmatch(r"[A-Za-z0-9_-]{20,}(\.[A-Za-z0-9_-]{20,})*", stem)
    if random and re.search("[0-9]", stem) and re.search("[a-z]", stem) and re.search("[A-Z]", stem):
        return ":token" + decoded[len(stem) :]
    return segment


def segment_kind(stem: str) -> str | None:
    """What a segment without its extension names."""
    digits, letters = len(re.findall("[0-9]", stem)), len(re.findall("[a-f]", stem))
    if re.fullmatch(r"(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", stem):
        return ":uuid"
    if re.fullmatch("[0-9]+", stem):
        return ":id"
    if re.fullmatch("[0-9a-f]{16,}", stem) and digits and letters:
        return ":hash"
    if re.fullmatch("[0-9a-f]+", stem) and len(stem) in (7, 8, 10, 12) and digits >= 2 and letters:
        return ":hash"
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", stem):
        return ":date"
    if re.fullmatch(r"[0-9]+-[a-z0-9-]+", stem):
        return ":id-slug"
    return None


@pytest.fixture(scope="module")
def database():
    opened = Database()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/users/5", "/users/:id"),
        ("/users/5.json", "/users/:id.json"),
        ("/users/new", "/users/new"),
        (f"/orders/{UUID}/items/7?x=1", "/orders/:uuid/items/:id"),
        ("/c/9fceb02", "/c/:hash"),
        ("/c/facade7", "/c/facade7"),
        ("/c/deadbeef", "/c/deadbeef"),
        (f"/assets/app-{HASH}.css", "/assets/app-:fp.css"),
        ("/posts/42-hello-world", "/posts/:id-slug"),
        ("/404", "/404"),
        ("/v2/items//7/", "/v2/items/:id"),
        ("/r/2013-06-09", "/r/:date"),
        ("/u/a@b.com", "/u/:email"),
        ("/u/a%40b.com", "/u/:email"),
        ("/2013/06/hello", "/:year/:month/hello"),
        ("/2013/06/2014/07/2015/08", "/:year/:month/:year/:month/:year/:month"),
        ("/2013/6000", "/:id/:id"),
        ("/en/a;jsessionid=9F3A/b", "/en/a/b"),
        (f"/files/{UUID}.pdf", "/files/:uuid.pdf"),
        ("/t/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "/t/:token"),
        ("/users/404", "/users/:id"),
        ("/price lists/a service=9ms b.pdf", "/price lists/a service=9ms b.pdf"),
        ("/%ff%zz1", "/%ff%zz1"),
        ("", "/"),
        ("/", "/"),
        ("//?a=1", "/"),
        ("/x#y", "/x"),
        ("*", "*"),
        (None, None),
    ],
)
def test_a_path_has_this_route(database, path, route):
    assert database.fetch("SELECT route_of($path::VARCHAR)", path=path) == [(route,)]
    if path is not None:
        assert route_of(path) == route


SEGMENTS = st.one_of(
    st.sampled_from(
        ["users", "new", "v2", "404", "2013", "06", "2014", "12", "9fceb02", "facade7", "deadbeef", "", "."]
    ),
    st.sampled_from(
        [UUID, UUID.upper(), UUID.replace("-", ""), "42-hello", "2013-06-09", "a@b.com", "a%40b.com", "%ff"]
    ),
    st.sampled_from(
        [HASH, HASH[:16], "app-0a1b2c3d", f"app-{HASH}", "app-deadbeef", "x-1", "JBSWY3DPEHPK3PXPabcd9"]
    ),
    st.text(alphabet="abcdef0123456789-", max_size=20),
    st.text(alphabet="abzAZ09%@;. :é\n", max_size=8),
)
PATHS = st.builds(
    lambda segments, query: "/" + "/".join(segments) + query,
    st.lists(
        st.builds(str.__add__, SEGMENTS, st.sampled_from(["", "", ".json", ".tar.gz", ".min.js", ".1"])),
        max_size=5,
    ),
    st.sampled_from(["", "", "/", "?a=/users/5", "#x"]),
)


@settings(max_examples=60, deadline=None)
@given(paths=st.lists(PATHS, min_size=1, max_size=60))
def test_the_route_is_what_plain_python_finds_and_its_own_route(database, paths):
    """Many paths at once: the fast way for simple paths must give what the way by segments gives."""
    routes = routes_of(database, paths)
    assert routes == [route_of(path) for path in paths]
    assert routes_of(database, routes) == routes


def routes_of(database: Database, paths: list[str]) -> list[str]:
    """The routes that the database finds, in the order of the paths."""
    rows = database.fetch(
        "SELECT route_of(path) FROM (SELECT unnest($paths::VARCHAR[]) AS path)", paths=paths
    )
    return [route for (route,) in rows]
