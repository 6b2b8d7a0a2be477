"""Reading facts off input files, without decoding them."""
