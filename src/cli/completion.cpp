#include <algorithm>
#include <cstdio>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "src/cli/commands.h"

namespace cortiscore::cli {
namespace {

// The verbs before the word, then what the flag before it takes, then what the verb does.
constexpr const char* kHead = R"bash(_cortiscore_names() {
  "${COMP_WORDS[0]/#\~/$HOME}" "$@" --json 2>/dev/null | sed -n 's/.*"identifier":"\([^"]*\)".*/\1/p'
}
_cortiscore() {
  local command=${COMP_WORDS[0]/#\~/$HOME} word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local verb= flags= words= files= i
  if [[ $word == = ]]; then word=; elif [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$verb ${COMP_WORDS[i]}" in
)bash";
constexpr const char* kTail = R"bash(  esac
  [[ $word == -* ]] && words=$flags && files=
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [[ $files ]] && COMPREPLY+=($(compgen -f -- "$word"))
}
complete -o filenames -F _cortiscore cortiscore
)bash";

// What completes a value: "a b c" of a type {a,b,c}; a command that lists names; "" for files.
std::string words_for(const CLI::Option& option) {
  const auto type = option.get_type_name();
  if (type == "BENCHMARK") return "$(_cortiscore_names benchmark list)";
  if (type == "TREE") return "$(_cortiscore_names benchmark trees)";
  const auto open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return "";
  auto words = type.substr(open + 1, close - open - 1);
  std::replace(words.begin(), words.end(), ',', ' ');
  return words;
}

std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

struct Cases {
  std::string verbs, values, rest;
};

void add(const CLI::App& verb, const std::string& path, const std::string& above, Cases& cases) {
  std::string flags = above, words, more;
  for (const auto* sub : verbs_of(verb)) {
    words += (words.empty() ? "" : " ") + sub->get_name();
    cases.verbs += (cases.verbs.empty() ? "'" : " | '") + path + " " + sub->get_name() + "'";
  }
  bool files = false;
  for (const auto* option : verb.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    if (option->get_positional()) {
      more = words_for(*option);
      files = more.empty();
      words += more;
      continue;
    }
    std::string spelt;
    for (const auto& name : option->get_lnames()) {
      spelt += (spelt.empty() ? "" : " | ") + ("'" + path + " --" + name + "'");
      flags += (flags.empty() ? "--" : " --") + name;
    }
    for (const auto& name : option->get_snames()) spelt += " | '" + path + " -" + name + "'";
    if (option->get_items_expected_max() == 0) continue;
    const auto values = words_for(*option);
    cases.values +=
        "    " + spelt + ") " + (values.empty() ? "files=1" : "words=\"" + values + "\"") + " ;;\n";
  }
  if (verb.get_prefix_command()) {
    flags = "$(\"$command\"" + path + " --help 2>/dev/null | grep -oE -- '--[a-z-]+' | sort -u)";
    files = true;
  }
  cases.rest += "    '" + path + "') flags=\"" + flags + "\" words=\"" + words + "\"" +
                (files ? " files=1" : "") + " ;;\n";
  for (const auto* sub : verbs_of(verb)) {
    std::string shared;
    for (const auto* option : verb.get_options()) {
      const auto& names = option->get_lnames();
      if (names.empty() || names.front() == "help" || names.front() == "version") continue;
      shared += (shared.empty() ? "--" : " --") + names.front();
    }
    add(*sub, path + " " + sub->get_name(), above + (above.empty() ? "" : " ") + shared, cases);
  }
}

}  // namespace

void add_completion(CLI::App& app, Outcome& /*outcome*/) {
  auto* verb = app.add_subcommand("completion", "Bash completion: source <(cortiscore completion)");
  verb->callback([&app] {
    Cases cases;
    add(app, "", "", cases);
    std::printf("%s      %s) verb+=\" ${COMP_WORDS[i]}\" ;;\n    esac\n  done\n", kHead,
                cases.verbs.c_str());
    std::printf(
        "  case \"$verb $previous\" in\n%s  esac\n  [[ $words$files ]] || case $verb in\n%s%s",
        cases.values.c_str(), cases.rest.c_str(), kTail);
  });
}

}  // namespace cortiscore::cli
