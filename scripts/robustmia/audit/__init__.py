"""Audits of models that the pipeline did not train: predictions or a checkpoint in, the same tables out."""
