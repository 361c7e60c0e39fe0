#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cortiscore {

/// The Mersenne twister: Matsumoto & Nishimura 1998.
class Mt19937 {
 public:
  uint32_t next_uint32();

 protected:
  /// init_genrand
  explicit Mt19937(uint32_t seed);
  std::array<uint32_t, 624> state_{};
  size_t position_ = 624;
};

/// NumPy's legacy `RandomState(seed)`: MT19937 and the draws that scikit-learn's splitters make,
/// bit for bit.
/// Source: numpy/random/src/mt19937/mt19937.c (seeding, tempering) and legacy distributions
/// (random_interval).
class NumpyRandomState : public Mt19937 {
 public:
  explicit NumpyRandomState(uint32_t seed) : Mt19937(seed) {}
  /// Uniform on 0..max inclusive, by masked rejection.
  uint32_t interval(uint32_t max);
  void shuffle(std::vector<int64_t>& values);
  /// `permutation(n)`: a shuffled 0..n-1.
  std::vector<int64_t> permutation(int64_t n);
};

/// Python's `random.Random(seed)`, bit for bit. Source: Modules/_randommodule.c (init_by_array),
/// Lib/random.py.
class PythonRandom : public Mt19937 {
 public:
  explicit PythonRandom(uint32_t seed);
  /// `random()`: [0, 1) with 53 bits.
  double uniform();
  /// `randrange(n)`, and the place that `choice` takes of n: bits of n, again until they are below
  /// it.
  int64_t below(int64_t n);
};

/// NumPy's `default_rng(seed)`: PCG64 seeded through SeedSequence, and the draws of `Generator`
/// that the published platform makes, bit for bit.
/// Source: O'Neill 2014 (PCG XSL-RR 128/64); numpy/random/bit_generator.pyx (SeedSequence),
/// _generator.pyx (shuffle), distributions.c (random_interval; buffered_bounded_lemire_uint32:
/// Lemire 2019).
class NumpyGenerator {
 public:
  explicit NumpyGenerator(uint32_t seed);
  uint64_t next_uint64();
  /// The low half of a fresh word first, its high half next time.
  uint32_t next_uint32();
  /// Uniform on 0..max inclusive, by Lemire's multiplication: what `integers` draws with.
  uint32_t bounded(uint32_t max);
  /// Uniform on 0..max inclusive, by masked rejection: what `permutation` draws with.
  uint32_t interval(uint32_t max);
  /// `integers(0, high, size=n)`.
  std::vector<int64_t> integers(int64_t high, int64_t n);
  /// `permutation(n)`, and the order in which `permutation(array)` leaves an array of n entries.
  std::vector<int64_t> permutation(int64_t n);

 private:
  __extension__ using Word = unsigned __int128;
  Word state_ = 0;
  Word increment_ = 0;
  uint32_t high_half_ = 0;
  bool has_half_ = false;
  void step();
};

/// Philox4x32-10 counter-based generator: the same bits on every device, for any order of calls.
/// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", table 2.
/// @param key      seed
/// @param counter  (draw, element) of the caller's choosing
/// @return four independent 32-bit words
std::array<uint32_t, 4> philox4x32(uint64_t key, uint64_t counter_low, uint64_t counter_high);

/// Word `word` of philox4x32 at low counters begin..begin+n-1: the same words, several at a time.
void philox_words(
    uint64_t key, uint64_t begin, int64_t n, uint64_t counter_high, int word, uint32_t* out);

}  // namespace cortiscore
