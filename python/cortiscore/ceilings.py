"""The ceilings of `cortiscore ceiling`, in this process: `cortiscore.ceilings.internal_consistency(trials)["ceiling"]`.

Every function gives a dict with the keys that `cortiscore ceiling NAME --json` prints (docs/metrics.md), and the same numbers to the bit;
arguments are called as its flags, and what is not given has the flag's default. What is taken and raised is as in `cortiscore.metrics`.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .given import Uncertainty, ceiling

if TYPE_CHECKING:
    from typing import Unpack

    from .given import Array, Result, Table

    Comparison = Literal["spearman", "pearson", "cosine", "tau-a", "rho-a"]


def internal_consistency(trials: Array, *, ceiling_splits: int | None = None, seed: int | None = None, bootstrap: int | None = None,
                         level: float | None = None) -> Result:
    """Split-half reliability: Pearson r of each neuroid between the means of two halves of its repetitions, corrected by Spearman-Brown;
    the median over neuroids, then the mean over splits. Adds `per_neuroid` [split, neuroid].

    :param trials: [repetition, presentation, neuroid], NaN where missing; or an Assembly whose presentations have `stimulus_id` and
        `repetition`
    :param ceiling_splits: halves [10]
    :param seed: of the splits [1]
    :param bootstrap: draws of neuroids, 0 for none [1000]
    :param level: of the interval [0.95]
    Source: brainscore_vision metrics/internal_consistency; Spearman 1910, Brown 1910.
    """
    return ceiling("internal_consistency", trials, {"ceiling_splits": ceiling_splits, "seed": seed, "bootstrap": bootstrap, "level": level})


def split_half_predictor(trials: Array, *, ceiling_splits: int | None = None, seed: int | None = None, bootstrap: int | None = None,
                         level: float | None = None) -> Result:
    """As `internal_consistency`, with halves that are drawn anew for every presentation (numpy.random.default_rng).

    :param trials: [repetition, presentation, neuroid], NaN where missing
    :param ceiling_splits: halves [10]
    :param seed: of the splits [0]
    :param bootstrap: draws of neuroids, 0 for none [1000]
    :param level: of the interval [0.95]
    Source: the platform's ceilings of data with fixed train and test stimuli.
    """
    return ceiling("split_half_predictor", trials, {"ceiling_splits": ceiling_splits, "seed": seed, "bootstrap": bootstrap, "level": level})


def rsa(trials: Array, *, comparison: Comparison | None = None) -> Result:
    """The platform's upper bound of an RDM's score: each subject's RDM with the mean of all as they are. Adds `upper` and `lower`.

    :param trials: RDMs [subject, presentation, presentation]; a pair that a subject lacks (NaN) is left out and counted
    :param comparison: [spearman]
    Source: the platform's RSABenchmark; `nili` has the bounds of Nili et al. 2014.
    """
    return ceiling("rsa", trials, {"comparison": comparison})


def leave_one_subject_out(trials: Array, *, comparison: Comparison | None = None) -> Result:
    """The lower bound: each subject's RDM with the mean of the others. Arguments and keys are those of `rsa`.

    :param trials: RDMs [subject, presentation, presentation]
    :param comparison: [spearman]
    Source: the platform's RSABenchmark.
    """
    return ceiling("leave_one_subject_out", trials, {"comparison": comparison})


def nili(trials: Array, *, comparison: Comparison | None = None) -> Result:
    """The upper bound of Nili et al.: each subject's RDM with the mean of all, every one brought to the scale that is compared first
    (ranks, z scores or unit length). Arguments and keys are those of `rsa`.

    :param trials: RDMs [subject, presentation, presentation]
    :param comparison: [spearman]
    Source: Nili et al. 2014; rsatoolbox's boot_noise_ceiling.
    """
    return ceiling("nili", trials, {"comparison": comparison})


def nili_lower(trials: Array, *, comparison: Comparison | None = None) -> Result:
    """The lower bound of Nili et al.: each subject's RDM with the mean of the others. Arguments and keys are those of `nili`.

    :param trials: RDMs [subject, presentation, presentation]
    :param comparison: [spearman]
    Source: Nili et al. 2014; rsatoolbox's boot_noise_ceiling.
    """
    return ceiling("nili_lower", trials, {"comparison": comparison})


def error_consistency(trials: Table, **options: Unpack[Uncertainty]) -> Result:
    """Kappa of being right between every pair of subjects.

    :param trials: choices of subjects: `stimulus_id, truth, choice, subject`, and optionally `condition`, one row a trial
    :param options: Uncertainty
    Source: Geirhos, Meding & Wichmann 2020; the platform's `error_consistency`.
    """
    return ceiling("error_consistency", trials, {**options})


def accuracy_distance(trials: Table, **options: Unpack[Uncertainty]) -> Result:
    """Accuracy distance between every pair of subjects.

    :param trials: choices of subjects: `stimulus_id, truth, choice, subject`, and optionally `condition`, one row a trial
    :param options: Uncertainty
    Source: the platform's `accuracy_distance`.
    """
    return ceiling("accuracy_distance", trials, {**options})


def condition_accuracy(trials: Table, **options: Unpack[Uncertainty]) -> Result:
    """Pearson's r of each subject's accuracies per condition with the mean of the others.

    :param trials: choices of subjects: `stimulus_id, truth, choice, subject, condition`, one row a trial
    :param options: Uncertainty
    Source: the platform's `Coggan2024_behavior`.
    """
    return ceiling("condition_accuracy", trials, {**options})


def i1(trials: Table, **options: Unpack[Uncertainty]) -> Result:
    """The reliability of the pattern of confusions that `metrics.i1` compares: one half of the trials with the other.

    :param trials: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`, one row a trial
    :param options: Uncertainty
    Source: Rajalingham et al. 2018.
    """
    return ceiling("i1", trials, {**options})


def i1n(trials: Table, **options: Unpack[Uncertainty]) -> Result:
    """The reliability of the pattern of confusions that `metrics.i1n` compares: one half of the trials with the other.

    :param trials: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`, one row a trial
    :param options: Uncertainty
    Source: Rajalingham et al. 2018.
    """
    return ceiling("i1n", trials, {**options})


def i2(trials: Table, **options: Unpack[Uncertainty]) -> Result:
    """The reliability of the pattern of confusions that `metrics.i2` compares: one half of the trials with the other.

    :param trials: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`, one row a trial
    :param options: Uncertainty
    Source: Rajalingham et al. 2018.
    """
    return ceiling("i2", trials, {**options})


def i2n(trials: Table, **options: Unpack[Uncertainty]) -> Result:
    """The reliability of the pattern of confusions that `metrics.i2n` compares: one half of the trials with the other.

    :param trials: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`, one row a trial
    :param options: Uncertainty
    Source: Rajalingham et al. 2018.
    """
    return ceiling("i2n", trials, {**options})


def o1(trials: Table, **options: Unpack[Uncertainty]) -> Result:
    """The reliability of the pattern of confusions that `metrics.o1` compares: one half of the trials with the other.

    :param trials: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`, one row a trial
    :param options: Uncertainty
    Source: Rajalingham et al. 2018.
    """
    return ceiling("o1", trials, {**options})


def o2(trials: Table, **options: Unpack[Uncertainty]) -> Result:
    """The reliability of the pattern of confusions that `metrics.o2` compares: one half of the trials with the other.

    :param trials: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`, one row a trial
    :param options: Uncertainty
    Source: Rajalingham et al. 2018.
    """
    return ceiling("o2", trials, {**options})


def accuracy_delta(trials: Table, *, whole: str, manipulated: str, **options: Unpack[Uncertainty]) -> Result:
    """What halves of the subjects lose by a manipulation beside what the others lose, of 100 halves, corrected by Spearman-Brown.

    :param trials: choices of three subjects or more: `stimulus_id, truth, choice, subject, condition`, one row a trial
    :param whole: the condition of whole images
    :param manipulated: that of manipulated ones
    :param options: Uncertainty
    Source: Baker & Elder 2022; the platform's `baker_accuracy_delta`.
    """
    return ceiling("accuracy_delta", trials, {"whole": whole, "manipulated": manipulated, **options})


def threshold(trials: Array | Table) -> Result:
    """Each subject's threshold against the mean of the others.

    :param trials: [subject], positive, NaN where one has none; or a table with `threshold` and optionally `subject`
    Source: Malania, Herzog & Westheimer 2007; the platform's `threshold`.
    """
    return ceiling("threshold", trials, {})
