#pragma once
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace cortiscore::graph {

/// The operators that a graph may call: what torch.export writes of networks in eval mode, and what
/// is alike. They compute from their arguments alone: none draws random numbers, leaves memory
/// unwritten, reads strides from the file, or makes as many elements as values say. Those that
/// write in place are told apart by is_written().

/// @param name  as in a graph, without "torch.ops.aten.": "add.Tensor", "relu.default"
std::optional<c10::OperatorHandle> allowed_operator(const std::string& name);

/// All of their names, in order.
std::vector<std::string> allowed_operators();

/// Whether an operator writes into its argument.
bool is_written(const c10::Argument& argument);

/// What speaks against a call although its arguments are of the right types; empty where nothing
/// does.
struct Objection {
  std::string argument, found, expected;
};
/// @param stack      arguments in schema order; tensors may be without memory (device meta)
/// @param n_outputs  tensors that the graph takes of a list that is returned
std::optional<Objection> objection_to(const std::string& name,
                                      const torch::jit::Stack& stack,
                                      size_t n_outputs);

/// Runs an operator on tensors without memory: the stack's arguments become what it returns.
/// @throws c10::Error  arguments that do not fit together
void call_without_memory(const std::string& name,
                         const c10::OperatorHandle& handle,
                         torch::jit::Stack& stack);

}  // namespace cortiscore::graph
