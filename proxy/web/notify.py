"""What a service manager wants to be told: that calls are answered, that the event loop goes round, that it ends."""

import asyncio
import os
import socket
from contextlib import suppress


class Notifier:
    """Tells the service manager, if there is one that wants to know.

    That is the one at NOTIFY_SOCKET; it waits for a sign of life within WATCHDOG_USEC, if WATCHDOG_PID is this process
    or nobody. The variables are taken out of the environment, as they are for nobody else.
    """

    def __init__(self) -> None:
        path, within, process = (
            os.environ.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
        )
        self._address = "\0" + path[1:] if path.startswith("@") else path
        is_wanted = within.isascii() and within.isdigit() and process in {"", str(os.getpid())}
        self.patience = int(within) / 1_000_000 if is_wanted else 0.0
        """Seconds without a sign of life after which this process is ended, and started again; 0 when nobody waits"""

    def ready(self) -> None:
        """Tell that calls are answered from now on."""
        self._tell(b"READY=1", 0)  # who does not know it would end it again: he is waited for

    def stopping(self) -> None:
        """Tell that it ends from now on."""
        self._tell(b"STOPPING=1")

    async def live(self) -> None:
        """Give signs of life, as long as the event loop goes round."""
        while self._address and self.patience:
            await asyncio.sleep(self.patience / 2)
            self._tell(b"WATCHDOG=1")

    def _tell(self, what: bytes, flags: int = socket.MSG_DONTWAIT) -> None:
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:  # it goes on without
                telling.sendto(what, flags, self._address)
