"""Versions that are added, removed, damaged or links, while the server answers."""

import os
import shutil
import threading
import time

import pytest

from bert_tf.core.errors import InputError
from bert_tf.serving.models import ModelConfig
from bert_tf.serving.version_folders import check_base_path, find_versions
from tests.serving.conftest import running, write_model


def until(condition):
    """Waits until a poll of the base path makes a condition true."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def states(client, name="parity"):
    answer = client.get(f"/v1/models/{name}")[1]
    return {int(entry["version"]): entry["state"] for entry in answer.get("model_version_status", [])}


def served(client):
    status, answer = client.predict(instances=["abc"])
    return answer["predictions"][0]["version"] if status == 200 else status


@pytest.fixture
def versions(base_path, tmp_path):
    """A base path with version 1, to which tests add more."""
    shutil.copytree(base_path / "1", tmp_path / "1")
    return tmp_path


def test_a_new_version_is_picked_up_and_the_old_one_drained(versions):
    with running(versions) as client:
        assert served(client) == 1.0
        slow = threading.Thread(target=_ask_slowly, args=(client, answers := []))
        slow.start()
        time.sleep(0.1)
        write_model(versions, 2)
        until(lambda: served(client) == 2.0)
        slow.join(30)
        assert answers == [(200, {"predictions": [200_000]})]  # it had started on version 1
        until(lambda: states(client) == {1: "END", 2: "AVAILABLE"})
        assert client.post("/v1/models/parity/versions/1:predict", {"instances": ["a"]})[0] == 404
        shutil.rmtree(versions / "2")  # roll back
        until(lambda: states(client) == {1: "AVAILABLE", 2: "END"})
        assert served(client) == 1.0
        shutil.rmtree(versions / "1")  # no other version: it keeps answering
        time.sleep(0.5)
        assert served(client) == 1.0


def _ask_slowly(client, answers):
    answers.append(client.predict(signature_name="slow", instances=[200_000]))


def test_damaged_versions_are_logged_and_skipped(versions, caplog):
    (versions / "2").mkdir()
    shutil.copytree(versions / "1", versions / "3")
    (versions / "3/saved_model.pb").write_bytes(b"\xff no proto")
    shutil.copytree(versions / "1", versions / "4")
    data = next((versions / "4/variables").glob("*.data*"))
    data.write_bytes(b"")
    (versions / "notes").mkdir()
    (versions / "5").write_text("a file")
    with running(versions) as client:
        assert served(client) == 1.0
        assert states(client) == {1: "AVAILABLE", 2: "END", 3: "END", 4: "END"}
        entry = client.get("/v1/models/parity/versions/2")[1]["model_version_status"][0]
        assert entry["status"]["error_code"] == "UNKNOWN"
        assert entry["status"]["error_message"] == f"{versions}/2 has no saved_model.pb."
        said = [record.getMessage() for record in caplog.records if "is not served" in record.getMessage()]
        assert [message.split(" is")[0] for message in said] == [f"parity: version {n}" for n in (4, 3, 2)]
        assert all("\n" not in message for message in said)
        shutil.copytree(versions / "1", versions / "2", dirs_exist_ok=True)  # now it is complete
        until(lambda: states(client)[2] == "AVAILABLE")
        time.sleep(0.3)
        again = [record for record in caplog.records if "version 3 is not served" in record.getMessage()]
        assert len(again) == 1  # not at every poll


def test_a_version_whose_warm_up_fails_is_not_served(versions, caplog):
    extra = versions / "1/assets.extra"
    extra.mkdir()
    (extra / "tf_serving_warmup_requests").write_bytes(b"no record" * 9)
    with running(versions) as client:
        assert served(client) == 404
        assert "A warm-up request of" in caplog.text
    with running(versions, warmup=False) as client:
        assert served(client) == 1.0


def test_other_models_keep_answering(versions, base_path, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    models = (ModelConfig("bad", empty), ModelConfig("parity", base_path))
    with running(None, models) as client:
        assert served(client) == 1.0
        status, answer = client.post("/v1/models/bad:predict", {"instances": ["a"]})
        assert (status, answer["error"]) == (
            404,
            "Servable not found: bad has no version in service. Versions: none.",
        )


def test_policies_and_labels(versions):
    for number in (2, 3):
        shutil.copytree(versions / "1", versions / str(number))
    two = ModelConfig("two", versions, latest=2)
    chosen = ModelConfig("chosen", versions, latest=None, only=frozenset([1, 3]), labels={"stable": 1, "old": 2})
    with running(None, (two, chosen)) as client:
        assert set(states(client, "two")) == {2, 3}
        assert set(states(client, "chosen")) == {1, 3}
        assert client.post("/v1/models/chosen/labels/stable:predict", {"instances": ["a"]})[0] == 200
        assert set(client.get("/v1/models/chosen/labels/stable")[1]) == {"model_version_status"}
        status, answer = client.post("/v1/models/chosen/labels/old:predict", {"instances": ["a"]})
        assert (status, "no label old in service. Versions: 3, 1." in answer["error"]) == (404, True)


def test_links_to_places_outside_the_base_path_are_refused(versions, base_path):
    (versions / "2").symlink_to(base_path / "1")
    (versions / "3").symlink_to("1")
    shutil.copytree(versions / "1", versions / "4")
    (versions / "4/labels.txt").unlink()
    (versions / "4/labels.txt").symlink_to("/etc/passwd")
    found, refused = find_versions(versions)
    assert found == {1: versions / "1", 3: versions / "3"}
    assert [path.name for path in refused] == ["2", "4"]
    assert "4/labels.txt is a link to a place outside" in refused[versions / "4"]


def test_base_paths_that_hold_no_versions(versions, tmp_path):
    check_base_path(versions)
    with pytest.raises(InputError, match="No such folder"):
        check_base_path(tmp_path / "none")
    with pytest.raises(InputError, match="is itself a version. Give the folder above it"):
        check_base_path(versions / "1")
    (tmp_path / "models/name").mkdir(parents=True)
    shutil.copytree(versions / "1", tmp_path / "models/name/1")
    with pytest.raises(InputError, match="--model_base_path=.*models/name"):
        check_base_path(tmp_path / "models")


@pytest.mark.parametrize("name", ["config.json", "model/config.json", "bert_config.json"])
def test_a_model_that_is_not_exported_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    folder = (tmp_path / name).parent
    with pytest.raises(InputError, match=f"is a model, not an export of it. First: bert-tf export --model {folder} "):
        check_base_path(tmp_path)


def test_a_server_without_versions_says_what_to_do(tmp_path, caplog):
    with running(tmp_path):
        assert f"no version that can be served. Waiting for one: bert-tf export --model FOLDER --output {tmp_path}" in (
            caplog.text
        )


@pytest.mark.parametrize("file", ["labels.txt", "variables/variables.index", "more"])
def test_a_version_with_a_pipe_is_not_opened(versions, file):
    (versions / "1" / file).unlink(missing_ok=True)
    os.mkfifo(versions / "1" / file)
    found, refused = find_versions(versions)
    assert found == {}
    assert refused == {versions / "1": f"{versions}/1/{file} is no regular file; version 1 is not served."}
