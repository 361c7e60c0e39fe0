#pragma once
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/metric/choice_agreement.h"
#include "src/metric/choice_patterns.h"
#include "src/score/evaluate.h"

namespace cortiscore {

/// Choices of subjects on n stimuli, coded.
struct SubjectChoices {
  at::Tensor correct;    ///< [subjects, n] bool
  at::Tensor there;      ///< [subjects, n] bool
  at::Tensor condition;  ///< [n] int64
  int64_t n_conditions = 1;
  std::vector<std::string> subjects, conditions;  ///< names, for warnings; may be empty
};

/// Error consistency or accuracy distance of a network with each subject: cells (subject,
/// condition), conditions averaged, then subjects, then the absolute value. `error` is the standard
/// deviation (ddof 0) over cells (error consistency) or subjects (accuracy distance). Draws:
/// presentations and subjects. Cells without a value (kappa of 0/0, no stimulus that both saw) are
/// left out of both means; `warnings` count and name them.
/// @param network  [n] bool
Evaluation evaluate_choices(ChoiceMetric metric,
                            const at::Tensor& network,
                            const SubjectChoices& subjects);

/// The same between subjects: every unordered pair, the first as the source (what differs for
/// accuracy distance alone).
/// A pair counts as often as both subjects were drawn. @throws Error(kBadInput)  fewer than two
/// subjects
Evaluation evaluate_choice_ceiling(ChoiceMetric metric, const SubjectChoices& subjects);

/// Patterns of confusions of two halves of the trials, for the platform's two halvings (the trials'
/// order shuffled in place by RandomState(0), the first floor(n / 2) taken), each beside a source's
/// pattern or, without a source, that of the other half.
class PatternHalves {
 public:
  /// Parameters are evaluate_pattern's. @throws Error(kBadInput)  cells that the source lacks,
  /// without skipna
  PatternHalves(const PatternName& name,
                const at::Tensor& source,
                const TwoWayTrials& trials,
                const at::Tensor& truth,
                int64_t n_objects,
                bool skipna);

  /// Pearson correlation over cells whose rows (images; objects for o1 and o2) count as given.
  /// @param counts  [b, rows] float64  @return [b, halvings]
  at::Tensor correlations(const at::Tensor& counts) const;
  Evaluation evaluation() const;

 private:
  void count_left_out(const at::Tensor& truth, bool of_source, int64_t n_objects);

  std::vector<std::pair<at::Tensor, at::Tensor>> halves_;  // (source, target) cells
  std::vector<std::string> warnings_;
  int64_t rows_, columns_;
  bool by_object_;
  at::TensorOptions on_;
};

/// i1 to o2: correlation of a source's pattern with that of half of the trials, for the platform's
/// two halves (the trials' order shuffled in place by RandomState(0), the first floor(n / 2)
/// taken); `error` is the standard deviation (ddof 0) over the two. Without a source: of one half
/// with the other, which is the ceiling. Draws: presentations (cells fixed; not for o1 and o2).
/// @param source  confusion [n_images, n_objects], or undefined
/// @param skipna  leave out cells that the source does not have; otherwise they are an error
Evaluation evaluate_pattern(const PatternName& name,
                            const at::Tensor& source,
                            const TwoWayTrials& trials,
                            const at::Tensor& truth,
                            int64_t n_objects,
                            bool skipna);

/// Share of right choices; `error` is the standard deviation of the 0/1 vector. Draws:
/// presentations.
Evaluation evaluate_accuracy(const at::Tensor& correct);

}  // namespace cortiscore
