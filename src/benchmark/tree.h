#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "src/benchmark/manifest.h"

namespace cortiscore {

/// A node of a composite: children, or a leaf's benchmark.
struct TreeNode {
  std::string name;       ///< of a leaf: the benchmark's identifier
  std::string benchmark;  ///< empty: an inner node
  std::string column;     ///< of published tables, beside the identifier; may be empty
  std::string attach;     ///< benchmarks whose manifest names this as their parent hang here
  std::vector<TreeNode> children;
  double weight = 1;  ///< in its parent's mean
};

/// How scores become one: a file of data_manifests/trees or home()/trees, schema version 1
/// (docs/formats.md).
struct Tree {
  enum class Missing {
    kZero,  ///< a child without a score counts as zero; where all lack one, so does the node
    kSkip,  ///< a node is the mean of the children that have a score
    kNone   ///< a node with a child without a score has none
  };
  std::string identifier, description;
  bool raw = false;  ///< leaves are raw scores, else ceiled ones
  bool clip = true;  ///< leaves are clipped to 0..1
  Missing missing = Missing::kZero;
  TreeNode root;
};

/// @throws Error(kBadInput)  a file that is no tree of schema version 1
std::vector<Tree> all_trees();
/// @throws Error(kUnknownName)  with the nearest names
Tree find_tree(const std::string& name);

/// The tree with these benchmarks hung under the nodes that attach, without nodes that have no leaf
/// left. Benchmarks that join no composite, and those whose parent is no node, are left out.
Tree with_benchmarks(Tree tree, const std::vector<Manifest>& benchmarks);

/// The tree with these leaves alone, without nodes that have none left.
Tree with_leaves(Tree tree, const std::set<std::string>& benchmarks);

/// A score and the standard deviation of its error (NaN: unknown).
struct LeafScore {
  double value = 0, error = 0;
};
struct NodeScore {
  std::string name;
  std::string label;  ///< short: of a leaf its column, where it has one
  bool leaf = false;
  int64_t depth = 0;
  double value = 0;  ///< NaN: none
  double error = 0;  ///< leaves taken as independent
};

/// Every node's score, parents before children, in the tree's order; the first is the composite.
/// @param scores  by benchmark identifier; NaN is a failed one
/// Source: BENCHMARKS.md 4.1 (zero: since 2024; skip: before), 4.3.
std::vector<NodeScore> aggregate(const Tree& tree, const std::map<std::string, LeafScore>& scores);

/// The same nodes draw by draw, [n] each, by the same rules; what has no score has none in any draw
/// (an empty list).
/// @param draws  by benchmark, [n]; a leaf without has its score in every draw
std::vector<std::vector<double>> aggregate_draws(
    const Tree& tree,
    const std::map<std::string, LeafScore>& scores,
    const std::map<std::string, std::vector<double>>& draws,
    size_t n);

/// Three decimals without the leading zero, as the platform shows scores (".549", "1.000"); "X"
/// where it is NaN.
std::string platform_text(double score);

}  // namespace cortiscore
