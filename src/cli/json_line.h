#pragma once
#include <string>

#include "src/results/json.h"

namespace cortiscore::cli {

/// JSON on one line, as every verb prints it: what printable() escapes in text is escaped here as
/// JSON escapes it (\u202e), so that a reader gets the value and a terminal nothing to obey. A byte
/// that is no UTF-8 becomes U+FFFD. The store's bytes are canonical()'s, which escape less.
std::string json_line(const Json& value);

}  // namespace cortiscore::cli
