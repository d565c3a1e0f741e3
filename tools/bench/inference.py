"""Inference on sentences of SST-2, from strings to probabilities, all at once and one by one.

SavedModel and .tflite beside keras-hub's `predict` and the runtimes of inference_peers.py.
"""

import functools
import json
import os
import pathlib

import numpy as np

from bench import inference_peers
from bench.runner import Case, Race
from bench.worker import require

TITLE = "Inference"
NEEDS = ("tensorflow",)
FOLDERS = ("data", "init")
LENGTH, LITE = 128, (32, 64)  # tokens per row at most, and the lengths of the .tflite


def races(options):
    """A race over all sentences at once, and one over single ones.

    keras-hub pads to one length: that of the model, and the least that fits the longest sentence.
    """
    wanted = options.contenders(("bert_tf", "keras_hub", "transformers"))
    floats = ("float32", "bfloat16")
    settings = []  # (contender of `wanted`, contender, its settings)
    settings += [("bert_tf", "bert_tf", {"dtype": dtype}) for dtype in floats]
    settings += [("bert_tf", "bert_tf", {"dtype": dtype, "constants": True}) for dtype in floats]
    settings += [("bert_tf", "litert", {"dtype": "int8"})]
    settings += [
        ("keras_hub", "keras_hub", {"dtype": dtype, "length": length}) for dtype in floats for length in (LENGTH, 64)
    ]
    settings += [("transformers", name, {"dtype": dtype}) for name in ("transformers", "openvino") for dtype in floats]
    settings += [("transformers", "onnxruntime", {"dtype": "float32"})]
    together = {"sentences": 32 if options.quick else 256}
    alone = {"sentences": 8 if options.quick else 32, "alone": True}
    chosen = [(contender, own) for name, contender, own in settings if name in wanted]
    return [
        Race([Case("inference", contender, size | own) for contender, own in chosen], options.rounds)
        for size in (together, alone)
    ]


