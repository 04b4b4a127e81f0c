#include "state/key_store.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <mutex>

#include "state/sqlite.h"

namespace rung::state {
namespace {

// "RUNK" in ASCII.
constexpr std::int64_t kApplicationId = 0x52554e4b;
constexpr std::int64_t kVersion = 1;
constexpr int kBusyMs = 2000;

constexpr const char* kSchema = R"sql(
CREATE TABLE keys(
  name TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, shown TEXT NOT NULL, rights TEXT NOT NULL,
  created_us INTEGER NOT NULL, revoked_us INTEGER) WITHOUT ROWID;
)sql";

std::string rights_of(const KeySpec& spec) {
  json::Writer w;
  w.begin_object();
  write_rights(spec, w);
  w.end_object();
  return w.take();
}

class SqliteKeyStore final : public KeyStore {
 public:
  SqliteKeyStore(std::string path, Database db) : path_(std::move(path)), db_(std::move(db)) {}

  Result<void> prepare() {
    auto tables = db_.number("SELECT count(*) FROM sqlite_master");
    if (!tables) return tables.error();
    if (tables->value_or(0) == 0) {
      const std::string make = fmt::format(
          "BEGIN IMMEDIATE; {} PRAGMA application_id={}; PRAGMA user_version={}; COMMIT", kSchema,
          kApplicationId, kVersion);
      if (auto made = db_.run(make.c_str()); !made) {
        if (auto undone = db_.run("ROLLBACK"); !undone) return made;
        return made;
      }
    }
    auto mark = db_.number("PRAGMA application_id");
    auto version = db_.number("PRAGMA user_version");
    if (!mark || !version) return (mark ? version : mark).error();
    if (mark->value_or(0) != kApplicationId)
      return Error{ErrorCode::kCorruptFile,
                   fmt::format("key store {}: this SQLite database holds no keys of Rung", path_)};
    if (version->value_or(0) > kVersion)
      return Error{ErrorCode::kCorruptFile,
                   fmt::format("key store {}: written by a newer Rung", path_)};
    return db_.run("PRAGMA synchronous=FULL");
  }

  Result<std::vector<KeySpec>> list() override {
    const std::lock_guard lock(mutex_);
    auto rows = db_.prepare(
        "SELECT name,digest,shown,rights,created_us,revoked_us FROM keys ORDER BY name");
    if (!rows) return rows.error();
    std::vector<KeySpec> specs;
    int code = 0;
    while ((code = rows->step()) == SQLITE_ROW) {
      KeySpec spec;
      spec.name = rows->text(0);
      const auto digest = parse_digest(rows->text(1));
      const auto rights = json::parse(rows->text(3));
      // A key whose rights cannot be read is no key: it must not become one without limits.
      if (!digest || !rights || !rights->is_object()) return damaged(spec.name);
      spec.digest = *digest;
      spec.shown = rows->text(2);
      if (auto read = read_rights(*rights, {}, spec); !read) return damaged(spec.name);
      spec.created_us = rows->integer(4);
      spec.revoked_us = rows->integer_or_null(5);
      specs.push_back(std::move(spec));
    }
    if (code != SQLITE_DONE) return db_.error();
    return specs;
  }

  Result<void> add(const KeySpec& spec) override {
    const std::lock_guard lock(mutex_);
    auto insert =
        db_.prepare("INSERT INTO keys(name,digest,shown,rights,created_us) VALUES(?,?,?,?,?)");
    if (!insert) return insert.error();
    const std::string digest = text_of(spec.digest), rights = rights_of(spec);
    insert->bind(1, spec.name);
    insert->bind(2, digest);
    insert->bind(3, spec.shown);
    insert->bind(4, rights);
    insert->bind(5, spec.created_us);
    const int code = insert->step();
    if (code == SQLITE_DONE) return {};
    if (!concerns_one_row(code)) return db_.error();
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("there is, or was, a key named {}; expected a new name", spec.name),
                 "name"};
  }

  Result<void> update(const KeySpec& spec) override {
    const std::lock_guard lock(mutex_);
    auto change = db_.prepare("UPDATE keys SET rights=? WHERE name=? AND revoked_us IS NULL");
    if (!change) return change.error();
    const std::string rights = rights_of(spec);
    change->bind(1, rights);
    change->bind(2, spec.name);
    return changed(*change, spec.name);
  }

  Result<void> revoke(const std::string& name, std::int64_t wall_us) override {
    const std::lock_guard lock(mutex_);
    auto change = db_.prepare("UPDATE keys SET revoked_us=? WHERE name=? AND revoked_us IS NULL");
    if (!change) return change.error();
    change->bind(1, wall_us);
    change->bind(2, name);
    return changed(*change, name);
  }

  Result<std::int64_t> version() override {
    const std::lock_guard lock(mutex_);
    auto version = db_.number("PRAGMA data_version");
    if (!version) return version.error();
    return version->value_or(0);
  }

 private:
  Error damaged(const std::string& name) const {
    return {ErrorCode::kCorruptFile,
            fmt::format("key store {}: the row of the key {} is damaged", path_, name)};
  }
  Result<void> changed(Statement& change, const std::string& name) {
    if (change.step() != SQLITE_DONE) return db_.error();
    if (db_.changes() > 0) return {};
    return Error{ErrorCode::kNotFound,
                 fmt::format("the key store has no key named {} that is in force", name), "name"};
  }

  const std::string path_;
  std::mutex mutex_;
  Database db_;
};

}  // namespace

Result<std::unique_ptr<KeyStore>> KeyStore::open(const std::filesystem::path& file) {
  if (const auto parent = file.parent_path(); !parent.empty()) {
    std::error_code ignored;  // if it cannot be made, opening the file says why
    std::filesystem::create_directories(parent, ignored);
  }
  auto db = Database::open(file.string(), Database::Mode::kWrite, kBusyMs);
  if (!db) return db.error().with("key store");
  ::chmod(file.c_str(),
          S_IRUSR | S_IWUSR);  // digests are no keys, but names and limits are nobody's
  auto store = std::make_unique<SqliteKeyStore>(file.string(), *std::move(db));
  if (auto ready = store->prepare(); !ready) return ready.error();
  return std::unique_ptr<KeyStore>(std::move(store));
}

std::filesystem::path key_store_beside(const std::filesystem::path& ledger) {
  std::filesystem::path file = ledger;
  return file.replace_extension(".keys.db");
}

}  // namespace rung::state
