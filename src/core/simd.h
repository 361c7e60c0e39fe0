#pragma once

// One function body, compiled for the instruction sets worth having; the loader picks. Sanitizers
// replace the resolver's view of the world before it may run, so they get the plain one.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define CORTISCORE_CLONES
#define CORTISCORE_SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CORTISCORE_SIMD
#endif

// Helpers of such a function: inlined into each of its clones.
#define CORTISCORE_INLINE __attribute__((always_inline)) inline
