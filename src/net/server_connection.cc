#include "net/server_connection.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "net/server_impl.h"

namespace rung {
namespace {

constexpr std::size_t kFirstBuffer = 16 * 1024;
constexpr std::size_t kSlack = 64;               // bytes behind a body, for parsers that read ahead
constexpr std::size_t kHighWater = 64 * 1024;    // unsent bytes at which a stream waits
constexpr std::size_t kUncopied = 8 * 1024;      // pieces from here on are sent from where they lie
constexpr std::size_t kFirstBody = 1024 * 1024;  // a claimed length is believed up to here
constexpr std::size_t kKeptOutput = 256 * 1024;  // a larger output buffer is given back
constexpr std::chrono::milliseconds kLinger{2000};
constexpr unsigned kReadsPerTurn = 16;  // of bytes that nobody wants

void append_number(std::string& out, std::uint64_t value, int base = 10) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, base).ptr;
  out.append(digits, end);
}

iovec piece_of(std::string_view bytes) {
  return {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
}

}  // namespace

ServerConnection::ServerConnection(Server::Impl& server, Loop& loop)
    : Socket(loop),
      server_(server),
      timer_(
          loop, [](void* self) { static_cast<ServerConnection*>(self)->on_time(); }, this),
      turn_end_([](void* self) { static_cast<ServerConnection*>(self)->flush(); }, this) {
  ++server_.counters.connections;
  ++server_.counters.open;
}

ServerConnection::~ServerConnection() {
  if (handling_) --server_.counters.active;
  if (--server_.counters.open == 0) server_.all_closed.set();
}

void ServerConnection::drain() {
  draining_ = true;
  wake();
}

// --- the life of a connection
// ----------------------------------------------------------------------------

Task<void> ServerConnection::serve(std::unique_ptr<ServerConnection> self) {
  ServerConnection& c = *self;
  if (c.server_.options.tls && !co_await c.greet()) co_return;
  for (;;) {
    // 1. The head. The idle time-out runs until its first byte, the head time-out from there on.
    bool begun = c.in_end_ > c.in_begin_;
    c.timer_.set(c.loop().now() +
                 (begun ? c.server_.options.head_timeout : c.server_.options.idle_timeout));
    ParseResult head = c.next_head();
    while (head.state == ParseState::kMore) {
      if (c.draining_ && !begun) co_return;
      const Step step = c.fill();
      if (step == Step::kEnd) co_return;
      if (step == Step::kWait) {
        co_await c.changed();
        if (!c.is_open()) co_return;
        if (c.timed_out_) {
          if (!begun) co_return;
          head = {.state = ParseState::kBad,
                  .consumed = 0,
                  .status = 408,
                  .why = "the head of the request did not come in time"};
        }
        continue;
      }
      if (!begun) {
        begun = true;
        c.timer_.set(c.loop().now() + c.server_.options.head_timeout);
      }
      head = c.next_head();
    }
    // 2. The body.
    if (head.state == ParseState::kBad) {
      c.head_.method = {};  // nothing of a bad head is to be used
      c.head_.minor_version = 1;
      c.refuse(head.status, head.why);
    } else if (!c.head_is_good()) {
      // Refused by its head: its body is not read.
    } else if (c.head_.chunked || c.head_.content_length.value_or(0) > 0) {
      const bool whole = co_await c.read_body();
      if (!whole && !c.started_) co_return;
    } else {
      c.body_.clear();
      c.body_.reserve(kSlack);
    }
    // 3. The handler, unless the request was refused.
    c.timer_.clear();
    if (!c.started_) {
      if (c.draining_) c.close_after_ = true;
      Exchange exchange(c);
      c.handling_ = true;
      ++c.server_.counters.requests;
      ++c.server_.counters.active;
      if (c.peer_closed()) c.on_change();
      co_await c.server_.handler(exchange);
      c.handling_ = false;
      --c.server_.counters.active;
      if (!c.started_ && !c.aborted_) {
        c.close_after_ = true;
        c.refuse(500, "the request was not answered", "server_error");
      } else if (!c.ended_) {
        c.abort();
      }
    }
    // 4. Whatever the socket did not take yet.
    if (c.reset_) {
      c.close(/*reset=*/true);
      co_return;
    }
    c.flush();
    while (c.unsent() > 0 && !c.failed()) co_await c.changed();
    if (c.failed() || c.aborted_) {
      // A stream whose end is the end of the connection is cut by a reset, or it would look whole.
      c.close(/*reset=*/c.aborted_ && c.started_ && !c.chunked_out_);
      co_return;
    }
    if (c.close_after_ || c.draining_) break;
    c.next_request();
  }
  co_await c.linger();
}

