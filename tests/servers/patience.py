"""How long clients wait in tests."""

from typing import Final

import pytest

PATIENT_SECONDS: Final = 20.0
"""A machine that stands still for a second, or a few, fails no test with this."""
AS_IN_SERVICES: Final = pytest.mark.parametrize("valkey_timeout_seconds", [1.0], ids=["as_in_services"])
"""For tests of a Valkey that hangs: wait for it no longer than a service does."""
