#include <filesystem>

#include <dlfcn.h>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include "cortiscore/error.h"
#include "src/core/json_fault.h"
#include "src/core/parallel.h"
#include "src/model/program.h"

namespace cortiscore {
namespace {

using Json = nlohmann::json;
using torch::inductor::AOTIModelPackageLoader;

constexpr const char* kPackage = "model";  // torch._inductor.aoti_compile_and_package's own name

// Compiled code asks for libtorch.so, which this program does not load and the system does not
// know: it is beside the part of it that runs here.
void load_libtorch() {
  Dl_info here{};
  if (!::dladdr(reinterpret_cast<const void*>(&at::globalContext), &here)) return;
  const auto library = std::filesystem::path(here.dli_fname).parent_path() / "libtorch.so";
  ::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL);  // where it fails, opening the package says so
}

class Native : public Program {
 public:
  Native(const std::string& path, const at::Device& device) {
    load_libtorch();
    identifier = std::filesystem::path(path).stem().string();
    std::unordered_map<std::string, std::string> metadata;
    try {
      metadata = AOTIModelPackageLoader::load_metadata_from_package(path, kPackage);
    } catch (const std::exception& e) {
      throw damaged(path, e);
    }
    if (!metadata.contains("cortiscore")) {
      throw bad_input({path, "metadata", "no layer table",
                       "a package that says what its outputs are",
                       "Write it with cortiscore.compile(model, path, ...)"});
    }
    read_description(metadata.at("cortiscore"), path, *this);
    try {
      const auto table = Json::parse(metadata.at("cortiscore"));
      n_parameters = table.value("parameters", int64_t{0});
      for (const auto& layer : table.at("layers")) {
        const auto name = layer.at("name").get<std::string>();
        places_[name] = layers.size();
        layers.push_back({name, layer.value("type", ""), name, layer.at("shape"), {}});
      }
    } catch (const Json::exception& e) {
      throw damaged(path, e);
    }
    const auto compiled_for = metadata["AOTI_DEVICE_KEY"];
    if (compiled_for != (device.is_cuda() ? "cuda" : "cpu")) {
      throw Error(ErrorKind::kUsage, path + ": found native code for " + compiled_for +
                                         ", expected it for --device " + device.str() +
                                         ". Compile it for that device.");
    }
    try {
      loader_ = std::make_unique<AOTIModelPackageLoader>(
          path, kPackage, false, device.is_cuda() ? 1 : static_cast<size_t>(thread_count()),
          device.is_cuda() ? device.index() : static_cast<c10::DeviceIndex>(-1));
    } catch (const std::exception& e) {
      throw damaged(path, e);
    }
  }

  void run(const at::Tensor& batch,
           const std::vector<std::string>& wanted,
           const Network::Tap& tap) const override {
    const auto outputs = loader_->run({batch.contiguous()});
    for (size_t i = 0; i < wanted.size(); ++i) tap(i, outputs.at(places_.at(wanted[i])));
  }

 private:
  static Error damaged(const std::string& path, const std::exception& e) {
    const auto why = json_fault(e);
    return bad_input({path, "", why.substr(0, why.find('\n')),
                      "a package that AOTInductor of this torch compiled",
                      "Write it with cortiscore.compile(model, path, ...)"});
  }

  std::map<std::string, size_t> places_;
  std::unique_ptr<AOTIModelPackageLoader> loader_;
};

}  // namespace

std::shared_ptr<const Program> load_native(const std::string& path, const at::Device& device) {
  return std::make_shared<Native>(path, device);
}

}  // namespace cortiscore
