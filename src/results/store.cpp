#include "src/results/store.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

#include "cortiscore/error.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/core/stage.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

// Shards that are collected at once: each holds a descriptor, of which a process has a thousand.
constexpr size_t kMostShards = 400;

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
      const auto sentence = (fs::path(folder_) / places[i].shard).string() +
                            ": the record at byte " + std::to_string(places[i].offset) +
                            " is not as `score` writes one (" + error.what() + "). Left out.";
      if (odd_.insert(sentence).second) log_line("warning: " + printable(sentence));
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
  each({"", "", "imported"}, [&](const Json& record) {
    done.emplace(record.value("key", ""), record.value("model_identifier", ""));
  });
  each({"", "", "failed"}, [&](const Json& record) { failures.insert(canonical(record)); });
  Merged merged;
  Store(other).each({}, [&](const Json& record) {
    const bool failed = record.value("status", "") == "failed";
    const bool added =
        !failed ? done.emplace(record.value("key", ""), record.value("model_identifier", "")).second
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
  Collected all;
  for (std::set<std::string> left_alone;;) {
    const auto done = collect(left_alone);
    all.dropped += done.dropped;
    all.shards += done.shards;
    all.living = static_cast<int64_t>(left_alone.size());
    // What was written takes part in the next round, until one shard is left.
    if (done.shards == static_cast<int64_t>(kMostShards)) continue;
    index_.catch_up();
    for (const auto& place : index_.current({}))
      all.kept += left_alone.contains(place.shard) ? 0 : 1;
    return all;
  }
}

Store::Collected Store::collect(std::set<std::string>& left_alone) {
  Collected collected;
  std::vector<std::string> settled;
  std::vector<ShardLock> locks;  // until the shards are gone: nobody may begin to write to one
  for (const auto& name : shards_of(folder_)) {
    if (settled.size() == kMostShards) break;
    if (left_alone.contains(name)) continue;
    ShardLock lock((fs::path(folder_) / name).string());
    if (!lock.held()) {
      left_alone.insert(name);
      continue;
    }
    settled.push_back(name);
    locks.push_back(std::move(lock));
  }
  index_.rebuild();  // what is about to be removed is read whole: an index may be of what it was
  const std::set<std::string> replaced(settled.begin(), settled.end());
  std::vector<std::string> texts;
  for (const auto& place : index_.current({})) {
    if (!replaced.contains(place.shard)) continue;
    texts.push_back(read_record(folder_, place));
    if (!texts.back().empty()) continue;
    throw bad_input({(fs::path(folder_) / place.shard).string(),
                     "line at byte " + std::to_string(place.offset), "it changed meanwhile",
                     "a shard that nobody edits", "Collect again; nothing was removed"});
  }
  int64_t lines = 0;
  for (const auto& name : settled) {
    scan_shard((fs::path(folder_) / name).string(), 0,
               [&](int64_t, int64_t, std::string_view) { ++lines; });
  }
  collected.kept = static_cast<int64_t>(texts.size());
  if (settled.size() < 2 && lines == collected.kept) return collected;
  {
    ShardWriter compacted(folder_);
    for (const auto& text : texts) compacted.append(text);
  }
  for (const auto& name : settled) {
    fs::remove(fs::path(folder_) / name);
    ++collected.shards;
  }
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
