// One path for the rules and for the server: no spelling of /admin gets around a rule that denies it.
#include "tests/conformance/corpus.h"

using namespace albatross::test;

namespace {

const std::string kDeny =
    "rules:\n"
    "  - name: deny\n"
    "    priority: 1\n"
    "    conditions: [{path: [{prefix: /admin}]}]\n"
    "    actions: [{fixed_response: {code: 403}}]\n";

std::string target(const std::string& text) { return "GET " + text + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

}  // namespace

TEST_CASE("no spelling of a denied path gets through", "[path]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .listener = kDeny, .log = false});
  for (const char* path : {"/admin",
                           "/admin/",
                           "/admin/x",
                           "/./admin",
                           "/.//../admin",
                           "/x/../admin",
                           "/x/y/../../admin",
                           "/%61dmin",
                           "/adm%69n",
                           "/%61%64%6d%69%6e",
                           "/%61%64%6D%69%6E",
                           "/x/%2e%2e/admin",
                           "/x/%2E%2E/admin",
                           "/x/.%2e/admin",
                           "/x/%2e./admin",
                           "/%2e/admin",
                           "/../admin",
                           "/../../admin",
                           "/..%2fadmin",
                           "/x%2f..%2fadmin",
                           "/x%2F../admin",
                           "/x/..%5cadmin",
                           "/x\\..\\admin",
                           "/x/..\\admin",
                           "/x/..;/admin",
                           "/x/..;a=b/admin",
                           "/x/.;/admin",
                           "/.;/admin",
                           "/admin%00",
                           "/admin%00.png",
                           "/%00admin",
                           "/admin?",
                           "/admin?x",
                           "/admin/.",
                           "/admin/./",
                           "/admin/x/..",
                           "/admin/../admin",
                           "/x/..%00/admin",
                           "/%2fadmin",
                           "/%5cadmin",
                           "/admin%2f",
                           "/admin%5c",
                           "/admin\\",
                           "/a%zz/../admin",
                           "/%",
                           "/%a",
                           "/%u002e/admin",
                           "/admin#",
                           "/#/../admin",
                           "/admin%23/%00"}) {
    Client client(proxy.port());
    client.send(target(path));
    const int status = client.read_response().status();
    INFO(path);
    CHECK((status == 403 || status == 400));
  }
  CHECK(up.requests() == 0);
}

TEST_CASE("another path stays another path", "[path]") {
  RequestCorpus corpus(kDeny);
  corpus.run({
      {"case counts", target("/Admin"), {200}, "get /admin http/1.1"},
      {"prefixes are whole segments", target("/admins"), {200}, "get /admins "},
      {"double encoding is not decoded twice", target("/%2561dmin"), {200}, "get /%2561dmin "},
      {"double encoded dots", target("/x/%252e%252e/admin"), {200}, "get /x/%252e%252e/admin "},
      {"two slashes are another path", target("//admin"), {200}, "get //admin "},
      {"dots within a name", target("/..a/a../.b/c."), {200}, "get /..a/a../.b/c. "},
      {"three dots", target("/.../admin"), {200}, "get /.../admin "},
      {"a parameter", target("/x;a=b/y"), {200}, "get /x;a=b/y "},
      {"escapes in upper case", target("/%c3%a9%3f"), {200}, "get /%c3%a9%3f "},
      {"unreserved are decoded", target("/%7e%41%2D%5f"), {200}, "get /~a-_ "},
      {"dots are resolved", target("/a/b/../c/./d"), {200}, "get /a/c/d "},
      {"above the root", target("/../../a"), {200}, "get /a "},
      {"a last dot", target("/a/b/."), {200}, "get /a/b/ "},
      {"two last dots", target("/a/b/.."), {200}, "get /a/ "},
      {"a query is left alone", target("/a?b=../%2e%2e/%2f%00"), {200}, "get /a?b=../%2e%2e/%2f%00 "},
      {"an absolute target too", target("http://a/x/%2e%2e/y"), {200}, "get /y "},
      {"an encoded control character stays encoded", target("/a%0d%0aX:y"), {200}, "get /a%0d%0ax:y "},
      {"an encoded space stays encoded", target("/a%20b"), {200}, "get /a%20b "},
  });
}

TEST_CASE("encoded slashes pass where the listener says so", "[path]") {
  RequestCorpus corpus("encoded_slash: pass\n");
  corpus.run({
      {"slash", target("/a%2fb"), {200}, "get /a%2fb "},
      {"a slash is no segment's end", target("/a%2f..%2fb/../c"), {200}, "get /c "},
      {"backslash", target("/a%5cb"), {200}, "get /a%5cb "},
      {"NUL", target("/a%00b"), {200}, "get /a%00b "},
      {"bad escapes are still refused", target("/a%zz")},
      {"a dot segment with parameters is still refused", target("/a/..;/b")},
  });
}
