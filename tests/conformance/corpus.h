// Raw bytes in, what must come of them out: the tables of this folder and how they are run.
#pragma once

#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

namespace albatross::test {

using namespace std::string_literals;

// A request as a client sends it. {200}: it goes through, and what the server got is sound (below) and holds `wants`
// but not `lacks`, both in lower case. Anything else: it is refused with one of these, and nothing behind it is read.
struct RequestCase {
  std::string name;
  std::string bytes;
  std::vector<int> status{400};
  std::string wants{};
  std::string lacks{};
};

// One proxy before a server that echoes, for many cases.
class RequestCorpus {
 public:
  explicit RequestCorpus(const std::string& listener = {});
  void run(const std::vector<RequestCase>& cases);
  TestProxy& proxy() { return proxy_; }
  FakeUpstream& upstream() { return upstream_; }

 private:
  void run(const RequestCase& c);
  void refused(const RequestCase& c, Client& client, const Message& answer);
  FakeUpstream upstream_;
  TestProxy proxy_;
};

// What is wrong with a request as a server got it, or "": one Host, at most one framing field, no hop-by-hop field,
// clean lines.
std::string unsound(const std::string& raw_request);

// A GET of "/" with these field lines (each with its CRLF) behind Host.
std::string get(const std::string& fields);
// A POST with these field lines, and the bytes behind the head.
std::string post(const std::string& fields, const std::string& body);
// A chunked POST with the body's bytes as given.
std::string chunked(const std::string& body);

// Bytes in a way that a person can read.
std::string shown(const std::string& bytes);

}  // namespace albatross::test
