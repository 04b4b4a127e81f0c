#pragma once
// An intrusive list: nodes live inside their owners, so that linking allocates nothing and
// destruction unlinks. Single-threaded, as everything here that belongs to one event loop.

namespace rung {

class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }
  bool linked() const { return next_ != nullptr; }
  void unlink() {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    next_ = prev_ = nullptr;
  }

 private:
  template <class T>
  friend class List;
  ListNode* prev_ = nullptr;
  ListNode* next_ = nullptr;
};

/// A list of T, where T derives from ListNode. Does not own its nodes; a list that dies lets them
/// go.
template <class T>
class List {
 public:
  List() { head_.prev_ = head_.next_ = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!empty()) front().unlink();
    head_.prev_ = head_.next_ = nullptr;
  }
  bool empty() const { return head_.next_ == &head_; }
  T& front() { return *static_cast<T*>(head_.next_); }
  T& back() { return *static_cast<T*>(head_.prev_); }
  /// Puts `node` last; it must not be in a list.
  void push_back(T& node) { insert(*head_.prev_, node); }
  /// Moves all nodes of `other` to the end of this list.
  void take(List& other) {
    while (!other.empty()) {
      T& node = other.front();
      node.unlink();
      push_back(node);
    }
  }
  /// Calls visit(T&) for each node; `visit` may unlink the node it is given, and no other.
  template <class Visit>
  void for_each(Visit visit) {
    for (ListNode* at = head_.next_; at != &head_;) {
      ListNode* after = at->next_;
      visit(*static_cast<T*>(at));
      at = after;
    }
  }

 private:
  static void insert(ListNode& after, ListNode& node) {
    node.prev_ = &after;
    node.next_ = after.next_;
    after.next_->prev_ = &node;
    after.next_ = &node;
  }
  ListNode head_;
};

}  // namespace rung
