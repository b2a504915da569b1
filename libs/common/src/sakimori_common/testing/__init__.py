"""Typed stand-ins and samples for tests; they pass the contract suites of what they stand for."""
