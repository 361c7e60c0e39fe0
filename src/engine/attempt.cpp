#include "src/engine/attempt.h"

#include "src/core/stop.h"
#include "src/results/store.h"

namespace cortiscore {

std::optional<Failure> attempt(const std::function<void()>& body) {
  try {
    body();
    return std::nullopt;
  } catch (const StoreError&) {
    throw;
  } catch (const Stopped&) {
    throw;
  } catch (...) {
    return current_failure();
  }
}

}  // namespace cortiscore
