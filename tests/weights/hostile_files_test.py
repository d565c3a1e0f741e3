"""Files that would ask for any amount of memory, read other files, hang, or answer NaN: refused in one line."""

import json
import math
import os
import resource
import stat
import tracemalloc

import h5py
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf.core.errors import InputError
from bert_tf.weights import FORMATS, read_model, write_model
from tests.weights.samples import make

KERNEL = "blocks/transformer_block_1/output_dense/vars/0"  # [12, 8]
WEIGHTS = {
    "bert_tf": "model.weights.h5",
    "keras_hub": "model.weights.h5",
    "huggingface": "model.safetensors",
    "google": "bert_model.ckpt.index",
    "model_garden": "ckpt-1.index",
}
CONFIGS = dict.fromkeys(FORMATS, "config.json") | {"google": "bert_config.json"}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "model"
    write_model(make("encoder"), folder)
    return folder


@pytest.fixture
def folder(original, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for path in original.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def huggingface(tmp_path):
    write_model(make("classification"), tmp_path / "model", "huggingface")
    return tmp_path / "model"


def refusal(folder):
    """The message of the refusal, which allocated nothing of the size that the files declare."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            read_model(folder)
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def external(file, folder):
    secret = folder / "secret"
    secret.write_bytes(bytes(384))
    file.create_dataset(KERNEL, (12, 8), "f4", external=[(str(secret), 0, 384)])


def virtual(file, folder):
    with h5py.File(folder / "secret.h5", "w") as other:
        other["x"] = np.zeros((12, 8), "f4")
    layout = h5py.VirtualLayout((12, 8), "f4")
    layout[:] = h5py.VirtualSource(folder / "secret.h5", "x", (12, 8))
    file.create_virtual_dataset(KERNEL, layout)


def linked(file, folder):
    with h5py.File(folder / "secret.h5", "w") as other:
        other["x"] = np.zeros((12, 8), "f4")
    file[KERNEL] = h5py.ExternalLink(str(folder / "secret.h5"), "/x")


def huge(file, folder):
    file.create_dataset(KERNEL, (3 * 2**30,), "f4")


def unwritten(file, folder):
    file.create_dataset(KERNEL, (12, 8), "f4")


def partly_written(file, folder):
    file.create_dataset(KERNEL, (12, 8), "f4", chunks=(4, 8))[:4] = 1


def compressed_zeros(file, folder):
    data = file.create_dataset(KERNEL, (2**15, 2**10), "f4", chunks=(2**10, 2**10), compression="gzip")
    for i in range(32):
        data[i * 2**10 : (i + 1) * 2**10] = 0


def swapped(file, folder):
    file[KERNEL] = np.zeros((8, 12), "f4")


def whole_numbers(file, folder):
    file[KERNEL] = np.zeros((12, 8), "int8")


def text(file, folder):
    file[KERNEL] = "hello"


def not_a_number(file, folder):
    file[KERNEL] = np.where(np.arange(96).reshape(12, 8) == 5, np.nan, 1.0).astype("f4")


def too_large(file, folder):
    file[KERNEL] = np.full((12, 8), 1e300)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (external, "data in other files"),
        (virtual, "data in other files"),
        (linked, "1 weights are missing"),
        (huge, "never written"),
        (unwritten, "never written"),
        (partly_written, "never written"),
        (compressed_zeros, "many times those of the file"),
        (swapped, "block_1/output/kernel has shape (8, 12); the settings say (12, 8)"),
        (whole_numbers, "is of type int8"),
        (text, "is of type object"),
        (not_a_number, "has 1 values of 96 that are NaN"),
        (too_large, "too large for float32"),
    ],
)
def test_an_hdf5_dataset_that_is_no_weight(folder, damage, message):
    with h5py.File(folder / "model.weights.h5", "a") as file:
        del file[KERNEL]
        damage(file, folder)
    assert message in refusal(folder)


def test_bfloat16_as_keras_writes_it(folder):
    with h5py.File(folder / "model.weights.h5", "a") as file:
        array = file[KERNEL][()].astype(ml_dtypes.bfloat16)
        del file[KERNEL]
        file[KERNEL] = array
        file[KERNEL].attrs["dtype"] = "bfloat16"
    found = read_model(folder).weights["encoder/block_1/output/kernel"]
    np.testing.assert_array_equal(found, array.astype("float32"))


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_floats_that_fit_are_read(folder, dtype):
    with h5py.File(folder / "model.weights.h5", "a") as file:
        array = file[KERNEL][()].astype(dtype)
        del file[KERNEL]
        file.create_dataset(KERNEL, data=array, compression="gzip")
    found = read_model(folder).weights["encoder/block_1/output/kernel"]
    np.testing.assert_array_equal(found, array.astype("float32"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_safetensors_that_are_not_finite(huggingface, value):
    tensors = load_file(huggingface / "model.safetensors")
    tensors["classifier.bias"][1] = value
    save_file(tensors, huggingface / "model.safetensors")
    assert "classifier/bias has 1 values of 3 that are NaN" in refusal(huggingface)


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    checkpoint = make("encoder")
    checkpoint.weights["encoder/pooler/bias"][0] = math.inf
    with pytest.raises(InputError, match="pooler/bias has 1 values of 8"):
        write_model(checkpoint, tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [[2**40, 2**40], [3 * 2**30], [8, 3], [-1], [1.5], "x"])
def test_a_safetensors_header_that_declares_another_shape(huggingface, shape):
    data = (huggingface / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["classifier.weight"]["shape"] = shape
    header = json.dumps(header).encode()
    (huggingface / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data[8 + length :])
    refusal(huggingface)


@pytest.mark.parametrize(
    "places",
    [
        [],
        ["a"],
        {"classifier.bias": 5},
        {"classifier.bias": ["a"]},
        {"classifier.bias": "../secret.safetensors"},
        {"classifier.bias": "/etc/passwd"},
        None,
        "x",
    ],
)
def test_an_index_whose_places_are_none(huggingface, places):
    (huggingface / "model.safetensors").unlink()
    (huggingface / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    refusal(huggingface)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_layers": 1000000}, "num_layers=1000000. num_layers must be from 1 to 256"),
        ({"vocab_size": 10**12}, "vocab_size must be from 1 to"),
        ({"hidden_size": 2**40, "num_heads": 1}, "hidden_size must be from 1 to"),
        ({"num_heads": 10**9}, "num_heads must be from 1 to"),
        ({"intermediate_size": 10**10}, "intermediate_size must be from 1 to"),
        ({"max_positions": 10**10}, "max_positions must be from 1 to"),
        ({"type_vocab_size": 10**10}, "type_vocab_size must be from 1 to"),
        ({"layer_norm_epsilon": math.nan}, "layer_norm_epsilon=nan. It must be above 0"),
        ({"layer_norm_epsilon": -1e-12}, "layer_norm_epsilon=-1e-12. It must be above 0"),
        ({"layer_norm_epsilon": math.inf}, "layer_norm_epsilon=inf. It must be above 0"),
        ({"layer_norm_epsilon": 0}, "layer_norm_epsilon=0.0. It must be above 0"),
        ({"initializer_range": math.inf}, "initializer_range=inf. It must be above 0"),
        ({"hidden_dropout": math.nan}, "hidden_dropout must be in [0, 1)"),
    ],
)
def test_sizes_and_numbers_that_no_encoder_has(folder, change, message):
    settings = json.loads((folder / "config.json").read_text())
    settings["encoder"] |= change
    (folder / "config.json").write_text(json.dumps(settings))
    assert message in refusal(folder)


@pytest.mark.parametrize("text", ["[" * 100000, '{"encoder": ' + "9" * 5000 + "}", '{"encoder": "\\ud800"}', "\x00"])
@pytest.mark.parametrize("format", FORMATS)
def test_json_that_python_cannot_hold(tmp_path, format, text):
    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", format)
    (tmp_path / "model" / CONFIGS[format]).write_text(text)
    assert CONFIGS[format] in refusal(tmp_path / "model")


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
@pytest.mark.parametrize("what", ["config", "weights", "vocabulary"])
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path, format, what, kind):
    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", format)
    names = {"config": CONFIGS[format], "weights": WEIGHTS[format], "vocabulary": "vocab*.txt"}
    path = next((tmp_path / "model").rglob(names[what]))
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    message = refusal(tmp_path / "model")
    assert {"pipe": "named pipe", "folder": "a folder", "device": "a device"}[kind] in message


@pytest.mark.parametrize("format", FORMATS)
def test_flipped_bits_are_taken_or_refused(tmp_path, format):
    """A changed number is no damage that a format without checksums can show; every other change is one line."""
    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", format)
    random = np.random.default_rng(0)
    path = tmp_path / "model" / WEIGHTS[format]
    whole = path.read_bytes()
    for place in random.integers(0, min(len(whole), 4000), 40):
        data = bytearray(whole)
        data[place] ^= 1 << random.integers(8)
        path.write_bytes(data)
        try:
            read_model(tmp_path / "model")
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, format):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    checkpoint = make("encoder", activation="gelu_tanh")
    for size in (10, 3000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            with pytest.raises(OSError) as caught:
                write_model(checkpoint, tmp_path / "model", format)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", FORMATS)
def test_every_file_can_be_read_by_others(tmp_path, format):
    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", format)
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o666 & ~os.umask(os.umask(0o022))}


def test_a_link_and_the_working_folder_are_followed(tmp_path, monkeypatch):
    write_model(make("encoder"), tmp_path / "model")
    (tmp_path / "link").symlink_to("model")
    write_model(make("tagging"), tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert read_model(tmp_path / "model").task["name"] == "tagging"
    monkeypatch.chdir(tmp_path / "model")
    write_model(make("embedding"), ".", overwrite=True)
    assert read_model(tmp_path / "model").task["name"] == "embedding"
    with pytest.raises(InputError, match="exists"):
        write_model(make("encoder"), tmp_path / "link")


@pytest.mark.parametrize("kind", ["file", "device"])
def test_an_output_that_is_no_folder_stays(tmp_path, kind):
    path = tmp_path / "model"
    path.write_text("all of it") if kind == "file" else path.symlink_to("/dev/full")
    with pytest.raises(InputError, match="is no folder, and is not replaced"):
        write_model(make("encoder"), path, overwrite=True)
    assert path.is_symlink() or path.read_text() == "all of it"


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path, monkeypatch):
    """Two conversions into one name: the second one to finish is told, and the first one's model stays."""
    slow = FORMATS["bert_tf"].write

    def write(checkpoint, folder):
        monkeypatch.setattr(FORMATS["bert_tf"], "write", slow)
        write_model(make("tagging"), tmp_path / "model")
        return slow(checkpoint, folder)

    monkeypatch.setattr(FORMATS["bert_tf"], "write", write)
    with pytest.raises(InputError, match="exists"):
        write_model(make("encoder"), tmp_path / "model")
    assert read_model(tmp_path / "model").task["name"] == "tagging"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
