#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace cortiscore::cli {

/// What the numbers of flags may be; a message names the flag, what was found and what was expected.
CLI::Validator whole_number(int64_t least, int64_t most);
/// At least 1; most is what no machine finishes.
CLI::Validator count(int64_t most = 100000000);
/// The same, or 0.
CLI::Validator count_or_none(int64_t most = 100000000);
/// A seed of 32 bits.
CLI::Validator seed_number();
/// Finite, more than 0.
CLI::Validator positive_number(double most = 1e300);
/// Inside two ends, neither of them taken.
CLI::Validator number_between(double low, double high);

/// The store of results: --results, and --store as some verbs called it once; the same flag everywhere.
void add_results_flag(CLI::App& verb, std::string& folder);
/// What it says, or $CORTISCORE_HOME/results.
std::string results_folder(const std::string& given);

/// Layers by region, of NAME and REGION=NAME; "" is every region. @throws Error(kUsage)  one region twice, or no name
std::map<std::string, std::string> layers_by_region(const std::vector<std::string>& entries);

}  // namespace cortiscore::cli
