// The keys of session tickets (RFC 5077 §4), shared by all workers and configurations of the process. The newest one
// encrypts, older ones still decrypt. The control thread rotates them; handshakes read them under a shared lock. Any
// thread.
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
  static constexpr std::size_t kKeep = 3;  // keys that are kept

  TicketKeys();   // with one key, from the kernel's random numbers
  ~TicketKeys();  // wipes the keys
  // Makes a new key, which encrypts from now on, and forgets the oldest if there are more than kKeep.
  void rotate();
  Key current() const;
  // The newest first. For the process that takes over, which calls replace().
  std::vector<Key> all() const;
  void replace(std::vector<Key> keys);
  // The key of that name (16 bytes), or false. `renew`: it is not the current one, so the client should get a new
  // ticket.
  bool find(const unsigned char* name, Key& out, bool& renew) const;

 private:
  mutable std::shared_mutex lock_;
  std::vector<Key> keys_;  // newest first
};

}  // namespace albatross
