#include "src/profile/operator_counts.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/record_function.h>

#include "src/core/counted_work.h"

namespace cortiscore {
namespace {

using c10::IValue;

std::vector<at::Tensor> tensors_of(const IValue& value) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) return {value.toTensor()};
  } else if (value.isTensorList()) {
    return value.toTensorVector();
  }
  return {};
}

double numel(const IValue& value) {
  return value.isTensor() && value.toTensor().defined()
             ? static_cast<double>(value.toTensor().numel())
             : 0;
}

double size_of(const IValue& value, int64_t dim) {
  if (!value.isTensor() || !value.toTensor().defined()) return 0;
  const auto& tensor = value.toTensor();
  return tensor.dim() >= (dim < 0 ? -dim : dim + 1) ? static_cast<double>(tensor.size(dim)) : 0;
}

// A convolution: every output element takes a product with all of a filter.
double of_convolution(c10::ArrayRef<const IValue> inputs) {
  // input, weight, bias, stride, padding, dilation, transposed, output padding, groups
  if (inputs.size() < 9 || !inputs[1].isTensor() || !inputs[3].isIntList()) return 0;
  const auto& input = inputs[0].toTensor();
  const auto& weight = inputs[1].toTensor();
  const auto spatial = input.dim() - 2;
  const auto at_dim = [&](size_t which, int64_t d) {
    const auto values = inputs[which].toIntVector();
    return values.empty() ? 0 : values[values.size() == 1 ? 0 : static_cast<size_t>(d)];
  };
  double filter = 1, places = 1;
  for (int64_t d = 0; d < spatial; ++d) {
    const auto kernel = weight.size(2 + d), size = input.size(2 + d);
    filter *= static_cast<double>(kernel);
    const auto reach = at_dim(5, d) * (kernel - 1) + 1;
    places *= inputs[6].toBool()
                  ? static_cast<double>(size)
                  : static_cast<double>((size + 2 * at_dim(4, d) - reach) / at_dim(3, d) + 1);
  }
  // Transposed or not, a weight is [one side's channels, the other's in a group, ...].
  return 2 * static_cast<double>(input.size(0)) * places * filter *
         static_cast<double>(weight.size(0)) * static_cast<double>(weight.size(1));
}

// q k' and the product of what it gives with v.
double of_attention(c10::ArrayRef<const IValue> inputs) {
  if (inputs.size() < 3) return 0;
  const auto heads = numel(inputs[0]) / std::max(1.0, size_of(inputs[0], -1));
  return 2 * heads * size_of(inputs[1], -2) * (size_of(inputs[0], -1) + size_of(inputs[2], -1));
}

// Of operators whose work is not the number of elements that they make; nothing for the others.
std::optional<double> by_formula(std::string_view name, c10::ArrayRef<const IValue> inputs) {
  const auto product = [&](size_t a, size_t b) {
    return inputs.size() > b ? 2 * numel(inputs[a]) * size_of(inputs[b], -1) : 0;
  };
  const auto cube = [&](double times) {
    const double n = size_of(inputs[0], -1);
    return times * n * numel(inputs[0]);
  };
  if (inputs.empty()) return std::nullopt;
  if (name == "aten::convolution" || name == "aten::_convolution") return of_convolution(inputs);
  if (name == "aten::mm" || name == "aten::bmm") return product(0, 1);
  if (name == "aten::addmm" || name == "aten::baddbmm" || name == "aten::addbmm" ||
      name == "aten::addmm_" || name == "aten::baddbmm_")
    return product(1, 2);
  if (name == "aten::mv") return 2 * numel(inputs[0]);
  if (name == "aten::addmv" || name == "aten::addmv_")
    return inputs.size() > 1 ? 2 * numel(inputs[1]) : 0;
  if (name == "aten::dot" || name == "aten::vdot") return 2 * numel(inputs[0]);
  if (name.starts_with("aten::_scaled_dot_product_")) return of_attention(inputs);
  if (name == "aten::linalg_cholesky_ex") return cube(1.0 / 3);
  if (name == "aten::_linalg_eigh") return cube(9);
  if (name == "aten::_linalg_svd") return cube(20);
  if (name == "aten::linalg_lu_factor_ex" || name == "aten::_linalg_solve_ex") return cube(2.0 / 3);
  if (name == "aten::linalg_solve_triangular")
    return inputs.size() > 1 ? numel(inputs[1]) * size_of(inputs[0], -1) : 0;
  if (name == "aten::cholesky_solve")
    return inputs.size() > 1 ? 2 * numel(inputs[0]) * size_of(inputs[1], -1) : 0;
  if (name == "aten::linalg_qr")  // m n^2 - n^3 / 3 twice: R, and Q from its reflections
    return 4 * (numel(inputs[0]) - size_of(inputs[0], -1) * size_of(inputs[0], -1) / 3) *
           size_of(inputs[0], -1);
  return std::nullopt;
}

