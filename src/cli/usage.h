#pragma once
#include <CLI/App.hpp>

#include "cortiscore/error.h"

namespace cortiscore::cli {

/// What is wrong with the words of a command line, in the form of every other message: which flag,
/// what was found, what was expected, or the nearest name there is.
Error usage_error(const CLI::App& app, const CLI::ParseError& error);

/// An empty value, as of a shell variable that is not set, is refused by every flag and argument of
/// all verbs.
void refuse_empty_values(CLI::App& app);

/// The words after the command's name as they are meant, with a note for each that is not as it was
/// written.
struct Words {
  std::vector<std::string> words;
  std::vector<std::string> notes;
};

/// Flags that were renamed get their new names, for one release; "--flag=" becomes a flag and an
/// empty value: CLI11 would take the next word for it.
Words words_of(const CLI::App& app, int argc, const char* const* argv);

}  // namespace cortiscore::cli
