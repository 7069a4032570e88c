"""Sound upper bounds on logit margins over a ball, by several verifiers (`verifiers.py` lists them; docs/bounds.md has the equations)."""
