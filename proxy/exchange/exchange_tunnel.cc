// A request that became a WebSocket: bytes pass as they are, with frame boundaries watched.
#include "proxy/exchange/exchange.h"
#include "proxy/upstream/group.h"
#include "session/websocket_key.h"

namespace albatross {

// Each side has its own handshake where it speaks HTTP/2. False: the server's was wrong.
bool Exchange::complete_handshake(Head& head) {
  char accept[kWebsocketAcceptSize];
  write_websocket_accept(head_.fields.value(HeaderId::kSecWebsocketKey), accept);
  if (try_.stream()->connection().can().extended_connect) {
    if (!client_->can().extended_connect) {
      head.fields.set(HeaderId::kSecWebsocketAccept, "Sec-WebSocket-Accept", arena_.copy({accept, sizeof accept}));
    }
    return true;
  }
  return !made_key_ || head.fields.value(HeaderId::kSecWebsocketAccept) == std::string_view(accept, sizeof accept);
}

void Exchange::upgrade(Head& head) {
  const bool good = complete_handshake(head);
  judge(!good);
  if (!good) {
    return answer(upstream_error(Cause::kUpstreamMalformed, RetrySafety::kNever, "the websocket key was not accepted"));
  }
  phase_ = Phase::kTunnel;
  account_.upstream_status = account_.status = 101;
  try_.lease.answered();
  body_.set_replayable(false);
  Stream& server = *try_.stream();
  to_client_.attach(server);
  head.version = head_.version;
  down_->send_head(head, false);
  down_->start_tunnel();
  server.start_tunnel();
  body_.set_whole(down_->in_done());
  // What the client said on its tunnel before there was one.
  body_.flush_kept(server, arena_, [this](std::string_view bytes) { tunnel_.from_client().feed(bytes); });
  if (body_.whole()) server.send_end(nullptr);
  deadlines_.answered();
  deadlines_.one_try = 0;
  arm(now() + timeouts().tunnel);
  detach();
  if (client_->draining()) go_away();
}

void Exchange::pass(bool from_client, std::string_view data) {
  arm(now() + timeouts().tunnel);
  Stream* to = from_client ? try_.stream() : down_;
  if (to == nullptr) return;
  Pump& pump = from_client ? body_.pump() : to_client_;
  FrameTracker& frames = from_client ? tunnel_.from_client() : tunnel_.from_server();
  if (!WebSocketTunnel::pass(pump, *to, frames, data, told_)) return;
  // Our close frame follows the frame that was under way, in both directions.
  tunnel_.send_going_away(down_, try_.stream(), arena_);
  end_tunnel();
}

void Exchange::end_tunnel(bool clean) {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kAnswered;
  account_.response_ended = now();
  to_client_.detach();
  body_.detach();
  if (clean) try_.end_tunnel();
  cancel_try();
  if (down_ == nullptr) return finish();
  if (clean && down_->end_tunnel()) return;  // on_finished follows
  Stream* s = std::exchange(down_, nullptr);
  if (!clean) s->reset();
  finish();
}

}  // namespace albatross
