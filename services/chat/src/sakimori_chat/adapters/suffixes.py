"""The public suffix list (publicsuffix.org), as the package publicsuffixlist brings it; no network."""

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=4096)
def is_suffix(domain: str) -> bool:
    """Say whether anybody may register names under a domain: `com`, `co.uk`, `рф`. Some 5 us, once 0.2 s."""
    try:
        name = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    return _list().publicsuffix(name, accept_unknown=False) == name


@cache
def _list() -> PublicSuffixList:
    return PublicSuffixList()
