#include <algorithm>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <optional>

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/csrc/jit/serialization/import.h>

#include "cortiscore/error.h"
#include "src/model/program.h"

namespace cortiscore {
namespace {

namespace jit = torch::jit;

// One call of a module.
struct Call {
  std::string path, type;
};

std::string class_name(const c10::ClassType& type) {
  const auto name = type.name()->name();
  return name.substr(0, name.find(".___torch_mangle"));
}

// The tensor that a module returned, or the first of several.
jit::Value* first_tensor(jit::Value* value, jit::Graph& graph) {
  if (value->type()->isSubtypeOf(*c10::TensorType::get())) return value;
  const auto tuple = value->type()->cast<c10::TupleType>();
  if (!tuple || tuple->elements().empty() ||
      !tuple->elements()[0]->isSubtypeOf(*c10::TensorType::get()))
    return nullptr;
  auto* const index = graph.insertConstant(0);
  return graph.insertNode(graph.createTupleIndex(value, index, tuple->elements()[0]))->output();
}

// A network's graph with every call of a submodule taken apart into the nodes of its forward, and
// what each gave as a further output: a copy made where the call ends, since an in-place operator
// may overwrite it next.
class CallsApart {
 public:
  explicit CallsApart(const jit::Module& module)
      : self_(module._ivalue()),
        graph_(jit::toGraphFunction(module.get_method("forward").function()).graph()->copy()) {
    while (!graph_->outputs().empty()) graph_->eraseOutput(graph_->outputs().size() - 1);
    // Which way a condition on attributes goes is known, and may be once calls are taken apart.
    do {
      attributes_to_constants(*graph_->block());
      jit::ConstantPropagation(graph_);
    } while (inline_calls());
    sort();
  }

  const std::vector<Call>& calls() const { return calls_; }
  /// The graph value that a call returned: a block and its last module share it.
  std::string value(size_t call) const {
    return graph_->outputs()[call]->node()->input(0)->debugName();
  }

  /// Cut down to what some calls give. Once.
  std::shared_ptr<const jit::Code> code(const std::vector<size_t>& wanted) {
    std::vector<jit::Value*> outputs;
    for (const auto call : wanted) outputs.push_back(graph_->outputs()[call]);
    return_only(outputs);
    jit::Inline(*graph_);
    jit::EliminateDeadCode(graph_);
    return std::make_shared<const jit::Code>(graph_, "forward");
  }

 private:
  void return_only(const std::vector<jit::Value*>& outputs) {
    while (!graph_->outputs().empty()) graph_->eraseOutput(graph_->outputs().size() - 1);
    for (auto* const output : outputs) graph_->registerOutput(output);
  }

  bool is_self(const jit::Value* value) const { return value == graph_->inputs()[0]; }

  // The network's own object behind a value, where attributes lead to it.
  std::optional<c10::IValue> object(const jit::Value* value) const {
    if (is_self(value)) return self_;
    if (value->node()->kind() != c10::prim::GetAttr) return std::nullopt;
    const auto outer = object(value->node()->input());
    if (!outer || !outer->isObject()) return std::nullopt;
    return outer->toObject()->getAttr(value->node()->s(c10::attr::name));
  }

  std::string path(const jit::Value* value) const {
    if (is_self(value)) return {};
    const auto outer = path(value->node()->input());
    const auto& name = value->node()->s(c10::attr::name);
    return outer.empty() ? name : outer + "." + name;
  }

  void attributes_to_constants(jit::Block& block) {
    for (auto* node : block.nodes()) {
      for (auto* const inner : node->blocks()) attributes_to_constants(*inner);
      if (node->kind() != c10::prim::GetAttr) continue;
      const auto found = object(node->output());
      if (!found || !(found->isBool() || found->isInt() || found->isDouble() || found->isNone()))
        continue;
      const jit::WithInsertPoint here(node);
      auto* const constant = graph_->insertConstant(*found);
      if (found->isNone()) constant->setType(node->output()->type());
      node->output()->replaceAllUsesWith(constant);
    }
  }

  // Those outside of blocks. @return whether there were any
  bool inline_calls() {
    bool any = false;
    for (auto* node = graph_->block()->nodes().front(); node != graph_->block()->return_node();) {
      auto* const next = node->next();
      if (node->kind() != c10::prim::CallMethod || !object(node->input(0))) {
        node = next;
        continue;
      }
      any = true;
      const auto type = node->input(0)->type()->expect<c10::ClassType>();
      const auto method = node->s(c10::attr::name);
      const auto name = path(node->input(0));
      auto* const before = node->prev();
      // Its own graph: the optimised one has its calls inlined, and they would be lost.
      auto& callee = jit::toGraphFunction(type->getMethod(method));
      const auto outputs = jit::inlineCallTo(node, &callee, callee.graph().get());
      // "forward", or "forward1" of a traced module's second call.
      if (method.starts_with("forward") && !name.empty() && outputs.size() == 1) {
        const jit::WithInsertPoint at_end(next);
        if (auto* const tensor = first_tensor(outputs[0], *graph_)) {
          graph_->registerOutput(graph_->insert(c10::aten::clone, {tensor}));
          calls_.push_back({name, class_name(*type)});
        }
      }
      node = before->next();
    }
    return any;
  }

