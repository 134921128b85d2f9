"""The server between a telephone switch and a CRM. It names no adapter."""
