#pragma once
#include <stdexcept>
#include <string>
#include <vector>

namespace cortiscore {

/// What went wrong, by the exit code that the command line documents for it.
enum class ErrorKind : int {
  kUsage = 2,        ///< a flag or argument is wrong
  kPairsFailed = 3,  ///< some (network, benchmark) pairs failed; the others are stored
  kUnknownName = 4,  ///< no such benchmark, metric, layer or network
  kBadInput = 5,     ///< a file or array is not what it must be
  kOutOfMemory = 6,  ///< host or device memory is too small; the message says how much is needed
  kNoDevice = 7,     ///< the device asked for is not here
  kInternal = 70,    ///< a defect of ours
};

/// The one exception that Cortiscore itself throws. Torch's own (c10::Error) pass through.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

/// The parts of a message about bad input; each is one short phrase.
struct BadInput {
  std::string where;  ///< file or array
  std::string field;  ///< dataset, column, key, dimension; may be empty
  std::string found;
  std::string expected;
  std::string action;  ///< what the user can do about it
};

/// "WHERE: FIELD: found FOUND, expected EXPECTED. ACTION."
Error bad_input(const BadInput& parts);

/// An unknown name, with the nearest of the known ones.
/// @param what  what kind of thing is named ("layer", "benchmark")
Error unknown_name(const std::string& what,
                   const std::string& name,
                   const std::string& where,
                   const std::vector<std::string>& known);

}  // namespace cortiscore
