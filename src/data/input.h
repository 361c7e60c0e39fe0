#pragma once
#include <memory>
#include <string>
#include <utility>

#include "cortiscore/assembly.h"
#include "src/data/table.h"

namespace cortiscore {

/// Data that a function reads: a file, or an array or a table that its caller holds.
class Input {
 public:
  Input() = default;
  /// A file; a path is one wherever an input is asked for.
  Input(std::string path) : name_(std::move(path)) {}  // NOLINT(google-explicit-constructor)
  Input(const char* path) : name_(path) {}             // NOLINT(google-explicit-constructor)
  /// @param name  what messages call it
  Input(std::string name, Assembly array)
      : name_(std::move(name)), array_(std::make_shared<const Assembly>(std::move(array))) {}
  Input(std::string name, Table table)
      : name_(std::move(name)), table_(std::make_shared<const Table>(std::move(table))) {}

  bool empty() const { return name_.empty(); }
  /// The path of a file; else what messages call it.
  const std::string& name() const { return name_; }
  bool is_file() const { return !array_ && !table_; }
  /// Null where it is something else.
  const Assembly* array() const { return array_.get(); }
  const Table* table() const { return table_.get(); }

 private:
  std::string name_;
  std::shared_ptr<const Assembly> array_;
  std::shared_ptr<const Table> table_;
};

/// The rows of a table, or of a file of one. @throws Error(kBadInput)  an array
Table table_of(const Input& input);

}  // namespace cortiscore
