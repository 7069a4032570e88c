"""Shadow models: their halves of the records, their training, and their signals."""
