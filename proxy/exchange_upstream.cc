// Choose server, acquire a connection, forward, retry.
#include <charconv>

#include "http/grpc.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "routing/condition.h"

namespace albatross {

void Exchange::Try::cancel() {
  if (opening != nullptr) {
    Session* s = opening;
    opening = nullptr;
    x->worker_.pool().cancel(*s, *this);
  } else if (stream != nullptr) {
    Stream* s = stream;
    stream = nullptr;
    s->reset();
  }
}

void Exchange::cancel_tries() {
  to_client_.detach();
  for (int i = 0; i < attempts_; ++i) tries_[static_cast<std::size_t>(i)].cancel();
}

void Exchange::forward() {
  group_ = static_cast<int>(choose_group(*route_));
  GroupState& g = group();
  in_group_ = true;
  ++g.active;
  g.stats->in_flight_started.add();
  replayable_ = true;
  start_try(false);
}

std::uint32_t Exchange::choose_group(const Route& route) {
  if (route.one_target) return route.first_group;
  auto weight = [](const ForwardTarget& t) { return t.weight.load(std::memory_order_relaxed); };
  if (route.sticky != 0) {
    if (auto cookie = find_cookie(head_.fields, route.sticky_cookie)) {
      for (const ForwardTarget& t : route.targets) {
        if (weight(t) > 0 && *cookie == snapshot_->groups[t.group].group->name) return t.group;
      }
    }
    set_cookie_ = true;
  }
  std::uint64_t total = 0;
  for (const ForwardTarget& t : route.targets) total += weight(t);
  std::uint64_t at = worker_.random().below(total);
  for (const ForwardTarget& t : route.targets) {
    std::uint32_t w = weight(t);
    if (at < w) return t.group;
    at -= w;
  }
  return route.targets[0].group;  // every weight is zero: the first, as its servers may still be healthy
}

// What the hash schedulers go by. A request without it may go anywhere.
std::uint64_t Exchange::server_key() {
  const HashSource& by = group().group->hash;
  std::optional<std::string_view> text;
  switch (by.on) {
    case HashSource::On::kSourceIp: text = client_text_; break;
    case HashSource::On::kPath: text = head_.path; break;
    case HashSource::On::kCookie: text = find_cookie(head_.fields, by.name); break;
    case HashSource::On::kQuery:
      any_parameter(head_.query, by.name, [&text](std::string_view value) {
        text = value;
        return true;
      });
      break;
    case HashSource::On::kHeader:
      if (const Field* f = head_.fields.find(by.name)) text = f->value();
      break;
  }
  return text ? hash_key(*text) : worker_.random().next();
}

// The server that the client's cookie names, if it still takes requests.
int Exchange::sticky_server() {
  GroupState& g = group();
  wanted_ = -1;
  auto cookie = find_cookie(head_.fields, g.group->sticky.cookie);
  if (!cookie || cookie->size() != 16) return -1;
  std::uint64_t number = 0;
  if (std::from_chars(cookie->data(), cookie->data() + 16, number, 16).ptr != cookie->data() + 16) return -1;
  auto it = g.group->sticky.servers.find(number);
  if (it == g.group->sticky.servers.end()) return -1;
  wanted_ = it->second;
  return g.balancer.takes(wanted_, now()) ? wanted_ : -1;
}

void Exchange::judge(Try& t, bool failed) {
  GroupState& g = group();
  if (g.group->passive.failures == 0 || t.candidate < 0) return;
  if (!observe(g.group->passive, g.balancer.candidates(), static_cast<std::size_t>(t.candidate), failed, now())) return;
  g.stats->ejections.add();
  worker_.pool().retire_idle(*t.pool);
  worker_.event("server " + g.group->name + "/" + t.pool->slot->address + " is ejected: it failed " +
                std::to_string(g.group->passive.failures) + " requests in a row");
}

// The next server: not one already tried, unless there is no other.
int Exchange::choose_server() {
  GroupState& g = group();
  if (attempts_ == 1 && !g.group->sticky.cookie.empty()) {
    if (int i = sticky_server(); i >= 0) return i;
  }
  std::array<int, kMaxTries> tried;
  std::size_t n = 0;
  for (int k = 0; k < attempts_ - 1; ++k) tried[n++] = tries_[static_cast<std::size_t>(k)].candidate;
  Balancer::Ask ask;
  ask.now = now();
  ask.tried = {tried.data(), n};
  ask.fail_open = g.group->fail_open;
  if (g.group->balancing.scheduler == Scheduler::kHash) ask.key = server_key();
  return g.balancer.pick(ask);
}

// The server has done with this try, or this try with it.
void Exchange::leave_server(Try& t, bool moved) {
  if (!t.counted) return;
  t.counted = false;
  Nanos at = now();
  if (worker_.drains_servers()) {
    Worker::Left how = cut_ ? Worker::Left::kCut : going_away_ || moved ? Worker::Left::kMoved : Worker::Left::kFinished;
    worker_.left_server(*t.pool->slot, how, status_ == 101, grpc_);
  }
  group().balancer.ended(t.candidate, response_began_ > t.started ? response_began_ - t.started : 0, at);
}

void Exchange::start_try(bool fresh) {
  ++attempts_;
  Try& t = primary();
  t.opening = nullptr;
  t.stream = nullptr;
  t.reused = t.counted = false;
  t.started = now();
  t.connected = 0;
  phase_ = Phase::kConnect;
  t.candidate = choose_server();
  if (t.candidate < 0) {
    group().stats->no_server.add();
    --attempts_;
    return answer(Error{Cause::kNoServer, Source::kInternal, RetrySafety::kNever, 0, nullptr});
  }
  t.pool = group().pools[static_cast<std::size_t>(t.candidate)];
  t.counted = true;
  group().balancer.began(t.candidate);
  upstream_text_ = t.pool->slot->address;
  // Only what certainly still lives may carry what cannot be repeated.
  bool once_only = !is_idempotent(head_.method);
  Nanos since = once_only && t.started > kFreshEnough ? t.started - kFreshEnough : 0;
  Result<Session*> s = worker_.pool().acquire(*t.pool, t, fresh || head_.upgrade, since);
  if (!s) return try_failed(t, s.error());
  if ((*s)->opening()) {
    t.opening = *s;
    if (total_deadline_ != 0) arm(total_deadline_);
    return;
  }
  t.reused = true;
  try_connected(t, **s);
}

void Exchange::try_connected(Try& t, Session& s) {
  t.opening = nullptr;
  t.connected = now();
  if (!t.reused) connect_time_ = t.connected - t.started;
  if (head_.upgrade && !may_tunnel(s)) return;
  t.stream = &s.open_stream(t, head_.method, head_.upgrade);
  send_request(t);
}

// A websocket towards a server that speaks HTTP/2 needs RFC 8441 there. From a client that does, one towards HTTP/1.1
// needs a key.
bool Exchange::may_tunnel(Session& s) {
  if (s.multiplexes()) {
    if (s.takes_tunnels()) return true;
    answer(Error{Cause::kNotImplemented, Source::kUpstream, RetrySafety::kNever, 0, "the server takes no websockets over HTTP/2"});
    return false;
  }
  if (head_.version != Version::kHttp2 || made_key_) return true;
  made_key_ = true;
  char* key = arena_.bytes(kWebsocketKeySize);
  write_websocket_key(worker_.random().next(), worker_.random().next(), key);
  head_.fields.set(HeaderId::kSecWebsocketKey, "Sec-WebSocket-Key", {key, kWebsocketKeySize});
  return true;
}

// The server gets what is left of the client's patience.
void Exchange::pass_grpc_timeout() {
  char* text = arena_.bytes(kGrpcTimeoutSize);
  std::size_t n = write_grpc_timeout(grpc_deadline_ > now() ? grpc_deadline_ - now() : 0, text);
  head_.fields.set(HeaderId::kGrpcTimeout, "grpc-timeout", {text, n});
}

void Exchange::send_request(Try& t) {
  phase_ = Phase::kForward;
  if (grpc_deadline_ != 0) pass_grpc_timeout();
  Head out = head_;
  out.keep_alive = true;
  if (head_.expect_continue && !down_->in_done() && body_received_ == 0) {
    out.fields = Fields(arena_);
    for (const Field& f : head_.fields) {
      if (!f.removed) out.fields.add(f.id, f.name(), f.value());
    }
    out.fields.add(HeaderId::kExpect, "expect", "100-continue");
  }
  bool bodyless = out.body.kind == BodyLength::Kind::kNone ||
                  (out.body.kind == BodyLength::Kind::kLength && out.body.length == 0);
  t.stream->send_head(out, bodyless);
  if (!replay_.empty() && !head_.upgrade) {
    replay_.each([&t](std::string_view piece) { t.stream->send_data(piece); });
  }
  if (bodyless) {
    sent_end_ = true;
  } else if (request_done_) {
    sent_end_ = true;
    t.stream->send_end(has_trailers_ ? &trailers_ : nullptr);
  }
  // Over HTTP/2 a server can say that it has not touched a request (GOAWAY, REFUSED_STREAM), whatever the method.
  if (!t.stream->session().multiplexes() && (!t.reused || !is_idempotent(head_.method))) replayable_ = false;
  set_deadlines();
}

// ---- the request's body ----

void Exchange::on_data(Stream& s, std::string_view data) {
  body_received_ += data.size();
  if (phase_ == Phase::kTunnel) {
    arm(now() + route_->settings->timeouts.tunnel);
    if (primary().stream != nullptr) tunnel_data(*primary().stream, from_client_frames_, to_server_, data);
    return;
  }
  if (phase_ == Phase::kAnswered || phase_ == Phase::kOver) return;  // dropped; the connection closes after the answer
  if (head_.upgrade) {
    replay_.append(data);  // early bytes of a tunnel: the window bounds them, and they go when it is there
    return;
  }
  body_progress(data.size());
  if (route_ != nullptr && body_received_ > route_->settings->body_limit) {
    return answer(Error{Cause::kBodyTooLarge, Source::kDownstream, RetrySafety::kNever, 0, nullptr});
  }
  if (phase_ == Phase::kConnect) {
    keep_for_replay(data);
    if (replay_.size() < kReplay) s.consume(data.size());
    return;
  }
  Try& t = primary();
  if (t.stream == nullptr) return s.consume(data.size());
  if (replayable_) keep_for_replay(data);
  if (phase_ == Phase::kRespond || grpc_) response_deadline_ = now() + response_gap();
  to_server_.data(*t.stream, data);
}

void Exchange::keep_for_replay(std::string_view data) {
  if (phase_ != Phase::kConnect && replay_.size() + data.size() > kReplay) {
    replayable_ = false;
    return;
  }
  replay_.append(data);
}

void Exchange::on_end(Stream&, Fields* trailers) {
  request_done_ = true;
  if (phase_ == Phase::kTunnel) {
    if (primary().stream != nullptr) primary().stream->send_end(nullptr);
    return;
  }
  if (trailers != nullptr) {
    trailers_ = *trailers;
    has_trailers_ = true;
  }
  if ((phase_ == Phase::kForward || phase_ == Phase::kRespond) && primary().stream != nullptr && !sent_end_) {
    sent_end_ = true;
    primary().stream->send_end(has_trailers_ ? &trailers_ : nullptr);
  }
  body_deadline_ = 0;
  if (phase_ == Phase::kForward) set_deadlines();
}

void Exchange::request_sent(std::size_t bytes) {
  if (!replay_.empty() && !replayable_ && !head_.upgrade) replay_.clear();
  to_server_.sent(bytes);
  if (grpc_ && phase_ == Phase::kForward) response_deadline_ = now() + response_gap();
  if (phase_ == Phase::kForward && !request_done_ && !grpc_) body_deadline_ = now() + route_->settings->timeouts.request_body;
}

// ---- failure and the second try ----

bool Exchange::may_retry(const Try& t, const Error& error) {
  if (status_ != 0 || phase_ == Phase::kRespond || phase_ == Phase::kAnswered || phase_ == Phase::kOver ||
      !group().group->retries) {
    return false;
  }
  // What a server gave back unread, as its connection ends, does not count as a try.
  bool given_back = error.retry == RetrySafety::kSafe && t.connected != 0;
  if (attempts_ == kMaxTries || (!given_back && attempts_ - given_back_ >= kTries)) return false;
  bool safe = error.retry == RetrySafety::kSafe || error.retry == RetrySafety::kRefused ||
              (error.retry == RetrySafety::kOnlyIfReused && t.reused && is_idempotent(head_.method));
  bool body_at_hand = replay_.size() == body_received_;
  // Where no work was done, none is doubled: the budget is for the rest.
  if (body_at_hand && error.retry == RetrySafety::kSafe) {
    given_back_ += given_back;
    group().stats->retries.add();
    return true;
  }
  return safe && body_at_hand && take_retry_token();
}

// 20 % of the active requests, at least 10 a second (PRODUCT §2), per group and worker.
bool Exchange::take_retry_token() {
  GroupState& g = group();
  Nanos at = now();
  double cap = std::max(10.0, 0.2 * g.active);
  g.retry_tokens = std::min(cap, g.retry_tokens + static_cast<double>(at - g.tokens_at) / 1e9 * cap);
  g.tokens_at = at;
  if (g.retry_tokens < 1) {
    g.stats->retries_over_budget.add();
    return false;
  }
  g.retry_tokens -= 1;
  g.stats->retries.add();
  return true;
}

void Exchange::try_failed(Try& t, const Error& error) {
  if (&t != &primary() || phase_ == Phase::kOver) return;
  t.stream = nullptr;
  t.opening = nullptr;
  if (phase_ == Phase::kTunnel) return end_tunnel(error.cause == Cause::kNone);
  if (phase_ == Phase::kAnswered) return leave_server(t);
  if (t.connected == 0) connect_time_ = now() - t.started;
  // What it gave back as its connection ended says nothing about the server.
  if (error.source == Source::kUpstream && (t.connected == 0 || error.retry != RetrySafety::kSafe)) judge(t, true);
  if (may_retry(t, error)) {
    sent_end_ = false;
    leave_server(t, true);
    return start_try(true);
  }
  leave_server(t);
  answer(error);
}

}  // namespace albatross
