"""How much work each bench of the mathematics is: floating-point operations of its algorithm and bytes that it must move,
and what share of the machine's measured peaks (large products; a copy beyond any cache) its time is.

A job can take no less than the larger of flops / peak and bytes / bandwidth, its roofline.
"""


def pls(n, p, m, folds=10, test=256, components=25, steps=27):
    """ALGORITHMS.md 1a and 2: X'Y and its downdates, G, `steps` of the power iteration a component (27 on the data of the bench), then a
    component's passes; X'X, or a pass over X a component, as src/ops/train_product.cpp chooses (gram_is_cheaper)."""
    once = 2 * n * p * m + 2 * folds * test * p * m + folds * p * m * m
    component = folds * (steps * 2 * m * m + 4 * p * m + 4 * m * m)
    moved = 2 * folds * p * m
    if p * (n + 2 * folds * components) < 4 * (n - test) * folds * components:
        once += n * p * p
        component += folds * (2 * p * p + 4 * test * p)
        moved += p * p + folds * test * p
    else:
        component += folds * 4 * n * p
        moved += n * p
    return once + components * component, 8 * (n * p + components * moved)


def raw(n, p, m, **more):
    flops, moved = pls(n, n, m, **more)
    return n * n * p + n**3 / 3 + flops, 8 * n * p + moved


def ridge(n, p, m, folds=10, test=256):
    return (n * p * p + 2 * n * p * m + folds * (2 * test * p * m + test * p * p + p**3 / 3 + 2 * p * p * m + 2 * test * p * m),
            8 * n * (p + m) + 8 * folds * p * (p + m))


def ridgecv(n, p, m, penalties=99, rank=30):
    """X'X, an eigendecomposition (9 p^3, vectors included), X V, then `rank` products and their combinations."""
    return n * p * p + 9 * p**3 + 2 * n * p * p + rank * 2 * n * p * m + 2 * penalties * rank * n * m, 8 * n * (p + m + penalties * m)


PAIRS = 2560 * 2559 // 2
WORK = {
    "pls_2560x1000_168_targets_25_components_10_splits": pls(2560, 1000, 168),
    "pls_raw_2560x12000_168_targets_10_splits": raw(2560, 12000, 168),
    "ridgecv_2560x1000_99_penalties_1_split": ridgecv(2304, 1000, 168),
    "ridge_2560x1000_10_splits": ridge(2560, 1000, 168),
    "ceiling_28x2560x168_10_splits": (2560 * 28 * 28 * 168, 8 * 28 * 2560 * 168),
    "ceiling_28x2560x168_10000_splits": (2560 * 28 * 28 * 168 + 2 * 28 * 28 * 10000 * 168, 8 * 28 * 2560 * 168),
    "bootstrap_10000_of_2560x168": (2 * 10000 * 2560 * 5 * 168, 8 * 10000 * (2560 + 168)),
    "rdm_2560x1000": (2560 * 2560 * 1000, 8 * (2560 * 1000 + 2 * 2560 * 2560)),
    # Two vectors, each dealt twice and ranked: read and written three times.
    "spearman_3275520": (10 * PAIRS, 2 * 3 * 2 * 8 * PAIRS),
    "rdm_bootstrap_pearson_100_of_200_10_subjects_5_models": (2 * 100 * 19900 * (5 * 10 + 2 * 15), 8 * 100 * 19900 * 3),
    # As above, and ranks of 15 vectors anew for every draw.
    "rdm_bootstrap_spearman_100_of_200_10_subjects_5_models": (2 * 100 * 19900 * 5 * 15, 8 * 100 * 19900 * 15 * 2),
    "pearson_columns_10000x2000": (10 * 10000 * 2000, 2 * 8 * 10000 * 2000),
    "centred_gram_640x100000": (640 * 640 * 100000, 4 * 640 * 100000),
}


def share_of_roofline(name, seconds, peak_flops, peak_bytes):
    """1 where the job is as fast as its flops or its bytes allow, at the peaks that were measured."""
    flops, moved = WORK[name]
    return max(flops / peak_flops, moved / peak_bytes) / seconds
