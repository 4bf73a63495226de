"""Tiles, tables and the split on the disk."""
