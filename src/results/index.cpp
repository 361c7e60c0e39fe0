#include "src/results/index.h"

#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <type_traits>

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/core/folders.h"
#include "src/core/natural_order.h"
#include "src/data/arrays.h"
#include "src/results/json.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

// Raised with what SQLite says; caught by Index, which starts over with an empty index.
struct DatabaseError : std::runtime_error {
  explicit DatabaseError(sqlite3* handle)
      : std::runtime_error(sqlite3_errmsg(handle)),
        damaged(sqlite3_errcode(handle) == SQLITE_CORRUPT ||
                sqlite3_errcode(handle) == SQLITE_NOTADB) {}
  bool damaged;
};

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS seen(name TEXT PRIMARY KEY, inode INTEGER, end INTEGER, changed INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records(shard TEXT, offset INTEGER, length INTEGER, key TEXT, ok INTEGER, status TEXT,
  model TEXT, benchmark TEXT, PRIMARY KEY(shard, offset)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_key ON records(key);
CREATE TABLE IF NOT EXISTS notes(file TEXT PRIMARY KEY, stamp TEXT, text TEXT) WITHOUT ROWID;
)sql";

// SQLite takes the other columns of a group with max() from the row that has it.
constexpr const char* kCurrent = R"sql(
WITH last AS (
  SELECT *, max(ok || shard || printf('%020d', offset)) AS rank, shard || printf('%020d', offset) AS place
  FROM records GROUP BY key, model)
SELECT shard, offset, length FROM last
WHERE (ok OR status = 'imported' OR NOT EXISTS (SELECT 1 FROM last AS better
    WHERE better.ok AND better.model = last.model AND better.benchmark = last.benchmark AND better.place > last.place))
  AND (?1 = '' OR model GLOB ?1) AND (?2 = '' OR benchmark GLOB ?2) AND (?3 = '' OR status GLOB ?3)
ORDER BY model COLLATE by_number, benchmark COLLATE by_number, key
)sql";

}  // namespace

namespace {

// Brackets, which names may have, are themselves, but for [*], [?] and [[]: signs that a program
// has of a name, and means as such.
std::string glob_of(const std::string& pattern) {
  std::string glob;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool sign = i + 2 < pattern.size() && pattern[i + 2] == ']' &&
                      std::string_view("*?[").find(pattern[i + 1]) != std::string_view::npos;
    if (pattern[i] != '[') {
      glob += pattern[i];
    } else if (sign) {
      glob += pattern.substr(i, 3);
      i += 2;
    } else {
      glob += "[[]";
    }
  }
  return glob;
}

}  // namespace

bool fits(const std::string& name, const std::string& pattern) {
  return pattern.empty() || sqlite3_strglob(glob_of(pattern).c_str(), name.c_str()) == 0;
}

struct Index::Database {
  struct Close {
    void operator()(sqlite3* open) const { sqlite3_close(open); }
  };
  std::unique_ptr<sqlite3, Close> owner;
  sqlite3* handle = nullptr;

  explicit Database(const std::string& path) {
    const int code = sqlite3_open(path.c_str(), &handle);
    owner.reset(handle);  // SQLite gives one to close even where it could not open
    if (code != SQLITE_OK) throw DatabaseError(handle);
    sqlite3_busy_timeout(handle, 60000);
    sqlite3_create_collation(
        handle, "by_number", SQLITE_UTF8, nullptr,
        [](void*, int n, const void* a, int m, const void* b) {
          const std::string_view x(static_cast<const char*>(a), static_cast<size_t>(n));
          const std::string_view y(static_cast<const char*>(b), static_cast<size_t>(m));
          return natural_less(x, y) ? -1 : natural_less(y, x) ? 1 : 0;
        });
    run("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;");
    run(kSchema);
  }
  void run(const char* sql) const {
    if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
      throw DatabaseError(handle);
  }
};

namespace {

class Statement {
 public:
  Statement(sqlite3* handle, const char* sql) : handle_(handle) {
    if (sqlite3_prepare_v2(handle, sql, -1, &statement_, nullptr) != SQLITE_OK)
      throw DatabaseError(handle);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  Statement& bind(const std::string& value) {
    sqlite3_bind_text(statement_, ++bound_, value.c_str(), static_cast<int>(value.size()),
                      SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  // Whether there is a row.
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) throw DatabaseError(handle_);
    return code == SQLITE_ROW;
  }
  void execute() {
    step();
    sqlite3_reset(statement_);
    bound_ = 0;
  }
  std::string text(int column) const {
    return reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  }
  int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  sqlite3* handle_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

RecordPlace place_of(const Statement& row) {
  return {row.text(0), row.number(1), row.number(2)};
}

// A transaction that is rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(sqlite3* handle) : handle_(handle) { run("BEGIN IMMEDIATE"); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (open_) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  void commit() {
    run("COMMIT");
    open_ = false;
  }

