#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cortiscore/error.h"
#include "src/results/json.h"

namespace cortiscore {

/// What sets each option of an owner, by its name; it is told the flag of that name, for messages.
template <typename Owner>
using OptionSetters =
    std::map<std::string, std::function<void(Owner&, const std::string& flag, const Json& value)>>;

/// @throws Error(kUsage)  "FLAG: found FOUND, expected EXPECTED."
[[noreturn]] inline void refuse_option(const std::string& flag,
                                       const Json& found,
                                       const std::string& expected) {
  throw Error(ErrorKind::kUsage, flag + ": found " +
                                     (found.is_null() ? "nothing" : found.dump().substr(0, 60)) +
                                     ", expected " + expected + ".");
}

/// Sets what is named: options by the names of the command line's flags, with _ for -.
/// @param what, where  of a name that is none, for its message
/// @throws Error(kUsage)  a name that is none, with the nearest; what a setter throws
template <typename Owner>
void set_named(const Json& named,
               const OptionSetters<Owner>& setters,
               const std::string& what,
               const std::string& where,
               Owner& owner) {
  for (const auto& [name, value] : named.items()) {
    const auto setter = setters.find(name);
    if (setter == setters.end()) {
      std::vector<std::string> known;
      for (const auto& [other, set] : setters) known.push_back(other);
      throw Error(ErrorKind::kUsage, unknown_name(what, name, where, known).what());
    }
    auto flag = "--" + name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    setter->second(owner, flag, value);
  }
}

}  // namespace cortiscore
