// Certificates whose files are replaced while the proxy runs: new connections get the new ones, and nothing else
// changes.
#include <thread>

#include "tests/integration/secure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr Ms kSoon(1000);  // within which a new file is in use

class Bed {
 public:
  explicit Bed(const Identity& first) {
    first.write(*folder, "a");
    proxy = std::make_unique<TestProxy>(Setup{.servers = {up.address()},
                                              .listener = "certificates: [{cert: a.pem, key: a.key}]",
                                              .protocol = "https",
                                              .workers = 2}
                                            .yaml(),
                                        ProxyOptions{}, folder);
  }
  std::string presented() { return SecureClient(proxy->port()).tls().peer(); }
  bool presents(const std::string& name, Ms within = kPatience) {
    return eventually([&] { return presented() == name; }, within);
  }

  FakeUpstream up{FakeUpstream::say("hello")};
  std::shared_ptr<TempDir> folder = std::make_shared<TempDir>();
  std::unique_ptr<TestProxy> proxy;
};

}  // namespace

TEST_CASE("a renewed certificate is in use within a second, and cuts no connection", "[tls]") {
  const Authority authority;
  Bed bed(authority.issue("first", "DNS:a.example"));
  SecureClient open(bed.proxy->port());
  CHECK(open.get("/").body == "hello");
  SecureOptions resumes;
  REQUIRE_FALSE(open.tls().tickets().empty());
  resumes.session = open.tls().tickets().front();
  for (int i = 0; i < 5; ++i) {
    const std::string name = "next" + std::to_string(i);
    authority.issue(name, "DNS:a.example", 86'400 * (i + 2)).write(*bed.folder, "a");
    CHECK(bed.presents(name, kSoon));
    CHECK(open.get("/").body == "hello");
  }
  // A client that comes back is still known.
  SecureClient back(bed.proxy->port(), resumes);
  CHECK(back.tls().resumed());
  CHECK(bed.proxy->said("new certificate on web: a.example until "));
  CHECK_FALSE(bed.proxy->said("drain"));
}

TEST_CASE("files that are replaced by links to others are noticed", "[tls]") {
  const Authority authority;
  Bed bed(authority.issue("first", "DNS:a.example"));
  const Identity second = authority.issue("second", "DNS:a.example");
  second.write(*bed.folder, "archived");
  for (const char* end : {".pem", ".key"}) {  // as certbot does it
    std::filesystem::remove(bed.folder->file(std::string("a") + end));
    std::filesystem::create_symlink(std::string("archived") + end, bed.folder->file(std::string("a") + end));
  }
  CHECK(bed.presents("second"));
}

TEST_CASE("a pair that is half written is not taken, and the old one serves until it is whole", "[tls]") {
  const Authority authority;
  Bed bed(authority.issue("first", "DNS:a.example"));
  const Identity second = authority.issue("second", "DNS:a.example");
  bed.folder->write("a.pem", second.certificate);
  // The certificate alone has been read by then, and did not match its key.
  const auto until = std::chrono::steady_clock::now() + Ms(400);
  while (std::chrono::steady_clock::now() < until) CHECK(bed.presented() == "first");
  bed.folder->write("a.key", second.key.substr(0, second.key.size() / 2));
  CHECK(bed.presented() == "first");
  bed.folder->write("a.key", second.key);
  CHECK(bed.presents("second"));
}

TEST_CASE("a certificate that has expired replaces none that is good", "[tls]") {
  const Authority authority;
  Bed bed(authority.issue("first", "DNS:a.example"));
  authority.issue("stale", "DNS:a.example", -60).write(*bed.folder, "a");
  CHECK(eventually([&] { return bed.proxy->said("the old ones stay in use: "); }, Ms(20'000)));
  CHECK(bed.proxy->said("has expired on "));
  CHECK(bed.presented() == "first");
  authority.issue("second", "DNS:a.example").write(*bed.folder, "a");
  CHECK(bed.presents("second"));
}

TEST_CASE("clients of a name that has no certificate any more leave", "[tls]") {
  const Authority authority;
  Bed bed(authority.issue("first", "DNS:a.example,DNS:b.example"));
  SecureClient open(bed.proxy->port());
  CHECK(open.get("/").body == "hello");
  authority.issue("second", "DNS:a.example").write(*bed.folder, "a");
  CHECK(bed.presents("second"));
  CHECK(eventually([&] { return bed.proxy->said("web: none for b.example any more, its clients leave"); }));
  CHECK(open.ends());
}

TEST_CASE("a reload that comes while certificates are taken up waits for them", "[reload]") {
  const Authority authority;
  Bed bed(authority.issue("first", "DNS:a.example"));
  for (int i = 0; i < 10; ++i) {
    authority.issue("n" + std::to_string(i), "DNS:a.example").write(*bed.folder, "a");
    const std::string yaml =
        Setup{
            .servers = {bed.up.address()},
            .listener = "certificates: [{cert: a.pem, key: a.key}]\ntimeouts: {idle: " + std::to_string(20 + i) + "s}",
            .protocol = "https",
            .workers = 2}
            .yaml();
    CHECK(bed.proxy->reload(yaml).ok);
  }
  CHECK(bed.presents("n9"));
}
