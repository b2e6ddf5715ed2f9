"""A database that several processes share: tables, and errors."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine, MetaData


@contextlib.contextmanager
def database_errors(kind: type[Exception], setting: str) -> Iterator[None]:
    """Report errors of a database without its URL, which may contain a password.

    Args:
        kind: The error to raise.
        setting: The setting with the URL, such as `token_store`.
    """
    try:
        yield
    except (sa.exc.SQLAlchemyError, ImportError, OSError, ValueError, TypeError) as error:
        msg = (
            f"The {setting.replace('_', ' ')}'s database cannot be used ({type(error).__name__})."
            f" Check the URL in `{setting}`, and that the database's driver is installed."
        )
        raise kind(msg) from None


def create_tables(tables: MetaData, engine: Engine) -> None:
    """Create tables that do not exist.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database cannot be used.
    """
    try:
        tables.create_all(engine)
    except sa.exc.DBAPIError:
        # Another process created them between the check and the creation.
        tables.create_all(engine)
