#include "src/cli/profile_table.h"

#include <iostream>
#include <string>
#include <vector>

#include "src/cli/table.h"
#include "src/core/formatted.h"
#include "src/core/printable.h"

namespace cortiscore::cli {
namespace {

std::string cell(const Json& value, const char* format, double unit = 1) {
  return value.is_number() ? formatted(format, value.get<double>() / unit) : "-";
}

std::string gib(const Json& bytes) {
  return bytes.is_number() ? formatted("%.2f GiB", bytes.get<double>() / (1 << 30))
                           : "not measured";
}

std::string share(const Json& value) {
  return cell(value, "%.1f %%", 0.01);
}

const std::vector<Column>& columns() {
  static const std::vector<Column> all = {{0, 24, true}, {1, 9}, {2, 8},  {2, 9},
                                          {2, 8},        {2, 9}, {2, 10}, {2, 8, true}};
  return all;
}

void print_rows(const Json& rows, const char* name) {
  print_cells(columns(),
              {name, "seconds", "share", "GFLOP/s", "GB/s", "of peak", "operators", "bound by"});
  for (const auto& row : rows) {
    print_cells(columns(),
                {printable(row.at(name).get<std::string>()), cell(row.at("seconds"), "%.4f"),
                 share(row.at("share")), cell(row.at("flops_s"), "%.1f", 1e9),
                 cell(row.at("bytes_s"), "%.1f", 1e9), share(row.at("of_peak")),
                 std::to_string(row.at("operators").get<int64_t>()),
                 row.at("bound").is_null() ? "-" : row.at("bound").get<std::string>()});
  }
}

void print_line(const std::string& line) {
  std::cout << line << '\n';
}

void print_limits(const Json& machine) {
  const auto& limits = machine.at("limits");
  const auto& published = machine.at("published");
  std::string products;
  for (const auto& [precision, rate] : limits.at("flops_s").items()) {
    products += (products.empty() ? "" : ", ") + precision + " " + cell(rate, "%.0f", 1e9);
    if (published.at("flops_s").contains(precision))
      products += " (published " + cell(published.at("flops_s").at(precision), "%.0f", 1e9) + ")";
  }
  print_line("limits   products " + products + " GFLOP/s; memory " +
             cell(limits.at("memory_bytes_s"), "%.1f", 1e9) + " GB/s; decoding " +
             cell(limits.at("decode_images_s"), "%.0f") + " images/s; disk reads " +
             cell(limits.at("disk_read_bytes_s"), "%.2f", 1e9) + ", writes " +
             cell(limits.at("disk_write_bytes_s"), "%.2f", 1e9) + " GB/s; an operator " +
             cell(limits.at("operator_s"), "%.2f", 1e-6) + " us");
}

void print_changes(const Json& changes) {
  if (changes.empty())
    print_line("change   none of threads, memory, layers and precision would gain 3 %");
  for (const auto& change : changes) {
    const auto& tried = change.at("tried");
    std::string line = "change   " + change.at("flags").get<std::string>() + ": " +
                       share(change.at("predicted_gain")) + " less time predicted";
    if (tried.is_object()) {
      line += ", " + share(tried.at("measured_gain")) + " measured: " +
              (tried.at("as_predicted") == true ? "as predicted" : "not as predicted");
    }
    print_line(line + " (" + change.at("why").get<std::string>() + ")");
  }
}

}  // namespace

void print_profile(const Json& profile) {
  const auto& job = profile.at("job");
  const auto& wall = profile.at("wall_s");
  std::string benchmarks;
  for (const auto& one : job.at("benchmarks"))
    benchmarks += (benchmarks.empty() ? "" : ", ") + one.at("identifier").get<std::string>();
  print_line(printable(job.at("network").get<std::string>()) + " on " + benchmarks + ": " +
             (profile.at("verdict").at("valid") == true ? "VALID" : "INVALID"));
  for (const auto& reason : profile.at("verdict").at("reasons"))
    print_line("  " + reason.get<std::string>());
  for (const auto& note : profile.at("verdict").at("notes"))
    print_line("note     " + note.get<std::string>());
  const auto& machine = profile.at("machine");
  print_line(
      "machine  " + machine.at("cpu").get<std::string>() + ", " +
      std::to_string(job.at("threads").get<int64_t>()) + " threads" +
      (machine.at("device").is_null() ? "" : ", " + machine.at("device").get<std::string>()) +
      ", " + gib(machine.at("memory_bytes")));
  print_limits(machine);
  print_line("run      " + cell(wall.at("plain"), "%.3f") + " s (" +
             cell(wall.at("ci_lo"), "%.3f") + " .. " + cell(wall.at("ci_hi"), "%.3f") +
             ", 95 %), " + cell(profile.at("images_s"), "%.0f") +
             " images/s: " + std::to_string(job.at("presentations").get<int64_t>()) +
             " presentations, " + std::to_string(job.at("forward_passes").get<int64_t>()) +
             " forward passes; stages add up to " +
             formatted("%.1f", 100 * wall.at("stages_sum").get<double>() /
                                   wall.at("profiled").get<double>()) +
             " % of it");
  print_line("");
  print_rows(profile.at("stages"), "stage");
  print_line("");
  print_rows(profile.at("forward"), "group");
  print_line("");
  const auto& memory = profile.at("memory");
  print_line("memory   " + gib(memory.at("host_peak_bytes")) + " at most, " +
             gib(memory.at("planned_bytes")) + " of it planned for passes and activations, " +
             gib(memory.at("stimulus_bytes")) + " decoded stimuli");
  if (const auto& device = profile.at("device"); device.is_object()) {
    print_line("device   " + cell(device.at("clock_hz"), "%.0f", 1e6) + " MHz, " +
               cell(device.at("power_w"), "%.0f") + " W, " +
               cell(device.at("temperature_c"), "%.0f") + " C at most" +
               (device.at("throttled") == true ? ", slowed down" : ""));
  }
  const auto& sweep = profile.at("sweep");
  std::string line = "sweep    a further checkpoint takes " + cell(sweep.at("next_s"), "%.3f") +
                     " s: " + cell(sweep.at("checkpoints_h"), "%.0f") + " an hour";
  if (sweep.at("of").is_object())
    line += "; " + std::to_string(sweep.at("of").at("checkpoints").get<int64_t>()) + " take " +
            cell(sweep.at("of").at("hours"), "%.2f") + " hours";
  line += sweep.at("energy_j_checkpoint").is_null()
              ? "; energy not measured"
              : "; " + cell(sweep.at("energy_j_checkpoint"), "%.0f") + " J each";
  print_line(line);
  print_changes(profile.at("changes"));
  for (const auto& score : profile.at("scores")) {
    print_line("score    " + score.at("benchmark").get<std::string>() + " " +
               cell(score.at("ceiled"), "%.4f") + ", layer " +
               printable(score.at("layer").get<std::string>()) + ": " +
               (score.at("equal") == true
                    ? "the same to the bit with and without the clock of stages"
                    : "not the same with the clock of stages"));
  }
  std::cout << std::flush;
}

void print_machines(const Json& compared) {
  const auto& machines = compared.at("machines");
  std::vector<Column> all = {{0, 22, true}};
  for (size_t i = 0; i < machines.size(); ++i) all.push_back({2, 18});
  const auto row = [&](const std::string& name, const auto& value) {
    std::vector<std::string> cells = {name};
    for (const auto& machine : machines) cells.push_back(value(machine));
    print_cells(all, cells);
  };
  row("machine",
      [](const Json& m) { return printable(m.at("name").get<std::string>()).substr(0, 18); });
  row("device", [](const Json& m) {
    return printable((m.at("device").is_null() ? m.at("cpu") : m.at("device")).get<std::string>())
        .substr(0, 18);
  });
  row("threads", [](const Json& m) { return std::to_string(m.at("threads").get<int64_t>()); });
  row("verdict",
      [](const Json& m) { return std::string(m.at("valid") == true ? "VALID" : "INVALID"); });
  row("seconds", [](const Json& m) { return cell(m.at("wall_s").at("plain"), "%.3f"); });
  row("times the first", [](const Json& m) { return cell(m.at("times_faster"), "%.2fx"); });
  row("images/s", [](const Json& m) { return cell(m.at("images_s"), "%.0f"); });
  row("checkpoints/h", [](const Json& m) { return cell(m.at("checkpoints_h"), "%.0f"); });
  row("joules a checkpoint",
      [](const Json& m) { return cell(m.at("energy_j_checkpoint"), "%.0f"); });
  for (const auto* stage : {"open", "recordings", "decode", "place", "forward", "keep", "reduce",
                            "mapping", "ceiling", "resample", "store", "other"}) {
    row(std::string(stage) + " s", [&](const Json& m) {
      const auto& stages = m.at("stages");
      if (!stages.contains(stage)) return std::string("-");
      const auto& one = stages.at(stage);
      return cell(one.at("seconds"), "%.4f") +
             (one.at("times_faster").is_number() ? cell(one.at("times_faster"), " %6.2fx") : "");
    });
  }
  row("float32 GFLOP/s", [](const Json& m) {
    return cell(m.at("limits").at("flops_s").value("float32", Json()), "%.0f", 1e9);
  });
  row("memory GB/s",
      [](const Json& m) { return cell(m.at("limits").at("memory_bytes_s"), "%.1f", 1e9); });
  row("decodes images/s",
      [](const Json& m) { return cell(m.at("limits").at("decode_images_s"), "%.0f"); });
  std::cout << std::flush;
}

}  // namespace cortiscore::cli
