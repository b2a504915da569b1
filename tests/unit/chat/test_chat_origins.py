import pytest

from sakimori_chat.domain.origins import Foreign, foreign_by_origin, parse_origins

OURS = ["chat.example", "10.0.0.5:8001"]


@pytest.mark.parametrize(
    ("origin", "fetch_site", "reason"),
    [
        (None, None, None),
        (None, "same-origin", None),
        (None, "none", None),
        (None, "same-site", Foreign.CROSS_SITE),
        (None, "cross-site", Foreign.CROSS_SITE),
        (None, "nonsense", Foreign.CROSS_SITE),
        ("https://chat.example", None, None),
        ("http://chat.example", None, None),
        ("https://CHAT.example", None, None),
        ("http://10.0.0.5:8001", "same-origin", None),
        ("https://chat.example:8443", None, Foreign.ORIGIN_FOREIGN),
        ("https://chat.example.evil.example", None, Foreign.ORIGIN_FOREIGN),
        ("https://evil.example", None, Foreign.ORIGIN_FOREIGN),
        ("https://evil.example", "same-origin", Foreign.ORIGIN_FOREIGN),
        ("https://evil.example", "cross-site", Foreign.CROSS_SITE),
        ("file://chat.example", None, Foreign.ORIGIN_FOREIGN),
        ("chat.example", None, Foreign.ORIGIN_FOREIGN),
        ("", None, Foreign.ORIGIN_FOREIGN),
        ("null", None, Foreign.ORIGIN_NULL),
        ("null", "cross-site", Foreign.CROSS_SITE),
        ("null", "same-origin", None),
        ("https://friend.example", "cross-site", None),
        ("https://friend.example:444", None, Foreign.ORIGIN_FOREIGN),
    ],
)
def test_a_page_is_ours_or_a_friends_by_its_origin(
    origin: str | None, fetch_site: str | None, reason: Foreign | None
) -> None:
    assert foreign_by_origin(origin, fetch_site, OURS, ["https://friend.example"]) is reason


def test_a_port_that_is_understood_may_be_named_at_one_end_alone() -> None:
    assert foreign_by_origin("https://chat.example", None, ["chat.example:443"], []) is None
    assert foreign_by_origin("http://chat.example", None, ["chat.example:443"], []) is Foreign.ORIGIN_FOREIGN


def test_no_host_is_nobodys_origin() -> None:
    assert foreign_by_origin("https://", None, ["", ""], []) is Foreign.ORIGIN_FOREIGN


def test_origins_are_read_as_browsers_write_them() -> None:
    assert parse_origins(" https://chat.example , http://Chat.example:8080 ") == (
        "https://chat.example",
        "http://chat.example:8080",
    )


@pytest.mark.parametrize("wrong", ["chat.example", "https://chat.example/", "ftp://chat.example", "https://", "null"])
def test_what_is_no_origin_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        parse_origins(wrong)
