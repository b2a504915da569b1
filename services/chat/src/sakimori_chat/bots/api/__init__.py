"""Bots over HTTP and WebSocket, and for operators."""
