"""What a person runs by hand: no stage of dvc.yaml."""
