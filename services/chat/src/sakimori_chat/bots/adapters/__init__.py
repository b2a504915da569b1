"""How bots reach Valkey and PostgreSQL."""
