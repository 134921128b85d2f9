"""Several processes that answer the switch together, and one that sees to them and answers the operator."""
