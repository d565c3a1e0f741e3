"""Tables and plots of measurements, common to all parts of the page."""

import shutil

from bert_tf.modeling.families.bert import BertConfig
from bert_tf.training.flops import step_flops

VOCABULARY, PREDICTIONS = 30522, 20
# On a CPU rows are sorted by its time, which other work on the machine hardly changes; on a GPU it tells nothing.
CLOCKS = {"wall": "second"} if shutil.which("nvidia-smi") else {"cpu": "second of CPU time", "wall": "second"}
CLOCK, SECOND = next(iter(CLOCKS.items()))  # of the order of rows, and of plots
SPEEDS = {"cpu": "bert_tf's speed by CPU time", "wall": "bert_tf's speed by the clock"}


def table(head, rows):
    """A Markdown table; cells are texts."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def heads(hidden):
    """Attention heads of a model of this width: 64 units each, except 32 in MiniLM's 384."""
    return 12 if hidden == 384 else max(1, hidden // 64)


def config_of(settings):
    """The `BertConfig` of a case's settings."""
    hidden = settings["hidden"]
    return BertConfig(
        vocab_size=VOCABULARY,
        num_layers=settings["layers"],
        hidden_size=hidden,
        num_heads=heads(hidden),
        intermediate_size=4 * hidden,
        max_positions=max(512, settings["length"]),
    )


def flops(settings):
    """Floating-point operations of the matrix products of a pretraining step."""
    return step_flops(config_of(settings), settings["rows"], settings["length"], PREDICTIONS, PREDICTIONS + 1)


def parameters(config):
    """Approximate number of parameters of a pretraining model: blocks and embedding tables, without heads."""
    hidden = config.hidden_size
    return config.num_layers * 12 * hidden**2 + (config.vocab_size + config.max_positions) * hidden


def best_of(measured, name, clock):
    """The fastest `Measured` of a contender, or None."""
    ours = [found for found in measured if found.contender == name]
    return max(ours, key=lambda found: found.rate(clock), default=None)


def against(found, measured, clock):
    """Speed of bert_tf's fastest setting relative to `found`, as text."""
    best = best_of(measured, "bert_tf", clock)
    return f"{best.rate(clock) / found.rate(clock):.2f} times" if best else ""


def comparison(measured, unit, label, more=None):
    """The table of a race: rates with their spread, memory, and the relative speed of bert_tf.

    Args:
        measured: `Measured`, one per row.
        unit: of the rates, in the plural.
        label: function from a `Measured` to the name of its row.
        more: further columns, {head: function from a `Measured` to a cell}.
    """
    more = more or {}
    head = [""]
    for second in CLOCKS.values():
        head += [f"{unit} per {second}", "spread"]
    head += [*more, "MiB of the step + before", *(SPEEDS[clock] for clock in CLOCKS)]
    rows = []
    for found in sorted(measured, key=lambda found: -found.rate(CLOCK)):
        row = [label(found)]
        for clock in CLOCKS:
            row += [f"{found.rate(clock):,.0f}", f"{found.spread(clock):.0%}"]
        row += [cell(found) for cell in more.values()]
        row.append("{:,.0f} + {:,.0f}".format(*found.memory()))
        rows.append([*row, *(against(found, measured, clock) for clock in CLOCKS)])
    return table(head, rows)


def subplots(count, width=4.0, height=3.2):
    """(figure, list of axes) side by side, drawn without a display."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, count, figsize=(width * count, height), squeeze=False, layout="constrained")
    return figure, list(axes[0])
