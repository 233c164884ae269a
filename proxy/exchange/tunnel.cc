#include "proxy/exchange/tunnel.h"

namespace albatross {

void WebSocketTunnel::send_going_away(Stream* client, Stream* server, Arena& arena) {
  char* text = arena.bytes(16);
  if (client != nullptr && from_server_.at_boundary() && !from_server_.closed() && !client->out_done()) {
    client->send_data({text, write_going_away(false, text)});
  }
  if (server != nullptr && from_client_.at_boundary() && !from_client_.closed() && !server->out_done()) {
    char* masked = text + 8;
    server->send_data({masked, write_going_away(true, masked)});
  }
}

}  // namespace albatross
