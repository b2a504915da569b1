"""Close codes that may be sent on (RFC 6455, 7.4)."""

import pytest

from sakimori_api_gateway.domain.closing import passable


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        (1000, 1000),
        (1001, 1001),
        (1009, 1009),
        (1012, 1012),
        (3000, 3000),
        (4999, 4999),
        (1005, 1000),
        (1006, 1013),
        (1004, 1013),
        (1015, 1013),
        (999, 1013),
        (2999, 1013),
        (5000, 1013),
        (None, 1013),
    ],
)
def test_a_code_passes_unless_it_may_never_be_sent(code: int | None, sent: int) -> None:
    assert passable(code, otherwise=1013) == sent
