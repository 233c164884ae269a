// The access log's lines: names, types, and that no byte of a client can break out of its string.
#include "telemetry/access_log.h"

#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/siphash.h"

namespace albatross::proxy_test {
namespace {

constexpr auto kTexts = static_cast<std::size_t>(LogText::kCount);
using Texts = std::array<std::string, kTexts>;

std::string line(LogRecord r, const Texts& texts) {
  std::string all, out;
  for (std::size_t i = 0; i < kTexts; ++i) {
    r.sizes[i] = static_cast<std::uint16_t>(texts[i].size());
    all += texts[i];
  }
  AccessLog::format(r, all.data(), out);
  return out;
}

std::string& text(Texts& texts, LogText which) { return texts[static_cast<std::size_t>(which)]; }

LogRecord full() {
  LogRecord r;
  r.wall = 1'700'000'000 * kSecond + 123'456'789;
  r.request_time = 1'234'567'890;
  r.upstream_response_time = 999'999'600;
  r.upstream_connect_time = 400;
  r.body_bytes_sent = ~std::uint64_t{0};
  r.request_length = 512;
  r.status = 200;
  r.upstream_status = 201;
  r.client_port = 65535;
  r.attempts = 2;
  r.grpc_status = 14;
  r.has_upstream = true;
  return r;
}

// Strings come back as they were, or as Latin-1 where they were not UTF-8: either way one line of clean JSON.
nlohmann::json checked(const std::string& out) {
  REQUIRE(out.ends_with("}\n"));
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(out[i]);
    if (c < 0x20 || c == 0x7f) FAIL("byte " << int{c} << " in a line");
  }
  nlohmann::json j = nlohmann::json::parse(out, nullptr, false);
  REQUIRE(j.is_object());
  return j;
}

}  // namespace

TEST_CASE("a full line has exactly the fields that are promised, with their types") {
  Texts texts;
  for (std::string& t : texts) t = "x";
  nlohmann::json j = checked(line(full(), texts));
  std::set<std::string> strings, numbers;
  for (const auto& [key, value] : j.items()) (value.is_string() ? strings : numbers).insert(key);
  CHECK(strings == std::set<std::string>{"time",
                                         "request_method",
                                         "request_uri",
                                         "host",
                                         "client_ip",
                                         "scheme",
                                         "server_protocol",
                                         "upstream_addr",
                                         "ssl_protocol",
                                         "ssl_cipher",
                                         "http_user_agent",
                                         "http_referer",
                                         "http_x_forwarded_for",
                                         "listener",
                                         "rule",
                                         "server_group",
                                         "termination",
                                         "termination_detail",
                                         "failed_tries",
                                         "request_id",
                                         "trace_id"});
  CHECK(numbers == std::set<std::string>{"status", "client_port", "request_time", "upstream_status",
                                         "upstream_header_time", "upstream_response_time", "upstream_connect_time",
                                         "body_bytes_sent", "request_length", "attempts", "grpc_status"});
}

TEST_CASE("each string goes under its own name") {
  Texts texts;
  text(texts, LogText::kMethod) = "GET";
  text(texts, LogText::kUri) = "/x?y";
  text(texts, LogText::kClientIp) = "192.0.2.1";
  text(texts, LogText::kForwardedFor) = "1.1.1.1, 2.2.2.2";
  text(texts, LogText::kGroup) = "blue";
  text(texts, LogText::kSslCipher) = "TLS_X";
  text(texts, LogText::kTermination) = "no_rule";
  nlohmann::json j = checked(line(full(), texts));
  CHECK(j["request_method"] == "GET");
  CHECK(j["request_uri"] == "/x?y");
  CHECK(j["client_ip"] == "192.0.2.1");
  CHECK(j["http_x_forwarded_for"] == "1.1.1.1, 2.2.2.2");
  CHECK(j["server_group"] == "blue");
  CHECK(j["ssl_cipher"] == "TLS_X");
  CHECK(j["termination"] == "no_rule");
  CHECK_FALSE(j.contains("host"));  // absent means omitted
  CHECK(j["body_bytes_sent"] == ~std::uint64_t{0});
  CHECK(j["client_port"] == 65535);
  CHECK(j["grpc_status"] == 14);
}

