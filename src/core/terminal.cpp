#include "src/core/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace cortiscore {
namespace {

constexpr const char* kEllipsis = "\u2026";

// Of a character by its first byte: one that continues another has none; from U+1000 on (three
// bytes, 0xE1) scripts may be wide.
int64_t columns_of(char byte) {
  const auto first = static_cast<unsigned char>(byte);
  if ((first & 0xC0U) == 0x80U) return 0;
  return first < 0xE1U ? 1 : 2;
}

}  // namespace

int64_t terminal_columns(int descriptor) {
  winsize size{};
  if (isatty(descriptor) == 0 || ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

int64_t columns_of(const std::string& text) {
  int64_t columns = 0;
  for (const char byte : text) columns += columns_of(byte);
  // The ellipsis of cut_to, which is narrow.
  for (size_t at = 0; (at = text.find(kEllipsis, at)) != std::string::npos; ++at) --columns;
  return columns;
}

std::string cut_to(const std::string& text, int64_t columns) {
  if (columns <= 0 || columns_of(text) <= columns) return text;
  std::string out;
  int64_t taken = 1;  // the ellipsis
  for (const char byte : text) {
    taken += columns_of(byte);
    if (taken > columns) break;
    out += byte;
  }
  return out + kEllipsis;
}

}  // namespace cortiscore
