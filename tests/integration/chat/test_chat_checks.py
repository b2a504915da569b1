"""The checks of what is said, in the running chat over real Valkey, as rooms are set by default."""

from pathlib import Path

import pytest

from integration.chat.conftest import OpenChat, chat_running
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually

FISHING = "Come and see my new channel, it has everything about fishing"
RAID = "This room is ours now, everybody leave and join the winners over at the other place tonight"


async def test_the_third_time_that_somebody_says_the_same_is_refused(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    codes = []
    for text in (FISHING, FISHING.upper() + "!!!", f"  {FISHING} 4711", "something else"):
        response = await visitor.post(text)
        codes.append((response.status_code, response.json().get("code")))
    assert codes == [(200, None), (200, None), (422, "duplicate"), (200, None)]


async def test_a_raid_of_new_identities_is_refused(chat: OpenChat) -> None:
    codes = [(await (await chat.visitor()).post(RAID)).status_code for _ in range(4)]
    assert codes == [200, 200, 422, 422]


@pytest.mark.parametrize("text", ["ok", "草", "ㅋㅋㅋㅋ", "おはようございます"])
async def test_what_everybody_says_is_not(chat: OpenChat, text: str) -> None:
    codes = [(await (await chat.visitor()).post(text)).status_code for _ in range(7)]
    assert codes == [200] * 7


@pytest.mark.parametrize("name", ["admin", "аdmin", "bot-weather", "anon-0a1b2c3d", "Аnna"])
async def test_a_name_that_pretends_is_refused(chat: OpenChat, name: str) -> None:
    response = await (await chat.visitor()).post("hello", name=name)
    assert (response.status_code, response.json()["code"]) == (400, "name_not_allowed")


async def test_advertising_is_shown_and_noted_without_its_words(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    text = "URGENT! You have won a FREE prize of £2000, call 09061234567 now to claim your cash!"
    assert (await visitor.post(text)).status_code == 200
    assert text in await visitor.texts()
    await eventually(lambda: chat.of("security.message_flagged"))
    fields = chat.of("security.message_flagged")[0].fields
    assert (fields["chat.check.name"], fields["chat.reaction"]) == ("spam", "note")
    assert "prize" not in str(fields).lower()


async def test_where_events_have_the_text_the_log_has_not(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", events_with_text=True) as chat:
        visitor = await chat.visitor()
        await valkey.set(f"mute:{visitor.anon_id}", "1", ex=60)
        text = "URGENT! You have won a FREE prize of £2000, call 09061234567 now to claim your cash!"
        assert (await visitor.post(text)).status_code == 200
        (muted,) = await eventually(lambda: chat.of("security.muted_post"))
        (flagged,) = chat.of("security.message_flagged")
    assert muted.fields["chat.message.text"] == text
    assert "prize" in str(flagged.fields["chat.check.reasons"]).lower()
    logged = capsys.readouterr().out
    assert logged.count("security_event_reported") == 2
    assert [word for word in ("prize", "claim", "09061234567") if word in logged] == []


async def test_a_tower_of_marks_is_cut_down_before_anybody_sees_it(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    assert (await visitor.post("Z" + "\u0301\u0302\u0303\u0304\u0305\u0306" * 30)).status_code == 200
    assert await visitor.texts() == ["\u0179\u0302\u0303\u0304\u0305"]


async def test_what_is_mostly_unseen_is_too_long_and_not_cut(chat: OpenChat) -> None:
    response = await (await chat.visitor()).post("\u200b" * 4096 + "hello")
    assert (response.status_code, response.json()["code"]) == (400, "too_long")
