#include "cli/admin_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "control/admin/admin.h"

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
              (refused ? ": run it as the user who runs albatross, or as root"
                       : " (is albatross running? --admin names another address)")};
}

}  // namespace

AdminReply ask_admin(const AdminTarget& to, const std::string& method, const std::string& target,
                     const std::string& body) {
  config::Bind at;
  std::string text = to.address.empty() ? "unix:" + default_admin_path() : to.address;
  if (!parse_admin_address(text, at)) return {0, "", text + ": write unix:/path or 127.0.0.1:9900"};
  asio::io_context io;
  boost::system::error_code ec;
  if (at.kind == config::Bind::Kind::kUnix) {
    asio::local::stream_protocol::socket socket(io);
    socket.connect(asio::local::stream_protocol::endpoint(at.host), ec);
    if (ec) return not_reached(text, ec);
    return exchange(socket, "localhost", to.token, method, target, body);
  }
  asio::ip::tcp::socket socket(io);
  socket.connect({asio::ip::make_address(at.host == "localhost" ? "127.0.0.1" : at.host), at.port}, ec);
  if (ec) return not_reached(text, ec);
  return exchange(socket, text, to.token, method, target, body);
}

}  // namespace albatross::cli
