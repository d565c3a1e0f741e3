import subprocess
import sys


def run(*arguments):
    command = [sys.executable, "-m", "bert_tf", "vocab", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_vocab_from_the_command_line(tmp_path):
    (tmp_path / "text.txt").write_text("Straße und Café\n" * 100, encoding="utf-8")
    learned = run("--input", tmp_path / "*.txt", "--output", tmp_path / "v.vocab", "--size=28", "strip_accents=false")
    assert learned.returncode == 0, learned.stderr
    assert "28 tokens in" in learned.stdout and "unknown 0.000%, " in learned.stdout
    assert "##é" in (tmp_path / "v.vocab").read_text(encoding="utf-8").split("\n")
    again = run("--input", tmp_path / "*.txt", "--output", tmp_path / "v.vocab", "--size=28")
    assert again.returncode == 1 and "Name another file, or pass --overwrite" in again.stderr.splitlines()[-1]
