"""Names of pretrained models on hubs that this package opens."""

import dataclasses
import difflib


@dataclasses.dataclass(frozen=True)
class KnownModel:
    """A model on a hub.

    Attributes:
        language: of its texts.
        name: as `resolve_folder` takes it.
        family: the encoder's.
        millions: of parameters, without a head for pretraining.
        licence: of the weights.
        purpose: what to use it for.
        pickled: whether its main revision had no other weights than pytorch_model.bin when it was listed.
    """

    language: str
    name: str
    family: str
    millions: int
    licence: str
    purpose: str
    pickled: bool = False


# By language and, in each, by size.
KNOWN_MODELS = (
    KnownModel("Chinese", "hf://hfl/chinese-electra-180g-small-discriminator", "ELECTRA", 12, "Apache-2.0",
               "fine-tuning where speed matters", pickled=True),
    KnownModel("Chinese", "hf://BAAI/bge-small-zh-v1.5", "BERT", 24, "MIT", "embeddings and search, ready to use"),
    KnownModel("Chinese", "hf://hfl/rbt3", "BERT", 38, "Apache-2.0", "fine-tuning; three layers", pickled=True),
    KnownModel("Chinese", "hf://google-bert/bert-base-chinese", "BERT", 102, "Apache-2.0",
               "fine-tuning of any task; the usual start"),
    KnownModel("Chinese", "kaggle://keras/bert/keras/bert_base_zh/3", "BERT", 102, "Apache-2.0",
               "the same model from Kaggle"),
    KnownModel("Chinese", "hf://shibing624/text2vec-base-chinese", "BERT", 102, "Apache-2.0",
               "similarity of sentences, ready to use"),
    KnownModel("Chinese", "hf://hfl/chinese-roberta-wwm-ext", "BERT", 102, "Apache-2.0",
               "fine-tuning; whole words masked", pickled=True),
    KnownModel("Chinese", "hf://hfl/chinese-macbert-base", "BERT", 102, "Apache-2.0",
               "fine-tuning; similar words as masks", pickled=True),
    KnownModel("Chinese", "hf://hfl/chinese-roberta-wwm-ext-large", "BERT", 325, "Apache-2.0",
               "fine-tuning with a GPU", pickled=True),
    KnownModel("English", "kaggle://keras/bert/keras/bert_tiny_en_uncased/3", "BERT", 4, "Apache-2.0",
               "trying things out"),
    KnownModel("English", "hf://albert/albert-base-v2", "ALBERT", 12, "Apache-2.0",
               "fine-tuning; a small file"),
    KnownModel("English", "hf://google/electra-small-discriminator", "ELECTRA", 14, "Apache-2.0",
               "fine-tuning where speed matters", pickled=True),
    KnownModel("English", "hf://sentence-transformers/all-MiniLM-L6-v2", "BERT", 23, "Apache-2.0",
               "embeddings and search, ready to use"),
    KnownModel("English", "hf://BAAI/bge-small-en-v1.5", "BERT", 33, "MIT", "embeddings and search, ready to use"),
    KnownModel("English", "hf://distilbert/distilbert-base-uncased", "DistilBERT", 66, "Apache-2.0",
               "fine-tuning at half the time of a base model"),
    KnownModel("English", "hf://distilbert/distilbert-base-uncased-finetuned-sst-2-english", "DistilBERT", 67,
               "Apache-2.0", "good or bad reviews, ready to use"),
    KnownModel("English", "hf://distilbert/distilroberta-base", "RoBERTa", 82, "Apache-2.0",
               "fine-tuning at half the time of a base model"),
    KnownModel("English", "hf://google-bert/bert-base-cased", "BERT", 108, "Apache-2.0",
               "fine-tuning where capitals matter, as for names"),
    KnownModel("English", "hf://dslim/bert-base-NER", "BERT", 108, "MIT", "names in news text, ready to use"),
    KnownModel("English", "hf://google-bert/bert-base-uncased", "BERT", 109, "Apache-2.0",
               "fine-tuning of any task; the usual start"),
    KnownModel("English", "hf://FacebookAI/roberta-base", "RoBERTa", 125, "MIT",
               "fine-tuning; more accurate than BERT"),
    KnownModel("English", "hf://deepset/roberta-base-squad2", "RoBERTa", 125, "CC-BY-4.0",
               "answers to questions, ready to use"),
    KnownModel("English", "hf://answerdotai/ModernBERT-base", "ModernBERT", 149, "Apache-2.0",
               "fine-tuning; texts of up to 8,192 tokens"),
    KnownModel("English", "hf://google-bert/bert-large-uncased", "BERT", 335, "Apache-2.0", "fine-tuning with a GPU"),
    KnownModel("English", "hf://FacebookAI/roberta-large", "RoBERTa", 355, "MIT", "fine-tuning with a GPU"),
    KnownModel("English", "hf://answerdotai/ModernBERT-large", "ModernBERT", 395, "Apache-2.0",
               "fine-tuning with a GPU; long texts"),
    KnownModel("Multilingual", "hf://distilbert/distilbert-base-multilingual-cased", "DistilBERT", 135, "Apache-2.0",
               "fine-tuning; 104 languages"),
    KnownModel("Multilingual", "hf://google-bert/bert-base-multilingual-cased", "BERT", 178, "Apache-2.0",
               "fine-tuning; 104 languages"),
    KnownModel("Multilingual", "hf://FacebookAI/xlm-roberta-base", "XLM-R", 278, "MIT",
               "fine-tuning; 100 languages, the usual start"),
    KnownModel("Multilingual", "hf://intfloat/multilingual-e5-base", "XLM-R", 278, "MIT",
               "embeddings and search, ready to use"),
    KnownModel("Multilingual", "hf://FacebookAI/xlm-roberta-large", "XLM-R", 560, "MIT", "fine-tuning with a GPU"),
)  # fmt: skip


def suggestion(received: str) -> str:
    """A hint for messages about a model that is not there: the known name it resembles, or where the list is."""
    names = {model.name.rpartition("/")[2].lower(): model.name for model in KNOWN_MODELS}
    last = received.rstrip("/").rpartition("/")[2].partition("@")[0].lower()
    close = difflib.get_close_matches(last, names, n=1, cutoff=0.8)
    return f"Did you mean {names[close[0]]}?" if close else "`bert-tf models` lists known names."
