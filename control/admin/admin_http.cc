#include "control/admin/admin_http.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/siphash.h"
#include "control/admin/metrics.h"
#include "control/admin/preview.h"
#include "control/admin/rollouts.h"
#include "control/admin/status.h"
#include "control/admin/verbs.h"
#include "http/uri.h"

namespace albatross {
namespace {

namespace http = boost::beast::http;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

std::string error_json(const std::string& text) { return nlohmann::json{{"error", text}}.dump() + "\n"; }

// A web page that makes a browser connect here by DNS rebinding sends its own name as Host, not our address.
bool host_is_ours(std::string_view host, const std::vector<std::string>& names) {
  std::string_view h = host_of(host);
  if (equals_ignore_case(h, "localhost")) return true;
  for (const std::string& name : names) {
    if (equals_ignore_case(h, name)) return true;
  }
  if (!h.empty() && h.front() == '[') h = h.substr(1, h.size() - 2);
  return IpAddress::parse(h).has_value();
}

bool token_matches(std::string_view given, const std::string& token) {
  constexpr std::string_view kBearer = "Bearer ";
  if (token.empty() || given.substr(0, kBearer.size()) != kBearer) return false;
  given.remove_prefix(kBearer.size());
  return equal_in_constant_time(given, token);
}

std::string_view view(boost::beast::string_view v) { return {v.data(), v.size()}; }

template <class Socket>
class AdminConnection : public std::enable_shared_from_this<AdminConnection<Socket>> {
 public:
  AdminConnection(Control& control, const AdminSettings& settings, Socket socket)
      : control_(control), settings_(settings), socket_(std::move(socket)), timer_(control.io()) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(16 * 1024);
    parser_->body_limit(1024 * 1024);
    deadline(std::chrono::seconds(30));
    http::async_read(socket_, buffer_, *parser_,
                     [self = this->shared_from_this()](boost::system::error_code ec, std::size_t) {
                       if (ec) return self->close();
                       self->timer_.cancel();
                       self->answer(self->parser_->get());
                     });
  }

 private:
  void deadline(std::chrono::seconds after) {
    timer_.expires_after(after);
    timer_.async_wait([weak = this->weak_from_this()](boost::system::error_code ec) {
      if (auto self = weak.lock(); self && !ec) self->close();
    });
  }

  void close() {
    timer_.cancel();
    boost::system::error_code ignored;  // closing anyway
    socket_.close(ignored);
  }

  void respond(http::status status, const char* type, std::string body) {
    const Request& request = parser_->get();
    response_ = Response(status, request.version());
    response_.set(http::field::content_type, type);
    response_.set(http::field::cache_control, "no-store");
    if (status == http::status::unauthorized) response_.set(http::field::www_authenticate, "Bearer");
    response_.keep_alive(request.keep_alive());
    response_.body() = std::move(body);
    response_.prepare_payload();
    if (request.method() == http::verb::head) response_.body().clear();
    deadline(std::chrono::seconds(30));
    http::async_write(socket_, response_, [self = this->shared_from_this()](boost::system::error_code ec, std::size_t) {
      if (self->sent_) std::exchange(self->sent_, nullptr)();
      if (ec || !self->response_.keep_alive()) return self->close();
      self->read();
    });
  }

  void refuse(http::status status, const std::string& why) { respond(status, "application/json", error_json(why)); }

  static constexpr bool kIsTcp = std::is_same_v<Socket, boost::asio::ip::tcp::socket>;

  // Refuses a request that a TCP peer may not make. False if the request is allowed.
  bool refused(const Request& request, bool write) {
    if (!kIsTcp) return false;
    const auto no = [this](http::status status, const std::string& why) {
      refuse(status, why);
      return true;
    };
    const std::string host(view(request[http::field::host]).substr(0, 128));
    if (!host_is_ours(host, settings_.hosts)) {
      return no(http::status::forbidden,
                "the Host \"" + host + "\" is not an address, not localhost and not in admin.hosts");
    }
    if (!write) return false;
    if (request.count(http::field::origin) > 0)
      return no(http::status::forbidden, "requests from web pages are refused");
    if (settings_.token.empty()) {
      return no(http::status::forbidden, "writes over TCP need admin.token in the configuration");
    }
    if (request.count(http::field::authorization) == 0) {
      return no(http::status::unauthorized,
                "writes over TCP need a token: --token or ALBATROSS_ADMIN_TOKEN, or `Authorization: Bearer TOKEN`");
    }
    if (token_matches(view(request[http::field::authorization]), settings_.token)) return false;
    return no(http::status::forbidden, "the token differs from admin.token in the configuration");
  }

