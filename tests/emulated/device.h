#pragma once
#include <cstdint>
#include <map>
#include <random>
#include <string>

#include <cuda_runtime_api.h>

/// Note [Emulated device]
/// The kernels of kernels/ run here on a CPU, without a GPU, a driver or the toolkit, so that every
/// test run proves them. tests/emulated/translate.py rewrites launches and shared variables; the
/// rest of CUDA is macros and functions of tests/emulated/include/cuda_runtime_api.h.
///
/// A launch runs block by block, every thread a fiber that runs until it comes to a barrier or an
/// exchange of its warp, and all of it three times from the same memory: threads and blocks in
/// order, last first, and by chance. Device memory must then hold the same bits. A line on stderr
/// says what is wrong, and cudaGetLastError gives an error, so that tests fail:
///  - grids, blocks and shared memory beyond the device's or not opted in, launch bounds;
///  - barriers that diverge, threads that ended before one, warps whose lanes never come;
///  - results that depend on the order of threads or blocks, or on memory that nothing set;
///  - built with ThreadSanitizer, races of any order, also those that leave the same bits;
///  - built with AddressSanitizer, accesses out of device or shared memory, the host's own
///    access to device memory, undefined behaviour.
///
/// It does not see time, registers, bank conflicts or occupancy; other rounding than the host's
/// (nvcc fuses multiply-adds); streams and events (all is done when a call returns); memory order
/// between blocks beyond atomics; races between threads of one number of two blocks in the first
/// two orders. What it does not know (clusters, mma, asynchronous copies, cooperative groups) does
/// not compile.
///
/// Environment: CORTISCORE_EMULATED_ARCH (80, 86, 89, 90 unless set, 100, 120) has the limits that
/// hold; CORTISCORE_EMULATED_ORDERS (3) launches run in as many orders, more than two by chance;
/// CORTISCORE_EMULATED_WITHOUT=FILE:LINE, where FILE may be the end of a path, leaves out a
/// barrier.
namespace cortiscore::emulated {

/// What a device allows (CUDA C++ Programming Guide, technical specifications per compute
/// capability).
struct Limits {
  int capability;       ///< 90: Hopper
  size_t shared_optin;  ///< bytes of shared memory a block, with cudaFuncSetAttribute
  size_t shared_default = size_t{48} << 10;
  unsigned threads = 1024;
  dim3 block{1024, 1024, 64};
  dim3 grid{2147483647, 65535, 65535};
};
/// Of the device that CORTISCORE_EMULATED_ARCH names.
const Limits& limits();

/// How much was found wrong so far.
int64_t findings();
void note_finding(const std::string& text);

/// Bytes of dynamic shared memory that a kernel was allowed with cudaFuncSetAttribute; 0: never.
size_t shared_opt_in(const std::string& kernel);

/// How often each kernel was launched.
std::map<std::string, int64_t>& launches();

/// Memory that nothing has set: NaN where it is read as floating point, or by chance.
void* garbage(size_t bytes, std::mt19937* random);

}  // namespace cortiscore::emulated
