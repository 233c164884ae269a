// A doubly linked list whose links lie in its elements: no allocation, O(1) insertion and removal.
//
// An element derives from ListHook<T>, or from one ListHook<T, Tag> for each list that it can be in at once. The list
// never owns its elements: who owns one may destroy it while it is linked, and its hook takes it out. A list that is
// destroyed leaves its elements unlinked. One thread at a time, and the same for a list and all its elements.
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
  // Leaves the list that it is in, if any.
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

  // Knows its successor beforehand, so that the loop body may unlink or destroy the current element. It may not remove
  // the one after it. What is added behind the last element while that one is visited is not seen.
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
  // Only of a list that is not empty.
  T& front() { return *static_cast<T*>(head_.next_); }
  T& back() { return *static_cast<T*>(head_.prev_); }
  const T& front() const { return *static_cast<const T*>(head_.next_); }
  const T& back() const { return *static_cast<const T*>(head_.prev_); }

  // Only for elements that are in no list of this kind.
  void push_back(T& element) { insert(element, *head_.prev_, head_); }
  void push_front(T& element) { insert(element, head_, *head_.next_); }
  // Nothing if it is in no list. It need not be this list: an element does not know which one it is in.
  static void remove(T& element) { static_cast<Hook&>(element).unlink(); }
  static bool linked(const T& element) { return static_cast<const Hook&>(element).linked(); }

  // Moves all elements of `other`, in their order, behind those of this list. O(1).
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
