"""A classifier as one .tflite file for phones and browsers, compared with Keras.

python examples/phone.py [MODEL] [OUTPUT], MODEL being the folder that sentiment.py writes
"""

import json
import pathlib
import sys

import bert_tf
from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.litert_task import on_device
from bert_tf.export.tflite import export_tflite

MODEL = sys.argv[1] if len(sys.argv) > 1 else "runs/sentiment"
OUTPUT = sys.argv[2] if len(sys.argv) > 2 else "runs/sentiment.tflite"
path = pathlib.Path(OUTPUT)
texts = ["a warm film", "dull jokes"]

# The weights become int8; the file's outputs are compared with Keras before it is kept.
model = bert_tf.load(MODEL)
path.unlink(missing_ok=True)
path.with_suffix(".json").unlink(missing_ok=True)
report = export_tflite(model, path, lengths=[32], check_texts=texts, quantize="int8")
print(json.dumps(report, indent=2))  # size, error, milliseconds on 1, 2 and 4 threads

# The file answers texts on this machine as it does on a phone.
device = on_device(model, LiteRTModel(path))
for ours, theirs in zip(model.predict_text(texts), device.predict_text(texts), strict=True):
    print(f"Keras {ours['label']} {ours['probability']:.3f}, file {theirs['label']} {theirs['probability']:.3f}")
