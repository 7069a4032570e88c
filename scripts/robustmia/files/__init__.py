"""The files between jobs: written atomically, and refused once they are damaged."""
