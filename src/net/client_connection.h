#pragma once
// One connection of a ClientPool (client.h). Private to the client.

#include <memory>
#include <optional>
#include <string>

#include "net/client.h"
#include "net/resolver.h"
#include "net/socket.h"

namespace rung {

class ClientConnection final : public Socket {
 public:
  ClientConnection(ClientPool::Impl& pool, Loop& loop);
  ~ClientConnection() override;

  /// Name, TCP and TLS; the effort must have begun. Errors as request().
  Task<Result<void>> connect(Deadline deadline);

  /// Links the connection to what may end it: until end_effort, `cancel` and `deadline` close it.
  void begin_effort(CancelToken cancel, Deadline deadline);
  void set_deadline(Deadline deadline) { timer_.set(deadline.at); }

  /// Sends the request and reads the head of its response.
  Task<Result<void>> exchange(const ClientRequest& request);
  Task<Result<std::string_view>> read_body();
  Task<bool> wait_body(TimePoint patience);

  const HttpResponseHead& head() const { return head_; }
  bool complete() const { return body_ == Body::kEnd; }
  TimePoint first_byte() const { return first_byte_; }

  /// After a failed exchange: no byte of the response came, and the host took no byte of the
  /// request.
  bool untouched() const;
  bool no_answer() const { return received_ == 0 && ended_ == Ended::kNo; }
  /// Whether another request may be sent here. Looks for bytes that came behind the response: the
  /// next request must not take them for its answer.
  bool reusable();
  /// Becomes idle: the next event, or the idle time-out, destroys it.
  void park(TimePoint until);
  void unpark();
  bool reused = false;

  ClientPool::Impl& pool() { return pool_; }

 private:
  enum class Body { kNone, kLength, kChunked, kUntilClose, kEnd };
  enum class Ended { kNo, kCancelled, kTimeout };

  void end_effort(Ended how);
  Task<Result<void>> connect_to(const SocketAddress& address);
  Task<Result<void>> start_tls();
  Task<Result<void>> read_head();
  Result<void> parse_head(std::size_t head_size);
  IoResult receive();
  std::optional<Result<std::string_view>> try_body();
  Result<bool> take_head();
  std::uint64_t sent_on_wire() const;
  Error malformed(std::string_view why) const;
  Error failure(const IoResult& result, std::string_view during);
  Error ended_error(std::string_view during) const;
  void on_change() override;

  ClientPool::Impl& pool_;
  Timer timer_;
  CancelWaiter cancel_link_;
  CancelToken cancel_;
  Ended ended_ = Ended::kNo;
  bool idle_ = false;
  TimePoint begun_;

  // in_[in_begin_, in_end_) is received and not used up; the head lies before in_base_.
  std::unique_ptr<char[]> in_;
  std::size_t in_size_ = 0, in_base_ = 0, in_begin_ = 0, in_end_ = 0;
  std::string out_;  // the head of the request
  HeadScanner scanner_;
  HttpResponseHead head_;
  Body body_ = Body::kNone;
  std::optional<Result<std::string_view>> early_;  // what wait_body() found, for read_body()
  std::uint64_t left_ = 0;                         // kLength
  ChunkedDecoder decoder_;
  bool head_request_ = false, unsent_ = false, was_reset_ = false;
  TimePoint first_byte_;
  std::uint64_t sent_before_ = 0;  // bytes sent on the wire before this request
  std::uint64_t sent_ = 0;         // with it
  std::size_t received_ = 0;       // bytes of this response
  unsigned interim_ = 0;           // 1xx heads before this response
};

}  // namespace rung
