"""The dataset handed over: read by windows, written as other programs take it, or as arrays."""
