"""Asks a database with one SELECT: the columns of the rows that it returns are the fields of the contacts."""

from adapters.sql.adapter import SqlAdapter, SqlConfig

__all__ = ["SqlAdapter", "SqlConfig"]
