#include "src/benchmark/benchmark.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <set>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/benchmark/data_file.h"
#include "src/core/folders.h"
#include "src/data/arrays.h"
#include "src/data/json_file.h"
#include "src/metric/choice_patterns.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kMostWhole = int64_t{1} << 53;  // as JSON's numbers go

// One manifest, field by field; what is wrong is said of the field last asked for.
class Manifest {
 public:
  Manifest(const std::string& path, const Json& json) : path_(path), json_(json) {}

  const std::string& field() const { return field_; }

  template <typename T>
  T get(const Json& object, const char* key, T fallback) {
    field_ = key;
    if (!object.is_object())
      throw bad_input({path_, field_, "no object around it", "an object that holds it", ""});
    const auto found = object.find(key);
    return found == object.end() ? fallback : converted<T>(*found);
  }
  /// A value as what it must be: a whole number is not rounded, a flag is no number.
  template <typename T>
  T converted(const Json& value) {
    const auto need_type = [&](bool fits, const char* expected) {
      if (!fits) throw bad_input({path_, field_, value.dump().substr(0, 60), expected, ""});
    };
    if constexpr (std::is_same_v<T, bool>) {
      need_type(value.is_boolean(), "true or false");
    } else if constexpr (std::is_integral_v<T>) {
      need_type(value.is_number_integer(), "a whole number");
      const bool wide = value.is_number_unsigned() && value.get<uint64_t>() > kMostWhole;
      need_type(
          !wide && value.get<int64_t>() >= std::numeric_limits<T>::lowest() &&
              value.get<int64_t>() <= std::min<int64_t>(kMostWhole, std::numeric_limits<T>::max()),
          "a whole number that a computer can count to");
    } else if constexpr (std::is_floating_point_v<T>) {
      need_type(value.is_number() && std::isfinite(value.get<T>()), "a number");
    } else if constexpr (std::is_same_v<T, std::string>) {
      need_type(value.is_string(), "text");
    }
    return value.get<T>();
  }
  /// The same within ends. @throws Error(kBadInput)
  template <typename T>
  T within(const Json& object, const char* key, T fallback, double least, double most) {
    const auto value = get(object, key, fallback);
    const auto number = static_cast<double>(value);
    if (!object.contains(key) || (number >= least && number <= most)) return value;
    throw bad_input({path_, field_, object.at(key).dump(),
                     "a number from " + Json(least).dump() + " to " + Json(most).dump(), ""});
  }
  /// A text that says something. @throws Error(kBadInput)
  std::string name(const Json& value) {
    auto text = converted<std::string>(value);
    if (text.empty()) throw bad_input({path_, field_, "empty text", "a name", ""});
    return text;
  }
  const Json& need(const char* key) { return json_.at(field_ = key); }

