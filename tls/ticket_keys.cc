#include "tls/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

namespace albatross {

TicketKeys::TicketKeys() { rotate(); }

TicketKeys::~TicketKeys() {
  for (Key& k : keys_) OPENSSL_cleanse(&k, sizeof k);
}

void TicketKeys::rotate() {
  Key k;
  if (RAND_bytes(k.name.data(), 16) != 1 || RAND_priv_bytes(k.cipher.data(), 32) != 1 ||
      RAND_priv_bytes(k.mac.data(), 32) != 1) {
    std::abort();  // without randomness no key would be safe
  }
  std::unique_lock lock(lock_);
  keys_.insert(keys_.begin(), k);
  while (keys_.size() > kKeep) {
    OPENSSL_cleanse(&keys_.back(), sizeof(Key));
    keys_.pop_back();
  }
}

TicketKeys::Key TicketKeys::current() const {
  std::shared_lock lock(lock_);
  return keys_.front();
}

std::vector<TicketKeys::Key> TicketKeys::all() const {
  std::shared_lock lock(lock_);
  return keys_;
}

void TicketKeys::replace(std::vector<Key> keys) {
  if (keys.empty()) return;
  if (keys.size() > kKeep) keys.resize(kKeep);
  std::unique_lock lock(lock_);
  for (Key& k : keys_) OPENSSL_cleanse(&k, sizeof k);
  keys_ = std::move(keys);
}

bool TicketKeys::find(const unsigned char* name, Key& out, bool& renew) const {
  std::shared_lock lock(lock_);
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (std::memcmp(keys_[i].name.data(), name, 16) != 0) continue;
    out = keys_[i];
    renew = i > 0;
    return true;
  }
  return false;
}

}  // namespace albatross
