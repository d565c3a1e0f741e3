"""Chinese characters, each of which counts as a word where a text is cut into words without a tokenizer."""

IDEOGRAPHS = "㐀-鿿"  # of the basic plane, as part of a character class of a regular expression
