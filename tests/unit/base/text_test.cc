#include "base/text.h"

#include <catch2/catch_test_macros.hpp>
#include <cctype>

namespace albatross::base_test {

TEST_CASE("classes of characters are those of ASCII") {
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    CAPTURE(i);
    CHECK(is_digit(c) == (i < 128 && std::isdigit(i) != 0));
    CHECK(is_alpha(c) == (i < 128 && std::isalpha(i) != 0));
    CHECK(is_control(c) == (i < 128 && std::iscntrl(i) != 0));
    CHECK(ascii_lower(c) == (i < 128 ? static_cast<char>(std::tolower(i)) : c));
    CHECK(hex_value(c) == (i < 128 && std::isxdigit(i) != 0 ? std::stoi(std::string(1, c), nullptr, 16) : -1));
    const bool mark = i != 0 && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    CHECK(is_token_byte(c) == (is_digit(c) || is_alpha(c) || mark));
  }
  CHECK(ascii_lower(std::string_view("X-Ab\xc4")) == "x-ab\xc4");
}

TEST_CASE("tokens and numbers have at least one character") {
  CHECK(is_token("x-a!#$%&'*+.^_`|~9"));
  CHECK_FALSE(is_token(""));
  for (const char* text : {"a b", "a:", "\"", "a\t", "\xc3\xa4"}) CHECK_FALSE(is_token(text));
  CHECK(is_digits("0123456789"));
  CHECK_FALSE(is_digits(""));
  CHECK_FALSE(is_digits("1a"));
  CHECK_FALSE(is_digits("-1"));
}

TEST_CASE("blanks around a text are trimmed, those in it are not") {
  CHECK(trim_blanks(" \t a b\t ") == "a b");
  CHECK(trim_blanks(" \t ").empty());
  CHECK(trim_blanks("").empty());
  CHECK(trim_blanks("\na\n") == "\na\n");
}

TEST_CASE("bytes and numbers are written in hexadecimal") {
  char text[16];
  CHECK(std::string_view(text, static_cast<std::size_t>(write_hex(text, 0x0123456789abcdef, 16) - text)) ==
        "0123456789abcdef");
  CHECK(std::string_view(text, static_cast<std::size_t>(write_hex(text, 0x1a2b, 3) - text)) == "a2b");
  CHECK(std::string_view(text, static_cast<std::size_t>(write_percent(text, '/') - text)) == "%2F");
  CHECK(std::string_view(text, static_cast<std::size_t>(write_percent(text, '\xe4') - text)) == "%E4");
}

TEST_CASE("only well-formed UTF-8 sequences have a length") {
  CHECK(utf8_length("") == 0);
  CHECK(utf8_length("ab") == 1);
  CHECK(utf8_length(std::string_view("\0", 1)) == 1);
  CHECK(utf8_length("\xc3\xa4x") == 2);
  CHECK(utf8_length("\xe2\x82\xac") == 3);
  CHECK(utf8_length("\xf0\x9f\xa6\x86") == 4);
  for (std::string_view bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3x", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\xa6", "\xff"}) {
    CHECK(utf8_length(bad) == 0);
  }
}

}  // namespace albatross::base_test
