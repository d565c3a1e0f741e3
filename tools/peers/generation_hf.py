"""Trains transformers' `EncoderDecoderModel` with torch on what one of configs/ names: sources and target texts.

    python tools/peers/generation_hf.py --config configs/dialogsum.toml --init FOLDER --data FOLDER \\
        --minutes 60 --texts FILE [--seed N] [--beams 4] [batch_size=16]

Encoder and decoder begin with the weights of `--init`, a Hugging Face folder, and are trained for the given minutes of
CPU time with the config's batches, lengths, optimizer and label smoothing; the rate rises and falls with that time.
Writes a line for each held-out source to `--texts`, a JSON string, and prints a line "RESULT {...}". Wants
tools/peers/requirements.txt in an environment of its own.
"""

import json
import pathlib
import random
import time

import torch
from recipe import Recipe, autocast, cut
from transformers import EncoderDecoderModel

_WARMUP = 0.1  # share of the time


def main():
    recipe = Recipe(__doc__, minutes=float, beams=int, texts=pathlib.Path)
    settings, data = recipe.config["model"], recipe.config["data"]
    rows, heldout = (recipe.read(part, lambda text: _rows(text, data)) for part in ("train", "heldout"))
    init = str(recipe.options.init)
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(init, init)
    tokenizer = recipe.tokenizer
    model.config.decoder_start_token_id = tokenizer.cls_token_id
    model.config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.decoder_start_token_id = tokenizer.cls_token_id
    model.generation_config.eos_token_id = tokenizer.sep_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    loss_of = torch.nn.CrossEntropyLoss(
        ignore_index=tokenizer.pad_token_id, label_smoothing=settings.get("label_smoothing", 0.0)
    )

    def encode(texts, length):
        return tokenizer(list(texts), padding=True, truncation=True, max_length=length, return_tensors="pt")

    def loss(batch):
        sources, targets = zip(*batch, strict=True)
        target = encode(targets, settings["max_target_length"])
        source = encode(sources, settings["max_length"])
        logits = model(
            **source,
            decoder_input_ids=target["input_ids"][:, :-1],
            decoder_attention_mask=target["attention_mask"][:, :-1],
        ).logits
        return loss_of(logits.float().flatten(0, 1), target["input_ids"][:, 1:].flatten())

    steps, seconds = _train(recipe, model, rows, loss)
    texts = _write(recipe, model, heldout, encode)
    lines = [json.dumps(text, ensure_ascii=False) + "\n" for text in texts]
    recipe.options.texts.write_text("".join(lines), encoding="utf-8")
    recipe.tell({"steps": steps}, seconds)


def _train(recipe, model, rows, loss_of):
    """Trains for the minutes of the command line; returns the steps and seconds of CPU time that it took."""
    size, rate = recipe.config["batch_size"], recipe.config["training"]["learning_rate"]
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    budget = 60 * recipe.options.minutes
    model.train()
    left, step, started = [], 0, time.process_time()
    while (share := (time.process_time() - started) / budget) < 1:
        if len(left) < size:
            left += _by_length(rows, size)
        batch, left = left[:size], left[size:]
        for group in optimizer.param_groups:
            group["lr"] = rate * min(max(share, 1e-3) / _WARMUP, (1 - share) / (1 - _WARMUP))
        with autocast():
            loss = loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            print(f"{recipe.name}: step {step}, {share:.0%} of the time, loss {loss.item():.4f}", flush=True)
        step += 1
    return step, time.process_time() - started


def _by_length(rows, size):
    """All rows in random batches of `size`, each of rows of similar length, as bert_tf groups them."""
    pool = sorted(random.sample(rows, len(rows)), key=lambda row: len(row[0]) + len(row[1]))
    batches = cut(pool, size)
    return [row for batch in random.sample(batches, len(batches)) for row in batch]


@torch.inference_mode()
def _write(recipe, model, rows, encode):
    """The text for each row."""
    settings = recipe.config["model"]
    model.eval()
    texts = []
    for batch in cut(rows, 32):
        with autocast():
            ids = model.generate(
                **encode([source for source, _ in batch], settings["max_length"]),
                max_length=settings["max_target_length"],
                num_beams=recipe.options.beams or settings.get("num_beams", 1),
                no_repeat_ngram_size=settings.get("no_repeat_ngram_size", 0),
                length_penalty=settings.get("length_penalty", 1.0),
                do_sample=False,
            )
        texts += recipe.tokenizer.batch_decode(ids, skip_special_tokens=True)
    return texts


def _rows(text, data):
    """(source, target) of each row of JSON lines, or of a TSV file without quoting."""
    names = (data["columns"][0], data["target"])
    if text.startswith("{"):
        return [tuple(json.loads(line)[name] for name in names) for line in text.splitlines()]
    header, *lines = [line.split("\t") for line in text.splitlines()]
    return [tuple(line[header.index(name)] for name in names) for line in lines]


if __name__ == "__main__":
    main()
