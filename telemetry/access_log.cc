#include "telemetry/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

#include "base/text.h"
#include "base/timestamp.h"

namespace albatross {
namespace {

constexpr std::size_t kRing = 4u << 20;
constexpr std::size_t kMaxText = 4096;
constexpr auto kTexts = static_cast<std::size_t>(LogText::kCount);

// What stands before each text. Copied whole, which is one or two instructions, and then only its size is kept.
struct Opening {
  static constexpr std::size_t kRoom = 32;
  char text[kRoom] = {};
  std::size_t size = 0;
  constexpr explicit(false) Opening(std::string_view key) {
    for (const std::string_view part : {std::string_view(",\""), key, std::string_view("\":\"")}) {
      for (const char c : part) text[size++] = c;
    }
  }
};
constexpr Opening kOpenings[kTexts] = {{"request_method"},
                                       {"request_uri"},
                                       {"host"},
                                       {"client_ip"},
                                       {"scheme"},
                                       {"server_protocol"},
                                       {"upstream_addr"},
                                       {"http_user_agent"},
                                       {"http_referer"},
                                       {"http_x_forwarded_for"},
                                       {"listener"},
                                       {"rule"},
                                       {"server_group"},
                                       {"termination"},
                                       {"termination_detail"},
                                       {"failed_tries"},
                                       {"request_id"},
                                       {"trace_id"},
                                       {"ssl_protocol"},
                                       {"ssl_cipher"}};
constexpr std::size_t kMostOfNumbers = 1024;  // the length of a line without its texts, and room for an opening
constexpr std::size_t kLongestEscape = 6;     // of a byte
constexpr std::size_t kLongestLine = kMostOfNumbers + kTexts * (Opening::kRoom + kLongestEscape * kMaxText);
constexpr std::size_t kWritten = 256 * 1024;  // lines are written when there are so many bytes of them
constexpr std::size_t kWord = sizeof(std::uint64_t);

template <class T>
T load(const char* p) {
  T t;
  std::memcpy(&t, p, sizeof t);
  return t;
}

// The text of 1 to 7 bytes as a word, with spaces behind it.
std::uint64_t short_word(const char* p, std::size_t n) {
  constexpr std::uint64_t kSpaces = 0x2020202020202020;
  std::uint64_t word = 0;
  if (n >= 4) {
    word = load<std::uint32_t>(p) | std::uint64_t{load<std::uint32_t>(p + n - 4)} << (8 * (n - 4));
  } else {
    for (std::size_t i = 0; i < n; ++i) word |= std::uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
  }
  return word | kSpaces << (8 * n);
}

// Whether none of eight characters needs an escape in a JSON string. May be wrong about one behind one that does.
bool all_plain(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  const auto has = [](std::uint64_t w, unsigned char c) { return ((w ^ (kOnes * c)) - kOnes) & ~(w ^ (kOnes * c)); };
  const std::uint64_t controls = (word - kOnes * 0x20) & ~word;
  return ((word | controls | has(word, '"') | has(word, '\\') | has(word, 0x7f)) & kHigh) == 0;
}

// Writes a line into room that is large enough.
class Line {
 public:
  explicit Line(char* room) : p_(room) {}
  char* end() const { return p_; }

  void raw(std::string_view s) {
    std::memcpy(p_, s.data(), s.size());
    p_ += s.size();
  }
  template <std::size_t N>
  void literal(const char (&text)[N]) {
    std::memcpy(p_, text, N - 1);
    p_ += N - 1;
  }
  void open(const Opening& opening) {
    std::memcpy(p_, opening.text, Opening::kRoom);
    p_ += opening.size;
  }
  // As the content of a JSON string. A byte that is not UTF-8 is read as Latin-1.
  void text(std::string_view s) {
    while (!s.empty()) {
      const std::size_t n = s.size() < kWord ? s.size() : kWord;
      const std::uint64_t word = n == kWord ? load<std::uint64_t>(s.data()) : short_word(s.data(), n);
      if (all_plain(word)) {
        std::memcpy(p_, &word, kWord);
        p_ += n;
        s.remove_prefix(n);
      } else {
        s.remove_prefix(character(s));
      }
    }
  }
  template <std::size_t N>
  void number(const char (&key)[N], std::uint64_t n) {
    literal(key);
    p_ = std::to_chars(p_, p_ + 20, n).ptr;
  }
  template <std::size_t N>
  void seconds(const char (&key)[N], Nanos n) {
    const std::uint64_t micros = (n + 500) / 1000;
    number(key, micros / 1'000'000);
    *p_++ = '.';
    p_ = write_six_digits(p_, static_cast<std::uint32_t>(micros % 1'000'000));
  }

 private:
  // Writes the first character. Returns its length in bytes.
  std::size_t character(std::string_view s) {
    const std::size_t n = utf8_length(s);
    if (s[0] == '"' || s[0] == '\\') {
      *p_++ = '\\';
      *p_++ = s[0];
      return 1;
    }
    if (is_control(s[0]) || n == 0) {
      literal("\\u00");
      p_ = write_hex(p_, static_cast<unsigned char>(s[0]), 2);
      return 1;
    }
    raw(s.substr(0, n));
    return n;
  }

