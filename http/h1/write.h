// Writes heads and chunk framing of HTTP/1.1 (RFC 9112). A message is always rebuilt from its parts: one Host, one
// framing field that we computed, and Connection as this hop needs it. Removed fields and those that the codec writes
// itself (http/header_properties.h) are left out. The bytes are in the Output when the functions return.
#pragma once

#include "http/head.h"
#include "http/output.h"

namespace albatross {

void write_request_head(const Head& head, Output& out);
void write_response_head(const Head& head, Output& out);
// The line before a chunk of `size` > 0 bytes (RFC 9112 §7.1); the caller writes the CRLF after the chunk.
void write_chunk_size(std::size_t size, Output& out);
// The chunk of size 0, the trailers and the empty line.
void write_last_chunk(const Fields& trailers, Output& out);

// "OK" for 200; "" for a status that is not known here.
std::string_view reason_phrase(int status);

}  // namespace albatross
