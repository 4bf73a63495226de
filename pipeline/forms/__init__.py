"""The printable form: one description, drawn and read."""
