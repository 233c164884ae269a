// The usual configuration: a listener "web" on 127.0.0.1, a group "app", an access log and one worker. A test sets only
// what it is about.
#pragma once

#include <string>
#include <vector>

namespace albatross::test {

class FakeUpstream;

struct Setup {
  std::vector<std::string> servers{};  // of the group "app"; none: no group
  std::string listener{};              // more keys of the listener, each on a line of its own
  std::string group{};                 // more keys of the group
  std::string top{};                   // more top-level keys of the file
  std::string groups{};                // more server groups, as list items
  std::string actions = "- forward: app";
  std::string bind = "127.0.0.1:0";
  std::string protocol = "http";
  int workers = 1;
  bool log = true;

  std::string yaml() const;
};

// `text` with each line moved right by `by` spaces.
std::string indented(const std::string& text, std::size_t by);

}  // namespace albatross::test
