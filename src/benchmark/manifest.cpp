#include "src/benchmark/manifest.h"

#include "src/data/arrays.h"

namespace cortiscore {

const std::string& Manifest::column(const std::string& ours) const {
  const auto found = columns.find(ours);
  return found == columns.end() ? ours : found->second;
}

void become_population(Manifest& benchmark, const std::string& population) {
  // Where there is none, behind it all.
  const auto dash = std::min(benchmark.identifier.find('-'), benchmark.identifier.size());
  benchmark.identifier =
      benchmark.identifier.substr(0, dash) + "." + population + benchmark.identifier.substr(dash);
  benchmark.composite = false;
  benchmark.sha256 = sha256_of(benchmark.sha256 + population);
}

std::string ManifestReader::name(const Json& value) {
  auto text = converted<std::string>(value);
  if (text.empty()) throw bad_input({path_, field_, "empty text", "a name", ""});
  return text;
}

std::string ManifestReader::word(const std::string& field,
                                 const std::string& found,
                                 const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), found) != known.end()) return found;
  std::string list;
  for (size_t i = 0; i < known.size(); ++i)
    list += (i == 0 ? "" : i + 1 == known.size() ? " or " : ", ") + known[i];
  throw bad_input({path_, field, "\"" + found + "\"", list, ""});
}

std::vector<std::string> ManifestReader::texts(const Json& object,
                                               const char* key,
                                               std::vector<std::string> fallback) {
  field_ = key;
  if (!object.contains(key)) return fallback;
  const auto& value = object.at(key);
  if (value.is_string()) return {value.get<std::string>()};
  return value.get<std::vector<std::string>>();
}

AcceptedValues ManifestReader::accepted_values(const Json& entry) {
  field_ = "where";
  AcceptedValues accepted;
  const auto where = entry.value("where", Json::object());
  for (const auto& [coordinate, values] : where.items()) {
    if (values.is_string())
      accepted.push_back({coordinate, {values.get<std::string>()}});
    else
      accepted.emplace_back(coordinate, values.get<std::vector<std::string>>());
  }
  return accepted;
}

std::optional<std::pair<double, double>> ManifestReader::window(const Json& entry) {
  field_ = "time_ms";
  if (!entry.contains("time_ms")) return std::nullopt;
  const auto& ends = entry["time_ms"];
  const std::pair window = {converted<double>(ends.at(0)), converted<double>(ends.at(1))};
  if (ends.size() != 2 || !(window.first < window.second))
    throw bad_input({path_, field_, ends.dump(), "[start, end] in ms, start first", ""});
  return window;
}

std::vector<double> ManifestReader::alphas(const Json& object,
                                           const std::string& field,
                                           std::vector<double> fallback) {
  auto found = get(object, "alphas", std::move(fallback));
  for (const auto alpha : found) {
    if (!(alpha > 0))
      throw bad_input({path_, field, std::to_string(alpha), "positive penalties", ""});
  }
  return found;
}

double ManifestReader::published_ceiling() {
  const auto& ceiling = need("ceiling");
  word("ceiling.name", ceiling.at("name"), {"published"});
  return converted<double>(need(ceiling, "value"));
}

double ManifestReader::ceiling_of_behavior() {
  const auto ceiling = get("ceiling", Json::object());
  if (ceiling.empty() ||
      word("ceiling.name", ceiling.at("name"), {"subjects", "published"}) != "published")
    return std::numeric_limits<double>::quiet_NaN();
  return converted<double>(need(ceiling, "value"));
}

void ManifestReader::refuse_published(const Manifest& manifest, double value) const {
  if (std::isnan(value)) return;
  throw bad_input(
      {path_, "ceiling.name", "published",
       "nothing: " + manifest.metric + (manifest.ceiled ? " has its subjects'" : " has none"), ""});
}

Manifest ManifestReader::common() {
  if (const auto found = converted<int64_t>(need("schema_version")); found != 1) {
    throw bad_input(
        {path_, field_, std::to_string(found), "1", "This Cortiscore reads version 1 manifests"});
  }
  Manifest m;
  m.path = path_;
  m.identifier = name(need("identifier"));
  m.version = get("version", int64_t{1});
  m.neural = word("kind", get("kind", std::string("neural")), {"neural", "behavior"}) == "neural";
  m.region = name(need("region"));
  m.parent = get("parent", m.region);
  m.composite = get("composite", true);
  m.weight = within(json_, "weight", 1.0, 1e-9, 1e9);
  m.simulated = get("simulated", false);
  field_ = "visual_degrees";
  const auto degrees = json_.value("visual_degrees", Json(8.0));
  if (degrees.is_string()) word(field_, degrees.get<std::string>(), {"as the network's"});
  m.visual_degrees = degrees.is_string() ? 0 : within(json_, "visual_degrees", 8.0, 1e-3, 360);
  m.stimulus_set = name(need("stimulus_set"));
  m.how_to_import = get("import", std::string());
  m.citation = get("citation", std::string());
  m.licence = get("licence", std::string());
  m.note = get("note", std::string());
  m.inexact = get("inexact", std::string());
  m.species = get("species", std::string());
  m.modality = get("modality", std::string());
  m.access = get("access", std::string("public"));
  const auto published = get("published", Json::object());
  m.published_ceiling = get(published, "ceiling", m.published_ceiling);
  m.published_stimuli = get(published, "stimuli", int64_t{0});
  m.published_neuroids = get(published, "neuroids", int64_t{0});
  m.published_trials = get(published, "trials", int64_t{0});
  m.columns = get("columns", m.columns);
  if (m.neural) m.window_ms = window(json_);
  m.metric = need("metric").at("name");
  return m;
}

}  // namespace cortiscore
