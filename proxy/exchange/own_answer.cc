#include "proxy/exchange/own_answer.h"

#include <algorithm>
#include <charconv>

#include "http/h1/write.h"

namespace albatross {
namespace {

// The client prefers JSON if Accept names it and no text type before it.
bool prefers_json(const Head& request) {
  std::string_view accept = request.fields.value(HeaderId::kAccept);
  std::size_t json = accept.find("application/json");
  if (json == std::string_view::npos) return false;
  std::size_t text = accept.find("text/");
  return text == std::string_view::npos || json < text;
}

std::string_view detail_of(const Error& error) {
  return error.detail != nullptr ? std::string_view(error.detail) : info(error.cause).detail;
}

}  // namespace

std::string_view number_text(std::uint64_t n, Arena& arena) {
  char* p = arena.bytes(20);
  return {p, static_cast<std::size_t>(std::to_chars(p, p + 20, n).ptr - p)};
}

OwnAnswer own_answer(const Error& error, const Head& request, std::string_view request_id,
                     std::span<const ErrorPage> pages, Arena& arena) {
  using Text = std::string_view;
  const CauseInfo& why = info(error.cause);
  OwnAnswer a;
  Head& h = a.head;
  h.fields = Fields(arena);
  h.status = why.status == 0 ? 500 : why.status;
  if (prefers_json(request)) {
    h.fields.add(HeaderId::kContentType, "Content-Type", "application/json");
    a.body = arena.concat(Text("{\"status\":"), number_text(h.status, arena), Text(",\"cause\":\""), why.name,
                          Text("\",\"detail\":\""), detail_of(error), Text("\",\"request_id\":\""), request_id,
                          Text("\"}\n"));
  } else if (const auto page =
                 std::find_if(pages.begin(), pages.end(), [&h](const ErrorPage& p) { return p.code == h.status; });
             page != pages.end()) {
    h.fields.add(HeaderId::kContentType, "Content-Type", page->content_type);
    a.body = page->body;
  } else {
    h.fields.add(HeaderId::kContentType, "Content-Type", "text/plain; charset=utf-8");
    const bool named = !request_id.empty();
    a.body = arena.concat(number_text(h.status, arena), Text(" "), reason_phrase(h.status), Text("\n"), why.name,
                          Text(": "), detail_of(error), Text("\n"), Text(named ? "request id: " : ""), request_id,
                          Text(named ? "\n" : ""));
  }
  if (h.status == 503) h.fields.add(HeaderId::kRetryAfter, "Retry-After", "1");
  return a;
}

Fields grpc_status_fields(const Error& error, Arena& arena, std::string_view& status) {
  Fields f(arena);
  status = number_text(info(error.cause).grpc_status, arena);
  f.add(HeaderId::kGrpcStatus, "grpc-status", status);
  f.add(HeaderId::kGrpcMessage, "grpc-message", detail_of(error));
  return f;
}

OwnAnswer own_grpc_answer(const Error& error, Arena& arena, std::string_view& status) {
  OwnAnswer a;
  a.head.fields = grpc_status_fields(error, arena, status);
  a.head.status = 200;
  a.head.fields.add(HeaderId::kContentType, "Content-Type", "application/grpc");
  return a;
}

void complete_own_head(Head& head, std::size_t body, const Head& request, bool trailers_only, std::string_view date) {
  head.fields.add(HeaderId::kDate, "Date", date);
  const bool bodyless = head.status == 204 || head.status == 304;
  if (!bodyless && !trailers_only) head.body = {BodyLength::Kind::kLength, body};
  if (request.method == Method::kHead && !bodyless) {
    head.body = {};
    head.declared_length = static_cast<std::int64_t>(body);
  }
  head.version = request.version;
}

}  // namespace albatross
