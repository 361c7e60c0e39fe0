#include "src/engine/checkpoint_files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include <glob.h>

#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/core/linked_folders.h"
#include "src/core/natural_order.h"
#include "src/core/notes.h"
#include "src/data/arrays.h"
#include "src/model/archive.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndex = ".index.json";
constexpr int kDeepest = 4;

bool is_index(const std::string& path) {
  return path.ends_with(kIndex);
}

std::string extension_of(const std::string& path) {
  if (is_index(path)) return kIndex;
  return path.ends_with(".pth.tar") ? ".pth.tar" : fs::path(path).extension().string();
}

bool is_weights(const std::string& path) {
  constexpr std::array kEnds = {".safetensors", ".pth", ".pth.tar", ".pt", ".ckpt", ".bin", kIndex};
  const auto end = extension_of(path);
  return std::find(kEnds.begin(), kEnds.end(), end) != kEnds.end();
}

bool is_distributed(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / ".metadata", error);
}

// The shards that an index names; none where it is no index.
std::vector<std::string> shards_of(const std::string& index) {
  std::set<std::string> shards;
  if (!why_unreadable(index).empty()) return {};
  try {
    const auto json = nlohmann::json::parse(read_file(index));
    for (const auto& [name, shard] : json.at("weight_map").items())
      shards.insert(shard.get<std::string>());
  } catch (const nlohmann::json::exception&) {
    return {};  // whoever opens it says what is wrong
  }
  return {shards.begin(), shards.end()};
}

std::vector<std::string> indexes_in(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (is_index(entry.path().string())) found.push_back(entry.path().string());
  }
  return found;
}

// Shards as their index, each once; order is kept.
std::vector<std::string> grouped(const std::vector<std::string>& paths) {
  static const std::regex kShard(R"(.*-\d{5}-of-\d{5}\.(safetensors|bin))");
  std::map<fs::path, std::map<std::string, std::string>> of_folder;  // a shard's index
  std::vector<std::string> found;
  std::set<std::string> taken;
  for (const auto& path : paths) {
    const fs::path file(path);
    const auto folder = file.parent_path();
    const auto name = file.filename().string();
    auto known = of_folder.find(folder);
    if (known == of_folder.end()) {
      known = of_folder.try_emplace(folder).first;
      for (const auto& index : indexes_in(folder.empty() ? fs::path(".") : folder)) {
        for (const auto& shard : shards_of(index))
          known->second.emplace(shard, fs::path(index).filename().string());
      }
    }
    auto whole = path;
    if (const auto shard = known->second.find(name); shard != known->second.end()) {
      whole = (folder / shard->second).string();
    } else if (name.size() < 256 && std::regex_match(name, kShard)) {
      throw bad_input({path, "", "one shard of several, without their index",
                       "an index beside it (*.safetensors.index.json)",
                       "Copy the index to the shards; it is the checkpoint's name"});
    }
    if (taken.insert(whole).second) found.push_back(whole);
  }
  return found;
}

// What training keeps beside weights.
bool is_beside(const std::string& name) {
  static const std::regex kBeside(
      R"((optimizer|scheduler|sampler|dl_state_dict|lr_scheduler|scaler|rng_state|random_states|training_args|trainer_state|grad_scaler|zero_pp_rank|bf16_zero)([._-].*)?)",
      std::regex::icase);
  return name.size() > 255 || std::regex_match(name, kBeside);
}

// What tells most files of one size apart: blocks of their beginning, middle and end.
std::string sample_of(const std::string& path, uintmax_t size) {
  constexpr uintmax_t kBlock = uintmax_t{1} << 16;
  std::ifstream stream(path, std::ios::binary);
  std::string sample = std::to_string(size) + " ";
  std::string block(kBlock, '\0');
  for (const auto at : {uintmax_t{0}, size / 2, size - std::min(size, kBlock)}) {
    stream.clear();
    stream.seekg(static_cast<std::streamoff>(at));
    stream.read(block.data(), static_cast<std::streamsize>(kBlock));
    sample.append(block, 0, static_cast<size_t>(stream.gcount()));
  }
  return sha256_of(sample);
}

bool same_bytes(const std::string& a, const std::string& b) {
  std::ifstream first(a, std::ios::binary), second(b, std::ios::binary);
  std::vector<char> x(size_t{1} << 20), y(x.size());
  while (first && second) {
    first.read(x.data(), static_cast<std::streamsize>(x.size()));
    second.read(y.data(), static_cast<std::streamsize>(y.size()));
    const auto n = static_cast<size_t>(first.gcount());
    if (first.gcount() != second.gcount() || std::memcmp(x.data(), y.data(), n) != 0) return false;
  }
  return first.eof() && second.eof();
}

