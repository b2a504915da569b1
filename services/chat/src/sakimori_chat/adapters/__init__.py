"""How the chat reaches Valkey and the bus."""
