"""One TOML per deployment: what it may say (`settings`), and how it is read (`load`)."""

from proxy.config.load import Configuration, load
from proxy.config.settings import Settings

__all__ = ["Configuration", "Settings", "load"]
