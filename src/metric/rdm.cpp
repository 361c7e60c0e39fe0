#include "src/metric/rdm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/linalg/gram.h"
#include "src/metric/cka.h"
#include "src/ops/average_ranks.h"
#include "src/ops/kendall.h"
#include "src/ops/pearson_columns.h"
#include "src/ops/weighted_ranks.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

at::Tensor similarity(const at::Tensor& a, const at::Tensor& b, RdmComparison comparison) {
  const auto pearson = [](const at::Tensor& x, const at::Tensor& y) {
    return pearson_columns(x.unsqueeze(1), y.unsqueeze(1)).squeeze(0);
  };
  const auto n = static_cast<double>(a.size(0));
  switch (comparison) {
    case RdmComparison::kPearson:
      return pearson(a, b);
    case RdmComparison::kSpearman:
      return spearman(a, b);
    case RdmComparison::kCosine:
      return (a * b).sum() / (at::linalg_vector_norm(a) * at::linalg_vector_norm(b));
    case RdmComparison::kKendall:
      return kendall_tau_a(a, b);
    case RdmComparison::kCka:
      break;
    case RdmComparison::kSpearmanA: {  // Schuett et al. 2023, eq. 17
      const auto ranks = average_ranks(at::stack({a, b}));
      return 12 * (ranks[0] * ranks[1]).sum() / (n * n * n - n) - 3 * (n + 1) / (n - 1);
    }
  }
  TORCH_CHECK(false, "compare_rdms: unknown comparison");
}

template <typename Value>
using Names = std::vector<std::pair<std::string, Value>>;

const Names<RdmDistance>& distances() {
  static const Names<RdmDistance> names = {{"correlation", RdmDistance::kCorrelation},
                                           {"cosine", RdmDistance::kCosine},
                                           {"euclidean", RdmDistance::kSquaredEuclidean}};
  return names;
}

const Names<RdmComparison>& comparisons() {
  static const Names<RdmComparison> names = {{"spearman", RdmComparison::kSpearman},
                                             {"pearson", RdmComparison::kPearson},
                                             {"cosine", RdmComparison::kCosine},
                                             {"tau-a", RdmComparison::kKendall},
                                             {"rho-a", RdmComparison::kSpearmanA}};
  return names;
}

template <typename Value>
Value by_name(const char* what, const std::string& name, const Names<Value>& known) {
  std::vector<std::string> names;
  for (const auto& [key, value] : known) {
    if (key == name) return value;
    names.push_back(key);
  }
  throw unknown_name(what, name, "this version", names);
}

template <typename Value>
std::string name_among(Value value, const Names<Value>& known) {
  for (const auto& [key, of_key] : known) {
    if (of_key == value) return key;
  }
  return "";
}

}  // namespace

RdmDistance rdm_distance(const std::string& name) {
  return by_name("distance", name, distances());
}
RdmComparison rdm_comparison(const std::string& name) {
  return by_name("comparison", name, comparisons());
}
std::string name_of(RdmDistance distance) {
  if (distance == RdmDistance::kInnerProduct) return "inner product";
  return name_among(distance, distances());
}
std::string name_of(RdmComparison comparison) {
  if (comparison == RdmComparison::kCka) return "unbiased linear CKA";
  return name_among(comparison, comparisons());
}

at::Tensor rdm(const at::Tensor& responses, RdmDistance distance) {
  TORCH_CHECK_VALUE(responses.dim() == 2, "rdm: need [n_presentations, n_features], got ",
                    responses.sizes());
  MatrixBlocks blocks(responses);
  return rdm(blocks, distance);
}

at::Tensor rdm(FeatureBlocks& responses, RdmDistance distance) {
  const auto n_features = static_cast<double>(responses.features());
  if (distance == RdmDistance::kInnerProduct) return centred_gram(responses);
  if (responses.features() == 0) {
    at::TensorOptions options;
    responses.each([&](int64_t, const at::Tensor& columns) { options = columns.options(); });
    return at::full({responses.rows(), responses.rows()}, kNaN, options.dtype(at::kDouble));
  }
  at::Tensor out;
  if (distance == RdmDistance::kSquaredEuclidean) {
    // Distances do not feel a shift of all patterns; centred ones cancel least.
    const auto k = centred_gram(responses);
    const auto norm = k.diagonal();
    out = (norm.unsqueeze(0) + norm.unsqueeze(1) - 2 * k).clamp_min(0) / n_features;
  } else {
    const bool centre = distance == RdmDistance::kCorrelation;
    auto [k, largest] = row_gram(responses, centre);
    const auto norm = k.diagonal().clone().sqrt();
    // A constant pattern has rounding for a norm: the same rule as pearson_columns.
    const auto undefined = norm <= std::sqrt(n_features) * 1e-13 * largest;
    const auto inverse = at::where(undefined, kNaN, 1 / norm);
    out = k.mul_(inverse.unsqueeze(0)).mul_(inverse.unsqueeze(1)).neg_().add_(1);
  }
  out.diagonal().zero_();
  return out;
}

at::Tensor compare_rdms(const at::Tensor& a, const at::Tensor& s, RdmComparison comparison) {
  TORCH_CHECK_VALUE(a.dim() == 2 && s.dim() == 2 && a.size(1) == s.size(1),
                    "compare_rdms: need [a, pairs] and [s, pairs], got ", a.sizes(), " and ",
                    s.sizes());
  if (comparison == RdmComparison::kCka) {
    const auto n = std::llround(std::sqrt(static_cast<double>(a.size(1))));
    return compare_rdms_draws(a, s, at::ones({1, n}, a.options()), comparison).squeeze(0);
  }
  auto out = at::empty({a.size(0), s.size(0)}, a.options());
  for (int64_t i = 0; i < a.size(0); ++i) {
    for (int64_t j = 0; j < s.size(0); ++j) out[i][j].copy_(similarity(a[i], s[j], comparison));
  }
  return out;
}

