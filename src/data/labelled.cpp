#include "src/data/labelled.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/class_codes.h"
#include "src/core/notes.h"
#include "src/data/called_as_ids.h"
#include "src/data/dim_roles.h"
#include "src/data/netcdf.h"
#include "src/data/number_text.h"
#include "src/data/numpy_file.h"
#include "src/data/table.h"

namespace cortiscore {
namespace {

const std::vector<std::string> kStimulusIds = {"stimulus_id", "image_id"};

std::string dims_of(const Assembly& array) {
  std::string out;
  for (size_t i = 0; i < array.dims.size(); ++i) {
    out += (i ? " x " : "") + (array.dims[i].empty() ? std::string("(no name)") : array.dims[i]) +
           " " + std::to_string(array.values.size(static_cast<int64_t>(i)));
  }
  return out;
}

// What to do about a dim that was not asked for.
std::string without(const std::string& role) {
  if (role == "repetition") return "Average the repetitions first";
  if (role == "time_bin") return "Choose a time bin, or average them";
  if (role == "subject") return "Choose a subject, or average them";
  return "Leave the dim out, or name it as docs/formats.md does";
}

void drop_axis(Assembly& array, size_t axis) {
  const auto dim = array.dims[axis];
  array.values = array.values.select(static_cast<int64_t>(axis), 0);
  array.dims.erase(array.dims.begin() + static_cast<int64_t>(axis));
  std::erase_if(array.coords, [&](const auto& entry) { return entry.second.dim == dim; });
}

bool is_stored(const std::string& path) {
  const auto extension = std::filesystem::path(path).extension().string();
  const auto known = {".nc", ".nc4", ".cdf", ".h5", ".hdf5"};
  return std::find(known.begin(), known.end(), extension) != known.end();
}

void rename_dim(Assembly& array, size_t axis, const std::string& name) {
  for (auto& [key, coord] : array.coords) {
    if (coord.dim == array.dims[axis]) coord.dim = name;
  }
  array.dims[axis] = name;
}

}  // namespace

std::string role_of_dim(const std::string& dim) {
  static const std::map<std::string, std::string> kRoles = {{"presentation", "presentation"},
                                                            {"stimulus", "presentation"},
                                                            {"stimuli", "presentation"},
                                                            {"stim", "presentation"},
                                                            {"image", "presentation"},
                                                            {"img", "presentation"},
                                                            {"picture", "presentation"},
                                                            {"sample", "presentation"},
                                                            {"item", "presentation"},
                                                            {"scene", "presentation"},
                                                            {"video", "presentation"},
                                                            {"trial", "trial"},
                                                            {"neuroid", "neuroid"},
                                                            {"neuron", "neuroid"},
                                                            {"unit", "neuroid"},
                                                            {"feature", "neuroid"},
                                                            {"channel", "neuroid"},
                                                            {"voxel", "neuroid"},
                                                            {"vertex", "neuroid"},
                                                            {"vertices", "neuroid"},
                                                            {"site", "neuroid"},
                                                            {"electrode", "neuroid"},
                                                            {"cell", "neuroid"},
                                                            {"roi", "neuroid"},
                                                            {"component", "neuroid"},
                                                            {"sensor", "neuroid"},
                                                            {"time_bin", "time_bin"},
                                                            {"time", "time_bin"},
                                                            {"bin", "time_bin"},
                                                            {"timepoint", "time_bin"},
                                                            {"repetition", "repetition"},
                                                            {"rep", "repetition"},
                                                            {"repeat", "repetition"},
                                                            {"subject", "subject"},
                                                            {"participant", "subject"}};
  std::string name;
  for (const char c : dim) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const auto* suffix : {"_id", "s"}) {
    if (const auto found = kRoles.find(name); found != kRoles.end()) return found->second;
    if (name.ends_with(suffix)) name.resize(name.size() - std::string(suffix).size());
  }
  const auto found = kRoles.find(name);
  return found == kRoles.end() ? "" : found->second;
}

bool is_array_file(const std::string& path) {
  return is_stored(path) || is_table(path) || path.ends_with(".npy") || path.ends_with(".npz");
}

bool holds_one_array(const std::string& path) {
  return is_table(path) || path.ends_with(".npy");
}