Task<bool> ServerConnection::greet() {
  ssl_st* ssl = server_.options.tls->accept(fd());
  if (ssl == nullptr) co_return false;
  set_tls(ssl);
  timer_.set(loop().now() + server_.options.head_timeout);
  for (;;) {
    const IoResult step = handshake();
    if (step.state == IoState::kOk) break;
    if (step.state != IoState::kWouldBlock) co_return false;
    co_await changed();
    if (timed_out_ || !is_open() || draining_) co_return false;
  }
  timer_.clear();
  co_return true;
}

/// Closes in a way that lets the client read the response although it may still be sending.
Task<void> ServerConnection::linger() {
  shutdown_write();
  timed_out_ = false;
  timer_.set(loop().now() + kLinger);
  for (unsigned reads = 1; is_open() && !timed_out_; ++reads) {
    // A client that sends as fast as we read would never let the loop go on, nor its timer end
    // this.
    if (reads % kReadsPerTurn == 0) {
      (void)co_await loop().sleep_for(std::chrono::milliseconds(1));
      if (!is_open()) break;
    }
    const std::span<char> sink = server_.scratch();
    const IoResult got = read(sink.data(), sink.size());
    if (got.state == IoState::kWouldBlock) {
      if (peer_closed()) break;
      co_await changed();
    } else if (got.state != IoState::kOk) {
      break;
    }
  }
  close();
}

void ServerConnection::next_request() {
  head_.headers.clear();
  scanner_.reset();
  if (!spill_.empty()) {
    // The input is used up: what came behind a chunked body is all there is.
    if (in_size_ < spill_.size()) {
      in_size_ = spill_.size();
      in_.reset(new char[in_size_]);
    }
    std::memcpy(in_.get(), spill_.data(), spill_.size());
    in_begin_ = 0;
    in_end_ = spill_.size();
    spill_.clear();
  }
  if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
  out_.clear();
  out_sent_ = 0;
  if (out_.capacity() > kKeptOutput) out_.shrink_to_fit();
  if (body_.capacity() > kFirstBody) std::string().swap(body_);
  body_written_ = 0;
  context_.reset();
  started_ = ended_ = aborted_ = chunked_out_ = bodiless_ = false;
  gone_.reset();
}

// --- reading
// ---------------------------------------------------------------------------------------------

ParseResult ServerConnection::next_head() {
  const std::string_view bytes(in_.get() + in_begin_, in_end_ - in_begin_);
  if (bytes.empty()) return {};
  const ParseResult scanned = scanner_.scan(bytes, server_.options.head);
  if (scanned.state != ParseState::kDone) return scanned;
  const ParseResult parsed = parse_request_head(bytes, head_, server_.options.head);
  if (parsed.state != ParseState::kDone) return parsed;
  in_begin_ += parsed.consumed;
  received_ = loop().now();
  if (!head_.keep_alive) close_after_ = true;
  return parsed;
}

bool ServerConnection::head_is_good() {
  context_.reset();
  if (!server_.options.check_head) return true;
  const std::optional<HeadRefusal> refusal = server_.options.check_head(head_, context_);
  if (!refusal) return true;
  ++server_.counters.bad_requests;
  // The connection can be used again only where nothing of this request is left in it.
  if (head_.chunked || head_.content_length.value_or(0) > 0) close_after_ = true;
  std::vector<HttpHeader> headers{{"content-type", "application/json"}};
  for (const auto& [name, value] : refusal->headers) headers.push_back({name, value});
  respond(refusal->status, headers, refusal->body);
  return false;
}

TimePoint ServerConnection::patience(std::chrono::milliseconds quiet, TimePoint began,
                                     std::uint64_t moved) const {
  const auto earned = std::chrono::seconds(moved / server_.options.least_rate);
  return std::min(loop().now() + quiet, began + quiet + earned);
}

/// Reads once into in_, while a head is incomplete (so that nothing points into it).
ServerConnection::Step ServerConnection::fill() {
  if (!readable()) return Step::kWait;
  if (in_end_ == in_size_) {
    if (in_begin_ > 0) {
      std::memmove(in_.get(), in_.get() + in_begin_, in_end_ - in_begin_);
    } else {
      const std::size_t size = std::max(kFirstBuffer, in_size_ * 2);
      std::unique_ptr<char[]> larger(new char[size]);
      if (in_end_ > 0) std::memcpy(larger.get(), in_.get(), in_end_);
      in_ = std::move(larger);
      in_size_ = size;
    }
    in_end_ -= in_begin_;
    in_begin_ = 0;
  }
  const IoResult got = read(in_.get() + in_end_, in_size_ - in_end_);
  if (got.state == IoState::kWouldBlock) return Step::kWait;
  if (got.state != IoState::kOk) return Step::kEnd;
  in_end_ += got.bytes;
  return Step::kGo;
}

