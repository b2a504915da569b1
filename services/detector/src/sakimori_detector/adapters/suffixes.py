"""The public suffix list (publicsuffix.org), as the package publicsuffixlist brings it; no network."""

from functools import cache

from publicsuffixlist import PublicSuffixList


def is_suffix(domain: str) -> bool:
    """Say whether anybody may register names under a domain: `com`, `co.uk`, `github.io`. Some 5 us, once 0.2 s."""
    return _list().publicsuffix(domain) == domain


@cache
def _list() -> PublicSuffixList:
    return PublicSuffixList()
