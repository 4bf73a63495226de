"""Sets that come as arrays or tables of numbers: pictures, labels, names, parts and groups."""
