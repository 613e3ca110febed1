"""The commands of `bareme`, one module per concern; heavy imports stay inside the functions."""
