"""A pretraining step of bert_tf and its peers on the same rows of random tokens, without padding."""

import os

import numpy as np

from bench import contenders
from bench.figures import (
    CLOCK,
    CLOCKS,
    PREDICTIONS,
    SECOND,
    VOCABULARY,
    comparison,
    config_of,
    flops,
    parameters,
    subplots,
)
from bench.runner import Case, Race
from bench.worker import require

TITLE = "Pretraining steps"


def races(options):
    """Races by size and shape, the most common first; float32 of the larger models last."""
    cases = [(size, shape, options.dtypes) for size in options.sizes[:1] for shape in options.shapes]
    for dtype in options.dtypes[::-1]:
        cases += [(size, shape, [dtype]) for size in options.sizes[1:] for shape in options.shapes]
    return [_race(*case, options) for case in cases]


def _race(size, shape, dtypes, options):
    (layers, hidden), (rows, length) = size, shape
    large = hidden >= 768 and not options.gpu
    steps = 50 if options.gpu else 1 if large else 3
    settings = {"layers": layers, "hidden": hidden, "rows": rows, "length": length, "steps": steps}
    names = options.contenders(contenders.CONTENDERS)
    cases = [Case("step", name, settings | {"dtype": dtype}) for name in names for dtype in dtypes]
    if options.gpu:  # on a CPU XLA is slower, and torch.compile is not for training there
        whole = [case for case in cases if can_compile(case)]
        cases += [Case("step", case.contender, case.settings | {"compiled": True}) for case in whole]
    few = 1 if dtypes == ["float32"] else 2
    return Race(cases, min(options.rounds, few) if large else options.rounds)


def can_compile(case):
    """Whether a contender has a whole step to compile: under JAX that is what Keras does anyway."""
    if case.contender == "transformers":
        return True
    return case.contender != "model_garden" and os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"


def make_rows(rows, length):
    """One batch of random tokens, as described in `contenders.py`."""
    random = np.random.default_rng(0)
    places = random.permuted(np.tile(np.arange(length), (rows, 1)), axis=1)[:, :PREDICTIONS]
    return {
        "ids": random.integers(1000, VOCABULARY, (rows, length)).astype("int32"),
        "mask": np.ones((rows, length), "int32"),
        "segments": np.zeros((rows, length), "int32"),
        "positions": np.sort(places, 1).astype("int32"),
        "labels": random.integers(1000, VOCABULARY, (rows, PREDICTIONS)).astype("int32"),
        "weights": np.ones((rows, PREDICTIONS), "float32"),
        "next": random.integers(0, 2, rows).astype("int32"),
    }


def train(name, settings, meter):
    """The work of a contender: training steps on one batch."""
    rows = make_rows(settings["rows"], settings["length"])
    found, run = contenders.CONTENDERS[name](settings, [rows], meter)
    return checked(found, run, settings, settings["rows"] * settings["length"])


def checked(found, run, settings, units, timed=None):
    """The work to time, after a check of the number of parameters and that the loss falls.

    Args:
        found: number of parameters.
        run: function from a number of steps to the mean loss, on the same batches in each call.
        settings: of the case; "steps" are timed.
        units: of work per step.
        timed: measured in place of `run`, None: `run`.
    """
    wanted, steps = parameters(config_of(settings)), settings["steps"]
    require(abs(found / wanted - 1) < 0.03, f"The model has {found:,} parameters, expected about {wanted:,}.")
    first, second = run(3), run(3)  # three steps each, because Adam's first step is its longest and may overshoot
    require(second < first, f"The loss does not fall: {first:.4f}, then {second:.4f}.")
    return lambda: {"loss": (timed or run)(steps), "steps": steps, "units": steps * units}


CONTENDERS = {
    name: lambda settings, paths, meter, name=name: train(name, settings, meter) for name in contenders.CONTENDERS
}


def describe(store):
    """A table for each size and shape."""
    peaks = {found.settings["dtype"]: found for found in store.of("peak") if found.contender == "products"}
    return "\n".join(_table(case, measured, peaks.get("bfloat16")) for case, measured in by_case(store).items())


def by_case(store):
    """{(layers, hidden, rows, length): its `Measured`}."""
    found = {}
    for measured in store.of("step"):
        case = tuple(measured.settings[name] for name in ("layers", "hidden", "rows", "length"))
        found.setdefault(case, []).append(measured)
    return dict(sorted(found.items()))


def _table(case, measured, peak):
    layers, hidden, rows, length = case
    work = flops(measured[0].settings)

    def share(clock):
        return lambda found: f"{work / found.seconds(clock) / peak.rate(clock):.0%}" if peak else ""

    heads = {"cpu": "of the bf16 peak by CPU time", "wall": "of the bf16 peak by the clock"}
    more = {heads[clock]: share(clock) for clock in CLOCKS}
    head = f"### {layers} layers, {hidden} wide; {rows} rows of {length} ({work / 1e9:,.0f} GFLOP per step)\n"
    return f"{head}\n{comparison(measured, 'tokens', _label, more=more)}"


def _label(found):
    compiled = ", compiled" if found.settings.get("compiled") else ""
    return f"{found.contender} {found.settings['dtype']}{compiled}"


def plot(store, path):
    """Plots the rates of each size and shape."""
    cases = by_case(store)
    figure, axes = subplots(len(cases))
    for axis, ((layers, hidden, rows, length), measured) in zip(axes, cases.items(), strict=True):
        measured = sorted(measured, key=lambda found: -found.rate(CLOCK))
        colours = ["tab:blue" if found.contender == "bert_tf" else "tab:gray" for found in measured]
        names = [f"{found.contender}\n{found.settings['dtype']}" for found in measured]
        axis.barh(names, [found.rate(CLOCK) for found in measured], color=colours)
        axis.set_title(f"{layers}×{hidden}, {rows}×{length}", fontsize=9)
        axis.set_xlabel(f"tokens per {SECOND}", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.invert_yaxis()
    figure.savefig(path, dpi=110)
