"""The quick start: from text to an exported classifier in a few minutes."""

import dataclasses
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bert_tf.quickstart.run import Run
    from bert_tf.quickstart.settings import QuickstartConfig


def quickstart(
    output: str, corpus: str | None = None, seed: int = 0, config: "QuickstartConfig | None" = None
) -> dict[str, Any]:
    """Runs all stages in the folder `output` and returns their results; resumes an interrupted run.

    Args:
        output: the run's folder.
        corpus: files, folders or globs of the user's own text; None: the documentation of the installed packages.
        seed: random seed; the same seed, text and machine give the same numbers.
        config: sizes and training settings; None: the defaults.

    Returns:
        {stage: its result}, also written to metrics.json.

    Raises:
        ConfigError: the folder holds something else, or a run with other settings.
        InputError: the text is too short, or another process works in the folder.
    """
    from bert_tf.quickstart.run import Run
    from bert_tf.quickstart.settings import QuickstartConfig
    from bert_tf.training import run_folder

    config = config or QuickstartConfig()
    with run_folder.locked(output):
        run = Run(output, {"corpus": corpus, "seed": seed, **dataclasses.asdict(config)})
        return _run_stages(run, corpus, seed, config)


def _run_stages(run: "Run", corpus: str | None, seed: int, config: "QuickstartConfig") -> dict[str, Any]:
    from rich.markup import escape

    from bert_tf.quickstart import corpus as text_stages
    from bert_tf.quickstart import serving, stages
    from bert_tf.quickstart.report import write_report

    started = time.monotonic()
    source = corpus or "the documentation of Python and the installed packages"
    results: dict[str, Any] = {}

    def stage(name: str, line: str, work: Callable[[], Any]) -> Any:
        results[name] = run.stage(name, line, work)
        return results[name]

    stage("corpus", f"reads {source}", lambda: text_stages.collect(run, corpus, seed))
    stage("vocabulary", "learns WordPiece tokens", lambda: text_stages.learn_vocabulary(run, config))
    stage("records", "masks words and pairs sentences", lambda: text_stages.write_all_records(run, config, seed))
    stage("pretrain", "trains masked LM and next sentence prediction", lambda: stages.pretrain(run, config, seed))
    for filled in stage("fill masks", "predicts masked words", lambda: stages.fill_masks(run, corpus)):
        best = ", ".join(f"{token} {probability:.0%}" for token, probability in filled["best"])
        run.say(escape(f"  {filled['text']}  {best}"))
    tuned = stage(
        "fine-tune",
        "trains a classifier of the source of a paragraph",
        lambda: stages.finetune(run, config, corpus, seed),
    )
    if "skipped" in tuned:
        run.say(f"  skipped: {tuned['skipped']}")
    else:
        exported = stage("export", "writes a SavedModel and an int8 TFLite", lambda: serving.export(run))
        stage("ask", "runs both on the held-out paragraphs", lambda: serving.ask(run, exported))
    write_report(run, results, time.monotonic() - started)
    return results
