"""Fine-tunes with transformers and torch on SQuAD 1.1, windows as in its example script run_qa.py.

    python tools/peers/finetune_hf_squad.py --config configs/squad.toml --init FOLDER --data FOLDER [--seed N]

Prints a line "RESULT {...}" with exact match and F1 of the held-out questions. Wants tools/peers/requirements.txt in an
environment of its own.
"""

import collections
import json
import re
import string

import torch
from recipe import Recipe, cut, outputs_of
from transformers import AutoModelForQuestionAnswering

_CANDIDATES, _LONGEST = 20, 30  # pieces that may begin or end an answer; pieces in one


def main():
    recipe = Recipe(__doc__)
    rows, heldout = (recipe.read(part, _questions) for part in ("train", "heldout"))
    model = AutoModelForQuestionAnswering.from_pretrained(recipe.options.init)
    windows = [window for row in cut(rows, 256) for window in _windows(recipe, row)]

    def to_batch(batch):
        inputs = recipe.tokenizer.pad([window["inputs"] for window in batch], return_tensors="pt")
        spans = torch.tensor([window["span"] for window in batch])
        return {**inputs, "start_positions": spans[:, 0], "end_positions": spans[:, 1]}

    seconds = recipe.train(model, windows, to_batch)
    answers = _answers(recipe, model, heldout)
    best = [
        (max(map(exact, right, [answer] * len(right))), max(map(word_f1, right, [answer] * len(right))))
        for (_, _, right), answer in zip(heldout, answers, strict=True)
    ]
    exact_match, f1 = (sum(column) / len(best) for column in zip(*best, strict=True))
    recipe.tell({"exact_match": exact_match, "f1": f1}, seconds)


def _questions(text):
    """(question, context, answers as (text, start)) of each question."""
    return [
        (question["question"].lstrip(), paragraph["context"], question["answers"])
        for article in json.loads(text)["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]


def _windows(recipe, rows):
    """The windows of questions: inputs, number of the row, offsets of the context's pieces, the answer's pieces."""
    questions, contexts, answers = zip(*rows, strict=True)
    found = recipe.tokenizer(
        list(questions),
        list(contexts),
        truncation="only_second",
        max_length=recipe.max_length,
        stride=recipe.config["model"]["stride"],
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    for i, row in enumerate(found["overflow_to_sample_mapping"]):
        kinds = found.sequence_ids(i)
        offsets = [pair if kind == 1 else None for kind, pair in zip(kinds, found["offset_mapping"][i], strict=True)]
        inputs = {name: found[name][i] for name in ("input_ids", "attention_mask", "token_type_ids")}
        yield {"inputs": inputs, "row": row, "offsets": offsets, "span": _span(offsets, answers[row][0])}


def _span(offsets, answer):
    """The answer's first and last piece in a window; (0, 0), [CLS], where it is not wholly in it."""
    start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
    pieces = [i for i, pair in enumerate(offsets) if pair]
    if offsets[pieces[0]][0] > start or offsets[pieces[-1]][1] < end:
        return 0, 0
    return max(i for i in pieces if offsets[i][0] <= start), min(i for i in pieces if offsets[i][1] >= end)


def _answers(recipe, model, rows):
    """The best answer to each question, over all of its windows."""
    best = [(-float("inf"), "")] * len(rows)
    for first in range(0, len(rows), 256):
        windows = list(_windows(recipe, rows[first : first + 256]))
        parts = cut(windows, 32)
        batches = [recipe.tokenizer.pad([w["inputs"] for w in part], return_tensors="pt") for part in parts]
        for part, outputs in zip(parts, outputs_of(model, batches), strict=True):
            for window, starts, ends in zip(part, outputs.start_logits, outputs.end_logits, strict=True):
                row = first + window["row"]
                best[row] = max(best[row], _best_of(window, starts.float(), ends.float(), rows[row][1]))
    return [answer for _, answer in best]


def _best_of(window, starts, ends, context):
    """(score, text) of the best stretch of a window."""
    offsets, best = window["offsets"], (-float("inf"), "")
    length = len(offsets)
    top = [values[:length].topk(min(_CANDIDATES, length)).indices.tolist() for values in (starts, ends)]
    for start in top[0]:
        for end in top[1]:
            if offsets[start] and offsets[end] and start <= end < start + _LONGEST:
                score = (starts[start] + ends[end]).item()
                best = max(best, (score, context[offsets[start][0] : offsets[end][1]]))
    return best


def normalize(text):
    """As the official script of SQuAD compares answers."""
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact(right, answer):
    return float(normalize(right["text"]) == normalize(answer))


def word_f1(right, answer):
    right, answer = normalize(right["text"]).split(), normalize(answer).split()
    shared = sum((collections.Counter(right) & collections.Counter(answer)).values())
    return 2 * shared / (len(right) + len(answer)) if shared else 0.0


if __name__ == "__main__":
    main()
