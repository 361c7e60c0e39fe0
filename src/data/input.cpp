#include "src/data/input.h"

#include "cortiscore/error.h"

namespace cortiscore {

Table table_of(const Input& input) {
  if (input.is_file()) return read_table(input.name());
  if (input.table()) return *input.table();
  throw bad_input({input.name(), "", "an array", "a table of columns",
                   "Pass a data frame, a dict of columns, or the path of a CSV"});
}

}  // namespace cortiscore
