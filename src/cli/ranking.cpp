#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "src/cli/commands.h"
#include "src/cli/composite.h"
#include "src/cli/python.h"

namespace cortiscore::cli {

void add_ranking(CLI::App& app, Outcome& /*outcome*/) {
  add_rank(app);
  add_compare(app);
  add_python_verb(app, "analyze",
                  "What scores say together: imagenet, best, unexplained, benchmarks, size",
                  "cortiscore.analyze");
  add_python_verb(app, "report",
                  "A site from the store: leaderboard, cards, comparisons, curves, in one file",
                  "cortiscore.report");
  add_python_verb(app, "serve", "The same site on this machine, fresh while a sweep runs",
                  "cortiscore.report", {"serve"});
  add_python_verb(
      app, "submit",
      "Pack a network's results, and the network if wanted, into one file that can be verified",
      "cortiscore.submission", {"pack"});
}

}  // namespace cortiscore::cli
