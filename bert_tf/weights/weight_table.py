"""Tables of weight names: one list of rows for reading and writing, in which every name is accounted for."""

import dataclasses
import difflib
from collections.abc import Callable, Collection, Mapping

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.weights.io.stored_array import FLOATS, StoredArray
from bert_tf.weights.schema import POOLER, Shape, check_shape, part_of


@dataclasses.dataclass(frozen=True)
class Transform:
    """An invertible change of an array's layout between their file and ours."""

    to_ours: Callable[[np.ndarray], np.ndarray]
    to_theirs: Callable[[np.ndarray], np.ndarray]


SAME = Transform(lambda x: x, lambda x: x)
TRANSPOSED = Transform(np.transpose, np.transpose)


@dataclasses.dataclass(frozen=True)
class Row:
    """One weight: our name, their name, and how the layouts differ; "{i}" in both is the number of a block.

    `part` (k, n) says that their tensor is n of ours one after the other along its first axis, of which this is the
    k-th, counted from 0.
    """

    ours: str
    theirs: str
    transform: Transform = SAME
    part: tuple[int, int] = (0, 1)

    def to_ours(self, tensor: np.ndarray) -> np.ndarray:
        """Our array from theirs; `ValueError` or `IndexError` if the shape does not fit."""
        number, count = self.part
        if count > 1:
            tensor = np.split(tensor, count)[number]
        return self.transform.to_ours(tensor)


def linear(
    ours: str, theirs: str, kernel: str = "kernel", bias: str = "bias", transform: Transform = SAME
) -> list[Row]:
    """The two rows of a dense layer; `transform` is that of the kernel."""
    return [Row(f"{ours}/kernel", f"{theirs}{kernel}", transform), Row(f"{ours}/bias", f"{theirs}{bias}")]


def norm(ours: str, theirs: str, gamma: str = "gamma", beta: str = "beta") -> list[Row]:
    """The two rows of a layer norm."""
    return [Row(f"{ours}/gamma", f"{theirs}{gamma}"), Row(f"{ours}/beta", f"{theirs}{beta}")]


def keras_dense(ours: str, theirs: str) -> list[Row]:
    """The two rows of a dense layer in a weights file of Keras 3, whose variables are numbered."""
    return linear(ours, f"{theirs}/vars/", kernel="0", bias="1")


def keras_norm(ours: str, theirs: str) -> list[Row]:
    """The two rows of a layer norm in a weights file of Keras 3."""
    return norm(ours, f"{theirs}/vars/", gamma="0", beta="1")


def torch_linear(ours: str, theirs: str) -> list[Row]:
    """The two rows of a dense layer that is a `torch.nn.Linear`, whose kernel is transposed."""
    return linear(ours, f"{theirs}.", kernel="weight", bias="bias", transform=TRANSPOSED)


def torch_norm(ours: str, theirs: str) -> list[Row]:
    """The two rows of a layer norm that is a `torch.nn.LayerNorm`."""
    return norm(ours, f"{theirs}.", gamma="weight", beta="bias")


def projections(ours: str, theirs: str, num_heads: int, kernel: str = "kernel", bias: str = "bias") -> list[Row]:
    """The eight rows of an attention whose kernels and biases have an axis of heads in their file.

    "{name}" in `theirs` is replaced by "query", "key", "value" and "output".
    """

    # N heads, H head size, D hidden = N * H

    def merge(first):  # axes `first` (N) and `first` + 1 (H) become one
        return lambda x: x.reshape(x.shape[:first] + (_merged(x.shape, first, num_heads),) + x.shape[first + 2 :])

    def split(first):
        return lambda x: x.reshape(x.shape[:first] + (num_heads, -1) + x.shape[first + 1 :])

    last_two = Transform(merge(1), split(1))  # [D, N, H] in the file, [D, D] here
    first_two = Transform(merge(0), split(0))  # [N, H, D] or [N, H] in the file, [D, D] or [D] here
    rows = []
    for name in ("query", "key", "value"):
        prefix = theirs.replace("{name}", name)
        rows.append(Row(f"{ours}/{name}/kernel", prefix + kernel, last_two))
        rows.append(Row(f"{ours}/{name}/bias", prefix + bias, first_two))
    prefix = theirs.replace("{name}", "output")
    rows.append(Row(f"{ours}/output/kernel", prefix + kernel, first_two))
    rows.append(Row(f"{ours}/output/bias", prefix + bias))  # [D] in both
    return rows


def expand(rows: list[Row], num_layers: int) -> list[Row]:
    """The table with the rows of a block repeated for every block."""
    expanded = [row for row in rows if "{i}" not in row.ours]
    in_block = [row for row in rows if "{i}" in row.ours]
    for i in range(num_layers):
        for row in in_block:
            ours, theirs = row.ours.replace("{i}", str(i)), row.theirs.replace("{i}", str(i))
            expanded.append(dataclasses.replace(row, ours=ours, theirs=theirs))
    return expanded


def unnumber_first(rows: list[Row], name: str) -> list[Row]:
    """The table with "name_0/" in their names replaced by "name/", as Keras names the first of several."""
    return [dataclasses.replace(row, theirs=row.theirs.replace(f"{name}_0/", f"{name}/")) for row in rows]


