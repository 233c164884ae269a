#include "sample.h"

#include <nlohmann/json.hpp>
#include <sstream>

namespace albatross::config::test {
namespace {

std::string indent(const std::string& text, std::size_t columns) {
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) out += std::string(columns, ' ') + line + '\n';
  return out;
}

const std::string kGroup = "server_groups: [{name: blue, servers: [{address: 'h:1'}]}]\n";
const std::string kListener =
    "listeners:\n"
    "  - name: web\n"
    "    bind: ':80'\n";

}  // namespace

Loaded load_text(const std::string& text, Format format) {
  Source source{format == Format::kYaml ? "/etc/albatross/test.yaml" : "/etc/albatross/test.json", text, format};
  Diagnostics diagnostics(source.file, source.text);
  Config config = load(source, diagnostics);
  return {std::move(config), std::move(diagnostics)};
}

std::string printed(const Diagnostics& diagnostics) {
  std::ostringstream out;
  diagnostics.print(out);
  return out.str();
}

std::string to_json(const Node& node) {
  std::string out;
  switch (node.kind) {
    case Node::Kind::kNull: return "null";
    case Node::Kind::kScalar:
      if (!node.quoted && nlohmann::json::accept(node.text)) return node.text;
      return nlohmann::json(node.text).dump();
    case Node::Kind::kSequence:
      for (const Node& item : node.items) out += (out.empty() ? "" : ", ") + to_json(item);
      return '[' + out + ']';
    case Node::Kind::kMapping:
      for (const Node::Entry& entry : node.entries) {
        out += (out.empty() ? "" : ",\n") + nlohmann::json(entry.key).dump() + ": " + to_json(entry.value);
      }
      return '{' + out + '}';
  }
  return out;
}

std::string with_listener(const std::string& keys) {
  return kGroup + kListener + "    default_actions: [forward: blue]\n" + indent(keys, 4);
}

std::string with_rule(const std::string& keys) {
  return with_listener("rules:\n  - name: r\n    priority: 1\n    actions: [forward: blue]\n" + indent(keys, 4));
}

std::string with_conditions(const std::string& list) { return with_rule("conditions: " + list); }

std::string with_actions(const std::string& list) { return kGroup + kListener + "    default_actions: " + list + "\n"; }

std::string with_group(const std::string& keys) {
  return kListener +
         "    default_actions: [forward: blue]\nserver_groups:\n  - name: blue\n    servers: [{address: 'h:1'}]\n" +
         indent(keys, 4);
}

std::string with_top(const std::string& keys) {
  return kGroup + kListener + "    default_actions: [forward: blue]\n" + keys + "\n";
}

const char* const kExample = R"(listeners:
  - name: web
    bind: ":8080"
    protocol: http
    default_actions:
      - redirect: {protocol: https, port: 8443}

  - name: secure
    bind: ":8443"
    protocol: https
    certificates:
      - {cert: certs/example.com.pem, key: certs/example.com.key}
      - {cert: certs/wild.pem, key: certs/wild.key}
    security_policy: tls_cipher_policy_1_2_strict_with_1_3
    http2: false
    timeouts: {idle: 15s, request_head: 10s, response: 60s}
    trusted_proxies: [10.0.0.0/8]
    proxy_protocol: {from: [10.0.0.5/32]}
    x_forwarded: {for: append, proto: true, port: false, host: false}
    rules:
      - name: api
        priority: 20
        conditions:
          - host: [api.example.com, "*.api.example.com"]
          - path: ["/v1/*", {prefix: /v2}, "~^/v3/users/([0-9]+)$"]
          - header: {name: User-Agent, values: ["*Mobile*", "~*iphone|android"]}
          - query: {name: version, values: ["2"]}
          - method: [GET, HEAD]
          - source_ip: [10.0.0.0/8, "2001:db8::/32"]
          - not: {header: {name: x-internal, values: ["*"]}}
        timeouts: {response: 30s}
        actions:
          - insert_header: {name: x-edge, value: "${listener}"}
          - remove_header: {name: x-debug}
          - rewrite: {path: "/users/${1}"}
          - forward:
              groups: [{name: blue, weight: 95}, {name: green, weight: 5}]
              sticky: 1000s
      - name: testers
        priority: 10
        conditions:
          - cookie: {name: canary, values: [always]}
        actions:
          - forward: green
    default_actions:
      - forward: blue

server_groups:
  - name: blue
    protocol: http
    scheduler: wrr
    servers:
      - {address: "10.0.1.10:8080", weight: 100, zone: a}
      - {address: "10.0.2.10:8080", weight: 100, zone: b}
    health_check: {path: /healthz, interval: 2s, timeout: 5s, healthy_threshold: 3, unhealthy_threshold: 3}
    connection_drain: 60s
    timeouts: {connect: 5s}
    keep_alive: {idle: 60s, pool: 32}
  - name: green
    protocol: https
    servers: [{address: "app.internal:8080"}]
    tls: {ca: /etc/ssl/ca.pem, server_name: app.internal, verify: true}

access_log: {path: stdout, format: json}
admin: {bind: "unix:/run/albatross/admin.sock"}
shutdown: {delay: 0s, drain: 30s}
workers: auto
)";

}  // namespace albatross::config::test
