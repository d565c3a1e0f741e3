"""Files of pictures and sounds: checked before they are decoded, decoded in TensorFlow ops."""
