"""Which running instance is played against, and how one signs in there."""

import os
from dataclasses import dataclass
from pathlib import Path

import httpx

from sakimori.allinone.home import Home, HomeError


class TargetError(Exception):
    """No instance can be reached or it does not let us in; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway, an account that may read findings and send captures, and the token for sending logs."""

    gateway: str
    user: str
    password: str
    ingest_token: str


def find_target(gateway: str | None, env_file: Path | None) -> Target:
    """Find the instance: what the environment or `env_file` (of docker compose) says, else the one of `make run`.

    Raises TargetError.
    """
    given = {**(_read_env(env_file) if env_file else {}), **os.environ}
    if given.get("GATEWAY_ADMIN_PASSWORD") and given.get("INGEST_TOKEN"):
        port = given.get("GATEWAY_HOST_PORT") or "8000"
        return Target(
            gateway or f"http://127.0.0.1:{port}", "admin", given["GATEWAY_ADMIN_PASSWORD"], given["INGEST_TOKEN"]
        )
    try:
        home = Home.open()
        running = home.running_gateway()
        secrets = home.secrets() if running else None
    except HomeError as error:
        raise TargetError(str(error)) from None
    if running is None or secrets is None:
        raise TargetError(
            "no running instance was found: start one with `make run`, or name docker compose's .env with --env-file"
        )
    return Target(gateway or running, "local", secrets.local_password, secrets.ingest_token)


async def sign_in(target: Target, client: httpx.AsyncClient) -> str:
    """Log in and return the token. Raises TargetError."""
    try:
        answer = await client.post("/api/v1/login", json={"username": target.user, "password": target.password})
    except httpx.HTTPError as error:
        raise TargetError(f"{target.gateway} does not answer ({type(error).__name__}): is it running?") from None
    if answer.status_code != 200:
        raise TargetError(
            f"{target.gateway} refused the login of {target.user}: HTTP {answer.status_code} {answer.text}"
        )
    return str(answer.json()["access_token"])


def _read_env(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from None
    pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