Assembly read_array_file(const Input& input, const std::string& variable) {
  const auto& path = input.name();
  if (!input.is_file()) {
    if (input.array()) return *input.array();
    throw bad_input({path, "", "a table", "an array of numbers", "Pass its numbers as an array"});
  }
  Assembly array;
  array.identifier = path;
  if (is_stored(path)) {
    array = read_variable(path, variable);
  } else if (path.ends_with(".npy")) {
    array.values = read_npy(path);
  } else if (path.ends_with(".npz")) {
    array = read_npz(path, variable);
  } else if (is_table(path)) {
    auto table = read_number_table(path);
    array.values = table.values;
    array.dims = {"presentation", "neuroid"};
    if (!table.stimulus_ids.empty())
      array.coords["stimulus_id"] = {"presentation", std::move(table.stimulus_ids)};
    if (std::find(table.columns.begin(), table.columns.end(), "repetition") !=
        table.columns.end()) {
      throw bad_input({path, "column repetition", "trials",
                       "a row a presentation, a column a neuroid",
                       "Average the repetitions, or import the table with `cortiscore data add`"});
    }
    const auto columns = table.values.t().contiguous();
    for (size_t c = 0; c < table.columns.size(); ++c) {
      const auto& name = table.columns[c];
      const auto* const first =
          columns.const_data_ptr<double>() + static_cast<int64_t>(c) * columns.size(1);
      const bool ids = called_as_ids(name) && whole_and_distinct({first, first + columns.size(1)});
      if (!(ids || written_beside(name)) || table.columns.size() == 1) continue;
      throw bad_input(
          {path, "column " + shown(name),
           ids ? "whole numbers, no two alike, under a name that ids have"
               : "what experiments write beside responses and features",
           "a neuroid or a feature a column",
           "Leave it out, call it stimulus_id if it names the stimuli, or give it another "
           "name if it is a response"});
    }
    bool named = false;  // the reader counts columns that the file gives no names
    for (size_t i = 0; i < table.columns.size(); ++i)
      named = named || table.columns[i] != std::to_string(i);
    if (named) array.coords["neuroid_id"] = {"neuroid", std::move(table.columns)};
    return array;
  } else {
    throw bad_input({path, "extension", shown(std::filesystem::path(path).extension().string()),
                     ".npy, .npz, .nc, .h5, .hdf5 or .csv", "Convert the array"});
  }
  array.dims.resize(static_cast<size_t>(array.values.dim()));
  return array;
}

