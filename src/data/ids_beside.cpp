#include "src/data/ids_beside.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>
#include <set>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/data/dim_roles.h"

namespace cortiscore {
namespace {

using Values = std::variant<std::vector<std::string>, std::vector<double>>;

// Letters and digits of the last part, in lower case.
std::string plain(const std::string& entry) {
  std::string out;
  for (const char c : entry.substr(entry.rfind('/') + 1)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || byte > 127) out += static_cast<char>(std::tolower(byte));
  }
  return out;
}

// Of several the first is taken.
constexpr std::array<const char*, 6> kStimuli = {"stimulusid", "imageid",  "stimulusids",
                                                 "imageids",   "stimfile", "stimfiles"};

size_t priority(const std::string& entry) {
  return static_cast<size_t>(std::find(kStimuli.begin(), kStimuli.end(), plain(entry)) -
                             kStimuli.begin());
}

std::string group_of(const std::string& name) {
  return name.substr(0, name.rfind('/') + 1);
}

// How far an entry is: 0 in the array's own group, then the groups above, then all others.
constexpr size_t kElsewhere = 1000;
size_t distance(const std::string& array, const std::string& entry) {
  const auto own = group_of(array), of_entry = group_of(entry);
  if (!own.starts_with(of_entry)) return kElsewhere;
  return static_cast<size_t>(
      std::count(own.begin() + static_cast<std::ptrdiff_t>(of_entry.size()), own.end(), '/'));
}

int64_t count_of(const BesideArray& entry) {
  int64_t n = 1;
  for (const auto length : entry.shape) n *= length;
  return n;
}

size_t count_of(const Values& values) {
  return std::visit([](const auto& all) { return all.size(); }, values);
}

// Whether values can be names: no two alike, text or whole numbers that are not just places.
enum class Likely : int { kNo, kRepeated, kYes };
Likely likely_names(const Values& values) {
  if (const auto* texts = std::get_if<std::vector<std::string>>(&values)) {
    const std::set<std::string> distinct(texts->begin(), texts->end());
    return distinct.size() == texts->size() ? Likely::kYes : Likely::kRepeated;
  }
  const auto& numbers = std::get<std::vector<double>>(values);
  bool counts = true;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (std::nearbyint(numbers[i]) != numbers[i]) return Likely::kNo;
    counts = counts && numbers[i] == numbers[0] + static_cast<double>(i);
  }
  if (counts && (numbers[0] == 0 || numbers[0] == 1)) return Likely::kNo;
  const std::set<double> distinct(numbers.begin(), numbers.end());
  return distinct.size() == numbers.size() ? Likely::kYes : Likely::kRepeated;
}

class Axes {
 public:
  Axes(Assembly& array, std::string name, const std::vector<BesideArray>& entries)
      : array_(array), name_(std::move(name)), entries_(entries) {}

  void run() {
    if (!has("stimulus_id") && !has("image_id") && !take(Named::kStimuli, "stimulus_id"))
      take_likely();
    if (!has("neuroid_id")) take(Named::kNeuroids, "neuroid_id");
    if (!has("repetition")) take(Named::kRepetitions, "repetition");
  }

 private:
  bool has(const std::string& coordinate) const {
    const auto found = array_.coords.find(coordinate);
    return found != array_.coords.end() && std::find(array_.dims.begin(), array_.dims.end(),
                                                     found->second.dim) != array_.dims.end();
  }

  Error bad(const BesideArray& entry,
            const std::string& found,
            const std::string& expected,
            const std::string& action) const {
    return bad_input({array_.identifier, entry.where, found, expected, action});
  }

  std::string of_array() const { return name_.empty() ? "the array" : shown(name_); }

  // The nearest entries of a kind, those of the first name alone.
  std::vector<const BesideArray*> nearest(Named kind) const {
    std::vector<const BesideArray*> out;
    const auto rank = [&](const BesideArray& e) {
      return std::pair(distance(name_, e.name), priority(e.name));
    };
    for (const auto& entry : entries_) {
      if (named_by(entry.name) != kind || count_of(entry) < 2) continue;
      if (!out.empty() && rank(entry) < rank(*out[0])) out.clear();
      if (out.empty() || rank(entry) == rank(*out[0])) out.push_back(&entry);
    }
    return out;
  }

  Values read(const BesideArray& entry) const {
    if (!entry.unreadable.empty()) {
      throw bad(entry, entry.unreadable, "text or whole numbers, an id each",
                "Save them as text: numpy.asarray(ids, str)");
    }
    if (std::count_if(entry.shape.begin(), entry.shape.end(), [](auto n) { return n > 1; }) > 1)
      throw bad(entry, "a table of " + c10::str(at::IntArrayRef(entry.shape)), "a list of ids",
                "Save one id an entry, in one dim");
    return entry.read();
  }

  // The axis that an entry lies along.
  std::optional<size_t> axis_of(const BesideArray& entry, bool stimuli) const {
    const auto n = count_of(entry);
    const auto fits = [&](size_t axis) {
      return array_.values.size(static_cast<int64_t>(axis)) == n;
    };
    for (size_t i = 0; i < entry.dims.size(); ++i) {
      if (entry.shape[i] < 2 || entry.dims[i].empty()) continue;
      const auto own = std::find(array_.dims.begin(), array_.dims.end(), entry.dims[i]);
      if (own == array_.dims.end()) continue;
      const auto axis = static_cast<size_t>(own - array_.dims.begin());
      return fits(axis) ? std::optional(axis) : std::nullopt;
    }
    const auto role = [&](size_t axis) { return role_of_dim(array_.dims[axis]); };
    for (const std::string wanted :
         {stimuli ? "presentation" : "neuroid", stimuli ? "trial" : ""}) {
      for (size_t axis = 0; axis < array_.dims.size() && !wanted.empty(); ++axis) {
        if (role(axis) == wanted) return fits(axis) ? std::optional(axis) : std::nullopt;
      }
    }
    std::optional<size_t> found;
    for (size_t axis = 0; axis < array_.dims.size(); ++axis) {
      if (fits(axis) && role(axis).empty() && !(found && stimuli)) found = axis;
    }
    return found;
  }

