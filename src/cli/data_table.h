#pragma once
#include "src/cli/commands.h"

namespace cortiscore::cli {

/// `data table`: how files of rows are understood.
void add_data_table(CLI::App& data, Outcome& outcome);

}  // namespace cortiscore::cli
