// Session-ticket keys that all workers and configurations of the process share (RFC 5077 §4): one encrypts, the last
// ones still decrypt. Rotated by the control thread; readers take a shared lock only during handshakes. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <shared_mutex>
#include <string>
#include <vector>

namespace albatross {

class TicketKeys {
 public:
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;  // AES-256-CBC
    std::array<unsigned char, 32> mac;     // HMAC-SHA-256
  };
  static constexpr std::size_t kKeep = 3;

  TicketKeys();
  ~TicketKeys();
  // A new key encrypts from now on; the oldest beyond kKeep is forgotten.
  void rotate();
  Key current() const;
  // For the process that takes over: the newest first.
  std::vector<Key> all() const;
  void replace(std::vector<Key> keys);
  // False if no kept key has that name. `renew`: it is not the current one.
  bool find(const unsigned char* name, Key& out, bool& renew) const;

 private:
  mutable std::shared_mutex lock_;
  std::vector<Key> keys_;  // newest first
};

}  // namespace albatross
