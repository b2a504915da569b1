"""All six services in one process, with PostgreSQL and Valkey of their own: a first look, development, small sites."""
