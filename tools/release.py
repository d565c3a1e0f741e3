"""Builds wheel and sdist, checks them, installs the wheel into an empty environment and begins the quick start there.

python tools/release.py [--minutes 2]; the files are in dist/. Nothing is uploaded.
"""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent
DIST = ROOT / "dist"


def main() -> None:
    """Exit code 0 if every step passed; the first that fails ends the program with its output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0, help="time that the quick start gets")
    minutes = parser.parse_args().minutes
    wheel = build()
    with tempfile.TemporaryDirectory() as folder:
        program = install(wheel, pathlib.Path(folder) / "venv")
        try_verbs(program, wheel)
        begin_quickstart(program, pathlib.Path(folder) / "quickstart", minutes)
    print(f"Ready: {', '.join(path.name for path in sorted(DIST.iterdir()))} in {DIST}")


def run(*command: str | pathlib.Path) -> str:
    """Runs a command from a folder that is not the checkout; returns what it prints."""
    print("+", *command, flush=True)
    done = subprocess.run(command, cwd=tempfile.gettempdir(), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nFailed: {' '.join(map(str, command))}")
    return done.stdout


def build() -> pathlib.Path:
    """Builds the sdist and from it the wheel, and checks both; returns the wheel's path."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST, ROOT)
    (wheel,) = DIST.glob("*.whl")
    run(sys.executable, "-m", "twine", "check", "--strict", *DIST.iterdir())
    run(pathlib.Path(sys.executable).with_name("check-wheel-contents"), wheel)
    return wheel


def install(wheel: pathlib.Path, venv: pathlib.Path) -> pathlib.Path:
    """Installs the wheel into an empty environment; returns the path of its bert-tf."""
    run(sys.executable, "-m", "venv", venv)
    python = venv / "bin/python"
    run(python, "-m", "pip", "install", "--use-pep517", "--constraint", ROOT / "constraints.txt", wheel)
    run(python, "-m", "pip", "check")
    return venv / "bin/bert-tf"


def try_verbs(program: pathlib.Path, wheel: pathlib.Path) -> None:
    """Asks for the version, which has to be the wheel's, and for the configs."""
    version = wheel.name.split("-")[1]
    if run(program, "--version").strip() != f"bert-tf {version}":
        sys.exit(f"The installed program does not say that it is version {version}.")
    if "\nsst2 " not in run(program, "configs"):
        sys.exit("The installed package has no configs.")


def begin_quickstart(program: pathlib.Path, folder: pathlib.Path, minutes: float) -> None:
    """Runs the quick start for some minutes; it has to work until then, and to have learned its vocabulary."""
    print("+", program, "quickstart --output", folder, f"(for {minutes:g} minutes)", flush=True)
    command = [program, "quickstart", "--output", folder]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    # A group of its own, to end it with its workers, and at once: Ctrl-C would wait for a step and save a checkpoint.
    with subprocess.Popen(command, cwd=folder.parent, start_new_session=True, **pipes) as started:
        try:
            output, _ = started.communicate(timeout=60 * minutes)
            if started.returncode:
                sys.exit(f"{output}\nThe quick start failed.")
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            output, _ = started.communicate()
    if not (folder / "vocab.txt").is_file():
        sys.exit(f"{output}\nAfter {minutes:g} minutes the quick start has no vocabulary.")


if __name__ == "__main__":
    main()