namespace {

// Weighted sums of z, t, z^2, t^2 and z t over pairs of stimuli, for every draw, RDM of the model
// and of the data.
struct Sums {
  at::Tensor z, zz;  // [b, a, 1]
  at::Tensor t, tt;  // [b, 1, s]
  at::Tensor zt;     // [b, a, s]
};

// What `sums_of` weights, the same for every draw: [2 (a + s) + a s, pairs].
at::Tensor terms_of(const at::Tensor& z, const at::Tensor& t) {
  const auto products = (z.unsqueeze(1) * t.unsqueeze(0)).reshape({z.size(0) * t.size(0), -1});
  return at::cat({z, z.square(), t, t.square(), products});
}

Sums sums_of(const at::Tensor& w, const at::Tensor& terms, int64_t n_a, int64_t n_s) {
  const auto all = at::mm(w, terms.t());
  const auto part = [&](int64_t from, int64_t rows, int64_t columns) {
    return all.narrow(1, from, rows * columns).reshape({w.size(0), rows, columns});
  };
  return {part(0, n_a, 1), part(n_a, n_a, 1), part(2 * n_a, 1, n_s), part(2 * n_a + n_s, 1, n_s),
          part(2 * (n_a + n_s), n_a, n_s)};
}

// The same over ranks, which every draw changes: about the middle rank, as shares of the total, so
// that nothing cancels.
Sums rank_sums(const at::Tensor& w,
               const std::vector<SortedTies>& a,
               const std::vector<SortedTies>& s) {
  const auto total = w.sum(1, true);
  const auto ranks = [&](const std::vector<SortedTies>& ties) {
    std::vector<at::Tensor> rows;
    for (const auto& one : ties) rows.push_back(weighted_ranks(one, w) / total - 0.5);
    return at::stack(rows, 1);  // [b, a or s, pairs]
  };
  const auto z = ranks(a);
  const auto t = ranks(s);
  const auto weight = w.unsqueeze(1);
  const auto wz = z * weight;
  const auto wt = t * weight;
  return {wz.sum(2, true), (wz * z).sum(2, true), wt.sum(2).unsqueeze(1),
          (wt * t).sum(2).unsqueeze(1), at::bmm(wz, t.transpose(1, 2))};
}

}  // namespace

at::Tensor compare_rdms_draws(const at::Tensor& a,
                              const at::Tensor& s,
                              const at::Tensor& counts,
                              RdmComparison comparison) {
  TORCH_CHECK_VALUE(
      comparison != RdmComparison::kKendall && comparison != RdmComparison::kSpearmanA,
      "compare_rdms_draws: tau-a and rho-a cannot be resampled by weights");
  const int64_t n_a = a.size(0), n_s = s.size(0), n = counts.size(1);
  auto out = at::empty({counts.size(0), n_a, n_s}, a.options());
  if (comparison == RdmComparison::kCka) {
    for (int64_t i = 0; i < n_a; ++i) {
      for (int64_t j = 0; j < n_s; ++j)
        out.select(1, i).select(1, j).copy_(
            cka(a[i].view({n, n}), s[j].view({n, n}), counts, /*unbiased=*/true));
    }
    return out;
  }
  const int64_t n_pairs = n * (n - 1) / 2;
  const bool by_rank = comparison == RdmComparison::kSpearman;
  std::vector<SortedTies> ties_a, ties_s;
  if (by_rank) {
    for (int64_t i = 0; i < n_a; ++i) ties_a.push_back(sort_ties(a[i]));
    for (int64_t i = 0; i < n_s; ++i) ties_s.push_back(sort_ties(s[i]));
  }
  const bool about_mean = comparison != RdmComparison::kCosine;
  const auto standardised = [&](const at::Tensor& rows) {
    if (!about_mean) return rows;
    const auto centred = rows - rows.mean(1, true);
    return centred / centred.square().mean(1, true).sqrt();
  };
  const auto terms = by_rank ? at::Tensor() : terms_of(standardised(a), standardised(s));
  // Draws at once, so that weights and ranks of all pairs take 16 MB each.
  const int64_t rows = by_rank ? n_a + n_s : 1;
  const int64_t block =
      std::clamp<int64_t>((int64_t{1} << 21) / std::max<int64_t>(n_pairs * rows, 1), 1, 64);
  const auto blocks = (counts.size(0) + block - 1) / block;
  const auto one = [&](int64_t b) {
    const int64_t begin = b * block;
    const auto c = counts.narrow(0, begin, std::min(block, counts.size(0) - begin));
    const auto w = pair_products(c);
    const auto sums = by_rank ? rank_sums(w, ties_a, ties_s) : sums_of(w, terms, n_a, n_s);
    const auto total = w.sum(1).reshape({-1, 1, 1});
    const auto about = [&](const at::Tensor& sum, const at::Tensor& m1, const at::Tensor& m2) {
      return about_mean ? sum - m1 * m2 / total : sum;
    };
    out.narrow(0, begin, c.size(0))
        .copy_(about(sums.zt, sums.z, sums.t) /
               (about(sums.zz, sums.z, sums.z) * about(sums.tt, sums.t, sums.t)).sqrt());
  };
  if (a.is_cpu()) {
    parallel_for(blocks, one);
  } else {
    for (int64_t b = 0; b < blocks; ++b) one(b);
  }
  return out;
}

}  // namespace cortiscore
