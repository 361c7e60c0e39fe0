#include "src/given/rows.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"

namespace cortiscore {

const std::vector<std::string> kRows = {"presentation", "neuroid"};
const std::vector<std::string> kRowsInTime = {"presentation", "neuroid", "time_bin"};

Variables::Variables(const std::vector<std::string>& given, const std::vector<std::string>& flags) {
  for (const auto& entry : given) {
    const auto equals = entry.find('=');
    const auto flag = entry.substr(0, equals == std::string::npos ? 0 : equals);
    const bool one = std::find(flags.begin(), flags.end(), flag) != flags.end();
    if (!names_.emplace(one ? flag : "", one ? entry.substr(equals + 1) : entry).second) {
      throw Error(ErrorKind::kUsage, "--variable: found " + entry + " beside another for " +
                                         (one ? "--" + flag : std::string("every file")) +
                                         ", expected NAME once, or FLAG=NAME once a flag.");
    }
  }
}

std::string Variables::of(const std::string& flag, const Input& input) const {
  const bool single = !input.is_file() || holds_one_array(input.name());
  const auto own = names_.find(flag);
  if (own != names_.end() && single) {
    throw Error(ErrorKind::kUsage,
                "--variable: found " + flag + "=" + own->second + ", but " + input.name() +
                    " holds one array alone. Name arrays of .nc, .h5, .hdf5 or .npz files.");
  }
  if (own != names_.end()) return own->second;
  const auto all = names_.find("");
  return single || all == names_.end() ? "" : all->second;
}

void Rows::expect(int64_t n, const std::string& path) {
  if (n_ < 0) {
    n_ = n;
    first_ = path;
  }
  if (n == n_) return;
  throw bad_input({path, "presentations", std::to_string(n),
                   std::to_string(n_) + " as in " + first_,
                   "Rows of both must be the same stimuli in the same order"});
}

std::vector<int64_t> Rows::match(const std::vector<std::string>& ids,
                                 int64_t n,
                                 const Input& input) {
  LabelledArray rows;
  rows.path = input.name();
  rows.is_file = input.is_file();
  rows.values = at::arange(n, at::kLong);
  rows.presentation_axes = {0};
  rows.stimulus_ids = ids;
  match(rows);
  const auto order = rows.values.contiguous();
  return {order.const_data_ptr<int64_t>(), order.const_data_ptr<int64_t>() + order.numel()};
}

// Labels that count rows are their ids as soon as another file has the same labels of its dim in
// another order: that is what xarray aligns by, and what is left where rows were shuffled or
// sorted.
void Rows::name_by_labels(LabelledArray& array) {
  if (array.ids_are_labels && ids_.empty() && same_labels(counted_, array.stimulus_ids)) {
    ids_ = counted_;
    ids_are_labels_ = true;
    named_by_ = counted_by_;
    std::erase(unnamed_, counted_by_);
  } else if (array.stimulus_ids.empty() && ids_are_labels_ &&
             same_labels(ids_, array.counted_labels)) {
    array.stimulus_ids = array.counted_labels;
  }
}

void Rows::match(LabelledArray& array, const std::string& action) {
  name_by_labels(array);
  if (array.stimulus_ids.empty()) {
    expect(array.n_presentations(), array.path);
    unnamed_.push_back(array.path);
    unnamed_file_ = unnamed_file_ || array.is_file;
    if (counted_.empty() && !array.counted_labels.empty()) {
      counted_ = array.counted_labels;
      counted_by_ = array.path;
    }
  } else if (ids_.empty()) {
    expect(array.n_presentations(), array.path);
    ids_ = array.stimulus_ids;
    ids_are_labels_ = array.ids_are_labels;
    named_by_ = array.path;
  } else {
    align_presentations(array, ids_, named_by_, action);
  }
}

void Rows::say() const {
  if (unnamed_.empty() || (ids_.empty() && !unnamed_file_)) return;
  std::string files;
  for (size_t i = 0; i < unnamed_.size(); ++i) {
    const auto so_far = unnamed_.begin() + static_cast<int64_t>(i);
    if (std::find(unnamed_.begin(), so_far, unnamed_[i]) == so_far)
      files += (files.empty() ? "" : ", ") + unnamed_[i];
  }
  note(files, "no stimulus_id; rows are matched by place" +
                  (ids_.empty() ? "" : " to those of " + named_by_));
}

std::vector<std::string> ids_of(const Table& table) {
  for (const auto* name : {"stimulus_id", "image_id"}) {
    if (table.has(name)) return table.column(name);
  }
  return {};
}

}  // namespace cortiscore
