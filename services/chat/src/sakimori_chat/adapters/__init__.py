"""How the chat reaches Valkey, PostgreSQL and the bus."""
