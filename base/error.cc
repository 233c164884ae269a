#include "base/error.h"

#include <array>

namespace albatross {
namespace {
constexpr std::array<CauseInfo, static_cast<std::size_t>(Cause::kCount)> kTable = {{
    {"", "", 0, 0},
    {"malformed_request", "the request is malformed", 400, 13},
    {"target_too_long", "the request target is too long", 414, 8},
    {"head_too_large", "the request head is too large", 431, 8},
    {"body_too_large", "the request body is larger than this route allows", 413, 8},
    {"head_timeout", "the request head did not arrive in time", 408, 4},
    {"body_timeout", "the request body arrived too slowly", 408, 4},
    {"client_left", "the client closed the connection", 499, 1},
    {"send_timeout", "the client read nothing for too long", 0, 4},
    {"tunnel_timeout", "the tunnel was idle for too long", 0, 4},
    {"idle_timeout", "the connection was idle", 0, 4},
    {"handshake_failed", "the TLS handshake failed", 0, 14},
    {"clear_text", "the request is plain HTTP, but this port expects HTTPS: use https://", 400, 13},
    {"expectation_failed", "the expectation is not supported", 417, 12},
    {"misdirected", "this connection does not serve that host", 421, 12},
    {"unsupported_version", "the HTTP version is not supported", 505, 12},
    {"not_implemented", "the request needs a feature that is not implemented", 501, 12},
    {"loop", "the request has passed this proxy too many times", 463, 9},
    {"protocol_error", "the connection broke a rule of HTTP/2", 400, 13},
    {"flood", "the connection sent too many resets, control frames, empty frames or header bytes", 400, 8},
    {"no_rule", "no rule matches the request", 404, 12},
    {"bad_path", "the request path is not allowed", 400, 13},
    {"no_server", "no server is available", 503, 14},
    {"over_limit", "a limit is reached", 503, 14},
    {"queue_timeout", "the request waited too long for a server", 503, 14},
    {"circuit_open", "the circuit breaker of the server group is open", 503, 14},
    {"no_ports", "no local port is left for a connection to the server", 503, 14},
    {"overload", "the proxy is short of memory or descriptors", 503, 14},
    {"drain_cut", "the drain deadline cut the request", 500, 14},
    {"total_timeout", "the exchange took too long", 504, 4},
    {"internal", "the proxy failed", 500, 13},
    {"connect_refused", "the server refused the connection", 502, 14},
    {"connect_failed", "the server could not be reached", 502, 14},
    {"connect_timeout", "connecting to the server took too long", 504, 14},
    {"upstream_tls", "the TLS handshake with the server failed", 502, 14},
    {"upstream_closed", "the server closed the connection before it answered", 502, 14},
    {"upstream_reset", "the server reset the connection", 502, 14},
    {"upstream_malformed", "the server sent a malformed response", 502, 13},
    {"upstream_truncated", "the server's response was cut short", 502, 13},
    {"response_timeout", "the server did not answer in time", 504, 4},
}};
}  // namespace

const CauseInfo& info(Cause cause) { return kTable[static_cast<std::size_t>(cause)]; }

}  // namespace albatross
