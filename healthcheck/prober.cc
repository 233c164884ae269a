#include "healthcheck/prober.h"

#include <sys/socket.h>

#include <cstring>

#include "healthcheck/health_state.h"

namespace albatross {

namespace {

// A length in the encoding of Protocol Buffers: seven bits a byte, the lowest first.
std::string varint(std::size_t n) {
  std::string out;
  for (; n > 0x7f; n >>= 7) out += static_cast<char>(0x80 | (n & 0x7f));
  return out + static_cast<char>(n);
}

}  // namespace

class Prober::Probe final : public Deferred, private ConnectionOwner, private StreamEvents {
 public:
  Probe(Prober& prober, ProbeTarget target) : prober_(prober), target_(std::move(target)), arena_(2048) {
    settings_.limits.head = 64 * 1024;
    state_.health = target_.slot->health.load();
    if (state_.health == Health::kUnknown && !target_.check.starts_healthy) {
      target_.slot->health.store(Health::kUnhealthy, std::memory_order_relaxed);
      target_.slot->last_failure = "not probed yet";
    }
    Nanos interval = config::nanos(target_.check.interval);
    next_ = loop().now() + prober_.random_.below(interval);
    // A new server is probed at once, because its health is unknown until then.
    in_step_ = state_.health == Health::kUnknown;
    if (in_step_) next_ = loop().now();
    loop().set_timer(timer_, next_);
  }
  ~Probe() override { abandon(); }

  void retarget(ProbeTarget target) { target_ = std::move(target); }
  void abandon() {
    running_ = false;
    loop().cancel_timer(timer_);
    if (session_ != nullptr) session_->close_idle();
  }

 private:
  Loop& loop() { return prober_.context_.loop(); }

  void on_timer() {
    if (running_) return finish(false, "timeout after " + std::to_string(target_.check.timeout->count()) + " ms");
    start(0);
  }

  void start(std::size_t address) {
    running_ = true;
    address_ = address;
    ++prober_.sent_;
    started_ = loop().now();
    loop().set_timer(timer_, started_ + config::nanos(target_.check.timeout));
    if (target_.addresses.empty()) return finish(false, "no address");
    SocketAddress to = target_.addresses[address_];
    if (target_.check.port.value != 0 && to.family() != AF_UNIX) to = SocketAddress::tcp(to.ip(), target_.check.port);
    int fd = start_connect(to);
    if (fd < 0) return finish(false, std::string("connect: ") + std::strerror(-fd));
    bool asks = target_.check.protocol.value != config::HealthCheck::Protocol::kTcp;
    settings_.wire = target_.h2 && asks ? Wire::kHttp2 : Wire::kHttp1;
    session_ = new Session(prober_.context_, *this, Role::kClient, settings_);
    std::unique_ptr<Transport> t;
    using P = config::HealthCheck::Protocol;
    const bool secure = *target_.check.protocol == P::kHttps || *target_.check.protocol == P::kGrpc;
    if (secure && target_.tls) {
      t = target_.tls->connect(loop(), *session_, fd);
    } else {
      t = std::make_unique<TcpTransport>(loop(), *session_, fd, true);
    }
    session_->start(std::move(t), 0);
  }

  void finish(bool ok, const std::string& why) {
    running_ = false;
    if (session_ != nullptr) {
      std::exchange(session_, nullptr)->close_idle();
    }
    arena_.reset();
    if (!ok) target_.slot->last_failure = why;
    const config::HealthCheck& c = target_.check;
    if (state_.observe(ok, c.healthy_threshold, c.unhealthy_threshold)) {
      if (state_.health == Health::kHealthy && target_.slot->changed_at != 0) {
        target_.slot->slow_since.store(loop().now(), std::memory_order_relaxed);
      }
      target_.slot->changed_at = loop().wall();
      target_.slot->health.store(state_.health, std::memory_order_relaxed);
      prober_.on_change_(*target_.slot, state_.health);
    }
    Nanos interval = config::nanos(state_.in_a_row > 0 && c.doubt_interval ? *c.doubt_interval : c.interval);
    Nanos jitter = interval / 5;
    Nanos after = interval - jitter / 2 + prober_.random_.below(jitter + 1);
    if (in_step_) after = prober_.random_.below(interval);  // spreads the servers that were new at the same time
    in_step_ = false;
    next_ = std::max(started_ + after, loop().now() + kMilli);
    loop().set_timer(timer_, next_);
  }

