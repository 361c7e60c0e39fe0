"""The jobs of the mathematics that run beside peers: their shapes, who does the same (bench/peers.py), and what was wanted.

Shapes are those of Brain-Score's IT benchmark. Targets are those that were set before the code was written. Every number here is a
definition: docs/speed.md has all others from results.
"""
import dataclasses

PRESENTATIONS, FEATURES, NEUROIDS, SPLITS, COMPONENTS = 2560, 1000, 168, 10, 25
TEST = PRESENTATIONS // SPLITS
RAW_FEATURES, TRIALS, DRAWS, CEILING_SPLITS = 12000, 28, 10000, 10000
RDM_STIMULI, RDM_SUBJECTS, RDM_MODELS, RDM_DRAWS = 200, 10, 5, 100
PAIRS = PRESENTATIONS * (PRESENTATIONS - 1) // 2
OURS = "Cortiscore"


@dataclasses.dataclass(frozen=True)
class Peer:
    function: str  # of bench/peers.py, or what bench/platform_metrics.py calls it
    times: float | None = None  # how often faster was wanted
    platform: bool = False  # runs in an environment of its own (--platform)


@dataclasses.dataclass(frozen=True)
class Job:
    name: str
    bench: str  # of bench/math_bench.cpp, and of work.WORK
    peers: dict
    why: str  # what bounds it, without numbers
    seconds: float | None = None  # that were wanted
    by_command_line: bool = False  # on the peers' own data: its score is compared with theirs


JOBS = {
    "pls": Job(f"PLS, {COMPONENTS} components, {SPLITS} splits", "pls_2560x1000_168_targets_25_components_10_splits",
               {"ikpls": Peer("pls_ikpls", 5), "scikit-learn": Peer("pls_sklearn", 60),
                "Brain-Score's metric": Peer("pls", 80, platform=True)},
               "half are products of matrices, half passes of single components over sums that no cache holds", by_command_line=True),
    "raw": Job(f"raw features, P = {RAW_FEATURES:,}, {SPLITS} splits", "pls_raw_2560x12000_168_targets_10_splits",
               {f"scikit-learn (1 split x {SPLITS})": Peer("raw_sklearn", 100)},
               "XX' at the rate of large products, then PLS on as many coordinates as presentations"),
    "ridgecv": Job("RidgeCV, 99 penalties, 1 split", "ridgecv_2560x1000_99_penalties_1_split",
                   {"scikit-learn": Peer("ridgecv_sklearn", 7), "himalaya cv=5": Peer("ridgecv_himalaya")},
                   "products for the few penalties that span the others, and one eigendecomposition"),
    "ridge": Job(f"Ridge, {SPLITS} splits", "ridge_2560x1000_10_splits", {"scikit-learn": Peer("ridge_sklearn")},
                 "a Cholesky factor a split, and solving for every neuroid"),
    "ceiling": Job(f"ceiling, {TRIALS} trials, {SPLITS} splits", "ceiling_28x2560x168_10_splits",
                   {"NumPy loop": Peer("ceiling_numpy"), "Brain-Score's class": Peer("internal_consistency", 100, platform=True)},
                   "sums so small that vectors fill them badly"),
    "ceilings": Job(f"ceiling, {CEILING_SPLITS:,} splits", "ceiling_28x2560x168_10000_splits",
                    {"NumPy loop (50 x 200)": Peer("ceilings_numpy", 100)}, "products too small for the rate of large ones", seconds=0.3),
    "bootstrap": Job(f"bootstrap over images, {DRAWS:,} x {NEUROIDS}", "bootstrap_10000_of_2560x168",
                     {"NumPy loop (200 x 50)": Peer("bootstrap_numpy", 20)}, "products of counts and sums at the rate of large products"),
    "rdm": Job(f"RDM, {PRESENTATIONS} x {FEATURES}", "rdm_2560x1000",
               {"rsatoolbox": Peer("rdm_rsatoolbox", 14), "numpy.corrcoef": Peer("rdm_numpy")},
               "half of the products of numpy.corrcoef, then passes over the matrix"),
    "spearman": Job(f"Spearman, {PAIRS / 1e6:.1f} M pairs", "spearman_3275520", {"SciPy": Peer("spearman_scipy", 10)},
                    "entries dealt into parts that fit the cache, twice, and ties: instructions, not bytes"),
    "rdm_bootstrap": Job(
        f"RDM bootstrap, {RDM_DRAWS} x ({RDM_STIMULI}, {RDM_SUBJECTS} subjects, {RDM_MODELS} models), Pearson",
        "rdm_bootstrap_pearson_100_of_200_10_subjects_5_models", {"rsatoolbox": Peer("rdm_bootstrap_rsatoolbox", 200)},
        "products so small that what is read and weighted beside them counts"),
    "rdm_bootstrap_ranks": Job("the same, Spearman", "rdm_bootstrap_spearman_100_of_200_10_subjects_5_models",
                               {"rsatoolbox (20 x 5)": Peer("rdm_bootstrap_ranks_rsatoolbox")}, "ranks anew for every draw: instructions"),
}

# What was wanted of whole jobs.
SWEEP_TIMES, SWEEP_OF_PROCESS, SWEEP_OF_FORWARD = 5, 1 / 5, 0.05
THROUGHPUT_TIMES, THROUGHPUT_OF_NETWORK = 20, 0.1
GEMM_SHARE, SWAP_OF_FORWARD = 0.6, 0.05
