#include "src/model/operators.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <set>
#include <sstream>
#include <unordered_map>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>
#include <ATen/WrapDimUtils.h>

namespace cortiscore::graph {
namespace {

using torch::jit::Stack;

// An operator and its overloads. In place of what is missing here,
// docs/decisions/0020-a-graph-is-data.md says why.
constexpr const char* kAllowed[] = {
    // Creation.
    "arange: default start start_step",
    "eye: default m",
    "full: default",
    "full_like: default",
    "linspace: default",
    "new_full: default",
    "new_ones: default",
    "new_zeros: default",
    "ones: default",
    "ones_like: default",
    "scalar_tensor: default",
    "zeros: default",
    "zeros_like: default",
    // Unary.
    "abs: default",
    "absolute: default",
    "acos: default",
    "acosh: default",
    "alias: default",
    "arccos: default",
    "arccosh: default",
    "arcsin: default",
    "arcsinh: default",
    "arctan: default",
    "arctanh: default",
    "asin: default",
    "asinh: default",
    "atan: default",
    "atanh: default",
    "bitwise_not: default",
    "ceil: default",
    "celu: default",
    "clone: default",
    "contiguous: default",
    "cos: default",
    "cosh: default",
    "deg2rad: default",
    "detach: default",
    "elu: default",
    "erf: default",
    "erfc: default",
    "erfinv: default",
    "exp2: default",
    "exp: default",
    "expm1: default",
    "fix: default",
    "floor: default",
    "frac: default",
    "gelu: default",
    "hardshrink: default",
    "hardsigmoid: default",
    "hardswish: default",
    "hardtanh: default",
    "isfinite: default",
    "isinf: default",
    "isnan: default",
    "leaky_relu: default",
    "lift_fresh_copy: default",
    "log10: default",
    "log1p: default",
    "log2: default",
    "log: default",
    "log_sigmoid: default",
    "logical_not: default",
    "logit: default",
    "mish: default",
    "nan_to_num: default",
    "neg: default",
    "negative: default",
    "positive: default",
    "rad2deg: default",
    "reciprocal: default",
    "relu6: default",
    "relu: default",
    "resolve_conj: default",
    "resolve_neg: default",
    "round: default decimals",
    "rsqrt: default",
    "selu: default",
    "sgn: default",
    "sigmoid: default",
    "sign: default",
    "silu: default",
    "sin: default",
    "sinc: default",
    "sinh: default",
    "softplus: default",
    "softshrink: default",
    "special_expit: default",
    "sqrt: default",
    "square: default",
    "tan: default",
    "tanh: default",
    "threshold: default",
    "tril: default",
    "triu: default",
    "trunc: default",
    // Types.
    "_to_copy: default",
    "to: device dtype dtype_layout other",
    "type_as: default",
    // Pointwise of several.
    "add: Scalar Tensor",
    "addcdiv: default",
    "addcmul: default",
    "__and__: Scalar Tensor",
    "arctan2: default",
    "atan2: default",
    "bitwise_and: Scalar Tensor",
    "bitwise_or: Scalar Tensor",
    "bitwise_xor: Scalar Tensor",
    "clamp: default Tensor",
    "clamp_max: default Tensor",
    "clamp_min: default Tensor",
    "clip: default Tensor",
    "div: Scalar Scalar_mode Tensor Tensor_mode",
    "divide: Scalar Tensor",
    "eq: Scalar Tensor",
    "float_power: Scalar Tensor_Scalar Tensor_Tensor",
    "floor_divide: default Scalar",
    "fmax: default",
    "fmin: default",
    "fmod: Scalar Tensor",
    "ge: Scalar Tensor",
    "glu: default",
    "greater: Scalar Tensor",
    "greater_equal: Scalar Tensor",
    "gt: Scalar Tensor",
    "heaviside: default",
    "hypot: default",
    "le: Scalar Tensor",
    "lerp: Scalar Tensor",
    "less: Scalar Tensor",
    "less_equal: Scalar Tensor",
    "logaddexp: default",
    "logical_and: default",
    "logical_or: default",
    "logical_xor: default",
    "lt: Scalar Tensor",
    "masked_fill: Scalar Tensor",
    "maximum: default",
    "minimum: default",
    "mul: Scalar Tensor",
    "multiply: Scalar Tensor",
    "ne: Scalar Tensor",
    "not_equal: Scalar Tensor",
    "__or__: Scalar Tensor",
    "pow: Scalar Tensor_Scalar Tensor_Tensor",
    "prelu: default",
    "remainder: Scalar Tensor",
    "rsub: Scalar Tensor",
    "sub: Scalar Tensor",
    "subtract: Scalar Tensor",
    "true_divide: Scalar Tensor",
    "where: Scalar ScalarOther ScalarSelf self",
    "xlogy: Tensor",
    "__xor__: Scalar Tensor",
    // Reductions.
    "all: default dim dims",
    "amax: default",
    "amin: default",
    "any: default dim dims",
    "argmax: default",
    "argmin: default",
    "argsort: default stable",
    "cumprod: default",
    "cumsum: default",
    "frobenius_norm: dim",
    "linalg_norm: default",
    "linalg_vector_norm: default",
    "_log_softmax: default",
    "log_softmax: int",
    "logsumexp: default",
    "max: default dim other",
    "mean: default dim",
    "min: default dim other",
    "norm: Scalar ScalarOpt_dim ScalarOpt_dim_dtype ScalarOpt_dtype",
    "pairwise_distance: default",
    "prod: default dim_int",
    "_softmax: default",
    "softmax: int",
    "sort: default stable",
    "special_log_softmax: default",
    "special_softmax: default",
    "std: correction default dim",
    "std_mean: correction default dim",
    "sum: default dim_IntList",
    "topk: default",
    "var: correction default dim",
    "var_mean: correction default dim",
    // Shapes.
    "adjoint: default",
    "atleast_1d: default",
    "atleast_2d: default",
    "atleast_3d: default",
    "broadcast_tensors: default",
    "broadcast_to: default",
    "cat: default",
    "channel_shuffle: default",
    "chunk: default",
    "column_stack: default",
    "concat: default",
    "constant_pad_nd: default",
    "diag_embed: default",
    "diagonal: default",
    "expand: default",
    "expand_as: default",
    "flatten: using_ints",
    "flip: default",
    "hstack: default",
    "im2col: default",
    "meshgrid: default indexing",
    "mH: default",
    "moveaxis: int intlist",
    "movedim: int intlist",
    "mT: default",
    "narrow: default",
    "numpy_T: default",
    "pad: default",
    "permute: default",
    "pixel_shuffle: default",
    "pixel_unshuffle: default",
    "ravel: default",
    "reflection_pad1d: default",
    "reflection_pad2d: default",
    "repeat: default",
    "repeat_interleave: self_int",
    "replication_pad1d: default",
    "replication_pad2d: default",
    "replication_pad3d: default",
    "reshape: default",
    "reshape_as: default",
    "roll: default",
    "select: int",
    "slice: Tensor",
    "split: Tensor sizes",
    "split_with_sizes: default",
    "squeeze: default dim dims",
    "stack: default",
    "swapaxes: default",
    "swapdims: default",
    "t: default",
    "tile: default",
    "transpose: int",
    "unbind: int",
    "unflatten: int",
    "unfold: default",
    "_unsafe_view: default",
    "unsqueeze: default",
    "view: default dtype",
    "view_as: default",
    "vstack: default",
    // By position.
    "embedding: default",
    "gather: default",
    "index: Tensor",
    "index_fill: int_Scalar",
    "index_put: default",
    "index_select: default",
    "scatter: src value",
    "scatter_add: default",
    "select_scatter: default",
    "slice_scatter: default",
    "take_along_dim: default",
    // Products and convolutions.
    "addmm: default",
    "addmv: default",
    "addr: default",
    "baddbmm: default",
    "bilinear: default",
    "bmm: default",
    "cdist: default",
    "conv1d: default padding",
    "conv2d: default padding",
    "conv3d: default padding",
    "conv_transpose1d: default",
    "conv_transpose2d: input",
    "conv_transpose3d: input",
    "convolution: default",
    "cosine_similarity: default",
    "cross: default",
    "dot: default",
    "einsum: default",
    "ger: default",
    "kron: default",
    "linalg_cross: default",
    "linalg_matmul: default",
    "linear: default",
    "matmul: default",
    "mm: default",
    "mv: default",
    "outer: default",
    "scaled_dot_product_attention: default",
    "tensordot: default",
    "vdot: default",
    // Normalisation.
    "_native_batch_norm_legit_no_training: default",
    "batch_norm: default",
    "group_norm: default",
    "instance_norm: default",
    "layer_norm: default",
    "native_group_norm: default",
    "native_layer_norm: default",
    "rms_norm: default",
    "_weight_norm: default",
    // Pooling and sizes.
    "_adaptive_avg_pool2d: default",
    "_upsample_bicubic2d_aa: default vec",
    "_upsample_bilinear2d_aa: default vec",
    "_upsample_nearest_exact1d: default vec",
    "_upsample_nearest_exact2d: default vec",
    "_upsample_nearest_exact3d: default vec",
    "adaptive_avg_pool1d: default",
    "adaptive_avg_pool2d: default",
    "adaptive_avg_pool3d: default",
    "adaptive_max_pool1d: default",
    "adaptive_max_pool2d: default",
    "adaptive_max_pool3d: default",
    "affine_grid_generator: default",
    "avg_pool1d: default",
    "avg_pool2d: default",
    "avg_pool3d: default",
    "col2im: default",
    "grid_sampler: default",
    "grid_sampler_2d: default",
    "max_pool1d: default",
    "max_pool2d: default",
    "max_pool2d_with_indices: default",
    "max_pool3d: default",
    "upsample_bicubic2d: default vec",
    "upsample_bilinear2d: default vec",
    "upsample_linear1d: default vec",
    "upsample_nearest1d: default vec",
    "upsample_nearest2d: default vec",
    "upsample_nearest3d: default vec",
    "upsample_trilinear3d: default vec",
    // Recurrent.
    "gru: input",
    "lstm: input",
    "rnn_tanh: input",
    "gru_cell: default",
    "lstm_cell: default",
    "rnn_tanh_cell: default",
    // Dropout.
    "alpha_dropout: default",
    "dropout: default",
    "feature_alpha_dropout: default",
    "feature_dropout: default",
    // Complex.
    "imag: default",
    "real: default",
    "view_as_complex: default",
    "view_as_real: default",
    // Assertions, integers.
    "_assert_tensor_metadata: default",
    "sym_numel: default",
    "sym_size: int",
    // In place.
    "abs_: default",
    "add_: Scalar Tensor",
    "addcdiv_: default",
    "addcmul_: default",
    "alpha_dropout_: default",
    "celu_: default",
    "clamp_: default Tensor",
    "clamp_max_: default Tensor",
    "clamp_min_: default Tensor",
    "copy_: default",
    "detach_: default",
    "div_: Scalar Tensor",
    "dropout_: default",
    "elu_: default",
    "erf_: default",
    "exp_: default",
    "feature_alpha_dropout_: default",
    "feature_dropout_: default",
    "fill_: Scalar Tensor",
    "hardsigmoid_: default",
    "hardswish_: default",
    "hardtanh_: default",
    "index_put_: default",
    "leaky_relu_: default",
    "log_: default",
    "masked_fill_: Scalar Tensor",
    "mish_: default",
    "mul_: Scalar Tensor",
    "neg_: default",
    "pow_: Scalar Tensor",
    "reciprocal_: default",
    "relu6_: default",
    "relu_: default",
    "rsqrt_: default",
    "selu_: default",
    "sigmoid_: default",
    "silu_: default",
    "sqrt_: default",
    "square_: default",
    "squeeze_: default dim dims",
    "sub_: Scalar Tensor",
    "tanh_: default",
    "threshold_: default",
    "transpose_: default",
    "unsqueeze_: default",
    "zero_: default",
};

const std::set<std::string>& allowed_names() {
  static const auto names = [] {
    std::set<std::string> all;
    for (const std::string line : kAllowed) {
      const auto colon = line.find(':');
      std::istringstream overloads(line.substr(colon + 1));
      for (std::string overload; overloads >> overload;)
        all.insert(line.substr(0, colon) + "." + overload);
    }
    return all;
  }();
  return names;
}

at::Tensor tensor(const Stack& stack, size_t i) {
  return stack.at(i).toTensor();
}

// One tensor, or a list of them.
std::vector<at::Tensor> tensors(const Stack& stack, size_t i) {
  return stack.at(i).isTensor() ? std::vector{tensor(stack, i)} : stack[i].toTensorVector();
}

bool given(const Stack& stack, size_t i) {
  return stack.at(i).isTensor() && stack[i].toTensor().defined();
}

std::vector<int64_t> integers(const Stack& stack, size_t i) {
  return stack.at(i).isNone() ? std::vector<int64_t>{} : stack[i].toIntVector();
}

void give(Stack& stack, std::vector<at::Tensor> outputs) {
  stack.clear();
  for (auto& output : outputs) stack.emplace_back(std::move(output));
}

// One number for all axes, or one an axis, within what memory could hold.
std::vector<int64_t> an_axis(std::vector<int64_t> values,
                             size_t n,
                             const char* name,
                             int64_t least) {
  if (values.size() == 1) values.resize(n, values[0]);
  TORCH_CHECK(values.size() == n, name, " has ", values.size(), " numbers, of ", n, " axes");
  for (const auto value : values) {
    TORCH_CHECK(value >= least && value <= (int64_t{1} << 31), name, " holds ", value);
  }
  return values;
}

void check_of_length(const Stack& stack, size_t i, int64_t n, const char* name) {
  if (!given(stack, i)) return;
  const auto found = tensor(stack, i);
  TORCH_CHECK(found.dim() == 1 && found.size(0) == n, name, " has the shape ", found.sizes(),
              ", of ", n, " channels");
}

struct Convolution {
  std::vector<int64_t> stride, padding, dilation, output_padding;
  int64_t groups = 1;
  bool transposed = false, same = false;
};

// The formulas of torch.nn.Conv2d's and ConvTranspose2d's documentation.
at::Tensor convolved(at::Tensor input,
                     const at::Tensor& weight,
                     const std::optional<at::Tensor>& bias,
                     Convolution how) {
  const auto n_axes = static_cast<size_t>(std::max<int64_t>(weight.dim() - 2, 0));
  TORCH_CHECK(n_axes >= 1 && n_axes <= 3, "a weight of shape ", weight.sizes());
  const bool batched = input.dim() == weight.dim();
  TORCH_CHECK(batched || input.dim() == weight.dim() - 1, "an input of shape ", input.sizes(),
              " with a weight of shape ", weight.sizes());
  TORCH_CHECK(input.scalar_type() == weight.scalar_type(), "an input of ", input.scalar_type(),
              " with a weight of ", weight.scalar_type());
  TORCH_CHECK(input.numel() > 0 && weight.numel() > 0, "an input of shape ", input.sizes(),
              " with a weight of shape ", weight.sizes());
  if (!batched) input = input.unsqueeze(0);
  const auto stride = an_axis(how.stride, n_axes, "stride", 1);
  const auto dilation = an_axis(how.dilation, n_axes, "dilation", 1);
  const auto padding = an_axis(how.padding, n_axes, "padding", 0);
  TORCH_CHECK(how.groups >= 1, how.groups, " groups");
  const auto channels = how.transposed ? weight.size(0) : weight.size(1);
  const bool fits = how.transposed ? input.size(1) == channels && channels % how.groups == 0
                                   : input.size(1) % how.groups == 0 &&
                                         input.size(1) / how.groups == channels &&
                                         weight.size(0) % how.groups == 0;
  TORCH_CHECK(fits, "an input of shape ", input.sizes(), " with a weight of shape ", weight.sizes(),
              " in ", how.groups, " groups");
  const auto n_outputs = how.transposed ? weight.size(1) * how.groups : weight.size(0);
  if (bias) {
    TORCH_CHECK(bias->dim() == 1 && bias->size(0) == n_outputs, "a bias of shape ", bias->sizes(),
                " for ", n_outputs, " channels");
  }
  std::vector<int64_t> sizes = {input.size(0), n_outputs};
  if (how.same) {
    TORCH_CHECK(std::all_of(stride.begin(), stride.end(), [](int64_t s) { return s == 1; }),
                "padding that keeps the size, with strides");
  }
  const auto more = how.transposed ? an_axis(how.output_padding, n_axes, "output_padding", 0)
                                   : std::vector<int64_t>(n_axes);
  for (size_t i = 0; i < n_axes; ++i) {
    const auto axis = static_cast<int64_t>(i) + 2;
    const auto in = input.size(axis);
    const auto kernel = an_axis({weight.size(axis)}, 1, "weight", 1)[0];
    const auto reach = dilation[i] * (kernel - 1);
    TORCH_CHECK(in <= (int64_t{1} << 31) && more[i] < std::max(stride[i], dilation[i]),
                "sizes or output_padding that are too large");
    if (how.same) {
      sizes.push_back(in);
    } else if (how.transposed) {
      sizes.push_back((in - 1) * stride[i] - 2 * padding[i] + reach + more[i] + 1);
    } else {
      const auto room = in + 2 * padding[i] - reach - 1;
      sizes.push_back(room < 0 ? 0 : room / stride[i] + 1);
    }
    TORCH_CHECK(sizes.back() > 0, "a kernel of ", reach + 1, " on an axis of ", in, " and padding ",
                padding[i]);
  }
  const bool last =
      n_axes == 2 && (input.suggest_memory_format() == at::MemoryFormat::ChannelsLast ||
                      weight.suggest_memory_format() == at::MemoryFormat::ChannelsLast);
  auto output = at::empty(sizes, input.options(),
                          last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
  return batched ? output : output.squeeze(0);
}

std::optional<at::Tensor> optional_tensor(const Stack& stack, size_t i) {
  return given(stack, i) ? std::optional(tensor(stack, i)) : std::nullopt;
}

void conv(Stack& stack) {
  Convolution how{integers(stack, 3), {}, integers(stack, 5), {}, stack.at(6).toInt()};
  if (stack.at(4).isString()) {
    const auto word = stack[4].toStringRef();
    TORCH_CHECK(word == "same" || word == "valid", "padding \"", word, "\"");
    how.same = word == "same";
    how.padding = {0};
  } else {
    how.padding = integers(stack, 4);
  }
  give(stack, {convolved(tensor(stack, 0), tensor(stack, 1), optional_tensor(stack, 2), how)});
}

void conv_transpose(Stack& stack) {
  give(stack, {convolved(tensor(stack, 0), tensor(stack, 1), optional_tensor(stack, 2),
                         {integers(stack, 3), integers(stack, 4), integers(stack, 7),
                          integers(stack, 5), stack.at(6).toInt(), true})});
}

void convolution(Stack& stack) {
  give(stack, {convolved(tensor(stack, 0), tensor(stack, 1), optional_tensor(stack, 2),
                         {integers(stack, 3), integers(stack, 4), integers(stack, 5),
                          integers(stack, 7), stack.at(8).toInt(), stack.at(6).toBool()})});
}

void batch_norm(Stack& stack) {
  const auto input = tensor(stack, 0);
  TORCH_CHECK(input.dim() >= 2, "an input of shape ", input.sizes());
  constexpr std::array kNames = {"weight", "bias", "running_mean", "running_var"};
  for (size_t i = 0; i < kNames.size(); ++i)
    check_of_length(stack, i + 1, input.size(1), kNames[i]);
  TORCH_CHECK(given(stack, 3) == given(stack, 4), "one of running_mean and running_var");
  TORCH_CHECK(given(stack, 3) || stack.at(5).toBool(), "no running_mean");
  give(stack, {at::empty_like(input)});
}

void batch_norm_no_training(Stack& stack) {
  const auto input = tensor(stack, 0);
  TORCH_CHECK(input.dim() >= 2, "an input of shape ", input.sizes());
  constexpr std::array kNames = {"weight", "bias", "running_mean", "running_var"};
  for (size_t i = 0; i < kNames.size(); ++i)
    check_of_length(stack, i + 1, input.size(1), kNames[i]);
  give(stack,
       {at::empty_like(input), at::empty({0}, input.options()), at::empty({0}, input.options())});
}

// Mean and reciprocal deviation are of all axes before `normalized_shape`.
std::vector<int64_t> check_layer_norm(const Stack& stack, size_t weight) {
  const auto input = tensor(stack, 0);
  const auto shape = integers(stack, 1);
  const auto n = static_cast<int64_t>(shape.size());
  TORCH_CHECK(n >= 1 && input.dim() >= n && input.sizes().slice(input.dim() - n) == shape,
              "an input of shape ", input.sizes(), " with normalized_shape ", shape);
  for (const auto i : {weight, weight + 1}) {
    if (i < stack.size() && given(stack, i)) {
      TORCH_CHECK(tensor(stack, i).sizes() == shape, "a weight of shape ", tensor(stack, i).sizes(),
                  " with normalized_shape ", shape);
    }
  }
  auto outer = input.sizes().vec();
  std::fill(outer.end() - n, outer.end(), 1);
  return outer;
}

void layer_norm(Stack& stack) {
  check_layer_norm(stack, 2);
  give(stack, {at::empty_like(tensor(stack, 0), at::MemoryFormat::Contiguous)});
}

void native_layer_norm(Stack& stack) {
  const auto outer = check_layer_norm(stack, 2);
  const auto input = tensor(stack, 0);
  give(stack, {at::empty_like(input, at::MemoryFormat::Contiguous),
               at::empty(outer, input.options()), at::empty(outer, input.options())});
}

void rms_norm(Stack& stack) {
  const auto input = tensor(stack, 0);
  const auto shape = integers(stack, 1);
  const auto n = static_cast<int64_t>(shape.size());
  TORCH_CHECK(n >= 1 && input.dim() >= n && input.sizes().slice(input.dim() - n) == shape,
              "an input of shape ", input.sizes(), " with normalized_shape ", shape);
  if (given(stack, 2)) {
    TORCH_CHECK(tensor(stack, 2).sizes() == shape, "a weight of shape ", tensor(stack, 2).sizes());
  }
  give(stack, {at::empty_like(input)});
}

void group_norm(Stack& stack) {
  const auto input = tensor(stack, 0);
  const auto groups = stack.at(1).toInt();
  TORCH_CHECK(input.dim() >= 2 && groups >= 1 && input.size(1) % groups == 0, "an input of shape ",
              input.sizes(), " in ", groups, " groups");
  check_of_length(stack, 2, input.size(1), "weight");
  check_of_length(stack, 3, input.size(1), "bias");
  give(stack, {at::empty_like(input)});
}

void native_group_norm(Stack& stack) {
  const auto input = tensor(stack, 0);
  const auto n = stack.at(3).toInt(), c = stack.at(4).toInt(), rest = stack.at(5).toInt(),
             groups = stack.at(6).toInt();
  TORCH_CHECK(input.dim() >= 2 && input.size(0) == n && input.size(1) == c && groups >= 1 &&
                  c % groups == 0 && input.numel() > 0 && input.numel() / n / c == rest,
              "an input of shape ", input.sizes(), " said to be ", n, " x ", c, " x ", rest, " in ",
              groups, " groups");
  check_of_length(stack, 1, c, "weight");
  check_of_length(stack, 2, c, "bias");
  const auto options = input.options();
  give(stack,
       {at::empty_like(input), at::empty({n, groups}, options), at::empty({n, groups}, options)});
}

void instance_norm(Stack& stack) {
  const auto input = tensor(stack, 0);
  TORCH_CHECK(input.dim() >= 3, "an input of shape ", input.sizes());
  constexpr std::array kNames = {"weight", "bias", "running_mean", "running_var"};
  for (size_t i = 0; i < kNames.size(); ++i)
    check_of_length(stack, i + 1, input.size(1), kNames[i]);
  TORCH_CHECK(stack.at(5).toBool() || (given(stack, 3) && given(stack, 4)), "no running_mean");
  give(stack, {at::empty_like(input)});
}

// One norm a slice along `dim` (-1: one of all), which g scales.
void weight_norm(Stack& stack) {
  const auto v = tensor(stack, 0), g = tensor(stack, 1);
  const auto dim = stack.at(2).toInt();
  TORCH_CHECK(v.numel() > 0 && v.dim() > 0 && dim >= -1 && dim < v.dim() && v.is_floating_point() &&
                  v.scalar_type() == g.scalar_type(),
              "a direction of ", v.scalar_type(), " and shape ", v.sizes(), " with magnitudes of ",
              g.scalar_type(), " and dim ", dim);
  std::vector<int64_t> sizes(dim == -1 ? 0 : static_cast<size_t>(v.dim()), 1);
  if (dim >= 0) sizes[static_cast<size_t>(dim)] = v.size(dim);
  TORCH_CHECK(g.sizes() == sizes, "magnitudes of shape ", g.sizes(), " for a direction of shape ",
              v.sizes(), " and dim ", dim);
  give(stack, {at::empty_like(v, at::MemoryFormat::Contiguous)});
}

void attention(Stack& stack) {
  const auto query = tensor(stack, 0), key = tensor(stack, 1), value = tensor(stack, 2);
  const auto n = query.dim();
  const auto shapes = c10::str(query.sizes(), ", ", key.sizes(), " and ", value.sizes());
  TORCH_CHECK(n >= 2 && key.dim() == n && value.dim() == n && query.size(-1) == key.size(-1) &&
                  query.size(-1) > 0 && key.size(-2) == value.size(-2),
              "query, key and value of shapes ", shapes);
  TORCH_CHECK(query.is_floating_point() && query.scalar_type() == key.scalar_type() &&
                  query.scalar_type() == value.scalar_type(),
              "query, key and value of ", query.scalar_type(), ", ", key.scalar_type(), " and ",
              value.scalar_type());
  std::vector<int64_t> outer = query.sizes().slice(0, static_cast<size_t>(n - 2)).vec();
  for (const auto& other : {key, value}) {
    auto heads = other.sizes().slice(0, static_cast<size_t>(n - 2)).vec();
    if (stack.at(7).toBool()) {  // heads in groups
      TORCH_CHECK(n >= 3 && heads.back() >= 1 && query.size(-3) % heads.back() == 0,
                  "query, key and value of shapes ", shapes);
      heads.back() = query.size(-3);
    }
    outer = at::infer_size(outer, heads);
  }
  auto sizes = outer;
  if (given(stack, 3)) {
    TORCH_CHECK(!stack.at(5).toBool(), "a mask beside is_causal");
    auto scores = outer;
    scores.insert(scores.end(), {query.size(-2), key.size(-2)});
    const auto mask = tensor(stack, 3);
    TORCH_CHECK(mask.scalar_type() == at::kBool || mask.scalar_type() == query.scalar_type(),
                "a mask of ", mask.scalar_type());
    TORCH_CHECK(mask.dim() >= 2 && at::infer_size(scores, mask.sizes()) == scores,
                "a mask of shape ", mask.sizes(), " for scores of shape ", scores);
  }
  sizes.insert(sizes.end(), {query.size(-2), value.size(-1)});
  give(stack, {at::empty(sizes, query.options())});
}

void like_first(Stack& stack) {
  give(stack, {at::empty_like(tensor(stack, 0))});
}

void is_nan(Stack& stack) {
  const auto self = tensor(stack, 0);
  give(stack, {at::empty_like(self, self.options().dtype(at::kBool))});
}

void logit(Stack& stack) {
  const auto self = tensor(stack, 0);
  give(stack,
       {at::empty_like(self, self.options().dtype(at::isIntegralType(self.scalar_type(), true)
                                                      ? at::kFloat
                                                      : self.scalar_type()))});
}

void where(Stack& stack) {
  const auto condition = tensor(stack, 0), self = tensor(stack, 1), other = tensor(stack, 2);
  TORCH_CHECK(condition.scalar_type() == at::kBool || condition.scalar_type() == at::kByte,
              "a condition of ", condition.scalar_type());
  const auto sizes = at::infer_size(condition.sizes(), at::infer_size(self.sizes(), other.sizes()));
  give(stack, {at::empty(sizes, condition.options().dtype(at::result_type(self, other)))});
}

// One or both of the values are numbers, which take no part in the promotion of types.
void where_scalar(Stack& stack) {
  const auto condition = tensor(stack, 0);
  for (auto* value : {&stack.at(1), &stack.at(2)}) {
    if (value->isTensor()) continue;
    const auto number = value->toScalar();
    const auto type = number.isFloatingPoint()   ? at::kFloat
                      : number.isIntegral(false) ? at::kLong
                                                 : number.type();
    auto held = at::empty({}, condition.options().dtype(type));
    held.unsafeGetTensorImpl()->set_wrapped_number(true);
    *value = held;
  }
  where(stack);
}

void absolute(Stack& stack) {
  const auto self = tensor(stack, 0);
  give(stack,
       {at::empty_like(self, self.options().dtype(c10::toRealValueType(self.scalar_type())))});
}

void in_place(Stack& stack) {
  give(stack, {tensor(stack, 0)});
}

void relu6(Stack& stack) {
  TORCH_CHECK(tensor(stack, 0).scalar_type() != at::kBool, "an input of ", at::kBool);
  like_first(stack);
}

void prelu(Stack& stack) {
  const auto self = tensor(stack, 0), weight = tensor(stack, 1);
  TORCH_CHECK(weight.dim() <= 1 &&
                  (weight.numel() == 1 || (self.dim() >= 2 && weight.numel() == self.size(1))),
              "a weight of shape ", weight.sizes(), " for an input of shape ", self.sizes());
  like_first(stack);
}

void channel_shuffle(Stack& stack) {
  const auto self = tensor(stack, 0);
  const auto groups = stack.at(1).toInt();
  TORCH_CHECK(self.dim() > 2 && groups > 0 && self.size(1) % groups == 0, "an input of shape ",
              self.sizes(), " in ", groups, " groups");
  like_first(stack);
}

void logical(Stack& stack) {
  const auto self = tensor(stack, 0), other = tensor(stack, 1);
  give(stack,
       {at::empty(at::infer_size(self.sizes(), other.sizes()), self.options().dtype(at::kBool))});
}

void logsumexp(Stack& stack) {
  const auto self = tensor(stack, 0);
  TORCH_CHECK(self.is_floating_point(), "an input of ", self.scalar_type());
  give(stack, {at::sum(self, integers(stack, 1), stack.at(2).toBool())});
}

void inner_product(Stack& stack) {  // dot, vdot
  const auto self = tensor(stack, 0), other = tensor(stack, 1);
  TORCH_CHECK(
      self.dim() == 1 && self.sizes() == other.sizes() && self.scalar_type() == other.scalar_type(),
      "vectors of shapes ", self.sizes(), " and ", other.sizes());
  give(stack, {at::empty({}, self.options())});
}

void matmul(Stack& stack) {
  const auto self = tensor(stack, 0), other = tensor(stack, 1);
  if (self.dim() == 1 && other.dim() == 1) return inner_product(stack);
  give(stack, {at::matmul(self, other)});
}

void linear(Stack& stack) {
  const auto weight = tensor(stack, 1);
  TORCH_CHECK(weight.dim() == 2, "a weight of shape ", weight.sizes());
  give(stack, {at::linear(tensor(stack, 0), weight, optional_tensor(stack, 2))});
}

void distances(Stack& stack) {
  const auto self = tensor(stack, 0), other = tensor(stack, 1);
  TORCH_CHECK(self.dim() >= 2 && other.dim() >= 2 && self.size(-1) == other.size(-1) &&
                  self.is_floating_point() && self.scalar_type() == other.scalar_type(),
              "points of shapes ", self.sizes(), " and ", other.sizes());
  const auto outer = [](const at::Tensor& t) {
    return t.sizes().slice(0, static_cast<size_t>(t.dim() - 2));
  };
  auto sizes = at::infer_size(outer(self), outer(other));
  sizes.insert(sizes.end(), {self.size(-2), other.size(-2)});
  give(stack, {at::empty(sizes, self.options())});
}

void repeat_interleave(Stack& stack) {
  auto self = tensor(stack, 0);
  const auto repeats = stack.at(1).toInt();
  TORCH_CHECK(repeats >= 0 && repeats <= (int64_t{1} << 31), repeats, " repeats");
  if (stack.at(2).isNone()) self = self.flatten();
  TORCH_CHECK(self.dim() > 0, "an input of shape ", self.sizes());
  auto sizes = self.sizes().vec();
  const auto axis = stack[2].isNone() ? 0 : at::maybe_wrap_dim(stack[2].toInt(), self.dim());
  auto& size = sizes[static_cast<size_t>(axis)];
  TORCH_CHECK(size <= (int64_t{1} << 31), "an input of shape ", self.sizes());
  size *= repeats;
  TORCH_CHECK(stack.at(3).isNone() || stack[3].toInt() == size, "another output_size than ", size);
  give(stack, {at::empty(sizes, self.options())});
}

void pixel_unshuffle(Stack& stack) {
  const auto self = tensor(stack, 0);
  TORCH_CHECK(self.numel() > 0, "no elements");
  give(stack, {at::pixel_unshuffle(self, stack.at(1).toInt())});
}

void floor_divide_by_number(Stack& stack) {
  give(stack, {at::div(tensor(stack, 0), stack.at(1).toScalar(), "floor")});
}

void floor_divide(Stack& stack) {
  give(stack, {at::div(tensor(stack, 0), tensor(stack, 1), "floor")});
}

void rsub(Stack& stack) {
  give(stack, {at::sub(tensor(stack, 1), tensor(stack, 0), stack.at(2).toScalar())});
}

void of_all(Stack& stack) {
  const auto self = tensor(stack, 0);
  TORCH_CHECK(self.numel() > 0, "no elements");
  give(stack, {at::empty({}, self.options())});
}

void product(Stack& stack) {
  const auto dtype = stack.at(1).isNone() ? std::nullopt : std::optional(stack[1].toScalarType());
  give(stack, {at::sum(tensor(stack, 0), dtype)});
}

// Of var, std and with the mean: a reduction over axes, or over all.
template <size_t n_outputs>
void deviation(Stack& stack, std::optional<size_t> dim, std::optional<size_t> keepdim) {
  const auto self = tensor(stack, 0);
  TORCH_CHECK(self.is_floating_point() || self.is_complex(), "an input of ", self.scalar_type());
  auto axes = dim ? integers(stack, *dim) : std::vector<int64_t>{};
  const auto out = at::sum(self, axes, keepdim && stack.at(*keepdim).toBool());
  give(stack, std::vector<at::Tensor>(n_outputs, out));
}

void index_select(Stack& stack) {
  const auto self = tensor(stack, 0), index = tensor(stack, 2);
  TORCH_CHECK(
      index.dim() <= 1 && (index.scalar_type() == at::kLong || index.scalar_type() == at::kInt),
      "an index of ", index.scalar_type(), " and shape ", index.sizes());
  auto sizes = self.sizes().vec();
  const auto axis = at::maybe_wrap_dim(stack.at(1).toInt(), self.dim());
  if (!sizes.empty()) sizes[static_cast<size_t>(axis)] = index.numel();
  give(stack, {at::empty(sizes, self.options())});
}

void embedding(Stack& stack) {
  const auto weight = tensor(stack, 0), indices = tensor(stack, 1);
  TORCH_CHECK(weight.dim() == 2, "a weight of shape ", weight.sizes());
  TORCH_CHECK(indices.scalar_type() == at::kLong || indices.scalar_type() == at::kInt,
              "indices of ", indices.scalar_type());
  auto sizes = indices.sizes().vec();
  sizes.push_back(weight.size(1));
  give(stack, {at::empty(sizes, weight.options())});
}

template <size_t n_axes>
void adaptive_average(Stack& stack) {
  const auto self = tensor(stack, 0);
  auto sizes = self.sizes().vec();
  TORCH_CHECK(sizes.size() == n_axes + 1 || sizes.size() == n_axes + 2, "an input of shape ",
              self.sizes());
  const auto size = an_axis(integers(stack, 1), n_axes, "output_size", n_axes == 1 ? 1 : 0);
  for (size_t i = 0; i < n_axes; ++i) {
    auto& axis = sizes[sizes.size() - n_axes + i];
    TORCH_CHECK(axis > 0, "an input of shape ", self.sizes());
    axis = size[i];
  }
  give(stack, {at::empty(sizes, self.options(), self.suggest_memory_format())});
}

at::Tensor padded(const at::Tensor& self,
                  const std::vector<int64_t>& pad,
                  const std::string& mode) {
  const auto n = pad.size() / 2;
  TORCH_CHECK(pad.size() % 2 == 0 && static_cast<int64_t>(n) <= self.dim(), pad.size(),
              " numbers of padding for an input of shape ", self.sizes());
  auto sizes = self.sizes().vec();
  for (size_t i = 0; i < n; ++i) {
    auto& size = sizes[sizes.size() - 1 - i];
    const auto most = mode == "reflect" ? size - 1 : mode == "circular" ? size : int64_t{1} << 31;
    const auto before = pad[2 * i], after = pad[2 * i + 1];
    TORCH_CHECK(before <= most && after <= most && before >= -size && after >= -size &&
                    (mode == "constant" || size > 0),
                "padding ", pad, " of an input of shape ", self.sizes(), " by \"", mode, "\"");
    size += before + after;
    TORCH_CHECK(size >= 0, "padding ", pad, " of an input of shape ", self.sizes());
  }
  return at::empty(sizes, self.options(), self.suggest_memory_format());
}

void pad(Stack& stack) {
  const auto mode = stack.at(2).toStringRef();
  TORCH_CHECK(mode == "constant" || mode == "reflect" || mode == "replicate" || mode == "circular",
              "the mode \"", mode, "\"");
  const auto self = tensor(stack, 0);
  const auto sides = integers(stack, 1);
  if (mode != "constant") {
    TORCH_CHECK(static_cast<int64_t>(sides.size()) / 2 < self.dim() && sides.size() <= 4,
                sides.size(), " numbers of padding for an input of shape ", self.sizes());
  }
  give(stack, {padded(self, sides, mode)});
}

void reflection_pad2d(Stack& stack) {
  const auto self = tensor(stack, 0);
  const auto sides = integers(stack, 1);
  TORCH_CHECK(sides.size() == 4 && (self.dim() == 3 || self.dim() == 4), sides.size(),
              " numbers of padding for an input of shape ", self.sizes());
  give(stack, {padded(self, sides, "reflect")});
}

// How many places a window has along an axis.
int64_t places(int64_t size, int64_t kernel, int64_t dilation, int64_t padding, int64_t stride) {
  const auto room = size + 2 * padding - dilation * (kernel - 1) - 1;
  TORCH_CHECK(room >= 0, "a window of ", dilation * (kernel - 1) + 1, " on an axis of ", size);
  return room / stride + 1;
}

// Of torch.nn.MaxPool3d, whose documentation has the formula: with ceil_mode no window begins in
// the padding on the right.
void max_pool3d(Stack& stack) {
  const auto self = tensor(stack, 0);
  TORCH_CHECK((self.dim() == 4 || self.dim() == 5) && self.is_floating_point(),
              "an input of shape ", self.sizes());
  const auto kernel = an_axis(integers(stack, 1), 3, "kernel_size", 1);
  auto stride = integers(stack, 2);
  stride = stride.empty() ? kernel : an_axis(stride, 3, "stride", 1);
  const auto padding = an_axis(integers(stack, 3), 3, "padding", 0);
  const auto dilation = an_axis(integers(stack, 4), 3, "dilation", 1);
  auto sizes = self.sizes().vec();
  for (size_t i = 0; i < 3; ++i) {
    auto& size = sizes[sizes.size() - 3 + i];
    TORCH_CHECK(size > 0 && size <= (int64_t{1} << 31) && padding[i] <= kernel[i] / 2,
                "an input of shape ", self.sizes(), ", kernel_size ", kernel, " and padding ",
                padding);
    const auto n = places(size, kernel[i], dilation[i], padding[i], stride[i]);
    const auto covered = (n - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1;
    const bool more = covered < size + 2 * padding[i] && n * stride[i] < size + padding[i];
    size = n + (stack.at(5).toBool() && more ? 1 : 0);
  }
  give(stack, {at::empty(sizes, self.options())});
}

struct Windows {
  std::vector<int64_t> kernel, dilation, padding, stride;
  Windows(const Stack& stack, size_t first)
      : kernel(an_axis(integers(stack, first), 2, "kernel_size", 1)),
        dilation(an_axis(integers(stack, first + 1), 2, "dilation", 1)),
        padding(an_axis(integers(stack, first + 2), 2, "padding", 0)),
        stride(an_axis(integers(stack, first + 3), 2, "stride", 1)) {}
  int64_t along(size_t axis, int64_t size) const {
    return places(size, kernel[axis], dilation[axis], padding[axis], stride[axis]);
  }
};

void unfold_windows(Stack& stack) {  // im2col
  const auto self = tensor(stack, 0);
  TORCH_CHECK(self.dim() == 3 || self.dim() == 4, "an input of shape ", self.sizes());
  const Windows windows(stack, 1);
  auto sizes = self.sizes().slice(0, static_cast<size_t>(self.dim() - 3)).vec();
  sizes.insert(sizes.end(), {self.size(-3) * windows.kernel[0] * windows.kernel[1],
                             windows.along(0, self.size(-2)) * windows.along(1, self.size(-1))});
  give(stack, {at::empty(sizes, self.options())});
}

void fold_windows(Stack& stack) {  // col2im
  const auto self = tensor(stack, 0);
  TORCH_CHECK(self.dim() == 2 || self.dim() == 3, "an input of shape ", self.sizes());
  const auto size = an_axis(integers(stack, 1), 2, "output_size", 1);
  const Windows windows(stack, 2);
  const auto area = windows.kernel[0] * windows.kernel[1];
  TORCH_CHECK(self.size(-2) % area == 0 &&
                  self.size(-1) == windows.along(0, size[0]) * windows.along(1, size[1]),
              "an input of shape ", self.sizes(), " for an output of ", size);
  auto sizes = self.sizes().slice(0, static_cast<size_t>(self.dim() - 2)).vec();
  sizes.insert(sizes.end(), {self.size(-2) / area, size[0], size[1]});
  give(stack, {at::empty(sizes, self.options())});
}

void grid_sampler(Stack& stack) {
  const auto self = tensor(stack, 0), grid = tensor(stack, 1);
  TORCH_CHECK(self.dim() == 4 && grid.dim() == 4 && grid.size(0) == self.size(0) &&
                  grid.size(3) == 2 && self.size(2) > 0 && self.size(3) > 0 &&
                  self.scalar_type() == grid.scalar_type(),
              "an input of shape ", self.sizes(), " with a grid of shape ", grid.sizes());
  TORCH_CHECK(stack.at(2).toInt() >= 0 && stack[2].toInt() <= 2 && stack.at(3).toInt() >= 0 &&
                  stack[3].toInt() <= 2,
              "interpolation_mode ", stack[2].toInt(), ", padding_mode ", stack[3].toInt());
  give(stack,
       {at::empty({self.size(0), self.size(1), grid.size(1), grid.size(2)}, self.options())});
}

// Strides without memory are not always those of the kernels: what a view cannot be is found when
// it runs.
void view(Stack& stack) {
  give(stack, {at::reshape(tensor(stack, 0), integers(stack, 1))});
}

void view_as(Stack& stack) {
  give(stack, {at::reshape(tensor(stack, 0), tensor(stack, 1).sizes())});
}

using Shape = std::function<void(Stack&)>;

// Of operators for which Torch has no kernel without memory in C++.
const std::unordered_map<std::string, Shape>& shapes() {
  static const std::unordered_map<std::string, Shape> all = {
      {"conv1d.default", conv},
      {"conv1d.padding", conv},
      {"conv2d.default", conv},
      {"conv2d.padding", conv},
      {"conv3d.default", conv},
      {"conv3d.padding", conv},
      {"conv_transpose1d.default", conv_transpose},
      {"conv_transpose2d.input", conv_transpose},
      {"conv_transpose3d.input", conv_transpose},
      {"convolution.default", convolution},
      {"batch_norm.default", batch_norm},
      {"_native_batch_norm_legit_no_training.default", batch_norm_no_training},
      {"layer_norm.default", layer_norm},
      {"native_layer_norm.default", native_layer_norm},
      {"rms_norm.default", rms_norm},
      {"group_norm.default", group_norm},
      {"native_group_norm.default", native_group_norm},
      {"instance_norm.default", instance_norm},
      {"_weight_norm.default", weight_norm},
      {"max_pool3d.default", max_pool3d},
      {"scaled_dot_product_attention.default", attention},
      {"relu.default", like_first},
      {"hardswish.default", like_first},
      {"hardtanh.default", like_first},
      {"roll.default", like_first},
      {"flip.default", like_first},
      {"log_sigmoid.default", like_first},
      {"nan_to_num.default", like_first},
      {"prelu.default", prelu},
      {"relu6.default", relu6},
      {"abs.default", absolute},
      {"absolute.default", absolute},
      {"abs_.default", in_place},
      {"channel_shuffle.default", channel_shuffle},
      {"isnan.default", is_nan},
      {"isinf.default", is_nan},
      {"isfinite.default", is_nan},
      {"logical_not.default", is_nan},
      {"logical_and.default", logical},
      {"logical_or.default", logical},
      {"logical_xor.default", logical},
      {"logsumexp.default", logsumexp},
      {"matmul.default", matmul},
      {"linalg_matmul.default", matmul},
      {"dot.default", inner_product},
      {"vdot.default", inner_product},
      {"linear.default", linear},
      {"cdist.default", distances},
      {"repeat_interleave.self_int", repeat_interleave},
      {"pixel_unshuffle.default", pixel_unshuffle},
      {"where.ScalarOther", where_scalar},
      {"where.ScalarSelf", where_scalar},
      {"where.Scalar", where_scalar},
      {"logit.default", logit},
      {"where.self", where},
      {"floor_divide.default", floor_divide},
      {"floor_divide.Scalar", floor_divide_by_number},
      {"rsub.Tensor", rsub},
      {"max.default", of_all},
      {"min.default", of_all},
      {"prod.default", product},
      {"var.default", [](Stack& s) { deviation<1>(s, {}, {}); }},
      {"std.default", [](Stack& s) { deviation<1>(s, {}, {}); }},
      {"var.dim", [](Stack& s) { deviation<1>(s, 1, 3); }},
      {"std.dim", [](Stack& s) { deviation<1>(s, 1, 3); }},
      {"var.correction", [](Stack& s) { deviation<1>(s, 1, 3); }},
      {"std.correction", [](Stack& s) { deviation<1>(s, 1, 3); }},
      {"var_mean.default", [](Stack& s) { deviation<2>(s, {}, {}); }},
      {"std_mean.default", [](Stack& s) { deviation<2>(s, {}, {}); }},
      {"var_mean.dim", [](Stack& s) { deviation<2>(s, 1, 3); }},
      {"std_mean.dim", [](Stack& s) { deviation<2>(s, 1, 3); }},
      {"var_mean.correction", [](Stack& s) { deviation<2>(s, 1, 3); }},
      {"std_mean.correction", [](Stack& s) { deviation<2>(s, 1, 3); }},
      {"index_select.default", index_select},
      {"embedding.default", embedding},
      {"adaptive_avg_pool1d.default", adaptive_average<1>},
      {"adaptive_avg_pool2d.default", adaptive_average<2>},
      {"_adaptive_avg_pool2d.default", adaptive_average<2>},
      {"adaptive_avg_pool3d.default", adaptive_average<3>},
      {"pad.default", pad},
      {"reflection_pad2d.default", reflection_pad2d},
      {"im2col.default", unfold_windows},
      {"col2im.default", fold_windows},
      {"grid_sampler.default", grid_sampler},
      {"grid_sampler_2d.default", grid_sampler},
      {"view.default", view},
      {"_unsafe_view.default", view},
      {"view_as.default", view_as},
  };
  return all;
}

bool is_floating(const c10::IValue& value) {
  if (value.isTensor()) {
    const auto held = value.toTensor();
    return held.defined() && (held.is_floating_point() || held.is_complex());
  }
  return value.isDouble();
}

// Integers by which dividing would end the process: 0, and -1 of the lowest.
std::optional<Objection> objection_to_division(const Stack& stack) {
  if (is_floating(stack.at(0)) || is_floating(stack.at(1))) return {};
  if (!stack[1].isTensor() && stack[1].isScalar()) {
    const auto divisor = stack[1].toScalar().toLong();
    if (divisor != 0 && divisor != -1) return {};
    return Objection{"other", std::to_string(divisor), "another divisor of integers"};
  }
  if (stack[1].isTensor() && stack[1].toTensor().device().is_cpu() &&
      stack[1].toTensor().dim() == 0 &&
      at::isIntegralType(stack[1].toTensor().scalar_type(), true)) {
    const auto divisor =
        *static_cast<const int64_t*>(stack[1].toTensor().to(at::kLong).const_data_ptr());
    if (divisor != 0 && divisor != -1) return {};
  }
  return Objection{"other", "integers by integers", "a division of numbers with a fraction"};
}

std::optional<Objection> objection_to_training(const Stack& stack, size_t p, size_t train) {
  if (!stack.at(train).toBool() || stack.at(p).toDouble() == 0) return {};
  return Objection{"train", "true", "false: activations do not depend on chance"};
}

// Of arange: Torch divides what is between its numbers by the step, as integers where they are.
std::optional<Objection> objection_to_range(const Stack& stack) {
  for (const auto& value : stack) {
    if (!value.isInt() && !value.isDouble()) continue;
    const auto number = value.toScalar().toDouble();
    if (std::abs(number) <= 9007199254740992.0) continue;
    return Objection{"", c10::str(number), "numbers up to 2^53"};
  }
  if (stack.size() < 7) return {};  // start_step: start, end, step, dtype, ...
  const bool floating = stack[3].isNone()
                            ? stack[0].isDouble() || stack[1].isDouble() || stack[2].isDouble()
                            : at::isFloatingType(stack[3].toScalarType());
  const auto step = stack.at(2).toScalar().toDouble();
  if (step != 0 && (floating || std::abs(step) >= 1)) return {};
  return Objection{"step", c10::str(step), "a step that is not 0 in the type of what is made"};
}

// How many gates a recurrent cell has: rows of its weights for each of its units.
int64_t gates_of(const std::string& base) {
  return base.starts_with("gru") ? 3 : base.starts_with("lstm") ? 4 : 1;
}

bool fits(const at::Tensor& weight, std::initializer_list<int64_t> sizes) {
  return weight.sizes() == at::IntArrayRef(sizes);
}

// Of gru, lstm and rnn: kernels differ in what they make of states and weights that do not fit the
// sequences, and some read gates that are not there. Shapes are those of torch.nn.LSTM's
// documentation.
std::optional<Objection> objection_to_recurrence(const std::string& base, const Stack& stack) {
  const auto sequences = tensor(stack, 0);
  const auto states = tensors(stack, 1);
  const auto weights = stack.at(2).toTensorVector();
  const bool biases = stack.at(3).toBool();
  const auto n_directions = stack.at(7).toBool() ? 2 : 1;
  const auto n_layers = stack.at(4).toInt();
  if (n_layers < 1 || n_layers > 10000)
    return Objection{"num_layers", std::to_string(n_layers), "1 to 10000"};
  const auto n = n_layers * n_directions;
  if (states.size() != (base == "lstm" ? 2U : 1U))
    return Objection{"hx", c10::str(states.size(), " states"), "those of the cell"};
  for (const auto& state : states) {
    if (sequences.dim() == 3 && state.dim() == 3 && state.size(0) == n &&
        state.size(1) == sequences.size(stack.at(8).toBool() ? 0 : 1))
      continue;
    return Objection{"hx", c10::str("a state of shape ", state.sizes()),
                     c10::str("one for ", n, " layers of sequences of shape ", sequences.sizes(),
                              ", with the batch on its second axis")};
  }
  const auto units = states.back().size(2), shown = states.front().size(2);
  const auto rows = gates_of(base) * units;
  const size_t each = (biases ? 4 : 2) + (shown == units ? 0 : 1);
  if (weights.size() != each * static_cast<size_t>(n))
    return Objection{"params", c10::str(weights.size(), " weights"),
                     c10::str(each, " for each of ", n, " layers")};
  for (size_t i = 0; i < weights.size(); i += each) {
    const auto layer = static_cast<int64_t>(i / each) / n_directions;
    const auto in = layer == 0 ? sequences.size(2) : shown * n_directions;
    bool all = units > 0 && fits(weights[i], {rows, in}) && fits(weights[i + 1], {rows, shown});
    if (biases) all = all && fits(weights[i + 2], {rows}) && fits(weights[i + 3], {rows});
    if (shown != units) all = all && fits(weights[i + each - 1], {shown, units});
    if (all) continue;
    return Objection{
        "params",
        c10::str("weights of shapes ", weights[i].sizes(), " and ", weights[i + 1].sizes()),
        c10::str("[", rows, ", ", in, "] and [", rows, ", ", shown, "]")};
  }
  return {};
}

std::optional<Objection> objection_to_cell(const std::string& base, const Stack& stack) {
  const auto input = tensor(stack, 0);
  const auto states = tensors(stack, 1);
  const auto w_ih = tensor(stack, 2), w_hh = tensor(stack, 3);
  bool all = states.size() == (base == "lstm_cell" ? 2U : 1U) && input.dim() == 2;
  for (const auto& state : states)
    all = all && state.dim() == 2 && state.size(0) == input.size(0) && state.size(1) > 0 &&
          fits(state, {input.size(0), states[0].size(1)});
  const auto rows = all ? gates_of(base) * states[0].size(1) : 0;
  all = all && fits(w_ih, {rows, input.size(1)}) && fits(w_hh, {rows, states[0].size(1)});
  for (const size_t i : {4, 5}) all = all && (!given(stack, i) || fits(tensor(stack, i), {rows}));
  if (all) return {};
  return Objection{"", c10::str("weights of shapes ", w_ih.sizes(), " and ", w_hh.sizes()),
                   c10::str("those of a cell for an input of shape ", input.sizes())};
}

// Of upsampling: the place that a value is read from follows from the scale, whatever the sizes.
std::optional<Objection> objection_to_scales(const Stack& stack) {
  const auto self = tensor(stack, 0);
  const auto sizes = integers(stack, 1);
  const auto n = sizes.size();
  if (stack.size() < 2 + n || static_cast<int64_t>(n) + 2 != self.dim()) return {};
  for (size_t i = 0; i < n; ++i) {
    const auto& value = stack[stack.size() - n + i];
    if (!value.isDouble()) continue;
    const auto made =
        static_cast<double>(self.size(static_cast<int64_t>(i) + 2)) * value.toDouble();
    const auto size = static_cast<double>(sizes[i]);
    if (size <= made * (1 + 1e-6) && size > made - 1 - 1e-6) continue;
    return Objection{
        "scales",
        c10::str(value.toDouble(), " of an axis of ", self.size(static_cast<int64_t>(i) + 2)),
        c10::str("one that makes it ", sizes[i])};
  }
  return {};
}

// More tensors than the graph names are not made.
std::optional<Objection> objection_to_list(int64_t size, size_t n_outputs) {
  if (size >= 0 && static_cast<size_t>(size) <= n_outputs) return {};
  return Objection{"", std::to_string(size) + " tensors", std::to_string(n_outputs)};
}

}  // namespace

std::optional<c10::OperatorHandle> allowed_operator(const std::string& name) {
  if (!allowed_names().contains(name)) return std::nullopt;
  const auto dot = name.find('.');
  const auto overload = name.substr(dot + 1);
  return c10::Dispatcher::singleton().findSchema(
      {"aten::" + name.substr(0, dot), overload == "default" ? "" : overload});
}

std::vector<std::string> allowed_operators() {
  return {allowed_names().begin(), allowed_names().end()};
}

bool is_written(const c10::Argument& argument) {
  return argument.alias_info() && argument.alias_info()->isWrite();
}

std::optional<Objection> objection_to(const std::string& name,
                                      const Stack& stack,
                                      size_t n_outputs) {
  const auto base = name.substr(0, name.find('.'));
  if (base == "floor_divide" || base == "remainder" || base == "fmod" ||
      (base == "div" && name.ends_with("_mode")))
    return objection_to_division(stack);
  if (base == "batch_norm" || base == "instance_norm") {
    if (!stack.at(5).toBool() || !given(stack, 3)) return {};
    return Objection{base == "batch_norm" ? "training" : "use_input_stats", "true",
                     "false: a network in eval mode leaves its statistics as they are"};
  }
  if (base.ends_with("dropout") || base.ends_with("dropout_"))
    return objection_to_training(stack, 1, 2);
  if (base == "gru" || base == "rnn_tanh" || base == "rnn_relu" || base == "lstm") {
    if (auto objection = objection_to_recurrence(base, stack)) return objection;
    return objection_to_training(stack, 5, 6);
  }
  if ((base.starts_with("upsample") || base.starts_with("_upsample")) && name.ends_with(".default"))
    return objection_to_scales(stack);
  if (base == "scaled_dot_product_attention") {
    if (stack.at(4).toDouble() == 0) return {};
    return Objection{"dropout_p", c10::str(stack[4].toDouble()),
                     "0: activations do not depend on chance"};
  }
  if (base == "index" || base == "index_put" || base == "index_put_") {
    for (const auto& index : stack.at(1).toOptionalTensorVector()) {
      if (index && index->defined() &&
          (index->scalar_type() == at::kBool || index->scalar_type() == at::kByte))
        return Objection{"indices", "a mask", "positions: what sizes depend on are not values"};
    }
    return {};
  }
  if (base.ends_with("_cell")) return objection_to_cell(base, stack);
  if (base == "arange") return objection_to_range(stack);
  if (base == "unbind" || base == "chunk" || base == "split") {
    const auto self = tensor(stack, 0);
    if (name == "split.sizes" || self.dim() == 0) return {};
    const auto size = self.size(stack.at(base == "unbind" ? 1 : 2).toInt());
    if (base == "unbind") return objection_to_list(size, n_outputs);
    const auto of = stack.at(1).toInt();
    if (of < 1)
      return Objection{base == "chunk" ? "chunks" : "split_size", std::to_string(of), "1 or more"};
    if (base == "chunk") {
      if (of <= (int64_t{1} << 20)) return {};
      return Objection{"chunks", std::to_string(of), "2^20 at most"};
    }
    return objection_to_list(size / of + (size % of != 0), std::max<size_t>(n_outputs, 1));
  }
  return {};
}

void call_without_memory(const std::string& name, const c10::OperatorHandle& handle, Stack& stack) {
  const auto shape = shapes().find(name);
  if (shape != shapes().end()) return shape->second(stack);
  handle.callBoxed(stack);
}

}  // namespace cortiscore::graph
