"""The command line `bert-tf`: an absl app in which every verb is one library call."""

import difflib
import importlib
import os
import re
import sys
import textwrap

from absl import app, flags, logging

from bert_tf.cli.flags import VERBS
from bert_tf.core.errors import ConfigError, InputError

_OPERATORS = re.compile(r"^\{\{.*?\}\} | \[Op:\w+\]$")  # TensorFlow's, around what a user can read
_COLUMNS = 118  # of help, at most


def main():
    """Console entry point; exit codes: 0 done, 1 the work failed, 2 the command line or config is wrong."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow
    app.run(_run, flags_parser=_parse)


def _parse(argv):
    """Reads the verb, defines its flags, and returns (verb, overrides)."""
    if len(argv) < 2 or argv[1] in ("help", "-h", "--help", "-help"):
        print(_overview())
        sys.exit(0)
    name, rest = argv[1], argv[2:]
    if name not in VERBS:
        close = difflib.get_close_matches(name, VERBS, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Verbs: {', '.join(VERBS)}."
        _fail(2, f"Unknown verb {name!r}. {hint}")
    verb = VERBS[name]
    if {"-h", "--help", "-help"} & set(rest):
        print(_help(name, verb))
        sys.exit(0)
    for flag in verb.flags:
        flag.define()
    try:
        overrides = flags.FLAGS([argv[0], *rest])[1:]
    except flags.Error as error:
        _fail(2, f"{str(error).rstrip('.')}. See bert-tf {name} --help.")
    plain = [item for item in overrides if "=" not in item]
    if plain and verb.flags[0].required and not flags.FLAGS[verb.flags[0].name].present:
        setattr(flags.FLAGS, verb.flags[0].name, plain.pop(0))  # bert-tf inspect records/
    for flag in verb.flags:
        if flag.required and not getattr(flags.FLAGS, flag.name):
            _fail(2, f"--{flag.name} is required. Example: {verb.example}")
    if plain:
        _fail(2, f"Received: {plain[0]!r}. After the flags come only key=value overrides.")
    return [name, *(item for item in overrides if "=" in item)]


def _run(argv):
    name, *overrides = argv
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)  # TensorFlow tells much that no user asked for
        logging.get_absl_handler().setFormatter(None)  # the message alone
    try:
        module, function = VERBS[name].run.split(":")
        getattr(importlib.import_module(module), function)(flags.FLAGS, overrides)
    except KeyboardInterrupt:
        _fail(1, "Interrupted. Finished parts are kept; nothing half-written is left.")
    except ConfigError as error:
        _stop(2, error)
    except (InputError, OSError) as error:
        _stop(1, error)
    except Exception as error:
        if not _is_outside_failure(error):
            raise
        _stop(1, _OPERATORS.sub("", str(error).splitlines()[0]))


def _is_outside_failure(error):
    """Whether TensorFlow failed at something like a full disk, and not by a fault of the code."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return False
    errors = tensorflow.errors
    return isinstance(error, errors.ResourceExhaustedError | errors.PermissionDeniedError | errors.DataLossError)


def _stop(code, error):
    if logging.get_verbosity() > logging.INFO:
        raise  # the error that is being handled, with its traceback
    _fail(code, str(error))


def _fail(code, message):
    print(f"bert-tf: {message}", file=sys.stderr)
    sys.exit(code)


def _overview():
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join(
        ["BERT for Keras 3 and TensorFlow, from raw text to a served model.", "", "bert-tf VERB [--flags] [key=value]"]
        + ["", *lines, "", "bert-tf VERB --help shows the flags and an example; --verbosity=1 shows tracebacks."]
    )


def _help(name, verb):
    width = max(len(flag.name) for flag in verb.flags)
    rows = []
    for flag in verb.flags:
        value = "required" if flag.required else f"default: {flag.default}" if flag.default not in (None, "") else ""
        text = flag.help + (f" ({value})" if value else "")
        first, *others = textwrap.wrap(text, _COLUMNS - width - 6)
        rows.append(f"  --{flag.name:<{width}}  {first}")
        rows.extend(f"    {'':<{width}}  {line}" for line in others)
    return "\n".join([f"bert-tf {name}: {verb.summary}", "", *rows, "", "Example:", f"  {verb.example}"])
