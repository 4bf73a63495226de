"""prep: from scans and photos to a dataset, and to what each augmentation is worth."""

__version__ = "0.2.0"
