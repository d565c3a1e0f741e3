"""Cost of bert_tf's pretraining step by length, rows and model size, and the cost of saving memory."""

from bench import step
from bench.figures import CLOCK, SECOND, subplots, table
from bench.runner import Case, Race

TITLE = "Growth"
TOKENS = 4096  # per batch


def races(options):
    """Races over lengths at equal tokens per batch, rows, sizes, and remat and accumulation."""
    tokens = 512 if options.quick else TOKENS
    layers, hidden = options.sizes[0]
    steps = 1 if options.quick else 2
    base = {
        "layers": layers,
        "hidden": hidden,
        "rows": tokens // 128,
        "length": 128,
        "dtype": "bfloat16",
        "steps": steps,
    }
    lengths = (64, 128) if options.quick else (64, 128, 256, 512, 1024, 2048)
    sizes = [(1, 64), *options.sizes] if options.quick else [(2, 128), (4, 256), (6, 384), (8, 512), (12, 768)]
    axes = [
        [base | {"length": length, "rows": tokens // length} for length in lengths],
        [base | {"rows": rows} for rows in (tokens // 512, tokens // 128, tokens // 32)[: 2 if options.quick else 3]],
        [base | {"layers": layers, "hidden": hidden} for layers, hidden in sizes],
        [base, base | {"remat": True}, base | {"accumulation": 4}],
    ]
    if "bert_tf" not in options.only:
        return []
    rounds = min(2, options.rounds)
    return [Race([Case("growth", "bert_tf", settings) for settings in axis], rounds) for axis in axes]


CONTENDERS = {"bert_tf": step.CONTENDERS["bert_tf"]}


def attention_share(length, hidden):
    """The share of a block's products that grows with the square of the length: 2 S D of 12 D^2 + 2 S D per token."""
    return length / (6 * hidden + length)


AXES = {
    "length": lambda settings: settings["length"],
    "rows": lambda settings: settings["rows"],
    "size": lambda settings: settings["layers"] * settings["hidden"] ** 2,
}
SAVING = ("remat", "accumulation")


def by_axis(store):
    """{axis: its `Measured` in ascending order}; the first measured case is on the axis of lengths."""
    plain = [found for found in store.of("growth") if not any(name in found.settings for name in SAVING)]
    base = plain[0].settings
    tokens = base["rows"] * base["length"]
    size = AXES["size"](base)
    on_axis = {
        "length": lambda s: AXES["size"](s) == size and s["rows"] * s["length"] == tokens,
        "rows": lambda s: AXES["size"](s) == size and s["length"] == 128,
        "size": lambda s: s["length"] == 128 and s["rows"] == tokens // 128,
    }
    return {
        axis: sorted((found for found in plain if on_axis[axis](found.settings)), key=lambda f: AXES[axis](f.settings))
        for axis in AXES
    }


def describe(store):
    """A table for each axis, and one of the settings that save memory."""
    saving = [found for found in store.of("growth") if any(name in found.settings for name in SAVING)]
    text = [f"### By {axis}\n\n{_table(measured)}" for axis, measured in by_axis(store).items()]
    if saving:
        base = next(found for found in by_axis(store)["length"] if found.settings["length"] == 128)
        text.append(f"### Saving memory\n\n{_table([base, *saving])}")
    return "\n".join(text)


def _table(measured):
    head = ["", "tokens per second of CPU time", "tokens per second", "spread", "MiB of the step", "quadratic share"]
    rows = [
        [
            _label(found.settings),
            f"{found.rate('cpu'):,.0f}",
            f"{found.rate('wall'):,.0f}",
            f"{found.spread('cpu'):.0%}",
            f"{found.memory()[0]:,.0f}",
            f"{attention_share(found.settings['length'], found.settings['hidden']):.0%} of the blocks' products",
        ]
        for found in measured
    ]
    return table(head, rows)


def _label(settings):
    how = "".join(f", {name.replace('accumulation', 'accumulation_steps=4')}" for name in SAVING if name in settings)
    return f"{settings['layers']}×{settings['hidden']}, {settings['rows']}×{settings['length']}{how}"


def plot(store, path):
    """Plots speed and memory by each axis."""
    axes = by_axis(store)
    figure, places = subplots(len(axes))
    for place, (axis, measured) in zip(places, axes.items(), strict=True):
        names = [_label(found.settings) for found in measured]
        ticks = [name.split(", ")[axis != "size"] for name in names]
        place.plot(ticks, [found.rate(CLOCK) for found in measured], "o-", color="tab:blue")
        if axis == "size":
            place.set_yscale("log")
        else:
            place.set_ylim(bottom=0)
        place.set_ylabel(f"tokens per {SECOND}", fontsize=8, color="tab:blue")
        memory = place.twinx()
        memory.plot(ticks, [found.memory()[0] for found in measured], "s--", color="tab:gray")
        memory.set_ylim(bottom=0)
        memory.set_ylabel("MiB of the step", fontsize=8, color="tab:gray")
        place.set_title(f"by {axis}: {'layers × width' if axis == 'size' else 'rows × length'}", fontsize=9)
        for one in (place, memory):
            one.tick_params(labelsize=7)
        place.tick_params(axis="x", rotation=30)
    figure.savefig(path, dpi=110)
