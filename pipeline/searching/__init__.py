"""Scans searched for their subjects as params.yaml says, and what was found kept for next time."""
