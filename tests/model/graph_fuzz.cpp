// What a graph from a stranger can do to the process that runs it; tests/python/test_graphs.py
// reads what it prints.
//
//   graph_fuzz operators CALLS SEED [NAME...]   every operator of the list (or those named), each
//   in a child of its own, with random arguments in graphs of a few nodes, read and checked as an
//   archive's are
//   graph_fuzz archives FILE...                 loads and runs archives, each in a child:
//   "FILE<tab>CODE<tab>MESSAGE" with the exit code that the command line would have, 128 + N for
//   signal N
//
// GRAPH_FUZZ_LAST=FILE keeps the last call that was made, to see what ended a child.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/jit_type.h>

#include "cortiscore/error.h"
#include "src/model/graph.h"
#include "src/model/network.h"
#include "src/model/operators.h"

namespace {

using namespace cortiscore;
using graph::Json;

// Runs `body` in a child. Returns its exit code, or 128 + its signal; `said` is what it printed.
int in_child(const std::function<void()>& body, std::string& said) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::cout.flush();
  const auto child = fork();
  if (child == 0) {
    const rlimit memory{rlim_t{8} << 30, rlim_t{8} << 30}, cpu{120, 120};
    setrlimit(RLIMIT_AS, &memory);
    setrlimit(RLIMIT_CPU, &cpu);
    dup2(ends[1], STDOUT_FILENO);
    if (!freopen("/dev/null", "w", stderr)) std::abort();
    body();
    std::fflush(stdout);
    _exit(0);
  }
  close(ends[1]);
  char part[4096];
  for (ssize_t n = 0; (n = read(ends[0], part, sizeof part)) > 0;)
    said.append(part, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Random arguments of a schema, as a graph would give them.
class Caller {
 public:
  explicit Caller(uint64_t seed) : random_(seed) {
    const auto f = at::device(at::kCPU).dtype(at::kFloat);
    const auto tensor = [&](const at::Tensor& t) { pool_.push_back(t); };
    tensor(at::rand({2, 3, 8, 8}, f));
    tensor(at::rand({2, 4, 8, 8}, f).contiguous(at::MemoryFormat::ChannelsLast));
    tensor(at::rand({4, 3, 3, 3}, f));
    tensor(at::rand({4, 1, 3, 3}, f));
    tensor(at::rand({4}, f));
    tensor(at::rand({3}, f));
    tensor(at::rand({2, 4}, f));
    tensor(at::rand({4, 4}, f));
    tensor(at::rand({2, 2, 8, 4}, f));
    tensor(at::rand({2, 8, 4}, f));
    tensor(at::rand({2, 1, 4}, f).expand({2, 5, 4}));
    tensor(at::rand({8, 8}, f).t());
    tensor(at::rand({}, f));
    tensor(at::rand({0}, f));
    tensor(at::rand({2, 0, 3}, f));
    tensor(at::rand({1, 2, 3, 4, 5}, f));
    tensor(at::rand({2, 8, 8, 2}, f) * 4 - 2);
    tensor(at::full({2, 3}, std::numeric_limits<float>::quiet_NaN(), f));
    tensor(at::rand({2, 3, 8, 8}, f) > 0.5);
    tensor(at::rand({2, 4}, f.dtype(at::kDouble)));
    tensor(at::rand({2, 4}, f).to(at::kHalf));
    tensor(at::rand({2, 3, 8, 8}, f).to(at::kBFloat16));
    tensor(at::complex(at::rand({2, 4}, f), at::rand({2, 4}, f)));
    tensor(at::arange(4, at::kLong));
    tensor(at::arange(8, at::kLong).view({2, 4}) % 3);
    for (const int64_t value :
         {int64_t{5}, int64_t{-1}, int64_t{1} << 40, std::numeric_limits<int64_t>::min()})
      tensor(at::full({2, 4}, value, at::kLong));
    tensor(at::full({3}, -7, at::kInt));
    tensor(at::arange(12, at::kByte).view({3, 4}));
    tensor(at::zeros({12, 4}, f));  // weights of a recurrent layer
    tensor(at::zeros({12}, f));
    tensor(at::zeros({16, 4}, f));
    tensor(at::rand({4, 8, 3}, f));  // 34: of one axis
    tensor(at::rand({2, 2, 1, 1, 1}, f));
    tensor(at::rand({8, 4, 3}, f));
    tensor(at::rand({2, 2, 3}, f));
    tensor(at::rand({2, 8, 4}, f));
    tensor(at::rand({2, 4, 4}, f));
    tensor(at::rand({3, 4, 4}, f));
    tensor(at::zeros({1, 2, 4}, f));
    tensor(at::zeros({16}, f));
  }

  // Whether the call was run, and what was wrong with it.
  bool call(const std::string& name, std::string& wrong) {
    const auto handle = *graph::allowed_operator(name);
    Json nodes = Json::array(), inputs = Json::array(), outputs = Json::array();
    graph::Names names;
    graph::Values values(1);
    names.add("images");
    n_copies_ = 0;
    const auto given = [&](size_t i) {  // in-place operators may write into a copy
      const auto copy = "copy" + std::to_string(n_copies_++);
      nodes.push_back(
          {{"target", "torch.ops.aten.clone.default"},
           {"inputs",
            {{{"name", "self"}, {"arg", {{"as_tensor", {{"name", "pool" + std::to_string(i)}}}}}}}},
           {"outputs", {{{"as_tensor", {{"name", copy}}}}}}});
      return copy;
    };
    for (size_t i = 0; i < pool_.size(); ++i) {
      names.add("pool" + std::to_string(i));
      values.push_back(pool_[i]);
    }
    last_ = pick(pool_.size());
    std::istringstream likely(pick(2) == 0 ? likely_call(name) : "");
    for (const auto& argument : handle.schema().arguments()) {
      std::string word;
      if (likely >> word && pick(12) != 0) {
        inputs.push_back({{"name", argument.name()}, {"arg", spelled(word, given)}});
        continue;
      }
      if (argument.default_value() && pick(3) == 0) continue;
      inputs.push_back(
          {{"name", argument.name()}, {"arg", value_for(*argument.real_type(), given)}});
    }
    const auto& returns = handle.schema().returns();
    for (size_t i = 0; i < returns.size(); ++i) {
      const auto out = "out" + std::to_string(i);
      const auto& type = *returns[i].type();
      if (type.kind() == c10::TypeKind::TensorType) {
        outputs.push_back({{"as_tensor", {{"name", out}}}});
      } else if (type.kind() == c10::TypeKind::ListType) {
        Json list = Json::array();
        for (size_t k = 0, n = pick(5); k < n; ++k)
          list.push_back({{"name", out + "_" + std::to_string(k)}});
        outputs.push_back({{"as_tensors", list}});
      } else {
        outputs.push_back({{"as_sym_int", {{"as_name", out}}}});
      }
    }
    nodes.push_back(
        {{"target", "torch.ops.aten." + name}, {"inputs", inputs}, {"outputs", outputs}});
    said_ = nodes.back().dump();
    if (const char* path = std::getenv("GRAPH_FUZZ_LAST")) std::ofstream(path) << nodes.dump(1);
    try {
      std::vector<graph::Node> read;
      for (const auto& node : nodes)
        read.push_back(graph::read_node(node, names, at::kCPU, "fuzz"));
      const auto shapes = graph::shapes_of(read, values, names.size(), 0, {2, 3, 8, 8}, "fuzz");
      int64_t bytes = 0;
      for (const auto made : shapes.bytes) bytes += made;
      if (bytes > (int64_t{1} << 28)) return false;  // what a plan of memory would refuse
      values.resize(names.size());
      values[0] = at::zeros({2, 3, 8, 8});
      try {
        for (const auto& node : read) graph::call(node, values);
      } catch (const std::exception&) {  // of values, which shapes do not tell
        return false;
      }
      for (size_t i = pool_.size() + 1 + n_copies_; i < names.size();
           ++i) {  // what the operator gave
        if (!values[i].isTensor()) continue;
        if (values[i].toTensor().sizes() != shapes.sizes[i]) {
          wrong = c10::str("made ", values[i].toTensor().sizes(), ", not ", shapes.sizes[i], ": ",
                           nodes.back().dump());
        }
        if (shapes.sizes[i].size() && values[i].toTensor().numel()) {
          volatile auto last =
              values[i].toTensor().flatten()[-1].to(at::kComplexDouble).abs().item<double>();
          (void)last;
        }
      }
      for (size_t i = 0; i < pool_.size(); ++i) {
        if (values[i + 1].toTensor().data_ptr() != pool_[i].data_ptr())
          wrong = "moved a constant: " + nodes.back().dump();
      }
      return true;
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kBadInput) wrong = e.what();
      refusals_[std::string(e.what()).substr(0, 220)]++;
      return false;
    } catch (const std::exception& e) {
      wrong = std::string(e.what()).substr(0, 300) + ": " + nodes.back().dump();
      return false;
    }
  }

  const std::string& said() const { return said_; }
  const std::map<std::string, int>& refusals() const { return refusals_; }
  // Of at least one call the shape was not found.
  bool lacks_shape() const {
    return std::any_of(refusals_.begin(), refusals_.end(), [](const auto& refusal) {
      return refusal.first.find("no fake impl") != std::string::npos ||
             refusal.first.find("overrideable") != std::string::npos;
    });
  }

 private:
  // A call that runs, of operators whose arguments seldom fit by chance: a word an argument, T5
  // being tensor 5 of the pool.
  static std::string likely_call(const std::string& name) {
    static const std::map<std::string, std::string> all = {
        {"_weight_norm.default", "T4 T4 0"},
        {"_native_batch_norm_legit_no_training.default", "T0 T5 T5 T5 T5 0.1 0.001"},
        {"batch_norm.default", "T0 T5 T5 T5 T5 false 0.1 0.001 true"},
        {"instance_norm.default", "T0 T5 T5 - - true 0.1 0.001 true"},
        {"layer_norm.default", "T7 [4] T4 T4 0.001 true"},
        {"native_layer_norm.default", "T7 [4] T4 T4 0.001"},
        {"rms_norm.default", "T7 [4] T4 0.001"},
        {"group_norm.default", "T1 2 T4 T4 0.001 true"},
        {"native_group_norm.default", "T1 T4 T4 2 4 64 2 0.001"},
        {"conv1d.default", "T9 T34 - [1] [1] [1] 1"},
        {"conv1d.padding", "T9 T34 - [1] 'same [1] 1"},
        {"conv2d.default", "T0 T2 T4 [1,1] [1,1] [1,1] 1"},
        {"conv2d.padding", "T1 T3 T4 [1,1] 'same [1,1] 4"},
        {"conv3d.default", "T15 T35 - [1,1,1] [1,1,1] [1,1,1] 1"},
        {"conv3d.padding", "T15 T35 - [1,1,1] 'valid [1,1,1] 1"},
        {"conv_transpose1d.default", "T9 T36 - [2] [0] [1] 1 [1]"},
        {"conv_transpose2d.input", "T1 T2 - [2,2] [1,1] [1,1] 1 [1,1]"},
        {"conv_transpose3d.input", "T15 T35 - [1,1,1] [0,0,0] [0,0,0] 1 [1,1,1]"},
        {"convolution.default", "T0 T2 T4 [1,1] [1,1] [1,1] false [0,0] 1"},
        {"scaled_dot_product_attention.default", "T8 T8 T8 - 0.0 false - false"},
        {"embedding.default", "T7 T24 -1 false false"},
        {"index_select.default", "T7 0 T23"},
        {"gather.default", "T7 0 T24 false"},
        {"take_along_dim.default", "T7 T24 0"},
        {"index.Tensor", "T7 {T24}"},
        {"index_put.default", "T7 {T23} T4 false"},
        {"index_put_.default", "T7 {T23} T4 false"},
        {"scatter.src", "T7 0 T24 T7"},
        {"scatter.value", "T7 0 T24 2"},
        {"scatter_add.default", "T7 0 T24 T7"},
        {"select_scatter.default", "T7 T4 0 1"},
        {"slice_scatter.default", "T7 T6 0 1 3 1"},
        {"masked_fill.Tensor", "T0 T18 T12"},
        {"grid_sampler.default", "T0 T16 0 0 false"},
        {"grid_sampler_2d.default", "T0 T16 1 1 true"},
        {"affine_grid_generator.default", "T37 [2,3,8,8] false"},
        {"im2col.default", "T0 [3,3] [1,1] [1,1] [2,2]"},
        {"col2im.default", "T38 [4,4] [2,2] [1,1] [0,0] [2,2]"},
        {"max_pool1d.default", "T9 [2] [2] [0] [1] false"},
        {"max_pool2d.default", "T0 [3,3] [2,2] [1,1] [1,1] true"},
        {"max_pool3d.default", "T15 [2,3,3] [2,2,1] [1,1,1] [1,1,1] true"},
        {"max_pool2d_with_indices.default", "T0 [3,3] [2,2] [1,1] [1,1] false"},
        {"avg_pool1d.default", "T9 [2] [2] [0] false true"},
        {"avg_pool2d.default", "T0 [3,3] [2,2] [1,1] true false -"},
        {"avg_pool3d.default", "T15 [2,2,2] [1,1,1] [0,0,0] false true -"},
        {"adaptive_avg_pool3d.default", "T15 [2,2,2]"},
        {"adaptive_max_pool3d.default", "T15 [2,2,2]"},
        {"upsample_nearest1d.default", "T9 [7] -"},
        {"upsample_linear1d.default", "T9 [7] false -"},
        {"upsample_nearest2d.default", "T0 [7,9] - -"},
        {"upsample_bilinear2d.default", "T0 [7,9] true - -"},
        {"upsample_bicubic2d.default", "T0 [7,9] false - -"},
        {"upsample_nearest3d.default", "T15 [4,5,6] - - -"},
        {"upsample_trilinear3d.default", "T15 [4,5,6] false - - -"},
        {"upsample_nearest1d.vec", "T9 - (2.0)"},
        {"upsample_linear1d.vec", "T9 [5] false -"},
        {"upsample_nearest2d.vec", "T0 - (2.0,2.0)"},
        {"upsample_bilinear2d.vec", "T0 [5,6] false -"},
        {"upsample_bicubic2d.vec", "T0 - true (0.5,1.5)"},
        {"upsample_nearest3d.vec", "T15 [4,5,6] -"},
        {"upsample_trilinear3d.vec", "T15 [4,5,6] false -"},
        {"_upsample_nearest_exact1d.default", "T9 [7] -"},
        {"_upsample_nearest_exact1d.vec", "T9 [7] -"},
        {"_upsample_nearest_exact2d.default", "T0 [7,9] - -"},
        {"_upsample_nearest_exact2d.vec", "T0 - (2.0,2.0)"},
        {"_upsample_nearest_exact3d.default", "T15 [4,5,6] - - -"},
        {"_upsample_nearest_exact3d.vec", "T15 [4,5,6] -"},
        {"_upsample_bilinear2d_aa.default", "T0 [5,6] false - -"},
        {"_upsample_bilinear2d_aa.vec", "T0 [5,6] false -"},
        {"_upsample_bicubic2d_aa.default", "T0 [5,6] false - -"},
        {"_upsample_bicubic2d_aa.vec", "T0 [5,6] false -"},
        {"reflection_pad1d.default", "T9 [1,2]"},
        {"reflection_pad2d.default", "T0 [1,2,3,0]"},
        {"replication_pad1d.default", "T9 [1,2]"},
        {"replication_pad2d.default", "T0 [1,2,3,0]"},
        {"replication_pad3d.default", "T15 [1,2,3,0,1,1]"},
        {"pad.default", "T0 [1,2,3,1] 'reflect -"},
        {"bmm.default", "T9 T39"},
        {"baddbmm.default", "T38 T9 T39 1 1"},
        {"addmm.default", "T4 T6 T7 1 1"},
        {"addmv.default", "T4 T7 T4 1 1"},
        {"mm.default", "T6 T7"},
        {"mv.default", "T7 T4"},
        {"bilinear.default", "T6 T6 T40 -"},
        {"einsum.default", "'ij,jk->ik {T6,T7} -"},
        {"gru.input", "T9 T41 {T31,T31,T32,T32} true 1 0.0 false false true"},
        {"rnn_tanh.input", "T9 T41 {T7,T7,T4,T4} true 1 0.0 false false true"},
        {"lstm.input", "T9 {T41,T41} {T33,T33,T42,T42} true 1 0.0 false false true"},
        {"gru_cell.default", "T6 T6 T31 T31 T32 T32"},
        {"lstm_cell.default", "T6 {T6,T6} T33 T33 T42 T42"},
        {"rnn_tanh_cell.default", "T6 T6 T7 T7 T4 T4"},
        {"split_with_sizes.default", "T0 [1,2] 1"},
        {"split.sizes", "T0 [1,2] 1"},
        {"split.Tensor", "T0 2 1"},
        {"unbind.int", "T0 1"},
        {"chunk.default", "T1 2 1"},
        {"pixel_shuffle.default", "T1 2"},
        {"channel_shuffle.default", "T1 2"},
        {"unflatten.int", "T1 1 [2,2]"},
        {"view.default", "T7 [2,8]"},
        {"_unsafe_view.default", "T7 [2,8]"},
        {"repeat_interleave.self_int", "T7 2 0 -"},
        {"cross.default", "T17 T17 1"},
        {"linalg_cross.default", "T17 T17 1"},
        {"cdist.default", "T9 T9 2.0 -"},
        {"prelu.default", "T1 T4"},
        {"view_as_complex.default", "T16"},
        {"real.default", "T22"},
        {"imag.default", "T22"},
        {"view_as_real.default", "T22"},
        {"adaptive_avg_pool2d.default", "T0 [2,2]"},
        {"masked_fill_.Scalar", "T0 T18 2.0"},
        {"meshgrid.indexing", "{T4,T5} 'ij"},
        {"where.self", "T18 T0 T0"},
        {"topk.default", "T7 2 1 true true"},
    };
    const auto found = all.find(name);
    return found == all.end() ? "" : found->second;
  }

  Json spelled(const std::string& word, const std::function<std::string(size_t)>& given) {
    const auto of_pool = [&](const std::string& text) -> Json {
      return {{"name", given(std::stoul(text.substr(1)))}};
    };
    if (word == "-") return {{"as_none", true}};
    if (word == "true" || word == "false") return {{"as_bool", word == "true"}};
    if (word[0] == 'T') return {{"as_tensor", of_pool(word)}};
    if (word[0] == '\'') return {{"as_string", word.substr(1)}};
    if (word[0] == '[') return {{"as_ints", Json::parse(word)}};
    if (word[0] == '(')
      return {{"as_floats", Json::parse("[" + word.substr(1, word.size() - 2) + "]")}};
    if (word[0] == '{') {
      Json list = Json::array();
      std::istringstream items(word.substr(1, word.size() - 2));
      for (std::string item; std::getline(items, item, ',');) list.push_back(of_pool(item));
      return {{"as_tensors", list}};
    }
    if (word.find('.') != std::string::npos) return {{"as_float", std::stod(word)}};
    return {{"as_int", std::stoll(word)}};
  }

  size_t pick(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }

  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + pick(values.size()));
  }

  int64_t integer() {
    if (pick(20) == 0) {
      return one_of<int64_t>({int64_t{1} << 31, int64_t{1} << 40,
                              std::numeric_limits<int64_t>::max(),
                              std::numeric_limits<int64_t>::min(), -1'000'000});
    }
    return one_of<int64_t>({0, 1, 1, 2, 2, 3, 4, 8, -1, -2, 5, 16});
  }

  double floating() { return one_of<double>({0, 1, 0.5, 1e-5, -1, 2, 1e308, -1e308, 3.5}); }

  Json tensor(const std::function<std::string(size_t)>& given) {
    if (pick(2) == 0) last_ = pick(pool_.size());
    return {{"name", given(last_)}};
  }

  // {"as_...": ...}; now and then of another type.
  Json value_for(const c10::Type& type, const std::function<std::string(size_t)>& given) {
    if (pick(60) == 0) {
      return one_of<Json>({{{"as_none", true}},
                           {{"as_int", 1}},
                           {{"as_string", "x"}},
                           {{"as_bool", true}},
                           Json::object(),
                           {{"as_ints", {1, 2}}},
                           {{"as_float", 0.5}},
                           {{"as_tensors", Json::array()}},
                           3,
                           {{"as_tensor", {{"name", "images"}}}}});
    }
    switch (type.kind()) {
      case c10::TypeKind::OptionalType:
        if (pick(5) < 2) return {{"as_none", true}};
        return value_for(*type.expectRef<c10::OptionalType>().getElementType(), given);
      case c10::TypeKind::TensorType:
        if (pick(12) == 0) return {{"as_float", floating()}};
        return {{"as_tensor", tensor(given)}};
      case c10::TypeKind::NumberType:
        if (pick(2) == 0) return {{"as_int", integer()}};
        return {{"as_float", floating()}};
      case c10::TypeKind::IntType:
      case c10::TypeKind::SymIntType:
        return {{"as_int", integer()}};
      case c10::TypeKind::FloatType:
        return {{"as_float", floating()}};
      case c10::TypeKind::BoolType:
        return {{"as_bool", pick(4) == 0}};
      case c10::TypeKind::StringType:
        return {
            {"as_string", one_of<const char*>({"none", "tanh", "constant", "reflect", "replicate",
                                               "circular", "same", "valid", "floor", "trunc", "ij",
                                               "xy", "ij,jk->ik", "bchw,bcij->bhij", "x"})}};
      case c10::TypeKind::DeviceObjType:
        return {{"as_device",
                 {{"type", one_of<const char*>({"cpu", "cuda", "meta"})}, {"index", nullptr}}}};
      case c10::TypeKind::ScalarTypeType:
        return {{"as_scalar_type", one_of<int>({7, 7, 8, 5, 12, 6, 13, 1, 10, 99})}};
      case c10::TypeKind::LayoutType:
        return {{"as_layout", one_of<int>({7, 7, 7, 3})}};
      case c10::TypeKind::MemoryFormatType:
        return {{"as_memory_format", static_cast<int>(pick(6))}};
      case c10::TypeKind::ListType: {
        const auto& element = *type.expectRef<c10::ListType>().getElementType();
        const size_t n = pick(5);
        Json list = Json::array();
        const char* kind = "as_ints";
        for (size_t i = 0; i < n; ++i) {
          switch (element.kind()) {
            case c10::TypeKind::TensorType:
              list.push_back(tensor(given));
              break;
            case c10::TypeKind::OptionalType:
              if (pick(3) == 0)
                list.push_back({{"as_none", true}});
              else
                list.push_back({{"as_tensor", tensor(given)}});
              break;
            case c10::TypeKind::FloatType:
              list.push_back(floating());
              break;
            case c10::TypeKind::BoolType:
              list.push_back(pick(2) == 0);
              break;
            default:
              list.push_back(integer());
          }
        }
        if (element.kind() == c10::TypeKind::TensorType) kind = "as_tensors";
        if (element.kind() == c10::TypeKind::OptionalType) kind = "as_optional_tensors";
        if (element.kind() == c10::TypeKind::FloatType) kind = "as_floats";
        if (element.kind() == c10::TypeKind::BoolType) kind = "as_bools";
        return {{kind, list}};
      }
      default:
        return {{"as_none", true}};
    }
  }

  std::mt19937_64 random_;
  std::vector<at::Tensor> pool_;
  size_t last_ = 0, n_copies_ = 0;
  std::string said_;
  std::map<std::string, int> refusals_;
};

