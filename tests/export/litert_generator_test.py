"""A .tflite that writes text: the tokens of Keras, its tokenizer, its operators, and what is refused."""

import json
import pathlib
import types
import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.export import tflite
from bert_tf.export.comparison import compared_scores
from bert_tf.export.litert_generator import LiteRTGenerator
from bert_tf.export.litert_task import on_device
from bert_tf.export.tflite import export_tflite
from tests.tasks.generation.task_test import ARCHITECTURES, make

TEXTS = ["a good film", "good", "the film is not a bad film", ""]
SOURCES = TEXTS[:3]  # of 5, 3 and 8 tokens, the last one cut


@pytest.fixture(scope="module", params=ARCHITECTURES)
def exported(request, tmp_path_factory):
    """(model, path of its file for sources of 8 and 5 tokens, report); the model ends some of its texts early."""
    model = make(request.param, initializer_range=0.5)
    bias = model.masked_lm.bias.numpy()
    bias[model.end_id] += 2.0
    bias[model.tokenizer.pad_id] -= 100.0
    model.masked_lm.bias.assign(bias)
    path = tmp_path_factory.mktemp("lite") / "writer.tflite"
    return model, path, export_tflite(model, path, [5, 8], TEXTS, "none")


@pytest.fixture(scope="module")
def generator(exported):
    return LiteRTGenerator(exported[1])


def rows_of(model, texts=SOURCES):
    rows = model.preprocessor.inference_inputs(model.preprocessor.encode_texts(texts))
    return rows["input_ids"].numpy(), rows["input_mask"].numpy()


@pytest.mark.parametrize("settings", [{}, {"num_beams": 3, "no_repeat_ngram_size": 2, "min_length": 4}])
def test_tokens_are_those_of_keras(exported, generator, settings):
    model = exported[0]
    expected = model.generate_tokens(*rows_of(model), **settings)
    found = generator.generate_tokens(*rows_of(model), **settings)
    assert len({tuple(row) for row in expected.tolist()}) > 1  # the source matters
    assert (found.dtype, found.tolist()) == (np.int32, expected.tolist())


def test_a_drawn_text_is_that_of_keras(exported, generator):
    model = exported[0]
    settings = {"temperature": 2.0, "top_k": 8, "seed": 3, "max_length": 5}
    ids, mask = rows_of(model, SOURCES[:1])
    expected = model.generate_tokens(ids, mask, **settings)
    assert generator.generate_tokens(ids, mask, **settings).tolist() == expected.tolist()
    assert expected.tolist() != model.generate_tokens(ids, mask)[:, :5].tolist()
    assert on_device(model, generator).generate(SOURCES[:1], **settings) == generator.generate(SOURCES[:1], **settings)


def test_texts_and_scores_are_those_of_keras(exported, generator):
    """With the tokenizer of the file alone, and by the task's own methods."""
    model = exported[0]
    expected = model.generate(SOURCES)
    assert generator.generate(SOURCES) == expected
    device = on_device(model, generator)
    assert [answer["generated_text"] for answer in device.predict_text(SOURCES)] == expected
    assert device.score(SOURCES, expected)["rougeL"] == pytest.approx(
        np.mean([bool(text.split()) for text in expected])
    )


def test_the_loop_stops_at_the_end(exported, generator, monkeypatch):
    model, step, calls, counts = exported[0], LiteRTGenerator._step, [], []
    monkeypatch.setattr(LiteRTGenerator, "_step", lambda *rest: calls.append(1) or step(*rest))
    for text in SOURCES:
        calls.clear()
        (written,) = generator.generate_tokens(*rows_of(model, [text])).tolist()
        assert len(calls) == len(written) - 1
        assert written[-1] == model.end_id or len(written) == model.max_target_length
        counts.append(len(calls))
    assert min(counts) < model.max_target_length - 1


def test_the_loop_of_the_docs(exported, generator):
    docs = pathlib.Path(__file__).parents[2] / "docs/GENERATION.md"
    (program,) = [block for block in docs.read_text().split("```") if "def greedy(ids)" in block]
    names = {}
    exec(program.removeprefix("python").replace("dialogsum.tflite", str(exported[1])), names)
    for text in SOURCES:
        ids, mask = rows_of(exported[0], [text])
        assert names["greedy"](ids[0]) == generator.generate_tokens(ids, mask)[0].tolist()


def test_the_shortest_signatures_that_hold_a_source_are_used(exported, generator):
    assert generator.lengths == [8, 5]
    used = [
        generator._encode({"input_ids": ids, "input_mask": mask, "segment_ids": 0 * ids}, 0)[0]
        for ids, mask in (rows_of(exported[0], [text]) for text in SOURCES)
    ]
    assert used == [5, 5, 8]


