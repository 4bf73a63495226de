"""Ops and the warps that they are made of."""
