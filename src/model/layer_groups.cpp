#include "src/model/layer_groups.h"

#include <algorithm>
#include <set>

namespace cortiscore {
namespace {

// The first so many parts of a dotted name.
std::string beginning(const std::string& name, int parts) {
  size_t end = 0;
  for (int i = 0; i < parts && end != std::string::npos; ++i)
    end = name.find('.', end ? end + 1 : 0);
  return name.substr(0, end);
}

}  // namespace

std::vector<std::string> layer_groups(const std::vector<std::pair<std::string, int64_t>>& ends,
                                      int64_t n_nodes,
                                      size_t most) {
  std::vector<std::pair<int64_t, std::string>> in_order;
  for (const auto& [name, end] : ends) {
    if (end >= 0) in_order.emplace_back(end, name.substr(0, name.find_first_of("@#:")));
  }
  // Of layers that are there at once the one that is deepest in the tree of modules.
  std::sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second.size() > b.second.size();
  });
  std::vector<std::string> owners;
  auto next = in_order.begin();
  for (int64_t node = 0; node < n_nodes; ++node) {
    while (next != in_order.end() && next->first < node) ++next;
    owners.push_back(next == in_order.end() ? "output" : next->second);
  }
  std::vector<std::string> groups;
  for (int parts = 1; parts <= 6; ++parts) {
    std::vector<std::string> finer;
    std::set<std::string> names;
    for (const auto& owner : owners) {
      finer.push_back(beginning(owner, parts));
      names.insert(finer.back());
    }
    if (parts > 1 && names.size() > most) break;
    groups = std::move(finer);
  }
  return groups;
}

}  // namespace cortiscore
