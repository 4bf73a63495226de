"""Is the project what it says it is: what leaks, which labels mislead, which files are wrong."""
