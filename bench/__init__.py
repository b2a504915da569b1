"""Benchmarks: ratios against a peer or a bare baseline in the same run, never timed tests."""