  void put(const std::string& as, size_t axis, Values values, const std::string& role) {
    if (array_.dims[axis].empty()) array_.dims[axis] = role;
    array_.coords[as] = {array_.dims[axis], std::move(values)};
  }

  // Whether there is an entry of a kind, which then fits.
  bool take(Named kind, const std::string& as) {
    const auto found = nearest(kind);
    if (found.empty()) return false;
    const auto& entry = *found[0];
    const bool far = distance(name_, entry.name) == kElsewhere;
    if (far && kind == Named::kRepetitions) return false;
    auto values = read(entry);
    for (const auto* other : found) {
      if (other == &entry || read(*other) == values) continue;
      throw bad(entry, "other values than in " + other->where, "one " + as + " for " + of_array(),
                "Save it in the array's own group");
    }
    const bool neuroids = kind == Named::kNeuroids;
    const auto axis = axis_of(entry, !neuroids);
    if (!axis && kind == Named::kRepetitions) return false;
    if (!axis) {
      throw bad(entry, std::to_string(count_of(values)) + " values",
                "one an entry of an axis of " + of_array() + ", " + c10::str(array_.values.sizes()),
                "Save one each, or call it otherwise if it is not of this array");
    }
    if (far) note(array_.identifier, entry.where + " is taken as the " + as + " of " + of_array());
    put(as, *axis, std::move(values), neuroids ? "neuroid" : "presentation");
    return true;
  }

  // Names of files and the like, of the presentations where nothing else names them.
  void take_likely() {
    auto found = nearest(Named::kLikelyStimuli);
    for (const auto* entry : found) {
      const auto axis = axis_of(*entry, true);
      // What else has names are neuroids, which are last.
      const auto role = axis ? role_of_dim(array_.dims[*axis]) : "";
      const bool last = axis && *axis + 1 == array_.dims.size() && *axis > 0;
      if (!axis || (last && role.empty()) ||
          !(role.empty() || role == "presentation" || role == "trial") ||
          std::count_if(entry->shape.begin(), entry->shape.end(), [](auto n) { return n > 1; }) !=
              1)
        continue;
      const auto own = array_.coords.find(array_.dims[*axis]);
      if (own != array_.coords.end() && likely_names(own->second.values) == Likely::kYes) return;
      auto values = read(*entry);
      const auto likely = likely_names(values);
      if (likely == Likely::kRepeated) {
        note(array_.identifier,
             entry->where + " holds values more than once: it is not taken as stimulus_id");
      }
      if (likely != Likely::kYes) continue;
      // A list of all stimuli in their order, beside numbers that say which of them each row is.
      for (const auto* other : found) {
        if (other == entry || axis_of(*other, true) != axis) continue;
        const auto of_other = read(*other);
        if (of_other.index() != values.index() && likely_names(of_other) == Likely::kYes) {
          throw bad(*entry, "another list that may name stimuli beside it, " + other->where,
                    "one of them", "Save what names the rows as stimulus_id");
        }
      }
      note(array_.identifier, entry->where + " is taken as stimulus_id");
      return put("stimulus_id", *axis, std::move(values), "presentation");
    }
  }

  Assembly& array_;
  std::string name_;
  const std::vector<BesideArray>& entries_;
};

}  // namespace

Named named_by(const std::string& entry) {
  const auto name = plain(entry);
  if (priority(entry) < kStimuli.size()) return Named::kStimuli;
  if (name == "neuroidid" || name == "neuroidids") return Named::kNeuroids;
  if (name == "repetition" || name == "repetitions") return Named::kRepetitions;
  static const std::set<std::string> kAlone = {"id",    "ids",      "name",      "names", "file",
                                               "files", "filename", "filenames", "path",  "paths"};
  if (kAlone.contains(name)) return Named::kLikelyStimuli;
  static const std::set<std::string> kEnds = {
      "",         "id",        "ids", "name",  "names",   "file", "files", "path",   "paths",
      "filename", "filenames", "idx", "index", "indices", "no",   "nr",    "number", "numbers"};
  for (const std::string begin :
       {"stimulus", "stimuli", "stims", "stim", "images", "image", "imgs",   "img",
        "pictures", "picture", "pics",  "pic",  "photos", "photo", "scenes", "scene",
        "videos",   "video",   "items", "item", "coco",   "nsd",   "73k"}) {
    if (!name.starts_with(begin)) continue;
    const auto end = name.substr(begin.size());
    if (kEnds.contains(end) &&
        ((begin.size() > 3 && begin != "coco") || begin == "pic" || begin == "img" || !end.empty()))
      return Named::kLikelyStimuli;
  }
  return Named::kNothing;
}

void name_axes(Assembly& array, const std::string& name, const std::vector<BesideArray>& entries) {
  Axes(array, name, entries).run();
}

}  // namespace cortiscore
