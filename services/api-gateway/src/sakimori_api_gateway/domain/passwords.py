"""What a user name and a password must be."""

import re

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 1024
"""Bounds the work of hashing; NIST SP 800-63B asks for at least 64 to be allowed."""
USER_NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"


class CredentialsError(ValueError):
    """A user name or password cannot be used; the message says why."""


def check_user_name(name: str) -> None:
    """Raise CredentialsError unless it is 1-64 of a-z, 0-9, dot, underscore, hyphen."""
    if re.fullmatch(USER_NAME_PATTERN, name) is None:
        raise CredentialsError("a user name is 1-64 of a-z 0-9 . _ - and begins with a letter or digit")


def check_password(name: str, password: str) -> None:
    """Raise CredentialsError unless the password has 12-1024 characters and is not the user name over again."""
    if not MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
        raise CredentialsError(f"a password has {MIN_PASSWORD_CHARACTERS}-{MAX_PASSWORD_CHARACTERS} characters")
    if len(set(password)) < 4 or not password.lower().replace(name, ""):
        raise CredentialsError("this password is too easy to guess")
