"""Settings of an audit."""

import dataclasses

from bert_tf.core.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class AuditConfig(Settings):
    """How an audit attacks a model."""

    attacked_texts: int = setting(100, "examples whose words are substituted, drawn at random; 0: none", least=0)
    queries: int = setting(100, "answers that the attack may ask the model for, for each example", least=1)
    substituted: float = setting(0.2, "share of the words of an example that may be substituted", above=0, most=1)
    masked_lm: str | None = setting(
        None, "folder of a masked LM that has to expect a substitute; none: neighbours of embeddings only"
    )
