"""The HTTP side: the switch's listener."""
