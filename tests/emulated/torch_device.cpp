#include "tests/emulated/torch_device.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/NativeFunctions.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/Allocator.h>
#include <c10/core/DeviceType.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include "tests/emulated/device.h"

namespace cortiscore::emulated {
namespace {

constexpr c10::DeviceIndex kDevices = 2;
std::mutex g_counting;

at::Device numbered(c10::DeviceIndex index) {
  return {at::kPrivateUse1, index};
}

[[maybe_unused]] const bool g_named = [] {
  c10::register_privateuse1_backend("emulated");
  return true;
}();

// --- devices, streams and memory -----------------------------------------------------------------

// What a thread has current: a new one the first device, and of each the default stream.
thread_local c10::DeviceIndex t_device = 0;
thread_local std::array<c10::StreamId, kDevices> t_streams{};

struct Guard final : public c10::impl::NoOpDeviceGuardImpl<at::kPrivateUse1> {
  at::Device exchangeDevice(at::Device device) const override {
    return numbered(std::exchange(t_device, device.index() < 0 ? t_device : device.index()));
  }
  void setDevice(at::Device device) const override { exchangeDevice(device); }
  void uncheckedSetDevice(at::Device device) const noexcept override { exchangeDevice(device); }
  at::Device getDevice() const override { return numbered(t_device); }
  c10::DeviceIndex deviceCount() const noexcept override { return kDevices; }
  c10::Stream getStream(at::Device device) const noexcept override {
    const auto index = device.index() < 0 ? t_device : device.index();
    return c10::Stream(c10::Stream::UNSAFE, numbered(index), t_streams[static_cast<size_t>(index)]);
  }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override {
    auto& current = t_streams[static_cast<size_t>(stream.device_index())];
    return c10::Stream(c10::Stream::UNSAFE, stream.device(), std::exchange(current, stream.id()));
  }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

void free_memory(void* context) {
  auto* const block = static_cast<std::pair<void*, size_t>*>(context);
  {
    const std::lock_guard<std::mutex> lock(g_counting);
    work().bytes -= static_cast<int64_t>(block->second);
  }
  cudaFree(block->first);
  delete block;
}

struct Memory final : public c10::Allocator {
  at::DataPtr allocate(size_t bytes) override {
    void* pointer = nullptr;
    if (bytes > 0) cudaMalloc(&pointer, bytes);
    const std::lock_guard<std::mutex> lock(g_counting);
    work().bytes += static_cast<int64_t>(bytes);
    work().peak_bytes = std::max(work().peak_bytes, work().bytes);
    return {pointer, new std::pair<void*, size_t>(pointer, bytes), &free_memory,
            numbered(t_device)};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }
};
Memory g_memory;
REGISTER_ALLOCATOR(at::kPrivateUse1, &g_memory);

// What ATen asks of any such device.
struct Hooks final : public at::PrivateUse1HooksInterface {
  void init() const override {}
  bool hasPrimaryContext(at::DeviceIndex /*device*/) const override { return true; }
};
[[maybe_unused]] const bool g_hooked = [] {
  at::RegisterPrivateUse1HooksInterface(new Hooks);
  return true;
}();

// --- counting ------------------------------------------------------------------------------------

void count(std::map<std::string, int64_t> Work::*what, const std::string& name) {
  const std::lock_guard<std::mutex> lock(g_counting);
  ++(work().*what)[name];
  work().threads.insert(std::this_thread::get_id());
}

// --- operators -----------------------------------------------------------------------------------

bool here(const at::Tensor& t) {
  return t.defined() && t.device().type() == at::kPrivateUse1;
}

// The same memory as a tensor of the CPU, for as long as `t` lives.
at::Tensor on_host(const at::Tensor& t) {
  if (!here(t)) return t;
  return at::from_blob(t.unsafeGetTensorImpl()->mutable_data(), t.sizes(), t.strides(),
                       t.options().device(at::kCPU));
}

at::Tensor empty(c10::SymIntArrayRef size,
                 std::optional<at::ScalarType> type,
                 std::optional<at::Layout> /*layout*/,
                 std::optional<at::Device> device,
                 std::optional<bool> /*pinned*/,
                 std::optional<at::MemoryFormat> format) {
  const c10::DeviceGuard guard(device.value_or(numbered(t_device)));
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), &g_memory,
                                   c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   type.value_or(at::kFloat), format);
}

at::Tensor empty_strided(c10::SymIntArrayRef size,
                         c10::SymIntArrayRef stride,
                         std::optional<at::ScalarType> type,
                         std::optional<at::Layout> /*layout*/,
                         std::optional<at::Device> device,
                         std::optional<bool> /*pinned*/) {
  const c10::DeviceGuard guard(device.value_or(numbered(t_device)));
  return at::detail::empty_strided_generic(
      C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride), &g_memory,
      c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), type.value_or(at::kFloat));
}

