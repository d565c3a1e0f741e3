"""Predicted scaling of a pretraining step over workers, computed from the measured step."""

from bench.figures import best_of, config_of, parameters, table
from bench.step import by_case

TITLE = "Scaling, predicted"
SOURCE = "step"
WORKERS = (8, 16, 32, 64, 128, 256, 512, 1024)
GIGABITS = (10, 25, 100)


def races(options):
    """None: this part uses the measurements of `step`."""
    return []


def step_seconds(seconds, gradient_bytes, workers, gigabits):
    """Seconds of a step and then a ring all-reduce of its gradients (Patarasuk and Yuan 2009), without overlap.

    Each of n workers sends and receives 2 (n - 1) / n of the gradients' bytes over a link of `gigabits` per second.
    """
    return seconds + 2 * (workers - 1) / workers * gradient_bytes * 8 / (gigabits * 1e9)


def describe(store):
    """A table for each size and shape."""
    tables = [_table(case, best_of(measured, "bert_tf", "wall")) for case, measured in by_case(store).items()]
    return "\n".join(filter(None, tables))


def _table(case, found):
    if not found:
        return ""
    layers, hidden, rows, length = case
    size = 4 * parameters(config_of(found.settings))  # gradients are float32, also dense for embedding tables
    seconds = found.seconds("wall")
    head = ["workers", *(f"{gigabits} Gbit/s: tokens per second" for gigabits in GIGABITS)]
    lines = []
    for workers in WORKERS:
        steps = [step_seconds(seconds, size, workers, gigabits) for gigabits in GIGABITS]
        lines.append(
            [f"{workers:,}", *(f"{workers * rows * length / step:,.0f} ({seconds / step:.0%})" for step in steps)]
        )
    return (
        f"### Predicted: {layers} layers, {hidden} wide; {rows} rows of {length} per worker\n\n"
        f"A step of {seconds:.3f} s ({found.settings['dtype']}, by the clock), {size / 2**20:,.0f} MiB to reduce.\n\n"
        f"{table(head, lines)}"
    )
