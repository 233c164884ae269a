// Request targets (RFC 9112 §3.2) and the normal form of paths (RFC 3986 §6.2). Rules, logs and servers all see the
// same normalised path. Pure functions, any thread.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "base/uri_path.h"
#include "http/framing.h"

namespace albatross {

// Whether the text is a host with an optional port and without userinfo (RFC 9110 §7.2); IPv6 in brackets.
bool valid_authority(std::string_view text);
// The host without its port, with its brackets or trailing dot.
std::string_view host_of(std::string_view authority);
// The port without its colon; empty if there is none.
std::string_view port_of(std::string_view authority);

// Splits head.target into path and query and, in absolute form, authority. Refuses fragments, schemes other than http
// and https, "*" unless the method is OPTIONS, and any text that is not a target. The path is not normalised yet.
Refusal split_target(Head& head);

// The normal form of a path, or why it has none: base/uri_path.h. `out` is `path` itself if that is normal already,
// else in the arena.
Refusal normalise_path(std::string_view path, EncodedSlash slashes, Arena& arena, std::string_view& out);

// Percent-encodes what may not stand in a path or query as it is: controls, blanks, `#`, bytes above 0x7f. What is an
// escape already stays. A view of the text if there is nothing to do, else in the arena.
std::string_view escape_unsendable(std::string_view text, Arena& arena);

}  // namespace albatross