Assembly arranged(const Assembly& given,
                  const std::vector<std::string>& axes,
                  const std::string& expected) {
  auto array = given;
  const auto wanted = [&](const std::string& role) {
    return std::find(axes.begin(), axes.end(), role) != axes.end();
  };
  const auto bad = [&](const std::string& found, const std::string& action) {
    return bad_input({array.identifier, "dims", found, expected, action});
  };
  const bool named = std::any_of(array.dims.begin(), array.dims.end(),
                                 [](const std::string& dim) { return !dim.empty(); });
  if (!named) {
    if (array.dims.size() + 1 == axes.size() && axes.size() > 1) {
      array.values = array.values.unsqueeze(-1);
      array.dims.emplace_back();
    }
    if (array.dims.size() != axes.size()) throw bad(std::to_string(given.dims.size()), "");
    array.dims = axes;
    return array;
  }
  // Names that are known, each once.
  std::vector<std::string> roles;
  for (const auto& dim : array.dims) roles.push_back(role_of_dim(dim));
  const auto has = [&](const std::string& role) {
    return std::find(roles.begin(), roles.end(), role) != roles.end();
  };
  const bool trial_repeats = wanted("repetition") && !has("repetition") && has("presentation");
  for (auto& role : roles) {
    if (role == "trial") role = trial_repeats ? "repetition" : "presentation";
  }
  for (size_t i = 0; i < roles.size();) {
    const bool extra = !roles[i].empty() && !wanted(roles[i]);
    const bool surplus = roles[i].empty() && roles.size() > axes.size();
    if ((extra || surplus) && array.values.size(static_cast<int64_t>(i)) == 1) {
      drop_axis(array, i);
      roles.erase(roles.begin() + static_cast<int64_t>(i));
    } else if (extra) {
      throw bad(dims_of(given), without(roles[i]));
    } else {
      ++i;
    }
  }
  std::map<std::string, size_t> axis_of;
  for (size_t i = 0; i < roles.size(); ++i) {
    if (!roles[i].empty() && !axis_of.emplace(roles[i], i).second)
      throw bad(dims_of(given) + ", two of which are a " + roles[i], "Rename one of them");
  }
  // Names that say nothing, in the places that are left.
  std::string by_place;
  size_t n_by_place = 0;
  size_t next = 0;
  for (size_t i = 0; i < roles.size(); ++i) {
    if (!roles[i].empty()) continue;
    while (next < axes.size() && axis_of.contains(axes[next])) ++next;
    if (next == axes.size()) throw bad(dims_of(given), "Name its dims " + expected);
    axis_of[axes[next]] = i;
    by_place += (n_by_place++ ? ", " : "") +
                (array.dims[i].empty() ? "an axis without a name" : "\"" + array.dims[i] + "\"") +
                " is taken as " + axes[next];
  }
  if (n_by_place > 1 || (n_by_place == 1 && axes.size() == 1))
    note(array.identifier, "dims go by their places: " + by_place);
  std::vector<int64_t> order;
  std::vector<size_t> missing;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto found = axis_of.find(axes[i]);
    if (found != axis_of.end()) {
      order.push_back(static_cast<int64_t>(found->second));
    } else if (axes[i] == "presentation" || axes[i] == "repetition") {
      throw bad(dims_of(given) + ", none of them a " + axes[i], "Name its dims " + expected);
    } else {
      missing.push_back(i);
    }
  }
  for (const auto& [role, axis] : axis_of)
    rename_dim(array, axis, "\n" + role);  // no dim's own name
  for (const auto& [role, axis] : axis_of) rename_dim(array, axis, role);
  array.values = array.values.permute(order);
  for (const auto i : missing) array.values = array.values.unsqueeze(static_cast<int64_t>(i));
  array.values = array.values.contiguous();
  array.dims = axes;
  return array;
}

namespace {

struct IdsAlong {
  std::vector<std::string> ids;      // empty for none
  std::vector<std::string> counted;  // labels of the dim itself that count its positions
  bool are_labels = false;           // of the dim itself
};

// What a file calls the positions of a dim.
IdsAlong ids_along(const Assembly& array,
                   const std::string& dim,
                   const std::vector<std::string>& names,
                   const std::vector<std::string>& dims_own) {
  IdsAlong out;
  const Coordinate* ids = nullptr;
  std::string name;
  for (const auto& wanted : names) {
    const auto found = array.coords.find(wanted);
    if (ids || found == array.coords.end() || found->second.dim != dim) continue;
    ids = &found->second;
    name = wanted;
  }
  // Labels of the dim itself: xarray's `stimulus` along `stimulus`. Numbers that count from 0 or 1
  // are places.
  const auto count = [](const std::vector<double>& numbers) {
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] != numbers[0] + static_cast<double>(i)) return false;
    }
    return numbers.empty() || numbers[0] == 0 || numbers[0] == 1;
  };
  for (const auto& own : dims_own) {
    const auto found = array.coords.find(own);
    if (ids || found == array.coords.end() || found->second.dim != dim) continue;
    const auto* numbers = std::get_if<std::vector<double>>(&found->second.values);
    if (numbers && count(*numbers)) {
      out.counted = found->second.as_text();
      continue;
    }
    ids = &found->second;
    name = own;
    out.are_labels = true;
  }
  if (!ids) return out;
  out.counted.clear();
  const auto texts = ids->as_text();
  const auto* numbers = std::get_if<std::vector<double>>(&ids->values);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty() || (numbers && std::isnan((*numbers)[i]))) {
      throw bad_input({array.identifier, name, "none at " + dim + " " + std::to_string(i),
                       "an id each", "Write every id, or drop the coordinate"});
    }
  }
  out.ids = texts;
  return out;
}