  char* p_;
};

// Writes the line of a record. Returns its end.
char* write_line(const LogRecord& r, const char* texts, char* room) {
  thread_local Timestamp time;
  Line line(room);
  line.literal("{\"time\":\"");
  line.raw(time.text(r.wall));
  line.number("\",\"status\":", r.status);
  for (std::size_t i = 0; i < kTexts; ++i) {
    if (r.sizes[i] == 0) continue;
    line.open(kOpenings[i]);
    line.text({texts, r.sizes[i]});
    line.literal("\"");
    texts += r.sizes[i];
  }
  if (r.client_port != 0) line.number(",\"client_port\":", r.client_port);
  line.seconds(",\"request_time\":", r.request_time);
  line.number(",\"request_length\":", r.request_length);
  line.number(",\"body_bytes_sent\":", r.body_bytes_sent);
  if (r.attempts > 0) line.number(",\"attempts\":", r.attempts);
  if (r.grpc_status >= 0) line.number(",\"grpc_status\":", static_cast<std::uint64_t>(r.grpc_status));
  if (r.has_upstream) {
    if (r.upstream_status != 0) {
      line.number(",\"upstream_status\":", r.upstream_status);
      line.seconds(",\"upstream_header_time\":", r.upstream_header_time);
    }
    line.seconds(",\"upstream_response_time\":", r.upstream_response_time);
    line.seconds(",\"upstream_connect_time\":", r.upstream_connect_time);
  }
  line.literal("}\n");
  return line.end();
}

int open_file(const std::string& path, std::string& error) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) error = "access log " + path + ": " + std::strerror(errno);
  return fd;
}

}  // namespace

AccessLog::AccessLog(const config::AccessLog& settings, int workers)
    : settings_(settings), on_(settings.target != config::AccessLog::Target::kOff) {
  if (!on_) return;
  for (int i = 0; i < workers; ++i) rings_.push_back(std::make_unique<LogRing>(kRing));
}

AccessLog::~AccessLog() { stop(); }

bool AccessLog::open(std::string& error) {
  if (!on_) return true;
  switch (settings_.target) {
    case config::AccessLog::Target::kStdout: fd_ = STDOUT_FILENO; break;
    case config::AccessLog::Target::kStderr: fd_ = STDERR_FILENO; break;
    default: fd_ = open_file(*settings_.path, error);
  }
  if (fd_ < 0) return false;
  lines_ = std::make_unique_for_overwrite<char[]>(kWritten + kLongestLine);
  thread_ = std::thread([this] { run(); });
  return true;
}

void AccessLog::write(int worker, LogRecord& record, const std::string_view (&texts)[kTexts]) {
  LogRing& ring = *rings_[static_cast<std::size_t>(worker)];
  std::size_t total = sizeof record;
  for (std::size_t i = 0; i < kTexts; ++i) {
    record.sizes[i] = static_cast<std::uint16_t>(texts[i].size() < kMaxText ? texts[i].size() : kMaxText);
    total += record.sizes[i];
  }
  char* p = ring.reserve(total);
  if (p == nullptr) return;
  std::memcpy(p, &record, sizeof record);
  p += sizeof record;
  for (std::size_t i = 0; i < kTexts; ++i) {
    if (record.sizes[i] == 0) continue;
    std::memcpy(p, texts[i].data(), record.sizes[i]);
    p += record.sizes[i];
  }
  ring.commit();
  if (ring.over_half() && !wake_.exchange(true, std::memory_order_relaxed)) ready_.notify_one();
}

void AccessLog::format(const LogRecord& record, const char* texts, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + kLongestLine);
  out.resize(static_cast<std::size_t>(write_line(record, texts, out.data() + before) - out.data()));
}

// Returns the end of what is left in the buffer.
char* AccessLog::drain_rings() {
  char* end = lines_.get();
  for (auto& ring : rings_) {
    for (std::string_view raw = ring->front(); !raw.empty(); raw = ring->front()) {
      LogRecord r;
      std::memcpy(static_cast<void*>(&r), raw.data(), sizeof r);
      end = write_line(r, raw.data() + sizeof r, end);
      ring->pop();
      if (end - lines_.get() < static_cast<std::ptrdiff_t>(kWritten)) continue;
      flush(end);
      end = lines_.get();
    }
  }
  return end;
}

void AccessLog::flush(const char* end) {
  for (const char* p = lines_.get(); p < end;) {
    const ssize_t n = ::write(fd_, p, static_cast<std::size_t>(end - p));
    if (n > 0) {
      p += n;
    } else if (errno != EINTR) {
      write_failures_.fetch_add(1, std::memory_order_relaxed);  // the disk is full, say: the lines are lost
      return;
    }
  }
}

void AccessLog::run() {
  while (true) {
    bool last = stopping_.load();
    wake_.store(false);
    flush(drain_rings());
    if (last) return;
    if (const int fd = next_fd_.exchange(-1); fd >= 0) {
      ::close(fd_);
      fd_ = fd;
    }
    std::unique_lock lock(lock_);
    ready_.wait_for(lock, std::chrono::milliseconds(200),
                    [this] { return wake_.load() || stopping_.load() || next_fd_.load() >= 0; });
  }
}

bool AccessLog::reopen(std::string& error) {
  if (settings_.target != config::AccessLog::Target::kFile) return true;
  const int fd = open_file(*settings_.path, error);
  if (fd < 0) return false;
  if (const int unused = next_fd_.exchange(fd); unused >= 0) ::close(unused);
  ready_.notify_one();
  return true;
}

std::uint64_t AccessLog::dropped() const {
  std::uint64_t n = write_failures_.load(std::memory_order_relaxed);
  for (const auto& r : rings_) n += r->dropped();
  return n;
}

void AccessLog::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(lock_);
    stopping_.store(true);
  }
  ready_.notify_one();
  thread_.join();
  if (settings_.target == config::AccessLog::Target::kFile) ::close(fd_);
}

}  // namespace albatross