// Training keeps its last checkpoint, or its best one, a second time: the same bytes, or a link.
std::vector<std::string> without_copies(const std::vector<std::string>& files) {
  const auto is_copy = [](const std::string& path) {
    static const std::regex kNames(R"((.*[._-])?(last|latest|best|final)([._-].*)?)",
                                   std::regex::icase);
    const auto name = fs::path(path).filename().string();
    return name.size() < 256 && std::regex_match(name, kNames);
  };
  std::vector<std::string> order(files), kept;
  std::stable_partition(order.begin(), order.end(), [&](const auto& f) { return !is_copy(f); });
  std::map<uintmax_t, std::vector<std::string>> of_size;
  std::error_code error;
  for (const auto& path : order) {
    const auto size = fs::file_size(path, error);
    if (!error) of_size[size].push_back(path);
  }
  std::set<std::string> copies;
  for (const auto& [size, paths] : of_size) {
    std::map<std::string, std::vector<std::string>> alike;
    for (const auto& path : paths) {
      if (paths.size() < 2 || size == 0) continue;
      auto& others = alike[sample_of(path, size)];
      const auto same = std::find_if(others.begin(), others.end(),
                                     [&](const auto& other) { return same_bytes(path, other); });
      if (same == others.end() || !is_copy(path)) {
        others.push_back(path);
        continue;
      }
      copies.insert(path);
      note(path, "the same bytes as " + *same + ": it is left out");
    }
  }
  std::copy_if(files.begin(), files.end(), std::back_inserter(kept),
               [&](const auto& path) { return !copies.contains(path); });
  return kept;
}

std::vector<std::string> in_folder(const fs::path& folder,
                                   bool weights,
                                   LinkedFolders& walked,
                                   int depth = 0) {
  if (is_distributed(folder))
    return weights ? std::vector{folder.string()} : std::vector<std::string>{};
  std::vector<std::string> files, folders;
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(".") || is_beside(name)) continue;
    if (entry.is_directory(error)) {
      folders.push_back(entry.path().string());
    } else if (name.ends_with(".pt2") || is_weights(name)) {
      files.push_back(entry.path().string());
      names.insert(name);
    }
  }
  std::erase_if(files, [&](const auto& file) {
    // Hugging Face folders have the same weights twice.
    return fs::path(file).filename().string().starts_with("pytorch_model") &&
           (names.contains("model.safetensors") ||
            names.contains(std::string("model.safetensors") + kIndex));
  });
  std::sort(files.begin(), files.end(), natural_less);
  std::sort(folders.begin(), folders.end(), natural_less);
  std::vector<std::string> found;
  if (depth < kDeepest) {
    for (const auto& inner : folders) {
      if (!walked.enter(inner)) continue;
      const auto more = in_folder(inner, weights, walked, depth + 1);
      found.insert(found.end(), more.begin(), more.end());
    }
  }
  files = without_copies(grouped(files));
  found.insert(found.end(), files.begin(), files.end());
  return found;
}

// Of run/checkpoint-500/model.safetensors in run "checkpoint-500"; of run/epoch3.safetensors
// "epoch3".
std::string name_in(const fs::path& folder, const std::string& path) {
  auto inner = fs::path(path).lexically_relative(folder);
  std::error_code error;
  auto own = fs::absolute(folder, error).lexically_normal();
  if (own.filename().empty()) own = own.parent_path();
  if (inner == ".") return own.filename().string();
  const auto stem = fs::is_directory(path, error) ? inner.filename().string() : stem_of(path);
  const auto parent = inner.parent_path().string();
  const bool general = stem == "model" || stem == "pytorch_model";
  if (general) return parent.empty() ? own.filename().string() : parent;
  return parent.empty() ? stem : parent + "/" + stem;
}

std::vector<std::string> matches(const std::string& pattern) {
  std::error_code error;
  if (fs::exists(pattern, error)) return {pattern};
  const auto of = [](const std::string& text) {
    glob_t found{};
    std::vector<std::string> paths;
    if (::glob(text.c_str(), GLOB_TILDE, nullptr, &found) == 0)
      paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    return paths;
  };
  auto paths = of(pattern);
  if (paths.empty() && pattern.find('[') != std::string::npos) {
    std::string literal;  // brackets that are part of names
    for (const char c : pattern) literal += c == '[' ? std::string("[[]") : std::string(1, c);
    paths = of(literal);
  }
  if (paths.empty() && pattern.find_first_of("*?[") == std::string::npos) return {pattern};
  std::sort(paths.begin(), paths.end(), natural_less);
  return paths;
}

std::string counted(const std::vector<std::string>& paths) {
  std::map<std::string, size_t> kinds;
  std::error_code error;
  for (const auto& path : paths)
    ++kinds[fs::is_directory(path, error) ? "torch.distributed.checkpoint" : extension_of(path)];
  std::string text;
  for (const auto& [kind, n] : kinds)
    text += (text.empty() ? "" : ", ") + std::to_string(n) + " " + kind;
  return text;
}

}  // namespace

std::string stem_of(const std::string& path) {
  auto name = fs::path(path).filename().string();
  if (name.empty()) name = fs::path(path).parent_path().filename().string();
  if (is_index(name)) name.resize(name.size() - std::string(kIndex).size());
  if (name.ends_with(".pth.tar")) name.resize(name.size() - 4);
  return fs::path(name).stem().string();
}

