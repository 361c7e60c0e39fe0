#pragma once
// Stands in for the toolkit's header of this name: the part of CUDA's runtime and device language
// that kernels/ use, as plain C++, so that they run on a CPU. What is not here does not compile,
// until it is added with a test. See Note [Emulated device] in tests/emulated/device.h.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include <math.h>

// --- the host's side -----------------------------------------------------------------------------

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorLaunchFailure = 719,
};
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice
};
enum cudaDeviceAttr {
  cudaDevAttrMaxSharedMemoryPerBlock = 8,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
using cudaStream_t = struct CUstream_st*;

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned vx = 1, unsigned vy = 1, unsigned vz = 1) : x(vx), y(vy), z(vz) {}
};

cudaError_t cudaMalloc(void** pointer, size_t bytes);  ///< filled with garbage
cudaError_t cudaFree(void* pointer);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaGetLastError();
const char* cudaGetErrorString(cudaError_t error);

// --- the device's side ---------------------------------------------------------------------------

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline

namespace cortiscore::emulated {

struct Place {
  uint3 thread, block;
  dim3 block_dim, grid_dim;
};
const Place& here();  ///< of the running thread

void* dynamic_shared();
void* static_shared(const char* name, int line, size_t bytes);
template <typename T>
T& static_shared(const char* name, int line) {
  return *static_cast<T*>(static_shared(name, line, sizeof(T)));
}
void launch_bounds(unsigned threads);
cudaError_t func_set_attribute(const char* kernel, cudaFuncAttribute attribute, int value);

/// The barrier of the block.
void block_barrier(const char* file, int line);

enum class WarpOp { kSync, kDown, kUp, kXor, kIndex };
/// What the warp's exchange gives the running thread, once every lane of `mask` has come to it.
uint64_t warp_exchange(
    WarpOp op, unsigned mask, uint64_t bits, int operand, const char* file, int line);

template <typename T>
T shuffle(WarpOp op, unsigned mask, T value, int operand, const char* file, int line) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8, "as CUDA's shuffles");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = warp_exchange(op, mask, bits, operand, file, line);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

using Body = void (*)(void* arguments);  ///< of one thread
void launch(const char* kernel, dim3 grid, dim3 block, size_t bytes, Body body, void* arguments);

/// kernel<<<grid, block, bytes, stream>>>: arguments are copied when it is launched, as CUDA does.
template <typename Kernel>
struct Launch {
  const char* name;
  Kernel kernel;
  dim3 grid, block;
  size_t bytes;

  template <typename... Arguments>
  void operator()(Arguments... arguments) const {
    auto call = std::make_pair(kernel, std::make_tuple(arguments...));
    using Call = decltype(call);
    launch(
        name, grid, block, bytes,
        [](void* data) {
          auto* const made = static_cast<Call*>(data);
          std::apply(made->first, made->second);
        },
        &call);
  }
};
template <typename Kernel>
Launch<Kernel> configured(const char* name,
                          Kernel kernel,
                          dim3 grid,
                          dim3 block,
                          size_t bytes = 0,
                          cudaStream_t /*stream*/ = nullptr) {
  return {name, kernel, grid, block, bytes};
}

}  // namespace cortiscore::emulated

#define threadIdx (::cortiscore::emulated::here().thread)
#define blockIdx (::cortiscore::emulated::here().block)
#define blockDim (::cortiscore::emulated::here().block_dim)
#define gridDim (::cortiscore::emulated::here().grid_dim)
constexpr int warpSize = 32;

#define __syncthreads() ::cortiscore::emulated::block_barrier(__FILE__, __LINE__)
#define __syncwarp()                                                                             \
  static_cast<void>(::cortiscore::emulated::warp_exchange(::cortiscore::emulated::WarpOp::kSync, \
                                                          ~0U, 0, 0, __FILE__, __LINE__))
#define CORTISCORE_SHUFFLE(op, mask, value, operand)                               \
  ::cortiscore::emulated::shuffle(::cortiscore::emulated::WarpOp::op, mask, value, \
                                  static_cast<int>(operand), __FILE__, __LINE__)
#define __shfl_down_sync(mask, value, delta) CORTISCORE_SHUFFLE(kDown, mask, value, delta)
#define __shfl_up_sync(mask, value, delta) CORTISCORE_SHUFFLE(kUp, mask, value, delta)
#define __shfl_xor_sync(mask, value, lanes) CORTISCORE_SHUFFLE(kXor, mask, value, lanes)
#define __shfl_sync(mask, value, lane) CORTISCORE_SHUFFLE(kIndex, mask, value, lane)
#define cudaFuncSetAttribute(kernel, attribute, value) \
  ::cortiscore::emulated::func_set_attribute(#kernel, attribute, value)

template <typename T>
T atomicAdd(T* at, std::common_type_t<T> value) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  auto* const word = reinterpret_cast<Bits*>(at);
  Bits old = __atomic_load_n(word, __ATOMIC_RELAXED), next = 0;
  T before;
  do {
    std::memcpy(&before, &old, sizeof before);
    const T after = before + value;
    std::memcpy(&next, &after, sizeof next);
  } while (
      !__atomic_compare_exchange_n(word, &old, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return before;
}
