"""The tables of PROTOCOL.md: written from the declarations, and in it as they are."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from stages.colors import Color
from stages.encodings import ENCODINGS
from stages.operations import OPERATIONS
from stages.reference import takes, with_tables

DOCUMENT = (Path(__file__).parents[2] / "PROTOCOL.md").read_text()
PLACES = """before
<!-- options: written by x -->
stale
<!-- end of options -->
between
<!-- operations: written by x -->
<!-- end of operations -->
behind
"""


def rows(document: str) -> list[list[str]]:
    """Cells of all rows of all tables."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in document.splitlines() if line.startswith("|")]


def test_protocol_has_the_tables_of_what_there_is() -> None:
    assert with_tables(DOCUMENT) == DOCUMENT, "PROTOCOL.md is stale: run make protocol"


def test_tables_name_every_operation_and_format_and_say_what_each_of_their_parameters_means() -> None:
    tables = rows(with_tables(PLACES))

    assert [row[0] for row in tables if row[0].startswith("`")] == [f"`{name}`" for name in (*ENCODINGS, *OPERATIONS)]
    assert [row for row in tables if not row[-1]] == []


def test_tables_are_written_in_their_places_and_nowhere_else() -> None:
    written = with_tables(PLACES)

    assert "stale" not in written
    assert [line for line in written.splitlines() if not line.startswith("|")] == [
        line for line in PLACES.splitlines() if line != "stale"
    ]
    assert with_tables(written) == written


@pytest.mark.parametrize("document", ["", PLACES.replace("operations", "options"), PLACES + PLACES])
def test_document_without_one_place_for_each_table_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="must have one each for operations, options"):
        with_tables(document)


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "integer"),
        (bool, "boolean"),
        (Annotated[str, Meta(min_length=1, max_length=64)], "string of 1 to 64 characters"),
        (Annotated[int, Meta(ge=1)], "integer, at least 1"),
        (Annotated[float, Meta(ge=0, le=1, description="x")], "number, 0 to 1"),
        (Annotated[float, Meta(gt=0, le=9)] | None, "number, over 0, at most 9"),
        (Literal["b", "a"], '`"b"`, `"a"`'),
        (Literal["a"] | tuple[float, float] | None, '`"a"` or [number, number]'),
        (Annotated[Color, Meta(description="x")] | None, "colour"),
    ],
)
def test_type_is_told_in_words(hint: Any, words: str) -> None:
    assert takes(hint) == words
