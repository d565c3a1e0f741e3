"""Tables of weight names: one list of rows serves reading and writing, and every name is accounted for."""

import dataclasses
import difflib
from collections.abc import Callable

import numpy as np

from bert_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Transform:
    """An invertible change of an array's layout between their file and ours."""

    to_ours: Callable
    to_theirs: Callable


SAME = Transform(lambda x: x, lambda x: x)
TRANSPOSED = Transform(np.transpose, np.transpose)


@dataclasses.dataclass(frozen=True)
class Row:
    """One weight: our name, their name, and how the layouts differ; "{i}" in both names stands for the block."""

    ours: str
    theirs: str
    transform: Transform = SAME


def linear(ours, theirs, kernel="kernel", bias="bias", transform=SAME):
    """The two rows of a dense layer."""
    return [Row(f"{ours}/kernel", f"{theirs}{kernel}", transform), Row(f"{ours}/bias", f"{theirs}{bias}")]


def norm(ours, theirs, gamma="gamma", beta="beta"):
    """The two rows of a layer norm."""
    return [Row(f"{ours}/gamma", f"{theirs}{gamma}"), Row(f"{ours}/beta", f"{theirs}{beta}")]


def expand(rows, num_layers):
    """The table with the rows of a block repeated for every block."""
    expanded = [row for row in rows if "{i}" not in row.ours]
    for i in range(num_layers):
        expanded += [
            dataclasses.replace(row, ours=row.ours.format(i=i), theirs=row.theirs.format(i=i))
            for row in rows
            if "{i}" in row.ours
        ]
    return expanded


def read_rows(rows, tensors, ignored=()):
    """Our weights from their `tensors`; a name that no row and no pattern of `ignored` explains raises."""
    by_name = {row.theirs: row for row in rows}
    strange = [name for name in tensors if name not in by_name and not any(part in name for part in ignored)]
    if strange:
        close = difflib.get_close_matches(strange[0], by_name, n=1)
        hint = f" The nearest known name is {close[0]}." if close else ""
        raise InputError(f"{len(strange)} unknown weights: {', '.join(strange[:4])}.{hint}")
    return {
        row.ours: np.ascontiguousarray(row.transform.to_ours(tensors[name]))
        for name, row in by_name.items()
        if name in tensors
    }


def write_rows(rows, weights):
    """Their tensors from our `weights`, and the names of ours that no row holds."""
    by_name = {row.ours: row for row in rows}
    tensors = {
        by_name[name].theirs: np.ascontiguousarray(by_name[name].transform.to_theirs(array))
        for name, array in weights.items()
        if name in by_name
    }
    return tensors, [name for name in weights if name not in by_name]
