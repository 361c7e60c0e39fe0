#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// How the leading direction of a PLS component is found.
enum class TopVectorMode {
  kSklearn,  ///< the iterate at which scikit-learn's NIPALS loop stops
  kExact,    ///< the leading eigenvector
};

/// "sklearn" or "exact". @throws Error(kUsage)  an unknown name
TopVectorMode top_vector_mode(const std::string& name);

struct TopVectorOptions {
  TopVectorMode mode = TopVectorMode::kSklearn;
  double tol = 1e-6;  ///< on |w - w_old|^2, as scikit-learn's PLSRegression(tol)
  int64_t max_iter = 500;
};

struct TopVector {
  at::Tensor v;           ///< [f, m] unit norm
  at::Tensor gv;          ///< [f, m] G v
  at::Tensor rayleigh;    ///< [f] v'Gv
  at::Tensor iterations;  ///< [f] int64, scikit-learn's n_iter_; 0 in exact mode
  at::Tensor marginal;  ///< [f] bool: the stopping value lay within 1e-8 relative of the tolerance
};

/// Leading vector of each G[f] = S'S, S = X'Y.
///
/// scikit-learn's loop w <- S S'w / |.| from w ~ S e_start is, in target space, v <- G v / |.| from
/// e_start, with
/// |w_i - w_{i-1}|^2 = d'G d, d = v_i / sqrt(v_i'G v_i) - v_{i-1} / sqrt(v_{i-1}'G v_{i-1}); this
/// form has no cancellation. A single target counts one iteration.
/// Source: sklearn/cross_decomposition/_pls.py, _get_first_singular_vectors_power_method;
/// ALGORITHMS.md 1b.
/// @param g      [f, m, m] float64, symmetric positive semi-definite
/// @param start  [f, m] float64 unit vectors to start from: e_j for the column j that scikit-learn
///               takes
TopVector top_vector(const at::Tensor& g, const at::Tensor& start, const TopVectorOptions& options);

/// Room for the results on g; zeros.
TopVector empty_top_vector(const at::Tensor& g);

/// The loop of scikit-learn for G[f] alone, on a CPU: safe for different f at once.
/// @param g, start  contiguous  @param result  with room
void power_iterate_fold(const at::Tensor& g,
                        const at::Tensor& start,
                        const TopVectorOptions& options,
                        int64_t f,
                        TopVector& result);

/// The same as a composition of ATen operations, on any device: the definition that `top_vector` is
/// tested against.
TopVector top_vector_definition(const at::Tensor& g,
                                const at::Tensor& start,
                                const TopVectorOptions& options);

}  // namespace cortiscore
