"""The operator's console: pages that show what is going on, and why a call went where it did."""

from proxy.web.console.console import Console

__all__ = ["Console"]
