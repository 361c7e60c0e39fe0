#include "src/engine/options.h"

#include <algorithm>
#include <limits>
#include <set>

#include "cortiscore/error.h"
#include "src/core/device.h"
#include "src/engine/layer_profile.h"
#include "src/results/named_options.h"
#include "src/score/drawn.h"

namespace cortiscore {
void check_regions(const std::map<std::string, std::string>& layers, const Benchmarks& benchmarks) {
  std::set<std::string> regions;
  for (const auto& benchmark : benchmarks) regions.insert(benchmark->region);
  std::string names;
  for (const auto& region : regions) names += (names.empty() ? "" : ", ") + region;
  for (const auto& [region, layer] : layers) {
    if (region.empty() || regions.contains(region)) continue;
    throw Error(ErrorKind::kUsage, "--layer " + region + "=" + layer + ": found no benchmark of " +
                                       region + " among those named, expected one of " + names +
                                       ". Leave the layer away, or name a benchmark of " + region +
                                       ".");
  }
}

namespace {

using Setter = OptionSetters<ScoreOptions>::mapped_type;

std::string text(const std::string& flag, const Json& value) {
  if (!value.is_string()) refuse_option(flag, value, "text");
  return value.get<std::string>();
}

Setter word(void (*set)(ScoreOptions&, const std::string&)) {
  return [set](ScoreOptions& o, const std::string& flag, const Json& v) { set(o, text(flag, v)); };
}

Setter flag_of(bool& (*member)(ScoreOptions&)) {
  return [member](ScoreOptions& o, const std::string& flag, const Json& v) {
    if (!v.is_boolean()) refuse_option(flag, v, "true or false");
    member(o) = v.get<bool>();
  };
}

Setter whole(int64_t& (*member)(ScoreOptions&), int64_t most, const char* expected) {
  return [=](ScoreOptions& o, const std::string& flag, const Json& v) {
    if (!v.is_number_integer() || v.get<double>() < 1 ||
        v.get<double>() > static_cast<double>(most))
      refuse_option(flag, v, expected);
    member(o) = v.get<int64_t>();
  };
}

void set_memory(ScoreOptions& o, const std::string& flag, const Json& v) {
  const double gib = v.is_number() ? v.get<double>() : 0;
  if (!(gib > 0 && gib <= kMostGib)) refuse_option(flag, v, "a positive number of GiB");
  o.memory_gib = gib;
}

void set_layers(ScoreOptions& o, const std::string& flag, const Json& v) {
  if (!v.is_object()) refuse_option(flag, v, "an object of region: layer");
  for (const auto& [region, layer] : v.items()) o.layers[region] = text(flag, layer);
}

const OptionSetters<ScoreOptions>& setters() {
  static const OptionSetters<ScoreOptions> all = {
      {"layers", set_layers},
      {"layer_map", word([](ScoreOptions& o, const std::string& v) { read_commitment(v, o); })},
      {"candidates", whole([](ScoreOptions& o) -> int64_t& { return o.n_candidates; },
                           std::numeric_limits<int64_t>::max(), "1 or more")},
      {"from", word([](ScoreOptions& o, const std::string& v) { o.from = candidates_from(v); })},
      {"choice", word([](ScoreOptions& o, const std::string& v) { o.choice = layer_choice(v); })},
      {"ceiling_convention",
       word([](ScoreOptions& o, const std::string& v) { o.convention = ceiling_convention(v); })},
      {"mode", word([](ScoreOptions& o, const std::string& v) { o.mode = top_vector_mode(v); })},
      {"bootstrap", whole([](ScoreOptions& o) -> int64_t& { return o.bootstrap.n_boot; },
                          kMostDraws, "1 draw or more, up to a hundred million")},
      {"null",
       [](ScoreOptions& o, const std::string& flag, const Json& v) {
         const double n = v.is_number_integer() ? v.get<double>() : -1;
         if (!(n == 0 || (n >= 19 && n <= 1e6)))  // of fewer no score could be beyond p = .05
           refuse_option(flag, v, "0, or 19 draws or more, up to a million");
         o.null_draws = v.get<int64_t>();
       }},
      {"make_null", flag_of([](ScoreOptions& o) -> bool& { return o.make_null; })},
      {"over", word([](ScoreOptions& o, const std::string& v) { o.over = drawn_axes(v); })},
      {"memory_gib", set_memory},
      {"spill", word([](ScoreOptions& o, const std::string& v) { o.spill_folder = v; })},
      {"reference_photos",
       word([](ScoreOptions& o, const std::string& v) { o.reference_photos = v; })},
      {"device", word([](ScoreOptions& o, const std::string& v) { o.device = device_of(v); })},
      {"precision", word([](ScoreOptions& o, const std::string& v) {
         o.load.precision = forward_precision(v);
       })},
      {"allow_torchscript",
       flag_of([](ScoreOptions& o) -> bool& { return o.load.allow_torchscript; })},
      {"allow_native_code",
       flag_of([](ScoreOptions& o) -> bool& { return o.load.allow_native_code; })},
      {"cuda_graphs", flag_of([](ScoreOptions& o) -> bool& { return o.load.cuda_graphs; })}};
  return all;
}

}  // namespace

ScoreOptions score_options(const Json& named) {
  ScoreOptions options;
  // Layers that were named go before those of a map, whatever the order of names.
  if (named.contains("layers")) set_layers(options, "--layer", named.at("layers"));
  set_named(named, setters(), "option", "scoring", options);
  return options;
}

}  // namespace cortiscore