  void answer(const Request& request) {
    bool read_only = request.method() == http::verb::get || request.method() == http::verb::head;
    if (refused(request, !read_only)) return;
    std::string_view target = view(request.target());
    target = target.substr(0, target.find('?'));
    if (target == "/v1/reload") {
      if (request.method() != http::verb::post)
        return refuse(http::status::method_not_allowed, "the method must be POST");
      if (request.target().ends_with("?dry_run")) return preview();
      control_.reload([self = this->shared_from_this()](const ReloadResult& r) {
        nlohmann::json out{{"ok", r.ok},
                           {"message", r.message},
                           {"diagnostics", nlohmann::json::parse(r.diagnostics, nullptr, false)}};
        self->respond(r.ok ? http::status::ok : http::status::unprocessable_entity, "application/json",
                      out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
      });
      return;
    }
    if (request.method() == http::verb::post) {
      std::string whole(request.target().data(), request.target().size());
      bool known = run_verb(control_, whole, request.body(), [self = this->shared_from_this()](ControlReply r) {
        self->sent_ = std::move(r.sent);
        self->respond(static_cast<http::status>(r.status), "application/json", std::move(r.body));
      });
      if (known) return;
      if (target == "/v1/take-over") return hand_over();
    }
    if (!read_only)
      return refuse(http::status::not_found,
                    "no such path for POST; there are /v1/reload, /v1/explain, /v1/drain, "
                    "/v1/listeners/LISTENER/{drain,undrain}, "
                    "/v1/server_groups/GROUP/servers/ADDRESS/{weight,drain,undrain} and "
                    "/v1/listeners/LISTENER/rules/RULE/{weights,rollout/{start,pause,promote,abort,undo}}");
    if (target == "/health") {
      bool up = !control_.view().draining;
      return respond(up ? http::status::ok : http::status::service_unavailable, "text/plain",
                     up ? "ok\n" : "draining\n");
    }
    if (target == "/metrics")
      return respond(http::status::ok, "text/plain; version=0.0.4; charset=utf-8", metrics_text(control_));
    if (target == "/v1/status") return respond(http::status::ok, "application/json", status_json(control_));
    if (target == "/v1/rollouts") {
      return respond(
          http::status::ok, "application/json",
          rollouts_json(control_, false).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    }
    if (target == "/v1/journal") return respond(http::status::ok, "application/json", journal_json(control_));
    std::vector<std::string> path = path_segments(target);
    if (path.size() > 1 && path[0] == "v1") {
      path.erase(path.begin());
      if (std::string part = status_part(control_, path); !part.empty())
        return respond(http::status::ok, "application/json", std::move(part));
    }
    refuse(http::status::not_found,
           "no such path; there are /v1/status, /v1/listeners, /v1/server_groups, /v1/rollouts, /v1/journal, "
           "/v1/reload, /metrics "
           "and /health");
  }

  void preview() {
    const auto reply = std::make_shared<ControlReply>();
    const std::string why = control_.preview(
        [reply](const config::Config& now, const ConfigSource::Read& next) { *reply = compare(now, next); },
        [self = this->shared_from_this(), reply] {
          self->respond(static_cast<http::status>(reply->status), "application/json", std::move(reply->body));
        });
    if (!why.empty()) refuse(http::status::conflict, why);
  }

  // After the 101 the socket speaks the protocol of process/hand_over.h.
  void hand_over() {
    if constexpr (std::is_same_v<Socket, boost::asio::local::stream_protocol::socket>) {
      response_ = Response(http::status::switching_protocols, 11);
      response_.set(http::field::connection, "upgrade");
      response_.set(http::field::upgrade, "albatross-take-over");
      http::async_write(socket_, response_,
                        [self = this->shared_from_this()](boost::system::error_code ec, std::size_t) {
                          self->timer_.cancel();
                          if (ec) return self->close();
                          self->control_.hand_over(self->socket_.release());
                        });
    } else {
      refuse(http::status::forbidden, "a take-over needs a unix socket");
    }
  }

  Control& control_;
  AdminSettings settings_;
  Socket socket_;
  boost::asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  Response response_;
  std::function<void()> sent_;
};

}  // namespace

void serve_admin(Control& control, const AdminSettings& settings, boost::asio::local::stream_protocol::socket socket) {
  std::make_shared<AdminConnection<boost::asio::local::stream_protocol::socket>>(control, settings, std::move(socket))
      ->read();
}

void serve_admin(Control& control, const AdminSettings& settings, boost::asio::ip::tcp::socket socket) {
  std::make_shared<AdminConnection<boost::asio::ip::tcp::socket>>(control, settings, std::move(socket))->read();
}

}  // namespace albatross