bool ServerConnection::too_large() {
  refuse(413, "the body is larger than " + std::to_string(server_.options.max_body_bytes) +
                  " bytes, the most that this server takes");
  return false;
}

/// False: the connection is over, or the request was refused (then started_).
Task<bool> ServerConnection::read_body() {
  body_.clear();
  const std::uint64_t length = head_.content_length.value_or(0);
  if (length > server_.options.max_body_bytes) co_return too_large();
  const bool here = !head_.chunked && in_end_ - in_begin_ >= length;
  if (head_.expect_continue && !here) {
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    flush();
  }
  timer_.set(loop().now() + server_.options.body_timeout);
  bool whole = false;
  if (head_.chunked) {
    whole = co_await read_chunked_body();
  } else if (here) {
    body_.reserve(static_cast<std::size_t>(length) + kSlack);
    body_.assign(in_.get() + in_begin_, static_cast<std::size_t>(length));
    in_begin_ += static_cast<std::size_t>(length);
    whole = true;
  } else {
    whole = co_await read_plain_body(static_cast<std::size_t>(length));
  }
  if (!whole && timed_out_ && !started_)
    refuse(408, "the body of the request did not come in time");
  co_return whole;
}

Task<bool> ServerConnection::read_plain_body(std::size_t length) {
  const TimePoint began = loop().now();
  std::size_t have = in_end_ - in_begin_;
  body_.reserve(std::min(length, kFirstBody) + kSlack);
  body_.assign(in_.get() + in_begin_, have);
  in_begin_ = in_end_;
  while (have < length) {
    if (body_.size() == have) {
      // Memory follows the bytes that really came: a claim alone costs at most kFirstBody.
      const std::size_t size = std::min(length, std::max(kFirstBody, have * 2));
      body_.reserve(size + kSlack);
      body_.resize(size);
    }
    const IoResult got = read(body_.data() + have, body_.size() - have);
    if (got.state == IoState::kOk) {
      have += got.bytes;
      timer_.set(patience(server_.options.body_timeout, began, have));
    } else if (got.state == IoState::kWouldBlock) {
      co_await changed();
      if (timed_out_ || !is_open()) co_return false;
    } else {
      co_return false;
    }
  }
  co_return true;
}

Task<bool> ServerConnection::read_chunked_body() {
  ChunkedDecoder decoder;
  const TimePoint began = loop().now();
  std::uint64_t received = 0;
  // What came with the head is decoded in place; later bytes go through the scratch of the server.
  std::string_view bytes(in_.get() + in_begin_, in_end_ - in_begin_);
  bool from_input = true;
  for (;;) {
    while (!bytes.empty() && !decoder.done()) {
      const ChunkedDecoder::Step step = decoder.next(bytes);
      if (decoder.bad()) {
        refuse(400, decoder.why());
        co_return false;
      }
      bytes.remove_prefix(step.consumed);
      if (from_input) in_begin_ += step.consumed;
      if (step.data.size() > server_.options.max_body_bytes - body_.size()) co_return too_large();
      body_.append(step.data);
    }
    if (decoder.done()) {
      if (!from_input) spill_.assign(bytes);
      body_.reserve(body_.size() + kSlack);
      co_return true;
    }
    from_input = false;
    const std::span<char> scratch = server_.scratch();
    const IoResult got = read(scratch.data(), scratch.size());
    if (got.state == IoState::kOk) {
      bytes = {scratch.data(), got.bytes};
      received += got.bytes;
      timer_.set(patience(server_.options.body_timeout, began, received));
    } else if (got.state == IoState::kWouldBlock) {
      co_await changed();
      if (timed_out_ || !is_open()) co_return false;
    } else {
      co_return false;
    }
  }
}

void ServerConnection::refuse(int status, std::string_view why, std::string_view type) {
  ++server_.counters.bad_requests;
  close_after_ = true;
  const HttpHeader headers[] = {{"content-type", "application/json"}};
  respond(status, headers, openai_error(why, type));
}

// --- writing
// ---------------------------------------------------------------------------------------------

