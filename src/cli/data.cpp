#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "src/cli/commands.h"
#include "src/cli/data_images.h"
#include "src/cli/data_table.h"
#include "src/cli/python.h"

namespace cortiscore::cli {

void add_data(CLI::App& app, Outcome& outcome) {
  auto* verb =
      app.add_subcommand("data", "Recordings: list, fetch, import, export, verify, add your own");
  verb->require_subcommand(1);
  const std::pair<const char*, const char*> verbs[] = {
      {"add", "Make a benchmark of your own experiment; `data add --help` lists its flags"},
      {"export", "Write a recording as arrays, tables and images"},
      {"fetch", "Download open recordings, check them and bring them in"},
      {"import", "Bring the open recordings in from a folder"},
      {"info", "One recording: what, from where, its benchmarks, licence"},
      {"list", "What is on this machine, and what can be fetched"},
      {"verify", "Compare the files on this machine with what was written"}};
  for (const auto& [name, text] : verbs) {
    add_python_verb(*verb, name, std::string(text) + " (runs Python)", "cortiscore.data", {name});
  }
  add_data_images(*verb, outcome);
  add_data_table(*verb, outcome);
}

}  // namespace cortiscore::cli
