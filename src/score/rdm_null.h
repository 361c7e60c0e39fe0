#pragma once
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/score/rdm_score.h"

namespace cortiscore {

/// Similarities of layers with every subject, the stimuli of their RDMs in another order each time
/// (numpy.random.default_rng(seed).permutation): the test of Nili et al. 2014.
/// @param layers  their RDMs, [n, n] each, on the device of the subjects'
/// @param null_draws  draws of a null; twice as many where similarities are products, fewer of
///                    large ones: fewer_where_large
/// @param seed        of the orders
/// @return [layers, orders, subjects] float64; NaN where a layer's RDM has undefined
///         dissimilarities
at::Tensor similarities_of_orders(const std::vector<at::Tensor>& layers,
                                  const SubjectRdms& subjects,
                                  int64_t null_draws,
                                  uint32_t seed = 0);

/// Raw scores of these orders: means over subjects, each with the layer that is chosen on the
/// others in that order, so that what a choice gains by luck is in them.
/// @param of_layers  similarities_of_orders of those that competed
std::vector<double> null_of_choice(const at::Tensor& of_layers);

}  // namespace cortiscore
