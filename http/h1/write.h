// Heads and chunk framing as bytes. The message is always rebuilt from its parts: one Host, one framing field that we
// computed, Connection as this hop needs it. Removed fields and hop-by-hop names never appear.
#pragma once

#include "http/head.h"
#include "http/output.h"

namespace albatross {

void write_request_head(const Head& head, Output& out);
void write_response_head(const Head& head, Output& out);
void write_chunk_size(std::size_t size, Output& out);
void write_last_chunk(const Fields& trailers, Output& out);

// "OK" for 200, "" for what RFC 9110 does not name.
std::string_view reason_phrase(int status);

}  // namespace albatross
