#include "src/results/store.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

#include "cortiscore/error.h"
#include "src/core/json_fault.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/core/stage.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

// Shards that are collected at once: each holds a descriptor, of which a process has a thousand.
constexpr size_t kMostShards = 400;

// What no verb can do without, where a record lacks it; empty where it has all.
std::string lacks(const Json& record) {
  if (!record.is_object()) return "is no object";
  for (const auto* name : {"key", "status", "model_identifier", "benchmark_identifier"}) {
    const auto field = record.find(name);
    if (field == record.end() || !field->is_string() ||
        field->get_ref<const std::string&>().empty())
      return std::string("has no ") + name;
  }
  const auto& status = record.at("status").get_ref<const std::string&>();
  if (status == "failed") return {};
  if (status != "ok" && status != "imported") return "has status " + status;
  const auto score = record.find("score");
  return score != record.end() && score->is_object() ? "" : "has no score";
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
  const auto leave_out = [&](const RecordPlace& place, const std::string& why) {
    const auto sentence = (fs::path(folder_) / place.shard).string() + ": the record at byte " +
                          std::to_string(place.offset) + " is not as `score` writes one (" + why +
                          "). Left out.";
    constexpr size_t kMostNamed = 20;
    if (!odd_.insert(sentence).second || odd_.size() > kMostNamed + 1) return;
    log_line("warning: " + (odd_.size() > kMostNamed ? folder_ + ": more like these. Left out."
                                                     : printable(sentence)));
  };
  index_.catch_up();
  RecordReader reader(folder_);
  std::set<std::pair<std::string, std::string>> given;  // key and network
  for (const bool rebuilt : {false, true}) {
    bool moved = false;  // a shard that was edited in place
    for (const auto& place : index_.current(filter)) {
      const auto text = reader.read(place);
      moved = moved || text.empty();
      if (text.empty()) continue;
      try {
        const auto record = Json::parse(text);
        const auto fault = lacks(record);
        if (!fault.empty())
          leave_out(place, "it " + fault);
        else if (given.emplace(record.at("key"), record.at("model_identifier")).second)
          each(record);
      } catch (const Json::exception& error) {  // whole, but not as we write it
        leave_out(place, json_fault(error));
      }
    }
    if (!moved) return;
    if (!rebuilt) index_.rebuild();
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
