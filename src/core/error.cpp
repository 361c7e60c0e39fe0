#include "cortiscore/error.h"

#include <algorithm>

#include "src/core/nearest_name.h"

namespace cortiscore {

Error bad_input(const BadInput& parts) {
  std::string message = parts.where;
  if (!parts.field.empty()) message += ": " + parts.field;
  message += ": found " + parts.found + ", expected " + parts.expected + ".";
  if (!parts.action.empty()) message += " " + parts.action + ".";
  return Error(ErrorKind::kBadInput, message);
}

Error unknown_name(const std::string& what,
                   const std::string& name,
                   const std::string& where,
                   const std::vector<std::string>& known) {
  const auto ranked = by_distance(name, known);
  std::string message = "no " + what + " \"" + name + "\" in " + where + ".";
  if (ranked.empty()) return Error(ErrorKind::kUnknownName, message + " It has none.");
  message += " Nearest of " + std::to_string(ranked.size()) + ":";
  for (size_t i = 0; i < std::min<size_t>(5, ranked.size()); ++i) {
    message += (i ? ", " : " ") + ranked[i].second;
  }
  return Error(ErrorKind::kUnknownName, message + ".");
}

}  // namespace cortiscore
