#pragma once
#include "src/cli/commands.h"

namespace cortiscore::cli {

/// `data images`: which files are images that networks can be shown.
void add_data_images(CLI::App& data, Outcome& outcome);

}  // namespace cortiscore::cli
