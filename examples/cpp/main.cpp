// Scores a network on benchmarks from C++: score_network NETWORK.pt2 BENCHMARK... prints a record a
// line, as `cortiscore score --json` does.
#include <cstdio>
#include <string>
#include <vector>

#include <cortiscore/cortiscore.h>
#include <cortiscore/score.h>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s NETWORK.pt2 BENCHMARK...\n", argv[0]);
    return 2;
  }
  const std::vector<std::string> benchmarks(argv + 2, argv + argc);
  std::fprintf(stderr, "cortiscore %s, ceilings by %s\n", cortiscore::version().c_str(),
               cortiscore::ceiling_convention("r2_over_c").name().c_str());
  try {
    for (const auto& record : cortiscore::score(argv[1], benchmarks, R"({"candidates": 4})"))
      std::printf("%s\n", record.c_str());
  } catch (const cortiscore::Error& error) {  // a file, a name or an option that is wrong
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
  return 0;
}