def test_file_and_report(exported):
    model, path, report = exported
    assert max(report["error"].values()) < 1e-5
    kept = json.loads(path.with_suffix(".json").read_text())
    assert kept["lengths"] == [8, 5]
    assert all(kept[name]["5"]["2"] > 0 for name in ("latency_ms", "step_ms"))
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["generator.json", "vocab.txt"]
        assert archive.read("vocab.txt").decode().split() == model.tokenizer.vocabulary
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    assert not [code.customCode for code in graph.operatorCodes if code.customCode]
    assert sorted(definition.signatureKey.decode() for definition in graph.signatureDefs) == [
        *("decode", "decode_5", "encode", "encode_5")
    ]
    named = {entry.name: bytes(graph.buffers[entry.buffer].data) for entry in graph.metadata}
    assert b"generator.json" in named[b"TFLITE_METADATA"]
    assert model.purpose.encode() in named[b"TFLITE_METADATA"]


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_quantized_weights(tmp_path, quantize):
    """The weights of both signatures are quantized, also in layers with fewer heads than others."""
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_layers": 2, "layer_heads": (2, 1)}
    model, path = make(initializer_range=0.2, max_target_length=3, **sizes), tmp_path / "a.tflite"
    data = (SOURCES, SOURCES)
    report = export_tflite(model, path, [8], TEXTS, quantize, accuracy_data=data, max_drop=100.0)
    assert 1e-5 < report["error"][8] < {"int8": 0.05, "int4": 0.2}[quantize]
    assert path.stat().st_size < 0.5 * 4 * model.count_params()
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    assert not [code.customCode for code in graph.operatorCodes if code.customCode]
    for subgraph in graph.subgraphs:
        assert schema.TensorType.INT8 in {tensor.type for tensor in subgraph.tensors}


def test_a_file_that_differs_is_not_kept(tmp_path, monkeypatch):
    convert = tflite.convert_steps
    monkeypatch.setattr(tflite, "convert_steps", lambda model, *rest: convert(make(initializer_range=0.4), *rest))
    with pytest.raises(InputError, match="differ from Keras by"):
        export_tflite(make(initializer_range=0.5), tmp_path / "a.tflite", [5], TEXTS, "none")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("lengths", "settings", "message"),
    [
        ([8], {"quantize": "int8_full"}, "A model that writes text passes keys and values .* Choose int8, which"),
        ([8, 12], {}, "Received: max_length=7, for sources of 12 tokens. The decoder has positions for 4 tokens"),
        ([17], {}, r"Received: lengths \[17\]. Rows of this model have 4 to 16 tokens."),
    ],
)
def test_wrong_settings(tmp_path, lengths, settings, message):
    with pytest.raises(ConfigError, match=message):
        export_tflite(make("prefix"), tmp_path / "a.tflite", lengths, TEXTS, **settings)
    assert not list(tmp_path.iterdir())


def test_wrong_calls(exported, generator, tmp_path):
    model, path, _ = exported
    with pytest.raises(
        ConfigError, match="Received: max_length=8. The cache of .*writer.tflite holds 7 tokens. Export"
    ):
        generator.generate(["good"], max_length=8)
    with pytest.raises(ConfigError, match="Received: beams=2. Did you mean 'num_beams'"):
        generator.generate(["good"], beams=2)
    with pytest.raises(ConfigError, match="Received: seed=-1. It must be a whole number"):
        generator.generate(["good"], seed=-1)
    with pytest.raises(InputError, match="Row 1: the text is empty"):
        generator.generate(["good", ""])
    with pytest.raises(InputError, match="Received: a source of 9 tokens. .*writer.tflite reads at most 8."):
        generator.generate_tokens([[5] * 9])
    with pytest.raises(InputError, match="No such file: .*none.tflite"):
        LiteRTGenerator(tmp_path / "none.tflite")
    other = tmp_path / "other.tflite"
    other.write_bytes(b"no zip")
    with pytest.raises(InputError, match="other.tflite has no generator.json: it is no .tflite of a model that writes"):
        LiteRTGenerator(other)


def test_points_of_bleu_are_percentage_points():
    """BLEU is of 100, the other metrics of 1."""

    def scored(value, best):
        return types.SimpleNamespace(SCORE="metric", SCORE_MAX=best, score=lambda *data: {"metric": value})

    data = ([""], [""])

    assert (make(metric="bleu").SCORE_MAX, make().SCORE_MAX) == (100.0, 1.0)
    report = compared_scores(scored(30.0, 100.0), 29.5, data, 0.6, "tflite")
    assert report["drop_points"] == pytest.approx(0.5)
    with pytest.raises(InputError, match="0.70 points below"):
        compared_scores(scored(0.307, 1.0), 0.3, data, 0.6, "tflite")
