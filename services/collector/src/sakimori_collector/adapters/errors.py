"""What asyncpg raises, sorted by whose fault it is."""

from typing import Final

import asyncpg

from sakimori_common.postgres import CONNECTION_ERRORS

AWAY: Final = (
    *CONNECTION_ERRORS,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""The server is away, full, stopping, or asks for another try (deadlock): nothing the rows can do about it."""
REFUSED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