at::Tensor as_strided(const at::Tensor& self,
                      c10::SymIntArrayRef size,
                      c10::SymIntArrayRef stride,
                      std::optional<c10::SymInt> offset) {
  return at::native::as_strided_tensorimpl(
      self, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
      offset ? std::optional<int64_t>(offset->expect_int()) : std::nullopt);
}

at::Tensor view(const at::Tensor& self, c10::SymIntArrayRef size) {
  return at::native::view(self, C10_AS_INTARRAYREF_SLOW(size));
}

at::Tensor reshape_alias(const at::Tensor& self,
                         c10::SymIntArrayRef size,
                         c10::SymIntArrayRef stride) {
  return at::native::_reshape_alias(self, C10_AS_INTARRAYREF_SLOW(size),
                                    C10_AS_INTARRAYREF_SLOW(stride));
}

const at::Tensor& resize(const at::Tensor& self,
                         c10::SymIntArrayRef size,
                         std::optional<at::MemoryFormat> /*format*/) {
  auto* const tensor = self.unsafeGetTensorImpl();
  const auto sizes = C10_AS_INTARRAYREF_SLOW(size);
  const auto elements =
      std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<int64_t>());
  const auto bytes = static_cast<size_t>(elements + self.storage_offset()) * self.itemsize();
  const auto& storage = tensor->unsafe_storage();
  if (storage.nbytes() < bytes) {
    auto grown = g_memory.allocate(bytes);
    if (storage.nbytes() > 0) std::memcpy(grown.get(), storage.data(), storage.nbytes());
    storage.unsafeGetStorageImpl()->set_data_ptr_noswap(std::move(grown));
    storage.unsafeGetStorageImpl()->set_nbytes(bytes);
  }
  tensor->set_sizes_contiguous(sizes);
  return self;
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  if (here(from) && here(to)) {
    count(&Work::launches, "copy_");
  } else if (here(to)) {
    if (!(non_blocking && from.is_pinned())) count(&Work::uploads, "copy_");
  } else {
    count(&Work::syncs, "copy_ to the host");
  }
  on_host(to).copy_(on_host(from));
  return to;
}

at::Scalar local_scalar(const at::Tensor& self) {
  count(&Work::syncs, "item");
  return at::_local_scalar_dense(on_host(self));
}

// As CUDA does: tensors of other devices are refused, but for numbers, and indices of the operators
// that upload them. The first tensor says where all are.
void check_devices(const std::string& name, const std::vector<at::Tensor>& tensors) {
  const bool indexes =
      name == "aten::index" || name == "aten::index_put_" || name == "aten::_index_put_impl_";
  const auto first = std::find_if(tensors.begin(), tensors.end(),
                                  [](const at::Tensor& t) { return t.defined() && t.dim() > 0; });
  for (auto t = first; t != tensors.end(); ++t) {
    if (!t->defined() || t->dim() == 0 || t->device() == first->device()) continue;
    const bool uploaded = indexes && here(*first) && t->is_cpu();
    TORCH_CHECK(uploaded, name, ": tensors of ", first->device(), " and ", t->device());
    count(&Work::uploads, name.substr(name.find("::") + 2) + ", an index");
  }
}