  /// One of several words. @throws Error(kBadInput)
  std::string word(const std::string& field,
                   const std::string& found,
                   const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), found) != known.end()) return found;
    std::string list;
    for (size_t i = 0; i < known.size(); ++i)
      list += (i == 0 ? "" : i + 1 == known.size() ? " or " : ", ") + known[i];
    throw bad_input({path_, field, "\"" + found + "\"", list, ""});
  }

  void read(Benchmark& b) {
    if (const auto found = converted<int64_t>(need("schema_version")); found != 1) {
      throw bad_input(
          {path_, field_, std::to_string(found), "1", "This Cortiscore reads version 1 manifests"});
    }
    b.identifier = name(need("identifier"));
    b.version = get(json_, "version", int64_t{1});
    const auto kind =
        word("kind", get(json_, "kind", std::string("neural")), {"neural", "behavior"});
    b.region = name(need("region"));
    b.parent = get(json_, "parent", b.region);
    b.composite = get(json_, "composite", true);
    b.weight = within(json_, "weight", 1.0, 1e-9, 1e9);
    b.simulated = get(json_, "simulated", false);
    field_ = "visual_degrees";
    const auto degrees = json_.value("visual_degrees", Json(8.0));
    if (degrees.is_string()) word(field_, degrees.get<std::string>(), {"as the network's"});
    b.visual_degrees = degrees.is_string() ? 0 : within(json_, "visual_degrees", 8.0, 1e-3, 360);
    b.stimulus_set = name(need("stimulus_set"));
    b.how_to_import = get(json_, "import", std::string());
    b.citation = get(json_, "citation", std::string());
    b.licence = get(json_, "licence", std::string());
    b.note = get(json_, "note", std::string());
    b.inexact = get(json_, "inexact", std::string());
    b.species = get(json_, "species", std::string());
    b.modality = get(json_, "modality", std::string());
    b.access = get(json_, "access", std::string("public"));
    const auto published = get(json_, "published", Json::object());
    b.published_ceiling = get(published, "ceiling", b.published_ceiling);
    b.published_stimuli = get(published, "stimuli", int64_t{0});
    b.published_neuroids = get(published, "neuroids", int64_t{0});
    b.published_trials = get(published, "trials", int64_t{0});
    const auto& metric = need("metric");
    b.metric = metric.at("name");
    if (kind == "behavior") return read_behavior(b);
    word("metric.name", b.metric,
         {"pls", "reverse_pls", "spantime_pls", "ridge", "ridgecv", "mask_regression", "rdm", "cka",
          "ks_similarity", "ost", "factor_dimensionality"});
    b.window_ms = window(json_);
    if (b.metric == "factor_dimensionality") return read_factors(b, metric);
    if (b.metric == "ost") return read_solution_times(b, metric);
    if (b.metric == "ks_similarity") return read_property(b, metric);
    if (json_.contains("layer_selection")) b.select_by = json_["layer_selection"].at("by");
    if (b.metric == "rdm" || b.metric == "cka") return read_rdm(b, metric);
    read_mapping(b, metric);
  }

 private:
  void read_mapping(Benchmark& b, const Json& metric) {
    b.kind = Benchmark::Kind::kMapping;
    read_assembly_files(b);
    b.mean_of_populations = word("populations", get(json_, "populations", std::string("pool")),
                                 {"pool", "mean"}) == "mean";
    b.drop_incomplete =
        word("incomplete_stimuli", get(json_, "incomplete_stimuli", std::string("refuse")),
             {"refuse", "drop"}) == "drop";
    // Not `linear`: layers come as coordinates of their presentations, in whose rounding a map without a penalty finds
    // directions of its own where features are fewer than they seem.
    b.spantime = b.metric == "spantime_pls";
    b.reverse = b.metric == "reverse_pls";
    b.mapping.kind = b.spantime || b.reverse         ? MappingKind::kPls
                     : b.metric == "mask_regression" ? MappingKind::kMask
                                                     : mapping_kinds().at(b.metric);
    const bool bins = std::all_of(b.assemblies.begin(), b.assemblies.end(), [](const auto& file) {
      return file.bins == Benchmark::AssemblyFile::Bins::kPopulations;
    });
    if (b.spantime && (!bins || !b.mean_of_populations)) {
      throw bad_input({path_, "metric.name", b.metric,
                       R"("time_bins": "populations" in assemblies, and "populations": "mean")",
                       ""});
    }
    b.mapping.pls.n_components = within(metric, "n_components", int64_t{25}, 1, 1e6);
    b.mapping.ridge_alpha = within(metric, "alpha", 1.0, 1e-300, 1e300);
    read_alphas(b, metric, "metric.alphas");
    read_splits(b,
                {"shuffle", "stratified_shuffle", "leave_one_group_out", "train_test", "column"});
    if (b.splits.kind == "train_test") {
      b.train_stimulus_set = need("train_stimulus_set");
      check_train_files(b);
    }
    const auto& ceiling = need("ceiling");
    const auto name = word("ceiling.name", ceiling.at("name"),
                           {"internal_consistency", "split_half_predictor", "stored", "none"});
    b.ceiled = name != "none";
    b.predictor_ceiling = name == "split_half_predictor";
    if (b.reverse && b.assemblies.size() != 1) {
      throw bad_input({path_, "assemblies", std::to_string(b.assemblies.size()) + " populations",
                       "one, whose neuroids together predict units", ""});
    }
    if (name == "stored") b.ceiling_coordinate = ceiling.at(field_ = "coordinate");
    b.noise_ceiling_percent =
        word("ceiling.holds", get(ceiling, "holds", std::string("reliability")),
             {"reliability", "noise ceiling in percent"}) != "reliability";
    b.composite = b.composite && b.ceiled;
    b.ceiling_splits = within(ceiling, "n_splits", int64_t{10}, 1, 1e7);
    b.ceiling_seed = get(ceiling, "seed", uint32_t{b.predictor_ceiling ? 0U : 1U});
    b.keep_above = get(ceiling, "keep_above", -1.0);
  }

  void read_splits(Benchmark& b, const std::vector<std::string>& kinds) {
    const auto& splits = need("splits");
    b.splits = {splits.at("kind"),
                get(splits, "by", std::string()),
                within(splits, "n_splits", int64_t{10}, 1, 1e6),
                within(splits, "train_fraction", 0.9, 1e-6, 1 - 1e-6),
                get(splits, "seed", uint32_t{1}),
                get(splits, "disjoint", std::string())};
    word("splits.kind", b.splits.kind, kinds);
  }

  void read_alphas(Benchmark& b, const Json& from, const std::string& field) {
    b.mapping.ridgecv_alphas = get(from, "alphas", b.mapping.ridgecv_alphas);
    for (const auto alpha : b.mapping.ridgecv_alphas) {
      if (!(alpha > 0))
        throw bad_input({path_, field, std::to_string(alpha), "positive penalties", ""});
    }
  }

  void read_assembly_files(Benchmark& b) {
    for (const auto& entry : need("assemblies")) b.assemblies.push_back(read_assembly_file(entry));
    if (b.assemblies.empty())
      throw bad_input({path_, field_, "none", "at least one assembly file", ""});
  }

  void check_train_files(const Benchmark& b) {
    for (const auto& file : b.assemblies) {
      if (file.train_file.empty()) {
        throw bad_input({path_, "assemblies", file.identifier + " without train_file",
                         "its responses to train_stimulus_set", ""});
      }
    }
  }

  std::vector<std::pair<std::string, std::vector<std::string>>> accepted_values(const Json& entry) {
    field_ = "where";
    std::vector<std::pair<std::string, std::vector<std::string>>> accepted;
    const auto where = entry.value("where", Json::object());
    for (const auto& [coordinate, values] : where.items()) {
      if (values.is_string())
        accepted.push_back({coordinate, {values.get<std::string>()}});
      else
        accepted.emplace_back(coordinate, values.get<std::vector<std::string>>());
    }
    return accepted;
  }

  std::optional<std::pair<double, double>> window(const Json& entry) {
    field_ = "time_ms";
    if (!entry.contains("time_ms")) return std::nullopt;
    const auto& ends = entry["time_ms"];
    const std::pair window = {converted<double>(ends.at(0)), converted<double>(ends.at(1))};
    if (ends.size() != 2 || !(window.first < window.second))
      throw bad_input({path_, field_, ends.dump(), "[start, end] in ms, start first", ""});
    return window;
  }

  Benchmark::AssemblyFile read_assembly_file(const Json& entry) {
    Benchmark::AssemblyFile file;
    file.identifier = entry.at("identifier");
    file.file = entry.at("file");
    file.repetition = get(entry, "repetition", std::string("repetition"));
    file.train_file = get(entry, "train_file", std::string());
    file.each = get(entry, "each", std::string());
    field_ = "above";
    const auto above = entry.value("above", Json::object());
    for (const auto& [coordinate, threshold] : above.items())
      file.above = {coordinate, converted<double>(threshold)};
    file.where = accepted_values(entry);
    file.time_ms = window(entry);
    const auto bins = word("time_bins", get(entry, "time_bins", std::string("averaged")),
                           {"averaged", "neuroids", "populations"});
    using Bins = Benchmark::AssemblyFile::Bins;
    file.bins = bins == "neuroids"      ? Bins::kNeuroids
                : bins == "populations" ? Bins::kPopulations
                                        : Bins::kAveraged;
    if (file.bins != Bins::kAveraged && !file.time_ms)
      throw bad_input({path_, "time_ms", "none", "the window whose bins are " + bins, ""});
    if (file.bins == Bins::kPopulations && !file.each.empty())
      throw bad_input({path_, "each", file.each, "one or the other: bins are populations", ""});
    return file;
  }

  void read_solution_times(Benchmark& b, const Json& metric) {
    b.kind = Benchmark::Kind::kSolutionTimes;
    b.choices = need("choices");
    b.columns = get(json_, "columns", b.columns);
    field_ = "metric.time_bins_ms";
    for (const auto& bin : metric.at("time_bins_ms"))
      b.bins_ms.emplace_back(converted<double>(bin.at(0)), converted<double>(bin.at(1)));
    if (b.bins_ms.size() < 2 ||
        !std::is_sorted(b.bins_ms.begin(), b.bins_ms.end(), std::less_equal<>()))
      throw bad_input({path_, field_, std::to_string(b.bins_ms.size()) + " bins",
                       "two or more, ascending", ""});
    read_published_ceiling(b);
  }

  void read_property(Benchmark& b, const Json& metric) {
    b.kind = Benchmark::Kind::kProperty;
    read_assembly_files(b);
    b.property = word("metric.property", metric.at(field_ = "property"), property_names());
    b.recorded_property = get(metric, "recorded", b.property);
    b.property_stimuli = need("property_stimuli").get<std::map<std::string, std::string>>();
    for (const auto* role : {"blank", "receptive_field", "orientation"}) {
      if (!b.property_stimuli.contains(role))
        throw bad_input({path_, "property_stimuli", std::string("no ") + role,
                         "blank, receptive_field and orientation", ""});
    }
    b.columns = get(json_, "columns", b.columns);
    word("ceiling.name", need("ceiling").at("name"), {"self"});
  }

  void read_factors(Benchmark& b, const Json& metric) {
    b.kind = Benchmark::Kind::kFactors;
    b.factor = word("metric.factor", metric.at(field_ = "factor"), factor_names());
    b.pair_seed = get(metric, "seed", uint32_t{0});
    b.columns = get(json_, "columns", b.columns);
    read_published_ceiling(b);
  }

  void read_published_ceiling(Benchmark& b) {
    const auto& ceiling = need("ceiling");
    word("ceiling.name", ceiling.at("name"), {"published"});
    b.fixed_ceiling = converted<double>(ceiling.at(field_ = "value"));
  }

  void read_threshold(Benchmark& b, const Json& readout) {
    b.kind = Benchmark::Kind::kThreshold;
    const auto& metric = json_.at("metric");
    static_cast<void>(need("choices"));
    b.fit_stimulus_sets = texts(readout, "fit_stimulus_set", {});
    b.label_columns = texts(readout, "label", {"truth"});
    b.readout_c = within(readout, "C", 1e-3, 1e-300, 1e300);
    b.variable = metric.at(field_ = "variable");
    b.accuracy = within(metric, "accuracy", b.accuracy, 0.5 + 1e-6, 1 - 1e-6);
    b.fit_trials = within(readout, "trials", int64_t{1}, 1, 1e6);
    b.test_trials = within(metric, "trials", int64_t{1}, 1, 1e6);
    if (b.fit_stimulus_sets.empty())
      throw bad_input({path_, "readout.fit_stimulus_set", "none", "one set, or several", ""});
    if (b.fit_trials < 1 || b.test_trials < 1)
      throw bad_input({path_, "trials", std::to_string(std::min(b.fit_trials, b.test_trials)),
                       "1 or more", ""});
    if (b.metric == "threshold") return;
    const auto& baseline = need("baseline");
    b.baseline_stimulus_set = baseline.at("stimulus_set");
    b.baseline_choices = baseline.at("choices");
  }

  void read_rdm(Benchmark& b, const Json& metric) {
    b.kind = Benchmark::Kind::kRdm;
    if (json_.contains("assemblies")) {
      read_assembly_files(b);
      b.train_stimulus_set = get(json_, "train_stimulus_set", std::string());
      if (!b.train_stimulus_set.empty()) check_train_files(b);
    } else {
      const auto& rdms = need("rdms");
      b.rdms = rdms.is_string() ? rdms : rdms.at("file");
      if (rdms.is_object()) {
        b.rdms_where = accepted_values(rdms);
        b.similarities = word("rdms.values", get(rdms, "values", std::string("dissimilarities")),
                              {"dissimilarities", "similarities"}) == "similarities";
      }
    }
    b.averaged_subjects = word("subjects", get(json_, "subjects", std::string("apart")),
                               {"apart", "averaged"}) == "averaged";
    b.responsive_units = word("metric.units", get(metric, "units", std::string("all")),
                              {"all", "responsive"}) == "responsive";
    b.clipped = get(metric, "clip", false);
    const auto& ceiling = need("ceiling");
    if (b.metric == "cka") {
      read_cka(b, ceiling);
    } else {
      b.distance = rdm_distance(get(metric, "distance", std::string("correlation")));
      b.comparison = rdm_comparison(
          word("metric.comparison", get(metric, "comparison", std::string("spearman")),
               {"spearman", "pearson", "cosine"}));  // those that a bootstrap can weigh
      b.ceiled = word("ceiling.name", ceiling.at("name"), {"rsa", "none"}) == "rsa";
      const bool lower = word("ceiling.bound", get(ceiling, "bound", std::string("upper")),
                              {"upper", "lower"}) == "lower";
      b.rdm_bound = lower ? Benchmark::RdmBound::kLower : Benchmark::RdmBound::kUpper;
      if (b.averaged_subjects &&
          (!lower || b.assemblies.size() != 1 || b.train_stimulus_set.size()))
        throw bad_input({path_, "subjects", "averaged",
                         R"(one assembly, and "bound": "lower" of the ceiling)", ""});
    }
    b.rdm_convention = ceiling_convention(word("ceiling.convention",
                                               get(ceiling, "convention", std::string("r_over_c")),
                                               {"r_over_c", "r_over_c_squared"}));
    b.composite = b.composite && b.ceiled;
  }

  void read_cka(Benchmark& b, const Json& ceiling) {
    if (b.assemblies.empty() || b.averaged_subjects)
      throw bad_input({path_, "assemblies", "none", "responses of subjects, for cka", ""});
    b.distance = RdmDistance::kInnerProduct;
    b.comparison = RdmComparison::kCka;
    b.rdm_bound = Benchmark::RdmBound::kPairs;
    b.ceiled = word("ceiling.name", ceiling.at("name"), {"subjects", "none"}) == "subjects";
  }

  void read_behavior(Benchmark& b) {
    b.choices = get(json_, "choices", std::string());
    const auto& readout = need("readout");
    const auto name = word("readout.name", get(readout, "name", std::string("logistic")),
                           {"logistic", "imagenet_classes", "odd_one_out", "ridge_classifier"});
    b.truth_column = get(readout, "truth", std::string("truth"));
    b.incomplete_choices =
        word("incomplete_choices", get(json_, "incomplete_choices", std::string("refuse")),
             {"refuse", "skip"}) == "skip";
    b.columns = get(json_, "columns", b.columns);
    field_ = "sample";
    const auto sample = json_.value("sample", Json::object());
    b.sample_every = within(sample, "every", b.sample_every, 1, 1e9);
    b.sample_by = get(sample, "by", b.sample_by);
    field_ = "exclude";
    const auto exclude = json_.value("exclude", Json::object());
    for (const auto& [column, values] : exclude.items())
      b.exclude.emplace_back(column, values.get<std::vector<std::string>>());
    read_comparison(b, need("metric"));
    if (b.metric == "two_way_accuracy" || name == "ridge_classifier") {
      word("metric.name", b.metric, {"two_way_accuracy"});
      word("readout.name", name, {"ridge_classifier"});
      b.kind = Benchmark::Kind::kDomains;
      b.domain = json_.at("metric").at(field_ = "domain");
      read_splits(b, {"stratified_shuffle"});
      return read_alphas(b, readout, "readout.alphas");
    }
    if (b.metric.starts_with("threshold")) {
      word("metric.name", b.metric, {"threshold", "threshold_elevation"});
      word("readout.name", name, {"logistic"});
      return read_threshold(b, readout);
    }
    if (name == "odd_one_out") {
      b.kind = Benchmark::Kind::kOddOneOut;
      word("metric.name", b.metric, {"match"});
      return;
    }
    word("metric.name", b.metric,
         {"error_consistency", "accuracy_distance", "accuracy_delta", "condition_accuracy",
          "value_delta", "tasks_consistency", "confusion_similarity", "accuracy", "i1", "i1n", "i2",
          "i2n", "shape_bias", "shape_match"});
    if (b.choices.empty() && b.ceiled)
      throw bad_input({path_, "choices", "none", "the choices that " + b.metric + " compares", ""});
    if (name == "logistic") {
      b.kind = Benchmark::Kind::kReadout;
      b.fit_stimulus_set = get(readout, "fit_stimulus_set", std::string());
      b.role_column = get(readout, "role", std::string("role"));
      b.label_columns = texts(readout, "label", {"object_name"});
      b.readout_c = within(readout, "C", 1e-3, 1e-300, 1e300);
      b.skipna = get(json_.at("metric"), "skipna", false);
      return;
    }
    b.kind = Benchmark::Kind::kDecisions;
    if (is_pattern_name(b.metric))
      throw bad_input({path_, "readout.name", name, "logistic, for " + b.metric, ""});
    static_cast<void>(readout.at(field_ = "classes"));
    b.classes = texts(readout, "classes", {});
    b.offered_from_truth =
        word("readout.offered", get(readout, "offered", std::string("every class")),
             {"every class", "truth"}) == "truth";
    b.n_outputs = within(readout, "n_outputs", int64_t{1000}, 1, 1e9);
  }

  // How choices are compared, and what divides the result.
  void read_comparison(Benchmark& b, const Json& metric) {
    b.ceiled = b.metric != "shape_bias" && b.metric != "shape_match" && b.metric != "accuracy" &&
               b.metric != "two_way_accuracy";
    // What engineering asks for is not divided by a ceiling anywhere, and has a tree of its own.
    b.composite = b.composite && (b.ceiled || b.parent == "engineering");
    if (b.metric.starts_with("shape_"))
      b.texture_column = get(metric, "texture", std::string("texture"));
    b.scale = within(metric, "scale", 1.0, 1e-300, 1e300);
    b.lapse = within(metric, "lapse", 0.0, 0, 1 - 1e-6);
    b.clipped = get(metric, "clip", false);
    field_ = "cells";
    const auto cells = metric.value("cells", Json::array());
    for (const auto& cell : cells)
      b.cells.push_back({cell.at("column"), cell.value("values", std::vector<std::string>())});
    field_ = "ceiling";
    const auto ceiling = json_.value("ceiling", Json::object());
    if (!ceiling.empty() &&
        word("ceiling.name", ceiling.at("name"), {"subjects", "published"}) == "published")
      b.fixed_ceiling = converted<double>(ceiling.at(field_ = "value"));
    const std::map<std::string, std::pair<size_t, bool>> wanted = {
        // columns of cells, and whether the ceiling must be given
        {"accuracy_delta", {1, false}},      {"condition_accuracy", {0, false}},
        {"value_delta", {2, true}},          {"tasks_consistency", {1, true}},
        {"confusion_similarity", {0, true}}, {"match", {0, true}}};
    const auto found = wanted.find(b.metric);
    if (found == wanted.end()) {
      if (std::isnan(b.fixed_ceiling)) return;
      throw bad_input({path_, "ceiling.name", "published",
                       "nothing: " + b.metric + (b.ceiled ? " has its subjects'" : " has none"),
                       ""});
    }
    const auto [columns, published] = found->second;
    // More than two for value_delta tell which trials count.
    if (b.metric == "condition_accuracy" || b.metric == "value_delta"
            ? b.cells.size() < std::max<size_t>(1, columns)
            : b.cells.size() != columns) {
      throw bad_input({path_, "metric.cells", std::to_string(b.cells.size()) + " columns",
                       (columns ? std::to_string(columns) : "at least one") + ", for " + b.metric,
                       ""});
    }
    if (published && std::isnan(b.fixed_ceiling))
      throw bad_input({path_, "ceiling", "none",
                       R"({"name": "published", "value": ...}, for )" + b.metric, ""});
  }

  std::vector<std::string> texts(const Json& object,
                                 const char* key,
                                 std::vector<std::string> fallback) {
    field_ = key;
    if (!object.contains(key)) return fallback;
    const auto& value = object.at(key);
    if (value.is_string()) return {value.get<std::string>()};
    return value.get<std::vector<std::string>>();
  }

  std::string path_;
  const Json& json_;
  std::string field_ = "schema_version";
};

