"""How bots reach the chat beside HTTP."""