TEST_CASE("times have microseconds") {
  std::string out = line(full(), {});
  CHECK(out.find("\"time\":\"2023-11-14T22:13:20.123456Z\"") != std::string::npos);
  CHECK(out.find("\"request_time\":1.234568") != std::string::npos);
  CHECK(out.find("\"upstream_response_time\":1.000000") != std::string::npos);
  CHECK(out.find("\"upstream_connect_time\":0.000000") != std::string::npos);
  LogRecord r;
  r.wall = 999'999'999;
  out = line(r, {});
  CHECK(out.find("\"time\":\"1970-01-01T00:00:00.999999Z\"") != std::string::npos);
  nlohmann::json j = checked(out);
  for (const char* key :
       {"upstream_status", "upstream_response_time", "upstream_connect_time", "attempts", "client_port"})
    CHECK_FALSE(j.contains(key));
}

TEST_CASE("every byte is safe in every string") {
  for (std::size_t where = 0; where < kTexts; ++where) {
    for (int c = 0; c < 256; ++c) {
      Texts texts;
      texts[where] = std::string("a") + static_cast<char>(c) + "b";
      nlohmann::json j = checked(line(full(), texts));
      std::string expected =
          c < 0x80 ? texts[where]
                   : std::string("a") + static_cast<char>(0xc0 | c >> 6) + static_cast<char>(0x80 | (c & 0x3f)) + "b";
      bool found = false;
      for (const auto& [key, value] : j.items()) found |= value == expected;
      if (!found) FAIL("byte " << c << " in string " << where);
    }
  }
}

TEST_CASE("text that is not UTF-8 is read as Latin-1, text that is stays") {
  for (auto [in, out] : {std::pair<const char*, const char*>{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa9",
                                                             "\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa9"},
                         {"\xc3", "\xc3\x83"},
                         {"\xc3(", "\xc3\x83("},
                         {"\xe2\x82", "\xc3\xa2\xc2\x82"},
                         {"\xc0\xaf", "\xc3\x80\xc2\xaf"},
                         {"\xed\xa0\x80", "\xc3\xad\xc2\xa0\xc2\x80"},
                         {"\xf4\x90\x80\x80", "\xc3\xb4\xc2\x90\xc2\x80\xc2\x80"},
                         {"\xff", "\xc3\xbf"},
                         {"\x80", "\xc2\x80"}}) {
    Texts texts;
    text(texts, LogText::kUserAgent) = in;
    CHECK(checked(line(full(), texts))["http_user_agent"] == out);
  }
}

TEST_CASE("hostile text stays inside its string") {
  for (std::string in : {"\",\"status\":999,\"x\":\"", "\\", "\\\"", "a\\", "\x1b[31mred\x1b[0m",
                         "\r\n{\"time\":0}\r\n", "\xe2\x80\xa8\xe2\x80\xa9", "</script>", "\\u0000", "\x7f\x7f"}) {
    Texts texts;
    text(texts, LogText::kUserAgent) = in;
    nlohmann::json j = checked(line(full(), texts));
    CHECK(j["http_user_agent"] == in);
    CHECK(j["status"] == 200);
  }
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    Texts texts;
    for (std::string& t : texts) {
      t.resize(random.below(30));
      for (char& c : t)
        c = static_cast<char>(random.below(3) == 0 ? "\"\\\x1b\n\xc3\xe2"[random.below(6)]
                                                   : static_cast<int>(random.below(256)));
    }
    checked(line(full(), texts));
  }
}

TEST_CASE("lines arrive in a file, long strings cut, and the file can be moved away") {
  char directory[] = "/tmp/access_log_test.XXXXXX";
  REQUIRE(mkdtemp(directory) != nullptr);
  std::string path = std::string(directory) + "/log";
  config::AccessLog settings;
  settings.target = config::AccessLog::Target::kFile;
  settings.path = config::Value<std::string>(path);
  {
    AccessLog log(settings, 2);
    std::string error;
    REQUIRE(log.open(error));
    std::string agent(10'000, 'x');
    std::string_view texts[kTexts];
    texts[static_cast<std::size_t>(LogText::kUserAgent)] = agent;
    LogRecord r = full();
    for (int i = 0; i < 10; ++i) log.write(i % 2, r, texts);
    log.stop();
    CHECK(log.dropped() == 0);
  }
  std::ifstream in(path);
  std::string text_line;
  int lines = 0;
  while (std::getline(in, text_line)) {
    ++lines;
    CHECK(checked(text_line + "\n")["http_user_agent"] == std::string(4096, 'x'));
  }
  CHECK(lines == 10);
  ::unlink(path.c_str());
  settings.path = config::Value<std::string>(std::string(directory) + "/no/such/log");
  AccessLog bad(settings, 1);
  std::string error;
  CHECK_FALSE(bad.open(error));
  CHECK(error.find("/no/such/log: No such file or directory") != std::string::npos);
  ::rmdir(directory);
}

}  // namespace albatross::proxy_test
