import pytest
from bench.runner import Case, Failed, Measured, Race, Store, run


def case(name, **settings):
    return Case("step", name, settings)


def store_at(path, machine="here", command="make bench"):
    return Store(path, machine, command)


class Child:
    """Stands in for a process: notes its turns in `order`."""

    def __init__(self, case, order, fails=()):
        self.case, self.order, self.fails = case, order, fails
        order.append(f"start {case.contender}")

    def measure(self):
        if self.case.contender in self.fails:
            raise Failed("it learns nothing")
        self.order.append(self.case.contender)
        return {"wall": 2.0, "cpu": 3.0, "steps": 2, "units": 10, "peak": 100}

    def close(self):
        self.order.append(f"end {self.case.contender}")


def test_contenders_take_turns_and_finished_rounds_are_kept(tmp_path):
    order, path = [], tmp_path / "kept.jsonl"
    race = Race([case("a"), case("b")], 2)
    run(race, store_at(path), lambda one: Child(one, order), 200)
    assert order == ["start a", "a", "start b", "b", "a", "end a", "b", "end b"]

    order.clear()
    run(Race(race.cases, 3), store_at(path), lambda one: Child(one, order), 200)
    assert order == ["start a", "a", "end a", "start b", "b", "end b"]  # the third round alone


def test_processes_that_memory_has_no_room_for_are_started_anew(tmp_path):
    order = []
    run(Race([case("a"), case("b")], 2), store_at(tmp_path / "kept"), lambda one: Child(one, order), 199)
    assert order == ["start a", "a", "start b", "b", "end b", "a", "end a", "start b", "b", "end b"]


def test_a_contender_that_fails_is_left_out_and_tried_again_the_next_time(tmp_path):
    order, store = [], store_at(tmp_path / "kept")
    run(Race([case("a"), case("bad")], 2), store, lambda one: Child(one, order, fails=["bad"]), 200)
    assert order == ["start a", "a", "start bad", "a", "end a"]
    assert store.failures == {"step": ["step bad: it learns nothing"]}
    assert [found.contender for found in store.of("step")] == ["a"]
    run(Race([case("bad")], 1), store_at(store.path), lambda one: Child(one, order))
    assert order[-3:] == ["start bad", "bad", "end bad"]


def test_only_whole_lines_of_this_machine_count(tmp_path):
    path = tmp_path / "kept"
    for machine in ("here", "there"):
        store_at(path, machine).add(case("a", rows=1), {"wall": 1})
    store_at(path, command="make bench again").add(case("a", rows=2), {"wall": 2})
    path.write_text(path.read_text() + '{"machine": "here", "par')
    store = store_at(path)
    assert [found.settings for found in store.of("step")] == [{"rows": 1}, {"rows": 2}]
    assert store.rounds(case("a", rows=1)) == 1
    assert store.commands("step") == ["make bench", "make bench again"]
    assert not store.of("text")


def test_numbers_of_rounds():
    turns = [{"wall": wall, "cpu": 2 * wall, "steps": 2, "units": 60, "peak": 900, "before": 400} for wall in (1, 2, 6)]
    found = Measured("a", {}, turns)
    assert (found.seconds("wall"), found.seconds("cpu")) == (1, 2)
    assert found.rate("wall") == 30
    assert found.spread("wall") == pytest.approx((3 - 0.5) / 1)
    assert found.memory() == (500, 400)
