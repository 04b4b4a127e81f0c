#include "outcomes/writer.h"

#include <zlib.h>
#include <zstd.h>

#include <charconv>
#include <cmath>
#include <numeric>

#include "base/file.h"
#include "base/progress.h"
#include "json/write.h"

namespace rung::outcomes {

struct PackedFile::Impl {
  AtomicFile file;
  bool gzip_open = false;
  z_stream gzip{};
  ZSTD_CStream* zstd = nullptr;
  std::vector<char> packed = std::vector<char>(1 << 16);

  explicit Impl(AtomicFile f) : file(std::move(f)) {}
  ~Impl() {
    if (gzip_open) deflateEnd(&gzip);
    ZSTD_freeCStream(zstd);
  }

  Result<void> write_gzip(std::string_view bytes, int flush) {
    gzip.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    gzip.avail_in = static_cast<uInt>(bytes.size());
    do {
      gzip.next_out = reinterpret_cast<Bytef*>(packed.data());
      gzip.avail_out = static_cast<uInt>(packed.size());
      deflate(&gzip, flush);
      if (auto done = file.write({packed.data(), packed.size() - gzip.avail_out}); !done)
        return done;
    } while (gzip.avail_out == 0);
    return {};
  }

  Result<void> write_zstd(std::string_view bytes, ZSTD_EndDirective end) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{packed.data(), packed.size(), 0};
      const std::size_t left = ZSTD_compressStream2(zstd, &out, &in, end);
      if (ZSTD_isError(left) != 0) return Error{ErrorCode::kInternal, ZSTD_getErrorName(left)};
      if (auto done = file.write({packed.data(), out.pos}); !done) return done;
      if (end == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }
};

PackedFile::PackedFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PackedFile::PackedFile(PackedFile&&) noexcept = default;
PackedFile::~PackedFile() = default;

Result<PackedFile> PackedFile::create(const std::filesystem::path& path) {
  auto file = AtomicFile::create(path);
  if (!file) return file.error();
  auto impl = std::make_unique<Impl>(std::move(*file));
  if (path.extension() == ".gz") {
    // zlib writes no name and no time into the header, so equal rows make equal files.
    impl->gzip_open = deflateInit2(&impl->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS,
                                   8, Z_DEFAULT_STRATEGY) == Z_OK;
    RUNG_CHECK(impl->gzip_open, "zlib gave no memory");
  } else if (path.extension() == ".zst") {
    impl->zstd = ZSTD_createCStream();
    RUNG_CHECK(impl->zstd != nullptr, "zstd gave no memory");
  }
  return PackedFile(std::move(impl));
}

Result<void> PackedFile::write(std::string_view bytes) {
  if (impl_->gzip_open) return impl_->write_gzip(bytes, Z_NO_FLUSH);
  if (impl_->zstd != nullptr) return impl_->write_zstd(bytes, ZSTD_e_continue);
  return impl_->file.write(bytes);
}

Result<void> PackedFile::commit() {
  Result<void> ended;
  if (impl_->gzip_open) ended = impl_->write_gzip({}, Z_FINISH);
  if (impl_->zstd != nullptr) ended = impl_->write_zstd({}, ZSTD_e_end);
  if (!ended) return ended;
  return impl_->file.commit();
}

namespace {

// The shortest decimal that reads back as the same float: 0.1f is written 0.1.
void number(json::Writer& w, float value) {
  if (std::isfinite(value)) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    w.raw({text, static_cast<std::size_t>(end - text)});
  } else {
    w.null();
  }
}

std::string line_of(const Outcomes& outcomes, std::size_t row) {
  const Table& table = outcomes.table;
  const Texts& texts = outcomes.texts;
  json::Writer w;
  w.begin_object().key("id").string(table.ids[row]).key("prompt").string(table.prompts[row]);
  if (table.category[row] != kNoCategory)
    w.key("category").string(table.categories[static_cast<std::size_t>(table.category[row])]);
  if (!texts.has_reference.empty() && texts.has_reference[row] != 0)
    w.key("reference").string(texts.references[row]);
  w.key("models").begin_object();
  bool any = false;
  for (std::size_t arm = 0; arm < table.arm_count(); ++arm) {
    const std::size_t at = table.cell(row, arm);
    const bool output = !texts.has_output.empty() && texts.has_output[at] != 0;
    const bool scored = std::isfinite(table.score[at]), priced = std::isfinite(table.cost[at]);
    const bool counted =
        table.prompt_tokens[at] != kNoTokens || table.completion_tokens[at] != kNoTokens;
    // A row must name an arm to be read back, so one that knows nothing at all names its last arm.
    if (!scored && !priced && !counted && !output && (any || arm + 1 < table.arm_count())) continue;
    any = true;
    w.key(table.arms[arm]).begin_object().key("score");
    number(w, table.score[at]);
    w.key("cost");
    number(w, table.cost[at]);
    if (table.prompt_tokens[at] != kNoTokens)
      w.key("prompt_tokens").number(table.prompt_tokens[at]);
    if (table.completion_tokens[at] != kNoTokens)
      w.key("completion_tokens").number(table.completion_tokens[at]);
    if (output) w.key("output").string(texts.outputs[at]);
    w.end_object();
  }
  w.end_object().end_object();
  return w.take() + "\n";
}

}  // namespace

Result<void> write_outcomes(const std::filesystem::path& path, const Outcomes& outcomes,
                            std::span<const std::size_t> rows) {
  auto file = PackedFile::create(path);
  if (!file) return file.error();
  Progress progress("writing " + path.string(), rows.size());
  for (const std::size_t row : rows) {
    if (interrupted()) return Error{ErrorCode::kCancelled, "writing was interrupted"};
    if (auto done = file->write(line_of(outcomes, row)); !done) return done;
    progress.advance();
  }
  return file->commit();
}

Result<void> write_outcomes(const std::filesystem::path& path, const Outcomes& outcomes) {
  std::vector<std::size_t> rows(outcomes.table.rows());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return write_outcomes(path, outcomes, rows);
}

}  // namespace rung::outcomes
