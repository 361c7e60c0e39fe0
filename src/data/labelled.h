#pragma once
#include <string>
#include <vector>

#include "cortiscore/assembly.h"
#include "src/data/input.h"

namespace cortiscore {

/// An array with what its file calls its presentations and neuroids.
struct LabelledArray {
  std::string path;     ///< of a file; else what messages call it
  bool is_file = true;  ///< not what a caller holds in memory
  at::Tensor values;    ///< float32 or float64, axes in the order that was asked for
  std::vector<int64_t> presentation_axes;  ///< one; two of RDMs
  int64_t neuroid_axis = -1;
  std::vector<std::string> stimulus_ids;  ///< of the presentations; empty where the file has none
  std::vector<std::string> neuroid_ids;   ///< likewise
  /// Labels of the presentations' own dim that count from 0 or 1: places, unless another file has
  /// the same labels in another order, as xarray leaves them where rows were shuffled. Empty where
  /// stimulus_ids are there.
  std::vector<std::string> counted_labels;
  bool ids_are_labels = false;  ///< stimulus_ids are labels of the dim itself

  int64_t n_presentations() const { return values.size(presentation_axes.at(0)); }
};

/// Whether read_array_file reads a file, by its name.
bool is_array_file(const std::string& path);
/// Whether a file of numbers can hold one array alone (.npy and tables), which needs no --variable.
bool holds_one_array(const std::string& path);

/// An array of numbers from .npy, .npz, .nc, .h5, .hdf5 or a table, with the names of its dims (""
/// where the file has none) and its coordinates; or the array that a caller holds.
/// @param variable  of a file that can hold several arrays; "" for the only one
/// @throws Error(kBadInput)
Assembly read_array_file(const Input& input, const std::string& variable = "");

/// The dims of an array put in order by their names, under which the field's words for a dim are
/// one (a stimulus or image is a presentation, a unit, voxel or feature a neuroid). Axes without a
/// name, and names that say nothing, are taken by place, which is noted. A dim of size one that was
/// not asked for is dropped; a missing neuroid, time_bin or subject has size one.
/// @param axes      of presentation, neuroid, time_bin, repetition
/// @param expected  the axes in words, for messages
/// @return the array with exactly these dims
/// @throws Error(kBadInput)  a dim too many, one too few, or two for one axis
Assembly arranged(const Assembly& array,
                  const std::vector<std::string>& axes,
                  const std::string& expected);

/// `arranged`, of a file, with the ids that its coordinates say: `stimulus_id` or the older
/// `image_id`, `neuroid_id`, or the labels of the dim itself.
/// @throws Error(kBadInput)  also of ids that are missing
LabelledArray read_labelled(const Input& input,
                            const std::vector<std::string>& axes,
                            const std::string& expected,
                            const std::string& variable = "");

/// Trials, [repetition, presentation, neuroid], NaN where missing: an array with that many axes, or
/// an assembly whose presentations are sorted by `stimulus_id` and `repetition` (then stimuli are
/// in order of first appearance).
LabelledArray read_trials(const Input& input, const std::string& variable = "");

/// RDMs, [presentation, presentation] or [subject, presentation, presentation], checked by
/// check_rdms.
LabelledArray read_rdms(const Input& input, const std::string& variable = "");

/// Whether two lists hold the same labels, in whatever order; not where there are none.
bool same_labels(std::vector<std::string> a, std::vector<std::string> b);

/// Puts the columns of RDMs, the last axis, into the order of the rows, the one before, where both
/// have ids: `stimulus_id` or `image_id`, with anything behind it, the dim's own labels, or of
/// columns text of any name that is the rows' stimuli.
/// @return the rows' ids; empty where there are none
/// @throws Error(kBadInput)  columns of other stimuli
std::vector<std::string> align_columns(Assembly& rdms);

/// Dissimilarities are zero between a stimulus and itself, and the same in both directions; a
/// similarity is neither. NaN is a missing pair. Rounding is allowed for: of the largest value 1e-3
/// on the diagonal, where float32 distances from sqrt(a² + b² - 2ab) leave sqrt(2^-23) = 3.5e-4 of
/// the norms, and 1e-4 between both directions.
/// @param rdms  [..., n, n]
/// @throws Error(kBadInput)  with the value and its place
void check_rdms(const at::Tensor& rdms, const std::string& path);

/// Puts presentations into the order of `ids`. @param action  what to do where a stimulus is there
/// twice
/// @throws Error(kBadInput)  other stimuli than `ids`, or one of them twice, with the first few of
///                           each spelling
void align_presentations(LabelledArray& array,
                         const std::vector<std::string>& ids,
                         const std::string& ids_path,
                         const std::string& action = "Average its repetitions");

/// Where `there` has each of `ids`. @param what  "stimulus_id", "neuroid_id"
/// @throws Error(kBadInput)  as align_presentations
std::vector<int64_t> places_of(const std::vector<std::string>& ids,
                               const std::string& ids_path,
                               const std::vector<std::string>& there,
                               const std::string& path,
                               const std::string& what,
                               const std::string& action);

/// Puts neuroids into the order of `ids`, where both have names. @throws Error(kBadInput)  others
/// than `ids`
void align_neuroids(LabelledArray& array,
                    const std::vector<std::string>& ids,
                    const std::string& ids_path);

/// Labels, one a presentation: a 1-D .npy of text or numbers, or the first column of a table that
/// is no id; or numbers that a caller holds.
struct Labels {
  std::vector<int64_t> codes;             ///< as numpy.unique(return_inverse=True) gives them
  std::vector<std::string> stimulus_ids;  ///< empty where the file has none
};
Labels read_labels(const Input& input);

}  // namespace cortiscore
