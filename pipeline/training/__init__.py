"""What an experiment trains on, in which order, and what came of it."""
