#include "src/cli/flags.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/core/device.h"
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

CLI::Validator one_of(const std::vector<std::string>& words) {
  std::string set, list;
  for (size_t i = 0; i < words.size(); ++i) {
    set += (i ? "," : "") + words[i];
    list += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  }
  return {[words, list](std::string& text) {
            const bool known = std::find(words.begin(), words.end(), text) != words.end();
            return known ? std::string() : refused(text, list);
          },
          "{" + set + "}"};
}

void offer(CLI::Option* option, const std::vector<std::string>& names) {
  std::string set;
  for (const auto& name : names) set += (set.empty() ? "{" : ",") + name;
  option->type_name(set + "}");
}

CLI::Option* add_benchmark_flag(CLI::App& verb, std::vector<std::string>& names, const char* text) {
  return verb.add_option("-b,--benchmark", names, text)
      ->type_name("BENCHMARK")
      ->required()
      ->allow_extra_args(false);
}

CLI::Option* add_layer_flag(CLI::App& verb, std::vector<std::string>& layers, const char* text) {
  return verb.add_option("-l,--layer", layers, text)->allow_extra_args(false);
}

void add_tree_flag(CLI::App& verb, std::string& tree) {
  verb.add_option("--tree", tree, "how benchmarks become one: a tree, or its file")
      ->type_name("TREE")
      ->capture_default_str();
}

CLI::Option* add_device_flag(CLI::App& verb, std::string& device, bool several) {
  auto* option = verb.add_option("--device", device,
                                 several ? "cpu, cuda or cuda:N; a list of them, or cuda:all, has "
                                           "a process each"
                                         : "cpu, cuda or cuda:N")
                     ->capture_default_str();
  if (!several) {
    option->check({[](std::string& name) {
                     static_cast<void>(device_of(name));
                     return std::string();
                   },
                   ""});
  }
  return option;
}

CLI::Option* add_ceiling_convention_flag(CLI::App& verb, std::string& convention) {
  return verb
      .add_option("--ceiling-convention", convention,
                  "r2_over_c (since 2026), r_over_c_squared (2019 to 2025) or r_over_c")
      ->check(one_of({"r2_over_c", "r_over_c_squared", "r_over_c"}))
      ->capture_default_str();
}

CLI::Option* add_comparison_flag(CLI::App& verb, std::string& comparison) {
  return verb.add_option("--comparison", comparison, "rdm, rsa: how RDMs are compared")
      ->check(one_of({"spearman", "pearson", "cosine", "tau-a", "rho-a"}))
      ->capture_default_str();
}

void add_results_flag(CLI::App& verb, std::string& folder) {
  verb.add_option("--results", folder, "store of results; default $CORTISCORE_HOME/results");
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
