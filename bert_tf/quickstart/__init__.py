"""The main job, end to end: from text to a served model in a few minutes."""

import dataclasses
import time


def quickstart(output, corpus=None, seed=0, config=None):
    """Runs all stages in the folder `output` and returns their results; what an interrupted run finished is kept.

    Args:
        output: the run's folder.
        corpus: files, folders or globs of the user's own text; None: the documentation of the installed packages.
        seed: of every random choice; the same seed, text and machine give the same numbers.
        config: a `QuickstartConfig`.
    """
    from rich.markup import escape

    from bert_tf.quickstart import corpus as text_stages
    from bert_tf.quickstart import serving, stages
    from bert_tf.quickstart.report import write_report
    from bert_tf.quickstart.run import Run
    from bert_tf.quickstart.settings import QuickstartConfig

    config = config or QuickstartConfig()
    run = Run(output, {"corpus": corpus, "seed": seed, **dataclasses.asdict(config)})
    started = time.monotonic()
    source = corpus or "the documentation of Python and the installed packages"
    results = {}

    def stage(name, line, work):
        results[name] = run.stage(name, line, work)
        return results[name]

    stage("corpus", f"reads {source}", lambda: text_stages.collect(run, corpus, seed))
    stage("vocabulary", "learns word pieces", lambda: text_stages.learn_vocabulary(run, config))
    stage("records", "hides words and pairs sentences", lambda: text_stages.write_all_records(run, config, seed))
    stage("pretrain", "learns to find hidden words and next sentences", lambda: stages.pretrain(run, config, seed))
    for filled in stage("fill masks", "guesses a hidden word", lambda: stages.fill_masks(run, corpus)):
        best = ", ".join(f"{piece} {probability:.0%}" for piece, probability in filled["best"])
        run.say(escape(f"  {filled['text']}  {best}"))
    tuned = stage(
        "fine-tune", "learns to tell where a paragraph is from", lambda: stages.finetune(run, config, corpus, seed)
    )
    if "skipped" in tuned:
        run.say(f"  skipped: {tuned['skipped']}")
    else:
        exported = stage("export", "writes a SavedModel and an int8 TFLite", lambda: serving.export(run))
        stage("ask", "asks both the held-out paragraphs", lambda: serving.ask(run, exported))
    write_report(run, results, time.monotonic() - started)
    return results
