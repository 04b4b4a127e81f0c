#pragma once
// One connection of a Server (server.h): its buffers, its request, its response. Private to the
// server.
//
//   serve():  read a head -> read its body -> run the handler -> wait until all is sent -> again

#include <memory>
#include <string>

#include "net/server.h"
#include "net/socket.h"

namespace rung {

class ServerConnection final : public Socket, public ListNode {
 public:
  ServerConnection(Server::Impl& server, Loop& loop);
  ~ServerConnection() override;

  /// The life of the connection; owns it.
  static Task<void> serve(std::unique_ptr<ServerConnection> self);
  std::coroutine_handle<> root;  // the spawned serve(), for the server to cut it off

  void set_peer(std::string peer) { peer_ = std::move(peer); }
  /// Graceful stop: an idle connection ends now, a busy one after its response.
  void drain();

 private:
  friend class Exchange;
  friend class Exchange::SendOp;
  enum class Step { kGo, kWait, kEnd };
  enum class Failure { kNone, kGone, kTimeout };

  /// The TLS handshake. False: it failed, or took too long.
  Task<bool> greet();

  // Reading.
  ParseResult next_head();
  Step fill();
  Task<bool> read_body();
  Task<bool> read_plain_body(std::size_t length);
  Task<bool> read_chunked_body();
  bool too_large();
  /// When the body, or what is unsent, must have moved on: sooner where it moves too slowly.
  TimePoint patience(std::chrono::milliseconds quiet, TimePoint began, std::uint64_t moved) const;
  bool head_is_good();
  void refuse(int status, std::string_view why, std::string_view type = "invalid_request_error");
  void next_request();

  // Writing.
  void append_head(int status, std::span<const HttpHeader> headers);
  void respond(int status, std::span<const HttpHeader> headers, std::string_view body);
  void start(int status, std::span<const HttpHeader> headers);
  void write(std::string_view bytes);
  void finish();
  void abort();
  void reset();
  void flush();
  void send_pieces(std::span<iovec> pieces);
  bool send_now(std::span<const iovec> pieces, std::size_t all, std::size_t& sent);
  void after_send();
  std::size_t unsent() const { return out_.size() - out_sent_; }
  bool failed() const { return failure_ != Failure::kNone; }
  void fail(Failure failure);
  Task<void> linger();

  void on_change() override;
  void on_time();

  Server::Impl& server_;
  Timer timer_;
  TurnEnd turn_end_;
  std::string peer_;

  // Input: in_[in_begin_, in_end_) is received and not used up. Views of head_ point into it.
  std::unique_ptr<char[]> in_;
  std::size_t in_size_ = 0, in_begin_ = 0, in_end_ = 0;
  std::string spill_;  // bytes behind a chunked body
  HeadScanner scanner_;
  HttpRequestHead head_;
  std::string body_;
  bool eof_ = false;
  TimePoint received_;
  std::shared_ptr<const void> context_;

  // Output.
  std::string out_;
  std::size_t out_sent_ = 0;
  std::uint64_t body_written_ = 0;
  TimePoint blocked_since_{};     // unsent bytes wait since then
  std::uint64_t sent_since_ = 0;  // bytes that went out since
  bool started_ = false, ended_ = false, aborted_ = false, reset_ = false, chunked_out_ = false,
       bodiless_ = false;
  bool close_after_ = false, draining_ = false;
  Failure failure_ = Failure::kNone;
  List<Exchange::SendOp> senders_;

  bool handling_ = false, timed_out_ = false;
  CancelSource gone_;
};

}  // namespace rung
