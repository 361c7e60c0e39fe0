#include "src/profile/machine.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include <sys/utsname.h>
#include <unistd.h>

#include <ATen/Version.h>

#include "src/core/device.h"
#include "src/core/folders.h"
#include "src/core/host.h"
#include "src/core/progress.h"
#include "src/data/arrays.h"
#include "src/profile/load_watch.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

Json positive(double value) {
  return value > 0 ? Json(value) : Json(nullptr);
}

double or_zero(const Json& value) {
  return value.is_number() ? value.get<double>() : 0;
}

std::string field_of_cpuinfo(const std::string& name) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with(name)) return line.substr(line.find(':') + 1);
  }
  return "";
}

// Cores, where two threads share one.
int64_t physical_cores() {
  std::ifstream info("/proc/cpuinfo");
  std::set<std::pair<std::string, std::string>> cores;
  std::string socket;
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("physical id")) socket = line;
    if (line.starts_with("core id")) cores.emplace(socket, line);
  }
  return cores.empty() ? usable_threads() : static_cast<int64_t>(cores.size());
}

double clock_hz() {
  std::ifstream most("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq");
  double khz = 0;
  if (most >> khz) return khz * 1e3;
  std::istringstream now(field_of_cpuinfo("cpu MHz"));
  double mhz = 0;
  return now >> mhz ? mhz * 1e6 : 0;
}

struct Published {
  const char* name;
  double float32, float64, tf32, bfloat16, memory;
};

// Dense rates of the makers' data sheets (products in tensor cores where there are such).
constexpr Published kPublished[] = {
    {"H200", 67e12, 67e12, 494.7e12, 989.4e12, 4.8e12},
    {"H100 PCIe", 51e12, 51e12, 378e12, 756e12, 2.0e12},
    {"H100", 67e12, 67e12, 494.7e12, 989.4e12, 3.35e12},
    {"A100-SXM4-80GB", 19.5e12, 19.5e12, 156e12, 312e12, 2.039e12},
    {"A100", 19.5e12, 19.5e12, 156e12, 312e12, 1.555e12},
    {"L40S", 91.6e12, 1.43e12, 183e12, 362e12, 0.864e12},
    {"RTX 4090", 82.6e12, 1.29e12, 82.6e12, 165.2e12, 1.008e12},
};

Json published_of(const at::Device& device) {
  const Json none = {
      {"flops_s", Json::object()}, {"memory_bytes_s", nullptr}, {"source", "not known"}};
  if (!device.is_cpu()) {
    const auto name = name_of(device);
    for (const auto& one : kPublished) {
      if ((" " + name).find(" " + std::string(one.name)) == std::string::npos) continue;
      return {{"flops_s",
               {{"float32", one.float32},
                {"float64", one.float64},
                {"tf32", one.tf32},
                {"bfloat16", one.bfloat16},
                {"float16", one.bfloat16}}},
              {"memory_bytes_s", one.memory},
              {"source", std::string("the maker's data sheet of ") + one.name}};
    }
    return none;
  }
  const auto flags = field_of_cpuinfo("flags") + " ";
  const double hz = clock_hz();
  // Two units that multiply and add, as wide as the vectors.
  const double wide = flags.find(" avx512f ") != std::string::npos ? 16
                      : flags.find(" avx2 ") != std::string::npos  ? 8
                                                                   : 0;
  if (hz == 0 || wide == 0) return none;
  const double cores = static_cast<double>(std::min(physical_cores(), usable_threads()));
  const double float32 = cores * hz * 2 * 2 * wide;
  std::ostringstream source;
  source << cores << " cores x " << hz * 1e-9 << " GHz x 2 units x " << wide
         << " lanes x 2; what the processor's makers call its peak, which memory is not part of";
  return {{"flops_s", {{"float32", float32}, {"float64", float32 / 2}}},
          {"memory_bytes_s", nullptr},
          {"source", source.str()}};
}

