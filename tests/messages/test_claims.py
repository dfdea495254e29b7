"""No line is of two kinds, and no text stops a reader: every example inside every other, and any text at all."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbook.database import Database
from workbook.staging import kinds_of_line

KINDS = kinds_of_line()
LINE = re.compile(r"(?:\d{4}-\S+ )?([A-Za-z][\w-]*)\[([\w.-]+)\]: ?(.*)", re.DOTALL)


def examples() -> list[tuple[str, str, str]]:
    """Source, process and message of every line in the examples, and of the lines that only look alike."""
    texts = [text for module in KINDS.values() for text, _ in module.EXAMPLES]
    texts += [text for module in KINDS.values() for text in module.NOT_MINE]
    found = [LINE.fullmatch(line) for text in texts for line in text.split("\n")]
    return sorted({match.groups() for match in found if match})


EXAMPLES = examples()


@pytest.fixture(scope="module")
def database():
    opened = Database()
    yield opened
    opened.close()


def claimed_twice(database: Database) -> list[tuple]:
    """Lines of ``lines`` that several kinds claim."""
    claims = " UNION ALL ".join(
        f"SELECT line, '{name}' AS name FROM lines WHERE {module.CLAIMS}" for name, module in KINDS.items()
    )
    return database.fetch(
        f"WITH claims AS ({claims})"
        " SELECT line, any_value(message), list(name ORDER BY name)"
        " FROM claims JOIN lines USING (line) GROUP BY line HAVING count(*) > 1 ORDER BY line LIMIT 5"
    )


@pytest.mark.parametrize("between", ["", " ", "\n", ": ", ' "'])
def test_an_example_in_the_text_of_another_does_not_change_its_kind_to_two(database, between):
    sources, processes, messages = zip(*EXAMPLES, strict=True)
    database.execute(
        """
        CREATE OR REPLACE TEMP TABLE lines AS
        WITH examples AS (
            SELECT
                unnest($sources::VARCHAR[]) AS source,
                unnest($processes::VARCHAR[]) AS process,
                unnest($messages::VARCHAR[]) AS message
        ),
        tails AS (
            SELECT DISTINCT message AS tail FROM examples
        )
        SELECT
            1 AS source_id,
            row_number() OVER () AS line,
            source,
            process,
            message || $between || tail AS message
        FROM examples, tails
        """,
        sources=list(sources),
        processes=list(processes),
        messages=list(messages),
        between=between,
    )
    assert database.fetch("SELECT count(*) > 40000 FROM lines") == [(True,)]
    assert claimed_twice(database) == []


PLACES = sorted({(source, process) for source, process, _ in EXAMPLES})
MESSAGES = st.one_of(
    st.text(max_size=60),
    st.builds(
        lambda message, cut, put: message[:cut] + put + message[cut:],
        st.sampled_from([message for *_, message in EXAMPLES]),
        st.integers(0, 80),
        st.text(max_size=8),
    ),
    st.builds(
        lambda message, low, high: message[:low] + message[high:],
        st.sampled_from([message for *_, message in EXAMPLES]),
        st.integers(0, 80),
        st.integers(0, 120),
    ),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(lines=st.lists(st.tuples(st.sampled_from(PLACES), MESSAGES), min_size=1, max_size=120))
def test_no_text_stops_a_reader_or_is_read_twice(database, lines):
    """Each reader reads all lines that it claims, and makes rows of these lines only."""
    database.execute(
        """
        CREATE OR REPLACE TEMP TABLE lines AS
        SELECT
            1 AS source_id,
            row_number() OVER () AS line,
            TIMESTAMP '2024-03-04 05:06:07' AS time,
            NULL::TIMESTAMP AS received_at,
            *
        FROM (
            SELECT
                unnest($sources::VARCHAR[]) AS source,
                unnest($processes::VARCHAR[]) AS process,
                unnest($messages::VARCHAR[]) AS message
        )
        """,
        sources=[source for (source, _), _ in lines],
        processes=[process for (_, process), _ in lines],
        messages=[message for _, message in lines],
    )
    assert claimed_twice(database) == []
    for name, module in KINDS.items():
        database.execute(f"CREATE OR REPLACE TEMP VIEW claimed AS SELECT * FROM lines WHERE {module.CLAIMS}")
        if not database.fetch("SELECT EXISTS (FROM claimed)")[0][0]:
            continue
        read = f"WITH read AS ({module.ROWS}) SELECT count(*) FROM read WHERE line NOT IN (SELECT line FROM claimed)"
        assert database.fetch(read) == [(0,)], name
