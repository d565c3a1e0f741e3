"""A masked LM step of every encoder family beside that of transformers, on the same rows of random tokens."""

from bench import contenders
from bench.figures import PREDICTIONS, VOCABULARY, comparison, heads
from bench.runner import Case, Race
from bench.step import make_rows
from bench.worker import require

TITLE = "Families"
NAMES = ("bert", "roberta", "xlm_roberta", "distilbert", "albert", "electra", "modernbert")
LONG = 2048  # tokens, more than the local windows of ModernBERT


def races(options):
    """A race for each family, and one over long rows, where ModernBERT's local windows count."""
    layers, hidden = options.sizes[0]
    rows, length = options.shapes[0]
    base = {"layers": layers, "hidden": hidden, "steps": 1 if options.quick else 3}
    short = base | {"rows": rows, "length": length}
    long = base | {"rows": 1 if options.quick else 4, "length": 4 * length if options.quick else LONG, "steps": 1}
    names = options.contenders(CONTENDERS)
    found = [
        Race([Case("families", name, short | {"family": family, "dtype": dtype}) for name in names], options.rounds)
        for family in NAMES
        for dtype in options.dtypes
    ]
    dtype = options.dtypes[-1]
    cases = [
        Case("families", name, long | {"family": family, "dtype": dtype})
        for name in names
        for family in ("bert", "modernbert")
    ]
    return [*found, Race(cases, options.rounds)]


def sizes_of(settings):
    """Fields that the configs of all families have."""
    hidden = settings["hidden"]
    return {
        "vocab_size": VOCABULARY,
        "num_layers": settings["layers"],
        "hidden_size": hidden,
        "num_heads": heads(hidden),
        "intermediate_size": 4 * hidden,
        "max_positions": max(512, settings["length"]) + 2,  # the first two of RoBERTa's are not used
    }


def bert_tf(settings, paths, meter):
    """bert_tf's masked LM of a family, on the masked positions alone."""
    import keras

    from bert_tf.modeling.pretrainer import BertPretrainer
    from bert_tf.training.optimizers.make_optimizer import make_optimizer

    meter.begin()
    keras.utils.set_random_seed(0)
    model = BertPretrainer(
        next_sentence=False, encoder=settings["family"], dtype=contenders.policy(settings), **sizes_of(settings)
    )
    model.compile(make_optimizer("adamw", 1e-4), jit_compile=contenders.jit_compile(settings))
    rows = make_rows(settings["rows"], settings["length"])
    x = {"input_ids": "ids", "input_mask": "mask", "segment_ids": "segments", "masked_lm_positions": "positions"}
    batch = (
        {name: rows[theirs] for name, theirs in x.items()},
        {"masked_lm_logits": rows["labels"]},
        {"masked_lm_logits": rows["weights"]},
    )
    return checked(contenders.fit(model, contenders.endless([batch])), settings, model.encoder.count_params())


def transformers(settings, paths, meter):
    """transformers' masked LM of a family, which scores the vocabulary at all positions."""
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM

    device = contenders.torch_device()
    meter.begin()
    sizes = sizes_of(settings)
    names = {"num_layers": "num_hidden_layers", "num_heads": "num_attention_heads"}
    names |= {"max_positions": "max_position_embeddings"}
    if settings["family"] == "distilbert":
        names["intermediate_size"] = "hidden_dim"
    arguments = {names.get(name, name): value for name, value in sizes.items()}
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    config = AutoConfig.for_model(settings["family"].replace("_", "-"), **arguments, **special)
    model = AutoModelForMaskedLM.from_config(config).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    rows = make_rows(settings["rows"], settings["length"])
    ids, mask, places, targets = (
        torch.tensor(rows[name].astype("int64"), device=device) for name in ("ids", "mask", "positions", "labels")
    )
    labels = torch.full_like(ids, -100).scatter_(1, places, targets)

    def step(_):
        with torch.autocast(device, torch.bfloat16, enabled=settings["dtype"] != "float32"):
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    encoder = sum(parameter.numel() for parameter in model.base_model.parameters())
    return checked(contenders.cycle([None], step), settings, encoder)


def checked(run, settings, parameters):
    """The work to time, after a check that the loss falls."""
    first, second = run(3), run(3)
    require(second < first, f"The loss does not fall: {first:.4f}, then {second:.4f}.")
    steps = settings["steps"]
    units = steps * settings["rows"] * settings["length"]
    return lambda: {"loss": run(steps), "steps": steps, "units": units, "parameters": parameters}


CONTENDERS = {"bert_tf": bert_tf, "transformers": transformers}


def describe(store):
    """A table for each family, and one for long rows."""
    found = {}
    for measured in store.of("families"):
        settings = measured.settings
        shape = f"{settings['rows']} rows of {settings['length']}"
        key = (settings["length"], settings["family"] if settings["length"] < LONG else "")
        found.setdefault(key, (shape, []))[1].append(measured)
    return "\n".join(_section(family, *found[length, family]) for length, family in found)


def _section(family, shape, measured):
    head = f"### {family or 'Long rows'}; {shape}; {PREDICTIONS} predictions a row"
    more = {"parameters of the encoder": lambda turn: f"{turn.rounds[0]['parameters']:,}"}
    return f"{head}\n\n{comparison(measured, 'tokens', _label, more=more)}"


def _label(found):
    return f"{found.contender} {found.settings['family']} {found.settings['dtype']}"