void ServerConnection::append_head(int status, std::span<const HttpHeader> headers) {
  out_ += "HTTP/1.1 ";
  append_number(out_, static_cast<std::uint64_t>(status));
  out_ += ' ';
  out_ += reason_phrase(status);
  out_ += "\r\n";
  for (const HttpHeader& header : headers) {
    out_ += header.name;
    out_ += ": ";
    out_ += header.value;
    out_ += "\r\n";
  }
  out_ += server_.date_line();
  if (draining_) close_after_ = true;
  if (close_after_) {
    out_ += "connection: close\r\n";
  } else if (head_.minor_version == 0) {
    out_ += "connection: keep-alive\r\n";
  }
}

void ServerConnection::respond(int status, std::span<const HttpHeader> headers,
                               std::string_view body) {
  RUNG_CHECK(!started_, "a request is answered once");
  started_ = ended_ = true;
  if (failed()) return;
  append_head(status, headers);
  const bool no_body = status == 204 || status == 304 || status < 200;
  if (!no_body) {
    out_ += "content-length: ";
    append_number(out_, body.size());
    out_ += "\r\n";
  }
  out_ += "\r\n";
  if (no_body || head_.method == "HEAD") body = {};
  body_written_ += body.size();
  iovec pieces[] = {piece_of(std::string_view(out_).substr(out_sent_)), piece_of(body)};
  send_pieces(pieces);
}

void ServerConnection::start(int status, std::span<const HttpHeader> headers) {
  RUNG_CHECK(!started_, "a request is answered once");
  started_ = true;
  if (failed()) return;
  bodiless_ = status == 204 || status == 304 || head_.method == "HEAD";
  chunked_out_ = head_.minor_version == 1 && status != 204 && status != 304;
  if (head_.minor_version == 0) close_after_ = true;
  append_head(status, headers);
  if (chunked_out_) out_ += "transfer-encoding: chunked\r\n";
  out_ += "\r\n";
  loop().at_turn_end(turn_end_);
}

void ServerConnection::write(std::string_view bytes) {
  RUNG_CHECK(started_ && !ended_, "write belongs between start and finish");
  body_written_ += bytes.size();
  if (failed() || bodiless_ || bytes.empty()) return;
  if (chunked_out_) {
    append_number(out_, bytes.size(), 16);
    out_ += "\r\n";
  }
  if (bytes.size() >= kUncopied) {
    iovec pieces[] = {piece_of(std::string_view(out_).substr(out_sent_)), piece_of(bytes),
                      piece_of(chunked_out_ ? std::string_view("\r\n") : std::string_view{})};
    send_pieces(pieces);
    return;
  }
  out_ += bytes;
  if (chunked_out_) out_ += "\r\n";
  if (unsent() >= kHighWater) {
    flush();
  } else {
    loop().at_turn_end(turn_end_);
  }
}

void ServerConnection::finish() {
  RUNG_CHECK(started_ && !ended_, "finish belongs after start, once");
  ended_ = true;
  if (failed()) return;
  if (chunked_out_ && !bodiless_) out_ += "0\r\n\r\n";
  flush();
}

void ServerConnection::abort() {
  if (ended_ && !aborted_) RUNG_CHECK(!started_, "a finished response cannot be aborted");
  ended_ = aborted_ = true;
  flush();
}

void ServerConnection::reset() { ended_ = aborted_ = reset_ = true; }

void ServerConnection::flush() {
  if (unsent() == 0 || failed()) return;
  iovec pieces[] = {piece_of(std::string_view(out_).substr(out_sent_))};
  send_pieces(pieces);
}

/// Writes what the socket takes; false if the connection is broken. A write over TLS ends with its
/// record, so there may be room for another one.
bool ServerConnection::send_now(std::span<const iovec> pieces, std::size_t all, std::size_t& sent) {
  std::array<iovec, 4> rest{};
  RUNG_CHECK(pieces.size() <= rest.size(), "a response is sent in a few pieces");
  std::copy(pieces.begin(), pieces.end(), rest.begin());
  std::span<iovec> left(rest.data(), pieces.size());
  for (;;) {
    const IoResult done = Socket::write(left);
    if (done.state == IoState::kError) {
      fail(Failure::kGone);
      return false;
    }
    if (done.state != IoState::kOk) return true;
    sent += done.bytes;
    sent_since_ += done.bytes;
    if (sent == all || tls() == nullptr) return true;
    std::size_t gone = done.bytes;
    while (gone >= left.front().iov_len) {
      gone -= left.front().iov_len;
      left = left.subspan(1);
    }
    left.front().iov_base = static_cast<char*>(left.front().iov_base) + gone;
    left.front().iov_len -= gone;
  }
}

