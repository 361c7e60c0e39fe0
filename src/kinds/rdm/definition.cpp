#include "src/kinds/rdm/definition.h"

#include "cortiscore/error.h"
#include "src/kinds/rdm/data.h"

namespace cortiscore {
namespace {

void read_cka(RdmBenchmark& b, ManifestReader& reader, const Json& ceiling) {
  if (b.responses.assemblies.empty() || b.averaged_subjects)
    throw bad_input({b.path, "assemblies", "none", "responses of subjects, for cka", ""});
  b.distance = RdmDistance::kInnerProduct;
  b.comparison = RdmComparison::kCka;
  b.bound = RdmBenchmark::Bound::kPairs;
  b.ceiled = reader.word("ceiling.name", ceiling.at("name"), {"subjects", "none"}) == "subjects";
}

void read_comparison(RdmBenchmark& b,
                     ManifestReader& reader,
                     const Json& metric,
                     const Json& ceiling) {
  b.distance = rdm_distance(reader.get(metric, "distance", std::string("correlation")));
  b.comparison = rdm_comparison(
      reader.word("metric.comparison", reader.get(metric, "comparison", std::string("spearman")),
                  {"spearman", "pearson", "cosine"}));  // those that a bootstrap can weigh
  const auto name = reader.word("ceiling.name", ceiling.at("name"), {"rsa", "nili", "none"});
  b.ceiled = name != "none";
  b.pooling = name == "nili" ? RdmPooling::kOneScale : RdmPooling::kAsTheyAre;
  const bool lower =
      reader.word("ceiling.bound", reader.get(ceiling, "bound", std::string("upper")),
                  {"upper", "lower"}) == "lower";
  b.bound = lower ? RdmBenchmark::Bound::kLower : RdmBenchmark::Bound::kUpper;
  if (b.averaged_subjects &&
      (!lower || b.responses.assemblies.size() != 1 || !b.responses.train_stimulus_set.empty()))
    throw bad_input({b.path, "subjects", "averaged",
                     R"(one assembly, and "bound": "lower" of the ceiling)", ""});
}

}  // namespace

const std::vector<std::string>& RdmBenchmark::metrics() {
  static const std::vector<std::string> names = {"rdm", "cka"};
  return names;
}

std::shared_ptr<const Benchmark> RdmBenchmark::read(Manifest manifest, ManifestReader& reader) {
  auto benchmark = std::make_shared<RdmBenchmark>(std::move(manifest));
  auto& b = *benchmark;
  b.read_selection(reader);
  if (reader.json().contains("assemblies")) {
    b.responses.assemblies = read_assembly_files(reader);
    b.responses.train_stimulus_set = reader.get("train_stimulus_set", std::string());
    if (!b.responses.train_stimulus_set.empty()) check_train_files(reader, b.responses.assemblies);
  } else {
    const auto& rdms = reader.need("rdms");
    b.rdms = rdms.is_string() ? rdms : rdms.at("file");
    if (rdms.is_object()) {
      b.where = reader.accepted_values(rdms);
      b.similarities =
          reader.word("rdms.values", reader.get(rdms, "values", std::string("dissimilarities")),
                      {"dissimilarities", "similarities"}) == "similarities";
    }
  }
  const auto& metric = reader.need("metric");
  b.averaged_subjects = reader.word("subjects", reader.get("subjects", std::string("apart")),
                                    {"apart", "averaged"}) == "averaged";
  b.responsive_units = reader.word("metric.units", reader.get(metric, "units", std::string("all")),
                                   {"all", "responsive"}) == "responsive";
  const auto& ceiling = reader.need("ceiling");
  if (b.metric == "cka")
    read_cka(b, reader, ceiling);
  else
    read_comparison(b, reader, metric, ceiling);
  b.convention = ceiling_convention(
      reader.word("ceiling.convention", reader.get(ceiling, "convention", std::string("r_over_c")),
                  {"r_over_c", "r_over_c_squared"}));
  b.convention.clip = reader.get(metric, "clip", false);
  b.composite = b.composite && b.ceiled;
  return benchmark;
}

std::vector<std::string> RdmBenchmark::files() const {
  auto all = RecordedBenchmark::files();
  if (!rdms.empty()) all.push_back(rdms);
  return all;
}

LayerRule RdmBenchmark::layer_rule() const {
  auto rule = RecordedBenchmark::layer_rule();
  rule.min_features = 3;  // for a correlation between patterns to say anything
  return rule;
}

std::string RdmBenchmark::ceiling_name() const {
  if (!ceiled) return "none";
  if (bound == Bound::kPairs) return "subject pairs";
  const std::string name = pooling == RdmPooling::kOneScale ? "nili" : "rsa";
  return bound == Bound::kLower ? name + ", lower bound" : name;
}

void RdmBenchmark::describe(Json& json) const {
  RecordedBenchmark::describe(json);
  json["distance"] = name_of(distance);
  json["comparison"] = name_of(comparison);
}

void RdmBenchmark::measure(Json& measured, Workbench& workbench) const {
  auto& prepared = prepared_rdm(*this, workbench);
  measured["subjects"] = prepared.data().subjects.size();
  if (ceiled) add_ceiling(measured, prepared.whole().ceiling);
}

Benchmarks RdmBenchmark::populations() const {
  return populations_of(*this);
}

}  // namespace cortiscore
