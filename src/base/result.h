#pragma once
// Errors as values. `Result<T>` is a T or an Error; it is read with the member names of
// std::expected, so a later move to that class is mechanical. The project throws nothing; a library
// that throws is wrapped once, where it is called.

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace rung {

/// What kind of failure it is; the sentence in Error says the rest. The comment is advice to the
/// caller.
enum class ErrorCode {
  kInvalidArgument,  // the caller's words are wrong: command line, request field. Do not retry.
  kInvalidJson,      // bytes are not JSON, or not JSON of the expected shape.
  kInvalidConfig,    // the configuration file does not hold together.
  kInvalidData,      // a data file (outcomes, samples) breaks its format.
  kCorruptFile,      // an artefact is truncated, of another version, or its shapes disagree.
  kNotFound,         // a named thing does not exist: file, model, route, decision.
  kIo,               // the operating system refused: disk full, permission, read-only.
  kTooLarge,         // over a stated limit.
  kUnsupported,      // well formed, but nothing here can do it.
  kUnauthorized,     // no or wrong credentials.
  kForbidden,        // credentials do not allow it.
  kRateLimited,      // over a rate; retry later.
  kOverBudget,       // the money for it is spent.
  kUnavailable,      // nobody can serve it now; retrying may help.
  kUpstream,         // the upstream answered with something unusable, or hung up.
  kTimeout,          // a deadline passed.
  kCancelled,        // the caller left.
  kInfeasible,       // the honest answer is "no": a bound cannot be met, a check failed.
  kInternal,         // our own promise is broken, but the process can go on.
};

/// Stable lower-case name for logs and JSON, such as "invalid_json".
std::string_view name(ErrorCode code);

struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // one sentence: where, what was found, what would be right
  std::string field =
      {};  // the field of the input that it is about, such as "messages[0].content"; may be empty

  /// The same error with context in front: "loading routes.yaml: <message>". Once per layer.
  Error with(std::string_view context) const& {
    return {code, std::string(context).append(": ").append(message), field};
  }
};

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: by design

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return *checked(); }
  const T& value() const& { return *const_cast<Result*>(this)->checked(); }
  T&& value() && { return std::move(*checked()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return checked(); }
  const T* operator->() const { return const_cast<Result*>(this)->checked(); }
  const Error& error() const {
    RUNG_CHECK(!has_value(), "error() of a Result that holds a value");
    return *std::get_if<1>(&state_);
  }

 private:
  T* checked() {
    RUNG_CHECK(has_value(), "value() of a Result that holds an error");
    return std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}  // NOLINT: by design

  bool has_value() const { return !failed_; }
  explicit operator bool() const { return !failed_; }
  const Error& error() const {
    RUNG_CHECK(failed_, "error() of a Result that holds a value");
    return error_;
  }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace rung
