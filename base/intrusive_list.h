// A doubly linked list whose links are inside its elements: no allocation, O(1) insertion and removal.
//
// An element derives from ListHook<T>, or from one ListHook<T, Tag> for each list that it can be in at once. The list
// never owns its elements: the owner of an element may destroy it while it is linked, and its hook unlinks it. A list
// that is destroyed leaves its elements unlinked. A list and all its elements are used by one thread at a time.
#pragma once

#include <cassert>
#include <cstddef>
#include <iterator>

namespace albatross {

template <class T, class Tag>
class IntrusiveList;

template <class T, class Tag = void>
class ListHook {
 public:
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;

  bool linked() const { return next_ != nullptr; }
  // Removes it from the list that it is in, if any.
  void unlink() {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 protected:
  ListHook() = default;
  ~ListHook() { unlink(); }

 private:
  friend class IntrusiveList<T, Tag>;
  ListHook* prev_ = nullptr;
  ListHook* next_ = nullptr;  // null: in no list
};

template <class T, class Tag = void>
class IntrusiveList {
  using Hook = ListHook<T, Tag>;

  // Reads its successor beforehand, so the loop body may unlink or destroy the current element, but not the one after
  // it. An element that is added after the last one while that one is visited is not visited.
  template <class Element>
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = Element*;
    using reference = Element&;

    Iterator() = default;
    explicit Iterator(Hook* at) : at_(at), next_(at->next_) {}
    Element& operator*() const { return *static_cast<T*>(at_); }
    Element* operator->() const { return static_cast<T*>(at_); }
    Iterator& operator++() { return *this = Iterator(next_); }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    Hook* at_ = nullptr;
    Hook* next_ = nullptr;
  };

 public:
  IntrusiveList() { head_.prev_ = head_.next_ = &head_; }
  ~IntrusiveList() { clear(); }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return head_.next_ == &head_; }
  // The list must not be empty.
  T& front() { return *static_cast<T*>(head_.next_); }
  T& back() { return *static_cast<T*>(head_.prev_); }
  const T& front() const { return *static_cast<const T*>(head_.next_); }
  const T& back() const { return *static_cast<const T*>(head_.prev_); }

  // The element must not be in a list of this kind.
  void push_back(T& element) { insert(element, *head_.prev_, head_); }
  void push_front(T& element) { insert(element, head_, *head_.next_); }
  // Does nothing if the element is in no list. It need not be in this list: an element does not know which one it is
  // in.
  static void remove(T& element) { static_cast<Hook&>(element).unlink(); }
  static bool linked(const T& element) { return static_cast<const Hook&>(element).linked(); }

  // Moves all elements of `other`, in their order, to the end of this list. O(1).
  void splice_back(IntrusiveList& other) {
    if (other.empty()) return;
    Hook *first = other.head_.next_, *last = other.head_.prev_;
    other.head_.prev_ = other.head_.next_ = &other.head_;
    first->prev_ = head_.prev_;
    head_.prev_->next_ = first;
    last->next_ = &head_;
    head_.prev_ = last;
  }
  // Unlinks all elements.
  void clear() {
    while (!empty()) head_.next_->unlink();
  }

  using iterator = Iterator<T>;
  using const_iterator = Iterator<const T>;
  iterator begin() { return iterator(head_.next_); }
  iterator end() { return iterator(&head_); }
  const_iterator begin() const { return const_iterator(head_.next_); }
  const_iterator end() const { return const_iterator(const_cast<Hook*>(static_cast<const Hook*>(&head_))); }

 private:
  struct Head final : Hook {};

  static void insert(T& element, Hook& before, Hook& after) {
    Hook& hook = element;
    assert(!hook.linked());
    hook.prev_ = &before;
    hook.next_ = &after;
    before.next_ = &hook;
    after.prev_ = &hook;
  }

  Head head_;  // the list is a ring through it
};

}  // namespace albatross
