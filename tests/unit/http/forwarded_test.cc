#include <catch2/catch_test_macros.hpp>
#include <string>

#include "http/forwarded.h"

namespace albatross::http_test {
namespace {

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

struct Request {
  Arena arena;
  Fields fields{arena};
  std::string peer = "203.0.113.9";
  ForwardedPolicy policy;

  explicit Request(ForwardedFor mode = ForwardedFor::kAppend) {
    policy.forwarded_for = mode;
    policy.proto = true;
    policy.trusted = {*Network::parse("10.0.0.0/8"), *Network::parse("fd00::/8")};
  }
  Request& from(std::string_view address) {
    peer = address;
    return *this;
  }
  Request& with(std::string_view name, std::string_view value) {
    fields.add(name, value);
    return *this;
  }
  ForwardedPeer from() const {
    IpAddress a = peer.empty() ? IpAddress{} : ip(peer);
    return {a, peer, "https", "8443", "shop.example:8443", contains(policy.trusted, a)};
  }
  std::string client() const { return client_address(policy, from(), fields).to_string(); }
  std::string applied() {
    apply_forwarded(policy, from(), fields);
    std::string out;
    for (const Field& f : fields) {
      if (!f.removed) out += std::string(f.name()) + "=" + std::string(f.value()) + ";";
    }
    return out;
  }
};

constexpr const char* kClaims[] = {"X-Forwarded-Proto",
                                   "X-Forwarded-Host",
                                   "X-Forwarded-Port",
                                   "Forwarded",
                                   "X-Real-IP",
                                   "X-Forwarded-Clientcert-Subjectdn",
                                   "X-Forwarded-Clientcert-Issuerdn",
                                   "X-Forwarded-Clientcert-Fingerprint",
                                   "X-Forwarded-Clientcert-Clientverify"};

}  // namespace

TEST_CASE("the peer is appended to what was there") {
  CHECK(Request().applied() == "X-Forwarded-For=203.0.113.9;X-Forwarded-Proto=https;");
  CHECK(Request().with("x-forwarded-for", "1.1.1.1").applied() ==
        "X-Forwarded-For=1.1.1.1, 203.0.113.9;X-Forwarded-Proto=https;");
  CHECK(Request()
            .with("X-Forwarded-For", "1.1.1.1")
            .with("X", "y")
            .with("X-Forwarded-For", "2.2.2.2, 3.3.3.3")
            .applied() == "X=y;X-Forwarded-For=1.1.1.1, 2.2.2.2, 3.3.3.3, 203.0.113.9;X-Forwarded-Proto=https;");
  CHECK(Request().with("X-Forwarded-For", "").applied() == "X-Forwarded-For=203.0.113.9;X-Forwarded-Proto=https;");
  CHECK(Request().from("2001:db8::1").applied() == "X-Forwarded-For=2001:db8::1;X-Forwarded-Proto=https;");
  CHECK(Request(ForwardedFor::kProcess).with("X-Forwarded-For", "1.1.1.1").applied() ==
        "X-Forwarded-For=1.1.1.1, 203.0.113.9;X-Forwarded-Proto=https;");
}

TEST_CASE("the list can be removed or left alone") {
  CHECK(
      Request(ForwardedFor::kRemove).with("X-Forwarded-For", "1.1.1.1").with("x-forwarded-for", "2.2.2.2").applied() ==
      "X-Forwarded-Proto=https;");
  CHECK(Request(ForwardedFor::kPreserve).with("X-Forwarded-For", "1.1.1.1").applied() ==
        "X-Forwarded-For=1.1.1.1;X-Forwarded-Proto=https;");
  CHECK(Request(ForwardedFor::kPreserve).applied() == "X-Forwarded-Proto=https;");
}

TEST_CASE("a peer without an address adds none") {
  CHECK(Request().from("").with("X-Forwarded-For", "1.1.1.1").applied() ==
        "X-Forwarded-For=1.1.1.1;X-Forwarded-Proto=https;");
}

TEST_CASE("what only a proxy may say is stripped from anyone else") {
  Request stranger;
  stranger.policy.proto = false;
  stranger.policy.forwarded_for = ForwardedFor::kRemove;
  for (const char* name : kClaims) stranger.with(name, "evil").with(name, "twice");
  CHECK(stranger.applied().empty());
}

TEST_CASE("what a trusted peer says is believed") {
  Request r;
  r.from("10.1.2.3");
  r.policy.port = r.policy.host = true;
  for (const char* name : kClaims) r.with(name, "said");
  std::string out = r.applied();
  for (const char* name : kClaims) CHECK(out.find(std::string(name) + "=said;") != std::string::npos);
  CHECK(out.ends_with("X-Forwarded-For=10.1.2.3;"));
}

TEST_CASE("what a trusted peer does not say is filled in") {
  Request r;
  r.from("10.1.2.3");
  r.policy.port = r.policy.host = true;
  CHECK(r.applied() ==
        "X-Forwarded-For=10.1.2.3;X-Forwarded-Proto=https;X-Forwarded-Port=8443;X-Forwarded-Host=shop.example:8443;");
  Request stranger;
  stranger.policy.port = stranger.policy.host = true;
  CHECK(
      stranger.with("X-Forwarded-Host", "evil").applied() ==
      "X-Forwarded-For=203.0.113.9;X-Forwarded-Proto=https;X-Forwarded-Port=8443;X-Forwarded-Host=shop.example:8443;");
}

TEST_CASE("Proxy never goes on") {
  CHECK(Request().from("10.0.0.1").with("Proxy", "http://evil").applied().find("Proxy=") == std::string::npos);
  CHECK(Request().with("proxy", "http://evil").applied().find("proxy=") == std::string::npos);
}

TEST_CASE("the client is the peer unless the list is processed") {
  for (ForwardedFor mode : {ForwardedFor::kAppend, ForwardedFor::kRemove, ForwardedFor::kPreserve}) {
    CHECK(Request(mode).from("10.0.0.1").with("X-Forwarded-For", "1.1.1.1").client() == "10.0.0.1");
  }
  CHECK(Request(ForwardedFor::kProcess).with("X-Forwarded-For", "1.1.1.1").client() == "203.0.113.9");
  CHECK(Request(ForwardedFor::kProcess).from("10.0.0.1").client() == "10.0.0.1");
}

TEST_CASE("the first address from the right that is not trusted is the client") {
  struct Case {
    const char *list, *client;
  };
  for (const Case& c : {Case{"1.1.1.1", "1.1.1.1"},
                        {"1.1.1.1, 10.0.0.2", "1.1.1.1"},
                        {"6.6.6.6, 1.1.1.1, 10.0.0.2,10.0.0.3", "1.1.1.1"},
                        {"10.0.0.5, 10.0.0.4", "10.0.0.5"},
                        {" 1.1.1.1 ,\t10.0.0.2 ", "1.1.1.1"},
                        {"1.1.1.1:4711", "1.1.1.1"},
                        {"[2001:db8::7]:4711, 10.0.0.2", "2001:db8::7"},
                        {"2001:db8::7, fd00::1", "2001:db8::7"},
                        {"::ffff:1.1.1.1", "1.1.1.1"},
                        {"1.1.1.1, ::ffff:10.0.0.2", "1.1.1.1"},
                        {"1.1.1.1,,10.0.0.2,", "1.1.1.1"},
                        {",", "10.0.0.1"},
                        {"", "10.0.0.1"},
                        {"unknown", "10.0.0.1"},
                        {"1.1.1.1, unknown, 10.0.0.2", "10.0.0.2"},
                        {"1.1.1.1, _hidden, 10.0.0.2", "10.0.0.2"},
                        {"1.1.1.1, 300.0.0.1", "10.0.0.1"},
                        {"1.1.1.1, 10.0.0.2.", "10.0.0.1"},
                        {"1.1.1.1, [::1", "10.0.0.1"},
                        {"1.1.1.1, 10.0.0.02", "10.0.0.1"},
                        {"1.1.1.1 10.0.0.2", "10.0.0.1"}}) {
    CAPTURE(c.list);
    CHECK(Request(ForwardedFor::kProcess).from("10.0.0.1").with("X-Forwarded-For", c.list).client() == c.client);
  }
  CHECK(Request(ForwardedFor::kProcess)
            .from("10.0.0.1")
            .with("X-Forwarded-For", "6.6.6.6")
            .with("x-forwarded-for", "1.1.1.1, 10.0.0.2")
            .with("X-Forwarded-For", "10.0.0.3")
            .client() == "1.1.1.1");
}

TEST_CASE("lists of any length are walked and kept") {
  for (int n = 1; n <= 200; ++n) {
    std::string list = "1.1.1.1";
    Request lines(ForwardedFor::kProcess);
    lines.from("10.0.0.1").with("X-Forwarded-For", "1.1.1.1");
    for (int i = 1; i < n; ++i) {
      list += ", 10.0.0." + std::to_string(i);
      lines.with("X-Forwarded-For", lines.arena.copy("10.0.0." + std::to_string(i)));
    }
    Request one(ForwardedFor::kProcess);
    one.from("10.0.0.1").with("X-Forwarded-For", list);
    CHECK(one.client() == "1.1.1.1");
    CHECK(lines.client() == "1.1.1.1");
    CHECK(one.applied() == "X-Forwarded-For=" + list + ", 10.0.0.1;X-Forwarded-Proto=https;");
    CHECK(lines.applied() == "X-Forwarded-For=" + list + ", 10.0.0.1;X-Forwarded-Proto=https;");
  }
}

}  // namespace albatross::http_test
