"""The one training loop, whatever the method, and what it is made of."""
