"""What surrounds the jobs: which there are and what they are given, their logs and locks, and what the terminal says.

Of this package scripts import `job` alone, and its code is in no digest: an edit reruns nothing, unless it changes what `specs.py` lays out.
"""
