"""`cortiscore sweep --slurm` on a real Slurm: slurmctld, two slurmd as two nodes, munged, all on this machine's loopback."""
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

from conftest import run
from test_sweep import FLAGS, exported, lines, undisturbed, world  # noqa: F401  fixtures

pytestmark = pytest.mark.slow
PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cluster:
    def __init__(self, folder):
        for name in ("state", "munge", "log"):
            (folder / name).mkdir()
        os.chmod(folder / "munge", 0o700)
        key = folder / "munge/key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        host = socket.gethostname()
        self.conf = folder / "slurm.conf"
        self.nodes, self.held = {}, {}
        nodes = "".join(f"NodeName=n{i} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs=1\n" for i in (1, 2))
        self.conf.write_text(f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPort={free_port()}
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/log/ctld
SlurmdLogFile={folder}/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2,requeue_delay=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=5
SlurmdTimeout=10
SlurmdParameters=config_overrides
{nodes}PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
""")
        self.processes = [subprocess.Popen(
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge/socket",
             f"--pid-file={folder}/munge/pid", f"--log-file={folder}/munge/log", f"--seed-file={folder}/munge/seed"],
            stderr=subprocess.DEVNULL)]
        time.sleep(1)
        self.processes.append(subprocess.Popen(["slurmctld", "-D", "-f", self.conf], stderr=subprocess.DEVNULL))
        for name in ("n1", "n2"):
            self.start(name)
        self.env = {"SLURM_CONF": str(self.conf)}
        self.until(lambda: self.ask("sinfo", "-h", "-o", "%T %D") == "idle 2", "two idle nodes")

    def start(self, name):
        self.nodes[name] = subprocess.Popen(["slurmd", "-D", "-N", name, "-f", self.conf], stderr=subprocess.DEVNULL,
                                            start_new_session=True)

    def ask(self, *command):
        return subprocess.run(command, env={**os.environ, **self.env}, capture_output=True, text=True).stdout.strip()

    def until(self, condition, what, seconds=90):
        end = time.monotonic() + seconds
        while not condition():
            # Slurm keeps what was requeued back for two minutes, so that the first run is gone; here five seconds do.
            for job in self.ask("squeue", "-h", "-t", "PD", "-o", "%i %r").splitlines():
                if "BeginTime" in job and time.monotonic() - self.held.setdefault(job, time.monotonic()) > 5:
                    self.ask("scontrol", "update", f"jobid={job.split()[0]}", "StartTime=now")
            assert time.monotonic() < end, (what, self.ask("squeue"), self.ask("sinfo"))
            time.sleep(0.2)

    def stop(self):
        for process in [*self.nodes.values(), *reversed(self.processes)]:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        pytest.skip(f"needs Slurm (Debian's slurm-wlm): no {', '.join(missing)}")
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture
def env(world, tmp_path, cluster):  # noqa: F811
    return {"CORTISCORE_HOME": str(world), "XDG_CACHE_HOME": str(tmp_path / "cache"), **cluster.env}


@pytest.fixture
def slowly(tmp_path, faults):
    """A profile under which a record takes half a second to store, so that there is time to disturb the job."""
    (tmp_path / "slowly").write_text(f"export LD_PRELOAD={faults} FAULT_FOLDER={tmp_path}/s FAULT_CALL=1 FAULT_ONWARDS=1 FAULT_KIND=slow\n")
    return ["--slurm-profile", tmp_path / "slowly"]


def sweep(world, store, *more):  # noqa: F811
    return ["sweep", world / "w/*.safetensors", "--graph", world / "graph.pt2", *FLAGS, "--results", store, "--slurm", *more]


def logs(store):
    return "\n".join(p.read_text() for p in sorted((pathlib.Path(store) / "slurm").glob("*.log")))


def test_a_job_array_scores_every_pair_once(world, env, tmp_path, cluster, undisturbed):  # noqa: F811
    profile = tmp_path / "profile"
    profile.write_text("#SBATCH --comment=mine\nexport FROM_PROFILE=1\n")
    store = tmp_path / "it's a store"
    done = run(*sweep(world, store, "--slurm-tasks", 4, "--slurm-throttle=2", "--slurm-partition", "main", "--slurm-time", "10",
                      "--slurm-profile", profile, "--slurm-wait"), env=env)
    assert done.returncode == 0, (done.stderr, logs(store))
    [script] = (store / "slurm").glob("*.sbatch")
    for line in ("--array=0-3%2", "--partition=main", "--time=10", "--comment=mine", "--requeue"):
        assert f"#SBATCH {line}\n" in script.read_text()
    assert exported(store, env) == undisturbed and len(lines(store)) == 12
    assert all(r["run"]["slurm_restart_count"] == "0" for r in lines(store))


def test_requeue_goes_on_where_it_was(world, env, tmp_path, cluster, slowly, undisturbed):  # noqa: F811
    store = tmp_path / "s"
    done = run(*sweep(world, store, "--slurm-tasks", 1, *slowly), env=env)
    job = done.stdout.strip()
    cluster.until(lambda: store.exists() and len(lines(store)) >= 2, "two results")
    cluster.ask("scontrol", "requeue", job + "_0")
    cluster.until(lambda: len(lines(store)) == 12 and not cluster.ask("squeue", "-h", "-j", job), "the end of the job")
    assert exported(store, env) == undisturbed, logs(store)
    assert {r["run"]["slurm_restart_count"] for r in lines(store)} == {"0", "1"}


def test_the_warning_before_a_time_limit_requeues(world, env, tmp_path, cluster, slowly, undisturbed):  # noqa: F811
    store = tmp_path / "s"
    job = run(*sweep(world, store, "--slurm-tasks", 1, *slowly), env=env).stdout.strip()
    cluster.until(lambda: store.exists() and len(lines(store)) >= 1, "a result")
    cluster.ask("scancel", "--batch", "--signal=USR1", job + "_0")  # what --signal=B:USR1@60 sends
    cluster.until(lambda: len(lines(store)) == 12 and not cluster.ask("squeue", "-h", "-j", job), "the end of the job")
    assert "the same command goes on from here" in logs(store)
    assert exported(store, env) == undisturbed, logs(store)
    assert {r["run"]["slurm_restart_count"] for r in lines(store)} == {"0", "1"}


def test_a_cancelled_job_stays_cancelled(world, env, tmp_path, cluster, slowly):  # noqa: F811
    store = tmp_path / "s"
    job = run(*sweep(world, store, "--slurm-tasks", 1, *slowly), env=env).stdout.strip()
    cluster.until(lambda: store.exists() and len(lines(store)) >= 1, "a result")
    cluster.ask("scancel", job)
    cluster.until(lambda: not cluster.ask("squeue", "-h", "-j", job), "the end of the job")
    time.sleep(8)  # twelve records take six seconds: a job that was put back would have stored more
    assert len(lines(store)) < 12 and not cluster.ask("squeue", "-h", "-j", job)
    assert "CANCELLED" in cluster.ask("scontrol", "show", "job", job + "_0")


def test_a_node_that_is_killed(world, env, tmp_path, cluster, slowly, undisturbed):  # noqa: F811
    """slurmd and all its tasks die without a word; Slurm requeues them elsewhere once it notices."""
    store = tmp_path / "s"
    job = run(*sweep(world, store, "--slurm-tasks", 2, *slowly), env=env).stdout.strip()
    cluster.until(lambda: store.exists() and len(lines(store)) >= 2, "two results")
    number, node = cluster.ask("squeue", "-h", "-j", job, "-t", "R", "-o", "%A %N").splitlines()[0].split()
    victim = cluster.nodes[node]
    victim.kill()
    subprocess.run(["pkill", "-KILL", "-f", rf"slurmstepd: \[{number}\.batch\]"])
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            environ = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if f"SLURMD_NODENAME={node}\0".encode() in environ and f"SLURM_ARRAY_JOB_ID={job}\0".encode() in environ:
            os.kill(int(pid), 9)
    victim.wait()
    cluster.ask("scontrol", "update", f"nodename={node}", "state=down", "reason=killed")
    cluster.until(lambda: len(lines(store)) == 12 and not cluster.ask("squeue", "-h", "-j", job), "the end of the job", 150)
    assert exported(store, env) == undisturbed, logs(store)
    counts = [r["model_identifier"] for r in lines(store)]
    assert len(counts) == len(set(counts)) == 12
    cluster.start(node)
    cluster.ask("scontrol", "update", f"nodename={node}", "state=resume")


def test_no_slurm_here(world, env, tmp_path):  # noqa: F811
    done = run(*sweep(world, tmp_path / "s", "--device", "cuda:all"), env={**env, "PATH": "/bin-that-is-not-there:" + str(pathlib.Path("/bin/sh").parent)
                                                   if not shutil.which("sbatch", path="/bin") else str(tmp_path)})
    assert done.returncode == 7 and "submit it by hand" in done.stderr
