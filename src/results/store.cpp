#include "src/results/store.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

#include "cortiscore/error.h"
#include "src/core/stage.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

// The record's text, or nothing where the index does not describe the shard (which was replaced by
// hand).
std::string read_record(const std::string& folder, const RecordPlace& place) {
  std::ifstream shard(fs::path(folder) / place.shard, std::ios::binary);
  std::string line(static_cast<size_t>(place.length), '\0');
  shard.seekg(place.offset);
  shard.read(line.data(), place.length);
  return shard ? std::string(record_of_line(line)) : std::string();
}

}  // namespace

std::string canonical(const Json& record) {
  return record.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json reproducible(Json record) {
  for (const auto* key : {"timing_ms", "peak_bytes", "start", "end", "run"}) record.erase(key);
  return record;
}

Store::Store(std::string folder) : folder_(std::move(folder)), index_(folder_), writer_(folder_) {}

std::optional<Json> Store::find(const std::string& key, const std::string& model) {
  for (const bool rebuilt : {false, true}) {
    if (rebuilt)
      index_.rebuild();
    else
      index_.catch_up();
    const auto place = index_.find(key, model);
    if (!place) return std::nullopt;
    const auto record = Json::parse(read_record(folder_, *place), nullptr, false);
    if (record.is_object() && record.value("key", "") == key) return record;
  }
  return std::nullopt;
}

std::set<std::pair<std::string, std::string>> Store::done() {
  index_.catch_up();
  return index_.done();
}

void Store::append(const Json& record) {
  const Stage storing(StageName::kStore);
  writer_.append(canonical(record));
}

void Store::each(const RecordFilter& filter, const std::function<void(const Json&)>& each) {
  index_.catch_up();
  auto places = index_.current(filter);
  std::vector<std::string> texts;
  for (const auto& place : places) {
    texts.push_back(read_record(folder_, place));
    if (!texts.back().empty()) continue;
    index_.rebuild();
    places = index_.current(filter);
    texts.clear();
    for (const auto& again : places) texts.push_back(read_record(folder_, again));
    break;
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty()) continue;
    try {
      each(Json::parse(texts[i]));
    } catch (const Json::exception& error) {  // whole, but not as we write it
      throw bad_input({(fs::path(folder_) / places[i].shard).string(),
                       "the record at byte " + std::to_string(places[i].offset), error.what(),
                       "a record as `score` writes it",
                       "Remove the line by hand, or score into another folder"});
    }
  }
}

std::vector<std::string> Store::damage() {
  std::vector<std::string> sentences;
  const auto all = index_.damage();
  // A line may have been whole when the index took it.
  if (std::any_of(all.begin(), all.end(), [](const auto& shard) { return !shard.damaged.empty(); }))
    index_.rebuild();
  for (const auto& shard : all) {
    const auto path = (fs::path(folder_) / shard.shard).string();
    if (shard.torn_bytes > 0) {
      sentences.push_back(path + ": its last line is torn (" + std::to_string(shard.torn_bytes) +
                          " bytes): its writer was stopped before it reported that result. Left "
                          "out; it will be scored again.");
    }
    for (const auto offset : shard.damaged) {
      sentences.push_back(path + ": the line at byte " + std::to_string(offset) +
                          " does not agree with its checksum. Left out; it will be scored again.");
    }
  }
  return sentences;
}

Store::Merged Store::merge(const std::string& other) {
  std::error_code error;
  if (!fs::is_directory(other, error)) {
    throw bad_input({other, "", "no such folder", "a folder of results", "Check the path"});
  }
  index_.catch_up();
  auto done = index_.done();
  std::set<std::string> failures;
  each({"", "", "failed"}, [&](const Json& record) { failures.insert(canonical(record)); });
  Merged merged;
  Store(other).each({}, [&](const Json& record) {
    const bool ok = record.value("status", "") == "ok";
    const bool added =
        ok ? done.emplace(record.value("key", ""), record.value("model_identifier", "")).second
           : failures.insert(canonical(record)).second;
    ++(added ? merged.taken : merged.present);
    if (added) append(record);
  });
  return merged;
}

Store::Collected Store::gc() {
  for (const auto& shard : index_.damage()) {
    if (shard.damaged.empty()) continue;
    throw bad_input({(fs::path(folder_) / shard.shard).string(),
                     "line at byte " + std::to_string(shard.damaged[0]),
                     "another checksum than it states", "a whole line",
                     "Remove the line by hand, or keep the shard elsewhere, then collect again"});
  }
  Collected collected;
  std::vector<std::string> settled;
  std::vector<ShardLock> locks;  // until the shards are gone: nobody may begin to write to one
  int64_t lines = 0;
  for (const auto& name : shards_of(folder_)) {
    ShardLock lock((fs::path(folder_) / name).string());
    if (!lock.held()) {
      ++collected.living;
      continue;
    }
    settled.push_back(name);
    locks.push_back(std::move(lock));
  }
  index_.catch_up();
  const std::set<std::string> replaced(settled.begin(), settled.end());
  std::vector<std::string> texts;
  for (const auto& place : index_.current({})) {
    if (replaced.contains(place.shard)) texts.push_back(read_record(folder_, place));
  }
  for (const auto& name : settled) {
    scan_shard((fs::path(folder_) / name).string(), 0,
               [&](int64_t, int64_t, std::string_view) { ++lines; });
  }
  if (settled.size() < 2 && lines == static_cast<int64_t>(texts.size())) {
    collected.kept = lines;
    return collected;
  }
  ShardWriter compacted(folder_);
  for (const auto& text : texts) compacted.append(text);
  for (const auto& name : settled) {
    fs::remove(fs::path(folder_) / name);
    ++collected.shards;
  }
  collected.kept = static_cast<int64_t>(texts.size());
  collected.dropped = lines - collected.kept;
  return collected;
}

Store open_store(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::status(folder, error).type() == std::filesystem::file_type::not_found) {
    throw bad_input({folder, "", "no such folder", "a folder of results",
                     "Check the path; `score` and `sweep` make it"});
  }
  return Store(folder);
}

}  // namespace cortiscore
