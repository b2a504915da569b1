"""The detection engine against a bare loop and against its peers: see __main__.py."""
