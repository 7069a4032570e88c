"""The HTML pages that people read: the report of a run, and that of an audit."""
