"""Administration of operators, and the audit."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer, documented
from sakimori_api_gateway.api.authentication import Admin, TheGateway, entry_of
from sakimori_api_gateway.domain.passwords import (
    MAX_PASSWORD_CHARACTERS,
    MIN_PASSWORD_CHARACTERS,
    USER_NAME_PATTERN,
    check_password,
)
from sakimori_api_gateway.domain.records import AuditPage, User, UserChange, UserList
from sakimori_api_gateway.domain.roles import Role
from sakimori_common.instants import format_instant

router = APIRouter(tags=["administration"])

Password = Annotated[SecretStr, Field(min_length=MIN_PASSWORD_CHARACTERS, max_length=MAX_PASSWORD_CHARACTERS)]


class NewUser(BaseModel):
    """An operator to be."""

    model_config = ConfigDict(extra="forbid")
    username: Annotated[str, Field(pattern=USER_NAME_PATTERN)]
    password: Password
    role: Role


class ChangedUser(BaseModel):
    """What becomes of an operator; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    role: Role | None = None
    disabled: bool | None = None
    password: Password | None = None


@router.get("/api/v1/users", responses=documented(UserList, 401, 403))
async def list_users(gateway: TheGateway, _: Admin) -> Response:
    """List operators."""
    return answer(UserList(users=await gateway.users.all()))


@router.post("/api/v1/users", status_code=201, responses=documented(User, 401, 403, 409, status=201))
async def add_user(new: NewUser, gateway: TheGateway, asking: Admin) -> Response:
    """Add an operator."""
    password = new.password.get_secret_value()
    check_password(new.username, password)
    now = format_instant(gateway.clock())
    user = User(name=new.username, role=new.role, created_at=now, password_changed_at=now)
    entry = entry_of(gateway, asking, "user_added", f"user:{user.name}", {"role": user.role.value})
    await gateway.users.add(user, await gateway.passwords.hash(password), entry)
    return answer(user, 201)


@router.patch("/api/v1/users/{name}", responses=documented(User, 401, 403, 404, 409))
async def change_user(name: str, changed: ChangedUser, gateway: TheGateway, asking: Admin) -> Response:
    """Change an operator's role or password, disable or enable.

    Holds for tokens that were issued before: at once here, within 10 s on other replicas. A changed password ends all
    sessions. The last active admin stays one.
    """
    new: dict[str, object] = changed.model_dump(exclude_none=True, exclude={"password"}, mode="json")
    password_hash = None
    if changed.password is not None:
        password = changed.password.get_secret_value()
        check_password(name, password)
        password_hash = await gateway.passwords.hash(password)
        new["password_changed"] = True
    change = UserChange(role=changed.role, disabled=changed.disabled, password_hash=password_hash)
    try:
        user = await gateway.users.change(name, change, entry_of(gateway, asking, "user_changed", f"user:{name}", new))
    finally:
        gateway.sessions.forget(name)
    return answer(user)


@router.get("/api/v1/audit", responses=documented(AuditPage, 401, 403))
async def read_audit(
    gateway: TheGateway,
    _: Admin,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="The `before` of the last page.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List what operators did, newest first, with the state before and after."""
    return answer(await gateway.audit.page(before, limit))