 private:
  void run(const char* sql) {
    if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
      throw DatabaseError(handle_);
  }
  sqlite3* handle_;
  bool open_ = true;
};

struct ShardState {
  int64_t inode = 0, end = 0;
  int64_t changed = 0;  // nanoseconds since 1970
};

// Where the index of a folder lies. A cache folder that machines share still has an index a
// machine: SQLite's locks are not for network file systems.
std::string file_of(const std::string& folder) {
  std::error_code error;
  const auto whole = fs::weakly_canonical(folder, error).string();
  char host[64] = "";
  ::gethostname(host, sizeof host - 1);
  const auto name = sha256_of(whole + "\n" + host).substr(0, 16);
  return (fs::path(cache_folder()) / "index" / (name + ".sqlite")).string();
}

// An index goes with its journal, which would else be taken for the next one's.
void remove_file(const std::string& path) {
  std::error_code ignored;
  fs::remove(path + "-journal", ignored);
  fs::remove(path, ignored);
}

}  // namespace

Index::Index(std::string folder) : folder_(std::move(folder)), path_(file_of(folder_)) {
  std::error_code error;
  fs::create_directories(fs::path(path_).parent_path(), error);
  open(false);
}

void Index::forget(const std::string& folder) {
  remove_file(file_of(folder));
}

Index::~Index() = default;

void Index::open(bool in_memory) {
  database_.reset();
  if (!in_memory) {
    try {
      database_ = std::make_unique<Database>(path_);
      return;
    } catch (const DatabaseError& e) {
      if (e.damaged) remove_file(path_);
    }
    try {
      database_ = std::make_unique<Database>(path_);
      return;
    } catch (const DatabaseError&) {
      database_.reset();
    }
  }
  database_ = std::make_unique<Database>(":memory:");
}

// An index that turns out damaged is made anew; any other trouble with it (a lock that another
// process keeps, a full disk) is answered by one in memory, and the file is left to the others.
template <typename Body>
auto Index::guarded(Body body) {
  for (const bool last : {false, true}) {
    try {
      return body();
    } catch (const DatabaseError& e) {
      const bool damaged = e.damaged && !last;
      database_.reset();
      if (damaged) remove_file(path_);
      open(!damaged);
      if constexpr (!std::is_same_v<decltype(body()), void>) catch_up();
    }
  }
  return body();
}

bool Index::ends_as_known(const std::string& shard) {
  Statement select(
      database_->handle,
      "SELECT shard, offset, length FROM records WHERE shard = ?1 ORDER BY offset DESC "
      "LIMIT 1");
  select.bind(shard);
  return !select.step() || !read_record(folder_, place_of(select)).empty();
}

