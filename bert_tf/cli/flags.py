"""The verbs of the command line, their flags and an example of each."""

import dataclasses

from absl import flags


@dataclasses.dataclass(frozen=True)
class Flag:
    """One flag of a verb; its type is the type of its default, text where that is None."""

    name: str
    default: object
    help: str
    required: bool = False

    def define(self, values=flags.FLAGS):
        kind = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}.get(
            type(self.default), flags.DEFINE_string
        )
        kind(self.name, self.default, self.help, flag_values=values)


@dataclasses.dataclass(frozen=True)
class Verb:
    """What a verb does, one example, its flags, and the "module:function" it calls with (flag values, overrides)."""

    summary: str
    example: str
    flags: tuple[Flag, ...]
    run: str


_WORKERS = Flag("workers", 0, "so many workers on this machine, to try a run on several out")

VERBS = {
    "quickstart": Verb(
        "do the main job once, from text to a served model, in a few minutes",
        "bert-tf quickstart --corpus 'my/*.txt' --seed 1 pretrain_steps=4000",
        (
            Flag("corpus", None, "your own text; without it, the documentation that comes with Python"),
            Flag("output", None, "the run's folder; default: runs/quickstart, with the seed if it is not 0"),
            Flag("seed", 0, "of every random choice"),
            Flag("config", None, "a TOML file of settings, as configs/quickstart.toml"),
        ),
        "bert_tf.cli.quickstart:quickstart",
    ),
    "vocab": Verb(
        "learn a WordPiece vocabulary from text in any language",
        "bert-tf vocab --input 'text/*.txt' --output vocab.txt --size 30000",
        (
            Flag("input", None, "files, folders or globs, separated by commas: plain text, .gz or JSON lines", True),
            Flag("output", None, "the vocabulary file; what was read and measured goes beside it as .json", True),
            Flag("size", 30000, "number of pieces, special tokens included"),
            Flag("lower_case", True, "whether capitals and accents are dropped"),
            Flag("unused", 0, "number of [unused] slots after the special tokens"),
            Flag("sample_mb", 200, "megabytes kept in memory and learned from; of longer text a uniform sample"),
            Flag("field", None, "where the text stands in JSON lines"),
            Flag("strict", False, "whether bytes that are not UTF-8 are refused instead of replaced"),
            Flag("overwrite", False, "whether a file that is there already is replaced"),
        ),
        "bert_tf.cli.vocab:vocab",
    ),
    "records": Verb(
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
        "bert_tf.cli.records:records",
    ),
    "inspect": Verb(
        "show examples of pretraining records as people read them",
        "bert-tf inspect records/ --count=5",
        (
            Flag("input", None, "folder, files or globs of TFRecord files, ours or Model Garden's", True),
            Flag("count", 3, "how many examples"),
            Flag("seed", None, "picks examples at random; without it the first are shown"),
            Flag("vocab", None, "vocabulary of records that another program wrote"),
        ),
        "bert_tf.cli.records:inspect",
    ),
    "pretrain": Verb(
        "train masked LM and next sentence prediction on records; go on where an earlier run was stopped",
        "bert-tf pretrain --config configs/pretrain_small_wikitext2.toml training.minutes=30",
        (
            Flag("config", None, "a TOML file of settings, as those in configs/", True),
            Flag("output", None, "the run's folder; default: the config's"),
            _WORKERS,
        ),
        "bert_tf.cli.pretrain:pretrain",
    ),
    "finetune": Verb(
        "train a task on a data set, from any model's folder; go on where an earlier run was stopped",
        "bert-tf finetune --config configs/sst2.toml --init model/ --data data/ --output runs/sst2 epochs=2",
        (
            Flag("config", None, "a TOML file of settings, as those in configs/", True),
            Flag("init", None, "the folder of the model to begin from, of any format; default: the config's"),
            Flag("data", None, "the folder that the config's files are in; default: the config's"),
            Flag("output", None, "the run's folder; default: the config's"),
            _WORKERS,
            Flag("skip_bad_rows", False, "whether rows that cannot be used are counted instead of ending the work"),
        ),
        "bert_tf.cli.finetune:finetune",
    ),
    "evaluate": Verb(
        "score a fine-tuned model on a data set, with a report of where it goes wrong",
        "bert-tf evaluate --model runs/sst2/model --data data/sst2/dev.tsv --output runs/sst2/report",
        (
            Flag("model", None, "the model's folder", True),
            Flag("data", None, "a file with texts and what is right, or tfds:NAME:SPLIT", True),
            Flag("output", None, "the folder that gets the report: README.md, pictures, metrics.json"),
            Flag("skip_bad_rows", False, "whether rows that cannot be used are counted instead of ending the work"),
        ),
        "bert_tf.cli.finetune:evaluate",
    ),
    "predict": Verb(
        "answer texts with a fine-tuned model, as JSON lines",
        'bert-tf predict --model runs/quickstart/classifier --text "Returns a tensor of zeros."',
        (
            Flag("model", None, "the model's folder", True),
            Flag("text", None, "one text; a question, where the model answers these"),
            Flag("text_pair", None, "the second text beside it: a question's context, the other of a pair"),
            Flag("input", None, "instead: tables, SQuAD JSON, or files with a text a line; - for standard input"),
            Flag("field", None, "where the text stands in JSON lines"),
        ),
        "bert_tf.cli.predict:predict",
    ),
    "convert": Verb(
        "write a model in another project's format, whichever it is in",
        "bert-tf convert --input bert-base-uncased/ --output model/ --format bert_tf",
        (
            Flag(
                "input",
                None,
                "a model's folder: bert_tf's, Hugging Face's, Google's, Model Garden's, keras-hub's",
                True,
            ),
            Flag("output", None, "the new folder", True),
            Flag("format", "bert_tf", "bert_tf, huggingface, google, model_garden or keras_hub"),
            Flag("overwrite", False, "whether a model's folder that is there already is replaced"),
        ),
        "bert_tf.cli.convert:convert",
    ),
    "export": Verb(
        "write a fine-tuned model as a SavedModel (strings in, answers out) or as a TFLite file",
        "bert-tf export --model runs/quickstart/classifier --output saved_models/docs --format saved_model",
        (
            Flag("model", None, "the model's folder", True),
            Flag("output", None, "saved_model: the folder that gets a new version; tflite: the file", True),
            Flag("format", "saved_model", "saved_model or tflite"),
            Flag("version", 0, "saved_model: its number; 0: the next"),
            Flag("dtype", "float32", "saved_model: of weights and layers, float32 or bfloat16, half the size"),
            Flag("attention", False, "saved_model: whether it also tells which words look at which, for the page"),
            Flag("quantize", "int8", "tflite: none, float16, int8, or int8_full (all in integers)"),
            Flag("length", None, "tflite: pieces a row, as 128 or 32,128; without it, the model's max_length"),
            Flag("calibration", None, "tflite, int8_full: files with a text a line to learn ranges from"),
            Flag(
                "accuracy_data", None, "tflite: labelled texts that both are scored on; data.KEY=VALUE as of finetune"
            ),
            Flag("skip_bad_rows", False, "tflite: whether rows of these that cannot be used are counted and left out"),
            Flag("max_drop", 0.5, "tflite: points of a hundred that the file may score below Keras"),
        ),
        "bert_tf.cli.export:export",
    ),
    "serve": Verb(
        "answer over REST, gRPC and a page what exported SavedModels say; flags as tensorflow_model_server's",
        "bert-tf serve --model_name=docs --model_base_path=saved_models/docs --enable_batching",
        (
            Flag("model_base_path", None, "the folder that holds the versions 1, 2, ... of the model"),
            Flag("model_name", "default", "what requests call it"),
            Flag("model_config_file", None, "instead of these two: several models, as a text proto"),
            Flag("port", 8500, "of gRPC; 0: none"),
            Flag("rest_api_port", 8501, "of REST, page and metrics; 0: none"),
            Flag("host", "127.0.0.1", "where both listen; 0.0.0.0: wherever this machine is reached"),
            Flag("enable_batching", False, "whether requests that wait are run together"),
            Flag("batching_parameters_file", None, "how, as a text proto; without it, up to 32 rows and no waiting"),
            Flag("monitoring_config_file", None, "another path for /metrics, as a text proto"),
            Flag("file_system_poll_wait_seconds", 1, "seconds between looks for new versions"),
            Flag("enable_model_warmup", True, "whether a version first answers the requests exported with it"),
            Flag("rest_api_timeout_in_ms", 30000, "time limit of a request, gRPC's too"),
            Flag("max_body_bytes", 1 << 20, "the largest request"),
            Flag("max_rows", 128, "the most texts in a request"),
            Flag("max_text_bytes", 1 << 16, "the longest text"),
            Flag("tensorflow_intra_op_parallelism", 0, "threads of one operation; 0: one a core"),
            Flag("tensorflow_inter_op_parallelism", 0, "operations at once; 0: one a core"),
        ),
        "bert_tf.cli.serve:serve",
    ),
}
