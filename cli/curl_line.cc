#include "cli/curl_line.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace albatross::cli {
namespace {

using Header = std::pair<std::string, std::string>;

// Options without a value that change nothing here.
constexpr std::string_view kFlags[] = {"-k",
                                       "--insecure",
                                       "-s",
                                       "--silent",
                                       "-S",
                                       "--show-error",
                                       "-v",
                                       "--verbose",
                                       "-i",
                                       "--include",
                                       "-L",
                                       "--location",
                                       "-f",
                                       "--fail",
                                       "-g",
                                       "--globoff",
                                       "-N",
                                       "--no-buffer",
                                       "-O",
                                       "--remote-name",
                                       "-4",
                                       "--ipv4",
                                       "-6",
                                       "--ipv6",
                                       "--compressed",
                                       "--http2",
                                       "--http2-prior-knowledge",
                                       "--http3",
                                       "--http3-only",
                                       "--path-as-is",
                                       "-q",
                                       "--disable",
                                       "-#",
                                       "--progress-bar",
                                       "--no-progress-meter",
                                       "--raw",
                                       "--tcp-nodelay",
                                       "--fail-with-body",
                                       "--location-trusted",
                                       "-J",
                                       "--remote-header-name",
                                       "-n",
                                       "--netrc",
                                       "--no-keepalive"};
// Options with a value that change nothing here.
constexpr std::string_view kValues[] = {"-o",
                                        "--output",
                                        "-m",
                                        "--max-time",
                                        "--connect-timeout",
                                        "-w",
                                        "--write-out",
                                        "--resolve",
                                        "--connect-to",
                                        "--cacert",
                                        "--capath",
                                        "-E",
                                        "--cert",
                                        "--key",
                                        "--ciphers",
                                        "--tls-max",
                                        "--retry",
                                        "--retry-delay",
                                        "--retry-max-time",
                                        "-x",
                                        "--proxy",
                                        "--interface",
                                        "--limit-rate",
                                        "-K",
                                        "--config",
                                        "-c",
                                        "--cookie-jar",
                                        "--unix-socket",
                                        "-D",
                                        "--dump-header",
                                        "--max-redirs",
                                        "--stderr",
                                        "--trace",
                                        "--trace-ascii",
                                        "-z",
                                        "--time-cond",
                                        "-y",
                                        "-Y",
                                        "--noproxy"};
// Options with a value whose short form is a letter.
constexpr std::string_view kLetters = "XHbAedFTurmowxKcEDzyY";

bool among(std::string_view word, const auto& list) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * k) & 63];
    }
  }
  return out;
}

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& words) : words_(words) {}

  CurlLine run() {
    while (at_ < words_.size() && line_.error.empty()) word(words_[at_++]);
    if (!line_.error.empty()) return std::move(line_);
    if (line_.request.url.empty()) line_.error = "the curl line has no URL";
    if (line_.request.url.find("://") == std::string::npos) line_.request.url.insert(0, "http://");
    finish();
    return std::move(line_);
  }

 private:
  void word(const std::string& w) {
    if (w.starts_with("--") && w.size() > 2) return option(w, w);
    if (!w.starts_with('-') || w == "-") return url(w);
    letters(w);
  }

  // "-sSH 'a: b'": flags, the last of which may have a value, in the word or behind it.
  void letters(const std::string& w) {
    for (std::size_t i = 1; i < w.size() && line_.error.empty(); ++i) {
      const std::string one = std::string("-") + w[i];
      const bool takes = kLetters.find(w[i]) != std::string_view::npos;
      if (takes && i + 1 < w.size()) {
        rest_ = w.substr(i + 1);
        return option(one, w);
      }
      option(one, w);
    }
  }

  std::string value(const std::string& name) {
    if (rest_) return *std::exchange(rest_, std::nullopt);
    if (at_ < words_.size()) return words_[at_++];
    line_.error = "curl's " + name + " has no value";
    return {};
  }

  void option(const std::string& name, const std::string& as_written) {
    if (name == "-X" || name == "--request") {
      method_ = value(name);
    } else if (name == "-H" || name == "--header") {
      header(value(name));
    } else if (name == "-b" || name == "--cookie") {
      const std::string cookie = value(name);
      if (cookie.find('=') == std::string::npos) return ignore(name + " " + cookie);  // a file
      add("Cookie", cookie);
    } else if (name == "-A" || name == "--user-agent") {
      add("User-Agent", value(name));
    } else if (name == "-e" || name == "--referer") {
      add("Referer", value(name));
    } else if (name == "-u" || name == "--user") {
      add("Authorization", "Basic " + base64(value(name)));
    } else if (name == "-I" || name == "--head") {
      default_method_ = "HEAD";
    } else if (name == "-G" || name == "--get") {
      get_ = true;
    } else if (name == "-T" || name == "--upload-file") {
      value(name);
      default_method_ = "PUT";
    } else if (name == "-F" || name == "--form") {
      value(name);
      default_method_ = "POST";
      type_ = "multipart/form-data";
    } else if (name == "-d" || name.starts_with("--data")) {
      data(value(name));
    } else if (name == "--json") {
      value(name);
      default_method_ = "POST";
      type_ = "application/json";
    } else if (name == "--url") {
      url(value(name));
    } else if (name == "--http1.1" || name == "--http1.0" || name == "-0") {
      line_.request.alpn = "http/1.1";
    } else if (among(name, kFlags)) {
      ignore(name);
    } else if (among(name, kValues)) {
      ignore(name + " " + value(name));
    } else {
      line_.error =
          "curl's option " + as_written + " is not known here: leave it out if it does not change the request";
    }
  }

  void header(const std::string& text) {
    const std::size_t colon = text.find_first_of(":;");
    if (colon == std::string::npos) return ignore("-H " + text);
    const std::string_view value = trim_blanks(std::string_view(text).substr(colon + 1));
    if (value.empty() && text[colon] == ':') return ignore("-H " + text);  // curl leaves the field out
    add(text.substr(0, colon), std::string(value));
  }
  void data(const std::string& text) {
    default_method_ = "POST";
    if (type_.empty()) type_ = "application/x-www-form-urlencoded";
    data_ += (data_.empty() ? "" : "&") + text;
  }
  void url(const std::string& text) {
    if (line_.request.url.empty()) {
      line_.request.url = text;
    } else {
      ignore(text);
    }
  }
  void finish() {
    if (get_ && !data_.empty()) {
      line_.request.url += (line_.request.url.find('?') == std::string::npos ? "?" : "&") + data_;
    } else if (!type_.empty() && !has("Content-Type")) {
      add("Content-Type", type_);
    }
    line_.request.method = !method_.empty() ? method_ : get_ ? "GET" : default_method_;
    if (!has("User-Agent")) add("User-Agent", "curl/8");
    if (!has("Accept")) add("Accept", "*/*");
  }
  bool has(std::string_view name) const {
    return std::any_of(line_.request.headers.begin(), line_.request.headers.end(),
                       [name](const Header& h) { return equals_ignore_case(h.first, name); });
  }
  void add(const std::string& name, const std::string& value) { line_.request.headers.emplace_back(name, value); }
  void ignore(const std::string& what) { line_.ignored.push_back(what); }

  const std::vector<std::string>& words_;
  std::size_t at_ = 0;
  std::optional<std::string> rest_;  // of a word, as the value of its option
  std::string method_, default_method_ = "GET", type_, data_;
  bool get_ = false;
  CurlLine line_;
};

}  // namespace

CurlLine parse_curl(const std::vector<std::string>& words) { return Parser(words).run(); }

}  // namespace albatross::cli
