#include "cli/admin_client.h"

#include <unistd.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "config/load.h"
#include "control/admin/admin_address.h"

namespace albatross::cli {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

template <class Socket>
AdminReply exchange(Socket& socket, const std::string& host, const std::string& token, const std::string& method,
                    const std::string& target, const std::string& body) {
  http::request<http::string_body> request(method == "POST" ? http::verb::post : http::verb::get, target, 11);
  request.set(http::field::host, host);
  request.keep_alive(false);
  if (!token.empty()) request.set(http::field::authorization, "Bearer " + token);
  request.body() = body;
  request.prepare_payload();
  boost::system::error_code ec;
  http::write(socket, request, ec);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(64 * 1024 * 1024);
  if (!ec) http::read(socket, buffer, parser, ec);
  if (ec) return {0, "", ec.message()};
  return {static_cast<int>(parser.get().result_int()), parser.get().body(), ""};
}

AdminReply not_reached(const std::string& text, const boost::system::error_code& ec) {
  const bool refused = ec == boost::system::errc::permission_denied;
  return {0, "",
          text + ": " + ec.message() +
              (refused ? ": run the command as the user that runs albatross, or as root"
                       : " (is albatross running? --admin, -c FILE or ALBATROSS_ADMIN name another address)")};
}

// The default socket of a process of this machine: the first that exists.
std::string default_place() {
  const std::vector<std::string> paths = default_admin_paths();
  for (const std::string& path : paths) {
    if (::access(path.c_str(), F_OK) == 0) return "unix:" + path;
  }
  return "unix:" + paths[0];
}

// The address and the token of the API of the process that runs this file. On failure sets `error`.
AdminTarget place_of(const std::string& file, std::string& error) {
  auto source = config::read_source(file, error);
  if (!source) return {};
  config::Diagnostics out(file, source->text);
  const config::Config config = config::load(*source, out);
  if (!out.ok()) {
    error = file + ": has errors: see albatross check " + file;
    return {};
  }
  if (config.admin.off) error = file + ": admin is off";
  AdminTarget to;
  to.token = *config.admin.token;
  for (const config::Bind& bind : config.admin.binds) {
    const bool is_unix = bind.kind == config::Bind::Kind::kUnix;
    const bool everywhere = bind.host.empty() || bind.host == "0.0.0.0" || bind.host == "::";
    if (is_unix || to.address.empty()) {
      to.address = is_unix ? "unix:" + bind.host : everywhere ? "127.0.0.1:" + std::to_string(bind.port) : bind.text;
    }
    if (is_unix) break;
  }
  return to;
}

}  // namespace

std::string error_text(const AdminReply& reply) {
  if (reply.status == 0) return reply.error;
  const nlohmann::json body = nlohmann::json::parse(reply.body, nullptr, false);
  if (body.is_object() && body.contains("error") && body["error"].is_string()) return body["error"];
  return "the admin API answered with status " + std::to_string(reply.status);
}

AdminReply ask_admin(const AdminTarget& given, const std::string& method, const std::string& target,
                     const std::string& body) {
  config::Bind at;
  AdminTarget to = given;
  if (!given.config.empty() && given.address.empty()) {
    std::string error;
    to = place_of(given.config, error);
    if (!error.empty()) return {0, "", error};
    if (!given.token.empty()) to.token = given.token;
  }
  const char* environment = std::getenv("ALBATROSS_ADMIN");
  if (to.address.empty() && given.config.empty() && environment != nullptr) to.address = environment;
  const std::string text = to.address.empty() ? default_place() : to.address;
  if (!parse_admin_address(text, at, true)) {
    return {0, "", text + " is not an address of an admin API: write unix:/path, 127.0.0.1:9900 or lb.internal:9900"};
  }
  asio::io_context io;
  boost::system::error_code ec;
  if (at.kind == config::Bind::Kind::kUnix) {
    asio::local::stream_protocol::socket socket(io);
    socket.connect(asio::local::stream_protocol::endpoint(at.host), ec);
    if (ec) return not_reached(text, ec);
    return exchange(socket, "localhost", to.token, method, target, body);
  }
  asio::ip::tcp::socket socket(io);
  const auto found = asio::ip::tcp::resolver(io).resolve(at.host, std::to_string(at.port), ec);
  if (!ec) asio::connect(socket, found, ec);
  if (ec) return not_reached(text, ec);
  return exchange(socket, text, to.token, method, target, body);
}

}  // namespace albatross::cli
