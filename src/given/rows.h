#pragma once
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/data/labelled.h"
#include "src/data/table.h"

namespace cortiscore {

/// The axes of arrays that metrics take.
extern const std::vector<std::string> kRows, kRowsInTime;  // presentation, neuroid[, time_bin]

/// Which array of a file that can hold several (.nc, .h5, .npz): --variable NAME for all files, or
/// FLAG=NAME for one.
class Variables {
 public:
  /// @param flags  those that name files: "source", "target"
  /// @throws Error(kUsage)  one flag twice
  Variables(const std::vector<std::string>& given, const std::vector<std::string>& flags);
  /// "" where none is named. @throws Error(kUsage)  one is named for a file that holds one array
  /// alone
  std::string of(const std::string& flag, const Input& input) const;

 private:
  std::map<std::string, std::string> names_;  // by flag; "" for all
};

/// What the rows of a run are called, by the first file that says so. Files that do are put into
/// its order; those that do not are matched by place.
class Rows {
 public:
  /// @param action  what to do where a stimulus is there twice
  /// @throws Error(kBadInput)  other stimuli than the rows, one twice, or another number
  void match(LabelledArray& array,
             const std::string& action = "Average its presentations of a stimulus");
  /// Labels, or rows of a table: where those of each row are.
  std::vector<int64_t> match(const std::vector<std::string>& ids, int64_t n, const Input& input);
  const std::vector<std::string>& ids() const { return ids_; }
  /// Notes what was matched by place, but for arrays in memory that nothing names: their caller has
  /// put them side by side. Call once all is matched.
  void say() const;

 private:
  void expect(int64_t n, const std::string& path);
  void name_by_labels(LabelledArray& array);

  std::vector<std::string> ids_, unnamed_;
  bool unnamed_file_ = false;
  std::vector<std::string> counted_;  ///< labels of the first file that counts its rows
  bool ids_are_labels_ = false;
  std::string named_by_, first_, counted_by_;
  int64_t n_ = -1;
};

/// The ids of a table's rows; none where it has no such column.
std::vector<std::string> ids_of(const Table& table);

}  // namespace cortiscore
