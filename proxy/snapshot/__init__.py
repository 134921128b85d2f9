"""What survives a restart: the contacts of the cache in a file, encrypted.

Keyed hashes of the numbers would not do: names and fields are personal too, and a field may hold a number. Times in
the file are wall-clock seconds since 1970, as the monotonic clock does not survive.
"""

from proxy.snapshot.entries import Snapshot
from proxy.snapshot.records import Caps
from proxy.snapshot.sealed_file import SnapshotError

__all__ = ["Caps", "Snapshot", "SnapshotError"]
