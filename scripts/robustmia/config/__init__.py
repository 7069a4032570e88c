"""The configuration: the lists of what there is (`registry`), its settings models (`schema`), and how it is read (`reading`).

No job imports this package.
"""
