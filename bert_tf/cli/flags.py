"""The verbs of the command line: their flags, an example of each, and the function that does the work."""

import dataclasses
from typing import Any

from absl import flags

from bert_tf.core.config import assignment
from bert_tf.core.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Flag:
    """One flag of a verb; its type is the type of its default, or text where the default is None.

    Without `help` it has no line of its own in the verb's help: that of another flag names it.
    """

    name: str
    default: Any
    help: str
    required: bool = False

    def define(self, values: flags.FlagValues = flags.FLAGS) -> None:
        """Defines the flag in `values`."""
        define: Any = flags.DEFINE_string
        if isinstance(self.default, bool):
            define = flags.DEFINE_bool
        elif isinstance(self.default, int):
            define = flags.DEFINE_integer
        elif isinstance(self.default, float):
            define = flags.DEFINE_float
        define(self.name, self.default, self.help, flag_values=values)


@dataclasses.dataclass(frozen=True)
class Verb:
    """A verb of the command line.

    Attributes:
        summary: one line for `bert-tf --help`.
        example: a whole command line.
        flags: in the order of the help; a required first one may be given without its name.
        run: "module:function", called with the flag values and the key=value overrides.
        settings: "module:function" that returns the sections of its settings, for --help-settings; "" without.
    """

    summary: str
    example: str
    flags: tuple[Flag, ...]
    run: str
    settings: str = ""


def file_settings(values: Any, table: str = "") -> list[str]:
    """The `key=value` settings that --skip_bad_rows and --encoding are short for.

    Args:
        values: of the flags.
        table: before the keys; ends with a dot, or is "".
    """
    given = []
    if values.skip_bad_rows:
        given.append(f"{table}skip_bad_rows=true")
    if values.encoding:
        given.append(assignment(f"{table}encoding", values.encoding))
    return given


def lengths_of(text: str | None) -> list[int]:
    """The numbers of --length, as "32,128"; [] where it is not given. Other text raises `ConfigError`."""
    try:
        return [int(part) for part in text.split(",")] if text else []
    except ValueError:
        raise ConfigError(f"Received: --length={text}. Write one number, or several as 32,128.") from None


_CORPUS = Flag("input", None, "text: files, folders or globs, separated by commas; plain, .gz or JSON lines", True)
_FIELD = Flag("field", None, "JSON lines: the key of the text")
_STRICT = Flag("strict", False, "refuse bytes that are not UTF-8 instead of replacing them")
_ENCODING = Flag("encoding", None, "encoding of the input, such as gb18030 or cp1252; default: UTF-8")
_WORKERS = Flag("workers", 0, "local worker processes, to test a multi-worker run; 0: run in this process")
_SKIP = Flag("skip_bad_rows", False, "skip and count unusable rows instead of stopping at the first")
_MODEL = Flag("model", None, "the model's folder, or hf://OWNER/NAME", True)
_CONFIG = Flag("config", None, "a TOML file of settings, or the name of a config that `bert-tf configs` lists", True)
_LABELLED = Flag("data", None, "a file of labelled examples, or tfds:NAME:SPLIT", True)
_TEXTS = (
    Flag("text", None, "one text; for question answering, the question"),
    Flag("text_pair", None, "the second text: the context of a question, or the other text of a pair"),
    Flag("image", None, "the picture, of --text or alone: a PNG or JPEG file, for a model that reads them"),
    Flag("audio", None, "the sound, of --text or alone: a WAV file of 16-bit PCM, for a model that reads them"),
    Flag(
        "vectors", None, "the vectors, of --text or alone: a .npy file of float32 [T, F], for a model that reads them"
    ),
    Flag(
        "input",
        None,
        "instead of --text: tables, SQuAD JSON, or files with one text per line; - is standard input",
    ),
    _FIELD,
    _ENCODING,
    _SKIP,
)


