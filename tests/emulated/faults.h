#pragma once
#include <cuda_runtime_api.h>

/// Kernels with one fault each, and some without: what the emulated device must see, and what it
/// must not.
namespace cortiscore::faults {

cudaError_t reverse(double* values, int n, bool with_barrier);
cudaError_t divergent_barrier(double* out, int threads);
cudaError_t barrier_after_return(double* out, int threads);
cudaError_t writes_past(double* out, int n, int by);
cudaError_t shared_past(double* out, size_t bytes);
cudaError_t unset_shared(double* out);
cudaError_t same_value(double* out, int threads);
cudaError_t blocks_meet(double* out, int blocks);
cudaError_t counts(unsigned* out, int blocks, int threads);
cudaError_t warp_sums(const double* in, double* out, int warps);
cudaError_t warp_neighbours(const double* in, double* up, double* swapped, double* first);
cudaError_t half_a_warp(double* out);
cudaError_t warp_copies(double* values, bool synchronised);
cudaError_t bounded(double* out, int threads);
cudaError_t grid(double* out, unsigned y);
cudaError_t shared(double* out, size_t bytes, int opted_in);

}  // namespace cortiscore::faults
