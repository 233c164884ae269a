#include "base/ip.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace albatross::base_test {

TEST_CASE("addresses are read and written") {
  for (auto [text, shown] : {std::pair<const char*, const char*>{"0.0.0.0", "0.0.0.0"},
                             {"255.255.255.255", "255.255.255.255"},
                             {"192.0.2.1", "192.0.2.1"},
                             {"::", "::"},
                             {"::1", "::1"},
                             {"2001:DB8::1", "2001:db8::1"},
                             {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
                             {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
                             {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
                             {"::ffff:192.0.2.1", "192.0.2.1"},
                             {"::ffff:c000:201", "192.0.2.1"},
                             {"::192.0.2.1", "::192.0.2.1"},
                             {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
                             {"0:0:0:0:0:ffff:102:304", "1.2.3.4"}}) {
    CAPTURE(text);
    auto a = IpAddress::parse(text);
    REQUIRE(a);
    CHECK(a->valid);
    CHECK(a->to_string() == shown);
    CHECK(a->is_v4 == (std::string_view(shown).find(':') == std::string_view::npos));
    CHECK(IpAddress::parse(a->to_string()) == a);
    char out[45];
    CHECK(a->format(out) == a->to_string().size());
  }
}

TEST_CASE("text that is no address is refused") {
  for (std::string text :
       {"",          " ",        "1",        "1.2.3",     "1.2.3.4.5",     "1.2.3.256",         "1.2.3.-4",
        "01.2.3.4",  "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/8", "1.2.3.4:80",    "0x1.2.3.4",         "a",
        "localhost", ":",        ":::",      "1::2::3",   "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::",
        "g::",       "[::1]",    "::1%eth0", "::1/64",    "::ffff:1.2.3",  "::ffff:1.2.3.256",  "::1 "}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text));
  }
  CHECK_FALSE(IpAddress::parse(std::string("1.2.3.4\0", 8)));
  CHECK_FALSE(IpAddress::parse(std::string("1.2.3.4\0.evil", 13)));
  CHECK_FALSE(IpAddress::parse(std::string("\0", 1)));
  CHECK_FALSE(IpAddress::parse(std::string(1000, '1')));
}

TEST_CASE("an address that is not there has no text") {
  IpAddress none;
  CHECK(none.to_string().empty());
  CHECK_FALSE(Network::parse("0.0.0.0/0")->contains(none));
  CHECK_FALSE(Network::parse("::/0")->contains(none));
}

TEST_CASE("networks hold their addresses and no others") {
  struct Case {
    const char *network, *inside, *outside;
  };
  for (const Case& c : {Case{"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
                        {"10.0.0.0/8", "10.0.0.0", "9.255.255.255"},
                        {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
                        {"192.0.2.1/32", "192.0.2.1", "192.0.2.0"},
                        {"192.0.2.0/31", "192.0.2.1", "192.0.2.2"},
                        {"0.0.0.0/0", "255.1.2.3", "::1"},
                        {"128.0.0.0/1", "200.0.0.1", "127.255.255.255"},
                        {"172.16.0.0/12", "172.31.255.255", "172.32.0.0"},
                        {"10.1.2.3/8", "10.9.9.9", "11.1.2.3"},
                        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
                        {"::1", "::1", "::2"},
                        {"fe80::/10", "febf::1", "fec0::1"},
                        {"::/0", "2001::1", "1.2.3.4"},
                        {"2001:db8::/127", "2001:db8::1", "2001:db8::2"},
                        {"2001:db8::/1", "1::", "8000::"}}) {
    CAPTURE(c.network, c.inside, c.outside);
    auto n = Network::parse(c.network);
    REQUIRE(n);
    CHECK(n->contains(*IpAddress::parse(c.inside)));
    CHECK_FALSE(n->contains(*IpAddress::parse(c.outside)));
    CHECK(contains({*n}, *IpAddress::parse(c.inside)));
    CHECK_FALSE(contains({*n}, *IpAddress::parse(c.outside)));
  }
  CHECK_FALSE(contains({}, *IpAddress::parse("1.2.3.4")));
}

TEST_CASE("a v4-mapped address is in the v4 network") {
  CHECK(Network::parse("10.0.0.0/8")->contains(*IpAddress::parse("::ffff:10.1.2.3")));
  CHECK(Network::parse("::ffff:10.1.2.3")->contains(*IpAddress::parse("10.1.2.3")));
  CHECK_FALSE(Network::parse("::/0")->contains(*IpAddress::parse("::ffff:10.1.2.3")));
}

TEST_CASE("text that is no network is refused") {
  for (const char* text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8x", "10.0.0.0/ 8",
        "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0.0/99999999999", "::/129", "x/8", "10/8"}) {
    CAPTURE(text);
    CHECK_FALSE(Network::parse(text));
  }
}

}  // namespace albatross::base_test
