#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace cortiscore::cli {

/// What the numbers of flags may be; a message names the flag, what was found and what was
/// expected.
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

/// One of a few words, which --help and completion name.
CLI::Validator one_of(const std::vector<std::string>& words);

/// Names of a registry, which completion offers; whether there is such a one is for the verb to
/// say.
void offer(CLI::Option* option, const std::vector<std::string>& names);

/// Identifiers, or manifests, of benchmarks.
CLI::Option* add_benchmark_flag(CLI::App& verb, std::vector<std::string>& names, const char* text);

/// Layers to take, one each time the flag is given.
CLI::Option* add_layer_flag(CLI::App& verb, std::vector<std::string>& layers, const char* text);

/// How benchmarks become one number.
void add_tree_flag(CLI::App& verb, std::string& tree);

/// Where a verb computes. One that is not here is refused at once, with ErrorKind::kNoDevice; a
/// list of several (src/core/device.h) by who takes it, since a machine that hands work on need not
/// have them.
CLI::Option* add_device_flag(CLI::App& verb, std::string& device, bool several = false);

/// How raw and ceiling become ceiled.
CLI::Option* add_ceiling_convention_flag(CLI::App& verb, std::string& convention);
/// How two RDMs are compared.
CLI::Option* add_comparison_flag(CLI::App& verb, std::string& comparison);

/// The store of results; the same flag everywhere.
void add_results_flag(CLI::App& verb, std::string& folder);
/// What it says, or $CORTISCORE_HOME/results.
std::string results_folder(const std::string& given);

/// Layers by region, of NAME and REGION=NAME; "" is every region. @throws Error(kUsage)  one region
/// twice, or no name
std::map<std::string, std::string> layers_by_region(const std::vector<std::string>& entries);

}  // namespace cortiscore::cli
