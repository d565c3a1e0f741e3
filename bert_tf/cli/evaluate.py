"""The verb `evaluate`."""

from typing import Any

from bert_tf.cli.flags import file_settings
from bert_tf.core.config import override
from bert_tf.core.progress import stages
from bert_tf.data.readers.examples import files_of


def evaluate(flags: Any, overrides: list[str]) -> None:
    """Prints the metrics of a model on a file; with --output, writes a report."""
    config = override(
        files_of(flags.model), [*file_settings(flags), *overrides]
    )  # a mistake is reported before TensorFlow is imported
    from bert_tf.evaluation import evaluate as evaluation

    with stages() as progress:
        progress("evaluate", 0)
        report = evaluation.evaluate(flags.model, flags.data, config, flags.output)
    for name, value in report["scores"].items():
        interval = ""
        if name in report["intervals"]:
            low, high = report["intervals"][name]
            interval = f"  (95 % interval: {low:.4f} to {high:.4f})"
        print(f"  {name.replace('_', ' '):<24} {value:.4f}{interval}")
    baseline = report["baseline"]
    print(f"  {evaluation.baseline_title(baseline):<24} {baseline['score']:.4f}")
    for note in report.get("notes", ()):
        print(f"  {note}")
    if flags.output:
        print(f"Report: {flags.output}/README.md")
