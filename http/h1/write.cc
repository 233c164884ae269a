#include "http/h1/write.h"

#include <charconv>
#include <cstring>

#include "http/header_properties.h"

namespace albatross {
namespace {

struct Writer {
  char* p;
  void put(std::string_view s) {
    if (s.empty()) return;  // data() may be null
    std::memcpy(p, s.data(), s.size());
    p += s.size();
  }
  void number(std::uint64_t n) { p = std::to_chars(p, p + 20, n).ptr; }
};

std::size_t fields_size(const Fields& fields) {
  std::size_t n = 0;
  for (const Field& f : fields) n += std::size_t{4} + f.name_size + f.value_size;
  return n;
}

void put_fields(Writer& w, const Fields& fields) {
  for (const Field& f : fields) {
    if (f.removed || has_property(f.id, HeaderProperty::kWrittenByCodec)) continue;
    w.put(f.name());
    w.put(": ");
    w.put(f.value());
    w.put("\r\n");
  }
}

void put_length(Writer& w, std::uint64_t n) {
  w.put("Content-Length: ");
  w.number(n);
  w.put("\r\n");
}

constexpr std::size_t kFixed = 256;  // status line, framing and connection fields

}  // namespace

void write_request_head(const Head& head, Output& out) {
  std::size_t room = kFixed + head.method_text.size() + head.path.size() + head.query.size() + head.authority.size() +
                     fields_size(head.fields);
  char* start = out.reserve(room);
  Writer w{start};
  w.put(head.method_text);
  w.put(" ");
  w.put(head.path);
  if (head.has_query) {
    w.put("?");
    w.put(head.query);
  }
  w.put(" HTTP/1.1\r\nHost: ");
  w.put(head.authority);
  w.put("\r\n");
  put_fields(w, head.fields);
  switch (head.body.kind) {
    case BodyLength::Kind::kLength: put_length(w, head.body.length); break;
    case BodyLength::Kind::kChunked: w.put("Transfer-Encoding: chunked\r\n"); break;
    default: break;
  }
  if (head.upgrade) {
    w.put("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  } else if (!head.keep_alive) {
    w.put("Connection: close\r\n");
  }
  w.put("\r\n");
  out.commit(static_cast<std::size_t>(w.p - start));
}

void write_response_head(const Head& head, Output& out) {
  std::string_view reason = head.reason.empty() ? reason_phrase(head.status) : head.reason;
  char* start = out.reserve(kFixed + reason.size() + fields_size(head.fields));
  Writer w{start};
  w.put("HTTP/1.1 ");
  w.number(head.status);
  w.put(" ");
  w.put(reason);
  w.put("\r\n");
  put_fields(w, head.fields);
  if (head.status == 101) {
    w.put("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  } else if (head.status >= 200) {
    switch (head.body.kind) {
      case BodyLength::Kind::kLength: put_length(w, head.body.length); break;
      case BodyLength::Kind::kChunked: w.put("Transfer-Encoding: chunked\r\n"); break;
      case BodyLength::Kind::kNone:
        if (head.declared_length >= 0) put_length(w, static_cast<std::uint64_t>(head.declared_length));
        break;
      case BodyLength::Kind::kUntilClose: break;
    }
    if (!head.keep_alive) {
      w.put("Connection: close\r\n");
    } else if (head.version == Version::kHttp10) {
      w.put("Connection: keep-alive\r\n");
    }
  }
  w.put("\r\n");
  out.commit(static_cast<std::size_t>(w.p - start));
}

void write_chunk_size(std::size_t size, Output& out) {
  char* start = out.reserve(24);
  char* p = std::to_chars(start, start + 18, size, 16).ptr;
  *p++ = '\r';
  *p++ = '\n';
  out.commit(static_cast<std::size_t>(p - start));
}

void write_last_chunk(const Fields& trailers, Output& out) {
  char* start = out.reserve(8 + fields_size(trailers));
  Writer w{start};
  w.put("0\r\n");
  put_fields(w, trailers);
  w.put("\r\n");
  out.commit(static_cast<std::size_t>(w.p - start));
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 463: return "Loop Detected";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
}

}  // namespace albatross
