#include "src/ranking/kept.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace cortiscore {
namespace {

constexpr int64_t kMostDraws = 1000;

Kept none(std::string why) {
  Kept kept;
  kept.why = std::move(why);
  return kept;
}

Kept wrong(std::string why) {
  auto kept = none(std::move(why));
  kept.wrong = true;
  return kept;
}

std::string shortest(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// NaN where there is no such number.
double number_at(const Json& record, const char* object, const char* key) {
  const auto found = record.find(object);
  if (found == record.end() || !found->is_object()) return std::nan("");
  const auto value = found->find(key);
  return value != found->end() && value->is_number() ? value->get<double>() : std::nan("");
}

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Empty, or how the draws contradict the interval.
std::string against_interval(
    const std::vector<double>& draws, double lo, double hi, double level, double n_boot) {
  std::vector<double> finite;
  std::copy_if(draws.begin(), draws.end(), std::back_inserter(finite),
               [](double draw) { return std::isfinite(draw); });
  const auto [least, most] = std::minmax_element(finite.begin(), finite.end());
  const bool varied = finite.size() > 1 && *least < *most;
  if (std::isnan(lo) || std::isnan(hi))
    return varied ? "keeps draws and states no interval of them" : "has a score without an error";
  if (finite.size() < 2) return "states an interval, and its draws are no numbers";
  const auto n = static_cast<double>(finite.size());
  const double tail = (1 - level) / 2;
  const double beyond = (n - 1) * tail;
  const double slack = 1 + (n_boot > n ? 6 * std::sqrt(n * tail * (1 - tail)) : 0);
  constexpr double kFloat32 = 1e-6;  // draws are rounded to it, ends are not
  const auto agrees = [&](double end, int sign) {
    const double room = kFloat32 * std::max(1.0, std::abs(end));
    const auto count = [&](double edge) {
      return static_cast<double>(std::count_if(
          finite.begin(), finite.end(), [&](double draw) { return sign * (draw - edge) > 0; }));
    };
    return count(end + sign * room) <= beyond + slack && count(end - sign * room) >= beyond - slack;
  };
  if (agrees(lo, -1) && agrees(hi, 1)) return {};
  return "keeps draws that are not those of its interval " + shortest(lo) + " .. " + shortest(hi);
}

}  // namespace

Kept kept_draws(const Json& record, bool raw) {
  const auto status = text_at(record, "status");
  if (status == "imported") return none("is of a published score");
  const auto found = record.find("draws");
  if (found == record.end() || found->is_null()) return none("keeps no draws");
  if (!found->is_object()) return wrong("keeps draws that are not as `score` writes them");
  const auto of = text_at(*found, "of");
  if (of != "raw" && of != "ceiled") return wrong("keeps draws and does not say of which score");
  if ((of == "raw") != raw) return none("keeps draws of the " + of + " score alone");
  const double seed = number_at(record, "error", "seed");
  if (seed != 0) {
    return std::isnan(seed) ? wrong("keeps draws and does not say of which seed")
                            : none("keeps draws of seed " + shortest(seed) + ", others have 0");
  }
  auto packed = text_at(*found, "float32");
  const auto draws = unpacked(packed);
  if (draws.empty()) return wrong("keeps draws that are no float32 in base64");
  const double n_boot = number_at(record, "error", "n_boot");
  const double expected = std::min(n_boot, static_cast<double>(kMostDraws));
  const auto n = static_cast<double>(draws.size());
  if (n != expected) {
    return wrong("keeps " + shortest(n) + " draws of a bootstrap of " +
                 (std::isnan(n_boot) ? "an unknown number" : shortest(n_boot)));
  }
  const auto* const interval = raw ? "raw" : "error";
  auto contradiction = against_interval(draws, number_at(record, interval, "ci_lo"),
                                        number_at(record, interval, "ci_hi"),
                                        number_at(record, "error", "level"), n_boot);
  if (contradiction.empty()) {
    Kept kept;
    kept.packed = std::move(packed);
    return kept;
  }
  const bool no_error = contradiction == "has a score without an error";
  return no_error ? none(std::move(contradiction)) : wrong(std::move(contradiction));
}

Kept kept_neuroids(const Json& record) {
  const auto status = text_at(record, "status");
  if (status == "imported") return none("is of a published score");
  const auto found = record.find("per_neuroid");
  if (found == record.end() || found->is_null()) return none("keeps no score a neuroid");
  if (found->is_string() || found->is_array())
    return none("keeps scores a neuroid in the form of an earlier version");
  if (!found->is_object())
    return wrong("keeps scores a neuroid that are not as `score` writes them");
  Kept kept;
  kept.packed = text_at(*found, "float32");
  const auto n = static_cast<int64_t>(unpacked(kept.packed).size());
  if (n == 0) return wrong("keeps scores a neuroid that are no float32 in base64");
  const double splits = number_at(record, "per_neuroid", "splits");
  kept.splits = splits >= 1 && splits <= static_cast<double>(n) ? static_cast<int64_t>(splits) : 0;
  if (kept.splits == 0 || n % kept.splits != 0) {
    return wrong("keeps " + std::to_string(n) + " scores of neuroids in " +
                 (std::isnan(splits) ? "an unknown number of" : shortest(splits)) + " splits");
  }
  return kept;
}

}  // namespace cortiscore