// The names that a file's dims had before they were arranged, by what they are for.
std::vector<std::string> own_names(const Assembly& given, const std::string& role) {
  std::vector<std::string> names;
  for (const auto& dim : given.dims) {
    const auto found = role_of_dim(dim);
    if (found == role || (found == "trial" && role == "presentation")) names.push_back(dim);
  }
  return names;
}

void label(LabelledArray& out, const Assembly& given, const Assembly& array) {
  auto rows = ids_along(array, "presentation", kStimulusIds, own_names(given, "presentation"));
  out.stimulus_ids = std::move(rows.ids);
  out.counted_labels = std::move(rows.counted);
  out.ids_are_labels = rows.are_labels;
  out.neuroid_ids = ids_along(array, "neuroid", {"neuroid_id"}, own_names(given, "neuroid")).ids;
  for (size_t i = 0; i < array.dims.size(); ++i) {
    if (array.dims[i] == "presentation") out.presentation_axes = {static_cast<int64_t>(i)};
    if (array.dims[i] == "neuroid") out.neuroid_axis = static_cast<int64_t>(i);
  }
}

}  // namespace

LabelledArray read_labelled(const Input& input,
                            const std::vector<std::string>& axes,
                            const std::string& expected,
                            const std::string& variable) {
  const auto given = read_array_file(input, variable);
  LabelledArray out;
  out.path = input.name();
  out.is_file = input.is_file();
  const auto array = arranged(given, axes, expected);
  label(out, given, array);
  out.values = array.values;
  return out;
}

LabelledArray read_trials(const Input& input, const std::string& variable) {
  const auto& path = input.name();
  const auto given = read_array_file(input, variable);
  LabelledArray out;
  out.path = path;
  out.is_file = input.is_file();
  const auto is_repetition = [](const std::string& dim) {
    const auto role = role_of_dim(dim);
    return role == "repetition" || role == "trial";
  };
  const bool unnamed = std::all_of(given.dims.begin(), given.dims.end(),
                                   [](const std::string& dim) { return dim.empty(); });
  constexpr const char* kTrials = "3: repetitions x presentations x neuroids, NaN where missing";
  if ((input.is_file() && is_table(path)) || (unnamed && given.dims.size() != 3)) {
    throw bad_input({path, "dims", std::to_string(given.dims.size()), kTrials,
                     "Of one neuroid, the last has size 1"});
  }
  const auto repeated = std::find_if(given.dims.begin(), given.dims.end(), is_repetition);
  // Ids beside an array of trials name its second or third axis alone.
  const auto is = [&](size_t axis, const char* name) {
    return given.dims[axis].empty() || given.dims[axis] == name;
  };
  const bool rows_alone =
      given.dims.size() == 3 && is(0, "repetition") && is(1, "presentation") && is(2, "neuroid");
  const bool along_presentations =
      !rows_alone &&
      (repeated == given.dims.end() ||
       (role_of_dim(*repeated) == "trial" && own_names(given, "presentation").size() == 1));
  if (!unnamed && along_presentations) {
    auto array = arranged(given, {"presentation", "neuroid"},
                          "presentation x neuroid, or those x one time_bin");
    const auto trials = to_trials(array);
    out.values = trials.values;
    out.stimulus_ids = trials.stimulus_ids;
    if (array.coords.contains("neuroid_id")) out.neuroid_ids = trials.neuroid_ids;
    out.presentation_axes = {1};
    out.neuroid_axis = 2;
    return out;
  }
  const auto array = arranged(given, {"repetition", "presentation", "neuroid"}, kTrials);
  label(out, given, array);
  out.values = array.values;
  return out;
}

bool same_labels(std::vector<std::string> a, std::vector<std::string> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return !a.empty() && a == b;
}

