#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "cortiscore/error.h"

namespace cortiscore {

/// What every benchmark's manifest says, whatever its kind: schema version 1 (docs/formats.md).
struct Manifest {
  std::string identifier;
  int64_t version = 1;
  bool neural = true;  ///< compares with recordings; else with behaviour
  std::string region;
  std::string parent;         ///< node of the tree under which it is averaged
  bool composite = true;      ///< takes part in composites
  double weight = 1;          ///< among the children of its parent
  double visual_degrees = 8;  ///< 0: the stimuli fill the network's field
  std::string stimulus_set;
  std::map<std::string, std::string> columns;  ///< our names of columns of its files, to the files'
  /// `time_ms`: when a network that changes in time is looked at, where no assembly says it.
  std::optional<std::pair<double, double>> window_ms;
  std::string metric;  ///< pls, ridge, ridgecv, rdm, error_consistency, ...
  /// False: the data hold no ceiling, the score is raw and joins no composite.
  bool ceiled = true;
  double published_ceiling = std::numeric_limits<double>::quiet_NaN();
  int64_t published_stimuli = 0, published_neuroids = 0;  ///< 0: not published
  /// That the platform asks of a network; those that it asks of a deterministic one are alike.
  int64_t published_trials = 0;
  std::string species, modality, access;  ///< macaque, electrophysiology, public or private, ...
  std::string how_to_import, citation, licence, note;
  std::string inexact;  ///< why the platform's score cannot be had exactly; empty where it can
  bool simulated = false;
  std::string path;
  std::string sha256;  ///< of the manifest

  /// What the benchmark's files call a column of ours.
  const std::string& column(const std::string& ours) const;
};

/// Makes of a benchmark one of its populations, in no composite since its parent takes part
/// already: "ay2_u003" of "Henaff2021.V1-pls" is "Henaff2021.V1.ay2_u003-pls".
void become_population(Manifest& benchmark, const std::string& population);

/// Coordinates (or columns) and the values of each that are taken.
using AcceptedValues = std::vector<std::pair<std::string, std::vector<std::string>>>;

/// One manifest, field by field. What is wrong is said of the field last asked for: by its own
/// Error(kBadInput), or where nlohmann throws, by who calls.
class ManifestReader {
 public:
  using Json = nlohmann::json;

  ManifestReader(std::string path, const Json& json) : path_(std::move(path)), json_(json) {}

  const std::string& path() const { return path_; }
  const std::string& field() const { return field_; }
  const Json& json() const { return json_; }

  /// A field that must be there.
  const Json& need(const char* key) { return need(json_, key); }
  const Json& need(const Json& object, const char* key) { return object.at(field_ = key); }

  template <typename T>
  T get(const Json& object, const char* key, T fallback) {
    field_ = key;
    if (!object.is_object())
      throw bad_input({path_, field_, "no object around it", "an object that holds it", ""});
    const auto found = object.find(key);
    return found == object.end() ? fallback : converted<T>(*found);
  }
  template <typename T>
  T get(const char* key, T fallback) {
    return get(json_, key, std::move(fallback));
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

  /// The same within ends.
  template <typename T>
  T within(const Json& object, const char* key, T fallback, double least, double most) {
    const auto value = get(object, key, fallback);
    const auto number = static_cast<double>(value);
    if (!object.contains(key) || (number >= least && number <= most)) return value;
    throw bad_input({path_, field_, object.at(key).dump(),
                     "a number from " + Json(least).dump() + " to " + Json(most).dump(), ""});
  }

  /// A text that says something.
  std::string name(const Json& value);
  /// One of several words.
  std::string word(const std::string& field,
                   const std::string& found,
                   const std::vector<std::string>& known);
  /// One text, or a list of them.
  std::vector<std::string> texts(const Json& object,
                                 const char* key,
                                 std::vector<std::string> fallback);
  /// `where`: coordinates and their accepted values.
  AcceptedValues accepted_values(const Json& entry);
  /// `time_ms`: start and end.
  std::optional<std::pair<double, double>> window(const Json& entry);
  /// `alphas`, positive; else the fallback. @param field  its name in messages
  std::vector<double> alphas(const Json& object,
                             const std::string& field,
                             std::vector<double> fallback);
  /// A ceiling that was published, where no other is possible.
  double published_ceiling();
  /// The `ceiling` of behaviour, where it is said: the published value; NaN for the subjects' own.
  double ceiling_of_behavior();
  /// Refuses a published value where the data's own ceiling, or none, is taken.
  void refuse_published(const Manifest& manifest, double value) const;

  /// What all kinds have in common.
  Manifest common();

 private:
  static constexpr int64_t kMostWhole = int64_t{1} << 53;  // as JSON's numbers go

  std::string path_;
  const Json& json_;
  std::string field_ = "schema_version";
};

}  // namespace cortiscore