Benchmark parse(const std::string& path) {
  const auto text = read_file(path);
  Benchmark b;
  b.path = path;
  b.sha256 = sha256_of(text);
  const auto json = parse_json(text, path, "a benchmark manifest of schema version 1");
  Manifest manifest(path, json);
  try {
    manifest.read(b);
  } catch (const Json::exception& e) {
    throw bad_input({path, manifest.field(), e.what(), "a benchmark manifest of schema version 1",
                     "See docs/formats.md"});
  }
  return b;
}

// The population "ay2_u003" of "Henaff2021.V1-pls" is the benchmark "Henaff2021.V1.ay2_u003-pls".
std::string sub_identifier(const Benchmark& parent, const std::string& population) {
  const auto dash = parent.identifier.find('-');
  return parent.identifier.substr(0, dash) + "." + population + parent.identifier.substr(dash);
}

}  // namespace

const std::vector<std::string>& factor_names() {
  static const std::vector<std::string> names = {"shape", "texture"};
  return names;
}

const std::string& Benchmark::column(const std::string& ours) const {
  const auto found = columns.find(ours);
  return found == columns.end() ? ours : found->second;
}

const std::string& Benchmark::label_column(const StimulusSet& stimuli) const {
  auto column = label_columns.begin();
  while (column + 1 != label_columns.end() && !stimuli.has(*column)) ++column;
  return *column;
}

