#include "tests/conformance/corpus.h"

#include <algorithm>

#include "tests/support/failure.h"

namespace albatross::test {
namespace {

const std::string kCanary = "GET /canary HTTP/1.1\r\nHost: a\r\n\r\n";

bool one_of(int status, const std::vector<int>& all) { return std::find(all.begin(), all.end(), status) != all.end(); }

}  // namespace

std::string get(const std::string& fields) { return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }
std::string post(const std::string& fields, const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
std::string chunked(const std::string& body) { return post("Transfer-Encoding: chunked\r\n", body); }

std::string shown(const std::string& bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 300)) {
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      static constexpr char kHex[] = "0123456789abcdef";
      out += "\\x";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  return bytes.size() > 300 ? out + "…" : out;
}

std::string unsound(const std::string& raw) {
  std::string held = raw;
  const Message m = read_message(Side::kRequest, held, [] { return std::string(); });
  if (!held.empty()) return "bytes behind the request: " + shown(held);
  if (!m.start.ends_with(" HTTP/1.1") || std::count(m.start.begin(), m.start.end(), ' ') != 2)
    return "start line " + m.start;
  if (m.count("host") != 1) return "not one host field";
  if (m.count("content-length") + m.count("transfer-encoding") > 1) return "more than one framing field";
  if (m.has("te") && m.get("te") != "trailers") return "te";
  for (const char* hop : {"keep-alive", "proxy-connection", "connection", "upgrade", "proxy", "http2-settings"}) {
    if (m.has(hop)) return std::string("hop-by-hop field ") + hop;
  }
  for (std::size_t i = 0; i < m.head.size(); ++i) {
    const auto c = static_cast<unsigned char>(m.head[i]);
    const bool line_end = (c == '\r' && m.head[i + 1] == '\n') || (c == '\n' && i > 0 && m.head[i - 1] == '\r');
    if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7f) return "a control character in the head";
  }
  for (const auto& [name, value] : m.fields) {
    if (name.empty() || name.find_first_of(" \t") != std::string::npos) return "field name " + name;
    std::string hyphens = lower_case(name);
    std::replace(hyphens.begin(), hyphens.end(), '_', '-');
    const bool imitates =
        hyphens != lower_case(name) && (hyphens == "content-length" || hyphens == "transfer-encoding" ||
                                        hyphens == "x-real-ip" || hyphens.starts_with("x-forwarded-"));
    if (imitates) return "field name " + name;
  }
  return {};
}

RequestCorpus::RequestCorpus(const std::string& listener)
    : proxy_(Setup{.servers = {upstream_.address()}, .listener = listener, .log = false}) {}

void RequestCorpus::run(const std::vector<RequestCase>& cases) {
  for (const RequestCase& c : cases) {
    INFO(c.name << ": " << shown(c.bytes));
    try {
      run(c);
    } catch (const std::exception& e) {
      FAIL_CHECK(e.what());
    }
  }
  CHECK(upstream_.received().find("canary") == std::string::npos);
}

void RequestCorpus::run(const RequestCase& c) {
  Client client(proxy_.port());
  const bool passes = one_of(200, c.status);
  const int before = upstream_.requests();
  client.send(passes ? c.bytes : c.bytes + kCanary);
  const Message answer = client.read_response();
  INFO("answer: " << answer.raw);
  CHECK(one_of(answer.status(), c.status));
  if (answer.status() >= 400) {
    refused(c, client, answer);
    CHECK(upstream_.requests() == before);
    return;
  }
  if (!passes) return;
  CHECK(unsound(answer.body) == "");
  const std::string seen = lower_case(answer.body);
  CHECK(seen.find(c.wants) != std::string::npos);
  if (!c.lacks.empty()) CHECK(seen.find(c.lacks) == std::string::npos);
  // What follows is read as a request of its own.
  const Message next = client.get("/next");
  CHECK(next.body.starts_with("GET /next HTTP/1.1\r\n"));
}

void RequestCorpus::refused(const RequestCase&, Client& client, const Message& answer) {
  CHECK(lower_case(answer.get("connection")) == "close");
  Got how = Got::kTimeout;
  CHECK(client.read_all(&how) == "");
  CHECK(how == Got::kEnd);
}

}  // namespace albatross::test
