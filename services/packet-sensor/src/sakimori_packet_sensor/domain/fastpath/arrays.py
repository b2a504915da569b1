"""What mypy is told of arrays and numbers in compiled code."""

from typing import Any

Array = Any
"""A NumPy array; Numba finds out of what, and mypy knows nothing of the fields of its records."""
Int = Any
"""Numba's int64 or uint64, whatever a function is called with."""
Record = Any
"""One element of a structured array, in place."""
