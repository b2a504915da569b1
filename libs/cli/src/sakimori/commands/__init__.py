"""One file, one command of `sakimori`."""
