"""The one way a decoder refuses."""


class Malformed(Exception):
    """The payload is no message of this protocol, or a broken one."""
