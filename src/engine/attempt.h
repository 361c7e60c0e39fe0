#pragma once
#include <functional>
#include <optional>

#include "src/core/failure.h"

namespace cortiscore {

/// Runs `body`; what it throws becomes a value, but for Stopped and for a store that cannot be
/// written.
std::optional<Failure> attempt(const std::function<void()>& body);

}  // namespace cortiscore