  // In order of execution: a module ends after what is in it.
  void sort() {
    std::vector<size_t> order(calls_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return graph_->outputs()[a]->node()->isBefore(graph_->outputs()[b]->node());
    });
    std::vector<Call> calls;
    std::vector<jit::Value*> outputs;
    for (const auto i : order) {
      calls.push_back(calls_[i]);
      outputs.push_back(graph_->outputs()[i]);
    }
    calls_ = std::move(calls);
    return_only(outputs);
  }

  c10::IValue self_;
  std::shared_ptr<jit::Graph> graph_;
  std::vector<Call> calls_;
};

class Script : public Program {
 public:
  Script(const std::string& path, const at::Device& device) : path_(path) {
    jit::ExtraFilesMap extra = {{"cortiscore.json", ""}};
    try {
      module_ = jit::load(path, device, extra);
    } catch (const c10::Error& e) {
      throw bad_input({path, "", std::string(e.what_without_backtrace()).substr(0, 200),
                       "a TorchScript archive", "Write it with torch.jit.save"});
    }
    module_.eval();
    identifier = std::filesystem::path(path).stem().string();
    read_description(extra.at("cortiscore.json"), path, *this);
    const auto& schema = module_.get_method("forward").function().getSchema().arguments();
    for (size_t i = 2; i < schema.size(); ++i) {
      if (!schema[i].default_value()) {
        throw bad_input({path, "forward", "an argument " + schema[i].name(), "images alone",
                         "Wrap the module in one whose forward takes images"});
      }
      defaults_.push_back(*schema[i].default_value());
    }
    for (const auto& parameter : module_.parameters()) n_parameters += parameter.numel();
    describe_layers(device);
  }

  void run(const at::Tensor& batch,
           const std::vector<std::string>& wanted,
           const Network::Tap& tap) const override {
    const auto outputs = outputs_of(*code_for(wanted), batch);
    for (size_t i = 0; i < wanted.size(); ++i) tap(i, outputs.at(i).toTensor());
  }

 private:
  // NAME is the last call of a module, NAME@0, NAME@1, ... are each of several.
  static std::map<std::string, size_t> names_of(const std::vector<Call>& calls) {
    std::map<std::string, std::vector<size_t>> by_path;
    for (size_t i = 0; i < calls.size(); ++i) by_path[calls[i].path].push_back(i);
    std::map<std::string, size_t> names;
    for (const auto& [path, places] : by_path) {
      names[path] = places.back();
      for (size_t k = 0; places.size() > 1 && k < places.size(); ++k)
        names[path + "@" + std::to_string(k)] = places[k];
    }
    return names;
  }

  std::shared_ptr<const jit::Code> code_for(const std::vector<std::string>& wanted) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& code = codes_[wanted];
    if (!code) {
      CallsApart apart(module_);
      const auto names = names_of(apart.calls());
      std::vector<size_t> places;
      for (const auto& name : wanted) places.push_back(names.at(name));
      code = apart.code(places);
    }
    return code;
  }

  jit::Stack outputs_of(const jit::Code& code, const at::Tensor& batch) const {
    jit::Stack stack = {module_._ivalue(), batch};
    stack.insert(stack.end(), defaults_.begin(), defaults_.end());
    jit::InterpreterState(code).run(stack);
    return stack;
  }

  // Names, classes and shapes, by running it once. What has no batch axis is no layer.
  void describe_layers(const at::Device& device) {
    CallsApart apart(module_);
    const auto& calls = apart.calls();
    std::vector<std::string> values;
    for (size_t i = 0; i < calls.size(); ++i) values.push_back(apart.value(i));
    std::vector<size_t> all(calls.size());
    std::iota(all.begin(), all.end(), size_t{0});
    constexpr int64_t kExample = 3;
    const auto images = at::zeros({kExample, 3, input.size, input.size}, device);
    const at::NoGradGuard no_grad;
    jit::Stack given;
    try {
      given = outputs_of(*apart.code(all), images);
    } catch (const std::exception& e) {
      const std::string why = e.what();
      throw bad_input({path_, "forward", why.substr(0, why.find('\n')),
                       "a module that takes images " + std::to_string(input.size) + " x " +
                           std::to_string(input.size),
                       "Give input_size in the archive's cortiscore.json (docs/formats.md)"});
    }
    std::map<size_t, std::vector<std::string>> names;
    for (const auto& [name, place] : names_of(calls)) names[place].push_back(name);
    for (size_t i = 0; i < calls.size(); ++i) {
      const auto& output = given.at(i).toTensor();
      const auto shape = output.sizes();
      if (shape.size() < 2 || shape[0] != kExample || !output.is_floating_point()) continue;
      auto& of_call = names[i];
      std::sort(of_call.rbegin(), of_call.rend());  // NAME@3 before NAME
      for (const auto& name : of_call)
        layers.push_back({name, calls[i].type, values[i], {shape.begin() + 1, shape.end()}, {}});
    }
  }

  std::string path_;
  jit::Module module_;
  std::vector<c10::IValue> defaults_;
  mutable std::mutex mutex_;
  mutable std::map<std::vector<std::string>, std::shared_ptr<const jit::Code>> codes_;
};

}  // namespace

std::shared_ptr<const Program> load_torchscript(const std::string& path, const at::Device& device) {
  return std::make_shared<Script>(path, device);
}

}  // namespace cortiscore
