"""Configurations for known CRMs, to be completed: `tanima init --recipe NAME` writes one."""
