"""Inference from strings to probabilities by transformers on PyTorch, ONNX Runtime and OpenVINO.

Each answers batches of 32 sentences of similar length, padded to their longest. The last two run the graph that PyTorch
exports. They need the environment of --torch, with onnx, onnxruntime and openvino for these two.
"""

import os

import numpy as np

ROWS, LENGTH = 32, 128  # of a batch, at most


def transformers(settings, folder, meter):
    """`BertForSequenceClassification` with SDPA attention."""
    import torch

    torch.set_num_threads(os.cpu_count())
    meter.begin()
    model = _torch_model(folder, "sdpa")

    def logits(batch):
        inputs = {name: torch.from_numpy(value) for name, value in batch.items()}
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, settings["dtype"] == "bfloat16"):
            return model(**inputs).logits.float().numpy()

    return by_batches(logits, folder)


def onnxruntime(settings, folder, meter):
    """A session in float32."""
    import onnxruntime as ort

    path = exported(folder)
    meter.begin()
    options = ort.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    session = ort.InferenceSession(path, options)
    return by_batches(lambda batch: session.run(None, batch)[0], folder)


def openvino(settings, folder, meter):
    """A compiled model in the precision of the case, set up for latency, which is faster for calls one by one."""
    import openvino as ov

    path = exported(folder)
    meter.begin()
    precision = {"float32": "f32", "bfloat16": "bf16"}[settings["dtype"]]
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    compiled = ov.Core().compile_model(path, "CPU", hints)
    return by_batches(lambda batch: compiled(batch)[0], folder)


def exported(folder):
    """The path of the model as ONNX; it is written where it is missing."""
    import torch

    path = folder / "peer.onnx"
    if not path.exists():
        model = _torch_model(folder, "eager")
        names = ["input_ids", "attention_mask", "token_type_ids"]

        class Logits(torch.nn.Module):
            def forward(self, *inputs):
                return model(**dict(zip(names, inputs, strict=True))).logits

        example = tuple(torch.ones(2, 4, dtype=torch.int64) for _ in names)
        axes = {name: {0: "rows", 1: "tokens"} for name in names}
        how = {"input_names": names, "output_names": ["logits"], "dynamic_axes": axes, "opset_version": 17}
        torch.onnx.export(Logits(), example, path, dynamo=False, **how)
    return str(path)


def by_batches(logits, folder):
    """The function from sentences to probabilities [N, 2] of a function from a batch to its logits."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "huggingface")

    def answer(sentences):
        order = np.argsort([len(sentence) for sentence in sentences])
        found = np.zeros((len(sentences), 2), "float32")
        for begin in range(0, len(sentences), ROWS):
            places = order[begin : begin + ROWS]
            texts = [sentences[place] for place in places]
            batch = tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="np")
            found[places] = logits({name: value.astype("int64") for name, value in batch.items()})
        shares = np.exp(found - found.max(-1, keepdims=True))
        return shares / shares.sum(-1, keepdims=True)

    return answer


def _torch_model(folder, attention):
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        folder / "huggingface", attn_implementation=attention
    ).eval()
    return model.requires_grad_(False)


CONTENDERS = {function.__name__: function for function in (transformers, onnxruntime, openvino)}
