"""Roles: each may do all that the ones below it may."""

from enum import StrEnum


class Role(StrEnum):
    """What an operator may do, least first: viewer reads (addresses are masked), analyst triages and blocks, admin
    also administers users.
    """

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        """Tell whether this role includes the needed one."""
        order = list(Role)
        return order.index(self) >= order.index(needed)
