#include "src/profile/compare_machines.h"

#include <map>

#include "cortiscore/error.h"
#include "src/core/stage.h"

namespace cortiscore {
namespace {

// What two profiles of one job share beside its key, in the order in which a person would look.
constexpr const char* kShared[] = {"network",   "benchmarks", "layers",     "candidates",
                                   "precision", "n_boot",     "memory_gib", "fingerprint"};

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
  for (const auto* name : {"job", "machine", "wall_s", "stages", "sweep", "verdict", "images_s",
                           "scores", "timeline"}) {
    if (!profile.contains(name))
      throw bad_input({path, name, "nothing", "what every profile has",
                       "Write it with `cortiscore profile ... --json`"});
  }
}

Json compare_machines(const std::vector<Json>& profiles, const std::vector<std::string>& paths) {
  const auto& first = profiles.front();
  Json machines = Json::array();
  for (size_t i = 0; i < profiles.size(); ++i) {
    const auto& profile = profiles[i];
    const auto& job = profile.at("job");
    if (job.at("key") != first.at("job").at("key") ||
        job.at("memory_gib") != first.at("job").at("memory_gib")) {
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
