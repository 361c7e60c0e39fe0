#pragma once
// Before src/ops/fused_cuda.cpp: its kernels take tensors of the emulated device. ATen's own
// headers are read before the name changes.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#define is_cuda is_privateuseone
