"""What asyncpg raises, sorted by whose fault it is."""

from typing import Final

import asyncpg

from sakimori_common.postgres import CONNECTION_ERRORS

AWAY: Final = (
    *CONNECTION_ERRORS,
    asyncpg.InternalClientError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""The server is away, full, stopping, or asks for another try (deadlock): nothing the rows can do about it.

InternalClientError: asyncpg's word for a connection that broke amid a query and was used again.
"""
REFUSED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
