"""The page: each module reads what it shows and gives the template plain data."""
