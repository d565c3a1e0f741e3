"""Decoding with a key-value cache: tokens per second of bert_tf and of transformers on PyTorch, on the same weights.

The model is an `EncoderDecoderModel` of the encoder `--init`, whose cross-attention is random. Each process has one
thread and float32. The end token's bias lets no text end before `length` tokens, and both must write the same ones.
"""

import pathlib

import numpy as np

from bench.runner import Case, Race
from bench.worker import require

TITLE = "Decoding"
FOLDERS = ("init",)
SOURCE_LENGTH, LENGTH = 64, 65  # tokens of a source; of a text, the start token included
GROWTH = (32, 128, 511)  # generated tokens; with the start token all positions
NEVER = -1e4  # bias of a token that is never the likeliest


def races(options):
    """A race for each cell of rows and beams, and one over the lengths of texts."""
    cells = [(1, 1)] if options.quick else [(rows, beams) for rows in (1, 32) for beams in (1, 4)]
    names = options.contenders(CONTENDERS)
    found = [Race([_case(name, rows, beams, LENGTH) for name in names], options.rounds) for rows, beams in cells]
    if "bert_tf" in names and not options.quick:
        for beams in (1, 4):
            found.append(Race([_case("bert_tf", 1, beams, count + 1, growth=True) for count in GROWTH], options.rounds))
    return found


def _case(name, rows, beams, length, **more):
    return Case("decoding", name, {"rows": rows, "beams": beams, "length": length} | more)


def prepare(settings, paths):
    """Writes the model as a folder of transformers."""
    import keras

    from bert_tf.tasks import TextGenerator
    from bert_tf.weights import write_model

    if _folder(paths).exists():
        return
    keras.utils.set_random_seed(0)
    model = TextGenerator.from_pretrained(paths["init"], architecture="encoder_decoder")
    bias = model.named_weights["masked_lm/bias"]
    values = bias.numpy()
    values[[model.end_id, model.tokenizer.pad_id]] = NEVER
    bias.assign(values)
    write_model(model.to_checkpoint(model.tokenizer, model.task_settings()), _folder(paths), "huggingface")


def _folder(paths):
    return pathlib.Path(paths["output"]) / "decoding" / "model"


def checked(write, settings, paths):
    """The work to time, `write` of random sources int [N, S] to tokens [N, T], which must be those of the other one."""
    rows, length = settings["rows"], settings["length"]
    sources = np.random.default_rng(0).integers(1000, 20000, (rows, SOURCE_LENGTH))
    written = np.asarray(write(sources))
    require(written.shape == (rows, length), f"The tokens have the shape {written.shape}, not {(rows, length)}.")
    path = _folder(paths).with_name(f"tokens-{rows}-{settings['beams']}-{length}.npy")
    if path.exists():
        same = (np.load(path) == written).all(1).mean()
        # Two candidates of nearly the same score may change places, and all that follows them.
        require(same >= 0.9, f"{1 - same:.0%} of the texts are not those of the other contender.")
    else:
        same = 1.0
        np.save(path, written)
    units = rows * (length - 1)
    count = 2 if rows == 1 and length <= LENGTH else 1  # of calls in a round

    def run():
        for _ in range(count):
            write(sources)
        return {"steps": count, "units": count * units, "same": float(same)}

    return run


def bert_tf(settings, paths, meter):
    """`TextGenerator.generate_tokens`."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from bert_tf.tasks import TextGenerator

    meter.begin()
    model = TextGenerator.from_pretrained(_folder(paths))

    def write(sources):
        return model.generate_tokens(sources, max_length=settings["length"], num_beams=settings["beams"])

    return checked(write, settings, paths)


def transformers(settings, paths, meter):
    """`EncoderDecoderModel.generate` with its cache."""
    import torch
    from transformers import EncoderDecoderModel

    torch.set_num_threads(1)
    meter.begin()
    model = EncoderDecoderModel.from_pretrained(_folder(paths)).eval()

    @torch.inference_mode()
    def write(sources):
        ids = torch.tensor(sources)
        return model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_length=settings["length"],
            num_beams=settings["beams"],
            early_stopping=True,
            do_sample=False,
            use_cache=True,
        )

    return checked(write, settings, paths)


CONTENDERS = {function.__name__: function for function in (bert_tf, transformers)}


def describe(store):
    """The table of both, and that of growing texts."""
    measured = store.of("decoding")
    beside = [found for found in measured if "growth" not in found.settings]
    grown = [found for found in measured if "growth" in found.settings]
    text = [_beside(beside)]
    if grown:
        text.append(f"### By generated tokens\n\n{_growth(grown)}")
    return "\n".join(text)


def _name(settings):
    beams = "greedy" if settings["beams"] == 1 else f"beam {settings['beams']}"
    return f"{beams}, batch {settings['rows']}"


def _beside(measured):
    from bench.figures import CLOCKS, SPEEDS, against, table  # needs Keras, which the process of transformers lacks

    head = ["", *(f"tokens per {second}, spread" for second in CLOCKS.values()), "same texts", *map(SPEEDS.get, CLOCKS)]
    rows = []
    for found in measured:
        cell = [other for other in measured if other.settings == found.settings]
        same = min(turn["same"] for other in cell for turn in other.rounds)
        name = f"{_name(found.settings)}, {found.contender}"
        rows.append([name, *_rates(found, CLOCKS), f"{same:.0%}", *(against(found, cell, clock) for clock in CLOCKS)])
    return table(head, rows)


def _growth(measured):
    from bench.figures import CLOCKS, table

    head = ["bert_tf", "generated tokens", *(f"tokens per {second}, spread" for second in CLOCKS.values())]
    rows = [[_name(found.settings), found.settings["length"] - 1, *_rates(found, CLOCKS)] for found in measured]
    return table(head, rows)


def _rates(found, clocks):
    return [f"{found.rate(clock):,.1f}, {found.spread(clock):.0%}" for clock in clocks]
