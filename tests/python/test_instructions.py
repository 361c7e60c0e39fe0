"""Loops of our own take no more instructions than bench/results/cpu/instructions.json says; and where one does, that is seen."""
import copy
import json
import sys

import pytest

from conftest import BINARY, ROOT

sys.path.insert(0, str(ROOT / "bench"))
import instructions

EXPECTED = json.loads(instructions.BASELINE.read_text())


def with_counts(**counts):
    """The baseline with other counts of some kernels."""
    changed = copy.deepcopy(EXPECTED)
    changed["instructions"] |= {name: round(number) for name, number in counts.items()}
    return changed


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    try:
        return instructions.count(tmp_path_factory.mktemp("callgrind"), BINARY.parent / "bench/kernel_work")
    except instructions.CannotCompare as reason:
        pytest.skip(str(reason))


def test_no_kernel_takes_more_instructions_than_it_did(found):
    if reason := instructions.other_ground(found, EXPECTED):
        pytest.skip(reason)
    more, less = instructions.compare(found, EXPECTED)
    print(*less, sep="\n")
    assert not more, "\n".join(more)


def test_every_kernel_is_counted_and_none_is_nothing(found):
    assert len(found["instructions"]) == 8 and found["instructions"].keys() == EXPECTED["instructions"].keys()
    assert all(number > 1e6 for number in found["instructions"].values()), found


@pytest.mark.parametrize("name", EXPECTED["instructions"])
def test_a_kernel_that_takes_a_little_more_than_the_bound_fails(found, name):
    if reason := instructions.other_ground(found, EXPECTED):
        pytest.skip(reason)
    once = found["instructions"][name]
    more, less = instructions.compare(found, with_counts(**{name: once / (1 + 1.1 * instructions.BOUND)}))
    assert len(more) == 1 and not less
    assert more[0].startswith(f"{name}: {once:,} instructions, expected ") and "+1.1" in more[0] and "--write" in more[0] and "\n" not in more[0]
    assert not instructions.compare(found, with_counts(**{name: once / (1 + 0.9 * instructions.BOUND)}))[0]


def test_fewer_instructions_are_a_note():
    more, less = instructions.compare(with_counts(top_vector=0.9 * EXPECTED["instructions"]["top_vector"]), EXPECTED)
    assert not more and len(less) == 1 and "-10.00%" in less[0]


def test_a_kernel_on_one_side_alone_fails():
    without = copy.deepcopy(EXPECTED)
    del without["instructions"]["top_vector"]
    assert "here alone" in instructions.compare(EXPECTED, without)[0][0]
    assert "in the baseline alone" in instructions.compare(without, EXPECTED)[0][0]


@pytest.mark.parametrize("name, value, judged", [("compiler", "{major}.9.9", True), ("compiler", "99.1.0", False), ("torch", "2.99.0", False),
                                                 ("valgrind", "9.9.9", False), ("clones", "avx512f", False), ("optimised", False, False)])
def test_what_was_counted_with_other_parts_is_not_judged(name, value, judged):
    other = copy.deepcopy(EXPECTED)
    other["with"][name] = value.format(major=EXPECTED["with"]["compiler"].split(".")[0]) if isinstance(value, str) else value
    reason = instructions.other_ground(other, EXPECTED)
    assert (reason is None) == judged and (judged or name in reason)
