#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/ranking/scoreboard.h"

namespace cortiscore {

/// Two ends; NaN where there is no interval.
struct Ends {
  double lo = 0, hi = 0;
};

/// A network's place among others.
struct Ranked {
  int64_t place = 0;  ///< 0: no composite. Networks share one where see rank() says so
  int64_t place_lo = 0, place_hi = 0;  ///< 95 % of its places over the draws; 0: no draws
  const BoardNetwork* network = nullptr;
  std::vector<NodeScore> nodes;  ///< of aggregate(): the composite first
  std::vector<Ends> intervals;   ///< of every node
  std::string unpaired;   ///< why some leaf's draws are not its record's; empty: differences are
                          ///< paired
  bool imported = false;  ///< every score of it was published elsewhere
};

/// Networks by their composite, highest first; those without one last, in order of names.
///
/// Every draw of the bootstrap resamples the neuroids, stimuli or subjects of a benchmark, the same
/// for all networks (resample/bootstrap.h), so composites are compared draw by draw. From the top
/// down, a network shares the place of the first of its group while 95 % of the draws of their
/// difference do not leave zero out; the first that is separated begins a new group, at its own
/// place. Where the errors of neither are known, as of published tables, they share a place if
/// their composites show the same three decimals.
/// @param board  must outlive what is returned
std::vector<Ranked> rank(const Scoreboard& board, double level = 0.95);

/// The percentile interval of what draws are numbers; NaN where fewer than two are, or all say the
/// same because nothing was drawn.
Ends ends_of(const std::vector<double>& draws, double level);

}  // namespace cortiscore
