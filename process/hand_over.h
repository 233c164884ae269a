// The data that a process hands to the one that takes over from it: listening sockets, ticket keys, overrides of
// operators, the health of servers. A value, sent as one message over a connected unix stream socket, with the
// descriptors as SCM_RIGHTS. The functions block, for at most kPatience seconds a step. Control thread.
//
//   old:  send(HandOver)            new:  receive(HandOver), serves
//   old:  waits for kReady          new:  says kReady
//   old:  leaves its sockets, says kLeft, drains and exits
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "net/listen.h"
#include "process/overrides.h"
#include "tls/ticket_keys.h"

namespace albatross {

struct HandOver {
  struct Listener {
    std::string name;
    std::string wanted;  // the configured address, with which the other process finds it
    std::vector<ListenSocket> sockets;
  };
  std::vector<Listener> listeners;
  std::vector<TicketKeys::Key> ticket_keys;
  Overrides overrides;
  std::map<Overrides::Key, Health> health;  // by group and address
  std::string rollouts;                     // as JSON

  static constexpr char kReady = 'r';
  static constexpr char kLeft = 'l';
  static constexpr int kPatience = 10;  // seconds for each step
};

// Sends a HandOver. False on failure, and `error` says why.
bool send(int fd, const HandOver& what, std::string& error);
// Receives a HandOver. The caller owns the descriptors.
bool receive(int fd, HandOver& out, std::string& error);
// Sends one byte, or waits for that byte.
bool say(int fd, char what, std::string& error);
bool await(int fd, char what, std::string& error);

}  // namespace albatross
