"""`sakimori user add`."""

import asyncio

import pytest
from typer.testing import CliRunner, Result

from gateway.stage import PASSWORD, staged
from sakimori.commands.user import user
from sakimori_common.context import Valkey


async def invoke(url: str | None, *arguments: str, password: str = PASSWORD) -> Result:
    environment = {"DATABASE_URL": url}
    return await asyncio.to_thread(
        lambda: CliRunner().invoke(user, ["add", *arguments], input=password + "\n", env=environment)
    )


async def test_an_operator_added_by_the_command_may_log_in(postgres_url: str, valkey: Valkey) -> None:
    done = await invoke(postgres_url, "hanako", "--role", "analyst")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    async with staged(postgres_url, valkey, admin_password=None) as stage:
        answer = await stage.login("hanako", PASSWORD)
        assert answer.json()["role"] == "analyst"
        [(actor, action, old, new)] = await stage.audit("user:hanako")
        assert actor.startswith("command line")
        assert (action, old, new) == ("user_added", None, {"role": "analyst"})


@pytest.mark.parametrize(
    ("name", "password", "said"),
    [
        ("Hanako", PASSWORD, "a user name is"),
        ("hanako", "short", "12-1024 characters"),
        ("taken", PASSWORD, "there is a user taken already"),
    ],
)
async def test_what_cannot_be_added_is_refused_with_the_reason(
    postgres_url: str, name: str, password: str, said: str
) -> None:
    await invoke(postgres_url, "taken")
    refused = await invoke(postgres_url, name, password=password)
    assert refused.exit_code == 1
    assert said in refused.output
    assert "Traceback" not in refused.output


async def test_without_a_database_it_says_so() -> None:
    assert (await invoke(None, "hanako")).exit_code == 2
    away = await invoke("postgresql://nobody@127.0.0.1:9/none", "hanako")
    assert away.exit_code == 1
    assert "PostgreSQL does not answer" in away.output
