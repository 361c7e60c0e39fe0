#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Where the eye rests in each of n trials, as the platform simulates it: points on a spiral whose
/// radius grows to `extent_px`; point i of n at radius sqrt(i / n) and angle 2 pi sqrt(i / n), so
/// that the first trial is not moved.
/// @return n pairs (right, down), px
/// Source: the platform's require_variance; BENCHMARKS.md section 3.
std::vector<std::pair<double, double>> microsaccades(int64_t n, double extent_px);

/// Images moved right and down, bilinear, what comes in repeats the edge: OpenCV 4's warpAffine,
/// which takes shifts in 32nds of a pixel.
/// @param images  [b, 3, h, w] float32, any device  @param shifts  b pairs (right, down), px
at::Tensor moved(const at::Tensor& images, const std::vector<std::pair<double, double>>& shifts);

}  // namespace cortiscore
