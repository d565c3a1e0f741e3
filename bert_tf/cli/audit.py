"""The verb `audit`."""

from typing import Any

from bert_tf.cli.flags import file_settings
from bert_tf.core.config import override
from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.examples import files_of
from bert_tf.evaluation.audit_config import AuditConfig

_OWN = "audit."  # begins the key of a setting of the audit itself


def audit(flags: Any, overrides: list[str]) -> None:
    """Prints what an audit found; writes its report. Settings `audit.KEY=value` are its own, others the file's."""
    doses = _doses(flags.doses)
    own = [item.removeprefix(_OWN) for item in overrides if item.startswith(_OWN)]
    settings = override(AuditConfig(), own)
    of_file = [item for item in overrides if not item.startswith(_OWN)]
    config = override(files_of(flags.model), [*file_settings(flags), *of_file])
    from bert_tf.evaluation.audit import audit as run
    from bert_tf.evaluation.audit_card import find_card, write_section

    card = find_card(flags.model) if flags.card else None
    group, members = flags.group or "", flags.members or ""
    found = run(flags.model, flags.data, flags.output, config, group, doses, flags.seed, members, settings)
    print(f"  {found.metric.replace('_', ' '):<24} {found.score:.4f}")
    if found.calibration:
        print(f"  {'calibration error':<24} {found.calibration.error:.4f}")
    for one in found.noise:
        if one.dose == max(doses) and one.score is not None:
            print(f"  {f'{one.name} {one.dose:.0%}':<24} {one.score:.4f}")
    if found.attack:
        print(f"  {'substituted words':<24} {found.attack.attacked[0]:.4f}  (before: {found.attack.accuracy[0]:.4f})")
    for part in found.groups:
        print(f"  {part.name:<24} {part.score:.4f}  ({part.rows:,} examples)")
    if found.leakage:
        for attack in found.leakage.attacks:
            print(f"  {f'{attack.name} attack, area':<24} {attack.auc:.4f}")
    for note in found.notes:
        print(f"  {note}")
    if card:
        write_section(card, found)
        print(f"Section of the model card: {card}")
    print(f"Report: {flags.output}/README.md")


def _doses(text: str) -> list[float]:
    try:
        doses = [float(part) for part in text.split(",")]
    except ValueError:
        doses = []
    if not doses or not all(0 < dose <= 1 for dose in doses):
        raise ConfigError(f"Received: --doses={text}. Give shares above 0 and up to 1, such as 0.1,0.2,0.5.")
    return sorted(doses)
