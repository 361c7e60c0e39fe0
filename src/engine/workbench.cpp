#include "src/engine/workbench.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/core/device.h"
#include "src/core/progress.h"
#include "src/engine/activation_plan.h"
#include "src/results/json.h"

namespace cortiscore {

std::string name_of(LayerChoice choice) {
  switch (choice) {
    case LayerChoice::kNested:
      return "nested";
    case LayerChoice::kHalves:
      return "halves";
    case LayerChoice::kCommitted:
      break;
  }
  return "committed";
}

LayerChoice layer_choice(const std::string& name) {
  for (const auto choice : {LayerChoice::kNested, LayerChoice::kHalves, LayerChoice::kCommitted}) {
    if (name == name_of(choice)) return choice;
  }
  throw Error(ErrorKind::kUsage,
              "--choice: found \"" + name + "\", expected nested, halves or committed.");
}

Workbench::Workbench(ScoreOptions options, bool many_networks, int64_t stimulus_bytes)
    : options_(std::move(options)),
      many_networks_(many_networks),
      stimulus_bytes_(stimulus_bytes) {}

double usual_memory_gib(const at::Device& device) {
  constexpr double kShare = 0.5, kLeast = 0.25;
  const double free = static_cast<double>(free_bytes(device)) / (int64_t{1} << 30);
  // In quarters: no more digits than a person would give.
  return std::max(kLeast, std::floor(4 * kShare * free) / 4);
}

ExtractionLimits Workbench::limits() {
  const double gib =
      options_.memory_gib > 0 ? options_.memory_gib : usual_memory_gib(options_.device);
  if (options_.say_memory && !std::exchange(said_memory_, true)) {
    log_line("memory: " + Json(gib).dump() + " GiB, half of what is free" +
             (options_.device.is_cpu() ? "" : " on " + options_.device.str()) + " (--memory-gib)");
  }
  return {static_cast<int64_t>(gib * static_cast<double>(1 << 30)), options_.spill_folder};
}

const Recordings& Workbench::opened(const Manifest& benchmark, const std::string& file) {
  const auto path = data_file(benchmark, file);
  return once<Recordings>(path, [&] { return open_stimuli(path); });
}

std::map<std::string, at::Tensor>& Workbench::responses(const std::string& of) {
  if (responses_of_ != of) responses_.clear();
  responses_of_ = of;
  return responses_;
}

Screen& Workbench::screen(const ShownStimuli& shown, const Network& network) {
  auto preprocessing = preprocessing_of(network, shown.visual_degrees);
  preprocessing.trials = shown.trials;
  return screen_of(*shown.stimuli, shown.sha256, preprocessing);
}

const StimulusSet& Workbench::photos() {
  if (!photos_) {
    photos_ = StimulusSet::open(options_.reference_photos);
    if (photos_->size() < 2) {
      throw bad_input({photos_->path(), "rows", std::to_string(photos_->size()),
                       "at least 2 reference photos (the platform takes 1000)", ""});
    }
  }
  return *photos_;
}

std::pair<int64_t, std::string> Workbench::reference_photos() {
  return {photos().size(), photos().sha256()};
}

Screen* Workbench::reference(const Network& network) {
  if (options_.reference_photos.empty()) return nullptr;
  return &screen_of(photos(), photos().path(), preprocessing_of(network, 0));
}

Screen& Workbench::screen_of(const StimulusSet& stimuli,
                             const std::string& name,
                             const Preprocessing& preprocessing) {
  const auto key = name + " " + std::to_string(preprocessing.input_size) + " " +
                   std::to_string(preprocessing.model_degrees) + " " +
                   std::to_string(preprocessing.stimulus_degrees) + " " +
                   std::to_string(preprocessing.trials);
  auto& screen = screens_[key];
  if (!screen) {
    const auto bytes =
        Screen::bytes(stimuli.size() * preprocessing.trials, preprocessing.input_size);
    const bool may_keep = bytes <= stimulus_bytes_;
    if (may_keep) stimulus_bytes_ -= bytes;
    screen = std::make_unique<Screen>(stimuli, preprocessing, may_keep);
    if (many_networks_) screen->keep();
  }
  return *screen;
}

}  // namespace cortiscore