void Index::catch_up() {
  guarded([&] {
    std::map<std::string, ShardState> known;
    Statement select(database_->handle, "SELECT name, inode, end, changed FROM seen");
    while (select.step())
      known[select.text(0)] = {select.number(1), select.number(2), select.number(3)};
    struct Grown {
      std::string name, path;
      int64_t inode, from, changed;
    };
    std::vector<Grown> grown;
    std::set<std::string> gone;
    for (const auto& [name, state] : known) gone.insert(name);
    for (const auto& name : shards_of(folder_)) {
      gone.erase(name);
      const auto path = (fs::path(folder_) / name).string();
      struct stat now {};
      if (::stat(path.c_str(), &now) != 0) continue;
      const auto state = known.contains(name) ? known[name] : ShardState{};
      const auto inode = static_cast<int64_t>(now.st_ino);
      const int64_t changed = now.st_mtim.tv_sec * int64_t{1000000000} + now.st_mtim.tv_nsec;
      // Who writes to a shard appends. A person may have edited one in place: then it is shorter,
      // or as long and younger, or its last record is not where it was.
      const bool replaced = state.inode != inode || now.st_size < state.end ||
                            (now.st_size == state.end && changed != state.changed) ||
                            (now.st_size > state.end && !ends_as_known(name));
      if (replaced && known.contains(name)) gone.insert(name);
      if (replaced || now.st_size > state.end)
        grown.push_back({name, path, inode, replaced ? 0 : state.end, changed});
    }
    if (grown.empty() && gone.empty()) return;
    Transaction transaction(database_->handle);
    Statement drop_records(database_->handle, "DELETE FROM records WHERE shard = ?1");
    Statement drop_shard(database_->handle, "DELETE FROM seen WHERE name = ?1");
    for (const auto& name : gone) {
      drop_records.bind(name).execute();
      drop_shard.bind(name).execute();
    }
    Statement insert(
        database_->handle,
        "INSERT OR REPLACE INTO records(shard, offset, length, key, ok, status, model, "
        "benchmark) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    Statement advance(
        database_->handle,
        "INSERT OR REPLACE INTO seen(name, inode, end, changed) VALUES(?1, ?2, ?3, ?4)");
    for (const auto& shard : grown) {
      const auto scan = scan_shard(
          shard.path, shard.from, [&](int64_t offset, int64_t length, std::string_view text) {
            const auto record = Json::parse(text, nullptr, false);
            const auto text_of = [&](const char* key) -> std::string {
              const auto at = record.find(key);  // of what is no object, the end
              return at != record.end() && at->is_string() ? at->get<std::string>() : "";
            };
            const auto status = text_of("status");
            auto key = text_of("key");
            // Whole, but not as we write one: each is kept and named (Store::each).
            if (key.empty()) key = shard.name + " " + std::to_string(offset);
            insert.bind(shard.name)
                .bind(offset)
                .bind(length)
                .bind(key)
                .bind(int64_t{status == "ok"})
                .bind(status)
                .bind(text_of("model_identifier"))
                .bind(text_of("benchmark_identifier"))
                .execute();
          });
      advance.bind(shard.name).bind(shard.inode).bind(scan.end).bind(shard.changed).execute();
    }
    transaction.commit();
  });
}

std::optional<RecordPlace> Index::find(const std::string& key, const std::string& model) {
  return guarded([&]() -> std::optional<RecordPlace> {
    Statement select(database_->handle,
                     "SELECT shard, offset, length FROM records WHERE key = ?1 AND ok ORDER BY "
                     "model = ?2 DESC, shard "
                     "DESC, offset DESC LIMIT 1");
    select.bind(key).bind(model);
    if (!select.step()) return std::nullopt;
    return place_of(select);
  });
}

std::set<std::pair<std::string, std::string>> Index::done() {
  return guarded([&] {
    Statement select(database_->handle, "SELECT DISTINCT key, model FROM records WHERE ok");
    std::set<std::pair<std::string, std::string>> keys;
    while (select.step()) keys.emplace(select.text(0), select.text(1));
    return keys;
  });
}

std::string Index::note(const std::string& file, const std::string& stamp) {
  return guarded([&]() -> std::string {
    Statement select(database_->handle, "SELECT text FROM notes WHERE file = ?1 AND stamp = ?2");
    select.bind(file).bind(stamp);
    return select.step() ? select.text(0) : "";
  });
}

void Index::set_note(const std::string& file, const std::string& stamp, const std::string& text) {
  guarded([&] {
    Statement insert(database_->handle,
                     "INSERT OR REPLACE INTO notes(file, stamp, text) VALUES(?1, ?2, ?3)");
    insert.bind(file).bind(stamp).bind(text).execute();
  });
}

std::vector<RecordPlace> Index::current(const RecordFilter& filter) {
  return guarded([&] {
    Statement select(database_->handle, kCurrent);
    select.bind(glob_of(filter.model)).bind(glob_of(filter.benchmark)).bind(filter.status);
    std::vector<RecordPlace> places;
    while (select.step()) places.push_back(place_of(select));
    return places;
  });
}

std::vector<ShardDamage> Index::damage() {
  std::vector<ShardDamage> all;
  for (const auto& name : shards_of(folder_)) {
    const auto path = (fs::path(folder_) / name).string();
    const auto scan = scan_shard(path, 0, [](int64_t, int64_t, std::string_view) {});
    const auto torn = ShardLock(path).held() ? scan.torn_bytes : 0;
    if (torn > 0 || !scan.damaged.empty()) all.push_back({name, torn, scan.damaged});
  }
  return all;
}

void Index::rebuild() {
  guarded([&] { database_->run("DELETE FROM records; DELETE FROM seen;"); });
  catch_up();
}

}  // namespace cortiscore