// What moves, and computes nothing.
bool moves_alone(std::string_view name) {
  static const std::set<std::string_view> all = {"aten::contiguous",      "aten::to",
                                                 "aten::reshape",         "aten::copy_",
                                                 "aten::clone",           "aten::cat",
                                                 "aten::stack",           "aten::index",
                                                 "aten::index_select",    "aten::gather",
                                                 "aten::fill_",           "aten::zero_",
                                                 "aten::_to_copy",        "aten::constant_pad_nd",
                                                 "aten::repeat",          "aten::arange",
                                                 "aten::index_put_",      "aten::masked_fill_",
                                                 "aten::masked_select",   "aten::_copy_from",
                                                 "aten::_index_put_impl_"};
  return all.contains(name);
}

bool makes_room_alone(std::string_view name) {
  return name.starts_with("aten::empty") || name.starts_with("aten::new_empty") ||
         name == "aten::resize_" || name == "aten::set_";
}

}  // namespace

class CountedByStage {
 public:
  void add(const Work& more) {
    const auto here = Stage::here();
    const std::lock_guard<std::mutex> lock(mutex_);
    work_[{here.any ? here.name : StageName::kOther, here.detail}].add(more);
  }

  StageWork work() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return work_;
  }

 private:
  mutable std::mutex mutex_;
  StageWork work_;
};

namespace {

// The one that counts; callbacks of Torch are plain functions.
std::atomic<CountedByStage*> g_counts{nullptr};

// What of the calling thread's operators is under way.
struct UnderWay {
  int64_t by_formula = 0;  // of those, that count by one: what is in them does not
  double flops = 0;        // of the outermost, by formulas
  std::vector<bool> calls_others;
};
thread_local UnderWay t_under_way;

struct Call : public at::ObserverContext {
  std::optional<double> flops;  // by a formula
  double input_elements = 0, input_bytes = 0;
  std::vector<const c10::TensorImpl*> inputs;
  std::vector<const void*> storages;
};

double bytes_of(const at::Tensor& tensor) {
  return static_cast<double>(tensor.numel()) * static_cast<double>(tensor.element_size());
}

const void* storage_of(const at::Tensor& tensor) {
  return tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl() : nullptr;
}

std::unique_ptr<at::ObserverContext> begins(const at::RecordFunction& function) {
  auto& mine = t_under_way;
  auto call = std::make_unique<Call>();
  const auto inputs = function.inputs();
  call->flops = by_formula(function.name(), inputs);
  for (const auto& input : inputs) {
    for (const auto& tensor : tensors_of(input)) {
      call->inputs.push_back(tensor.unsafeGetTensorImpl());
      call->storages.push_back(storage_of(tensor));
      call->input_bytes += bytes_of(tensor);
      call->input_elements = std::max(call->input_elements, static_cast<double>(tensor.numel()));
    }
  }
  if (mine.calls_others.empty()) mine.flops = 0;
  if (call->flops && mine.by_formula++ == 0) mine.flops += *call->flops;
  mine.calls_others.push_back(false);
  return call;
}

// What an operator made: elements and bytes; nothing where it gave back what it was given, or a
// view of it.
std::optional<std::pair<double, double>> made_by(const at::RecordFunction& function,
                                                 const Call& call) {
  const std::string_view name = function.name(), overload = function.overload_name();
  const bool in_place = name.ends_with("_") || overload.find("out") != std::string_view::npos;
  const auto among = [](const auto& all, const auto* one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  std::optional<std::pair<double, double>> made;
  if (makes_room_alone(name)) return made;
  for (const auto& output : function.outputs()) {
    for (const auto& tensor : tensors_of(output)) {
      const bool same = among(call.inputs, tensor.unsafeGetTensorImpl());
      if (same ? !in_place : among(call.storages, storage_of(tensor))) continue;
      if (!made) made.emplace(0, 0);
      made->first += static_cast<double>(tensor.numel());
      made->second += bytes_of(tensor);
    }
  }
  return made;
}

void ends(const at::RecordFunction& function, at::ObserverContext* context) {
  auto& mine = t_under_way;
  auto* call = static_cast<Call*>(context);
  if (!call || mine.calls_others.empty()) return;
  const bool alone = !mine.calls_others.back();
  mine.calls_others.pop_back();
  if (call->flops) --mine.by_formula;
  const auto made = made_by(function, *call);
  auto* counts = g_counts.load();
  if (!made || !counts) return;
  Work work;
  work.operators = alone ? 1 : 0;
  if (mine.calls_others.empty()) {
    work.bytes = call->input_bytes + made->second;
    work.flops = mine.flops;
    if (mine.flops == 0 && !moves_alone(function.name()))
      work.flops = std::max(call->input_elements, made->first);
  } else {
    mine.calls_others.back() = true;
  }
  counts->add(work);
}

void own_loop(double flops, double bytes) {
  if (auto* counts = g_counts.load()) counts->add({flops, bytes, 1});
}

}  // namespace

OperatorCounts::OperatorCounts() : state_(std::make_unique<CountedByStage>()) {
  g_counts = state_.get();
  count_work_with(own_loop);
  callback_ = at::addGlobalCallback(at::RecordFunctionCallback(begins, ends)
                                        .needsInputs(true)
                                        .needsOutputs(true)
                                        .scopes({at::RecordScope::FUNCTION}));
}

OperatorCounts::~OperatorCounts() {
  at::removeCallback(callback_);
  count_work_with(nullptr);
  g_counts = nullptr;
}

StageWork OperatorCounts::work() const {
  return state_->work();
}

}  // namespace cortiscore
