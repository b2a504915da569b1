"""Cursors of paging."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_api_gateway.domain.cursor import Cursor, CursorError, Sort, read_cursor, write_cursor


@given(st.sampled_from(Sort), st.integers(0, 4), st.integers(0, 253_402_300_799_999_999), st.text(min_size=1))
def test_a_cursor_reads_back_as_it_was_written(sort: Sort, rank: int, created_at: int, identity: str) -> None:
    cursor = Cursor(sort, rank, created_at, identity.encode("utf-8", "replace").decode())
    assert read_cursor(write_cursor(cursor), sort) == cursor


def test_a_cursor_belongs_to_one_order() -> None:
    with pytest.raises(CursorError, match="sort=newest"):
        read_cursor(write_cursor(Cursor(Sort.NEWEST, 0, 1, "x")), Sort.SEVERITY)


@given(st.text())
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(CursorError):
        read_cursor(text, Sort.SEVERITY)
