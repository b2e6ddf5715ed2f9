"""Tables in a database that several processes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy import Engine, MetaData


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
