"""Click commands, one module per family, loaded only when they are called."""
