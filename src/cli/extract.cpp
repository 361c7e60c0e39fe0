#include "src/activations/extract.h"

#include <filesystem>
#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/flags.h"
#include "src/cli/score_flags.h"
#include "src/core/device.h"
#include "src/core/progress.h"
#include "src/data/arrays.h"
#include "src/data/netcdf.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::string network, stimuli, output, format = "npy", device = "cpu";
  LoadFlags load;
  std::vector<std::string> layers;
  double degrees = 8;
  int64_t repetitions = 1;
};

Assembly as_assembly(const Network& network,
                     const StimulusSet& stimuli,
                     const std::string& layer,
                     const at::Tensor& activations) {
  Assembly assembly;
  assembly.identifier = network.identifier();
  assembly.dims = {"presentation", "neuroid"};
  assembly.values = activations;
  const auto trials = activations.size(0) / stimuli.size();
  std::vector<std::string> ids;
  for (const auto& id : stimuli.ids()) ids.insert(ids.end(), static_cast<size_t>(trials), id);
  assembly.coords["stimulus_id"] = {"presentation", std::move(ids)};
  std::vector<std::string> neuroids;
  for (int64_t i = 0; i < activations.size(1); ++i)
    neuroids.push_back(layer + "." + std::to_string(i));
  assembly.coords["layer"] = {"neuroid", std::vector<std::string>(neuroids.size(), layer)};
  assembly.coords["neuroid_id"] = {"neuroid", std::move(neuroids)};
  assembly.attributes["weights_sha256"] = network.weights_sha256();
  return assembly;
}

void run(const Arguments& arguments) {
  const auto network =
      Network::load(arguments.network, device_of(arguments.device), arguments.load.options());
  const auto stimuli = StimulusSet::open(arguments.stimuli);
  std::filesystem::create_directories(arguments.output);
  auto preprocessing = preprocessing_of(network, arguments.degrees);
  preprocessing.trials = arguments.repetitions;
  Screen screen(stimuli, preprocessing, false);
  Progress progress("presentations", screen.size());
  const auto activations =
      extract(network, screen, arguments.layers, [&](int64_t n) { progress.advance(n); });
  for (size_t i = 0; i < arguments.layers.size(); ++i) {
    const auto& layer = arguments.layers[i];
    const auto path =
        (std::filesystem::path(arguments.output) / (layer + "." + arguments.format)).string();
    if (arguments.format == "npy")
      write_npy(path, activations[i].cpu());
    else
      write_assembly(path, as_assembly(network, stimuli, layer, activations[i].cpu()));
    log_line(path);
  }
}

}  // namespace

void add_extract(CLI::App& app, Outcome& /*outcome*/) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = app.add_subcommand(
      "extract", "Activations of layers on a stimulus set, as .npy or NetCDF-4 files");
  verb->add_option("network", arguments->network, ".pt2 archive")->required();
  verb->add_option("--stimuli", arguments->stimuli, "CSV with stimulus_id and filename")
      ->required();
  add_layer_flag(*verb, arguments->layers,
                 "layer, with :cls or :mean for its class token or its mean over tokens or places; "
                 "repeat for several")
      ->required();
  verb->add_option("--degrees", arguments->degrees, "visual angle of the stimuli")
      ->capture_default_str()
      ->check(positive_number(360));
  verb->add_option("--repetitions", arguments->repetitions,
                   "presentations of every stimulus, moved by the platform's microsaccades; the "
                   "trials of each are rows one after the other")
      ->check(count(1000000))
      ->capture_default_str();
  verb->add_option("--format", arguments->format, "npy, or nc: an assembly that xarray opens")
      ->check(one_of({"npy", "nc"}))
      ->capture_default_str();
  add_device_flag(*verb, arguments->device);
  arguments->load.add(*verb);
  verb->add_option("-o,--output", arguments->output,
                   "folder for LAYER.npy (or .nc), [stimuli, features] float32")
      ->required();
  verb->callback([arguments] { run(*arguments); });
}

}  // namespace cortiscore::cli
