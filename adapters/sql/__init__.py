"""Asks a database with SELECTs: the columns of the rows that they return are the fields of the contacts."""

from adapters.sql.adapter import SqlAdapter
from adapters.sql.options import SqlConfig

__all__ = ["SqlAdapter", "SqlConfig"]
