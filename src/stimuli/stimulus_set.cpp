#include "src/stimuli/stimulus_set.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <mutex>
#include <numeric>

#include <zip.h>

#include "cortiscore/error.h"
#include "src/core/folders.h"
#include "src/core/parallel.h"
#include "src/data/arrays.h"

namespace cortiscore {

struct StimulusSet::Archive {
  std::string path;
  zip_t* zip = nullptr;
  std::mutex mutex;

  explicit Archive(const std::string& file) : path(file) {
    int code = 0;
    zip = zip_open(file.c_str(), ZIP_RDONLY, &code);
    if (!zip) {
      zip_error_t error;
      zip_error_init_with_code(&error, code);
      const std::string message = zip_error_strerror(&error);
      zip_error_fini(&error);
      throw bad_input({file, "", message, "a zip archive of images", "Copy or export it again"});
    }
  }
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;
  ~Archive() { zip_discard(zip); }

  bool holds(const std::string& name) { return zip_name_locate(zip, name.c_str(), 0) >= 0; }

  std::string read(const std::string& name) {
    const std::lock_guard<std::mutex> lock(mutex);
    zip_stat_t stat;
    zip_file_t* file = nullptr;
    if (zip_stat(zip, name.c_str(), 0, &stat) == 0) file = zip_fopen(zip, name.c_str(), 0);
    if (!file)
      throw bad_input(
          {path, name, zip_strerror(zip), "a readable entry", "Copy or export the archive again"});
    std::string bytes(stat.size, '\0');
    const auto got = zip_fread(file, bytes.data(), bytes.size());
    const bool whole = got == static_cast<zip_int64_t>(bytes.size()) && zip_fclose(file) == 0;
    if (!whole) {
      throw bad_input({path, name, "a damaged entry", std::to_string(bytes.size()) + " bytes",
                       "Copy or export the archive again"});
    }
    return bytes;
  }
};

namespace {

// The zip beside a CSV, or where the published platform has it, which keeps the two apart.
std::string archive_of(const std::string& csv_path) {
  const auto beside = std::filesystem::path(csv_path).replace_extension(".zip");
  const auto name = beside.filename().string();
  if (std::filesystem::exists(beside) || !name.starts_with("stimulus_")) return beside.string();
  const auto there = brainio_file(name);
  return there.empty() ? beside.string() : there;
}

}  // namespace

StimulusSet StimulusSet::open(const std::string& csv_path) {
  namespace fs = std::filesystem;
  StimulusSet set;
  set.table_ = read_table(csv_path);
  set.ids_ = set.table_.text(set.table_.has("stimulus_id") ? "stimulus_id" : "image_id");
  const auto source = std::make_shared<Source>();
  source->folder = fs::path(csv_path).parent_path().string();
  const auto zip_path = archive_of(csv_path);
  if (fs::exists(zip_path)) source->archive = std::make_shared<Archive>(zip_path);
  for (auto& name : set.table_.text(set.table_.has("filename") || !set.table_.has("image_file_name")
                                        ? "filename"
                                        : "image_file_name"))
    set.files_.push_back({std::move(name), source});
  std::map<std::string, int64_t> seen;
  std::vector<std::string> missing;
  for (int64_t i = 0; i < set.size(); ++i) {
    const auto& id = set.ids_[static_cast<size_t>(i)];
    if (seen[id]++) {
      throw bad_input({csv_path, "stimulus_id", "\"" + id + "\" twice", "each stimulus once",
                       "Remove the second row"});
    }
    const auto& file = set.files_[static_cast<size_t>(i)].name;
    if (fs::is_regular_file(fs::path(source->folder) / file)) continue;
    if (source->archive && source->archive->holds(file)) continue;
    missing.push_back(file);
  }
  if (!missing.empty()) {
    throw bad_input({csv_path, "filename",
                     std::to_string(missing.size()) + " image(s) listed but missing, first \"" +
                         missing[0] + "\"",
                     "every image beside the CSV or in " + zip_path,
                     "Restore them, or remove their rows"});
  }
  return set;
}

std::map<std::string, int64_t> StimulusSet::rows() const {
  std::map<std::string, int64_t> row;
  for (int64_t i = 0; i < size(); ++i) row[ids_[static_cast<size_t>(i)]] = i;
  return row;
}

std::vector<int64_t> StimulusSet::order_of(const std::vector<std::string>& ids) const {
  const auto here = rows_of(ids);
  std::vector<int64_t> order(ids.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return here[static_cast<size_t>(a)] < here[static_cast<size_t>(b)];
  });
  return order;
}

