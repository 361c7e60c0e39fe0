#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/data/table.h"

namespace cortiscore {

/// Stimuli in presentation order: a CSV file with the columns `stimulus_id` and `filename` (and any
/// others), its images beside it or in a zip archive of the same stem.
class StimulusSet {
 public:
  /// @throws Error(kBadInput)  no such file, a column missing, an id twice, or an image listed but
  ///                           missing
  static StimulusSet open(const std::string& csv_path);

  const std::string& path() const { return table_.path; }
  int64_t size() const { return static_cast<int64_t>(ids_.size()); }
  const std::vector<std::string>& ids() const { return ids_; }
  /// Any column, one value a stimulus.
  std::vector<std::string> column(const std::string& name) const { return table_.column(name); }
  bool has(const std::string& column) const { return table_.has(column); }
  /// Where the stimuli named are. @throws Error(kBadInput)  one that is not here
  std::vector<int64_t> rows_of(const std::vector<std::string>& ids) const;
  /// Where `ids`, in any order, has each stimulus of this set that is among them, in the set's
  /// order.
  /// @throws Error(kBadInput)  one that is not here
  std::vector<int64_t> order_of(const std::vector<std::string>& ids) const;
  /// The stimuli named, in that order. @throws Error(kBadInput)  one that is not here
  StimulusSet select(const std::vector<std::string>& ids) const;
  /// These stimuli, then those of `more` that are not among them. Columns are those that both have.
  /// @throws Error(kBadInput)  an id that stands for another image in `more`
  StimulusSet joined(const StimulusSet& more) const;

  /// The bytes of image i. Safe from several threads.
  std::string bytes(int64_t i) const;
  /// Where image i lies, for messages.
  std::string location(int64_t i) const;
  /// SHA-256 over ids and image bytes in order.
  std::string sha256() const;

 private:
  struct Archive;
  struct Source {  // where images lie: a folder, and perhaps an archive
    std::string folder;
    std::shared_ptr<Archive> archive;
  };
  struct File {
    std::string name;
    std::shared_ptr<const Source> source;
  };
  std::map<std::string, int64_t> rows() const;  // by id

  Table table_;
  std::vector<std::string> ids_;
  std::vector<File> files_;
};

/// How an image becomes the network's input.
struct Preprocessing {
  int64_t input_size = 224;
  std::vector<double> mean;  ///< per channel, of values in 0..1; empty: the network normalises
  std::vector<double> std;
  double model_degrees = 8;
  double stimulus_degrees = 8;
  int64_t trials =
      1;  ///< of every stimulus, each moved by a microsaccade (src/stimuli/microsaccades.h)
};

}  // namespace cortiscore
