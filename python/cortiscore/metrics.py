"""The metrics of `cortiscore metric`, in this process: `cortiscore.metrics.pls(features, responses)["score"]`.

Every function gives a dict with the keys that `cortiscore metric NAME --json` prints (docs/metrics.md), and the same numbers to the bit;
arguments are called as its flags, and what is not given has the flag's default. Arrays of the answer are NumPy's: `per_neuroid`
[split, neuroid] float64, and what a metric names below. A number that is undefined is None, and `warnings` say why; `notes` say how data
were understood where that was not plain.

Arrays that are taken (`Array`) are NumPy's, torch's, CuPy's or JAX's, read in place by DLPack and worked on where they live (float32 or
float64; half precision becomes float32, whole numbers float64), or an `Assembly`, an xarray.DataArray, or the path of a file as the
command line reads it. Those with `stimulus_id` and `neuroid_id` are matched by them, others by place. Tables (`Table`) are frames of
pandas or polars, dicts of columns, or paths of CSV files.

Every function raises `cortiscore.Error` with the command line's exit code: 2 an argument out of range, 5 data that hold NaN, are of
another shape, or do not fit together. Sources are the platform's (github.com/brain-score/vision) where none other is named.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

from .given import Ceiled, Compared, FixedSplit, Mapped, Subsets, Uncertainty, metric

if TYPE_CHECKING:
    from typing import Unpack

    from .given import Array, Labels, Result, Table


class Pls(Mapped, total=False):
    """`components` [25]. `mode`: the iterate that scikit-learn stops at, or the converged one. `products` of Gram size: fp64,
    or fast (scores within 1e-6)."""

    components: int
    mode: Literal["sklearn", "exact"]
    products: Literal["fp64", "fast"]


class PlsSplit(FixedSplit, total=False):
    """`components` [25]. `mode`: the iterate that scikit-learn stops at, or the converged one. `products` of Gram size: fp64,
    or fast (scores within 1e-6)."""

    components: int
    mode: Literal["sklearn", "exact"]
    products: Literal["fp64", "fast"]


class Ridge(Mapped, total=False):
    """`alpha`: the penalty [1]; the intercept has none. `products` of Gram size: fp64, or fast."""

    alpha: float
    products: Literal["fp64", "fast"]


class RidgeSplit(FixedSplit, total=False):
    """`alpha`: the penalty [1]; the intercept has none. `products` of Gram size: fp64, or fast."""

    alpha: float
    products: Literal["fp64", "fast"]


class RidgeCv(Mapped, total=False):
    """`alphas`: penalties to choose from [the platform's 99]. `products` of Gram size: fp64, or fast."""

    alphas: Array | Sequence[float]
    products: Literal["fp64", "fast"]


class RidgeCvSplit(FixedSplit, total=False):
    """`alphas`: penalties to choose from [the platform's 99]. `products` of Gram size: fp64, or fast."""

    alphas: Array | Sequence[float]
    products: Literal["fp64", "fast"]


class Linear(Mapped, total=False):
    """`cutoff`: singular values below this share of the largest count as zero [max(n, p) eps]."""

    cutoff: float


class LinearSplit(FixedSplit, total=False):
    """`cutoff`: singular values below this share of the largest count as zero [max(n, p) eps]."""

    cutoff: float


def pls(source: Array, target: Array, **options: Unpack[Pls]) -> Result:
    """Partial least squares: scikit-learn's PLSRegression(25, scale=False), at the iterate where it stops.

    The score is the median over neuroids of Pearson r between predicted and recorded responses, then the mean over splits (ten of
    90 % train, seed 1, unless `splits` or `stratify` say otherwise). Adds `iterations` [split, component] int64, and how many are `marginal`.

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Pls
    Source: the platform's `pls`; Wold 1966; scikit-learn's NIPALS.
    """
    return metric("pls", {"source": source, "target": target, **options})


def pls_split(train_source: Array, train_target: Array, test_source: Array, test_target: Array, **options: Unpack[PlsSplit]) -> Result:
    """`pls` with fixed train and test presentations: one split, and no error.

    :param train_source: [presentation, feature], what is fitted on; test_source has the same features
    :param train_target: [presentation, neuroid]; test_target has the same neuroids
    :param options: PlsSplit
    Source: the platform's `pls`; Wold 1966; scikit-learn's NIPALS.
    """
    return metric("pls_split", {"train_source": train_source, "train_target": train_target, "test_source": test_source,
                                 "test_target": test_target, **options})


def reverse_pls(source: Array, target: Array, **options: Unpack[Pls]) -> Result:
    """`pls` from target to source: each source feature is predicted from the target. `per_neuroid` is [split, feature].

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Pls
    Source: the platform's `pls`; Wold 1966; scikit-learn's NIPALS.
    """
    return metric("reverse_pls", {"source": source, "target": target, **options})


def scaled_pls(source: Array, target: Array, **options: Unpack[Pls]) -> Result:
    """`pls` of targets that are z-scored first.

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Pls
    Source: the platform's `pls`; Wold 1966; scikit-learn's NIPALS.
    """
    return metric("scaled_pls", {"source": source, "target": target, **options})


def spantime_pls(source: Array, target: Array, **options: Unpack[Pls]) -> Result:
    """`pls` over time: one mapping over all time bins, r within each. Adds `per_time_bin`. Nothing is drawn: there is no interval.

    :param source: [presentation, feature, time_bin]
    :param target: [presentation, neuroid, time_bin]
    :param options: Pls
    Source: the platform's `pls`; Wold 1966; scikit-learn's NIPALS.
    """
    return metric("spantime_pls", {"source": source, "target": target, **options})


def ridge(source: Array, target: Array, **options: Unpack[Ridge]) -> Result:
    """Ridge regression with the penalty `alpha`.

    The score is the median over neuroids of Pearson r between predicted and recorded responses, then the mean over splits (ten of
    90 % train, seed 1, unless `splits` or `stratify` say otherwise). Adds `alpha` [split].

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Ridge
    Source: Hoerl & Kennard 1970; the platform's `ridge`.
    """
    return metric("ridge", {"source": source, "target": target, **options})


def ridge_split(train_source: Array, train_target: Array, test_source: Array, test_target: Array, **options: Unpack[RidgeSplit]) -> Result:
    """`ridge` with fixed train and test presentations: one split, and no error.

    :param train_source: [presentation, feature], what is fitted on; test_source has the same features
    :param train_target: [presentation, neuroid]; test_target has the same neuroids
    :param options: RidgeSplit
    Source: Hoerl & Kennard 1970; the platform's `ridge`.
    """
    return metric("ridge_split", {"train_source": train_source, "train_target": train_target, "test_source": test_source,
                                 "test_target": test_target, **options})


def reverse_ridge(source: Array, target: Array, **options: Unpack[Ridge]) -> Result:
    """`ridge` from target to source: each source feature is predicted from the target. `per_neuroid` is [split, feature].

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Ridge
    Source: Hoerl & Kennard 1970; the platform's `ridge`.
    """
    return metric("reverse_ridge", {"source": source, "target": target, **options})


def scaled_ridge(source: Array, target: Array, **options: Unpack[Ridge]) -> Result:
    """`ridge` of targets that are z-scored first.

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Ridge
    Source: Hoerl & Kennard 1970; the platform's `ridge`.
    """
    return metric("scaled_ridge", {"source": source, "target": target, **options})


def spantime_ridge(source: Array, target: Array, **options: Unpack[Ridge]) -> Result:
    """`ridge` over time: one mapping over all time bins, r within each. Adds `per_time_bin`. Nothing is drawn: there is no interval.

    :param source: [presentation, feature, time_bin]
    :param target: [presentation, neuroid, time_bin]
    :param options: Ridge
    Source: Hoerl & Kennard 1970; the platform's `ridge`.
    """
    return metric("spantime_ridge", {"source": source, "target": target, **options})


def ridgecv(source: Array, target: Array, **options: Unpack[RidgeCv]) -> Result:
    """Ridge regression, one penalty for all targets, chosen by leave-one-out error on the train presentations.

    The score is the median over neuroids of Pearson r between predicted and recorded responses, then the mean over splits (ten of
    90 % train, seed 1, unless `splits` or `stratify` say otherwise). Adds `alpha` [split].

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: RidgeCv
    Source: Golub, Heath & Wahba 1979; the platform's `ridgecv`.
    """
    return metric("ridgecv", {"source": source, "target": target, **options})


def ridgecv_split(train_source: Array, train_target: Array, test_source: Array, test_target: Array, **options: Unpack[RidgeCvSplit]) -> Result:
    """`ridgecv` with fixed train and test presentations: one split, and no error.

    :param train_source: [presentation, feature], what is fitted on; test_source has the same features
    :param train_target: [presentation, neuroid]; test_target has the same neuroids
    :param options: RidgeCvSplit
    Source: Golub, Heath & Wahba 1979; the platform's `ridgecv`.
    """
    return metric("ridgecv_split", {"train_source": train_source, "train_target": train_target, "test_source": test_source,
                                 "test_target": test_target, **options})


def reverse_ridgecv(source: Array, target: Array, **options: Unpack[RidgeCv]) -> Result:
    """`ridgecv` from target to source: each source feature is predicted from the target. `per_neuroid` is [split, feature].

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: RidgeCv
    Source: Golub, Heath & Wahba 1979; the platform's `ridgecv`.
    """
    return metric("reverse_ridgecv", {"source": source, "target": target, **options})


def scaled_ridgecv(source: Array, target: Array, **options: Unpack[RidgeCv]) -> Result:
    """`ridgecv` of targets that are z-scored first.

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: RidgeCv
    Source: Golub, Heath & Wahba 1979; the platform's `ridgecv`.
    """
    return metric("scaled_ridgecv", {"source": source, "target": target, **options})


def spantime_ridgecv(source: Array, target: Array, **options: Unpack[RidgeCv]) -> Result:
    """`ridgecv` over time: one mapping over all time bins, r within each. Adds `per_time_bin`. Nothing is drawn: there is no interval.

    :param source: [presentation, feature, time_bin]
    :param target: [presentation, neuroid, time_bin]
    :param options: RidgeCv
    Source: Golub, Heath & Wahba 1979; the platform's `ridgecv`.
    """
    return metric("spantime_ridgecv", {"source": source, "target": target, **options})


def linear(source: Array, target: Array, **options: Unpack[Linear]) -> Result:
    """Least squares, of least norm where it is not unique.

    The score is the median over neuroids of Pearson r between predicted and recorded responses, then the mean over splits (ten of
    90 % train, seed 1, unless `splits` or `stratify` say otherwise).

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Linear
    Source: the platform's `linear_predictivity`.
    """
    return metric("linear", {"source": source, "target": target, **options})


def linear_split(train_source: Array, train_target: Array, test_source: Array, test_target: Array, **options: Unpack[LinearSplit]) -> Result:
    """`linear` with fixed train and test presentations: one split, and no error.

    :param train_source: [presentation, feature], what is fitted on; test_source has the same features
    :param train_target: [presentation, neuroid]; test_target has the same neuroids
    :param options: LinearSplit
    Source: the platform's `linear_predictivity`.
    """
    return metric("linear_split", {"train_source": train_source, "train_target": train_target, "test_source": test_source,
                                 "test_target": test_target, **options})


def reverse_linear(source: Array, target: Array, **options: Unpack[Linear]) -> Result:
    """`linear` from target to source: each source feature is predicted from the target. `per_neuroid` is [split, feature].

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Linear
    Source: the platform's `linear_predictivity`.
    """
    return metric("reverse_linear", {"source": source, "target": target, **options})


def scaled_linear(source: Array, target: Array, **options: Unpack[Linear]) -> Result:
    """`linear` of targets that are z-scored first.

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Linear
    Source: the platform's `linear_predictivity`.
    """
    return metric("scaled_linear", {"source": source, "target": target, **options})


def spantime_linear(source: Array, target: Array, **options: Unpack[Linear]) -> Result:
    """`linear` over time: one mapping over all time bins, r within each. Adds `per_time_bin`. Nothing is drawn: there is no interval.

    :param source: [presentation, feature, time_bin]
    :param target: [presentation, neuroid, time_bin]
    :param options: Linear
    Source: the platform's `linear_predictivity`.
    """
    return metric("spantime_linear", {"source": source, "target": target, **options})


def neuron_to_neuron(source: Array, target: Array, **options: Unpack[Mapped]) -> Result:
    """The one source unit that correlates best on the train presentations.

    The score is the median over neuroids of Pearson r between predicted and recorded responses, then the mean over splits (ten of
    90 % train, seed 1, unless `splits` or `stratify` say otherwise).

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Mapped
    Source: the platform's `neuron_to_neuron`.
    """
    return metric("neuron_to_neuron", {"source": source, "target": target, **options})


def neuron_to_neuron_split(train_source: Array, train_target: Array, test_source: Array, test_target: Array, **options: Unpack[FixedSplit]) -> Result:
    """`neuron_to_neuron` with fixed train and test presentations: one split, and no error.

    :param train_source: [presentation, feature], what is fitted on; test_source has the same features
    :param train_target: [presentation, neuroid]; test_target has the same neuroids
    :param options: FixedSplit
    Source: the platform's `neuron_to_neuron`.
    """
    return metric("neuron_to_neuron_split", {"train_source": train_source, "train_target": train_target, "test_source": test_source,
                                 "test_target": test_target, **options})


def reverse_neuron_to_neuron(source: Array, target: Array, **options: Unpack[Mapped]) -> Result:
    """`neuron_to_neuron` from target to source: each source feature is predicted from the target. `per_neuroid` is [split, feature].

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Mapped
    Source: the platform's `neuron_to_neuron`.
    """
    return metric("reverse_neuron_to_neuron", {"source": source, "target": target, **options})


def scaled_neuron_to_neuron(source: Array, target: Array, **options: Unpack[Mapped]) -> Result:
    """`neuron_to_neuron` of targets that are z-scored first.

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Mapped
    Source: the platform's `neuron_to_neuron`.
    """
    return metric("scaled_neuron_to_neuron", {"source": source, "target": target, **options})


def spantime_neuron_to_neuron(source: Array, target: Array, **options: Unpack[Mapped]) -> Result:
    """`neuron_to_neuron` over time: one mapping over all time bins, r within each. Adds `per_time_bin`. Nothing is drawn: there is no interval.

    :param source: [presentation, feature, time_bin]
    :param target: [presentation, neuroid, time_bin]
    :param options: Mapped
    Source: the platform's `neuron_to_neuron`.
    """
    return metric("spantime_neuron_to_neuron", {"source": source, "target": target, **options})


class Rdms(TypedDict, total=False):
    """Of RDMs. `source_rdm`, `target_rdm`: that array is an RDM [n, n], or RDMs [subject, n, n], over which the score is averaged; else
    responses, of which one is made by `distance`. `comparison`: of the upper triangles."""

    source_rdm: bool
    target_rdm: bool
    distance: Literal["correlation", "cosine", "euclidean"]
    comparison: Literal["spearman", "pearson", "cosine", "tau-a", "rho-a"]


class RdmOptions(Compared, Rdms, total=False):
    """Compared and Rdms."""


class RdmSubsets(Subsets, Rdms, total=False):
    """Subsets and Rdms."""


def rdm(source: Array, target: Array, **options: Unpack[RdmOptions]) -> Result:
    """Representational similarity: Spearman's rho between the upper triangles of two RDMs of 1 - Pearson r.

    NaN in an RDM is a missing pair: it is left out and counted. An interval over presentations is drawn when asked for (`bootstrap`).

    :param source: [presentation, feature], or RDMs
    :param target: [presentation, neuroid], or RDMs
    :param options: RdmOptions
    Source: Kriegeskorte, Mur & Bandettini 2008; the platform's `rdm`.
    """
    return metric("rdm", {"source": source, "target": target, **options})


def rdm_cv(source: Array, target: Array, **options: Unpack[RdmSubsets]) -> Result:
    """`rdm` over ten subsets of 90 % of the stimuli: the mean, its error, and nothing drawn over presentations.

    :param source: [presentation, feature], or RDMs
    :param target: [presentation, neuroid], or RDMs
    :param options: RdmSubsets
    Source: the platform's `rdm_cv`.
    """
    return metric("rdm_cv", {"source": source, "target": target, **options})


def cka(source: Array, target: Array, **options: Unpack[Compared]) -> Result:
    """Linear centred kernel alignment by the unbiased U-statistic. An interval over presentations is drawn when asked for (`bootstrap`).

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Compared
    Source: Song et al. 2012; Kornblith et al. 2019; the platform's `cka`.
    """
    return metric("cka", {"source": source, "target": target, **options})


def cka_cv(source: Array, target: Array, **options: Unpack[Subsets]) -> Result:
    """`cka` over ten subsets of 90 % of the stimuli.

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Subsets
    Source: Song et al. 2012; Kornblith et al. 2019; the platform's `cka`.
    """
    return metric("cka_cv", {"source": source, "target": target, **options})


def cka_biased(source: Array, target: Array, **options: Unpack[Compared]) -> Result:
    """Linear centred kernel alignment of centred Gram matrices. An interval over presentations is drawn when asked for (`bootstrap`).

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Compared
    Source: Kornblith et al. 2019.
    """
    return metric("cka_biased", {"source": source, "target": target, **options})


def cka_biased_cv(source: Array, target: Array, **options: Unpack[Subsets]) -> Result:
    """`cka_biased` over ten subsets of 90 % of the stimuli.

    :param source: [presentation, feature]
    :param target: [presentation, neuroid]
    :param options: Subsets
    Source: Kornblith et al. 2019.
    """
    return metric("cka_biased_cv", {"source": source, "target": target, **options})


def pearsonr(source: Array, target: Array, **options: Unpack[Ceiled]) -> Result:
    """Pearson's r of each column of the source with the same column of the target; their median.

    :param source: [presentation, neuroid]
    :param target: [presentation, neuroid], the same neuroids in the same order
    :param options: Ceiled
    """
    return metric("pearsonr", {"source": source, "target": target, **options})


def error_consistency(source: Table, target: Table, **options: Unpack[Uncertainty]) -> Result:
    """Kappa of being right, per subject and condition: conditions averaged, then subjects; of that mean the absolute value.

    :param source: the network's: `stimulus_id, truth, choice`, one row a trial; or `stimulus_id, truth` and one column of probabilities a
        choice, of which the largest is what it chose
    :param target: the subjects': `stimulus_id, truth, choice, subject`, and optionally `condition`
    :param options: Uncertainty
    Source: Geirhos, Meding & Wichmann 2020, eq. 1-3; the platform's `error_consistency`.
    """
    return metric("error_consistency", {"source": source, "target": target, **options})


def accuracy_distance(source: Table, target: Table, **options: Unpack[Uncertainty]) -> Result:
    """1 - the difference of accuracies over the largest possible, per subject and condition; their mean.

    :param source: the network's: `stimulus_id, truth, choice`, one row a trial; or `stimulus_id, truth` and one column of probabilities a
        choice, of which the largest is what it chose
    :param target: the subjects': `stimulus_id, truth, choice, subject`, and optionally `condition`
    :param options: Uncertainty
    Source: the platform's `accuracy_distance`.
    """
    return metric("accuracy_distance", {"source": source, "target": target, **options})


def accuracy(source: Table, target: Table | None = None, **options: Unpack[Uncertainty]) -> Result:
    """The share of rows whose choice is the truth, or the target's choice.

    :param source: `stimulus_id, truth, choice`, or `stimulus_id, truth` and one column of probabilities a choice
    :param target: `stimulus_id, choice`, one row a stimulus
    :param options: Uncertainty
    """
    return metric("accuracy", {"source": source, "target": target, **options})


def condition_accuracy(source: Table, target: Table, **options: Unpack[Uncertainty]) -> Result:
    """Pearson's r between accuracies per condition, subject by subject.

    :param source: the network's: `stimulus_id, truth, choice`, one row a trial; or `stimulus_id, truth` and one column of probabilities a
        choice, of which the largest is what it chose
    :param target: the subjects': `stimulus_id, truth, choice, subject`, `condition`
    :param options: Uncertainty
    Source: the platform's `Coggan2024_behavior`.
    """
    return metric("condition_accuracy", {"source": source, "target": target, **options})


def tasks_consistency(source: Table, target: Table, **options: Unpack[Uncertainty]) -> Result:
    """Pearson's r between accuracies per condition, subjects pooled.

    :param source: the network's: `stimulus_id, truth, choice`, one row a trial; or `stimulus_id, truth` and one column of probabilities a
        choice, of which the largest is what it chose
    :param target: the subjects': `stimulus_id, truth, choice, subject`, `condition`
    :param options: Uncertainty
    Source: the platform's `Maniquet2024`.
    """
    return metric("tasks_consistency", {"source": source, "target": target, **options})


def confusion_similarity(source: Table, target: Table, **options: Unpack[Uncertainty]) -> Result:
    """Pearson's r between off-diagonal counts of confusions, subjects pooled.

    :param source: the network's: `stimulus_id, truth, choice`, one row a trial; or `stimulus_id, truth` and one column of probabilities a
        choice, of which the largest is what it chose
    :param target: the subjects': `stimulus_id, truth, choice, subject`
    :param options: Uncertainty
    Source: the platform's `Maniquet2024`.
    """
    return metric("confusion_similarity", {"source": source, "target": target, **options})


def accuracy_delta(source: Table, target: Table, *, whole: str, manipulated: str, **options: Unpack[Uncertainty]) -> Result:
    """What accuracy is lost by a manipulation, the mean over classes: 1 - its distance to what half the subjects lose, of 100 halves.

    :param source: the network's: `stimulus_id, truth, choice`, one row a trial; or `stimulus_id, truth` and one column of probabilities a
        choice, of which the largest is what it chose
    :param target: the subjects': `stimulus_id, truth, choice, subject`, `condition`
    :param whole: the condition of whole images
    :param manipulated: that of manipulated ones
    :param options: Uncertainty
    Source: Baker & Elder 2022; the platform's `baker_accuracy_delta`.
    """
    return metric("accuracy_delta", {"source": source, "target": target, "whole": whole, "manipulated": manipulated, **options})


def i1(source: Table, target: Table, *, skipna: bool | None = None, **options: Unpack[Uncertainty]) -> Result:
    """The pattern of confusions, d' of each image, distractors averaged: Pearson's r with that of half of the trials, the mean of the platform's two halves.

    :param source: `stimulus_id, truth` and one column of probabilities an object, one row a stimulus; or two-way trials as the target's
    :param target: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`
    :param skipna: leave out cells that the source does not have
    :param options: Uncertainty
    Source: Rajalingham et al. 2018, eq. 1-4; the platform's `i1`.
    """
    return metric("i1", {"source": source, "target": target, "skipna": skipna, **options})


def i1n(source: Table, target: Table, *, skipna: bool | None = None, **options: Unpack[Uncertainty]) -> Result:
    """The pattern of confusions, d' of each image, distractors averaged, less the mean over images of its object and distractor: Pearson's r
    with that of half of the trials, the mean of the platform's two halves.

    :param source: `stimulus_id, truth` and one column of probabilities an object, one row a stimulus; or two-way trials as the target's
    :param target: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`
    :param skipna: leave out cells that the source does not have
    :param options: Uncertainty
    Source: Rajalingham et al. 2018, eq. 1-4; the platform's `i1n`.
    """
    return metric("i1n", {"source": source, "target": target, "skipna": skipna, **options})


def i2(source: Table, target: Table, *, skipna: bool | None = None, **options: Unpack[Uncertainty]) -> Result:
    """The pattern of confusions, d' of each image and distractor: Pearson's r with that of half of the trials, the mean of the platform's two halves.

    :param source: `stimulus_id, truth` and one column of probabilities an object, one row a stimulus; or two-way trials as the target's
    :param target: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`
    :param skipna: leave out cells that the source does not have
    :param options: Uncertainty
    Source: Rajalingham et al. 2018, eq. 1-4; the platform's `i2`.
    """
    return metric("i2", {"source": source, "target": target, "skipna": skipna, **options})


def i2n(source: Table, target: Table, *, skipna: bool | None = None, **options: Unpack[Uncertainty]) -> Result:
    """The pattern of confusions, d' of each image and distractor, less the mean over images of its object and distractor: Pearson's r
    with that of half of the trials, the mean of the platform's two halves.

    :param source: `stimulus_id, truth` and one column of probabilities an object, one row a stimulus; or two-way trials as the target's
    :param target: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`
    :param skipna: leave out cells that the source does not have
    :param options: Uncertainty
    Source: Rajalingham et al. 2018, eq. 1-4; the platform's `i2n`.
    """
    return metric("i2n", {"source": source, "target": target, "skipna": skipna, **options})


def o1(source: Table, target: Table, *, skipna: bool | None = None, **options: Unpack[Uncertainty]) -> Result:
    """The pattern of confusions, d' of each object: Pearson's r with that of half of the trials, the mean of the platform's two halves.

    :param source: `stimulus_id, truth` and one column of probabilities an object, one row a stimulus; or two-way trials as the target's
    :param target: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`
    :param skipna: leave out cells that the source does not have
    :param options: Uncertainty
    Source: Rajalingham et al. 2018, eq. 1-4; the platform's `o1`.
    """
    return metric("o1", {"source": source, "target": target, "skipna": skipna, **options})


def o2(source: Table, target: Table, *, skipna: bool | None = None, **options: Unpack[Uncertainty]) -> Result:
    """The pattern of confusions, d' of each object and distractor: Pearson's r with that of half of the trials, the mean of the platform's two halves.

    :param source: `stimulus_id, truth` and one column of probabilities an object, one row a stimulus; or two-way trials as the target's
    :param target: two-way trials: `stimulus_id, sample_obj, dist_obj, choice`
    :param skipna: leave out cells that the source does not have
    :param options: Uncertainty
    Source: Rajalingham et al. 2018, eq. 1-4; the platform's `o2`.
    """
    return metric("o2", {"source": source, "target": target, "skipna": skipna, **options})


def threshold(source: Table, target: Array | Table, *, variable: str, accuracy: float | None = None, **options: Unpack[Uncertainty]) -> Result:
    """A psychometric threshold, where accuracy crosses `accuracy`, against each subject's. Adds `model_threshold`.

    :param source: choices, with the stimulus variable as a column of numbers
    :param target: subjects' thresholds: [subject], positive, NaN where one has none; or a table with `threshold` and optionally `subject`
    :param variable: the column
    :param accuracy: [0.75]
    :param options: Uncertainty
    Source: Malania, Herzog & Westheimer 2007; the platform's `threshold`.
    """
    return metric("threshold", {"source": source, "target": target, "variable": variable, "accuracy": accuracy, **options})


def threshold_elevation(source: Table, target: Array | Table, *, baseline_source: Table, baseline_target: Array | Table, variable: str,
                        accuracy: float | None = None, **options: Unpack[Uncertainty]) -> Result:
    """`threshold` of the ratio of thresholds with flankers to those without. Adds `model_threshold`.

    :param source: choices with flankers; baseline_source without
    :param target: subjects' thresholds with flankers; baseline_target without, of the same subjects
    :param variable: the column of the stimulus variable
    :param accuracy: [0.75]
    :param options: Uncertainty
    Source: Malania, Herzog & Westheimer 2007; the platform's `threshold_elevation`.
    """
    return metric("threshold_elevation", {"source": source, "target": target, "baseline_source": baseline_source,
                                          "baseline_target": baseline_target, "variable": variable, "accuracy": accuracy, **options})


def ost(source: Array, target: Table, *, bins: Array | Sequence[float], **options: Unpack[Uncertainty]) -> Result:
    """Object-solution times: Spearman's rho, over images, between when a network's time bins and IT tell the object as well as humans do.
    Adds `predicted_ost` [split, presentation], ms, NaN where it never does.

    :param source: [presentation, feature, time_bin]
    :param target: `stimulus_id, truth, ost, i1`: ms, empty where IT never does; humans' d'
    :param bins: where each bin starts, ms, ascending
    :param options: Uncertainty
    Source: Kar et al. 2019; the platform's `OSTCorrelation`.
    """
    return metric("ost", {"source": source, "target": target, "bins": bins, **options})


def match(source: Array, target: Table, *, cosine: bool | None = None, **options: Unpack[Uncertainty]) -> Result:
    """Odd one out: the share of triplets in which the stimulus that is least alike the others is the one chosen.

    :param source: [stimulus, dimension]
    :param target: `stimulus_1, stimulus_2, stimulus_3, choice`, row numbers of the source, from 0
    :param cosine: cosine instead of the dot product
    :param options: Uncertainty
    Source: Hebart et al. 2020, methods.
    """
    return metric("match", {"source": source, "target": target, "cosine": cosine, **options})


def value_delta(source: Array, target: Array, *, scale: float | None = None, **options: Unpack[Uncertainty]) -> Result:
    """exp(-scale |a - b|), value by value; their mean. NaN is left out and counted.

    :param source: any shape
    :param target: as many values
    :param scale: [1]
    :param options: Uncertainty
    Source: the platform's `value_delta`.
    """
    return metric("value_delta", {"source": source, "target": target, "scale": scale, **options})


def ks_similarity(source: Array, target: Array, *, bins: Array | Sequence[float], **options: Unpack[Uncertainty]) -> Result:
    """1 - the Kolmogorov-Smirnov distance between two distributions of a property over bins; model units are drawn anew `bootstrap` times.

    :param source: the model units', any shape; NaN is left out and counted
    :param target: the neuroids', any shape
    :param bins: edges, ascending
    :param options: Uncertainty
    Source: Marques, Schrimpf & DiCarlo 2021.
    """
    return metric("ks_similarity", {"source": source, "target": target, "bins": bins, **options})


def factor_dimensionality(source: Array, target: Array, *, stratify: Labels, **options: Unpack[Uncertainty]) -> Result:
    """The share of units that encode the first factor, from pairs of stimuli that share a factor. Adds `dimensions` [factor + 1] int64.

    :param source: [pair, unit], one stimulus of each pair
    :param target: [pair, unit], the other
    :param stratify: the factor of each pair
    :param options: Uncertainty
    Source: Esser, Rombach & Ommer 2020; Islam et al. 2021.
    """
    return metric("factor_dimensionality", {"source": source, "target": target, "stratify": stratify, **options})


def bootstrap_error(source: Array, *, axes: int | Sequence[int] | None = None, **options: Unpack[Uncertainty]) -> Result:
    """The mean of everything, and as `error` the deviation of means when `axes` are drawn anew, each independently.

    :param source: any shape; NaN is left out and counted
    :param axes: counted from 0 [0]
    :param options: Uncertainty; `bootstrap` are the draws [1000]
    Source: brainscore_vision/metric_helpers/bootstrap_error.py.
    """
    return metric("bootstrap_error", {"source": source, "axes": axes, **options})


def logistic(train_source: Array, train_target: Table, test_source: Array, test_target: Table, *, c: float | None = None,
             **options: Unpack[Uncertainty]) -> Result:
    """A logistic readout of standardised features: its accuracy on the test presentations. Adds `probabilities` [presentation, class], and
    `classes`, their names.

    :param train_source: [presentation, feature]; test_source has the same features
    :param train_target: `stimulus_id, truth`; test_target likewise
    :param c: inverse penalty [0.001]
    :param options: Uncertainty
    Source: the platform's ProbabilitiesMapping; scikit-learn's LogisticRegression (multinomial).
    """
    return metric("logistic", {"train_source": train_source, "train_target": train_target, "test_source": test_source,
                               "test_target": test_target, "c": c, **options})
