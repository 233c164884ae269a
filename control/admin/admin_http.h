// One connection to the admin API: reads requests and answers them. It owns itself until it closes; control thread.
// Internal to control/admin.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <string>
#include <vector>

#include "process/control.h"

namespace albatross {

struct AdminSettings {
  std::string token;               // a write over TCP must carry it; empty: no writes over TCP
  std::vector<std::string> hosts;  // names that Host may have over TCP, besides addresses and localhost
};

void serve_admin(Control& control, const AdminSettings& settings, boost::asio::local::stream_protocol::socket socket);
void serve_admin(Control& control, const AdminSettings& settings, boost::asio::ip::tcp::socket socket);

}  // namespace albatross
