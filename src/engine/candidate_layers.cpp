#include "src/engine/candidate_layers.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include <fnmatch.h>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

constexpr std::initializer_list<const char*> kReshapes = {"Flatten", "Identity", "Permute", "Pad"};

// A call of its own, or a further tensor, of a module.
bool is_part(const Layer& layer) {
  return layer.name.find_first_of("@#") != std::string::npos;
}

bool is_usable(const Layer& layer, int64_t min_features) {
  return layer.unusable.empty() && !layer.shape.empty() && layer.n_features() >= min_features;
}

// A module: its layer, where it is called, and those inside it.
struct Module {
  std::string word;  // its own name within the one that holds it
  const Layer* layer = nullptr;
  std::vector<size_t> children;  // in order of execution
  size_t last = 0;               // place in the table of the last layer within
  int64_t n_leaves = 0;
};

bool is_number(const std::string& word) {
  return !word.empty() &&
         std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c); });
}

// Of "block3-1" what it shares with "block3-0": what stands before the last number.
std::string before_number(const std::string& word) {
  const auto end = word.find_last_not_of("0123456789");
  return end == std::string::npos ? "" : word.substr(0, end + 1);
}

class Structure {
 public:
  explicit Structure(const std::vector<Layer>& layers) : modules_(1) {
    for (size_t i = 0; i < layers.size(); ++i) {
      if (!is_part(layers[i])) add(layers[i], i);
    }
    finish(0);
    walk(0, /*in_sequence=*/false);
    leave_insides_out();
  }

  // Layers of the table, in order.
  std::vector<const Layer*> found() const {
    std::vector<const Layer*> layers;
    for (const auto& one : found_) layers.push_back(modules_[one.module].layer);
    return layers;
  }

 private:
  struct Found {
    size_t module;
    size_t parent;
    bool block;
    bool in_sequence;  // of blocks
  };

  // Of a layer that stands where several are of one name, the last.
  void add(const Layer& layer, size_t at) {
    size_t module = 0, begin = 0;
    while (begin <= layer.name.size()) {
      const auto end = std::min(layer.name.find('.', begin), layer.name.size());
      const auto word = layer.name.substr(begin, end - begin);
      auto& inside = places_[{module, word}];
      if (inside == 0) {
        inside = modules_.size();
        modules_[module].children.push_back(inside);
        modules_.push_back({});
        modules_.back().word = word;
      }
      module = inside;
      begin = end + 1;
    }
    modules_[module].layer = &layer;
    modules_[module].last = at;
  }

  void finish(size_t module) {
    const auto children = modules_[module].children;
    for (const auto child : children) finish(child);
    auto& own = modules_[module];
    own.n_leaves = children.empty() ? 1 : 0;
    for (const auto child : children) {
      own.n_leaves += modules_[child].n_leaves;
      own.last = std::max(own.last, modules_[child].last);
    }
    std::stable_sort(own.children.begin(), own.children.end(),
                     [&](size_t a, size_t b) { return modules_[a].last < modules_[b].last; });
  }

  bool is_leaf(size_t module) const { return modules_[module].children.empty(); }

  bool holds_leaves_alone(size_t module) const {
    const auto& children = modules_[module].children;
    return std::all_of(children.begin(), children.end(), [&](size_t c) { return is_leaf(c); });
  }

  // The value that a module gives; of one that is a list and never called, what its last one gives.
  std::string value_of(size_t module) const {
    const auto& own = modules_[module];
    if (own.layer) return own.layer->value;
    return own.children.empty() ? "" : value_of(own.children.back());
  }

  bool gives_what_its_last_one_gives(size_t module) const {
    const auto& own = modules_[module];
    return !own.layer || value_of(own.children.back()) == own.layer->value;
  }

  bool is_numbered(size_t module) const {
    std::set<std::string> before;
    for (const auto child : modules_[module].children) {
      const auto& word = modules_[child].word;
      if (word.empty() || !std::isdigit(static_cast<unsigned char>(word.back()))) return false;
      before.insert(before_number(word));
    }
    return before.size() == 1 && (modules_[module].children.size() > 1 || before.begin()->empty());
  }

  bool is_sequence(size_t module) const {
    return !is_leaf(module) && is_numbered(module) && gives_what_its_last_one_gives(module);
  }

  // A stage: what it gives is what its list of blocks gives.
  bool ends_with_blocks(size_t module) const {
    if (!gives_what_its_last_one_gives(module)) return false;
    const auto& children = modules_[module].children;
    return std::any_of(children.begin(), children.end(), [&](size_t list) {
      const auto& own = modules_[list].children;
      return is_sequence(list) && is_number(modules_[own.front()].word) &&
             std::count_if(own.begin(), own.end(),
                           [&](size_t c) { return !is_leaf(c) && !is_sequence(c); }) >= 2;
    });
  }

  // Most of the network; unless that is one block, which adds something to what its layers give.
  bool is_trunk(size_t module) const {
    return 2 * modules_[module].n_leaves > modules_[0].n_leaves &&
           (!holds_leaves_alone(module) || gives_what_its_last_one_gives(module));
  }

  void take(size_t module, size_t parent, bool block, bool in_sequence = false) {
    if (modules_[module].layer) found_.push_back({module, parent, block, in_sequence});
  }

  void walk_inside(size_t module, bool in_sequence) {
    for (const auto child : modules_[module].children) {
      if (is_leaf(child))
        take(child, module, /*block=*/false);
      else
        walk(child, in_sequence);
    }
  }

