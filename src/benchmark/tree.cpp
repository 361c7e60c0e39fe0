#include "src/benchmark/tree.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/benchmark/recordings.h"
#include "src/core/folders.h"
#include "src/core/json_fault.h"
#include "src/data/json_file.h"

namespace cortiscore {
namespace {

using Json = nlohmann::json;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TreeNode read_node(const Json& json, const std::string& path) {
  TreeNode node;
  node.benchmark = json.value("benchmark", std::string());
  node.name = node.benchmark.empty() ? json.at("name").get<std::string>() : node.benchmark;
  node.column = json.value("column", std::string());
  node.attach = json.value("attach", std::string());
  node.weight = json.value("weight", 1.0);
  if (!(node.weight > 0 && std::isfinite(node.weight)))
    throw bad_input(
        {path, node.name + ": weight", json.at("weight").dump(), "a positive number", ""});
  if (json.contains("children")) {
    for (const auto& child : json.at("children")) node.children.push_back(read_node(child, path));
  }
  return node;
}

Tree parse(const std::string& path) {
  try {
    const auto json = read_json(path, "a tree of schema version 1");
    const auto one_of = [&](const char* key, const std::vector<std::string>& known) {
      const auto found = json.at(key).get<std::string>();
      const auto place = std::find(known.begin(), known.end(), found) - known.begin();
      if (place == static_cast<std::ptrdiff_t>(known.size()))
        throw bad_input(
            {path, key, "\"" + found + "\"", known.front() + ", ...", "See docs/formats.md"});
      return static_cast<size_t>(place);
    };
    if (json.at("schema_version") != 1)
      throw bad_input({path, "schema_version", json.at("schema_version").dump(), "1", ""});
    Tree tree;
    tree.identifier = json.at("identifier");
    tree.description = json.value("description", std::string());
    tree.raw = one_of("leaf", {"ceiled", "raw"}) == 1;
    tree.clip = json.value("clip", true);
    tree.missing = std::vector{Tree::Missing::kZero, Tree::Missing::kSkip,
                               Tree::Missing::kNone}[one_of("missing", {"zero", "skip", "none"})];
    tree.root = read_node(json.at("tree"), path);
    return tree;
  } catch (const Json::exception& e) {
    throw bad_input({path, "", json_fault(e), "a tree of schema version 1", "See docs/formats.md"});
  }
}

// Whether anything hangs below.
bool hang(TreeNode& node, const std::vector<Manifest>& benchmarks) {
  if (!node.benchmark.empty()) return true;
  if (!node.attach.empty()) {
    for (const auto& benchmark : benchmarks) {
      if (benchmark.composite && benchmark.parent == node.attach)
        node.children.push_back(
            {benchmark.identifier, benchmark.identifier, "", "", {}, benchmark.weight});
    }
  }
  std::erase_if(node.children, [&](TreeNode& child) { return !hang(child, benchmarks); });
  return !node.children.empty();
}

// Whether any of these leaves is below.
bool keep(TreeNode& node, const std::set<std::string>& benchmarks) {
  if (!node.benchmark.empty()) return benchmarks.contains(node.benchmark);
  std::erase_if(node.children, [&](TreeNode& child) { return !keep(child, benchmarks); });
  return !node.children.empty();
}

// By the leaf's benchmark, or by its column of published tables.
template <typename Value>
auto leaf_in(const std::map<std::string, Value>& by_leaf, const TreeNode& node) {
  const auto found = by_leaf.find(node.benchmark);
  return found == by_leaf.end() ? by_leaf.find(node.column) : found;
}

NodeScore visit(const TreeNode& node,
                const Tree& tree,
                const std::map<std::string, LeafScore>& scores,
                int64_t depth,
                std::vector<NodeScore>& out) {
  const auto place = out.size();
  out.push_back({node.name, node.column.empty() ? node.name : node.column, !node.benchmark.empty(),
                 depth, kNaN, kNaN});
  NodeScore result = out.back();
  if (result.leaf) {
    const auto found = leaf_in(scores, node);
    if (found != scores.end() && !std::isnan(found->second.value)) {
      result.value = tree.clip ? std::clamp(found->second.value, 0.0, 1.0) : found->second.value;
      result.error = found->second.error;
    }
  } else {
    double sum = 0, variance = 0, all = 0, present = 0;
    bool whole = true;
    for (const auto& child : node.children) {
      const auto score = visit(child, tree, scores, depth + 1, out);
      all += child.weight;
      if (std::isnan(score.value)) {
        whole = false;
        continue;
      }
      present += child.weight;
      sum += child.weight * score.value;
      variance += child.weight * child.weight * score.error * score.error;
    }
    if (present > 0 && (whole || tree.missing != Tree::Missing::kNone)) {
      const double total = tree.missing == Tree::Missing::kSkip ? present : all;
      result.value = sum / total;
      result.error = std::sqrt(variance) / total;
    }
  }
  out[place] = result;
  return result;
}

// Which leaves have a score decides what a node is the mean of, not whether a single draw has one.
struct DrawnTree {
  const Tree& tree;
  const std::map<std::string, LeafScore>& scores;
  const std::map<std::string, std::vector<double>>& draws;
  size_t n;
  std::vector<std::vector<double>> nodes = {};

