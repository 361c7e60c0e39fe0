#include "src/core/random.h"

#include <gtest/gtest.h>

namespace cortiscore {
namespace {

// Random123's published known answers for philox4x32-10 (kat_vectors).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32(0, 0, 0),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32(~0ULL, ~0ULL, ~0ULL),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

// numpy.random.RandomState(1): randint(0, 2**32, 3), permutation(10).
TEST(NumpyRandomState, EqualsNumpy) {
  NumpyRandomState words(1);
  EXPECT_EQ(words.next_uint32(), 1791095845U);
  EXPECT_EQ(words.next_uint32(), 4282876139U);
  EXPECT_EQ(words.next_uint32(), 3093770124U);
  NumpyRandomState random(1);
  EXPECT_EQ(random.permutation(10), (std::vector<int64_t>{2, 9, 6, 4, 0, 3, 1, 7, 8, 5}));
}

}  // namespace
}  // namespace cortiscore
