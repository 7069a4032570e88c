"""Shadow models: the records that they are trained on, their training, and their signals."""