  std::vector<double> leaf(const TreeNode& node) const {
    const auto score = leaf_in(scores, node);
    if (score == scores.end() || std::isnan(score->second.value)) return {};
    const auto drawn = leaf_in(draws, node);
    auto values =
        drawn == draws.end() ? std::vector<double>(n, score->second.value) : drawn->second;
    if (tree.clip) {
      for (auto& value : values) value = std::clamp(value, 0.0, 1.0);  // NaN stays
    }
    return values;
  }

  std::vector<double> visit(const TreeNode& node) {
    const auto place = nodes.size();
    nodes.emplace_back();
    std::vector<double> result;
    if (!node.benchmark.empty()) {
      result = leaf(node);
    } else {
      double all = 0, present = 0;
      bool whole = true;
      std::vector<double> sum(n, 0);
      for (const auto& child : node.children) {
        const auto values = visit(child);
        all += child.weight;
        whole = whole && !values.empty();
        if (values.empty()) continue;
        present += child.weight;
        for (size_t i = 0; i < n; ++i) sum[i] += child.weight * values[i];
      }
      if (present > 0 && (whole || tree.missing != Tree::Missing::kNone)) {
        const double total = tree.missing == Tree::Missing::kSkip ? present : all;
        for (auto& value : sum) value /= total;
        result = std::move(sum);
      }
    }
    nodes[place] = result;
    return result;
  }
};

}  // namespace

std::vector<Tree> all_trees() {
  std::vector<Tree> all;
  for (const auto& file : manifest_files("trees")) all.push_back(parse(file));
  return all;
}

Tree find_tree(const std::string& name) {
  if (name.ends_with(".json")) return parse(name);
  std::vector<std::string> known;
  for (auto& tree : all_trees()) {
    if (tree.identifier == name) return std::move(tree);
    known.push_back(tree.identifier);
  }
  throw unknown_name("tree", name, "the trees of this project and of " + home() + "/trees", known);
}

Tree with_benchmarks(Tree tree, const std::vector<Manifest>& benchmarks) {
  hang(tree.root, benchmarks);
  return tree;
}

Tree with_leaves(Tree tree, const std::set<std::string>& benchmarks) {
  keep(tree.root, benchmarks);
  return tree;
}

std::vector<NodeScore> aggregate(const Tree& tree, const std::map<std::string, LeafScore>& scores) {
  std::vector<NodeScore> out;
  visit(tree.root, tree, scores, 0, out);
  return out;
}

std::vector<std::vector<double>> aggregate_draws(
    const Tree& tree,
    const std::map<std::string, LeafScore>& scores,
    const std::map<std::string, std::vector<double>>& draws,
    size_t n) {
  DrawnTree drawn{tree, scores, draws, n};
  drawn.visit(tree.root);
  return std::move(drawn.nodes);
}

std::string platform_text(double score) {
  if (std::isnan(score)) return "X";
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", score);
  std::string shown = text;
  const auto zero = shown.find("0.");
  if (zero == 0 || (zero == 1 && shown[0] == '-')) shown.erase(zero, 1);
  return shown;
}

}  // namespace cortiscore
