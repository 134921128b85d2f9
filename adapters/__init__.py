"""The adapters that come with tanima; they enter by the same entry points as anybody else's."""
