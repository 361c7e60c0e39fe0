#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/model/network.h"

namespace cortiscore {

/// A network that runs code of its own, not a graph that is read as data: whoever opens one trusts
/// where it comes from.
class Program {
 public:
  Program() = default;
  virtual ~Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  NetworkInput input;
  std::vector<Layer> layers;
  std::string identifier;
  int64_t n_parameters = 0;
  /// It is a user's, in a process that is the user's: the weights that autocast keeps are those of
  /// the user's own passes.
  bool in_user_process = false;
  bool beside_training = false;  ///< a thread of that process trains meanwhile

  /// As Network::run().
  virtual void run(const at::Tensor& batch,
                   const std::vector<std::string>& layers,
                   const Network::Tap& tap) const = 0;
};

/// What `cortiscore.json` of an archive says of a network's input and name: input_size, mean, std,
/// degrees, identifier.
/// @throws Error(kBadInput)  not JSON, or of other types
void read_description(const std::string& text, const std::string& where, Program& program);

/// A TorchScript archive (torch.jit.save). Every call of a submodule's forward outside of
/// conditions and loops can be tapped by the module's dotted path. It runs without the JIT's
/// optimisations: operator by operator, as PyTorch would.
/// @throws Error(kBadInput)  not TorchScript, or a forward that takes more than images
std::shared_ptr<const Program> load_torchscript(const std::string& path, const at::Device& device);

/// Native code that AOTInductor compiled for micro-batches (python/cortiscore/native.py); its
/// outputs are the layers.
/// @throws Error(kBadInput)  a package without a layer table; Error(kUsage)  compiled for another
///                           device
std::shared_ptr<const Program> load_native(const std::string& path, const at::Device& device);

}  // namespace cortiscore
