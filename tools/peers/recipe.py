"""What the peers' scripts share: the settings of one of configs/, rows in random order, and the training loop."""

import argparse
import gzip
import json
import pathlib
import random
import time
import tomllib

import torch
from transformers import AutoTokenizer, get_linear_schedule_with_warmup


class Recipe:
    """The command line `--config FILE --init FOLDER --data FOLDER [--seed N] [key=value ...]` and what it names."""

    def __init__(self, description, **more):
        """`more` are further options and their types."""
        parser = argparse.ArgumentParser(description=description)
        for name in ("config", "init", "data"):
            parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--limit", type=int, help="rows of each file, to try it out")
        for name, kind in more.items():
            parser.add_argument(f"--{name}", type=kind)
        parser.add_argument("overrides", nargs="*", help="epochs=1, say; of the config's first lines")
        self.options = parser.parse_args()
        self.config = tomllib.loads(self.options.config.read_text(encoding="utf-8"))
        self.config |= tomllib.loads("\n".join(self.options.overrides))
        self.name = self.options.config.stem
        self.tokenizer = AutoTokenizer.from_pretrained(self.options.init)
        self.max_length = self.config["model"]["max_length"]
        torch.manual_seed(self.options.seed)
        random.seed(self.options.seed)

    def read(self, part, rows_of):
        """The rows of a part of the data, "train" or "heldout", that `rows_of(text)` finds in the file's text."""
        path = self.options.data / self.config["data"][part]
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as file:
            return rows_of(file.read())[: self.options.limit]

    def train(self, model, rows, to_batch):
        """Trains on `to_batch(rows of a batch)`, keyword arguments of the model; returns the seconds that it took."""
        size = self.config["batch_size"]
        steps = max(1, int(len(rows) // size * self.config["epochs"]))
        optimizer = torch.optim.AdamW(model.parameters(), self.config["training"]["learning_rate"], weight_decay=0.01)
        schedule = get_linear_schedule_with_warmup(optimizer, int(0.1 * steps), steps)
        model.train()
        left, started = [], time.monotonic()
        for step in range(steps):
            if len(left) < size:
                left += random.sample(rows, len(rows))
            batch, left = left[:size], left[size:]
            with autocast():
                loss = model(**to_batch(batch)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            if step % 100 == 0:
                print(f"{self.name}: step {step} of {steps}, loss {loss.item():.4f}", flush=True)
        return time.monotonic() - started

    def tell(self, scores, seconds):
        """Prints the line that tools/results.py reads."""
        result = {"name": self.name, "seed": self.options.seed, "scores": scores, "seconds": round(seconds, 1)}
        print("RESULT", json.dumps(result), flush=True)


def autocast():
    """A context of bfloat16 where the processor has units for it; elsewhere float32 is faster."""
    return torch.autocast("cpu", torch.bfloat16, enabled="bf16" in pathlib.Path("/proc/cpuinfo").read_text())


@torch.inference_mode()
def outputs_of(model, batches):
    """The model's outputs of each of the batches, keyword arguments, one after the other."""
    model.eval()
    for batch in batches:
        yield model(**batch)


def cut(rows, size=64):
    """Rows in parts of `size`."""
    return [rows[first : first + size] for first in range(0, len(rows), size)]
