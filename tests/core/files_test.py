"""Files and folders appear whole or not at all."""

import pytest

from bert_tf.core.files import atomic_file, atomic_folder, write_text


def test_file_appears_at_the_end(tmp_path):
    with atomic_file(tmp_path / "new/a.txt") as temporary:
        temporary.write_text("x")
        assert not (tmp_path / "new/a.txt").exists()
    assert (tmp_path / "new/a.txt").read_text() == "x"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_an_error_leaves_what_was_there(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt), atomic_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


def test_folder_is_replaced_whole(tmp_path):
    for text in ("one", "two"):
        with atomic_folder(tmp_path / "f") as temporary:
            (temporary / text).write_text(text)
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["two"]
    with pytest.raises(ValueError, match="stop"), atomic_folder(tmp_path / "f") as temporary:
        (temporary / "three").write_text("")
        raise ValueError("stop")
    assert [path.name for path in tmp_path.rglob("*")] == ["f", "two"]
