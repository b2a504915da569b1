"""What payloads say, one file a protocol. A decoder takes bytes and returns a message or raises Malformed."""
