import numpy as np
import pytest
from bench import curves, growth, options, page, scaling
from bench.figures import against, comparison, config_of, flops, parameters
from bench.runner import Measured

from bert_tf.training.flops import step_flops


def measured(name, seconds, dtype="float32"):
    turn = {"wall": seconds, "cpu": seconds, "steps": 1, "units": 100, "peak": 3, "before": 1}
    return Measured(name, {"dtype": dtype}, [turn])


def test_ratios_are_to_the_fastest_setting_of_ours():
    found = [measured("bert_tf", 2.0), measured("bert_tf", 1.0, "bfloat16"), measured("peer", 3.0)]
    assert against(found[2], found, "cpu") == "3.00 times"
    lines = comparison(found, "pieces", lambda one: f"{one.contender} {one.settings['dtype']}").splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| bert_tf bfloat16", "| bert_tf float32", "| peer float32"]
    assert lines[2].split(" | ")[1:5] == ["100", "0%", "100", "0%"]
    assert {line.count("|") for line in lines} == {9}
    assert against(found[2], found[2:], "cpu") == ""


def test_size_and_work_of_a_step():
    settings = {"layers": 6, "hidden": 384, "rows": 32, "length": 128}
    assert parameters(config_of(settings)) == 6 * 12 * 384**2 + (30522 + 512) * 384
    asked = 20 + 1  # of the last block: masked positions and [CLS]
    keys_and_values = 6 * 128 * 2 * 384**2
    others = (5 * 128 + asked) * (10 * 384**2 + 2 * 128 * 384)
    head = 20 * (384**2 + 384 * 30522)
    assert flops(settings) == 3 * 2 * 32 * (keys_and_values + others + head)
    assert step_flops(config_of(settings), 32, 128, 20) == pytest.approx(321e9, rel=0.01)  # all of the last block
    assert config_of(settings | {"length": 2048}).max_positions == 2048


def test_scaling_is_a_step_and_then_a_ring_all_reduce():
    # 8 workers send 2 * 7/8 of a gigabyte each: 14 gigabits, at 10 a second.
    assert scaling.step_seconds(0.5, 1e9, 8, 10) == pytest.approx(0.5 + 1.4)
    assert scaling.step_seconds(0.5, 1e9, 1, 10) == 0.5


def test_attention_costs_as_much_as_all_else_at_six_times_the_width():
    assert growth.attention_share(6 * 384, 384) == 0.5
    assert growth.attention_share(128, 768) == pytest.approx(2 * 128 / (12 * 768 + 2 * 128))


def test_losses_are_averaged_before_they_are_compared():
    assert curves.smooth(np.arange(21)).tolist() == pytest.approx([9.5, 10.5])


def test_only_what_stands_between_the_marks_is_replaced():
    text = "# A\n<!-- step -->\nold\n<!-- end of step -->\nby hand\n"
    assert (
        page.replace(text, "step", r"new \1" + "\n") == "# A\n<!-- step -->\nnew \\1\n<!-- end of step -->\nby hand\n"
    )
    with pytest.raises(SystemExit, match="<!-- text -->"):
        page.replace(text, "text", "")


def test_the_page_does_not_tell_folders():
    found = options.command(["--quick", "--data", "/home/me", "--torch=/x/python", "--parts", "step"])
    assert found == 'make bench ARGS="--quick --data FOLDER --torch=FOLDER --parts step"'


def test_options(capsys):
    found = options.read_options("", ["--sizes", "2x64,4x128", "--only", "bert_tf"])
    assert found.sizes == [(2, 64), (4, 128)]
    assert found.shapes == [(32, 128), (8, 512)]
    assert found.contenders(["bert_tf", "keras_hub"]) == ["bert_tf"]
    for wrong in (["--parts", "stepp"], ["--sizes", "2"], ["--only", "bert"], ["--data", "/no/such/folder"]):
        with pytest.raises(SystemExit):
            options.read_options("", wrong)
        assert wrong[1] in capsys.readouterr().err
