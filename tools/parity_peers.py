"""The part of parity.py that runs with PyTorch.

`write FOLDER` saves models, `check FOLDER` opens those of bert_tf, `families FOLDER` those of the encoder families.
"""

import json
import pathlib
import sys

import numpy as np

TOLERANCE = 1e-4
SIZES = {"vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
# {name in bert_tf: name in transformers} of inputs and outputs.
INPUTS = {"input_ids": "input_ids", "input_mask": "attention_mask", "segment_ids": "token_type_ids"}
OUTPUTS = {
    "BertModel": {"sequence_output": "last_hidden_state", "pooled_output": "pooler_output"},
    "BertForPreTraining": {"masked_lm_logits": "prediction_logits", "next_sentence_logits": "seq_relationship_logits"},
    "BertForMaskedLM": {"masked_lm_logits": "logits"},
    "BertForNextSentencePrediction": {"next_sentence_logits": "logits"},
    "BertForSequenceClassification": {"logits": "logits"},
    "BertForTokenClassification": {"logits": "logits"},
    "BertForQuestionAnswering": {"start_logits": "start_logits", "end_logits": "end_logits"},
}


def compare(name, actual, expected):
    """Prints the largest difference of each output; returns whether all are at most `TOLERANCE`."""
    return report(name, {key: float(np.abs(actual[key] - expected[key]).max()) for key in actual})


def report(name, differences):
    """Prints the largest difference of each output; returns whether all are at most `TOLERANCE`."""
    print(f"{name:<40}", ", ".join(f"{key} {difference:.1e}" for key, difference in differences.items()))
    return all(difference <= TOLERANCE for difference in differences.values())


def write(folder):
    """Saves a random model of every class: in float32, in shards, in float16 and in bfloat16."""
    import torch
    import transformers

    torch.manual_seed(0)
    for architecture in OUTPUTS:
        config = transformers.BertConfig(**SIZES, hidden_act="gelu_new", layer_norm_eps=1e-6, initializer_range=0.3)
        model = getattr(transformers, architecture)(config).eval()
        save(model, folder / architecture)
        save(model, folder / f"{architecture}-shards", max_shard_size="20KB")
        save(model.to(torch.float16).to(torch.float32), folder / f"{architecture}-float16", dtype=torch.float16)
        save(model.to(torch.bfloat16).to(torch.float32), folder / f"{architecture}-bfloat16", dtype=torch.bfloat16)


def save(model, folder, dtype=None, **settings):
    """Saves a model, with inputs and its outputs in expected.npz."""
    import copy

    random = np.random.default_rng(0)
    mask = (np.arange(20) < np.array([[20], [11], [1]])).astype("int32")
    inputs = {
        "input_ids": random.integers(1, SIZES["vocab_size"], mask.shape) * mask,
        "input_mask": mask,
        "segment_ids": (np.arange(20) > 7) * mask,
    }
    (copy.deepcopy(model).to(dtype) if dtype else model).save_pretrained(folder, **settings)
    inputs = {name: array.astype("int32") for name, array in inputs.items()}
    np.savez(folder / "expected.npz", **inputs, **run(model, inputs))


def run(model, inputs):
    """The model's outputs, with the names of bert_tf."""
    import torch

    with torch.no_grad():
        outputs = model(**{theirs: torch.tensor(inputs[ours]).long() for ours, theirs in INPUTS.items()})
    return {ours: outputs[theirs].numpy() for ours, theirs in OUTPUTS[type(model).__name__].items()}


def check(folder):
    """Opens every model in `folder`; returns the names of those whose tokens, labels or outputs differ."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return [path.name for path in sorted(folder.iterdir()) if not check_one(path)]


def check_one(folder):
    """Whether transformers gives the tokens, labels and outputs that bert_tf wrote to `folder`."""
    import transformers

    expected = dict(np.load(folder / "expected.npz"))
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    limit = {"truncation": True, "max_length": expected["input_ids"].shape[1]}
    tokens = tokenizer(texts, padding=True, return_tensors="np", **limit)["input_ids"]
    if not np.array_equal(tokens, expected["input_ids"]):
        print(f"{folder.name}: tokens differ; transformers:\n{tokens}\nbert_tf:\n{expected['input_ids']}")
        return False
    if "embedding" in expected:
        import sentence_transformers

        model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
        return compare(folder.name, {"embedding": model.encode(texts)}, expected)
    config = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, config.architectures[0]).from_pretrained(folder).eval()
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    if labels and [config.id2label[i] for i in range(len(labels))] != labels:
        print(f"{folder.name}: labels differ; transformers: {config.id2label}, bert_tf: {labels}")
        return False
    return compare(folder.name, run(model, expected), expected)


def check_families(folder):
    """Opens every family's folder, with and without its head; returns the names of those whose outputs differ."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    failed = []
    for path in sorted(folder.iterdir()):
        expected = dict(np.load(path / "expected.npz"))
        config = transformers.AutoConfig.from_pretrained(path)
        found = {}
        for model_class in (transformers.AutoModel, getattr(transformers, config.architectures[0])):
            model, info = model_class.from_pretrained(path, output_loading_info=True)
            found |= run_family(model.eval(), expected)
        # The rest of `info` is of the encoder alone, which leaves the head out.
        is_whole = not info["missing_keys"] and not info["unexpected_keys"]
        real = expected["attention_mask"] == 1
        differences = {}
        for name, array in found.items():
            difference = np.abs(array - expected[name])
            differences[name] = float((difference[real] if array.shape[:2] == real.shape else difference).max())
        if not (report(path.name, differences) and is_whole and len(found) > 1):
            failed.append(path.name)
    return failed


def run_family(model, expected):
    """The outputs of a model that the reference has too."""
    import torch

    names = ("input_ids", "attention_mask", "token_type_ids")
    with torch.no_grad():
        outputs = model(**{name: torch.tensor(expected[name]).long() for name in names if name in expected})
    return {name: outputs[name].numpy() for name in outputs if name in expected}


if __name__ == "__main__":
    verb, path = sys.argv[1:]
    if verb == "write":
        write(pathlib.Path(path))
    else:
        sys.exit(bool({"check": check, "families": check_families}[verb](pathlib.Path(path))))
