#pragma once
#include <string>

#include <nlohmann/json.hpp>

namespace cortiscore {

/// Holds a document to data_manifests/NAME.schema.json, with the words of JSON Schema that our
/// schemas use. Behind a reader's own checks, whose messages say more: what those do not look at
/// would be ignored, or be wrong only where a score needs it.
/// @param path  of the document, for the message
/// @throws Error(kBadInput)  by the first field that is not as the schema has it
void check_schema(const nlohmann::json& document, const std::string& name, const std::string& path);

}  // namespace cortiscore
