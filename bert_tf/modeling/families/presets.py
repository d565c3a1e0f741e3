"""Published sizes of BERT, each as arguments of `BertEncoder`."""


def _size(num_layers, hidden_size, num_heads=None):
    # Published sizes keep a head size of 64 and a feed-forward network four times the hidden size.
    return {
        "num_layers": num_layers,
        "hidden_size": hidden_size,
        "num_heads": num_heads or hidden_size // 64,
        "intermediate_size": 4 * hidden_size,
    }


PRESETS = {
    "tiny": _size(2, 128),
    "mini": _size(4, 256),
    "small": _size(4, 512),
    "medium": _size(8, 512),
    "base": _size(12, 768),
    "large": _size(24, 1024),
    "minilm": _size(6, 384, num_heads=12),
    "bilstm": {"encoder": "bilstm", "num_layers": 1, "hidden_size": 128, "num_heads": 4},  # no BERT: the baseline
}
