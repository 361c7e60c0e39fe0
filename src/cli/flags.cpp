#include "src/cli/flags.h"

#include <cmath>
#include <limits>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/core/folders.h"

namespace cortiscore::cli {
namespace {

std::string refused(const std::string& text, const std::string& expected) {
  return "found \"" + text + "\", expected " + expected;
}

std::string short_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

}  // namespace

CLI::Validator whole_number(int64_t least, int64_t most) {
  return {[least, most](std::string& text) {
            int64_t value = 0;
            const bool number = CLI::detail::lexical_cast(text, value);
            if (number && value >= least && value <= most) return std::string();
            return refused(text, "a whole number from " + std::to_string(least) + " to " +
                                     std::to_string(most));
          },
          ""};
}

CLI::Validator count(int64_t most) {
  return whole_number(1, most);
}

CLI::Validator count_or_none(int64_t most) {
  return whole_number(0, most);
}

CLI::Validator seed_number() {
  return whole_number(0, std::numeric_limits<uint32_t>::max());
}

CLI::Validator number_between(double low, double high) {
  return {[low, high](std::string& text) {
            double value = 0;
            const bool number = CLI::detail::lexical_cast(text, value);
            if (number && value > low && value < high) return std::string();
            return refused(text,
                           "a number between " + short_text(low) + " and " + short_text(high));
          },
          ""};
}

CLI::Validator positive_number(double most) {
  return {[most](std::string& text) {
            double value = 0;
            const bool number = CLI::detail::lexical_cast(text, value);
            if (number && value > 0 && value <= most) return std::string();
            return refused(
                text, "a positive number" + (most < 1e100 ? " up to " + short_text(most) : ""));
          },
          ""};
}

void add_results_flag(CLI::App& verb, std::string& folder) {
  auto* results =
      verb.add_option("--results", folder, "store of results; default $CORTISCORE_HOME/results");
  verb.add_option("--store", folder)->group("")->excludes(results);
}

std::string results_folder(const std::string& given) {
  return given.empty() ? home() + "/results" : given;
}

std::map<std::string, std::string> layers_by_region(const std::vector<std::string>& entries) {
  std::map<std::string, std::string> layers;
  for (const auto& entry : entries) {
    const auto equals = entry.find('=');
    const bool every = equals == std::string::npos;
    const auto region = every ? std::string() : entry.substr(0, equals);
    const auto layer = every ? entry : entry.substr(equals + 1);
    if (layer.empty() || (!every && region.empty())) {
      throw Error(ErrorKind::kUsage, "--layer: found \"" + entry +
                                         "\", expected NAME (for every region) or REGION=NAME.");
    }
    const auto [known, fresh] = layers.try_emplace(region, layer);
    if (!fresh) {
      throw Error(ErrorKind::kUsage,
                  "--layer: found \"" + known->second + "\" and \"" + layer + "\" for " +
                      (every ? "every region" : "region " + region) +
                      ", expected one layer a region. Score them one after the other.");
    }
  }
  return layers;
}

}  // namespace cortiscore::cli
