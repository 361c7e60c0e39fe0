#pragma once
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

namespace cortiscore::test {

/// Whether this machine was said to have a CUDA device: then a test that finds none fails, so that
/// no run on a GPU passes by skipping everything.
inline bool cuda_is_promised() {
  const char* promise = std::getenv("CORTISCORE_REQUIRE_CUDA");
  return promise && std::string_view(promise) == "1";
}

/// Ends a test that needs a CUDA device where there is none.
#define CORTISCORE_END_WITHOUT_CUDA()                                                  \
  do {                                                                                 \
    if (cortiscore::test::cuda_is_promised())                                          \
      GTEST_FAIL() << "CORTISCORE_REQUIRE_CUDA=1, and no CUDA device on this machine"; \
    GTEST_SKIP() << "no CUDA device on this machine";                                  \
  } while (false)

}  // namespace cortiscore::test