def read(paths, most=256):
    """The first sentences of the held-out file."""
    rows = (pathlib.Path(paths["data"]) / "sst2" / "dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [row.split("\t")[1] for row in rows[:most]]


def prepare(settings, paths):
    """Writes one classifier in all formats, and its answers in float32, computed by Keras.

    Its head is random with large weights, so that the answers differ between sentences.
    """
    import keras

    from bert_tf.export.saved_model import export_saved_model
    from bert_tf.export.tflite import export_tflite
    from bert_tf.tasks import TextClassifier
    from bert_tf.weights import write_model

    folder = _folder(paths)
    if (folder / "answers.json").exists():
        return
    keras.utils.set_random_seed(0)
    make = {"labels": ["negative", "positive"], "max_length": LENGTH}
    model = TextClassifier.from_pretrained(paths["init"], **make)
    kernel = model.named_weights["classifier/kernel"]
    kernel.assign(50 * kernel)
    sentences = read(paths)
    model.save_pretrained(folder / "model", overwrite=True)
    half = TextClassifier.from_pretrained(folder / "model", dtype="bfloat16")
    for dtype, made, tolerance in (("float32", model, 1e-3), ("bfloat16", half, 0.2)):
        for constants in (False, True):
            how = {"reference": model, "tolerance": tolerance, "constants": constants}
            if not (path := _saved_model(folder, dtype, constants)).exists():
                export_saved_model(made, path, sentences[:8], **how)
    if not (folder / "int8.tflite").exists():
        export_tflite(model, folder / "int8.tflite", LITE, sentences[:8])
    for name in ("keras_hub", "huggingface"):
        if not (folder / name).exists():
            write_model(model.to_checkpoint(model.tokenizer, model.task_settings()), folder / name, name)
    answers = [list(answer["probabilities"].values()) for answer in model.predict_text(sentences)]
    (folder / "answers.json").write_text(json.dumps(answers))


def _saved_model(folder, dtype, constants=False):
    return folder / (f"{dtype}-constants" if constants else dtype)


def _folder(paths):
    return pathlib.Path(paths["output"]) / "inference"


def checked(answer, settings, paths):
    """The work to time, answering all sentences, after a check against Keras in float32."""
    sentences = read(paths, settings["sentences"])
    expected = np.array(json.loads((_folder(paths) / "answers.json").read_text()))[: len(sentences)]
    require(expected.std(0).max() > 0.05, "All sentences get the same answer, so that the check has no meaning.")
    difference = np.abs(answer(sentences) - expected)
    most = {"float32": 1e-3, "bfloat16": 0.03, "int8": 0.1}[settings["dtype"]]
    require(difference.mean() < most, f"The answers differ from Keras by {difference.mean():.3f} on average.")
    parts = [[sentence] for sentence in sentences] if settings.get("alone") else [sentences]

    def work():
        for part in parts:
            answer(part)

    work()

    def run():
        work()
        return {"steps": 1, "units": len(sentences), "difference": float(difference.max())}

    return run


def bert_tf(settings, paths, meter):
    """The SavedModel's `serving_default`, with all sentences in one request."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - ops of the graph

    meter.begin()
    path = _saved_model(_folder(paths), settings["dtype"], settings.get("constants", False))
    loaded = tf.saved_model.load(str(path / "1"))
    serve = loaded.signatures["serving_default"]

    def answer(sentences):
        return serve(text=tf.constant(sentences))["probabilities"].numpy()

    answer.model = loaded  # keeps the variables alive
    return checked(answer, settings, paths)


def litert(settings, paths, meter):
    """The .tflite, one sentence after the other as on a phone, each in the shortest row that fits it."""
    import tensorflow as tf

    from bert_tf.export.litert_model import LiteRTModel
    from bert_tf.text.input_packing import pack
    from bert_tf.text.tokenizers.wordpiece import Tokenizer

    meter.begin()
    lite = LiteRTModel(_folder(paths) / "int8.tflite", os.cpu_count())
    tokenizer = Tokenizer.from_file(_folder(paths) / "model" / "vocab.txt", lower_case=True)

    def answer(sentences):
        rows = pack(tokenizer, [tf.constant(sentences)], max(LITE), max(LITE))
        lengths = rows["input_mask"].numpy().sum(1)
        widths = np.array([min(width for width in LITE if width >= length) for length in lengths])
        answers = np.zeros((len(sentences), 2))
        for width in LITE:
            places = np.flatnonzero(widths == width)
            if len(places):
                of_width = {name: value.numpy()[places, :width] for name, value in rows.items()}
                answers[places] = lite(of_width)["probabilities"]
        return answers

    return checked(answer, settings, paths)


def keras_hub(settings, paths, meter):
    """`predict` from strings, in batches of 32, its default."""
    import keras_hub as hub

    from bench.contenders import policy

    meter.begin()
    model = hub.models.BertTextClassifier.from_preset(str(_folder(paths) / "keras_hub"), dtype=policy(settings))
    model.preprocessor.sequence_length = settings["length"]

    def answer(sentences):
        logits = model.predict(sentences, verbose=0).astype("float32")
        shares = np.exp(logits - logits.max(-1, keepdims=True))
        return shares / shares.sum(-1, keepdims=True)

    return checked(answer, settings, paths)


def peer(make, settings, paths, meter):
    """One of inference_peers.py."""
    return checked(make(settings, _folder(paths), meter), settings, paths)


CONTENDERS = {"bert_tf": bert_tf, "litert": litert, "keras_hub": keras_hub} | {
    name: functools.partial(peer, make) for name, make in inference_peers.CONTENDERS.items()
}


def describe(store):
    """The tables of sentences per second."""
    from bench.figures import comparison  # needs Keras, which the processes of the peers lack

    more = {"probabilities differ by": lambda found: f"{max(turn['difference'] for turn in found.rounds):.1g}"}
    text = []
    for head, alone in (("All sentences in one request", False), ("One sentence after the other", True)):
        measured = [found for found in store.of("inference") if found.settings.get("alone", False) == alone]
        if measured:
            text.append(f"### {head}\n\n{comparison(measured, 'sentences', _label, more=more)}")
    return "\n".join(text)


def _label(found):
    name = {"bert_tf": "bert_tf SavedModel", "litert": "bert_tf .tflite"}.get(found.contender, found.contender)
    length = found.settings.get("length")
    constants = ", constants" if found.settings.get("constants") else ""
    return f"{name} {found.settings['dtype']}{constants}" + (f", rows of {length}" if length else "")
