#include <filesystem>
#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/activations/extraction.h"
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
  ExtractionOptions options;
};

void run(const Arguments& arguments) {
  const auto network =
      Network::load(arguments.network, device_of(arguments.device), arguments.load.options());
  std::filesystem::create_directories(arguments.output);
  const auto layers = extract_layers(network, arguments.stimuli, arguments.options);
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto path = (std::filesystem::path(arguments.output) /
                       (arguments.options.layers[i] + "." + arguments.format))
                          .string();
    if (arguments.format == "npy")
      write_npy(path, layers[i].values);
    else
      write_assembly(path, layers[i]);
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
  add_layer_flag(*verb, arguments->options.layers,
                 "layer, with :cls or :mean for its class token or its mean over tokens or places; "
                 "repeat for several")
      ->required();
  verb->add_option("--degrees", arguments->options.degrees, "visual angle of the stimuli")
      ->capture_default_str()
      ->check(positive_number(360));
  verb->add_option("--repetitions", arguments->options.repetitions,
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