std::vector<std::string> files_behind(const std::string& path) {
  std::error_code error;
  std::vector<std::string> files;
  if (fs::is_directory(path, error)) {
    for (const auto& entry : fs::directory_iterator(path, error)) {
      if (entry.is_regular_file(error)) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  files.push_back(path);
  if (is_index(path)) {
    for (const auto& shard : shards_of(path))
      files.push_back((fs::path(path).parent_path() / shard).string());
  }
  return files;
}

std::vector<CheckpointFile> checkpoint_files(const std::string& pattern,
                                             bool weights,
                                             std::vector<std::string>& notes) {
  std::error_code error;
  const auto paths = matches(pattern);
  const auto nothing = [&](const std::string& found) {
    return bad_input({pattern, "", found, "a path or pattern that matches checkpoints",
                      "Check the path; quote it so that the shell leaves it alone"});
  };
  if (paths.empty()) throw nothing("no file");
  const bool single = paths.size() == 1 && paths.front() == pattern;
  std::vector<CheckpointFile> found;
  std::vector<std::string> plain, inside;
  for (auto path : paths) {
    if (!fs::is_directory(path, error)) {
      plain.push_back(path);
      continue;
    }
    while (path.size() > 1 && path.ends_with("/")) path.pop_back();
    LinkedFolders walked(path);
    auto more = in_folder(path, weights, walked);
    const auto networks = std::count_if(more.begin(), more.end(),
                                        [](const auto& file) { return file.ends_with(".pt2"); });
    if (!weights && networks == 0 && !more.empty()) {
      throw bad_input({path, "", counted(more) + " and no --graph",
                       "the graph that they are weights of",
                       "Give --graph NET.pt2, which `cortiscore model export` writes"});
    }
    if (!weights) std::erase_if(more, [](const auto& file) { return !file.ends_with(".pt2"); });
    if (more.empty() && single) {
      throw nothing("a folder without checkpoints" +
                    std::string(is_distributed(path) ? " that run without a --graph" : ""));
    }
    const auto base = single ? fs::path(path) : fs::path(path).parent_path();
    for (const auto& file : more) found.push_back({file, name_in(base, file)});
    inside.insert(inside.end(), more.begin(), more.end());
  }
  if (!inside.empty()) {
    notes.push_back(pattern + ": " + std::to_string(inside.size()) + " checkpoints (" +
                    counted(inside) + ")" +
                    (inside.size() > 1 ? ", from " + inside.front() + " to " + inside.back() : ""));
  }
  for (const auto& path : grouped(plain)) found.push_back({path, ""});
  if (!weights) {
    for (const auto& file : found) {
      if (is_weights(file.path) && !file.path.ends_with(".pt")) {
        throw bad_input({file.path, "", "weights and no --graph",
                         "the graph that they are weights of",
                         "Give --graph NET.pt2, which `cortiscore model export` writes"});
      }
    }
  }
  return found;
}

std::vector<std::string> distinct_names(const std::vector<std::string>& paths) {
  std::vector<std::vector<std::string>> parts;
  size_t shortest = SIZE_MAX, longest = 0;
  std::error_code error;
  for (const auto& path : paths) {
    auto& of = parts.emplace_back();
    for (const auto& part : fs::absolute(path, error).lexically_normal()) {
      if (!part.empty()) of.push_back(part.string());
    }
    shortest = std::min(shortest, of.size());
    longest = std::max(longest, of.size());
  }
  const auto same = [&](const auto& part_of) {
    return std::all_of(parts.begin(), parts.end(),
                       [&](const auto& of) { return part_of(of) == part_of(parts.front()); });
  };
  size_t front = 0, back = 0;
  while (front < shortest && same([&](const auto& of) { return of[front]; })) ++front;
  while (front + back < shortest && same([&](const auto& of) { return of[of.size() - 1 - back]; }))
    ++back;
  const bool folders_differ = back > 0 && shortest > front + back;
  std::vector<std::string> names;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto& of = parts[i];
    std::string name;
    // The file itself where it differs, and where some path has no folder that does.
    for (size_t k = front; k < of.size() - (folders_differ ? back : 0); ++k) {
      const bool file = k + 1 == of.size();
      if (!file && shortest == longest && same([&](const auto& other) { return other[k]; }))
        continue;
      name += (name.empty() ? "" : "/") + (file ? stem_of(of[k]) : of[k]);
    }
    names.push_back(name);
  }
  // Two endings of one stem.
  const std::set<std::string> distinct(names.begin(), names.end());
  if (distinct.size() < names.size()) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (std::count(names.begin(), names.end(), names[i]) > 1 && back == 0)
        names[i] += extension_of(paths[i]);
    }
  }
  return names;
}

std::string recorded_name(const std::string& path) {
  const auto stem = stem_of(path);
  if (!path.ends_with(".pt2")) return stem;
  try {
    const Archive archive(path);
    if (!archive.has("extra/cortiscore.json")) return stem;
    return archive.json("extra/cortiscore.json").value("identifier", stem);
  } catch (const std::exception&) {
    return stem;  // whoever opens it says what is wrong
  }
}

}  // namespace cortiscore
