#pragma once
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "cortiscore/assembly.h"

namespace cortiscore {

/// What an entry of a file names, by what it is called: `Stimulus_ID` is stimulus_id.
enum class Named : int {
  kNothing,
  kStimuli,        ///< stimulus_id, image_id, stim_file
  kLikelyStimuli,  ///< filenames, image_names, ids: what names stimuli as likely as not
  kNeuroids,       ///< neuroid_id
  kRepetitions
};
/// @param entry  with its groups
Named named_by(const std::string& entry);

/// An entry of a file beside the array that is read.
struct BesideArray {
  std::string name;               ///< with its groups; of an attribute that of its group's entries
  std::string where;              ///< in words, for messages
  std::vector<int64_t> shape;     ///< of text: one entry a text
  std::vector<std::string> dims;  ///< one an axis; "" where the file gives none
  std::string unreadable;         ///< why it is no text and no numbers; "" where it is
  std::function<std::variant<std::vector<std::string>, std::vector<double>>()> read;
};

/// Gives an array the ids that lie beside it as coordinates stimulus_id, neuroid_id and repetition,
/// and their axes, where these have no names, the names presentation and neuroid: those of its own
/// group, of a group above, or of another one (noted). n x 1 and 1 x n are lists. What is only
/// likely to name stimuli is taken, with a note, where nothing else does.
/// @param name  of the array, with its groups
/// @throws Error(kBadInput)  ids that cannot be read, do not fit, or of which there are several
void name_axes(Assembly& array, const std::string& name, const std::vector<BesideArray>& entries);

}  // namespace cortiscore