std::vector<int64_t> StimulusSet::rows_of(const std::vector<std::string>& ids) const {
  const auto row = this->rows();
  std::vector<int64_t> rows;
  for (const auto& id : ids) {
    const auto found = row.find(id);
    if (found == row.end()) {
      throw bad_input({path(), "stimulus_id", "no \"" + id + "\"", "every stimulus of the assembly",
                       "Stimulus set and assembly must come from the same import"});
    }
    rows.push_back(found->second);
  }
  return rows;
}

StimulusSet StimulusSet::select(const std::vector<std::string>& ids) const {
  auto out = *this;
  out.ids_ = ids;
  out.files_.clear();
  out.table_.rows.clear();
  out.table_.lines.clear();
  for (const auto row : rows_of(ids)) {
    out.files_.push_back(files_[static_cast<size_t>(row)]);
    out.table_.rows.push_back(table_.rows[static_cast<size_t>(row)]);
  }
  return out;
}

StimulusSet StimulusSet::joined(const StimulusSet& more) const {
  const auto row = rows();
  auto out = *this;
  const auto shared = [&](const std::string& column) {
    return table_.has(column) && more.table_.has(column);
  };
  out.table_.columns.clear();
  std::copy_if(table_.columns.begin(), table_.columns.end(), std::back_inserter(out.table_.columns),
               shared);
  out.table_.rows.assign(table_.rows.size(), {});
  out.table_.lines.clear();
  std::vector<int64_t> added;
  for (int64_t i = 0; i < more.size(); ++i) {
    const auto found = row.find(more.ids_[static_cast<size_t>(i)]);
    if (found == row.end()) {
      added.push_back(i);
    } else if (bytes(found->second) != more.bytes(i)) {
      throw bad_input({more.location(i), "stimulus_id", "\"" + found->first + "\", another image",
                       "the image of " + location(found->second),
                       "Stimuli that differ need ids that differ"});
    }
  }
  for (const auto i : added) {
    out.ids_.push_back(more.ids_[static_cast<size_t>(i)]);
    out.files_.push_back(more.files_[static_cast<size_t>(i)]);
  }
  out.table_.rows.resize(out.ids_.size());
  for (const auto& column : out.table_.columns) {
    const auto first = table_.column(column), second = more.table_.column(column);
    for (size_t i = 0; i < first.size(); ++i) out.table_.rows[i].push_back(first[i]);
    for (size_t k = 0; k < added.size(); ++k)
      out.table_.rows[first.size() + k].push_back(second[static_cast<size_t>(added[k])]);
  }
  return out;
}

std::string StimulusSet::location(int64_t i) const {
  const auto& [file, source] = files_[static_cast<size_t>(i)];
  const auto loose = std::filesystem::path(source->folder) / file;
  return std::filesystem::is_regular_file(loose) ? loose.string()
                                                 : source->archive->path + ":" + file;
}

std::string StimulusSet::bytes(int64_t i) const {
  const auto& [file, source] = files_[static_cast<size_t>(i)];
  const auto loose = std::filesystem::path(source->folder) / file;
  if (!source->archive || std::filesystem::is_regular_file(loose)) return read_file(loose.string());
  return source->archive->read(file);
}

std::string StimulusSet::sha256() const {
  std::vector<std::string> digests(ids_.size());
  parallel_for(size(), [&](int64_t i) { digests[static_cast<size_t>(i)] = sha256_of(bytes(i)); });
  std::string all;
  for (size_t i = 0; i < ids_.size(); ++i) all += ids_[i] + "\n" + digests[i] + "\n";
  return sha256_of(all);
}

}  // namespace cortiscore
