"""A page of handwriting becomes glyphs: numpy in, numpy out."""