std::vector<std::string> align_columns(Assembly& rdms) {
  const auto rank = rdms.values.dim();
  const auto& rows = rdms.dims[static_cast<size_t>(rank - 2)];
  const auto& columns = rdms.dims[static_cast<size_t>(rank - 1)];
  // stimulus_id, or with whatever behind it tells rows from columns: stimulus_id_other,
  // stimulus_id_2, stimulus_id.1
  const auto ids_of_dim = [&](const std::string& dim) {
    if (dim.empty()) return IdsAlong();
    auto names = kStimulusIds;
    for (const auto& id : kStimulusIds) {
      for (const auto& [name, coordinate] : rdms.coords) {
        if (name.starts_with(id) && name != id) names.push_back(name);
      }
    }
    return ids_along(rdms, dim, names, {dim});
  };
  const auto of_rows = ids_of_dim(rows);
  auto ids = of_rows.ids;
  if (columns == rows) return ids;
  auto others = ids_of_dim(columns).ids;
  // Rows that count, beside columns with the same labels in another order: columns were shuffled.
  if (ids.empty() && same_labels(of_rows.counted, others)) ids = of_rows.counted;
  if (ids.empty()) return others;
  if (others.empty()) {  // under another name: text that is the rows' stimuli can be nothing else
    for (const auto& [name, coordinate] : rdms.coords) {
      if (coordinate.dim != columns || columns.empty()) continue;
      if (same_labels(coordinate.as_text(), ids)) others = coordinate.as_text();
    }
  }
  if (others.empty() || others == ids) return ids;
  const auto order =
      places_of(ids, rdms.identifier + " (rows)", others, rdms.identifier + " (columns)",
                "stimulus_id", "Name every stimulus once");
  rdms.values = rdms.values.index_select(rank - 1, at::tensor(order, at::kLong));
  return ids;
}

LabelledArray read_rdms(const Input& input, const std::string& variable) {
  const auto& path = input.name();
  auto array = read_array_file(input, variable);
  const auto rank = array.values.dim();
  const auto is_matrix = [](const std::string& dim) {
    for (const auto* suffix :
         {"_other", "_1", "_2", "1", "2", "_a", "_b", "_x", "_y", "_i", "_j", "_row", "_column"}) {
      if (dim.ends_with(suffix) &&
          role_of_dim(dim.substr(0, dim.size() - std::string(suffix).size())) == "presentation")
        return true;
    }
    return role_of_dim(dim) == "presentation";
  };
  LabelledArray out;
  out.path = path;
  out.is_file = input.is_file();
  if (rank == 3) {
    // The subject's axis by its name, or by what is left of a matrix' two; else the first.
    std::optional<int64_t> subject;
    int64_t n_matrix = 0;
    for (int64_t i = 0; i < 3; ++i) {
      const auto& dim = array.dims[static_cast<size_t>(i)];
      if (role_of_dim(dim) == "subject") subject = i;
      n_matrix += is_matrix(dim) ? 1 : 0;
    }
    for (int64_t i = 0; i < 3 && !subject && n_matrix == 2; ++i) {
      if (!is_matrix(array.dims[static_cast<size_t>(i)])) subject = i;
    }
    if (subject && *subject != 0) {
      array.values = array.values.movedim(*subject, 0).contiguous();
      const auto name = array.dims[static_cast<size_t>(*subject)];
      array.dims.erase(array.dims.begin() + *subject);
      array.dims.insert(array.dims.begin(), name);
    }
  }
  if ((rank != 2 && rank != 3) || array.values.size(-1) != array.values.size(-2) ||
      array.values.numel() == 0) {
    throw bad_input({path, "shape", c10::str(array.values.sizes()),
                     "RDMs: n x n, or subjects x n x n", "Leave the -rdm flag away for responses"});
  }
  out.presentation_axes = {rank - 2, rank - 1};
  const auto& rows = array.dims[static_cast<size_t>(rank - 2)];
  out.stimulus_ids = align_columns(array);
  if (!rows.empty()) {
    const auto labels = ids_along(array, rows, kStimulusIds, {rows});
    out.ids_are_labels =
        labels.are_labels || (!labels.counted.empty() && out.stimulus_ids == labels.counted);
    if (out.stimulus_ids.empty()) out.counted_labels = labels.counted;
  }
  // A table whose header alone names the stimuli: rows are in the order of its columns.
  if (const auto header = array.coords.find("neuroid_id"); out.stimulus_ids.empty() &&
                                                           input.is_file() && is_table(path) &&
                                                           header != array.coords.end()) {
    auto names = header->second.as_text();
    bool counts = true;
    for (size_t k = 0; k < names.size(); ++k) counts = counts && names[k] == std::to_string(k + 1);
    if (!counts) out.stimulus_ids = std::move(names);
  }
  out.values = array.values;
  check_rdms(out.values, path);
  return out;
}

