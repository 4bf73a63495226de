"""Ops: read from the settings, drawn, applied, and the warps that they are made of."""