VERBS = {
    "quickstart": Verb(
        "run everything once, from text to an exported model, in a few minutes",
        "bert-tf quickstart --corpus 'my/*.txt' --seed 1 pretrain_steps=4000",
        (
            Flag("corpus", None, "your own text files; default: the documentation of the installed packages"),
            Flag("output", None, "the run's folder; default: runs/quickstart, with a corpus runs/quickstart-own-text"),
            Flag("seed", 0, "random seed"),
            Flag("config", None, "a TOML file of settings, such as configs/quickstart.toml"),
        ),
        "bert_tf.cli.quickstart:quickstart",
        "bert_tf.cli.settings_help:quickstart",
    ),
    "configs": Verb(
        "list the configs that come with the package",
        "bert-tf configs",
        (),
        "bert_tf.cli.configs:configs",
    ),
    "models": Verb(
        "list known pretrained models, by language and size",
        "bert-tf models",
        (),
        "bert_tf.cli.models:models",
    ),
    "vocab": Verb(
        "learn a vocabulary from text in any language",
        "bert-tf vocab --input 'text/*.txt' --output vocab.txt --size 30000",
        (
            _CORPUS,
            Flag(
                "output",
                None,
                "the vocabulary file (of bpe .json, of unigram .model); a report is put beside it",
                True,
            ),
            Flag("kind", "wordpiece", "wordpiece (BERT), bpe (byte-level, RoBERTa) or unigram (ALBERT)"),
            Flag("size", 30000, "number of tokens, including the special ones"),
            Flag("lower_case", True, "lower-case the text and strip accents"),
            Flag("unused", 0, "number of [unused] slots after the special tokens"),
            Flag(
                "sample_mb", 200, "megabytes of text to learn from, kept in memory; a longer text is sampled uniformly"
            ),
            _FIELD,
            _STRICT,
            _ENCODING,
            Flag("overwrite", False, "replace an existing file"),
        ),
        "bert_tf.cli.vocab:vocab",
    ),
    "records": Verb(
        "make pretraining records from text of any size",
        "bert-tf records --input 'text/*.txt' --vocab vocab.txt --output records/ --max_length=128 short_seq_prob=0.1",
        (
            _CORPUS,
            Flag("vocab", None, "vocabulary file: vocab.txt, tokenizer.json, vocab.json or a .model", True),
            Flag("output", None, "a new or empty folder, or the folder of an interrupted run", True),
            Flag("lower_case", True, "the vocabulary is uncased"),
            Flag(
                "objective",
                None,
                "next_sentence, sentence_order, none (no pairs) or full_sentences (across documents)",
            ),
            Flag("masking", None, "unit of masking: token, whole_word or ngram"),
            Flag("max_length", None, "tokens per example, including the special ones"),
            Flag("max_predictions", None, "maximum number of masked tokens per example"),
            Flag("dupe_factor", None, "passes over the text, each with other pairs and masks"),
            Flag("seed", None, "random seed; the output depends on it, the text and the settings only"),
            Flag("schema", None, "names of the features: google or model_garden"),
            Flag("shards", None, "number of output files"),
            Flag("gzip", False, "compress the files"),
            _FIELD,
            _STRICT,
            _ENCODING,
            Flag("scrub", False, "replace mail addresses, URLs, phone, card and identity numbers by marks"),
            Flag("num_processes", None, "worker processes on this machine"),
            Flag("runner", "processes", "or a Beam runner, such as FlinkRunner, with --beam_options='...'"),
            Flag("beam_options", None, ""),
        ),
        "bert_tf.cli.records:records",
    ),
    "inspect": Verb(
        "print examples of pretraining records in readable form",
        "bert-tf inspect records/ --count=5",
        (
            Flag(
                "input",
                None,
                "TFRecord files: a folder, files or globs, with Google's or Model Garden's features",
                True,
            ),
            Flag("count", 3, "number of examples"),
            Flag("seed", None, "random seed to sample examples; default: the first ones"),
            Flag("vocab", None, "vocabulary file, for records that another program wrote"),
        ),
        "bert_tf.cli.records:inspect",
    ),
    "pretrain": Verb(
        "train an encoder of any family on records (masked LM, pairs of sentences), or resume such a run",
        "bert-tf pretrain --config pretrain_small_wikitext2 training.steps=none training.minutes=30",
        (
            _CONFIG,
            Flag("output", None, "the run's folder; default: from the config"),
            _WORKERS,
        ),
        "bert_tf.cli.pretrain:pretrain",
        "bert_tf.cli.settings_help:pretrain",
    ),
    "finetune": Verb(
        "train a task on a data set, from a pretrained model of any format, or resume such a run",
        "bert-tf finetune --config sst2 --init model/ --data data/ --output runs/sst2 epochs=2",
        (
            _CONFIG,
            Flag(
                "init",
                None,
                "the pretrained model: a folder of any format, or hf://OWNER/NAME; default: from the config",
            ),
            Flag("data", None, "folder of the data files that the config names; default: from the config"),
            Flag("output", None, "the run's folder; default: from the config"),
            _WORKERS,
            _SKIP,
            _ENCODING,
        ),
        "bert_tf.cli.finetune:finetune",
        "bert_tf.cli.settings_help:finetune",
    ),
    "evaluate": Verb(
        "compute the metrics of a fine-tuned model on labelled data, with a report of its errors",
        "bert-tf evaluate --model runs/sst2/model --data data/sst2/dev.tsv --output runs/sst2/report",
        (
            _MODEL,
            _LABELLED,
            Flag("output", None, "folder for the report: README.md, plots, metrics.json"),
            _SKIP,
            _ENCODING,
        ),
        "bert_tf.cli.evaluate:evaluate",
    ),
    "predict": Verb(
        "apply a fine-tuned model to texts; prints JSON lines",
        'bert-tf predict --model runs/quickstart/classifier --text "Returns a tensor of zeros."',
        (
            _MODEL,
            *_TEXTS,
        ),
        "bert_tf.cli.predict:predict",
    ),
    "explain": Verb(
        "show which words an answer depends on; prints JSON lines, and writes a page",
        "bert-tf explain --model runs/sst2/model --text 'A long, dull but honest film.' --output explained",
        (
            _MODEL,
            *_TEXTS,
            Flag("label", None, "the label to explain; default: the one that the model gives"),
            Flag(
                "method",
                None,
                "integrated_gradients, gradient_x_input, leave_one_out or attention_rollout; default: the first, of a "
                "SavedModel leave_one_out",
            ),
            Flag("compare", False, "mask words in the order of each method, and tell which order the model follows"),
            Flag("output", None, "folder for explanations.jsonl, index.html and, with --compare, curves"),
        ),
        "bert_tf.cli.explain:explain_texts",
    ),
    "audit": Verb(
        "report how far a model can be trusted: calibration, noise, changed words, groups, weak spots, leakage",
        "bert-tf audit --model runs/sst2/model --data data/sst2/dev.tsv --output runs/sst2/audit",
        (
            _MODEL,
            _LABELLED,
            Flag("output", None, "folder for the report: README.md, audit.json, pictures", True),
            Flag("group", None, "a column by whose values scores are compared"),
            Flag(
                "members", None, "a file of examples that the model was trained on, drawn as --data: measures leakage"
            ),
            Flag("doses", "0.1,0.2,0.5", "shares of the words that noise changes"),
            Flag("seed", 0, "random seed of the noise, and of the examples that are attacked"),
            Flag("card", False, "also write a section into the model's card, README.md in its folder"),
            _SKIP,
            _ENCODING,
        ),
        "bert_tf.cli.audit:audit",
        "bert_tf.cli.settings_help:audit",
    ),
    "convert": Verb(
        "convert a model folder to the format of another project",
        "bert-tf convert --input bert-base-uncased/ --output model/ --format bert_tf",
        (
            Flag("input", None, "the model's folder, in any of these formats, or hf://OWNER/NAME", True),
            Flag("output", None, "the new folder", True),
            Flag("format", "bert_tf", "bert_tf, huggingface, google, model_garden or keras_hub"),
            Flag("overwrite", False, "replace an existing model folder"),
        ),
        "bert_tf.cli.convert:convert",
    ),
    "export": Verb(
        "write a model as a SavedModel (strings in, answers out), or for TFLite, onnxruntime or OpenVINO",
        "bert-tf export --model runs/quickstart/classifier --output saved_models/docs --format saved_model",
        (
            _MODEL,
            Flag("output", None, "the new folder; saved_model: the folder for the new version; tflite: the file", True),
            Flag("format", "saved_model", "saved_model, tflite, web, onnx or openvino"),
            Flag("runtime", "node_modules", "web: the node_modules in which npm install @litertjs/core was run"),
            Flag("version", 0, "saved_model: version number; 0: the next one"),
            Flag("dtype", "float32", "saved_model: float32, bfloat16 for half the size, or int8 for a quarter"),
            Flag("attention", False, "saved_model: also return attention weights, for the page"),
            Flag("constants", False, "saved_model: weights inside the graph; faster, and more memory"),
            Flag("quantize", "int8", "tflite: none, float16, int8, int4_table, int4, or int8_full (activations too)"),
            Flag("length", None, "tflite: tokens per input, such as 128 or 32,128; default: the model's max_length"),
            Flag("calibration", None, "tflite, int8_full: files with one text per line, to calibrate ranges"),
            Flag(
                "accuracy_data",
                None,
                "labelled file to score Keras and the exported model on; data.KEY=VALUE says how to read it",
            ),
            Flag("skip_bad_rows", False, "skip and count unusable rows of that file"),
            Flag("max_drop", 0.5, "percentage points that the file may score below Keras"),
        ),
        "bert_tf.cli.export:export",
    ),
    "compress": Verb(
        "make a fine-tuned model smaller and faster, step by step, until it reaches a target",
        "bert-tf compress --model runs/sst2/model --data data/sst2/train.tsv --output runs/small --target size=8MB",
        (
            _MODEL,
            Flag("data", None, "labelled examples to train on; or the folder of the files that the config names", True),
            Flag("target", None, "size=8MB, latency=2ms or points=1, or several of them: size=8MB,points=1", True),
            Flag("output", None, "a new folder, or that of an interrupted run", True),
            Flag("heldout", None, "labelled examples to score on; default: from the config, or a tenth of --data"),
            Flag("config", None, "a config of fine-tuning, for data and training; default: its defaults"),
            Flag("length", None, "tokens per row of the files, such as 128 or 32,128; default: the model's max_length"),
            Flag("quantize", "int8", "none, float16, int8, int4_table, int4; of several, as int8,int4, a file each"),
            _SKIP,
            _ENCODING,
        ),
        "bert_tf.cli.compress:compress",
        "bert_tf.cli.settings_help:finetune",
    ),
    "serve": Verb(
        "serve exported SavedModels over REST, gRPC and a web page, with the flags of tensorflow_model_server",
        "bert-tf serve --model_name=docs --model_base_path=saved_models/docs --enable_batching",
        (
            Flag("model_base_path", None, "folder with the versions 1, 2, ... of the model"),
            Flag("model_name", "default", "name of the model in requests"),
            Flag("model_config_file", None, "text proto that lists several models, instead of the two flags above"),
            Flag("port", 8500, "gRPC port; 0 disables gRPC"),
            Flag("rest_api_port", 8501, "port of REST, web page and metrics; 0 disables them"),
            Flag("host", "127.0.0.1", "address to listen on; 0.0.0.0: all network interfaces"),
            Flag("enable_batching", False, "run waiting requests as one batch"),
            Flag("batching_parameters_file", None, "text proto of batching settings; default: up to 32 rows, no delay"),
            Flag("monitoring_config_file", None, "text proto that sets another path than /metrics"),
            Flag("file_system_poll_wait_seconds", 1, "seconds between checks for new versions"),
            Flag("enable_model_warmup", True, "run the warm-up requests of a version before serving it"),
            Flag("rest_api_timeout_in_ms", 30000, "time limit of a request in milliseconds, for gRPC too"),
            Flag("max_body_bytes", 1 << 20, "largest request in bytes"),
            Flag("max_rows", 128, "largest number of texts in a request"),
            Flag("max_text_bytes", 1 << 16, "longest text in bytes"),
            Flag("tensorflow_intra_op_parallelism", 0, "threads of one operation; 0: one per core"),
            Flag("tensorflow_inter_op_parallelism", 0, "operations that run at once; 0: one per core"),
        ),
        "bert_tf.cli.serve:serve",
    ),
}
