"""Times pretraining steps of bert_tf and its peers side by side and writes docs/PERFORMANCE.md's table and plot.

    python tools/benchmark.py [--only bert_tf,keras_hub] [--sizes 6x384,12x768] [--shapes 32x128,8x512] [--rounds 3]

Each contender runs in a process of its own (`benchmark_step.py`), all in turn, round after round, so that noise falls
on all alike; one whose loss does not fall, or that has another number of parameters, is not reported. Seconds of CPU
time are given beside the clock's because other work on the machine changes them little. transformers is left out where
it is not installed; another environment's is taken with --torch PYTHON.
"""

import argparse
import datetime
import importlib.util
import json
import pathlib
import platform
import statistics
import subprocess
import sys

STEP = pathlib.Path(__file__).with_name("benchmark_step.py")
PAGE = pathlib.Path(__file__).parent.parent / "docs" / "PERFORMANCE.md"
BEGIN, END = "<!-- benchmark -->\n", "<!-- end of benchmark -->\n"
PREDICTIONS, VOCABULARY = 20, 30522


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="bert_tf,keras_hub,model_garden,transformers", help="contenders")
    parser.add_argument("--dtypes", default="float32,bfloat16")
    parser.add_argument("--sizes", default="6x384,12x768", help="layers x width of the models")
    parser.add_argument("--shapes", default="32x128,8x512", help="rows x pieces of the batches")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch", default=sys.executable, help="a Python with torch and transformers")
    parser.add_argument("--output", type=pathlib.Path, default=PAGE, help="the page whose benchmark part is replaced")
    options = parser.parse_args()
    contenders = [
        (name, dtype)
        for name in options.only.split(",")
        for dtype in options.dtypes.split(",")
        if name != "transformers" or options.torch != sys.executable or importlib.util.find_spec("transformers")
    ]
    cases = [(*pair(size), *pair(shape)) for size in options.sizes.split(",") for shape in options.shapes.split(",")]
    peaks = {dtype: measure(sys.executable, "peak", dtype, (0, 0, 0, 0)) for dtype in options.dtypes.split(",")}
    tables = {case: race(contenders, case, options) for case in cases}
    command = " ".join(["python tools/benchmark.py", *sys.argv[1:]])
    write(options.output, describe(peaks, tables, command))
    plot(options.output.with_name("performance.png"), tables)


def pair(text):
    one, other = text.split("x")
    return int(one), int(other)


def measure(python, name, dtype, case):
    command = [python, str(STEP), name, dtype, *map(str, case)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def race(contenders, case, options):
    """{(contender, dtype): results of its rounds} for those that compute the right thing."""
    results = {contender: [] for contender in contenders}
    for turn in range(options.rounds):
        for name, dtype in contenders:
            python = options.torch if name == "transformers" else sys.executable
            result = measure(python, name, dtype, case)
            results[name, dtype].append(result)
            print(turn + 1, name, dtype, case, f"{statistics.median(result['cpu']):.2f} s of CPU", flush=True)
    return {contender: rounds for contender, rounds in results.items() if is_right(contender, rounds[0], case)}


def is_right(contender, result, case):
    """Whether the loss falls over the steps, and the model has the size asked for, give or take its heads."""
    layers, hidden, *_ = case
    size = layers * 12 * hidden**2 + (VOCABULARY + 512) * hidden
    falls = result["losses"][-1] < result["losses"][0]
    if falls and abs(result["parameters"] / size - 1) < 0.03:
        return True
    print(f"{contender} is left out: losses {result['losses']}, {result['parameters']:,} parameters of {size:,}")
    return False


def gflop(case):
    """What a step's matrix products need: forward, and twice as much backward."""
    layers, hidden, batch, length = case
    block = 12 * hidden**2 + 2 * length * hidden
    head = PREDICTIONS * (hidden**2 + hidden * VOCABULARY) + 2 * PREDICTIONS * length * hidden
    return 3 * 2 * batch * (length * layers * block + head) / 1e9


def median(rounds, key):
    return statistics.median(seconds for result in rounds for seconds in result[key])


def describe(peaks, tables, command):
    lines = [
        f"{machine()}; {datetime.date.today()}; `{command}`",
        "",
        "| matrix products | GFLOP a second of CPU time, one core | by the clock, all cores |",
        "|---|---|---|",
        *(f"| {dtype} | {found['cpu']:,.0f} | {found['wall']:,.0f} |" for dtype, found in peaks.items()),
        "",
    ]
    for case, results in tables.items():
        lines += table(case, results, peaks)
    return "\n".join(lines)


def table(case, results, peaks):
    layers, hidden, batch, length = case
    lines = [
        f"### {layers} layers, {hidden} wide; {batch} rows of {length} ({gflop(case):,.0f} GFLOP a step)",
        "",
        "| | pieces a second of CPU time | spread | share of the peak | pieces a second | MiB | bert_tf's is |",
        "|---|---|---|---|---|---|---|",
    ]
    best = min((median(rounds, "cpu") for (name, _), rounds in results.items() if name == "bert_tf"), default=None)
    for (name, dtype), rounds in sorted(results.items(), key=lambda item: median(item[1], "cpu")):
        cpu, wall, memory = median(rounds, "cpu"), median(rounds, "wall"), max(result["memory"] for result in rounds)
        middles = [statistics.median(result["cpu"]) for result in rounds]
        spread = (max(middles) - min(middles)) / cpu
        share = gflop(case) / cpu / peaks[dtype]["cpu"]
        ratio = f"{cpu / best:.2f} times" if best else ""
        pieces = batch * length
        lines.append(
            f"| {name} {dtype} | {pieces / cpu:,.0f} | {spread:.0%} | {share:.0%} | {pieces / wall:,.0f} | "
            f"{memory:,.0f} | {ratio} |"
        )
    return [*lines, ""]


def machine():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        name = next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name"))
        flags = next(line.split() for line in text.splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return platform.platform()
    units = [unit for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8") if unit in flags]
    return f"{name}, {text.count('processor')} cores, {' '.join(units)}"


def write(path, text):
    """Puts `text` in place of what the last run wrote."""
    page = path.read_text() if path.exists() else f"# Performance\n\n{BEGIN}{END}"
    before, rest = page.split(BEGIN)
    path.write_text(f"{before}{BEGIN}{text}{END}{rest.split(END)[1]}")


def plot(path, tables):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(tables), figsize=(4 * len(tables), 3), squeeze=False, layout="constrained")
    for axis, ((layers, hidden, batch, length), results) in zip(axes[0], tables.items(), strict=True):
        names = [f"{name}\n{dtype}" for name, dtype in results]
        axis.barh(names, [batch * length / median(rounds, "cpu") for rounds in results.values()])
        axis.set_title(f"{layers}×{hidden}, {batch}×{length}", fontsize=9)
        axis.set_xlabel("pieces a second of CPU time", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.invert_yaxis()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
