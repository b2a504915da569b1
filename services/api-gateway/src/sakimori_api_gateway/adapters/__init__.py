"""The gateway's ports on PostgreSQL, Valkey and argon2."""