int operators(int64_t calls, uint64_t seed, std::vector<std::string> names) {
  if (names.empty()) names = graph::allowed_operators();
  int64_t made = 0, run = 0, bad = 0;
  for (const auto& name : names) {
    if (!graph::allowed_operator(name)) {
      std::printf("%s: this LibTorch has no such operator\n", name.c_str());
      ++bad;
      continue;
    }
    std::string said;
    const int code = in_child(
        [&] {
          const at::NoGradGuard no_grad;
          std::string last, wrong;
          Caller caller(seed + std::hash<std::string>()(name));
          int64_t n = 0;
          for (int64_t i = 0; i < calls && wrong.empty(); ++i) n += caller.call(name, wrong);
          std::printf("%lld %s%s\n", static_cast<long long>(n),
                      caller.lacks_shape() ? "(no shape without memory) " : "", wrong.c_str());
          if (std::getenv("GRAPH_FUZZ_REFUSALS")) {
            for (const auto& [text, count] : caller.refusals())
              std::printf("    %d %s\n", count, text.c_str());
          }
          if (!wrong.empty()) _exit((std::fflush(stdout), 1));
        },
        said);
    made += calls;
    run += std::atoll(said.c_str());
    const bool lacks = said.find("(no shape") != std::string::npos;
    if (code != 0 || lacks || run == 0 || std::getenv("GRAPH_FUZZ_REFUSALS"))
      std::printf("%s: code %d, %s", name.c_str(), code,
                  said.empty() ? "nothing said\n" : said.c_str());
    if (std::atoll(said.c_str()) == 0 && code == 0)
      std::printf("%s: no call of it ran\n", name.c_str());
    bad += code != 0 || lacks;
  }
  std::printf("%zu operators, %lld calls, %lld of which ran, %lld operators with a defect\n",
              names.size(), static_cast<long long>(made), static_cast<long long>(run),
              static_cast<long long>(bad));
  return bad != 0;
}

