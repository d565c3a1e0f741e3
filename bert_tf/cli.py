"""The command line `bert-tf`: an absl app in which every verb is one library call."""

import dataclasses
import difflib
import sys
import textwrap
from collections.abc import Callable

from absl import app, flags, logging

from bert_tf.errors import ConfigError, InputError


@dataclasses.dataclass(frozen=True)
class Flag:
    """One flag of a verb; its type is the type of its default, text where that is None."""

    name: str
    default: object
    help: str
    required: bool = False

    def define(self):
        kind = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}.get(
            type(self.default), flags.DEFINE_string
        )
        kind(self.name, self.default, self.help)


@dataclasses.dataclass(frozen=True)
class Verb:
    """What a verb does, one example, its flags, and the call it makes: run(flag values, overrides)."""

    summary: str
    example: str
    flags: tuple[Flag, ...]
    run: Callable


VERBS: dict[str, Verb] = {}


def main():
    """Console entry point; exit codes: 0 done, 1 the work failed, 2 the command line or config is wrong."""
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
        _fail(2, f"{error} See bert-tf {name} --help.")
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
    try:
        VERBS[name].run(flags.FLAGS, overrides)
    except KeyboardInterrupt:
        _fail(1, "Interrupted. Finished parts are kept; nothing half-written is left.")
    except ConfigError as error:
        _stop(2, error)
    except (InputError, OSError) as error:
        _stop(1, error)


def _stop(code, error):
    if logging.get_verbosity() >= logging.INFO and flags.FLAGS["verbosity"].present:
        raise error
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
    rows = []
    for flag in verb.flags:
        value = "required" if flag.required else f"default: {flag.default}" if flag.default not in (None, "") else ""
        text = flag.help + (f" ({value})" if value else "")
        wrapped = textwrap.wrap(text, 90) or [""]
        rows.append(f"  --{flag.name:<16} {wrapped[0]}")
        rows.extend(f"    {'':<16} {line}" for line in wrapped[1:])
    return "\n".join([f"bert-tf {name}: {verb.summary}", "", *rows, "", "Example:", f"  {verb.example}"])


def _records(flags, overrides):
    from bert_tf.data import commands

    commands.records(flags, overrides)


def _inspect(flags, overrides):
    from bert_tf.data import commands

    commands.inspect(flags, overrides)


VERBS["records"] = Verb(
    "make pretraining records from text of any size",
    "bert-tf records --input 'text/*.txt' --vocab vocab.txt --output records/ --max_length=128 short_seq_prob=0.1",
    (
        Flag("input", None, "files, folders or globs, separated by commas: plain text, .gz or JSON lines", True),
        Flag("vocab", None, "vocabulary, one piece a line", True),
        Flag("output", None, "a new or empty folder, or one that these records were begun in", True),
        Flag("lower_case", True, "whether the vocabulary is uncased"),
        Flag("objective", None, "next_sentence, sentence_order, or none for full sentences"),
        Flag("masking", None, "what is hidden together: token, whole_word or ngram"),
        Flag("max_length", None, "pieces in a row, special tokens included"),
        Flag("max_predictions", None, "the most pieces that are hidden in a row"),
        Flag("dupe_factor", None, "passes over the text, each cut and masked differently"),
        Flag("seed", None, "on which, with the text and the settings, every byte depends"),
        Flag("schema", None, "feature names: google or model_garden"),
        Flag("shards", None, "number of files"),
        Flag("gzip", False, "whether the files are compressed"),
        Flag("field", None, "where the text stands in JSON lines"),
        Flag("strict", False, "whether bytes that are not UTF-8 are refused instead of replaced"),
        Flag("num_processes", None, "processes on this machine"),
        Flag("runner", "processes", "processes, or a Beam runner: DirectRunner, FlinkRunner, SparkRunner, ..."),
        Flag("beam_options", None, "Beam's own options, in quotes"),
    ),
    _records,
)
VERBS["inspect"] = Verb(
    "show examples of pretraining records as people read them",
    "bert-tf inspect records/ --count=5",
    (
        Flag("input", None, "folder, files or globs of TFRecord files, ours or Model Garden's", True),
        Flag("count", 3, "how many examples"),
        Flag("seed", None, "picks examples at random; without it the first are shown"),
        Flag("vocab", None, "vocabulary of records that another program wrote"),
    ),
    _inspect,
)
