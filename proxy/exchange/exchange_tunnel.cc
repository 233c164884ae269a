// A request that became a WebSocket: bytes pass as they are, and frame boundaries are followed.
#include "proxy/exchange/exchange.h"
#include "session/websocket_key.h"

namespace albatross {

// Completes the handshake if one side speaks HTTP/2, which has no keys. False if the server's answer to our key is
// wrong.
bool Exchange::complete_handshake(Head& head) {
  char accept[kWebsocketAcceptSize];
  write_websocket_accept(r_.head.fields.value(HeaderId::kSecWebsocketKey), accept);
  if (server_.stream()->connection().can().extended_connect) {
    if (!r_.client->can().extended_connect) {
      head.fields.set(HeaderId::kSecWebsocketAccept, "Sec-WebSocket-Accept", r_.arena.copy({accept, sizeof accept}));
    }
    return true;
  }
  return !server_.made_key() ||
         head.fields.value(HeaderId::kSecWebsocketAccept) == std::string_view(accept, sizeof accept);
}

void Exchange::upgrade(Head& head) {
  const bool good = complete_handshake(head);
  server_.judge(!good);
  if (!good) {
    return answer(upstream_error(Cause::kUpstreamMalformed, RetrySafety::kNever, "the websocket key was not accepted"));
  }
  r_.phase = Phase::kTunnel;
  r_.account.upstream_status = r_.account.status = 101;
  server_.answered(101);
  server_.tunnel_opened();
  r_.body.set_replayable(false);
  Stream& server = *server_.stream();
  to_client_.attach(server);
  head.version = r_.head.version;
  r_.down->send_head(head, false);
  r_.down->start_tunnel();
  server.start_tunnel();
  r_.body.set_whole(r_.down->in_done());
  // Bytes that the client sent before the tunnel was open.
  r_.body.flush_kept(server, r_.arena, [this](std::string_view bytes) { tunnel_.from_client().feed(bytes); });
  if (r_.body.whole()) server.send_end(nullptr);
  r_.deadlines.answered();
  r_.deadlines.one_try = 0;
  r_.services.loop.set_timer(timer_, r_.now() + r_.timeouts().tunnel);
  detach();
  if (r_.client->draining()) go_away();
}

void Exchange::pass(bool from_client, std::string_view data) {
  r_.services.loop.set_timer(timer_, r_.now() + r_.timeouts().tunnel);
  Stream* to = from_client ? server_.stream() : r_.down;
  if (to == nullptr) return;
  Pump& pump = from_client ? r_.body.pump() : to_client_;
  FrameTracker& frames = from_client ? tunnel_.from_client() : tunnel_.from_server();
  if (!WebSocketTunnel::pass(pump, *to, frames, data, told_)) return;
  // Our close frame follows the frame that was under way, in both directions.
  tunnel_.send_going_away(r_.down, server_.stream(), r_.arena);
  end_tunnel(true);
}

void Exchange::end_tunnel(bool clean) {
  if (r_.phase == Phase::kOver) return;
  r_.phase = Phase::kAnswered;
  r_.account.response_ended = r_.now();
  to_client_.detach();
  r_.body.detach();
  if (clean) server_.end_tunnel();
  cancel_server();
  if (r_.down == nullptr) return finish();
  if (clean && r_.down->end_tunnel()) return;  // on_finished follows
  Stream* s = std::exchange(r_.down, nullptr);
  if (!clean) s->reset();
  finish();
}

}  // namespace albatross
