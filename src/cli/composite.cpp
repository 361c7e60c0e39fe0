#include "src/cli/composite.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <set>

#include "cortiscore/error.h"
#include "src/cli/record_table.h"
#include "src/cli/table.h"
#include "src/core/notes.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/core/terminal.h"
#include "src/data/arrays.h"
#include "src/data/number_text.h"
#include "src/data/table.h"
#include "src/kinds/kinds.h"
#include "src/score/interval.h"

namespace cortiscore::cli {
namespace {

LeafScore leaf_of(const Json& record, const Tree& tree) {
  if (record.at("status") != "ok") return {std::nan(""), std::nan("")};
  if (tree.raw) {
    const auto& raw = record.at("raw");
    // Of what has no ceiling, the platform's error is the spread of single choices; the interval is
    // the mean's.
    const double value = value_of(record.at("score"), "raw");
    if (!record.at("score").at("ceiling_convention").is_null())
      return {value, value_of(raw, "error")};
    const double z = normal_quantile((1 + record.at("error").at("level").get<double>()) / 2);
    return {value, (value_of(raw, "ci_hi") - value_of(raw, "ci_lo")) / (2 * z)};
  }
  return {value_of(record.at("score"), "ceiled"), value_of(record.at("error"), "ceiled")};
}

void collect_leaves(const TreeNode& node, std::set<std::string>& leaves) {
  if (!node.benchmark.empty()) leaves.insert(node.benchmark);
  for (const auto& child : node.children) collect_leaves(child, leaves);
}

std::set<std::string> leaves_of(const Tree& tree) {
  std::set<std::string> leaves;
  collect_leaves(tree.root, leaves);
  return leaves;
}

// Highest first, networks without a composite last, names in order among equals.
void order(std::vector<Ranked>& ranking) {
  std::stable_sort(ranking.begin(), ranking.end(), [](const Ranked& a, const Ranked& b) {
    const double x = a.nodes.front().value, y = b.nodes.front().value;
    if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
    return x != y ? x > y : a.model < b.model;
  });
  for (size_t i = 0; i < ranking.size(); ++i) {
    const double value = ranking[i].nodes.front().value;
    if (std::isnan(value)) continue;
    const bool tied = i > 0 && ranking[i - 1].nodes.front().value == value;
    ranking[i].place = tied ? ranking[i - 1].place : static_cast<int64_t>(i) + 1;
  }
}

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

}  // namespace

void print_composite(const std::vector<Json>& records,
                     const std::vector<Manifest>& benchmarks,
                     const Tree& tree) {
  const auto hung = with_benchmarks(tree, benchmarks);
  if (leaves_of(hung).size() < 2) return;
  std::map<std::string, LeafScore> scores;
  for (const auto& record : records)
    scores[record.at("benchmark_identifier")] = leaf_of(record, tree);
  const auto nodes = aggregate(hung, scores);
  const auto& composite = nodes.front();
  std::string parts;
  for (const auto& node : nodes) {
    if (node.depth == 1) parts += (parts.empty() ? "" : ", ") + node.name + " " + cell(node.value);
  }
  const double half = 1.96 * composite.error;
  const auto interval = cell(composite.value - half) + " .. " + cell(composite.value + half);
  print_record_cells({printable(records.front().at("model_identifier").get<std::string>()),
                      tree.identifier, "", "", cell(composite.value), interval, "",
                      "mean of " + parts});
}

std::vector<Ranked> rank_store(Store& store, const RecordFilter& filter, const Tree& tree) {
  std::map<std::string, std::map<std::string, Json>> latest;  // by model, benchmark
  store.each(filter, [&](const Json& record) {
    auto& kept = latest[record.at("model_identifier")][record.at("benchmark_identifier")];
    // A failure counts only where there is no score.
    const bool better =
        kept.is_null() || (record.at("status") == "ok" && kept.at("status") != "ok") ||
        (record.at("status") == kept.at("status") && record.at("end") >= kept.at("end"));
    if (better) kept = record;
    leaf_of(record, tree);  // where it has no number, the store names the record
  });
  std::set<std::string> seen;
  for (const auto& [model, records] : latest) {
    for (const auto& [benchmark, record] : records) seen.insert(benchmark);
  }
  std::vector<Manifest> real, simulated;
  for (const auto& benchmark : manifests_of(all_benchmarks())) {
    if (seen.contains(benchmark.identifier))
      (benchmark.simulated ? simulated : real).push_back(benchmark);
  }
  const auto hung = with_benchmarks(tree, real.empty() ? simulated : real);
  const auto leaves = leaves_of(hung);
  if (std::none_of(leaves.begin(), leaves.end(),
                   [&](const auto& leaf) { return seen.contains(leaf); })) {
    throw bad_input({store.folder(), "benchmarks",
                     std::to_string(seen.size()) + ", none of tree " + tree.identifier,
                     "results of at least one", "Score networks first, or choose another --tree"});
  }
  std::vector<Ranked> ranking;
  for (const auto& [model, records] : latest) {
    std::map<std::string, LeafScore> scores;
    for (const auto& [benchmark, record] : records) scores[benchmark] = leaf_of(record, tree);
    ranking.push_back({0, model, aggregate(hung, scores)});
  }
  order(ranking);
  return ranking;
}

std::vector<Ranked> rank_table(const std::string& path, const Tree& tree) {
  const auto table = read_table(path);
  const auto models = table.text("model");
  const auto hung = with_benchmarks(tree, manifests_of(all_benchmarks()));
  std::vector<std::map<std::string, LeafScore>> scores(models.size());
  bool any = false;
  const auto take = [&](const std::string& column, const std::string& benchmark) {
    if (column.empty() || !table.has(column)) return;
    any = true;
    const auto cells = table.column(column);
    for (size_t i = 0; i < cells.size(); ++i) {
      if (cells[i] == "X" || is_missing(cells[i])) continue;
      double value = 0;
      if (!parse_number(cells[i], value))
        throw bad_input({path, table.place(i) + ", column " + column, shown(cells[i]),
                         "a number, X or nothing", ""});
      scores[i][benchmark] = {value, std::nan("")};
    }
  };
  std::string wanted;
  const std::function<void(const TreeNode&)> visit = [&](const TreeNode& node) {
    for (const auto& child : node.children) visit(child);
    if (node.benchmark.empty()) return;
    wanted += (wanted.empty() ? "" : ", ") + (node.column.empty() ? node.benchmark : node.column);
    take(node.column, node.benchmark);
    take(node.benchmark, node.benchmark);
  };
  visit(hung.root);
  if (!any)
    throw bad_input(
        {path, "columns", "none of tree " + tree.identifier, wanted, "Choose another --tree"});
  std::vector<Ranked> ranking;
  for (size_t i = 0; i < models.size(); ++i)
    ranking.push_back({0, models[i], aggregate(hung, scores[i])});
  order(ranking);
  return ranking;
}

void print_ranking(const std::vector<Ranked>& ranking, bool json) {
  if (ranking.empty()) return log_line("no results");
  if (json) {
    for (const auto& ranked : ranking) {
      Json nodes = Json::object(), leaves = Json::object();
      for (size_t i = 1; i < ranked.nodes.size(); ++i)
        (ranked.nodes[i].leaf ? leaves : nodes)[ranked.nodes[i].name] =
            number_or_null(ranked.nodes[i].value);
      const auto& composite = ranked.nodes.front();
      std::cout << canonical({{"rank", ranked.place ? Json(ranked.place) : Json(nullptr)},
                              {"model_identifier", ranked.model},
                              {"score", number_or_null(composite.value)},
                              {"error", number_or_null(composite.error)},
                              {"nodes", nodes},
                              {"leaves", leaves}})
                << '\n';
    }
    return;
  }
  // Inner nodes first; leaves stand under their own names where the tree has no inner ones.
  std::vector<size_t> shown;
  const auto& first = ranking.front().nodes;
  for (const bool leaf : {false, true}) {
    for (size_t i = 1; i < first.size(); ++i) {
      if (first[i].leaf == leaf && (!leaf || shown.empty() || first[shown.front()].leaf))
        shown.push_back(i);
    }
  }
  std::vector<Column> columns = {{0, 4}, {2, 30, true}, {1, 9}, {1, 7}};
  std::vector<std::string> header = {"rank", "network", "composite", "+-"};
  for (const auto i : shown) {
    columns.push_back({2, std::max<int64_t>(columns_of(first[i].label), 5)});
    header.push_back(first[i].label);
  }
  print_cells(columns, header);
  for (const auto& ranked : ranking) {
    const auto& composite = ranked.nodes.front();
    std::vector<std::string> cells = {
        ranked.place ? std::to_string(ranked.place) : "-", printable(ranked.model),
        platform_text(composite.value),
        std::isnan(composite.error) ? "" : platform_text(composite.error)};
    for (const auto i : shown) cells.push_back(platform_text(ranked.nodes[i].value));
    print_cells(columns, cells);
  }
}

}  // namespace cortiscore::cli
