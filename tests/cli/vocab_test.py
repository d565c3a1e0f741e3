def test_vocab_from_the_command_line(tmp_path, bert_tf_command):
    (tmp_path / "text.txt").write_text("Straße und Café\n" * 100, encoding="utf-8")
    paths = ["vocab", "--input", tmp_path / "*.txt", "--output", tmp_path / "v.vocab"]
    learned = bert_tf_command(*paths, "--size=28", "strip_accents=false")
    assert learned.returncode == 0, learned.stderr
    assert "28 tokens in" in learned.stdout and "unknown 0.000%, " in learned.stdout
    assert "##é" in (tmp_path / "v.vocab").read_text(encoding="utf-8").split("\n")
    again = bert_tf_command(*paths, "--size=28")
    assert again.returncode == 1 and "Name another file, or pass --overwrite" in again.stderr.splitlines()[-1]
