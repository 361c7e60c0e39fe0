#pragma once
#include <cstdint>

#include <ATen/core/Tensor.h>

#include "src/linalg/feature_blocks.h"

namespace cortiscore {

/// Pairs of stimuli, each of which shares one factor (a shape, a texture).
struct FactorPairs {
  at::Tensor first, second;  ///< [n_pairs] int64: rows of the features
  at::Tensor factor;         ///< [n_pairs] int64, 0..n_factors-1, each of them somewhere
  int64_t n_factors = 0;

  FactorPairs to(const at::Device& device) const;
};

/// What a representation says of every pair, summed over units.
///
/// Row 0: (a - m)(b - m), m the mean of both sides of its factor's pairs. Row 1: half of (a - mu)^2
/// + (b - mu)^2, mu that of all pairs. Units come some columns at a time and are summed in one
/// order.
/// @param units  features of stimuli  @return [2, n_pairs] float64
at::Tensor factor_terms(FeatureBlocks& units, const FactorPairs& pairs);

/// Shares of the factors and, last, of what no factor says: a factor's score is the mean of its
/// pairs' row 0 over the mean of row 1, the rest has score 1, and a softmax over scores gives
/// shares.
/// @param weights  [b, n_pairs] float64: how often each pair counts  @return [b, n_factors + 1]
at::Tensor factor_shares(const at::Tensor& terms,
                         const FactorPairs& pairs,
                         const at::Tensor& weights);

/// Shares times n_units, rounded down, the last taking what is left: [n_factors + 1] int64
/// dimensions, of all pairs once.
/// Source: Esser, Rombach & Ommer 2020; Islam et al. 2021; BENCHMARKS.md 2.18.
at::Tensor factor_dimensions(const at::Tensor& terms, const FactorPairs& pairs, int64_t n_units);

}  // namespace cortiscore
