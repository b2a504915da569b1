"""Contracts of Sakimori and the few things that every service needs. Imports no service."""
