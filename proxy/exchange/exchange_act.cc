// The rule's actions: edits, then what answers.
#include <charconv>

#include "proxy/exchange/exchange.h"

namespace albatross {

TemplateValues Exchange::template_values() {
  const ListenerRuntime& listener = *view_->listener;
  TemplateValues v;
  v.host = host_of(head_.authority);
  v.path = head_.path;
  v.query = head_.query;
  v.written_port = port_of(head_.authority);
  v.port = v.written_port.empty() ? std::string_view(listener.port_text) : v.written_port;
  v.protocol = head_.scheme;
  v.client_ip = account_.client;
  v.client_port = number_text(client_->info().client_port, arena_);
  v.listener = listener.name;
  v.rule = route_->rule;
  v.request_id = account_.request_id;
  v.fields = &head_.fields;
  v.captures = &captures_;
  return v;
}

// Edits in front of a redirect change what it is built from.
void Exchange::act() {
  if (route_->answer == Route::Answer::kFixedResponse) return fixed_response();
  if (!route_->edits.empty()) {
    Refusal why = apply_edits(*route_, template_values(), view_->listener->slashes, head_);
    if (why.cause != Cause::kNone) return answer(internal_error(why.cause, why.detail));
  }
  if (route_->answer == Route::Answer::kRedirect) return redirect();
  forward();
}

void Exchange::redirect() {
  OwnAnswer own;
  own.head.fields = Fields(arena_);
  own.head.status = route_->code;
  own.head.fields.add(HeaderId::kLocation, "location", redirect_location(*route_, template_values(), arena_));
  answer(own);
}

void Exchange::fixed_response() {
  OwnAnswer own;
  own.head.fields = Fields(arena_);
  own.head.status = route_->code;
  own.body = route_->body;
  if (!own.body.empty()) own.head.fields.add(HeaderId::kContentType, "content-type", route_->content_type);
  answer(own);
}

}  // namespace albatross
