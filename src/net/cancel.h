#pragma once
// Cancelling: a CancelSource says once that an effort is no longer wanted; every pending operation
// that was given its token ends soon with kCancelled. Single-threaded: source, token and waiter
// belong to one loop.
//
//   CancelSource mine(client_gone);          // also cancelled when the client leaves
//   co_await pool.request(request, mine.token(), deadline);
//   mine.cancel();                           // elsewhere, on the same loop

#include "net/list.h"

namespace rung {

/// What an operation links into a token for as long as it is pending. `on_cancel` is called inside
/// cancel(): it must only note the fact and schedule its coroutine on the loop, never resume it
/// there and then.
class CancelWaiter : public ListNode {
 public:
  using Callback = void (*)(void* context);
  CancelWaiter(Callback on_cancel, void* context) : on_cancel_(on_cancel), context_(context) {}

 private:
  friend class CancelSource;
  Callback on_cancel_;
  void* context_;
};

class CancelSource;

/// A copyable view of a source; the default one is never cancelled. Must not be used after its
/// source is gone.
class CancelToken {
 public:
  CancelToken() = default;
  bool cancelled() const;
  /// Links `waiter` until it is called, unlinked or destroyed. Does nothing for the token that
  /// never fires; must not be called when cancelled() is already true.
  void subscribe(CancelWaiter& waiter) const;

 private:
  friend class CancelSource;
  explicit CancelToken(CancelSource* source) : source_(source) {}
  CancelSource* source_ = nullptr;
};

class CancelSource {
 public:
  CancelSource() : parent_link_(&CancelSource::parent_cancelled, this) {}
  /// Cancelled too when `parent` is; the parent's source must outlive this one.
  explicit CancelSource(CancelToken parent) : CancelSource() {
    if (parent.cancelled()) {
      cancelled_ = true;
    } else {
      parent.subscribe(parent_link_);
    }
  }
  CancelSource(const CancelSource&) = delete;
  CancelSource& operator=(const CancelSource&) = delete;

  CancelToken token() { return CancelToken(this); }
  bool cancelled() const { return cancelled_; }
  /// Idempotent.
  void cancel() {
    if (cancelled_) return;
    cancelled_ = true;
    while (!waiters_.empty()) {
      CancelWaiter& waiter = waiters_.front();
      waiter.unlink();
      waiter.on_cancel_(waiter.context_);
    }
  }
  /// Makes the source new again, for the next request of a connection. No token of before may be in
  /// use.
  void reset() { cancelled_ = false; }

 private:
  friend class CancelToken;
  static void parent_cancelled(void* self) { static_cast<CancelSource*>(self)->cancel(); }
  bool cancelled_ = false;
  List<CancelWaiter> waiters_;
  CancelWaiter parent_link_;
};

inline bool CancelToken::cancelled() const { return source_ != nullptr && source_->cancelled(); }
inline void CancelToken::subscribe(CancelWaiter& waiter) const {
  if (source_ != nullptr) source_->waiters_.push_back(waiter);
}

}  // namespace rung
