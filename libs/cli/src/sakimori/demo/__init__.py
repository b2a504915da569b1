"""Plays real attacks against a running instance and shows what came of each (S1-52)."""
