"""The classes that Keras finds in .keras files, registered with Keras before their modules are imported.

`import bert_tf` imports neither Keras nor the models, and yet `keras.saving.load_model` opens its files.
"""

from typing import Any

import wrapt

from bert_tf.core.registry import resolve

PACKAGE = "bert_tf"  # of `keras.saving.register_keras_serializable`
# Models, and what they are compiled with from elsewhere; importing a model registers its layers and losses.
CLASSES = {
    "bert_tf.modeling.families.bert": ("BertEncoder",),
    "bert_tf.modeling.families.bilstm": ("BiLSTMEncoder",),
    "bert_tf.modeling.families.albert": ("AlbertEncoder",),
    "bert_tf.modeling.families.distilbert": ("DistilBertEncoder",),
    "bert_tf.modeling.families.electra": ("ElectraEncoder",),
    "bert_tf.modeling.families.modernbert": ("ModernBertEncoder",),
    "bert_tf.modeling.families.roberta": ("RobertaEncoder",),
    "bert_tf.modeling.families.xlm_roberta": ("XLMRobertaEncoder",),
    "bert_tf.modeling.pretrainer": ("BertPretrainer",),
    "bert_tf.modeling.replaced_token_pretrainer": ("ReplacedTokenPretrainer",),
    "bert_tf.modeling.decoders.model": ("Seq2Seq",),
    "bert_tf.modeling.train_step": ("GlobalMean",),
    "bert_tf.modeling.ops.cross_entropy": ("SparseCrossEntropy", "BinaryCrossEntropy", "Accuracy"),
    "bert_tf.modeling.layers.cross_attention": ("CrossAttention",),
    "bert_tf.modeling.layers.dense": ("Dense", "Embedding"),
    "bert_tf.modeling.layers.dropout": ("Dropout",),
    "bert_tf.modeling.layers.embeddings": ("Embeddings", "SegmentEmbedding"),
    "bert_tf.modeling.layers.modalities.feature_embeddings": ("FeatureEmbeddings",),
    "bert_tf.modeling.layers.modalities.image_backbone": ("ImageBackbone",),
    "bert_tf.modeling.layers.modalities.image_patches": ("ImagePatches", "ImageConvolutions"),
    "bert_tf.modeling.layers.modalities.log_mel": ("LogMel",),
    "bert_tf.modeling.layers.heads": ("MaskedLMHead", "ReplacedTokenHead"),
    "bert_tf.modeling.layers.residual_norm": ("ResidualNorm",),
    "bert_tf.modeling.layers.transformer_block": ("SelfAttention", "TransformerBlock"),
    "bert_tf.tasks.classification.task": ("TextClassifier",),
    "bert_tf.tasks.embedding.task": ("TextEmbedder",),
    "bert_tf.tasks.embedding.losses": (
        *("CosineSimilarityLoss", "MultipleNegativesRankingLoss"),
        *("SymmetricContrastiveLoss", "TripletLoss"),
    ),
    "bert_tf.tasks.tagging.task": ("TextTagger",),
    "bert_tf.tasks.question_answering.task": ("QuestionAnswerer",),
    "bert_tf.tasks.multiple_choice.task": ("MultipleChoice",),
    "bert_tf.tasks.generation.task": ("TextGenerator",),
    "bert_tf.tasks.fill_mask.task": ("FillMask",),
    "bert_tf.tasks.next_sentence.task": ("NextSentence",),
    "bert_tf.tasks.multimodal_classification.task": ("MultimodalClassifier",),
    "bert_tf.tasks.multimodal_embedding.task": ("MultimodalEmbedder", "Temperature"),
    "bert_tf.tasks.multi_task": ("MultiTask",),
    "bert_tf.training.optimizers.adamw_lamb": ("AdamW", "Lamb"),
    "bert_tf.training.optimizers.layerwise": ("LayerwiseOptimizer",),
    "bert_tf.training.optimizers.schedules": ("Schedule",),
}


class _Unimported:
    """A class that Keras finds by its name; it is imported when Keras makes an object of it."""

    def __init__(self, place: str):
        self._place = place

    def from_config(self, config: dict[str, Any]) -> Any:
        """The object that the class makes from `config`."""
        return resolve(self._place).from_config(config)


@wrapt.when_imported("keras")
def register(keras: Any) -> None:
    """Called once Keras is imported; the import of a class later replaces its entry."""
    known = keras.saving.get_custom_objects()
    for module, names in CLASSES.items():
        for name in names:
            known.setdefault(f"{PACKAGE}>{name}", _Unimported(f"{module}:{name}"))