// An argument as the CPU's operator takes it.
c10::IValue host_argument(const c10::IValue& given, std::vector<at::Tensor>& tensors) {
  const auto one = [&](const at::Tensor& t) {
    tensors.push_back(t);
    return on_host(t);
  };
  if (given.isTensor()) return one(given.toTensor());
  if (given.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& t : given.toTensorVector()) list.push_back(one(t));
    return list;
  }
  if (given.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> list;
    for (const std::optional<at::Tensor>& t : given.toOptionalTensorVector())
      list.push_back(t ? std::optional<at::Tensor>(one(*t)) : std::nullopt);
    return list;
  }
  if (given.isDevice()) return at::Device(at::kCPU);
  return given;
}

at::Tensor on_device(const at::Tensor& host, at::Device device) {
  if (!host.defined()) return host;
  auto made = at::empty_strided(host.sizes(), host.strides(), host.options().device(device));
  on_host(made).copy_(host);
  return made;
}

// Every operator that has a kernel of its own on a device: on the CPU, over the same memory.
void run_on_host(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  const auto name = schema.name();
  const auto short_name = name.substr(name.find("::") + 2);
  const auto given = torch::jit::pop(*stack, schema.arguments().size());
  std::vector<at::Tensor> tensors;
  torch::jit::Stack host;
  std::vector<at::Tensor> resized(given.size());
  for (size_t i = 0; i < given.size(); ++i) {
    host.push_back(host_argument(given[i], tensors));
    const auto* const alias = schema.arguments()[i].alias_info();
    const bool written = alias && alias->isWrite() && given[i].isTensor();
    // What is empty may be resized, which borrowed memory cannot be.
    if (written && given[i].toTensor().defined() && given[i].toTensor().numel() == 0) {
      resized[i] = at::empty({0}, host[i].toTensor().options());
      resized[i].resize_(given[i].toTensor().sizes());
      host[i] = resized[i];
    }
  }
  check_devices(name, tensors);
  const auto of = std::find_if(tensors.begin(), tensors.end(), here);
  const auto device = of == tensors.end() ? numbered(t_device) : of->device();
  count(waits(short_name) ? &Work::syncs : &Work::launches, short_name);
  const auto kept = host;  // what is returned refers to arguments, which the call lets go of
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &host);
  for (size_t i = 0; i < given.size(); ++i) {
    if (!resized[i].defined()) continue;
    resize(given[i].toTensor(), c10::fromIntArrayRefSlow(resized[i].sizes()), std::nullopt);
    on_host(given[i].toTensor()).copy_(resized[i]);
  }
  for (size_t r = 0; r < schema.returns().size(); ++r) {
    const auto* const alias = schema.returns()[r].alias_info();
    const auto& value = host[r];
    if (alias && alias->isWrite()) {
      for (size_t i = 0; i < given.size(); ++i) {
        const auto* const of_argument = schema.arguments()[i].alias_info();
        if (of_argument && *of_argument == *alias) torch::jit::push(*stack, given[i]);
      }
      continue;
    }
    TORCH_CHECK(!alias, name, " makes a view, and the emulated device has no such operator");
    if (value.isTensor()) {
      torch::jit::push(*stack, on_device(value.toTensor(), device));
    } else if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& t : value.toTensorVector()) list.push_back(on_device(t, device));
      torch::jit::push(*stack, list);
    } else {
      torch::jit::push(*stack, value);
    }
  }
}

}  // namespace

Work& work() {
  static Work made;
  return made;
}

bool waits(const std::string& operator_name) {
  static const std::set<std::string> names = {
      "nonzero",    "masked_select",     "_unique2", "unique_dim", "unique_consecutive",
      "equal",      "repeat_interleave", "bincount", "linalg_eig", "_linalg_eigh",
      "_linalg_svd"};
  return names.count(operator_name) > 0;
}

int64_t total(const std::map<std::string, int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0},
                         [](int64_t sum, const auto& one) { return sum + one.second; });
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("as_strided", &as_strided);
  library.impl("view", &view);
  library.impl("_reshape_alias", &reshape_alias);
  library.impl("unfold", &at::native::unfold);
  library.impl("resize_", &resize);
  library.impl("_copy_from", &copy_from);
  library.impl("_local_scalar_dense", &local_scalar);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_host>());
}

}  // namespace cortiscore::emulated
