#pragma once
#include <string>
#include <vector>

namespace cortiscore {

/// A file of a network or of weights, as a sweep takes it.
struct CheckpointFile {
  std::string path;  ///< a file, an index of shards, or a folder of torch.distributed.checkpoint
  std::string name;  ///< what its folder calls it; empty: it is called by its file
};

/// What a path, a pattern as a shell expands it, or a folder means: in natural order
/// (checkpoint-500 before checkpoint-1000), shards as their one index. A path that exists is that
/// path, whatever brackets it has. Of a folder the checkpoints in it, as deep as four folders:
/// .safetensors or their index, .pt2, with a graph also .pth, .pt, .ckpt, .bin and folders of
/// torch.distributed.checkpoint; what training keeps beside (optimizer.pt and the like) is not
/// among them.
/// @param weights  whether there is a graph that runs weights
/// @param notes    what was found in a folder, in words, is added
/// @throws Error(kBadInput)  nothing found, weights without a graph, or a shard without its index
std::vector<CheckpointFile> checkpoint_files(const std::string& pattern,
                                             bool weights,
                                             std::vector<std::string>& notes);

/// A path's file without its ending: of "a/model.safetensors.index.json" and "a/model.safetensors"
/// it is "model".
std::string stem_of(const std::string& path);

/// The files whose contents a checkpoint is: itself, its shards, or all of a folder.
std::vector<std::string> files_behind(const std::string& path);

/// Names for paths that their stems do not tell apart: of the parts of the paths that differ,
/// joined by "/".
std::vector<std::string> distinct_names(const std::vector<std::string>& paths);

/// What a record calls a network that is opened by itself: what its archive says, else its stem.
std::string recorded_name(const std::string& path);

}  // namespace cortiscore
