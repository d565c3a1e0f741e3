"""Writes measurements into marked parts of the page; the text around them is written by hand."""

import importlib.util
import pathlib
import platform
import re
import shutil
import subprocess

from bench.options import PAGE
from bert_tf.core import files


def write(path, parts, store):
    """Replaces the marked parts of the page that have measurements.

    Args:
        path: of the page; if it does not exist, it starts as a copy of docs/PERFORMANCE.md. Plots are written to its
            folder.
        parts: {name: module}.
        store: the measurements.
    """
    text = (path if path.exists() else PAGE).read_text(encoding="utf-8")
    for name, part in parts.items():
        source = getattr(part, "SOURCE", name)
        if not store.of(source):
            continue
        commands = ", ".join(f"`{command}`" for command in store.commands(source))
        lines = [f"{store.machine}; {' to '.join(store.dates(source))}; {commands}", "", part.describe(store)]
        if hasattr(part, "plot") and importlib.util.find_spec("matplotlib"):
            picture = path.with_name(f"performance-{name}.png")
            part.plot(store, picture)
            lines += [f"![{part.TITLE}]({picture.name})", ""]
        text = replace(text, name, "\n".join([*lines, *(f"Skipped: {why}\n" for why in store.failures.get(name, ()))]))
    files.write_text(path, text)


def replace(text, name, section):
    """The page's text with `section` between the marks `<!-- name -->` and `<!-- end of name -->`."""
    mark = re.compile(f"(<!-- {name} -->\n).*?(<!-- end of {name} -->\n)", re.DOTALL)
    if not mark.search(text):
        raise SystemExit(f"The page lacks the marks <!-- {name} --> and <!-- end of {name} -->. Add them.")
    return mark.sub(lambda found: found[1] + section.strip("\n") + "\n" + found[2], text)


def machine():
    """The processor and GPUs of this machine, as text."""
    return "; ".join([_processor(), *_gpus()])


def _processor():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        name = next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name"))
        flags = next(line.split() for line in text.splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return platform.platform()
    units = [unit for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8") if unit in flags]
    return f"{name}, {text.count('processor' + chr(9))} cores, {' '.join(units)}"


def _gpus():
    if not shutil.which("nvidia-smi"):
        return []
    done = subprocess.run(
        ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines() if done.returncode == 0 else []
