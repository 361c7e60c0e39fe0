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

// random.Random(1751): random(), then randrange(5) ten times, then choice(range(4369)) three times.
TEST(PythonRandom, EqualsPython) {
  PythonRandom random(1751);
  EXPECT_EQ(random.uniform(), 0x1.b1a11c4950d80p-8);
  std::vector<int64_t> small, large;
  for (int i = 0; i < 10; ++i) small.push_back(random.below(5));
  for (int i = 0; i < 3; ++i) large.push_back(random.below(4369));
  EXPECT_EQ(small, (std::vector<int64_t>{2, 1, 1, 3, 1, 2, 2, 1, 2, 4}));
  EXPECT_EQ(large, (std::vector<int64_t>{550, 3706, 2765}));
}

// numpy.random.default_rng(seed): bit_generator.random_raw(3), permutation, integers.
TEST(NumpyGenerator, EqualsNumpy) {
  NumpyGenerator words(0);
  EXPECT_EQ(words.next_uint64(), 0xa30febcfd9c2825fULL);
  EXPECT_EQ(words.next_uint64(), 0x4510bdf882d9d721ULL);
  EXPECT_EQ(words.next_uint64(), 0x0a7d3da94ecde8b8ULL);
  NumpyGenerator orders(0);
  EXPECT_EQ(orders.permutation(10), (std::vector<int64_t>{4, 6, 2, 7, 3, 5, 9, 0, 8, 1}));
  EXPECT_EQ(orders.permutation(3), (std::vector<int64_t>{0, 2, 1}));
  NumpyGenerator draws(7);
  EXPECT_EQ(draws.integers(1000, 8),
            (std::vector<int64_t>{944, 625, 684, 897, 578, 775, 833, 225}));
  EXPECT_EQ(draws.integers(7, 5), (std::vector<int64_t>{0, 2, 1, 6, 6}));
  NumpyGenerator wide(123456789);
  EXPECT_EQ(wide.integers(int64_t{1} << 31, 3),
            (std::vector<int64_t>{1934850206, 59512654, 1256843110}));
}

}  // namespace
}  // namespace cortiscore
