#include "src/cli/profile_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace cortiscore::cli {
namespace {

// Okabe & Ito's palette: told apart by colour-blind readers too.
constexpr std::array<const char*, 7> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                 "#e69f00", "#56b4e9", "#000000"};
constexpr double kLeft = 64, kTop = 56, kWidth = 820, kHeight = 320, kBottom = 170;

std::string escaped(const std::string& text) {
  std::string out;
  for (const auto c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

std::string text_at(double x, double y, const std::string& text, const std::string& more = "") {
  return format("<text x=\"%.1f\" y=\"%.1f\" ", x, y) + more + ">" + escaped(text) + "</text>\n";
}

// The range of all values with their errors, widened to whole steps.
struct Scale {
  double lo = 0, hi = 0, step = 0.1;

  explicit Scale(const std::vector<LayerProfile>& profiles) {
    for (const auto& profile : profiles) {
      for (const auto& layer : profile.layers) {
        if (std::isnan(layer.raw.value)) continue;
        const double error = std::isnan(layer.raw.error) ? 0 : layer.raw.error;
        lo = std::min(lo, layer.raw.value - error);
        hi = std::max(hi, layer.raw.value + error);
      }
    }
    if (hi - lo < 0.2) step = 0.02;
    lo = std::floor(lo / step - 1e-9) * step;
    hi = std::max(std::ceil(hi / step) * step, lo + step);
  }
  double y(double value) const { return kTop + kHeight * (hi - value) / (hi - lo); }
};

}  // namespace

std::string profile_svg(const std::string& network, const std::vector<LayerProfile>& profiles) {
  const auto n = profiles.front().layers.size();
  const Scale scale(profiles);
  const auto x_of = [&](size_t i) {
    return kLeft + kWidth * (n == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(n - 1));
  };
  const double legend = 18.0 * static_cast<double>(profiles.size());
  std::string svg = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n",
      kLeft + kWidth + 40, kTop + kHeight + kBottom + legend, kLeft + kWidth + 40);
  svg += "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  svg += text_at(kLeft, 24, network + ": raw score of every layer, +- error", "font-size=\"15\"");
  for (double value = scale.lo; value <= scale.hi + scale.step / 2; value += scale.step) {
    svg += format("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n",
                  kLeft, kLeft + kWidth, scale.y(value), scale.y(value));
    svg += text_at(kLeft - 8, scale.y(value) + 4,
                   format("%.2f", std::abs(value) < scale.step / 2 ? 0.0 : value),
                   "text-anchor=\"end\" fill=\"#555\"");
  }
  // Names of as many layers as fit.
  const size_t every = (n + 59) / 60;
  for (size_t i = 0; i < n; i += every) {
    const double x = x_of(i), y = kTop + kHeight + 14;
    svg +=
        text_at(x, y, profiles.front().layers[i].layer,
                format("text-anchor=\"end\" font-size=\"10\" fill=\"#555\" transform=\"rotate(-60 "
                       "%.1f %.1f)\"",
                       x, y));
  }
  for (size_t p = 0; p < profiles.size(); ++p) {
    const auto& profile = profiles[p];
    const char* colour = kColours[p % kColours.size()];
    std::string points;
    for (size_t i = 0; i < n; ++i) {
      const auto& raw = profile.layers[i].raw;
      if (std::isnan(raw.value)) continue;
      points += format("%.1f,%.1f ", x_of(i), scale.y(raw.value));
      if (!std::isnan(raw.error)) {
        svg += format(
            "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
            "stroke-opacity=\"0.5\"/>\n",
            x_of(i), x_of(i), scale.y(raw.value - raw.error), scale.y(raw.value + raw.error),
            colour);
      }
      const bool best = i == profile.best();
      svg += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" stroke=\"%s\"/>\n",
                    x_of(i), scale.y(raw.value), best ? 5.0 : 2.0, best ? "white" : colour, colour);
    }
    svg += "<polyline fill=\"none\" stroke=\"" + std::string(colour) + "\" points=\"" + points +
           "\"/>\n";
    const double y = kTop + kHeight + kBottom - 20 + 18.0 * static_cast<double>(p);
    const auto& best = profile.layers[profile.best()];
    svg += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" fill=\"white\" stroke=\"%s\"/>\n",
                  kLeft + 6, y - 4, colour);
    svg += text_at(
        kLeft + 18, y,
        profile.benchmark->identifier + ": best " + best.layer + format(", %.3f", best.raw.value));
  }
  return svg + "</svg>\n";
}

}  // namespace cortiscore::cli
