#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/model/layer.h"

namespace cortiscore {

/// Which layers of a network are tried where none is committed to.
enum class CandidatesFrom {
  kBlocks,  ///< what its structure is made of: blocks_of()
  kAll      ///< every distinct output
};

/// "blocks", "all".
std::string name_of(CandidatesFrom from);
/// @throws Error(kUsage)  another word
CandidatesFrom candidates_from(const std::string& name);

/// The outputs that a network's structure shows, in order of execution, found from the names of its
/// modules and from which of them give the same value:
///
/// - blocks: modules of a sequence (numbered modules, the last of which gives what the sequence
///   gives), whether residual, transformer, dense or Inception blocks, stages, or units of up to
///   four layers; and other modules with layers inside, but for those that hold most of the
///   network, which are looked into;
/// - the last layer before the first block (the stem), and those behind the sequences of blocks
///   (pooled, normalised, logits);
/// - where blocks hold less than half of the layers (AlexNet, VGG), the layers themselves.
///
/// A product or normalisation that another layer completes (conv, norm, relu) is an inside, and
/// what only reshapes is no layer of its own.
/// @param layers  the layer table, in order of execution
/// @return names, those that values have by outermost modules
std::vector<std::string> blocks_of(const std::vector<Layer>& layers);

/// Layers that are tried: with at least `min_features` features, evenly spaced in depth where there
/// are more than `count`, whole. Single calls of a module that runs several times are not among
/// them, nor further tensors of one that returns several, nor layers that are unusable. Where no
/// block is left all distinct outputs are tried.
std::vector<std::string> candidate_layers(const std::vector<Layer>& layers,
                                          CandidatesFrom from,
                                          int64_t count,
                                          int64_t min_features);

/// Of every distinct output with at least `min_features` features that has a name like the pattern
/// (*, ?, [0-2]), the shortest such name; in order of execution.
std::vector<std::string> layers_like(const std::vector<Layer>& layers,
                                     const std::string& pattern,
                                     int64_t min_features);

}  // namespace cortiscore