  // ConnectionOwner
  void on_new_stream(Connection&, Stream&) override {}
  void on_idle(Connection& c) override { c.close_idle(); }
  void on_open(Connection& connection) override {
    if (target_.check.protocol.value == config::HealthCheck::Protocol::kTcp) return finish(true, {});
    if (*target_.check.protocol == config::HealthCheck::Protocol::kGrpc) return ask_grpc(connection);
    const config::HealthCheck& c = target_.check;
    Head h;
    h.fields = Fields(arena_);
    h.method_text = *c.method;
    h.method = method_of(h.method_text);
    h.path = *c.path;
    if (std::size_t mark = h.path.find('?'); mark != std::string_view::npos) {
      h.query = h.path.substr(mark + 1);
      h.has_query = true;
      h.path = h.path.substr(0, mark);
    }
    h.authority = c.host->empty() ? target_.host : *c.host;
    h.scheme = target_.tls ? "https" : "http";
    h.keep_alive = false;
    h.fields.add(HeaderId::kUserAgent, "User-Agent", "albatross-health");
    Stream& stream = connection.open_stream(*this, h.method, false);
    stream.send_head(h, true);
  }
  // grpc.health.v1.Health/Check: one message, {string service = 1}.
  void ask_grpc(Connection& c) {
    const std::string& service = *target_.check.service;
    std::string message;
    if (!service.empty()) message = "\x0a" + varint(service.size()) + service;
    request_.assign(1, 0);  // not compressed
    for (int shift = 24; shift >= 0; shift -= 8) request_ += static_cast<char>(message.size() >> shift);
    request_ += message;
    answer_.clear();
    grpc_status_.clear();
    Head h;
    h.fields = Fields(arena_);
    h.method_text = "POST";
    h.method = Method::kPost;
    h.path = "/grpc.health.v1.Health/Check";
    h.authority = target_.check.host->empty() ? target_.host : *target_.check.host;
    h.scheme = target_.tls ? "https" : "http";
    h.body = {BodyLength::Kind::kChunked, 0};
    h.fields.add(HeaderId::kContentType, "Content-Type", "application/grpc");
    h.fields.add(HeaderId::kTe, "te", "trailers");
    h.fields.add(HeaderId::kUserAgent, "User-Agent", "albatross-health");
    Stream& stream = c.open_stream(*this, h.method, false);
    stream.send_head(h, false);
    stream.send_data(request_);
    stream.send_end(nullptr);
  }
  // {ServingStatus status = 1}: 1 is SERVING; a field that is left out is 0.
  void judge_grpc() {
    static const char* const kNames[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    if (grpc_status_ == "12") {
      return finish(false,
                    "grpc-status 12: the server does not implement grpc.health.v1; register its health service, "
                    "or write health_check: {protocol: tcp}");
    }
    if (grpc_status_ != "0") return finish(false, "grpc-status " + (grpc_status_.empty() ? "missing" : grpc_status_));
    if (answer_.size() < 5 || answer_[0] != 0) return finish(false, "the answer is no gRPC message");
    std::size_t state = answer_.size() >= 7 && answer_[5] == 8 ? static_cast<unsigned char>(answer_[6]) : 0;
    if (state == 1) return finish(true, {});
    finish(false, state < 4 ? kNames[state] : "status " + std::to_string(state));
  }

  void on_closed(Connection& c, const Error& error) override {
    loop().destroy_later(std::unique_ptr<Deferred>(&c));
    if (session_ != &c) return;
    session_ = nullptr;
    if (!running_) return;
    if (error.cause == Cause::kConnectRefused && address_ + 1 < target_.addresses.size()) return start(address_ + 1);
    std::string why(info(error.cause == Cause::kNone ? Cause::kUpstreamClosed : error.cause).detail);
    if (error.system != 0 && error.cause != Cause::kConnectRefused)
      why += std::string(": ") + std::strerror(error.system);
    if (error.detail != nullptr) why += std::string(": ") + error.detail;
    finish(false, why);
  }

  // StreamEvents
  Arena& arena() override { return arena_; }
  void on_head(Stream&, Head& head, bool end) override {
    if (head.status < 200) return;
    if (*target_.check.protocol == config::HealthCheck::Protocol::kGrpc) {
      if (head.status != 200) return finish(false, "status " + std::to_string(head.status));
      grpc_status_ = head.fields.value(HeaderId::kGrpcStatus);
      if (end) judge_grpc();
      return;
    }
    for (auto [low, high] : target_.check.codes) {
      if (head.status >= low && head.status <= high) return finish(true, {});
    }
    finish(false, "status " + std::to_string(head.status));
  }
  void on_data(Stream& s, std::string_view data) override {
    if (answer_.size() < 64) answer_.append(data.substr(0, 64));
    s.consume(data.size());
  }
  void on_end(Stream&, Fields* trailers) override {
    if (!running_ || *target_.check.protocol != config::HealthCheck::Protocol::kGrpc) return;
    if (trailers != nullptr) grpc_status_ = trailers->value(HeaderId::kGrpcStatus);
    judge_grpc();
  }
  void on_refused(Stream&, Cause, const char*) override {}
  void on_reset(Stream&, const Error& error) override {
    if (running_ && target_.h2)
      finish(false, std::string(info(error.cause == Cause::kNone ? Cause::kUpstreamReset : error.cause).detail));
  }
  void on_sent(Stream&, std::size_t) override {}
  void on_finished(Stream&) override {}

  Prober& prober_;
  ProbeTarget target_;
  HealthState state_;
  Arena arena_;
  SessionSettings settings_;
  std::string request_, answer_, grpc_status_;  // of a gRPC probe
  Session* session_ = nullptr;
  std::size_t address_ = 0;
  bool running_ = false;
  bool in_step_ = false;  // its first probe was sent at once
  Nanos started_ = 0;
  Nanos next_ = 0;
  MemberTimer<Probe, &Probe::on_timer> timer_{this};
};

Prober::Prober(SessionContext& context, OnChange on_change) : context_(context), on_change_(std::move(on_change)) {}
Prober::~Prober() = default;

void Prober::update(const std::string& group, std::vector<ProbeTarget> targets) {
  Probes& now = probes_[group];
  Probes kept;
  for (ProbeTarget& t : targets) {
    ServerSlot* slot = t.slot.get();
    auto it = now.find(slot);
    if (it != now.end()) {
      it->second->retarget(std::move(t));
      kept[slot] = std::move(it->second);
      now.erase(it);
    } else {
      kept[slot] = std::make_unique<Probe>(*this, std::move(t));
    }
  }
  for (auto& [slot, probe] : now) {
    // Without a check the health is not known any more.
    slot->health.store(Health::kUnknown, std::memory_order_relaxed);
    probe->abandon();
    context_.loop().destroy_later(std::move(probe));
  }
  now = std::move(kept);
}

void Prober::keep_groups(const std::set<std::string>& groups) {
  for (auto& [group, probes] : probes_) {
    if (!groups.contains(group)) update(group, {});
  }
  std::erase_if(probes_, [&groups](const auto& entry) { return !groups.contains(entry.first); });
}

}  // namespace albatross