// A file that this version wrote of this machine: another is measured anew.
bool is_kept(const Json& kept, const std::string& fingerprint) {
  if (!kept.is_object() || kept.value("fingerprint", Json()) != fingerprint) return false;
  if (!kept.value("measured", Json()).is_string() || !kept.contains("limits")) return false;
  try {
    return MachineLimits::of(kept.at("limits")).memory_bytes_s > 0;
  } catch (const Json::exception&) {
    return false;
  }
}

}  // namespace

Json MachineLimits::json() const {
  return {{"flops_s", flops_s},
          {"flops_s_one_thread", flops_s_one_thread},
          {"memory_bytes_s", memory_bytes_s},
          {"memory_bytes_s_one_thread", memory_bytes_s_one_thread},
          {"host_to_device_bytes_s", positive(host_to_device_bytes_s)},
          {"device_to_host_bytes_s", positive(device_to_host_bytes_s)},
          {"decode_images_s", decode_images_s},
          {"disk_read_bytes_s", positive(disk_read_bytes_s)},
          {"disk_write_bytes_s", positive(disk_write_bytes_s)},
          {"operator_s", operator_s}};
}

MachineLimits MachineLimits::of(const Json& json) {
  MachineLimits limits;
  limits.flops_s = json.at("flops_s");
  limits.flops_s_one_thread = json.at("flops_s_one_thread");
  limits.memory_bytes_s = json.at("memory_bytes_s");
  limits.memory_bytes_s_one_thread = json.at("memory_bytes_s_one_thread");
  limits.host_to_device_bytes_s = or_zero(json.at("host_to_device_bytes_s"));
  limits.device_to_host_bytes_s = or_zero(json.at("device_to_host_bytes_s"));
  limits.decode_images_s = json.at("decode_images_s");
  limits.disk_read_bytes_s = or_zero(json.at("disk_read_bytes_s"));
  limits.disk_write_bytes_s = or_zero(json.at("disk_write_bytes_s"));
  limits.operator_s = json.at("operator_s");
  return limits;
}

Json machine_json(const at::Device& device, bool again, std::vector<std::string>& reasons) {
  utsname system{};
  uname(&system);
  Json machine = {{"name", system.nodename},
                  {"cpu", cpu_name()},
                  {"threads", usable_threads()},
                  {"memory_bytes", memory_bytes()},
                  {"system", std::string(system.sysname) + " " + system.release},
                  {"device", device.is_cpu() ? Json(nullptr) : Json(name_of(device))}};
  auto identity = machine;
  // What limits depend on beside the machine.
  identity["versions"] = CORTISCORE_VERSION " " CORTISCORE_TORCH;
  const auto fingerprint = sha256_of(identity.dump());
  machine["fingerprint"] = fingerprint;
  machine["published"] = published_of(device);
  const auto folder = cache_folder() + "/machines";
  const auto path = folder + "/" + fingerprint.substr(0, 16) + ".json";
  std::error_code error;
  if (!again && fs::exists(path, error)) {
    std::ifstream file(path);
    const auto kept = Json::parse(file, nullptr, /*allow_exceptions=*/false);
    if (is_kept(kept, fingerprint)) {
      machine["measured"] = kept.at("measured");
      machine["limits"] = kept.at("limits");
      return machine;
    }
  }
  log_line(
      "measuring what this machine can do (kept for later profiles; --remeasure does it anew)");
  fs::create_directories(folder, error);
  const LoadWatch watch;
  machine["measured"] = utc_now();
  machine["limits"] = measure_limits(device, error ? "." : folder).json();
  auto disturbed = watch.reasons();
  for (const auto& reason : disturbed)
    reasons.push_back("While the machine's limits were measured, which are not kept: " + reason);
  if (!disturbed.empty()) return machine;
  // Two profiles may end at once: each writes a file of its own, and renames it.
  const auto own = path + "." + std::to_string(::getpid());
  if (std::ofstream file(own); file) {
    file << Json({{"fingerprint", fingerprint},
                  {"measured", machine["measured"]},
                  {"limits", machine["limits"]}})
                .dump(1)
         << '\n';
  }
  fs::rename(own, path, error);
  return machine;
}

}  // namespace cortiscore
