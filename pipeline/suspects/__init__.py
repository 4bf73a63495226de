"""Which tiles are suspicious: likely label errors, contradicting twins, outliers, empty ones."""
