"""Floods of strangers stop at the gateway: neither the chat nor the log pays for each of their requests."""

from pathlib import Path

from gateway.stage import staged
from integration.api_gateway.test_gateway_proxy import Behind, in_front_of
from sakimori_common.context import Valkey
from servers.eventually import eventually
from servers.own_logs import lines_of

FLOODER, OTHER = {"x-forwarded-for": "203.0.113.66"}, {"x-forwarded-for": "203.0.113.8"}


async def test_a_network_that_asks_for_too_much_is_refused_and_others_are_not(
    postgres_url: str, valkey: Valkey, log_folder: Path
) -> None:
    behind = Behind()
    async with in_front_of(behind, postgres_url, valkey, visitor_requests_per_second=2) as front:
        answers = [await front.client.get("/chat/poll", headers=FLOODER) for _ in range(40)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[:2] == [200, 200]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) >= 20
        assert refused[0].json()["code"] == "too_many_requests"
        assert refused[0].headers["retry-after"] == "1"
        assert len(behind.requests) == 40 - len(refused)
        assert (await front.client.get("/chat/poll", headers=OTHER)).status_code == 200
        registry = front.context.registry
        await eventually(lambda: registry.get_sample_value("sakimori_gateway_requests_shed_total") == len(refused))
    security = [line for line in lines_of(log_folder / "security.log") if line["action"] == "requests_shed"]
    assert {line["ip"] for line in security} == {"203.0.113.66"}
    assert sum(int(line["reason"].split()[0]) for line in security) == len(refused)
    access = [line for line in lines_of(log_folder / "access.log") if line["path"] == "/chat/poll"]
    assert len(access) == 41 - len(refused)


async def test_what_needs_a_token_and_who_is_never_blocked_is_not_shed(postgres_url: str, valkey: Valkey) -> None:
    async with staged(postgres_url, valkey, visitor_requests_per_second=1) as front:
        tokens = [await front.client.get("/api/v1/findings", headers=FLOODER) for _ in range(10)]
        assert {answer.status_code for answer in tokens} == {401}
        here = [await front.client.get("/chat") for _ in range(10)]
        assert 429 not in {answer.status_code for answer in here}
