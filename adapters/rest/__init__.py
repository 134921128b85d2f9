"""Asks any CRM that speaks JSON over HTTP: the TOML says what is asked, and where in the answer things stand."""

from adapters.rest.adapter import RestAdapter
from adapters.rest.options import RestConfig

__all__ = ["RestAdapter", "RestConfig"]
