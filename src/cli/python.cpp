#include "src/cli/python.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/engine/python.h"

namespace cortiscore::cli {

void become_python(const std::string& module, const std::vector<std::string>& arguments) {
  auto command = python_command(module);
  command.words.insert(command.words.end(), arguments.begin(), arguments.end());
  auto argv = PythonCommand::pointers(command.words);
  auto envp = PythonCommand::pointers(command.environment);
  execvpe(argv[0], argv.data(), envp.data());
  throw Error(ErrorKind::kUsage, "cannot run " + command.words[0] +
                                     ". Set CORTISCORE_PYTHON to a Python with torch 2.11.");
}

void add_python_verb(CLI::App& parent,
                     const std::string& name,
                     const std::string& text,
                     const std::string& module,
                     const std::vector<std::string>& leading) {
  auto* verb = parent.add_subcommand(name, text);
  verb->prefix_command();
  verb->fallthrough(false);  // none of its words are ours
  verb->set_help_flag();
  verb->callback([verb, module, leading] {
    auto words = leading;
    for (const auto& word : verb->remaining()) words.push_back(word);
    become_python(module, words);
  });
}

}  // namespace cortiscore::cli
