"""What surrounds the jobs: which there are and what they are given, their logs and locks, and what the terminal says.

Nothing outside this package imports it, and no result depends on it: an edit here reruns nothing.
"""