void load_and_run(const std::string& path) {
  const auto code_of = [&]() -> std::pair<int, std::string> {
    try {
      const auto network = Network::load(path);
      std::vector<std::string> layers;
      for (const auto& layer : network.layers()) layers.push_back(layer.name);
      if (network.working_bytes(16, layers) > (int64_t{4} << 30))
        return {6, "more memory than is allowed"};
      const auto size = network.input().size;
      const at::NoGradGuard no_grad;
      std::string differs;
      network.run(at::ones({16, 3, size, size}), layers, [&](size_t i, const at::Tensor& output) {
        const auto layer = network.layer(layers[i]);
        if (output.dim() && output.size(0) == 16 && output.numel() != 16 * layer.n_features())
          differs = layer.name + " has another shape";
      });
      Network::signature(path);
      if (!network.fingerprint().empty() && !differs.empty()) return {1, differs};
      return {0, ""};
    } catch (const Error& e) {
      return {e.exit_code(), e.what()};
    } catch (const c10::Error& e) {
      return {70, e.what_without_backtrace()};
    } catch (const std::exception& e) {
      return {70, e.what()};
    }
  };
  auto [code, message] = code_of();
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::replace(message.begin(), message.end(), '\t', ' ');
  std::printf("%d\t%s", code, message.c_str());
}

}  // namespace

int main(int n_words, char** words) {
  at::set_num_threads(1);
  const std::vector<std::string> arguments(words + 1, words + n_words);
  if (arguments.size() >= 3 && arguments[0] == "operators")
    return operators(std::atoll(arguments[1].c_str()),
                     std::strtoull(arguments[2].c_str(), nullptr, 10),
                     {arguments.begin() + 3, arguments.end()});
  if (arguments.size() < 2 || arguments[0] != "archives") return 2;
  for (size_t i = 1; i < arguments.size(); ++i) {
    std::string said;
    const int code = in_child([&] { load_and_run(arguments[i]); }, said);
    std::printf("%s\t%s\n", arguments[i].c_str(),
                code ? (std::to_string(code) + "\t").c_str() : said.c_str());
  }
  return 0;
}
