"""Files of pictures, sounds and vectors: checked before they are decoded, decoded in TensorFlow ops."""
