#include "src/cli/usage.h"

#include <algorithm>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "src/core/nearest_name.h"

namespace cortiscore::cli {
namespace {

// What flags were called, and are called, of verbs that have the one and not the other.
constexpr std::pair<const char*, const char*> kRenamed[] = {
    {"--manifest", "--checkpoint-table"}, {"--model", "--network"}, {"--precision", "--products"},
    {"--splits", "--ceiling-splits"},     {"--store", "--results"}, {"--trials", "--repetitions"}};

// The innermost verb that was named.
const CLI::App* verb_of(const CLI::App& app) {
  const CLI::App* verb = &app;
  while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
  return verb;
}

// A flag of a verb, or of what stands above it; null where there is none.
const CLI::Option* option_of(const CLI::App* verb, const std::string& name) {
  const CLI::Option* found = nullptr;
  for (; verb && !found; verb = verb->get_parent()) found = verb->get_option_no_throw(name);
  return found;
}

// "results show"; the command's own name where no verb was given.
std::string name_of(const CLI::App* verb) {
  auto name = verb->get_name();
  for (const auto* up = verb->get_parent(); up && up->get_parent(); up = up->get_parent())
    name = up->get_name() + " " + name;
  return name;
}

// What a verb takes, then what its parents do.
std::vector<const CLI::Option*> options_of(const CLI::App* verb) {
  std::vector<const CLI::Option*> all;
  for (; verb; verb = verb->get_parent())
    for (const auto* option : verb->get_options()) all.push_back(option);
  return all;
}

std::vector<std::string> flags_of(const CLI::App* verb) {
  std::vector<std::string> flags;
  for (const auto* option : options_of(verb)) {
    if (option->get_group().empty()) continue;  // hidden
    for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

std::vector<std::string> verbs_of(const CLI::App* parent) {
  std::vector<std::string> verbs;
  for (const auto* verb : parent->get_subcommands([](const CLI::App*) { return true; }))
    verbs.push_back(verb->get_name());
  return verbs;
}

std::string joined(const std::vector<std::string>& words, const char* quote = "") {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + (quote + word) + quote;
  return out;
}

std::string meant(const std::string& name, const std::vector<std::string>& known) {
  const auto nearest = nearest_name(name, known);
  return nearest.empty() ? "" : "; did you mean " + nearest + "?";
}

bool is_flag(const std::string& word) {
  return word.size() > 1 && word[0] == '-';
}

// Words that nothing takes: a mistyped verb, else the first flag, else the first word.
std::string left_over(const CLI::App* verb, const std::vector<std::string>& words) {
  const auto flag = std::find_if(words.begin(), words.end(), is_flag);
  const bool needs_verb = verb->get_require_subcommand_min() > 0;
  if (needs_verb && !is_flag(words.front()))
    return words.front() + ": no such verb of " + name_of(verb) +
           meant(words.front(), verbs_of(verb));
  if (flag == words.end())
    return name_of(verb) + ": found \"" + words.front() + "\", expected no more words";
  const auto name = flag->substr(0, flag->find('='));
  return name + ": no such flag of " + name_of(verb) + meant(name, flags_of(verb));
}

// The option that CLI11's sentence begins with; null where it names none.
const CLI::Option* named_in(const std::string& what, const CLI::App* verb) {
  const CLI::Option* found = nullptr;
  size_t at = std::string::npos;
  for (const auto* option : options_of(verb)) {
    const auto name = option->get_name();
    const auto here = (what + " ").find(name);
    if (name.empty() || here == std::string::npos) continue;
    if (std::string(" :=").find((what + " ")[here + name.size()]) == std::string::npos) continue;
    if (here < at) {
      at = here;
      found = option;
    }
  }
  return found;
}

std::string what_is_wrong(const CLI::App& app, const CLI::App* verb, const CLI::ParseError& error) {
  const std::string what = error.what();
  const bool missing = dynamic_cast<const CLI::RequiredError*>(&error);
  // A word that nobody knows says more than that something is missing beside it.
  const auto unknown = app.remaining(true);
  if ((missing || dynamic_cast<const CLI::ExtrasError*>(&error)) && !unknown.empty())
    return left_over(verb, unknown);
  if (missing && verb->get_require_subcommand_min() > 0 && verb->get_subcommands().empty())
    return name_of(verb) + ": found no verb, expected one of " + joined(verbs_of(verb));
  const auto* option = named_in(what, verb);
  if (!option) return what;
  const auto name = option->get_name();
  const bool takes_none = option->get_items_expected_max() == 0;
  const bool takes_one = option->get_items_expected_max() == 1;
  if (missing) return name + ": found none, expected one" + (takes_one ? "" : " or more");
  const auto& given = option->results();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error)) {
    if (takes_none) return name + ": found a value, expected none";
    if (takes_one && given.size() > 1)
      return name + ": found it " + std::to_string(given.size()) + " times (" +
             joined(given, "\"") + "), expected it once";
    return name + ": found no value, expected one";
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error))
    return name + ": found " + joined(given, "\"") + ", expected " +
           (takes_none ? "no value" : "a number");
  if (dynamic_cast<const CLI::ExcludesError*>(&error))
    return name + ": found beside " + what.substr(what.rfind(' ') + 1) +
           ", expected one of the two";
  if (dynamic_cast<const CLI::RequiresError*>(&error))
    return name + ": found without " + what.substr(what.rfind(' ') + 1) + ", expected both";
  return what;
}

}  // namespace

Error usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto* verb = verb_of(app);
  auto what = what_is_wrong(app, verb, error);
  if (what.ends_with('.')) what.pop_back();
  const auto name = verb == &app ? app.get_name() : app.get_name() + " " + name_of(verb);
  return {ErrorKind::kUsage,
          what + (what.ends_with('?') ? " `" : ". `") + name + " --help` lists what it takes."};
}

void refuse_empty_values(CLI::App& app) {
  const CLI::Validator not_empty(
      [](std::string& text) {
        return text.empty() ? std::string("found \"\", expected a value") : std::string();
      },
      "");
  for (auto* option : app.get_options())
    if (option->get_items_expected_max() > 0) option->check(not_empty);
  for (auto* verb : app.get_subcommands([](CLI::App*) { return true; })) refuse_empty_values(*verb);
}

Words words_of(const CLI::App& app, int argc, const char* const* argv) {
  Words out;
  const CLI::App* verb = &app;
  bool flags = true;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    const auto subs =
        verb->get_subcommands([&](const CLI::App* sub) { return sub->check_name(word); });
    if (!subs.empty()) verb = subs.front();
    flags = flags && word != "--" && !verb->get_prefix_command();
    if (!flags || !word.starts_with("--")) {
      out.words.push_back(word);
      continue;
    }
    const auto equals = std::min(word.find('='), word.size());
    const auto* option = option_of(verb, word.substr(0, equals));
    for (const auto& [old, now] : kRenamed) {
      const auto* renamed = verb->get_option_no_throw(now);
      if (option || !renamed || word.substr(0, equals) != old) continue;
      option = renamed;
      out.notes.push_back(name_of(verb) + ": " + old + " is called " + now +
                          " now; the old name goes with the next release");
      word.replace(0, equals, now);
    }
    const bool bare = option && option->get_items_expected_max() > 0 && word.ends_with('=') &&
                      word.find('=') + 1 == word.size();
    if (bare) word.pop_back();
    out.words.push_back(word);
    if (bare) out.words.emplace_back();
  }
  return out;
}

}  // namespace cortiscore::cli
