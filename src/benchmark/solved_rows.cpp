#include "src/benchmark/solved_rows.h"

#include <cmath>

#include "cortiscore/error.h"
#include "src/data/choices.h"
#include "src/score/diagnostics.h"

namespace cortiscore {

SolvedRows solved_rows(const Table& table) {
  const auto truth = table.column("truth");
  const auto times = table.numbers("ost"), i1 = table.numbers("i1");
  SolvedRows solved;
  std::vector<std::string> labels;
  for (size_t i = 0; i < times.size(); ++i) {
    if (std::isnan(times[i])) continue;
    if (std::isnan(i1[i])) {
      throw bad_input({table.path, table.place(i) + ", column i1", "nothing",
                       "humans' accuracy on every image that has an ost", ""});
    }
    solved.rows.push_back(static_cast<int64_t>(i));
    labels.push_back(truth[i]);
    solved.images.i1.push_back(i1[i]);
    solved.images.times.push_back(times[i]);
  }
  solved.warnings = left_out(
      static_cast<int64_t>(times.size() - solved.rows.size()), static_cast<int64_t>(times.size()),
      "images have no ost, since IT never tells their object, and are left out");
  const auto classes = distinct(labels);
  if (solved.rows.size() < 30 || classes.size() < 2) {
    throw bad_input(
        {table.path, "images with an ost",
         std::to_string(solved.rows.size()) + " of " + std::to_string(classes.size()) + " objects",
         "at least 30 of 2: a tenth is tested at a time", ""});
  }
  solved.images.truth = codes_among(labels, classes, table.path, "truth");
  solved.images.n_classes = static_cast<int64_t>(classes.size());
  return solved;
}

}  // namespace cortiscore