void check_rdms(const at::Tensor& rdms, const std::string& path) {
  constexpr double kDiagonal = 1e-3, kAsymmetry = 1e-4;
  const auto n = rdms.size(-1);
  const auto all = rdms.cpu().to(at::kDouble).reshape({-1, n, n}).contiguous();
  const auto finite = all.masked_select(all.isfinite());
  if (finite.numel() == 0) return;
  const double largest = finite.abs().amax().item<double>();
  const auto* const value = all.const_data_ptr<double>();
  const auto place = [&](int64_t s, int64_t i, int64_t j) {
    return (all.size(0) > 1 ? "subject " + std::to_string(s) + ", " : std::string()) + "stimuli " +
           std::to_string(i) + " and " + std::to_string(j);
  };
  const auto text = [](double v) {
    char out[32];
    std::snprintf(out, sizeof out, "%.6g", v);
    return std::string(out);
  };
  for (int64_t s = 0; s < all.size(0); ++s) {
    const auto* const matrix = value + s * n * n;
    for (int64_t i = 0; i < n; ++i) {
      if (std::abs(matrix[i * n + i]) > kDiagonal * largest) {
        throw bad_input(
            {path, "diagonal", text(matrix[i * n + i]) + " at " + place(s, i, i),
             "dissimilarities, zero between a stimulus and itself",
             "A similarity s becomes 1 - s; of dissimilarities set the diagonal to zero"});
      }
      for (int64_t j = i + 1; j < n; ++j) {
        const double up = matrix[i * n + j], down = matrix[j * n + i];
        // Only the upper half is looked at: a number that stands below alone would be left out.
        const bool lost = std::isnan(up) && !std::isnan(down);
        if (!lost && !(std::abs(up - down) > kAsymmetry * largest)) continue;
        throw bad_input({path, "symmetry",
                         text(up) + " at " + place(s, i, j) + ", " + text(down) + " the other way",
                         "the same dissimilarity both ways",
                         "Average both ways: (rdm + rdm.T) / 2"});
      }
    }
  }
}

namespace {

std::string first_few(const std::vector<std::string>& ids) {
  constexpr size_t kFew = 3;
  std::string out;
  for (size_t i = 0; i < std::min(kFew, ids.size()); ++i)
    out += (i ? ", \"" : "\"") + ids[i] + "\"";
  return ids.size() > kFew ? out + ", ..." : out;
}

void check_once(const std::vector<std::string>& ids,
                const std::string& path,
                const std::string& what,
                const std::string& action) {
  std::map<std::string, int64_t> count;
  for (const auto& id : ids) ++count[id];
  std::vector<std::string> repeated;
  for (const auto& [id, n] : count) {
    if (n > 1) repeated.push_back(id);
  }
  if (repeated.empty()) return;
  throw bad_input({path, what,
                   std::to_string(repeated.size()) + " of " + std::to_string(count.size()) +
                       " more than once (" + first_few(repeated) + ")",
                   "each once", action});
}

}  // namespace

std::vector<int64_t> places_of(const std::vector<std::string>& ids,
                               const std::string& ids_path,
                               const std::vector<std::string>& there,
                               const std::string& path,
                               const std::string& what,
                               const std::string& action) {
  check_once(ids, ids_path, what, action);
  check_once(there, path, what, action);
  std::map<std::string, int64_t> place;
  for (size_t i = 0; i < there.size(); ++i) place[there[i]] = static_cast<int64_t>(i);
  std::vector<int64_t> places;
  std::vector<std::string> missing, extra;
  for (const auto& id : ids) {
    const auto found = place.find(id);
    if (found == place.end())
      missing.push_back(id);
    else
      places.push_back(found->second);
  }
  const std::set<std::string> known(ids.begin(), ids.end());
  for (const auto& id : there) {
    if (!known.contains(id)) extra.push_back(id);
  }
  if (missing.empty() && extra.empty()) return places;
  const auto counted = [](const std::vector<std::string>& some,
                          const std::vector<std::string>& all) {
    return std::to_string(some.size()) + " of " + std::to_string(all.size()) + " (" +
           first_few(some) + ")";
  };
  std::string found, expected = "the same " + std::to_string(ids.size()) + " as " + ids_path;
  if (!extra.empty()) found = counted(extra, there) + " that " + ids_path + " does not have";
  if (!missing.empty())
    found +=
        (found.empty() ? "" : ", and ") + ("none of " + counted(missing, ids) + " of " + ids_path);
  // Marks of their own behind a letter, U+0300 to U+036F, which other programs write as one letter.
  const auto decomposed = [](const std::string& id) {
    return id.find('\xCC') != std::string::npos || id.find('\xCD') != std::string::npos;
  };
  const bool forms = std::any_of(missing.begin(), missing.end(), decomposed) ||
                     std::any_of(extra.begin(), extra.end(), decomposed);
  throw bad_input({path, what, found, expected,
                   forms ? "Letters with accents are written in two Unicode normal forms: write "
                           "both files' ids in one, unicodedata.normalize(\"NFC\", id)"
                         : "Spell ids alike in both, and leave out what only one of them has"});
}

