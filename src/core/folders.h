#pragma once
#include <string>

namespace cortiscore {

/// Where fetched and imported data lie: $CORTISCORE_HOME, else $XDG_DATA_HOME/cortiscore, else
/// ~/.local/share/cortiscore.
std::string home();

/// Where what can be made again lies, on this machine: $XDG_CACHE_HOME/cortiscore, else
/// ~/.cache/cortiscore.
std::string cache_folder();

/// A file that the published platform has downloaded, which gives each a folder by its hash: below
/// $BRAINIO_HOME, else ~/.brainio. Empty where there is none of that name.
std::string brainio_file(const std::string& name);

}  // namespace cortiscore
