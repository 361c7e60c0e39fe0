#include "src/data/json_file.h"

#include <set>
#include <vector>

#include "cortiscore/error.h"
#include "src/core/json_fault.h"
#include "src/data/arrays.h"

namespace cortiscore {

using Json = nlohmann::json;

Json read_json(const std::string& path, const std::string& expected) {
  return parse_json(read_file(path), path, expected);
}

Json parse_json(const std::string& text, const std::string& path, const std::string& expected) {
  constexpr int kDeepest = 100;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto look = [&](int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth > kDeepest)
      throw bad_input({path, "",
                       "lists or objects nested over " + std::to_string(kDeepest) + " deep",
                       expected, "See docs/formats.md"});
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw bad_input({path, "\"" + parsed.get<std::string>() + "\"", "it twice in one object",
                       "every key once, since one of the two would be ignored", "Leave one"});
    return true;
  };
  try {
    return Json::parse(text, look);
  } catch (const Json::exception& e) {
    throw bad_input({path, "", json_fault(e), expected + ", as JSON", "See docs/formats.md"});
  }
}

}  // namespace cortiscore