  void walk(size_t module, bool in_sequence) {
    constexpr size_t kUnit = 4;  // convolution, normalisation, activation, pooling
    const auto& own = modules_[module];
    if (module == 0) return walk_inside(module, false);
    if (is_sequence(module)) {
      const bool leaves = holds_leaves_alone(module);
      const bool mixed = !leaves && std::any_of(own.children.begin(), own.children.end(),
                                                [&](size_t c) { return is_leaf(c); });
      const bool whole =
          leaves ? in_sequence || own.children.size() <= kUnit : in_sequence && mixed;
      if (whole && own.layer) return take(module, 0, /*block=*/true, in_sequence);
      return walk_inside(module, /*in_sequence=*/!leaves);
    }
    if (!own.layer || is_trunk(module) || ends_with_blocks(module))
      return walk_inside(module, false);
    take(module, 0, /*block=*/true, in_sequence);
  }

  bool has_type(const Found& one, std::initializer_list<const char*> words) const {
    const auto& type = modules_[one.module].layer->type;
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return type.find(word) != std::string::npos; });
  }

  void leave_insides_out() {
    int64_t in_blocks = 0;
    for (const auto& one : found_) in_blocks += one.block ? modules_[one.module].n_leaves : 0;
    const auto is_block = [](const Found& one) { return one.block; };
    const bool of_blocks = 2 * in_blocks > modules_[0].n_leaves;
    const auto first = std::find_if(found_.begin(), found_.end(), is_block);
    // Behind the sequences of blocks, or the blocks: a head may be one as well.
    auto last = std::find_if(found_.rbegin(), found_.rend(),
                             [](const Found& one) { return one.block && one.in_sequence; });
    if (last == found_.rend()) last = std::find_if(found_.rbegin(), found_.rend(), is_block);
    const auto behind = last.base();
    // The last that computes: where tokens get their places, that is a dropout. What only
    // normalises may be of the image.
    const auto computes = [&](const Found& one) {
      return !has_type(one, kReshapes) && !has_type(one, {"Norm"});
    };
    const auto before = std::find_if(std::make_reverse_iterator(first), found_.rend(), computes);
    const auto stem = before == found_.rend() ? found_.end() : std::prev(before.base());
    std::vector<Found> kept;
    for (auto one = found_.begin(); one != found_.end(); ++one) {
      if (one->block) {
        kept.push_back(*one);
        continue;
      }
      if (of_blocks && one < behind) {
        if (one == stem) kept.push_back(*one);
        continue;
      }
      if (has_type(*one, kReshapes) || has_type(*one, {"Dropout"})) continue;
      const auto next = one + 1;
      const bool completed = has_type(*one, {"Conv", "Linear", "Norm"}) && next != found_.end() &&
                             !next->block && next->parent == one->parent &&
                             !has_type(*next, kReshapes) &&
                             !has_type(*next, {"Conv", "Linear", "Dropout"});
      if (!completed) kept.push_back(*one);
    }
    found_ = std::move(kept);
  }

  std::vector<Module> modules_;
  std::map<std::pair<size_t, std::string>, size_t> places_;
  std::vector<Found> found_;
};

// Outputs of distinct values by their outermost, shortest names, in order of execution.
// @param among  values; all of them where it is not given
std::vector<std::string> distinct(const std::vector<Layer>& layers,
                                  int64_t min_features,
                                  const std::optional<std::set<std::string>>& among = {}) {
  std::vector<std::string> names;
  std::map<std::string, size_t> place;
  for (const auto& layer : layers) {
    if (is_part(layer) || !is_usable(layer, min_features)) continue;
    if (among && !among->contains(layer.value)) continue;
    const auto [it, fresh] = place.try_emplace(layer.value, names.size());
    if (fresh)
      names.push_back(layer.name);
    else if (layer.name.size() < names[it->second].size())
      names[it->second] = layer.name;
  }
  return names;
}

std::set<std::string> values_of_blocks(const std::vector<Layer>& layers) {
  const Structure structure(layers);
  std::set<std::string> values;
  for (const auto* layer : structure.found()) values.insert(layer->value);
  return values;
}

}  // namespace

std::string name_of(CandidatesFrom from) {
  return from == CandidatesFrom::kAll ? "all" : "blocks";
}

CandidatesFrom candidates_from(const std::string& name) {
  for (const auto from : {CandidatesFrom::kBlocks, CandidatesFrom::kAll}) {
    if (name == name_of(from)) return from;
  }
  throw Error(ErrorKind::kUsage, "--from: found \"" + name + "\", expected blocks or all.");
}

std::vector<std::string> blocks_of(const std::vector<Layer>& layers) {
  return distinct(layers, 1, values_of_blocks(layers));
}

std::vector<std::string> candidate_layers(const std::vector<Layer>& layers,
                                          CandidatesFrom from,
                                          int64_t count,
                                          int64_t min_features) {
  std::vector<std::string> all;
  if (from == CandidatesFrom::kBlocks)
    all = distinct(layers, min_features, values_of_blocks(layers));
  if (all.empty()) all = distinct(layers, min_features);
  const auto n = static_cast<int64_t>(all.size());
  if (n <= count) return all;
  std::vector<std::string> spaced;
  for (int64_t i = 0; i < count; ++i)
    spaced.push_back(all[static_cast<size_t>((2 * i + 1) * n / (2 * count))]);
  return spaced;
}

std::vector<std::string> layers_like(const std::vector<Layer>& layers,
                                     const std::string& pattern,
                                     int64_t min_features) {
  std::vector<Layer> like;
  std::copy_if(layers.begin(), layers.end(), std::back_inserter(like), [&](const Layer& layer) {
    return ::fnmatch(pattern.c_str(), layer.name.c_str(), 0) == 0;
  });
  return distinct(like, min_features);
}

}  // namespace cortiscore
