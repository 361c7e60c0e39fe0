"""`profile` and `compare-machines`: stages that add up, operations as torch.utils counts them, scores that profiling does not change,
traces and pages by their own formats, machines that are compared on one job alone."""
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import page
from conftest import BINARY, ROOT, run, run_json, validator, write

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

V4 = "Simulated2026.V4-pls"
N_STIMULI, SIZE = 320, 64
STAGES = ["open", "recordings", "decode", "place", "forward", "keep", "reduce", "mapping", "ceiling", "resample", "store", "other"]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = torch.nn.Conv2d(3, 8, 5, stride=2, padding=2)
        self.stage1 = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2))
        self.stage2 = torch.nn.Sequential(torch.nn.Conv2d(16, 32, 3, groups=2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(4))
        self.head = torch.nn.Linear(32 * 16, 50)

    def forward(self, x):
        return self.head(self.stage2(self.stage1(self.stem(x))).flatten(1))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "net.pt2"
    export(Net().eval(), path, input_size=SIZE)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache folder of these tests, in which the machine's limits are measured once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def profiled(network, home, cache, tmp_path_factory):
    """(folder, profile): three layers compete."""
    folder = tmp_path_factory.mktemp("profile")
    env = {"CORTISCORE_HOME": str(home), "XDG_CACHE_HOME": str(cache)}
    done = run("profile", network, "-b", V4, "--candidates", "4", "--repetitions", "3", "--checkpoints", "500", "--results", folder / "store",
               "--trace", folder / "trace.json", "--page", folder / "page.html", "--json", env=env)
    assert done.returncode == 0, done.stderr
    profile = json.loads(done.stdout)
    keep_limits(cache, profile)
    return folder, profile


def keep_limits(cache, profile, **changed):
    """As a profile keeps them where nothing else ran meanwhile, for those that come after it."""
    machine = profile["machine"]
    kept = cache / f"cortiscore/machines/{machine['fingerprint'][:16]}.json"
    kept.write_text(json.dumps({key: machine[key] for key in ("fingerprint", "measured")} | {"limits": machine["limits"] | changed}))
    return kept


def rows(profile, kind="stages", name="stage"):
    return {row[name]: row for row in profile[kind]}


def test_a_profile_is_what_its_schema_says(profiled):
    validator("profile")(profiled[1])
    assert profiled[1]["job"]["presentations"] == N_STIMULI and profiled[1]["job"]["forward_passes"] == 1
    assert profiled[1]["command"].startswith("cortiscore profile ")


def test_stages_add_up_to_the_wall_time(profiled):
    _, profile = profiled
    wall = profile["wall_s"]
    assert wall["stages_sum"] == pytest.approx(wall["profiled"], rel=0.03)
    assert sum(row["share"] for row in profile["stages"]) == pytest.approx(1)
    # Medians over three runs, which something else may have slowed each in another part.
    assert sum(row["seconds"] for row in profile["stages"]) == pytest.approx(wall["stages_sum"], rel=0.5)
    assert sum(row["seconds"] for row in profile["forward"]) == pytest.approx(rows(profile)["forward"]["seconds"], rel=0.5)
    assert [row["stage"] for row in profile["stages"]] == [stage for stage in STAGES if stage in rows(profile)]
    # All that a scoring job does has a name.
    assert rows(profile)["other"]["share"] < 0.1


def test_operations_of_the_forward_pass_are_pytorchs_own_count(profiled):
    """Beside those of products, which torch.utils.flop_counter counts, ours has one for every element of activations and pools."""
    _, profile = profiled
    counter = FlopCounterMode(display=False)
    micro_batches = N_STIMULI // 16
    with counter, torch.no_grad():
        Net().eval()(torch.zeros(16, 3, SIZE, SIZE))
    by_module = {name.rpartition(".")[2]: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}
    groups = rows(profile, "forward", "group")
    # Convolutions with their bias, which they add as they go.
    assert groups["stem"]["flops"] == micro_batches * by_module["stem"]
    for stage in ("stage1", "stage2"):
        found = sum(row["flops"] for group, row in groups.items() if group.startswith(stage))
        assert micro_batches * by_module[stage] < found < 1.3 * micro_batches * by_module[stage]


def test_profiling_changes_no_bit_of_a_score(profiled, network, home, tmp_path):
    _, profile = profiled
    [score] = profile["scores"]
    assert score["equal"] is True
    record = run_json("score", network, "-b", V4, "--candidates", "4", "--results", tmp_path, env={"CORTISCORE_HOME": str(home)})
    assert (score["raw"], score["ceiled"], score["layer"]) == (record["score"]["raw"], record["score"]["ceiled"], record["layer"])
    folder = profiled[0]
    assert not list((folder / "store").iterdir()), "records of a profile are no results"


def test_a_trace_is_one_of_complete_events(profiled):
    """Perfetto's reader takes ts and dur in us; spans of one thread lie within each other or apart."""
    folder, profile = profiled
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    assert {event["name"] for event in events} <= set(STAGES) and {event["ph"] for event in events} == {"X"}
    assert {"decode", "forward", "mapping"} <= {event["name"] for event in events}
    for thread in {event["tid"] for event in events}:
        open_ends = []
        for event in sorted((e for e in events if e["tid"] == thread), key=lambda e: (e["ts"], -e["dur"])):
            while open_ends and open_ends[-1] <= event["ts"] + 1e-3:
                open_ends.pop()
            assert not open_ends or event["ts"] + event["dur"] <= open_ends[-1] + 1e-3
            open_ends.append(event["ts"] + event["dur"])
    longest = max(event["ts"] + event["dur"] for event in events)
    assert longest == pytest.approx(1e6 * [r["wall_s"] for r in profile["repetitions"] if r["kind"] == "profiled"][-1], rel=0.05)


def test_what_would_help_is_predicted_and_the_best_of_it_tried(profiled):
    changes = profiled[1]["changes"]
    assert changes == sorted(changes, key=lambda change: change["predicted_s"])
    for change in changes:
        assert change["predicted_gain"] == pytest.approx(1 - change["predicted_s"] / profiled[1]["wall_s"]["plain"])
    for place, change in enumerate(changes):
        tried = change["tried"]
        assert (tried is None) == (place > 0)
        if tried:
            assert tried["as_predicted"] == (abs(tried["measured_gain"] - change["predicted_gain"]) <= 0.25 * change["predicted_gain"])


def test_more_passes_than_are_needed_are_found(profiled, network, home, cache, tmp_path):
    """The layer does not fit as a whole: what --memory-gib would save is predicted from the passes that it saves."""
    env = {"CORTISCORE_HOME": str(home), "XDG_CACHE_HOME": str(cache)}
    profile = run_json("profile", network, "-b", V4, "--layer", "stem", "--memory-gib", "0.034", "--repetitions", "3", "--suggest-only",
                       "--results", tmp_path, env=env)
    assert profile["job"]["forward_passes"] > 1
    [change] = [change for change in profile["changes"] if change["change"] == "memory"]
    assert change["flags"].startswith("--memory-gib ") and change["tried"] is None and "1 forward passes instead of" in change["why"]


def test_one_thread_of_several_is_found(profiled, network, home, cache, tmp_path):
    """Products that gain 1.5 from all threads: loops gain a third, and they are most of the job."""
    keep_limits(cache, profiled[1], flops_s={"float32": 3e10, "float64": 1e10, "bfloat16": 1e10},
                flops_s_one_thread={"float32": 2e10, "float64": 1e10, "bfloat16": 1e10})
    env = {"CORTISCORE_HOME": str(home), "XDG_CACHE_HOME": str(cache)}
    profile = run_json("profile", network, "-b", V4, "--layer", "stage1", "--threads", "1", "--repetitions", "3", "--suggest-only",
                       "--results", tmp_path, env=env)
    keep_limits(cache, profiled[1])
    usable = profile["machine"]["threads"]
    assert profile["job"]["threads"] == 1
    found = [change for change in profile["changes"] if change["change"] == "threads"]
    assert bool(found) == (usable > 1)
    if found:
        assert found[0]["flags"] == f"--threads {usable}" and 0.15 < found[0]["predicted_gain"] <= 1 / 3


def test_the_sweep_to_expect(profiled):
    sweep = profiled[1]["sweep"]
    assert 0 < sweep["next_s"] < sweep["first_s"], "recordings, stimuli and ceilings are there"
    assert sweep["checkpoints_h"] == pytest.approx(3600 / sweep["next_s"])
    assert sweep["of"] == {"checkpoints": 500, "hours": pytest.approx((sweep["first_s"] + 499 * sweep["next_s"]) / 3600)}


def test_limits_are_measured_once_a_machine(profiled, network, home, cache, tmp_path):
    """Those that are kept are taken; a file that is none is measured anew."""
    kept = keep_limits(cache, profiled[1], memory_bytes_s=1e9)  # not what was measured
    words = ("profile", network, "-b", V4, "--layer", "stage1", "--repetitions", "1", "--suggest-only", "--results", tmp_path)
    env = {"CORTISCORE_HOME": str(home), "XDG_CACHE_HOME": str(cache)}
    again = run_json(*words, env=env)
    assert again["machine"]["limits"]["memory_bytes_s"] == 1e9
    assert again["verdict"]["valid"] is False and any("Too few samples" in reason for reason in again["verdict"]["reasons"])
    kept.write_text(json.dumps({"fingerprint": profiled[1]["machine"]["fingerprint"], "measured": "today", "limits": {"flops_s": 1}}))
    assert run_json(*words, env=env)["machine"]["limits"]["memory_bytes_s"] not in (1, 1e9)
    keep_limits(cache, profiled[1])


def test_the_table_says_the_same(profiled, network, home, cache, tmp_path):
    env = {"CORTISCORE_HOME": str(home), "XDG_CACHE_HOME": str(cache)}
    done = run("profile", network, "-b", V4, "--layer", "stage1", "--repetitions", "1", "--suggest-only", "--results", tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    for word in ("INVALID", "Too few samples", "machine ", "limits ", "forward", "stage1", "a further checkpoint takes", "the same to the bit"):
        assert word in done.stdout, done.stdout


def test_bad_input_is_said_before_minutes_of_work(network, home, cache, tmp_path):
    env = {"CORTISCORE_HOME": str(home), "XDG_CACHE_HOME": str(cache)}
    for words, code, message in [
            (("-b", "Nowhere.V4-pls"), 4, "Nowhere.V4-pls"), (("-b", V4, "--layer", "nothing"), 4, "nothing"),
            (("-b", V4, "--page", tmp_path / "no/where.html"), 5, "no/where.html"), (("-b", V4, "--repetitions", "0"), 2, "--repetitions")]:
        done = run("profile", network, *words, "--results", tmp_path, env=env)
        assert done.returncode == code and message in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) <= 2


@pytest.mark.parametrize("name,code", [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_profile_that_is_stopped_leaves_nothing(network, home, tmp_path, name, code):
    """Also while the machine's limits are measured, which are then not kept."""
    env = {**os.environ, "CORTISCORE_HOME": str(home), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for wait_for in ("cache/cortiscore/machines", "store/.cortiscore-profile-*"):
        command = [BINARY, "profile", network, "-b", V4, "--layer", "stage1", "--results", tmp_path / "store", "--trace", tmp_path / "trace.json"]
        # As a shell starts it, whatever this process ignores.
        process = subprocess.Popen(list(map(str, command)), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        while process.poll() is None and not list(tmp_path.glob(wait_for)):
            time.sleep(0.01)
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=60)
        assert process.returncode == code and not out and "stopped" in err, err
        left = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json"]
        assert not left and not list(tmp_path.glob("store/.cortiscore-profile-*")) and not (tmp_path / "trace.json").exists()


# ---- Machines side by side ----------------------------------------------------------------------------------------------


def other_machine(profile, times):
    """The same job on a machine that takes so many times less time."""
    other = json.loads(json.dumps(profile))
    other["machine"]["name"] = "faster"
    for key in ("plain", "profiled", "ci_lo", "ci_hi", "stages_sum"):
        other["wall_s"][key] /= times
    for row in other["stages"]:
        row["seconds"] /= times
    return other


def test_machines_are_put_side_by_side(profiled, tmp_path):
    _, profile = profiled
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, one in zip(paths, (profile, other_machine(profile, 4)), strict=True):
        path.write_text(json.dumps(one))
    compared = run_json("compare-machines", *paths, "--page", tmp_path / "page.html")
    assert [machine["times_faster"] for machine in compared["machines"]] == [1, pytest.approx(4)]
    assert compared["machines"][1]["stages"]["forward"]["times_faster"] == pytest.approx(4)
    table = run("compare-machines", *paths)
    assert table.returncode == 0 and "4.00x" in table.stdout and "faster" in table.stdout
    assert page.data_of(tmp_path / "page.html") == {"profiles": [json.loads(path.read_text()) for path in paths]}


@pytest.mark.parametrize("change,found", [
    (lambda p: p["job"].update(key="0" * 64, network="other"), 'network "other" instead of'),
    (lambda p: p.update(kind="record"), "found no profile"), (lambda p: p.update(schema_version=2), "schema_version: found 2"),
    (lambda p: p["job"].update(layers={"V4": "stem"}), 'layers {"V4":"stem"} instead of'), (lambda p: p.pop("stages"), "stages: found nothing"),
    (lambda p: p.update(job={}), "job.key: found nothing"), (lambda p: p["wall_s"].update(plain=None), "wall_s.plain: found null")])
def test_other_jobs_are_not_compared(profiled, tmp_path, change, found):
    one, other = profiled[1], json.loads(json.dumps(profiled[1]))
    change(other)
    (tmp_path / "a.json").write_text(json.dumps(one))
    (tmp_path / "b.json").write_text(json.dumps(other))
    done = run("compare-machines", tmp_path / "a.json", tmp_path / "b.json")
    assert done.returncode == 5 and f"{tmp_path}/b.json" in done.stderr and found in done.stderr, done.stderr


def test_memory_follows_from_the_machine_and_is_another_in_one_job(profiled, tmp_path):
    one, other = profiled[1], json.loads(json.dumps(profiled[1]))
    other["job"]["memory_gib"] = 1.5
    for name, profile in (("a", one), ("b", other)):
        (tmp_path / f"{name}.json").write_text(json.dumps(profile))
    assert run("compare-machines", tmp_path / "a.json", tmp_path / "b.json").returncode == 0


def test_a_file_that_is_no_json_is_named(profiled, tmp_path):
    write(tmp_path / "a.csv", [{"a": 1}])
    done = run("compare-machines", tmp_path / "a.csv", tmp_path / "a.csv")
    assert done.returncode == 5 and "a.csv" in done.stderr