/// Sends pieces[0], which is the unsent part of out_, and the rest; what does not fit is copied
/// into out_.
void ServerConnection::send_pieces(std::span<iovec> pieces) {
  if (failed()) return;
  std::size_t sent = 0;
  if (writable()) {
    std::size_t all = 0;
    for (const iovec& piece : pieces) all += piece.iov_len;
    if (!send_now(pieces, all, sent)) return;
    if (sent == all) {
      out_.clear();
      out_sent_ = 0;
      after_send();
      return;
    }
  }
  const std::size_t of_out = std::min(sent, pieces[0].iov_len);
  out_sent_ += of_out;
  sent -= of_out;
  if (out_sent_ > kHighWater) {
    out_.erase(0, out_sent_);
    out_sent_ = 0;
  }
  for (const iovec& piece : pieces.subspan(1)) {
    const std::size_t gone = std::min(sent, piece.iov_len);
    sent -= gone;
    out_.append(static_cast<const char*>(piece.iov_base) + gone, piece.iov_len - gone);
  }
  after_send();
}

void ServerConnection::after_send() {
  if (unsent() == 0) {
    if (started_) timer_.clear();
    blocked_since_ = {};
  } else if (started_) {
    if (blocked_since_ == TimePoint{}) {
      blocked_since_ = loop().now();
      sent_since_ = 0;
    }
    // Time is given for bytes that the client took, not for those that we would like to send.
    timer_.set(patience(server_.options.write_timeout, blocked_since_, sent_since_));
  }
  const std::size_t left = unsent();
  senders_.for_each([&](Exchange::SendOp& sender) {
    if (left > sender.room_) return;
    sender.unlink();
    loop().schedule(sender);
  });
}

void ServerConnection::fail(Failure failure) {
  if (failed()) return;
  failure_ = failure;
  senders_.for_each([&](Exchange::SendOp& sender) {
    sender.unlink();
    loop().schedule(sender);
  });
  wake();
  if (handling_ && !gone_.cancelled()) {
    ++server_.counters.client_gone;
    gone_.cancel();
  }
}

// --- events
// ----------------------------------------------------------------------------------------------

void ServerConnection::on_change() {
  if (writable() && unsent() > 0) flush();
  if (peer_closed() && handling_ && !gone_.cancelled()) {
    ++server_.counters.client_gone;
    gone_.cancel();
  }
}

void ServerConnection::on_time() {
  if (started_ && unsent() > 0) {
    fail(Failure::kTimeout);
    return;
  }
  timed_out_ = true;
  wake();
}

// --- Exchange
// --------------------------------------------------------------------------------------------

const HttpRequestHead& Exchange::head() const { return connection_.head_; }
std::string& Exchange::body() { return connection_.body_; }
const std::shared_ptr<const void>& Exchange::context() const { return connection_.context_; }
std::string_view Exchange::peer() const { return connection_.peer_; }
TimePoint Exchange::received() const { return connection_.received_; }
Loop& Exchange::loop() const { return connection_.loop(); }
CancelToken Exchange::client_gone() const { return connection_.gone_.token(); }
bool Exchange::started() const { return connection_.started_; }
bool Exchange::ended() const { return connection_.ended_; }
std::uint64_t Exchange::bytes_written() const { return connection_.body_written_; }

Exchange::SendOp Exchange::respond(int status, std::span<const HttpHeader> headers,
                                   std::string_view body) {
  connection_.respond(status, headers, body);
  return {connection_, 0};
}
Exchange::SendOp Exchange::start(int status, std::span<const HttpHeader> headers) {
  connection_.start(status, headers);
  return {connection_, kHighWater};
}
Exchange::SendOp Exchange::write(std::string_view bytes) {
  connection_.write(bytes);
  return {connection_, kHighWater};
}
Exchange::SendOp Exchange::finish() {
  connection_.finish();
  return {connection_, 0};
}
void Exchange::abort() { connection_.abort(); }
void Exchange::reset() { connection_.reset(); }

bool Exchange::SendOp::await_ready() const noexcept {
  return connection_.failed() || connection_.unsent() <= room_;
}
void Exchange::SendOp::await_suspend(std::coroutine_handle<> awaiter) noexcept {
  handle = awaiter;
  connection_.senders_.push_back(*this);
}
Result<void> Exchange::SendOp::await_resume() const {
  switch (connection_.failure_) {
    case ServerConnection::Failure::kNone:
      return {};
    case ServerConnection::Failure::kTimeout:
      return Error{ErrorCode::kTimeout, "the client " + connection_.peer_ + " takes no more bytes"};
    case ServerConnection::Failure::kGone:
      break;
  }
  return Error{ErrorCode::kCancelled, "the client " + connection_.peer_ + " has gone"};
}

}  // namespace rung
