#pragma once
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace cortiscore::cli {

/// What a verb's callback returns as the process's exit code is left here; main reads it after
/// parsing.
struct Outcome {
  int exit_code = 0;
};

void add_metric(CLI::App& app, Outcome& outcome);
void add_ceiling(CLI::App& app, Outcome& outcome);
void add_score(CLI::App& app, Outcome& outcome);
void add_sweep(CLI::App& app, Outcome& outcome);
void add_results(CLI::App& app, Outcome& outcome);
void add_ranking(CLI::App& app, Outcome& outcome);
void add_extract(CLI::App& app, Outcome& outcome);
void add_profile(CLI::App& app, Outcome& outcome);
void add_layers(CLI::App& app, Outcome& outcome);
void add_data(CLI::App& app, Outcome& outcome);
void add_benchmark(CLI::App& app, Outcome& outcome);
void add_completion(CLI::App& app, Outcome& outcome);
void add_model(CLI::App& app, Outcome& outcome);
void add_doctor(CLI::App& app, Outcome& outcome);

}  // namespace cortiscore::cli