void align_presentations(LabelledArray& array,
                         const std::vector<std::string>& ids,
                         const std::string& ids_path,
                         const std::string& action) {
  const auto places =
      places_of(ids, ids_path, array.stimulus_ids, array.path, "stimulus_id", action);
  if (array.stimulus_ids == ids) return;
  const auto index = at::tensor(places, at::kLong);
  for (const auto axis : array.presentation_axes)
    array.values = array.values.index_select(axis, index);
  array.stimulus_ids = ids;
}

void align_neuroids(LabelledArray& array,
                    const std::vector<std::string>& ids,
                    const std::string& ids_path) {
  if (ids.empty() || array.neuroid_ids.empty() || array.neuroid_ids == ids) return;
  const auto places = places_of(ids, ids_path, array.neuroid_ids, array.path, "neuroid_id",
                                "Name every neuroid once");
  array.values = array.values.index_select(array.neuroid_axis, at::tensor(places, at::kLong));
  array.neuroid_ids = ids;
}

Labels read_labels(const Input& input) {
  const auto& path = input.name();
  Labels out;
  if (input.array()) {
    const auto flat = input.array()->values.to(at::kDouble).flatten().contiguous();
    const auto* const first = flat.const_data_ptr<double>();
    out.codes = class_codes(std::vector<double>(first, first + flat.numel()));
    const auto& coords = input.array()->coords;
    for (const auto& name : kStimulusIds) {
      if (const auto ids = coords.find(name); out.stimulus_ids.empty() && ids != coords.end())
        out.stimulus_ids = ids->second.as_text();
    }
    return out;
  }
  if (is_table(path)) {
    const auto table = read_table(path);
    for (const auto& name : kStimulusIds) {
      if (out.stimulus_ids.empty() && table.has(name) && table.columns.size() > 1)
        out.stimulus_ids = table.column(name);
    }
    const auto is_id = [](const std::string& name) {
      return std::find(kStimulusIds.begin(), kStimulusIds.end(), name) != kStimulusIds.end();
    };
    auto labels = std::find_if_not(table.columns.begin(), table.columns.end(), is_id);
    if (labels == table.columns.end()) labels = table.columns.begin();
    const auto texts = table.text(*labels);
    std::vector<double> numbers(texts.size());
    const bool all = std::equal(texts.begin(), texts.end(), numbers.begin(),
                                [](const auto& text, double& number) {
                                  return !is_missing(text) && parse_number(text, number);
                                });
    out.codes = all ? class_codes(numbers) : class_codes(texts);
    return out;
  }
  const auto labels = read_npy_labels(path);
  if (const auto* numbers = std::get_if<std::vector<double>>(&labels)) {
    const auto none =
        std::find_if(numbers->begin(), numbers->end(), [](double v) { return std::isnan(v); });
    if (none != numbers->end()) {
      throw bad_input({path, "label " + std::to_string(none - numbers->begin()), "NaN",
                       "a label a presentation", "Leave the presentation out, or give it a label"});
    }
    out.codes = class_codes(*numbers);
  } else {
    out.codes = class_codes(std::get<std::vector<std::string>>(labels));
  }
  return out;
}

}  // namespace cortiscore
