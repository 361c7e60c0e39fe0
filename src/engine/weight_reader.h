#pragma once
#include <memory>
#include <string>
#include <vector>

namespace cortiscore {

/// Reads checkpoints by a Python that stays: `python -m cortiscore.convert --serve`, which knows
/// their formats and by which rules their names are a graph's (docs/formats.md, Weights). It runs
/// no code of theirs, starts with the first checkpoint, and ends with this object.
class WeightReader {
 public:
  /// @param folder  for the file of the checkpoint in hand; empty: the system's
  explicit WeightReader(std::string folder);
  ~WeightReader();
  WeightReader(const WeightReader&) = delete;
  WeightReader& operator=(const WeightReader&) = delete;

  /// @param path    what `cortiscore model convert` takes
  /// @param graph   .pt2 whose weights' names, shapes and dtypes the file is to have
  /// @param prefix  beginning of the names that are meant; may be empty
  /// @param notes   what was left out or changed, in words, is added
  /// @returns a .safetensors file, there until the next call
  /// @throws Error(kBadInput)  what Python says
  /// @throws Stopped           by a signal
  std::string read(const std::string& path,
                   const std::string& graph,
                   const std::string& prefix,
                   std::vector<std::string>& notes);

 private:
  struct Process;
  std::string folder_;
  std::unique_ptr<Process> process_;
};

}  // namespace cortiscore
