"""Names of features and meanings of labels, the same in records, model inputs and serving signatures."""

# Google's record keys (google-research/bert, create_pretraining_data.py and run_pretraining.py).
INPUT_IDS = "input_ids"  # [B, S] token ids
INPUT_MASK = "input_mask"  # [B, S] 1 = real token, 0 = padding
SEGMENT_IDS = "segment_ids"  # [B, S] 0 = first segment and padding, 1 = second
MASKED_LM_POSITIONS = "masked_lm_positions"  # [B, P] positions of the masked tokens; 0 beyond the last
MASKED_LM_IDS = "masked_lm_ids"  # [B, P] their original ids
MASKED_LM_WEIGHTS = "masked_lm_weights"  # [B, P] 1.0 = real prediction, 0.0 = padding
NEXT_SENTENCE_LABELS = "next_sentence_labels"  # [B, 1]

# Packed rows hold several examples.
POSITION_IDS = "position_ids"  # [B, S] position of a token inside its own example
EXAMPLE_IDS = "example_ids"  # [B, S] which example of the row a token belongs to; 0 = padding
CLS_POSITIONS = "cls_positions"  # [B, E] where each of the row's E examples begins; 0 beyond the last

# Which tokens see which (Dong et al. 2019): those of a lower or the same order. Encoders see all.
ORDER_IDS = "order_ids"  # [B, S] 0 = token of the source, 1 and up = tokens of the target in their order

# Vectors of other modalities (patches of a picture, frames of a sound), attended with the tokens.
FEATURES = "features"  # [B, T, F] float
FEATURE_MASK = "feature_mask"  # [B, T] 1 = real feature, 0 = padding
FEATURE_POSITIONS = "feature_positions"  # [B, T], or [B, T, A] for A axes
FEATURE_TYPES = "feature_types"  # [B, T] number of the modality

# Inputs of models that write text: the source is the encoder's inputs, the target begins with the start token.
TARGET_IDS = "target_ids"  # [B, T] token ids
TARGET_MASK = "target_mask"  # [B, T] 1 = real token, 0 = padding; of packed rows:
TARGET_EXAMPLE_IDS = "target_example_ids"  # [B, T] the example, as in EXAMPLE_IDS
TARGET_POSITION_IDS = "target_position_ids"  # [B, T] position of a token inside its own target

ENCODER_INPUTS = (INPUT_IDS, INPUT_MASK, SEGMENT_IDS)

# next_sentence_labels, in the polarity of Google's checkpoints.
IS_NEXT = 0
IS_RANDOM = 1

# Model outputs.
SEQUENCE_OUTPUT = "sequence_output"  # [B, S, D]
FEATURE_OUTPUT = "feature_output"  # [B, T, D]
POOLED_OUTPUT = "pooled_output"  # [B, D]
MASKED_LM_LOGITS = "masked_lm_logits"  # [B, P, V]
NEXT_SENTENCE_LOGITS = "next_sentence_logits"  # [B, 2]
REPLACED_TOKEN_LOGITS = "replaced_token_logits"  # [B, S]
