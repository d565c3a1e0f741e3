"""The command line `bert-tf`: an absl app in which every verb is one library call.

Help, --version, unknown verbs and wrong flags are answered without importing TensorFlow.
"""

import functools
import gc
import os
import re
import sys
import textwrap
from typing import NoReturn

from absl import app, flags, logging

import bert_tf
from bert_tf.cli import settings_help
from bert_tf.cli.flags import VERBS, Verb
from bert_tf.core.errors import ConfigError, InputError, did_you_mean
from bert_tf.core.import_hooks import import_within, without
from bert_tf.core.registry import resolve

# Operator names that TensorFlow puts around its messages.
_OPERATORS = re.compile(r"^\{\{.*?\}\} | \[Op:\w+\]$")
# Packages that a module imports, if it can, for what no verb uses: two fifths of the time until a verb starts.
_UNUSED = {
    "tensorflow": ("googleapiclient",),
    "tensorflow.lite.python.util": ("jax",),
    "keras": ("sklearn", "pandas", "matplotlib", "cv2"),
    "keras.src.callbacks.orbax_checkpoint": ("jax",),
}
# Objects until a garbage collection. TensorFlow makes a million that stay: Python's own 700 cost a tenth of a start.
_COLLECTED = 50_000
_COLUMNS = 118  # the longest line of help
_HELP = ("-h", "--help", "-help")
_HELP_SETTINGS = ("--help-settings", "--help_settings")


def main() -> None:
    """Console entry point; exit codes: 0 done, 1 the work failed, 2 the command line or a setting is wrong."""
    gc.set_threshold(_COLLECTED)
    for module, packages in _UNUSED.items():
        import_within(module, functools.partial(without, packages))
    try:
        try:
            app.run(_run, flags_parser=_parse)
        finally:
            sys.stdout.flush()  # else Python does at its end, where nothing can be caught
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _parse(argv: list[str]) -> list[str]:
    """Reads the verb, defines its flags and parses them; returns the verb and the key=value overrides."""
    if len(argv) < 2 or argv[1] in ("help", *_HELP):
        print(_overview())
        sys.exit(0)
    if argv[1] in ("version", "--version"):
        print(f"bert-tf {bert_tf.__version__}")
        sys.exit(0)
    name, rest = argv[1], argv[2:]
    if name not in VERBS:
        hint = did_you_mean(name, VERBS, "Verbs")
        _fail(2, f"Unknown verb {name!r}. {hint}")
    verb = VERBS[name]
    if set(_HELP) & set(rest):
        print(_help(name, verb))
        sys.exit(0)
    if verb.settings and set(_HELP_SETTINGS) & set(rest):
        print(settings_help.as_text(resolve(verb.settings)(), _COLUMNS))
        sys.exit(0)
    for flag in verb.flags:
        flag.define()
    try:
        overrides = flags.FLAGS([argv[0], *rest])[1:]
    except flags.Error as error:
        _fail(2, f"{str(error).rstrip('.')}. See bert-tf {name} --help.")
    plain = [item for item in overrides if "=" not in item]
    first = verb.flags[0] if verb.flags else None
    if plain and first and first.required and not flags.FLAGS[first.name].present:
        setattr(flags.FLAGS, first.name, plain.pop(0))  # bert-tf inspect records/
    for flag in verb.flags:
        if flag.required and not getattr(flags.FLAGS, flag.name):
            _fail(2, f"--{flag.name} is required. Example: {verb.example}")
    if plain:
        _fail(2, f"Received: {plain[0]!r}. Only key=value settings may follow the flags.")
    return [name, *(item for item in overrides if "=" in item)]


def _run(argv: list[str]) -> None:
    name, *overrides = argv
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)  # hides TensorFlow's notes on devices and instructions
        logging.get_absl_handler().setFormatter(None)  # the message alone
    try:
        resolve(VERBS[name].run)(flags.FLAGS, overrides)
    except KeyboardInterrupt:
        _fail(1, "Interrupted. Finished parts are kept; no incomplete file is left.")
    except BrokenPipeError:
        raise  # see `main`
    except ConfigError as error:
        _stop(2, str(error))
    except (InputError, OSError) as error:
        _stop(1, str(error))
    except Exception as error:
        if not _is_outside_failure(error):
            raise
        _stop(1, _OPERATORS.sub("", str(error).splitlines()[0]))


def _is_outside_failure(error: Exception) -> bool:
    """Whether TensorFlow failed because of its surroundings, such as a full disk, and not because of a bug."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return False
    errors = tensorflow.errors
    return isinstance(error, errors.ResourceExhaustedError | errors.PermissionDeniedError | errors.DataLossError)


def _stop(code: int, message: str) -> NoReturn:
    if logging.get_verbosity() > logging.INFO:
        raise  # the error that is being handled, with its traceback
    _fail(code, message)


def _fail(code: int, message: str) -> NoReturn:
    print(f"bert-tf: {message}", file=sys.stderr)
    sys.exit(code)


def _overview() -> str:
    width = max(map(len, VERBS))
    return "\n".join(
        (
            "BERT for Keras 3 and TensorFlow, from raw text to a served model.",
            "",
            "bert-tf VERB [--flags] [key=value]",
            "",
            *(f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items()),
            "",
            "bert-tf VERB --help shows the flags and an example; --verbosity=1 shows tracebacks; bert-tf --version.",
        )
    )


def _help(name: str, verb: Verb) -> str:
    names = [flag.name for flag in verb.flags]
    if verb.settings:
        names.append(_HELP_SETTINGS[0].lstrip("-"))
    width = max(map(len, names), default=0)
    rows = []
    for flag in verb.flags:
        if not flag.help:
            continue
        text = flag.help
        if flag.required:
            text += " (required)"
        elif flag.default not in (None, ""):
            text += f" (default: {flag.default})"
        first, *others = textwrap.wrap(text, _COLUMNS - width - 6)
        rows.append(f"  --{flag.name:<{width}}  {first}")
        rows.extend(f"    {'':<{width}}  {line}" for line in others)
    if rows:
        rows.append("")
    if verb.settings:
        rows[-1:] = [f"  --{'help-settings':<{width}}  list all key=value settings with their defaults and meaning", ""]
    return "\n".join((f"bert-tf {name}: {verb.summary}", "", *rows, "Example:", f"  {verb.example}"))
