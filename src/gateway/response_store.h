#pragma once
// Responses that we made out of another dialect's answers, remembered for a while: clients refer to
// them by id (`previous_response_id`, item references), and the upstream has never heard of them.

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "wire/request.h"

namespace rung::gateway {

/// In memory, bounded, gone with the process. Thread-safe (one mutex: it is touched only by
/// requests that ask to be stored and by those that refer to others).
class ResponseStore {
 public:
  explicit ResponseStore(std::size_t max_bytes = 64u << 20) : max_bytes_(max_bytes) {}

  /// Remembers the conversation up to and with `response` (a response object) for `owner`, whose
  /// requests alone may refer to it. The oldest are forgotten when there is no room.
  void keep(std::string_view owner, const wire::Request& request, std::string_view response);

  /// The body of a Responses request with the references of `owner`'s that are known here replaced
  /// by what they stand for; nullopt: it holds none.
  std::optional<std::string> expand(std::string_view owner, const wire::Request& request,
                                    std::string_view body) const;

 private:
  struct Entry {
    std::string id, owner;
    std::string conversation;  // items, separated by commas
    std::vector<std::string> items;
    std::size_t bytes = 0;
  };
  const std::string* conversation(std::string_view owner, const std::string& id) const;
  const std::string* item(std::string_view owner, const std::string& id) const;
  void forget_oldest();

  const std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;  // oldest first
  std::unordered_map<std::string, const Entry*> by_id_;
  std::unordered_map<std::string, std::pair<const Entry*, std::string>> items_;
};

}  // namespace rung::gateway
