"""The names and shapes of a model's weights: what a checkpoint of any format is checked against."""

from bert_tf.core.errors import InputError

# D hidden, F intermediate, V vocabulary; None is any number of labels


def encoder_shapes(encoder):
    """Name to shape of every weight of the encoder that an `EncoderConfig` describes, the pooler among them."""
    hidden, wide = encoder.hidden_size, encoder.intermediate_size
    shapes = {
        "encoder/embeddings/token/embeddings": (encoder.vocab_size, hidden),
        "encoder/embeddings/position/embeddings": (encoder.max_positions, hidden),
        "encoder/embeddings/segment/embeddings": (encoder.type_vocab_size, hidden),
        **_norm("encoder/embeddings/norm", hidden),
    }
    for i in range(encoder.num_layers):
        block = f"encoder/block_{i}"
        for name in ("query", "key", "value", "output"):
            shapes |= _dense(f"{block}/attention/{name}", hidden, hidden)
        shapes |= _norm(f"{block}/attention_norm", hidden)
        shapes |= _dense(f"{block}/intermediate", hidden, wide) | _dense(f"{block}/output", wide, hidden)
        shapes |= _norm(f"{block}/output_norm", hidden)
    return shapes | _dense("encoder/pooler", hidden, hidden)


def head_shapes(encoder):
    """Name to shape of the weights of every head that is exchanged with other projects."""
    hidden = encoder.hidden_size
    return {
        **_dense("masked_lm/transform", hidden, hidden),
        **_norm("masked_lm/norm", hidden),
        "masked_lm/bias": (encoder.vocab_size,),
        **_dense("next_sentence", hidden, 2),
        **_dense("next_sentence_pooler", hidden, hidden),  # Model Garden's, where it differs from the encoder's
        **_dense("classifier", hidden, None),
        **_dense("answer_span", hidden, 2),
    }


def part_of(name):
    """The part of a model that stands or falls together: "encoder", "encoder/pooler", or a head."""
    return "encoder/pooler" if name.startswith("encoder/pooler/") else name.split("/")[0]


def check(checkpoint, folder):
    """Raises `InputError` where shapes or the vocabulary do not fit the settings; weights of unknown heads pass."""
    shapes = encoder_shapes(checkpoint.encoder) | head_shapes(checkpoint.encoder)
    for name, array in checkpoint.weights.items():
        wanted = shapes.get(name, array.shape)
        if len(wanted) != array.ndim or any(w not in (None, n) for w, n in zip(wanted, array.shape, strict=True)):
            raise InputError(f"{folder}: {name} has shape {array.shape}; the settings say {wanted}.")
    rows = checkpoint.encoder.vocab_size
    if checkpoint.vocabulary is not None and len(checkpoint.vocabulary) != rows:
        raise InputError(
            f"{folder}: the vocabulary has {len(checkpoint.vocabulary)} pieces and the embedding {rows} rows. "
            "They must agree: bert_tf.weights.resize gives an embedding the rows of another vocabulary."
        )


def _dense(name, rows, columns):
    return {f"{name}/kernel": (rows, columns), f"{name}/bias": (columns,)}


def _norm(name, size):
    return {f"{name}/gamma": (size,), f"{name}/beta": (size,)}
