// Ten thousand rules over a thousand hosts, two thousand of them regexes: how long they take to compile, what memory
// they need, and how long a reload of them holds a request.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <fstream>
#include <thread>

#include "config/load.h"
#include "process/builder.h"
#include "tests/support/client.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// `version` is in every answer, so that each reload compiles all of them.
std::string many_rules(int hosts, int of_each, int version) {
  std::string out = "rules:\n";
  int priority = 0;
  for (int h = 0; h < hosts; ++h) {
    for (int i = 0; i < of_each; ++i) {
      const std::string n = std::to_string(h) + "x" + std::to_string(i);
      const std::string path = i % 5 == 4 ? "'~^/r" + std::to_string(i) + "/[a-z]+/" + std::to_string(h) + "/(.*)$'"
                                          : "{prefix: /s" + std::to_string(i) + "}";
      out += "  - {name: r" + n + ", priority: " + std::to_string(++priority) + ", conditions: [{host: h" +
             std::to_string(h) + ".example}, {path: " + path + "}], actions: [{fixed_response: {body: " + n + "v" +
             std::to_string(version) + "}}]}\n";
    }
  }
  return out;
}

std::string yaml_of(int version) {
  Setup setup{.listener = many_rules(1000, 10, version), .log = false};
  setup.actions = "- fixed_response: {}";
  return setup.yaml();
}

double cpu_seconds(clockid_t id) {
  timespec t;
  clock_gettime(id, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

std::size_t resident() {
  std::ifstream in("/proc/self/statm");
  std::size_t size = 0, pages = 0;
  in >> size >> pages;
  return pages * 4096;
}

}  // namespace

TEST_CASE("ten thousand rules compile within two seconds and 100 MiB", "[scale]") {
  const std::string yaml = yaml_of(1);
  albatross::config::Diagnostics out("", yaml);
  const auto config = albatross::config::load({"", yaml, albatross::config::Format::kYaml}, out);
  REQUIRE(out.ok());
  const std::size_t before = resident();
  const double began = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  const auto table = albatross::RuleTable::compile(config.listeners[0], "listeners[0]", out);
  REQUIRE(table);
  const auto matcher = table->make_matcher();
  const double seconds = cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - began;
  const std::size_t mib = (resident() - before) >> 20;
  UNSCOPED_INFO("compiled in " << seconds << " s, " << mib << " MiB");
  if (kSanitized) return;
  CHECK(seconds < 2);
  CHECK(mib < 100);
}

TEST_CASE("a reload of ten thousand rules does not hold requests", "[scale]") {
  TestProxy proxy(yaml_of(0));
  std::atomic<bool> over = false;
  std::atomic<int> longest_us = 0, asked = 0;
  std::thread load([&] {
    Client client(proxy.port());
    for (int i = 0; !over; ++i) {
      const std::string host = "h" + std::to_string(i * 37 % 1000) + ".example";
      const auto began = std::chrono::steady_clock::now();
      const Message answer = client.get("/s" + std::to_string(i % 4) + "/x", {}, host);
      const auto took =
          std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began).count();
      longest_us = std::max(longest_us.load(), static_cast<int>(took));
      if (answer.body.find('v') == std::string::npos) over = true;
      ++asked;
    }
  });
  const auto longest_while = [&](auto&& work) {
    longest_us = 0;
    work();
    return longest_us.load();
  };
  std::vector<int> held;
  const int reloads = kSanitized ? 1 : 5;
  for (int version = 1; version <= reloads; ++version) {
    held.push_back(longest_while([&] { CHECK(proxy.reload(yaml_of(version)).ok); }));
  }
  CHECK_FALSE(over.exchange(true));  // each answer was one of the rules'
  load.join();
  std::sort(held.begin(), held.end());
  // Alone on two cores it is up to 4.2 ms. Other tests run beside this one, so the median is judged, and not strictly.
  const int median = held[held.size() / 2];
  UNSCOPED_INFO("a reload holds a request for " << median << " us; of all " << held.front() << " to " << held.back());
  CHECK(asked > 100);
  if (!kSanitized) CHECK(median < 25'000);
}
