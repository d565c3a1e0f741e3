"""Vectors of pictures and sounds beside those of words."""
