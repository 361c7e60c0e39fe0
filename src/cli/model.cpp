#include <cstdio>
#include <iostream>
#include <memory>
#include <set>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/json_line.h"
#include "src/cli/python.h"
#include "src/cli/score_flags.h"
#include "src/mapping/pls.h"
#include "src/model/batch.h"
#include "src/model/network.h"
#include "src/results/json.h"

namespace cortiscore::cli {
namespace {

struct Inspected {
  std::string path, from = "blocks";
  int64_t candidates = 12;
  bool json = false;
  LoadFlags load;
};

void inspect(const Inspected& arguments) {
  const auto& path = arguments.path;
  const auto network = Network::load(path, at::kCPU, arguments.load.options());
  const auto competing = candidate_layers(network.layers(), candidates_from(arguments.from),
                                          arguments.candidates, PlsOptions().n_components);
  const std::set<std::string> competes(competing.begin(), competing.end());
  if (arguments.json) {
    Json layers = Json::array();
    for (const auto& layer : network.layers()) {
      layers.push_back({{"name", layer.name},
                        {"type", layer.type},
                        {"shape", layer.shape},
                        {"features", layer.n_features()},
                        {"competes", competes.contains(layer.name)}});
      if (!layer.unusable.empty()) layers.back()["unusable"] = layer.unusable;
      for (const auto& bin : layer.time_bins)
        layers.back()["time_bins_ms"].push_back({bin.start_ms, bin.end_ms});
    }
    std::cout << json_line({{"identifier", network.identifier()},
                            {"path", path},
                            {"input_size", network.input().size},
                            {"mean", network.input().mean},
                            {"std", network.input().std},
                            {"degrees", network.input().degrees},
                            {"batch", text_of(network.batch_sizes())},
                            {"micro_batch", network.micro_batch()},
                            {"parameters", network.n_parameters()},
                            {"nodes", network.n_nodes()},
                            {"graph_sha256", network.graph_sha256()},
                            {"weights_sha256", network.weights_sha256()},
                            {"layers", layers}})
              << '\n';
    return;
  }
  std::printf(
      "%s  (%s)\n  input     RGB %lld x %lld, %s, %g degrees\n  batch     %s; %lld stimuli run "
      "together\n  size      %.2f M parameters, %lld "
      "nodes\n"
      "  weights   sha256 %.16s...\n\n%-44s %-22s %-18s %12s\n",
      network.identifier().c_str(), path.c_str(), static_cast<long long>(network.input().size),
      static_cast<long long>(network.input().size),
      network.input().mean.empty() ? "normalised inside" : "normalised by mean and std",
      network.input().degrees, text_of(network.batch_sizes()).c_str(),
      static_cast<long long>(network.micro_batch()),
      static_cast<double>(network.n_parameters()) / 1e6, static_cast<long long>(network.n_nodes()),
      network.weights_sha256().c_str(), "layer (can be tapped)", "type", "shape", "features");
  for (const auto& layer : network.layers()) {
    if (!layer.unusable.empty()) {
      std::printf("%-44s %-22s not a layer to map: %s\n", layer.name.c_str(), layer.type.c_str(),
                  layer.unusable.c_str());
      continue;
    }
    std::printf("%-44s %-22s %-18s %12lld%s\n", layer.name.c_str(), layer.type.c_str(),
                shape_text(layer.shape).c_str(), static_cast<long long>(layer.n_features()),
                competes.contains(layer.name) ? " *" : "");
  }
  std::printf(
      "* competes where no layer is committed to, by PLS of %lld components; by ridge or RDMs "
      "smaller ones may as well\n",
      static_cast<long long>(PlsOptions().n_components));
}

}  // namespace

void add_model(CLI::App& app, Outcome& /*outcome*/) {
  auto* verb = app.add_subcommand("model", "What a network has, and how to bring one in");
  verb->require_subcommand(1);
  auto arguments = std::make_shared<Inspected>();
  auto* show = verb->add_subcommand("inspect", "Layers, shapes, parameters: what can be tapped");
  show->add_option("network", arguments->path, ".pt2 archive")->required();
  add_candidates_flag(*show, arguments->candidates);
  add_from_flag(*show, arguments->from);
  arguments->load.add_trust(*show);
  show->add_flag("--json", arguments->json, "print one JSON object");
  show->callback([arguments] { inspect(*arguments); });
  add_python_verb(
      *verb, "export",
      "Write a network as a .pt2 archive (runs Python with torch); `model export --help` "
      "lists its flags",
      "cortiscore.export_command");
  add_python_verb(
      *verb, "convert",
      "Write checkpoints (.pth, .ckpt, shards, FSDP folders) as .safetensors for `sweep --graph` "
      "(runs Python with torch, and none of their code)",
      "cortiscore.convert");
}

}  // namespace cortiscore::cli
