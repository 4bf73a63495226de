"""What a person put under raw/: found, checked, decoded, catalogued."""
