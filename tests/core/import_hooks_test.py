"""A module is imported within a context, in which other packages can be out of reach."""

import contextlib
import functools
import importlib.util
import sys

import pytest

from bert_tf.core.import_hooks import import_within, without

OUTER = """
try:
    import inner_of_the_test as found
except ImportError:
    found = None
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Two modules, of which one imports the other if it can."""
    (tmp_path / "outer_of_the_test.py").write_text(OUTER)
    (tmp_path / "inner_of_the_test.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("outer_of_the_test", "inner_of_the_test"):
        sys.modules.pop(name, None)


def test_a_package_is_out_of_reach_for_one_import_alone(modules):
    finders = list(sys.meta_path)
    import_within("outer_of_the_test", functools.partial(without, ["inner_of_the_test"]))
    import outer_of_the_test

    assert outer_of_the_test.found is None
    import inner_of_the_test  # reachable again

    assert inner_of_the_test.__name__ == "inner_of_the_test" and sys.meta_path == finders


def test_a_module_that_was_only_looked_for_is_still_imported_within_all_its_contexts(modules):
    finders, within = list(sys.meta_path), []

    @contextlib.contextmanager
    def note():
        within.append("note")
        yield

    import_within("outer_of_the_test", functools.partial(without, ["inner_of_the_test"]))
    import_within("outer_of_the_test", note)
    assert importlib.util.find_spec("outer_of_the_test") is not None and not within
    import outer_of_the_test

    assert outer_of_the_test.found is None and within == ["note"] and sys.meta_path == finders


def test_a_module_that_is_imported_already_stays_as_it_is(modules):
    import inner_of_the_test
    import outer_of_the_test

    finders = list(sys.meta_path)
    import_within("outer_of_the_test", functools.partial(without, ["inner_of_the_test"]))
    assert outer_of_the_test.found is inner_of_the_test and sys.meta_path == finders
