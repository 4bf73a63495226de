"""What a scan shows: boxes, labels, and what was seen."""
