#include <map>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/random.h"
#include "src/data/arrays.h"
#include "src/kinds/factors/definition.h"

namespace cortiscore {

const std::vector<std::string>& factor_names() {
  static const std::vector<std::string> names = {"shape", "texture"};
  return names;
}

std::string name_of_pairs(const FactorBenchmark& benchmark) {
  auto name = std::to_string(benchmark.pair_seed);
  for (const auto& factor : factor_names()) name += " " + benchmark.column(factor);
  return name;
}

namespace {

FactorData load_factors(const FactorBenchmark& benchmark) {
  FactorData data;
  data.stimuli = StimulusSet::open(data_file(benchmark, benchmark.stimulus_set));
  const auto& names = factor_names();
  std::vector<std::vector<std::string>> values;
  std::vector<std::map<std::string, std::vector<int64_t>>> sharing(names.size());
  for (size_t f = 0; f < names.size(); ++f) {
    values.push_back(data.stimuli.column(benchmark.column(names[f])));
    for (size_t i = 0; i < values[f].size(); ++i)
      sharing[f][values[f][i]].push_back(static_cast<int64_t>(i));
  }
  PythonRandom random(benchmark.pair_seed);
  std::vector<int64_t> first, second, factor;
  for (int64_t i = 0; i < data.stimuli.size(); ++i) {
    const size_t shared = random.uniform() < 0.5 ? 0 : 1, other = 1 - shared;
    const auto row = static_cast<size_t>(i);
    std::vector<int64_t> candidates;
    for (const auto j : sharing[shared].at(values[shared][row])) {
      if (values[other][static_cast<size_t>(j)] != values[other][row]) candidates.push_back(j);
    }
    if (candidates.empty()) {
      throw bad_input(
          {data.stimuli.path(), "data row " + std::to_string(i + 1),
           "no stimulus with the same " + names[shared] + " and another " + names[other],
           "one at least, for every stimulus", ""});
    }
    first.push_back(i);
    second.push_back(
        candidates[static_cast<size_t>(random.below(static_cast<int64_t>(candidates.size())))]);
    factor.push_back(static_cast<int64_t>(shared));
  }
  data.pairs = {at::tensor(first), at::tensor(second), at::tensor(factor),
                static_cast<int64_t>(names.size())};
  data.data_sha256 = {sha256_of_file(data.stimuli.path()), data.stimuli.sha256()};
  return data;
}

}  // namespace

const FactorData& factor_data(const FactorBenchmark& benchmark, Workbench& workbench) {
  // Both factors, in every region, are asked of the same pairs.
  return workbench.once<FactorData>(
      data_file(benchmark, benchmark.stimulus_set) + " " + name_of_pairs(benchmark),
      [&] { return load_factors(benchmark); });
}

const Recordings& FactorBenchmark::recordings(Workbench& workbench) const {
  return factor_data(*this, workbench);
}

}  // namespace cortiscore
