"""params.yaml: typed, checked, explained."""