int64_t Benchmark::min_features() const {
  if (kind == Kind::kRdm) return 3;
  return kind == Kind::kMapping && mapping.kind == MappingKind::kPls ? mapping.pls.n_components : 1;
}

std::string manifest_folder() {
  const char* set = std::getenv("CORTISCORE_MANIFESTS");
  return set && *set ? set : CORTISCORE_MANIFESTS;
}

std::string data_file(const Benchmark& benchmark, const std::string& name) {
  const auto path = fs::path(home()) / "data" / name;
  const auto beside = fs::path(benchmark.path).parent_path() / name;
  auto where = path.string();
  std::string found = "no such file";
  for (const auto& place : {path, beside}) {
    const auto why = why_unreadable(place.string());
    if (why.empty()) return place.string();
    if (found == "no such file" && why != found) {
      where = place.string();
      found = why;
    }
  }
  if (name.starts_with("brainio/")) {
    if (auto there = brainio_file(name.substr(name.find('/') + 1)); !there.empty()) return there;
  }
  throw bad_input(
      {where, "", found, "data of " + benchmark.identifier,
       benchmark.how_to_import.empty() ? "Put it there" : "Run: " + benchmark.how_to_import});
}

std::vector<std::string> manifest_files(const std::string& folder) {
  std::vector<std::string> all;
  for (const auto& place : {fs::path(manifest_folder()) / folder, fs::path(home()) / folder}) {
    if (!fs::is_directory(place)) continue;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(place)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) all.push_back(file.string());
  }
  return all;
}

std::vector<Benchmark> all_benchmarks() {
  std::vector<Benchmark> all;
  for (const auto& file : manifest_files("benchmarks")) all.push_back(parse(file));
  return all;
}

Benchmark find_benchmark(const std::string& name) {
  if (name.ends_with(".json")) return parse(name);
  std::vector<std::string> known;
  for (const auto& benchmark : all_benchmarks()) {
    if (benchmark.identifier == name) return benchmark;
    known.push_back(benchmark.identifier);
    if (benchmark.assemblies.size() < 2) continue;
    for (const auto& assembly : benchmark.assemblies) {
      const auto identifier = sub_identifier(benchmark, assembly.identifier);
      known.push_back(identifier);
      if (identifier != name) continue;
      auto sub = benchmark;
      sub.identifier = identifier;
      sub.assemblies = {assembly};
      sub.composite = false;  // its parent takes part already
      sub.sha256 = sha256_of(benchmark.sha256 + assembly.identifier);
      return sub;
    }
  }
  throw unknown_name("benchmark", name,
                     "the manifests of this project and of " + home() + "/benchmarks", known);
}

}  // namespace cortiscore
