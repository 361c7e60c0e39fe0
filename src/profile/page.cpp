#include "src/profile/page.h"

#include <fstream>
#include <iterator>
#include <utility>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "cortiscore/error.h"
#include "src/core/layout.h"

namespace cortiscore {
namespace {

std::string read_part(const std::string& name) {
  const auto path = page_folder() + "/" + name;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw bad_input({path, "", "no such file", "a part of the page, as it was installed",
                     "Install cortiscore again, or build it with ./dev build"});
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

// As a content security policy names a script or a style that may run: by its text.
std::string hash_source(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  unsigned char encoded[4 * ((SHA256_DIGEST_LENGTH + 2) / 3) + 1];
  const int size = EVP_EncodeBlock(encoded, digest, SHA256_DIGEST_LENGTH);
  return "'sha256-" + std::string(reinterpret_cast<char*>(encoded), static_cast<size_t>(size)) +
         "'";
}

void put(std::string& page, const std::string& place, const std::string& text) {
  const auto mark = "<!-- " + place + " -->";
  const auto at = page.find(mark);
  if (at == std::string::npos) {
    throw bad_input({page_folder() + "/profile.html", mark, "nothing", "a place for it",
                     "Install cortiscore again"});
  }
  page.replace(at, mark.size(), text);
}

// Nothing in a string of the data can end the element that holds it.
std::string as_element(const Json& data) {
  auto text = data.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  for (size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at))
    text.replace(at, 1, "\\u003c");
  return text;
}

}  // namespace

std::string profile_page(const std::vector<Json>& profiles) {
  auto page = read_part("profile.html");
  const auto style = read_part("profile.css"), library = read_part("echarts.min.js");
  const auto script = "\"use strict\";\n(() => {\n" + read_part("common.js") + "\n" +
                      read_part("profile.js") + "\n})();";
  put(page, "csp",
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src " +
          hash_source(library) + " " + hash_source(script) + "; style-src " + hash_source(style) +
          "; img-src data: blob:\">");
  put(page, "style", "<style>" + style + "</style>");
  put(page, "library", "<script>" + library + "</script>");  // its licence is its first lines
  put(page, "script", "<script>" + script + "</script>");
  put(page, "data",
      "<script type=\"application/json\" id=\"data\">" + as_element({{"profiles", profiles}}) +
          "</script>");
  return page;
}

}  // namespace cortiscore
