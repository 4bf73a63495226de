"""Subjects become pictures of one size; pictures of tiles."""
