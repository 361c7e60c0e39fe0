#include "src/cli/json_line.h"

#include "src/core/printable.h"

namespace cortiscore::cli {

std::string json_line(const Json& value) {
  return printable_json(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace cortiscore::cli
