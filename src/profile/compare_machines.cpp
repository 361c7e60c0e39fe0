#include "src/profile/compare_machines.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "cortiscore/error.h"
#include "src/core/stage.h"

namespace cortiscore {
namespace {

// What two profiles of one job share beside its key, in the order in which a person would look.
// Not the memory, which follows from the machine and changes no score.
constexpr const char* kShared[] = {"network",   "benchmarks", "layers",     "candidates",
                                   "precision", "n_boot",     "fingerprint"};

bool differs(const Json& a, const Json& b) {
  return std::any_of(std::begin(kShared), std::end(kShared),
                     [&](const char* name) { return a.at(name) != b.at(name); });
}

std::string difference(const Json& a, const Json& b) {
  for (const auto* name : kShared) {
    if (a.at(name) != b.at(name))
      return std::string(name) + " " + b.at(name).dump().substr(0, 200) + " instead of " +
             a.at(name).dump().substr(0, 200);
  }
  return "other recordings, layers or options";
}

Json seconds_of(const Json& profile) {
  Json seconds = Json::object();
  for (const auto& row : profile.at("stages"))
    seconds[row.at("stage").get<std::string>()] = row.at("seconds");
  return seconds;
}

}  // namespace

void check_profile(const Json& profile, const std::string& path) {
  const bool is_one = profile.is_object() && profile.value("kind", Json()) == "profile";
  const auto version = is_one ? profile.value("schema_version", Json()) : Json();
  if (version != 1) {
    throw bad_input({path, is_one ? "schema_version" : "kind",
                     is_one ? version.dump() : "no profile", "a profile of schema version 1",
                     "Write it with `cortiscore profile ... --json`"});
  }
  const auto number = [](const Json& value) { return value.is_number(); };
  const auto any = [](const Json&) { return true; };
  const std::vector<std::pair<std::string, bool (*)(const Json&)>> read = {
      {"/job/key", [](const Json& v) { return v.is_string(); }},
      {"/job/network", any},
      {"/job/benchmarks", any},
      {"/job/layers", any},
      {"/job/candidates", any},
      {"/job/precision", any},
      {"/job/n_boot", any},
      {"/job/fingerprint", any},
      {"/job/threads", number},
      {"/machine/name", [](const Json& v) { return v.is_string(); }},
      {"/machine/cpu", [](const Json& v) { return v.is_string(); }},
      {"/machine/device", [](const Json& v) { return v.is_string() || v.is_null(); }},
      {"/machine/limits", [](const Json& v) { return v.is_object(); }},
      {"/verdict/valid", [](const Json& v) { return v.is_boolean(); }},
      {"/wall_s/plain", number},
      {"/images_s", number},
      {"/sweep/checkpoints_h", number},
      {"/sweep/energy_j_checkpoint", any},
      {"/stages", [](const Json& v) {
         return v.is_array() && std::all_of(v.begin(), v.end(), [](const Json& row) {
                  return row.is_object() && row.value("stage", Json()).is_string() &&
                         row.value("seconds", Json()).is_number();
                });
       }}};
  for (const auto& [place, fits] : read) {
    const Json::json_pointer at(place);
    const bool there = profile.contains(at);
    if (there && fits(profile.at(at))) continue;
    auto name = place.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    throw bad_input({path, name, there ? profile.at(at).dump().substr(0, 60) : "nothing",
                     "what every profile has there",
                     "Write it with `cortiscore profile ... --json`"});
  }
}

Json compare_machines(const std::vector<Json>& profiles, const std::vector<std::string>& paths) {
  const auto& first = profiles.front();
  Json machines = Json::array();
  for (size_t i = 0; i < profiles.size(); ++i) {
    const auto& profile = profiles[i];
    const auto& job = profile.at("job");
    if (job.at("key") != first.at("job").at("key") || differs(first.at("job"), job)) {
      throw bad_input(
          {paths[i], "job", difference(first.at("job"), job), "the job of " + paths[0],
           "Profile one network, with the same benchmarks and flags, on every machine"});
    }
    const auto seconds = seconds_of(profile);
    Json stages = Json::object();
    const auto of_first = seconds_of(first);
    for (const auto& [stage, s] : seconds.items()) {
      const double before = of_first.value(stage, 0.0);
      stages[stage] = {
          {"seconds", s},
          {"times_faster",
           s.get<double>() > 0 && before > 0 ? Json(before / s.get<double>()) : Json(nullptr)}};
    }
    const double wall = profile.at("wall_s").at("plain");
    machines.push_back({{"profile", paths[i]},
                        {"name", profile.at("machine").at("name")},
                        {"cpu", profile.at("machine").at("cpu")},
                        {"device", profile.at("machine").at("device")},
                        {"threads", job.at("threads")},
                        {"valid", profile.at("verdict").at("valid")},
                        {"wall_s", profile.at("wall_s")},
                        {"times_faster", first.at("wall_s").at("plain").get<double>() / wall},
                        {"images_s", profile.at("images_s")},
                        {"checkpoints_h", profile.at("sweep").at("checkpoints_h")},
                        {"energy_j_checkpoint", profile.at("sweep").at("energy_j_checkpoint")},
                        {"limits", profile.at("machine").at("limits")},
                        {"stages", stages}});
  }
  return {{"job", first.at("job")}, {"machines", machines}};
}

}  // namespace cortiscore