def decoder_rows(
    rows: list[Row], num_layers: int, stack: Callable[[str], str] | None, cross: Callable[[str, int], str]
) -> list[Row]:
    """The rows of a decoder, from those of an encoder of its kind.

    Args:
        rows: of the encoder.
        num_layers: of the decoder.
        stack: from their name of a weight of the encoder to that of the decoder; None: it has only cross-attention.
        cross: from their name of a weight of the first attention, and the number of a layer, to that of the
            cross-attention.
    """
    decoder = []
    for row in rows:
        if row.ours.startswith("encoder/block_0/attention"):
            for i in range(num_layers):
                ours = row.ours.replace("encoder/block_0/", f"decoder/cross_{i}/")
                decoder.append(dataclasses.replace(row, ours=ours, theirs=cross(row.theirs, i)))
        if stack and row.ours.startswith("encoder/") and part_of(row.ours) != POOLER:
            ours = row.ours.replace("encoder/", "decoder/", 1)
            decoder.append(dataclasses.replace(row, ours=ours, theirs=stack(row.theirs)))
    return decoder


def read_rows(
    rows: list[Row],
    tensors: Mapping[str, StoredArray],
    shapes: Mapping[str, Shape],
    ignored: Collection[str] = (),
    required: Collection[str] = ("encoder",),
) -> dict[str, np.ndarray]:
    """Our weights, {name: float32 array}, from their tensors; only those with a row and the right shape are read.

    Args:
        rows: the table.
        tensors: {their name: the stored array}.
        shapes: {our name: the shape that the settings ask for}; a head that it lacks may have any.
        ignored: names that contain one of these strings need no row.
        required: parts that must be there. Every part (encoder, pooler, each head) must be whole or absent.

    Raises:
        InputError: a tensor has no row, a weight of a part is missing, or a shape or type does not fit; names are
            listed.
    """
    by_name = {row.theirs: row for row in rows}
    strange = []
    for name in tensors:
        is_ignored = any(part in name for part in ignored)
        if name not in by_name and not is_ignored:
            strange.append(name)
    if strange:
        raise InputError(f"{len(strange)} unknown weights: {_listed(strange, by_name, 'known')}")

    found = [row for row in rows if row.theirs in tensors]
    present = {part_of(row.ours) for row in found} | set(required)
    missing = [row.theirs for row in rows if row.theirs not in tensors and part_of(row.ours) in present]
    if missing:
        raise InputError(f"{len(missing)} weights are missing: {_listed(missing, tensors, 'present')}")
    for row in found:
        _check_stored(row, tensors[row.theirs], shapes)
    return {row.ours: _ours(row, tensors[row.theirs]) for row in found}


def write_rows(rows: list[Row], weights: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Their tensors from our weights, and a line for each part of ours that has no row."""
    by_name = {row.ours: row for row in rows}
    parts: dict[str, dict[int, np.ndarray]] = {}
    left_out = set()
    for name, array in weights.items():
        row = by_name.get(name)
        if row is None:
            left_out.add(part_of(name))
        else:
            parts.setdefault(row.theirs, {})[row.part[0]] = row.transform.to_theirs(array)
    tensors = {}
    for theirs, arrays in parts.items():
        joined = arrays[0] if len(arrays) == 1 else np.concatenate([arrays[k] for k in sorted(arrays)])
        # Contiguous, because some writers copy a transposed view's memory as it is.
        tensors[theirs] = np.ascontiguousarray(joined)
    return tensors, [f"{part} has no place in the format and was left out." for part in sorted(left_out)]


def _check_stored(row: Row, stored: StoredArray, shapes: Mapping[str, Shape]) -> None:
    """Raises `InputError` where the type or shape that a file declares is not that of the weight."""
    if stored.dtype not in FLOATS:
        raise InputError(f"{row.theirs} is of type {stored.dtype}. Weights are of type {', '.join(FLOATS)}.")
    try:
        # One number seen as an array of the declared shape: its layout changes like the data's, at no cost.
        shape = row.to_ours(np.broadcast_to(np.float32(0), stored.shape)).shape
    except (ValueError, IndexError):
        raise InputError(f"{row.theirs} has shape {stored.shape}, which does not fit the settings.") from None
    check_shape(row.ours, shape, shapes.get(row.ours, shape))


def _ours(row: Row, stored: StoredArray) -> np.ndarray:
    with np.errstate(over="ignore"):  # too large for float32: infinite, which `schema.check` refuses
        return np.ascontiguousarray(row.to_ours(stored.read()), "float32")


def _merged(shape: tuple[int, ...], first: int, num_heads: int) -> int:
    if shape[first] != num_heads:
        raise ValueError(f"{shape[first]} heads in the file, {num_heads} in the settings")
    return shape[first] * shape[first + 1]


def _listed(names: list[str], known: Collection[str], what: str) -> str:
    """The first eight names, how many more there are, and the known name that is nearest to the first."""
    text = ", ".join(names[:8])
    if len(names) > 8:
        text += f" and {len(names) - 8} more"
    text += "."
    if close := difflib.get_close_matches(names[0], known, n=1):
        text += f" The nearest {what} name is {close[0]}."
    return text
