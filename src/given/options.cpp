#include "src/given/options.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/results/named_options.h"

namespace cortiscore {
namespace {

using Setter = OptionSetters<CeilingArguments>::mapped_type;

template <typename Owner>
Setter word(std::string Owner::*member, const std::vector<std::string>& words = {}) {
  return [=](CeilingArguments& a, const std::string& flag, const Json& v) {
    std::string list;
    for (size_t i = 0; i < words.size(); ++i)
      list += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
    if (!v.is_string() ||
        (!words.empty() && std::find(words.begin(), words.end(), v) == words.end()))
      refuse_option(flag, v, words.empty() ? "text" : list);
    a.*member = v.get<std::string>();
  };
}

template <typename Owner>
Setter whole(int64_t Owner::*member, int64_t least, int64_t most) {
  return [=](CeilingArguments& a, const std::string& flag, const Json& v) {
    const bool fits = v.is_number_integer() && v.get<double>() >= static_cast<double>(least) &&
                      v.get<double>() <= static_cast<double>(most);
    if (!fits)
      refuse_option(flag, v,
                    "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    a.*member = v.get<int64_t>();
  };
}

// Between two values, neither of which is allowed.
template <typename Owner>
Setter between(double Owner::*member, double low, double high, const char* expected) {
  return [=](CeilingArguments& a, const std::string& flag, const Json& v) {
    if (!v.is_number() || !(v.get<double>() > low && v.get<double>() < high))
      refuse_option(flag, v, expected);
    a.*member = v.get<double>();
  };
}

template <typename Owner>
Setter flag_of(bool Owner::*member) {
  return [=](CeilingArguments& a, const std::string& flag, const Json& v) {
    if (!v.is_boolean()) refuse_option(flag, v, "true or false");
    a.*member = v.get<bool>();
  };
}

const OptionSetters<CeilingArguments>& setters() {
  using A = MetricArguments;
  constexpr auto kMost = std::numeric_limits<int64_t>::max();
  constexpr auto kEver = std::numeric_limits<double>::infinity();
  static const OptionSetters<CeilingArguments> all = {
      {"components", whole(&A::components, 1, 1000000)},
      {"mode", word(&A::mode, {"sklearn", "exact"})},
      {"products", word(&A::products, {"fp64", "fast"})},
      {"alpha", between(&A::alpha, 0, kEver, "a positive number")},
      {"cutoff", between(&A::cutoff, 0, 1, "a number between 0 and 1")},
      {"source_rdm", flag_of(&A::source_rdm)},
      {"target_rdm", flag_of(&A::target_rdm)},
      {"distance", word(&A::distance, {"correlation", "cosine", "euclidean"})},
      {"comparison", word(&A::comparison, {"spearman", "pearson", "cosine", "tau-a", "rho-a"})},
      {"ceiling_splits", whole(&A::ceiling_splits, 1, kMost)},
      {"ceiling_convention", word(&A::convention, {"r2_over_c", "r_over_c_squared", "r_over_c"})},
      {"predictions", flag_of(&A::predictions)},
      {"device", word(&A::device)},
      {"bootstrap", whole(&A::n_boot, 0, kMost)},
      {"over", word(&A::over)},
      {"level", between(&A::level, 0, 1, "a number between 0 and 1")},
      {"interval", word(&A::interval, {"percentile", "bca"})},
      {"permutations", whole(&A::n_permutations, 0, kMost)},
      {"whole", word(&A::whole)},
      {"manipulated", word(&A::manipulated)},
      {"accuracy", between(&A::accuracy, 0.5, 1, "a number between 0.5 and 1")},
      {"scale", between(&A::scale, 0, kEver, "a positive number")},
      {"axes", word(&A::axes)},
      {"c", between(&A::c, 0, kEver, "a positive number")},
      {"skipna", flag_of(&A::skipna)},
      {"cosine", flag_of(&A::cosine)},
      {"seed", whole(&CeilingArguments::seed, 0, std::numeric_limits<uint32_t>::max())},
      {"variable",
       [](CeilingArguments& a, const std::string& flag, const Json& v) {
         if (!v.is_string()) refuse_option(flag, v, "the name of a column");
         a.variables = {v.get<std::string>()};
       }},
      {"splits", [](CeilingArguments& a, const std::string&, const Json& v) { a.splits = v; }}};
  return all;
}

}  // namespace

void take_options(const Json& named, CeilingArguments& arguments) {
  set_named(named, setters(), "argument", "metrics", arguments);
}

}  // namespace cortiscore
