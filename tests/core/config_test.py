"""Strict loading, overrides, configs of the package, and their messages."""

import dataclasses
import json
import os

import pytest

from bert_tf.core.config import TextConfig, assignment, find_config, from_dict, load_toml, override, shipped_configs
from bert_tf.core.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Inner:
    steps: int = 10
    rate: float = 0.1
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Outer:
    training: Inner = Inner()
    title: str | None = None
    fast: bool = False


def test_overrides_reach_inner_values_with_their_types():
    config = override(
        Outer(), ["training.steps=3", "training.rate=1", "title=a b", "fast=true", 'training.names=["x"]']
    )
    assert config == Outer(Inner(3, 1.0, ("x",)), "a b", True)
    assert override(config, ["title=none"]).title is None


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("training.step=3", "Unknown key 'training.step'. Did you mean 'steps'?"),
        ("training.steps=many", "Received: training.steps='many'. training.steps must be of type int."),
        ("training.steps=true", "must be of type int"),
        ("title.x=1", "'title' has no parts"),
        ("training", "Overrides are written key=value"),
    ],
)
def test_wrong_overrides_say_what_to_do(assignment, message):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.").replace("?", r"\?")):
        override(Outer(), [assignment])


def test_toml_round_trip(tmp_path):
    (tmp_path / "a.toml").write_text('title = "t"\n[training]\nsteps = 5\n')
    config = load_toml(Outer, tmp_path / "a.toml")
    assert config == Outer(Inner(steps=5), "t")
    assert from_dict(Outer, json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_wrong_files(tmp_path):
    with pytest.raises(ConfigError, match="No such config"):
        load_toml(Outer, tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("title = \n")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_toml(Outer, tmp_path / "bad.toml")
    (tmp_path / "key.toml").write_text("[training]\nstep = 1\n")
    with pytest.raises(ConfigError, match="Unknown key 'training.step'"):
        load_toml(Outer, tmp_path / "key.toml")


@pytest.mark.parametrize("name", ["sst2", "sst2.toml", "configs/sst2.toml", "configs/sst2"])
def test_configs_of_the_package_are_found_from_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(name) == shipped_configs()["sst2"]
    assert find_config(name).read_text().startswith("# SST-2, as in GLUE")


def test_a_file_comes_before_a_config_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sst2").mkdir()
    assert find_config("sst2") == shipped_configs()["sst2"]
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/sst2.toml").write_text('title = "mine"\n')
    assert load_toml(Outer, "configs/sst2.toml").title == "mine"
    with pytest.raises(ConfigError, match="No such config: other/sst2.toml"):
        find_config("other/sst2.toml")
    with pytest.raises(ConfigError, match="No such config: squadd. Did you mean 'squad'"):
        find_config("squadd")


def test_defaults_of_text():
    assert TextConfig().max_word_chars == 200
    with pytest.raises(ConfigError, match="max_word_chars=0. It must be at least 1"):
        TextConfig(max_word_chars=0)


@dataclasses.dataclass(frozen=True)
class Weighted:
    names: tuple[str, ...] = ()
    weights: dict[str, float] | str | None = None


def test_a_field_of_several_types():
    assert override(Weighted(), ["weights=balanced"]).weights == "balanced"
    assert override(Weighted(), ["weights={a = 2, b = 0.5}"]).weights == {"a": 2.0, "b": 0.5}
    for value in ("weights=3", "weights=[1]", "weights={a = true}"):
        with pytest.raises(ConfigError, match="weights must be of type table or str"):
            override(Weighted(), [value])


def test_a_file_says_none_as_a_text_where_a_text_is_not_allowed(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Clipping:
        norm: float | None = 1.0
        name: str | None = "a"
        steps: int = 1

    (tmp_path / "none.toml").write_text('norm = "none"\nname = "none"\n')
    assert load_toml(Clipping, tmp_path / "none.toml") == Clipping(None, "none")
    with pytest.raises(ConfigError, match="Received: steps='none'. steps must be of type int."):
        from_dict(Clipping, {"steps": "none"})


def test_a_text_is_no_list():
    with pytest.raises(ConfigError, match="Received: names='text'. names must be of type list."):
        override(Weighted(), ["names=text"])


def test_an_integer_beyond_all_floats_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Rate:
        rate: float = 1.0

    with pytest.raises(ConfigError, match=r"rate=\(an integer of more than 30 digits\). rate must be a finite number"):
        override(Rate(), ["rate=0x1" + "0" * 400])


@pytest.mark.parametrize(
    "value", ["a \\ b", "a\nb", "'", "\"'", "none", "3", "[1]", "\x7f\x01\t", "ä/字", " ", "a=b", "caf\udce9"]
)
def test_an_assignment_sets_any_text_as_it_is(value):
    assert override(Outer(), [assignment("title", value)]).title == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = " + "[" * 100_000, "a.toml: nested too deeply"),
        ("a" + ".a" * 100_000 + " = 1", "a.toml: nested too deeply"),
        ("[a" + ".a" * 100_000 + "]", "a.toml: nested too deeply"),
        ("title = " + "9" * 5000, "a.toml: Exceeds the limit"),
        ("title = \xff", "a.toml: line 1 is not UTF-8"),
        ("title = 'a'\n" * (1 << 17), "a.toml is larger than 1 MiB"),
    ],
)
def test_a_config_that_python_cannot_hold_is_refused_in_a_line(tmp_path, text, message):
    (tmp_path / "a.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=message) as error:
        load_toml(Outer, tmp_path / "a.toml")
    assert len(str(error.value)) < 400


def test_a_config_is_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    for path, kind in ((tmp_path / "pipe.toml", "a named pipe"), ("/dev/zero", "a device")):
        with pytest.raises(ConfigError, match=f"{path} is {kind}. A regular file is needed"):
            load_toml(Outer, path)
    with pytest.raises(ConfigError, match="Exceeds the limit"):
        override(Outer(), ["title=" + "9" * 5000])
