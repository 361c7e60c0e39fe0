#pragma once
#include <string>

#include <nlohmann/json.hpp>

namespace cortiscore {

/// A JSON file, whole: every key once, nested a hundred deep at most.
/// @param expected  what the file is, for the message
/// @throws Error(kBadInput)  it is not there, is no JSON (with the place), says a key twice, or is
///                           nested deeper
nlohmann::json read_json(const std::string& path, const std::string& expected);
/// The same of a text that was read from there.
nlohmann::json parse_json(const std::string& text,
                          const std::string& path,
                          const std::string& expected);

}  // namespace cortiscore
